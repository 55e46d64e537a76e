"""`SharedLinear`: one Bayesian linear regression for all arms, over context x offer features."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seg1._checks import check_int
from seg1._types import Float64s
from seg1.bandit.posteriors.contract import contracted_root, row_sums
from seg1.bandit.posteriors.inverses import FullInverses
from seg1.bandit.posteriors.joint import joint_draws, normal_points
from seg1.bandit.posteriors.learning import Learning
from seg1.bandit.posteriors.link import acceptance_draws, acceptances
from seg1.bandit.posteriors.posterior import Arrays, Belief, Layout
from seg1.bandit.posteriors.regressions import Regressions
from seg1.errors import InvalidArgumentError

__all__ = ["SharedLinear", "SharedState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedLinear(Learning):
    """One Bayesian linear regression over every product of a context and an offer feature.

    What an arm answers follows from its features alone: a new offer is known as well as others like
    it, and an offer that its features do not describe is never known better than they do. See
    `HybridLinear` for both.

    Parameters
    ----------
    half_life_days, prior_sd, intercept_sd, noise_sd, tick_hours, link
        As for `PerOfferLinear`.

    Examples
    --------
    >>> layout = Layout.plain(2)._replace(features=np.array([[1.0, 0.0], [1.0, 1.0]]))
    >>> state = SharedLinear().start(layout, n_features=1)
    >>> state.fold(0, np.array([1.0]), 1.0, at_us=0)
    >>> state.belief(np.array([1.0])).mean.round(9).tolist()
    [0.5, 0.5]
    """

    def start(self, layout: Layout, *, n_features: int) -> "SharedState":
        """Give a state that has learned nothing; see `Posterior`."""
        check_int(n_features, name="n_features", low=1)
        prior = self._prior_of(layout, layout.features.shape[1] * n_features)
        regression = Regressions.start(self, n=1, prior=prior, kind=FullInverses)
        return SharedState(regression, layout)

    def from_arrays(self, arrays: Arrays, layout: Layout) -> "SharedState":
        """Make a state again from what `to_arrays` gave, bit for bit.

        Raises
        ------
        DamagedError
            Where arrays are missing, of the wrong shape or dtype, or not finite.
        """
        prior = partial(self._prior_of, layout)
        regression = Regressions.from_arrays(self, arrays, prior=prior, kind=FullInverses)
        return SharedState(regression, layout)

    def _prior_of(self, layout: Layout, width: int) -> Float64s:
        """Give the prior of each product; the intercept's where the context's part is it."""
        m = layout.features.shape[1]
        return np.tile(self.prior(width // m), m)


class SharedState:
    """What all arms have learned together. Made by `SharedLinear`."""

    __slots__ = ("_d", "_features", "_is_logit", "_points", "_regression")

    def __init__(self, regression: Regressions, layout: Layout) -> None:
        self._regression = regression
        self._features = layout.features  # (n_arms, m)
        self._is_logit = regression.learning.link == "logit"
        m = layout.features.shape[1]
        self._d = regression.shape[1] // m
        self._points, _ = normal_points(2 * m)

    @property
    def n_rows(self) -> int:
        """How many rows were folded, whatever they weigh by now."""
        return self._regression.n_rows

    def fold(self, arm: int, x: Float64s, reward: float, *, at_us: int) -> None:
        """Learn one answer, in place; see `PerOfferState.fold`."""
        row = self._row(arm, x, reward)
        weight = self._regression.weight_at(at_us)
        self._regression.fold(0, row, reward, weight=weight)

    def correct(self, arm: int, x: Float64s, *, before: float, after: float, at_us: int) -> None:
        """Replace the answer of a row that was folded; see `PerOfferState.correct`."""
        row = self._row(arm, x, before)
        self._regression.check_row(0, row, after)
        weight = self._regression.weight_at(at_us)
        self._regression.correct(0, row, before=before, after=after, weight=weight)

    def remove(self, arm: int, x: Float64s, reward: float, *, at_us: int) -> None:
        """Forget a row that was folded; see `PerOfferState.remove`."""
        self._regression.check_sums("rows cannot be removed")
        row = self._row(arm, x, reward)
        self._regression.remove(0, row, reward, weight=self._regression.weight_at(at_us))

    def belief(self, x: Float64s, *, own: Float64s | None = None) -> Belief:
        """Say what is believed of each arm; its draws are joint. See `PosteriorState`."""
        basis, mean = self._said(x, own)
        root = contracted_root(self._regression.inverse[0], x, has_own=own is not None)
        root *= np.sqrt(self._regression.noise[0])
        loadings = basis @ root
        sd = np.sqrt(row_sums(loadings * loadings))
        points = self._points[: 1 + loadings.shape[1]]
        draws = joint_draws(mean, loadings=loadings, rest=None, points=points, rest_points=None)
        if self._is_logit:
            return Belief(*acceptances(mean, sd), acceptance_draws(draws))
        return Belief(mean, sd, draws)

    def means(self, x: Float64s, *, own: Float64s | None = None) -> Float64s:
        """Give the mean of `belief` alone; see `PerOfferState.means`."""
        return self.belief(x, own=own).mean if self._is_logit else self._said(x, own)[1]

    def _said(self, x: Float64s, own: Float64s | None) -> tuple[Float64s, Float64s]:
        """Give what each arm multiplies the contracted model with, and its mean."""
        if x.shape != (self._d - (own is not None),):
            raise InvalidArgumentError(f"x must have shape ({self._d},), own included")
        F = self._features
        B = self._regression.coefficients.reshape(-1, self._d)  # (m, d)
        basis = F if own is None else np.hstack([F, F * own[:, None]])
        told = B @ x if own is None else np.concatenate([B[:, :-1] @ x, B[:, -1]])
        return basis, basis @ told

    def coefficients(self) -> Float64s:
        """Give what each feature adds to the answer of each arm, (n_arms, n_features)."""
        coefficients: Float64s = self._features @ self._regression.coefficients.reshape(-1, self._d)
        return coefficients

    def copy(self) -> "SharedState":
        """Give a state that goes its own way."""
        layout = Layout.plain(1)._replace(features=self._features)
        return SharedState(self._regression.copy(), layout)

    def merge(self, other: "SharedState") -> "SharedState":
        """Give the state that has folded the rows of both; see `PerOfferState.merge`."""
        if not np.array_equal(self._features, other._features):  # noqa: SLF001  # its kind
            raise InvalidArgumentError("states can be merged where the arms' features are the same")
        merged = self._regression.merge(other._regression)  # noqa: SLF001  # its kind
        return SharedState(merged, Layout.plain(1)._replace(features=self._features))

    def to_arrays(self) -> dict[str, NDArray[Any]]:  # Any: as in `Arrays`
        """Give copies of all that `SharedLinear.from_arrays` needs."""
        return self._regression.to_arrays()

    def _row(self, arm: int, x: Float64s, reward: float) -> Float64s:
        """Give the products of an arm's features and the context's, checked."""
        if not 0 <= arm < len(self._features):
            raise InvalidArgumentError(f"arm must lie in [0, {len(self._features)}), got {arm}")
        if x.shape != (self._d,):
            raise InvalidArgumentError(f"x must have shape ({self._d},), got {x.shape}")
        row: Float64s = np.multiply.outer(self._features[arm], x).ravel()
        self._regression.check_row(0, row, reward)
        return row
