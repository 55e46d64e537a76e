"""`Goal`: what an answer is worth."""

from dataclasses import dataclass
from typing import Literal, get_args

from seg1._checks import DAY_US, check_at_least, check_choice, check_number
from seg1.errors import InvalidArgumentError
from seg1.offers.offer import Offer, check_days

__all__ = ["Goal"]

GoalKind = Literal["response", "revenue", "margin", "incremental"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What arms are ranked by. Made by one of the four methods; each says what is learned.

    Made by hand, it is checked alike.

    Attributes
    ----------
    kind
        Which of the four.
    contact_cost
        What showing any offer costs, >= 0.
    reward_cap
        For "incremental": rewards above it count as it, > 0.
    window_days
        For "incremental": over how many days the customer's rewards are added up, > 0, at most
        36,525.

    Raises
    ------
    InvalidArgumentError
        For a value out of its range, or one that the kind has no use for.

    Examples
    --------
    >>> Goal.margin(contact_cost=0.02).kind
    'margin'
    """

    kind: GoalKind
    contact_cost: float = 0.0
    reward_cap: float | None = None
    window_days: float | None = None

    def __post_init__(self) -> None:
        check_choice(self.kind, name="kind", choices=get_args(GoalKind))
        cost = check_at_least(self.contact_cost, name="contact_cost", low=0)
        object.__setattr__(self, "contact_cost", cost)
        if self.learns_reward:
            self._check_window()
        elif self.reward_cap is not None or self.window_days is not None:
            raise InvalidArgumentError("reward_cap and window_days go with Goal.incremental alone")

    def _check_window(self) -> None:
        if self.reward_cap is None or self.window_days is None:
            raise InvalidArgumentError("an incremental goal needs reward_cap and window_days")
        cap = check_number(self.reward_cap, name="reward_cap", above=0)
        object.__setattr__(self, "reward_cap", cap)
        object.__setattr__(self, "window_days", check_days(self.window_days, name="window_days"))

    @classmethod
    def response(cls, *, contact_cost: float = 0.0) -> "Goal":
        """Learn who accepts; every acceptance is worth 1."""
        return cls(kind="response", contact_cost=contact_cost)

    @classmethod
    def revenue(cls, *, contact_cost: float = 0.0) -> "Goal":
        """Learn who accepts; an acceptance is worth the price, or the offer's worth."""
        return cls(kind="revenue", contact_cost=contact_cost)

    @classmethod
    def margin(cls, *, contact_cost: float = 0.0) -> "Goal":
        """Learn who accepts; an acceptance is worth price less cost, or the offer's worth."""
        return cls(kind="margin", contact_cost=contact_cost)

    @classmethod
    def incremental(cls, *, reward_cap: float, window_days: float) -> "Goal":
        """Learn the customer's total reward in [t, t + window], for every arm and no offer alike.

        Arms then rank by what the contact adds.
        """
        return cls(kind="incremental", reward_cap=reward_cap, window_days=window_days)

    @property
    def learns_reward(self) -> bool:
        """Whether a reward is learned for every arm, rather than acceptance of an offer."""
        return self.kind == "incremental"

    def learns_like(self, other: "Goal") -> bool:
        """Whether the answers to both are the same numbers: acceptances, whatever they are worth.

        Examples
        --------
        >>> Goal.margin().learns_like(Goal.response())
        True
        """
        return self == other or not (self.learns_reward or other.learns_reward)

    @property
    def window_us(self) -> int:
        """Microseconds over which rewards are added up; 0 where none are."""
        return 0 if self.window_days is None else round(self.window_days * DAY_US)

    def capped(self, reward: float) -> float:
        """Give what a reward counts as: itself, up to the cap."""
        return reward if self.reward_cap is None else min(reward, self.reward_cap)

    def worth_of(self, offer: Offer, *, rung: int) -> float:
        """Say what an acceptance of an offer at a rung of its price ladder is worth.

        Raises
        ------
        InvalidArgumentError
            Where the offer has neither prices nor a worth, and the goal needs one; or for a rung
            that its ladder does not have.
        """
        n_rungs = max(len(offer.prices), 1)
        if not 0 <= rung < n_rungs:
            raise InvalidArgumentError(f"rung must lie in [0, {n_rungs}), got {rung}")
        if self.kind in ("response", "incremental"):
            return 1.0
        if not offer.prices:
            if offer.worth is None:
                raise InvalidArgumentError(
                    f"offer {offer.id!r} has neither prices nor worth, and the goal is "
                    f"{self.kind}: give it one, or use Goal.response()"
                )
            return offer.worth
        price = offer.prices[rung]
        return price - offer.cost if self.kind == "margin" else price
