"""Where consent events are kept: in memory, or in SQLite on disk, under one contract."""

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import Any, Protocol

from seg1._checks import MAX_US, MIN_US
from seg1._types import Id
from seg1.consent.ledger.said import KINDS, ConsentEvent
from seg1.errors import ConsentStoreError

__all__ = ["ConsentStore", "MemoryStore", "SqliteStore"]


class ConsentStore(Protocol):
    """An append-only sequence of consent events; `seg1.testing.check_consent_store` holds it.

    A store may also have ``history(customer)``, which gives one customer's events in order: the
    ledger then need not read all for one.
    """

    def append(self, events: Sequence[ConsentEvent]) -> None:
        """Keep events, all or none; when this returns they are safe."""
        ...

    def read(self, after: int) -> list[tuple[int, ConsentEvent]]:
        """Give the events numbered above `after`, with their numbers, in order."""
        ...

    def version(self) -> int:
        """Give a number that differs from an earlier one wherever events came in between."""
        ...

    def close(self) -> None:
        """Let go of files; where there were any, other calls then raise `ConsentStoreError`."""
        ...


class MemoryStore:
    """Consent events in memory, for tests and for services that load them at start.

    Examples
    --------
    >>> store = MemoryStore()
    >>> store.append([ConsentEvent("ana", "offers", "withdraw", 5)])
    >>> [number for number, _ in store.read(0)]
    [1]
    """

    def __init__(self) -> None:
        self._events: list[ConsentEvent] = []

    def append(self, events: Sequence[ConsentEvent]) -> None:
        """Keep events."""
        self._events.extend(events)

    def read(self, after: int) -> list[tuple[int, ConsentEvent]]:
        """Give the events numbered above `after`."""
        return list(enumerate(self._events[after:], start=after + 1))

    def history(self, customer: Id) -> list[ConsentEvent]:
        """Give the events of one customer, in order."""
        return [event for event in self._events if _is_same(event.customer, customer)]

    def version(self) -> int:
        """Count the events."""
        return len(self._events)

    def close(self) -> None:
        """Do nothing: there is no file."""


_SCHEMA = f"""
create table if not exists consent_events (
    seq integer primary key autoincrement,
    customer not null check (typeof(customer) in ('text', 'integer')),
    purpose text not null,
    kind text not null check (kind in ({", ".join(map(repr, KINDS))})),
    at_us integer not null,
    from_us integer not null,
    until_us integer not null
)
"""
_INDEX = "create index if not exists consent_events_of_customer on consent_events (customer)"
_INSERT = (
    "insert into consent_events (customer, purpose, kind, at_us, from_us, until_us) "
    "values (?, ?, ?, ?, ?, ?)"
)
_LARGEST_US = 2**60  # the largest that `seg1.testing.check_consent_store` asks a store to keep
# A file that others have written may hold anything: a time without end, or 5.0 for 5.
_IS_EVENT = (
    "typeof(customer) in ('text', 'integer') and typeof(purpose) = 'text' "
    "and typeof(kind) = 'text' and typeof(at_us) = 'integer' "
    "and typeof(from_us) = 'integer' and typeof(until_us) = 'integer' "
    f"and at_us between {MIN_US} and {MAX_US} "
    f"and from_us between {-_LARGEST_US} and {_LARGEST_US} "
    f"and until_us between {-_LARGEST_US} and {_LARGEST_US}"
)
_READ = (
    f"select seq, {_IS_EVENT}, customer, purpose, kind, at_us, from_us, until_us "  # noqa: S608  # our own words
    "from consent_events where seq > ? order by seq"
)
_HISTORY = (
    f"select seq, {_IS_EVENT}, customer, purpose, kind, at_us, from_us, until_us "  # noqa: S608  # as above
    "from consent_events where customer = ? order by seq"
)
_COLUMNS = [
    ("seq", "INTEGER", 1), ("customer", "", 0), ("purpose", "TEXT", 0), ("kind", "TEXT", 0),
    ("at_us", "INTEGER", 0), ("from_us", "INTEGER", 0), ("until_us", "INTEGER", 0),
]  # fmt: skip
# A trigger, or a table that is none, could keep less than was acknowledged, or give less.
_BESIDE = (
    "select 1 from sqlite_master where lower(tbl_name) = 'consent_events' "
    "and type <> 'index' and (type <> 'table' or rootpage = 0 "
    "or instr(lower(sql), 'collate') or instr(lower(sql), 'conflict'))"
)
_UNHEARD = "select 1 from consent_events where seq < 1 limit 1"
_OLD = (
    "select 1 from sqlite_master where type = 'table' and name = 'consent_events' "
    "and instr(sql, 'opt_in') = 0"
)
_REBUILD = (
    "alter table consent_events rename to consent_events_before",
    _SCHEMA,
    """
insert into consent_events (seq, customer, purpose, kind, at_us, from_us, until_us)
select seq, customer, purpose, kind, at_us, from_us, until_us from consent_events_before
""",
    "drop table consent_events_before",
)


# Of a damaged file the very message of an error may be no text.
_ERRORS = (sqlite3.Error, UnicodeError)
_BUSY_MS = 5_000
_OPEN_TRIES = 100
_OPEN_PAUSE_S = 0.02


