"""`AuditTrail`: what was permitted, asked and refused, in lines that cannot be changed unseen.

One JSON object a line. Each line ends with a keyed hash (HMAC) of itself and of the line before, so
that a line which is changed, removed, inserted or moved breaks the chain where that happened. Lines
cut off at the end leave a shorter chain that is whole: `AuditTrail.head`, kept elsewhere, shows it.
"""

import hashlib
import hmac
import json
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Self, TypeAlias

from seg1._checks import to_us
from seg1._types import At, Id
from seg1.consent.ledger.said import ConsentEvent
from seg1.consent.verdicts import Verdicts
from seg1.errors import AuditError, InvalidArgumentError, InvalidTypeError
from seg1.events.vocabulary import as_id

__all__ = ["AuditHead", "AuditTrail", "check_audit", "verify_audit"]

Fact: TypeAlias = str | int | Sequence[str] | Mapping[str, int]

_LEAST_KEY_BYTES: Final = 16
_OWN: Final = frozenset(("n", "at_us", "act", "ref", "mac"))
_LINE: Final = re.compile(rb'(\{.*),"mac":"([0-9a-f]{64})"\}\n', re.DOTALL)


class AuditHead(NamedTuple):
    """Where a trail ends: keep it elsewhere, and a trail that was cut short is found out.

    Attributes
    ----------
    n_lines
        How many lines there are.
    mac
        The keyed hash of the last; 64 hexadecimal digits.
    """

    n_lines: int
    mac: str


