"""What the engine knows: a fold of the journal's rows, in their order, and nothing else."""

import hashlib
from collections.abc import Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING, Final

from seg1.bandit import OfferSelector, PosteriorState
from seg1.decide.counters import Counters, FrequencyCap
from seg1.decide.early import EarlyAnswers
from seg1.decide.history import ResponseHistory
from seg1.decide.learning import Learner
from seg1.journal import (
    Answered,
    Correction,
    Decided,
    Observed,
    Outcomes,
    Row,
    Swapped,
    Voided,
    Withheld,
)  # fmt: skip

if TYPE_CHECKING:
    from seg1._types import Id

__all__ = ["State"]

_N_OBSERVED: Final = 256


class State:
    """Posterior, counters, open decisions and observed events, folded from rows.

    Changes in place; the engine's lock protects it. Two states that folded the same rows are equal
    to the last bit.

    Parameters
    ----------
    selector, catalogue, n_features, history, delay_model
        As for `Learner`.
    caps
        The caps that contacts are remembered for.

    Attributes
    ----------
    learner, counters, outcomes
        What was learned; what is used up; which decisions wait for an answer.
    observed
        The latest 256 events of each customer outside any decision; none where no recommender
        makes a feature of them.
    catalogue_in_force
        Version of the catalogue that was declared last.
    n_rows
        How many rows were folded.
    """

    def __init__(
        self,
        selector: OfferSelector,
        *,
        catalogue: str,
        n_features: int,
        caps: Sequence[FrequencyCap] = (),
        history: ResponseHistory | None = None,
        delay_model: EarlyAnswers | None = None,
    ) -> None:
        self._has_affinity = n_features > selector.schema.n_features
        self.learner = Learner(
            selector, catalogue=catalogue, n_features=n_features, history=history,
            delay_model=delay_model,
        )  # fmt: skip
        self.counters = Counters(selector.arms.offers, caps=caps)
        self.outcomes = Outcomes(early_us=None if delay_model is None else delay_model.early_us)
        self.observed: dict[Id, list[Observed]] = {}
        self.catalogue_in_force = ""
        self.n_rows = 0

    @property
    def posterior(self) -> PosteriorState:
        """What was learned of each arm."""
        return self.learner.posterior

    @property
    def history(self) -> ResponseHistory | None:
        """What customers answered beyond what was expected; None where that is not kept."""
        return self.learner.history

    @property
    def n_learned(self) -> int:
        """How many decisions were learned from."""
        return self.learner.n_learned

    def fold(self, row: Row) -> None:
        """Take in the next row of the journal."""
        self.n_rows += 1
        self._note(row)
        for change in self.outcomes.fold(row):
            if isinstance(change, Correction):
                self.counters.correct(change)
            elif isinstance(change, Answered):
                self.counters.settle(change)
            self.learner.take_in(change)
        if self.history is not None:
            self.history.forget(self.outcomes.now_us)

    def _note(self, row: Row) -> None:
        """Take in what a row says by itself, before what it makes of open decisions."""
        if isinstance(row, Decided | Voided | Withheld):
            earlier = self.outcomes.decision(row.decision_id)
            if earlier is not None:
                self.learner.take_back(earlier)
                if isinstance(row, Voided):
                    self.counters.void(earlier)
        if isinstance(row, Decided):
            self.counters.reserve(row)
        elif isinstance(row, Observed) and self._has_affinity:
            events = self.observed.setdefault(row.customer, [])
            events.append(row)
            del events[:-_N_OBSERVED]
        elif isinstance(row, Swapped) and row.what == "catalogue":
            self.catalogue_in_force = row.version
            self.learner.note(row)

    def fingerprint(self) -> str:
        """Name all that is known by its content: SHA-256 in 64 hexadecimal digits."""
        digest = hashlib.sha256()
        for name, array in self.learner.arrays():
            digest.update(f"{name} {array.dtype} {array.shape}:".encode() + array.tobytes())
        observed = {who: [astuple(e) for e in events] for who, events in self.observed.items()}
        known = (self.n_rows, self.catalogue_in_force, observed)
        parts = (self.counters, self.outcomes, self.learner)
        for told in (known, *(told for part in parts for told in part.told())):
            digest.update(repr(told).encode() + b"\n")
        return digest.hexdigest()
