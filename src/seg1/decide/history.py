"""What each customer has answered beyond what was expected: folded as windows close."""

import heapq
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from seg1._types import Float64s, Id, Int64s
from seg1.bandit import ContextSchema, OfferSelector, PartialPooling
from seg1.bandit.context import own_features
from seg1.bandit.posteriors.posterior import PosteriorState, means_of
from seg1.consent import ConsentDoor
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.journal import Decided
from seg1.offers import Arms

__all__ = ["ResponseHistory", "effect_of", "history_of"]

_NO_OFFER: Final = -1  # as `Arms.offer_index` has it
_NOBODY: Final = -1
_LARGEST: Final = 1e60  # of a reward beyond what was expected: its square is summed


class ResponseHistory:
    """Customers' own response histories, by offer. Changes in place; the engine's lock protects it.

    A fold like all state: of decisions whose window has closed, in that order. Customers go into
    the sums under numbers of their own, so that ids of two kinds do not meet there.

    Parameters
    ----------
    pooling
        How answers are remembered, and drawn towards those of others.
    selector
        The configuration: arms, goal, context.
    segment
        The category of the context that says what a customer is alike others in; None: nothing.
    """

    def __init__(
        self, pooling: PartialPooling, *, selector: OfferSelector, segment: str | None
    ) -> None:
        self._pooled = pooling.start()
        self._arms = selector.arms
        self._names = selector.schema.names
        self._most = _LARGEST if selector.goal.learns_reward else 1.0
        self._learns_reward = selector.goal.learns_reward
        self._places = _places_of(selector.schema, segment)
        self._code_of: dict[Id, int] = {}
        self._expected: dict[str, tuple[int, float]] = {}  # while it may be corrected: until when
        self._forgetting: list[tuple[int, str]] = []

    def effects(self, customer: Id, context: Float64s) -> Float64s:
        """Give what a customer answers to each offer beyond others, and last to no offer.

        Parameters
        ----------
        customer
            The customer; a stranger has the effects of the segment.
        context
            The vector as the model sees it, which tells the segment.

        Returns
        -------
        ndarray of float64, shape (n_offers + 1,)
        """
        who, segment = self._code_of.get(customer, _NOBODY), self._segment(context)
        groups = (*range(len(self._arms.offers)), _NO_OFFER)
        told = np.array(self._pooled.effects(who, segment, groups=groups))
        return told.clip(-self._most, self._most, out=told)

    def learn(
        self,
        row: Decided,
        answer: float,
        *,
        posterior: PosteriorState,
        expected: float | None = None,
    ) -> None:
        """Fold an answer against what one without an effect was expected to answer.

        Parameters
        ----------
        row
            The decision, with its customer.
        answer
            What is learned of it.
        posterior
            What the engine knows now.
        expected
            What was expected before the engine learned anything of this row; None where it knows
            nothing of it yet: then it is expected what is believed now. An answer that is believed
            already would be counted as no effect.
        """
        context = np.frombuffer(row.context, dtype="<f8")
        if expected is None:
            own = own_features(np.frombuffer(row.affinity, dtype="<f8"), self._arms)
            expected = means_of(posterior, context, own=own).item(row.arm)
        if not self._learns_reward:
            expected = min(max(expected, 0.0), 1.0)
        forgotten_us = row.at_us + 2 * row.outcome_us  # as `Outcomes` forgets it
        self._expected[row.decision_id] = (forgotten_us, expected)
        heapq.heappush(self._forgetting, (forgotten_us, row.decision_id))
        code = self._code_of.setdefault(row.owner, len(self._code_of))
        self._pooled.fold(
            code,
            self._beyond(answer, expected),
            expected=0.0,
            segment=self._segment(context),
            group=int(self._arms.offer_index[row.arm]),
            at_us=row.at_us,
        )

    def correct(self, row: Decided, *, before: float, after: float) -> None:
        """Replace an answer that was learned; what had been expected stays."""
        _, expected = self._expected[row.decision_id]
        self._pooled.correct(
            self._code_of[row.owner],
            before=self._beyond(before, expected),
            after=self._beyond(after, expected),
            expected=0.0,
            segment=self._segment(np.frombuffer(row.context, dtype="<f8")),
            group=int(self._arms.offer_index[row.arm]),
            at_us=row.at_us,
        )

    def forget(self, now_us: int) -> None:
        """Forget what was expected of decisions that cannot be corrected any more."""
        while self._forgetting and self._forgetting[0][0] < now_us:
            forgotten_us, decision_id = heapq.heappop(self._forgetting)
            # An id may have been decided again since.
            if self._expected.get(decision_id, (None, 0.0))[0] == forgotten_us:
                del self._expected[decision_id]

    def to_arrays(self) -> dict[str, NDArray[Any]]:  # Any: float64 sums, and ints
        """Lay the sums out, with numbers for customers, positions for segments and offers."""
        return self._pooled.to_arrays()

    def told(self) -> tuple[object, ...]:
        """Tell all else that is known, as values that compare to the last bit."""
        return list(self._code_of.items()), sorted(self._expected.items())

    def told_of(self, customer: Id, decision_ids: set[str]) -> dict[str, Any]:  # Any: JSON
        """Tell what is held of a customer, as values that JSON can hold: with names.

        Parameters
        ----------
        customer
            The customer.
        decision_ids
            The customer's decisions.
        """
        code = self._code_of.get(customer, _NOBODY)
        answers = []
        for held in self._pooled.held(code):
            segment, group = held["segment"], held["group"]
            who = {"segment": segment, "group": group}
            answers.append(
                {
                    **held,
                    "segment": None if segment is None else self._names[segment],
                    "group": None if group == _NO_OFFER else self._arms.offers[group].id,
                    "effect": self._pooled.effect(code, **who),
                    "reliability": self._pooled.reliability(code, **who),
                }
            )
        known = decision_ids & self._expected.keys()
        return {
            "answers": answers,
            "expected": [[id_, self._expected[id_][1]] for id_ in sorted(known)],
        }

    def _segment(self, context: Float64s) -> int | None:
        """Give the position of the segment's feature: of a value, of any other, of missing."""
        if self._places is None:
            return None
        return int(self._places[context[self._places].argmax()])

    def _beyond(self, answer: float, expected: float) -> float:
        return min(max(answer - expected, -self._most), self._most)


