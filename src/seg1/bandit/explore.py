"""Explorers: from what is believed of each arm's value to the probability of choosing it."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from seg1._checks import check_number
from seg1._types import Bools, Float64s
from seg1.bandit.best import best_probabilities
from seg1.bandit.posterior import Draws

__all__ = ["Explorer", "Greedy", "InverseGap", "JointExplorer", "ThompsonSampling"]

_REACH = 4.0  # standard deviations; what lies beyond is not drawn


@runtime_checkable
class Explorer(Protocol):
    """How to weigh learning against earning; `seg1.testing.check_policy` holds it.

    An explorer keeps nothing between calls: the same belief gives the same probabilities.
    """

    @property
    def needs_floor(self) -> bool:
        """Whether an arm could stay untried for ever, unless a floor lifts it."""
        ...

    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Float64s:
        """Give the probability of choosing each arm.

        Parameters
        ----------
        mean, sd
            Of the *value* of each arm (worth times answer, less the contact's cost), finite,
            shape (n_arms,); sd >= 0. No offer has mean 0 and sd 0 where acceptance is learned.
        eligible
            Which arms may be chosen, bool, shape (n_arms,), at least one.

        Returns
        -------
        ndarray of float64, shape (n_arms,)
            >= 0, exactly 0 where not eligible, sum 1 (within 1e-12).
        """
        ...


@runtime_checkable
class JointExplorer(Protocol):
    """An explorer that asks how values hang together, where arms share what is not known."""

    def jointly(self, mean: Float64s, sd: Float64s, *, draws: Draws, eligible: Bools) -> Float64s:
        """Give the probability of choosing each arm, as `Explorer.probabilities`.

        Parameters
        ----------
        mean, sd, eligible
            As there.
        draws
            Gives joint draws of the values of the arms at some positions, (n_draws, n_asked).
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ThompsonSampling:
    """Choose each arm with the probability that it is the best one.

    Where arms are independent, values are normals with the given means, and `scale` times the given
    standard deviations (Thompson 1933), and the probability is an integral, worked out to 1e-4.
    Where they share what is not known, it is the share of 256 fixed joint draws in which an arm is
    the best. Either way the arm is drawn from that very vector: it can be logged as it is.

    Parameters
    ----------
    scale
        How much of the uncertainty to act on, > 0. 1 explores as the posterior says; 0.5 earned
        more in most simulated worlds.

    Examples
    --------
    >>> explorer = ThompsonSampling()
    >>> mean, sd = np.array([0.3, 0.2, 0.9]), np.array([0.1, 0.2, 0.1])
    >>> explorer.probabilities(mean, sd, eligible=np.array([True, True, False])).round(3)
    array([0.814, 0.186, 0.   ])
    """

    scale: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", check_number(self.scale, name="scale", above=0))

    @property
    def needs_floor(self) -> bool:
        """Give False: what is uncertain is tried."""
        return False

    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Float64s:
        """Give the probability that each eligible arm is the best one; see `Explorer`."""
        if np.count_nonzero(eligible) == len(eligible):  # quicker than all()
            return best_probabilities(mean, self.scale * sd)
        chances = np.zeros(len(mean))
        chances[eligible] = best_probabilities(mean[eligible], self.scale * sd[eligible])
        return chances

    def _counted(self, mean: Float64s, sd: Float64s, *, eligible: Bools, draws: Draws) -> Float64s:
        """Count how often each arm is the best of joint draws; equal ones share alike."""
        reach = _REACH * self.scale * sd
        begin = (mean - reach)[eligible].max()
        arms = np.flatnonzero(eligible & (mean + reach >= begin))
        values = draws(arms)
        middle = mean.take(arms)
        values -= middle
        values *= self.scale
        values += middle
        is_best = values == values.max(axis=1, keepdims=True)
        shares = is_best / np.count_nonzero(is_best, axis=1)[:, None]
        chances = np.zeros(len(mean))
        chances[arms] = shares.mean(axis=0)
        return chances


@dataclass(frozen=True, slots=True, kw_only=True)
class Greedy:
    """Choose the best arm; equal ones share alike. It learns by the floor alone.

    Parameters
    ----------
    without_floor
        Whether a selector may use it with a floor of 0, and so never try most arms.

    Examples
    --------
    >>> mean = np.array([0.3, 0.9, 0.9])
    >>> Greedy().probabilities(mean, np.ones(3), eligible=np.ones(3, bool)).tolist()
    [0.0, 0.5, 0.5]
    """

    without_floor: bool = False

    @property
    def needs_floor(self) -> bool:
        """Give True, unless it was told to do without."""
        return not self.without_floor

    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Float64s:  # noqa: ARG002  # the contract
        """Share 1 among the best eligible arms; see `Explorer`."""
        best = _best(mean, eligible)
        chances: Float64s = best / np.count_nonzero(best)
        return chances


@dataclass(frozen=True, slots=True, kw_only=True)
class InverseGap:
    """Choose an arm the less often the further it seems to lie below the best.

    With A eligible arms, an arm at a distance from the best gets ``1 / (A + gamma distance)``, and
    the best gets the rest (SquareCB: Foster and Rakhlin 2020, "Beyond UCB", eq. 3). It needs means
    only, and its probabilities are never tiny.

    Parameters
    ----------
    gamma
        How much a distance counts, > 0, in one over the unit of value: 1000 suits values between 0
        and 1 and some thousand decisions; ten times larger values want a tenth of it.

    Examples
    --------
    >>> mean = np.array([0.5, 0.0])
    >>> InverseGap(gamma=4.0).probabilities(mean, np.ones(2), eligible=np.ones(2, bool)).tolist()
    [0.75, 0.25]
    """

    gamma: float = 1000.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "gamma", check_number(self.gamma, name="gamma", above=0))

    @property
    def needs_floor(self) -> bool:
        """Give False: no arm gets 0."""
        return False

    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Float64s:  # noqa: ARG002  # the contract
        """Weigh each eligible arm by its distance from the best; see `Explorer`."""
        best = _best(mean, eligible)
        gap = float(mean[best][0]) - mean
        others = eligible & ~best
        chances = np.zeros(len(mean))
        chances[others] = 1.0 / (np.count_nonzero(eligible) + self.gamma * gap[others])
        chances[best] = (1.0 - chances.sum()) / np.count_nonzero(best)
        return chances


def _best(mean: Float64s, eligible: Bools) -> Bools:
    best: Bools = eligible & (mean == mean[eligible].max())
    return best