class SqliteStore:
    """Consent events in an SQLite file that several processes may share.

    When `append` returns, the events are on disk (WAL, ``synchronous=FULL``). Pages are checked
    when the file is opened, and rows whenever they are read: with one that is no event, nothing is
    read. A value that was changed into another valid one cannot be told.

    Parameters
    ----------
    path
        The file; made where it is missing.

    Raises
    ------
    ConsentStoreError
        Where the file cannot be opened, is damaged or is no consent store.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = SqliteStore(pathlib.Path(folder.name) / "consent.sqlite")
    >>> store.append([ConsentEvent(1024, "offers", "grant", 5, 5, 99)])
    >>> len(store.read(0))
    1
    >>> store.close(); folder.cleanup()
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._lock = threading.Lock()
        self._n_written = 0
        with _typed("open"):
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            with _typed("open"):
                _prepare(self._connection)
        except BaseException:
            self._connection.close()
            raise

    def append(self, events: Sequence[ConsentEvent]) -> None:
        """Write events in one transaction."""
        rows = [(e.customer, e.purpose, e.kind, e.at_us, e.from_us, e.until_us) for e in events]
        with self._lock, _typed("write"):
            self._connection.execute("begin immediate")
            try:
                self._connection.executemany(_INSERT, rows)
                self._connection.execute("commit")
            except BaseException:
                self._connection.execute("rollback")
                raise
            self._n_written += len(rows)

    def read(self, after: int) -> list[tuple[int, ConsentEvent]]:
        """Read the events numbered above `after`."""
        with self._lock, _typed("read"):
            rows = self._connection.execute(_READ, (after,)).fetchall()
        _check_rows(rows)
        return [(row[0], ConsentEvent(*row[2:])) for row in rows]

    def history(self, customer: Id) -> list[ConsentEvent]:
        """Read the events of one customer, by an index."""
        with self._lock, _typed("read"):
            rows = self._connection.execute(_HISTORY, (customer,)).fetchall()
        _check_rows(rows)
        return [ConsentEvent(*row[2:]) for row in rows]

    def version(self) -> int:
        """Combine what this connection wrote with SQLite's count of other connections' writes."""
        with self._lock:
            try:
                # Without `_typed`: this runs before every single answer.
                others: int = self._connection.execute("pragma data_version").fetchone()[0]
            except _ERRORS as error:
                raise _as_ours(error, "read") from None
            return (others << 40) + self._n_written

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute(f"pragma busy_timeout = {_BUSY_MS}")
    connection.execute("pragma trusted_schema = off")
    connection.execute("pragma cell_size_check = on")
    n_left = _OPEN_TRIES
    while True:
        n_left -= 1
        try:
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
            connection.execute(_SCHEMA)
            _check_table(connection)
            _check_pages(connection)
            _bring_up_to_date(connection)
            connection.execute(_INDEX)
            connection.execute(_READ, (0,)).fetchone()
        except sqlite3.OperationalError as error:
            # While another process makes the same new file, SQLite says so without waiting.
            code = getattr(error, "sqlite_errorcode", 0)  # sqlite3's own errors have none
            if code & 0xFF != sqlite3.SQLITE_BUSY or not n_left:
                raise
            time.sleep(_OPEN_PAUSE_S)
        else:
            return


def _check_table(connection: sqlite3.Connection) -> None:
    """Refuse a table of another form: a word in it might not be kept, or not be heard."""
    columns = connection.execute("pragma table_xinfo(consent_events)").fetchall()
    found = [(name, kind.upper(), n_key) for _, name, kind, _, _, n_key, _ in columns]
    is_ours = found == _COLUMNS and not any(is_computed for *_, is_computed in columns)
    if not is_ours or connection.execute(_BESIDE).fetchone() is not None:
        raise ConsentStoreError(
            "cannot open the consent store: its table consent_events has other columns than that "
            "of a consent store, or a trigger; keep such things in a table of their own"
        )


def _check_pages(connection: sqlite3.Connection) -> None:
    """Refuse a file that is damaged: from a page that is, SQLite may give fewer rows and go on."""
    told = connection.execute("pragma quick_check(1)").fetchone()
    if told != ("ok",) or connection.execute(_UNHEARD).fetchone() is not None:
        raise ConsentStoreError(
            "cannot open the consent store: the file is damaged; put a whole copy in its place"
        )


def _check_rows(rows: Sequence[tuple[Any, ...]]) -> None:  # Any: SQLite's values
    """Refuse to answer from rows of which one is no event; name it by its number."""
    bad = next((seq for seq, is_event, *_ in rows if not is_event), None)
    if bad is not None:
        raise ConsentStoreError(
            f"cannot read the consent store: row {bad} is no consent event, and nothing is "
            "permitted; put a whole copy of the file in its place"
        )


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Rebuild a table whose check knows fewer kinds of events: SQLite cannot change a check."""
    if connection.execute(_OLD).fetchone() is None:
        return
    connection.execute("begin immediate")
    try:
        if connection.execute(_OLD).fetchone() is not None:  # another process may have been here
            for statement in _REBUILD:
                connection.execute(statement)
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


@contextmanager
def _typed(verb: str) -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        # The cause is left out: where a text cannot be decoded, it quotes the customer's row.
        raise _as_ours(error, verb) from None


def _as_ours(error: Exception, verb: str) -> ConsentStoreError:
    return ConsentStoreError(f"cannot {verb} the consent store: {_words(error)}")


def _words(error: Exception) -> str:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT:
        return f"{type(error).__name__}: the file is damaged"  # its own text may quote the file
    is_safe = hasattr(error, "sqlite_errorname") or isinstance(error, sqlite3.ProgrammingError)
    return f"{type(error).__name__}: {error}" if is_safe else f"{type(error).__name__} in a row"


def _is_same(left: Id, right: Id) -> bool:
    return type(left) is type(right) and left == right
