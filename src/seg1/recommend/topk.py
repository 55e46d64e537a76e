"""The n best items, exactly, and only allowed ones.

Order is by float64 score, ties by item index. Fewer than n come back where fewer are allowed.
"""

import numpy as np
from numpy.typing import NDArray

from seg1._types import Bools, Float32s, Float64s, Int32s

__all__ = ["exact_scores", "top_by_factors", "top_by_score"]

_FLOAT32_UNIT = 2.0**-24
_FLOAT32_TINY = 2.0**-124  # more than is lost where a processor flushes small numbers to 0
_FLOAT32_SAFE = 1e37  # up to this no sum can overflow
_FLOAT64_SAFE = (1e-100, 1e100)  # times a float32, neither 0 nor infinity


def top_by_score(scores: Float64s, *, n: int, allowed: Bools | None = None) -> Int32s:
    """Rank items by given scores.

    Parameters
    ----------
    scores
        float64, shape (n_items,), finite.
    n
        How many at most, >= 0.
    allowed
        Mask of shape (n_items,); None where all are.

    Returns
    -------
    ndarray of int32, shape (min(n, number allowed),)
        Items, best first.

    Examples
    --------
    >>> scores = np.array([0.1, 0.9, 0.9, 0.5])
    >>> top_by_score(scores, n=3, allowed=np.array([True, True, True, False]))
    array([1, 2, 0], dtype=int32)
    """
    candidates = np.arange(len(scores)) if allowed is None else np.flatnonzero(allowed)
    kept = scores[candidates]
    if n < len(kept):
        # All that tie with the n-th stay in: which of them are taken is decided by item.
        threshold = -np.partition(-kept, n - 1)[n - 1] if n else np.inf
        is_near = kept >= threshold
        candidates, kept = candidates[is_near], kept[is_near]
    order = np.lexsort((candidates, -kept))[:n]
    best: Int32s = candidates[order].astype(np.int32)
    return best


def top_by_factors(
    item_factors: Float32s, item_norms: Float64s, factor: Float64s, *, n: int, allowed: Bools
) -> tuple[Int32s, Float64s]:
    """Rank items by the inner product of their factors with a customer's.

    Scored in float32, with an error bound; whatever could be among the n best within the bound is
    scored again in float64. So the answer is that of float64 throughout.

    Parameters
    ----------
    item_factors
        float32, shape (n_items, n_factors).
    item_norms
        Euclidean norms of the rows, float64, shape (n_items,).
    factor
        The customer's factors, float64, shape (n_factors,).
    n
        How many at most, >= 0.
    allowed
        Mask of shape (n_items,).

    Returns
    -------
    items, scores : ndarray of int32 and float64, shape (min(n, number allowed),)
        Best first.
    """
    if 0 < n < np.count_nonzero(allowed):
        candidates = _near_best(item_factors, item_norms, factor, n=n, allowed=allowed)
    else:
        candidates = np.flatnonzero(allowed)
    scores = exact_scores(item_factors[candidates], factor)
    order = np.lexsort((candidates, -scores))[:n]
    return candidates[order].astype(np.int32), scores[order]


def _near_best(
    item_factors: Float32s, item_norms: Float64s, factor: Float64s, *, n: int, allowed: Bools
) -> NDArray[np.intp]:
    """List the allowed items that float32 cannot rule out from the n best."""
    peak = float(np.abs(factor).max(initial=0.0))
    if not _FLOAT64_SAFE[0] < peak < _FLOAT64_SAFE[1]:  # 0 and NaN as well
        return np.flatnonzero(allowed)
    # Of largest entry 1, so that float32 neither overflows nor underflows on account of it.
    direction = factor / peak
    longest = float(np.linalg.norm(direction)) * float(item_norms.max())
    if longest > _FLOAT32_SAFE:
        return np.flatnonzero(allowed)
    # (n_items, n_factors) @ (n_factors,) -> (n_items,)
    rough = item_factors @ direction.astype(np.float32)
    if not allowed.all():
        rough = np.where(allowed, rough, np.float32(-np.inf))
    threshold = float(np.partition(rough, len(rough) - n)[len(rough) - n])
    # |rough - exact| <= margin: Higham (2002), Accuracy ..., sec. 3.1. Four roundings are added
    # (of the direction, of this comparison, and two to spare), and what may underflow.
    n_factors = len(factor)
    margin = 1.01 * (n_factors + 4) * _FLOAT32_UNIT * longest + n_factors * _FLOAT32_TINY
    return np.flatnonzero(rough >= threshold - 2.0 * margin)


def exact_scores(item_factors: Float32s, factor: Float64s) -> Float64s:
    """Score items in float64, each row on its own, so that no other row changes its last bit."""
    scores: Float64s = (item_factors * factor).sum(axis=1)
    return scores
