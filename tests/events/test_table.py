"""Events: the same from every library, and nothing half done where a row is bad."""

import copy
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1.errors import (
    BadRowError,
    InvalidArgumentError,
    InvalidTypeError,
    MissingColumnError,
    WrongIdTypeError,
)
from seg1.events import Events
from seg1.events.vocabulary import Vocabulary

NAMES: dict[str, Any] = {
    "customer": "who",
    "item": "what",
    "time": "when",
    "value": "much",
    "kind": "how",
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

row_lists = st.lists(
    st.tuples(
        st.sampled_from(["ana", "bo", "çelik", "💡"]),
        st.integers(-5, 5),
        st.integers(0, 4_000_000_000_000_000),
        st.floats(-1e9, 1e9),
        st.sampled_from(["view", "buy"]),
    ),
    max_size=12,
)


def columns_of(rows: list[tuple[Any, ...]]) -> dict[str, list[Any]]:
    names: list[str] = list(NAMES.values())
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def shape_of(events: Events) -> dict[str, object]:
    return {
        "customers": events.customers.ids, "items": events.items.ids, "kinds": events.kinds,
        "customer_index": events.customer_index.tolist(), "item_index": events.item_index.tolist(),
        "kind_index": events.kind_index.tolist(), "time_us": events.time_us.tolist(),
        "value": events.value.tolist(), "dropped": dict(events.dropped),
    }  # fmt: skip


def good(**changes: list[Any]) -> dict[str, list[Any]]:
    return {"customer": ["ana", "bo"], "item": [7, 8], "time": [0, 1], **changes}


@given(rows=row_lists)
@settings(max_examples=40, deadline=None)
def test_every_table_library_gives_equal_events(rows: list[tuple[Any, ...]]) -> None:
    columns = columns_of(rows)
    typed = {
        "who": np.array(columns["who"], dtype="U"),
        "what": np.array(columns["what"], dtype=np.int64),
        "when": np.array(columns["when"], dtype=np.int64),
        "much": np.array(columns["much"], dtype=np.float64),
        "how": np.array(columns["how"], dtype="U"),
    }
    arrow = pa.table({name: pa.array(values) for name, values in typed.items()})
    expected = shape_of(Events.from_table(columns, **NAMES))

    for table in (typed, arrow, pd.DataFrame(typed), pl.DataFrame(typed), duckdb.from_arrow(arrow)):
        assert shape_of(Events.from_table(table, **NAMES)) == expected
    as_rows = [dict(zip(NAMES.values(), row, strict=True)) for row in rows]
    assert shape_of(Events.from_rows(iter(as_rows), **NAMES)) == expected


@given(rows=row_lists)
@settings(max_examples=40, deadline=None)
def test_events_hold_what_the_rows_said(rows: list[tuple[Any, ...]]) -> None:
    events = Events.from_table(columns_of(rows), **NAMES)

    told = zip(
        events.customers.decode(events.customer_index),
        events.items.decode(events.item_index),
        events.time_us.tolist(),
        events.value.tolist(),
        [events.kinds[kind] for kind in events.kind_index.tolist()],
        strict=True,
    )

    assert list(told) == rows


@given(rows=row_lists, cut=st.integers(0, 12))
@settings(max_examples=40, deadline=None)
def test_two_batches_coded_alike_equal_one(rows: list[tuple[Any, ...]], cut: int) -> None:
    whole = Events.from_table(columns_of(rows), **NAMES)

    first = Events.from_table(columns_of(rows[:cut]), **NAMES)
    second = Events.from_table(columns_of(rows[cut:]), coded_like=first, **NAMES)

    assert second.customers is first.customers
    for name in ("customer_index", "item_index", "kind_index", "time_us", "value"):
        parts = np.concatenate([getattr(first, name), getattr(second, name)])
        assert np.array_equal(parts, getattr(whole, name))
    assert second.kinds == whole.kinds


@given(moments=st.lists(st.datetimes(datetime(1950, 1, 1), datetime(2050, 1, 1)), max_size=8))  # noqa: DTZ001  # made aware below
@settings(max_examples=30, deadline=None)
def test_aware_times_are_equal_from_every_library(moments: list[datetime]) -> None:
    aware = [moment.replace(tzinfo=UTC) for moment in moments]
    expected = [(moment - EPOCH) // timedelta(microseconds=1) for moment in aware]
    columns = {"customer": [1] * len(aware), "item": [1] * len(aware), "time": aware}
    arrow = pa.table({**columns, "time": pa.array(aware, pa.timestamp("us", tz="UTC"))})
    pandas = arrow.to_pandas()
    pandas["time"] = pd.to_datetime(pandas["time"], utc=True).dt.tz_convert("America/New_York")

    for table in (columns, arrow, pandas, pl.from_arrow(arrow), duckdb.from_arrow(arrow)):
        assert Events.from_table(table).time_us.tolist() == expected


def test_columns_have_their_dtypes_and_cannot_be_written() -> None:
    events = Events.from_table(good())

    dtypes = {
        "customer_index": np.int32, "item_index": np.int32, "time_us": np.int64,
        "value": np.float64, "kind_index": np.int32,
    }  # fmt: skip
    for name, dtype in dtypes.items():
        column = getattr(events, name)
        assert column.dtype == dtype
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1


def test_without_value_and_kind_every_event_counts_one() -> None:
    events = Events.from_table(good())

    assert events.value.tolist() == [1.0, 1.0]
    assert events.kinds == ("event",)
    assert events.kind_index.tolist() == [0, 0]


@pytest.mark.parametrize(
    "table",
    [
        {"customer": [], "item": [], "time": []},
        {"customer": np.array([]), "item": np.array([]), "time": np.array([])},
        pa.table({"customer": [], "item": [], "time": []}),
        pa.table({"customer": pa.array([], "string"), "item": pa.array([], "int64"),
                  "time": pa.array([], pa.timestamp("us", tz="UTC"))}),
        pl.DataFrame({"customer": [], "item": [], "time": []}),
        pd.DataFrame({"customer": [], "item": [], "time": []}, dtype="object"),
    ],
)  # fmt: skip
def test_an_empty_table_gives_no_events(table: object) -> None:
    events = Events.from_table(table)

    assert (len(events), len(events.customers), len(events.items)) == (0, 0, 0)


def test_no_rows_give_no_events() -> None:
    events = Events.from_rows(iter(()), value="much", kind="how")

    assert len(events) == 0
    assert events.kinds == ()


BAD: list[tuple[str, object, str]] = [
    ("customer", None, "missing"),
    ("customer", "", "empty id"),
    ("customer", "x" * 300, "id is longer than 256 bytes"),
    ("customer", "canary\ud800", "id is not valid Unicode"),
    ("customer", True, "id is a bool; ids are str or int"),
    ("customer", 1.0, "id is a float; ids are str or int"),
    ("customer", 5, "ids of both kinds"),
    ("item", 2**63, "id does not fit into int64"),
    ("item", "canary", "ids of both kinds"),
    ("time", None, "missing"),
    ("time", "canary", "time is a str"),
    ("time", 2**62, "time out of the years 1 to 9999"),
    ("value", None, "missing"),
    ("value", float("nan"), "not a finite number"),
    ("value", float("inf"), "not a finite number"),
    ("value", "canary", "not a finite number"),
    ("kind", None, "missing"),
    ("kind", "", "empty id"),
]


def _with_bad_row(role: str, bad: object) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        "who": ["ana", "canary", "bo"], "what": [7, 999, 8], "when": [0, 1, 2],
        "much": [1.0, 2.0, 3.0], "how": ["buy", "canary kind", "buy"],
    }  # fmt: skip
    columns[NAMES[role]][1] = bad
    return columns


@pytest.mark.parametrize(("role", "bad", "reason"), BAD)
def test_a_bad_row_is_refused_with_row_and_column(role: str, bad: object, reason: str) -> None:
    columns = _with_bad_row(role, bad)

    for read in (Events.from_table, _from_rows):
        with pytest.raises(BadRowError) as caught:
            read(columns, **NAMES)

        error = caught.value
        assert (error.row, error.column, error.reason) == (1, NAMES[role], reason)
        assert "canary" not in str(error)


@pytest.mark.parametrize(("role", "bad", "reason"), BAD)
def test_a_dropped_row_is_counted_and_leaves_no_trace(role: str, bad: object, reason: str) -> None:
    columns = _with_bad_row(role, bad)

    for read in (Events.from_table, _from_rows):
        events = read(columns, bad_rows="drop", **NAMES)

        assert dict(events.dropped) == {f"{NAMES[role]}: {reason}": 1}
        assert events.customers.ids == ("ana", "bo")
        assert events.items.ids == (7, 8)
        assert events.kinds == ("buy",)
        assert events.time_us.tolist() == [0, 2]
        assert "canary" not in repr(events)


def _from_rows(columns: dict[str, list[Any]], **options: Any) -> Events:  # noqa: ANN401  # handed on
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return Events.from_rows(rows, **options)


def test_a_field_that_is_not_there_is_missing() -> None:
    rows = [{"customer": 1, "item": 2, "time": 0}, {"customer": 1, "item": 2}]

    with pytest.raises(BadRowError, match="row 1, column 'time': missing"):
        Events.from_rows(rows)
    assert dict(Events.from_rows(rows, bad_rows="drop").dropped) == {"time: missing": 1}


def test_a_row_bad_in_two_columns_is_counted_once() -> None:
    events = Events.from_table(good(customer=["ana", None], item=[7, None]), bad_rows="drop")

    assert dict(events.dropped) == {"customer: missing": 1}


def test_the_first_bad_row_of_all_columns_is_told() -> None:
    columns = {"customer": ["a", "b", None], "item": [1, None, 2], "time": [0, 1, 2]}

    with pytest.raises(BadRowError, match="row 1, column 'item': missing"):
        Events.from_table(columns)


def test_row_numbers_go_on_over_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seg1.events.intake._ROWS_AT_ONCE", 2)
    rows = [{"customer": 1, "item": 2, "time": t} for t in (0, 1, 2, None)]

    with pytest.raises(BadRowError, match="row 3, column 'time'"):
        Events.from_rows(rows)


def test_chunks_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table({"customer": ["b", "a", "c", "a"], "item": [1, 2, 1, 3], "time": [3, 2, 1, 0]})
    whole = shape_of(Events.from_table(table))
    monkeypatch.setattr("seg1.events.intake._CHUNK_ROWS", 3)

    assert shape_of(Events.from_table(table)) == whole


def test_when_every_row_is_bad_no_events_are_left() -> None:
    events = Events.from_table(good(time=[None, None]), bad_rows="drop")

    assert (len(events), events.customers.ids, dict(events.dropped)) == (
        0,
        (),
        {"time: missing": 2},
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"time": np.array(["2024-01-01"] * 2, dtype="datetime64[us]")}, "times have no time zone"),
        ({"time": np.array([1.5, 2.5])}, "a column of times holds float64"),
        ({"customer": np.array([1.0, np.nan])}, "a column of ids holds float64"),
    ],
)
def test_a_column_of_the_wrong_type_is_named(changes: dict[str, Any], words: str) -> None:
    (name,) = changes

    with pytest.raises((InvalidArgumentError, InvalidTypeError), match=f"column '{name}': {words}"):
        Events.from_table({**good(), **changes}, bad_rows="drop")


