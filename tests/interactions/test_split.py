"""`split_time`: nothing is chosen on what it is tested on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1 import Events
from seg1.errors import InvalidTypeError
from seg1.interactions import split_time
from seg1.testing.strategies import Columns, events_tables


@settings(deadline=None, max_examples=50)
@given(events_tables(), st.integers(0, 41 * 86_400 * 1_000_000))
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
