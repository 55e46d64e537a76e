"""`OfferSelector`: which offer, at which price and for which time, and with what probability."""

import hashlib
import threading
from collections.abc import Collection, Mapping, Sequence

from seg1._checks import check_int, read_only, to_us
from seg1._random import keyed_uniform
from seg1._types import At, Bools, Float64s, Id
from seg1.bandit.answers import acceptance_of, reward_of
from seg1.bandit.availability import Availability
from seg1.bandit.choice import Choice, draw_from
from seg1.bandit.configuring import (
    MAX_ARMS,
    checked_explorer,
    checked_floor,
    checked_goal,
    checked_posterior,
    checked_schema,
    laid_out,
)
from seg1.bandit.context import ContextSchema
from seg1.bandit.explore import Explorer, ThompsonSampling
from seg1.bandit.frozen import FrozenPolicy
from seg1.bandit.posterior import Layout, Posterior, PosteriorState
from seg1.bandit.scoring import ScoredArms, Scoring
from seg1.errors import InvalidArgumentError
from seg1.offers import Goal, Offer

__all__ = ["MAX_ARMS", "OfferSelector"]


class OfferSelector:
    """Choose offers by what was learned, keep learning, and know each probability exactly.

    As a configuration it has pure parts (`start`, `probabilities`, `draw`, `reward_of`) that take a
    state from outside. Used alone it holds a state of its own, behind one lock: any number of
    threads may call `choose` and `learn`.

    Parameters
    ----------
    offers
        What can be shown; at most 256 arms (offer x price x slot) together.
    context
        What may be told about a moment. None: nothing, all moments are alike.
    goal
        What an answer is worth; required.
    explorer
        How to weigh learning against earning.
    posterior
        How to learn from answers. None: `LadderLinear` where an offer has several prices and
        acceptance is learned; else `HybridLinear` where features or slots tell offers apart; else
        `PerOfferLinear`.
    floor
        Share of the probability that is spread evenly over the eligible offers, in [0, 1]. With 0
        a log may not support judging another policy by it.
    no_offer
        Whether to show nothing is an arm.
    seed
        Whose draws these are, >= 0.

    Attributes
    ----------
    arms
        The arms, in the order of every array here.
    schema
        What encodes a context.
    goal, explorer, posterior, floor, seed
        As given.

    Raises
    ------
    InvalidArgumentError
        Without a goal, with more than 256 arms, or for an explorer that needs a floor without one.
    InvalidTypeError
        For a part that does not keep its contract.

    Examples
    --------
    >>> offers = [Offer("coffee", cost=0.30, prices=[1.29, 0.99]), Offer("tea", worth=0.50)]
    >>> selector = OfferSelector(offers, goal=Goal.margin(contact_cost=0.02), seed=7)
    >>> choice = selector.choose({}, id="visit-1", at=0)
    >>> choice.offer, choice.price, round(choice.action_prob, 3)
    ('coffee', 1.29, 0.798)
    >>> selector.learn(choice, accepted=True, at=0)
    >>> selector.n_learned
    1
    """

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
        self.posterior = checked_posterior(posterior, self._layout, goal=self.goal)
        self._scoring = Scoring.of(self.arms, goal=self.goal, explorer=explorer, floor=self.floor)
        self._availability = Availability.of(self.arms)
        self._lock = threading.Lock()
        self._state = self.start()

    @property
    def version(self) -> str:
        """Name what its probabilities follow from, but for the state: 16 hexadecimal digits.

        Explorer and posterior stand in it by their `repr`.
        """
        told = (
            f"{self.arms.arms!r}{self.goal!r}{self.explorer!r}{self.posterior!r}"
            f"{self.floor!r}{self.schema.version}"
        )
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def n_learned(self) -> int:
        """How many answers were learned here, by `learn`."""
        with self._lock:
            return self._state.n_rows

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
        belief = state.belief(x, own=own)
        return self._scoring.score(belief, eligible=eligible, unit_price=unit_price)

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

        Examples
        --------
        >>> import numpy as np
        >>> selector = OfferSelector([Offer("tea")], goal=Goal.response())
        >>> selector.draw(np.array([0.0, 1.0]), draw_id="visit-1")
        1
        """
        uniform = keyed_uniform(self.seed, purpose="arm", draw_id=draw_id, attempt=attempt)
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
        >>> selector = OfferSelector([Offer("tea")], goal=Goal.response())
        >>> selector.reward_of(0, accepted=True)
        1.0
        """
        if self.goal.learns_reward:
            return reward_of(accepted=accepted, reward=reward, goal=self.goal)
        return acceptance_of(
            accepted=accepted, reward=reward, kind=self.goal.kind, is_offer=self.learns_arm(arm)
        )

    def choose(
        self,
        context: Mapping[str, object],
        *,
        id: Id,  # noqa: A002  # the caller's word for it
        at: At,
        allow: Collection[Id] | None = None,
        deny: Collection[Id] = (),
    ) -> Choice:
        """Choose an arm. The same id draws the same arm, as long as the same was learned.

        Parameters
        ----------
        context
            What is known of the moment, by the names that the schema declares.
        id
            What is drawn for: a name that no other choice has.
        at
            When: an aware datetime, or microseconds UTC.
        allow
            Ids of the only offers that may be shown. None: all that are valid at the time and have
            no audience; a personal rule can be vouched for only by naming the offer here.
        deny
            Ids of offers that may not be shown; it wins over `allow`.

        Returns
        -------
        Choice

        Raises
        ------
        InvalidArgumentError
            Where nothing may be shown and no offer is not an arm, or the context cannot be used.
        UnknownIdError
            Where `allow` or `deny` names an offer that is not there.
        """
        at_us = to_us(at)
        x = self.schema.encode(context)
        eligible = self._availability.mask(at_us, allow=allow, deny=deny)
        with self._lock:
            belief = self._state.belief(x)
        scored = self._scoring.score(belief, eligible=eligible)
        arm = self.draw(scored.p, draw_id=id)
        return Choice(
            id=id,
            **self.arms.arms[arm]._asdict(),
            action_prob=float(scored.p[arm]),
            response_prob=float(scored.response[arm]),
            probabilities=read_only(scored.p),
            arm=arm,
            x=read_only(x),
            at_us=at_us,
        )

    def learn(
        self,
        choice: Choice,
        *,
        at: At,
        accepted: bool | None = None,
        reward: float | None = None,
    ) -> None:
        """Learn the answer to a choice, at the weight of the time of the choice.

        Each choice is to be learned once, whether it was accepted or not, after the same wait:
        acceptances at once and refusals later would overstate whatever is young.

        Parameters
        ----------
        choice
            What `choose` gave.
        at
            When the answer was known, not before the choice.
        accepted, reward
            The answer, as for `reward_of`.
        """
        if to_us(at) < choice.at_us:
            raise InvalidArgumentError("at must not lie before the time of the choice")
        learned = self.reward_of(choice.arm, accepted=accepted, reward=reward)
        if self.learns_arm(choice.arm):
            with self._lock:
                self._state.fold(choice.arm, choice.x, learned, at_us=choice.at_us)

    def frozen(self, state: PosteriorState | None = None) -> FrozenPolicy:
        """Give what is known now as a policy that learns no more.

        Parameters
        ----------
        state
            What was learned elsewhere, as by an engine; None for what this selector has learned.
        """
        if state is None:
            with self._lock:
                state = self._state.copy()
        return FrozenPolicy(arms=self.arms, _scoring=self._scoring, _state=state)
