"""From a belief about answers to a probability for every arm."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np

from seg1._checks import read_only
from seg1._types import Bools, Float32s, Float64s, Int64s
from seg1.bandit.explorers.explore import Explorer, JointExplorer
from seg1.bandit.explorers.floor import Floor
from seg1.bandit.posteriors.posterior import Belief, Draws
from seg1.errors import InvalidArgumentError, PluginError
from seg1.offers import Arms, Goal

__all__ = ["ScoredArms", "Scoring"]

Jointly: TypeAlias = Callable[..., Float64s]  # `JointExplorer.jointly`

_SUM_TOLERANCE = 1e-9


class ScoredArms(NamedTuple):
    """Every arm at one moment; float64, shape (n_arms,) each.

    Attributes
    ----------
    p
        Probability of being drawn, floor included; exactly 0 where not eligible.
    explored
        What the explorer said, before the floor.
    response
        Expected answer. Where acceptance is learned it lies in [0, 1], and is 0 for no offer.
    value
        Expected value: worth times answer, less what the contact costs.
    value_sd
        Its standard deviation.
    """

    p: Float64s
    explored: Float64s
    response: Float64s
    value: Float64s
    value_sd: Float64s


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scoring:
    """What an answer of each arm is worth, and how probabilities are made of it.

    Attributes
    ----------
    explorer, floor
        What makes the probabilities.
    worth, contact_cost, offer_cost
        Of each arm, float64, shape (n_arms,). Where a reward is learned the worth is 1, for no
        offer too.
    is_offer
        1 for an arm of an offer, 0 for no offer, float64, shape (n_arms,).
    learns_reward
        Whether answers are rewards; otherwise they are acceptances.
    jointly
        The explorer's answer to joint draws, if it has one.
    """

    explorer: Explorer
    floor: Floor
    worth: Float64s
    contact_cost: Float64s
    offer_cost: Float64s
    is_offer: Float64s
    learns_reward: bool
    jointly: Jointly | None

    @classmethod
    def of(cls, arms: Arms, *, goal: Goal, explorer: Explorer, floor: float) -> "Scoring":
        """Prepare to score some arms under a goal."""
        cost = [0.0 if i < 0 else arms.offers[i].cost for i in arms.offer_index]
        worth = np.ones(len(arms)) if goal.learns_reward else arms.worth
        return cls(
            explorer=explorer,
            floor=Floor.of(arms, share=floor),
            worth=read_only(worth),
            contact_cost=arms.contact_cost,
            offer_cost=read_only(np.array(cost)),
            is_offer=read_only((arms.offer_index >= 0).astype(np.float64)),
            learns_reward=goal.learns_reward,
            jointly=explorer.jointly if isinstance(explorer, JointExplorer) else None,
        )

    def score(
        self,
        belief: Belief,
        *,
        eligible: Bools,
        unit_price: float = 0.0,
        effects: Float64s | None = None,
    ) -> ScoredArms:
        """Score every arm by what is believed of its answer, and its effect on top of it."""
        self._check_eligible(eligible)
        if not isinstance(belief, Belief):
            raise PluginError(f"a posterior must give a Belief, got {type(belief).__name__}")
        answer, answer_sd, draws = belief
        if answer.shape != self.worth.shape or answer_sd.shape != self.worth.shape:
            raise PluginError("a posterior's belief must be two arrays, one number for each arm")
        worth, contact_cost = self._priced(unit_price)
        if effects is not None:
            answer = answer + self._checked_effects(effects)
        value = worth * answer
        value -= contact_cost
        value_sd = np.abs(worth) * answer_sd
        if draws is None or self.jointly is None:
            explored = self.explorer.probabilities(value, value_sd, eligible=eligible)
        else:
            if effects is not None:  # a draw less this cost is the draw and its effect, less cost
                contact_cost = contact_cost - worth * effects
            draws = partial(_valued, draws, worth, contact_cost)
            explored = self.jointly(value, value_sd, draws=draws, eligible=eligible)
        self._check_explored(explored, eligible)
        p = self.floor.under(explored, eligible=eligible)
        response = answer
        if not self.learns_reward:
            response = answer.clip(0.0, 1.0)
            response *= self.is_offer  # what is not offered is not accepted
        return ScoredArms(p, explored, response, value, value_sd)

    def _priced(self, unit_price: float) -> tuple[Float64s, Float64s]:
        """Charge for what an offer costs: where it is accepted, or, not knowing that, where shown.

        What pacing bounds is the expected cost. Charged where shown, an offer that is seldom
        accepted would pay for acceptances that never come.
        """
        if not unit_price:
            return self.worth, self.contact_cost
        price = unit_price * self.offer_cost
        if self.learns_reward:
            return self.worth, self.contact_cost + price
        return self.worth - price, self.contact_cost

    def _check_eligible(self, eligible: Bools) -> None:
        if eligible.dtype != np.bool_ or eligible.shape != self.worth.shape:
            raise InvalidArgumentError(
                f"eligible must be bool of shape {self.worth.shape}, "
                f"got {eligible.dtype} of {eligible.shape}"
            )
        if not np.count_nonzero(eligible):  # quicker than any()
            raise InvalidArgumentError("no arm is eligible: there is nothing to choose from")

    def _checked_effects(self, effects: Float64s) -> Float64s:
        if effects.dtype != np.float64 or effects.shape != self.worth.shape:
            raise InvalidArgumentError(
                f"effects must be float64 of shape {self.worth.shape}, "
                f"got {effects.dtype} of {effects.shape}"
            )
        return effects

    def _check_explored(self, p: Float64s, eligible: Bools) -> None:
        name = type(self.explorer).__name__
        if not isinstance(p, np.ndarray) or p.dtype != np.float64 or p.shape != self.worth.shape:
            raise PluginError(f"{name}.probabilities must give float64 of shape {self.worth.shape}")
        # Negated, so that NaN fails too.
        is_one = abs(float(np.add.reduce(p)) - 1.0) <= _SUM_TOLERANCE
        if not (np.minimum.reduce(p) >= 0.0 and is_one):
            raise PluginError(f"{name}.probabilities must be >= 0 and sum to 1")
        n_eligible = np.count_nonzero(eligible)
        if n_eligible < len(p) and np.count_nonzero(p) > np.count_nonzero(p[eligible]):
            raise PluginError(f"{name} gave an arm that is not eligible a probability above 0")


def _valued(draws: Draws, worth: Float64s, contact_cost: Float64s, arms: Int64s) -> Float32s:
    """Draw values: answers by their worth, less what the contact costs."""
    values = draws(arms)
    values *= worth.take(arms).astype(np.float32)
    values -= contact_cost.take(arms).astype(np.float32)
    return values
