"""`Blend`: several recommenders as one, by a weighted sum of their scores."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seg1._checks import check_at_least, read_only
from seg1._types import Float64s, Int32s
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.events import Vocabulary
from seg1.events.coding import codes_in
from seg1.interactions import Interactions
from seg1.recommend.fitting.model import ALSModel
from seg1.recommend.fitting.validation import Validation
from seg1.recommend.metrics import rank_discounts
from seg1.recommend.ranking.itemset import Candidates
from seg1.recommend.ranking.result import Why
from seg1.recommend.ranking.serving import Past, Ranked, Served
from seg1.recommend.ranking.topk import top_by_score

__all__ = ["Blend", "BlendModel"]

_N_SAMPLED = 1_000
_DEPTH = 50  # times n: how deep into each member's ranking the search for weights looks
_N_ASKED = 4_000  # customers of a validation: fewer leave the figure to chance
_STEPS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 1.6, 2.4, 3.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """Rank by a weighted sum of what several recommenders say.

    Each member's scores are divided by the mean of the best scores that it gives its customers, so
    that weights of different members can be compared, and mean the same after a refit. The scores
    of factors, which grow with the length of a history and say little across customers, are
    divided by the best score of the customer instead. A `history=` passed with a request is given
    to each member as it is.

    Parameters
    ----------
    weights
        One for each member, >= 0, not all 0; None to find them on a validation. Weights found on an
        earlier split are carried over to members fitted on everything:
        `Blend(weights=early.weights).fit(members)`.

    Examples
    --------
    >>> import seg1
    >>> table = {"customer": [1, 1, 1, 2, 2], "item": ["a", "a", "b", "b", "c"], "time": [0] * 5}
    >>> anyone = seg1.ConsentNotNeeded("an example")
    >>> builder = seg1.InteractionMatrixBuilder(transform="count")
    >>> interactions = builder.build(seg1.Events.from_table(table), consent=anyone, at=0)
    >>> members = [seg1.BuyAgain().fit(interactions), seg1.Popularity().fit(interactions)]
    >>> model = seg1.recommend.Blend(weights=(1.0, 0.2)).fit(members)
    >>> model.recommend(1, exclude_seen=False, consent=anyone, at=0).items
    ('a', 'b', 'c')
    """

    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.weights is None:
            return
        if not isinstance(self.weights, Sequence):
            raise InvalidTypeError("weights must be several numbers, one for each member")
        weights = tuple(
            check_at_least(weight, name=f"weights[{position}]", low=0)
            for position, weight in enumerate(self.weights)
        )
        if not any(weights):
            raise InvalidArgumentError("at least one weight must be > 0")
        object.__setattr__(self, "weights", weights)

    def fit(
        self, members: Sequence[Served], *, validation: Validation | None = None
    ) -> "BlendModel":
        """Join fitted members, and find their weights where none are given.

        The search goes round the members, one weight at a time, over a fixed grid, from the best
        single member on and from equal weights, until no step helps: on the validation the blend is
        never below its best member.

        Parameters
        ----------
        members
            Fitted models of this package (`ALSModel`, `BuyAgainModel`, `PopularityModel`), two at
            least; of ids of one kind. They may know different customers and items.
        validation
            What customers had later. Members must not have seen it: fit them on earlier events, and
            carry the weights over.

        Raises
        ------
        InvalidArgumentError
            Without weights and validation, or where their number is not that of the members.
        """
        members = tuple(members)
        if len(members) < 2 or not all(isinstance(member, Served) for member in members):  # noqa: PLR2004  # one is no blend
            raise InvalidTypeError("members must be two or more fitted models")
        if self.weights is None and validation is None:
            raise InvalidArgumentError(
                "pass weights, or validation= to find them: Blend().fit(members, validation=...)"
            )
        n_weights = len(members) if self.weights is None else len(self.weights)
        if n_weights != len(members):
            raise InvalidArgumentError(f"{n_weights} weights for {len(members)} members")
        joined = _joined(members)
        if self.weights is not None:
            return replace(joined, weights=self.weights)
        return replace(joined, weights=_found(joined, validation))  # type: ignore[arg-type]  # given, as seen above


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlendModel(Served):
    """Members, and how much each counts.

    Attributes
    ----------
    members, weights
        The models, and the weight of each.
    scales
        What each member's scores are divided by; None for the best score of the customer.
    interactions
        Who had what according to any member, in common codes; the greatest of the weights.
    """

    members: tuple[Served, ...]
    weights: tuple[float, ...]
    scales: tuple[float | None, ...]
    interactions: Interactions
    _codes: tuple["_Codes", ...]

    def __repr__(self) -> str:
        told = ", ".join(
            f"{weight:g} {type(member).__name__}"
            for member, weight in zip(self.members, self.weights, strict=True)
        )
        return f"BlendModel({told})"

    def _score_all(self, past: Past) -> Float64s:
        return np.array(self.weights) @ self._parts(past)

    def _parts(self, past: Past) -> Float64s:
        """Give each member's scaled scores, shape (n_members, n_items); 0 where it has none."""
        parts = np.zeros((len(self.members), self.interactions.shape[1]))
        for row, (member, codes, scale) in enumerate(
            zip(self.members, self._codes, self.scales, strict=True)
        ):
            own = codes.past_of(past, member)
            if own is not None:
                scores = member._score_all(own)  # noqa: SLF001  # a sister's
                divisor = _above_zero(float(scores.max())) if scale is None else scale
                parts[row] = np.append(scores, 0.0)[codes.of_items] / divisor
        return parts

    def _rank(self, past: Past, *, n: int, candidates: Candidates) -> Ranked:
        scores = self._score_all(past)
        best = top_by_score(scores, n=n, allowed=candidates.allowed())
        is_personal = any(
            weight > 0.0 and member._is_personal and codes.past_of(past, member) is not None  # noqa: SLF001  # a sister's
            for member, codes, weight in zip(self.members, self._codes, self.weights, strict=True)
        )
        return Ranked(best, scores[best], lambda: self._explain(past, best), is_personal)

    def _explain(self, past: Past, best: Int32s) -> tuple[Why, ...]:
        """Let, for each item, the member speak that adds most to its score."""
        parts = self._parts(past)[:, best] * np.array(self.weights)[:, None]
        speaker = parts.argmax(axis=0)
        whys: dict[int, Why] = {}
        for row in np.unique(speaker).tolist():
            codes, member = self._codes[row], self.members[row]
            asked = codes.of_items[best[speaker == row]]
            asked = asked[asked >= 0]
            own = codes.past_of(past, member)
            if own is not None and len(asked):
                mask = np.ones(member.interactions.shape[1], dtype=np.bool_)
                mask[asked] = False
                candidates = Candidates(len(mask), None, mask, {})
                ranked = member._rank(own, n=len(asked), candidates=candidates)  # noqa: SLF001  # a sister's
                told = zip(codes.items[ranked.item_index].tolist(), ranked.explain(), strict=True)
                whys.update(told)
        return tuple(whys.get(item, _NO_WORD) for item in best.tolist())


