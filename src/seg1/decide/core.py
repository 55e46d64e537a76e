"""What the engine's parts share: journal, state, locks, the order of releases."""

import itertools
import threading
from collections.abc import Callable
from os import PathLike
from typing import Final

from seg1._checks import MIN_US
from seg1._types import Id
from seg1.consent import STAGES, ConsentDoor, Permits, Reason
from seg1.decide.state import State
from seg1.errors import UnknownIdError, WrongIdTypeError
from seg1.journal import Decided, Journal, Row, SqliteJournal, Voided, Withheld

__all__ = [
    "BIT",
    "Core",
    "has_lost",
    "may_answer",
    "may_decide",
    "objects",
    "open_core",
    "why_not",
]

BIT: Final = {stage: 1 << i for i, stage in enumerate(STAGES)}
"""Bit of each stage in `Permits.bits`."""

_N_STRIPES: Final = 64
_DECIDE: Final = BIT["candidates"] | BIT["decide"]
_OWN: Final = -1 << len(STAGES)  # rules of single features
_USED: Final = _DECIDE | BIT["features"] | BIT["log"] | BIT["measure"] | _OWN


class Core:
    """Journal and state, kept in step under one lock; and the stripes that order releases.

    Parameters
    ----------
    journal
        The truth.
    consent
        Who permits what.
    fresh
        Gives a state that has folded nothing.

    Attributes
    ----------
    lock
        Held whenever the state is read or a row is appended.
    state
        The fold of the journal.
    n_refused
        How many reports named a decision that is not known.
    """

    def __init__(
        self, journal: Journal, *, consent: ConsentDoor, fresh: Callable[[], State]
    ) -> None:
        self.journal = journal
        self.consent = consent
        self.lock = threading.Lock()
        self.n_refused = 0
        self._fresh = fresh
        self._stripes = tuple(threading.Lock() for _ in range(_N_STRIPES))
        self._releases = itertools.count(1)
        self._seeing = threading.Lock()
        self._latest_us = MIN_US
        self.state = fresh()
        self.refold()

    def ask(self, customer: Id, at_us: int) -> Permits:
        """Ask what a customer permits both then and at the latest moment the engine has seen.

        So a call that was stamped earlier never overtakes a withdrawal, nor uses a later grant.
        """
        latest_us = self._latest_us
        now = self.consent.ask(customer, max(at_us, latest_us))
        if at_us >= latest_us or not now.bits:
            return now
        return _both(now, self.consent.ask(customer, at_us))

    def append(self, row: Row) -> None:
        """Keep a row, then fold it; the caller holds the lock."""
        self.journal.append(row)
        self.state.fold(row)
        self.saw(row.at_us)

    def void(self, row: Decided) -> None:
        """Take back a decision that was not released; unless it has been erased meanwhile."""
        with self.lock:
            if self.state.outcomes.decision(row.decision_id) is not None:
                self.append(Voided(decision_id=row.decision_id, at_us=row.at_us))

    def withhold(self, decision_id: str) -> None:
        """Close a decision to answers and learning, for good; the caller holds the lock."""
        outcomes = self.state.outcomes
        is_known = outcomes.decision(decision_id) is not None
        if is_known and not outcomes.is_withheld(decision_id):
            # At the time that it is: a later one would close windows, and learn from them, first.
            self.append(Withheld(decision_id=decision_id, at_us=outcomes.now_us))

    def heed(self, at_us: int) -> None:
        """Withhold what a row of that moment would teach, where it is not permitted any more.

        Asked before the lock is taken, so that a slow source of consent holds nobody up.
        """
        with self.lock:
            due = self.state.outcomes.due(at_us)
        asked = [(row, self.ask(row.owner, at_us)) for row in due if row.is_measured]
        lost = [row.decision_id for row, permits in asked if not may_answer(permits, row)]
        if lost:
            with self.lock:
                for decision_id in lost:
                    self.withhold(decision_id)

    def why_not(self, customer: Id, permits: Permits) -> str:
        """Say in words why a customer may not be decided for personally, and what may be wrong."""
        words = why_not(permits)
        if words == Reason.NO_RECORD.words:
            try:
                self.consent.check_kind(customer)
            except WrongIdTypeError:
                return f"{words}, and the ledger's ids are not of type {type(customer).__name__}"
            except Exception:  # noqa: BLE001  # a store may raise anything; the fallback stands
                return words
        return words

    def saw(self, at_us: int) -> None:
        """Note a moment that the engine has seen."""
        with self._seeing:  # appends and withdrawals hold different locks
            self._latest_us = max(self._latest_us, at_us)

    def known(self, decision_id: str) -> Decided:
        """Give a logged decision; count and refuse an id that none has. The caller holds the lock.

        A decision that the state has forgotten, because its time for corrections is over, is looked
        up in the journal.
        """
        decided = self.state.outcomes.decision(decision_id) or self.forgotten(decision_id)
        if decided is None or decided.customer is None:
            self.n_refused += 1
            raise UnknownIdError(
                "no logged decision has this id; report exposures and outcomes with the id of a "
                "Decision whose `logged` is True"
            )
        return decided

    def forgotten(self, decision_id: str) -> Decided | None:
        """Give a decision that the journal alone still knows, and that was not taken back."""
        if self.state.outcomes.status(decision_id) == "voided":
            return None
        return self.journal.find(decision_id)

    def refold(self) -> None:
        """Fold the whole journal anew."""
        state = self._fresh()
        for _, row in self.journal.read():
            state.fold(row)
        self.state = state
        self.saw(state.outcomes.now_us)

    def stripe(self, customer: Id) -> threading.Lock:
        """Give the lock under which releases and withdrawals of a customer are ordered."""
        return self._stripes[hash(customer) % _N_STRIPES]

    def next_release(self) -> int:
        """Take the next place in the order of releases and withdrawals."""
        return next(self._releases)


