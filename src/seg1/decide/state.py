"""What the engine knows: a fold of the journal's rows, in their order, and nothing else."""

import hashlib
from collections.abc import Sequence
from dataclasses import astuple
from typing import Final

import numpy as np

from seg1._types import Float64s, Id
from seg1.bandit import OfferSelector
from seg1.decide.counters import Counters, FrequencyCap
from seg1.decide.early import EarlyAnswers, EarlyRows
from seg1.journal import (
    Answered,
    Correction,
    Decided,
    Early,
    Observed,
    Outcomes,
    Row,
    Swapped,
    Voided,
    Withheld,
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
    delay_model
        How to learn before windows close; None: not at all.

    Attributes
    ----------
    posterior, counters, outcomes
        What was learned; what is used up; which decisions wait for an answer.
    observed
        The latest 256 events of each customer outside any decision; none where no recommender
        makes a feature of them.
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
        delay_model: EarlyAnswers | None = None,
    ) -> None:
        self._selector = selector
        self._catalogue = catalogue
        self._has_affinity = n_features > selector.schema.n_features
        self.posterior = selector.start(n_features=n_features)
        self.counters = Counters(selector.arms.offers, caps=caps)
        self.outcomes = Outcomes(early_us=None if delay_model is None else delay_model.early_us)
        self._early = None if delay_model is None else EarlyRows(delay_model)
        self.observed: dict[Id, list[Observed]] = {}
        self.catalogue_in_force = ""
        self.n_rows = 0
        self.n_learned = 0

    def fold(self, row: Row) -> None:
        """Take in the next row of the journal."""
        self.n_rows += 1
        if self._early is not None and isinstance(row, Decided | Voided | Withheld):
            self._take_back(row.decision_id)
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
            self._take_in(change)

    def fingerprint(self) -> str:
        """Name all that is known by its content: SHA-256 in 64 hexadecimal digits."""
        digest = hashlib.sha256()
        for name, array in sorted(self.posterior.to_arrays().items()):
            digest.update(f"{name} {array.dtype} {array.shape}:".encode() + array.tobytes())
        observed = {who: [astuple(e) for e in events] for who, events in self.observed.items()}
        known = (self.n_rows, self.n_learned, self.catalogue_in_force, observed)
        early = () if self._early is None else self._early.told()
        for told in (known, *self.counters.told(), *self.outcomes.told(), *early):
            digest.update(repr(told).encode() + b"\n")
        return digest.hexdigest()

    def _take_in(self, change: Early | Answered | Correction) -> None:
        if isinstance(change, Early):
            self._learn_early(change.so_far)
        elif isinstance(change, Correction):
            self.counters.correct(change)
            self._correct(change)
            self._recount(change)
        else:
            self.counters.settle(change)
            if not self._replace_early(change):
                self._learn(change)

    def _learn(self, answered: Answered) -> None:
        if self._teaches(answered):
            row = answered.decided
            self.n_learned += 1
            self.posterior.fold(
                row.arm,
                _features(row, self._selector.arms),
                self._answer(answered),
                at_us=row.at_us,
            )

    def _correct(self, change: Correction) -> None:
        if self._teaches(change.after):
            row = change.after.decided
            self.posterior.correct(
                row.arm,
                _features(row, self._selector.arms),
                before=self._answer(change.before),
                after=self._answer(change.after),
                at_us=row.at_us,
            )

    def _teaches(self, answered: Answered) -> bool:
        """Whether to learn from a decision: drawn, seen, measured, permitted, of this catalogue."""
        return self._is_asked(answered) and answered.decided.catalogue == self._catalogue

    def _is_asked(self, answered: Answered) -> bool:
        """Whether an answer was asked for that a model may learn, of whatever catalogue."""
        row = answered.decided
        is_arm = row.offer is not None or self._selector.goal.learns_reward
        return (
            row.mode == "personalised"
            and row.is_measured
            and answered.is_exposed
            and not answered.is_withheld
            and is_arm
        )

    def _answer(self, answered: Answered) -> float:
        goal = self._selector.goal
        if not goal.learns_reward:
            return answered.accepted
        return goal.capped(answered.reward)

    def _learn_early(self, so_far: Answered) -> None:
        if self._early is not None and self._teaches(so_far):
            row = so_far.decided
            self.n_learned += self._early.fold(
                row,
                _features(row, self._selector.arms),
                so_far=self._answer(so_far),
                is_reward=self._selector.goal.learns_reward,
                into=self.posterior,
            )

    def _replace_early(self, answered: Answered) -> bool:
        """Put the final answer in the place of an early one; say whether there was one."""
        if self._early is None or answered.early is None or not self._is_asked(answered):
            return False
        row, answer = answered.decided, self._answer(answered)
        # Decisions of an earlier catalogue tell as well how long answers take.
        self._early.shares.count(row, early=self._answer(answered.early), final=answer)
        if not self._early.has(row.decision_id):
            return False
        x = _features(row, self._selector.arms)
        self._early.replace(row, x, answer=answer, into=self.posterior)
        return True

    def _recount(self, change: Correction) -> None:
        before, after = change
        if self._early is not None and after.early is not None and self._is_asked(after):
            answers = {"before": self._answer(before), "after": self._answer(after)}
            self._early.shares.recount(after.decided, **answers)

    def _take_back(self, decision_id: str) -> None:
        """Unlearn what was learned early of a decision that is to teach nothing."""
        row = self.outcomes.decision(decision_id)
        if self._early is not None and row is not None and self._early.has(decision_id):
            x = _features(row, self._selector.arms)
            # Where rows depend on what was learned before them, the answer alone can be taken out.
            can_remove = getattr(self._selector.posterior, "link", None) == "identity"
            self._early.take_back(row, x, can_remove=can_remove, into=self.posterior)
            self.n_learned -= 1


def _features(row: Decided, arms: Arms) -> Float64s:
    """Rebuild the vector of the chosen arm from a row; see `own_features`."""
    context = np.frombuffer(row.context, dtype="<f8")
    if not row.affinity:
        return context
    offer = int(arms.offer_index[row.arm])
    own = np.frombuffer(row.affinity, dtype="<f8")[offer] if offer >= 0 else 0.0
    return np.append(context, own)
