"""`ConsentLedger`: what customers said, folded into who permits what, now or then."""

import logging
import threading
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Self

from seg1._checks import to_us
from seg1._types import At, Id
from seg1.consent.audit import AuditTrail, check_audit
from seg1.consent.codes import verdict_of, verdicts_of
from seg1.consent.ledger.columns import Columns
from seg1.consent.ledger.said import CLOSING, EVERYTHING, ConsentEvent, EventKind, checked_event
from seg1.consent.ledger.snapshot import LedgerSnapshot
from seg1.consent.ledger.standing import Asked, Standing
from seg1.consent.ledger.store import ConsentStore, MemoryStore, SqliteStore
from seg1.consent.ledger.words import GRANT
from seg1.consent.verdicts import Ask, Customers, Verdict, Verdicts
from seg1.errors import InvalidArgumentError, InvalidTypeError, WrongIdTypeError
from seg1.events.vocabulary import as_id

__all__ = ["ConsentLedger"]

log = logging.getLogger(__name__)


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
    audit
        Where each record is written down, without ids, by keyed references: a grant before it is
        kept, so that none holds unwritten; a withdrawal afterwards, so that it holds in any case.

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

    may_veto = True
    """Objections and restrictions: see `Consent`."""

    def __init__(
        self,
        store: str | PathLike[str] | ConsentStore | None = None,
        *,
        audit: AuditTrail | None = None,
    ) -> None:
        if store is None:
            store = MemoryStore()
        elif isinstance(store, str | PathLike):
            store = SqliteStore(store)
        elif not all(hasattr(store, word) for word in ("append", "read", "version", "close")):
            raise InvalidTypeError(
                f"store must be a path, a ConsentStore or None, got {type(store).__name__}"
            )
        self._store: ConsentStore = store
        self._audit = check_audit(audit)
        self._lock = threading.RLock()
        self._standing = Standing()
        self._columns = Columns(self._standing, self._lock)
        self._last_seq = 0
        self._version = -1
        self._catch_up()

    @property
    def name(self) -> str:
        """Name of the filter, for reports."""
        return "ledger"

    @property
    def epoch(self) -> int:
        """How many events have changed the state so far."""
        return self._standing.epoch

    @property
    def purposes(self) -> tuple[str, ...]:
        """Purposes that anybody has said something about, as of the last look; sorted."""
        with self._lock:
            return tuple(sorted(self._standing.words.keys() - {EVERYTHING}))

    def __repr__(self) -> str:
        n_chains = sum(map(len, self._standing.words.values()))
        return f"ConsentLedger({n_chains} customer purposes, epoch {self.epoch})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def grant(
        self,
        customer: Id,
        purposes: Iterable[str],
        *,
        at: At,
        until: At,
        from_: At | None = None,
        renews: bool = False,
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
        renews
            Say in the history that it renews a grant. The rule is the same.

        Raises
        ------
        InvalidArgumentError
            Where the validity is empty, or no purpose is named.
        ConsentStoreError
            Where it could not be kept, or not be read again.
        """
        at_us, until_us = to_us(at), to_us(until, name="until")
        from_us = at_us if from_ is None else to_us(from_, name="from_")
        who, kind = as_id(customer), "renew" if renews else "grant"
        self.record(
            ConsentEvent(who, purpose, kind, at_us, from_us, until_us)  # type: ignore[arg-type]  # one of two kinds
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
        return self._refuse("withdraw", customer, purposes, at=at)

    def object(self, customer: Id, purposes: Iterable[str] | None = None, *, at: At) -> bool:
        """Record that a customer objects to purposes (GDPR, article 21).

        A veto: no tree of filters around the ledger opens what is objected to. Only a grant of the
        purpose that is said strictly later lifts it; a withdrawal or an end does not.

        Parameters, results and errors are those of `withdraw`.

        Examples
        --------
        >>> ledger = ConsentLedger()
        >>> ledger.object("ana", ["offers"], at=5)
        True
        >>> ledger.ask("ana", "offers", at=5).reason.words
        'objected'
        """
        return self._refuse("object", customer, purposes, at=at)

    def expire(self, customer: Id, purposes: Iterable[str] | None = None, *, at: At) -> bool:
        """Record that grants end, without the customer having refused: they read as expired.

        Parameters, results and errors are those of `withdraw`. What was refused stays refused.
        """
        return self._refuse("expire", customer, purposes, at=at)

    def restrict(self, customer: Id, *, at: At) -> None:
        """Record that no data of a customer may be used, whatever the purpose (GDPR, article 18).

        A veto, until `unrestrict` lifts it; of both at the same microsecond the restriction holds.
        No grant lifts it.
        """
        self._mark("restrict", customer, at=at)

    def unrestrict(self, customer: Id, *, at: At) -> None:
        """Record that a restriction is lifted: what was said of the purposes holds again."""
        self._mark("unrestrict", customer, at=at)

    def opt_out(self, customer: Id, *, at: At) -> None:
        """Record that a customer wants no automated decisions (GDPR, article 22).

        A veto for the stage *decide* alone, until `opt_in` lifts it; no grant does. `ask`, which
        names no stage, does not tell it; a policy does.

        Examples
        --------
        >>> from seg1 import Consent
        >>> ledger = ConsentLedger()
        >>> ledger.grant("ana", ["offers"], at=0, until=9)
        >>> ledger.opt_out("ana", at=1)
        >>> consent = Consent.for_purposes(ledger, train="a", decide="offers", measure="b")
        >>> permits = consent.ask("ana", at=5)
        >>> permits.allows("candidates"), permits.reason("decide").words
        (True, 'automated opt out')
        """
        self._mark("opt_out", customer, at=at)

    def opt_in(self, customer: Id, *, at: At) -> None:
        """Record that a customer accepts automated decisions again."""
        self._mark("opt_in", customer, at=at)

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
        checked = [checked_event(event) for event in events]
        with self._lock:
            self._check_kind({type(event.customer) for event in checked})
            # What may open something holds only once it is written down; what closes, at once.
            is_closing = all(event.kind in CLOSING for event in checked)
            if self._audit is not None and not is_closing:
                self._audit.record_events(checked)
            self._store.append(checked)
            self._catch_up()
            if self._audit is not None and is_closing:
                self._audit.record_events(checked)

    def check_kind(self, customer: Id) -> None:
        """Refuse an id of another kind than the ledger holds: 5 and "5" are two customers.

        Raises
        ------
        WrongIdTypeError
            For a str where it holds ints, or the reverse.
        """
        self._look()
        self._check_kind({type(as_id(customer))})

    def ask(self, customer: Id, purpose: str, *, at: At) -> Verdict:
        """Answer for one customer and purpose, as of a moment."""
        (code,), _ = self.read(as_id(customer), [(purpose, False)], to_us(at))
        return verdict_of(code)

    def check(self, customers: Customers, ask: Ask) -> Verdicts:
        """Answer for many customers: the contract of a `ConsentFilter`."""
        self._look()
        epoch = self.epoch  # taken first: what is folded meanwhile may be heard, and moves it
        return verdicts_of(self._columns.codes(customers, ask), epoch=epoch)

    def read(self, customer: Id, asked: Sequence[Asked], at_us: int) -> tuple[tuple[int, ...], int]:
        """Answer for one customer and several purposes, in codes; with the epoch, taken first.

        One look for all: how `Consent.ask` reads a ledger.
        """
        if self._store.version() != self._version:
            self._look()
        epoch = self._standing.epoch
        return self._standing.codes(customer, asked, at_us), epoch

    def snapshot(self) -> LedgerSnapshot:
        """Keep what stands now as a filter that no later word changes.

        Examples
        --------
        >>> ledger = ConsentLedger()
        >>> ledger.grant("ana", ["offers"], at=0, until=9)
        >>> kept = ledger.snapshot()
        >>> ledger.withdraw("ana", at=1)
        True
        >>> kept.ask("ana", "offers", at=5).allowed, ledger.ask("ana", "offers", at=5).allowed
        (True, False)
        """
        with self._lock:
            self._catch_up()
            return LedgerSnapshot(self._standing.copy())

    def history(self, customer: Id) -> list[ConsentEvent]:
        """List all that was recorded of one customer, in the order of recording."""
        wanted = as_id(customer)
        of_one = getattr(self._store, "history", None)
        if of_one is not None:
            return list(of_one(wanted))
        events = (event for _, event in self._store.read(0))
        return [e for e in events if type(e.customer) is type(wanted) and e.customer == wanted]

    def close(self) -> None:
        """Close the store. A ledger on a file then answers nothing any more."""
        self._store.close()

    def _refuse(
        self, kind: EventKind, customer: Id, purposes: Iterable[str] | None, *, at: At
    ) -> bool:
        """Record a refusal; say whether it is the newest word."""
        who, at_us = as_id(customer), to_us(at)
        named = [EVERYTHING] if purposes is None else _several(purposes)
        self.record(ConsentEvent(who, purpose, kind, at_us) for purpose in named)
        with self._lock:
            affected = self._standing.words if purposes is None else named
            words = [self._standing.chain(who, purpose) for purpose in affected]
        # The word just recorded stands in each of them: a grant on top of it was said later.
        is_newest = not any(word is not None and word.rank == GRANT for word in words)
        if not is_newest:
            log.warning(
                "a withdrawal was recorded with a time before a grant that it leaves standing"
            )
        return is_newest

    def _mark(self, kind: EventKind, customer: Id, *, at: At) -> None:
        self.record([ConsentEvent(as_id(customer), EVERYTHING, kind, to_us(at))])

    def _check_kind(self, asked: set[type]) -> None:
        """Refuse a second kind of id: 5 and "5" are two customers, and one of them a mistake."""
        known = self._standing.kind
        if len(asked | ({known} if known else set())) > 1:
            raise WrongIdTypeError(
                "this ledger holds str ids and was given int ids, or the reverse; use one kind, "
                "for example with str(id)"
            )

    def _look(self) -> None:
        """Hear what was said up to now."""
        with self._lock:
            self._catch_up()

    def _catch_up(self) -> None:
        """Fold what was appended since, by this process or another."""
        version = self._store.version()  # taken first: what comes during the read is read again
        if version == self._version:
            return
        for seq, event in self._store.read(self._last_seq):
            changed = self._standing.fold(event)
            if changed:
                self._columns.tell(event.customer, changed)
            self._last_seq = seq  # afterwards: an event that cannot be folded is never passed over
        self._version = version


def _several(purposes: Iterable[str]) -> list[str]:
    if isinstance(purposes, str) or not isinstance(purposes, Iterable):
        raise InvalidTypeError(
            f'purposes must be several, for example ["offers"], got one {type(purposes).__name__}'
        )
    named = list(purposes)
    if not named:
        raise InvalidArgumentError("purposes must name at least one purpose")
    return named
