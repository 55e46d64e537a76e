"""Rows and their columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg1.errors import DamagedError
from seg1.journal import Exposed, Observed, Outcome
from seg1.journal.records import COLUMNS, FIELDS, Row, from_columns, values_of
from seg1.testing.journal import _decided, _rows_of, _some_rows

ids = st.one_of(st.integers(-(2**63), 2**63 - 1), st.text(min_size=1, max_size=9))
numbers = st.floats(allow_nan=False)


def to_columns(row: Row) -> list[object]:
    """Lay a row out over all columns, as the table does."""
    named = dict(zip(FIELDS[row.kind], values_of(row), strict=True))
    return [row.kind, *(named.get(name) for name in COLUMNS[1:])]


@pytest.mark.parametrize("row", _some_rows(), ids=lambda row: row.kind)
def test_a_row_comes_back_from_its_columns(row: Row) -> None:
    again = from_columns(tuple(to_columns(row)))

    assert again == row
    assert type(again) is type(row)


@given(ids, ids, st.integers(-(2**63), 2**63 - 1), numbers)
def test_an_event_comes_back_whatever_is_in_it(
    customer: int | str, item: int | str, at_us: int, value: float
) -> None:
    row = Observed(customer=customer, item=item, at_us=at_us, what="view", value=value)

    assert from_columns(tuple(to_columns(row))) == row


def test_truths_come_back_from_numbers() -> None:
    columns = [int(v) if isinstance(v, bool) else v for v in to_columns(_decided("v", customer=7))]

    again = from_columns(tuple(columns))

    assert again == _decided("v", customer=7)
    assert getattr(again, "is_measured", None) is True


def test_every_kind_has_its_own_columns_and_no_column_comes_twice() -> None:
    assert COLUMNS[0] == "kind"
    assert len(set(COLUMNS)) == len(COLUMNS)
    filled = [to_columns(Exposed(decision_id="v", at_us=5))[COLUMNS.index(n)] for n in COLUMNS]
    assert [value for value in filled if value is not None] == ["exposed", "v", 5]


def test_a_kind_that_is_not_known_is_damage() -> None:
    with pytest.raises(DamagedError, match="kind that is not known here"):
        from_columns(("dreamt",) + (None,) * (len(COLUMNS) - 1))


def test_no_repr_shows_a_customer_or_an_answer() -> None:
    rows = _rows_of("visit-canary", customer="canary-7f3a91")

    told = repr(rows)

    assert "canary" not in told
    assert "0.1" not in told
    assert "Decided(personalised)" in told
    assert isinstance(rows[2], Outcome)
