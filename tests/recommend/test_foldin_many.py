"""Many histories folded in at once, against each by itself and against the equation."""

import math
from typing import Any

import numpy as np
import pytest
import small_shop
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1 import ALS
from seg1._types import Float32s, Float64s, Int32s, Int64s
from seg1.recommend.fitting import foldin_many
from seg1.recommend.fitting.foldin import Penalty, fold_in
from seg1.recommend.ranking.history import checked_histories, checked_history

N_ITEMS = 140
SHOP = small_shop.random_interactions(1)


def a_model(n_factors: int) -> tuple[Float32s, Float64s]:
    """Item factors of very different sizes, and the diagonal of a Gram matrix."""
    rng = np.random.default_rng(n_factors)
    sizes = rng.uniform(0.05, 1.0, n_factors)
    Y = (rng.standard_normal((N_ITEMS, n_factors)) * sizes).astype(np.float32)
    return Y, np.einsum("if,if->f", Y, Y, dtype=np.float64)


MODELS = {n_factors: a_model(n_factors) for n_factors in (3, 16, 55)}


@st.composite
def many_histories(draw: st.DrawFn) -> tuple[Int32s, Float64s, Int64s]:
    """Draw items, confidences and starts; lengths that are alike, far apart, and 0."""
    near = st.integers(0, 12)
    far = st.sampled_from([0, 1, 2, 3, 49, 50, 51, 64, 130, 300])
    lengths = draw(st.lists(near | far, max_size=40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    starts = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    items = rng.integers(0, N_ITEMS, starts[-1]).astype(np.int32)  # the same item twice, as well
    low, high = draw(st.sampled_from([(1.01, 30.0), (0.01, 20.0), (1.5, 1e8), (1e-6, 1.0)]))
    confidence = np.exp(rng.uniform(math.log(low), math.log(high), starts[-1]))
    ones = rng.random(len(confidence)) < draw(st.sampled_from([0.0, 0.0, 0.02]))
    return items, np.where(ones, 1.0, confidence), starts


@settings(deadline=None)
@given(
    many=many_histories(),
    n_factors=st.sampled_from(list(MODELS)),
    nu=st.floats(0.0, 1.5),
    scale=st.sampled_from([1e-4, 0.05, 3.0]),
)
def test_many_are_folded_in_as_one_by_one_and_as_the_equation_says(
    many: tuple[Int32s, Float64s, Int64s], n_factors: int, nu: float, scale: float
) -> None:
    items, c, starts = many
    Y, s = MODELS[n_factors]
    penalty = Penalty(scale=scale, offset=20.0, nu=nu)

    together = foldin_many.fold_in_many(
        Y, items, confidence=c, starts=starts, gram_diagonal=s, penalty=penalty
    )

    assert together.dtype == np.float64
    assert together.shape == (len(starts) - 1, n_factors)
    for factors, start, stop in zip(together, starts, starts[1:], strict=False):
        own, own_c, by = Y[items[start:stop]], c[start:stop], penalty.at(int(stop - start))
        alone = fold_in(own, own_c, gram_diagonal=s, penalty=by)
        assert np.linalg.norm(factors - alone) <= 3e-5 * np.linalg.norm(alone)
        wide = own.astype(np.float64)
        A = np.diag(s + by) + wide.T @ ((own_c - 1.0)[:, None] * wide)
        b = wide.T @ own_c
        residual = np.abs(A @ factors - b).max()
        assert residual <= 1e-5 * (np.abs(A).max() * np.abs(factors).max() + np.abs(b).max())


@pytest.mark.parametrize("n_events", [1, 2, 11, 50, 51, 140])
@pytest.mark.parametrize("low", [1.5, 1.0 + 1e-12, 1.0, 0.2])
@pytest.mark.parametrize("high", [20.0, 1e9])
def test_many_of_one_length_are_folded_in_as_one_by_one(
    n_events: int, low: float, high: float
) -> None:
    Y, s = MODELS[55]
    rng = np.random.default_rng(n_events)
    items = rng.integers(0, N_ITEMS, (9, n_events)).astype(np.int32)
    c = np.exp(rng.uniform(math.log(low), math.log(high), (9, n_events)))
    c[:3] = rng.uniform(1.5, 9.0, (3, n_events))
    c[3:5, 0] = low
    penalty = Penalty(scale=0.7, offset=1.0, nu=0.0)

    together = foldin_many.fold_in_many(
        Y, items.ravel(), confidence=c.ravel(), starts=np.arange(10) * n_events,
        gram_diagonal=s, penalty=penalty,
    )  # fmt: skip

    for row in range(9):
        alone = fold_in(Y[items[row]], c[row], gram_diagonal=s, penalty=0.7)
        assert np.linalg.norm(together[row] - alone) <= 3e-5 * np.linalg.norm(alone)


def lengths_folded_in_alone(
    monkeypatch: pytest.MonkeyPatch, *, confidence: Float64s, s: Float64s, penalty: float
) -> list[int]:
    """Fold in histories of 4, 5, 60 and 7 events; tell which were left to `fold_in`."""
    seen: list[int] = []

    def watched(item_factors: Float32s, confidence: Float64s, **options: Any) -> Float64s:  # noqa: ANN401
        seen.append(len(confidence))
        return fold_in(item_factors, confidence, **options)

    monkeypatch.setattr(foldin_many, "fold_in", watched)
    foldin_many.fold_in_many(
        MODELS[16][0], np.arange(76, dtype=np.int32), confidence=confidence,
        starts=np.array([0, 4, 9, 69, 76]), gram_diagonal=s,
        penalty=Penalty(scale=penalty, offset=1.0, nu=0.0),
    )  # fmt: skip
    return seen


@pytest.mark.parametrize(
    ("place", "confidence", "alone"),
    [
        (0, 3.0, []),
        (0, 1.0, []),
        (9, 1.0, []),
        (4, 0.5, [5]),
        (9, 0.5, [60]),
        (75, 1e7, [7]),
        (75, 1e39, [7]),
        (9, 1e39, [60]),
        (10, 1e5, [60]),  # below the bound of confidences, and too ill-conditioned
        (2, 1e5, [4]),
        (1, float("nan"), [4]),
    ],
)
def test_a_history_is_folded_in_alone_where_float32_would_not_do(
    monkeypatch: pytest.MonkeyPatch, place: int, confidence: float, alone: list[int]
) -> None:
    c = np.full(76, 2.0)
    c[place] = confidence

    seen = lengths_folded_in_alone(monkeypatch, confidence=c, s=MODELS[16][1], penalty=1.0)

    assert seen == alone


@pytest.mark.parametrize(
    ("least", "greatest"), [(1e-9, 50.0), (0.0, 50.0), (0.0, 0.0), (1e-300, 2e-300)]
)
def test_all_are_folded_in_alone_where_the_gram_matrix_is_not_for_float32(
    monkeypatch: pytest.MonkeyPatch, least: float, greatest: float
) -> None:
    c, s = np.full(76, 2.0), np.linspace(least, greatest, 16)

    seen = lengths_folded_in_alone(monkeypatch, confidence=c, s=s, penalty=1e-200)

    assert seen == [4, 5, 60, 7]


def test_a_system_that_is_not_positive_is_told_from_those_that_are() -> None:
    A = np.stack([np.eye(2), -np.eye(2), 2.0 * np.eye(2)]).astype(np.float32)
    b = np.ones((3, 2), np.float32)

    x, is_solved = foldin_many._solve_each(A, b)

    assert is_solved.tolist() == [True, False, True]
    assert np.allclose(x[is_solved], [[1.0, 1.0], [0.5, 0.5]])


@pytest.mark.parametrize("n_factors", [3, 55])
@given(lengths=st.lists(st.integers(1, 3_000), min_size=1))
def test_stacks_hold_every_history_once_with_little_to_fill_up(
    n_factors: int, lengths: list[int]
) -> None:
    n_events = np.array(lengths)
    Y, s = MODELS[n_factors]
    batch = foldin_many._Batch(
        item_factors=Y, item_index=np.zeros(0, np.int32), confidence=np.zeros(0),
        starts=np.zeros(0, np.int64), n_events=n_events, gram_diagonal=s,
        penalty=np.ones(len(lengths)),
    )  # fmt: skip

    stacks = list(foldin_many._stacks(np.arange(len(lengths)), batch))

    assert sorted(np.concatenate(stacks).tolist()) == list(range(len(lengths)))
    for rows in stacks:
        shortest, longest = n_events[rows[0]], n_events[rows[-1]]
        assert (np.diff(n_events[rows]) >= 0).all()
        assert longest <= 1.25 * shortest + 4
        assert len(rows) == 1 or len(rows) * longest * n_factors <= foldin_many._STACKED


WEIGHTS = st.floats(0.01, 9.0) | st.integers(1, 9)
KNOWN = st.sampled_from([str(item) for item in SHOP.items.ids])


@given(
    st.lists(
        st.tuples(
            st.dictionaries(KNOWN | st.just("unheard of"), WEIGHTS),
            st.tuples(KNOWN, WEIGHTS),  # one that is known, at least
        ).map(lambda drawn: {**drawn[0], drawn[1][0]: drawn[1][1]}),
        min_size=1,
        max_size=70,
    )
)
def test_histories_are_read_together_as_one_by_one(histories: list[dict[str, float]]) -> None:
    options: dict[str, Any] = {"items": SHOP.items, "n_items": SHOP.shape[1] - 1}
    known = [one for one in histories if len(checked_history(one, **options)[0])]

    together = checked_histories(known, **options)

    assert len(together.starts) == len(known) + 1
    for history, start, stop in zip(known, together.starts, together.starts[1:], strict=False):
        items, weights = checked_history(history, **options)
        assert together.item_index[start:stop].tolist() == items.tolist()
        assert together.weights[start:stop].tolist() == weights.tolist()


def test_many_fold_in_the_same_whatever_stands_beside_them() -> None:
    model = ALS(factors=8, seed=1).fit(SHOP)
    short: dict[str, float] = {"item-1": 1.0, "item-4": 2.0}
    whole = dict.fromkeys(map(str, SHOP.items.ids), 1.5)

    beside = model.fold_in_many([whole, short, short, whole])

    alone = model.fold_in_many([short])
    assert np.allclose(beside[1:3], alone, rtol=1e-5, atol=1e-7)
    assert np.array_equal(beside[0], beside[3])
