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
from scipy.linalg.blas import dspr

from seg1._checks import check_int
from seg1._types import Float64s, Int64s
from seg1.bandit.posteriors.inverses import (
    FullInverses,
    Inverses,
    PackedInverses,
    in_full,
    quadratic_forms_of_each,
)
from seg1.bandit.posteriors.learning import Learning, learned_noise, shrink_of
from seg1.bandit.posteriors.link import working_row
from seg1.bandit.posteriors.posterior import Arrays, checked_array
from seg1.errors import DamagedError, InvalidArgumentError

__all__ = ["Regressions"]

_SUMS = ("S", "b", "q", "n")


class Regressions:
    """Sums of several regressions of equal width, and the inverses that follow from them.

    Inverses are caches: computed from the sums where a tick begins, and by symmetric rank-one
    updates, in fold order, within it. Their bits follow from the folded rows alone, never from when
    a belief was asked for.

    Attributes
    ----------
    learning
        How rows decay, and what is believed before any.
    prior
        Prior standard deviation of each coefficient, in units of the noise, shape (n_features,).
    coefficients
        Posterior means, float64, shape (n, n_features). Others read them, and never write.
    n
        Sum of the weights of each one's rows.
    residual
        What its coefficients leave unexplained, with the prior's penalty: ``q - b'coefficients``.
    noise
        Variance of the noise of each; 1 under a logit link.
    """

    __slots__ = (
        "_S", "_b", "_columns", "_inverses", "_n_folded", "_n_rows", "_q", "_ridge", "_rows",
        "_tick", "_twice", "coefficients", "learning", "n", "noise", "prior", "residual",
    )  # fmt: skip

    # Any: float64 arrays, and two of int64, as `_layout` lists them.
    def __init__(
        self,
        learning: Learning,
        arrays: dict[str, NDArray[Any]],
        *,
        prior: Float64s,
        kind: type[Inverses],
    ) -> None:
        self.learning = learning
        self.prior = prior
        self._ridge = prior**-2.0
        self._S: Float64s = arrays["S"]  # (n, n_pairs), packed triangles
        self._b: Float64s = arrays["b"]  # (n, n_features)
        self._q: Float64s = arrays["q"]  # (n,)
        self.n: Float64s = arrays["n"]  # (n,)
        self._inverses = kind(arrays["inverse"])
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
    def start(
        cls, learning: Learning, *, n: int, prior: Float64s, kind: type[Inverses] = PackedInverses
    ) -> "Regressions":
        """Give n regressions, n >= 1, that have learned nothing."""
        check_int(n, name="n_arms", low=1)
        layout = _layout(n, len(prior), kind=kind)
        arrays: dict[str, NDArray[Any]] = {  # Any: float64, and int64 counts
            name: np.zeros(shape, dtype) for name, (shape, dtype) in layout.items()
        }
        arrays["inverse"] = np.repeat(kind.of(arrays["S"][:1], ridge=prior**-2.0), n, axis=0)
        return cls(learning, arrays, prior=prior, kind=kind)

    @classmethod
    def from_arrays(
        cls,
        learning: Learning,
        arrays: Arrays,
        *,
        prior: Callable[[int], Float64s],
        kind: type[Inverses] = PackedInverses,
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
        arrays = in_full(arrays, *b.shape) if kind is FullInverses else arrays
        for name, (shape, dtype) in _layout(*b.shape, kind=kind).items():
            kept[name] = checked_array(arrays, name, shape=shape, dtype=dtype)
        return cls(learning, kept, prior=prior(b.shape[1]), kind=kind)

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
    def inverse(self) -> Float64s:
        """Inverse of ``S + diag(prior^-2)`` of each, as its kind keeps it; not to be written to."""
        return self._inverses.array

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
        u = self._inverses.times(k, x)
        return u, float(u.dot(x))

    def fold(self, k: int, x: Float64s, answer: float, *, weight: float) -> tuple[Float64s, float]:
        """Add an answer to one regression, in place, by the link.

        Returns
        -------
        u, shrink
            What the inverse was moved by: ``shrink u u'`` was taken from it.
        """
        u, spread = self.solved(k, x)
        if self.learning.link == "logit":
            mean = float(self.coefficients[k].dot(x))
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
        self._inverses.lower(k, u, shrink)
        dspr(len(x), weight, x, self._S[k], overwrite_ap=1)
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
        self.inverse[k] = self._inverses.of(self._S[k : k + 1], ridge=self._ridge)[0]
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

        With `own`, shape (n,), the last feature of each is its own, and x has the others. For
        inverses that are packed.
        """
        pairs = self._pairs_of(x)
        spread = self.prior[: len(x)] * x
        limit = spread.dot(spread)
        if own is None:
            variance: Float64s = self.inverse.dot(pairs)  # (n, n_pairs) @ (n_pairs,) -> (n,)
        else:
            variance = quadratic_forms_of_each(self.inverse, pairs, x, own)
            limit = limit + (self.prior[-1] * own) ** 2
        np.maximum(variance, 0.0, out=variance)  # the two are quicker than clip
        np.minimum(variance, limit, out=variance)
        return variance

    def _pairs_of(self, x: Float64s) -> Float64s:
        """Give products of features two by two, as a triangle has them, or its first rows."""
        rows, columns, twice = self._rows, self._columns, self._twice
        if len(x) < self.shape[1]:
            n_pairs = len(x) * (len(x) + 1) // 2
            rows, columns, twice = rows[:n_pairs], columns[:n_pairs], twice[:n_pairs]
        pairs = x.take(rows)
        pairs *= x.take(columns)
        pairs *= twice
        return pairs

    def means(self, x: Float64s, own: Float64s | None) -> Float64s:
        """Give the expected answer of each, shape (n,); x and own as for `variances`."""
        if own is None:
            mean: Float64s = self.coefficients.dot(x)
            return mean
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
        if not (math.isfinite(answer * answer) and math.isfinite(x.dot(x))):
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
        return self._made(self.to_arrays())

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
        merged["inverse"] = self._inverses.of(merged["S"], ridge=self._ridge)
        return self._made(merged)

    def _made(self, arrays: dict[str, NDArray[Any]]) -> "Regressions":  # Any: as in __init__
        return Regressions(self.learning, arrays, prior=self.prior, kind=type(self._inverses))

    def _advance(self, tick: int) -> None:
        """Begin a tick: decay the sums, and compute the inverses from them."""
        if tick == self._tick:
            return
        if self._n_rows:
            factor = self.learning.weight(tick - self._tick)
            for sums in (self._S, self._b, self._q, self.n):
                np.multiply(sums, factor, out=sums)
            self.inverse[:] = self._inverses.of(self._S, ridge=self._ridge)
            self._solve_all()
        self._tick = tick

    def _solve_all(self) -> None:
        for k in range(len(self._b)):
            self._solve(k)
        self._learn_noise()

    def _solve(self, k: int) -> None:
        """Work out the coefficients of one, and what of its answers they leave unexplained."""
        b = self._b[k]
        mean = self._inverses.times(k, b)
        self.coefficients[k] = mean
        # q - b'mean is the residual sum of squares and the prior's penalty together.
        self.residual[k] = max(self._q.item(k) - float(b.dot(mean)), 0.0)

    def _learn_noise(self) -> None:
        """Learn each one's noise from its own residuals, and from those of all."""
        if self.learning.link == "logit":
            return
        self.noise = learned_noise(
            self.residual, self.n, n_features=self.shape[1], noise_sd=self.learning.noise_sd
        )


def _layout(
    n: int, n_features: int, *, kind: type[Inverses]
) -> dict[str, tuple[tuple[int, ...], type]]:
    n_pairs = n_features * (n_features + 1) // 2
    return {
        "S": ((n, n_pairs), np.float64),
        "b": ((n, n_features), np.float64),
        "q": ((n,), np.float64),
        "n": ((n,), np.float64),
        "inverse": (kind.shape(n, n_features), np.float64),
        "n_folded": ((n,), np.int64),
        "tick": ((1,), np.int64),
    }
