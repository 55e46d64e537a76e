"""Opening a store's file: what is waited for, what is refused, and that nothing stays open."""

import contextlib
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from seg1.consent import SqliteStore
from seg1.consent.ledger import store as store_module
from seg1.errors import ConsentStoreError


class Busy:
    """A connection to a new file that another process is making, for a few tries."""

    def __init__(self, path: Path, n_busy: int, code: int = sqlite3.SQLITE_BUSY) -> None:
        self.true = sqlite3.connect(path)
        self.n_busy = n_busy
        self.code = code

    def execute(self, *asked: Any) -> sqlite3.Cursor:  # noqa: ANN401  # passed on as they are
        if "journal_mode" in asked[0] and self.n_busy:
            self.n_busy -= 1
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = self.code
            raise error
        return self.true.execute(*asked)


@pytest.mark.parametrize(("n_busy", "is_open"), [(2, True), (3, False)])
def test_a_file_that_another_process_is_making_is_waited_for_a_while(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    n_busy: int,
    is_open: bool,  # noqa: FBT001  # a row of the table
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    monkeypatch.setattr(store_module, "_OPEN_TRIES", 3)
    connection: Any = Busy(tmp_path / "new.sqlite", n_busy)  # Any: stands for sqlite's own

    with contextlib.nullcontext() if is_open else pytest.raises(sqlite3.OperationalError):
        store_module._prepare(connection)

    connection.true.close()
    assert pauses == [store_module._OPEN_PAUSE_S] * 2


def test_what_waiting_does_not_mend_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    connection: Any = Busy(tmp_path / "new.sqlite", 1, sqlite3.SQLITE_READONLY)

    with pytest.raises(sqlite3.OperationalError):
        store_module._prepare(connection)

    connection.true.close()
    assert not pauses


def test_a_file_that_is_no_store_is_refused_and_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []

    class Watched(sqlite3.Connection):
        def close(self) -> None:
            closed.append(True)
            super().close()

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Watched))
    path = tmp_path / "other.sqlite"
    path.write_bytes(b"not a database" * 100)

    with pytest.raises(ConsentStoreError, match=r"^cannot open the consent store: Datab.*: f"):
        SqliteStore(path)
    assert closed


def test_a_closed_store_tells_no_history(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "closed.sqlite")
    store.close()

    with pytest.raises(ConsentStoreError, match=r"^cannot read the consent store: Prog"):
        store.history("ana")
