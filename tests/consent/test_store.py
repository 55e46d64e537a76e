"""The stores: order, durability, and errors that quote nobody."""

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1._types import Id
from seg1.consent import (
    Consent,
    ConsentEvent,
    ConsentLedger,
    ConsentStore,
    MemoryStore,
    SqliteStore,
)
from seg1.consent.ledger.said import KINDS, EventKind
from seg1.consent.ledger.store import _HISTORY, _bring_up_to_date
from seg1.errors import ConsentStoreError
from seg1.events.vocabulary import id_problem

texts = st.text(min_size=1, max_size=20).filter(lambda s: id_problem(s) is None)
times = st.integers(-(2**55), 2**55)
events = st.builds(
    ConsentEvent,
    customer=st.one_of(texts, st.integers(-(2**63), 2**63 - 1)),
    purpose=texts,
    kind=st.sampled_from(KINDS),
    at_us=times,
    from_us=times,
    until_us=times,
)
EVENT = ConsentEvent("canary", "canary purpose", "withdraw", 5)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ConsentStore]:
    is_memory = request.param == "memory"
    made: ConsentStore = MemoryStore() if is_memory else SqliteStore(tmp_path / "consent.sqlite")
    yield made
    made.close()


@given(batches=st.lists(st.lists(events, max_size=5), max_size=4))
@settings(max_examples=25, deadline=None)
def test_both_stores_give_back_what_was_appended(batches: list[list[ConsentEvent]]) -> None:
    stores: list[ConsentStore] = [MemoryStore(), SqliteStore(":memory:")]

    for store in stores:
        for batch in batches:
            store.append(batch)

    expected = [event for batch in batches for event in batch]
    for store in stores:
        assert store.read(0) == list(enumerate(expected, start=1))
        assert [type(e.customer) for _, e in store.read(0)] == [type(e.customer) for e in expected]
        store.close()


def test_read_gives_only_what_is_newer(store: ConsentStore) -> None:
    store.append([EVENT, EVENT, EVENT])

    assert [number for number, _ in store.read(1)] == [2, 3]
    assert store.read(3) == []


def test_version_moves_with_every_append_and_stays_between(store: ConsentStore) -> None:
    versions = [store.version(), store.version()]
    store.append([EVENT])
    versions.append(store.version())
    store.append([EVENT])
    versions.append(store.version())

    assert versions[0] == versions[1]
    assert len(set(versions)) == 3


def test_version_sees_what_another_connection_wrote(tmp_path: Path) -> None:
    ours, theirs = SqliteStore(tmp_path / "c.sqlite"), SqliteStore(tmp_path / "c.sqlite")
    before = ours.version()

    theirs.append([EVENT])

    assert ours.version() != before
    assert len(ours.read(0)) == 1
    ours.close()
    theirs.close()


def test_a_file_is_written_ahead_and_every_commit_is_flushed_to_disk(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "c.sqlite")

    told = [store._connection.execute(f"pragma {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous")]  # fmt: skip

    assert told == ["wal", 2]  # 2 is FULL
    store.close()


def test_a_reopened_file_holds_the_same_events(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "c.sqlite")
    store.append([EVENT])
    store.close()

    again = SqliteStore(str(tmp_path / "c.sqlite"))

    assert again.read(0) == [(1, EVENT)]
    again.close()


def test_a_batch_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "c.sqlite")
    bad = ConsentEvent("canary", "p", "perhaps", 5)  # type: ignore[arg-type]  # the point

    with pytest.raises(ConsentStoreError, match="cannot write the consent store") as caught:
        store.append([EVENT, bad])

    assert "canary" not in str(caught.value)
    assert store.read(0) == []
    store.append([EVENT])
    assert len(store.read(0)) == 1
    store.close()


def test_a_closed_file_raises_for_every_call(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "c.sqlite")
    store.close()
    store.close()

    for call in (store.version, lambda: store.read(0), lambda: store.append([EVENT])):
        with pytest.raises(ConsentStoreError, match="closed"):
            call()


def _no_database(path: Path) -> None:
    path.write_bytes(b"no database" * 200)


def _folder(path: Path) -> None:
    path.mkdir()


