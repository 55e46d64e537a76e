"""One column of a table, as numpy sees it: codes of ids, times in microseconds, numbers.

Every reader returns the values and, per row, the number of a problem (0: none). What is done about
problems is decided once, by the caller, for all columns together.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from seg1._checks import MAX_US, MIN_US, to_us
from seg1._types import Float64s, Id, Int8s, Int32s, Int64s
from seg1.errors import InvalidArgumentError, InvalidTypeError, Seg1Error
from seg1.events.vocabulary import id_problem

__all__ = ["IdReader", "Problems", "read_numbers", "read_times"]

# Any: a column of whatever library the caller uses, and one value of it; none can be trusted.
Column: TypeAlias = Any
Value: TypeAlias = Any

_NAIVE = (
    'times have no time zone; pass tz=, for example tz="Europe/Madrid" or tz="UTC", '
    "to say which zone they were written in"
)
_QUARTER_US = 15 * 60 * 1_000_000  # offsets from UTC change on quarter hours only
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
        if _is_arrow(column):
            return self._read_arrow(column)
        values = np.asarray(column)
        if values.dtype.kind == "f":
            raise InvalidTypeError(
                "a column of ids holds floats (pandas makes them of ints with gaps); "
                "convert it to a nullable int or to str first"
            )
        return self._read_values(values.tolist())

    def _read_arrow(self, column: Column) -> tuple[Int32s, Int8s]:
        encoded = column.dictionary_encode()
        # A null among the rows points past the end: at the one entry added for it.
        values = [*encoded.dictionary.to_pylist(), None]
        codes, problems = self._read_values(values)
        rows = encoded.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)
        return codes[rows], problems[rows]

    def _read_values(self, values: Sequence[object]) -> tuple[Int32s, Int8s]:
        codes = np.fromiter(map(self._code, values), np.int32, count=len(values))
        problems = np.zeros(len(values), dtype=np.int8)
        for row in np.flatnonzero(codes < 0).tolist():
            problems[row] = self._problems.number(id_problem(values[row]) or "ids of both kinds")
        return codes, problems

    def _code(self, value: Value) -> int:
        if type(value) is not str and type(value) is not int:
            value = _plain(value)
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


def _plain(value: object) -> object:
    if isinstance(value, np.integer):
        return int(value)
    return str(value) if isinstance(value, str) else value


def read_numbers(column: Column, problems: Problems) -> tuple[Float64s, Int8s]:
    """Read finite numbers as float64, with the problem of each row."""
    values, missing = _numbers(column)
    bad = np.zeros(len(values), dtype=np.int8)
    bad[~np.isfinite(values)] = problems.number("not a finite number")
    bad[missing] = problems.number("missing")
    return np.where(bad == 0, values, 0.0), bad


def _numbers(column: Column) -> tuple[Float64s, NDArray[np.bool_]]:
    if _is_arrow(column):
        missing = column.is_null().to_numpy(zero_copy_only=False)
        column = _cast_arrow_number(column)
    else:
        column = np.asarray(column)
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
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise InvalidTypeError(f"a column of numbers holds {kind}; convert it first")
    numbers: NDArray[np.generic] = column.cast(pa.float64(), safe=False).to_numpy(
        zero_copy_only=False
    )
    return numbers


def _as_float(value: object) -> float:
    if value is None or isinstance(value, bool):
        return np.nan
    is_number = isinstance(value, int | float | Decimal | np.number)
    try:
        return float(value) if is_number else np.nan  # type: ignore[arg-type]  # checked the line above
    except OverflowError:
        return np.inf


class _Ticks(NamedTuple):
    """Times as a table holds them: int64 ticks, of which some are missing."""

    values: Int64s
    per_second: int
    is_naive: bool
    missing: NDArray[np.bool_]


def read_times(column: Column, problems: Problems, *, tz: str | None) -> tuple[Int64s, Int8s]:
    """Read times as int64 microseconds UTC, with the problem of each row.

    A naive time is read in zone `tz`; where a clock is turned back, as the earlier of the two.

    Raises
    ------
    InvalidArgumentError
        For naive times without `tz`.
    InvalidTypeError
        For a column that holds no times.
    """
    if not _is_arrow(column):
        column = np.asarray(column)
        if column.dtype == object:
            return _read_time_objects(column, problems, zone=_zone(tz))
    ticks = _arrow_ticks(column) if _is_arrow(column) else _numpy_ticks(column)
    low, high = (bound * ticks.per_second // 1_000_000 for bound in (MIN_US, MAX_US))
    outside = (ticks.values < low) | (ticks.values > high)
    bad = np.zeros(len(ticks.values), dtype=np.int8)
    bad[outside] = problems.number("time out of the years 1 to 9999")
    bad[ticks.missing] = problems.number("missing")
    us = _to_microseconds(np.where(bad == 0, ticks.values, 0), ticks.per_second)
    if ticks.is_naive:
        us = _localise(us, zone=_zone(tz))
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
    unit = np.datetime_data(values.dtype.str)[0]
    if unit not in _PER_SECOND:
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
        if value is None or value != value:  # noqa: PLR0124  # NaT and NaN differ from themselves
            bad[row] = problems.number("missing")
            continue
        try:
            us[row] = to_us(_aware(value, zone))
        except InvalidTypeError:
            bad[row] = problems.number(f"time is a {type(value).__name__}")
        except (Seg1Error, OverflowError):
            if isinstance(value, datetime):
                raise
            bad[row] = problems.number("time out of the years 1 to 9999")
    return us, bad


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
    except (KeyError, ValueError, OSError) as error:
        raise InvalidArgumentError(
            f'tz={tz!r} is no time zone known here; write for example "UTC" or "Europe/Madrid" '
            "(on a machine without zone files: pip install tzdata)"
        ) from error


def _localise(wall_us: Int64s, *, zone: ZoneInfo | None) -> Int64s:
    """Turn wall-clock microseconds into UTC, one look-up of the zone per quarter hour."""
    if zone is None:
        raise InvalidArgumentError(_NAIVE)
    quarters, row_quarter = np.unique(wall_us // _QUARTER_US, return_inverse=True)
    offset_of: Callable[[int], int] = lambda q: _offset_us(q * _QUARTER_US, zone)  # noqa: E731  # one line
    offsets = np.fromiter(map(offset_of, quarters.tolist()), np.int64, count=len(quarters))
    utc_us: Int64s = np.clip(wall_us - offsets[row_quarter], MIN_US, MAX_US)
    return utc_us


def _offset_us(wall_us: int, zone: ZoneInfo) -> int:
    wall = datetime(1970, 1, 1) + timedelta(microseconds=wall_us)  # noqa: DTZ001  # a wall clock
    offset = wall.replace(tzinfo=zone).utcoffset()
    return 0 if offset is None else offset // timedelta(microseconds=1)


def _is_arrow(column: Column) -> bool:
    return type(column).__module__.split(".")[0] == "pyarrow"
