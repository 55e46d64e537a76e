"""Ratios of sums over customers, with standard errors that know who decided more than once."""

from dataclasses import dataclass

import numpy as np

from seg1._types import Float64s, Int32s, Int64s
from seg1.errors import InvalidArgumentError

__all__ = ["Clusters", "Ratio", "check_level", "ratio", "t_quantile"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clusters:
    """Whose rows they are, with codes that leave no gap.

    Attributes
    ----------
    codes
        Code of each customer in the vocabulary, rising; int64, shape (n_customers,).
    index
        Position in `codes` of each row's customer, int64, shape (n_rows,).

    Examples
    --------
    >>> customers = Clusters.of(np.array([4, 1, 4], dtype=np.int32))
    >>> customers.codes, customers.index
    (array([1, 4]), array([1, 0, 1]))
    """

    codes: Int64s
    index: Int64s

    @classmethod
    def of(cls, customer_index: Int32s) -> "Clusters":
        """Find who has rows."""
        is_present = np.bincount(customer_index) > 0
        position = np.cumsum(is_present) - 1
        return cls(codes=np.flatnonzero(is_present), index=position[customer_index])

    def __len__(self) -> int:
        """Count the customers."""
        return len(self.codes)

    def sums(self, values: Float64s) -> Float64s:
        """Add up the rows of each customer: float64, shape (n_customers,)."""
        added: Float64s = np.bincount(self.index, values, minlength=len(self)).astype(
            np.float64, copy=False
        )
        return added


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ratio:
    """One sum over another, and how far a customer pulls it.

    Attributes
    ----------
    estimate
        The ratio.
    se
        Its standard error, >= 0; nan for fewer than two customers.
    pull
        What each customer's rows move the estimate by, to first order; float64, shape
        (n_customers,). Its squares add up to the squared standard error.
    """

    estimate: float
    se: float
    pull: Float64s


def ratio(
    numerator: Float64s,
    denominator: Float64s,
    customers: Clusters,
    *,
    n_customers: int | None = None,
) -> Ratio:
    """Divide two sums, with the delta method over customers.

    With A_c and B_c the sums of a customer, C customers and theta = A / B, the variance is
    ``C / (C - 1) * sum over c of (A_c - theta B_c)^2 / B^2``: rows of one customer may depend on
    one another in any way (Cameron, Miller 2015, "A Practitioner's Guide to Cluster-Robust
    Inference", sec. II.B, for a mean, and the delta method for a ratio).

    Parameters
    ----------
    numerator, denominator
        float64, shape (n_rows,). The denominator must not add up to 0.
    customers
        Whose rows they are.
    n_customers
        C, where it is not all of them: those of a group, whose other rows have 0 for both.

    Returns
    -------
    Ratio

    Examples
    --------
    >>> customers = Clusters.of(np.array([0, 0, 1], dtype=np.int32))
    >>> mean = ratio(np.array([1.0, 1.0, 4.0]), np.ones(3), customers)
    >>> mean.estimate, round(mean.se, 4)
    (2.0, 1.3333)
    """
    # Summed over rows, not over customers, so that a mean is the mean to the last bit.
    total = float(denominator.sum())
    estimate = float(numerator.sum()) / total
    residual = customers.sums(numerator) - estimate * customers.sums(denominator)
    n = len(customers) if n_customers is None else n_customers
    small_sample = np.sqrt(n / (n - 1)) if n > 1 else np.nan
    pull: Float64s = small_sample / total * residual
    return Ratio(estimate=estimate, se=float(np.sqrt(pull @ pull)), pull=pull)


def t_quantile(level: float, *, n_customers: int) -> float:
    """How many standard errors a two-sided interval reaches to each side.

    Student's t with n_customers - 1 degrees of freedom (Cameron, Miller 2015, sec. VI.D).

    Examples
    --------
    >>> round(t_quantile(0.95, n_customers=31), 3), round(t_quantile(0.95, n_customers=10**6), 3)
    (2.042, 1.96)
    """
    from scipy.special import stdtrit  # noqa: PLC0415  # scipy loads when first used

    return float(stdtrit(n_customers - 1, (1 + level) / 2))


def check_level(level: float) -> float:
    """Accept the level of an interval, in (0, 1)."""
    if not 0 < level < 1:
        raise InvalidArgumentError(f"level must lie in (0, 1), got {level!r}")
    return float(level)
