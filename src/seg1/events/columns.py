"""A column of numbers or of times, as numpy sees it: float64, or int64 microseconds.

Every reader returns the values and, per row, the number of a problem (0: none). What is done about
problems is decided once, by the caller, for all columns together.
"""

import contextlib
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from seg1._checks import MAX_US, MIN_US, to_us
from seg1._types import Bools, Float64s, Int8s, Int64s
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.events.problems import Column, Problems, Value, is_arrow

__all__ = ["read_numbers", "read_times"]

_NAIVE = (
    'times have no time zone; pass tz=, for example tz="Europe/Madrid" or tz="UTC", '
    "to say which zone they were written in"
)
_QUARTER_US = 15 * 60 * 1_000_000  # nearly all changes of an offset fall on a quarter hour
_OUTSIDE = "time out of the years 1 to 9999"
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def read_numbers(column: Column, problems: Problems) -> tuple[Float64s, Int8s]:
    """Read finite numbers as float64, with the problem of each row."""
    values, missing = _numbers(column)
    is_bad = ~np.isfinite(values)
    bad = np.zeros(len(values), dtype=np.int8)
    if not (is_bad.any() or missing.any()):
        return values, bad
    bad[is_bad] = problems.number("not a finite number")
    bad[missing] = problems.number("missing")
    return np.where(bad == 0, values, 0.0), bad


def _numbers(column: Column) -> tuple[Float64s, NDArray[np.bool_]]:
    if is_arrow(column):
        missing = _nulls(column)
        column = _cast_arrow_number(column)
    else:
        column = _typed(column, np.float64, only={int, float})
        missing = _none(column)
    if column.dtype == object:
        missing = np.fromiter((v is None for v in column), np.bool_, count=len(column))
        column = np.fromiter(map(_as_float, column), np.float64, count=len(column))
    if column.dtype.kind not in "iuf":
        raise InvalidTypeError(f"a column of numbers holds {column.dtype}; convert it first")
    return column.astype(np.float64, copy=False), missing


def _cast_arrow_number(column: Column) -> NDArray[np.generic]:
    import pyarrow as pa  # noqa: PLC0415  # only where the caller's table has brought it

    kind = column.type
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if not (is_number or pa.types.is_null(kind)):
        raise InvalidTypeError(f"a column of numbers holds {kind}; convert it first")
    numbers: NDArray[np.generic] = column.cast(pa.float64(), safe=False).to_numpy(
        zero_copy_only=False
    )
    return numbers


def _nulls(column: Column) -> Bools:
    if not column.null_count:
        return np.zeros(len(column), dtype=np.bool_)
    nulls: Bools = column.is_null().to_numpy(zero_copy_only=False)
    return nulls


def _as_float(value: object) -> float:
    is_number = isinstance(value, int | float | Decimal | np.integer | np.floating)
    if not is_number or isinstance(value, bool):
        return np.nan
    try:
        return float(value)  # type: ignore[arg-type]  # a number, as just seen
    except (OverflowError, ValueError):  # too large for a float, or a signalling NaN
        return np.nan


def _typed(column: Column, dtype: type[np.generic], *, only: set[type]) -> NDArray[np.generic]:
    """Turn a column into an array: of numbers where its objects are all of a few plain types."""
    is_list = isinstance(column, list)
    values = None if is_list else np.asarray(column)
    if values is not None and values.dtype != object:
        return values
    if set(map(type, column)) <= only:
        # One of them may be too large: then each is looked at.
        with contextlib.suppress(OverflowError):
            return np.array(column, dtype=dtype)
    return np.fromiter(column, dtype=object, count=len(column)) if values is None else values


class _Ticks(NamedTuple):
    """Times as a table holds them: int64 ticks, of which some are missing."""

    values: Int64s
    per_second: int
    is_naive: bool
    missing: NDArray[np.bool_]


