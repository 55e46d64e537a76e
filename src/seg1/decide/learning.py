"""From answered decisions to what is believed: posterior, customers' histories, early answers."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seg1._types import Float64s
from seg1.bandit import OfferSelector
from seg1.decide.early import EarlyAnswers, EarlyRows
from seg1.decide.history import ResponseHistory, effect_of
from seg1.decide.translating import Translator
from seg1.journal import Answered, Correction, Decided, Early, Swapped
from seg1.offers import Arms

__all__ = ["Learner"]


class _Lesson(NamedTuple):
    """What the posterior learns an answer of: the vector of the chosen arm, and the effect."""

    x: Float64s
    effect: float


class Learner:
    """What the engine believes, learned from decisions as their windows close.

    A fold; changes in place, and its owner holds the lock.

    Parameters
    ----------
    selector
        The configuration: arms, posterior, goal.
    catalogue
        Version of offers, goal and features. Decisions made under another are learned where they
        can be read as decisions of this one; see `Translator`.
    n_features
        Length of the vectors that the model sees.
    history
        One of nothing, where customers' own responses are kept.
    delay_model
        How to learn before windows close; None: not at all.

    Attributes
    ----------
    posterior
        What was learned of each arm.
    history
        What customers answered beyond what was expected; None where that is not kept.
    n_learned
        How many decisions were learned from.
    n_unread
        How many decisions of earlier catalogues would have been, and could not be read.
    """

    def __init__(
        self,
        selector: OfferSelector,
        *,
        catalogue: str,
        n_features: int,
        history: ResponseHistory | None = None,
        delay_model: EarlyAnswers | None = None,
    ) -> None:
        self._selector = selector
        self._translator = Translator(selector, catalogue=catalogue, n_features=n_features)
        self.posterior = selector.start(n_features=n_features)
        self.history = history
        self.early = None if delay_model is None else EarlyRows(delay_model)
        self.n_learned = self.n_unread = 0

    def note(self, declared: Swapped) -> None:
        """Take in which arms the decisions of a catalogue refer to."""
        self._translator.note(declared)

    def take_in(self, change: Early | Answered | Correction) -> None:
        """Learn what has come of a decision."""
        if isinstance(change, Early):
            self._learn_early(change.so_far)
        elif isinstance(change, Correction):
            self._correct(change)
        else:
            self._learn(change)

    def take_back(self, row: Decided) -> None:
        """Unlearn what was learned early of a decision that is to teach nothing."""
        if self.early is None or not self.early.has(row.decision_id):
            return
        # Where rows depend on what was learned before them, the answer alone can be taken out.
        can_remove = getattr(self._selector.posterior, "link", None) == "identity"
        known = self._translator.read(row)
        if known is None:
            raise AssertionError("what was learned early could be read then")
        x, _ = self._lesson_of(known)
        self.early.take_back(known, x, can_remove=can_remove, into=self.posterior)
        self.n_learned -= 1

    def arrays(self) -> Iterator[tuple[str, NDArray[Any]]]:  # Any: of several dtypes
        """Tell what was learned, as arrays by name."""
        yield from sorted(self.posterior.to_arrays().items())
        if self.history is not None:
            yield from sorted(self.history.to_arrays().items())

    def told(self) -> Iterator[object]:
        """Tell all else that is known, as values that compare to the last bit."""
        yield self.n_learned
        if self.history is not None:
            yield from self.history.told()
        if self.early is not None:
            yield from self.early.told()

    def _learn(self, answered: Answered) -> None:
        if not self._is_asked(answered):
            return
        answer = self._answer(answered)
        if self.early is not None and answered.early is not None:
            # Decisions that cannot be read tell as well how long answers take.
            so_far = self._answer(answered.early)
            self.early.shares.count(answered.decided, early=so_far, final=answer)
        row = self._translator.read(answered.decided)
        if row is None:
            self.n_unread += not self._was_asked_early(answered)
            return
        if self.history is not None:
            expected = None if self.early is None else self.early.expected(row.decision_id)
            self.history.learn(row, answer, posterior=self.posterior, expected=expected)
        x, effect = self._lesson_of(row)
        if self.early is not None and self.early.has(row.decision_id):
            self.early.replace(row, x, answer=answer - effect, into=self.posterior)
        else:
            self.n_learned += 1
            self.posterior.fold(row.arm, x, answer - effect, at_us=row.at_us)

    def _correct(self, change: Correction) -> None:
        if not self._is_asked(change.after):
            return
        before, after = map(self._answer, change)
        if self.early is not None and change.after.early is not None:
            self.early.shares.recount(change.after.decided, before=before, after=after)
        row = self._translator.read(change.after.decided)
        if row is None:
            return
        if self.history is not None:
            self.history.correct(row, before=before, after=after)
        x, effect = self._lesson_of(row)
        self.posterior.correct(
            row.arm, x, before=before - effect, after=after - effect, at_us=row.at_us
        )

    def _learn_early(self, so_far: Answered) -> None:
        if self.early is None or not self._is_asked(so_far):
            return
        row = self._translator.read(so_far.decided)
        if row is None:
            self.n_unread += 1
            return
        x, effect = self._lesson_of(row)
        self.n_learned += self.early.fold(
            row,
            x,
            so_far=self._answer(so_far),
            effect=effect,
            is_reward=self._selector.goal.learns_reward,
            into=self.posterior,
        )

    def _is_asked(self, answered: Answered) -> bool:
        """Whether a decision may teach anything: drawn, seen, measured, and permitted."""
        row = answered.decided
        is_arm = row.offer is not None or self._selector.goal.learns_reward
        return (
            row.mode == "personalised"
            and row.is_measured
            and answered.is_exposed
            and not answered.is_withheld
            and is_arm
        )

    def _was_asked_early(self, answered: Answered) -> bool:
        """Whether a decision has come up before its window closed; then it was counted there."""
        early = answered.early
        return self.early is not None and early is not None and self._is_asked(early)

    def _answer(self, answered: Answered) -> float:
        goal = self._selector.goal
        if not goal.learns_reward:
            return answered.accepted
        return goal.capped(answered.reward)

    def _lesson_of(self, row: Decided) -> _Lesson:
        arms = self._selector.arms
        return _Lesson(_features(row, arms), effect_of(row, arms))


def _features(row: Decided, arms: Arms) -> Float64s:
    """Rebuild the vector of the chosen arm from a row; see `own_features`."""
    context = np.frombuffer(row.context, dtype="<f8")
    if not row.affinity:
        return context
    offer = int(arms.offer_index[row.arm])
    own = np.frombuffer(row.affinity, dtype="<f8")[offer] if offer >= 0 else 0.0
    return np.append(context, own)