def test_naive_dates_without_a_zone_are_refused_even_when_dropping() -> None:
    days = [datetime(2024, 1, 1).date(), None]  # noqa: DTZ001  # a date has no zone

    with pytest.raises(InvalidArgumentError, match="times have no time zone"):
        Events.from_table(good(time=days), bad_rows="drop")


def test_ints_that_pandas_made_floats_are_refused_with_the_mend() -> None:
    frame = pd.DataFrame(good(item=[7, None]))

    with pytest.raises(InvalidTypeError, match="pandas makes floats of ints with gaps"):
        Events.from_table(frame)


def test_nullable_ints_of_pandas_are_ids() -> None:
    frame = pd.DataFrame(good()).assign(item=pd.array([7, None], dtype="Int64"))

    events = Events.from_table(frame, bad_rows="drop")

    assert events.items.ids == (7,)
    assert dict(events.dropped) == {"item: missing": 1}


def test_a_frame_of_mixed_ids_shows_none_of_them() -> None:
    frame = pd.DataFrame({"customer": [1, "canary"], "item": [1, 2], "time": [0, 1]})

    with pytest.raises(BadRowError, match="row 1, column 'customer': ids of both kinds") as caught:
        Events.from_table(frame)

    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_unknown_word_for_bad_rows_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="bad_rows must be one of raise, drop"):
        Events.from_table(good(), bad_rows="keep")  # type: ignore[arg-type]  # the point


