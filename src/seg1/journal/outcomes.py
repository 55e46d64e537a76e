"""From rows to what may be learned: exposures, answers, windows. A fold, like all state here.

A decision is learned when its outcome window closes in *journal time*, the largest ``at`` seen so
far: positives at once and zeros later would overstate whatever is young. It may be corrected for
as long again as its window was, and is forgotten then: what is remembered stays bounded.

With an early age, what has come of a decision by then is told too: of all alike, answered or not.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from seg1.journal.records import Decided, Exposed, Outcome, Row, Voided, Withheld

__all__ = ["Answered", "Correction", "Early", "Outcomes"]

_Due = tuple[int, int, str]  # (when, arrival, id)


class Answered(NamedTuple):
    """A decision whose window has closed, and what came of it.

    Attributes
    ----------
    decided
        The decision.
    accepted, reward
        The answers; 0 where none came.
    is_exposed
        Whether the customer saw it in time. Without that nothing is learned from it.
    is_withheld
        Whether the customer permits no more that anything is learned from it.
    early
        What had come of it at the early age; None where none is set, the window is not longer, or
        the customer had not seen it by then.
    """

    decided: Decided
    accepted: float
    reward: float
    is_exposed: bool
    is_withheld: bool = False
    early: "Answered | None" = None


class Early(NamedTuple):
    """What has come at the early age of a decision that was seen by then; its window is open."""

    so_far: Answered


class Correction(NamedTuple):
    """An answer that was changed after the window of its decision had closed."""

    before: Answered
    after: Answered


@dataclass(slots=True)
class _Open:
    """A decision that waits for its window to close, or has closed and may be corrected."""

    decided: Decided
    arrival: int  # how many decisions had come when this one had: an id may be decided again
    is_exposed: bool
    answers: dict[str, float] = field(default_factory=dict)
    is_withheld: bool = False
    early: Answered | None = None

    def answered(self) -> Answered:
        accepted, reward = (self.answers.get(what, 0.0) for what in ("accepted", "reward"))
        return Answered(
            self.decided, accepted, reward, self.is_exposed, self.is_withheld, self.early
        )


class Outcomes:
    """The decisions whose windows are open, folded from rows in journal order.

    Changes in place; its owner holds the lock.

    Parameters
    ----------
    early_us
        The age at which to tell what has come of a decision so far; None: at none.

    Attributes
    ----------
    now_us
        Journal time: the largest ``at_us`` of any row so far.
    """

    def __init__(self, *, early_us: int | None = None) -> None:
        self.now_us = -(2**63)
        self._early_us = early_us
        self._open: dict[str, _Open] = {}
        self._closed: dict[str, _Open] = {}
        self._voided: set[str] = set()
        self._closing: list[_Due] = []
        self._forgetting: list[_Due] = []  # the same, a window later
        self._ripening: list[_Due] = []  # the same, at the early age
        self._n_decided = 0

    def status(self, decision_id: str) -> str:
        """Say where a decision stands: "open", "closed", "voided" or "unknown"."""
        if decision_id in self._open:
            return "open"
        if decision_id in self._closed:
            return "closed"
        return "voided" if decision_id in self._voided else "unknown"

    def decision(self, decision_id: str) -> Decided | None:
        """Give the decision of an id, while it is remembered."""
        known = self._find(decision_id)
        return None if known is None else known.decided

    def answer_of(self, decision_id: str, what: str) -> float | None:
        """Give the answer of a kind that was recorded for a decision, or None."""
        known = self._find(decision_id)
        return None if known is None else known.answers.get(what)

    def is_withheld(self, decision_id: str) -> bool:
        """Say whether a decision that is remembered is closed to answers."""
        known = self._find(decision_id)
        return known is not None and known.is_withheld

    def due(self, at_us: int) -> list[Decided]:
        """Give the decisions that may be learned once a row of that moment is folded."""
        found: dict[int, Decided] = {}
        for heap in (self._closing, self._ripening):
            for _, arrival, decision_id in _before(heap, at_us):
                known = self._open.get(decision_id)
                if known is not None and known.arrival == arrival and not known.is_withheld:
                    found[arrival] = known.decided
        return list(found.values())

    def told(self) -> Iterator[object]:
        """Tell all that is known, as values that compare to the last bit."""
        yield self.now_us, self._n_decided, sorted(self._voided)
        for known in (*self._open.values(), *self._closed.values()):
            answers = sorted(known.answers.items())
            yield tuple(known.decided), known.arrival, known.is_exposed, known.is_withheld, answers
            if known.early is not None:
                yield known.early.accepted, known.early.reward
        yield sorted(self._closing)
        yield sorted(self._forgetting)
        if self._early_us is not None:
            yield sorted(self._ripening)

    def fold(self, row: Row) -> list[Early | Answered | Correction]:
        """Take a row in, and give what may now be learned, in the order in which it came due."""
        self.now_us = max(self.now_us, row.at_us)
        if isinstance(row, Decided):
            self._decided(row)
        elif isinstance(row, Voided):
            self._void(row)
        elif isinstance(row, Withheld):
            self._withhold(row)
        # Before what the row reports: it came later than the ages that it brings to pass.
        early = self._ripen() if self._ripening else []
        if isinstance(row, Exposed):
            self._exposed(row)
        corrected = self._outcome(row) if isinstance(row, Outcome) else []
        changes = [*early, *corrected, *self._close()]
        self._forget()
        return changes

    def _find(self, decision_id: str) -> _Open | None:
        return self._open.get(decision_id) or self._closed.get(decision_id)

    def _decided(self, row: Decided) -> None:
        # No offer shows nothing that could be missed, and a control has nothing to be exposed to.
        is_exposed = not row.confirm or row.offer is None
        self._n_decided += 1
        self._voided.discard(row.decision_id)
        self._closed.pop(row.decision_id, None)
        self._open[row.decision_id] = _Open(row, self._n_decided, is_exposed)
        closes_us = row.at_us + row.outcome_us
        heapq.heappush(self._closing, (closes_us, self._n_decided, row.decision_id))
        if self._early_us is not None and self._early_us < row.outcome_us:
            ripe_us = row.at_us + self._early_us
            heapq.heappush(self._ripening, (ripe_us, self._n_decided, row.decision_id))

    def _exposed(self, row: Exposed) -> None:
        known = self._open.get(row.decision_id)
        if known is not None and row.at_us <= known.decided.at_us + known.decided.exposure_us:
            known.is_exposed = True

    def _void(self, row: Voided) -> None:
        if self._open.pop(row.decision_id, None) or self._closed.pop(row.decision_id, None):
            self._voided.add(row.decision_id)

    def _withhold(self, row: Withheld) -> None:
        known = self._find(row.decision_id)
        if known is not None:
            known.is_withheld = True

    def _outcome(self, row: Outcome) -> list[Answered | Correction]:
        known = self._open.get(row.decision_id)
        if known is not None:
            known.answers[row.what] = row.value
            return []
        closed = self._closed.get(row.decision_id)
        if closed is None:
            return []
        before = closed.answered()
        closed.answers[row.what] = row.value
        return [Correction(before, closed.answered())]

    def _ripen(self) -> list[Early]:
        early: list[Early] = []
        while self._ripening and self._ripening[0][0] < self.now_us:
            _, arrival, decision_id = heapq.heappop(self._ripening)
            known = self._open.get(decision_id)
            if known is None or known.arrival != arrival:
                continue  # voided, and perhaps decided again
            if known.is_exposed and not known.is_withheld:
                known.early = known.answered()
                early.append(Early(known.early))
        return early

    def _close(self) -> list[Answered | Correction]:
        closed: list[Answered | Correction] = []
        while self._closing and self._closing[0][0] < self.now_us:
            closes_us, arrival, decision_id = heapq.heappop(self._closing)
            known = self._open.get(decision_id)
            if known is None or known.arrival != arrival:
                continue  # voided, and perhaps decided again
            del self._open[decision_id]
            closed.append(known.answered())
            # No answer can come to an anonymous decision, hence no correction.
            if known.decided.customer is not None:
                self._closed[decision_id] = known
                forgotten_us = closes_us + known.decided.outcome_us
                heapq.heappush(self._forgetting, (forgotten_us, arrival, decision_id))
        return closed

    def _forget(self) -> None:
        while self._forgetting and self._forgetting[0][0] < self.now_us:
            _, arrival, decision_id = heapq.heappop(self._forgetting)
            known = self._closed.get(decision_id)
            if known is not None and known.arrival == arrival:
                del self._closed[decision_id]


def _before(heap: Sequence[_Due], at_us: int) -> Sequence[_Due]:
    """Give what a heap holds of before a moment, in no order."""
    if not heap or heap[0][0] >= at_us:
        return ()  # nearly always
    places = [0]
    for place in places:  # what stands below one that is not due is not due either
        below = (2 * place + 1, 2 * place + 2)
        places += [p for p in below if p < len(heap) and heap[p][0] < at_us]
    return [heap[place] for place in places]
