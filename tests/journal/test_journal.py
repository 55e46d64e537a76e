"""Both journals under one contract; and what SQLite alone can break."""

import sqlite3
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from seg1._types import Id
from seg1.errors import JournalError
from seg1.journal import Decided, Exposed, MemoryJournal, Row, SqliteJournal
from seg1.testing.journal import _decided, _rows_of, check_journal


def test_a_journal_in_memory_holds_the_contract() -> None:
    check_journal(MemoryJournal)


def test_a_journal_in_a_file_holds_the_contract(tmp_path: Path) -> None:
    numbers = count()

    check_journal(lambda: SqliteJournal(tmp_path / f"{next(numbers)}.sqlite"))


class Forwarding:
    """Keeps the contract by another's hands; each test below breaks one promise."""

    def __init__(self) -> None:
        self.inner = MemoryJournal()

    @property
    def journal_id(self) -> str:
        return self.inner.journal_id

    def append(self, row: Row) -> int:
        return self.inner.append(row)

    def read(self, after: int = 0) -> Iterator[tuple[int, Row]]:
        return self.inner.read(after)

    def find(self, decision_id: str) -> Decided | None:
        return self.inner.find(decision_id)

    def erase(self, customer: Id, *, at_us: int) -> int:
        return self.inner.erase(customer, at_us=at_us)

    def close(self) -> None:
        self.inner.close()


class OneName(Forwarding):
    @property
    def journal_id(self) -> str:
        return "journal"


class Forgetful(Forwarding):
    def append(self, row: Row) -> int:
        return 1 if isinstance(row, Exposed) else super().append(row)


class Rounding(Forwarding):
    def append(self, row: Row) -> int:
        if isinstance(row, Decided):
            row = row._replace(action_prob=round(row.action_prob, 6))
        return super().append(row)


class FromTheStart(Forwarding):
    def read(self, after: int = 0) -> Iterator[tuple[int, Row]]:  # noqa: ARG002  # that is the fault
        return super().read(0)


class FindsNothing(Forwarding):
    def find(self, decision_id: str) -> Decided | None:  # noqa: ARG002  # that is the fault
        return None


class ErasesNothing(Forwarding):
    def erase(self, customer: Id, *, at_us: int) -> int:  # noqa: ARG002  # that is the fault
        return 5


