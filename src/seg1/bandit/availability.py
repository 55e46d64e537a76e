"""Which arms may be shown at a moment, as far as the offers themselves say."""

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from seg1._types import Bools, Float64s, Id
from seg1.errors import InvalidArgumentError, UnknownIdError
from seg1.offers import Arms

__all__ = ["Availability"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Availability:
    """Validity, and what the caller allows and denies.

    Attributes
    ----------
    arms_of
        Which arms an offer has, by its id; bool, shape (n_arms,) each.
    open_arms
        Which arms need nobody to vouch for them: no audience; bool, shape (n_arms,).
    no_offer
        Which arm is no offer, if any; bool, shape (n_arms,).
    valid_from_us, valid_until_us
        Of each arm, [from, until), float64, shape (n_arms,); infinite where open.
    """

    arms_of: dict[Id, Bools]
    open_arms: Bools
    no_offer: Bools
    valid_from_us: Float64s
    valid_until_us: Float64s

    @classmethod
    def of(cls, arms: Arms) -> "Availability":
        """Read it off the arms."""
        shown = [None if i < 0 else arms.offers[i] for i in arms.offer_index]
        valid = [(-math.inf, math.inf) if offer is None else offer.valid_us for offer in shown]
        return cls(
            arms_of={offer.id: arms.offer_index == i for i, offer in enumerate(arms.offers)},
            open_arms=np.array([offer is None or offer.audience is None for offer in shown]),
            no_offer=arms.offer_index < 0,
            valid_from_us=np.array([start for start, _ in valid]),
            valid_until_us=np.array([end for _, end in valid]),
        )

    def mask(self, at_us: int, *, allow: Collection[Id] | None, deny: Collection[Id]) -> Bools:
        """Say which arms may be shown; see `OfferSelector.choose`."""
        allowed = self.open_arms.copy() if allow is None else self.no_offer | self._named(allow)
        if deny:
            allowed &= ~self._named(deny)
        allowed &= self.valid_from_us <= at_us
        allowed &= at_us < self.valid_until_us
        if not allowed.any():
            raise InvalidArgumentError(
                "no offer may be shown now; with no_offer=True there is an answer even then"
            )
        return allowed

    def _named(self, offer_ids: Collection[Id]) -> Bools:
        named = np.zeros(len(self.no_offer), np.bool_)
        for offer_id in _several(offer_ids):
            arms = self.arms_of.get(offer_id)
            if arms is None:
                raise UnknownIdError(
                    f"allow and deny must name offers of the selector, got {offer_id!r}"
                )
            named |= arms
        return named


def _several(offer_ids: Collection[Id]) -> Collection[Id]:
    # A str is a collection too: of letters, which would name other offers.
    if isinstance(offer_ids, str):
        raise InvalidArgumentError("allow and deny must be collections of ids, got a str")
    return offer_ids
