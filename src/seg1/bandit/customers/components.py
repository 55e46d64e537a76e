"""How much customers and segments differ, from sums; and what is best believed of each segment.

A row's answer, less what was expected of it, is its residual: ``r = mean of the group + effect of
the segment + effect of the customer + noise``. Segments are nested in groups, customers in
segments; effects and noise are independent, of mean 0, and have one variance each over all groups.
"""

from typing import NamedTuple

import numpy as np

from seg1._types import Float64s, Int64s
from seg1.bandit.posteriors.posterior import Arrays, checked_array
from seg1.errors import DamagedError

__all__ = ["Components", "Learned", "Sums", "components_of", "predicted"]

_NONE_LEFT = 1e-9  # degrees of freedom, as a share of the rows' weight


class Sums(NamedTuple):
    """Sums of cells, and where they lie: customers in strata, which are segments in groups.

    Attributes
    ----------
    stratum
        Of each cell, int64, shape (n_cells,).
    group
        Of each stratum, int64, shape (n_strata,).
    weight, weight2, residual, square
        Of each cell ``sum w``, ``sum w^2``, ``sum w r`` and ``sum w r^2``; float64, (n_cells,).
    """

    stratum: Int64s
    group: Int64s
    weight: Float64s
    weight2: Float64s
    residual: Float64s
    square: Float64s


class Components(NamedTuple):
    """Variances of single answers; see `PooledHistory.components`.

    Attributes
    ----------
    noise
        Of answers of one customer, about what is expected of that customer.
    customers
        Of customers' effects, about their segment's. 0: what differs may well be chance.
    segments
        Of segments' effects.
    """

    noise: float
    customers: float
    segments: float


class Learned(NamedTuple):
    """What follows from sums: variances, and best linear unbiased predictors.

    Lists, because a number of theirs is read at once. Strata and groups that came later have no
    place in them.

    Attributes
    ----------
    components
        The variances.
    of_strata
        Effect of each segment in its group.
    means
        Of each group.
    """

    components: Components
    of_strata: list[float]
    means: list[float]

    @classmethod
    def of(cls, sums: Sums, *, noise_sd: float, prior_rows: float) -> "Learned":
        """Work it out."""
        components = components_of(sums, noise_sd=noise_sd, prior_rows=prior_rows)
        of_strata, means = predicted(sums, components)
        return cls(components, of_strata.tolist(), means.tolist())

    def to_arrays(self) -> dict[str, Float64s]:
        """Lay it out."""
        return {name: np.array(told, np.float64) for name, told in self._asdict().items()}

    @classmethod
    def from_arrays(cls, arrays: Arrays, *, shape: tuple[int, int]) -> "Learned":
        """Read it again, with at most so many groups and strata as `shape` says.

        Raises
        ------
        DamagedError
            Where arrays are missing, of the wrong shape or dtype, or no variances.
        """
        components = checked_array(arrays, "components", shape=(3,))
        if components[0] <= 0 or (components < 0).any():
            raise DamagedError("the state of a pooled history has variances that are none")
        limits = zip(("of_strata", "means"), reversed(shape), strict=True)
        of_strata, means = (
            checked_array(arrays, name, shape=(min(np.size(arrays.get(name, ())), limit),))
            for name, limit in limits
        )
        return cls(Components(*components.tolist()), of_strata.tolist(), means.tolist())


