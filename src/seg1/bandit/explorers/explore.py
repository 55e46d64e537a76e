"""Explorers: from what is believed of each arm's value to the probability of choosing it."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from seg1._checks import check_at_least, check_number
from seg1._types import Bools, Float32s, Float64s
from seg1.bandit.explorers.best import best_probabilities
from seg1.bandit.posteriors.posterior import Draws
from seg1.errors import InvalidArgumentError

__all__ = [
    "EpsilonGreedy", "Explorer", "Greedy", "InverseGap", "JointExplorer", "MeansExplorer",
    "Softmax", "ThompsonSampling", "UpperConfidence",
]  # fmt: skip

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


@runtime_checkable
class MeansExplorer(Protocol):
    """An explorer that needs means only: a posterior is then not asked how uncertain they are."""

    def by_means(self, mean: Float64s, *, eligible: Bools) -> Float64s:
        """Give the probability of choosing each arm, as `Explorer.probabilities`.

        Parameters
        ----------
        mean, eligible
            As there.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ThompsonSampling:
    """Choose each arm with the probability that it is the best one.

    Where arms are independent, values are normals with the given means, and `scale` times the given
    standard deviations (Thompson 1933), and the probability is an integral, worked out to 1e-3.
    Where they share what is not known, it is the share of 256 fixed joint draws in which an arm is
    the best. Either way the arm is drawn from that very vector: it can be logged as it is.

    Parameters
    ----------
    scale
        How much of the uncertainty to draw, > 0. 1 draws as the posterior says.
    optimism
        How many standard deviations to lift every value by, >= 0. It tries what is uncertain as
        bounds of confidence do (optimistic sampling: May, Korda, Lee and Leslie 2012), and draws
        all the same. With optimism 0 and scale 1 it is Thompson's rule.

    Examples
    --------
    >>> explorer = ThompsonSampling()
    >>> mean, sd = np.array([0.3, 0.2, 0.9]), np.array([0.1, 0.2, 0.1])
    >>> explorer.probabilities(mean, sd, eligible=np.array([True, True, False])).round(3)
    array([0.5, 0.5, 0. ])
    """

    scale: float = 0.25
    optimism: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", check_number(self.scale, name="scale", above=0))
        optimism = check_at_least(self.optimism, name="optimism", low=0)
        object.__setattr__(self, "optimism", optimism)

    @property
    def needs_floor(self) -> bool:
        """Give False: what is uncertain is tried."""
        return False

    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Float64s:
        """Give the probability that each eligible arm is the best one; see `Explorer`."""
        lifted = mean + self.optimism * sd
        if np.count_nonzero(eligible) == len(eligible):  # quicker than all()
            return best_probabilities(lifted, self.scale * sd)
        chances = np.zeros(len(mean))
        chances[eligible] = best_probabilities(lifted[eligible], self.scale * sd[eligible])
        return chances

    def jointly(self, mean: Float64s, sd: Float64s, *, draws: Draws, eligible: Bools) -> Float64s:
        """Count how often each arm is the best of joint draws; see `JointExplorer`."""
        lifted = mean + self.optimism * sd
        reach = (_REACH * self.scale) * sd
        low = np.where(eligible, lifted - reach, -np.inf)
        is_close = lifted + reach >= low.item(low.argmax())
        is_close &= eligible
        arms = is_close.nonzero()[0]
        values = draws(arms)
        # Over the scale, for only their order counts.
        values += (lifted / self.scale - mean).take(arms).astype(values.dtype)
        chances = np.zeros(len(mean))
        chances[arms] = _best_shares(values)
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
        """Give what `by_means` does; see `Explorer`."""
        return self.by_means(mean, eligible=eligible)

    def by_means(self, mean: Float64s, *, eligible: Bools) -> Float64s:
        """Share 1 among the best eligible arms; see `Explorer`."""
        return _shared(_best(mean, eligible))


@dataclass(frozen=True, slots=True, kw_only=True)
class UpperConfidence:
    """Choose the arm that could be worth most; equal ones share alike.

    That is the best of ``mean + width sd`` (LinUCB: Li, Chu, Langford and Schapire 2010, "A
    contextual-bandit approach to personalized news article recommendation", algorithm 1). What is
    uncertain is tried, but one arm gets everything, so that only a floor makes its log usable.

    Parameters
    ----------
    width
        How many standard deviations above its mean an arm is taken at, > 0.
    without_floor
        Whether a selector may use it with a floor of 0, and so leave a log that judges nothing.

    Examples
    --------
    >>> mean, sd = np.array([0.3, 0.5]), np.array([0.4, 0.1])
    >>> UpperConfidence().probabilities(mean, sd, eligible=np.ones(2, bool)).tolist()
    [1.0, 0.0]
    """

    width: float = 1.0
    without_floor: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", check_number(self.width, name="width", above=0))

    @property
    def needs_floor(self) -> bool:
        """Give True, unless it was told to do without."""
        return not self.without_floor

    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Float64s:
        """Share 1 among the eligible arms of the highest bound; see `Explorer`."""
        return _shared(_best(mean + self.width * sd, eligible))


