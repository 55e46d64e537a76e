"""From a belief about answers to a probability for every arm."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np

from seg1._checks import read_only
from seg1._types import Bools, Float32s, Float64s, Int64s
from seg1.bandit.explorers.explore import Explorer
from seg1.bandit.explorers.floor import Floor
from seg1.bandit.posteriors.posterior import Belief, Draws, PosteriorState
from seg1.errors import InvalidArgumentError, PluginError
from seg1.offers import Arms, Goal

__all__ = ["ScoredArms", "Scoring"]

Jointly: TypeAlias = Callable[..., Float64s]  # `JointExplorer.jointly`
ByMeans: TypeAlias = Callable[..., Float64s]  # `MeansExplorer.by_means`

_SUM_TOLERANCE = 1e-9
# To compare a dtype with a dtype takes a tenth of the time of comparing it with a type.
_BOOL, _FLOAT64 = np.dtype(np.bool_), np.dtype(np.float64)


class ScoredArms(NamedTuple):
    """Every arm at one moment; float64, shape (n_arms,) each.

    Attributes
    ----------
    p
        Probability of being drawn, floor included; exactly 0 where not eligible.
    value
        Expected value: worth times answer, less what the contact costs.
    answer
        Expected answer, as the posterior gave it.
    is_offer
        1 for an arm of an offer, 0 for no offer; None where rewards are learned.
    """

    p: Float64s
    value: Float64s
    answer: Float64s
    is_offer: Float64s | None

    @property
    def response(self) -> Float64s:
        """Expected answer; of acceptance, a probability in [0, 1], which is 0 for no offer."""
        if self.is_offer is None:
            return self.answer
        response: Float64s = self.answer.clip(0.0, 1.0) * self.is_offer
        return response

    def response_of(self, arm: int) -> float:
        """Give the expected answer of one arm: its entry of `response`."""
        answer = self.answer.item(arm)
        if self.is_offer is None:
            return answer
        return min(max(answer, 0.0), 1.0) * self.is_offer.item(arm)


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
    is_plain
        Whether an answer is its value: it is worth 1, and no contact costs.
    jointly, by_means
        The explorer's answer to joint draws, and to means alone, if it has one.
    """

    explorer: Explorer
    floor: Floor
    worth: Float64s
    contact_cost: Float64s
    offer_cost: Float64s
    is_offer: Float64s
    learns_reward: bool
    is_plain: bool
    jointly: Jointly | None
    by_means: ByMeans | None

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
            is_plain=bool((worth == 1.0).all() and not arms.contact_cost.any()),
            jointly=_instead(explorer, "jointly"),
            by_means=_instead(explorer, "by_means"),
        )

    def ask(
        self, state: PosteriorState, x: Float64s, *, own: Float64s | None = None
    ) -> Belief | Float64s:
        """Ask a state what it believes; for means alone where the explorer needs no more."""
        means = None if self.by_means is None else getattr(state, "means", None)
        believed: Belief | Float64s = (means if callable(means) else state.belief)(x, own=own)
        return believed

    def score(
        self,
        believed: Belief | Float64s,
        *,
        eligible: Bools,
        unit_price: float = 0.0,
        effects: Float64s | None = None,
    ) -> ScoredArms:
        """Score every arm by what is believed of its answer, see `ask`, and its effect on top."""
        is_all = self._check_eligible(eligible) == len(eligible)
        answer, answer_sd, draws = self._checked_belief(believed)
        if effects is not None:
            answer = answer + self._checked_effects(effects)
        if unit_price or effects is not None or not self.is_plain:
            worth, contact_cost = self._priced(unit_price)
            value = worth * answer
            value -= contact_cost
            value_sd = np.abs(worth) * answer_sd
            if effects is not None:  # a draw less this cost is the draw and its effect, less cost
                contact_cost = contact_cost - worth * effects
            draws = draws and partial(_valued, draws, worth, contact_cost)
        else:  # copies: an explorer that writes into its arguments changes no belief
            value, value_sd = answer.copy(), answer_sd.copy()
        narrowed = None if is_all else eligible
        try:
            # Nor may it open an arm to itself that is not eligible.
            explored = self._explored(value, value_sd, draws=draws, eligible=read_only(eligible))
            total = self._checked_total(explored, narrowed)
        except Exception:
            self._check_numbers(answer, answer_sd)
            raise
        p = self.floor.under(explored, eligible=narrowed, total=total)
        return ScoredArms(p, value, answer, None if self.learns_reward else self.is_offer)

    def _explored(
        self, value: Float64s, value_sd: Float64s, *, draws: Draws | None, eligible: Bools
    ) -> Float64s:
        if self.by_means is not None:
            return self.by_means(value, eligible=eligible)
        if draws is None or self.jointly is None:
            return self.explorer.probabilities(value, value_sd, eligible=eligible)
        return self.jointly(value, value_sd, draws=draws, eligible=eligible)

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

    def _checked_belief(
        self, believed: Belief | Float64s
    ) -> tuple[Float64s, Float64s, Draws | None]:
        if self.by_means is not None and isinstance(believed, np.ndarray):
            answer, answer_sd, draws = believed, believed, None  # the second is not looked at
        elif isinstance(believed, Belief):
            answer, answer_sd, draws = believed
        else:
            raise PluginError(f"a posterior must give a Belief, got {type(believed).__name__}")
        for told in (answer, answer_sd):
            if not isinstance(told, np.ndarray) or told.shape != self.worth.shape:
                raise PluginError(
                    "a posterior's belief must be two arrays, one number for each arm"
                )
        return answer, answer_sd, draws

    def _check_numbers(self, answer: Float64s, answer_sd: Float64s) -> None:
        """Name the posterior where an explorer failed on what no explorer can use."""
        is_usable = np.isfinite(answer).all() and np.isfinite(answer_sd).all()
        if not is_usable or (self.by_means is None and (answer_sd < 0.0).any()):
            raise PluginError(
                "a posterior's belief must be finite, and its deviations >= 0"
            ) from None

    def _check_eligible(self, eligible: Bools) -> int:
        """Count the arms that are eligible."""
        if eligible.dtype != _BOOL or eligible.shape != self.worth.shape:
            raise InvalidArgumentError(
                f"eligible must be bool of shape {self.worth.shape}, "
                f"got {eligible.dtype} of {eligible.shape}"
            )
        n_eligible = int(np.count_nonzero(eligible))  # quicker than any() and all()
        if not n_eligible:
            raise InvalidArgumentError("no arm is eligible: there is nothing to choose from")
        return n_eligible

    def _checked_effects(self, effects: Float64s) -> Float64s:
        if effects.dtype != _FLOAT64 or effects.shape != self.worth.shape:
            raise InvalidArgumentError(
                f"effects must be float64 of shape {self.worth.shape}, "
                f"got {effects.dtype} of {effects.shape}"
            )
        return effects

    def _checked_total(self, p: Float64s, eligible: Bools | None) -> float:
        """Give the sum of what an explorer answered, which is 1 but for rounding."""
        name = type(self.explorer).__name__
        if not isinstance(p, np.ndarray) or p.dtype != _FLOAT64 or p.shape != self.worth.shape:
            raise PluginError(f"{name}.probabilities must give float64 of shape {self.worth.shape}")
        total = float(np.add.reduce(p))
        # Negated, so that NaN fails too; the least of numbers among which there is NaN is NaN.
        if not (p.item(p.argmin()) >= 0.0 and abs(total - 1.0) <= _SUM_TOLERANCE):
            raise PluginError(f"{name}.probabilities must be >= 0 and sum to 1")
        if eligible is not None and np.count_nonzero(p) > np.count_nonzero(p[eligible]):
            raise PluginError(f"{name} gave an arm that is not eligible a probability above 0")
        return total


def _instead(explorer: Explorer, name: str) -> Callable[..., Float64s] | None:
    """Give a method that stands for `probabilities`; None where that is overridden alone."""
    method: Callable[..., Float64s] | None = getattr(explorer, name, None)
    kinds = type(explorer).__mro__
    made_in, asked_in = (
        next((depth for depth, kind in enumerate(kinds) if known in vars(kind)), -1)
        for known in ("probabilities", name)
    )
    return method if callable(method) and asked_in <= made_in else None


def _valued(draws: Draws, worth: Float64s, contact_cost: Float64s, arms: Int64s) -> Float32s:
    """Draw values: answers by their worth, less what the contact costs."""
    values = draws(arms)
    values *= worth.take(arms).astype(np.float32)
    values -= contact_cost.take(arms).astype(np.float32)
    return values
