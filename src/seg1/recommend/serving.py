"""The one door through which every recommender answers: consent, then masks, then the ranking."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from seg1._checks import check_int, to_us
from seg1._types import At, Bools, Float64s, Id, Int32s
from seg1.consent import ConsentDoor, Customers
from seg1.consent.policy import check_consent
from seg1.errors import InvalidTypeError, PluginError, WrongIdTypeError
from seg1.events import Vocabulary
from seg1.interactions import Interactions
from seg1.recommend.result import Ranking, Rankings, Why

__all__ = ["AnyoneRanker", "Ranked", "Recommender", "Request", "Served"]


class Ranked(NamedTuple):
    """Items of a model, best first, with their scores and, on demand, their reasons."""

    item_index: Int32s
    scores: Float64s
    explain: Callable[[], tuple[Why, ...]]
    is_personal: bool = True  # whether the customer's own past was used


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for, apart from whom: checked once, also for many customers."""

    n: int
    exclude_seen: bool
    consent: ConsentDoor
    at_us: int
    allow: Collection[Id] | None = None
    deny: Collection[Id] = ()


@runtime_checkable
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

    Abstract: a model supplies `interactions`, `_rank` and `_score_all`.
    """

    __slots__ = ()
    interactions: Interactions

    @property
    def items(self) -> Vocabulary:
        """The items that can be recommended."""
        return self.interactions.items

    def _rank(self, customer_index: int, *, n: int, allowed: Bools) -> Ranked:
        raise NotImplementedError

    def _score_all(self, customer_index: int) -> Float64s:
        """Score every item, float64, shape (n_items,), for a blend; 0 where it has no word."""
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
            Whether to leave out the items of the customer's history, those with a weight in the
            matrix. Groceries want False, films True.
        consent
            Asked for the stage candidates. Where it does not permit, nothing personal is read.
        at
            The moment as of which consent is asked.
        fallback
            A `PopularityModel` that ranks for those who do not permit, or have no history. Without
            one they get an empty ranking with the reason. Its answer is checked.
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
        PluginError
            Where the fallback gives an item that is not allowed, or too many.
        """
        request = _request(n, exclude_seen, consent, at, allow, deny, fallback)
        who = Customers.of(customer)
        self._check_kind(who)
        verdict = request.consent.check(who, stage="candidates", at_us=request.at_us).one(0)
        refusal = "" if verdict.allowed else f"consent: {verdict.reason.words}"
        masks = item_masks(self.items, allow=request.allow, deny=request.deny)
        anyone = _Anyone(request, fallback)
        return self._answer(customer, request, masks, anyone=anyone, refusal=refusal)

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
        request = _request(n, exclude_seen, consent, at, allow, deny, fallback)
        if isinstance(customers, str):
            raise InvalidTypeError("customers must be several ids, not one str")
        who = _customers(list(customers))
        self._check_kind(who)
        verdicts = request.consent.check(who, stage="candidates", at_us=request.at_us)
        masks = item_masks(self.items, allow=request.allow, deny=request.deny)
        anyone = _Anyone(request, fallback)
        rankings, ids = [], who.ids()
        for position, customer in enumerate(ids):
            verdict = verdicts.one(position)
            refusal = "" if verdict.allowed else f"consent: {verdict.reason.words}"
            rankings.append(self._answer(customer, request, masks, anyone=anyone, refusal=refusal))
        return Rankings.of(ids, rankings, n=request.n, items=self.items)

    def _check_kind(self, who: Customers) -> None:
        """Refuse ids of the wrong kind before a filter sees them and reads them as unknown."""
        kind, asked = self.interactions.customers.kind, who.vocabulary.kind
        if asked is not None and kind is not None and asked != kind:
            raise WrongIdTypeError(
                f"this model knows {kind} customer ids and was asked for the other kind; "
                f"convert them, for example with {kind}(id)"
            )

    def _answer(
        self,
        customer: Id,
        request: Request,
        masks: "_Masks",
        *,
        anyone: "_Anyone",
        refusal: str,
    ) -> Ranking:
        if refusal:
            return replace(anyone.ranking, reason=refusal)
        customer_index = self.interactions.customers.find(customer)
        if customer_index < 0:
            return replace(anyone.ranking, reason="no history")
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
            personalised=ranked.is_personal or request.exclude_seen,
            reason="personalised" if ranked.is_personal or request.exclude_seen else "anyone",
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
    fallback: AnyoneRanker | None,
) -> Request:
    check_int(n, name="n", low=1)
    if not isinstance(exclude_seen, bool):
        raise InvalidTypeError(f"exclude_seen must be a bool, got {type(exclude_seen).__name__}")
    for name, ids in (("allow", () if allow is None else allow), ("deny", deny)):
        if isinstance(ids, str) or not isinstance(ids, Iterable):
            raise InvalidTypeError(f"{name} must be several ids, not one {type(ids).__name__}")
    if fallback is not None and not isinstance(fallback, AnyoneRanker):
        raise InvalidTypeError(
            f"fallback must be a fitted Popularity, got {type(fallback).__name__}; write "
            "Popularity().fit(interactions)"
        )
    return Request(
        n=n,
        exclude_seen=exclude_seen,
        consent=check_consent(consent),
        at_us=to_us(at),
        allow=None if allow is None else list(allow),
        deny=list(deny),
    )


def _customers(ids: list[Id]) -> Customers:
    vocabulary = Vocabulary(ids)
    return Customers(vocabulary, vocabulary.encode(ids))


class _Masks(NamedTuple):
    """Which items a request allows, whoever asks."""

    allowed: Bools
    withheld: dict[str, int]


def item_masks(items: Vocabulary, *, allow: Iterable[Id] | None, deny: Iterable[Id]) -> _Masks:
    """Turn allow and deny lists into a mask, and count what each withholds."""
    withheld: dict[str, int] = {}
    if allow is None:
        allowed = np.ones(len(items), dtype=np.bool_)
    else:
        allowed = np.zeros(len(items), dtype=np.bool_)
        allowed[_known(items, allow)] = True
        withheld["not in allow"] = int(len(items) - allowed.sum())
    denied = _known(items, deny)
    if len(denied):
        allowed[denied] = False
        withheld["denied"] = len(np.unique(denied))
    return _Masks(allowed, withheld)


def _known(items: Vocabulary, ids: Iterable[Id]) -> Int32s:
    codes = items.encode(ids, unknown="ignore")
    return codes[codes >= 0]


class _Anyone:
    """What those get about whom nothing may be read: worked out at most once, the same for all."""

    def __init__(self, request: Request, fallback: AnyoneRanker | None) -> None:
        self._request = request
        self._fallback = fallback

    @cached_property
    def ranking(self) -> Ranking:
        if self._fallback is None:
            return Ranking(items=(), scores=np.zeros(0), personalised=False, reason="anyone")
        asked = self._request
        ranking = self._fallback.rank_for_anyone(asked.n, allow=asked.allow, deny=asked.deny)
        _check_fallback(ranking, asked)
        return replace(ranking, personalised=False)


def _check_fallback(ranking: object, request: Request) -> None:
    if not isinstance(ranking, Ranking):
        raise PluginError(f"the fallback must give a Ranking, got {type(ranking).__name__}")
    shown = set(ranking.items)
    is_allowed = shown.isdisjoint(request.deny) and (
        request.allow is None or shown.issubset(request.allow)
    )
    if not is_allowed or len(shown) != len(ranking) or len(ranking) > request.n:
        raise PluginError(
            "the fallback gave an item that is not allowed, an item twice, or more than n; "
            "its rank_for_anyone must heed n, allow and deny"
        )
