"""The rows most alike, by the cosine of their factors, exactly."""

import numpy as np

from seg1._types import Bools, Float32s, Float64s, Int32s
from seg1.recommend.ranking.pruning import FLOAT32_UNIT, norms_of
from seg1.recommend.ranking.topk import exact_scores, top_by_score

__all__ = ["top_by_cosine"]

_SHORT = 1e-25  # rows under this may be lost in float32, and are always scored again


def top_by_cosine(
    factors: Float32s, factor: Float64s, *, n: int, allowed: Bools
) -> tuple[Int32s, Float64s]:
    """Rank rows by the cosine with a factor; ties by row. Rows of norm 0 are like nothing.

    Parameters
    ----------
    factors
        float32, shape (n_rows, n_factors).
    factor
        float64, shape (n_factors,).
    n
        How many at most, >= 1.
    allowed
        Mask of shape (n_rows,).

    Returns
    -------
    rows, cosines : ndarray of int32 and float64, shape (at most n,)
        Best first.

    Examples
    --------
    >>> factors = np.array([[1.0, 0.0], [5.0, 5.0], [0.0, 2.0]], dtype=np.float32)
    >>> top_by_cosine(factors, np.array([2.0, 0.0]), n=2, allowed=np.array([True, True, True]))
    (array([0, 1], dtype=int32), array([1.        , 0.70710678]))
    """
    length = float(np.linalg.norm(factor))
    rows = np.flatnonzero(allowed)
    norms = norms_of(factors[rows])
    rows, norms = rows[norms > 0], norms[norms > 0]
    if not length > 0 or not len(rows):
        return np.empty(0, dtype=np.int32), np.empty(0)
    direction = factor / length
    near = _near_best(factors[rows], norms, direction, n=n)
    rows, norms = rows[near], norms[near]
    cosines = exact_scores(factors[rows], direction) / norms
    best = top_by_score(cosines, n=n)
    return rows[best].astype(np.int32), cosines[best]


def _near_best(factors: Float32s, norms: Float64s, direction: Float64s, *, n: int) -> Bools:
    """Tell which rows float32 cannot rule out from the n most alike."""
    if n >= len(norms):
        return np.ones(len(norms), dtype=np.bool_)
    with np.errstate(over="ignore", invalid="ignore"):  # then it rules nothing out
        rough = (factors @ direction.astype(np.float32)) / norms
    is_short = norms < _SHORT
    rough[is_short] = -np.inf  # rounded to anything: no measure of the others
    margin = 1.01 * (len(direction) + 4) * FLOAT32_UNIT  # as for inner products, by the norm
    least = float(np.partition(rough, len(rough) - n)[len(rough) - n]) - 2.0 * margin
    is_near: Bools = ~(rough < least) | is_short
    return is_near