def test_a_missing_column_is_refused_for_tables() -> None:
    with pytest.raises(MissingColumnError, match="no column 'customer'"):
        Events.from_table({"item": [1], "time": [0]})


def _snapshot(events: Events) -> tuple[object, ...]:
    return events.customers.ids, events.items.ids, events.kinds


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"customer": [1, 2]}, WrongIdTypeError),
        ({"item": ["new", "newer"]}, WrongIdTypeError),
        ({"time": [5, None]}, BadRowError),
        ({"kind": ["new", None]}, BadRowError),
        ({"value": [1.0, float("nan")]}, BadRowError),
        ({"time": np.array(["2024"] * 2, dtype="datetime64[s]")}, InvalidArgumentError),
    ],
)
def test_a_failing_batch_changes_nothing_in_shared_vocabularies(
    changes: dict[str, Any], error: type[Exception]
) -> None:
    earlier = Events.from_table(good(value=[1, 2], kind=["buy", "buy"]), value="value", kind="kind")
    before = copy.deepcopy(_snapshot(earlier))
    batch = good(customer=["new", "ana"], item=[9, 10], value=[1, 2], kind=["see", "buy"])

    with pytest.raises(error):
        Events.from_table({**batch, **changes}, value="value", kind="kind", coded_like=earlier)

    assert _snapshot(earlier) == before


