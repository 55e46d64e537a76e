"""What a policy misses against the best choices, by rates that only a simulation knows."""

from dataclasses import dataclass

import numpy as np

from seg1._types import Float64s
from seg1.demo.deciding import Run

__all__ = ["Regret", "regret_of"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Regret:
    """Redemptions missed in expectation at each contact, float64, shape (n_contacts,) each.

    0 at contacts that were not personal or had no eligible offer: there was nothing to choose.

    Attributes
    ----------
    chosen
        By what was shown; no offer is redeemed by nobody.
    uniform
        By an even draw among the eligible offers, worked out exactly.
    best_fixed
        By always showing the one offer that misses least over the whole run, known in hindsight
        alone; where a rule refuses it, nothing is shown.
    best_fixed_offer
        Its position.
    """

    chosen: Float64s
    uniform: Float64s
    best_fixed: Float64s
    best_fixed_offer: int

    def share(self, regret: Float64s) -> float:
        """Give one of these regrets as a share of uniform's."""
        return float(regret.sum() / self.uniform.sum())


def regret_of(run: Run, *, rates: Float64s) -> Regret:
    """Compare a run, contact by contact, with the best eligible offer by its true rate.

    Parameters
    ----------
    run
        The run.
    rates
        True rates, float64, shape (n_offers, n_segments).
    """
    counts = run.is_personal & run.eligible.any(axis=1)
    # (n_contacts, n_offers): what is refused cannot be redeemed
    rate = np.where(run.eligible, rates.T[run.segment], 0.0)
    best = rate.max(axis=1)
    chosen = np.where(run.offer >= 0, rate[np.arange(len(rate)), run.offer], 0.0)
    uniform = rate.sum(axis=1) / np.maximum(run.eligible.sum(axis=1), 1)
    fixed_offer = int(rate[counts].sum(axis=0).argmax())
    return Regret(
        chosen=np.where(counts, best - chosen, 0.0),
        uniform=np.where(counts, best - uniform, 0.0),
        best_fixed=np.where(counts, best - rate[:, fixed_offer], 0.0),
        best_fixed_offer=fixed_offer,
    )
