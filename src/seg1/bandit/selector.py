"""`OfferSelector`: which offer, at which price and for which time, and with what probability."""

from collections.abc import Collection, Mapping
from os import PathLike
from typing import TYPE_CHECKING, overload

from seg1._checks import check_int, read_only, to_us
from seg1._types import At, Bools, Float64s, Id
from seg1.bandit.choosing.choice import Choice, check_own
from seg1.bandit.choosing.reasons import Reasons, told_reasons
from seg1.bandit.choosing.scoring import ScoredArms
from seg1.bandit.choosing.slate import drawn_slate, groups_of
from seg1.bandit.configuration import Configuration
from seg1.bandit.frozen import FrozenPolicy
from seg1.bandit.posteriors.posterior import PosteriorState
from seg1.bandit.saved import load_state, save_state
from seg1.bandit.warm import rows_of
from seg1.errors import InvalidArgumentError

if TYPE_CHECKING:
    from seg1.journal import DecisionLog

__all__ = ["OfferSelector"]


class OfferSelector(Configuration):
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
        How to learn from answers. None: `LadderLinear`, which reads no features, where any offer
        has several prices and acceptance is learned; else `HybridLinear` where offers have
        features, or there are several slots (with `own_share=0.5` where slots are all); else
        `PerOfferLinear`.
    floor
        Share of the probability that is spread evenly over the eligible offers, in [0, 1]. With 0
        a log may not support judging another policy by it.
    no_offer
        Whether to show nothing is an arm.
    seed
        What is drawn follows from it and the id of a choice: the same two draw alike. >= 0.

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
    >>> from seg1.offers import Goal, Offer
    >>> offers = [Offer("coffee", cost=0.30, prices=[1.29, 0.99]), Offer("tea", worth=0.50)]
    >>> selector = OfferSelector(offers, goal=Goal.margin(contact_cost=0.02), seed=7)
    >>> choice = selector.choose({}, id="visit-1", at=0)
    >>> choice.offer, choice.price, round(choice.action_prob, 3)
    ('coffee', 1.29, 0.992)
    >>> selector.learn(choice, accepted=True, at=0)
    >>> selector.n_learned
    1
    """

    @property
    def n_capped(self) -> int:
        """How many rewards that `learn` was told lay above the goal's cap, and counted as it."""
        with self._lock:
            return self._n_capped

    @property
    def n_learned(self) -> int:
        """How many answers were learned here, by `learn`."""
        with self._lock:
            return self._state.n_rows

    @overload
    def choose(
        self, context: Mapping[str, object], *, id: Id, at: At, allow: Collection[Id] | None = None,
        deny: Collection[Id] = (), n: None = None, by_group: bool = False,
    ) -> Choice: ...  # fmt: skip

    @overload
    def choose(
        self, context: Mapping[str, object], *, id: Id, at: At, allow: Collection[Id] | None = None,
        deny: Collection[Id] = (), n: int, by_group: bool = False,
    ) -> tuple[Choice, ...]: ...  # fmt: skip

    def choose(
        self,
        context: Mapping[str, object],
        *,
        id: Id,  # noqa: A002  # the caller's word for it
        at: At,
        allow: Collection[Id] | None = None,
        deny: Collection[Id] = (),
        n: int | None = None,
        by_group: bool = False,
    ) -> Choice | tuple[Choice, ...]:
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
        n
            Choose a slate of up to n offers, n >= 1: each is drawn as if what stands before it were
            not there, and holds the very vector it was drawn from. No offer, once drawn, ends it.
            Fewer than n rather than one that may not be shown.
        by_group
            Whether a slate has one offer of a group at most; of an offer it has one arm anyway.

        Returns
        -------
        Choice, or for a slate a tuple of them, at least one

        Raises
        ------
        InvalidArgumentError
            Where nothing may be shown and no offer is not an arm, the context cannot be used, or
            `by_group` is given without `n`.
        UnknownIdError
            Where `allow` or `deny` names an offer that is not there.
        """
        if by_group and n is None:
            raise InvalidArgumentError("by_group=True is of a slate: give n= too")
        at_us = to_us(at)
        x = self.schema.encode(context)
        eligible = self._availability.mask(at_us, allow=allow, deny=deny)
        with self._lock:
            believed = self._scoring.ask(self._state, x)
        scored = self._scoring.score(believed, eligible=eligible)
        if n is None:
            arm = self.draw(scored.p, draw_id=id)
            return self._choice(arm, scored.p, scored, id=id, x=x, at_us=at_us)

        def rescored(left: Bools) -> Float64s | None:
            mask = eligible & left
            return self._scoring.score(believed, eligible=mask).p if mask.any() else None

        slate = drawn_slate(
            scored.p,
            n=check_int(n, name="n", low=1),
            groups=groups_of(self.arms, by_group=by_group),
            no_offer=self.arms.offer_index < 0,
            score=rescored,
            draw=lambda p, place: self.draw(p, draw_id=id, attempt=place),
        )
        return tuple(self._choice(arm, p, scored, id=id, x=x, at_us=at_us) for arm, p in slate)

    def _choice(
        self,
        arm: int,
        p: Float64s,
        scored: ScoredArms,
        *,
        id: Id,  # noqa: A002  # as in `choose`
        x: Float64s,
        at_us: int,
    ) -> Choice:
        shown = self.arms.arms[arm]
        return Choice(
            id=id,
            offer=shown.offer,
            price=shown.price,
            slot=shown.slot,
            action_prob=p.item(arm),
            response_prob=scored.response_of(arm),
            probabilities=read_only(p),
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

        Raises
        ------
        InvalidTypeError, InvalidArgumentError
            For what is no choice of this selector, a time before it, or an answer of another kind.
        """
        check_own(choice, self.arms)
        if to_us(at) < choice.at_us:
            raise InvalidArgumentError("at must not lie before the time of the choice")
        learned = self.reward_of(choice.arm, accepted=accepted, reward=reward)
        if self.learns_arm(choice.arm):
            with self._lock:
                self._state.fold(choice.arm, choice.x, learned, at_us=choice.at_us)
                self._n_capped += reward is not None and learned < reward

    def correct(
        self,
        choice: Choice,
        *,
        before: float,
        accepted: bool | None = None,
        reward: float | None = None,
    ) -> None:
        """Replace an answer that was learned by another.

        Parameters
        ----------
        choice
            What `choose` gave, and `learn` was told the answer to.
        before
            What was told then: whether it was accepted, or the reward.
        accepted, reward
            The right answer, as for `reward_of`.
        """
        check_own(choice, self.arms)
        after = self.reward_of(choice.arm, accepted=accepted, reward=reward)
        if self.goal.learns_reward:
            was = self.reward_of(choice.arm, reward=before)
        else:
            was = self.reward_of(choice.arm, accepted=bool(before))
        if self.learns_arm(choice.arm):
            with self._lock:
                self._state.correct(
                    choice.arm, choice.x, before=was, after=after, at_us=choice.at_us
                )

    def warm_start(self, log: "DecisionLog") -> int:
        """Learn from decisions that were made elsewhere, each at the weight of its time.

        Parameters
        ----------
        log
            Decisions among the same arms, with contexts of the same schema; they were not chosen by
            affinity. Held-out rows teach nothing.

        Returns
        -------
        int
            How many rows were learned.

        Raises
        ------
        InvalidArgumentError
            For a log of other arms or features, or with rewards that the goal does not give.
        """
        rows = rows_of(log, arms=self.arms, goal=self.goal, n_features=self.schema.n_features)
        with self._lock:
            state = self._state.copy()  # a row that cannot be learned leaves none of them learned
            for arm, x, answer, at_us in rows:
                state.fold(arm, x, answer, at_us=at_us)
            self._state = state
        return len(rows)

    def reasons(self, choice: Choice) -> Reasons:
        """Say what each feature adds to the value of a chosen arm, against the runner-up.

        By what is known now. Under a logit link amounts are in log odds, and leave out what an
        acceptance is worth.

        Parameters
        ----------
        choice
            What `choose` gave.

        Returns
        -------
        Reasons

        Examples
        --------
        >>> from seg1 import Goal, Offer, OfferSelector
        >>> offers = [Offer("tea"), Offer("soup")]
        >>> selector = OfferSelector(offers, goal=Goal.response(), no_offer=False)
        >>> choice = selector.choose({}, id="visit-1", at=0)
        >>> selector.learn(choice, accepted=True, at=0)
        >>> selector.reasons(choice).contributions
        (Contribution(feature='intercept', amount=0.5),)
        """
        check_own(choice, self.arms)
        with self._lock:
            theta = self._state.coefficients()
        return told_reasons(
            choice,
            scoring=self._scoring,
            arms=self.arms,
            names=self.schema.names,
            theta=theta,
            is_logit=getattr(self.posterior, "link", "identity") == "logit",
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write what was learned into a folder, replacing what it held, in one step.

        Parameters
        ----------
        path
            The folder; made where missing. Its parent must exist.
        """
        with self._lock:
            state = self._state.copy()
        save_state(path, state, version=self.version)

    def resume(self, path: str | PathLike[str]) -> None:
        """Take up what a selector of the same version has saved: it goes on bit for bit.

        Parameters
        ----------
        path
            The folder.

        Raises
        ------
        DamagedError
            Where anything is missing, changed, or of another kind; nothing is taken up then.
        InvalidArgumentError
            Where it was saved under other offers, context, goal, explorer, posterior or floor.

        Examples
        --------
        >>> import tempfile
        >>> from seg1 import Goal, Offer, OfferSelector
        >>> first, second = (OfferSelector([Offer("tea")], goal=Goal.response()) for _ in range(2))
        >>> first.learn(first.choose({}, id=1, at=0, allow=["tea"]), accepted=False, at=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     first.save(folder)
        ...     second.resume(folder)
        >>> second.n_learned == first.n_learned
        True
        """
        state = load_state(
            path, posterior=self.posterior, layout=self._layout, version=self.version
        )
        with self._lock:
            self._state = state

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
