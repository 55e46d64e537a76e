"""`check_policy`: our explorers pass, and each way of breaking the contract is caught."""

from typing import Any

import numpy as np
import pytest

from seg1._types import Bools, Float64s
from seg1.bandit import (
    EpsilonGreedy,
    Explorer,
    Greedy,
    InverseGap,
    Softmax,
    ThompsonSampling,
    UpperConfidence,
)
from seg1.bandit.posteriors.posterior import Draws
from seg1.testing.policy import check_policy


@pytest.mark.parametrize(
    "explorer",
    [
        ThompsonSampling(),
        ThompsonSampling(scale=1e-3),
        ThompsonSampling(scale=30.0),
        Greedy(),
        InverseGap(gamma=1e-3),
        InverseGap(gamma=1e6),
        EpsilonGreedy(),
        EpsilonGreedy(epsilon=1),
        Softmax(),
        Softmax(temperature=1e-300),
        Softmax(temperature=1e9),
        UpperConfidence(),
        UpperConfidence(width=1e3),
    ],
)
def test_our_own_explorers_pass(explorer: Explorer) -> None:
    check_policy(explorer)


class Even:
    """An explorer that passes; subclasses break one thing each."""

    needs_floor: Any = False

    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Any:  # noqa: ANN401, ARG002
        return eligible / np.count_nonzero(eligible)


class Lacks:
    needs_floor = False


class Undecided(Even):
    needs_floor = None


