"""How good rankings are: NDCG, recall, hit rate, coverage, with intervals over customers."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from seg1._checks import check_int
from seg1._types import Float64s, Id, Int64s
from seg1.errors import InvalidArgumentError
from seg1.events import Events
from seg1.recommend.result import Rankings

__all__ = ["Evaluation", "Interval", "bootstrap_mean", "evaluate", "relevant_items"]


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
    ndcg, recall, hit
        float64, shape (n_customers,), in [0, 1].
    coverage
        Share of the known items that stand in at least one ranking.
    """

    customers: tuple[Id, ...]
    ndcg: Float64s
    recall: Float64s
    hit: Float64s
    coverage: float


def relevant_items(events: Events, *, new_to: Events | None = None) -> dict[Id, frozenset[Id]]:
    """Collect what each customer had: the truth that rankings are held against.

    Parameters
    ----------
    events
        Events after the split.
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
    customers = events.customers.decode(pairs // n_items)
    items = events.items.decode(pairs % n_items)
    grouped: dict[Id, set[Id]] = {}
    for customer, item in zip(customers, items, strict=True):
        grouped.setdefault(customer, set()).add(item)
    return {customer: frozenset(of) for customer, of in grouped.items()}


def _pair_keys(events: Events) -> Int64s:
    return events.customer_index.astype(np.int64) * len(events.items) + events.item_index


def evaluate(rankings: Rankings, relevant: Mapping[Id, AbstractSet[Id]]) -> Evaluation:
    """Hold rankings against what the customers then had.

    With n the length of the rankings and R the relevant items of a customer: recall is the share
    of R in the ranking; NDCG is ``sum over ranks k of hits of 1 / log2(k + 1)`` over its greatest
    possible value for ``min(n, |R|)`` hits (Jarvelin, Kekalainen 2002, with gain 1); hit is 1 where
    there is any.

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
    discounts = 1.0 / np.log2(np.arange(2, n + 2))
    best_possible = np.cumsum(discounts)
    customers, rows = [], []
    for position, customer in enumerate(rankings.customers):
        wanted = relevant.get(customer)
        if wanted:
            hits = np.zeros(n)
            shown = rankings.ids(position)
            hits[: len(shown)] = [item in wanted for item in shown]
            ndcg = float(hits @ discounts) / best_possible[min(n, len(wanted)) - 1]
            rows.append((ndcg, hits.sum() / len(wanted), float(hits.any())))
            customers.append(customer)
    if not rows:
        raise InvalidArgumentError("no customer of the rankings has a relevant item")
    ndcg, recall, hit = np.array(rows).T
    shown_codes = np.unique(rankings.item_index)
    coverage = float((shown_codes >= 0).sum()) / len(rankings.items)
    return Evaluation(
        customers=tuple(customers), ndcg=ndcg, recall=recall, hit=hit, coverage=coverage
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