_NO_WORD = Why("similar", (), 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Codes:
    """Where the rows and columns of the blend stand in a member, and the reverse."""

    customers: Int32s  # (n_customers of the blend,), -1 where the member does not know them
    items: Int32s  # (n_items of the member,), codes in the blend; -1 where erased
    of_items: Int32s  # (n_items of the blend,), -1 where the member does not know them

    def past_of(self, past: Past, member: Served) -> Past | None:
        """Give a past as the member knows it; None where it knows nothing of it, and needs to."""
        if not member._is_personal:  # noqa: SLF001  # a sister's
            return Past(-1, member.interactions)
        if past.given is None:
            row = int(self.customers[past.customer_index])
            return None if row < 0 else Past(row, member.interactions)
        codes, weights = self.of_items[past.given[0]], past.given[1]
        is_known = codes >= 0
        order = np.argsort(codes[is_known])
        given = codes[is_known][order], weights[is_known][order]
        return Past(-1, member.interactions, given) if len(order) else None


def _joined(members: tuple[Served, ...]) -> BlendModel:
    customers, items = Vocabulary(), Vocabulary()
    personal = [member for member in members if member._is_personal] or members  # noqa: SLF001  # sisters'
    for member in personal:  # only they have a history of somebody
        codes_in(customers, member.interactions.customers, unknown="add")
    for member in members:
        codes_in(items, member.items, unknown="add")
    codes = tuple(
        _Codes(
            customers=codes_in(member.interactions.customers, customers),
            items=codes_in(items, member.items),
            of_items=codes_in(member.items, items),
        )
        for member in members
    )
    shape = (len(customers), len(items))
    weights: Any = None  # scipy's sparse arrays lose their type when they are joined
    for member, of in zip(members, codes, strict=True):
        widened = _widened(member.interactions, of, shape)
        weights = widened if weights is None else weights.maximum(widened)
    weights.sort_indices()
    first = members[0].interactions
    return BlendModel(
        members=members,
        weights=(1.0,) * len(members),
        scales=tuple(_scale(member) for member in members),
        interactions=replace(
            first,
            indptr=read_only(weights.indptr),
            indices=read_only(weights.indices),
            data=read_only(weights.data),
            customers=customers,
            items=items,
            provenance=replace(first.provenance, n_customers=len(customers)),
        ),
        _codes=codes,
    )


def _widened(own: Interactions, codes: _Codes, shape: tuple[int, int]) -> Any:  # noqa: ANN401  # as above
    from scipy.sparse import coo_array  # noqa: PLC0415  # a fifth of a second, when first used

    is_known = codes.customers >= 0
    row_of = np.full(own.shape[0], -1, dtype=np.int32)
    row_of[codes.customers[is_known]] = np.flatnonzero(is_known)
    rows = np.repeat(row_of, np.diff(own.indptr))
    columns = codes.items[own.indices]
    is_live = (rows >= 0) & (columns >= 0)
    pairs = (rows[is_live], columns[is_live])
    return coo_array((own.data[is_live], pairs), shape).tocsr()


def _scale(member: Served) -> float | None:
    """Give the mean of the best scores of an even sample of customers."""
    if isinstance(member, ALSModel):
        return None
    n_customers = member.interactions.shape[0]
    sample = range(0, n_customers, max(1, n_customers // _N_SAMPLED))
    pasts = (Past(customer, member.interactions) for customer in sample)
    best = [float(member._score_all(past).max()) for past in pasts]  # noqa: SLF001  # a sister's
    return _above_zero(float(np.mean(best)))


def _above_zero(scale: float) -> float:
    """Give a number to divide by: 1 where nothing scores above 0."""
    return scale if scale > 0.0 else 1.0


def _found(model: BlendModel, validation: Validation) -> tuple[float, ...]:
    """Search for the weights with the greatest mean NDCG, one member at a time."""
    bench = [_Candidates.of(model, *asked, validation) for asked in _asked(model, validation)]

    def figure(weights: Sequence[float]) -> float:
        return float(np.mean([candidates.ndcg(np.array(weights)) for candidates in bench]))

    n_members = len(model.members)
    singles = [tuple(float(row == m) for row in range(n_members)) for m in range(n_members)]
    starts = (max(singles, key=figure), (1.0,) * n_members)
    best = max((_climbed(start, figure) for start in starts), key=figure)
    return tuple(weight / max(best) for weight in best)


def _climbed(
    start: tuple[float, ...], figure: Callable[[Sequence[float]], float]
) -> tuple[float, ...]:
    """Change one weight at a time, as long as that helps."""
    best, best_figure = start, figure(start)
    while True:
        before = best_figure
        for position, step in itertools.product(range(len(best)), _STEPS):
            tried = (*best[:position], step, *best[position + 1 :])
            if any(tried) and (reached := figure(tried)) > best_figure:
                best, best_figure = tried, reached
        if best_figure == before:
            return best


def _asked(model: BlendModel, validation: Validation) -> Iterator[tuple[int, Int32s]]:
    customers, wanted = validation.codes(model.interactions)
    step = -(-len(customers) // _N_ASKED)
    yield from zip(customers[::step].tolist(), wanted[::step], strict=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Candidates:
    """The items of one customer that any member ranks high: what a blend can bring to the top."""

    parts: Float64s  # (n_members, n_candidates)
    gains: Float64s  # (n_candidates,), 1 where the customer had it
    discounts: Float64s  # (n,)
    best_possible: float

    @classmethod
    def of(
        cls, model: BlendModel, customer_index: int, wanted: Int32s, validation: Validation
    ) -> "_Candidates":
        past = Past(customer_index, model.interactions)
        parts = model._parts(past)  # noqa: SLF001  # its own file
        allowed = np.ones(parts.shape[1], dtype=np.bool_)
        if validation.exclude_seen:
            allowed[past.events()[0]] = False
        depth = _DEPTH * validation.n
        high = np.unique(
            np.concatenate([top_by_score(part, n=depth, allowed=allowed) for part in parts])
        )
        discounts = rank_discounts(validation.n)
        possible = float(discounts[: len(wanted)].sum())
        gains = np.isin(high, wanted).astype(np.float64)
        return cls(parts[:, high], gains, discounts, possible)

    def ndcg(self, weights: Float64s) -> float:
        order = np.argsort(-(weights @ self.parts), kind="stable")[: len(self.discounts)]
        return float(self.gains[order] @ self.discounts[: len(order)]) / self.best_possible