class AuditTrail:
    """A file of hash-chained lines about consent. When a call returns, its line is on disk.

    No line holds a customer's id: a keyed reference stands for it, which only the key can tie to
    the customer again. That is pseudonymised, not anonymous: it remains personal data.

    Parameters
    ----------
    path
        The file; made where missing. One process writes to it at a time.
    key
        A secret of at least 16 bytes. Who has it can verify the trail, and could forge one.

    Raises
    ------
    AuditError
        Where the file cannot be opened, or its chain is broken. A last line that was not finished,
        because the process died, was never acknowledged: it is removed, and a line says so.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name) / "audit.jsonl"
    >>> with AuditTrail(path, key=b"a secret of your own") as trail:
    ...     trail.record("withdraw", at=5, customer=1024, facts={"purposes": ["offers"]})
    ...     head = trail.head
    >>> verify_audit(path, key=b"a secret of your own", head=head).n_lines
    1
    >>> "1024" in path.read_text()
    False
    >>> folder.cleanup()
    """

    def __init__(self, path: str | PathLike[str], *, key: bytes) -> None:
        self._chain_key, self._reference_key = _keys(key)
        self._lock = threading.Lock()
        try:
            self._file = Path(path).open("a+b")  # noqa: SIM115  # kept open until close()
        except OSError as error:
            raise AuditError(f"cannot open the audit trail: {type(error).__name__}") from None
        try:
            self._head, self._n_bytes = _walk(self._file, self._chain_key)
            self._recover()
        except BaseException:
            self._file.close()
            raise

    @property
    def head(self) -> AuditHead:
        """Where the trail ends now; keep it where who writes the trail cannot write."""
        return self._head

    def __repr__(self) -> str:
        return f"AuditTrail({self._head.n_lines} lines)"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def reference(self, customer: Id) -> str:
        """Give the keyed reference under which a customer stands in the trail."""
        who = as_id(customer)
        text = f"{type(who).__name__}:{who}".encode()
        return hmac.digest(self._reference_key, text, hashlib.sha256).hex()[:32]

    def record(
        self,
        act: str,
        *,
        at: At,
        customer: Id | None = None,
        facts: Mapping[str, Fact] | None = None,
    ) -> None:
        """Write one line.

        Parameters
        ----------
        act
            What was done ("withdraw").
        at
            When.
        customer
            Whom it is about; written as a reference.
        facts
            More about it: names to words, whole numbers, lists of words, or counts by word. Never a
            customer's id or data.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            For facts that cannot be written.
        AuditError
            Where it could not be written; then nothing of it is there.
        """
        told: dict[str, object] = {"act": _word(act, "act"), "at_us": to_us(at)}
        if customer is not None:
            told["ref"] = self.reference(customer)
        told |= _checked_facts(facts or {})
        with self._lock:
            self._append(told)

    def record_check(
        self, verdicts: Verdicts, *, stage: str, purposes: Sequence[str], at: At
    ) -> None:
        """Write down what a question about many customers came to, in counts.

        Parameters
        ----------
        verdicts
            The answers.
        stage, purposes
            What was asked: the step of the path, and the purposes that had to permit it.
        at
            As of when it was asked.
        """
        allowed = int(verdicts.allowed.sum())
        self.record(
            "check",
            at=at,
            facts={
                "stage": stage,
                "purposes": list(purposes),
                "epoch": verdicts.epoch,
                "asked": len(verdicts),
                "allowed": allowed,
                "denied": dict(verdicts.denied_by_reason()),
            },
        )

    def record_events(self, events: Sequence[ConsentEvent]) -> None:
        """Write down what was recorded in a ledger: kinds and purposes, and whose where of one.

        Parameters
        ----------
        events
            What was recorded in one write.
        """
        if not events:
            return
        customers = {(type(event.customer), event.customer) for event in events}
        self.record(
            "recorded",
            at=max(event.at_us for event in events),
            customer=events[0].customer if len(customers) == 1 else None,
            facts={
                "kinds": Counter(event.kind for event in events),
                "purposes": sorted({event.purpose for event in events}),
                "customers": len(customers),
            },
        )

    def _append(self, told: dict[str, object]) -> None:
        line, head = _written(told, after=self._head, key=self._chain_key)
        try:
            if os.fstat(self._file.fileno()).st_size != self._n_bytes:
                raise AuditError(
                    "cannot write the audit trail: another process has written to it; one process "
                    "writes to a trail at a time"
                )
            _put(self._file, line, start=self._n_bytes)
        except (OSError, ValueError) as error:
            if isinstance(error, AuditError):
                raise
            raise AuditError(f"cannot write the audit trail: {type(error).__name__}") from None
        self._head, self._n_bytes = head, self._n_bytes + len(line)

    def _recover(self) -> None:
        """Remove a line that was not finished, and say so."""
        n_bytes = os.fstat(self._file.fileno()).st_size - self._n_bytes
        if n_bytes:
            self._file.truncate(self._n_bytes)
            self._append({"act": "recovered", "at_us": 0, "bytes": n_bytes})


def verify_audit(
    path: str | PathLike[str], *, key: bytes, head: AuditHead | None = None
) -> AuditHead:
    """Check every line of a trail against its chain.

    Parameters
    ----------
    path
        The file.
    key
        The trail's key.
    head
        An earlier `AuditTrail.head`: the trail must have that very line, so that lines cut off its
        end are found out too.

    Returns
    -------
    AuditHead
        Where the trail ends.

    Raises
    ------
    AuditError
        Where a line was changed, removed, inserted, moved or cut, or another key was used; the
        message says which line.
    """
    chain_key, _ = _keys(key)
    try:
        with Path(path).open("rb") as file:
            found, n_bytes = _walk(file, chain_key, anchor=head)
            is_whole = os.fstat(file.fileno()).st_size == n_bytes
    except AuditError:
        raise
    except OSError as error:
        raise AuditError(f"cannot read the audit trail: {type(error).__name__}") from None
    if not is_whole:
        raise AuditError(f"line {found.n_lines + 1} of the audit trail is not finished")
    if head is not None and found.n_lines < head.n_lines:
        raise AuditError(
            f"the audit trail has {found.n_lines} lines, and had {head.n_lines}: lines were cut off"
        )
    return found


