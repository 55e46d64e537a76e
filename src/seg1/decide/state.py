"""What the engine knows: a fold of the journal's rows, in their order, and nothing else."""

import hashlib
from collections.abc import Sequence
from dataclasses import astuple
from typing import Final

import numpy as np

from seg1._types import Float64s, Id
from seg1.bandit import OfferSelector
from seg1.decide.counters import Counters, FrequencyCap
from seg1.decide.history import ResponseHistory, effect_of
from seg1.journal import (
    Answered,
    Correction,
    Decided,
    Observed,
    Outcomes,
    Row,
    Swapped,
    Voided,
)  # fmt: skip
from seg1.offers import Arms

__all__ = ["State"]

_N_OBSERVED: Final = 256


class State:
    """Posterior, counters, open decisions and observed events, folded from rows.

    Changes in place; the engine's lock protects it. Two states that folded the same rows are equal
    to the last bit.

    Parameters
    ----------
    selector
        The configuration: arms, posterior, goal.
    catalogue
        Version of offers, goal and features; only decisions made under it are learned from.
    n_features
        Length of the vectors that the model sees.
    caps
        The caps that contacts are remembered for.
    history
        One of nothing, where customers' own responses are kept.

    Attributes
    ----------
    posterior, counters, outcomes
        What was learned; what is used up; which decisions wait for an answer.
    observed
        The latest 256 events of each customer outside any decision; none where no recommender
        makes a feature of them.
    history
        What customers answered beyond what was expected; None where that is not kept.
    catalogue_in_force
        Version of the catalogue that was declared last.
    n_rows, n_learned
        How many rows were folded, and how many decisions were learned from.
    """

    def __init__(
        self,
        selector: OfferSelector,
        *,
        catalogue: str,
        n_features: int,
        caps: Sequence[FrequencyCap] = (),
        history: ResponseHistory | None = None,
    ) -> None:
        self._selector = selector
        self._catalogue = catalogue
        self._has_affinity = n_features > selector.schema.n_features
        self.posterior = selector.start(n_features=n_features)
        self.counters = Counters(selector.arms.offers, caps=caps)
        self.outcomes = Outcomes()
        self.observed: dict[Id, list[Observed]] = {}
        self.history = history
        self.catalogue_in_force = ""
        self.n_rows = 0
        self.n_learned = 0

    def fold(self, row: Row) -> None:
        """Take in the next row of the journal."""
        self.n_rows += 1
        if isinstance(row, Decided):
            self.counters.reserve(row)
        elif isinstance(row, Voided):
            decided = self.outcomes.decision(row.decision_id)
            if decided is not None:
                self.counters.void(decided)
        elif isinstance(row, Observed) and self._has_affinity:
            events = self.observed.setdefault(row.customer, [])
            events.append(row)
            del events[:-_N_OBSERVED]
        elif isinstance(row, Swapped) and row.what == "catalogue":
            self.catalogue_in_force = row.version
        for change in self.outcomes.fold(row):
            if isinstance(change, Correction):
                self.counters.correct(change)
                self._correct(change)
            else:
                self.counters.settle(change)
                self._learn(change)
        if self.history is not None:
            self.history.forget(self.outcomes.now_us)

    def fingerprint(self) -> str:
        """Name all that is known by its content: SHA-256 in 64 hexadecimal digits."""
        digest = hashlib.sha256()
        arrays = sorted(self.posterior.to_arrays().items())
        arrays += sorted(self.history.to_arrays().items()) if self.history is not None else []
        for name, array in arrays:
            digest.update(f"{name} {array.dtype} {array.shape}:".encode() + array.tobytes())
        observed = {who: [astuple(e) for e in events] for who, events in self.observed.items()}
        known = (self.n_rows, self.n_learned, self.catalogue_in_force, observed)
        own = self.history.told() if self.history is not None else ()
        for told in (known, *self.counters.told(), *self.outcomes.told(), *own):
            digest.update(repr(told).encode() + b"\n")
        return digest.hexdigest()

    def _learn(self, answered: Answered) -> None:
        if self._teaches(answered):
            row, arms, answer = answered.decided, self._selector.arms, self._answer(answered)
            self.n_learned += 1
            if self.history is not None:
                self.history.learn(row, answer, posterior=self.posterior)
            left = answer - effect_of(row, arms)
            self.posterior.fold(row.arm, _features(row, arms), left, at_us=row.at_us)

    def _correct(self, change: Correction) -> None:
        if self._teaches(change.after):
            row, arms = change.after.decided, self._selector.arms
            before, after = self._answer(change.before), self._answer(change.after)
            if self.history is not None:
                self.history.correct(row, before=before, after=after)
            effect = effect_of(row, arms)
            self.posterior.correct(
                row.arm,
                _features(row, arms),
                before=before - effect,
                after=after - effect,
                at_us=row.at_us,
            )

    def _teaches(self, answered: Answered) -> bool:
        """Whether to learn from a decision: drawn, seen, measured, permitted, of this catalogue."""
        row = answered.decided
        is_arm = row.offer is not None or self._selector.goal.learns_reward
        return (
            row.mode == "personalised"
            and row.is_measured
            and answered.is_exposed
            and not answered.is_withheld
            and is_arm
            and row.catalogue == self._catalogue
        )

    def _answer(self, answered: Answered) -> float:
        goal = self._selector.goal
        if not goal.learns_reward:
            return answered.accepted
        return goal.capped(answered.reward)


def _features(row: Decided, arms: Arms) -> Float64s:
    """Rebuild the vector of the chosen arm from a row; see `own_features`."""
    context = np.frombuffer(row.context, dtype="<f8")
    if not row.affinity:
        return context
    offer = int(arms.offer_index[row.arm])
    own = np.frombuffer(row.affinity, dtype="<f8")[offer] if offer >= 0 else 0.0
    return np.append(context, own)
