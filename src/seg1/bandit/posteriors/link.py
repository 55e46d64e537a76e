"""Links: on which scale answers are linear; the identity, or the logit of an acceptance."""

from typing import Final, Literal

import numpy as np
from scipy.special import expit

from seg1._types import Float64s
from seg1.bandit.posteriors.posterior import Draws

__all__ = ["LINKS", "Link", "acceptance_draws", "acceptances", "working_row"]

Link = Literal["identity", "logit"]

LINKS: Final = ("identity", "logit")
_LEAST = 1e-4  # of a row's information: one that was as good as certain still counts


def working_row(
    answer: float, *, mean: float, variance: float, weight: float
) -> tuple[float, float]:
    """Turn an acceptance into a row of a linear regression of the log odds.

    One step of Newton from what is believed (the extended Kalman filter of a logistic regression:
    Fahrmeir 1992): the row has the weight ``w v`` and the answer ``mean + (answer - p) / v``, with
    p the acceptance expected under the belief and ``v = p (1 - p)``.

    Parameters
    ----------
    answer
        In [0, 1].
    mean, variance
        Believed of the log odds before the row.
    weight
        Of the row, by its age.

    Returns
    -------
    working_answer, working_weight

    Examples
    --------
    >>> working_row(1.0, mean=0.0, variance=0.0, weight=1.0)
    (2.0, 0.25)
    """
    p = float(expit(mean / np.sqrt(1.0 + np.pi / 8.0 * variance)))
    v = max(p * (1.0 - p), _LEAST)
    return mean + (answer - p) / v, weight * v


def acceptances(mean: Float64s, sd: Float64s) -> tuple[Float64s, Float64s]:
    """Give mean and standard deviation of acceptances whose log odds are normal.

    The mean is MacKay's (1992, "The evidence framework applied to classification networks", eq.
    10); the deviation is that of the line that touches there.

    Examples
    --------
    >>> p, sd = acceptances(np.array([0.0]), np.array([0.4]))
    >>> p.tolist(), sd.round(3).tolist()
    ([0.5], [0.097])
    """
    flattened = np.sqrt(1.0 + np.pi / 8.0 * sd * sd)
    p: Float64s = expit(mean / flattened)
    return p, p * (1.0 - p) * sd / flattened


def acceptance_draws(draws: Draws) -> Draws:
    """Turn draws of log odds into draws of acceptances, when they are asked for."""
    return lambda arms: expit(draws(arms))
