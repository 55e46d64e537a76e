"""Rows to learn from, out of a log of decisions."""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from seg1._types import Float64s
from seg1.errors import InvalidArgumentError
from seg1.offers import Arms, Goal

if TYPE_CHECKING:
    from seg1.journal import DecisionLog

__all__ = ["LogRow", "rows_of"]

_CLOSE: Final = 1e-9


class LogRow(NamedTuple):
    """One answer: of which arm, in which context, and when it was decided."""

    arm: int
    x: Float64s
    answer: float
    at_us: int


def rows_of(log: "DecisionLog", *, arms: Arms, goal: Goal, n_features: int) -> list[LogRow]:
    """Read what a log teaches about some arms under a goal.

    What a log calls a reward is what the answer was worth, less the contact: where acceptance is
    learned, it is turned back into one.

    Raises
    ------
    InvalidArgumentError
        For a log of other arms or features, of decisions by affinity, or with rewards that the
        goal does not give.
    """
    if log.states.arms.arms != arms.arms:
        raise InvalidArgumentError("the log is of other arms: give the same offers in their order")
    width = log.states.context.shape[1]
    if width != n_features or log.states.affinity.shape[1]:
        raise InvalidArgumentError(
            f"the log must have {n_features} features and no affinity, got {width} and "
            f"{log.states.affinity.shape[1]}"
        )
    taught = ~log.is_control
    if not goal.learns_reward:
        # Of an arm that is worth nothing, a reward does not say whether it was accepted.
        taught &= (arms.offer_index[log.arm] >= 0) & (arms.worth[log.arm] != 0.0)
    places = np.flatnonzero(taught)
    # What a customer answers beyond others is not what the offer is answered.
    answers = _answers(log, arms, goal) - _effects(log, arms)
    return [
        LogRow(int(log.arm[i]), log.states.context[i], float(answers[i]), int(log.states.at_us[i]))
        for i in places
    ]


def _effects(log: "DecisionLog", arms: Arms) -> Float64s:
    if not log.states.effects.shape[1]:
        return np.zeros(len(log))
    effects: Float64s = log.states.effects[np.arange(len(log)), arms.offer_index[log.arm]]
    return effects


def _answers(log: "DecisionLog", arms: Arms, goal: Goal) -> Float64s:
    if goal.learns_reward:
        return np.array([goal.capped(reward) for reward in log.reward.tolist()])
    worth = arms.worth[log.arm]
    gained = log.reward + arms.contact_cost[log.arm]
    accepted: Float64s = np.divide(gained, worth, out=np.zeros(len(log)), where=worth != 0.0)
    rounded = accepted.round()
    is_told = (np.abs(accepted - rounded) <= _CLOSE) & np.isin(rounded, (0.0, 1.0))
    if not (is_told | log.is_control).all():
        raise InvalidArgumentError(
            "the log has rewards that are neither an acceptance nor a refusal under this goal"
        )
    return rounded
