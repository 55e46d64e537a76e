"""Displays: their arrays hold the formulas, and the artists show the arrays."""

import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from random import Random
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from matplotlib.container import BarContainer, ErrorbarContainer
from numpy.typing import ArrayLike

from seg1.bandit import (
    ArmSharesDisplay,
    CalibrationDisplay,
    Choice,
    OfferSelector,
    RegretDisplay,
)
from seg1.errors import InvalidArgumentError, MissingExtraError
from seg1.offers import Goal, Offer
from seg1.testing.worlds import World, logit5, newarm, regret_share

Display: TypeAlias = RegretDisplay | ArmSharesDisplay | CalibrationDisplay

BEST = [0.5, 0.5, 0.4, 0.4]
CHOSEN = {"thompson": [0.1, 0.5, 0.4, 0.4], "a lottery": [0.2, 0.2, 0.2, 0.2]}


def choices_of(offers: list[Any], *, n: int, no_offer: bool = False) -> list[Choice]:
    selector = OfferSelector(offers, goal=Goal.revenue(), no_offer=no_offer, floor=1.0, seed=5)
    return [selector.choose({}, id=visit, at=0) for visit in range(n)]


DISPLAYS: dict[str, Display] = {
    "regret": RegretDisplay.of(CHOSEN, best=BEST),
    "shares": ArmSharesDisplay.of(choices_of([Offer("tea", worth=1.0)], n=9, no_offer=True)),
    "calibration": CalibrationDisplay.of([0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1], n_bins=2),
}


def test_regret_adds_up_what_is_missed() -> None:
    display = RegretDisplay.of(CHOSEN, best=BEST)

    assert display.names == ("thompson", "a lottery")
    assert np.allclose(display.regret, [[0.4, 0.4, 0.4, 0.4], [0.3, 0.6, 0.8, 1.0]])


@pytest.mark.parametrize("world", [logit5(3, 400), newarm(3, 400)], ids=lambda world: world.name)
def test_the_last_regret_over_a_lotterys_is_the_regret_share(world: World) -> None:
    rounds = np.arange(world.n_rounds)
    arms = world.available.argmax(axis=1)
    lottery = np.where(world.available, world.means, 0.0).sum(axis=1) / world.available.sum(axis=1)

    display = RegretDisplay.of(
        {"the first": world.means[rounds, arms], "a lottery": lottery},
        best=world.means[rounds, world.best],
    )

    first, even = display.regret[:, -1]
    assert first / even == pytest.approx(regret_share(world, arms))


@pytest.mark.parametrize(
    ("chosen", "best", "words"),
    [
        ({}, BEST, "at least one policy"),
        ({"a": [0.1]}, BEST, r"must have shape \(4,\), got \(1,\)"),
        ({"a": [0.1, 0.2, 0.3, 0.6]}, BEST, "a mean above the best of its round"),
        ({"a": [0.1, 0.2, 0.3, np.nan]}, BEST, "must be finite"),
        ({"a": [0.1, 0.2, 0.3, "few"]}, BEST, "must be numbers in one row"),
        ({"a": []}, [], r"best must have shape \(n_rows,\), at least one"),
        ({"a": [[0.1]]}, [[0.5]], r"got \(1, 1\)"),
    ],
)
def test_what_cannot_be_missed_is_refused(
    chosen: Mapping[str, ArrayLike], best: ArrayLike, words: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        RegretDisplay.of(chosen, best=best)


def test_a_mean_above_the_best_by_rounding_is_let_pass() -> None:
    display = RegretDisplay.of({"a": [0.1 + 0.2]}, best=[0.3])

    assert display.regret[0, 0] == pytest.approx(0.0)


def test_each_policy_is_a_line_that_colour_alone_does_not_tell_apart() -> None:
    means = {f"policy {k}": [0.4 - 0.01 * k] * 4 for k in range(12)}
    display = RegretDisplay.of(means, best=BEST, unit="acceptances")

    ax = display.plot()

    lines = ax.get_lines()
    assert [np.asarray(line.get_ydata())[-1] for line in lines] == display.regret[:, -1].tolist()
    assert all(np.array_equal(line.get_xdata(), [1, 2, 3, 4]) for line in lines)
    assert len({(line.get_linestyle(), line.get_marker()) for line in lines}) == 12
    assert ax.get_xlabel() == "rounds"
    assert ax.get_ylabel() == "cumulative regret, expected acceptances"


def test_shares_are_counted_block_by_block() -> None:
    offers = [Offer("tea", prices=[2.0, 1.0]), Offer("cake", worth=1.0), Offer(7, worth=1.0)]
    choices = choices_of(offers[:2], n=50, no_offer=True)

    display = ArmSharesDisplay.of(choices, n_blocks=4)

    assert display.edges.tolist() == [0, 12, 25, 37, 50]
    for block, (start, end) in enumerate(pairwise(display.edges.tolist())):
        counts = Counter(choice.offer for choice in choices[start:end])
        told = dict(zip(display.names, display.shares[:, block], strict=True))
        for offer, name in {"tea": "tea", "cake": "cake", None: "no offer"}.items():
            assert told[name] == pytest.approx(counts[offer] / (end - start))


@given(n=st.integers(1, 60), n_blocks=st.integers(1, 80), n_named=st.integers(1, 6))
def test_shares_of_a_block_sum_to_one_and_add_up_to_the_whole(
    n: int, n_blocks: int, n_named: int
) -> None:
    choices = ALL_CHOICES[:n]

    display = ArmSharesDisplay.of(choices, n_blocks=n_blocks, n_named=n_named)

    counts = display.shares @ np.diff(display.edges)
    assert np.allclose(display.shares.sum(axis=0), 1.0)
    assert counts.sum() == pytest.approx(n)
    assert len(display.edges) == min(n, n_blocks) + 1
    assert display.edges[-1] == n
    seen = Counter(choice.offer for choice in choices)
    n_none = seen.pop(None, 0)
    named = [count for _, count in seen.most_common(n_named)]
    expected = named + [sum(seen.values()) - sum(named)] * (len(seen) > n_named)
    assert counts.round().astype(int).tolist() == expected + [n_none] * (n_none > 0)


ALL_CHOICES = choices_of([Offer(k, worth=1.0) for k in range(5)], n=60, no_offer=True)


def test_few_offers_are_named_and_no_offer_comes_last() -> None:
    display = ArmSharesDisplay.of(ALL_CHOICES, n_named=2)

    assert display.names[2:] == ("other offers", "no offer")
    assert len(display.names) == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_blocks": 0}, "n_blocks must be an int >= 1"),
        ({"n_named": 0}, "n_named must be an int >= 1"),
        ({"choices": []}, "at least one choice"),
    ],
)
def test_shares_of_nothing_are_refused(options: dict[str, Any], words: str) -> None:
    options = {"choices": ALL_CHOICES, **options}

    with pytest.raises(InvalidArgumentError, match=words):
        ArmSharesDisplay.of(options.pop("choices"), **options)


