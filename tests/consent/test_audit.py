"""The audit trail: what is written stays as it was, or is found out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg1.consent import (
    Consent,
    ConsentEvent,
    ConsentLedger,
    Customers,
    Reason,
    Verdicts,
)
from seg1.consent.audit import AuditHead, AuditTrail, verify_audit
from seg1.errors import AuditError, InvalidArgumentError, InvalidTypeError

KEY = b"sixteen bytes at least"
CANARY = "canary-7f3a@example.org"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A trail of five lines."""
    path = tmp_path / "audit.jsonl"
    with AuditTrail(path, key=KEY) as trail:
        for n in range(5):
            trail.record("grant", at=n, customer=f"{CANARY}-{n}", facts={"purposes": ["offers"]})
    return path


def changed(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


def test_a_trail_that_nobody_touched_is_whole(path: Path) -> None:
    assert verify_audit(path, key=KEY).n_lines == 5


def test_a_trail_goes_on_where_it_stopped(path: Path) -> None:
    with AuditTrail(path, key=KEY) as trail:
        before = trail.head
        trail.record("withdraw", at=9)
        after = trail.head

    assert (before.n_lines, after.n_lines) == (5, 6)
    assert verify_audit(path, key=KEY, head=before) == after


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: [*lines[:2], lines[2].replace(b"grant", b"grunt"), *lines[3:]], 3),
        (lambda lines: [*lines[:2], *lines[3:]], 3),
        (lambda lines: lines[1:], 1),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 2),
        (lambda lines: [*lines, lines[-1]], 6),
        (lambda lines: [*lines[:4], lines[4][:-3] + b"\n"], 5),
        (lambda lines: [*lines[:1], b"\n", *lines[1:]], 2),
        (lambda lines: [*lines[:1], lines[1].replace(b"}\n", b"} \n"), *lines[2:]], 2),
    ],
    ids=["changed", "removed", "first removed", "moved", "repeated", "cut", "blank", "space"],
)
def test_a_line_that_does_not_follow_is_named(
    path: Path, change: Callable[[list[bytes]], list[bytes]], line: int
) -> None:
    changed(path, change)

    with pytest.raises(AuditError, match=f"line {line} of the audit trail does not follow"):
        verify_audit(path, key=KEY)
    with pytest.raises(AuditError, match=f"line {line} "):
        AuditTrail(path, key=KEY)


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unseen(
    place: int, bit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    with AuditTrail(path, key=KEY) as trail:
        for n in range(3):
            trail.record("grant", at=n, customer=n)
        head = trail.head
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << bit
    path.write_bytes(bytes(content))

    with pytest.raises(AuditError):
        verify_audit(path, key=KEY, head=head)


def test_lines_cut_off_the_end_are_found_out_by_an_anchored_head(path: Path) -> None:
    head = verify_audit(path, key=KEY)
    changed(path, lambda lines: lines[:3])

    assert verify_audit(path, key=KEY).n_lines == 3
    with pytest.raises(AuditError, match="has 3 lines, and had 5: lines were cut off"):
        verify_audit(path, key=KEY, head=head)


def test_a_trail_written_anew_is_found_out_by_an_anchored_head(path: Path) -> None:
    head = verify_audit(path, key=KEY)
    path.unlink()
    with AuditTrail(path, key=KEY) as trail:
        for n in range(9):
            trail.record("grant", at=n)

    with pytest.raises(AuditError, match="line 5 of the audit trail is not the one"):
        verify_audit(path, key=KEY, head=head)
    with pytest.raises(AuditError, match="line 0 of the audit trail is not the one"):
        verify_audit(path, key=KEY, head=AuditHead(0, "0" * 64))


def test_what_an_earlier_release_wrote_is_still_followed(tmp_path: Path) -> None:
    path = tmp_path / "earlier.jsonl"
    key = b"sixteen bytes !!"
    line = (
        b'{"n":1,"act":"withdraw","at_us":5,"ref":"ab05e58445d9474cf044a3a3fcde4de2",'
        b'"purposes":["offers"],'
        b'"mac":"f96ae7015acb80c289379c97366aed83e11546e07ba76b06dc71eb8c671cd390"}\n'
    )
    path.write_bytes(line)

    with AuditTrail(path, key=key) as trail:
        assert repr(trail) == "AuditTrail(1 lines)"
        assert trail.reference("ana") == "ab05e58445d9474cf044a3a3fcde4de2"
        assert trail.reference(7) == "cd2ae90f0bbbf55bf8cb6240bb0702d2"
    assert verify_audit(path, key=key).n_lines == 1


def test_another_key_verifies_nothing(path: Path) -> None:
    with pytest.raises(AuditError, match=r"line 1 .* or this is another key"):
        verify_audit(path, key=b"another key altogether")


def test_a_line_that_was_not_finished_is_told_and_removed_when_the_trail_goes_on(
    path: Path,
) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"n":6,"act":"gra')

    with pytest.raises(AuditError, match="line 6 of the audit trail is not finished"):
        verify_audit(path, key=KEY)
    AuditTrail(path, key=KEY).close()

    assert path.read_bytes().startswith(whole)
    last = json.loads(path.read_bytes().splitlines()[-1])
    assert (last["act"], last["at_us"], last["bytes"]) == ("recovered", 0, 17)
    assert verify_audit(path, key=KEY).n_lines == 6


def test_no_line_holds_an_id_and_references_depend_on_the_key(path: Path) -> None:
    with AuditTrail(path, key=KEY) as trail:
        known = [json.loads(line)["ref"] for line in path.read_bytes().splitlines()]
        assert known == [trail.reference(f"{CANARY}-{n}") for n in range(5)]
        assert trail.reference(5) != trail.reference("5")
        assert CANARY not in repr(trail)
    with AuditTrail(path.with_name("other"), key=b"another key altogether") as other:
        assert other.reference(f"{CANARY}-0") != known[0]
    assert CANARY not in path.read_text()


def test_a_check_of_many_is_one_line_of_counts(tmp_path: Path) -> None:
    verdicts = Verdicts(
        np.array([1, -1, -1, 0], np.int8),
        np.array([Reason.GRANTED, Reason.WITHDRAWN, Reason.WITHDRAWN, Reason.NO_RECORD], np.int8),
        epoch=7,
    )
    path = tmp_path / "audit.jsonl"

    with AuditTrail(path, key=KEY) as trail:
        trail.record_check(verdicts, stage="train", purposes=["profiling"], at=5)

    told = json.loads(path.read_text())
    assert told.pop("mac")
    assert told == {
        "n": 1, "act": "check", "at_us": 5, "stage": "train", "purposes": ["profiling"],
        "epoch": 7, "asked": 4, "allowed": 1, "denied": {"withdrawn": 2, "no record": 1},
    }  # fmt: skip


def test_a_second_writer_is_refused(path: Path) -> None:
    first, second = AuditTrail(path, key=KEY), AuditTrail(path, key=KEY)
    first.record("grant", at=1)

    with pytest.raises(AuditError, match="another process has written to it"):
        second.record("grant", at=2)

    assert verify_audit(path, key=KEY) == first.head
    first.close()
    second.close()


def test_a_line_that_cannot_be_written_leaves_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "no space left on device")

    with AuditTrail(path, key=KEY) as trail:
        monkeypatch.setattr("seg1.consent.audit.os.fsync", full)
        with pytest.raises(AuditError, match="cannot write the audit trail: OSError"):
            trail.record("grant", at=1)
        monkeypatch.undo()
        trail.record("grant", at=2)

    assert verify_audit(path, key=KEY).n_lines == 6
    with pytest.raises(AuditError, match="cannot write the audit trail: ValueError"):
        trail.record("grant", at=3)  # it is closed


