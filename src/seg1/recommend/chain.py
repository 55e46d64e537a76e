"""`FallbackChain`: the first recommender that knows a customer answers."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from seg1._types import At, History, Id
from seg1.consent import ConsentDoor
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.events import Vocabulary
from seg1.events.coding import codes_in
from seg1.events.vocabulary import as_id
from seg1.recommend.ranking.fallback import Anyone, AnyoneRanker
from seg1.recommend.ranking.itemset import ItemSet
from seg1.recommend.ranking.result import Ranking, Rankings
from seg1.recommend.ranking.serving import Recommender, checked_request, several

__all__ = ["FallbackChain"]


@dataclass(frozen=True, slots=True, eq=False)
class FallbackChain:
    """Ask recommenders in turn, until one has something personal to say of the customer.

    A recommender is passed over where it has no history of the customer; a personal ranking that
    masks have emptied stays as it is. Whoever does not permit it, and whoever nobody knows, gets
    the ranking for anyone.

    Parameters
    ----------
    recommenders
        One or more, of any kind that keeps the contract, the most trusted first.
    anyone
        A fitted `Popularity`, asked last, which reads nothing personal; or None. A `fallback=`
        passed with a request takes its place.

    Examples
    --------
    >>> import seg1
    >>> table = {"customer": [1, 1, 2], "item": ["a", "b", "a"], "time": [0] * 3}
    >>> anyone = seg1.ConsentNotNeeded("an example")
    >>> builder = seg1.InteractionMatrixBuilder()
    >>> interactions = builder.build(seg1.Events.from_table(table), consent=anyone, at=0)
    >>> habit, popular = seg1.BuyAgain().fit(interactions), seg1.Popularity().fit(interactions)
    >>> chain = seg1.recommend.FallbackChain([habit], anyone=popular)
    >>> [chain.recommend(who, exclude_seen=False, consent=anyone, at=0).reason for who in (1, 99)]
    ['personalised', 'no history']
    >>> chain.recommend(99, exclude_seen=False, consent=anyone, at=0).items
    ('a', 'b')
    """

    recommenders: Sequence[Recommender]
    anyone: AnyoneRanker | None = None
    _kind: str | None = field(init=False, repr=False)  # of the ids of the items

    def __post_init__(self) -> None:
        recommenders = tuple(self.recommenders)
        if not recommenders or not all(isinstance(r, Recommender) for r in recommenders):
            raise InvalidTypeError("recommenders must be one or more fitted recommenders")
        if self.anyone is not None and not isinstance(self.anyone, AnyoneRanker):
            raise InvalidTypeError(
                f"anyone must be a fitted Popularity, got {type(self.anyone).__name__}"
            )
        object.__setattr__(self, "recommenders", recommenders)
        kinds = {r.items.kind for r in recommenders} - {None}
        own = getattr(getattr(self.anyone, "items", None), "kind", None)
        if len(kinds | ({own} - {None})) > 1:
            raise InvalidArgumentError(
                "the recommenders, and anyone, know items by ids of different kinds"
            )
        object.__setattr__(self, "_kind", next(iter(kinds), None))

    @property
    def items(self) -> Vocabulary:
        """The items that any of them can recommend."""
        together = self.recommenders[0].items.copy()
        others: list[object] = [*self.recommenders[1:], self.anyone]
        for other in others:
            items = getattr(other, "items", None)
            if items is not None:
                codes_in(together, items, unknown="add")
        return together

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
        """Rank items for one customer; the parameters are those of `ALSModel.recommend`."""
        fallback = self.anyone if fallback is None else fallback
        request = checked_request(n, exclude_seen, consent, at, allow, deny, fallback, history)
        anyone = Anyone(request, fallback, kind=self._kind)
        for recommender in self.recommenders:
            ranking = recommender.recommend(
                customer,
                n=n,
                exclude_seen=exclude_seen,
                consent=consent,
                at=at,
                allow=None if request.allow is None else _for(recommender, request.allow),
                deny=_for(recommender, request.deny),
                history=history,
            )
            if ranking.reason != _NO_HISTORY:
                break
        if fallback is None or not _is_refusal(ranking.reason):
            return ranking
        return replace(anyone.ranking, reason=ranking.reason)

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
        """Rank items for many customers: the rankings `recommend` would give, as columns."""
        fallback = self.anyone if fallback is None else fallback
        request = checked_request(n, exclude_seen, consent, at, allow, deny, fallback, None)
        anyone = Anyone(request, fallback, kind=self._kind)
        ids = [as_id(customer) for customer in several(customers, name="customers")]
        parts: list[tuple[list[int], Rankings]] = []
        left = list(range(len(ids)))
        for recommender in self.recommenders:
            rankings = recommender.recommend_many(
                [ids[position] for position in left],
                n=n,
                exclude_seen=exclude_seen,
                consent=consent,
                at=at,
                allow=None if request.allow is None else _for(recommender, request.allow),
                deny=_for(recommender, request.deny),
            )
            parts.append((left, rankings))
            left = [
                position
                for position, reason in zip(left, rankings.reasons, strict=True)
                if reason == _NO_HISTORY
            ]
            if not left:
                break
        if fallback is not None:
            parts.append(_for_anyone(ids, parts, anyone=anyone, n=request.n))
        return _joined(ids, parts, n=request.n)


_NO_HISTORY = "no history"


def _is_refusal(reason: str) -> bool:
    """Whether nothing may be said, or could be, of the customer: then the fallback speaks."""
    return reason == _NO_HISTORY or reason.startswith("consent: ")


def _for_anyone(
    ids: list[Id], parts: list[tuple[list[int], Rankings]], *, anyone: Anyone, n: int
) -> tuple[list[int], Rankings]:
    """Let the fallback speak for those of whom nothing is said, each with the last reason."""
    reasons: dict[int, str] = {}
    for positions, rankings in parts:
        reasons.update(zip(positions, rankings.reasons, strict=True))
    refused = {position: why for position, why in reasons.items() if _is_refusal(why)}
    told = [replace(anyone.ranking, reason=why) for why in refused.values()]
    whom = [ids[position] for position in refused]
    return list(refused), Rankings.of(whom, told, n=n, items=Vocabulary())


def _for(recommender: Recommender, ids: Collection[Id]) -> Collection[Id]:
    """Give a recommender a compiled set only where that is of its own vocabulary."""
    is_foreign = isinstance(ids, ItemSet) and ids.items is not recommender.items
    return list(ids) if is_foreign else ids


def _joined(
    customers: Sequence[Id], parts: list[tuple[list[int], Rankings]], *, n: int
) -> Rankings:
    """Put rankings together, the later over the earlier, in common codes."""
    items = parts[0][1].items.copy()
    item_index = np.full((len(customers), n), -1, dtype=np.int32)
    scores = np.full((len(customers), n), np.nan)
    personalised = np.zeros(len(customers), dtype=np.bool_)
    reasons = [_NO_HISTORY] * len(customers)
    for positions, rankings in parts:
        codes = np.append(codes_in(items, rankings.items, unknown="add"), np.int32(-1))
        item_index[positions] = codes[rankings.item_index]
        scores[positions] = rankings.scores
        personalised[positions] = rankings.personalised
        for position, reason in zip(positions, rankings.reasons, strict=True):
            reasons[position] = reason
    return Rankings(
        customers=tuple(customers),
        items=items,
        item_index=item_index,
        scores=scores,
        personalised=personalised,
        reasons=tuple(reasons),
    )
