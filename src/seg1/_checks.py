"""Checks of arguments at the door: each returns the value it accepts, or raises a typed error."""

import math
import warnings
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from seg1._types import At
from seg1.errors import InvalidArgumentError, InvalidTypeError

__all__ = [
    "DAY_US",
    "MAX_US",
    "MIN_US",
    "check_at_least",
    "check_choice",
    "check_int",
    "check_number",
    "read_only",
    "to_us",
]

DAY_US = 86_400 * 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# What a time of the years 2001 to 2099 is in another unit: as microseconds it lies early in 1970.
_UNITS = {"seconds": (10**9, 10**6), "milliseconds": (10**12, 10**3)}
_SPAN = 4.1
_FIRST, _LAST = 10**9, _SPAN * 10**12
# What a datetime can hold, so that every accepted moment can be shown to a person.
MIN_US = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
MAX_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND

_Array = TypeVar("_Array", bound=NDArray[np.generic])


def to_us(at: At, *, name: str = "at") -> int:
    """Turn a moment into int64 microseconds UTC.

    Parameters
    ----------
    at
        An aware datetime, or microseconds since 1970 UTC. Between the years 1 and 9999.
    name
        Name of the argument, for the message.

    Raises
    ------
    InvalidTypeError
        For anything but a datetime or an int.
    InvalidArgumentError
        For a naive datetime or a moment out of range.

    Warns
    -----
    UserWarning
        For a number that is a time of this century in seconds or in milliseconds. Not doubted are
        whole seconds of 1970 and what is within a millisecond of one, where simulations start; and
        an argument whose name says the unit.

    Examples
    --------
    >>> to_us(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    if type(at) is int and _LAST < at <= MAX_US:  # most of all calls
        return at
    if isinstance(at, datetime):
        return _in_range(_datetime_us(at, name), name)
    if isinstance(at, bool) or not isinstance(at, int | np.integer):
        raise InvalidTypeError(
            f"{name} must be an aware datetime or an int of microseconds UTC, "
            f"got {type(at).__name__}"
        )
    if _FIRST <= at <= _LAST and not name.endswith("_us"):
        _doubt_unit(int(at), name)
    return _in_range(int(at), name)


def _in_range(at: int, name: str) -> int:
    if not MIN_US <= at <= MAX_US:
        raise InvalidArgumentError(f"{name} must lie in the years 1 to 9999, got {at} microseconds")
    return at


def _doubt_unit(at: int, name: str) -> None:
    """Warn of a time that was counted in another unit; without the time, so that it warns once."""
    if (at + 10**3) % 10**6 <= 2 * 10**3:
        return
    for unit, (first, factor) in _UNITS.items():
        if first <= at <= _SPAN * first:
            year = datetime.fromtimestamp(at * factor / 10**6, UTC).year
            warnings.warn(
                f"{name} lies in 1970 as microseconds UTC, and in {year} as {unit}: write "
                f"{name}={name} * {factor:_}, or give an aware datetime",
                stacklevel=4,  # the caller of who checks its argument
            )


def _datetime_us(at: datetime, name: str) -> int:
    if at != at:  # noqa: PLR0124  # pandas' NaT is a datetime that differs from itself
        raise InvalidArgumentError(f"{name} is missing (NaT); leave it out or give a time")
    if at.utcoffset() is None:
        raise InvalidArgumentError(
            f"{name} is a datetime without a time zone; "
            "write datetime.now(timezone.utc) or at.replace(tzinfo=...)"
        )
    return (at - _EPOCH) // _MICROSECOND


def check_int(value: int, *, name: str, low: int) -> int:
    """Accept an int of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
        raise InvalidArgumentError(f"{name} must be an int >= {low}, got {value!r}")
    return int(value)


def check_number(value: float, *, name: str, above: float) -> float:
    """Accept a finite number greater than `above`."""
    return _checked(value, name=name, low=above, is_open=True)


def check_at_least(value: float, *, name: str, low: float) -> float:
    """Accept a finite number of at least `low`."""
    return _checked(value, name=name, low=low, is_open=False)


def _checked(value: float, *, name: str, low: float, is_open: bool) -> float:
    is_number = isinstance(value, int | float | np.integer | np.floating)
    is_number = is_number and not isinstance(value, bool) and _is_finite(value)
    if not is_number or value < low or (is_open and value == low):
        sign = ">" if is_open else ">="
        raise InvalidArgumentError(
            f"{name} must be a finite number {sign} {low:g}, got {value!r}{_mend(value)}"
        )
    return float(value)


def _mend(value: object) -> str:
    """Say how to pass a number of another kind, such as a Decimal."""
    is_other = hasattr(value, "__float__") and not isinstance(value, int | float | np.number)
    return "; write float(...)" if is_other else ""


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an int that no float holds
        return False


def check_choice(value: str, *, name: str, choices: Iterable[str]) -> str:
    """Accept one of a few words."""
    allowed = tuple(choices)
    if value not in allowed:
        raise InvalidArgumentError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    return value


def read_only(array: _Array) -> _Array:
    """Return a view of an array that nobody can write through."""
    view = array.view()
    view.setflags(write=False)  # a third of the time of writing to its flags
    return view
