"""The one door through which every recommender answers: consent, then masks, then the ranking."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from seg1._checks import check_int, to_us
from seg1._types import At, Bools, Float64s, Id, Int32s
from seg1.consent import ConsentDoor, Customers
from seg1.consent.policy import check_consent
from seg1.errors import InvalidTypeError
from seg1.events import Vocabulary
from seg1.interactions import Interactions
from seg1.recommend.result import Ranking, Rankings, Why

__all__ = ["AnyoneRanker", "Ranked", "Recommender", "Request", "Served"]


class Ranked(NamedTuple):
    """Items of a model, best first, with their scores and, on demand, their reasons."""

    item_index: Int32s
    scores: Float64s
    explain: Callable[[], tuple[Why, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for, apart from whom: checked once, also for many customers."""

    n: int
    exclude_seen: bool
    consent: ConsentDoor
    at_us: int
    allow: Collection[Id] | None = None
    deny: Collection[Id] = ()


class AnyoneRanker(Protocol):
    """Ranks items for anybody, reading nothing personal; a `Popularity` model."""

    def rank_for_anyone(
        self, n: int, *, allow: Iterable[Id] | None = None, deny: Iterable[Id] = ()
    ) -> Ranking:
        """Give at most n allowed items."""
        ...


@runtime_checkable
class Recommender(Protocol):
    """What ALS, popularity and buy-again models have in common.

    `seg1.testing.check_recommender` runs the contract.
    """

    @property
    def items(self) -> Vocabulary:
        """The items that can be recommended."""
        ...

    def recommend(
        self,
        customer: Id,
        *,
        n: int = 10,
        exclude_seen: bool,
        consent: ConsentDoor,
        at: At,
        fallback: AnyoneRanker | None = None,
        allow: Iterable[Id] | None = None,
        deny: Iterable[Id] = (),
    ) -> Ranking:
        """Rank items for one customer."""
        ...

    def recommend_many(
        self,
        customers: Sequence[Id],
        *,
        n: int = 10,
        exclude_seen: bool,
        consent: ConsentDoor,
        at: At,
        fallback: AnyoneRanker | None = None,
        allow: Iterable[Id] | None = None,
        deny: Iterable[Id] = (),
    ) -> Rankings:
        """Rank items for many customers."""
        ...


class Served:
    """Gives a model its `recommend` and `recommend_many`; the model says how to rank.

    Abstract: a model supplies `interactions` and `_rank`.
    """

    __slots__ = ()
    interactions: Interactions

    @property
    def items(self) -> Vocabulary:
        """The items that can be recommended."""
        return self.interactions.items

    def _rank(self, customer_index: int, *, n: int, allowed: Bools) -> Ranked:
        raise NotImplementedError

    def recommend(
        self,
        customer: Id,
        *,
        n: int = 10,
        exclude_seen: bool,
        consent: ConsentDoor,
        at: At,
        fallback: AnyoneRanker | None = None,
        allow: Iterable[Id] | None = None,
        deny: Iterable[Id] = (),
    ) -> Ranking:
        """Rank items for one customer, now.

        Parameters
        ----------
        customer
            The customer.
        n
            How many items at most, >= 1.
        exclude_seen
            Whether to leave out what the customer had before. Groceries want False, films True.
        consent
            Asked for the stage candidates. Where it does not permit, nothing personal is read.
        at
            The moment as of which consent is asked.
        fallback
            A `PopularityModel` that ranks for those who do not permit, or have no history. Without
            one they get an empty ranking with the reason.
        allow
            Only these items, where given. Ids the model does not know are passed over.
        deny
            None of these items.

        Returns
        -------
        Ranking
            At most n items, all allowed: fewer rather than one that is not.

        Raises
        ------
        WrongIdTypeError
            For a str where the model knows int ids, or the reverse.
        InvalidArgumentError, InvalidTypeError
            For an argument that cannot be used.
        """
        request = _request(n, exclude_seen, consent, at, allow, deny)
        who = Customers.of(customer)
        verdict = request.consent.check(who, stage="candidates", at_us=request.at_us).one(0)
        refusal = "" if verdict.allowed else f"consent: {verdict.reason.words}"
        masks = _Masks.compile(self.items, request)
        return self._answer(customer, request, masks, fallback=fallback, refusal=refusal)

    def recommend_many(
        self,
        customers: Sequence[Id],
        *,
        n: int = 10,
        exclude_seen: bool,
        consent: ConsentDoor,
        at: At,
        fallback: AnyoneRanker | None = None,
        allow: Iterable[Id] | None = None,
        deny: Iterable[Id] = (),
    ) -> Rankings:
        """Rank items for many customers: the rankings `recommend` would give, as columns.

        The parameters are those of `recommend`.
        """
        request = _request(n, exclude_seen, consent, at, allow, deny)
        vocabulary = Vocabulary(customers)
        who = Customers(vocabulary, vocabulary.encode(customers))
        verdicts = request.consent.check(who, stage="candidates", at_us=request.at_us)
        masks = _Masks.compile(self.items, request)
        rankings = []
        for position, customer in enumerate(customers):
            verdict = verdicts.one(position)
            refusal = "" if verdict.allowed else f"consent: {verdict.reason.words}"
            rankings.append(
                self._answer(customer, request, masks, fallback=fallback, refusal=refusal)
            )
        return Rankings.of(customers, rankings, n=n, items=self.items)

    def _answer(
        self,
        customer: Id,
        request: Request,
        masks: "_Masks",
        *,
        fallback: AnyoneRanker | None,
        refusal: str,
    ) -> Ranking:
        if refusal:
            return _not_personal(request, reason=refusal, fallback=fallback)
        customer_index = self.interactions.customers.find(customer)
        if customer_index < 0:
            return _not_personal(request, reason="no history", fallback=fallback)
        allowed, withheld = masks.allowed, masks.withheld
        if request.exclude_seen:
            seen, _ = self.interactions.history(customer_index)
            allowed = allowed.copy()
            allowed[seen] = False
            withheld = {**withheld, "seen": len(seen)}
        ranked = self._rank(customer_index, n=request.n, allowed=allowed)
        items = tuple(self.items.decode(ranked.item_index))
        return Ranking(
            items=items,
            scores=ranked.scores,
            personalised=True,
            reason="personalised",
            withheld=withheld,
            explain=ranked.explain,
        )