def effect_of(row: Decided, arms: Arms) -> float:
    """Read the effect that the chosen arm was decided with off a row; 0 without a history."""
    if not row.effects:
        return 0.0
    return float(np.frombuffer(row.effects, dtype="<f8")[arms.offer_index[row.arm]])


def history_of(
    history: PartialPooling | None,
    *,
    segment: str | None,
    selector: OfferSelector,
    consent: ConsentDoor,
) -> Callable[[], ResponseHistory | None]:
    """Check what an engine was told to keep, and give what starts it.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        For something else than a `PartialPooling`, a segment that the context does not declare, and
        a policy that limits how old an answer may be: sums do not know it.
    """
    if history is None:
        if segment is not None:
            raise InvalidArgumentError("segment= is of a history: give history= too")
        return lambda: None
    if not isinstance(history, PartialPooling):
        raise InvalidTypeError(f"history must be a PartialPooling, got {type(history).__name__}")
    if segment is not None and segment not in selector.schema.categorical:
        raise InvalidArgumentError(
            f"segment {segment!r} is no category of the context: declare it in "
            "ContextSchema(categorical=...)"
        )
    if consent.retention_us("features") is not None:
        raise InvalidArgumentError(
            "the policy limits the age of what is read for a decision, and a history keeps sums "
            "that know no age: give no history=, or no retention_days for that purpose"
        )
    return partial(ResponseHistory, history, selector=selector, segment=segment)


def _places_of(schema: ContextSchema, segment: str | None) -> Int64s | None:
    """Give the positions of a category's features: one of them is set in every vector."""
    if segment is None:
        return None
    values = [f"{segment}={value}" for value in schema.categorical[segment]]
    features = [*values, f"{segment}:other", f"{segment}:missing"]
    return np.array([schema.names.index(name) for name in features])
