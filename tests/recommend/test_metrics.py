"""Metrics, against slow twins."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1 import Events
from seg1.errors import InvalidArgumentError
from seg1.events import Vocabulary
from seg1.interactions import split_time
from seg1.recommend import Ranking, Rankings
from seg1.recommend.metrics import (
    auc,
    bootstrap_mean,
    compare,
    evaluate,
    relevant_items,
)
from seg1.testing.strategies import Columns, events_tables

ITEMS = list(range(8))
LISTS = st.lists(st.sampled_from(ITEMS), unique=True, max_size=5)


def rankings_of(lists: list[list[int]], *, n: int) -> Rankings:
    rankings = [
        Ranking(items=tuple(items), scores=np.zeros(len(items)), personalised=True, reason="")
        for items in lists
    ]
    return Rankings.of(range(len(lists)), rankings, n=n, items=Vocabulary(ITEMS))


def slow_ndcg(shown: list[int], wanted: set[int], *, n: int) -> float:
    gained = sum(1 / math.log2(k + 2) for k, item in enumerate(shown) if item in wanted)
    return gained / sum(1 / math.log2(k + 2) for k in range(min(n, len(wanted))))


def slow_reciprocal(shown: list[int], wanted: set[int]) -> float:
    return next((1 / k for k, item in enumerate(shown, start=1) if item in wanted), 0.0)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(LISTS, st.sets(st.sampled_from(ITEMS))), min_size=1, max_size=6))
def test_the_figures_equal_a_slow_twin(cases: list[tuple[list[int], set[int]]]) -> None:
    shown = [items for items, _ in cases]
    relevant: dict[str | int, frozenset[int]] = {
        customer: frozenset(wanted) for customer, (_, wanted) in enumerate(cases)
    }
    asked = [(items, wanted) for items, wanted in cases if wanted]
    rankings = rankings_of(shown, n=5)

    if not asked:
        with pytest.raises(InvalidArgumentError, match="no customer of the rankings"):
            evaluate(rankings, relevant)
        return
    result = evaluate(rankings, relevant)

    assert result.customers == tuple(c for c, wanted in relevant.items() if wanted)
    assert result.ndcg == pytest.approx([slow_ndcg(s, w, n=5) for s, w in asked])
    assert result.recall == pytest.approx([len(set(s) & w) / len(w) for s, w in asked])
    assert result.hit.tolist() == [float(bool(set(s) & w)) for s, w in asked]
    assert result.reciprocal_rank == pytest.approx([slow_reciprocal(s, w) for s, w in asked])
    assert result.coverage == len(set().union(*shown)) / len(ITEMS)


def test_an_evaluation_names_nobody_in_its_repr() -> None:
    ranked = Rankings.of(
        ["canary"],
        [Ranking(items=(1,), scores=np.zeros(1), personalised=True, reason="")],
        n=1,
        items=Vocabulary(ITEMS),
    )

    assert repr(evaluate(ranked, {"canary": {1}})) == "Evaluation(1 customers, mean ndcg 1.000)"


def test_a_perfect_ranking_has_an_ndcg_of_one() -> None:
    result = evaluate(rankings_of([[3, 1, 0, 2, 4]], n=5), {0: {1, 3}})

    assert result.ndcg.tolist() == [1.0]
    assert result.recall.tolist() == [1.0]


@settings(deadline=None, max_examples=60)
@given(events_tables(), st.integers(0, 41 * 24))
def test_relevant_items_equal_a_plain_twin(table: Columns, hour: int) -> None:
    at = hour * 3_600 * 1_000_000
    before, after = split_time(Events.from_table(table), at=at)
    pairs = list(zip(table["customer"], table["item"], table["time"], strict=True))
    old = {(c, i) for c, i, time in pairs if time < at}
    new = {(c, i) for c, i, time in pairs if time >= at}

    everything, unseen = relevant_items(after), relevant_items(after, new_to=before)

    for got, wanted in ((everything, new), (unseen, new - old)):
        assert {(c, i) for c, items in got.items() for i in items} == wanted
        assert all(got.values())


def test_what_is_erased_is_relevant_to_nobody() -> None:
    events = Events.from_table({"customer": [1, 2, 2], "item": [7, 7, 8], "time": [0] * 3})
    events.customers.erase([1])
    events.items.erase([8])

    assert relevant_items(events) == {2: frozenset({7})}


def test_relevant_items_of_two_tables_are_refused() -> None:
    table: Columns = {"customer": [1], "item": [7], "time": [0]}

    with pytest.raises(InvalidArgumentError, match="split one table with split_time"):
        relevant_items(Events.from_table(table), new_to=Events.from_table(table))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_a_bootstrap_is_determined_by_its_rng_and_its_interval_holds_the_mean(seed: int) -> None:
    values = np.random.default_rng(seed).random(30)

    first, again = (
        bootstrap_mean(values, rng=np.random.default_rng(seed), n_resamples=200) for _ in range(2)
    )

    assert first == again
    assert first.mean == pytest.approx(values.mean())
    assert values.min() <= first.low <= first.mean <= first.high <= values.max()


@pytest.mark.parametrize(("level", "z"), [(0.95, 1.96), (0.5, 0.674)])
def test_an_interval_over_many_values_is_that_of_the_normal_law(level: float, z: float) -> None:
    values = np.random.default_rng(3).standard_normal(500)
    half = z * values.std() / math.sqrt(500)

    interval = bootstrap_mean(values, rng=np.random.default_rng(4), n_resamples=4_000, level=level)

    assert interval.mean - interval.low == pytest.approx(half, rel=0.1)
    assert interval.high - interval.mean == pytest.approx(half, rel=0.1)


def test_a_wider_level_gives_a_wider_interval() -> None:
    values = np.random.default_rng(1).random(50)

    narrow, wide = (
        bootstrap_mean(values, rng=np.random.default_rng(2), n_resamples=500, level=level)
        for level in (0.5, 0.99)
    )

    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize(
    ("values", "level", "n_resamples"), [([], 0.9, 9), ([1], 0.0, 9), ([1], 1.0, 9), ([1], 0.9, 0)]
)
def test_a_bootstrap_of_nothing_is_refused(
    values: list[float], level: float, n_resamples: int
) -> None:
    with pytest.raises(InvalidArgumentError, match="must"):
        bootstrap_mean(
            np.array(values, np.float64),
            rng=np.random.default_rng(1),
            level=level,
            n_resamples=n_resamples,
        )


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=30).filter(
        lambda pairs: len({relevant for _, relevant in pairs}) == 2
    )
)
def test_the_auc_equals_a_count_over_all_pairs(pairs: list[tuple[int, bool]]) -> None:
    good = [score for score, relevant in pairs if relevant]
    rest = [score for score, relevant in pairs if not relevant]
    won = sum((a > b) + 0.5 * (a == b) for a in good for b in rest)

    found = auc(np.array([float(s) for s, _ in pairs]), np.array([r for _, r in pairs]))

    assert found == pytest.approx(won / (len(good) * len(rest)))


@pytest.mark.parametrize("is_relevant", [[True, True], [False, False]])
def test_an_auc_of_one_kind_is_refused(is_relevant: list[bool]) -> None:
    with pytest.raises(InvalidArgumentError, match="relevant items and others"):
        auc(np.array([1.0, 2.0]), np.array(is_relevant))


def test_a_comparison_is_paired_by_customer_and_not_by_position() -> None:
    relevant: dict[str | int, set[str | int]] = {0: {1}, 1: {2}, 2: {3}}
    one = evaluate(rankings_of([[1], [5], [3]], n=2), relevant)
    turned: dict[str | int, set[str | int]] = {2: {3}, 1: {2}, 0: {1}}
    other = evaluate(
        Rankings.of(
            [2, 1, 0],
            [
                Ranking(items=(item,), scores=np.zeros(1), personalised=True, reason="")
                for item in (3, 5, 1)
            ],
            n=2,
            items=Vocabulary(ITEMS),
        ),
        turned,
    )

    same = compare(one, other, rng=np.random.default_rng(1))

    assert (same.mean, same.low, same.high) == (0.0, 0.0, 0.0)


def test_a_comparison_of_other_customers_or_an_unknown_metric_is_refused() -> None:
    one = evaluate(rankings_of([[1]], n=2), {0: {1}})
    both = evaluate(rankings_of([[1], [2]], n=2), {0: {1}, 1: {2}})

    with pytest.raises(InvalidArgumentError, match="of the same customers"):
        compare(one, both, rng=np.random.default_rng(1))
    with pytest.raises(InvalidArgumentError, match="metric must be one of ndcg, recall"):
        one.interval("ncdg", rng=np.random.default_rng(1))  # type: ignore[arg-type]  # that is the test


def test_an_evaluation_gives_the_interval_of_each_metric() -> None:
    result = evaluate(rankings_of([[1], [5], [3]], n=2), {0: {1}, 1: {2}, 2: {3}})

    interval = result.interval("hit", rng=np.random.default_rng(1))

    assert interval.mean == pytest.approx(2 / 3)
    assert interval.low < interval.mean < interval.high
