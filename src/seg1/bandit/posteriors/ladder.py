"""`LadderLinear`: acceptance at several prices, which rises with the discount in every draw.

The prices of an offer (for one slot) share one regression. In the context x, at rung r of discount
depth ``t_r`` (0 at the regular price), acceptance, or its log odds, is

    ``x'beta + t_r x'gamma + sum_{j <= r} s_j``,

so that the step to rung j is ``(t_j - t_{j-1}) x'gamma + s_j``. What is believed of level and steps
in a context is normal; draws keep to steps >= 0: each step is drawn from its normal given the steps
before it, cut off at 0 (Geweke 1991, "Efficient simulation from the multivariate normal"), then the
level given all steps.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr, ndtri

from seg1._checks import check_int, check_number
from seg1._types import Float32s, Float64s
from seg1.bandit.posteriors.inverses import FullInverses
from seg1.bandit.posteriors.joint import N_DRAWS, normal_points
from seg1.bandit.posteriors.learning import Learning
from seg1.bandit.posteriors.link import Link
from seg1.bandit.posteriors.posterior import Arrays, Belief, Layout
from seg1.bandit.posteriors.regressions import Regressions
from seg1.errors import InvalidArgumentError

__all__ = ["LadderLinear", "LadderState"]

_FURTHEST: Final = 12.0  # standard deviations; beyond, a truncated normal is as good as its bound
_JITTER: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderLinear(Learning):
    """One regression for the prices of an offer; a lower price is never accepted less.

    What is learned at one price tells of the others, and no draw of it lets acceptance fall as the
    price falls. For goals that learn acceptance; a reward may well fall with the price.

    Parameters
    ----------
    half_life_days, prior_sd, intercept_sd, noise_sd, tick_hours
        As for `PerOfferLinear`; the priors are of what is accepted at the regular price, and of the
        effect of a discount of all of it.
    link
        As there, but "logit" unless told: a discount does more where more would accept.
    step_sd
        Prior standard deviation of what a rung has beside the effect of its depth, in units of the
        noise, > 0.

    Examples
    --------
    >>> layout = Layout.plain(2)._replace(
    ...     ladder=np.array([0, 0]), rung=np.array([0, 1]), depth=np.array([0.0, 0.25]))
    >>> state = LadderLinear().start(layout, n_features=1)
    >>> for arm, accepted in [(0, 1.0), (0, 0.0), (1, 0.0), (1, 0.0)]:
    ...     state.fold(arm, np.array([1.0]), accepted, at_us=0)
    >>> regular, lower = state.belief(np.array([1.0])).mean
    >>> bool(regular < lower)
    True
    """

    link: Link = "logit"
    step_sd: float = 0.3

    def __post_init__(self) -> None:
        super(LadderLinear, self).__post_init__()  # slots make another class
        object.__setattr__(self, "step_sd", check_number(self.step_sd, name="step_sd", above=0))

    def start(self, layout: Layout, *, n_features: int) -> "LadderState":
        """Give a state that has learned nothing; see `Posterior`."""
        check_int(n_features, name="n_features", low=1)
        prior = self._prior_of(layout, n_features)
        n_ladders = int(layout.ladder.max(initial=-1)) + 1
        regressions = Regressions.start(self, n=n_ladders, prior=prior, kind=FullInverses)
        return LadderState(self, regressions, layout)

    def from_arrays(self, arrays: Arrays, layout: Layout) -> "LadderState":
        """Make a state again from what `to_arrays` gave, bit for bit.

        Raises
        ------
        DamagedError
            Where arrays are missing, of the wrong shape or dtype, or not finite.
        """
        n_steps = int(layout.rung.max())
        regressions = Regressions.from_arrays(
            self,
            arrays,
            prior=lambda width: self._prior_of(layout, (width - n_steps) // 2),
            kind=FullInverses,
        )
        return LadderState(self, regressions, layout)

    def _prior_of(self, layout: Layout, n_features: int) -> Float64s:
        prior = self.prior(n_features)
        return np.concatenate([prior, prior, np.full(int(layout.rung.max()), self.step_sd)])


class LadderState:
    """What each ladder of prices has learned. Made by `LadderLinear`."""

    __slots__ = (
        "_d", "_is_logit", "_layout", "_points", "_regressions", "_to_steps", "_uniforms",
        "config",
    )  # fmt: skip

    def __init__(self, config: LadderLinear, regressions: Regressions, layout: Layout) -> None:
        self.config = config
        self._regressions = regressions
        self._layout = layout
        self._is_logit = config.link == "logit"
        n, width = regressions.shape
        n_steps = int(layout.rung.max())
        self._d = (width - n_steps) // 2
        self._to_steps = _to_steps(layout, n_ladders=n)
        # The level of each ladder, then its steps; all of them apart. (n, 1 + n_steps, N_DRAWS)
        points, _ = normal_points(n * (1 + n_steps))
        points = points[1:].reshape(n, 1 + n_steps, N_DRAWS)
        self._points, self._uniforms = points[:, 0], ndtr(points[:, 1:])

    @property
    def n_rows(self) -> int:
        """How many rows were folded, whatever they weigh by now."""
        return self._regressions.n_rows

    def fold(self, arm: int, x: Float64s, reward: float, *, at_us: int) -> None:
        """Learn one answer, in place; see `PerOfferState.fold`."""
        ladder, row = self._row(arm, x, reward)
        weight = self._regressions.weight_at(at_us)
        self._regressions.fold(ladder, row, reward, weight=weight)

    def correct(self, arm: int, x: Float64s, *, before: float, after: float, at_us: int) -> None:
        """Replace the answer of a row that was folded; see `PerOfferState.correct`."""
        ladder, row = self._row(arm, x, before)
        self._regressions.check_row(ladder, row, after)
        weight = self._regressions.weight_at(at_us)
        self._regressions.correct(ladder, row, before=before, after=after, weight=weight)

    def remove(self, arm: int, x: Float64s, reward: float, *, at_us: int) -> None:
        """Forget a row that was folded; see `PerOfferState.remove`."""
        self._regressions.check_sums("rows cannot be removed")
        ladder, row = self._row(arm, x, reward)
        weight = self._regressions.weight_at(at_us)
        self._regressions.remove(ladder, row, reward, weight=weight)

    def belief(self, x: Float64s, *, own: Float64s | None = None) -> Belief:
        """Say what is believed of each arm: means, deviations and draws under steps >= 0.

        With `own`, arms of one ladder have the same last feature: they are of one offer.
        """
        if x.shape != (self._d - (own is not None),):
            raise InvalidArgumentError(
                f"x must have shape ({self._d - (own is not None)},), got {x.shape}"
            )
        rising = self._drawn(*self._contracted(self._contexts(x, own)))
        # (N_DRAWS, n_arms), acceptances all
        draws: Float32s = rising[self._layout.ladder, self._layout.rung].T
        draws = expit(draws) if self._is_logit else draws.clip(0.0, 1.0)
        mean, sd = draws.mean(axis=0, dtype=np.float64), draws.std(axis=0, dtype=np.float64)
        return Belief(mean, sd, lambda arms: draws.take(arms, axis=1))

    def coefficients(self) -> Float64s:
        """Give what each feature adds to the answer of each arm, (n_arms, n_features).

        What rungs have of their own is in the first, the intercept. The bound on steps is not.
        """
        layout, d = self._layout, self._d
        a = self._regressions.coefficients[layout.ladder]
        coefficients: Float64s = a[:, :d] + layout.depth[:, None] * a[:, d : 2 * d]
        climbed = np.arange(a.shape[1] - 2 * d) < layout.rung[:, None]
        coefficients[:, 0] += np.einsum("ij,ij->i", a[:, 2 * d :], climbed.astype(np.float64))
        return coefficients

    def copy(self) -> "LadderState":
        """Give a state that goes its own way."""
        return LadderState(self.config, self._regressions.copy(), self._layout)

    def merge(self, other: "LadderState") -> "LadderState":
        """Give the state that has folded the rows of both; see `PerOfferState.merge`."""
        own, its = self._layout, other._layout  # noqa: SLF001  # its kind
        same = all(np.array_equal(a, b) for a, b in zip(own[1:], its[1:], strict=True))
        if not same or self.config != other.config:
            raise InvalidArgumentError(
                "states can be merged where configuration and prices are the same"
            )
        merged = self._regressions.merge(other._regressions)  # noqa: SLF001  # its kind
        return LadderState(self.config, merged, self._layout)

    def to_arrays(self) -> dict[str, NDArray[Any]]:  # Any: as in `Arrays`
        """Give copies of all that `LadderLinear.from_arrays` needs."""
        return self._regressions.to_arrays()

    def _row(self, arm: int, x: Float64s, reward: float) -> tuple[int, Float64s]:
        """Give an arm's ladder, and the row that a context makes there, checked."""
        layout = self._layout
        if not 0 <= arm < len(layout.ladder):
            raise InvalidArgumentError(f"arm must lie in [0, {len(layout.ladder)}), got {arm}")
        if x.shape != (self._d,):
            raise InvalidArgumentError(f"x must have shape ({self._d},), got {x.shape}")
        ladder, rung = int(layout.ladder[arm]), int(layout.rung[arm])
        row = np.zeros(self._regressions.shape[1])
        row[: self._d] = x
        row[self._d : 2 * self._d] = layout.depth[arm] * x
        row[2 * self._d : 2 * self._d + rung] = 1.0
        self._regressions.check_row(ladder, row, reward)
        return ladder, row

    def _contexts(self, x: Float64s, own: Float64s | None) -> Float64s:
        """Give the context of each ladder, (n_ladders, n_features): its arms have one offer."""
        n = self._regressions.shape[0]
        if own is None:
            return np.broadcast_to(x, (n, len(x)))
        contexts = np.empty((n, len(x) + 1))
        contexts[:, :-1] = x
        contexts[self._layout.ladder, -1] = own
        return contexts

    def _contracted(self, contexts: Float64s) -> tuple[Float64s, Float64s]:
        """Give mean and covariance of each ladder's steps, then its level, in its context."""
        d, whole = self._d, self._regressions.inverse  # (n, width, width)
        a = self._regressions.coefficients
        n, n_steps, to = len(whole), self._to_steps.shape[1] - 1, self._to_steps
        # What level, depth and each rung by itself say: (n, n_steps + 2)
        said = np.concatenate(
            [_dot(a[:, :d], contexts), _dot(a[:, d : 2 * d], contexts), a[:, 2 * d :]], axis=1
        )
        half = np.empty((n, whole.shape[1], n_steps + 2))
        half[..., :1] = whole[..., :d] @ contexts[..., None]
        half[..., 1:2] = whole[..., d : 2 * d] @ contexts[..., None]
        half[..., 2:] = whole[..., 2 * d :]
        gram = np.concatenate(
            [contexts[:, None] @ half[:, :d], contexts[:, None] @ half[:, d : 2 * d],
             half[:, 2 * d :]], axis=1,
        )  # fmt: skip
        gram *= self._regressions.noise[:, None, None]
        return (to @ said[..., None])[..., 0], to @ gram @ to.swapaxes(1, 2)

    def _drawn(self, mean: Float64s, covariance: Float64s) -> Float32s:
        """Draw what each rung makes of the level, (n_ladders, n_rungs, N_DRAWS): it never falls."""
        n_steps = mean.shape[1] - 1
        diagonal = np.einsum("kii->ki", covariance)
        diagonal += _JITTER * diagonal.max(axis=1, keepdims=True)
        # Draws are no sums to be kept: float32 halves their time.
        root = np.linalg.cholesky(covariance).astype(np.float32)
        middle = mean.astype(np.float32)[..., None]
        z = np.empty((*mean.shape, N_DRAWS), np.float32)
        for j in range(n_steps):
            given = middle[:, j] + (root[:, j : j + 1, :j] @ z[:, :j])[:, 0]
            bound = np.minimum(given / -root[:, j, j, None], _FURTHEST)
            upper = (1.0 - self._uniforms[:, j]) * ndtr(-bound)
            # -inf where the tail underflows: then the bound is all there is.
            z[:, j] = np.maximum(-ndtri(upper), bound)
        z[:, -1] = self._points
        drawn: Float32s = root @ z
        drawn += middle
        rising = np.empty_like(drawn)
        rising[:, 0] = drawn[:, -1]
        for j in range(n_steps):
            np.add(rising[:, j], drawn[:, j].clip(0.0), out=rising[:, j + 1])
        return rising


def _dot(rows: Float64s, others: Float64s) -> Float64s:
    dots: Float64s = np.einsum("ij,ij->i", rows, others)[:, None]
    return dots


def _to_steps(layout: Layout, *, n_ladders: int) -> Float64s:
    """Give what turns level, depth and rungs into steps, then level; of each ladder.

    Shape (n_ladders, n_steps + 1, n_steps + 2): a step is as much of the depth's effect as its rung
    is deeper than the one before, and what the rung has of its own.
    """
    n_steps = int(layout.rung.max())
    depth = np.zeros((n_ladders, n_steps + 1))
    depth[layout.ladder, layout.rung] = layout.depth
    to = np.zeros((n_ladders, n_steps + 1, n_steps + 2))
    # A rung that a ladder lacks is no deeper than the last one that it has.
    to[:, :-1, 1] = np.diff(np.maximum.accumulate(depth, axis=1), axis=1)
    to[:, :-1, 2:] = np.eye(n_steps)
    to[:, -1, 0] = 1.0
    return to
