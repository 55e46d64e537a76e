"""The same events by every way in: whatever the library, unit, zone or chunk, they are equal."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seg1._types import Id
from seg1.errors import InvalidTypeError, WrongIdTypeError
from seg1.events import EventRow, Events

Rows = list[tuple[Id, Id, int, float, str]]  # customer, item, seconds, value, kind
NAMES = ("customer", "item", "time", "value", "kind")
OPTIONS: dict[str, Any] = {"value": "value", "kind": "kind"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

texts = st.sampled_from(["ana", "bo", "çelik", "💡", "a\0b", "x" * 256])
numbers = st.integers(-3, 3).map(lambda n: n * 2**60)
ids: st.SearchStrategy[st.SearchStrategy[Id]] = st.sampled_from([texts, numbers])
zones = st.sampled_from(["UTC", "Europe/Madrid", "America/New_York", "Asia/Kathmandu"])


@st.composite
def row_lists(draw: st.DrawFn) -> Rows:
    row = st.tuples(
        draw(ids),
        draw(ids),
        st.integers(-(10**9), 4 * 10**9),
        st.floats(-1e9, 1e9),
        st.sampled_from(["view", "buy"]),
    )
    return draw(st.lists(row, min_size=1, max_size=12))


def columns_of(rows: Rows) -> dict[str, list[Any]]:
    return dict(zip(NAMES, map(list, zip(*rows, strict=True)), strict=True))


def in_microseconds(rows: Rows) -> dict[str, list[Any]]:
    columns = columns_of(rows)
    return {**columns, "time": [seconds * 1_000_000 for seconds in columns["time"]]}


def moments(rows: Rows, zone: str) -> list[datetime]:
    return [(EPOCH + timedelta(seconds=row[2])).astimezone(ZoneInfo(zone)) for row in rows]


def as_mappings(rows: Rows, zone: str) -> Iterator[dict[str, Any]]:
    for row, moment in zip(rows, moments(rows, zone), strict=True):
        yield {**dict(zip(NAMES, row, strict=True)), "time": moment}


def arrow(rows: Rows, zone: str, unit: str) -> pa.Table:
    ticks = pa.array([row[2] * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
                      for row in rows], pa.int64())  # fmt: skip
    return pa.table({**columns_of(rows), "time": ticks.cast(pa.timestamp(unit, tz=zone))})


def pandas(rows: Rows, zone: str, unit: str) -> pd.DataFrame:
    frame = pd.DataFrame(columns_of(rows))
    times = pd.to_datetime(frame["time"], unit="s", utc=True).dt.tz_convert(zone)
    return frame.assign(time=times.dt.as_unit(unit))


def polars(rows: Rows, zone: str, unit: str) -> pl.DataFrame:
    time = pl.from_epoch("time", time_unit="s").dt.cast_time_unit("us" if unit == "s" else unit)  # type: ignore[arg-type]  # a unit
    zoned = time.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    return pl.DataFrame(columns_of(rows)).with_columns(time=zoned)


def numpy(rows: Rows, unit: str) -> dict[str, np.ndarray[Any, Any]]:
    columns = {name: np.array(of) for name, of in columns_of(rows).items()}
    return {**columns, "time": columns["time"].astype("M8[s]").astype(f"M8[{unit}]")}


def shape_of(events: Events) -> dict[str, object]:
    return {
        "customers": events.customers.ids, "items": events.items.ids, "kinds": events.kinds,
        "customer_index": events.customer_index.tolist(), "item_index": events.item_index.tolist(),
        "kind_index": events.kind_index.tolist(), "time_us": events.time_us.tolist(),
        "value": events.value.tolist(), "dropped": dict(events.dropped),
    }  # fmt: skip


WAYS: dict[str, Callable[[Rows, str, str], Events]] = {
    "lists": lambda rows, *_: Events.from_table(in_microseconds(rows), **OPTIONS),
    "numpy": lambda rows, _, unit: Events.from_table(numpy(rows, unit), tz="UTC", **OPTIONS),
    "arrow": lambda rows, zone, unit: Events.from_table(arrow(rows, zone, unit), **OPTIONS),
    "arrow in chunks": lambda rows, zone, unit: Events.from_table(
        pa.concat_tables([arrow(rows[:5], zone, unit), arrow(rows[5:], zone, unit)])
        if len(rows) > 5 else arrow(rows, zone, unit), **OPTIONS
    ),
    "arrow with dictionaries": lambda rows, zone, unit: Events.from_table(
        _encoded(arrow(rows, zone, unit)), **OPTIONS
    ),
    "pandas": lambda rows, zone, unit: Events.from_table(pandas(rows, zone, unit), **OPTIONS),
    "pandas of objects": lambda rows, zone, _: Events.from_table(
        pd.DataFrame(list(as_mappings(rows, zone)), dtype=object), **OPTIONS
    ),
    "polars": lambda rows, zone, unit: Events.from_table(polars(rows, zone, unit), **OPTIONS),
    "duckdb": lambda rows, zone, unit: Events.from_table(
        duckdb.from_arrow(arrow(rows, zone, unit)), **OPTIONS
    ),
    "rows": lambda rows, zone, _: Events.from_rows(list(as_mappings(rows, zone)), **OPTIONS),
    "a generator": lambda rows, zone, _: Events.from_rows(as_mappings(rows, zone), **OPTIONS),
    "EventRow": lambda rows, zone, _: Events.from_rows(
        (EventRow(**row) for row in as_mappings(rows, zone)), **OPTIONS
    ),
    "parts put together": lambda rows, zone, unit: Events.concat(
        [Events.from_table(arrow(part, zone, unit), **OPTIONS)
         for part in (rows[:4], rows[4:]) if part]
    ),
    "parts coded alike": lambda rows, zone, _: _coded_alike(rows, zone),
}  # fmt: skip


def _encoded(table: pa.Table) -> pa.Table:
    for place, name in enumerate(("customer", "item")):
        table = table.set_column(place, name, table[name].dictionary_encode())
    return table


def _coded_alike(rows: Rows, zone: str) -> Events:
    first = Events.from_rows(as_mappings(rows[:4], zone), **OPTIONS)
    second = Events.from_rows(as_mappings(rows[4:], zone), coded_like=first, **OPTIONS)
    joined = Events.concat([first, second])
    assert joined.customers is first.customers
    return joined


@pytest.mark.parametrize("way", WAYS)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)
@given(
    rows=row_lists(), zone=zones, unit=st.sampled_from(["s", "ms", "us", "ns"]),
    many=st.sampled_from([0, 2**15]),
)  # fmt: skip
def test_every_way_in_gives_equal_events(
    way: str, rows: Rows, zone: str, unit: str, many: int
) -> None:
    expected = {
        **{f"{role}s": tuple(dict.fromkeys(row[place] for row in rows))
           for place, role in ((0, "customer"), (1, "item"), (4, "kind"))},
        "time_us": [row[2] * 1_000_000 for row in rows],
        "value": [row[3] for row in rows],
        "dropped": {},
    }  # fmt: skip

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seg1.events.intake._ROWS_AT_ONCE", 3)
        patch.setattr("seg1.events.intake._CHUNK_ROWS", 3)
        patch.setattr("seg1.events.id_columns._MANY_IDS", many - 1)
        patch.setattr("seg1.events.id_columns._SAMPLE_ROWS", many)
        events = WAYS[way](rows, zone, unit)

    shape = shape_of(events)
    assert {name: shape[name] for name in expected} == expected
    assert events.customers.decode(events.customer_index) == [row[0] for row in rows]
    assert events.items.decode(events.item_index) == [row[1] for row in rows]
    assert [events.kinds[kind] for kind in events.kind_index.tolist()] == [row[4] for row in rows]


def part(customer: Id, *, dropped: int = 0) -> Events:
    bad: list[Any] = [None] * dropped
    table = {"customer": [customer, *bad], "item": [7, *[7] * dropped], "time": [0] * (1 + dropped)}
    return Events.from_table(table, bad_rows="drop")


def test_what_parts_have_dropped_adds_up() -> None:
    joined = Events.concat(part(name, dropped=n) for name, n in (("ana", 2), ("bo", 1), ("ana", 0)))

    assert joined.customers.ids == ("ana", "bo")
    assert joined.customer_index.tolist() == [0, 1, 0]
    assert dict(joined.dropped) == {"customer: missing": 3}


def test_no_parts_are_no_events() -> None:
    assert len(Events.concat([])) == 0


def test_parts_of_both_kinds_of_id_are_refused() -> None:
    with pytest.raises(WrongIdTypeError):
        Events.concat([part("ana"), part(5)])


@pytest.mark.parametrize("parts", [[1], [part("ana"), None]])
def test_what_is_no_part_is_refused(parts: Any) -> None:  # noqa: ANN401  # wrong on purpose
    with pytest.raises(InvalidTypeError, match=r"write Events\.concat\("):
        Events.concat(parts)


def test_the_events_of_the_erased_are_left_out_of_the_whole_and_counted() -> None:
    first, second = part("ana"), part("bo")
    first.customers.erase(["ana"])

    joined = Events.concat([first, second, part("cy")])

    assert joined.customers.ids == ("bo", "cy")
    assert dict(joined.dropped) == {"customer is erased": 1}
