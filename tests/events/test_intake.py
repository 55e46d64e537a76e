"""Which tables are read, through which rung, and how the others are refused."""

import itertools
import sys
from collections import OrderedDict, UserDict, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from seg1.errors import InvalidTypeError, MissingColumnError
from seg1.events import Events, intake
from seg1.events.intake import column_chunks, row_chunks

COLUMNS: dict[str, list[Any]] = {
    "who": ["ana", "bo", "ana"], "what": [7, 8, 9], "other": [[1], [2], [3]],
}  # fmt: skip


LIBRARIES = [
    "dict", "another mapping", "dict of tuples", "dict of numpy", "dict of pandas",
    "dict of polars", "dict of arrow", "dict of chunks", "pandas", "pandas of objects", "polars",
    "arrow table", "arrow batch", "arrow reader", "duckdb",
]  # fmt: skip


def lists_of(chunks: Iterator[list[Any]]) -> list[list[object]]:
    parts = [[np.asarray(column).tolist() for column in chunk] for chunk in chunks]
    return [list(itertools.chain(*column)) for column in zip(*parts, strict=True)]


def tables() -> dict[str, object]:
    frame = pl.DataFrame(COLUMNS)
    return {
        "dict": COLUMNS,
        "another mapping": UserDict(COLUMNS),
        "dict of tuples": {name: tuple(values) for name, values in COLUMNS.items()},
        "dict of numpy": {"who": np.array(COLUMNS["who"]), "what": np.array(COLUMNS["what"])},
        "dict of pandas": dict(pd.DataFrame(COLUMNS).items()),
        "dict of polars": frame.to_dict(),
        "dict of arrow": {name: pa.array(values) for name, values in COLUMNS.items()},
        "dict of chunks": {name: pa.table(COLUMNS)[name] for name in COLUMNS},
        "pandas": pd.DataFrame(COLUMNS),
        "pandas of objects": pd.DataFrame(COLUMNS, dtype=object),
        "polars": frame,
        "arrow table": pa.table(COLUMNS),
        "arrow batch": pa.RecordBatch.from_pydict(COLUMNS),
        "arrow reader": pa.RecordBatchReader.from_stream(pa.table(COLUMNS)),
        "duckdb": duckdb.from_arrow(pa.table(COLUMNS)),
    }  # fmt: skip


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_table_gives_its_named_columns(library: str) -> None:
    table = tables()[library]

    columns = lists_of(column_chunks(table, ["what", "who"]))

    assert columns == [COLUMNS["what"], COLUMNS["who"]]


@pytest.mark.parametrize("library", ["pandas", "polars", "dict of polars", "dict of pandas"])
def test_without_pyarrow_numpy_serves(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tables()[library]
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    columns = lists_of(column_chunks(table, ["what", "who"]))

    assert columns == [COLUMNS["what"], COLUMNS["who"]]


@pytest.mark.parametrize("has_pyarrow", [True, False])
@pytest.mark.parametrize("is_frame", [True, False])
def test_the_zone_of_polars_times_is_kept(
    has_pyarrow: bool,  # noqa: FBT001  # pytest passes it by name
    is_frame: bool,  # noqa: FBT001  # the same
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = [datetime(2024, 7, 1, 12, tzinfo=UTC), None]
    frame = pl.DataFrame({"customer": [1, 2], "item": [1, 2], "time": moments})
    frame = frame.with_columns(pl.col("time").dt.convert_time_zone("Europe/Madrid"))
    if not has_pyarrow:
        monkeypatch.setitem(sys.modules, "pyarrow", None)

    table = frame if is_frame else frame.to_dict()
    events = Events.from_table(table, tz="Asia/Tokyo", bad_rows="drop")

    assert events.time_us.tolist() == [1_719_835_200_000_000]
    assert events.dropped == {"time: missing": 1}


def test_arrow_arrays_in_a_dict_keep_their_zone() -> None:
    moments = pa.array([datetime(2024, 7, 1, 12, tzinfo=UTC)])

    events = Events.from_table({"customer": [1], "item": [1], "time": moments}, tz="Asia/Tokyo")

    assert events.time_us.tolist() == [1_719_835_200_000_000]


def test_chunks_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_CHUNK_ROWS", 2)

    chunks = list(column_chunks(pa.table({"a": [1, 2, 3, 4, 5]}), ["a"]))

    assert [chunk[0].to_pylist() for chunk in chunks] == [[1, 2], [3, 4], [5]]


def test_row_chunks_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_ROWS_AT_ONCE", 2)

    chunks = list(row_chunks(({"a": n} for n in range(5)), ["a"]))

    assert [chunk[0] for chunk in chunks] == [[0, 1], [2, 3], [4]]


def test_rows_that_fill_their_chunk_leave_no_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_ROWS_AT_ONCE", 2)

    chunks = list(row_chunks([{"a": 1}, {"a": 2}], ["a"]))

    assert [chunk[0] for chunk in chunks] == [[1, 2]]


def test_no_rows_are_an_empty_chunk() -> None:
    assert [chunk[0] for chunk in row_chunks(iter(()), ["a"])] == [[]]


def test_any_mapping_is_a_row_and_an_absent_field_is_none() -> None:
    rows = [OrderedDict(a=1), UserDict(a=2), {}]

    assert lists_of(row_chunks(rows, ["a"])) == [[1, 2, None]]


def test_a_row_that_makes_up_what_it_lacks_is_not_asked_to() -> None:
    row: defaultdict[str, int] = defaultdict(int, a=1)

    assert lists_of(row_chunks([row], ["a", "b"])) == [[1], [None]]
    assert dict(row) == {"a": 1}


@pytest.mark.parametrize("row", ["canary", ("canary",), None, 5])
def test_a_row_that_is_no_mapping_is_refused_with_its_number(
    row: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "_ROWS_AT_ONCE", 2)
    rows: list[Any] = [{"a": 1}, {"a": 1}, {"a": 1}, row]

    with pytest.raises(InvalidTypeError, match=r"row 3 is a .*; rows are mappings") as caught:
        list(row_chunks(rows, ["a"]))

    assert "canary" not in str(caught.value)


def test_what_is_no_iterable_of_rows_is_refused() -> None:
    with pytest.raises(
        InvalidTypeError, match="rows must be an iterable of mappings, got NoneType"
    ):
        list(row_chunks(None, ["a"]))  # type: ignore[arg-type]  # the point


@pytest.mark.parametrize(
    "table",
    [
        None,
        5,
        "who",
        b"who",
        [{"who": 1}],
        [1, 2],
        iter([]),
        np.zeros(3),
        {"a"},
        dict,
        pl.LazyFrame(),
    ],
)
def test_what_is_no_table_is_refused(table: object) -> None:
    with pytest.raises(InvalidTypeError, match=r"use Events\.from_rows"):
        list(column_chunks(table, ["who"]))


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_missing_column_is_named(library: str) -> None:
    with pytest.raises(MissingColumnError, match="the table has no column 'absent'; it has 'who'"):
        list(column_chunks(tables()[library], ["who", "absent"]))


def test_a_table_without_columns_says_so() -> None:
    with pytest.raises(MissingColumnError, match="no column 'a'; it has none"):
        list(column_chunks({}, ["a"]))


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]),
    ],
)
def test_a_column_there_twice_is_refused(table: object) -> None:
    with pytest.raises(MissingColumnError, match="has column 'a' more than once"):
        list(column_chunks(table, ["a"]))


