"""What a selector is made of: each part checked, and chosen where it was not given."""

import logging
from collections.abc import Sequence

from seg1._checks import check_at_least
from seg1.bandit.context import ContextSchema
from seg1.bandit.explorers.explore import Explorer
from seg1.bandit.posteriors.hybrid import HybridLinear
from seg1.bandit.posteriors.ladder import LadderLinear
from seg1.bandit.posteriors.per_offer import PerOfferLinear
from seg1.bandit.posteriors.posterior import Posterior
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.offers import Arms, Goal, Offer

__all__ = [
    "MAX_ARMS", "checked_explorer", "checked_floor", "checked_goal", "checked_posterior",
    "checked_schema", "laid_out",
]  # fmt: skip

log = logging.getLogger(__name__)

MAX_ARMS = 256
_OWN_SHARE_OF_SLOTS = 0.5


def checked_goal(goal: Goal | None) -> Goal:
    """Accept a goal; without one, say what to write."""
    if isinstance(goal, Goal):
        return goal
    raise InvalidArgumentError(
        "the selector does not know what an answer is worth: write goal=seg1.Goal.response(), "
        ".revenue(), .margin(contact_cost=0.02) or .incremental(reward_cap=50, window_days=7)"
    )


def checked_explorer(explorer: Explorer) -> Explorer:
    """Accept what keeps the contract of `Explorer`."""
    if isinstance(explorer, type) or not isinstance(explorer, Explorer):
        raise InvalidTypeError(_broken("explorer", explorer, "Explorer"))
    return explorer


def checked_posterior(posterior: Posterior | None, arms: Arms, *, goal: Goal) -> Posterior:
    """Accept what keeps the contract of `Posterior`; choose one where none was given.

    `LadderLinear` where an offer has several prices and acceptance is learned; else `HybridLinear`
    where offers have features, or there are several slots; else `PerOfferLinear`. Slots alone do
    not tell offers apart: an arm has more of its own then.
    """
    if posterior is None:
        has_features = any(offer.features for offer in arms.offers)
        if arms.rung.any() and not goal.learns_reward:
            if has_features:
                log.warning(
                    "an offer has several prices, so that all learn by LadderLinear, which does "
                    "not read features of offers: give posterior=LadderLinear() if that is meant, "
                    "or posterior=HybridLinear()"
                )
            return LadderLinear()
        if has_features:
            return HybridLinear()
        has_slots = len({arm.slot for arm in arms.arms if arm.slot is not None}) > 1
        return HybridLinear(own_share=_OWN_SHARE_OF_SLOTS) if has_slots else PerOfferLinear()
    if isinstance(posterior, type) or not isinstance(posterior, Posterior):
        raise InvalidTypeError(_broken("posterior", posterior, "Posterior"))
    return posterior


def checked_schema(context: ContextSchema | None) -> ContextSchema:
    """Accept a schema; None is one of nothing."""
    if context is None or isinstance(context, ContextSchema):
        return context or ContextSchema()
    raise InvalidTypeError(f"context must be a ContextSchema, got {type(context).__name__}")


def checked_floor(floor: float, *, explorer: Explorer) -> float:
    """Accept a share that the explorer can do with."""
    share = check_at_least(floor, name="floor", low=0)
    if share > 1:
        raise InvalidArgumentError(f"floor must lie in [0, 1], got {floor!r}")
    if not share and explorer.needs_floor:
        raise InvalidArgumentError(
            f"{type(explorer).__name__} tries few arms without a floor, and no log of it can judge "
            f"another policy: give a floor, or say {type(explorer).__name__}(without_floor=True)"
        )
    return share


def laid_out(offers: Sequence[Offer], *, goal: Goal, no_offer: bool) -> Arms:
    """Lay out the arms, if they are not too many."""
    arms = Arms.of(offers, goal=goal, no_offer=no_offer)
    if len(arms) > MAX_ARMS:
        raise InvalidArgumentError(
            f"at most {MAX_ARMS} arms are scored, and these offers make {len(arms)} (offer x price "
            "x slot, and no offer): give fewer prices or slots, or split them over selectors"
        )
    return arms


def _broken(name: str, part: object, contract: str) -> str:
    got = part.__name__ if isinstance(part, type) else type(part).__name__
    return f"{name} must keep the contract of seg1.bandit.{contract}, got {got}"
