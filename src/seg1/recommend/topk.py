"""The n best items, exactly, and only allowed ones.

Order is by float64 score, ties by item index. Fewer than n come back where fewer are allowed.
"""

import numpy as np

from seg1._types import Bools, Float32s, Float64s, Int32s

__all__ = ["exact_scores", "top_by_factors", "top_by_score"]

_FLOAT32_UNIT = 2.0**-24


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
    candidates = np.flatnonzero(allowed)
    if 0 < n < len(candidates):
        # (n_items, n_factors) @ (n_factors,) -> (n_items,)
        rough = (item_factors @ factor.astype(np.float32))[candidates].astype(np.float64)
        # |rough - exact| <= (n_factors + 2) unit |y| |u|: Higham (2002), Accuracy ..., sec. 3.1
        unit = (len(factor) + 2) * _FLOAT32_UNIT * float(np.linalg.norm(factor))
        margin = unit * item_norms[candidates]
        lower = rough - margin
        threshold = -np.partition(-lower, n - 1)[n - 1]
        candidates = candidates[rough + margin >= threshold]
    scores = exact_scores(item_factors[candidates], factor)
    order = np.lexsort((candidates, -scores))[:n]
    return candidates[order].astype(np.int32), scores[order]


def exact_scores(item_factors: Float32s, factor: Float64s) -> Float64s:
    """Score items in float64, each row on its own, so that no other row changes its last bit."""
    scores: Float64s = (item_factors * factor).sum(axis=1)
    return scores
