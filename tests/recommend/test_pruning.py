"""Pruned top-k: equal to a full sort, whatever is closed, the ties and the magnitudes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from slow_rank import random_factors, slow_best

from seg1._types import Bools, Float32s, Float64s, Int32s
from seg1.recommend.ranking import pruning
from seg1.recommend.ranking.pruning import ByNorm, Closed, norms_of, top_by_norm
from seg1.recommend.ranking.topk import exact_scores
from seg1.testing.strategies import masks

PATCHED = HealthCheck.function_scoped_fixture  # the same constants for every example


def ranked(
    item_factors: Float32s, factor: Float64s, *, n: int, allowed: Bools
) -> tuple[Int32s, Float64s]:
    rows = ByNorm.of(item_factors, norms_of(item_factors))
    return top_by_norm(rows, factor, n=n, closed=Closed(~allowed))


@pytest.fixture(autouse=True, params=[2, 512], ids=["tiny blocks", "blocks"])
def first_block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Prune also where a test has but a few items."""
    n_rows = int(request.param)
    monkeypatch.setattr(pruning, "_FIRST_BLOCK", n_rows)
    monkeypatch.setattr(pruning, "_FEW", 0.3 if n_rows < 3 else pruning._FEW)
    return n_rows


@settings(deadline=None, max_examples=300, suppress_health_check=[PATCHED])
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 60),
    st.integers(1, 40),
    st.integers(0, 70),
    st.sampled_from([1.0, 1e-3, 1e-22, 1e-38, 1e-44, 1e18, 3e37]),
    st.sampled_from([0.0, 1.0, 1e-22, 1e-38, 1e-160, 1e-310, 1e18, 1e38, 1e150]),
    st.data(),
)
@example(1, 50, 8, 5, 1e-38, 1e-38, None)
@example(1, 50, 8, 5, 3e37, 1e150, None)
@example(1, 50, 8, 5, 3e37, 1.0, None)
def test_ranking_by_factors_equals_a_sort_of_float64_scores(  # noqa: PLR0917
    seed: int,
    n_items: int,
    n_factors: int,
    n: int,
    item_scale: float,
    customer_scale: float,
    data: st.DataObject | None,
) -> None:
    item_factors = random_factors(seed, n_items=n_items, n_factors=n_factors, scale=item_scale)
    factor = np.random.default_rng(seed + 1).standard_normal(n_factors) * customer_scale
    allowed = np.ones(n_items, np.bool_) if data is None else data.draw(masks(n=n_items))
    scores = exact_scores(item_factors, factor)

    best, best_scores = ranked(item_factors, factor, n=n, allowed=allowed)

    assert best.dtype == np.int32
    assert best.tolist() == slow_best(scores, n=n, allowed=allowed)
    assert np.array_equal(best_scores, scores[best])


@settings(deadline=None, max_examples=150, suppress_health_check=[PATCHED])
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(0, 70), st.data())
def test_what_the_mask_forbids_is_never_returned(
    seed: int, n_items: int, n: int, data: st.DataObject
) -> None:
    item_factors = random_factors(seed, n_items=n_items, n_factors=6, scale=1.0)
    factor = np.random.default_rng(seed).standard_normal(6)
    allowed = data.draw(masks(n=n_items))

    best, _ = ranked(item_factors, factor, n=n, allowed=allowed)

    assert allowed[best].all()
    assert len(best) == min(n, int(allowed.sum()))


@pytest.mark.parametrize("n_items", [1_000, 5_000])
def test_near_ties_that_float32_cannot_tell_apart_are_told_by_float64(n_items: int) -> None:
    rng = np.random.default_rng(5)
    row = rng.standard_normal(64)
    item_factors = (row + rng.standard_normal((n_items, 64)) * 1e-7).astype(np.float32)
    factor = rng.standard_normal(64)
    expected = slow_best(exact_scores(item_factors, factor), n=10)

    best, _ = ranked(item_factors, factor, n=10, allowed=np.ones(n_items, np.bool_))

    assert best.tolist() == expected


