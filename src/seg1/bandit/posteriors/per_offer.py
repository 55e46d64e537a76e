"""`PerOfferLinear`: one Bayesian linear regression for each arm."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seg1._checks import check_int
from seg1._types import Float64s, Int64s
from seg1.bandit.posteriors.learning import Learning
from seg1.bandit.posteriors.link import acceptances
from seg1.bandit.posteriors.posterior import Arrays, Belief, Layout
from seg1.bandit.posteriors.regressions import Regressions

__all__ = ["PerOfferLinear", "PerOfferState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PerOfferLinear(Learning):
    """One Bayesian linear regression for each arm, with nothing shared but the noise.

    Coefficients have the prior N(0, noise variance * prior_sd^2), the first of them, the intercept,
    that of intercept_sd. The noise variance of an arm is
    learned from its own residuals and from those of all arms together, which count as many rows as
    there are features. For answers 0 and 1 of mean p it comes to p (1 - p).

    Parameters
    ----------
    half_life_days
        Days of event time after which a row counts half, > 0; None to forget nothing.
    prior_sd
        Prior standard deviation of a coefficient, in units of the noise, > 0; under a logit link in
        log odds. Contexts of a `ContextSchema` are short, so that it is to be wide.
    intercept_sd
        The same for the intercept, > 0.
    noise_sd
        Standard deviation of the noise before any answer, > 0; it counts as one row. 0.5 is the
        largest that an answer of 0 or 1 can have.
    tick_hours
        Rows of one tick count alike, > 0. At its first row all inverses are computed afresh, which
        takes some milliseconds for 200 arms.
    link
        "identity": expected answers are linear in the context. "logit": the log odds of an
        acceptance are. What was learned then depends on the order of the rows: states cannot be
        merged, and rows not removed.

    Examples
    --------
    >>> state = PerOfferLinear().start(Layout.plain(2), n_features=1)
    >>> x = np.array([1.0])
    >>> for _ in range(3):
    ...     state.fold(0, x, 1.0, at_us=0)
    >>> mean, sd, _ = state.belief(x)
    >>> mean.tolist(), bool(sd[0] < sd[1])
    ([0.75, 0.0], True)
    """

    def start(self, layout: Layout, *, n_features: int) -> "PerOfferState":
        """Give a state that has learned nothing.

        Parameters
        ----------
        layout
            The arms; only their number counts here.
        n_features
            Length of a context's vector, >= 1.
        """
        check_int(n_features, name="n_features", low=1)
        n_arms = len(layout.features)
        return PerOfferState(Regressions.start(self, n=n_arms, prior=self.prior(n_features)))

    def from_arrays(self, arrays: Arrays, layout: Layout) -> "PerOfferState":  # noqa: ARG002  # the contract
        """Make a state again from what `to_arrays` gave, bit for bit.

        Raises
        ------
        DamagedError
            Where arrays are missing, of the wrong shape or dtype, or not finite.
        """
        return PerOfferState(Regressions.from_arrays(self, arrays, prior=self.prior))


class PerOfferState:
    """What each arm has learned. Made by `PerOfferLinear`."""

    __slots__ = ("_is_logit", "_regressions")

    def __init__(self, regressions: Regressions) -> None:
        self._regressions = regressions
        self._is_logit = regressions.learning.link == "logit"

    @property
    def n_arms(self) -> int:
        """Count the arms."""
        return self._regressions.shape[0]

    @property
    def n_features(self) -> int:
        """Count the features."""
        return self._regressions.shape[1]

    @property
    def n_rows(self) -> int:
        """How many rows were folded, whatever they weigh by now."""
        return self._regressions.n_rows

    @property
    def n_rows_of_arm(self) -> Int64s:
        """How many rows of each arm were folded, int64, shape (n_arms,); a copy."""
        return self._regressions.n_folded

    def fold(self, arm: int, x: Float64s, reward: float, *, at_us: int) -> None:
        """Learn one answer, in place; the owner holds its lock.

        Parameters
        ----------
        arm
            Position of the arm that was shown.
        x
            The context it was shown in, float64, shape (n_features,), finite.
        reward
            The answer, finite.
        at_us
            When it was *decided*, microseconds UTC. A row of an earlier tick than the latest comes
            in at its decayed weight; one of a later tick decays all others.

        Raises
        ------
        InvalidArgumentError
            For an arm that is not there, a wrong shape, or numbers that are not finite.
        """
        regressions = self._regressions
        regressions.check_row(arm, x, reward)
        weight = regressions.weight_at(at_us)
        regressions.fold(arm, x, reward, weight=weight)

    def correct(self, arm: int, x: Float64s, *, before: float, after: float, at_us: int) -> None:
        """Replace the answer of a row that was folded, in place; the owner holds its lock.

        Parameters
        ----------
        arm, x, at_us
            As they were folded.
        before, after
            The answer that was folded, and the one that should have been.
        """
        self._regressions.check_row(arm, x, before)
        self._regressions.check_row(arm, x, after)
        weight = self._regressions.weight_at(at_us)
        self._regressions.correct(arm, x, before=before, after=after, weight=weight)

    def remove(self, arm: int, x: Float64s, reward: float, *, at_us: int) -> None:
        """Forget a row that was folded, in place: the rest is as if it had never been, to 1e-9.

        Raises
        ------
        InvalidArgumentError
            Under a logit link, and where no row of the arm is left.
        """
        self._regressions.check_sums("rows cannot be removed")
        self._regressions.check_row(arm, x, reward)
        weight = self._regressions.weight_at(at_us)
        self._regressions.remove(arm, x, reward, weight=weight)

    def belief(self, x: Float64s, *, own: Float64s | None = None) -> Belief:
        """Give mean and standard deviation of each arm's expected answer, as of the latest tick.

        Parameters
        ----------
        x
            The context, float64, shape (n_features,); with `own` all features but the last.
        own
            The last feature, where it is another for each arm; float64, shape (n_arms,).

        Returns
        -------
        Belief
            Of independent arms. The deviation is of the *expected* answer, with the learned noise
            in it, and never above that of the prior.
        """
        regressions = self._regressions
        regressions.check_context(x, own)
        mean = regressions.means(x, own)
        sd = regressions.variances(x, own)
        sd *= regressions.noise
        np.sqrt(sd, out=sd)
        return Belief(*acceptances(mean, sd)) if self._is_logit else Belief(mean, sd)

    def means(self, x: Float64s, *, own: Float64s | None = None) -> Float64s:
        """Give the mean of `belief` alone, for who does not ask how uncertain it is.

        Parameters
        ----------
        x, own
            As for `belief`.
        """
        if self._is_logit:  # there the mean depends on the deviation
            return self.belief(x, own=own).mean
        self._regressions.check_context(x, own)
        return self._regressions.means(x, own)

    def coefficients(self) -> Float64s:
        """Give what each feature adds to the answer of each arm, (n_arms, n_features); a copy."""
        return self._regressions.coefficients.copy()

    def copy(self) -> "PerOfferState":
        """Give a state that goes its own way."""
        return PerOfferState(self._regressions.copy())

    def merge(self, other: "PerOfferState") -> "PerOfferState":
        """Give the state that has folded the rows of both.

        The sums are those of one pass over all rows in any order, to 1e-9; neither state changes.

        Raises
        ------
        InvalidArgumentError
            Where they differ in configuration, arms or features; and under a logit link.
        """
        return PerOfferState(self._regressions.merge(other._regressions))  # noqa: SLF001  # its kind

    def to_arrays(self) -> dict[str, NDArray[Any]]:  # Any: as in `Arrays`
        """Give copies of all that `PerOfferLinear.from_arrays` needs, the inverses among it."""
        return self._regressions.to_arrays()