def _request(  # noqa: PLR0917  # one call, with the names of the public arguments
    n: int,
    exclude_seen: bool,  # noqa: FBT001
    consent: ConsentDoor,
    at: At,
    allow: Iterable[Id] | None,
    deny: Iterable[Id],
) -> Request:
    check_int(n, name="n", low=1)
    if not isinstance(exclude_seen, bool):
        raise InvalidTypeError(f"exclude_seen must be a bool, got {type(exclude_seen).__name__}")
    if isinstance(allow, str) or isinstance(deny, str):
        raise InvalidTypeError("allow and deny must be several ids, not one str")
    return Request(
        n=n,
        exclude_seen=exclude_seen,
        consent=check_consent(consent),
        at_us=to_us(at),
        allow=None if allow is None else list(allow),
        deny=list(deny),
    )


class _Masks(NamedTuple):
    """Which items a request allows, whoever asks."""

    allowed: Bools
    withheld: dict[str, int]

    @classmethod
    def compile(cls, items: Vocabulary, request: Request) -> "_Masks":
        return item_masks(items, allow=request.allow, deny=request.deny)


def item_masks(items: Vocabulary, *, allow: Iterable[Id] | None, deny: Iterable[Id]) -> _Masks:
    """Turn allow and deny lists into a mask, and count what each withholds."""
    withheld: dict[str, int] = {}
    if allow is None:
        allowed = np.ones(len(items), dtype=np.bool_)
    else:
        allowed = np.zeros(len(items), dtype=np.bool_)
        allowed[_known(items, allow)] = True
        withheld["not in allow"] = int(len(items) - allowed.sum())
    denied = np.unique(_known(items, deny))
    if len(denied):
        allowed[denied] = False
        withheld["denied"] = len(denied)
    return _Masks(allowed, withheld)


def _known(items: Vocabulary, ids: Iterable[Id]) -> Int32s:
    codes = items.encode(ids, unknown="ignore")
    return codes[codes >= 0]


def _not_personal(request: Request, *, reason: str, fallback: AnyoneRanker | None) -> Ranking:
    if fallback is None:
        return Ranking(items=(), scores=np.zeros(0), personalised=False, reason=reason)
    ranked = fallback.rank_for_anyone(request.n, allow=request.allow, deny=request.deny)
    return replace(ranked, reason=reason)