def test_one_column_may_serve_twice() -> None:
    for table in (pa.table({"a": [1]}), pl.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]})):
        assert lists_of(column_chunks(table, ["a", "a"])) == [[1], [1]]


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(InvalidTypeError, match=r"columns differ in length: \[1, 2\]"):
        list(column_chunks({"a": [1], "b": [1, 2]}, ["a", "b"]))


@pytest.mark.parametrize("values", [np.zeros((2, 2)), "text", 5, {1, 2}])
def test_a_column_without_exactly_one_dimension_is_refused(values: object) -> None:
    with pytest.raises(InvalidTypeError, match="column 'a' must have one dimension"):
        list(column_chunks({"a": values}, ["a"]))


class Unreadable:
    def __array__(self, dtype: object = None, copy: object = None) -> None:
        raise TypeError("canary")


def test_a_column_that_numpy_cannot_read_is_refused_without_its_words() -> None:
    with pytest.raises(InvalidTypeError, match="column 'a' is a Unreadable that") as caught:
        list(column_chunks({"a": Unreadable()}, ["a"]))

    assert caught.value.__suppress_context__


def test_an_arrow_scalar_is_no_column() -> None:
    with pytest.raises(InvalidTypeError, match="column 'a' is a pyarrow Int64Scalar, no array"):
        list(column_chunks({"a": pa.scalar(1)}, ["a"]))


def test_a_column_of_lists_stays_one_column() -> None:
    (chunk,) = column_chunks({"a": [[1, 2], [3, 4]]}, ["a"])

    assert chunk[0].shape == (2,)


def test_another_column_that_arrow_cannot_hold_is_left_alone() -> None:
    frame = pd.DataFrame({"a": [1], "b": [object()]})

    assert lists_of(column_chunks(frame, ["a"])) == [[1]]


@pytest.mark.parametrize("values", [[1, "canary"], [2**70, 1], ["canary", "\ud800"]])
def test_objects_that_arrow_refuses_are_read_one_by_one(values: list[object]) -> None:
    frame = pd.DataFrame({"a": pd.Series(values, dtype=object)})

    assert lists_of(column_chunks(frame, ["a"])) == [values]


def test_string_views_and_enums_of_polars_are_read() -> None:
    frame = pl.DataFrame({"a": ["x", "y"], "b": ["x", "y"], "c": ["x", "y"]}).with_columns(
        pl.col("b").cast(pl.Categorical), pl.col("c").cast(pl.Enum(["x", "y"]))
    )

    events = Events.from_table(
        frame.with_columns(t=pl.Series([1, 2])), customer="a", item="b", kind="c", time="t"
    )

    assert events.customers.ids == events.items.ids == events.kinds == ("x", "y")


def test_chunks_with_different_dictionaries_are_one_column() -> None:
    encoded = [pa.array(values).dictionary_encode() for values in (["a", "b"], ["c", "b"])]

    columns = lists_of(column_chunks(pa.table({"a": pa.chunked_array(encoded)}), ["a"]))

    assert columns == [["a", "b", "c", "b"]]
