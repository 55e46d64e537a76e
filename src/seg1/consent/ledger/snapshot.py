"""`LedgerSnapshot`: what stood in a ledger at one epoch."""

import threading
from collections.abc import Sequence

from seg1._checks import to_us
from seg1._types import At, Id
from seg1.consent.codes import verdict_of, verdicts_of
from seg1.consent.ledger.columns import Columns
from seg1.consent.ledger.standing import Asked, Standing
from seg1.consent.verdicts import Ask, Customers, Verdict, Verdicts
from seg1.events.vocabulary import as_id

__all__ = ["LedgerSnapshot"]


class LedgerSnapshot:
    """What stood in a ledger at one epoch: a filter that no later word changes.

    For work of several steps that must all rest on one state. `ConsentLedger.snapshot` makes it.
    """

    name = "ledger snapshot"
    may_veto = True

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._columns = Columns(standing, threading.RLock())

    @property
    def epoch(self) -> int:
        """Epoch of the ledger of which this is a snapshot."""
        return self._standing.epoch

    def __repr__(self) -> str:
        return f"LedgerSnapshot(epoch {self.epoch})"

    def ask(self, customer: Id, purpose: str, *, at: At) -> Verdict:
        """Answer for one customer and purpose, as of a moment."""
        (code,), _ = self.read(as_id(customer), [(purpose, False)], to_us(at))
        return verdict_of(code)

    def check(self, customers: Customers, ask: Ask) -> Verdicts:
        """Answer for many customers: the contract of a `ConsentFilter`."""
        return verdicts_of(self._columns.codes(customers, ask), epoch=self.epoch)

    def read(self, customer: Id, asked: Sequence[Asked], at_us: int) -> tuple[tuple[int, ...], int]:
        """Answer for one customer and several purposes, in codes; with the epoch, taken first.

        One look for all: how `Consent.ask` reads a ledger.
        """
        epoch = self._standing.epoch
        return self._standing.codes(customer, asked, at_us), epoch
