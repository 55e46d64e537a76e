"""Forty hostile inputs: each a typed error that tells where, or dropped and counted; never half."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from seg1._checks import MAX_US, MIN_US
from seg1.errors import (
    BadRowError,
    InvalidArgumentError,
    InvalidTypeError,
    MissingColumnError,
    Seg1Error,
    WrongIdTypeError,
)
from seg1.events import EventRow, Events

NAMES: dict[str, Any] = {"value": "value", "kind": "kind"}
COLUMNS: dict[str, Any] = {
    "customer": ["ana", "bo", "cy"],
    "item": [7, 8, 9],
    "time": [0, 1, 2],
    "value": [1.0, 2.0, 3.0],
    "kind": ["buy", "view", "buy"],
}


class Bad(NamedTuple):
    """One row that cannot be used: the second of the table, in one column."""

    column: str
    value: object
    reason: str


LONG = "id is longer than 256 bytes"
OUTSIDE = "time out of the years 1 to 9999"
BAD_ROWS = [
    Bad("customer", None, "missing"),
    Bad("customer", "", "empty id"),
    Bad("customer", "canary" * 50, LONG),
    Bad("customer", "é" * 129, LONG),
    Bad("customer", "canary\ud800", "id is not valid Unicode"),
    Bad("customer", np.True_.item(), "id is a bool; ids are str or int"),
    Bad("customer", 1.5, "id is a float; ids are str or int"),
    Bad("customer", float("nan"), "id is a float; ids are str or int"),
    Bad("customer", b"canary", "id is a bytes; ids are str or int"),
    Bad("customer", ["canary"], "id is a list; ids are str or int"),
    Bad("customer", 5, "ids of both kinds"),
    Bad("item", "canary", "ids of both kinds"),
    Bad("item", 2**63, "id does not fit into int64"),
    Bad("item", -(2**63) - 1, "id does not fit into int64"),
    Bad("item", np.uint64(2**63), "id does not fit into int64"),
    Bad("time", None, "missing"),
    Bad("time", "2026-01-01", "time is a str"),
    Bad("time", MAX_US + 1, OUTSIDE),
    Bad("time", MIN_US - 1, OUTSIDE),
    Bad("time", 2**70, OUTSIDE),
    Bad("time", pd.NaT, "missing"),
    Bad("time", float("nan"), "missing"),
    Bad("time", np.True_.item(), "time is a bool"),
    Bad("value", None, "missing"),
    Bad("value", float("nan"), "not a finite number"),
    Bad("value", float("-inf"), "not a finite number"),
    Bad("value", 10**400, "not a finite number"),
    Bad("value", Decimal("sNaN"), "not a finite number"),
    Bad("value", "canary", "not a finite number"),
    Bad("value", np.True_.item(), "not a finite number"),
    Bad("kind", None, "missing"),
    Bad("kind", "k" * 300, LONG),
]


def table_with(bad: Bad) -> dict[str, list[Any]]:
    first, _, last = COLUMNS[bad.column]
    return {**COLUMNS, bad.column: [first, bad.value, last]}


def as_rows(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def from_rows(columns: dict[str, list[Any]], **options: Any) -> Events:  # noqa: ANN401  # handed on
    return Events.from_rows(iter(as_rows(columns)), **options)


def from_objects(columns: dict[str, list[Any]], **options: Any) -> Events:  # noqa: ANN401  # the same
    held = {name: np.fromiter(of, dtype=object, count=len(of)) for name, of in columns.items()}
    return Events.from_table(held, **options)


READERS: list[Callable[..., Events]] = [Events.from_table, from_rows, from_objects]


def earlier() -> Events:
    return Events.from_table({**COLUMNS, "customer": ["zoe"] * 3, "item": [1, 2, 3]}, **NAMES)


def snapshot(events: Events) -> tuple[object, ...]:
    vocabularies = (events.customers, events.items)
    return events.kinds, *(v.ids for v in vocabularies), *(dict(v._codes) for v in vocabularies)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("bad", BAD_ROWS, ids=lambda bad: f"{bad.column} {bad.reason}")
def test_a_hostile_row_is_refused_by_row_and_column_and_nothing_is_half_built(
    bad: Bad, read: Callable[..., Events]
) -> None:
    before = earlier()
    held = snapshot(before)

    with pytest.raises(BadRowError) as caught:
        read(table_with(bad), coded_like=before, **NAMES)

    error = caught.value
    assert (error.row, error.column, error.reason) == (1, bad.column, bad.reason)
    assert "canary" not in str(error)
    assert snapshot(before) == held


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("bad", BAD_ROWS, ids=lambda bad: f"{bad.column} {bad.reason}")
def test_a_hostile_row_is_dropped_and_counted_and_leaves_no_trace(
    bad: Bad, read: Callable[..., Events]
) -> None:
    without = {name: [of[0], of[2]] for name, of in COLUMNS.items()}

    events = read(table_with(bad), bad_rows="drop", **NAMES)

    assert dict(events.dropped) == {f"{bad.column}: {bad.reason}": 1}
    assert snapshot(events) == snapshot(read(without, **NAMES))
    assert events.time_us.tolist() == [0, 2]


def naive(*_: object) -> list[datetime]:
    return [datetime(2026, 1, 1)] * 3  # noqa: DTZ001  # the point


BAD_TABLES: list[tuple[str, object, type[Seg1Error], str]] = [
    ("naive times", {**COLUMNS, "time": naive()}, InvalidArgumentError, "column 'time': times"),
    ("times of floats", {**COLUMNS, "time": np.array([0.5] * 3)}, InvalidTypeError, "float64"),
    ("times of bools", {**COLUMNS, "time": np.array([True] * 3)}, InvalidTypeError, "holds bool"),
    ("time spans", {**COLUMNS, "time": np.array([1] * 3, "m8[s]")}, InvalidTypeError, "timedelta"),
    ("ids of floats", {**COLUMNS, "item": np.array([1.0] * 3)}, InvalidTypeError, "gaps"),
    ("ids of bools", {**COLUMNS, "item": np.array([True] * 3)}, InvalidTypeError, "holds bool"),
    ("ids of bytes", {**COLUMNS, "item": np.array([b"a"] * 3)}, InvalidTypeError, "holds |S1"),
    ("ids of dates", {**COLUMNS, "item": np.array([1] * 3, "M8[D]")}, InvalidTypeError, "M8|date"),
    ("values of text", {**COLUMNS, "value": np.array(["1"] * 3)}, InvalidTypeError, "holds <U1"),
    ("complex values", {**COLUMNS, "value": np.array([1j] * 3)}, InvalidTypeError, "complex"),
    ("a ragged column", {**COLUMNS, "item": [1, 2]}, InvalidTypeError, "differ in length"),
    ("a square column", {**COLUMNS, "item": np.zeros((3, 3))}, InvalidTypeError, "one dimension"),
    ("a column that is text", {**COLUMNS, "item": "canary"}, InvalidTypeError, "one dimension"),
    ("no column", {"customer": ["ana"], "item": [7]}, MissingColumnError, "no column 'time'"),
    ("a column twice", pd.DataFrame([["ana", 1, 2, 3.0, "buy", 7]], columns=[*COLUMNS, "item"]),
     MissingColumnError, "more than once"),
    ("items of the other kind", {**COLUMNS, "item": ["x", "y", "z"]}, WrongIdTypeError, "int ids"),
    ("a lazy frame", pl.LazyFrame(COLUMNS), InvalidTypeError, "collect"),
    ("a list of rows", as_rows(COLUMNS), InvalidTypeError, "from_rows"),
    ("Arrow bytes", pa.table({**COLUMNS, "item": [b"a"] * 3}), InvalidTypeError, "binary"),
    ("Arrow structs", pa.table({**COLUMNS, "item": [{"a": 1}] * 3}), InvalidTypeError, "struct"),
    ("Arrow times", pa.table({**COLUMNS, "time": pa.array(naive())}), InvalidArgumentError, "tz="),
    ("Arrow floats", pa.table({**COLUMNS, "time": [0.5] * 3}), InvalidTypeError, "double"),
]  # fmt: skip


@pytest.mark.parametrize("bad_rows", ["raise", "drop"])
@pytest.mark.parametrize(
    ("table", "error", "words"), [case[1:] for case in BAD_TABLES], ids=[c[0] for c in BAD_TABLES]
)
def test_a_hostile_table_is_refused_whole_and_nothing_is_half_built(
    table: object,
    error: type[Seg1Error],
    words: str,
    bad_rows: Any,  # noqa: ANN401  # a literal
) -> None:
    before = earlier()
    held = snapshot(before)

    with pytest.raises(error, match=words) as caught:
        Events.from_table(table, coded_like=before, bad_rows=bad_rows, **NAMES)

    assert "canary" not in str(caught.value)
    assert snapshot(before) == held


def failing() -> Any:  # noqa: ANN401  # a generator of rows
    yield {"customer": "new", "item": 77, "time": 5, "value": 1.0, "kind": "new"}
    raise RuntimeError("the source broke off")


def test_rows_that_break_off_build_nothing() -> None:
    before = earlier()
    held = snapshot(before)

    with pytest.raises(RuntimeError, match="broke off"):
        Events.from_rows(failing(), coded_like=before, **NAMES)

    assert snapshot(before) == held


def test_a_bad_row_in_a_later_chunk_builds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seg1.events.intake._ROWS_AT_ONCE", 2)
    before = earlier()
    held = snapshot(before)

    with pytest.raises(BadRowError, match="row 2, column 'value': not a finite number"):
        from_rows({**COLUMNS, "value": [1.0, 2.0, float("inf")]}, coded_like=before, **NAMES)

    assert snapshot(before) == held


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("customer", ""),
        ("customer", "canary" * 50),
        ("customer", 1.5),
        ("customer", None),
        ("item", True),
        ("item", 2**63),
        ("time", "2026-01-01"),
        ("time", datetime(2026, 1, 1)),  # noqa: DTZ001  # the point
        ("time", 2**62),
        ("time", 1.5),
        ("value", float("nan")),
        ("value", "1"),
        ("kind", ""),
        ("kind", 5),
        ("another", "canary"),
    ],
)
def test_a_hostile_event_row_is_refused_without_its_values(field: str, value: object) -> None:
    whole: dict[str, Any] = {"customer": "ana", "item": 7, "time": 0}

    with pytest.raises(ValueError, match=field) as caught:
        EventRow(**{**whole, field: value})

    assert "canary" not in str(caught.value)


def test_an_event_row_shows_no_ids_and_cannot_be_changed() -> None:
    row = EventRow(customer="canary", item="canary", time=datetime(1970, 1, 2, tzinfo=UTC))

    assert "canary" not in repr(row)
    assert row.time == 86_400_000_000
    with pytest.raises(ValueError, match="frozen"):
        row.value = 5.0


def test_event_rows_come_from_json_too() -> None:
    row = EventRow.model_validate_json('{"customer": "ana", "item": 7, "time": 5, "kind": "view"}')

    assert (row.customer, row.item, row.time, row.value, row.kind) == ("ana", 7, 5, 1.0, "view")


def test_a_later_chunk_of_the_other_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seg1.events.intake._ROWS_AT_ONCE", 2)
    columns: dict[str, list[Any]] = {"customer": [1, 2, "a", "b"], "item": [7] * 4, "time": [0] * 4}

    with pytest.raises(BadRowError, match="row 2, column 'customer': ids of both kinds"):
        from_rows(columns)
    events = from_rows(columns, bad_rows="drop")

    assert events.customers.ids == (1, 2)
    assert dict(events.dropped) == {"customer: ids of both kinds": 2}