class NeverCloses(Forwarding):
    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (OneName, "same journal_id"),
        (Forgetful, "greater than all before"),
        (Rounding, "as it was appended"),
        (FromTheStart, "newer rows"),
        (FindsNothing, "decision of an id"),
        (ErasesNothing, "remove the rows"),
        (NeverCloses, "closed journal"),
    ],
)
def test_the_check_says_which_promise_is_broken(broken: type[Forwarding], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_journal(broken)


def test_a_reopened_file_has_the_same_name_and_rows(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "j.sqlite")
    name, number = journal.journal_id, journal.append(Exposed(decision_id="visit-1", at_us=5))
    journal.close()

    again = SqliteJournal(tmp_path / "j.sqlite", synchronous="FULL")

    assert again.journal_id == name
    assert list(again.read()) == [(number, Exposed(decision_id="visit-1", at_us=5))]
    again.close()


def test_a_long_journal_is_read_in_parts_while_it_grows(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "j.sqlite")
    for at_us in range(1_005):
        journal.append(Exposed(decision_id="visit-1", at_us=at_us))

    rows = journal.read()
    first = next(rows)
    journal.append(Exposed(decision_id="visit-1", at_us=1_005))

    assert [first[1].at_us, *(row.at_us for _, row in rows)] == list(range(1_006))
    journal.close()


def test_an_erased_customer_is_gone_from_every_byte(tmp_path: Path) -> None:
    path, canary = tmp_path / "j.sqlite", "canary-7f3a91"
    journal = SqliteJournal(path)
    for n in range(300):
        for row in _rows_of(f"{canary}-visit-{n}", customer=f"{canary}-customer"):
            journal.append(row)
        journal.append(_decided(f"visit-{n}", customer="somebody"))
    before = b"".join(part.read_bytes() for part in tmp_path.iterdir())

    n_rows = journal.erase(f"{canary}-customer", at_us=9)

    assert canary.encode() in before
    # Of the file and its log; the third file is an index of the log.
    after = b"".join(part.read_bytes() for part in tmp_path.iterdir())
    assert canary.encode() not in after
    assert b"somebody" in after
    assert (n_rows, journal.has_residue) == (1_500, False)
    journal.close()


def test_bytes_that_another_reader_holds_back_are_told(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    journal = SqliteJournal(path)
    journal.append(_decided("visit-1", customer="canary-7f3a91"))
    journal._connection.execute("pragma busy_timeout = 0")
    reader = sqlite3.connect(path)
    reader.execute("begin")
    reader.execute("select count(*) from journal").fetchone()

    n_rows = journal.erase("canary-7f3a91", at_us=9)

    assert (n_rows, journal.has_residue) == (1, True)
    reader.close()
    journal.erase("nobody", at_us=10)
    assert journal.has_residue is False
    assert b"canary-7f3a91" not in b"".join(part.read_bytes() for part in tmp_path.iterdir())
    journal.close()


def test_a_file_that_cannot_be_written_anew_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing:
        def __init__(self, inner: sqlite3.Connection) -> None:
            self.inner = inner

        def execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
            if statement == "vacuum":
                raise sqlite3.OperationalError("disk full")
            return self.inner.execute(statement, values)

    journal = SqliteJournal(tmp_path / "j.sqlite")
    journal.append(_decided("visit-1", customer=7))
    with monkeypatch.context() as patch:
        patch.setattr(journal, "_connection", Refusing(journal._connection))

        n_rows = journal.erase(7, at_us=9)

    assert (n_rows, journal.has_residue) == (1, True)
    assert journal.find("visit-1") is None
    journal.close()


def test_an_erasure_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    journal = SqliteJournal(path)
    journal.append(_decided("visit-1", customer=7))
    journal._connection.execute(
        "create trigger no_more before insert on journal when new.kind = 'erased' "
        "begin select raise(abort, 'full'); end"
    )

    with pytest.raises(JournalError, match="cannot write the journal"):
        journal.erase(7, at_us=9)

    assert journal.find("visit-1") == _decided("visit-1", customer=7)
    journal.close()


def test_what_is_no_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    text, other, folder = tmp_path / "notes.txt", tmp_path / "other.sqlite", tmp_path / "folder"
    text.write_text("not a database, but long enough to be taken for one" * 20)
    folder.mkdir()
    connection = sqlite3.connect(other)
    connection.execute("create table journal (decision_id text, kind text)")
    connection.close()

    for path in (text, folder):
        with pytest.raises(JournalError, match=f"cannot open the journal '{path}': .* a folder"):
            SqliteJournal(path)
    with pytest.raises(JournalError, match="not a journal's, or of another version"):
        SqliteJournal(other)
    assert text.read_text().startswith("not a database")


def as_of_before(path: Path) -> None:
    """Make of a journal's file what an earlier version would have written."""
    connection = sqlite3.connect(path)
    connection.execute("alter table journal drop column effects")
    connection.close()


def test_a_journal_of_an_earlier_version_opens_and_goes_on(tmp_path: Path) -> None:
    path, row = tmp_path / "shop.sqlite", _decided("visit-1", customer=7)
    journal = SqliteJournal(path)
    for each in (row, Exposed(decision_id="visit-1", at_us=1)):
        journal.append(each)
    journal.close()
    as_of_before(path)

    first, second = SqliteJournal(path), SqliteJournal(path)
    first.append(row)

    earlier = row._replace(effects=b"")
    assert row.effects
    assert [each for _, each in first.read()] == [
        earlier, Exposed(decision_id="visit-1", at_us=1), row,
    ]  # fmt: skip
    assert second.find("visit-1") == row
    first.close()
    second.close()


def test_of_two_that_open_an_earlier_journal_at_once_both_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shop.sqlite"
    SqliteJournal(path).close()
    as_of_before(path)
    add, others = SqliteJournal._add_columns, []

    def overtaken(journal: SqliteJournal) -> None:
        monkeypatch.undo()
        others.append(SqliteJournal(path))
        add(journal)

    monkeypatch.setattr(SqliteJournal, "_add_columns", overtaken)
    SqliteJournal(path).close()

    assert others[0].append(_decided("visit-1", customer=7)) == 1
    others[0].close()


def test_a_durability_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="must be NORMAL or FULL, got 'OFF'"):
        SqliteJournal(tmp_path / "j.sqlite", synchronous="OFF")


def test_the_view_can_be_read_with_plain_sql(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "j.sqlite")
    for row in _rows_of("visit-1", customer=7):
        journal.append(row)
    journal.append(_decided("visit-2", customer=8))
    journal.close()

    connection = sqlite3.connect(tmp_path / "j.sqlite")
    told = connection.execute(
        "select decision_id, customer, at, is_exposed, reward from decisions order by seq"
    ).fetchall()
    connection.close()

    at = "1970-01-01 00:00:00"
    assert told == [("visit-1", 7, at, 1, -0.1), ("visit-2", 8, at, 0, None)]


def test_of_two_processes_on_one_file_the_second_to_write_is_refused(
    tmp_path: Path,
) -> None:
    first, second = (SqliteJournal(tmp_path / "shop.sqlite") for _ in range(2))
    row = Exposed(decision_id="a", at_us=1)

    first.append(row)

    with pytest.raises(JournalError, match="another process has written to it"):
        second.append(row)
    assert first.append(row) == 2
    assert [seq for seq, _ in second.read()] == [1, 2]
    second.close()
    again = SqliteJournal(tmp_path / "shop.sqlite")
    assert again.append(row) == 3
    again.close()
    first.close()