def test_a_file_that_cannot_be_opened_is_an_audit_error(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="cannot open the audit trail: IsADirectoryError"):
        AuditTrail(tmp_path, key=KEY)
    with pytest.raises(AuditError, match="cannot read the audit trail: FileNotFoundError"):
        verify_audit(tmp_path / "none", key=KEY)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"act": ""}, InvalidTypeError, "act must be a non-empty str"),
        ({"facts": {"mac": "x"}}, InvalidArgumentError, "facts must have names other than"),
        ({"facts": {"share": 0.5}}, InvalidTypeError, "a fact must be a word, .* got float"),
        ({"facts": {"is": True}}, InvalidTypeError, "a fact must be a word, .* got bool"),
        ({"facts": {"who": [7]}}, InvalidTypeError, "a word must be a non-empty str, got int"),
        ({"facts": {"who": {"": 7}}}, InvalidTypeError, "a word must be a non-empty str, got str"),
        ({"facts": {"": 7}}, InvalidTypeError, "the name of a fact must be a non-empty str"),
        ({"facts": {"n": 5}}, InvalidArgumentError, "facts must have names other than"),
        ({"customer": 0.5}, InvalidTypeError, "id must be a str or an int, got float"),
    ],
)
def test_what_cannot_be_told_is_refused(
    path: Path, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with AuditTrail(path, key=KEY) as trail:
        with pytest.raises(error, match=message):
            trail.record(**{"act": "grant", "at": 1, **arguments})
        assert trail.head.n_lines == 5


@pytest.mark.parametrize(
    ("key", "error"), [("a word", InvalidTypeError), (b"short", InvalidArgumentError)]
)
def test_a_key_is_bytes_and_long_enough(path: Path, key: bytes, error: type[Exception]) -> None:
    with pytest.raises(error, match="key must"):
        AuditTrail(path, key=key)


def test_a_ledger_and_a_policy_write_down_what_they_are_told_and_asked(path: Path) -> None:
    with AuditTrail(path, key=KEY) as trail:
        ledger = ConsentLedger(audit=trail)
        consent = Consent.for_purposes(ledger, train="p", decide="q", measure="r", audit=trail)
        ledger.grant(CANARY, ["p", "q"], at=1, until=9)
        ledger.record(
            [ConsentEvent("a", "p", "withdraw", 2), ConsentEvent("b", "p", "withdraw", 3)]
        )
        ledger.record([])
        consent.check(Customers.of(CANARY, "a", "c"), stage="train", at_us=5)
        reference = trail.reference(CANARY)

    granted, withdrawn, checked = (
        {name: v for name, v in json.loads(line).items() if name not in ("n", "mac")}
        for line in path.read_text().splitlines()[5:]
    )
    assert granted == {
        "act": "recorded", "at_us": 1, "ref": reference, "kinds": {"grant": 2},
        "purposes": ["p", "q"], "customers": 1,
    }  # fmt: skip
    assert withdrawn == {
        "act": "recorded", "at_us": 3, "kinds": {"withdraw": 2}, "purposes": ["p"], "customers": 2,
    }  # fmt: skip
    assert checked == {
        "act": "check", "at_us": 5, "stage": "train", "purposes": ["p"], "epoch": 4, "asked": 3,
        "allowed": 1, "denied": {"withdrawn": 1, "no record": 1},
    }  # fmt: skip
    assert CANARY not in path.read_text()


def test_a_question_that_cannot_be_written_down_is_not_answered_and_a_withdrawal_holds(
    path: Path,
) -> None:
    trail = AuditTrail(path, key=KEY)
    ledger = ConsentLedger(audit=trail)
    consent = Consent.for_purposes(ledger, train="p", decide="q", measure="r", audit=trail)
    ledger.grant("ana", ["p"], at=1, until=9)
    trail.close()

    with pytest.raises(AuditError, match="cannot write"):
        consent.check(Customers.of("ana"), stage="train", at_us=5)
    with pytest.raises(AuditError, match="cannot write"):
        ledger.grant("bo", ["p"], at=1, until=9)
    with pytest.raises(AuditError, match="cannot write"):
        ledger.withdraw("ana", at=2)

    assert not ledger.ask("ana", "p", at=5).allowed
    assert ledger.history("bo") == []


def test_a_trail_is_a_trail() -> None:
    with pytest.raises(InvalidTypeError, match="audit must be an AuditTrail, got str"):
        ConsentLedger(audit="audit.jsonl")  # type: ignore[arg-type]  # that is what is tested
