"""Arms: offer x price x slot, and no offer, as columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seg1._checks import read_only
from seg1._types import Float64s, Id, Int32s
from seg1.errors import InvalidArgumentError
from seg1.offers.goal import Goal
from seg1.offers.offer import Offer, check_members

__all__ = ["Arm", "Arms"]


class Arm(NamedTuple):
    """One way to answer a contact; all None for no offer.

    Attributes
    ----------
    offer
        Id of the offer.
    price
        The price it is shown at.
    slot
        The time it is shown for.
    """

    offer: Id | None
    price: float | None
    slot: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arms:
    """Every way to answer a contact, in a fixed order; no offer, where it is one, comes last.

    Attributes
    ----------
    offers
        The offers, as given.
    arms
        One `Arm` for each row.
    offer_index
        Position in `offers`, -1 for no offer; int32, shape (n_arms,).
    rung
        Step of the price ladder, 0 the regular price; int32, shape (n_arms,).
    worth
        What an acceptance is worth under the goal, 0 for no offer; float64, shape (n_arms,).
    contact_cost
        What showing it costs, 0 for no offer; float64, shape (n_arms,).

    Examples
    --------
    >>> coffee = Offer("coffee", cost=0.30, prices=[1.29, 0.99], slots=["now", "saturday"])
    >>> arms = Arms.of([coffee], goal=Goal.margin())
    >>> len(arms), arms.arms[0], arms.arms[-1].offer
    (5, Arm(offer='coffee', price=1.29, slot='now'), None)
    """

    offers: tuple[Offer, ...]
    arms: tuple[Arm, ...]
    offer_index: Int32s
    rung: Int32s
    worth: Float64s
    contact_cost: Float64s

    @classmethod
    def of(cls, offers: Sequence[Offer], *, goal: Goal, no_offer: bool = True) -> "Arms":
        """Lay out the arms of some offers.

        Parameters
        ----------
        offers
            Offers with ids that differ, at least one.
        goal
            What an acceptance is worth.
        no_offer
            Whether to show nothing is an arm.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            For no offers, one that is no `Offer`, two of one id, or one that the goal gives no
            worth.
        """
        if not offers:
            raise InvalidArgumentError("there must be at least one offer")
        check_members(offers, Offer, name="offers")
        rows = [
            (position, rung, Arm(offer.id, price, slot))
            for position, offer in enumerate(offers)
            for rung, price in enumerate(offer.prices or (None,))
            for slot in offer.slots or (None,)
        ]
        worth = [goal.worth_of(offers[position], rung=rung) for position, rung, _ in rows]
        costs = [goal.contact_cost] * len(rows)
        if no_offer:
            rows.append((-1, 0, Arm(None, None, None)))
            worth.append(0.0)
            costs.append(0.0)
        return cls(
            offers=tuple(offers),
            arms=tuple(arm for _, _, arm in rows),
            offer_index=read_only(np.array([position for position, _, _ in rows], np.int32)),
            rung=read_only(np.array([rung for _, rung, _ in rows], np.int32)),
            worth=read_only(np.array(worth, np.float64)),
            contact_cost=read_only(np.array(costs, np.float64)),
        )

    def __len__(self) -> int:
        """Count the arms."""
        return len(self.arms)

    @property
    def has_no_offer(self) -> bool:
        """Whether the last arm is to show nothing."""
        return bool(self.offer_index[-1] < 0)

    @property
    def n_arms_of_offer(self) -> Int32s:
        """How many arms each offer has, int32, shape (n_offers,)."""
        shown = self.offer_index[self.offer_index >= 0]
        counts: Int32s = np.bincount(shown, minlength=len(self.offers)).astype(np.int32)
        return counts
