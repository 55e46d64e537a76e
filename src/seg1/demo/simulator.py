"""The simulated customers: how likely each offer is redeemed, and whether it is.

A simulation, because the data hold no probability with which a coupon was mailed, so nobody can say
from them alone what another choice would have brought. Its rates come from the real redemptions.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from seg1._checks import DAY_US
from seg1._random import keyed_uniform
from seg1._types import Float64s, Int64s

__all__ = ["STRENGTH", "Simulator", "main_effects", "rates_of"]

STRENGTH: Final = 30.0
"""So many households the product of margins counts for in a cell."""

_N_ROUNDS: Final = 200  # it settles to the last digits in a few dozen
_LONGEST_WAIT_US: Final = 2 * DAY_US


def rates_of(n_mailed: Int64s, n_redeemed: Int64s, *, strength: float = STRENGTH) -> Float64s:
    """Estimate how likely a household of a segment redeems a campaign.

    The frequency of each cell, pulled towards `main_effects` as if these had been seen on
    `strength` more households: ``(redeemed + strength * margins) / (mailed + strength)``. A cell
    with hundreds of households says what they did; one with three says what its campaign and its
    segment do elsewhere.

    Parameters
    ----------
    n_mailed, n_redeemed
        Households, int64, shape (n_campaigns, n_segments).
    strength
        How many households the product of margins counts for, > 0.

    Returns
    -------
    ndarray of float64, shape (n_campaigns, n_segments)
        Rates in [0, 1].

    Examples
    --------
    >>> mailed, redeemed = np.array([[200, 0], [200, 100]]), np.array([[20, 0], [40, 40]])
    >>> rates_of(mailed, redeemed).round(2).tolist()
    [[0.1, 0.2], [0.2, 0.4]]
    """
    margins = main_effects(n_mailed, n_redeemed)
    return (n_redeemed + strength * margins) / (n_mailed + strength)


def main_effects(n_mailed: Int64s, n_redeemed: Int64s) -> Float64s:
    """Give rates that are a campaign's factor times a segment's, and keep both margins.

    With them each campaign, and each segment, has as many expected redemptions as it had real ones
    (iterative proportional fitting: Deming, Stephan 1940). So a campaign that was mailed to heavy
    shoppers alone is not taken for a good one because they redeem more of everything.

    Returns
    -------
    ndarray of float64, shape (n_campaigns, n_segments)
        Rates, at most 1.
    """
    of_segment = np.ones(n_mailed.shape[1])
    of_campaign = np.zeros(len(n_mailed))
    for _ in range(_N_ROUNDS):
        of_campaign = _shares(n_redeemed.sum(axis=1), n_mailed @ of_segment)
        of_segment = _shares(n_redeemed.sum(axis=0), of_campaign @ n_mailed)
    rates: Float64s = np.minimum(np.outer(of_campaign, of_segment), 1.0)
    return rates


def _shares(part: Int64s, whole: Float64s) -> Float64s:
    """Divide; nothing of nothing is 0."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Simulator:
    """Answers as the rates have them, each drawn by a hash of seed and decision.

    So a run can be repeated, and whoever shows the same offer in the same decision under the same
    seed gets the same answer. Without an offer nothing is redeemed.

    Attributes
    ----------
    rates
        Probability of a redemption, float64, shape (n_campaigns, n_segments).
    seed
        Whose draws these are, >= 0.

    Examples
    --------
    >>> simulator = Simulator(rates=np.array([[0.0, 1.0]]), seed=7)
    >>> [simulator.redeems("visit-1", campaign=0, segment=segment) for segment in (0, 1)]
    [False, True]
    """

    rates: Float64s
    seed: int

    def redeems(self, decision_id: str, *, campaign: int, segment: int) -> bool:
        """Say whether the offer of a decision is redeemed."""
        u = keyed_uniform(self.seed, purpose="demo response", draw_id=decision_id)
        return u < float(self.rates[campaign, segment])

    def wait_us(self, decision_id: str) -> int:
        """Say how long after the decision: up to two days, microseconds."""
        u = keyed_uniform(self.seed, purpose="demo wait", draw_id=decision_id)
        return round(u * _LONGEST_WAIT_US)