def test_bars_are_stacked_to_one_and_hatched_each_in_its_way() -> None:
    display = ArmSharesDisplay.of(ALL_CHOICES, n_blocks=3)

    ax = display.plot()

    stacks = [stack for stack in ax.containers if isinstance(stack, BarContainer)]
    below = np.zeros(3)
    for stack, share in zip(stacks, display.shares, strict=True):
        assert np.allclose([bar.get_y() for bar in stack], below)
        assert np.allclose([bar.get_height() for bar in stack], share)
        assert [bar.get_x() for bar in stack] == display.edges[:-1].tolist()
        below += share
    assert np.allclose(below, 1.0)
    assert len({stack[0].get_hatch() for stack in stacks}) == len(stacks)
    assert ax.get_ylabel() == "share of the choices of a block"
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == list(display.names[::-1])


def slow_wilson(share: float, n: int) -> tuple[float, float]:
    """Solve ``(share - p)^2 = z^2 p (1 - p) / n`` for p."""
    z = 1.959963984540054
    a, b, c = 1 + z * z / n, -(2 * share + z * z / n), share * share
    low, high = sorted(np.roots([a, b, c]).real)
    return float(low), float(high)


def test_bins_hold_equally_many_and_their_intervals_are_wilsons() -> None:
    rng = np.random.default_rng(1)
    p = rng.random(1_003)
    accepted = rng.random(1_003) < p

    display = CalibrationDisplay.of(p, accepted, n_bins=7)

    assert np.ptp(display.n_rows) <= 1
    assert display.n_rows.sum() == 1_003
    assert (np.diff(display.predicted) > 0).all()
    order = np.argsort(p)
    ends = np.append(0, display.n_rows.cumsum())
    for i, (start, end) in enumerate(pairwise(ends.tolist())):
        rows = order[start:end]
        assert display.predicted[i] == pytest.approx(p[rows].mean())
        assert display.observed[i] == pytest.approx(accepted[rows].mean())
        wilson = slow_wilson(float(display.observed[i]), int(display.n_rows[i]))
        assert (display.low[i], display.high[i]) == pytest.approx(wilson)


rows = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.3, 0.7, 1.0]), st.booleans()), min_size=1)


@given(rows=rows, n_bins=st.integers(1, 8), order=st.randoms(use_true_random=False))
def test_bins_do_not_depend_on_the_order_of_rows_and_never_part_equals(
    rows: list[tuple[float, bool]], n_bins: int, order: Random
) -> None:
    shuffled = list(rows)
    order.shuffle(shuffled)

    display, again = (
        CalibrationDisplay.of([p for p, _ in some], [yes for _, yes in some], n_bins=n_bins)
        for some in (rows, shuffled)
    )

    assert display.n_rows.tolist() == again.n_rows.tolist()
    assert np.allclose(display.predicted, again.predicted)
    assert display.observed.tolist() == again.observed.tolist()
    assert display.n_rows.sum() == len(rows)
    assert len(display.n_rows) <= min(n_bins, len({p for p, _ in rows}))
    assert ((display.low >= 0) & (display.low <= display.observed)).all()
    assert ((display.high <= 1) & (display.high >= display.observed)).all()
    counts = Counter(p for p, _ in rows)
    sizes = {sum(counts[p] for p in some) for some in _runs(sorted(counts))}
    assert set(display.n_rows.tolist()) <= sizes