def _other_table(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("create table consent_events (x)")
    connection.close()


@pytest.mark.parametrize("spoil", [_no_database, _folder, _other_table])
def test_what_is_no_store_cannot_be_opened(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    spoil(path)

    with pytest.raises(ConsentStoreError, match="cannot open the consent store"):
        SqliteStore(path)


def test_a_store_in_a_folder_that_is_not_there_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ConsentStoreError, match="unable to open database file"):
        SqliteStore(tmp_path / "absent" / "c.sqlite")


def test_a_row_that_is_no_text_is_refused_without_quoting_it(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "c.sqlite")
    other = sqlite3.connect(tmp_path / "c.sqlite")
    other.execute(
        "insert into consent_events (customer, purpose, kind, at_us, from_us, until_us) "
        "values (cast(x'63616e617279ff' as text), 'p', 'withdraw', 5, 0, 0)"
    )
    other.commit()
    other.close()

    with pytest.raises(ConsentStoreError, match=r"read the consent store: .* in a row$") as caught:
        store.read(0)

    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__
    store.close()
    with pytest.raises(ConsentStoreError, match="cannot open the consent store"):
        SqliteStore(tmp_path / "c.sqlite")


FIRST_SCHEMA = """
create table if not exists consent_events (
    seq integer primary key autoincrement,
    customer not null check (typeof(customer) in ('text', 'integer')),
    purpose text not null,
    kind text not null check (kind in ('grant', 'withdraw')),
    at_us integer not null,
    from_us integer not null,
    until_us integer not null
)
"""
FIRST_ROWS: list[tuple[Id, str, EventKind, int, int, int]] = [
    ("ana", "offers", "grant", 0, 0, 99),
    (7, "ads", "grant", 0, 0, 99),
    ("ana", "*", "withdraw", 9, 0, 0),
]


def first_file(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("pragma journal_mode = wal")
    connection.execute(FIRST_SCHEMA)
    connection.executemany(
        "insert into consent_events (customer, purpose, kind, at_us, from_us, until_us) "
        "values (?, ?, ?, ?, ?, ?)",
        FIRST_ROWS,
    )
    connection.execute("delete from consent_events where seq = 1")
    connection.commit()
    connection.close()


def test_a_file_of_the_first_schema_opens_with_its_events_and_takes_every_kind(
    tmp_path: Path,
) -> None:
    path = tmp_path / "c.sqlite"
    first_file(path)

    store = SqliteStore(path)
    store.append([ConsentEvent("ana", "*", kind, 10) for kind in KINDS])

    kept = store.read(0)
    assert [number for number, _ in kept] == list(range(2, 4 + len(KINDS)))
    assert [event for _, event in kept[:2]] == [ConsentEvent(*row) for row in FIRST_ROWS[1:]]
    assert type(kept[0][1].customer) is int
    store.close()


def test_a_file_of_the_first_schema_that_another_holds_open_is_brought_up_to_date_for_both(
    tmp_path: Path,
) -> None:
    path = tmp_path / "c.sqlite"
    first_file(path)
    other = sqlite3.connect(path, isolation_level=None)
    before = other.execute("pragma data_version").fetchone()

    with ConsentLedger(path) as ledger:
        ledger.object(7, at=10)

        rows = other.execute("select kind from consent_events order by seq").fetchall()
        assert [kind for (kind,) in rows] == ["grant", "withdraw", "object"]
        assert other.execute("pragma data_version").fetchone() != before
    other.close()


def test_a_file_that_cannot_be_brought_up_to_date_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(FIRST_SCHEMA.replace("check (kind in ('grant', 'withdraw'))", ""))
        connection.execute(
            "insert into consent_events values (1, 'canary', 'p', 'perhaps', 0, 0, 0)"
        )
    connection.close()

    with pytest.raises(ConsentStoreError, match="cannot open the consent store") as caught:
        SqliteStore(path)

    assert "canary" not in str(caught.value)
    connection = sqlite3.connect(path)
    assert connection.execute("select kind from consent_events").fetchall() == [("perhaps",)]
    connection.close()


def test_another_that_was_quicker_is_not_undone(tmp_path: Path) -> None:
    class Late:
        """A connection that learns only under the lock that the file is up to date."""

        def __init__(self) -> None:
            self.connection = sqlite3.connect(path, isolation_level=None)
            self.told: list[str] = []

        def execute(self, statement: str) -> sqlite3.Cursor:
            self.told.append(statement)
            is_first = len(self.told) == 1
            return self.connection.execute("select 1" if is_first else statement)

    path = tmp_path / "c.sqlite"
    SqliteStore(path).close()
    late = Late()

    _bring_up_to_date(late)  # type: ignore[arg-type]  # all that it uses

    assert late.told[1:] == ["begin immediate", late.told[0], "commit"]
    late.connection.close()


def test_one_customers_history_is_found_by_an_index(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "c.sqlite")
    store.append([ConsentEvent(who, "p", "withdraw", at) for at in range(3) for who in ("7", "8")])

    plan = store._connection.execute("explain query plan " + _HISTORY, ("7",)).fetchall()

    assert "consent_events_of_customer" in str(plan)
    assert store.history("7") == [ConsentEvent("7", "p", "withdraw", at) for at in range(3)]
    assert store.history(7) == []
    store.close()


def test_repr_of_an_event_shows_neither_customer_nor_purpose() -> None:
    assert repr(EVENT) == "ConsentEvent(withdraw)"


def test_threads_append_without_losing_an_event(store: ConsentStore) -> None:
    def append(who: int) -> None:
        for at_us in range(20):
            store.append([ConsentEvent(who, "p", "withdraw", at_us)])

    threads = [threading.Thread(target=append, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    rows = store.read(0)
    assert [number for number, _ in rows] == list(range(1, 81))
    for who in range(4):
        assert [e.at_us for _, e in rows if e.customer == who] == list(range(20))


def test_a_file_that_stays_locked_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seg1.consent.ledger.store._OPEN_TRIES", 2)
    monkeypatch.setattr("seg1.consent.ledger.store._OPEN_PAUSE_S", 0)
    holder = sqlite3.connect(tmp_path / "c.sqlite", isolation_level=None)
    holder.execute("create table other (x)")
    holder.execute("begin immediate")
    monkeypatch.setattr("seg1.consent.ledger.store._BUSY_MS", 0)

    with pytest.raises(ConsentStoreError, match=r"cannot open the consent store: .*locked"):
        SqliteStore(tmp_path / "c.sqlite")

    holder.close()


def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    failures: list[Exception] = []
    start = threading.Barrier(6)

    def use(who: int) -> None:
        start.wait()
        try:
            store = SqliteStore(tmp_path / "c.sqlite")
            store.append([ConsentEvent(who, "p", "withdraw", 1)])
            store.close()
        except ConsentStoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=use, args=(who,)) for who in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures
    store = SqliteStore(tmp_path / "c.sqlite")
    assert len(store.read(0)) == 6
    store.close()


WRITER = """
import sys
from seg1.consent import ConsentLedger
ledger = ConsentLedger(sys.argv[1])
for n in range(100_000):
    ledger.withdraw(n, ["p"], at=n)
    print(n, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
@pytest.mark.parametrize("n_before_kill", [1, 7, 40])
def test_a_killed_writer_loses_no_acknowledged_event(n_before_kill: int, tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None

    acknowledged = [int(child.stdout.readline()) for _ in range(n_before_kill)]
    child.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in child.stdout.read().splitlines()]
    child.wait()
    child.stdout.close()

    store = SqliteStore(path)
    with ConsentLedger(store) as ledger:
        kept = {event.customer for _, event in store.read(0)}
        assert set(acknowledged) <= kept
        assert ledger.ask(acknowledged[-1], "p", at=10**13).reason.words == "withdrawn"


OTHER_PROCESS = """
import sys
from seg1.consent import ConsentLedger
with ConsentLedger(sys.argv[1]) as ledger:
    assert ledger.ask("ana", "p", at=50).allowed
    ledger.withdraw("ana", at=40)
"""


def test_a_second_process_is_heard_at_the_next_check(tmp_path: Path) -> None:
    with ConsentLedger(tmp_path / "c.sqlite") as ledger:
        ledger.grant("ana", ["p"], at=0, until=100)
        consent = Consent({("p", "train"): ledger})
        before = consent.ask("ana", at=50)

        subprocess.run([sys.executable, "-c", OTHER_PROCESS, tmp_path / "c.sqlite"], check=True)

        after = consent.ask("ana", at=50)
        assert (before.allows("train"), after.allows("train")) == (True, False)
        assert after.epoch > before.epoch
