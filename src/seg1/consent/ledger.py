"""`ConsentLedger`: what customers said, folded into who permits what, now or then."""

import logging
import threading
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from typing import Self

import numpy as np

from seg1._checks import check_choice, to_us
from seg1._types import At, Id
from seg1.consent.store import ConsentEvent, ConsentStore, MemoryStore, SqliteStore
from seg1.consent.verdicts import (
    ALLOW,
    DENY,
    UNKNOWN,
    Ask,
    Customers,
    Reason,
    Verdict,
    Verdicts,
)
from seg1.errors import InvalidArgumentError, InvalidTypeError, WrongIdTypeError
from seg1.events.vocabulary import MAX_ID_BYTES, as_id, id_problem, plain_id

__all__ = ["ConsentLedger"]

log = logging.getLogger(__name__)

_EVERYTHING = "*"
_NO_RECORD = Verdict(UNKNOWN, Reason.NO_RECORD)


@dataclass(frozen=True, slots=True)
class _Word:
    """All that was said about one purpose at one moment, folded: deny wins, grants intersect."""

    at_us: int
    is_grant: bool
    from_us: int
    until_us: int

    def and_(self, other: "_Word") -> "_Word":
        if not (self.is_grant and other.is_grant):
            return _Word(self.at_us, is_grant=False, from_us=0, until_us=0)
        from_us = max(self.from_us, other.from_us)
        until_us = min(self.until_us, other.until_us)
        return _Word(self.at_us, is_grant=True, from_us=from_us, until_us=until_us)

    def verdict(self, at_us: int) -> Verdict:
        if not self.is_grant:
            return Verdict(DENY, Reason.WITHDRAWN)
        if at_us >= self.until_us:
            return Verdict(UNKNOWN, Reason.EXPIRED)
        if at_us < self.from_us:
            return Verdict(UNKNOWN, Reason.NOT_YET_VALID)
        return Verdict(ALLOW, Reason.GRANTED)


