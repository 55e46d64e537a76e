"""`FrozenPolicy`: what was learned up to a moment, as a policy that learns no more."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from seg1._types import Bools, Float64s
from seg1.bandit.choosing.scoring import Scoring
from seg1.bandit.context import own_features
from seg1.bandit.customers.effects import effects_of_arms
from seg1.bandit.posteriors.posterior import PosteriorState
from seg1.errors import InvalidArgumentError
from seg1.offers import Arms

__all__ = ["FrozenPolicy", "PolicyStates"]


class PolicyStates(Protocol):
    """Moments that a policy is asked about, one a row."""

    @property
    def arms(self) -> Arms:
        """The arms, in the order of the columns of `eligible`."""
        ...

    @property
    def context(self) -> Float64s:
        """The vector of each context, shape (n_rows, n_features)."""
        ...

    @property
    def affinity(self) -> Float64s:
        """The customer's affinity to each offer, shape (n_rows, n_offers); or (n_rows, 0)."""
        ...

    @property
    def effects(self) -> Float64s:
        """The customer's effects, shape (n_rows, n_offers + 1); or (n_rows, 0)."""
        ...

    @property
    def eligible(self) -> Bools:
        """Whether an arm could be chosen, shape (n_rows, n_arms)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrozenPolicy:
    """A fixed policy: called with moments, it gives the probability of every arm at each.

    Made by `OfferSelector.frozen`, or by `Personalizer.frozen`.

    Attributes
    ----------
    arms
        The arms it knows.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from seg1.bandit import OfferSelector
    >>> from seg1.offers import Goal, Offer
    >>> selector = OfferSelector([Offer("tea")], goal=Goal.response())
    >>> policy = selector.frozen()
    >>> states = SimpleNamespace(
    ...     arms=selector.arms, context=np.ones((2, 1)), affinity=np.ones((2, 0)),
    ...     effects=np.ones((2, 0)), eligible=np.array([[1, 1], [0, 1]], bool))
    >>> policy(states).round(3).tolist()
    [[0.995, 0.005], [0.0, 1.0]]
    """

    arms: Arms
    _scoring: Scoring = field(repr=False)
    _state: PosteriorState = field(repr=False)

    def __repr__(self) -> str:
        return f"FrozenPolicy({len(self.arms)} arms, {self._state.n_rows} answers)"

    def __call__(self, states: PolicyStates) -> Float64s:
        """Give the probability of each arm, float64, shape (n_rows, n_arms).

        Rows sum to 1 and are 0 where an arm is not eligible; a row without any eligible arm is all
        0. Nothing is learned. A customer's effects are those that were known at that moment; where
        there are none, everybody is as those alike in the context.

        Raises
        ------
        InvalidArgumentError
            Where the arms are not those of the selector.
        """
        if states.arms.arms != self.arms.arms:
            raise InvalidArgumentError(
                "the policy knows other arms than these: freeze a selector with the same offers, "
                "prices and slots, in the same order"
            )
        probabilities = np.zeros(states.eligible.shape)
        for row in np.flatnonzero(states.eligible.any(axis=1)):
            own = own_features(states.affinity[row], self.arms)
            believed = self._scoring.ask(self._state, states.context[row], own=own)
            effects = effects_of_arms(states.effects[row], self.arms)
            scored = self._scoring.score(believed, eligible=states.eligible[row], effects=effects)
            probabilities[row] = scored.p
        return probabilities
