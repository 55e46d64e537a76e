"""What is learned from an answer: a number, by the goal."""

import numpy as np

from seg1._checks import check_at_least
from seg1.errors import InvalidArgumentError
from seg1.offers import Goal

__all__ = ["acceptance_of", "reward_of"]


def reward_of(*, accepted: bool | None, reward: float | None, goal: Goal) -> float:
    """Accept a reward, up to the goal's cap; refuse an acceptance."""
    if accepted is not None or reward is None:
        raise InvalidArgumentError(
            "the goal is incremental: give reward=, the customer's total in the window, "
            "and not accepted="
        )
    return goal.capped(check_at_least(reward, name="reward", low=-1e150))


def acceptance_of(
    *, accepted: bool | None, reward: float | None, kind: str, is_offer: bool
) -> float:
    """Accept an acceptance as 0 or 1; refuse a reward, and no offer that was accepted."""
    if reward is not None or not isinstance(accepted, bool | np.bool_):
        raise InvalidArgumentError(
            f"the goal is {kind}: give accepted=True or accepted=False, and not reward="
        )
    if accepted and not is_offer:
        raise InvalidArgumentError("no offer was shown: nothing could be accepted")
    return float(accepted)
