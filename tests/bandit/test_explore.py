"""Explorers: formulas, ties, what is not eligible, and joint draws."""

import math
from typing import Any

import numpy as np
import pytest

from seg1._types import Bools
from seg1.bandit import (
    EpsilonGreedy,
    Explorer,
    Greedy,
    InverseGap,
    JointExplorer,
    Softmax,
    ThompsonSampling,
    UpperConfidence,
)
from seg1.bandit.explorers.best import best_probabilities
from seg1.errors import InvalidArgumentError


def everything(n_arms: int) -> Bools:
    return np.ones(n_arms, np.bool_)


def test_half_the_scale_is_half_the_deviation() -> None:
    mean, sd = np.array([0.0, 0.3, 0.1]), np.array([1.0, 0.5, 0.2])

    p = ThompsonSampling(scale=0.5, optimism=0).probabilities(mean, sd, eligible=everything(3))

    assert p.tolist() == best_probabilities(mean, 0.5 * sd).tolist()


@pytest.mark.parametrize(
    "explorer",
    [
        ThompsonSampling(),
        Greedy(),
        InverseGap(),
        EpsilonGreedy(),
        Softmax(),
        UpperConfidence(),
    ],
)
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


def test_epsilon_is_spread_over_what_is_eligible_and_the_best_share_the_rest() -> None:
    mean, eligible = np.array([0.9, 0.7, 0.7, 0.1]), np.array([False, True, True, True])

    p = EpsilonGreedy(epsilon=0.3).probabilities(mean, np.ones(4), eligible=eligible)

    assert p.tolist() == pytest.approx([0.0, 0.45, 0.45, 0.1])


def test_softmax_is_the_exponential_of_the_value() -> None:
    mean = np.array([0.5, 0.2, -0.1])

    p = Softmax(temperature=0.3).probabilities(mean, np.ones(3), eligible=everything(3))

    weights = [math.exp(value / 0.3) for value in mean]
    assert p.tolist() == pytest.approx([weight / sum(weights) for weight in weights])


def test_softmax_does_not_overflow() -> None:
    mean = np.array([1e300, 1e300, -1e300])

    p = Softmax(temperature=1e-9).probabilities(mean, np.ones(3), eligible=everything(3))

    assert p.tolist() == [0.5, 0.5, 0.0]


def test_the_upper_bound_prefers_what_is_uncertain() -> None:
    mean, sd = np.array([0.5, 0.3, 0.4]), np.array([0.1, 0.3, 0.2])

    narrow = UpperConfidence(width=0.5).probabilities(mean, sd, eligible=everything(3))
    wide = UpperConfidence(width=2).probabilities(mean, sd, eligible=everything(3))

    assert narrow.tolist() == [1.0, 0.0, 0.0]
    assert wide.tolist() == [0.0, 1.0, 0.0]


def test_thompson_counts_how_often_an_arm_is_the_best_of_joint_draws() -> None:
    values = np.array([[1.0, 0.0, 3.0], [0.0, 1.0, 3.0], [0.5, 0.5, 3.0], [0.8, 0.0, 3.0]])
    explorer, eligible = ThompsonSampling(scale=1, optimism=0), np.array([True, True, False])
    mean, sd = values.mean(axis=0), values.std(axis=0)

    assert isinstance(explorer, JointExplorer)
    p = explorer.jointly(mean, sd, draws=lambda arms: values[:, arms], eligible=eligible)

    assert p.tolist() == [2.5 / 4, 1.5 / 4, 0.0]


def test_half_the_scale_draws_half_as_far_from_the_means() -> None:
    # The second is ahead in the first draw by the whole, and not by the half of its deviation.
    values, mean = np.array([[1.0, 1.5], [1.0, -1.5]]), np.array([1.0, 0.0])

    shares = [
        ThompsonSampling(scale=scale, optimism=0)
        .jointly(mean, np.array([0.0, 1.5]), draws=lambda arms: values[:, arms],
                 eligible=everything(2))
        .tolist()
        for scale in (1.0, 0.5)
    ]  # fmt: skip

    assert shares == [[0.5, 0.5], [1.0, 0.0]]


