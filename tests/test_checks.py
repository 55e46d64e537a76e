"""Checks of arguments at the door."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1._checks import (
    DAY_US,
    MAX_US,
    MIN_US,
    check_at_least,
    check_choice,
    check_int,
    check_number,
    read_only,
    to_us,
)
from seg1.errors import InvalidArgumentError, InvalidTypeError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
zones = st.sampled_from([UTC, ZoneInfo("Europe/Madrid"), timezone(timedelta(hours=-9, minutes=30))])


# Early in 1970 a number may be doubted, below.
@pytest.mark.filterwarnings("ignore:at lies in 1970")
@given(us=st.integers(MIN_US, MAX_US))
@settings(max_examples=50, deadline=None)
def test_microseconds_and_datetimes_are_the_same_moment(us: int) -> None:
    assert to_us(us) == us
    assert to_us(EPOCH + timedelta(microseconds=us)) == us


@given(moment=st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=zones))  # noqa: DTZ001  # zones are given
@settings(max_examples=50, deadline=None)
def test_the_zone_of_a_datetime_does_not_matter(moment: datetime) -> None:
    assert to_us(moment) == to_us(moment.astimezone(UTC))


def test_a_day_is_a_day() -> None:
    assert to_us(datetime(1970, 1, 2, tzinfo=UTC)) == DAY_US
    assert to_us(np.int64(5)) == 5  # type: ignore[arg-type]  # a numpy int is an int
    assert type(to_us(np.int64(5))) is int  # type: ignore[arg-type]  # the same
    assert to_us(pd.Timestamp("1970-01-02", tz="UTC")) == DAY_US


@pytest.mark.parametrize(
    ("at", "error", "words"),
    [
        (datetime(2026, 1, 1), InvalidArgumentError, "now is a datetime without a time zone"),  # noqa: DTZ001  # the point
        (pd.NaT, InvalidArgumentError, "now is missing"),
        (MIN_US - 1, InvalidArgumentError, "now must lie in the years 1 to 9999"),
        (MAX_US + 1, InvalidArgumentError, "now must lie in the years 1 to 9999"),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=5))), InvalidArgumentError, "years"),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))), InvalidArgumentError, "years"),
        (True, InvalidTypeError, "now must be an aware datetime or an int .*, got bool"),
        (1.5, InvalidTypeError, "got float"),
        ("now", InvalidTypeError, "got str"),
        (None, InvalidTypeError, "got NoneType"),
        (datetime(2026, 1, 1, tzinfo=UTC).date(), InvalidTypeError, "got date"),
    ],
)
def test_what_is_no_moment_is_refused(at: Any, error: type[Exception], words: str) -> None:  # noqa: ANN401  # the point
    with pytest.raises(error, match=words):
        to_us(at, name="now")


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (1_774_991_234, "until lies in 1970 as microseconds UTC, and in 2026 as seconds: write"),
        (1_774_991_234, r"until=until \* 1_000_000, or give an aware datetime"),
        (1_774_991_234_567, r"in 2026 as milliseconds: write until=until \* 1_000,"),
        (1_000_001_001, "in 2001 as seconds"),
        (4_099_999_998_999, "in 2099 as milliseconds"),
    ],
)  # fmt: skip
def test_a_time_in_another_unit_is_doubted(at: int, words: str) -> None:
    with pytest.warns(UserWarning, match=words):
        assert to_us(at, name="until") == at


@pytest.mark.parametrize(
    "at",
    [
        0, 999_999_999, 4_100_000_001, 999_999_999_999, 4_100_000_000_001, 1_774_991_234_567_891,
        3_600_000_000, 14 * DAY_US + 5_000_000, 14 * DAY_US - 1, 14 * DAY_US + 1_000,
        -1_774_991_234,
        EPOCH + timedelta(microseconds=1_774_991_234),
    ],
)  # fmt: skip
def test_early_whole_seconds_datetimes_and_other_times_are_not_doubted(at: int | datetime) -> None:
    assert to_us(at) == (at if isinstance(at, int) else 1_774_991_234)


def test_a_name_that_says_its_unit_is_not_doubted() -> None:
    assert to_us(1_774_991_234, name="at_us") == 1_774_991_234


def test_a_number_of_another_kind_is_refused_with_the_mend() -> None:
    with pytest.raises(InvalidArgumentError, match=r"got Decimal\('1.2'\); write float\(...\)"):
        check_number(Decimal("1.2"), name="price", above=0)  # type: ignore[arg-type]  # the point


def test_an_int_of_at_least_the_bound_is_accepted() -> None:
    assert check_int(np.int32(3), name="n", low=3) == 3  # type: ignore[arg-type]  # a numpy int is an int


@pytest.mark.parametrize("value", [2, True, 3.0, "3", None, float("nan")])
def test_what_is_no_int_of_at_least_the_bound_is_refused(value: Any) -> None:  # noqa: ANN401  # the point
    with pytest.raises(InvalidArgumentError, match=r"n must be an int >= 3, got"):
        check_int(value, name="n", low=3)


Check = Callable[[Any], float]
ABOVE: Check = lambda value: check_number(value, name="x", above=0)  # noqa: E731  # a table of checks
AT_LEAST: Check = lambda value: check_at_least(value, name="x", low=0)  # noqa: E731  # the same


@pytest.mark.parametrize("value", [1, 0.5, np.float32(2), np.int8(3)])
@pytest.mark.parametrize("check", [ABOVE, AT_LEAST])
def test_a_finite_number_is_accepted_as_a_float(check: Check, value: Any) -> None:  # noqa: ANN401  # several types
    assert check(value) == float(value)
    assert type(check(value)) is float


def test_the_bound_itself_is_in_or_out_as_promised() -> None:
    assert AT_LEAST(0) == 0
    with pytest.raises(InvalidArgumentError, match="x must be a finite number > 0, got 0"):
        ABOVE(0)


@pytest.mark.parametrize(
    "value", [-1, True, "1", None, float("nan"), float("inf"), np.complex64(1), 10**400]
)
@pytest.mark.parametrize("check", [ABOVE, AT_LEAST])
def test_what_is_no_finite_number_is_refused(check: Check, value: Any) -> None:  # noqa: ANN401  # the point
    with pytest.raises(InvalidArgumentError, match="x must be a finite number"):
        check(value)


def test_one_of_a_few_words_is_accepted_and_no_other() -> None:
    assert check_choice("a", name="x", choices=["a", "b"]) == "a"
    with pytest.raises(InvalidArgumentError, match="x must be one of a, b, got 'c'"):
        check_choice("c", name="x", choices=iter(["a", "b"]))


def test_a_read_only_view_leaves_its_owner_free() -> None:
    array = np.array([1, 2])

    view = read_only(array)

    with pytest.raises(ValueError, match="read-only"):
        view[0] = 5
    array[0] = 5
    assert view[0] == 5
