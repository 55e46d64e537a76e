"""Why this arm and not another: what each feature of the context adds to its value."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from seg1._types import Float64s
from seg1.bandit.choosing.choice import Choice
from seg1.bandit.choosing.scoring import Scoring
from seg1.offers import Arm, Arms

__all__ = ["Contribution", "Reasons", "told_reasons"]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one feature of a context adds.

    Attributes
    ----------
    feature
        Its name, as in `ContextSchema.names`.
    amount
        What it adds to the value of the chosen arm, beyond what it adds to the other's.
    """

    feature: str
    amount: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """The chosen arm against the runner-up: of the others that could be drawn, the one worth most.

    Attributes
    ----------
    arm, runner_up
        The two; None where there is no other.
    contributions
        Of each feature that is not 0 in the context, the largest first.
    contact_cost
        What the contact of the runner-up costs, less that of the arm.
    difference
        All of them together: the expected value of the arm less that of the runner-up, below 0
        where the arm was drawn to learn. Under a logit link they are log odds, costs left out.
    """

    arm: Arm
    runner_up: Arm | None
    contributions: tuple[Contribution, ...]
    contact_cost: float

    @property
    def difference(self) -> float:
        """Add up what the features and the contact's cost make."""
        return math.fsum(told.amount for told in self.contributions) + self.contact_cost


def told_reasons(
    choice: Choice, *, scoring: Scoring, arms: Arms, names: Sequence[str], theta: Float64s,
    is_logit: bool,
) -> Reasons:  # fmt: skip
    """Compare a chosen arm with the runner-up, feature by feature.

    Parameters
    ----------
    choice
        What was chosen.
    scoring
        What answers are worth.
    arms, names
        The arms, and the names of the features.
    theta
        Coefficients of each arm, float64, shape (n_arms, n_features).
    is_logit
        Whether they are of log odds.
    """
    worth, cost = scoring.worth, scoring.contact_cost
    answer = theta @ choice.x
    value = worth * (expit(answer) if is_logit else answer) - cost
    others = choice.probabilities > 0.0
    others[choice.arm] = False
    chosen = theta[choice.arm] * (1.0 if is_logit else worth[choice.arm])
    other, saved = np.zeros(len(names)), -float(cost[choice.arm])
    runner_up = int(np.where(others, value, -np.inf).argmax()) if others.any() else None
    if runner_up is not None:
        other = theta[runner_up] * (scoring.is_offer if is_logit else worth)[runner_up]
        saved += float(cost[runner_up])
    added = (chosen - other) * choice.x
    order = [i for i in np.argsort(-np.abs(added), kind="stable").tolist() if added[i]]
    return Reasons(
        arm=arms.arms[choice.arm],
        runner_up=None if runner_up is None else arms.arms[runner_up],
        contributions=tuple(Contribution(names[i], float(added[i])) for i in order),
        contact_cost=0.0 if is_logit else saved,
    )
