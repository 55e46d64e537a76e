"""Explorers and posteriors that break their contracts: what is told stays true."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seg1._types import Bools, Float64s
from seg1.bandit import (
    EpsilonGreedy,
    Explorer,
    Greedy,
    InverseGap,
    OfferSelector,
    Softmax,
    ThompsonSampling,
    UpperConfidence,
)
from seg1.bandit.posteriors.posterior import Belief
from seg1.errors import PluginError
from seg1.offers import Goal, Offer

OFFERS = [Offer("tea"), Offer("cake"), Offer("wine")]
X = np.ones(1)
ALL = np.ones(3, np.bool_)
EXPLORERS = (
    ThompsonSampling(),
    InverseGap(),
    Softmax(),
    Greedy(),
    EpsilonGreedy(),
    UpperConfidence(),
)


def selector(explorer: Any) -> OfferSelector:  # noqa: ANN401
    return OfferSelector(OFFERS, goal=Goal.response(), no_offer=False, explorer=explorer)


class InPlace:
    """An explorer that works in the arrays that it was given."""

    needs_floor = False

    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Float64s:
        sd *= 0.0
        np.exp(mean, out=mean)
        mean[~eligible] = 0.0
        mean /= mean.sum()
        return mean


class MeansInPlace(InPlace):
    def by_means(self, mean: Float64s, *, eligible: Bools) -> Float64s:
        return self.probabilities(mean, mean.copy(), eligible=eligible)


class LeastOfMeans(Greedy):
    """One of ours, with another answer."""

    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Float64s:
        return super().probabilities(-mean, sd, eligible=eligible)


class LeastOfDraws(ThompsonSampling):
    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Float64s:
        return super().probabilities(-mean, sd, eligible=eligible)


class Opening:
    """An explorer that makes every arm eligible."""

    needs_floor = False

    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Float64s:  # noqa: ARG002
        eligible[:] = True
        return np.full(len(mean), 1.0 / len(mean))


@pytest.mark.parametrize("explorer", [InPlace(), MeansInPlace()])
def test_an_explorer_that_writes_into_its_arguments_changes_nothing_that_is_told(
    explorer: Any,  # noqa: ANN401
) -> None:
    chosen_by = selector(explorer)
    mean, sd = np.array([0.2, 0.5, 0.3]), np.array([0.1, 0.2, 0.1])
    state: Any = SimpleNamespace(
        belief=lambda _x, **_: Belief(mean, sd), means=lambda _x, **_: mean
    )

    first = chosen_by.probabilities(state, X, eligible=ALL)
    again = chosen_by.probabilities(state, X, eligible=ALL)

    assert first.response.tolist() == [0.2, 0.5, 0.3]
    assert (mean.tolist(), sd.tolist()) == ([0.2, 0.5, 0.3], [0.1, 0.2, 0.1])
    assert again.p.tolist() == first.p.tolist()


def test_no_explorer_can_open_an_arm_that_is_not_eligible() -> None:
    chosen_by = selector(Opening())
    eligible = np.array([False, True, True])

    with pytest.raises(ValueError, match="read-only"):
        chosen_by.probabilities(chosen_by.start(), X, eligible=eligible)
    with pytest.raises(ValueError, match="read-only"):
        chosen_by.choose({}, id=1, at=0, deny=["tea"])
    assert eligible.tolist() == [False, True, True]


@pytest.mark.parametrize("explorer", EXPLORERS, ids=repr)
@pytest.mark.parametrize(
    "mean",
    [np.full(3, np.nan), np.array([np.nan, 0.1, 0.2])],
    ids=["none is a number", "one is no number"],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_belief_that_is_no_number_is_the_posteriors_fault(
    explorer: Explorer, mean: Float64s
) -> None:
    chosen_by = selector(explorer)
    state: Any = SimpleNamespace(belief=lambda _x, **_: Belief(mean, np.full(3, 0.1)))

    with pytest.raises(PluginError, match="a posterior's belief must be finite"):
        chosen_by.probabilities(state, X, eligible=ALL)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_deviation_below_0_is_the_posteriors_fault() -> None:
    chosen_by = selector(ThompsonSampling())
    belief = Belief(np.full(3, 0.1), np.full(3, -5.0))
    state: Any = SimpleNamespace(belief=lambda _x, **_: belief)

    with pytest.raises(PluginError, match="its deviations >= 0"):
        chosen_by.probabilities(state, X, eligible=ALL)


def test_a_belief_of_lists_is_refused() -> None:
    chosen_by = selector(ThompsonSampling())
    state: Any = SimpleNamespace(belief=lambda _x, **_: Belief([0.1] * 3, [0.1] * 3))  # type: ignore[arg-type]  # on purpose

    with pytest.raises(PluginError, match="must be two arrays"):
        chosen_by.probabilities(state, X, eligible=ALL)


def test_a_state_whose_means_are_no_method_is_asked_for_its_belief() -> None:
    chosen_by = selector(Greedy())
    belief = Belief(np.array([0.2, 0.5, 0.3]), np.full(3, 0.1))
    state: Any = SimpleNamespace(belief=lambda _x, **_: belief, means=np.zeros(3))

    scored = chosen_by.probabilities(state, X, eligible=ALL)

    assert scored.response.tolist() == [0.2, 0.5, 0.3]


@pytest.mark.parametrize("explorer", [LeastOfMeans(), LeastOfDraws()], ids=repr)
def test_an_explorer_that_overrides_probabilities_alone_is_asked_for_them(
    explorer: Explorer,
) -> None:
    chosen_by = selector(explorer)
    mean, sd = np.array([0.2, 0.5, 0.3]), np.full(3, 1e-9)
    belief = Belief(mean, sd, lambda arms: mean.take(arms)[None].astype(np.float32))
    state: Any = SimpleNamespace(belief=lambda _x, **_: belief, means=lambda _x, **_: mean)

    scored = chosen_by.probabilities(state, X, eligible=ALL)

    assert int(scored.p.argmax()) == 0
