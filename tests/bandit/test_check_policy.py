"""`check_policy`: our explorers pass, and each way of breaking the contract is caught."""

from typing import Any

import numpy as np
import pytest

from seg1._types import Bools, Float64s
from seg1.bandit import Explorer, Greedy, InverseGap, ThompsonSampling
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
