"""Explorers: closed forms, Monte Carlo, ties, and the quadrature at its edges."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from seg1._types import Bools, Float64s
from seg1.bandit import Explorer, Greedy, InverseGap, ThompsonSampling
from seg1.bandit.best import best_probabilities
from seg1.errors import InvalidArgumentError


def everything(n_arms: int) -> Bools:
    return np.ones(n_arms, np.bool_)


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

    assert p[0] == pytest.approx(float(ndtr((mean[0] - mean[1]) / math.hypot(*sd))), abs=1e-5)


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
    assert p[2] == p[3] == pytest.approx(beaten / 2, abs=1e-6)
    assert p[4] == 0.0
    often = sampled(mean, sd)  # of two that are equal it counts the first
    assert np.abs([p[0], p[1], p[2] + p[3]] - often[:3]).max() < 5e-3


def test_two_that_are_known_well_are_told_apart_beside_one_that_is_not_known() -> None:
    # On nodes spread evenly over the unknown one's range, both would fall between two nodes.
    mean, sd = np.array([0.100, 0.101, 0.0]), np.array([1e-4, 1e-4, 1.0])

    p = best_probabilities(mean, sd)

    assert p[0] < 1e-6
    assert p[1] == pytest.approx(float(ndtr(0.101)), abs=1e-4)


VALUES = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, -0.0, 1e-300, 1e150]))
SPREADS = st.one_of(st.floats(0, 1e6), st.sampled_from([0.0, 5e-324, 1e-300, 1e-12, 1e150]))


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(VALUES, SPREADS), min_size=1, max_size=12))
@example([(0.0, 0.0), (0.0, 5e-324)])
@example([(1.0, 1e-14), (1.0, 0.0), (1.0 + 1e-15, 1e-14)])
@example([(0.0, 1e150), (1.0, 5e-324)])
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


def test_half_the_scale_is_half_the_deviation() -> None:
    mean, sd = np.array([0.0, 0.3, 0.1]), np.array([1.0, 0.5, 0.2])

    p = ThompsonSampling(scale=0.5).probabilities(mean, sd, eligible=everything(3))

    assert p.tolist() == best_probabilities(mean, 0.5 * sd).tolist()


@pytest.mark.parametrize("explorer", [ThompsonSampling(), Greedy(), InverseGap()])
def test_what_is_not_eligible_has_probability_exactly_0(explorer: Explorer) -> None:
    mean, sd = np.array([9.0, 0.1, 0.2, 0.1]), np.ones(4)
    eligible = np.array([False, True, True, False])

    p = explorer.probabilities(mean, sd, eligible=eligible)

    assert p[~eligible].tolist() == [0.0, 0.0]
    without = explorer.probabilities(mean[eligible], sd[eligible], eligible=everything(2))
    assert p[eligible].tolist() == pytest.approx(without.tolist())


def test_greedy_shares_among_the_best() -> None:
    p = Greedy().probabilities(np.array([0.1, 0.7, 0.7]), np.ones(3), eligible=everything(3))

    assert p.tolist() == [0.0, 0.5, 0.5]


def test_inverse_gap_is_the_formula_of_the_paper() -> None:
    mean, gamma = np.array([0.5, 0.2, 0.1]), 10.0

    p = InverseGap(gamma=gamma).probabilities(mean, np.ones(3), eligible=everything(3))

    others = [1 / (3 + gamma * 0.3), 1 / (3 + gamma * 0.4)]
    assert p.tolist() == pytest.approx([1 - sum(others), *others])


def test_inverse_gap_treats_two_that_are_best_alike() -> None:
    mean = np.array([0.5, 0.5, 0.1])

    p = InverseGap(gamma=10).probabilities(mean, np.ones(3), eligible=everything(3))

    assert p[0] == p[1] > p[2] == pytest.approx(1 / 7)


def test_only_greedy_needs_a_floor() -> None:
    explorers: list[Explorer] = [
        ThompsonSampling(), InverseGap(), Greedy(), Greedy(without_floor=True),
    ]  # fmt: skip

    assert [e.needs_floor for e in explorers] == [False, False, True, False]


@pytest.mark.parametrize(
    ("explorer", "options", "message"),
    [
        (ThompsonSampling, {"scale": 0}, "scale must be a finite number > 0, got 0"),
        (ThompsonSampling, {"scale": math.nan}, "scale must be a finite number > 0"),
        (InverseGap, {"gamma": -1}, "gamma must be a finite number > 0, got -1"),
    ],
)
def test_an_explorer_that_cannot_be_used_is_refused(
    explorer: type[Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        explorer(**options)