def check_audit(audit: object) -> AuditTrail | None:
    """Accept a trail or None."""
    if audit is None or isinstance(audit, AuditTrail):
        return audit
    raise InvalidTypeError(f"audit must be an AuditTrail, got {type(audit).__name__}")


def _keys(key: bytes) -> tuple[bytes, bytes]:
    """Derive a key for the chain and one for references: no key serves two uses."""
    if not isinstance(key, bytes):
        raise InvalidTypeError(f"key must be bytes, got {type(key).__name__}")
    if len(key) < _LEAST_KEY_BYTES:
        raise InvalidArgumentError(f"key must have at least {_LEAST_KEY_BYTES} bytes")
    uses = (b"seg1 audit chain", b"seg1 audit reference")
    chain, reference = (hmac.digest(key, use, hashlib.sha256) for use in uses)
    return chain, reference


def _walk(file: BinaryIO, key: bytes, *, anchor: AuditHead | None = None) -> tuple[AuditHead, int]:
    """Follow the chain; give its head and the bytes of its finished lines."""
    head, n_bytes = AuditHead(0, _mac(key, "", b"")), 0
    _check_anchor(head, anchor)
    for line in _lines(file):
        head, n_bytes = _next_head(line, after=head, key=key), n_bytes + len(line)
        _check_anchor(head, anchor)
    return head, n_bytes


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Give the lines that are finished."""
    file.seek(0)
    for line in file:
        if line.endswith(b"\n"):
            yield line


def _next_head(line: bytes, *, after: AuditHead, key: bytes) -> AuditHead:
    """Check a line, and give the head that it makes."""
    n = after.n_lines + 1
    found = _LINE.fullmatch(line)
    if found is None or not hmac.compare_digest(
        _mac(key, after.mac, found[1]), found[2].decode("ascii")
    ):
        raise AuditError(
            f"line {n} of the audit trail does not follow from the one before: a line was changed, "
            "removed, inserted or moved, or this is another key"
        )
    return AuditHead(n, found[2].decode("ascii"))


def _check_anchor(head: AuditHead, anchor: AuditHead | None) -> None:
    if anchor is not None and head.n_lines == anchor.n_lines and head.mac != anchor.mac:
        raise AuditError(
            f"line {head.n_lines} of the audit trail is not the one that was anchored: the trail "
            "was written anew"
        )


def _written(
    told: Mapping[str, object], *, after: AuditHead, key: bytes
) -> tuple[bytes, AuditHead]:
    """Write a line down, and give the head that it makes."""
    n = after.n_lines + 1
    body = json.dumps({"n": n, **told}, separators=(",", ":")).encode("ascii")[:-1]
    mac = _mac(key, after.mac, body)
    return body + f',"mac":"{mac}"}}\n'.encode("ascii"), AuditHead(n, mac)


def _mac(key: bytes, before: str, body: bytes) -> str:
    return hmac.digest(key, before.encode("ascii") + body, hashlib.sha256).hex()


def _put(file: BinaryIO, line: bytes, *, start: int) -> None:
    """Write a line and wait until it is on disk; where that fails, take back what was written."""
    try:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    except OSError:
        file.truncate(start)
        raise


def _word(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidTypeError(f"{name} must be a non-empty str, got {type(value).__name__}")
    return value


def _checked_facts(facts: Mapping[str, Fact]) -> dict[str, object]:
    if _OWN & facts.keys():
        raise InvalidArgumentError(f"facts must have names other than {', '.join(sorted(_OWN))}")
    return {_word(name, "the name of a fact"): _checked_fact(fact) for name, fact in facts.items()}


def _checked_fact(fact: object) -> object:
    if isinstance(fact, Mapping):
        return {_word(word, "a word"): _count(n) for word, n in fact.items()}
    if isinstance(fact, str):
        return fact
    if isinstance(fact, Sequence):
        return [_word(word, "a word") for word in fact]
    return _count(fact)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidTypeError(
            "a fact must be a word, a whole number, words, or counts by word, "
            f"got {type(value).__name__}"
        )
    return value
