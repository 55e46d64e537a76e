"""Where rows are kept: in memory, or in SQLite on disk, under one contract."""

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Final, Protocol

from seg1._types import Id
from seg1.errors import JournalError
from seg1.journal.records import (
    COLUMNS,
    FIELDS,
    LATER,
    Decided,
    Erased,
    Row,
    from_columns,
    values_of,
)

__all__ = ["Journal", "MemoryJournal", "SqliteJournal", "is_of"]

_READ_AT_ONCE = 1_000


class Journal(Protocol):
    """One append-only sequence of rows; `seg1.testing.check_journal` holds it.

    Only erasure removes rows; their numbers are not given out again.
    """

    @property
    def journal_id(self) -> str:
        """A name that no other journal has."""
        ...

    def append(self, row: Row) -> int:
        """Keep a row and give its number, greater than all before; when this returns it is safe."""
        ...

    def read(self, after: int = 0) -> Iterator[tuple[int, Row]]:
        """Give the rows numbered above `after`, with their numbers, in order."""
        ...

    def find(self, decision_id: str) -> Decided | None:
        """Give the decision of an id; the last, where one was voided and decided again."""
        ...

    def erase(self, customer: Id, *, at_us: int) -> int:
        """Remove all rows of a customer, append an `Erased`, and say how many went: in one step."""
        ...

    def close(self) -> None:
        """Let go of files. A closed journal raises `JournalError`."""
        ...


class MemoryJournal:
    """A journal in memory, for tests and simulations.

    Examples
    --------
    >>> from seg1.journal import Exposed
    >>> journal = MemoryJournal()
    >>> journal.append(Exposed(decision_id="visit-1", at_us=5))
    1
    """

    def __init__(self) -> None:
        self.journal_id = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._rows: dict[int, Row] = {}
        self._decided: dict[str, Decided] = {}
        self._n_given = 0
        self._is_closed = False

    def append(self, row: Row) -> int:
        """Keep a row and give its number."""
        with self._lock:
            return self._append(row)

    def _append(self, row: Row) -> int:
        self._check_open()
        self._n_given += 1
        self._rows[self._n_given] = row
        if isinstance(row, Decided):
            self._decided[row.decision_id] = row
        return self._n_given

    def read(self, after: int = 0) -> Iterator[tuple[int, Row]]:
        """Give the rows numbered above `after`."""
        with self._lock:
            self._check_open()
            rows = list(self._rows.items()) if after < self._n_given else []
        return ((seq, row) for seq, row in rows if seq > after)

    def find(self, decision_id: str) -> Decided | None:
        """Give the decision of an id."""
        self._check_open()
        return self._decided.get(decision_id)

    def erase(self, customer: Id, *, at_us: int) -> int:
        """Remove all rows of a customer."""
        with self._lock:
            self._check_open()
            own = {id_ for id_, row in self._decided.items() if is_of(row, customer)}
            gone = [
                seq
                for seq, row in self._rows.items()
                if getattr(row, "decision_id", None) in own or is_of(row, customer)
            ]
            for seq in gone:
                del self._rows[seq]
            for decision_id in own:
                del self._decided[decision_id]
            self._append(Erased(at_us=at_us, n_rows=len(gone)))
            return len(gone)

    def close(self) -> None:
        """Refuse everything from now on."""
        self._is_closed = True

    def _check_open(self) -> None:
        if self._is_closed:
            raise JournalError("the journal is closed")


def is_of(row: Row, customer: Id) -> bool:
    """Whether a row names a customer, of that type of id."""
    own = getattr(row, "customer", None)
    return type(own) is type(customer) and own == customer


def _quoted(name: str) -> str:
    return f'"{name}"'


