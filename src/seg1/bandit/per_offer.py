"""`PerOfferLinear`: one Bayesian linear regression for each arm, kept as decayed sums.

A row decided at tick t weighs ``w = 2 ** -((T - t) / half_life)``, T being the latest tick so far.
An arm keeps ``S = sum w x x'``, ``b = sum w r x``, ``q = sum w r^2`` and ``n = sum w``: sums do not
mind in which order rows come, can be added to those of another process, and decay by one
multiplication. The prior never decays.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dspmv, dspr

from seg1._checks import check_int, check_number
from seg1._types import Float64s, Int64s
from seg1.bandit.packed import inverses, quadratic_forms_of_each
from seg1.bandit.posterior import Arrays
from seg1.errors import DamagedError, InvalidArgumentError

__all__ = ["PerOfferLinear", "PerOfferState"]

_HOUR_US = 3_600 * 1_000_000
_SUMS = ("S", "b", "q", "n")


@dataclass(frozen=True, slots=True, kw_only=True)
class PerOfferLinear:
    """One Bayesian linear regression for each arm, with nothing shared but the noise.

    Coefficients have the prior N(0, noise variance * prior_sd^2 I). The noise variance of an arm is
    learned from its own residuals and from those of all arms together, which count as many rows as
    there are features. For answers 0 and 1 of mean p it comes to p (1 - p).

    Parameters
    ----------
    half_life_days
        Days of event time after which a row counts half, > 0; None to forget nothing.
    prior_sd
        Prior standard deviation of a coefficient, in units of the noise, > 0.
    noise_sd
        Standard deviation of the noise before any answer, > 0; it counts as one row. 0.5 is the
        largest that an answer of 0 or 1 can have.
    tick_hours
        Rows of one tick count alike, > 0. At its first row all inverses are computed afresh, which
        takes some milliseconds for 200 arms.

    Examples
    --------
    >>> state = PerOfferLinear().start(n_arms=2, n_features=1)
    >>> x = np.array([1.0])
    >>> for _ in range(3):
    ...     state.fold(0, x, 1.0, at_us=0)
    >>> mean, sd = state.belief(x)
    >>> mean.tolist(), bool(sd[0] < sd[1])
    ([0.75, 0.0], True)
    """

    half_life_days: float | None = 90.0
    prior_sd: float = 1.0
    noise_sd: float = 0.5
    tick_hours: float = 24.0

    def __post_init__(self) -> None:
        for name in ("half_life_days", "prior_sd", "noise_sd", "tick_hours"):
            value = getattr(self, name)
            if value is not None or name != "half_life_days":
                object.__setattr__(self, name, check_number(value, name=name, above=0))
        if self.tick_us < 1:
            raise InvalidArgumentError("tick_hours must come to a microsecond at least")

    @property
    def tick_us(self) -> int:
        """Microseconds of a tick."""
        return round(self.tick_hours * _HOUR_US)

    def weight(self, n_ticks: int) -> float:
        """Give what a row counts after some ticks, in [0, 1]."""
        if self.half_life_days is None:
            return 1.0
        return float(2.0 ** -(n_ticks * self.tick_hours / (24.0 * self.half_life_days)))

    def start(self, *, n_arms: int, n_features: int) -> "PerOfferState":
        """Give a state that has learned nothing.

        Parameters
        ----------
        n_arms, n_features
            How many there are, >= 1.
        """
        check_int(n_arms, name="n_arms", low=1)
        check_int(n_features, name="n_features", low=1)
        layout = _layout(n_arms, n_features)
        arrays: dict[str, NDArray[Any]] = {  # Any: float64, and int64 counts
            name: np.zeros(shape, dtype) for name, (shape, dtype) in layout.items()
        }
        on_diagonal = np.arange(1, n_features + 1).cumsum() - 1
        arrays["inverse"][:, on_diagonal] = self.prior_sd**2
        return PerOfferState(self, arrays)

    def from_arrays(self, arrays: Arrays) -> "PerOfferState":
        """Make a state again from what `to_arrays` gave, bit for bit.

        Raises
        ------
        DamagedError
            Where arrays are missing, of the wrong shape or dtype, or not finite.
        """
        b = arrays.get("b")
        if b is None or b.ndim != 2 or not b.size:  # noqa: PLR2004  # (n_arms, n_features)
            raise DamagedError("the state of a posterior lacks its array b")
        kept: dict[str, NDArray[np.generic]] = {}
        for name, (shape, dtype) in _layout(*b.shape).items():
            array = arrays.get(name)
            if array is None or array.shape != shape or array.dtype != dtype:
                raise DamagedError(f"the state of a posterior needs {name}: {dtype} of {shape}")
            if not np.isfinite(array).all():
                raise DamagedError(f"the state of a posterior has a {name} that is not finite")
            kept[name] = array.copy()
        return PerOfferState(self, kept)


class PerOfferState:
    """Sums, and the inverses that follow from them. Made by `PerOfferLinear`.

    Inverses are caches: computed from the sums where a tick begins, and by symmetric rank-one
    updates, in fold order, within it. Their bits follow from the folded rows alone, never from when
    a belief was asked for. Triangles are stored packed, so that what is symmetric stays so: a
    full matrix with forgetting drifts apart in its last bits, and then diverges.
    """

    __slots__ = (
        "_S", "_b", "_coefficients", "_columns", "_inverse", "_n", "_n_folded",
        "_n_rows", "_noise", "_q", "_residual", "_rows", "_tick", "_twice",
        "config",
    )  # fmt: skip

    # Any: float64 arrays, and two of int64, as `_layout` lists them.
    def __init__(self, config: PerOfferLinear, arrays: dict[str, NDArray[Any]]) -> None:
        self.config = config
        self._S: Float64s = arrays["S"]  # (n_arms, n_pairs), packed triangles
        self._b: Float64s = arrays["b"]  # (n_arms, n_features)
        self._q: Float64s = arrays["q"]  # (n_arms,)
        self._n: Float64s = arrays["n"]  # (n_arms,)
        self._inverse: Float64s = arrays["inverse"]  # (n_arms, n_pairs), packed triangles
        self._n_folded: Int64s = arrays["n_folded"]  # (n_arms,)
        self._n_rows = int(self._n_folded.sum())
        self._tick = int(arrays["tick"][0])
        n_arms, n_features = self._b.shape
        self._rows, self._columns = np.tril_indices(n_features)  # (n_pairs,) each
        self._twice = np.where(self._rows == self._columns, 1.0, 2.0)
        self._coefficients = np.empty((n_arms, n_features))
        self._residual = np.empty(n_arms)
        self._noise = np.empty(n_arms)  # variance
        self._solve_all()

    @property
    def n_arms(self) -> int:
        """Count the arms."""
        return len(self._b)

    @property
    def n_features(self) -> int:
        """Count the features."""
        return int(self._b.shape[1])

    @property
    def n_rows(self) -> int:
        """How many rows were folded, whatever they weigh by now."""
        return self._n_rows

    @property
    def n_rows_of_arm(self) -> Int64s:
        """How many rows of each arm were folded, int64, shape (n_arms,); a copy."""
        return self._n_folded.copy()

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
        self._check_row(arm, x, reward)
        weight = self._weight_at(at_us)
        self._n_folded[arm] += 1
        self._n_rows += 1
        n_features = len(x)
        inverse = self._inverse[arm]
        u = dspmv(n_features, 1.0, inverse, x)
        # Sherman and Morrison (1950), in the form that keeps the inverse positive.
        shrink = -weight / (1.0 + weight * float(u @ x))
        dspr(n_features, shrink, u, inverse, overwrite_ap=1)
        dspr(n_features, weight, x, self._S[arm], overwrite_ap=1)
        self._b[arm] += (weight * reward) * x
        self._q[arm] += weight * reward * reward
        self._n[arm] += weight
        self._solve(arm)
        self._learn_noise()

    def correct(self, arm: int, x: Float64s, *, before: float, after: float, at_us: int) -> None:
        """Replace the answer of a row that was folded, in place; the owner holds its lock.

        Parameters
        ----------
        arm, x, at_us
            As they were folded.
        before, after
            The answer that was folded, and the one that should have been.
        """
        self._check_row(arm, x, before)
        self._check_row(arm, x, after)
        weight = self._weight_at(at_us)
        self._b[arm] += (weight * (after - before)) * x
        self._q[arm] += weight * (after * after - before * before)
        self._solve(arm)
        self._learn_noise()

    def belief(self, x: Float64s, *, own: Float64s | None = None) -> tuple[Float64s, Float64s]:
        """Give mean and standard deviation of each arm's expected answer, as of the latest tick.

        Parameters
        ----------
        x
            The context, float64, shape (n_features,); with `own` all features but the last.
        own
            The last feature, where it is another for each arm; float64, shape (n_arms,).

        Returns
        -------
        tuple of two ndarrays of float64, shape (n_arms,) each
            The deviation is of the *expected* answer, with the learned noise in it, and never above
            that of the prior.
        """
        n_shared = self.n_features - (own is not None)
        if x.shape != (n_shared,):
            raise InvalidArgumentError(_wrong_shape(x, n_shared))
        pairs, norm = self._pairs_of(x), float(x @ x)
        if own is None:
            variance = self._inverse @ pairs  # (n_arms, n_pairs) @ (n_pairs,) -> (n_arms,)
            return self._coefficients @ x, self._deviation(variance, norm)
        variance = quadratic_forms_of_each(self._inverse, pairs, x, own)
        mean = self._coefficients[:, :-1] @ x
        mean += self._coefficients[:, -1] * own
        return mean, self._deviation(variance, norm + own * own)

    def _pairs_of(self, x: Float64s) -> Float64s:
        """Give products of features two by two, as a triangle has them, or its first rows."""
        n_pairs = len(x) * (len(x) + 1) // 2
        pairs = x.take(self._rows[:n_pairs])
        pairs *= x.take(self._columns[:n_pairs])
        pairs *= self._twice[:n_pairs]
        return pairs

    def _deviation(self, variance: Float64s, norm: Float64s | float) -> Float64s:
        variance.clip(0.0, self.config.prior_sd**2 * norm, out=variance)
        variance *= self._noise
        return np.sqrt(variance, out=variance)

    def copy(self) -> "PerOfferState":
        """Give a state that goes its own way."""
        return PerOfferState(self.config, self.to_arrays())

    def merge(self, other: "PerOfferState") -> "PerOfferState":
        """Give the state that has folded the rows of both.

        The sums are those of one pass over all rows in any order, to 1e-9; neither state changes.

        Raises
        ------
        InvalidArgumentError
            Where they differ in configuration, arms or features.
        """
        if (self.config, self._b.shape) != (other.config, (other.n_arms, other.n_features)):
            raise InvalidArgumentError(
                "states can be merged where configuration, arms and features are the same"
            )
        parts = [state.to_arrays() for state in (self, other) if state.n_rows]
        if not parts:
            return self.copy()
        tick = max(int(part["tick"][0]) for part in parts)
        weights = [self.config.weight(tick - int(part["tick"][0])) for part in parts]
        merged = {
            name: np.sum([w * part[name] for w, part in zip(weights, parts, strict=True)], axis=0)
            for name in _SUMS
        }
        merged["n_folded"] = np.sum([part["n_folded"] for part in parts], axis=0)
        merged["tick"] = np.array([tick], np.int64)
        merged["inverse"] = inverses(merged["S"], ridge=self.config.prior_sd**-2)
        return PerOfferState(self.config, merged)

    def to_arrays(self) -> dict[str, NDArray[Any]]:  # Any: as in `Arrays`
        """Give copies of all that `PerOfferLinear.from_arrays` needs, the inverses among it."""
        return {
            "S": self._S.copy(),
            "b": self._b.copy(),
            "q": self._q.copy(),
            "n": self._n.copy(),
            "inverse": self._inverse.copy(),
            "n_folded": self._n_folded.copy(),
            "tick": np.array([self._tick], np.int64),
        }

    def _check_row(self, arm: int, x: Float64s, reward: float) -> None:
        n_arms, n_features = self._b.shape
        if not 0 <= arm < n_arms:
            raise InvalidArgumentError(f"arm must lie in [0, {n_arms}), got {arm}")
        if x.shape != (n_features,):
            raise InvalidArgumentError(_wrong_shape(x, n_features))
        # The squares, since they are what is summed.
        if not (math.isfinite(reward * reward) and math.isfinite(float(x @ x))):
            raise InvalidArgumentError("reward and x must be finite, and their squares too")

    def _weight_at(self, at_us: int) -> float:
        tick = at_us // self.config.tick_us
        if tick > self._tick or not self.n_rows:
            self._advance(tick)
        return self.config.weight(self._tick - tick)

    def _advance(self, tick: int) -> None:
        """Begin a tick: decay the sums, and compute the inverses from them."""
        if tick == self._tick:
            return
        if self._n_rows:
            factor = self.config.weight(tick - self._tick)
            self._S *= factor
            self._b *= factor
            self._q *= factor
            self._n *= factor
            self._inverse[:] = inverses(self._S, ridge=self.config.prior_sd**-2)
            self._solve_all()
        self._tick = tick

    def _solve_all(self) -> None:
        for arm in range(self.n_arms):
            self._solve(arm)
        self._learn_noise()

    def _solve(self, arm: int) -> None:
        """Work out an arm's coefficients, and what of its answers they leave unexplained."""
        b = self._b[arm]
        mean = dspmv(len(b), 1.0, self._inverse[arm], b)
        self._coefficients[arm] = mean
        # q - b'mean is the residual sum of squares and the prior's penalty together.
        self._residual[arm] = max(float(self._q[arm]) - float(b @ mean), 0.0)

    def _learn_noise(self) -> None:
        n_shared, prior = self.n_features, self.config.noise_sd**2
        pooled = (prior + float(np.add.reduce(self._residual))) / (
            1.0 + float(np.add.reduce(self._n))
        )
        noise = self._residual + n_shared * pooled
        noise /= self._n + n_shared
        self._noise = noise


def _layout(n_arms: int, n_features: int) -> dict[str, tuple[tuple[int, ...], type]]:
    n_pairs = n_features * (n_features + 1) // 2
    return {
        "S": ((n_arms, n_pairs), np.float64),
        "b": ((n_arms, n_features), np.float64),
        "q": ((n_arms,), np.float64),
        "n": ((n_arms,), np.float64),
        "inverse": ((n_arms, n_pairs), np.float64),
        "n_folded": ((n_arms,), np.int64),
        "tick": ((1,), np.int64),
    }


def _wrong_shape(x: Float64s, n_features: int) -> str:
    return f"x must have shape ({n_features},), got {x.shape}"
