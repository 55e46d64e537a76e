"""Explorers: formulas, ties, what is not eligible, and joint draws."""

import math
from typing import Any

import numpy as np
import pytest

from seg1._types import Bools
from seg1.bandit import Explorer, Greedy, InverseGap, ThompsonSampling
from seg1.bandit.best import best_probabilities
from seg1.errors import InvalidArgumentError


def everything(n_arms: int) -> Bools:
    return np.ones(n_arms, np.bool_)


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