def test_a_batch_after_an_empty_one_shares_its_vocabularies() -> None:
    empty = Events.from_table(good()).where(np.zeros(2, dtype=np.bool_))

    events = Events.from_table(good(customer=["bo", "new"]), coded_like=empty)

    assert events.customers is empty.customers
    assert events.customer_index.tolist() == [1, 2]


def test_kinds_that_are_ints_become_names_and_go_on() -> None:
    first = Events.from_table(good(kind=[1, 2]), kind="kind")

    second = Events.from_table(good(kind=[2, 3]), kind="kind", coded_like=first)

    assert first.kinds == ("1", "2")
    assert second.kinds == ("1", "2", "3")
    assert second.kind_index.tolist() == [1, 2]


def test_where_keeps_rows_and_codes() -> None:
    events = Events.from_table(good(value=[3, 4], kind=["a", "b"]), value="value", kind="kind")

    kept = events.where(events.value > 3)

    assert kept.customers is events.customers
    assert (kept.customer_index.tolist(), kept.item_index.tolist()) == ([1], [1])
    assert (kept.time_us.tolist(), kept.value.tolist()) == ([1], [4.0])
    assert (kept.kind_index.tolist(), kept.kinds) == ([1], ("a", "b"))


@pytest.mark.parametrize("mask", [np.ones(3, dtype=np.bool_), np.ones(2, dtype=np.int8)])
def test_a_mask_of_the_wrong_form_is_refused(mask: Any) -> None:  # noqa: ANN401  # the point
    with pytest.raises(InvalidArgumentError, match=r"mask must be bool of shape \(2,\)"):
        Events.from_table(good()).where(mask)


def test_a_bad_row_error_survives_a_process_boundary() -> None:
    error = BadRowError(3, column="when", reason="missing")

    copied = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes

    assert (copied.row, copied.column, copied.reason) == (3, "when", "missing")
    assert str(copied) == str(error)


def test_repr_shows_counts_and_no_ids() -> None:
    events = Events.from_table(good(customer=["canary", None]), bad_rows="drop")

    assert repr(events) == "Events(1 events, 1 customers, 1 items, dropped 1)"
    assert isinstance(events.customers, Vocabulary)