def _both(now: Permits, then: Permits) -> Permits:
    """Permit what both permit, and say why the other is not."""
    reasons = tuple(
        then.reasons[i] if now.bits >> i & 1 else now.reasons[i] for i in range(len(now.reasons))
    )
    return Permits(now.bits & then.bits, reasons, now.epoch)


def may_decide(permits: Permits) -> bool:
    """Whether a customer may be decided for personally."""
    return not _DECIDE & ~permits.bits


def may_answer(permits: Permits, row: Decided) -> bool:
    """Whether what came of a decision may be kept, and learned where it was to be learned."""
    needed = _DECIDE | BIT["log"] | (BIT["measure"] if row.is_measured else 0)
    return not needed & ~permits.bits


def has_lost(before: Permits, now: Permits) -> bool:
    """Whether something that a decision's row may rest on is not permitted any more."""
    return bool(_USED & before.bits & ~now.bits)


def objects(permits: Permits) -> bool:
    """Whether a customer objects to marketing: nothing is shown then, not even the fallback."""
    return any(permits.reason(s) is Reason.OBJECTED for s in ("candidates", "decide"))


def why_not(permits: Permits) -> str:
    """Say in words why a customer may not be decided for personally."""
    for stage in ("candidates", "decide"):
        if not permits.bits & BIT[stage]:
            return permits.reason(stage).words
    return "changed while the decision was made"


def open_core(
    journal: str | PathLike[str] | Journal, *, consent: ConsentDoor, fresh: Callable[[], State]
) -> tuple[Journal, Core]:
    """Open a journal and fold it; a file that cannot be folded is closed again."""
    if not isinstance(journal, str | PathLike):
        return journal, Core(journal, consent=consent, fresh=fresh)
    opened = SqliteJournal(journal)
    try:
        return opened, Core(opened, consent=consent, fresh=fresh)
    except BaseException:
        opened.close()
        raise
