"""`HybridLinear`: what the arms share, and what each one has of its own, in one model.

Arm k answers ``x'theta_k`` and noise, ``theta_k = B f_k + delta_k``: f_k are its features, B has
the prior N(0, V) in each column and delta_k the prior N(0, own_share^2 V), V being diagonal and in
units of the noise. With delta integrated out, all that B depends on are the sums of
`PerOfferLinear`, one regression for each arm: with ``L = (own_share^2 V)^-1``, ``A_k = S_k + L``,

- its precision is ``I (x) V^-1 + sum_k f_k f_k' (x) (L - L A_k^-1 L)``,
- and theta_k given B has the mean ``A_k^-1 b_k + A_k^-1 L B f_k``, and the covariance A_k^-1.

(Lindley and Smith 1972, "Bayes estimates for the linear model", as a hybrid model of Li et al.
2010, sec. 3.2.) A row moves A_k^-1 by rank one, so it moves the precision of B by rank one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsymv

from seg1._checks import check_int, check_number
from seg1._types import Float64s, Int64s
from seg1.bandit.posteriors.contract import contracted_root, row_sums
from seg1.bandit.posteriors.inverses import FullInverses, lower_by
from seg1.bandit.posteriors.joint import joint_draws, normal_points
from seg1.bandit.posteriors.learning import Learning, learned_noise, shrink_of
from seg1.bandit.posteriors.link import acceptance_draws, acceptances, working_row
from seg1.bandit.posteriors.posterior import Arrays, Belief, Layout, checked_array
from seg1.bandit.posteriors.regressions import Regressions
from seg1.errors import InvalidArgumentError

__all__ = ["HybridLinear", "HybridState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridLinear(Learning):
    """Coefficients of an arm follow from its features, and from a part of its own.

    A new offer starts from what the shared part knows of others like it, and moves to what is its
    own as its answers come in. Draws are joint: arms of equal features are uncertain together.

    Parameters
    ----------
    half_life_days, noise_sd, tick_hours, link
        As for `PerOfferLinear`.
    prior_sd, intercept_sd
        The same of what all arms share.
    own_share
        Prior standard deviation of an arm's own part, as a share of that of what is shared, > 0.
        The smaller, the more offers are believed to be what their features say.

    Examples
    --------
    >>> layout = Layout.plain(2)
    >>> state = HybridLinear().start(layout, n_features=1)
    >>> for _ in range(9):
    ...     state.fold(0, np.array([1.0]), 1.0, at_us=0)
    >>> state.belief(np.array([1.0])).mean.round(2).tolist()
    [0.9, 0.88]
    """

    own_share: float = 0.15

    def __post_init__(self) -> None:
        super(HybridLinear, self).__post_init__()  # slots make another class
        share = check_number(self.own_share, name="own_share", above=0)
        object.__setattr__(self, "own_share", share)

    def start(self, layout: Layout, *, n_features: int) -> "HybridState":
        """Give a state that has learned nothing; see `Posterior`."""
        check_int(n_features, name="n_features", low=1)
        n_arms = len(layout.features)
        prior = self._own_prior(n_features)
        own = Regressions.start(self, n=n_arms, prior=prior, kind=FullInverses)
        return HybridState(self, own, layout.features)

    def from_arrays(self, arrays: Arrays, layout: Layout) -> "HybridState":
        """Make a state again from what `to_arrays` gave, bit for bit.

        Raises
        ------
        DamagedError
            Where arrays are missing, of the wrong shape or dtype, or not finite.
        """
        own = Regressions.from_arrays(self, arrays, prior=self._own_prior, kind=FullInverses)
        return HybridState(self, own, layout.features, caches=arrays)

    def _own_prior(self, n_features: int) -> Float64s:
        return self.own_share * self.prior(n_features)


class HybridState:
    """What arms have learned together, and each alone. Made by `HybridLinear`.

    The sums are those of `PerOfferState`. All else is a cache of them: computed afresh where a tick
    begins, and moved by rank one, in fold order, within it.
    """

    __slots__ = (
        "_B", "_features", "_is_logit", "_lengths", "_noise", "_own", "_own_points", "_points",
        "_prior", "_residual", "_ridge", "_shared", "_tick", "config",
    )  # fmt: skip

    def __init__(
        self,
        config: HybridLinear,
        own: Regressions,
        features: Float64s,
        *,
        caches: Arrays | None = None,
    ) -> None:
        self.config = config
        self._own = own
        self._features = features  # (n_arms, m)
        self._prior = own.prior / config.own_share  # of what is shared; (n_features,)
        self._ridge = own.prior**-2.0  # L; (n_features,)
        self._lengths = (self._ridge * self._prior) ** 2  # what a square of A_k^-1 x counts
        self._is_logit = config.link == "logit"
        m = features.shape[1]
        self._points, self._own_points = normal_points(2 * m, len(features))
        self._tick = own.tick
        if caches is None:
            self._refresh()
        else:
            self._restore(caches)
        self._learn_noise()

    @property
    def n_rows(self) -> int:
        """How many rows were folded, whatever they weigh by now."""
        return self._own.n_rows

    @property
    def n_rows_of_arm(self) -> Int64s:
        """How many rows of each arm were folded, int64, shape (n_arms,); a copy."""
        return self._own.n_folded

    def fold(self, arm: int, x: Float64s, reward: float, *, at_us: int) -> None:
        """Learn one answer, in place; see `PerOfferState.fold`."""
        own = self._own
        own.check_row(arm, x, reward)
        weight = self._weight_at(at_us)
        expected = float(own.coefficients[arm].dot(x))
        u, alone = own.solved(arm, x)
        g = (self._features[arm][:, None] * (self._ridge * u)).ravel()
        v = dsymv(1.0, self._shared.T, g)
        spread = float(g.dot(v))
        expected += float(g.dot(self._B))
        if self._is_logit:
            variance = alone + spread
            reward, weight = working_row(reward, mean=expected, variance=variance, weight=weight)
        shrink = shrink_of(weight, alone)
        moved = shrink_of(shrink, spread)
        lower_by(self._shared, v, moved)
        self._B += (moved * (reward - expected)) * v
        own.add(arm, x, reward, weight=weight, u=u, shrink=shrink)
        self._residual[arm] = self._unexplained(arm)
        self._learn_noise()

    def correct(self, arm: int, x: Float64s, *, before: float, after: float, at_us: int) -> None:
        """Replace the answer of a row that was folded; see `PerOfferState.correct`."""
        self._own.check_row(arm, x, before)
        self._own.check_row(arm, x, after)
        weight = self._weight_at(at_us)
        self._own.correct(arm, x, before=before, after=after, weight=weight)
        # The inverses stay, and what they are multiplied with has moved by this.
        u, _ = self._own.solved(arm, x)
        g = np.multiply.outer(self._features[arm], self._ridge * u).ravel()
        self._B += (weight * (after - before)) * dsymv(1.0, self._shared.T, g)
        self._residual[arm] = self._unexplained(arm)
        self._learn_noise()

    def remove(self, arm: int, x: Float64s, reward: float, *, at_us: int) -> None:
        """Forget a row that was folded; see `PerOfferState.remove`. All is computed afresh."""
        self._own.check_sums("rows cannot be removed")
        self._own.check_row(arm, x, reward)
        self._own.remove(arm, x, reward, weight=self._weight_at(at_us))
        self._refresh()
        self._learn_noise()

    def belief(self, x: Float64s, *, own: Float64s | None = None) -> Belief:
        """Say what is believed of each arm; its draws are joint. See `PosteriorState`.

        The mean is exact. The deviation is exact for an arm without rows of its own; for others,
        what is shared counts along the context only, as much as their own rows leave open of it.
        That is near where arms share few features (within a few per cent in simulated worlds), and
        may be too small where contexts hardly vary in some direction.
        """
        self._own.check_context(x, own)
        F = self._features
        known, rest = self._left_open(x, own)
        mean = self._mean(x, own, known=known)
        # How much of the context an arm does not know by itself, by its length under the prior.
        share = (known * known).dot(self._lengths)
        length = self._prior[: len(x)] * x
        share /= length.dot(length) + (0.0 if own is None else (self._prior[-1] * own) ** 2)
        root = contracted_root(self._shared, x, has_own=own is not None)
        basis = F if own is None else np.hstack([F, F * own[:, None]])
        # (n_arms, m) @ (m, m) -> (n_arms, m)
        loadings = basis.dot(root)
        share *= self._noise
        loadings *= np.sqrt(share)[:, None]
        rest *= self._noise
        np.maximum(rest, 0.0, out=rest)
        sd = np.sqrt(row_sums(loadings * loadings) + rest)
        draws = joint_draws(
            mean,
            loadings=loadings,
            rest=np.sqrt(rest),
            points=self._points[: 1 + loadings.shape[1]],
            rest_points=self._own_points,
        )
        if self._is_logit:
            return Belief(*acceptances(mean, sd), acceptance_draws(draws))
        return Belief(mean, sd, draws)

    def means(self, x: Float64s, *, own: Float64s | None = None) -> Float64s:
        """Give the mean of `belief` alone; see `PerOfferState.means`."""
        if self._is_logit:
            return self.belief(x, own=own).mean
        self._own.check_context(x, own)
        known, _ = self._left_open(x, own)
        return self._mean(x, own, known=known)

    def _mean(self, x: Float64s, own: Float64s | None, *, known: Float64s) -> Float64s:
        mean = self._own.means(x, own)
        # (n_arms, m) @ (m, d) -> (n_arms, d): what an arm's features alone would say
        told = self._features.dot(self._B.reshape(-1, self._own.shape[1]))
        mean += (known * told).dot(self._ridge)
        return mean

    def _left_open(self, x: Float64s, own: Float64s | None) -> tuple[Float64s, Float64s]:
        """Give ``A_k^-1 x`` of each arm, (n_arms, n_features), and ``x'A_k^-1 x``, (n_arms,)."""
        n_arms, d = self._own.shape
        if own is None:
            # (n_arms d, d) @ (d,) is one product, where a stack of matrices is one for each.
            known = self._own.inverse.reshape(-1, d).dot(x).reshape(n_arms, d)
            return known, known.dot(x)
        known = self._own.inverse[:, :, :-1] @ x
        known += own[:, None] * self._own.inverse[:, :, -1]
        return known, known[:, :-1] @ x + own * known[:, -1]

    def coefficients(self) -> Float64s:
        """Give what each feature adds to the answer of each arm, (n_arms, n_features)."""
        told = self._features @ self._B.reshape(self._features.shape[1], -1)
        pulled: Float64s = np.einsum("kij,kj->ki", self._own.inverse, self._ridge * told)
        return self._own.coefficients + pulled

    def copy(self) -> "HybridState":
        """Give a state that goes its own way."""
        return HybridState(self.config, self._own.copy(), self._features, caches=self.to_arrays())

    def merge(self, other: "HybridState") -> "HybridState":
        """Give the state that has folded the rows of both; see `PerOfferState.merge`."""
        if not np.array_equal(self._features, other._features) or self.config != other.config:  # noqa: SLF001  # its kind
            raise InvalidArgumentError(
                "states can be merged where configuration, arms and their features are the same"
            )
        merged = self._own.merge(other._own)  # noqa: SLF001  # its kind
        return HybridState(self.config, merged, self._features)

    def to_arrays(self) -> dict[str, NDArray[Any]]:  # Any: as in `Arrays`
        """Give copies of all that `HybridLinear.from_arrays` needs."""
        return self._own.to_arrays() | {
            "shared": self._shared.copy(),
            "shared_mean": self._B.copy(),
            "residual": self._residual.copy(),
        }

    def _weight_at(self, at_us: int) -> float:
        weight = self._own.weight_at(at_us)
        if self._own.tick != self._tick:
            self._tick = self._own.tick
            self._refresh()
        return weight

    def _restore(self, caches: Arrays) -> None:
        n_arms, d = self._own.shape
        n = self._features.shape[1] * d
        self._shared = checked_array(caches, "shared", shape=(n, n))
        self._B = checked_array(caches, "shared_mean", shape=(n,))
        self._residual = checked_array(caches, "residual", shape=(n_arms,))

    def _refresh(self) -> None:
        """Compute what all share from the sums of each."""
        F, ridge, (n_arms, d) = self._features, self._ridge, self._own.shape
        m = F.shape[1]
        told = np.diag(ridge) - ridge[:, None] * self._own.inverse * ridge  # (n_arms, d, d)
        pairs = np.einsum("kj,kl->kjl", F, F).reshape(n_arms, m * m)
        # (m m, n_arms) @ (n_arms, d d) -> (m, m, d, d)
        sums = (pairs.T @ told.reshape(n_arms, d * d)).reshape(m, m, d, d)
        precision = sums.transpose(0, 2, 1, 3).reshape(m * d, m * d)
        precision.ravel()[:: m * d + 1] += np.tile(self._prior**-2.0, m)
        inverse = np.linalg.inv(precision)
        self._shared = 0.5 * (inverse + inverse.T)
        # (m, n_arms) @ (n_arms, d) -> (m, d)
        self._B = self._shared @ (F.T @ (ridge * self._own.coefficients)).ravel()
        self._residual = np.array([self._unexplained(arm) for arm in range(n_arms)])

    def _unexplained(self, arm: int) -> float:
        """Give what an arm's answers leave unexplained, with the penalty of its own part."""
        told = self._features[arm].dot(self._B.reshape(-1, self._own.shape[1]))  # (d,)
        pulled = self._ridge * told
        # (y - X mu)'(y - X mu) less what delta explains of it, by the sums alone.
        told -= 2.0 * self._own.coefficients[arm]
        told -= self._own.solved(arm, pulled)[0]
        return max(self._own.residual.item(arm) + float(pulled.dot(told)), 0.0)

    def _learn_noise(self) -> None:
        if self._is_logit:
            self._noise = self._own.noise
            return
        self._noise = learned_noise(
            self._residual,
            self._own.n,
            n_features=self._own.shape[1],
            noise_sd=self.config.noise_sd,
        )
