"""Any table, as chunks of columns: Arrow where it is at hand, else numpy, else rows."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from seg1.errors import InvalidTypeError, MissingColumnError
from seg1.events.problems import Column, is_arrow
from seg1.events.row import EventRow

__all__ = ["Row", "Table", "column_chunks", "row_chunks"]

Table: TypeAlias = Any  # of whatever library the caller uses
Row: TypeAlias = Mapping[str, object] | EventRow
PyArrow: TypeAlias = Any  # the module: it has no types

_CHUNK_ROWS = 8_000_000
_ROWS_AT_ONCE = 100_000


def column_chunks(table: Table, names: Sequence[str]) -> Iterator[list[Column]]:
    """Give the named columns of a table, some millions of rows at a time.

    Parameters
    ----------
    table
        Anything with ``__arrow_c_stream__`` (polars, pyarrow, pandas, duckdb) where pyarrow is
        installed; else a mapping or a frame whose columns numpy can read.
    names
        Column names.

    Yields
    ------
    list
        One column per name, as a pyarrow array or whatever the table gave.

    Raises
    ------
    MissingColumnError
        For a name that the table does not have.
    InvalidTypeError
        For something that is no table.
    """
    if hasattr(table, "__arrow_c_stream__"):
        try:
            import pyarrow as pa  # noqa: PLC0415  # an extra: the next rung serves without it
        except ImportError:
            pass
        else:
            return _arrow_chunks(table, names, pa)
    return iter([_whole_columns(table, names)])


def _arrow_chunks(table: Table, names: Sequence[str], pa: PyArrow) -> Iterator[list[Column]]:
    try:
        whole = _arrow_table(table, names, pa)
    except (pa.ArrowException, OverflowError, UnicodeError):
        # A column of mixed objects, say: the next rung reads it value by value.
        yield _whole_columns(table, names)
        return
    for start in range(0, max(1, whole.num_rows), _CHUNK_ROWS):
        part = whole.slice(start, _CHUNK_ROWS)
        yield [_one_array(part.column(name), pa) for name in names]


def _arrow_table(table: Table, names: Sequence[str], pa: PyArrow) -> Table:
    distinct = list(dict.fromkeys(names))
    if hasattr(table, "columns") and not isinstance(table, (pa.Table, pa.RecordBatch)):
        # A frame's other columns may hold what Arrow cannot: only those asked for are converted.
        _check_names(list(table.columns), names)
        with contextlib.suppress(TypeError):  # a duckdb relation takes one name only
            table = table[distinct]
    reader = pa.RecordBatchReader.from_stream(table)
    _check_names(reader.schema.names, names)
    schema = pa.schema([reader.schema.field(name) for name in distinct])
    return pa.Table.from_batches((batch.select(distinct) for batch in reader), schema)


def _one_array(chunked: Column, pa: PyArrow) -> Column:
    # To put together copies, even where there is but one.
    array = chunked.chunk(0) if chunked.num_chunks == 1 else chunked.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # pyarrow before 17 keeps the wrapper
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    return array.cast(pa.large_string()) if str(array.type) == "string_view" else array


def _whole_columns(table: Table, names: Sequence[str]) -> list[Column]:
    is_lazy = hasattr(table, "collect")  # polars would raise, after a warning, without the mend
    if isinstance(table, str | bytes | type) or is_lazy or not hasattr(table, "__getitem__"):
        raise InvalidTypeError(
            f"a table must be a frame, an Arrow table or a mapping of columns, got "
            f"{type(table).__name__}; for rows use Events.from_rows, and collect a lazy frame"
        )
    known = table.keys() if isinstance(table, Mapping) else getattr(table, "columns", None)
    if known is None:
        raise InvalidTypeError(
            f"{type(table).__name__} names no columns; for rows use Events.from_rows"
        )
    _check_names(list(known), names)
    columns = [_as_column(table[name], name) for name in names]
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        raise InvalidTypeError(f"columns differ in length: {sorted(lengths)}")
    return columns


def _as_column(values: Column, name: str) -> Column:
    if isinstance(values, list | tuple):
        # np.array would turn mixed kinds into str, and lists into a second dimension.
        return np.fromiter(values, dtype=object, count=len(values))
    if is_arrow(values):
        return _own_arrow(values, name)
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):
        # The cause is left out: a library may print the column, and so ids, into its error.
        raise InvalidTypeError(
            f"column {name!r} is a {type(values).__name__} that numpy cannot read"
        ) from None
    if array.ndim != 1:
        raise InvalidTypeError(f"column {name!r} must have one dimension, has {array.ndim}")
    if getattr(getattr(values, "dtype", None), "time_zone", None) is not None:
        # polars gives numpy the clock of UTC and leaves the zone behind: naive, it would be wrong.
        return _microseconds(array)
    return array


def _own_arrow(values: Column, name: str) -> Column:
    import pyarrow as pa  # noqa: PLC0415  # only where the caller's table has brought it

    if not isinstance(values, (pa.Array, pa.ChunkedArray)):
        raise InvalidTypeError(f"column {name!r} is a pyarrow {type(values).__name__}, no array")
    return _one_array(pa.chunked_array([values]) if isinstance(values, pa.Array) else values, pa)


def _microseconds(array: Column) -> Column:
    column = np.full(len(array), None, dtype=object)
    known = ~np.isnat(array)
    column[known] = array[known].astype("datetime64[us]").astype(np.int64)
    return column


def _check_names(known: Sequence[str], names: Sequence[str]) -> None:
    for name in names:
        if list(known).count(name) > 1:
            raise MissingColumnError(f"the table has column {name!r} more than once")
        if name not in known:
            some = ", ".join(repr(n) for n in list(known)[:12]) or "none"
            raise MissingColumnError(f"the table has no column {name!r}; it has {some}")


def row_chunks(rows: Iterable[Row], names: Sequence[str]) -> Iterator[list[Column]]:
    """Give the named fields of rows as lists, a hundred thousand rows at a time.

    Raises
    ------
    InvalidTypeError
        For a row that is no mapping and no `EventRow`, or for something that is no iterable of
        rows.
    """
    if not isinstance(rows, Iterable):
        raise InvalidTypeError(f"rows must be an iterable of mappings, got {type(rows).__name__}")
    stream = iter(rows)
    n_before = 0
    # No rows at all are a table too: an empty one.
    while (chunk := list(itertools.islice(stream, _ROWS_AT_ONCE))) or not n_before:
        yield _fields(chunk, names, n_before)
        if not chunk:
            return
        n_before += len(chunk)


def _fields(chunk: list[Any], names: Sequence[str], n_before: int) -> list[Column]:
    if set(map(type, chunk)) <= {dict}:
        with contextlib.suppress(KeyError):  # some field is not there
            return [[row[name] for row in chunk] for name in names]
    mappings = [_as_mapping(row, n_before + place) for place, row in enumerate(chunk)]
    # A field that is not there reads like one that holds None: as missing.
    return [[row.get(name) for row in mappings] for name in names]


def _as_mapping(row: object, number: int) -> Mapping[str, object]:
    if isinstance(row, EventRow):
        return row.__dict__
    if not isinstance(row, Mapping):
        raise InvalidTypeError(
            f"row {number} is a {type(row).__name__}; rows are mappings of column name to value, "
            "or seg1.events.EventRow"
        )
    return row
