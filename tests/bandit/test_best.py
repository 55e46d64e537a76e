"""The probability of being the best: closed forms, a slow twin, Monte Carlo, and its edges."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import log_ndtr, ndtr

from seg1._types import Float64s
from seg1.bandit.explorers.best import best_probabilities


def exact(mean: Float64s, sd: Float64s) -> Float64s:
    """The slow twin: spreads > 0, no pruning, no table; a fine trapezoid from 9 sd below."""
    begin, top = (mean - 9 * sd).max(), (mean + 9 * sd).max()
    # Even in the logarithm, so that the narrowest is resolved where the largest value begins.
    log_distance = np.linspace(0, math.log1p((top - begin) / sd.min()), 20_001)
    distance = sd.min() * np.expm1(log_distance)
    z = (distance + (begin - mean)[:, None]) / sd[:, None]
    log_below = log_ndtr(z)
    log_density = log_below.sum(axis=0) - log_below - z**2 / 2 - math.log(2 * math.pi) / 2
    p: Float64s = np.trapezoid(np.exp(log_density) / sd[:, None], distance, axis=1)
    return p


def sampled(mean: Float64s, sd: Float64s, *, n_samples: int = 200_000) -> Float64s:
    """How often each arm is the largest of independent normal values."""
    rng = np.random.default_rng(0)
    values = mean + sd * rng.standard_normal((n_samples, len(mean)))
    return np.bincount(values.argmax(axis=1), minlength=len(mean)) / n_samples


@settings(deadline=None, max_examples=200)
@given(
    difference=st.floats(-5, 5),
    log_sd=st.tuples(st.floats(-4, 1), st.floats(-4, 1)),
    offset=st.floats(-100, 100),
)
def test_of_two_arms_the_probability_is_the_closed_form(
    difference: float, log_sd: tuple[float, float], offset: float
) -> None:
    sd = 10.0 ** np.array(log_sd)
    mean = np.array([offset + difference, offset])

    p = best_probabilities(mean, sd)

    assert p[0] == pytest.approx(float(ndtr((mean[0] - mean[1]) / math.hypot(*sd))), abs=1e-3)


@settings(deadline=None)
@given(
    arms=st.lists(st.tuples(st.floats(-3, 3), st.floats(-6, 0)), min_size=2, max_size=12),
    n_copies=st.sampled_from([1, 1, 3, 20]),
)
@example(arms=[(0.0, 0.0)] * 12, n_copies=20)  # so many that the largest begins above them all
@example(arms=[(0.0, 0.0), (0.0, -6.0)], n_copies=1)
def test_the_quadrature_agrees_with_a_slow_one(
    arms: list[tuple[float, float]], n_copies: int
) -> None:
    mean, log_sd = (np.array(column) for column in zip(*arms * n_copies, strict=True))
    sd = 10.0**log_sd

    p = best_probabilities(mean, sd)

    assert np.abs(p - exact(mean, sd)).max() < 1e-3


def test_the_slow_one_is_the_closed_form_of_two_arms() -> None:
    mean, sd = np.array([0.1, 0.0]), np.array([1e-3, 0.5])

    assert exact(mean, sd) == pytest.approx(ndtr(np.array([0.1, -0.1]) / math.hypot(*sd)))


@pytest.mark.parametrize("n_arms", [2, 3, 10, 60])
@pytest.mark.parametrize("spreads", [(0, 0), (-1, 0), (-4, 0)])
def test_the_quadrature_agrees_with_monte_carlo(n_arms: int, spreads: tuple[int, int]) -> None:
    rng = np.random.default_rng(n_arms)
    mean = 0.5 * rng.standard_normal(n_arms)
    sd = 10 ** rng.uniform(*spreads, n_arms)

    p = best_probabilities(mean, sd)

    assert np.abs(p - sampled(mean, sd)).max() <= 5e-3


@pytest.mark.parametrize("sure", [-1.0, 0.0, 0.5, 3.0])
def test_a_certain_value_wins_where_no_other_exceeds_it(sure: float) -> None:
    mean, sd = np.array([0.0, 0.4, sure, sure, sure - 1.0]), np.array([1.0, 0.3, 0.0, 0.0, 0.0])

    p = best_probabilities(mean, sd)

    beaten = float(ndtr(sure - 0.0) * ndtr((sure - 0.4) / 0.3))
    assert p[2] == p[3] == pytest.approx(beaten / 2, abs=1e-3)
    assert p[4] == 0.0
    often = sampled(mean, sd)  # of two that are equal it counts the first
    assert np.abs([p[0], p[1], p[2] + p[3]] - often[:3]).max() < 5e-3


def test_two_that_are_known_well_are_told_apart_beside_one_that_is_not_known() -> None:
    # On nodes spread evenly over the unknown one's range, both would fall between two nodes.
    mean, sd = np.array([0.100, 0.101, 0.0]), np.array([1e-4, 1e-4, 1.0])

    p = best_probabilities(mean, sd)

    assert p[0] < 1e-6
    assert p[1] == pytest.approx(float(ndtr(0.101)), abs=1e-3)


VALUES = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, -0.0, 1e-300, 1e150]))
SPREADS = st.one_of(st.floats(0, 1e6), st.sampled_from([0.0, 5e-324, 1e-300, 1e-12, 1e150]))


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(VALUES, SPREADS), min_size=1, max_size=12))
@example([(0.0, 0.0), (0.0, 5e-324)])
@example([(1.0, 1e-14), (1.0, 0.0), (1.0 + 1e-15, 1e-14)])
@example([(0.0, 1e150), (1.0, 5e-324)])
@example([(1.0, 0.9e-13), (1.0 - 8e-13, 1.1e-13)])  # close to where the certain one might lie
def test_probabilities_are_a_distribution_whatever_the_values(
    arms: list[tuple[float, float]],
) -> None:
    mean, sd = (np.array(column) for column in zip(*arms, strict=True))

    p = best_probabilities(mean, sd)

    assert np.isfinite(p).all()
    assert (p >= 0).all()
    assert abs(p.sum() - 1) < 1e-12


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(0, 2)), min_size=2, max_size=8))
def test_equal_arms_share_alike(arms: list[tuple[float, float]]) -> None:
    mean, sd = (np.array(column) for column in zip(*arms, *arms, strict=True))

    p = best_probabilities(mean, sd)

    assert p[: len(arms)] == pytest.approx(p[len(arms) :], abs=1e-12)


def test_many_arms_beside_a_certain_one_that_may_win() -> None:
    mean, sd = np.append(np.zeros(100), 2.5), np.append(np.ones(100), 0.0)

    p = best_probabilities(mean, sd)

    beaten = float(ndtr(2.5)) ** 100
    assert p[-1] == pytest.approx(beaten, abs=1e-9)
    assert p[:-1] == pytest.approx(np.full(100, (1 - beaten) / 100), abs=1e-12)


@settings(deadline=None)
@given(st.lists(st.tuples(VALUES, SPREADS), min_size=1, max_size=50))
@example([(4.0, 1.0), (0.0, 0.0)])  # one begins where the other is certain
def test_the_reverse_order_gives_the_same_reversed(arms: list[tuple[float, float]]) -> None:
    mean, sd = (np.array(column) for column in zip(*arms, strict=True))

    p = best_probabilities(mean, sd)

    assert best_probabilities(mean[::-1], sd[::-1])[::-1] == pytest.approx(p, abs=1e-12)


def test_arguments_stay_as_they_were() -> None:
    mean, sd = np.linspace(0, 1, 40), np.linspace(1e-12, 1, 40)
    before = mean.copy(), sd.copy()

    best_probabilities(mean, sd)

    assert (mean.tolist(), sd.tolist()) == (before[0].tolist(), before[1].tolist())


@pytest.mark.parametrize("level", [1e6, -1e6])
def test_a_spread_that_numbers_of_that_size_do_not_resolve_is_none(level: float) -> None:
    p = best_probabilities(np.array([level, level + 1e-8]), np.array([1e-8, 1e-8]))

    assert p.tolist() == [0.0, 1.0]
