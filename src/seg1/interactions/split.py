"""Splits of events by time, so that nothing is ever chosen on what it is tested on."""

from seg1._checks import to_us
from seg1._types import At
from seg1.events import Events

__all__ = ["split_time"]


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