def test_a_factor_that_is_no_number_rules_nothing_out() -> None:
    item_factors = np.ones((4, 2), np.float32)

    best, _ = ranked(
        item_factors,
        np.array([np.nan, 1.0]),
        n=2,
        allowed=np.array([False, True, True, True]),
    )

    assert set(best.tolist()) <= {1, 2, 3}
    assert len(best) == 2


def test_sums_that_float32_cannot_hold_rule_nothing_out() -> None:
    rng = np.random.default_rng(7)
    item_factors = (rng.choice([-1.0, 1.0], (50, 300)) * 3e38).astype(np.float32)
    factor = rng.uniform(0.5, 1.0, 300)
    expected = slow_best(exact_scores(item_factors, factor), n=5)

    best, _ = ranked(item_factors, factor, n=5, allowed=np.ones(50, np.bool_))

    assert best.tolist() == expected


@settings(deadline=None, max_examples=300, suppress_health_check=[PATCHED])
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 60),
    st.integers(0, 70),
    st.sampled_from([1.0, 1e-30, 1e30]),
    st.data(),
)
def test_a_set_a_mask_and_a_past_together_leave_what_a_sort_leaves(
    seed: int, n_items: int, n: int, scale: float, data: st.DataObject
) -> None:
    item_factors = random_factors(seed, n_items=n_items, n_factors=5, scale=scale)
    factor = np.random.default_rng(seed + 1).standard_normal(5)
    inside, closed = data.draw(masks(n=n_items)), data.draw(st.none() | masks(n=n_items))
    seen = np.flatnonzero(data.draw(masks(n=n_items))).astype(np.int32)
    allowed = inside.copy() if closed is None else inside & ~closed
    allowed[seen] = False
    scores = exact_scores(item_factors, factor)

    rows = ByNorm.of(item_factors, norms_of(item_factors)).within(inside)
    best, best_scores = top_by_norm(rows, factor, n=n, closed=Closed(closed, seen))

    assert best.tolist() == slow_best(scores, n=n, allowed=allowed)
    assert np.array_equal(best_scores, scores[best])


def long_tailed(seed: int, *, n_items: int = 6_000) -> tuple[Float32s, Float64s]:
    """Factors of which a few are long, and a customer."""
    rng = np.random.default_rng(seed)
    lengths = 1.0 / np.arange(1, n_items + 1) ** 0.7
    rows = rng.standard_normal((n_items, 16)) * rng.permutation(lengths)[:, None]
    factors: Float32s = rows.astype(np.float32)
    return factors, rng.standard_normal(16)


@pytest.mark.parametrize("n", [1, 10, 500])
@pytest.mark.parametrize("share_closed", [0.0, 0.5, 0.97, 0.999])
def test_what_is_pruned_unseen_could_not_have_been_among_the_best(
    n: int, share_closed: float
) -> None:
    for seed in range(5):
        item_factors, factor = long_tailed(seed)
        allowed = np.random.default_rng(seed + 9).random(len(item_factors)) >= share_closed
        scores = exact_scores(item_factors, factor)

        best, best_scores = ranked(item_factors, factor, n=n, allowed=allowed)

        assert best.tolist() == slow_best(scores, n=n, allowed=allowed)
        assert np.array_equal(best_scores, scores[best])


class Counting(np.ndarray):
    """Factors that count the rows that are multiplied."""

    n_rows = 0

    def __matmul__(self, other: Any) -> Any:  # noqa: ANN401
        Counting.n_rows += len(self)
        return np.asarray(self) @ other


@pytest.mark.parametrize(("skew", "most"), [(True, 0.5), (False, 1.0)])
def test_a_ranking_reads_few_rows_where_norms_fall_and_no_row_twice(
    skew: bool,  # noqa: FBT001
    most: float,
) -> None:
    item_factors, factor = long_tailed(3)
    if not skew:  # of one norm, all of them
        item_factors /= norms_of(item_factors)[:, None].astype(np.float32)
    rows = ByNorm.of(item_factors, norms_of(item_factors))
    rows = ByNorm(rows.factors.view(Counting), rows.minus_norms, rows.item_index, rows.position)
    Counting.n_rows = 0

    top_by_norm(rows, factor, n=10, closed=Closed())

    assert 10 <= Counting.n_rows <= most * len(item_factors)
