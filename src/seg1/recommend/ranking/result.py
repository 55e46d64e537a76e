"""What a recommender answers: `Ranking` for one customer, `Rankings` for many."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from seg1._types import Bools, Float64s, Id, Int32s
from seg1.events import Vocabulary

__all__ = ["Explanation", "Neighbours", "Ranking", "Rankings", "Why", "named"]


def named(item: Id, names: Mapping[Id, str] | None) -> str:
    """Give an item's name, or its id where it has none."""
    return (names or {}).get(item, str(item))


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    """Join rows of cells, with columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Why:
    """Why an item stands where it stands.

    Attributes
    ----------
    kind
        "similar": what the customer had before speaks for it; "habit": the customer had this very
        item before; "popular": many customers had it.
    items
        For "similar": the customer's own items that speak for it most, strongest first.
    amount
        "similar": the share that `items` have in what all other items of the customer add to the
        score (it can exceed 1, as some may speak against); "habit": the weight of the customer's
        own past with it; "popular": how many customers had it.
    """

    kind: str
    items: tuple[Id, ...]
    amount: float

    def __repr__(self) -> str:
        return f"Why({self.kind!r}, {len(self.items)} items)"  # a history is personal

    def words(self, names: Mapping[Id, str] | None = None) -> str:
        """Say it in a sentence, with item names where given.

        Examples
        --------
        >>> Why("similar", (7, 9), 0.8).words({7: "milk"})
        'goes with milk and 9'
        """
        if self.kind == "habit":
            return "had before, again and again"
        if self.kind == "popular":
            return (
                "had by 1 customer" if self.amount == 1 else f"had by {self.amount:.0f} customers"
            )
        shown = [named(item, names) for item in self.items]
        return "goes with " + " and ".join(shown) if shown else "fits the whole history"


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranking:
    """Items for one customer, best first.

    Attributes
    ----------
    items
        Ids; at most n, fewer where fewer are allowed.
    scores
        float64, shape (len(items),), falling.
    personalised
        Whether anything personal was read.
    reason
        Why it is personalised, or is not: "personalised", "consent: withdrawn", "no history", or
        "anyone" where a model ranks alike for everybody.
    withheld
        How many items were not allowed: reason ("seen", "denied", "not in allow") to count. An
        item with several reasons counts under each.
    explain
        Works out `reasons`.
    """

    items: tuple[Id, ...]
    scores: Float64s
    personalised: bool
    reason: str
    withheld: Mapping[str, int] = field(default_factory=dict)
    explain: Callable[[], tuple[Why, ...]] = field(default=tuple, repr=False)

    def __repr__(self) -> str:
        return f"Ranking({len(self.items)} items, {self.reason})"

    def __len__(self) -> int:
        """Count the items."""
        return len(self.items)

    def table(self, names: Mapping[Id, str] | None = None) -> str:
        """Lay the ranking out as text: place, item, score, reason; with item names where given.

        Examples
        --------
        >>> ranking = Ranking(
        ...     items=(7, 12), scores=np.array([0.9, 0.25]), personalised=True,
        ...     reason="personalised", explain=lambda: (Why("similar", (9,), 1.0), ) * 2)
        >>> print(ranking.table({7: "milk", 9: "bread"}))
        1  milk  0.900  goes with bread
        2  12    0.250  goes with bread
        """
        amounts = [f"{score:.3f}" for score in self.scores.tolist()]
        whys = [why.words(names) for why in self.reasons] or [""] * len(self)
        shown = [named(item, names) for item in self.items]
        places = [str(place) for place in range(1, len(self) + 1)]
        return _aligned(list(zip(places, shown, amounts, whys, strict=True)))

    @cached_property
    def reasons(self) -> tuple[Why, ...]:
        """Why each item stands there; worked out when first read."""
        return self.explain()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explanation:
    """What each event of a customer's past adds to the score of one item.

    Attributes
    ----------
    item
        The item that was asked about.
    score
        Its score, as a ranking gives it; NaN where nothing personal may be read.
    items
        The customer's own items, the strongest contribution first.
    parts
        What each adds, float64, shape (len(items),); they add up to the score.
    personalised
        Whether anything personal was read.
    reason
        As in `Ranking`.
    """

    item: Id
    score: float
    items: tuple[Id, ...]
    parts: Float64s
    personalised: bool
    reason: str

    @classmethod
    def without(cls, item: Id, *, reason: str) -> "Explanation":
        """Explain nothing, and say why."""
        return cls(
            item=item,
            score=math.nan,
            items=(),
            parts=np.zeros(0),
            personalised=False,
            reason=reason,
        )

    def __repr__(self) -> str:
        return f"Explanation({len(self.items)} events, {self.reason})"  # a history is personal

    def table(self, names: Mapping[Id, str] | None = None) -> str:
        """Lay it out as text, with item names where given.

        Examples
        --------
        >>> shown = Explanation(item=3, score=0.5, items=(7, 9), parts=np.array([0.6, -0.1]),
        ...                     personalised=True, reason="personalised")
        >>> print(shown.table({3: "tea", 7: "milk"}))
        tea   0.500
        milk  0.600
        9     -0.100
        """
        rows = [(self.item, self.score), *zip(self.items, self.parts.tolist(), strict=True)]
        return _aligned([(named(item, names), f"{amount:.3f}") for item, amount in rows])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Neighbours:
    """Customers whose taste is like that of one customer, the most alike first.

    Attributes
    ----------
    customers
        Ids of customers who permit it, and never the one asked for.
    similarities
        Cosines of their factors, float64, shape (len(customers),), falling.
    personalised
        Whether anything personal was read.
    reason
        As in `Ranking`.
    n_refused
        How many customers of the model do not permit it, and so were not compared.
    """

    customers: tuple[Id, ...]
    similarities: Float64s
    personalised: bool
    reason: str
    n_refused: int = 0

    @classmethod
    def without(cls, *, reason: str) -> "Neighbours":
        """List nobody, and say why."""
        return cls(customers=(), similarities=np.zeros(0), personalised=False, reason=reason)

    def __repr__(self) -> str:
        return f"Neighbours({len(self.customers)} customers, {self.reason})"

    def __len__(self) -> int:
        """Count the customers."""
        return len(self.customers)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rankings:
    """Items for many customers, as columns.

    Attributes
    ----------
    customers
        Whom, in the order asked.
    items
        The vocabulary that `item_index` refers to.
    item_index
        int32, shape (n_customers, n); -1 behind the last item of a customer.
    scores
        float64, shape (n_customers, n); NaN behind the last item.
    personalised
        bool, shape (n_customers,).
    reasons
        Per customer, why the ranking is personalised, or is not.
    """

    customers: Sequence[Id]
    items: Vocabulary
    item_index: Int32s
    scores: Float64s
    personalised: Bools
    reasons: Sequence[str]

    def __len__(self) -> int:
        """Count the customers."""
        return len(self.customers)

    def __repr__(self) -> str:
        n = int(self.personalised.sum())
        return f"Rankings({len(self)} customers, {n} personalised, n={self.item_index.shape[1]})"

    def ids(self, position: int) -> list[Id]:
        """List the items of one customer, best first."""
        row = self.item_index[position]
        return self.items.decode(row[row >= 0])

    @classmethod
    def of(
        cls, customers: Sequence[Id], rankings: Sequence[Ranking], *, n: int, items: Vocabulary
    ) -> "Rankings":
        """Lay single rankings out as columns."""
        item_index = np.full((len(rankings), n), -1, dtype=np.int32)
        scores = np.full((len(rankings), n), np.nan)
        is_copy = False
        for row, ranking in enumerate(rankings):
            codes = items.encode(ranking.items, unknown="ignore")
            if (codes < 0).any():
                # A fallback may know items that the model does not: they are numbered behind its
                # own, in a copy, for a model is never edited.
                items = items if is_copy else items.copy()
                is_copy = True
                codes = items.encode(ranking.items, unknown="add")
            item_index[row, : len(ranking)] = codes
            scores[row, : len(ranking)] = ranking.scores
        return cls(
            customers=tuple(customers),
            items=items,
            item_index=item_index,
            scores=scores,
            personalised=np.array([r.personalised for r in rankings], dtype=np.bool_),
            reasons=tuple(r.reason for r in rankings),
        )
