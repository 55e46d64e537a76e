"""`check_posterior`: ours pass, and each broken promise is named."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seg1.bandit import (
    Belief,
    HybridLinear,
    LadderLinear,
    PerOfferLinear,
    PerOfferState,
    SharedLinear,
)
from seg1.bandit.posteriors.regressions import Regressions
from seg1.testing import check_posterior

OURS = [PerOfferLinear(), SharedLinear(), HybridLinear(), LadderLinear()]


@pytest.mark.parametrize("link", ["identity", "logit"])
@pytest.mark.parametrize("posterior", OURS, ids=lambda p: type(p).__name__)
def test_ours_keep_the_contract(posterior: Any, link: str) -> None:  # noqa: ANN401
    check_posterior(replace(posterior, link=link))


class Broken(PerOfferState):
    """A state that keeps the contract; subclasses break one thing each."""


class Forgets(Broken):
    @property
    def n_rows(self) -> int:
        return 0


class Writes(Broken):
    def fold(self, arm: int, x: Any, reward: float, *, at_us: int) -> None:  # noqa: ANN401
        super().fold(arm, x, reward, at_us=at_us)
        x *= 2


class Bare(Broken):
    def belief(self, x: Any, *, own: Any = None) -> Any:  # noqa: ANN401
        return tuple(super().belief(x, own=own))


class Short(Broken):
    def belief(self, x: Any, *, own: Any = None) -> Any:  # noqa: ANN401
        told = super().belief(x, own=own)
        return Belief(told.mean[1:], told.sd)


class Narrow(Broken):
    def belief(self, x: Any, *, own: Any = None) -> Any:  # noqa: ANN401
        told = super().belief(x, own=own)
        return Belief(told.mean, told.sd.astype(np.float32))


class Below(Broken):
    def belief(self, x: Any, *, own: Any = None) -> Any:  # noqa: ANN401
        told = super().belief(x, own=own)
        return Belief(told.mean, -told.sd)


class OneDraw(Broken):
    def belief(self, x: Any, *, own: Any = None) -> Any:  # noqa: ANN401
        told = super().belief(x, own=own)
        return Belief(told.mean, told.sd, lambda _: np.zeros((5, 1), np.float32))


class Unordered(Broken):
    def belief(self, x: Any, *, own: Any = None) -> Any:  # noqa: ANN401
        told = super().belief(x, own=own)
        means = told.mean.astype(np.float32)
        return Belief(told.mean, told.sd, lambda arms: np.tile(means[np.sort(arms)], (5, 1)))


class Moves(Broken):
    def belief(self, x: Any, *, own: Any = None) -> Any:  # noqa: ANN401
        told = super().belief(x, own=own)
        super().fold(0, np.ones(4), 1.0, at_us=0)
        return told


class Shares(Broken):
    def copy(self) -> Any:  # noqa: ANN401
        return self


class Deaf(Broken):
    def correct(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        pass


class Stubborn(Broken):
    def fold(self, arm: int, x: Any, reward: float, *, at_us: int) -> None:  # noqa: ANN401
        super().fold(arm, x, 0.0 if x[-1] == 1.0 else reward, at_us=at_us)


class OtherMeans(Broken):
    def means(self, x: Any, *, own: Any = None) -> Any:  # noqa: ANN401
        return super().means(x, own=own) + (own is not None)


class ListedMeans(Broken):
    def means(self, x: Any, *, own: Any = None) -> Any:  # noqa: ANN401
        return super().means(x, own=own).tolist()


def made_of(state: type[Broken]) -> Any:  # noqa: ANN401
    """A posterior whose states are of a broken kind."""

    class Config:
        def start(self, layout: Any, *, n_features: int) -> Broken:  # noqa: ANN401
            learning = PerOfferLinear()
            prior = learning.prior(n_features)
            return state(Regressions.start(learning, n=len(layout.features), prior=prior))

        def from_arrays(self, arrays: Any, layout: Any) -> Broken:  # noqa: ANN401, ARG002
            learning = PerOfferLinear()
            return state(Regressions.from_arrays(learning, arrays, prior=learning.prior))

    return Config()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (Forgets, "n_rows must count the rows"),
        (Writes, "fold changed the context"),
        (Bare, "must give a Belief, got tuple"),
        (Short, "mean must have one number for each arm"),
        (Narrow, "sd must be float64, got float32"),
        (Below, "a standard deviation is below 0"),
        (OneDraw, "one column for each arm"),
        (Unordered, "in the order asked for"),
        (OtherMeans, "means must be those of the belief"),
        (ListedMeans, "means must give an array, got list"),
        (Moves, "asked twice, it gave different answers"),
        (Shares, "must leave the state alone"),
        (Deaf, "a correction must move the belief"),
        (Stubborn, "must come near to what is answered"),
    ],
)
def test_a_broken_promise_is_named(state: type[Broken], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_posterior(made_of(state))


def test_what_is_no_posterior_is_told_so() -> None:
    with pytest.raises(AssertionError, match="it lacks start or from_arrays"):
        check_posterior(object())  # type: ignore[arg-type]  # what is tested


def test_a_state_that_loses_its_rows_is_caught() -> None:
    class Loses:
        def start(self, layout: Any, *, n_features: int) -> PerOfferState:  # noqa: ANN401
            return PerOfferLinear().start(layout, n_features=n_features)

        def from_arrays(self, arrays: Any, layout: Any) -> PerOfferState:  # noqa: ANN401
            return PerOfferLinear().start(layout, n_features=arrays["b"].shape[1])

    with pytest.raises(AssertionError, match="it must go on bit for bit"):
        check_posterior(Loses())


def test_a_class_in_the_place_of_a_posterior_is_told() -> None:
    with pytest.raises(AssertionError, match=r"it is a class: give one that is made, with \(\)"):
        check_posterior(PerOfferLinear)  # type: ignore[arg-type]  # the point


def test_what_a_state_lacks_is_named() -> None:
    class Half(PerOfferLinear):
        def start(self, layout: Any, *, n_features: int) -> Any:  # noqa: ANN401, ARG002
            return SimpleNamespace(fold=None, copy=None)

    with pytest.raises(AssertionError, match="start gives lacks n_rows, belief, coefficients, cor"):
        check_posterior(Half())