def _runs(values: list[float]) -> list[list[float]]:
    return [values[i:j] for i in range(len(values)) for j in range(i + 1, len(values) + 1)]


def test_an_interval_widens_with_its_level_and_ends_where_all_agree() -> None:
    narrow, wide = (CalibrationDisplay.of([0.5] * 9, [1] * 9, level=level) for level in (0.5, 0.99))

    assert wide.low[0] < narrow.low[0] < 1.0
    assert wide.high[0] == narrow.high[0] == 1.0


@pytest.mark.parametrize(
    ("p", "accepted", "options", "words"),
    [
        ([1.1], [1], {}, r"response_prob must lie in \[0, 1\]"),
        ([-0.1], [1], {}, r"response_prob must lie in \[0, 1\]"),
        ([0.5], [2], {}, "accepted be 0 or 1"),
        ([0.5, 0.5], [1], {}, r"accepted must have shape \(2,\)"),
        ([], [], {}, "at least one"),
        ([0.5], [1], {"n_bins": 0}, "n_bins must be an int >= 1"),
        ([0.5], [1], {"level": 1.0}, r"level must lie in \(0, 1\)"),
        ([0.5], [1], {"level": 0.0}, "level must be a finite number > 0"),
    ],
)
def test_what_is_no_prediction_or_no_answer_is_refused(
    p: ArrayLike, accepted: ArrayLike, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        CalibrationDisplay.of(p, accepted, **options)


def test_points_and_spans_stand_at_the_bins() -> None:
    display = CalibrationDisplay.of([0.1] * 20 + [0.3] * 20, [1, 0, 0, 0] * 10, n_bins=2)

    ax = display.plot()

    (bars,) = (one for one in ax.containers if isinstance(one, ErrorbarContainer))
    points, _, (spans,) = bars.lines
    assert points is not None
    assert np.allclose(points.get_xydata(), np.stack([display.predicted, display.observed], 1))
    ends = [np.asarray(span.vertices)[:, 1] for span in spans.get_paths()]
    assert np.allclose(ends, np.stack([display.low, display.high], 1))
    assert ax.get_ylabel() == "share accepted, 95 % interval"
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["as predicted", "bins of 20"]


@pytest.mark.parametrize("display", DISPLAYS.values(), ids=list(DISPLAYS))
def test_a_display_leaves_no_figure_open_and_draws_where_it_is_told(display: Display) -> None:
    before = plt.get_fignums()
    figure, given = plt.subplots()

    own = display.plot()
    told = display.plot(given)

    assert told is given
    assert own.figure is not figure
    plt.close(figure)
    assert plt.get_fignums() == before


@pytest.mark.parametrize("display", DISPLAYS.values(), ids=list(DISPLAYS))
def test_a_display_is_a_picture_in_a_notebook(display: Display) -> None:
    assert display._repr_png_().startswith(b"\x89PNG\r\n")


@pytest.mark.parametrize("display", DISPLAYS.values(), ids=list(DISPLAYS))
def test_nobody_writes_into_a_display_and_its_repr_holds_no_array(display: Display) -> None:
    arrays = [getattr(display, name) for name in display.__slots__]
    arrays = [array for array in arrays if isinstance(array, np.ndarray)]

    assert arrays
    assert not any(array.flags.writeable for array in arrays)
    assert "array" not in repr(display)


def test_names_are_shown_as_they_are() -> None:
    names = ["_hidden", "$5 off, or $10", "100 %"]

    ax = RegretDisplay.of(dict.fromkeys(names, BEST), best=BEST).plot()

    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == names
    assert not any(text.get_parse_math() for text in legend.get_texts())


@pytest.mark.parametrize("display", DISPLAYS.values(), ids=list(DISPLAYS))
def test_drawing_without_matplotlib_names_the_extra(
    display: Display, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    with pytest.raises(MissingExtraError, match=r'pip install "seg1\[plot\]"'):
        display.plot()


def test_a_display_is_computed_without_matplotlib_and_drawn_without_pyplot() -> None:
    code = (
        "import sys, seg1.bandit\n"
        "display = seg1.bandit.CalibrationDisplay.of([0.5], [1])\n"
        "print('matplotlib' in sys.modules)\n"
        "display.plot()\n"
        "print('matplotlib.figure' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )

    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert told.stdout.split() == ["False", "True", "False"]
