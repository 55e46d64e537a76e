"""Whether a log supports a policy: judged by weights alone, never by what was earned."""

from dataclasses import dataclass

import numpy as np

from seg1._checks import check_at_least
from seg1._types import Float64s
from seg1.errors import InvalidTypeError, NotSupportedError
from seg1.journal import DecisionLog
from seg1.measure.intervals import Clusters, ratio

__all__ = ["Gate", "NotSupportedError", "Weights", "check_log", "left_out"]

_ROUNDING = 1e-6  # rows of a policy sum to 1 within this, so a mean weight can be off by as much


def check_log(log: object) -> None:
    """Accept a log only, and say where one comes from."""
    if not isinstance(log, DecisionLog):
        raise InvalidTypeError(
            "log must be a DecisionLog, from DecisionLog.from_journal(engine.journal, consent=..., "
            f"at=...) or written down as columns; got {type(log).__name__}"
        )


def left_out(log: DecisionLog) -> str:
    """Tell what a log leaves out and why, for the end of a refusal; empty where that is nothing."""
    told = ", ".join(f"{n:,} by {reason!r}" for reason, n in log.excluded.items())
    return f" (decisions that the log leaves out: {told})" if told else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Importance weights in figures.

    Attributes
    ----------
    ess
        Effective number of customers, ``(sum of W_c)^2 / sum of W_c^2``, W_c the sum of a
        customer's weights (Kish 1965).
    largest
        The largest weight of a row.
    largest_share
        Its share of the sum of all weights, in [0, 1].
    mean, mean_se
        Mean weight and its standard error over customers.
    n_rows, n_customers
        How many there are.
    """

    ess: float
    largest: float
    largest_share: float
    mean: float
    mean_se: float
    n_rows: int
    n_customers: int

    @classmethod
    def of(cls, weight: Float64s, customers: Clusters) -> "Weights":
        """Work the figures out of the weights of some rows, at least one."""
        of_customer = customers.sums(weight)
        total, largest = float(weight.sum()), float(weight.max())
        mean = ratio(weight, np.ones(len(weight)), customers)
        return cls(
            ess=total**2 / float(of_customer @ of_customer) if total else 0.0,
            largest=largest,
            largest_share=largest / total if total else 0.0,
            mean=mean.estimate,
            mean_se=mean.se,
            n_rows=len(weight),
            n_customers=len(customers),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What a log must show before a value is printed. Looks at weights, never at rewards.

    A gate on outcomes (so many acceptances, say) would let through the logs that happened to go
    well, and overstate.

    Parameters
    ----------
    min_ess
        Effective number of customers, at least; >= 0.
    max_weight_share
        The share of all weight that one row may carry, at most; in (0, 1].
    max_mean_weight_z
        How many standard errors the mean weight may lie from 1, at most; > 0. Its expectation is
        exactly 1 where the arms were drawn from the probabilities that were logged and the policy
        chooses only arms that could be drawn.

    Examples
    --------
    >>> Gate(min_ess=100).max_weight_share
    0.01
    """

    min_ess: float = 400.0
    max_weight_share: float = 0.01
    max_mean_weight_z: float = 3.0

    def __post_init__(self) -> None:
        for name in ("min_ess", "max_weight_share", "max_mean_weight_z"):
            check_at_least(getattr(self, name), name=name, low=0)

    def check(self, weights: Weights) -> None:
        """Let weights pass, or raise `NotSupportedError` with every reason."""
        found = [*self._few_customers(weights), *self._off_mean(weights)]
        if weights.largest_share > self.max_weight_share:
            found.append(
                f"one row carries {weights.largest_share:.2%} of all weight "
                f"(at most {self.max_weight_share:.2%}), its weight is {weights.largest:,.1f}"
            )
        if found:
            raise NotSupportedError(
                f"the log does not support this policy: {'; '.join(found)} "
                f"({weights.n_rows} rows of {weights.n_customers} customers); log longer, explore "
                "more (a higher floor), or judge a policy that is nearer to the one that ran"
            )

    def _few_customers(self, weights: Weights) -> list[str]:
        if weights.n_customers > 1 and weights.ess >= self.min_ess:
            return []
        least = max(self.min_ess, 2.0)
        return [f"effective sample size {weights.ess:.1f} customers (at least {least:g})"]

    def _off_mean(self, weights: Weights) -> list[str]:
        allowed = _ROUNDING
        if weights.n_customers > 1:
            allowed += self.max_mean_weight_z * weights.mean_se
        if abs(weights.mean - 1.0) <= allowed:
            return []
        problem = (
            f"mean weight {weights.mean:.4f} with standard error {weights.mean_se:.4f} "
            f"(must be 1 within {self.max_mean_weight_z:g}): arms were not drawn from the logged "
            "probabilities, or the policy chooses arms that could not be drawn"
        )
        return [problem]
