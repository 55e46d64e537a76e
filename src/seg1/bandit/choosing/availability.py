"""Which arms may be shown at a moment, as far as the offers themselves say."""

import math
from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from seg1._checks import read_only
from seg1._types import Bools, Id
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
    no_offer
        Which arm is no offer, if any; bool, shape (n_arms,).
    edges_us
        When the validity of any arm begins or ends, in order.
    valid
        Which arms are valid before the first edge, and from each of them on; bool, shape
        (n_edges + 1, n_arms).
    open_arms
        Those of them that need nobody to vouch for them: they have no audience.
    """

    arms_of: dict[Id, Bools]
    no_offer: Bools
    edges_us: list[float]
    valid: Bools
    open_arms: Bools

    @classmethod
    def of(cls, arms: Arms) -> "Availability":
        """Read it off the arms."""
        shown = [None if i < 0 else arms.offers[i] for i in arms.offer_index]
        spans = [(-math.inf, math.inf) if offer is None else offer.valid_us for offer in shown]
        edges = sorted({edge for span in spans for edge in span if math.isfinite(edge)})
        valid = [[start <= at < end for start, end in spans] for at in (-math.inf, *edges)]
        is_open = np.array([offer is None or offer.audience is None for offer in shown])
        return cls(
            arms_of={offer.id: arms.offer_index == i for i, offer in enumerate(arms.offers)},
            no_offer=arms.offer_index < 0,
            edges_us=edges,
            valid=read_only(np.array(valid)),
            open_arms=read_only(np.array(valid) & is_open),
        )

    def mask(self, at_us: int, *, allow: Collection[Id] | None, deny: Collection[Id]) -> Bools:
        """Say which arms may be shown, read-only; see `OfferSelector.choose`."""
        since = bisect_right(self.edges_us, at_us)
        if allow is None:
            allowed: Bools = self.open_arms[since]
        else:
            allowed = self.valid[since] & (self.no_offer | self._named(allow))
        if len(deny):  # not its truth: an array of the id 0 has none
            allowed = allowed & ~self._named(deny)
        if not np.count_nonzero(allowed):  # quicker than any()
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
