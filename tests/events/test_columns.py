"""Columns as numpy and Arrow see them, against slow plain-Python twins."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1._checks import MAX_US, MIN_US
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.events.columns import read_numbers, read_times
from seg1.events.id_columns import IdReader
from seg1.events.problems import Column, Problems

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OUTSIDE = "time out of the years 1 to 9999"


def objects(values: Sequence[object]) -> Column:
    return np.fromiter(values, dtype=object, count=len(values))


def slow_us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def times_of(column: Column, tz: str | None = None) -> tuple[list[int], list[str]]:
    problems = Problems()
    us, bad = read_times(column, problems, tz=tz)
    return us.tolist(), [problems.reasons[number] for number in bad.tolist()]


def numbers_of(column: Column) -> tuple[list[float], list[str]]:
    problems = Problems()
    values, bad = read_numbers(column, problems)
    return values.tolist(), [problems.reasons[number] for number in bad.tolist()]


def ids_of(column: Column) -> tuple[list[object], list[str]]:
    problems = Problems()
    reader = IdReader(problems)
    codes, bad = reader.read(column)
    ids = [reader.ids[code] if code >= 0 else None for code in codes.tolist()]
    return ids, [problems.reasons[number] for number in bad.tolist()]


# --- times


naive = st.datetimes(datetime(1890, 1, 1), datetime(2040, 1, 1))  # noqa: DTZ001  # wall clocks
zones = st.sampled_from(
    ["UTC", "Europe/Madrid", "America/New_York", "Africa/Monrovia", "Europe/Amsterdam",
     "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"]
)  # fmt: skip


@given(walls=st.lists(naive, min_size=1, max_size=20), zone=zones)
@settings(max_examples=150, deadline=None)
def test_naive_times_equal_zoneinfo_one_by_one(walls: list[datetime], zone: str) -> None:
    expected = [slow_us(wall.replace(tzinfo=ZoneInfo(zone))) for wall in walls]

    column = np.array(walls, dtype="datetime64[us]")

    assert times_of(column, zone) == (expected, ["ok"] * len(walls))
    assert times_of(objects(walls), zone) == (expected, ["ok"] * len(walls))
    assert times_of(pa.array(walls, pa.timestamp("us")), zone)[0] == expected


@pytest.mark.parametrize(
    ("wall", "utc"),
    [
        ("2024-03-31T01:59:59", "2024-03-31T00:59:59"),  # before the gap
        ("2024-03-31T02:30:00", "2024-03-31T01:30:00"),  # within: the offset from before
        ("2024-03-31T03:00:00", "2024-03-31T01:00:00"),  # after
        ("2024-10-27T02:30:00", "2024-10-27T00:30:00"),  # twice: the earlier
        ("2024-10-27T03:00:00", "2024-10-27T02:00:00"),
    ],
)
def test_a_clock_that_is_turned_reads_as_documented(wall: str, utc: str) -> None:
    expected = [np.datetime64(utc, "us").astype(np.int64).item()]

    assert times_of(np.array([wall], dtype="datetime64[s]"), "Europe/Madrid")[0] == expected
    assert times_of(objects([datetime.fromisoformat(wall)]), "Europe/Madrid")[0] == expected
    later = datetime.fromisoformat(wall).replace(fold=1)
    assert times_of(objects([later]), "Europe/Madrid")[0] == expected


def test_an_offset_that_changes_within_a_quarter_hour_is_exact() -> None:
    walls = [datetime(1972, 1, 7, 0, 44, 29) + timedelta(seconds=n) for n in range(3)]  # noqa: DTZ001  # wall clocks
    expected = [slow_us(wall.replace(tzinfo=ZoneInfo("Africa/Monrovia"))) for wall in walls]

    column = np.array(walls, dtype="datetime64[us]")

    assert times_of(column, "Africa/Monrovia")[0] == expected


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@given(seconds=st.lists(st.integers(-9_000_000_000, 9_000_000_000), min_size=1, max_size=10))
@settings(max_examples=20, deadline=None)
def test_every_unit_gives_the_same_microseconds(unit: str, seconds: list[int]) -> None:
    expected = [second * 1_000_000 for second in seconds]

    column = np.array(seconds, dtype="datetime64[s]").astype(f"datetime64[{unit}]")

    assert times_of(column, "UTC")[0] == expected
    assert times_of(pa.array(column, pa.timestamp(unit, tz="UTC")))[0] == expected
    assert times_of(pa.array(column, pa.timestamp(unit, tz="Asia/Tokyo")))[0] == expected


@pytest.mark.parametrize("ns", [-1_001, -1, 0, 1, 999, 1_001])
def test_nanoseconds_are_floored_alike_everywhere(ns: int) -> None:
    column = np.array([ns], dtype="datetime64[ns]")

    assert times_of(column, "UTC")[0] == [ns // 1_000]
    assert times_of(pa.array(column), "UTC")[0] == [ns // 1_000]
    assert times_of(objects([pd.Timestamp(ns, tz="UTC")]))[0] == [ns // 1_000]


@pytest.mark.parametrize("dtype", ["datetime64[D]", "datetime64[h]", "datetime64[25s]"])
def test_other_units_of_numpy_are_converted(dtype: str) -> None:
    column = np.array(["2024-01-01"], dtype="datetime64[s]").astype(dtype)

    expected = column.astype("datetime64[us]").astype(np.int64).tolist()

    assert times_of(column, "UTC")[0] == expected


def test_dates_are_midnights_of_the_zone() -> None:
    day = date(2024, 7, 1)
    expected = [slow_us(datetime(2024, 7, 1, tzinfo=ZoneInfo("Europe/Madrid")))]

    for column in (
        objects([day]),
        np.array([day], dtype="datetime64[D]"),
        objects([np.datetime64(day)]),
        pa.array([day], pa.date32()),
        pa.array([day], pa.date64()),
    ):
        assert times_of(column, "Europe/Madrid")[0] == expected


def test_aware_times_need_no_zone_and_ignore_it() -> None:
    moment = datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=3)))
    series = pd.Series([moment]).dt.tz_convert("Asia/Tokyo")

    for column in (objects([moment]), np.asarray(series), pa.array([moment])):
        assert times_of(column)[0] == [slow_us(moment)]
        assert times_of(column, "Europe/Madrid")[0] == [slow_us(moment)]


@pytest.mark.parametrize(
    "column",
    [
        np.array(["2024-01-01"], dtype="datetime64[us]"),
        objects([datetime(2024, 1, 1)]),  # noqa: DTZ001  # the point
        objects([date(2024, 1, 1)]),
        objects([np.datetime64("2024-01-01")]),
        pa.array([datetime(2024, 1, 1)]),  # noqa: DTZ001  # the point
        pa.array([date(2024, 1, 1)]),
    ],
)
def test_naive_times_without_a_zone_are_refused_with_the_mend(column: Column) -> None:
    with pytest.raises(InvalidArgumentError, match="times have no time zone; pass tz="):
        times_of(column)


@pytest.mark.parametrize("tz", ["Europe/Atlantis", "", "../x", "Europe", UTC, 5])
def test_an_unknown_zone_is_refused(tz: str) -> None:
    with pytest.raises(InvalidArgumentError, match="is no time zone known here"):
        times_of(np.array(["2024-01-01"], dtype="datetime64[us]"), tz)


@pytest.mark.parametrize("value", [MIN_US, MAX_US, 0])
def test_int_times_hold_at_the_edges(value: int) -> None:
    for column in (np.array([value]), objects([value]), pa.array([value])):
        assert times_of(column) == ([value], ["ok"])


@pytest.mark.parametrize("value", [MIN_US - 1, MAX_US + 1, 2**63 - 1, -(2**63)])
def test_int_times_out_of_range_are_bad(value: int) -> None:
    for column in (np.array([value]), objects([value]), pa.array([value])):
        assert times_of(column)[1] == [OUTSIDE]


@pytest.mark.parametrize("value", [2**63, 2**64 - 1])
def test_a_uint64_past_the_end_does_not_wrap_into_the_past(value: int) -> None:
    column = np.array([value], dtype=np.uint64)

    assert times_of(column)[1] == [OUTSIDE]
    assert times_of(pa.array(column))[1] == [OUTSIDE]
    assert times_of(objects([2**70, 0]))[1] == [OUTSIDE, "ok"]


def test_a_time_that_its_zone_moves_out_of_range_is_bad() -> None:
    early = datetime.min  # noqa: DTZ901  # a wall clock

    for column in (np.array([early], dtype="datetime64[us]"), objects([early])):
        assert times_of(column, "Asia/Tokyo")[1] == [OUTSIDE]
    far_east = objects([datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))])
    assert times_of(far_east)[1] == [OUTSIDE]


def test_a_datetime64_that_no_datetime_holds_is_bad() -> None:
    late = np.datetime64("12000-01-01", "s")

    assert times_of(np.array([late]), "UTC")[1] == [OUTSIDE]
    assert times_of(objects([late]), "UTC")[1] == [OUTSIDE]


def test_missing_times_are_missing_everywhere() -> None:
    nat = np.datetime64("NaT", "us")

    assert times_of(objects([None, float("nan"), pd.NaT, nat]), "UTC")[1] == ["missing"] * 4
    assert times_of(np.array([nat]), "UTC")[1] == ["missing"]
    assert times_of(pa.array([None], pa.timestamp("us", tz="UTC")))[1] == ["missing"]
    assert times_of(pa.array([None], pa.int64()))[1] == ["missing"]
    assert times_of(pa.nulls(1))[1] == ["missing"]


def test_objects_that_are_no_times_are_bad_by_their_type() -> None:
    column = objects(["2024", 1.5, True, pd.NA])

    assert times_of(column, "UTC")[1] == [
        "time is a str", "time is a float", "time is a bool", "time is a NAType",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "column", [np.array([1.5]), np.array(["x"]), np.array([True]), pa.array(["x"]), pa.array([1.5])]
)
def test_a_column_of_no_times_is_refused(column: Column) -> None:
    with pytest.raises(InvalidTypeError, match="a column of times holds"):
        times_of(column)


# --- numbers


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20))
@settings(max_examples=40, deadline=None)
def test_numbers_are_the_same_from_every_column(values: list[float]) -> None:
    for column in (np.array(values, dtype=float), objects(values), pa.array(values, pa.float64())):
        assert numbers_of(column) == (values, ["ok"] * len(values))


def test_numbers_that_are_not_finite_are_bad() -> None:
    values = [float("nan"), float("inf"), float("-inf")]

    for column in (np.array(values), objects(values), pa.array(values)):
        assert numbers_of(column) == ([0.0] * 3, ["not a finite number"] * 3)


def test_missing_numbers_are_missing() -> None:
    for column in (objects([None, 2]), pa.array([None, 2.0]), pa.array([None, 2])):
        assert numbers_of(column) == ([0.0, 2.0], ["missing", "ok"])
    assert numbers_of(pa.nulls(1)) == ([0.0], ["missing"])


def test_objects_that_are_no_numbers_are_bad() -> None:
    column = objects([True, "1", 10**400, Decimal("sNaN"), Decimal("1.5"), np.float32(2), 1j])

    values, reasons = numbers_of(column)

    bad = "not a finite number"
    assert values == [0, 0, 0, 0, 1.5, 2, 0]
    assert reasons == [bad, bad, bad, bad, "ok", "ok", bad]


def test_an_int_that_no_float_holds_is_bad_among_plain_ones() -> None:
    assert numbers_of(objects([1, 10**400]))[1] == ["ok", "not a finite number"]


def test_decimals_of_arrow_are_numbers() -> None:
    assert numbers_of(pa.array([Decimal("1.25")])) == ([1.25], ["ok"])


@pytest.mark.parametrize(
    "column", [np.array(["x"]), np.array([True]), pa.array(["x"]), pa.array([True])]
)
def test_a_column_of_no_numbers_is_refused(column: Column) -> None:
    with pytest.raises(InvalidTypeError, match="a column of numbers holds"):
        numbers_of(column)


# --- ids


@given(ids=st.lists(st.text("abé💡", min_size=1, max_size=3), max_size=30))
@settings(max_examples=40, deadline=None)
def test_str_ids_are_the_same_from_every_column(ids: list[str]) -> None:
    for column in (
        objects(ids),
        np.array(ids, dtype="U"),
        pa.array(ids, pa.string()),
        pa.array(ids, pa.large_string()),
        pa.array(ids, pa.string()).dictionary_encode(),
    ):
        assert ids_of(column) == (ids, ["ok"] * len(ids))


@given(ids=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30))
@settings(max_examples=40, deadline=None)
def test_int_ids_are_the_same_from_every_column(ids: list[int]) -> None:
    for column in (objects(ids), np.array(ids, dtype=np.int64), pa.array(ids, pa.int64())):
        assert ids_of(column) == (ids, ["ok"] * len(ids))


def test_codes_go_on_over_chunks() -> None:
    reader = IdReader(Problems())

    first, _ = reader.read(objects(["a", "b"]))
    second, _ = reader.read(pa.array(["b", "c"]))

    assert (first.tolist(), second.tolist()) == ([0, 1], [1, 2])


def test_a_small_dictionary_has_room_for_the_missing_entry() -> None:
    names = [f"id-{n}" for n in range(128)]
    indices = pa.array([*range(128), None], pa.int8())
    column = pa.DictionaryArray.from_arrays(indices, pa.array(names))

    ids, reasons = ids_of(column)

    assert ids == [*names, None]
    assert reasons[-1] == "missing"


def test_a_null_within_a_dictionary_is_missing() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["a", None]))

    assert ids_of(column) == (["a", None], ["ok", "missing"])


def test_bad_ids_are_bad_by_their_reason() -> None:
    column = objects(["a", None, "", "x" * 300, "\ud800", True, 1.0, 7, b"a"])

    ids, reasons = ids_of(column)

    assert ids == ["a"] + [None] * 8
    assert reasons == [
        "ok", "missing", "empty id", "id is longer than 256 bytes", "id is not valid Unicode",
        "id is a bool; ids are str or int", "id is a float; ids are str or int",
        "ids of both kinds", "id is a bytes; ids are str or int",
    ]  # fmt: skip


def test_true_and_one_point_zero_are_not_the_id_one() -> None:
    assert ids_of(objects([1, True, 1.0, np.int64(1)]))[0] == [1, None, None, 1]


def test_a_uint64_past_int64_is_no_id() -> None:
    column = np.array([2**63, 5], dtype=np.uint64)

    for each in (column, pa.array(column)):
        assert ids_of(each) == ([None, 5], ["id does not fit into int64", "ok"])


def test_a_column_of_nulls_is_missing() -> None:
    assert ids_of(pa.nulls(2)) == ([None, None], ["missing"] * 2)


@pytest.mark.parametrize(
    "column",
    [
        np.array([1.0]), np.array([True]), np.array(["2024"], dtype="datetime64[ns]"),
        np.array([b"a"]), pa.array([1.0]), pa.array([True]), pa.array([b"a"]),
        pa.array([date(2024, 1, 1)]), pa.array([1.5]).dictionary_encode(),
    ],
)  # fmt: skip
def test_a_column_that_can_hold_no_ids_is_refused(column: Column) -> None:
    with pytest.raises(InvalidTypeError, match=r"a column of ids holds .* ids are str or int"):
        ids_of(column)
