"""`Regressions`: a stack of Bayesian linear regressions, kept as decayed sums.

A row decided at tick t weighs ``w = 2 ** -((T - t) / half_life)``, T being the latest tick so far.
A regression keeps ``S = sum w x x'``, ``b = sum w r x``, ``q = sum w r^2`` and ``n = sum w``: sums
do not mind in which order rows come, can be added to those of another process, can give a row back,
and decay by one multiplication. The prior never decays.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dspmv, dspr

from seg1._checks import check_int
from seg1._types import Float64s, Int64s
from seg1.bandit.posteriors.learning import Learning
from seg1.bandit.posteriors.link import working_row
from seg1.bandit.posteriors.packed import inverses, quadratic_forms_of_each
from seg1.bandit.posteriors.posterior import Arrays, checked_array
from seg1.errors import DamagedError, InvalidArgumentError

__all__ = ["Regressions", "learned_noise", "shrink_of"]

_SUMS = ("S", "b", "q", "n")


class Regressions:
    """Sums of several regressions of equal width, and the inverses that follow from them.

    Inverses are caches: computed from the sums where a tick begins, and by symmetric rank-one
    updates, in fold order, within it. Their bits follow from the folded rows alone, never from when
    a belief was asked for. Triangles are stored packed, so that what is symmetric stays so: a
    full matrix with forgetting drifts apart in its last bits, and then diverges.

    Attributes
    ----------
    learning
        How rows decay, and what is believed before any.
    prior
        Prior standard deviation of each coefficient, in units of the noise, shape (n_features,).
    coefficients
        Posterior means, float64, shape (n, n_features). Others read them, and never write.
    inverse
        Inverse of ``S + I / prior_sd^2`` of each, packed, shape (n, n_pairs).
    n
        Sum of the weights of each one's rows.
    residual
        What its coefficients leave unexplained, with the prior's penalty: ``q - b'coefficients``.
    noise
        Variance of the noise of each; 1 under a logit link.
    """

    __slots__ = (
        "_S", "_b", "_columns", "_n_folded", "_n_rows", "_q", "_ridge", "_rows", "_tick", "_twice",
        "coefficients", "inverse", "learning", "n", "noise", "prior", "residual",
    )  # fmt: skip

    # Any: float64 arrays, and two of int64, as `_layout` lists them.
    def __init__(
        self, learning: Learning, arrays: dict[str, NDArray[Any]], *, prior: Float64s
    ) -> None:
        self.learning = learning
        self.prior = prior
        self._ridge = prior**-2.0
        self._S: Float64s = arrays["S"]  # (n, n_pairs), packed triangles
        self._b: Float64s = arrays["b"]  # (n, n_features)
        self._q: Float64s = arrays["q"]  # (n,)
        self.n: Float64s = arrays["n"]  # (n,)
        self.inverse: Float64s = arrays["inverse"]  # (n, n_pairs), packed triangles
        self._n_folded: Int64s = arrays["n_folded"]  # (n,)
        self._n_rows = int(self._n_folded.sum())
        self._tick = int(arrays["tick"][0])
        n, n_features = self._b.shape
        self._rows, self._columns = np.tril_indices(n_features)  # (n_pairs,) each
        self._twice = np.where(self._rows == self._columns, 1.0, 2.0)
        self.coefficients = np.empty((n, n_features))
        self.residual = np.empty(n)
        self.noise = np.ones(n)
        self._solve_all()

    @classmethod
    def start(cls, learning: Learning, *, n: int, prior: Float64s) -> "Regressions":
        """Give n regressions, n >= 1, that have learned nothing."""
        check_int(n, name="n_arms", low=1)
        n_features = len(prior)
        arrays: dict[str, NDArray[Any]] = {  # Any: float64, and int64 counts
            name: np.zeros(shape, dtype) for name, (shape, dtype) in _layout(n, n_features).items()
        }
        on_diagonal = np.arange(1, n_features + 1).cumsum() - 1
        arrays["inverse"][:, on_diagonal] = prior**2
        return cls(learning, arrays, prior=prior)

    @classmethod
    def from_arrays(
        cls, learning: Learning, arrays: Arrays, *, prior: Callable[[int], Float64s]
    ) -> "Regressions":
        """Make them again from what `to_arrays` gave, bit for bit; prior is asked for the width.

        Raises
        ------
        DamagedError
            Where arrays are missing, of the wrong shape or dtype, or not finite.
        """
        b = arrays.get("b")
        if b is None or b.ndim != 2 or not b.size:  # noqa: PLR2004  # (n, n_features)
            raise DamagedError("the state of a posterior lacks its array b")
        kept: dict[str, NDArray[np.generic]] = {}
        for name, (shape, dtype) in _layout(*b.shape).items():
            kept[name] = checked_array(arrays, name, shape=shape, dtype=dtype)
        return cls(learning, kept, prior=prior(b.shape[1]))

    def to_arrays(self) -> dict[str, NDArray[Any]]:  # Any: as in `Arrays`
        """Give copies of all that `from_arrays` needs, the inverses among it."""
        return {
            "S": self._S.copy(),
            "b": self._b.copy(),
            "q": self._q.copy(),
            "n": self.n.copy(),
            "inverse": self.inverse.copy(),
            "n_folded": self._n_folded.copy(),
            "tick": np.array([self._tick], np.int64),
        }

    @property
    def shape(self) -> tuple[int, int]:
        """How many regressions, and of how many features."""
        n, n_features = self._b.shape
        return n, n_features

    @property
    def n_rows(self) -> int:
        """How many rows were folded, whatever they weigh by now."""
        return self._n_rows

    @property
    def n_folded(self) -> Int64s:
        """How many rows of each were folded, int64, shape (n,); a copy."""
        return self._n_folded.copy()

    @property
    def tick(self) -> int:
        """The latest tick of any row."""
        return self._tick

    def weight_at(self, at_us: int) -> float:
        """Give what a row decided at a time weighs; a later tick than any decays all the others."""
        tick = at_us // self.learning.tick_us
        if tick > self._tick or not self._n_rows:
            self._advance(tick)
        return self.learning.weight(self._tick - tick)

    def solved(self, k: int, x: Float64s) -> tuple[Float64s, float]:
        """Give ``u = inverse x`` of one, and ``x' u``."""
        u = dspmv(len(x), 1.0, self.inverse[k], x)
        return u, float(u @ x)

    def fold(self, k: int, x: Float64s, answer: float, *, weight: float) -> tuple[Float64s, float]:
        """Add an answer to one regression, in place, by the link.

        Returns
        -------
        u, shrink
            What the inverse was moved by: ``shrink u u'`` was taken from it.
        """
        u, spread = self.solved(k, x)
        if self.learning.link == "logit":
            mean = float(self.coefficients[k] @ x)
            answer, weight = working_row(answer, mean=mean, variance=spread, weight=weight)
        shrink = shrink_of(weight, spread)
        self.add(k, x, answer, weight=weight, u=u, shrink=shrink)
        self._learn_noise()
        return u, shrink

    def add(
        self, k: int, x: Float64s, answer: float, *, weight: float, u: Float64s, shrink: float
    ) -> None:
        """Add a row, as it is, that `solved` was asked about; the noise is not learned anew."""
        self._n_folded[k] += 1
        self._n_rows += 1
        n_features = len(x)
        dspr(n_features, -shrink, u, self.inverse[k], overwrite_ap=1)
        dspr(n_features, weight, x, self._S[k], overwrite_ap=1)
        self._b[k] += (weight * answer) * x
        self._q[k] += weight * answer * answer
        self.n[k] += weight
        self._solve(k)

    def remove(self, k: int, x: Float64s, answer: float, *, weight: float) -> None:
        """Take a row out of one regression again, in place; its inverse is computed afresh."""
        if not self._n_folded[k]:
            raise InvalidArgumentError("there is no row of this arm to remove")
        self._n_folded[k] -= 1
        self._n_rows -= 1
        dspr(len(x), -weight, x, self._S[k], overwrite_ap=1)
        self._b[k] -= (weight * answer) * x
        self._q[k] -= weight * answer * answer
        self.n[k] = max(float(self.n[k]) - weight, 0.0)
        if not self._n_folded[k]:
            for sums in (self._S, self._b, self._q, self.n):
                sums[k] = 0.0  # but for rounding they are
        self.inverse[k] = inverses(self._S[k : k + 1], ridge=self._ridge)[0]
        self._solve(k)
        self._learn_noise()

    def correct(self, k: int, x: Float64s, *, before: float, after: float, weight: float) -> None:
        """Replace the answer of a row, in place."""
        self._b[k] += (weight * (after - before)) * x
        self._q[k] += weight * (after * after - before * before)
        self._solve(k)
        self._learn_noise()

    def variances(self, x: Float64s, own: Float64s | None) -> Float64s:
        """Give x' inverse x of each, in units of the noise; shape (n,), never above the prior's.

        With `own`, shape (n,), the last feature of each is its own, and x has the others.
        """
        pairs = self._pairs_of(x)
        spread = self.prior[: len(x)] * x
        limit = float(spread @ spread)
        if own is None:
            variance = self.inverse @ pairs  # (n, n_pairs) @ (n_pairs,) -> (n,)
            return variance.clip(0.0, limit, out=variance)
        variance = quadratic_forms_of_each(self.inverse, pairs, x, own)
        return variance.clip(0.0, limit + (self.prior[-1] * own) ** 2, out=variance)

    def _pairs_of(self, x: Float64s) -> Float64s:
        """Give products of features two by two, as a triangle has them, or its first rows."""
        n_pairs = len(x) * (len(x) + 1) // 2
        pairs = x.take(self._rows[:n_pairs])
        pairs *= x.take(self._columns[:n_pairs])
        pairs *= self._twice[:n_pairs]
        return pairs

    def means(self, x: Float64s, own: Float64s | None) -> Float64s:
        """Give the expected answer of each, shape (n,); x and own as for `variances`."""
        if own is None:
            return self.coefficients @ x
        mean = self.coefficients[:, :-1] @ x
        mean += self.coefficients[:, -1] * own
        return mean

    def check_context(self, x: Float64s, own: Float64s | None) -> None:
        """Refuse a context of the wrong shape.

        Raises
        ------
        InvalidArgumentError
        """
        n_shared = self._b.shape[1] - (own is not None)
        if x.shape != (n_shared,):
            raise InvalidArgumentError(f"x must have shape ({n_shared},), got {x.shape}")

    def check_row(self, k: int, x: Float64s, answer: float) -> None:
        """Refuse a row that is not there, is not finite, or has no place.

        Raises
        ------
        InvalidArgumentError
        """
        n, n_features = self._b.shape
        if not 0 <= k < n:
            raise InvalidArgumentError(f"arm must lie in [0, {n}), got {k}")
        if x.shape != (n_features,):
            raise InvalidArgumentError(f"x must have shape ({n_features},), got {x.shape}")
        # The squares, since they are what is summed.
        if not (math.isfinite(answer * answer) and math.isfinite(float(x @ x))):
            raise InvalidArgumentError("reward and x must be finite, and their squares too")
        # Less what the customer answers beyond others, which lies in [-1, 1].
        if self.learning.link == "logit" and not -1.0 <= answer <= 2.0:  # noqa: PLR2004
            raise InvalidArgumentError(
                "a logit link learns acceptances: answers between 0 and 1, less an effect of the "
                "customer's, which is at most 1"
            )

    def check_sums(self, what: str) -> None:
        """Refuse what only sums of plain rows allow.

        Raises
        ------
        InvalidArgumentError
        """
        if self.learning.link == "logit":
            raise InvalidArgumentError(
                f"{what}: under a logit link a row's part depends on what was learned before it; "
                "fold the rows again instead"
            )

    def copy(self) -> "Regressions":
        """Give some that go their own way."""
        return Regressions(self.learning, self.to_arrays(), prior=self.prior)

    def merge(self, other: "Regressions") -> "Regressions":
        """Give those that have folded the rows of both; neither changes.

        Raises
        ------
        InvalidArgumentError
            Where they differ in configuration or shape, or under a logit link.
        """
        if (self.learning, self.shape) != (other.learning, other.shape):
            raise InvalidArgumentError(
                "states can be merged where configuration, arms and features are the same"
            )
        self.check_sums("states cannot be merged")
        parts = [state.to_arrays() for state in (self, other) if state.n_rows]
        if not parts:
            return self.copy()
        tick = max(int(part["tick"][0]) for part in parts)
        weights = [self.learning.weight(tick - int(part["tick"][0])) for part in parts]
        merged = {
            name: np.sum([w * part[name] for w, part in zip(weights, parts, strict=True)], axis=0)
            for name in _SUMS
        }
        merged["n_folded"] = np.sum([part["n_folded"] for part in parts], axis=0)
        merged["tick"] = np.array([tick], np.int64)
        merged["inverse"] = inverses(merged["S"], ridge=self._ridge)
        return Regressions(self.learning, merged, prior=self.prior)

    def _advance(self, tick: int) -> None:
        """Begin a tick: decay the sums, and compute the inverses from them."""
        if tick == self._tick:
            return
        if self._n_rows:
            factor = self.learning.weight(tick - self._tick)
            for sums in (self._S, self._b, self._q, self.n):
                np.multiply(sums, factor, out=sums)
            self.inverse[:] = inverses(self._S, ridge=self._ridge)
            self._solve_all()
        self._tick = tick

    def _solve_all(self) -> None:
        for k in range(len(self._b)):
            self._solve(k)
        self._learn_noise()

    def _solve(self, k: int) -> None:
        """Work out the coefficients of one, and what of its answers they leave unexplained."""
        b = self._b[k]
        mean = dspmv(len(b), 1.0, self.inverse[k], b)
        self.coefficients[k] = mean
        # q - b'mean is the residual sum of squares and the prior's penalty together.
        self.residual[k] = max(float(self._q[k]) - float(b @ mean), 0.0)

    def _learn_noise(self) -> None:
        """Learn each one's noise from its own residuals, and from those of all."""
        if self.learning.link == "logit":
            return
        self.noise = learned_noise(
            self.residual, self.n, n_features=self.shape[1], noise_sd=self.learning.noise_sd
        )


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


def _layout(n: int, n_features: int) -> dict[str, tuple[tuple[int, ...], type]]:
    n_pairs = n_features * (n_features + 1) // 2
    return {
        "S": ((n, n_pairs), np.float64),
        "b": ((n, n_features), np.float64),
        "q": ((n,), np.float64),
        "n": ((n,), np.float64),
        "inverse": ((n, n_pairs), np.float64),
        "n_folded": ((n,), np.int64),
        "tick": ((1,), np.int64),
    }