def components_of(sums: Sums, *, noise_sd: float, prior_rows: float = 0.0) -> Components:
    """Estimate the variances, each at least 0, by the analysis of variance of unbalanced data.

    Sums of squares between the levels are set equal to what they come to on average, whatever the
    weights: Henderson's method I (Searle, Casella and McCulloch, Variance Components, 1992, 5.3)
    with a weight for each row. `noise_sd` squared counts as one row of noise, and that customers
    and segments are all alike as some rows: few answers often differ where nobody does.

    Parameters
    ----------
    sums
        The sums; a cell may weigh nothing.
    noise_sd
        Standard deviation of the noise before any answer, > 0.
    prior_rows
        How many rows it counts that nobody differs, >= 0.

    Returns
    -------
    Components

    Examples
    --------
    >>> one, two = np.ones(2), np.full(2, 2.0)  # two customers, each with two equal answers: 0, 1
    >>> none = np.zeros(2, np.int64)
    >>> sums = Sums(none, none[:1], two, two, np.array([0.0, 2.0]), np.array([0.0, 2.0]))
    >>> round(components_of(sums, noise_sd=0.3).customers, 3)
    0.485
    """
    n_strata, n_groups = len(sums.group), _n_groups(sums)
    cells = _Level(sums.weight, sums.weight2, sums.residual)
    strata = cells.above(sums.stratum, n=n_strata)
    groups = strata.above(sums.group, n=n_groups)
    total, unexplained = float(sums.weight.sum()), float(sums.square.sum()) - cells.explained
    noise = (noise_sd**2 + max(unexplained, 0.0)) / (1.0 + max(total - cells.noise, 0.0))
    # Squared weights of cells, or of strata, summed over what they lie in, over its weight.
    by_stratum = _by(sums.stratum, sums.weight**2, n_strata)
    in_strata = strata.over(by_stratum)
    in_groups = groups.over(_by(sums.group, by_stratum, n_groups))
    strata_in_groups = groups.over(_by(sums.group, strata.weight**2, n_groups))
    between = cells.explained - strata.explained - noise * (cells.noise - strata.noise)
    customers, share = _estimated(between, n=total - in_strata, of=total, prior_rows=prior_rows)
    between = strata.explained - groups.explained - noise * (strata.noise - groups.noise)
    between -= customers * (in_strata - in_groups)
    segments, of_segments = _estimated(
        between, n=total - strata_in_groups, of=total, prior_rows=prior_rows
    )
    return Components(noise, share * customers, of_segments * segments)


def predicted(sums: Sums, components: Components) -> tuple[Float64s, Float64s]:
    """Predict the segments' effects, and estimate the groups' means by generalised least squares.

    Solved level by level, with no matrix: a cell of weight w speaks for its segment with
    ``w / (noise + customers w)``.

    Parameters
    ----------
    sums, components
        The sums, and variances with noise > 0.

    Returns
    -------
    tuple of two ndarrays of float64
        Effect of each segment in its group, shape (n_strata,); mean of each group, (n_groups,).
    """
    noise, customers, segments = components
    per_weight = 1.0 / (noise + customers * sums.weight)
    n_strata, n_groups = len(sums.group), _n_groups(sums)
    precision = _by(sums.stratum, sums.weight * per_weight, n_strata)
    score = _by(sums.stratum, sums.residual * per_weight, n_strata)
    shrunk = 1.0 / (1.0 + segments * precision)
    known = _by(sums.group, precision * shrunk, n_groups)
    mean = _by(sums.group, score * shrunk, n_groups)
    np.divide(mean, known, out=mean, where=known > 0)
    of_stratum: Float64s = segments * shrunk * (score - precision * mean[sums.group])
    return of_stratum, mean


class _Level(NamedTuple):
    """Sums of the places of one level; float64, shape (n_places,) each."""

    weight: Float64s
    weight2: Float64s
    residual: Float64s

    def above(self, place: Int64s, *, n: int) -> "_Level":
        """Sum up what lies in one place of the level above."""
        return _Level(*(_by(place, part, n) for part in self))

    def over(self, amounts: Float64s) -> float:
        """Sum up amounts, each over the weight of its place; one of no weight has none."""
        shares = np.zeros(len(amounts))
        np.divide(amounts, self.weight, out=shares, where=self.weight > 0)
        return float(shares.sum())

    @property
    def explained(self) -> float:
        """What the means of the places explain of all squares."""
        return self.over(self.residual**2)

    @property
    def noise(self) -> float:
        """How many variances of the noise are on average in what they explain."""
        return self.over(self.weight2)


def _estimated(squares: float, *, n: float, of: float, prior_rows: float) -> tuple[float, float]:
    """Give a variance, and which share of it to believe.

    It is 0 where it would be negative, or where there is nothing to compare.
    """
    if n <= _NONE_LEFT * of:
        return 0.0, 0.0
    return max(squares / n, 0.0), n / (n + prior_rows)


def _by(place: Int64s, amounts: Float64s, n: int) -> Float64s:
    """Sum up amounts by place; float64 where there are none, too."""
    return np.bincount(place, amounts, n).astype(np.float64, copy=False)


def _n_groups(sums: Sums) -> int:
    return int(sums.group.max(initial=-1)) + 1