def read_times(column: Column, problems: Problems, *, tz: str | None) -> tuple[Int64s, Int8s]:
    """Read times as int64 microseconds UTC, with the problem of each row.

    A naive time is read in zone `tz`: where a clock is turned back as the earlier of the two, and
    where it is turned forward with the offset from before.

    Raises
    ------
    InvalidArgumentError
        For naive times without `tz`.
    InvalidTypeError
        For a column that holds no times.
    """
    if not is_arrow(column):
        column = _typed(column, np.int64, only={int})
        column = column if len(column) else column.astype(np.int64)
        if column.dtype == object:
            return _read_time_objects(column, problems, zone=_zone(tz))
    ticks = _arrow_ticks(column) if is_arrow(column) else _numpy_ticks(column)
    low, high = (bound * ticks.per_second // 1_000_000 for bound in (MIN_US, MAX_US))
    outside = (ticks.values < low) | (ticks.values > high)
    unusable = outside | ticks.missing
    usable = np.where(unusable, 0, ticks.values) if unusable.any() else ticks.values
    us = _to_microseconds(usable, ticks.per_second)
    if ticks.is_naive:
        us = _localise(us, zone=_zone(tz))
        outside |= (us < MIN_US) | (us > MAX_US)
    bad = np.zeros(len(us), dtype=np.int8)
    if not (outside.any() or ticks.missing.any()):
        return us, bad
    bad[outside] = problems.number(_OUTSIDE)
    bad[ticks.missing] = problems.number("missing")
    return us, bad


def _to_microseconds(ticks: Int64s, per_second: int) -> Int64s:
    if per_second == _PER_SECOND["us"]:
        return ticks
    if per_second > _PER_SECOND["us"]:
        return ticks // (per_second // _PER_SECOND["us"])
    return ticks * (_PER_SECOND["us"] // per_second)


def _numpy_ticks(values: NDArray[np.generic]) -> _Ticks:
    if values.dtype.kind in "iu":
        return _Ticks(_as_int64(values), _PER_SECOND["us"], is_naive=False, missing=_none(values))
    if values.dtype.kind != "M":
        raise _no_times(values.dtype)
    unit, n_units = np.datetime_data(values.dtype.str)
    if unit not in _PER_SECOND or n_units != 1:
        values, unit = values.astype("datetime64[s]"), "s"
    return _Ticks(
        values.astype(np.int64), _PER_SECOND[unit], is_naive=True, missing=np.isnat(values)
    )


def _none(values: NDArray[np.generic]) -> NDArray[np.bool_]:
    return np.zeros(len(values), dtype=np.bool_)


def _as_int64(values: NDArray[np.generic]) -> Int64s:
    # A uint64 past the end would wrap into the past: it is held at the end, out of range.
    if values.dtype.kind == "u":
        values = np.minimum(values, np.iinfo(np.int64).max)
    held: Int64s = values.astype(np.int64, copy=False)
    return held


def _arrow_ticks(column: Column) -> _Ticks:
    import pyarrow as pa  # noqa: PLC0415  # only where the caller's table has brought it

    kind = column.type
    missing = _nulls(column)
    if pa.types.is_null(kind):
        column = column.cast(pa.int64())
        kind = column.type
    if pa.types.is_date(kind):
        column = column.cast(pa.timestamp("ms"))
        kind = column.type
    if pa.types.is_timestamp(kind):
        values = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        return _Ticks(values, _PER_SECOND[kind.unit], is_naive=kind.tz is None, missing=missing)
    if not pa.types.is_integer(kind):
        raise _no_times(kind)
    values = _as_int64(column.fill_null(0).to_numpy(zero_copy_only=False))
    return _Ticks(values, _PER_SECOND["us"], is_naive=False, missing=missing)


def _no_times(kind: object) -> InvalidTypeError:
    return InvalidTypeError(
        f"a column of times holds {kind}; times are aware datetimes, timestamps, or int64 "
        "microseconds UTC"
    )


def _read_time_objects(
    values: NDArray[np.object_], problems: Problems, *, zone: ZoneInfo | None
) -> tuple[Int64s, Int8s]:
    us = np.zeros(len(values), dtype=np.int64)
    bad = np.zeros(len(values), dtype=np.int8)
    for row, value in enumerate(values):
        if _is_missing(value):
            bad[row] = problems.number("missing")
            continue
        aware = _aware(value, zone)
        try:
            us[row] = to_us(aware, name="time_us")
        except InvalidTypeError:
            bad[row] = problems.number(f"time is a {type(value).__name__}")
        except InvalidArgumentError:
            bad[row] = problems.number(_OUTSIDE)
    return us, bad


def _is_missing(value: Value) -> bool:
    is_time = isinstance(value, float | datetime | np.datetime64)
    return value is None or (is_time and value != value)  # noqa: PLR0124  # so do NaN and NaT


def _aware(value: Value, zone: ZoneInfo | None) -> Value:
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # noqa: DTZ001  # made aware below
    if isinstance(value, datetime) and value.utcoffset() is None:
        if zone is None:
            raise InvalidArgumentError(_NAIVE)
        return value.replace(tzinfo=zone, fold=0)
    return value


def _zone(tz: str | None) -> ZoneInfo | None:
    if tz is None:
        return None
    try:
        return ZoneInfo(tz)
    except (KeyError, ValueError, OSError, TypeError, AttributeError) as error:
        raise InvalidArgumentError(
            f'tz={tz!r} is no time zone known here; write for example "UTC" or "Europe/Madrid" '
            "(on a machine without zone files: pip install tzdata)"
        ) from error


def _localise(wall_us: Int64s, *, zone: ZoneInfo | None) -> Int64s:
    """Turn wall-clock microseconds into UTC, two look-ups of the zone per quarter hour."""
    if zone is None:
        raise InvalidArgumentError(_NAIVE)
    quarters, row_quarter = np.unique(wall_us // _QUARTER_US, return_inverse=True)
    starts = (quarters * _QUARTER_US).tolist()
    first = np.array([_offset_us(us, zone) for us in starts], dtype=np.int64)
    last = np.array([_offset_us(us + _QUARTER_US - 1, zone) for us in starts], dtype=np.int64)
    offsets = first[row_quarter]
    # Local mean times of long ago change within a quarter: its rows are looked up one by one.
    for row in np.flatnonzero((first != last)[row_quarter]).tolist():
        offsets[row] = _offset_us(int(wall_us[row]), zone)
    return wall_us - offsets


def _offset_us(wall_us: int, zone: ZoneInfo) -> int:
    wall = datetime(1970, 1, 1) + timedelta(microseconds=wall_us)  # noqa: DTZ001  # a wall clock
    offset = wall.replace(tzinfo=zone).utcoffset()
    return 0 if offset is None else offset // timedelta(microseconds=1)
