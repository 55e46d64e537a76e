"""Fuzz the reader of consent stores: an answer or a typed error, and no yes from what is no record.

Usage: ``python benchmarks/fuzz_ledger.py [libFuzzer options]``, with atheris installed, for example
``-max_total_time=600 -max_len=400 -timeout=20``. It stops at the first input that breaks a claim.

The first byte chooses what is done to a whole store, whose customers partly withdrew:

- bytes are changed anywhere in the file, or in its write-ahead log. A changed value may be another
  record, and a record that the log has lost is lost: so the claim is an answer or a `Seg1Error`.
- the file is cut off anywhere: nothing is allowed that the whole file did not allow.
- rows of any types are written by somebody else, into a table with or without our checks: from a
  file with a row that is no record, nothing is allowed.
- a column is declared otherwise: the file is refused.
"""

import os
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import atheris  # type: ignore[import-untyped]  # a tool of this script alone

with atheris.instrument_imports(include=["seg1.consent.ledger"]):
    from seg1.consent import Ask, ConsentEvent, ConsentLedger, Customers
    from seg1.consent.ledger.said import KINDS
    from seg1.errors import ConsentStoreError, Seg1Error

_CUSTOMERS: Final = [f"canary-{n}" for n in range(24)]
_PURPOSES: Final = ("ads", "offers")
_MOMENTS: Final = (-(10**15), 5, 15, 50, 10**15, 2 * 10**17)
_YEARS_1_TO_9999: Final = range(-62_135_596_800_000_000, 253_402_300_800_000_000)
_DECLARED: Final = (
    "seq integer primary key", "customer", "purpose text", "kind text", "at_us integer",
    "from_us integer", "until_us integer",
)  # fmt: skip
_VALUES: Final = (
    None, 0, 5, 99, -1, 2**62, 2**63 - 1, -(2**63), 0.5, 5.0, 1e300, float("inf"), float("-inf"),
    "", "5", "soon", "canary-1", "offers", "*", "grant", "renew", "withdraw", "object", b"",
    b"offers", b"grant",
)  # fmt: skip
_FOLDER: Final = Path(
    tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)  # noqa: S108  # in memory: it is quicker
)
_FILE: Final = _FOLDER / "c.sqlite"
_LOG: Final = _FOLDER / "c.sqlite-wal"


def whole() -> tuple[bytes, bytes, bytes]:
    """Make a store: the file when it was closed, and file and log while it was open."""
    path = _FOLDER / "whole.sqlite"
    with ConsentLedger(path) as ledger:
        ledger.record(
            ConsentEvent(who, purpose, "grant", 0, 0, 100)
            for who in _CUSTOMERS
            for purpose in _PURPOSES
        )
        ledger.record(ConsentEvent(who, "*", "withdraw", 10) for who in _CUSTOMERS[::3])
        ledger.record(ConsentEvent(who, "ads", "object", 20) for who in _CUSTOMERS[1::3])
        ledger.restrict(_CUSTOMERS[2], at=30)
        open_file, log = path.read_bytes(), path.with_name("whole.sqlite-wal").read_bytes()
    return path.read_bytes(), open_file, log


def allowed() -> set[tuple[str | int, str, int]]:
    """Ask a ledger about all and everything, one by one and at once; say what it allows."""
    asked: list[str | int] = [*_CUSTOMERS]
    with ConsentLedger(_FILE) as ledger:
        found = {
            (who, purpose, at)
            for who in asked
            for purpose in _PURPOSES
            for at in _MOMENTS
            if ledger.ask(who, purpose, at=at).allowed
        }
        for who in _CUSTOMERS[:3]:
            ledger.history(who)
        for purpose in _PURPOSES:
            answer = ledger.check(Customers.of(*asked), Ask(purpose, "train", 50))
            at_once = {who for who, yes in zip(asked, answer.allowed, strict=True) if yes}
            _must(
                at_once == {who for who, of, at in found if (of, at) == (purpose, 50)},
                "many at once are not answered as one by one",
            )
        return found


def fresh(content: bytes, log: bytes | None = None) -> None:
    """Put a file in its place, and nothing else beside it."""
    for part in _FOLDER.glob("c.sqlite*"):
        part.unlink()
    _FILE.write_bytes(content)
    if log is not None:
        _LOG.write_bytes(log)


