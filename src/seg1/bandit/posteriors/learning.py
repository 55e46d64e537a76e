"""`Learning`: what all posteriors here have in common, and how a row counts."""

from dataclasses import dataclass

import numpy as np

from seg1._checks import check_choice, check_number
from seg1._types import Float64s
from seg1.bandit.posteriors.link import LINKS, Link
from seg1.errors import InvalidArgumentError

__all__ = ["Learning", "learned_noise", "shrink_of"]

_HOUR_US = 3_600 * 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """How a regression learns: what all posteriors here have in common. Abstract.

    Attributes
    ----------
    half_life_days
        Days of event time after which a row counts half; None to forget nothing.
    prior_sd
        Prior standard deviation of a coefficient, in units of the noise.
    intercept_sd
        The same of the first coefficient, which all contexts share.
    noise_sd
        Standard deviation of the noise before any answer; it counts as one row.
    tick_hours
        Rows of one tick count alike.
    link
        "identity" or "logit".
    """

    half_life_days: float | None = 90.0
    prior_sd: float = 2.5
    intercept_sd: float = 1.0
    noise_sd: float = 0.5
    tick_hours: float = 24.0
    link: Link = "identity"

    def __post_init__(self) -> None:
        for name in ("half_life_days", "prior_sd", "intercept_sd", "noise_sd", "tick_hours"):
            value = getattr(self, name)
            if value is not None or name != "half_life_days":
                object.__setattr__(self, name, check_number(value, name=name, above=0))
        if self.tick_us < 1:
            raise InvalidArgumentError("tick_hours must come to a microsecond at least")
        check_choice(self.link, name="link", choices=LINKS)

    @property
    def tick_us(self) -> int:
        """Microseconds of a tick."""
        return round(self.tick_hours * _HOUR_US)

    def prior(self, n_features: int) -> Float64s:
        """Give the prior standard deviation of each coefficient, the intercept's first."""
        prior = np.full(n_features, self.prior_sd)
        prior[0] = self.intercept_sd
        return prior

    def weight(self, n_ticks: int) -> float:
        """Give what a row counts after some ticks, in [0, 1]."""
        if self.half_life_days is None:
            return 1.0
        return float(2.0 ** -(n_ticks * self.tick_hours / (24.0 * self.half_life_days)))


def shrink_of(weight: float, spread: float) -> float:
    """Give how much of ``u u'`` a row takes from an inverse, ``u = inverse x``, ``spread = x' u``.

    Sherman and Morrison (1950), in the form that keeps the inverse positive.
    """
    return weight / (1.0 + weight * spread)


def learned_noise(residual: Float64s, n: Float64s, *, n_features: int, noise_sd: float) -> Float64s:
    """Learn a variance for each regression, shape (n,).

    Its own residuals count beside those of all together, which weigh as many rows as there are
    features; and noise_sd squared counts as one row among those.
    """
    pooled = (noise_sd**2 + float(np.add.reduce(residual))) / (1.0 + float(np.add.reduce(n)))
    noise = residual + n_features * pooled
    noise /= n + n_features
    return noise
