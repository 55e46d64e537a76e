"""From what is allowed to one arm: masks of counters, probabilities, the draw. Writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seg1._random import keyed_uniform
from seg1._types import Bools, Float64s, Id
from seg1.bandit import OfferSelector
from seg1.decide.counters import Budget, Counters, FrequencyCap
from seg1.decide.eligibility import Eligibility, also_refused
from seg1.decide.state import State
from seg1.offers import Arm, Arms

__all__ = [
    "NO_ARM",
    "Chosen",
    "Limits",
    "arms_of",
    "choose_arm",
    "choose_control",
    "choose_fallback",
    "choose_nothing",
]

NO_ARM = Arm(None, None, None)


class Chosen(NamedTuple):
    """What was chosen, and how.

    Attributes
    ----------
    mode
        As `Decision.mode`.
    arm
        Position of the arm; -1 where no arm stands for it.
    action_prob, response_prob
        Probability of the choice, and of an acceptance.
    eligible
        Which arms could have been chosen, bool, shape (n_arms,).
    """

    mode: str
    arm: int
    action_prob: float
    response_prob: float
    eligible: Bools


@dataclass(frozen=True, slots=True)
class Limits:
    """The rules that counters decide: stock is one of them; caps and budgets are told."""

    caps: Sequence[FrequencyCap]
    budgets: Sequence[Budget]

    def narrow(
        self, eligibility: Eligibility, counters: Counters, customer: Id | None, *, at_us: int
    ) -> tuple[Bools, dict[str, tuple[Id, ...]]]:
        """Take away what the counters refuse, and say under which rule.

        Returns
        -------
        allowed, refused
            bool, shape (n_offers,); and rule name to the ids it was the first to refuse.
        """
        rules = [("stock", counters.in_stock())]
        rules += [(budget.name, counters.within(budget)) for budget in self.budgets]
        if customer is not None:
            rules += [
                (cap.name, np.zeros_like(eligibility.allowed))
                for cap in self.caps
                if counters.is_capped(customer, cap, at_us=at_us)
            ]
        allowed, refused = eligibility.allowed, dict(eligibility.refused)
        for name, mask in rules:
            if mask is None:
                continue
            newly = allowed & ~mask
            if newly.any():
                places = np.flatnonzero(newly).tolist()
                also_refused(refused, name, [counters.offers[place].id for place in places])
                allowed = allowed & mask
        return allowed, refused


def choose_arm(
    selector: OfferSelector,
    state: State,
    context: Float64s,
    *,
    own: Float64s | None,
    effects: Float64s | None,
    decision_id: str,
    allowed: Bools,
) -> Chosen:
    """Draw an arm from the very vector whose entry is recorded.

    Parameters
    ----------
    selector, state
        The configuration, and what was learned so far.
    context, own
        What the model sees; see `own_features`.
    effects
        What the customer answers to each arm beyond others; see `effects_of_arms`.
    decision_id
        The draw is keyed by it.
    allowed
        Which offers are left, bool, shape (n_offers,).
    """
    if not allowed.any():
        return _nothing(selector, allowed, mode="none")
    eligible = arms_of(selector.arms, allowed)
    scored = selector.probabilities(
        state.posterior, context, own=own, eligible=eligible, effects=effects
    )
    arm = selector.draw(scored.p, draw_id=decision_id)
    return Chosen(
        mode="personalised",
        arm=arm,
        action_prob=scored.p.item(arm),
        response_prob=scored.response_of(arm),
        eligible=eligible,
    )


def choose_control(selector: OfferSelector, allowed: Bools) -> Chosen:
    """Show nothing to a customer who is held out."""
    return _nothing(selector, allowed, mode="control")


def choose_fallback(selector: OfferSelector, *, decision_id: str, allowed: Bools) -> Chosen:
    """Draw evenly among the allowed offers' arms at the regular price; no personal rule is left."""
    arms = selector.arms
    is_regular = (arms.rung == 0) & (arms.offer_index >= 0)
    eligible = is_regular & arms_of(arms, allowed)
    candidates = np.flatnonzero(eligible)
    if not len(candidates):
        return _nothing(selector, allowed, mode="none")
    u = keyed_uniform(selector.seed, purpose="fallback", draw_id=decision_id)
    return Chosen(
        mode="fallback",
        arm=int(candidates[int(u * len(candidates))]),
        action_prob=1.0 / len(candidates),
        response_prob=0.0,
        eligible=eligible,
    )


def choose_nothing(selector: OfferSelector) -> Chosen:
    """Show nothing to a customer who objects to marketing."""
    return _nothing(selector, np.zeros(len(selector.arms.offers), dtype=np.bool_), mode="none")


def _nothing(selector: OfferSelector, allowed: Bools, *, mode: str) -> Chosen:
    arms = selector.arms
    return Chosen(
        mode=mode,
        arm=len(arms) - 1 if arms.has_no_offer else -1,
        action_prob=1.0,
        response_prob=0.0,
        eligible=arms_of(arms, allowed),
    )


def arms_of(arms: Arms, allowed: Bools) -> Bools:
    """Spread a mask over offers to their arms; no offer is always allowed."""
    eligible: Bools = allowed[arms.offer_index]
    if arms.has_no_offer:  # it comes last, where it is an arm
        eligible[-1] = True
    return eligible
