"""Fold-in: both ways of solving, against a dense solve."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1._types import Float32s, Float64s
from seg1.recommend.fitting import foldin
from seg1.recommend.fitting.foldin import BUCKET_RATIO, Penalty, fold_in, influence


def a_model(seed: int, *, n_items: int = 120, n_factors: int = 55) -> tuple[Float32s, Float64s]:
    """Item factors in the eigenbasis of their Gram matrix, and its diagonal."""
    rng = np.random.default_rng(seed)
    raw = rng.standard_normal((n_items, n_factors)) * rng.uniform(0.01, 1.0, n_factors)
    _, rotation = np.linalg.eigh(raw.T @ raw)
    item_factors = (raw @ rotation).astype(np.float32)
    wide = item_factors.astype(np.float64)
    return item_factors, np.einsum("if,if->f", wide, wide)


def dense(Y_S: Float32s, c: Float64s, s: Float64s, penalty: float) -> tuple[Float64s, Float64s]:
    """Hu, Koren, Volinsky (2008), eq. 4, as it stands there."""
    wide = Y_S.astype(np.float64)
    A = np.diag(s) + wide.T @ np.diag(c - 1.0) @ wide + penalty * np.eye(len(s))
    return A, wide.T @ c


CONFIDENCES = {
    "above 1": (1.0 + 1e-9, 50.0),
    "below 1": (1e-9, 1.0),
    "both": (0.01, 20.0),
    "huge": (1e2, 1e8),
    "barely above 1": (1.0 + 1e-15, 1.0 + 1e-12),
}


@pytest.mark.parametrize("n_events", [1, 2, 11, 50, 51, 90])
@pytest.mark.parametrize("confidences", CONFIDENCES)
@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 2**32 - 1), nu=st.floats(0.0, 2.0))
def test_a_fold_in_equals_a_dense_solve(
    n_events: int, confidences: str, seed: int, nu: float
) -> None:
    rng = np.random.default_rng(seed)
    item_factors, s = a_model(seed)
    Y_S = item_factors[rng.choice(len(item_factors), n_events, replace=False)]
    low, high = CONFIDENCES[confidences]
    c = np.exp(rng.uniform(math.log(low), math.log(high), n_events))
    penalty = Penalty(scale=0.02, offset=40.0, nu=nu).at(n_events)
    A, b = dense(Y_S, c, s, penalty)

    u = fold_in(Y_S, c, gram_diagonal=s, penalty=penalty)

    assert u.dtype == np.float64
    # In the norm of the equation: what a condition number of 1e12 leaves to compare.
    residual = np.abs(A @ u - b).max() / (np.abs(A).max() * np.abs(u).max() + np.abs(b).max())
    is_narrow = n_events > 50 and low >= 1.0  # float32 is tried
    assert residual <= (1e-6 if is_narrow else 1e-9)
    if confidences != "huge":
        expected = np.linalg.solve(A, b)
        off = np.linalg.norm(u - expected) / np.linalg.norm(expected)
        assert off <= (3e-5 if is_narrow else 1e-8)


def a_history(
    seed: int, *, n_events: int, spread: float = 1.0, high: float = 50.0
) -> tuple[Float32s, Float64s, Float64s]:
    rng = np.random.default_rng(seed)
    item_factors, s = a_model(seed, n_items=max(120, n_events))
    item_factors = (item_factors * spread ** np.linspace(0, 1, len(s))).astype(np.float32)
    wide = item_factors.astype(np.float64)
    c = np.exp(rng.uniform(math.log(1.001), math.log(high), n_events))
    Y_S = item_factors[rng.choice(len(item_factors), n_events, replace=False)]
    return Y_S, c, np.einsum("if,if->f", wide, wide)


@pytest.mark.parametrize("n_events", [51, 128, 300, 1_000])
@pytest.mark.parametrize("spread", [1.0, 1e-3, 1e-7])
@pytest.mark.parametrize("high", [2.0, 1e5, 1e8])
@pytest.mark.parametrize("penalty", [1e-6, 0.3, 30.0])
def test_a_long_history_is_folded_in_within_a_hundred_thousandth(
    n_events: int, spread: float, high: float, penalty: float
) -> None:
    Y_S, c, s = a_history(n_events, n_events=n_events, spread=spread, high=high)
    A, b = dense(Y_S, c, s, penalty)
    # Scaled, so that the reference itself is right where factors differ in size by 10^7.
    r = 1.0 / np.sqrt(np.diag(A))
    expected = r * np.linalg.solve(A * r * r[:, None], r * b)

    u = fold_in(Y_S, c, gram_diagonal=s, penalty=penalty)

    assert u.dtype == np.float64
    assert np.linalg.norm(u - expected) <= 3e-5 * np.linalg.norm(expected)


def test_float32_is_used_where_it_is_exact_enough_and_not_elsewhere() -> None:
    tame = a_history(1, n_events=300, high=2.0)
    wild = a_history(1, n_events=300, high=1e6)

    answers = [foldin._narrow_solve(Y_S, c, s + 30.0) for Y_S, c, s in (tame, wild)]

    assert answers[0] is not None
    assert answers[1] is None


def test_a_confidence_of_exactly_1_is_no_division_by_0() -> None:
    item_factors, s = a_model(3)
    Y_S, c = item_factors[:5], np.array([1.0, 2.0, 1.0, 0.5, 3.0])
    A, b = dense(Y_S, c, s, 0.3)

    u = fold_in(Y_S, c, gram_diagonal=s, penalty=0.3)
    parts = influence(Y_S, c, item_factors[:9], gram_diagonal=s, penalty=0.3)

    assert np.allclose(u, np.linalg.solve(A, b), rtol=1e-8)
    assert np.allclose(parts.sum(axis=1), item_factors[:9] @ u, rtol=1e-6, atol=1e-9)


def test_a_huge_confidence_does_not_cancel_to_noise() -> None:
    item_factors, s = a_model(1)
    Y_S = item_factors[:5]

    # As c grows, the customer's score of each of these items goes to 1.
    u = fold_in(Y_S, np.full(5, 1e14), gram_diagonal=s, penalty=0.1)

    assert np.allclose(Y_S @ u, 1.0, atol=1e-6)


def test_an_empty_history_gives_the_zero_vector() -> None:
    u = fold_in(np.zeros((0, 3), np.float32), np.zeros(0), gram_diagonal=np.ones(3), penalty=1.0)

    assert u.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("n_events", [1, 7, 50, 51, 90])
@pytest.mark.parametrize("confidences", CONFIDENCES)
def test_influences_add_up_to_the_scores(n_events: int, confidences: str) -> None:
    rng = np.random.default_rng(n_events)
    item_factors, s = a_model(n_events)
    own = rng.choice(len(item_factors), n_events, replace=False)
    low, high = CONFIDENCES[confidences]
    c = np.exp(rng.uniform(math.log(low), math.log(high), n_events))
    targets = item_factors[:9]
    u = fold_in(item_factors[own], c, gram_diagonal=s, penalty=0.3)

    parts = influence(item_factors[own], c, targets, gram_diagonal=s, penalty=0.3)

    assert parts.shape == (9, n_events)
    assert np.allclose(parts.sum(axis=1), targets @ u, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("c_of", [2.5, 0.5])
def test_an_influence_is_what_the_formula_of_the_paper_says(c_of: float) -> None:
    item_factors, s = a_model(2)
    Y_S, targets = item_factors[:6], item_factors[6:9]
    c = np.linspace(c_of, c_of + 0.4, 6)
    A, _ = dense(Y_S, c, s, 0.3)

    parts = influence(Y_S, c, targets, gram_diagonal=s, penalty=0.3)

    inverse = np.linalg.inv(A)
    for i, y_i in enumerate(targets.astype(np.float64)):
        for j, y_j in enumerate(Y_S.astype(np.float64)):
            assert parts[i, j] == pytest.approx(c[j] * (y_i @ inverse @ y_j), rel=1e-8)


def test_a_system_that_is_not_positive_in_float64_is_solved_by_least_squares() -> None:
    Y_S = np.ones((64, 2), np.float32)  # two factors that are one, and no Gram to part them

    u = fold_in(Y_S, np.full(64, 2.0), gram_diagonal=np.zeros(2), penalty=1e-300)

    assert u.tolist() == pytest.approx([1.0, 1.0])


@given(st.integers(0, 10**9), st.floats(1e-3, 1e7))
def test_the_grid_meets_every_count_within_half_a_step(n_events: int, offset: float) -> None:
    penalty = Penalty(scale=1.0, offset=offset, nu=1.0)

    bucketed = penalty.at(n_events) / (n_events + offset)

    assert BUCKET_RATIO**-0.5 * (1 - 1e-9) <= bucketed <= BUCKET_RATIO**0.5 * (1 + 1e-9)


@given(st.integers(0, 10**6), st.floats(0.01, 10.0), st.floats(1e-3, 100.0))
def test_without_frequency_every_row_has_one_penalty(
    n_events: int, scale: float, offset: float
) -> None:
    assert Penalty(scale=scale, offset=offset, nu=0.0).at(n_events) == scale


@given(st.integers(0, 10**6), st.floats(0.1, 2.0))
def test_the_penalty_never_falls_as_a_row_grows(n_events: int, nu: float) -> None:
    penalty = Penalty(scale=0.3, offset=7.0, nu=nu)

    assert penalty.at(n_events) <= penalty.at(n_events + 1)


def test_a_row_without_events_is_held_by_the_other_side_alone() -> None:
    assert Penalty(scale=0.5, offset=10.0, nu=2.0).at(0) == pytest.approx(50.0)