class ConsentLedger:
    """Grants and withdrawals per customer and purpose; everybody starts without any.

    The newest word said at or before a moment decides for that moment; of words of the same
    microsecond a withdrawal wins, and grants permit only what all of them permit. So the state
    depends neither on the order nor on the repetition of events, and can be asked as of any time.

    A ledger is a consent filter: hand it to `Consent.for_purposes`, or compose it with others.

    Parameters
    ----------
    store
        Path of an SQLite file that keeps the events (made where missing), a `ConsentStore`, or
        None to keep them in memory.

    Raises
    ------
    ConsentStoreError
        Where the store cannot be read.
    InvalidTypeError
        For something that is no store.

    Examples
    --------
    >>> from seg1 import Consent, ConsentLedger
    >>> ledger = ConsentLedger()
    >>> ledger.grant("ana", ["offers"], at=0, until=1_000)
    >>> ledger.ask("ana", "offers", at=999).allowed, ledger.ask("ana", "offers", at=1_000).allowed
    (True, False)
    >>> ledger.withdraw("ana", at=500)
    True
    >>> ledger.ask("ana", "offers", at=500).reason.words
    'withdrawn'
    """

    def __init__(self, store: str | PathLike[str] | ConsentStore | None = None) -> None:
        if store is None:
            store = MemoryStore()
        elif isinstance(store, str | PathLike):
            store = SqliteStore(store)
        elif not all(hasattr(store, word) for word in ("append", "read", "version", "close")):
            raise InvalidTypeError(
                f"store must be a path, a ConsentStore or None, got {type(store).__name__}"
            )
        self._store: ConsentStore = store
        self._lock = threading.RLock()
        self._words: dict[tuple[Id, str], list[_Word]] = {}
        self._purposes: set[str] = set()
        self._last_seq = 0
        self._version = -1
        self._epoch = 0
        self._catch_up()

    @property
    def name(self) -> str:
        """Name of the filter, for reports."""
        return "ledger"

    @property
    def epoch(self) -> int:
        """How many events have changed the state so far."""
        return self._epoch

    def __repr__(self) -> str:
        return f"ConsentLedger({len(self._words)} customer purposes, epoch {self._epoch})"

    def grant(
        self,
        customer: Id,
        purposes: Iterable[str],
        *,
        at: At,
        until: At,
        from_: At | None = None,
    ) -> None:
        """Record that a customer permits purposes.

        Parameters
        ----------
        customer
            The customer.
        purposes
            Purposes, as the policy names them; at least one.
        at
            When it was said.
        until
            First moment at which it is no longer valid. There is no grant for ever.
        from_
            First moment at which it is valid; `at` where not given.

        Raises
        ------
        InvalidArgumentError
            Where the validity is empty, or no purpose is named.
        ConsentStoreError
            Where it could not be kept, or not be read again.
        """
        at_us, until_us = to_us(at), to_us(until, name="until")
        from_us = at_us if from_ is None else to_us(from_, name="from_")
        who = as_id(customer)
        self.record(
            ConsentEvent(who, purpose, "grant", at_us, from_us, until_us)
            for purpose in _several(purposes)
        )

    def withdraw(self, customer: Id, purposes: Iterable[str] | None = None, *, at: At) -> bool:
        """Record that a customer no longer permits purposes, from that instant.

        Parameters
        ----------
        customer
            The customer.
        purposes
            Purposes; None for all there are, also those granted earlier and recorded later.
        at
            When it was said. Only a grant said strictly later permits again.

        Returns
        -------
        bool
            Whether it is the newest word. False where a grant stands that was said later, and so
            goes on permitting: look at the clocks of who said what, and withdraw again.

        Raises
        ------
        ConsentStoreError
            Where it could not be kept, or not be read again.
        """
        who, at_us = as_id(customer), to_us(at)
        named = [_EVERYTHING] if purposes is None else _several(purposes)
        self.record(ConsentEvent(who, purpose, "withdraw", at_us) for purpose in named)
        with self._lock:
            affected = self._purposes if purposes is None else named
            words = [self._words[who, p][-1] for p in affected if (who, p) in self._words]
        is_newest = not any(word.is_grant and word.at_us > at_us for word in words)
        if not is_newest:
            log.warning(
                "a withdrawal was recorded with a time before a grant that it leaves standing"
            )
        return is_newest

    def record(self, events: Iterable[ConsentEvent]) -> None:
        """Record many events in one write, all or none, as when another system's are taken over.

        Parameters
        ----------
        events
            Grants and withdrawals of any customers, in any order.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            For an event that cannot be; then nothing has changed.
        ConsentStoreError
            Where they could not be kept, or not be read again.

        Examples
        --------
        >>> from seg1.consent import ConsentEvent
        >>> ledger = ConsentLedger()
        >>> ledger.record([ConsentEvent("ana", "offers", "grant", at_us=0, until_us=9)])
        >>> ledger.ask("ana", "offers", at=5).allowed
        True
        """
        checked = [_checked(event) for event in events]
        with self._lock:
            self._check_kind({type(event.customer) for event in checked})
            self._store.append(checked)
            self._catch_up()

    def ask(self, customer: Id, purpose: str, *, at: At) -> Verdict:
        """Answer for one customer and purpose, as of a moment."""
        at_us = to_us(at)
        with self._lock:
            self._catch_up()
            return self._verdict(as_id(customer), purpose, at_us)

    def check(self, customers: Customers, ask: Ask) -> Verdicts:
        """Answer for many customers: the contract of a `ConsentFilter`."""
        with self._lock:
            self._catch_up()
            answers = [self._verdict(i, ask.purpose, ask.at_us) for i in customers.ids()]
            epoch = self._epoch
        values = np.fromiter((a.value for a in answers), np.int8, count=len(answers))
        reasons = np.fromiter((a.reason for a in answers), np.int8, count=len(answers))
        return Verdicts(values, reasons, epoch)

    def history(self, customer: Id) -> list[ConsentEvent]:
        """List all that was recorded of one customer, in the order of recording."""
        wanted = as_id(customer)
        return [event for _, event in self._store.read(0) if _same(event.customer, wanted)]

    def close(self) -> None:
        """Close the store. A ledger on a file then answers nothing any more."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_kind(self, asked: set[type]) -> None:
        """Refuse a second kind of id: 5 and "5" are two customers, and one of them a mistake."""
        known = type(next(iter(self._words))[0]) if self._words else None
        if len(asked | ({known} if known else set())) > 1:
            raise WrongIdTypeError(
                "this ledger holds str ids and was given int ids, or the reverse; use one kind, "
                "for example with str(id)"
            )

    def _catch_up(self) -> None:
        """Fold what was appended since, by this process or another."""
        version = self._store.version()  # taken first: what comes during the read is read again
        if version == self._version:
            return
        for seq, event in self._store.read(self._last_seq):
            self._fold(event)
            self._last_seq = seq  # afterwards: an event that cannot be folded is never passed over
        self._version = version

    def _fold(self, event: ConsentEvent) -> None:
        words = self._words.setdefault((event.customer, event.purpose), [])
        self._purposes.add(event.purpose)
        # A grant of everything is not ours, whoever wrote it: it counts as a withdrawal.
        is_grant = event.kind == "grant" and event.purpose != _EVERYTHING
        new = _Word(event.at_us, is_grant, event.from_us, event.until_us)
        place = bisect_right(words, event.at_us, key=_said_at)
        if place and words[place - 1].at_us == event.at_us:
            folded = words[place - 1].and_(new)
            if folded == words[place - 1]:
                return  # said before: a repetition changes nothing, not even the epoch
            words[place - 1] = folded
        else:
            words.insert(place, new)
        self._epoch += 1

    def _verdict(self, customer: Id, purpose: str, at_us: int) -> Verdict:
        word = self._newest(customer, purpose, at_us)
        general = self._newest(customer, _EVERYTHING, at_us)
        if general is not None and (word is None or word.at_us <= general.at_us):
            word = general
        return _NO_RECORD if word is None else word.verdict(at_us)

    def _newest(self, customer: Id, purpose: str, at_us: int) -> _Word | None:
        words = self._words.get((customer, purpose))
        if not words:
            return None
        if words[-1].at_us <= at_us:
            return words[-1]
        place = bisect_right(words, at_us, key=_said_at)
        return words[place - 1] if place else None


def _several(purposes: Iterable[str]) -> list[str]:
    if isinstance(purposes, str) or not isinstance(purposes, Iterable):
        raise InvalidTypeError(
            f'purposes must be several, for example ["offers"], got one {type(purposes).__name__}'
        )
    named = list(purposes)
    if not named:
        raise InvalidArgumentError("purposes must name at least one purpose")
    return named


def _checked(event: ConsentEvent) -> ConsentEvent:
    """Accept an event that means something, as plain values that any store can keep."""
    if not isinstance(event, ConsentEvent):
        raise InvalidTypeError(f"events must be ConsentEvents, got a {type(event).__name__}")
    who, at_us = as_id(event.customer), to_us(event.at_us, name="at_us")
    if not isinstance(event.purpose, str) or id_problem(event.purpose) is not None:
        raise InvalidArgumentError(
            f"a purpose must be a non-empty str of at most {MAX_ID_BYTES} bytes"
        )
    purpose = str(plain_id(event.purpose))
    check_choice(event.kind, name="kind", choices=("grant", "withdraw"))
    if event.kind == "withdraw":
        return ConsentEvent(who, purpose, "withdraw", at_us)
    from_us, until_us = to_us(event.from_us, name="from_us"), to_us(event.until_us, name="until_us")
    if purpose == _EVERYTHING:
        raise InvalidArgumentError("a grant names its purposes; there is no grant of everything")
    if until_us <= max(from_us, at_us):
        raise InvalidArgumentError("until must lie after at and from_: the grant is never valid")
    return ConsentEvent(who, purpose, "grant", at_us, from_us, until_us)


def _said_at(word: _Word) -> int:
    return word.at_us


def _same(left: Id, right: Id) -> bool:
    return type(left) is type(right) and left == right
