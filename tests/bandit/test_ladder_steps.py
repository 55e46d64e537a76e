"""A ladder of prices, step by step: how steps are drawn, and what coefficients say."""

import numpy as np
import pytest
from scipy.special import logit

from seg1._types import Float64s
from seg1.bandit import LadderLinear
from seg1.bandit.posteriors.posterior import Layout
from seg1.errors import InvalidArgumentError

DEPTH = np.array([0.0, 0.2, 0.5, 0.0])
LADDER = Layout(np.ones((4, 1)), np.array([0, 0, 0, 1]), np.array([0, 1, 2, 0]), DEPTH)


def sequential(covariance: Float64s, *, n: int) -> Float64s:
    """The slow twin: two steps about 0, the second given the first, each drawn until it is >= 0."""
    rng = np.random.default_rng(4)
    sd = np.sqrt(covariance[0, 0])
    slope = covariance[0, 1] / covariance[0, 0]
    rest = np.sqrt(covariance[1, 1] - slope * covariance[0, 1])
    steps = np.empty((n, 2))
    for row in steps:
        row[0] = abs(sd * rng.standard_normal())
        row[1] = -1.0
        while row[1] < 0.0:
            row[1] = slope * row[0] + rest * rng.standard_normal()
    return steps


def test_a_step_is_drawn_given_the_steps_before_it() -> None:
    # Before any answer both steps follow the effect of the depth, with little of their own.
    state = LadderLinear(step_sd=0.1, intercept_sd=1.0).start(LADDER, n_features=1)
    covariance = np.outer([0.2, 0.3], [0.2, 0.3]) + 0.1**2 * np.eye(2)

    draws = state.belief(np.ones(1)).draws

    assert draws is not None
    rungs = logit(draws(np.array([0, 1, 2])).astype(np.float64))
    level, steps = rungs[:, 0], np.diff(rungs, axis=1)
    twin = sequential(covariance, n=4_000)
    assert steps.mean(axis=0) == pytest.approx(twin.mean(axis=0), rel=0.1)
    assert steps.std(axis=0) == pytest.approx(twin.std(axis=0), rel=0.15)
    together = np.asarray(np.corrcoef(np.column_stack([steps, level]).T))
    assert together[0, 1] == pytest.approx(np.asarray(np.corrcoef(twin.T))[0, 1], abs=0.1)
    assert np.abs(together[2, :2]).max() < 0.2  # the level is drawn apart


def test_under_the_identity_an_answer_is_what_is_accepted() -> None:
    state = LadderLinear(link="identity").start(LADDER, n_features=1)
    for i in range(400):
        state.fold(0, np.ones(1), float(i % 4 > 0), at_us=0)

    mean = state.belief(np.ones(1)).mean

    assert mean[0] == pytest.approx(0.75, abs=0.03)


def test_coefficients_are_those_of_one_regression_on_level_depth_and_rungs() -> None:
    config = LadderLinear(link="identity", half_life_days=None, step_sd=0.4)
    state = config.start(LADDER, n_features=3)
    rng = np.random.default_rng(2)
    precision = np.diag(np.array([1.0, 2.5, 2.5, 1.0, 2.5, 2.5, 0.4, 0.4]) ** -2.0)
    sums = np.zeros(8)
    for i in range(50):
        arm, x, answer = i % 3, np.append(1.0, rng.standard_normal(2)), float(i % 5 < 2)
        row = np.concatenate([x, DEPTH[arm] * x, np.arange(2) < arm])
        precision += np.outer(row, row)
        sums += answer * row
        state.fold(arm, x, answer, at_us=0)

    coefficients = state.coefficients()

    solved = np.linalg.solve(precision, sums)
    for arm in range(3):
        expected = solved[:3] + DEPTH[arm] * solved[3:6]
        expected[0] += solved[6 : 6 + arm].sum()
        assert coefficients[arm] == pytest.approx(expected, abs=1e-9)
    assert coefficients[3].tolist() == [0.0, 0.0, 0.0]


def test_a_context_has_a_feature_at_least() -> None:
    with pytest.raises(InvalidArgumentError, match="n_features must be an int >= 1"):
        LadderLinear().start(LADDER, n_features=0)


def test_steps_that_follow_the_depth_alone_can_be_drawn() -> None:
    # With nothing of their own they are as good as one number.
    state = LadderLinear(step_sd=1e-12).start(LADDER, n_features=1)

    draws = state.belief(np.ones(1)).draws

    assert draws is not None
    assert np.isfinite(draws(np.arange(4))).all()


def test_what_a_ladder_is_made_of_is_checked() -> None:
    assert LadderLinear().step_sd == 0.3
    assert LadderLinear().link == "logit"
    with pytest.raises(InvalidArgumentError, match="prior_sd must be a finite number > 0"):
        LadderLinear(prior_sd=0)
