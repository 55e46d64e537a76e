"""The one door through which every recommender answers: consent, then masks, then the ranking."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

from seg1._checks import check_int, to_us
from seg1._types import At, Float32s, Float64s, History, Id, Int32s
from seg1.consent import ConsentDoor, ConsentNotNeeded, Customers
from seg1.consent.policy import check_consent
from seg1.errors import DamagedError, InvalidTypeError, UnknownIdError, WrongIdTypeError
from seg1.events import Vocabulary
from seg1.events.vocabulary import as_id
from seg1.interactions import Interactions
from seg1.recommend.ranking.fallback import Anyone, AnyoneRanker, Request
from seg1.recommend.ranking.history import checked_history
from seg1.recommend.ranking.itemset import Candidates, ItemSet, candidates_of
from seg1.recommend.ranking.pruning import ByNorm
from seg1.recommend.ranking.result import Ranking, Rankings, Why

__all__ = [
    "AnyoneRanker",
    "Past",
    "Ranked",
    "Recommender",
    "Served",
    "check_is_mapping",
    "checked_request",
    "several",
]


class Ranked(NamedTuple):
    """Items of a model, best first, with their scores and, on demand, their reasons."""

    item_index: Int32s
    scores: Float64s
    explain: Callable[[], tuple[Why, ...]]
    is_personal: bool = True  # whether the customer's own past was used


class Past(NamedTuple):
    """The history that a ranking rests on: the matrix's, or one that the caller gave.

    Attributes
    ----------
    customer_index
        Row of the matrix; -1 where the history was given.
    interactions
        The matrix.
    given
        Items and weights, ascending by item; None where they stand in the matrix.
    """

    customer_index: int
    interactions: Interactions
    given: tuple[Int32s, Float32s] | None = None

    def events(self) -> tuple[Int32s, Float32s]:
        """Read the items and their weights, ascending by item.

        Raises
        ------
        DamagedError
            Where a file that was loaded with verify=False names an item that does not exist.
        """
        if self.given is not None:
            return self.given
        items, weights = self.interactions.history(self.customer_index)
        if len(items) and not 0 <= items.min() <= items.max() < self.interactions.shape[1]:
            raise DamagedError("a history names an item that the model does not have")
        return items, weights


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
        history: History | None = None,
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
    _is_personal: ClassVar[bool] = True  # whether it ranks by the customer's own past
    interactions: Interactions

    @property
    def items(self) -> Vocabulary:
        """The items that can be recommended."""
        return self.interactions.items

    def _rank(self, past: Past, *, n: int, candidates: Candidates) -> Ranked:
        raise NotImplementedError

    def _score_all(self, past: Past) -> Float64s:
        """Score every item, float64, shape (n_items,), for a blend; 0 where it has no word."""
        raise NotImplementedError

    @property
    def _n_items(self) -> int:
        """How many items there are to rank."""
        return self.interactions.shape[1]

    @property
    def _rows(self) -> ByNorm | None:
        """The factors of the items, for the models that have some."""
        return None

    def _known_item(self, item: Id) -> int:
        """Give the code of an item, or raise."""
        code = self.items.find(item)
        if not 0 <= code < self._n_items:
            raise UnknownIdError("the model does not know the item")
        return code

    def item_set(self, ids: Iterable[Id]) -> ItemSet:
        """Compile items for ``allow=`` and ``deny=``, so that a call need not look them up.

        Parameters
        ----------
        ids
            The items. Ids the model does not know are kept for a fallback that does.

        Returns
        -------
        ItemSet
            Good for every model over the same item vocabulary.
        """
        return ItemSet.of(ids, items=self.items, n_items=self._n_items, source=self._rows)

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
        history: History | None = None,
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
            Only these items, where given: ids, or an `ItemSet` that `item_set` compiled. Ids the
            model does not know are passed over.
        deny
            None of these items; likewise.
        history
            Item to weight, > 0, in the place of the stored history, for a customer whom the model
            knows or not; weighed as the builder of the model would weigh it. What is seen is then
            what it holds. Read after consent has permitted.

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
        request = checked_request(n, exclude_seen, consent, at, allow, deny, fallback, history)
        refusal = self._refusal(customer, request.consent, at_us=request.at_us)
        candidates = self._candidates(request.allow, request.deny)
        anyone = Anyone(request, fallback, kind=self.items.kind)
        return self._answer(customer, request, candidates, anyone=anyone, refusal=refusal)

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

        The parameters are those of `recommend`, but for the history: it is the stored one.
        """
        request = checked_request(n, exclude_seen, consent, at, allow, deny, fallback, None)
        if isinstance(customers, str):
            raise InvalidTypeError("customers must be several ids, not one str")
        who = _customers(list(customers))
        self._check_kind(who.vocabulary.kind)
        verdicts = request.consent.check(who, stage="candidates", at_us=request.at_us)
        candidates = self._candidates(request.allow, request.deny)
        anyone = Anyone(request, fallback, kind=self.items.kind)
        rankings, ids = [], who.ids()
        for position, customer in enumerate(ids):
            verdict = verdicts.one(position)
            refusal = "" if verdict.allowed else f"consent: {verdict.reason.words}"
            rankings.append(
                self._answer(customer, request, candidates, anyone=anyone, refusal=refusal)
            )
        return Rankings.of(ids, rankings, n=request.n, items=self.items)

    def _refusal(self, customer: Id, consent: ConsentDoor, *, at_us: int) -> str:
        """Ask consent for one customer; give why it does not permit, or nothing."""
        who = as_id(customer)
        self._check_kind("str" if type(who) is str else "int")
        if type(consent) is ConsentNotNeeded:
            return ""
        verdict = consent.check(Customers.of(who), stage="candidates", at_us=at_us).one(0)
        return "" if verdict.allowed else f"consent: {verdict.reason.words}"

    def _check_kind(self, asked: str | None) -> None:
        """Refuse ids of the wrong kind before a filter sees them and reads them as unknown."""
        kind = self.interactions.customers.kind
        if asked is not None and kind is not None and asked != kind:
            raise WrongIdTypeError(
                f"this model knows {kind} customer ids and was asked for the other kind; "
                f"convert them, for example with {kind}(id)"
            )

    def _candidates(self, allow: Collection[Id] | None, deny: Collection[Id]) -> Candidates:
        return candidates_of(self.items, n_items=self._n_items, allow=allow, deny=deny)

    def _answer(
        self,
        customer: Id,
        request: Request,
        candidates: Candidates,
        *,
        anyone: Anyone,
        refusal: str,
    ) -> Ranking:
        if refusal:
            return replace(anyone.ranking, reason=refusal)
        past = self._past(customer, request.history)
        if past is None:
            return replace(anyone.ranking, reason="no history")
        if request.exclude_seen:
            candidates = candidates.without(past.events()[0])
        ranked = self._rank(past, n=request.n, candidates=candidates)
        is_personal = ranked.is_personal or request.exclude_seen
        return Ranking(
            items=tuple(self.items.decode(ranked.item_index)),
            scores=ranked.scores,
            personalised=is_personal,
            reason="personalised" if is_personal else "anyone",
            withheld=candidates.withheld,
            explain=ranked.explain,
        )

    def _past(self, customer: Id, history: History | None) -> Past | None:
        """Find what the ranking rests on; None where nothing of it is known."""
        if history is not None:
            given = checked_history(history, items=self.items, n_items=self._n_items)
            return Past(-1, self.interactions, given) if len(given[0]) else None
        customer_index = self.interactions.customers.find(customer)
        # Who was added to the vocabulary after the fit has no row.
        is_known = 0 <= customer_index < self.interactions.shape[0]
        return Past(customer_index, self.interactions) if is_known else None