class GivesAList(Even):
    def probabilities(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return super().probabilities(*args, **kwargs).tolist()


class Narrow(Even):
    def probabilities(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return super().probabilities(*args, **kwargs).astype(np.float32)


class OneTooMany(Even):
    def probabilities(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return np.append(super().probabilities(*args, **kwargs), 0.0)


class Unsure(Even):
    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Any:  # noqa: ANN401, ARG002
        return np.full(len(mean), np.nan)


class Minus(Even):
    def probabilities(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        p = super().probabilities(*args, **kwargs)
        return 2 * p - p[::-1]


class NotAll(Even):
    def probabilities(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return 0.9 * super().probabilities(*args, **kwargs)


class Ignores(Even):
    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Any:  # noqa: ANN401
        return super().probabilities(mean, sd, eligible=eligible | True)


class Writes(Even):
    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Any:  # noqa: ANN401
        mean *= 2
        return super().probabilities(mean, sd, eligible=eligible)


class Reuses(Even):
    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Any:  # noqa: ANN401, ARG002
        return mean


class Wanders(Even):
    def __init__(self) -> None:
        self.n_asked = 0

    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Any:  # noqa: ANN401, ARG002
        self.n_asked += 1
        p = eligible * (1.0 + np.arange(len(mean)) * self.n_asked)
        return p / p.sum()


class FirstOfEqual(Even):
    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Any:  # noqa: ANN401, ARG002
        return np.eye(len(mean))[np.where(eligible, mean, -np.inf).argmax()]


class LooksAtBlocked(Even):
    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Any:  # noqa: ANN401, ARG002
        p = eligible / (1.0 + mean.max() - mean)
        return p / p.sum()


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Lacks, "it lacks needs_floor or probabilities"),
        (Undecided, "needs_floor must be True or False"),
        (GivesAList, "it gave a list, not an array"),
        (Narrow, "must be float64, got float32"),
        (OneTooMany, "one probability for each arm"),
        (Unsure, "a probability is not finite"),
        (Minus, "a probability is below 0"),
        (NotAll, "must sum to 1"),
        (Ignores, "not eligible must have probability exactly 0"),
        (Writes, "it changed its arguments"),
        (Reuses, "a view of an argument"),
        (Wanders, "asked twice, it gave different answers"),
        (FirstOfEqual, "another order of the arms gave other probabilities"),
        (LooksAtBlocked, "an arm that is not eligible changed the others"),
    ],
)
def test_a_broken_explorer_is_caught(broken: type[Any], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_policy(broken())


def test_what_the_broken_ones_are_made_of_passes() -> None:
    check_policy(Even())


class CountsBest(Even):
    """A joint explorer that passes; subclasses break one thing each."""

    def jointly(self, mean: Float64s, sd: Float64s, *, draws: Draws, eligible: Bools) -> Any:  # noqa: ANN401, ARG002
        arms = np.flatnonzero(eligible)
        values = draws(arms)
        is_best = values == values.max(axis=1, keepdims=True)
        p = np.zeros(len(mean))
        p[arms] = (is_best / is_best.sum(axis=1, keepdims=True)).mean(axis=0)
        return p


class JointlyNarrow(CountsBest):
    def jointly(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return super().jointly(*args, **kwargs).astype(np.float32)


class JointlyNotAll(CountsBest):
    def jointly(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return 0.9 * super().jointly(*args, **kwargs)


class JointlyIgnores(CountsBest):
    def jointly(self, mean: Float64s, sd: Float64s, *, draws: Draws, eligible: Bools) -> Any:  # noqa: ANN401
        return super().jointly(mean, sd, draws=draws, eligible=eligible | True)


class JointlyWrites(CountsBest):
    def jointly(self, mean: Float64s, sd: Float64s, *, draws: Draws, eligible: Bools) -> Any:  # noqa: ANN401
        sd += 1
        return super().jointly(mean, sd, draws=draws, eligible=eligible)


class JointlyWanders(CountsBest):
    def __init__(self) -> None:
        self.n_asked = 0

    def jointly(self, mean: Float64s, sd: Float64s, *, draws: Draws, eligible: Bools) -> Any:  # noqa: ANN401
        self.n_asked += 1
        p = super().jointly(mean, sd, draws=draws, eligible=eligible)
        return (p + eligible * self.n_asked) / (1 + np.count_nonzero(eligible) * self.n_asked)


class JointlyByPlace(CountsBest):
    def jointly(self, mean: Float64s, sd: Float64s, *, draws: Draws, eligible: Bools) -> Any:  # noqa: ANN401, ARG002
        p = eligible * (1.0 + np.arange(len(mean)))
        return p / p.sum()


class JointlyFirstOfEqual(CountsBest):
    def jointly(self, mean: Float64s, sd: Float64s, *, draws: Draws, eligible: Bools) -> Any:  # noqa: ANN401, ARG002
        values = np.where(eligible, draws(np.arange(len(mean))), -np.inf)
        return np.eye(len(mean))[values.argmax(axis=1)].mean(axis=0)


class JointlyLooksAtBlocked(CountsBest):
    def jointly(self, mean: Float64s, sd: Float64s, *, draws: Draws, eligible: Bools) -> Any:  # noqa: ANN401
        even = eligible / np.count_nonzero(eligible)
        p = super().jointly(mean, sd, draws=draws, eligible=eligible)
        share = 1 / (2 + np.ptp(mean)) if sd.any() else 0.0
        return (1 - share) * p + share * even


class JointlyEven(CountsBest):
    def jointly(self, mean: Float64s, sd: Float64s, *, draws: Draws, eligible: Bools) -> Any:  # noqa: ANN401, ARG002
        return eligible / np.count_nonzero(eligible)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (JointlyNarrow, "must be float64, got float32"),
        (JointlyNotAll, r"must sum to 1 \(joint draws\)"),
        (JointlyIgnores, r"probability exactly 0 \(joint draws\)"),
        (JointlyWrites, r"it changed its arguments \(joint draws\)"),
        (JointlyWanders, r"asked twice, it gave different answers \(joint draws\)"),
        (JointlyByPlace, r"another order of the arms gave other probabilities \(joint draws\)"),
        (JointlyFirstOfEqual, r"equal arms must share alike \(equal joint draws\)"),
        (JointlyLooksAtBlocked, r"not eligible changed the others \(joint draws\)"),
        (JointlyEven, r"the best arm must have probability 1 \(certain joint draws\)"),
    ],
)
def test_an_explorer_whose_answer_to_joint_draws_is_broken_is_caught(
    broken: type[Any], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_policy(broken())


def test_what_the_jointly_broken_ones_are_made_of_passes() -> None:
    check_policy(CountsBest())


class OtherByMeans(InverseGap):
    def by_means(self, mean: Float64s, *, eligible: Bools) -> Float64s:
        return Greedy().by_means(mean, eligible=eligible)

    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Float64s:  # noqa: ARG002
        return InverseGap.by_means(self, mean, eligible=eligible)


def test_an_explorer_that_says_something_else_when_asked_by_means_is_caught() -> None:
    with pytest.raises(AssertionError, match=r"give different answers \(values\)"):
        check_policy(OtherByMeans())


def test_a_class_in_the_place_of_an_explorer_is_told() -> None:
    with pytest.raises(AssertionError, match=r"it is a class: give one that is made, with \(\)"):
        check_policy(Greedy)  # type: ignore[arg-type]  # the point
