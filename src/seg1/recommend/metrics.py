"""How good rankings are: NDCG, recall, reciprocal rank, hits, AUC; intervals over customers."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from seg1._checks import check_choice, check_int
from seg1._types import Bools, Float64s, Id, Int64s
from seg1.errors import InvalidArgumentError
from seg1.events import Events
from seg1.recommend.ranking.result import Rankings

__all__ = [
    "Evaluation",
    "Interval",
    "Metric",
    "auc",
    "bootstrap_mean",
    "compare",
    "evaluate",
    "rank_discounts",
    "relevant_items",
]


Metric: TypeAlias = Literal["ndcg", "recall", "hit", "reciprocal_rank"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its interval.

    Attributes
    ----------
    mean, low, high
        The mean of the values, and the bounds of its interval.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """Figures per customer, for those who have at least one relevant item.

    Attributes
    ----------
    customers
        Whom, in the order of the rankings.
    ndcg, recall, hit, reciprocal_rank
        float64, shape (n_customers,), in [0, 1].
    coverage
        Share of the known items that stand in at least one ranking.
    """

    customers: tuple[Id, ...]
    ndcg: Float64s
    recall: Float64s
    hit: Float64s
    reciprocal_rank: Float64s
    coverage: float

    def __repr__(self) -> str:
        return f"Evaluation({len(self.customers)} customers, mean ndcg {self.ndcg.mean():.3f})"

    def interval(
        self, metric: Metric = "ndcg", *, rng: np.random.Generator, level: float = 0.95
    ) -> Interval:
        """Give the mean of a metric with its bootstrap interval over customers."""
        return bootstrap_mean(self.values(metric), rng=rng, level=level)

    def values(self, metric: Metric) -> Float64s:
        """Give a metric by its name, float64, shape (n_customers,)."""
        check_choice(metric, name="metric", choices=get_args(Metric))
        values: Float64s = getattr(self, metric)
        return values


def relevant_items(events: Events, *, new_to: Events | None = None) -> dict[Id, frozenset[Id]]:
    """Collect what each customer had: the truth that rankings are held against.

    Parameters
    ----------
    events
        Events after the split; those of erased ids are left out.
    new_to
        Events before it; pairs of customer and item in them are left out. They must share the
        vocabularies of `events`, as the parts of a split do.

    Returns
    -------
    dict
        Customer to items; customers without any are not in it.

    Examples
    --------
    >>> events = Events.from_table({"customer": [1, 1], "item": [7, 8], "time": [0, 9]})
    >>> before, after = events.where(events.time_us < 5), events.where(events.time_us >= 5)
    >>> relevant_items(after, new_to=before)
    {1: frozenset({8})}
    """
    pairs = np.unique(_pair_keys(events))
    if new_to is not None:
        if new_to.items is not events.items or new_to.customers is not events.customers:
            raise InvalidArgumentError(
                "new_to must share the vocabularies of events; split one table with split_time"
            )
        pairs = np.setdiff1d(pairs, _pair_keys(new_to), assume_unique=False)
    n_items = max(len(events.items), 1)
    customer_index, item_index = np.divmod(pairs, n_items)
    is_live = events.customers.is_live(customer_index) & events.items.is_live(item_index)
    customers = events.customers.decode(customer_index[is_live])
    items = events.items.decode(item_index[is_live])
    grouped: dict[Id, set[Id]] = {}
    for customer, item in zip(customers, items, strict=True):
        grouped.setdefault(customer, set()).add(item)
    return {customer: frozenset(of) for customer, of in grouped.items()}


def _pair_keys(events: Events) -> Int64s:
    return events.customer_index.astype(np.int64) * len(events.items) + events.item_index


def rank_discounts(n: int) -> Float64s:
    """Give what a hit at each of n ranks counts: ``1 / log2(rank + 1)``, shape (n,).

    Examples
    --------
    >>> rank_discounts(3).round(3)
    array([1.   , 0.631, 0.5  ])
    """
    discounts: Float64s = 1.0 / np.log2(np.arange(2, n + 2))
    return discounts


def evaluate(rankings: Rankings, relevant: Mapping[Id, AbstractSet[Id]]) -> Evaluation:
    """Hold rankings against what the customers then had.

    With n the length of the rankings and R the relevant items of a customer: recall is the share
    of R in the ranking; NDCG is ``sum over ranks k of hits of 1 / log2(k + 1)`` over its greatest
    possible value for ``min(n, |R|)`` hits (Jarvelin, Kekalainen 2002, with gain 1); hit is 1 where
    there is any; reciprocal rank is 1 over the rank of the first (Voorhees 1999), 0 without any.

    Parameters
    ----------
    rankings
        What was recommended. A ranking shorter than n is counted as it is.
    relevant
        What each customer then had. Customers without any are left out.

    Returns
    -------
    Evaluation

    Raises
    ------
    InvalidArgumentError
        Where no customer has a relevant item.
    """
    n = rankings.item_index.shape[1]
    discounts = rank_discounts(n)
    best_possible = np.cumsum(discounts)
    customers, rows = [], []
    for position, customer in enumerate(rankings.customers):
        wanted = relevant.get(customer)
        if wanted:
            hits = np.zeros(n)
            shown = rankings.ids(position)
            hits[: len(shown)] = [item in wanted for item in shown]
            ndcg = float(hits @ discounts) / best_possible[min(n, len(wanted)) - 1]
            first = 1.0 / (1 + int(hits.argmax())) if hits.any() else 0.0
            rows.append((ndcg, hits.sum() / len(wanted), float(hits.any()), first))
            customers.append(customer)
    if not rows:
        raise InvalidArgumentError("no customer of the rankings has a relevant item")
    ndcg, recall, hit, reciprocal_rank = np.array(rows).T
    shown_codes = np.unique(rankings.item_index)
    coverage = float((shown_codes >= 0).sum()) / len(rankings.items)
    return Evaluation(
        customers=tuple(customers),
        ndcg=ndcg,
        recall=recall,
        hit=hit,
        reciprocal_rank=reciprocal_rank,
        coverage=coverage,
    )


def bootstrap_mean(
    values: Float64s,
    *,
    rng: np.random.Generator,
    n_resamples: int = 2_000,
    level: float = 0.95,
) -> Interval:
    """Give a mean with its percentile bootstrap interval (Efron, Tibshirani 1993, ch. 13).

    For a paired comparison pass the differences.

    Parameters
    ----------
    values
        One per customer, float64, shape (n_customers,).
    rng
        Where the resamples come from.
    n_resamples
        How many, >= 1.
    level
        Share of the resampled means inside the interval, in (0, 1).

    Examples
    --------
    >>> bootstrap_mean(np.array([1.0, 1.0]), rng=np.random.default_rng(1))
    Interval(mean=1.0, low=1.0, high=1.0)
    """
    check_int(n_resamples, name="n_resamples", low=1)
    if not 0 < level < 1 or not len(values):
        raise InvalidArgumentError("level must lie in (0, 1) and there must be values")
    means = np.array(
        [values[rng.integers(0, len(values), len(values))].mean() for _ in range(n_resamples)]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def compare(
    one: Evaluation,
    other: Evaluation,
    metric: Metric = "ndcg",
    *,
    rng: np.random.Generator,
    level: float = 0.95,
) -> Interval:
    """Compare two recommenders, customer by customer: the mean of one minus the other.

    Parameters
    ----------
    one, other
        Evaluations of the same customers.
    metric
        What is compared.
    rng, level
        As for `bootstrap_mean`. An interval wholly above 0 says that `one` is better.

    Raises
    ------
    InvalidArgumentError
        Where the customers are not the same.

    Examples
    --------
    >>> from seg1.events import Vocabulary
    >>> def ranked(*items):
    ...     return Rankings(customers=(1,), items=Vocabulary(["a", "b"]), reasons=("",),
    ...                     item_index=np.array([items], dtype=np.int32),
    ...                     scores=np.zeros((1, 2)), personalised=np.ones(1, dtype=np.bool_))
    >>> one, other = (evaluate(r, {1: {"a"}}) for r in (ranked(0, 1), ranked(1, 0)))
    >>> compare(one, other, "reciprocal_rank", rng=np.random.default_rng(1)).mean
    0.5
    """
    place = {customer: row for row, customer in enumerate(other.customers)}
    if set(place) != set(one.customers):
        raise InvalidArgumentError("both evaluations must be of the same customers")
    rows = [place[customer] for customer in one.customers]
    differences = one.values(metric) - other.values(metric)[rows]
    return bootstrap_mean(differences, rng=rng, level=level)


def auc(scores: Float64s, is_relevant: Bools) -> float:
    """Give the chance that a relevant item is scored above another; a tie counts half.

    The area under the ROC curve as a rank sum (Hanley, McNeil 1982).

    Parameters
    ----------
    scores
        float64, shape (n_items,).
    is_relevant
        bool, shape (n_items,), with both kinds.

    Raises
    ------
    InvalidArgumentError
        Where all items are relevant, or none.

    Examples
    --------
    >>> auc(np.array([3.0, 1.0, 2.0]), np.array([True, False, False]))
    1.0
    """
    n_relevant = int(is_relevant.sum())
    n_other = len(is_relevant) - n_relevant
    if not n_relevant or not n_other:
        raise InvalidArgumentError("there must be relevant items and others")
    _, row, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2.0)[row]
    above = float(rank[is_relevant].sum()) - n_relevant * (n_relevant + 1) / 2.0
    return above / (n_relevant * n_other)