def test_optimism_lifts_every_value_by_its_deviation() -> None:
    mean, sd = np.array([0.0, 0.3, 0.1]), np.array([1.0, 0.5, 0.2])
    hopeful, sober = ThompsonSampling(optimism=2.0), ThompsonSampling(optimism=0)

    p = hopeful.probabilities(mean, sd, eligible=everything(3))

    assert p.tolist() == sober.probabilities(mean + 2.0 * sd, sd, eligible=everything(3)).tolist()


def test_optimism_lifts_joint_draws_alike() -> None:
    # Both are 1 on average, and the second is less certain.
    values, mean = np.array([[1.0, 3.0], [1.0, -1.0]]), np.array([1.0, 1.0])
    sd = np.array([0.0, 2.0])

    shares = [
        ThompsonSampling(scale=1, optimism=optimism)
        .jointly(mean, sd, draws=lambda arms: values[:, arms], eligible=everything(2))
        .tolist()
        for optimism in (0, 0.9, 1.1)
    ]

    assert shares == [[0.5, 0.5], [0.5, 0.5], [0.0, 1.0]]


def test_only_those_that_give_one_arm_everything_need_a_floor() -> None:
    explorers: list[Explorer] = [
        ThompsonSampling(), InverseGap(), EpsilonGreedy(), Softmax(), Greedy(), UpperConfidence(),
        Greedy(without_floor=True), UpperConfidence(without_floor=True),
    ]  # fmt: skip

    assert [e.needs_floor for e in explorers] == [False] * 4 + [True] * 2 + [False] * 2


@pytest.mark.parametrize(
    ("explorer", "options", "message"),
    [
        (ThompsonSampling, {"scale": 0}, "scale must be a finite number > 0, got 0"),
        (ThompsonSampling, {"scale": math.nan}, "scale must be a finite number > 0"),
        (ThompsonSampling, {"optimism": -0.1}, "optimism must be a finite number >= 0, got -0.1"),
        (InverseGap, {"gamma": -1}, "gamma must be a finite number > 0, got -1"),
        (EpsilonGreedy, {"epsilon": 0}, "epsilon must be a finite number > 0, got 0"),
        (EpsilonGreedy, {"epsilon": 1.5}, r"epsilon must lie in \(0, 1\], got 1.5"),
        (Softmax, {"temperature": 0}, "temperature must be a finite number > 0, got 0"),
        (UpperConfidence, {"width": math.inf}, "width must be a finite number > 0, got inf"),
    ],
)
def test_an_explorer_that_cannot_be_used_is_refused(
    explorer: type[Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        explorer(**options)


@pytest.mark.parametrize(
    ("explorer", "options", "kept"),
    [
        (ThompsonSampling, {}, {"scale": 0.25, "optimism": 1.0}),
        (UpperConfidence, {}, {"width": 1.0, "without_floor": False}),
        (EpsilonGreedy, {}, {"epsilon": 0.05}),
        (Softmax, {}, {"temperature": 0.05}),
        (InverseGap, {}, {"gamma": 1000.0}),
        (ThompsonSampling, {"scale": 1, "optimism": 0}, {"scale": 1.0, "optimism": 0.0}),
        (UpperConfidence, {"width": 1}, {"width": 1.0, "without_floor": False}),
        (EpsilonGreedy, {"epsilon": 1}, {"epsilon": 1.0}),
        (Softmax, {"temperature": 1}, {"temperature": 1.0}),
        (InverseGap, {"gamma": 1}, {"gamma": 1.0}),
    ],
)
def test_numbers_are_kept_as_floats_and_defaults_are_those_that_were_measured(
    explorer: type[Any], options: dict[str, int], kept: dict[str, float]
) -> None:
    made = explorer(**options)

    found = {name: getattr(made, name) for name in kept}
    assert found == kept
    assert [type(value) for value in found.values()] == [type(value) for value in kept.values()]
