"""What a selector is: its parts, and all that can be asked without a state of its own."""

import hashlib
import threading
from collections.abc import Sequence

from seg1._checks import check_int
from seg1._random import keyed_uniform
from seg1._types import Bools, Float64s, Id
from seg1.bandit.answers import acceptance_of, reward_of
from seg1.bandit.choosing.availability import Availability
from seg1.bandit.choosing.choice import draw_from
from seg1.bandit.choosing.scoring import ScoredArms, Scoring
from seg1.bandit.context import ContextSchema
from seg1.bandit.explorers.explore import Explorer, ThompsonSampling
from seg1.bandit.parts import (
    checked_explorer,
    checked_floor,
    checked_goal,
    checked_posterior,
    checked_schema,
    laid_out,
)
from seg1.bandit.posteriors.posterior import Layout, Posterior, PosteriorState
from seg1.events.vocabulary import as_id
from seg1.offers import Goal, Offer

__all__ = ["Configuration"]


class Configuration:
    """The pure parts of `OfferSelector`: they take a state from outside. Abstract."""

    def __init__(
        self,
        offers: Sequence[Offer],
        *,
        context: ContextSchema | None = None,
        goal: Goal | None = None,
        explorer: Explorer = ThompsonSampling(),  # noqa: B008  # frozen
        posterior: Posterior | None = None,
        floor: float = 0.01,
        no_offer: bool = True,
        seed: int = 0,
    ) -> None:
        self.goal = checked_goal(goal)
        self.explorer = checked_explorer(explorer)
        self.floor = checked_floor(floor, explorer=explorer)
        self.seed = check_int(seed, name="seed", low=0)
        self.schema = checked_schema(context)
        self.arms = laid_out(offers, goal=self.goal, no_offer=no_offer)
        self._layout = Layout.of(self.arms)
        self.posterior = checked_posterior(posterior, self.arms, goal=self.goal)
        self._scoring = Scoring.of(self.arms, goal=self.goal, explorer=explorer, floor=self.floor)
        self._availability = Availability.of(self.arms)
        self._lock = threading.Lock()
        self._state = self.start()
        self._n_capped = 0

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({len(self.arms)} arms, {self.explorer!r}, {self.posterior!r})"
        )

    @property
    def version(self) -> str:
        """Name what its probabilities follow from, but for the state: 16 hexadecimal digits.

        Explorer and posterior stand in it by their `repr`; one that has none of its own by the
        name of its class and its attributes.
        """
        told = (
            f"{self.arms.arms!r}{self.goal!r}{_told(self.explorer)}{_told(self.posterior)}"
            f"{self.floor!r}{self.schema.version}"
        )
        if self._layout.features.shape[1] > 1:
            told += repr(self._layout.features.tolist())
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def start(self, *, n_features: int | None = None) -> PosteriorState:
        """Give a state that has learned nothing, for a caller who keeps its own.

        Parameters
        ----------
        n_features
            Length of the vectors it will learn on; None: of the schema's.
        """
        return self.posterior.start(self._layout, n_features=n_features or self.schema.n_features)

    def probabilities(
        self,
        state: PosteriorState,
        x: Float64s,
        *,
        own: Float64s | None = None,
        eligible: Bools,
        unit_price: float = 0.0,
        effects: Float64s | None = None,
    ) -> ScoredArms:
        """Give the probability of every arm, and what it was made of. Reads the state only.

        Parameters
        ----------
        state
            What has been learned; nobody may change it meanwhile.
        x
            The encoded context, float64, shape (n_features,).
        own
            One more feature, of each arm its own, where the state has one; float64, (n_arms,).
        eligible
            Which arms may be chosen, bool, shape (n_arms,), at least one.
        unit_price
            Price of pacing, >= 0, for each unit that an offer costs: charged for the *expected*
            cost, which is the offer's cost times the answer where acceptance is learned, and the
            offer's cost where a reward is.
        effects
            How much more than others this customer answers to each arm, in the unit of answers, as
            `PooledHistory.effect` tells; added to what is believed. A state that is asked so must
            be told answers less the effect. float64, shape (n_arms,); None: 0.

        Returns
        -------
        ScoredArms

        Raises
        ------
        InvalidArgumentError
            Where no arm is eligible, or a shape is wrong.
        PluginError
            Where explorer or posterior answered in a form that their contracts forbid.
        """
        believed = self._scoring.ask(state, x, own=own)
        return self._scoring.score(
            believed, eligible=eligible, unit_price=unit_price, effects=effects
        )

    def draw(self, p: Float64s, *, draw_id: Id, attempt: int = 0) -> int:
        """Draw an arm: what seed, id and attempt decide, from the very vector given.

        Parameters
        ----------
        p
            Probabilities, float64, shape (n_arms,).
        draw_id
            What it is drawn for, such as a decision's id.
        attempt
            0 for the first draw of that id; another number draws afresh.

        Returns
        -------
        int
            Position of an arm; never of one with probability 0.

        Raises
        ------
        InvalidTypeError
            For an id that is neither a str nor an int: of None there is one, for all draws.

        Examples
        --------
        >>> import numpy as np
        >>> from seg1 import Goal, Offer, OfferSelector
        >>> selector = OfferSelector([Offer("tea")], goal=Goal.response())
        >>> selector.draw(np.array([0.0, 1.0]), draw_id="visit-1")
        1
        """
        uniform = keyed_uniform(self.seed, purpose="arm", draw_id=as_id(draw_id), attempt=attempt)
        return draw_from(p, uniform=uniform)

    def learns_arm(self, arm: int) -> bool:
        """Say whether answers to an arm are learned: all but no offer's, unless rewards are."""
        return self.goal.learns_reward or bool(self.arms.offer_index[arm] >= 0)

    def reward_of(
        self, arm: int, *, accepted: bool | None = None, reward: float | None = None
    ) -> float:
        """Give the number that is learned from an answer: exactly one of the two, by the goal.

        Parameters
        ----------
        arm
            Position of the arm that was shown.
        accepted
            Whether the customer accepted, where the goal learns acceptance.
        reward
            The customer's total reward, finite, where the goal is incremental; what lies above the
            goal's cap counts as the cap.

        Raises
        ------
        InvalidArgumentError
            For the other of the two, both, neither, or no offer that was accepted.

        Examples
        --------
        >>> from seg1 import Goal, Offer, OfferSelector
        >>> selector = OfferSelector([Offer("tea")], goal=Goal.response())
        >>> selector.reward_of(0, accepted=True)
        1.0
        """
        if self.goal.learns_reward:
            return reward_of(accepted=accepted, reward=reward, goal=self.goal)
        return acceptance_of(
            accepted=accepted, reward=reward, kind=self.goal.kind, is_offer=self.learns_arm(arm)
        )


def _told(part: Explorer | Posterior) -> str:
    """Name a part by its settings, alike in every process."""
    if type(part).__repr__ is not object.__repr__:
        return repr(part)
    # Python's own repr has the place in memory: no other process could take up what was saved.
    return f"{type(part).__qualname__}({part.__getstate__()!r})"