_TYPES: Final = {
    "kind": "text not null",
    "decision_id": "text",
    "at_us": "integer not null",
    "context": "blob",
    "affinity": "blob",
    "eligible": "blob",
    "effects": "blob",
}
_SCHEMA: Final = f"""
create table if not exists journal (
    seq integer primary key,
    {", ".join(f'"{name}" {_TYPES.get(name, "")}' for name in COLUMNS)}
);
create index if not exists journal_decision on journal (decision_id) where kind = 'decided';
create table if not exists journal_name (name text not null);
create view if not exists decisions as
select d.seq, d.decision_id, d.customer, d.placement,
       datetime(d.at_us / 1000000, 'unixepoch') as at, d.at_us, d.mode, d.offer, d.price, d.slot,
       d.action_prob, d.response_prob, d.is_control, d.holdout_prob,
       exists (select 1 from journal e where e.kind = 'exposed'
               and e.decision_id = d.decision_id) as is_exposed,
       (select o.value from journal o where o.kind = 'outcome' and o.what = 'accepted'
        and o.decision_id = d.decision_id order by o.seq desc limit 1) as accepted,
       (select o.value from journal o where o.kind = 'outcome' and o.what = 'reward'
        and o.decision_id = d.decision_id order by o.seq desc limit 1) as reward
from journal d
where d.kind = 'decided'
  and not exists (select 1 from journal v where v.kind = 'voided'
                  and v.decision_id = d.decision_id and v.seq > d.seq);
create index if not exists journal_answers on journal (decision_id, kind)
    where kind in ('exposed', 'outcome', 'voided');
"""  # noqa: S608  # made of our own column names
_TABLE: Final = "pragma table_info(journal)"
_NAMES: Final = ", ".join(map(_quoted, COLUMNS))
_INSERTS: Final = {
    kind: f"insert into journal (seq, kind, {', '.join(map(_quoted, names))}) "  # noqa: S608  # as above
    f"values (?, '{kind}'{', ?' * len(names)})"
    for kind, names in FIELDS.items()
}
_LAST: Final = "select coalesce(max(seq), 0) from journal"
_READ: Final = f"select seq, {_NAMES} from journal where seq > ? order by seq limit ?"  # noqa: S608  # as above
_FIND: Final = (
    f"select {_NAMES} from journal where decision_id = ? and kind = 'decided' "  # noqa: S608  # as above
    "order by seq desc limit 1"
)
# In this order, and not in one statement: SQLite may look up which decisions are the customer's
# when the first of them are gone already, and then leave their answers behind.
_ERASE: Final = (
    """
    delete from journal where kind <> 'decided' and decision_id in
        (select decision_id from journal where kind = 'decided' and customer = ?1
         and typeof(customer) = typeof(?1))
    """,
    "delete from journal where customer = ?1 and typeof(customer) = typeof(?1)",
)