def checked_request(  # noqa: PLR0917  # one call, with the names of the public arguments
    n: int,
    exclude_seen: bool,  # noqa: FBT001
    consent: ConsentDoor,
    at: At,
    allow: Iterable[Id] | None,
    deny: Iterable[Id],
    fallback: AnyoneRanker | None,
    history: History | None,
) -> Request:
    """Check what is asked for, apart from whom, and read its ids once."""
    check_int(n, name="n", low=1)
    if not isinstance(exclude_seen, bool):
        raise InvalidTypeError(f"exclude_seen must be a bool, got {type(exclude_seen).__name__}")
    if fallback is not None and not isinstance(fallback, AnyoneRanker):
        raise InvalidTypeError(
            f"fallback must be a fitted Popularity, got {type(fallback).__name__}; write "
            "Popularity().fit(interactions)"
        )
    check_is_mapping(history)
    return Request(
        n,
        exclude_seen,
        check_consent(consent),
        to_us(at),
        None if allow is None else several(allow, name="allow"),
        several(deny, name="deny"),
        history,
    )


def check_is_mapping(history: object) -> None:
    """Refuse a history of another form, without reading it."""
    if history is not None and not isinstance(history, Mapping):
        raise InvalidTypeError(f"history must map items to weights, got {type(history).__name__}")


def several(ids: Iterable[Id], *, name: str) -> Collection[Id]:
    """Read ids once; a compiled set stays as it is."""
    if type(ids) is ItemSet or (type(ids) is tuple and not ids):
        return ids
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise InvalidTypeError(f"{name} must be several ids, not one {type(ids).__name__}")
    return list(ids)


def _customers(ids: list[Id]) -> Customers:
    vocabulary = Vocabulary(ids)
    return Customers(vocabulary, vocabulary.encode(ids))
