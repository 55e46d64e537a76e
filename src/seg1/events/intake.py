"""Any table, as chunks of columns: Arrow where it is at hand, else numpy, else rows."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from seg1.errors import BadRowError, InvalidTypeError, MissingColumnError
from seg1.events.columns import Column

__all__ = ["Table", "column_chunks", "row_chunks"]

Table: TypeAlias = Any  # of whatever library the caller uses
PyArrow: TypeAlias = Any  # the module: it has no types

_CHUNK_ROWS = 1_000_000
_ROWS_AT_ONCE = 100_000


def column_chunks(table: Table, names: Sequence[str]) -> Iterator[list[Column]]:
    """Give the named columns of a table, about a million rows at a time.

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
    if not isinstance(table, pa.Table) and hasattr(table, "columns"):
        # A frame's other columns may hold what Arrow cannot: only those asked for are converted.
        _check_names(list(table.columns), names)
        if hasattr(table, "__getitem__"):
            table = table[list(dict.fromkeys(names))]
    reader = pa.RecordBatchReader.from_stream(table)
    _check_names(reader.schema.names, names)
    whole = reader.read_all().select(list(dict.fromkeys(names)))
    for start in range(0, max(1, whole.num_rows), _CHUNK_ROWS):
        part = whole.slice(start, _CHUNK_ROWS)
        yield [_one_array(part.column(name), pa) for name in names]


def _one_array(chunked: Column, pa: PyArrow) -> Column:
    array = chunked.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # pyarrow before 17 keeps the wrapper
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    return array.cast(pa.large_string()) if str(array.type) == "string_view" else array


def _whole_columns(table: Table, names: Sequence[str]) -> list[Column]:
    if isinstance(table, str | bytes) or not hasattr(table, "__getitem__"):
        raise InvalidTypeError(
            f"a table must be a frame, an Arrow table or a mapping of columns, got "
            f"{type(table).__name__}; for rows use Events.from_rows"
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
        column = np.empty(len(values), dtype=object)  # np.array would turn mixed kinds into str
        column[:] = values
        return column
    array = np.asarray(values)
    if array.ndim != 1:
        raise InvalidTypeError(f"column {name!r} must have one dimension, has {array.ndim}")
    return array


def _check_names(known: Sequence[str], names: Sequence[str]) -> None:
    for name in names:
        if list(known).count(name) > 1:
            raise MissingColumnError(f"the table has column {name!r} more than once")
        if name not in known:
            some = ", ".join(repr(n) for n in list(known)[:12])
            raise MissingColumnError(f"the table has no column {name!r}; it has {some}")


def row_chunks(
    rows: Iterable[Mapping[str, object]], names: Sequence[str]
) -> Iterator[list[Column]]:
    """Give the named fields of rows as columns of objects, a hundred thousand rows at a time.

    Raises
    ------
    InvalidTypeError
        For a row that is no mapping.
    BadRowError
        For a row without one of the fields.
    """
    numbered = enumerate(rows)
    is_first = True  # no rows at all are a table too: an empty one
    while (chunk := list(itertools.islice(numbered, _ROWS_AT_ONCE))) or is_first:
        is_first = False
        columns = [np.empty(len(chunk), dtype=object) for _ in names]
        for position, (row_number, row) in enumerate(chunk):
            if not isinstance(row, Mapping):
                raise InvalidTypeError(
                    f"row {row_number} is a {type(row).__name__}; rows are mappings of column "
                    "name to value"
                )
            for column, name in zip(columns, names, strict=True):
                if name not in row:
                    raise BadRowError(row_number, column=name, reason="the field is not there")
                column[position] = row[name]
        yield columns
