"""One column of a table, as numpy sees it: codes of ids, times in microseconds, numbers.

Every reader returns the values and, per row, the number of a problem (0: none). What is done about
problems is decided once, by the caller, for all columns together.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from seg1._checks import MAX_US, MIN_US, to_us
from seg1._types import Float64s, Id, Int8s, Int32s, Int64s
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.events.vocabulary import id_problem, plain_id

__all__ = ["Column", "IdReader", "Problems", "is_arrow", "read_numbers", "read_times"]

# Any: a column of whatever library the caller uses, and one value of it; none can be trusted.
Column: TypeAlias = Any
Value: TypeAlias = Any

_NAIVE = (
    'times have no time zone; pass tz=, for example tz="Europe/Madrid" or tz="UTC", '
    "to say which zone they were written in"
)
_QUARTER_US = 15 * 60 * 1_000_000  # nearly all changes of an offset fall on a quarter hour
_OUTSIDE = "time out of the years 1 to 9999"
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class Problems:
    """Numbers the reasons for which rows cannot be used; 0 means there is none."""

    def __init__(self) -> None:
        self.reasons = ["ok"]

    def number(self, reason: str) -> int:
        """Give a reason its number."""
        if reason not in self.reasons:
            self.reasons.append(reason)
        return self.reasons.index(reason)


class IdReader:
    """Codes ids in order of arrival, over any number of chunks of one column."""

    def __init__(self, problems: Problems) -> None:
        self.ids: list[Id] = []
        self._problems = problems
        self._codes: dict[Id, int] = {}

    def read(self, column: Column) -> tuple[Int32s, Int8s]:
        """Return codes (-1 where an id is bad) and problems, both of shape (n_rows,)."""
        if is_arrow(column):
            return self._read_arrow(column)
        values = np.asarray(column)
        if len(values) and values.dtype.kind not in "iuUTO":  # np.array([]) holds no floats
            raise _no_ids(values.dtype, is_float=values.dtype.kind == "f")
        return self._read_values(values.tolist())

    def _read_arrow(self, column: Column) -> tuple[Int32s, Int8s]:
        _check_arrow_ids(column.type)
        encoded = column.dictionary_encode()
        # A null among the rows points past the end: at the one entry added for it.
        values = [*encoded.dictionary.to_pylist(), None]
        codes, problems = self._read_values(values)
        # A small dictionary comes with small indices, in which the added entry has no room.
        indices = encoded.indices.cast("int64").fill_null(len(values) - 1)
        rows = indices.to_numpy(zero_copy_only=False)
        return codes[rows], problems[rows]

    def _read_values(self, values: Sequence[object]) -> tuple[Int32s, Int8s]:
        codes = np.fromiter(map(self._code, values), np.int32, count=len(values))
        problems = np.zeros(len(values), dtype=np.int8)
        for row in np.flatnonzero(codes < 0).tolist():
            problems[row] = self._problems.number(id_problem(values[row]) or "ids of both kinds")
        return codes, problems

    def _code(self, value: Value) -> int:
        if type(value) is not str and type(value) is not int:
            value = plain_id(value)
        # 1.0 and True equal 1 as keys of a dict: only a true str or int is looked up.
        code = self._codes.get(value) if type(value) in (str, int) else -1
        if code is None:
            if id_problem(value) is not None or not self._fits(value):
                return -1
            code = self._codes[value] = len(self.ids)
            self.ids.append(value)
        return code

    def _fits(self, value: Id) -> bool:
        return not self.ids or type(self.ids[0]) is type(value)


def _check_arrow_ids(kind: Column) -> None:
    import pyarrow as pa  # noqa: PLC0415  # only where the caller's table has brought it

    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    is_text = str(held) in ("string", "large_string", "string_view")
    if not (is_text or pa.types.is_integer(held) or pa.types.is_null(held)):
        raise _no_ids(held, is_float=pa.types.is_floating(held))


def _no_ids(kind: object, *, is_float: bool) -> InvalidTypeError:
    why = " (pandas makes floats of ints with gaps)" if is_float else ""
    return InvalidTypeError(
        f"a column of ids holds {kind}{why}; ids are str or int: convert it to a nullable int or "
        "to str first"
    )


def read_numbers(column: Column, problems: Problems) -> tuple[Float64s, Int8s]:
    """Read finite numbers as float64, with the problem of each row."""
    values, missing = _numbers(column)
    bad = np.zeros(len(values), dtype=np.int8)
    bad[~np.isfinite(values)] = problems.number("not a finite number")
    bad[missing] = problems.number("missing")
    return np.where(bad == 0, values, 0.0), bad


def _numbers(column: Column) -> tuple[Float64s, NDArray[np.bool_]]:
    if is_arrow(column):
        missing = column.is_null().to_numpy(zero_copy_only=False)
        column = _cast_arrow_number(column)
    else:
        column = _typed(np.asarray(column), np.float64, only={int, float})
        missing = _none(column)
    if column.dtype == object:
        missing = np.fromiter((v is None for v in column), np.bool_, count=len(column))
        column = np.fromiter(map(_as_float, column), np.float64, count=len(column))
    if column.dtype.kind not in "iuf":
        raise InvalidTypeError(f"a column of numbers holds {column.dtype}; convert it first")
    return column.astype(np.float64), missing


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


def _as_float(value: object) -> float:
    is_number = isinstance(value, int | float | Decimal | np.integer | np.floating)
    if not is_number or isinstance(value, bool):
        return np.nan
    try:
        return float(value)  # type: ignore[arg-type]  # a number, as just seen
    except (OverflowError, ValueError):  # too large for a float, or a signalling NaN
        return np.nan


def _typed(
    values: NDArray[np.generic], dtype: type[np.generic], *, only: set[type]
) -> NDArray[np.generic]:
    """Turn a column of objects that are all of a few plain types into an array of numbers."""
    if values.dtype != object or not set(map(type, values)) <= only:
        return values
    try:
        return values.astype(dtype)
    except OverflowError:  # one of them is too large: each is looked at
        return values


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
        column = _typed(np.asarray(column), np.int64, only={int})
        column = column if len(column) else column.astype(np.int64)
        if column.dtype == object:
            return _read_time_objects(column, problems, zone=_zone(tz))
    ticks = _arrow_ticks(column) if is_arrow(column) else _numpy_ticks(column)
    low, high = (bound * ticks.per_second // 1_000_000 for bound in (MIN_US, MAX_US))
    outside = (ticks.values < low) | (ticks.values > high)
    us = _to_microseconds(np.where(outside | ticks.missing, 0, ticks.values), ticks.per_second)
    if ticks.is_naive:
        us = _localise(us, zone=_zone(tz))
        outside |= (us < MIN_US) | (us > MAX_US)
    bad = np.zeros(len(us), dtype=np.int8)
    bad[outside] = problems.number(_OUTSIDE)
    bad[ticks.missing] = problems.number("missing")
    return us, bad


def _to_microseconds(ticks: Int64s, per_second: int) -> Int64s:
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
    held: Int64s = np.minimum(values, np.iinfo(np.int64).max).astype(np.int64)
    return held


def _arrow_ticks(column: Column) -> _Ticks:
    import pyarrow as pa  # noqa: PLC0415  # only where the caller's table has brought it

    kind = column.type
    missing = column.is_null().to_numpy(zero_copy_only=False)
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
            us[row] = to_us(aware)
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


def is_arrow(column: Column) -> bool:
    """Whether a column is a pyarrow array; asked without importing pyarrow."""
    return type(column).__module__.split(".")[0] == "pyarrow"
