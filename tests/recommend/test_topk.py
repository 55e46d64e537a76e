"""Top-k: equal to a full sort, whatever the mask, the ties and the magnitudes."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seg1._types import Bools, Float32s, Float64s
from seg1.recommend.topk import exact_scores, top_by_factors, top_by_score
from seg1.testing.strategies import masks


def slow_best(scores: Float64s, *, n: int, allowed: Bools | None = None) -> list[int]:
    items = [i for i in range(len(scores)) if allowed is None or allowed[i]]
    return sorted(items, key=lambda i: (-scores[i], i))[:n]


def norms(item_factors: Float32s) -> Float64s:
    wide: Float64s = np.linalg.norm(item_factors.astype(np.float64), axis=1)
    return wide


def random_factors(seed: int, *, n_items: int, n_factors: int, scale: float) -> Float32s:
    """Random rows, of which many are duplicates, some are 0, and some are nearly equal."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n_items, n_factors)) * scale
    rows[rng.random(n_items) < 0.3] = rows[0]
    rows[rng.random(n_items) < 0.1] = 0.0
    factors: Float32s = rows.astype(np.float32)
    near = rng.random(n_items) < 0.2
    factors[near] = np.nextafter(factors[0], np.float32(np.inf))
    return factors


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_ranking_by_score_equals_a_sort(data: st.DataObject) -> None:
    values = st.one_of(st.sampled_from([0.0, -1.0, 0.5]), st.floats(-1e300, 1e300))
    scores = np.array(data.draw(st.lists(values, max_size=40)), np.float64)
    allowed = data.draw(st.one_of(st.none(), masks(n=len(scores))))
    n = data.draw(st.integers(0, 50))

    best = top_by_score(scores, n=n, allowed=allowed)

    assert best.dtype == np.int32
    assert best.tolist() == slow_best(scores, n=n, allowed=allowed)


@pytest.mark.parametrize("n", [1, 10, 300, 999])
def test_of_many_that_tie_at_the_cut_the_first_items_are_taken(n: int) -> None:
    scores = np.random.default_rng(6).integers(0, 3, 1_000).astype(np.float64)

    best = top_by_score(scores, n=n)

    assert best.tolist() == slow_best(scores, n=n)


@settings(deadline=None, max_examples=300)
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

    best, best_scores = top_by_factors(
        item_factors, norms(item_factors), factor, n=n, allowed=allowed
    )

    assert best.dtype == np.int32
    assert best.tolist() == slow_best(scores, n=n, allowed=allowed)
    assert np.array_equal(best_scores, scores[best])


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(0, 70), st.data())
def test_what_the_mask_forbids_is_never_returned(
    seed: int, n_items: int, n: int, data: st.DataObject
) -> None:
    item_factors = random_factors(seed, n_items=n_items, n_factors=6, scale=1.0)
    factor = np.random.default_rng(seed).standard_normal(6)
    allowed = data.draw(masks(n=n_items))

    best, _ = top_by_factors(item_factors, norms(item_factors), factor, n=n, allowed=allowed)

    assert allowed[best].all()
    assert len(best) == min(n, int(allowed.sum()))


def test_a_score_has_the_same_bits_whichever_rows_stand_beside_it() -> None:
    item_factors = random_factors(3, n_items=500, n_factors=37, scale=1.0)
    factor = np.random.default_rng(4).standard_normal(37)

    together = exact_scores(item_factors, factor)
    alone = [exact_scores(item_factors[i : i + 1], factor)[0] for i in range(500)]

    assert together.tolist() == alone


@pytest.mark.parametrize("n_items", [1_000, 5_000])
def test_near_ties_that_float32_cannot_tell_apart_are_told_by_float64(n_items: int) -> None:
    rng = np.random.default_rng(5)
    row = rng.standard_normal(64)
    item_factors = (row + rng.standard_normal((n_items, 64)) * 1e-7).astype(np.float32)
    factor = rng.standard_normal(64)
    expected = slow_best(exact_scores(item_factors, factor), n=10)

    best, _ = top_by_factors(
        item_factors, norms(item_factors), factor, n=10, allowed=np.ones(n_items, np.bool_)
    )

    assert best.tolist() == expected


def test_a_factor_that_is_no_number_rules_nothing_out() -> None:
    item_factors = np.ones((4, 2), np.float32)

    best, _ = top_by_factors(
        item_factors,
        norms(item_factors),
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

    best, _ = top_by_factors(
        item_factors, norms(item_factors), factor, n=5, allowed=np.ones(50, np.bool_)
    )

    assert best.tolist() == expected