class SqliteJournal:
    """A journal in an SQLite file.

    Every append is a transaction of its own: when it returns, the row survives the death of the
    process (write-ahead log, ``synchronous=NORMAL``; ask for FULL to survive a loss of power).
    The view ``decisions`` can be read with plain SQL, by other processes too; but one process
    writes: of two, the second to append is refused.

    Parameters
    ----------
    path
        The file; made where missing.
    synchronous
        "NORMAL" or "FULL".

    Attributes
    ----------
    journal_id
        A name that no other journal has; it stays with the file.
    has_residue
        Whether bytes of erased rows may still stand in the file or its write-ahead log, because
        another connection was at work when they were erased. The next erasure removes them too.

    Raises
    ------
    JournalError
        Where the file cannot be opened or is no journal.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from seg1.journal import Exposed
    >>> folder = tempfile.TemporaryDirectory()
    >>> journal = SqliteJournal(pathlib.Path(folder.name) / "shop.sqlite")
    >>> journal.append(Exposed(decision_id="visit-1", at_us=5))
    1
    >>> journal.close(); folder.cleanup()
    """

    def __init__(self, path: str | PathLike[str], *, synchronous: str = "NORMAL") -> None:
        if synchronous not in ("NORMAL", "FULL"):
            raise JournalError(f"synchronous must be NORMAL or FULL, got {synchronous!r}")
        self._lock = threading.Lock()
        self.has_residue = False
        with _opening(path):
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            with _opening(path):
                self._set_up(synchronous)
        except BaseException:
            self._connection.close()
            raise

    def _set_up(self, synchronous: str) -> None:
        run = self._connection.execute
        run("pragma busy_timeout = 5000")
        run("pragma page_size = 2048")  # of a new file: every append writes whole pages
        run("pragma journal_mode = wal")
        run(f"pragma synchronous = {synchronous}")
        # A checkpoint stalls one caller for milliseconds: rarely, then.
        run("pragma wal_autocheckpoint = 10000")
        run("pragma secure_delete = on")  # what is erased is overwritten
        self._check_columns()
        self._connection.executescript(_SCHEMA)
        run("begin immediate")
        run(
            "insert into journal_name select ? where not exists (select 1 from journal_name)",
            (secrets.token_hex(8),),
        )
        run("commit")
        self.journal_id = str(run("select name from journal_name").fetchone()[0])
        self._last = int(run(_LAST).fetchone()[0])

    def _check_columns(self) -> None:
        if self._found_columns() == ["seq", *COLUMNS[: -len(LATER)]]:
            self._add_columns()
        if self._found_columns() not in ([], ["seq", *COLUMNS]):
            raise JournalError(
                "the file has a table journal that is not a journal's, or of another version"
            )

    def _found_columns(self) -> list[str]:
        return [str(name) for _, name, *_ in self._connection.execute(_TABLE)]

    def _add_columns(self) -> None:
        """Give the table of an earlier version the columns that came since, empty."""
        self._connection.execute("begin immediate")
        for name in LATER:
            if name not in self._found_columns():  # another process may have been quicker
                self._connection.execute(f'alter table journal add column "{name}" {_TYPES[name]}')
        self._connection.execute("commit")

    def append(self, row: Row) -> int:
        """Write a row in a transaction of its own, and give its number."""
        with self._lock, _typed("write"):
            self._insert(row)
            return self._last

    def _insert(self, row: Row) -> None:
        """Write a row under the next number: so another process that writes too is found out."""
        values = (self._last + 1, *values_of(row))
        self._connection.execute(_INSERTS[row.kind], values)
        self._last += 1

    def read(self, after: int = 0) -> Iterator[tuple[int, Row]]:
        """Read the rows numbered above `after`, a thousand at a time."""
        while True:
            with self._lock, _typed("read"):
                rows = self._connection.execute(_READ, (after, _READ_AT_ONCE)).fetchall()
            for seq, *values in rows:
                yield seq, from_columns(tuple(values))
                after = seq
            if len(rows) < _READ_AT_ONCE:
                return

    def find(self, decision_id: str) -> Decided | None:
        """Look a decision up by its id."""
        with self._lock, _typed("read"):
            values = self._connection.execute(_FIND, (decision_id,)).fetchone()
        row = from_columns(values) if values is not None else None
        return row if isinstance(row, Decided) else None

    def erase(self, customer: Id, *, at_us: int) -> int:
        """Remove all rows of a customer, and write the file anew, so that no byte of them stays."""
        with self._lock, _typed("write"):
            self._connection.execute("begin immediate")
            last = self._last
            try:
                n_rows = sum(self._connection.execute(s, (customer,)).rowcount for s in _ERASE)
                self._insert(Erased(at_us=at_us, n_rows=n_rows))
                self._connection.execute("commit")
            except BaseException:
                self._connection.execute("rollback")
                self._last = last
                raise
            self._overwrite()
        return n_rows

    def _overwrite(self) -> None:
        """Write the file anew and empty its log: erased rows leave bytes in both."""
        # The rows are gone already: what fails here is told, not raised.
        try:
            # Overwriting what is deleted is not enough: rows that moved between pages leave copies.
            self._connection.execute("vacuum")
            (is_busy, *_) = self._connection.execute("pragma wal_checkpoint(truncate)").fetchone()
        except sqlite3.Error:
            is_busy = 1
        self.has_residue = bool(is_busy)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()


@contextmanager
def _opening(path: str | PathLike[str]) -> Iterator[None]:
    """Turn what goes wrong when a file is opened into an error that names it, and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise JournalError(
            f"cannot open the journal {os.fspath(path)!r}: {error} ({type(error).__name__}); it "
            "must be an SQLite file, or a new one in a folder that exists and can be written to"
        ) from error


class _typed:  # noqa: N801  # used as a function is; as a generator it costs twice as much
    """Turn SQLite's errors into ours."""

    __slots__ = ("_verb",)

    def __init__(self, verb: str) -> None:
        self._verb = verb

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: object, _: object) -> None:
        if kind is None:
            return
        if isinstance(error, sqlite3.IntegrityError):
            raise JournalError(
                "cannot write the journal: another process has written to it; one engine writes to "
                "a journal at a time: close the other, and open this one again"
            ) from None
        if isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
            raise JournalError("the journal is closed: open it again, or a new engine") from error
        if isinstance(error, sqlite3.Error):
            raise JournalError(f"cannot {self._verb} the journal: {kind.__name__}") from error