def changed(content: bytes, fuzz: Any) -> bytes:  # noqa: ANN401  # atheris has no types
    """Change some bytes of a file."""
    bent = bytearray(content)
    for _ in range(fuzz.ConsumeIntInRange(1, 12)):
        place = fuzz.ConsumeIntInRange(0, len(bent) - 1)
        # Headers of the file and of its pages more often than their depths.
        place = place % 100 if fuzz.ConsumeBool() else place
        start = (place // 4096) * 4096 + place % 16 if fuzz.ConsumeBool() else place
        bent[min(start, len(bent) - 1)] = fuzz.ConsumeIntInRange(0, 255)
    return bytes(bent)


def try_bytes(fuzz: Any) -> None:  # noqa: ANN401  # as above
    """Change bytes of the file."""
    fresh(changed(_WHOLE, fuzz))
    _answer_or_refuse()


def try_log(fuzz: Any) -> None:  # noqa: ANN401  # as above
    """Change bytes of the log, and cut it off."""
    log = changed(_OPEN_LOG, fuzz)
    fresh(_OPEN, log[: fuzz.ConsumeIntInRange(0, len(log))])
    _answer_or_refuse()


def try_cut(fuzz: Any) -> None:  # noqa: ANN401  # as above
    """Cut the file off."""
    fresh(_WHOLE[: fuzz.ConsumeIntInRange(0, len(_WHOLE) - 1)])
    found = _answer_or_refuse()
    _must(found <= _ALLOWED, "a file that was cut off allows more")


def try_rows(fuzz: Any) -> None:  # noqa: ANN401  # as above
    """Let somebody else write rows of any types beside a good one."""
    fresh(b"")
    good = (1, "canary-1", "offers", "grant", 0, 0, 100)
    written = [good, *(row_of(fuzz) for _ in range(fuzz.ConsumeIntInRange(1, 3)))]
    kept = write(", ".join(_DECLARED), written)
    try:
        found = allowed()
    except ConsentStoreError:
        return
    _must(all(map(is_record, kept)), "a row that is no record is answered from")
    _must(all(at < 2**60 for *_, at in found), "allowed for ever")


def row_of(fuzz: Any) -> tuple[object, ...]:  # noqa: ANN401  # as above
    """Make a row of values of any types, most of them in their places."""
    usual = (None, "canary-2", "offers", fuzz.PickValueInList(list(KINDS)), 0, 0, 100)
    row = [value if fuzz.ConsumeBool() else any_value(fuzz) for value in usual]
    return None if fuzz.ConsumeBool() else row[0], *row[1:]


def any_value(fuzz: Any) -> object:  # noqa: ANN401  # as above
    """Take a value of any type that SQLite has."""
    kinds = (
        lambda: fuzz.PickValueInList(list(_VALUES)),
        lambda: fuzz.ConsumeInt(8),
        fuzz.ConsumeFloat,
        lambda: fuzz.ConsumeUnicodeNoSurrogates(20),
        lambda: fuzz.ConsumeBytes(20),
    )
    value: object = kinds[fuzz.ConsumeIntInRange(0, len(kinds) - 1)]()
    return value


def try_columns(fuzz: Any) -> None:  # noqa: ANN401  # as above
    """Declare a column otherwise, leave one out, or put one in."""
    fresh(b"")
    columns = list(_DECLARED)
    place = fuzz.ConsumeIntInRange(0, len(columns) - 1)
    name = columns[place].split()[0]
    other = fuzz.PickValueInList(["real", "blob", "numeric", "any", "int8", "text collate nocase"])
    instead = fuzz.PickValueInList([f"{name} {other}", f"other {other}", None])
    columns[place : place + 1] = [] if instead is None else [instead]
    connection = sqlite3.connect(_FILE)
    connection.execute(f"create table consent_events ({', '.join(columns)})")
    connection.close()
    try:
        ConsentLedger(_FILE).close()
    except ConsentStoreError:
        return
    _must(holds=False, claim="a table of another form was opened")


def write(table: str, rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Write rows as another program would; give what is kept of them."""
    connection = sqlite3.connect(_FILE)
    connection.execute(f"create table consent_events ({table})")
    for row in rows:
        try:
            connection.execute("insert into consent_events values (?, ?, ?, ?, ?, ?, ?)", row)
        except (sqlite3.Error, OverflowError, UnicodeEncodeError):
            continue  # the other program's error
    connection.commit()
    kept = connection.execute("select * from consent_events").fetchall()
    connection.close()
    return kept


def is_record(row: tuple[object, ...]) -> bool:
    """Say in plain Python whether a row is a record that a ledger could have written."""
    seq, customer, purpose, kind, *times = row
    if type(seq) is not int or seq < 1 or type(customer) not in (str, int):
        return False
    if not (type(purpose) is str and type(kind) is str and all(type(t) is int for t in times)):
        return False
    at_us, from_us, until_us = times
    is_in_time = all(isinstance(t, int) and abs(t) <= 2**60 for t in (from_us, until_us))
    return at_us in _YEARS_1_TO_9999 and is_in_time


def _answer_or_refuse() -> set[tuple[str | int, str, int]]:
    try:
        return allowed()
    except Seg1Error as error:
        _must("canary" not in str(error), "a message quotes a row")
        return set()


def _must(holds: bool, claim: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not holds:
        raise AssertionError(claim)


_WAYS: Final = (try_bytes, try_log, try_cut, try_rows, try_columns)


def try_one(raw: bytes) -> None:
    """Do to a whole store what the bytes say."""
    fuzz = atheris.FuzzedDataProvider(raw)
    _WAYS[fuzz.ConsumeIntInRange(0, len(_WAYS) - 1)](fuzz)


if __name__ == "__main__":
    _WHOLE, _OPEN, _OPEN_LOG = whole()
    fresh(_WHOLE)
    _ALLOWED = allowed()
    _must(len(_ALLOWED) > 10, "the whole store allows nothing")
    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()
