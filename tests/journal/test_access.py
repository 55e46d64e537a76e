"""All that a journal holds of one customer."""

from collections.abc import Callable
from pathlib import Path

import pytest

from seg1.journal import Decided, Journal, MemoryJournal, SqliteJournal, rows_of, told_rows
from seg1.testing.journal import _decided, _rows_of, _some_rows

CUSTOMERS = (7, "7", 8)
OPEN: list[Callable[[Path], Journal]] = [
    lambda _: MemoryJournal(),
    lambda path: SqliteJournal(path / "j.sqlite"),
]


def filled(journal: Journal) -> Journal:
    for row in _some_rows():
        journal.append(row)
    own = [_rows_of(f"visit of {who!r}", customer=who) for who in CUSTOMERS]
    for rows in zip(*own, strict=True):
        for row in rows:
            journal.append(row)
    journal.append(_decided("another", customer=7))
    return journal


@pytest.mark.parametrize("open_journal", OPEN)
@pytest.mark.parametrize("customer", [*CUSTOMERS, "nobody"])
def test_the_rows_of_a_customer_are_those_that_an_erasure_removes(
    open_journal: Callable[[Path], Journal], customer: int | str, tmp_path: Path
) -> None:
    journal = filled(open_journal(tmp_path))
    before = dict(journal.read())

    found = rows_of(journal, customer)
    journal.erase(customer, at_us=9)

    left = dict(journal.read())
    assert dict(found) == {seq: row for seq, row in before.items() if seq not in left}
    assert [seq for seq, _ in found] == sorted(seq for seq, _ in found)
    assert rows_of(journal, customer) == []
    journal.close()


def test_a_decision_of_another_under_the_same_id_is_not_given() -> None:
    journal = filled(MemoryJournal())
    journal.append(_decided("visit of 7", customer=8))

    found = [row.customer for _, row in rows_of(journal, 7) if isinstance(row, Decided)]

    assert found == [7, 7]


def test_a_row_is_told_with_its_number_and_all_its_fields() -> None:
    journal = filled(MemoryJournal())

    told = told_rows(journal, 8)

    assert [row["kind"] for row in told] == [
        "decided",
        "exposed",
        "outcome",
        "withheld",
        "observed",
    ]
    assert told[2] == {
        "seq": told[2]["seq"], "kind": "outcome", "decision_id": "visit of 8", "at_us": 2,
        "what": "reward", "value": -0.1,
    }  # fmt: skip
    assert told[0]["context"] == ("00ff" * 8)  # no catalogue says what it stands for
    assert told[0]["customer"] == 8