@dataclass(frozen=True, slots=True, kw_only=True)
class EpsilonGreedy:
    """Choose the best arm, and now and then any.

    Of A eligible arms each gets ``epsilon / A``, and the best ``1 - epsilon`` beside (Sutton and
    Barto 2018, "Reinforcement Learning", section 2.2). It needs means only, and explores no less
    on the last day than on the first.

    Parameters
    ----------
    epsilon
        Share of the decisions that are drawn evenly from all eligible arms, in (0, 1].

    Examples
    --------
    >>> explorer, mean = EpsilonGreedy(epsilon=0.2), np.array([0.3, 0.9])
    >>> explorer.probabilities(mean, np.ones(2), eligible=np.ones(2, bool)).round(3).tolist()
    [0.1, 0.9]
    """

    epsilon: float = 0.05

    def __post_init__(self) -> None:
        epsilon = check_number(self.epsilon, name="epsilon", above=0)
        if epsilon > 1:
            raise InvalidArgumentError(f"epsilon must lie in (0, 1], got {self.epsilon!r}")
        object.__setattr__(self, "epsilon", epsilon)

    @property
    def needs_floor(self) -> bool:
        """Give False: no arm gets 0."""
        return False

    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Float64s:  # noqa: ARG002  # the contract
        """Give what `by_means` does; see `Explorer`."""
        return self.by_means(mean, eligible=eligible)

    def by_means(self, mean: Float64s, *, eligible: Bools) -> Float64s:
        """Spread epsilon evenly, and give the best the rest; see `Explorer`."""
        chances = _shared(_best(mean, eligible))
        chances *= 1.0 - self.epsilon
        chances[eligible] += self.epsilon / np.count_nonzero(eligible)
        return chances


@dataclass(frozen=True, slots=True, kw_only=True)
class Softmax:
    """Choose each arm in proportion to the exponential of its value over a temperature.

    Boltzmann's distribution over the means (Sutton and Barto 1998, "Reinforcement Learning",
    section 2.3). It does not ask how uncertain a mean is, so that no temperature suits every stage
    of learning (Cesa-Bianchi, Gentile, Lugosi and Neu 2017, "Boltzmann exploration done right").

    Parameters
    ----------
    temperature
        Distance from the best, in the unit of value, at which an arm is chosen e times less often,
        > 0. The default of 0.05 suits values between 0 and 1; ten times larger values want ten
        times as much. An arm that lies 700 temperatures or more below the best may get 0.

    Examples
    --------
    >>> explorer, mean = Softmax(temperature=0.1), np.array([0.3, 0.4])
    >>> explorer.probabilities(mean, np.ones(2), eligible=np.ones(2, bool)).round(3).tolist()
    [0.269, 0.731]
    """

    temperature: float = 0.05

    def __post_init__(self) -> None:
        temperature = check_number(self.temperature, name="temperature", above=0)
        object.__setattr__(self, "temperature", temperature)

    @property
    def needs_floor(self) -> bool:
        """Give False: every arm near the best is tried."""
        return False

    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Float64s:  # noqa: ARG002  # the contract
        """Give what `by_means` does; see `Explorer`."""
        return self.by_means(mean, eligible=eligible)

    def by_means(self, mean: Float64s, *, eligible: Bools) -> Float64s:
        """Weigh each eligible arm by the exponential of its mean; see `Explorer`."""
        known = mean[eligible]
        # From the best downwards nothing overflows; at a tiny temperature a distance may, to 0.
        with np.errstate(over="ignore"):
            weights = np.exp((known - known.max()) / self.temperature)
        chances = np.zeros(len(mean))
        chances[eligible] = weights / weights.sum()
        return chances


@dataclass(frozen=True, slots=True, kw_only=True)
class InverseGap:
    """Choose an arm the less often the further it seems to lie below the best.

    With A eligible arms, an arm at a distance from the best gets ``1 / (A + gamma distance)``, and
    the best gets the rest (SquareCB: Foster and Rakhlin 2020, "Beyond UCB", eq. 3). It needs means
    only, and its probabilities never fall faster than one over what an arm lies behind.

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
        """Give what `by_means` does; see `Explorer`."""
        return self.by_means(mean, eligible=eligible)

    def by_means(self, mean: Float64s, *, eligible: Bools) -> Float64s:
        """Weigh each eligible arm by its distance from the best; see `Explorer`."""
        n = int(np.count_nonzero(eligible))
        if n < len(mean):  # what may not be chosen is infinitely far away
            mean = np.where(eligible, mean, -np.inf)
        best = int(mean.argmax())
        gap = mean.item(best) - mean
        n_best = len(gap) - int(np.count_nonzero(gap))
        weights = gap * self.gamma
        weights += n
        chances: Float64s = np.divide(1.0, weights, out=weights)
        # The best have 1 / n so far, and share what is left.
        rest = (1.0 - float(np.add.reduce(chances))) / n_best
        chances[best if n_best == 1 else gap == 0.0] += rest
        return chances


def _best(value: Float64s, eligible: Bools) -> Bools:
    best: Bools = eligible & (value == value[eligible].max())
    return best


def _shared(best: Bools) -> Float64s:
    chances: Float64s = best / np.count_nonzero(best)
    return chances


def _best_shares(values: Float32s) -> Float64s:
    """Give the share of rows in which each column is the largest; equal ones share alike."""
    n_rows = len(values)
    is_best = values == np.maximum.reduce(values, axis=1)[:, None]
    counts = np.add.reduce(is_best, axis=0, dtype=np.int64)
    if int(np.add.reduce(counts)) > n_rows:  # some rows have several
        counts = np.add.reduce(is_best / np.count_nonzero(is_best, axis=1)[:, None], axis=0)
    shares: Float64s = counts / n_rows
    return shares
