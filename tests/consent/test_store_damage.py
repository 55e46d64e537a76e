"""Files of consent events that are damaged, or not ours: refused, and never read as a yes."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from seg1.consent import ConsentEvent, ConsentLedger, SqliteStore
from seg1.consent.ledger.store import _SCHEMA
from seg1.errors import ConsentStoreError

PURPOSES = ["ads", "offers"]
N_CUSTOMERS = 60
AT = 50


def whole_file(path: Path) -> Path:
    """Grant to all, and take back from every third: the file has several pages."""
    with ConsentLedger(path) as ledger:
        ledger.record(
            ConsentEvent(f"customer-{n:04}", purpose, "grant", 0, 0, 100)
            for n in range(N_CUSTOMERS)
            for purpose in PURPOSES
        )
        ledger.record(
            ConsentEvent(f"customer-{n:04}", "*", "withdraw", 10) for n in range(0, N_CUSTOMERS, 3)
        )
    return path


def permitted(path: Path) -> set[tuple[str, str]]:
    with ConsentLedger(path) as ledger:
        return {
            (f"customer-{n:04}", purpose)
            for n in range(N_CUSTOMERS)
            for purpose in PURPOSES
            if ledger.ask(f"customer-{n:04}", purpose, at=AT).allowed
        }


def test_a_file_that_is_cut_off_permits_nothing_that_the_whole_one_did_not(tmp_path: Path) -> None:
    path = whole_file(tmp_path / "whole.sqlite")
    content, cut = path.read_bytes(), tmp_path / "cut.sqlite"
    before = permitted(path)

    n_refused = 0
    for n_bytes in range(0, len(content), 512):
        cut.write_bytes(content[:n_bytes])
        try:
            assert permitted(cut) <= before
        except ConsentStoreError:
            n_refused += 1
        for part in tmp_path.glob("cut.sqlite-*"):
            part.unlink()

    assert len(content) > 4 * 4096
    assert n_refused == len(range(512, len(content), 512))  # of no bytes a new file is made


def _zero_a_page(content: bytearray) -> None:
    content[3 * 4096 : 4 * 4096] = bytes(4096)


def _swap_two_pages(content: bytearray) -> None:
    first, second = slice(3 * 4096, 4 * 4096), slice(4 * 4096, 5 * 4096)
    content[first], content[second] = content[second], content[first]


def _hide_the_last_cell(content: bytearray) -> None:
    """Lower the number of cells of the last page of the table: SQLite alone would read on."""
    for start in range(len(content) - 4096, 0, -4096):
        if content[start] == 0x0D:
            n_cells = int.from_bytes(content[start + 3 : start + 5], "big")
            content[start + 3 : start + 5] = (n_cells - 1).to_bytes(2, "big")
            return


@pytest.mark.parametrize("spoil", [_zero_a_page, _swap_two_pages, _hide_the_last_cell])
def test_a_file_with_a_damaged_page_cannot_be_opened(
    spoil: Callable[[bytearray], None], tmp_path: Path
) -> None:
    path = whole_file(tmp_path / "c.sqlite")
    content = bytearray(path.read_bytes())
    spoil(content)
    path.write_bytes(content)

    with pytest.raises(ConsentStoreError, match="cannot open the consent store"):
        SqliteStore(path)


def test_a_file_whose_very_schema_is_no_text_cannot_be_opened(tmp_path: Path) -> None:
    path = whole_file(tmp_path / "c.sqlite")
    name, broken = b"consent_events_of_customer", b"\xc1" * 26
    content = path.read_bytes().replace(b"on consent_events (", b"on consent_events )")
    path.write_bytes(content.replace(name, broken))

    with pytest.raises(ConsentStoreError, match="cannot open the consent store"):
        SqliteStore(path)


CHECKED = "check (typeof(customer) in ('text', 'integer'))"
UNCHECKED = _SCHEMA.replace(CHECKED, "").replace("integer not null", "integer")


@pytest.mark.parametrize(
    "row",
    [
        "1, 7.0, 'offers', 'grant', 0, 0, 100",
        "1, x'07', 'offers', 'grant', 0, 0, 100",
        "1, 7, x'6f6666657273', 'grant', 0, 0, 100",
        "1, 7, 'offers', 'grant', 'soon', 0, 100",
        "1, 7, 'offers', 'grant', 0.5, 0, 100",
        "1, 7, 'offers', 'grant', null, 0, 100",
        "1, 7, 'offers', 'grant', 0, 'now', 100",
        "1, 7, 'offers', 'grant', 0, -1e999, 100",
        "1, 7, 'offers', 'grant', 0, 0, 'never'",
        "1, 7, 'offers', 'grant', 0, 0, 1e999",
        "1, 7, 'offers', 'grant', 0, 0, 1e300",
        "1, 7, 'offers', 'grant', 0, 0, null",
        "1, 7, 'offers', 'grant', 0, 0, 9223372036854775807",
        "1, 7, 'offers', 'grant', -9223372036854775808, 0, 100",
    ],
)
def test_a_row_that_is_no_event_is_refused_whatever_wrote_it(row: str, tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    connection = sqlite3.connect(path)
    connection.execute(UNCHECKED)
    connection.execute(f"insert into consent_events values ({row})")
    connection.commit()
    connection.close()

    with pytest.raises(ConsentStoreError, match="row 1 is no consent event") as caught:
        ConsentLedger(path)

    assert "offers" not in str(caught.value)


def test_a_row_that_is_no_event_is_refused_when_it_comes_later(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    connection = sqlite3.connect(path)
    connection.execute(UNCHECKED)
    with ConsentLedger(path) as ledger:
        ledger.grant(7, ["offers"], at=0, until=100)
        connection.execute("insert into consent_events values (2, 8, 'ads', 'grant', 0, 0, 1e999)")
        connection.commit()
        connection.close()

        for _ in range(2):
            with pytest.raises(ConsentStoreError, match="row 2 is no consent event"):
                ledger.ask(7, "offers", at=AT)
        with pytest.raises(ConsentStoreError, match="row 2 is no consent event"):
            ledger.history(8)


def _column(old: str, new: str) -> str:
    assert old in _SCHEMA
    return _SCHEMA.replace(old, new)


@pytest.mark.parametrize(
    "script",
    [
        _column("seq integer primary key autoincrement", "seq integer"),
        _column("seq integer primary key autoincrement", "seq text primary key"),
        _column("until_us integer not null", "until_us real not null"),
        _column("until_us integer not null", "until_us integer not null, note text"),
        _column("    until_us integer not null", "    until_us integer as (at_us + 1)"),
        _column("customer not null", "customer not null collate nocase"),
        _column("kind text not null", "kind text not null on conflict ignore"),
        _SCHEMA.replace("consent_events", "events")
        + ";create view consent_events as select * from events where kind = 'grant'",
        _SCHEMA + ";create trigger forget before insert on consent_events "
        "when new.kind = 'withdraw' begin select raise(ignore); end",
    ],
)
def test_a_table_of_another_form_is_refused(script: str, tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()

    with pytest.raises(ConsentStoreError, match="cannot open the consent store"):
        SqliteStore(path)


@pytest.mark.parametrize("seq", [0, -3])
def test_a_row_that_no_read_would_give_is_refused(seq: int, tmp_path: Path) -> None:
    path = whole_file(tmp_path / "c.sqlite")
    connection = sqlite3.connect(path)
    connection.execute(
        "insert into consent_events values (?, 'customer-0001', '*', 'withdraw', 10, 0, 0)", (seq,)
    )
    connection.commit()
    connection.close()

    with pytest.raises(ConsentStoreError, match="the file is damaged"):
        SqliteStore(path)


def test_a_refused_file_is_let_go(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    path.write_bytes(b"no database" * 400)

    with pytest.raises(ConsentStoreError):
        SqliteStore(path)

    shutil.move(path, tmp_path / "elsewhere")
    whole_file(path)
    assert permitted(path)
