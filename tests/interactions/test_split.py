"""Splits: nothing is chosen on what it is tested on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1 import Events
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.interactions import split_last, split_time
from seg1.testing.strategies import Columns, events_tables


@settings(deadline=None, max_examples=50)
@given(events_tables(), st.integers(0, 41 * 86_400).map(lambda second: second * 1_000_000))
def test_every_event_is_in_the_part_of_its_time(table: Columns, at: int) -> None:
    events = Events.from_table(table)

    before, after = split_time(events, at=at)

    assert (before.time_us < at).all()
    assert (after.time_us >= at).all()
    assert sorted([*before.time_us, *after.time_us]) == sorted(table["time"])


def test_both_parts_keep_the_vocabularies() -> None:
    events = Events.from_table({"customer": ["a", "b"], "item": [1, 2], "time": [0, 9]})

    before, after = split_time(events, at=9)

    assert before.items is after.items is events.items
    assert after.customer_index.tolist() == [1]


def test_a_moment_that_is_none_is_refused() -> None:
    events = Events.from_table({"customer": ["a"], "item": [1], "time": [0]})

    with pytest.raises(InvalidTypeError, match="at must be an aware datetime"):
        split_time(events, at="yesterday")  # type: ignore[arg-type]  # that is the test


@settings(deadline=None, max_examples=50)
@given(events_tables(), st.integers(1, 3))
def test_the_last_events_are_those_that_a_sort_by_time_puts_last(table: Columns, n: int) -> None:
    events = Events.from_table(table)
    rows = sorted(range(len(events)), key=lambda row: table["time"][row])
    own = {customer: [row for row in rows if table["customer"][row] == customer]
           for customer in set(table["customer"])}  # fmt: skip
    expected = sorted(row for last in own.values() for row in last[-n:])

    before, last = split_last(events, n=n)

    is_last = np.isin(np.arange(len(events)), expected)
    assert np.array_equal(last.time_us, events.time_us[is_last])
    assert np.array_equal(last.item_index, events.item_index[is_last])
    assert np.array_equal(before.customer_index, events.customer_index[~is_last])
    assert last.items is before.items is events.items


def test_no_events_have_no_last_ones() -> None:
    events = Events.from_table({"customer": [], "item": [], "time": []})

    assert [len(part) for part in split_last(events)] == [0, 0]


@pytest.mark.parametrize("n", [0, -1, True, 1.5])
def test_a_number_of_last_events_below_one_is_refused(n: int) -> None:
    events = Events.from_table({"customer": ["a"], "item": [1], "time": [0]})

    with pytest.raises(InvalidArgumentError, match="n must be an int >= 1"):
        split_last(events, n=n)
