"""The floor: a small probability for every offer that may be shown, whatever is believed of it."""

from dataclasses import dataclass

import numpy as np

from seg1._checks import read_only
from seg1._types import Bools, Float64s, Int64s
from seg1.offers import Arms

__all__ = ["Floor"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Floor:
    """``p = (1 - f) p + f / n_offers``, an offer's share spread evenly over its prices and slots.

    Offers count where one of their arms is eligible; no offer counts as one. Without a floor an
    arm may have a probability that no log can be weighted by.

    Attributes
    ----------
    share
        f, in [0, 1].
    offer_of
        Position of each arm's offer, no offer one after the last; int64, shape (n_arms,).
    even
        f / n_offers, spread, where every arm is eligible; float64, shape (n_arms,).

    Examples
    --------
    >>> from seg1.offers import Goal, Offer
    >>> arms = Arms.of([Offer("tea", prices=[3, 2]), Offer("cake", worth=1)], goal=Goal.revenue())
    >>> floor = Floor.of(arms, share=0.3)
    >>> floor.under(np.array([1.0, 0, 0, 0]), eligible=np.ones(4, bool)).round(2).tolist()
    [0.75, 0.05, 0.1, 0.1]
    """

    share: float
    offer_of: Int64s
    even: Float64s

    @classmethod
    def of(cls, arms: Arms, *, share: float) -> "Floor":
        """Lay a floor under some arms."""
        offer_of = arms.offer_index.astype(np.int64)
        offer_of[offer_of < 0] = len(arms.offers)
        even = share * _spread(offer_of, np.ones(len(arms), np.bool_))
        return cls(share=share, offer_of=read_only(offer_of), even=read_only(even))

    def under(
        self, probabilities: Float64s, *, eligible: Bools | None = None, total: float = 1.0
    ) -> Float64s:
        """Lift probabilities to the floor, so that they sum to 1.

        Parameters
        ----------
        probabilities
            Shape (n_arms,), 0 where not eligible.
        eligible
            Which arms may be chosen, bool, shape (n_arms,); None for all.
        total
            Sum of the probabilities.
        """
        lifted = probabilities * ((1.0 - self.share) / total)
        lifted += self.even if eligible is None else self.share * _spread(self.offer_of, eligible)
        return lifted


def _spread(offer_of: Int64s, eligible: Bools) -> Float64s:
    n_arms_of = np.bincount(offer_of, weights=eligible)  # (n_offers [+ 1],)
    n_offers = np.count_nonzero(n_arms_of)
    # An offer without an eligible arm has none to give a share to.
    return eligible / (np.maximum(n_arms_of, 1.0)[offer_of] * n_offers)
