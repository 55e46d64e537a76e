"""Hypothesis strategies: events tables, histories, masks. The one module that needs hypothesis."""

from typing import Any, TypeAlias

import numpy as np
from hypothesis import strategies as st

from seg1._checks import DAY_US
from seg1._types import Bools

__all__ = ["KINDS", "Columns", "events_tables", "histories", "masks"]

KINDS = ("buy", "view", "gift")

Columns: TypeAlias = dict[str, list[Any]]
"""A table as `Events.from_table` takes it; Any, as each column has a type of its own."""

_VALUES = st.one_of(
    st.sampled_from([0.0, -1.0, 1.0, 2.0]),
    st.floats(-5.0, 100.0, allow_nan=False),
    st.sampled_from([1e-14, 1e-9, 1e12, 1e31]),
)


@st.composite
def events_tables(
    draw: st.DrawFn, *, n_events: int = 30, n_customers: int = 6, n_items: int = 6, n_days: int = 40
) -> Columns:
    """Draw a table with the columns customer, item, time, value and kind.

    Customers are str, items int; times are whole hours over `n_days`, so that some are equal;
    values may be negative, 0, tiny or huge.

    Parameters
    ----------
    n_events, n_customers, n_items
        How many at most, >= 1.
    n_days
        Length of the time that the events span, days.

    Examples
    --------
    >>> from hypothesis import find
    >>> table = find(events_tables(), lambda table: len(table["item"]) == 2)
    >>> sorted(table)
    ['customer', 'item', 'kind', 'time', 'value']
    """
    row = st.tuples(
        st.integers(1, n_customers).map("customer-{}".format),
        st.integers(100, 99 + n_items),
        st.integers(0, n_days * 24).map(lambda hours: hours * DAY_US // 24),
        _VALUES,
        st.sampled_from(KINDS),
    )
    rows = draw(st.lists(row, min_size=1, max_size=n_events))
    names = ("customer", "item", "time", "value", "kind")
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def histories(*, n_items: int, max_size: int = 80) -> st.SearchStrategy[dict[int, float]]:
    """Draw a history: item index to weight, between 1 and `max_size` items.

    Examples
    --------
    >>> from hypothesis import find
    >>> len(find(histories(n_items=9), lambda history: len(history) == 3))
    3
    """
    weights = st.floats(1e-3, 1e3, allow_nan=False)
    return st.dictionaries(
        st.integers(0, n_items - 1), weights, min_size=1, max_size=min(max_size, n_items)
    )


def masks(*, n: int) -> st.SearchStrategy[Bools]:
    """Draw a mask of shape (n,); all, and none, come often.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(masks(n=3), lambda mask: mask.sum() == 3)
    array([ True,  True,  True])
    """
    drawn = st.lists(st.booleans(), min_size=n, max_size=n).map(lambda bits: np.array(bits, bool))
    return st.one_of(st.just(np.ones(n, bool)), st.just(np.zeros(n, bool)), drawn)
