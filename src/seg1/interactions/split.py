"""Splits of events by time, so that nothing is ever chosen on what it is tested on."""

import numpy as np

from seg1._checks import check_int, to_us
from seg1._types import At
from seg1.events import Events

__all__ = ["split_last", "split_time"]


def split_time(events: Events, *, at: At) -> tuple[Events, Events]:
    """Split events at a moment.

    Parameters
    ----------
    events
        The events.
    at
        First moment of the second part.

    Returns
    -------
    before, after : Events
        Both keep the vocabularies, so that codes mean the same in both.

    Examples
    --------
    >>> from seg1 import Events
    >>> events = Events.from_table({"customer": [1, 1], "item": [7, 8], "time": [0, 9]})
    >>> [len(part) for part in split_time(events, at=9)]
    [1, 1]
    """
    is_before = events.time_us < to_us(at)
    return events.where(is_before), events.where(~is_before)


def split_last(events: Events, *, n: int = 1) -> tuple[Events, Events]:
    """Split off the last n events of each customer.

    For tables whose times say in which order things came and little more. Where time itself
    matters, use `split_time`: here one customer's past may lie behind another's future.

    Parameters
    ----------
    events
        The events.
    n
        How many of each customer's events, >= 1; of equal times those later in the table are the
        last. A customer with n or fewer has none in the first part.

    Returns
    -------
    before, last : Events
        Both keep the vocabularies, so that codes mean the same in both.

    Examples
    --------
    >>> from seg1 import Events
    >>> table = {"customer": [1, 1, 2], "item": [7, 8, 9], "time": [5, 0, 0]}
    >>> before, last = split_last(Events.from_table(table))
    >>> before.items.decode(before.item_index), last.items.decode(last.item_index)
    ([8], [7, 9])
    """
    check_int(n, name="n", low=1)
    order = np.lexsort((events.time_us, events.customer_index))
    customer = events.customer_index[order]
    ends = np.append(np.flatnonzero(np.diff(customer)) + 1, len(customer))
    n_of_customer = np.diff(ends, prepend=0)
    n_behind = np.repeat(ends, n_of_customer) - np.arange(len(customer))
    is_last = np.zeros(len(events), dtype=np.bool_)
    is_last[order] = n_behind <= n
    return events.where(~is_last), events.where(is_last)
