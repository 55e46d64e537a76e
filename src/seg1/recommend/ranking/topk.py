"""The n best items, exactly, and only allowed ones.

Order is by float64 score, ties by item index. Fewer than n come back where fewer are allowed.
"""

import numpy as np

from seg1._types import Bools, Float32s, Float64s, Int32s

__all__ = ["exact_scores", "top_by_score"]


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


def exact_scores(item_factors: Float32s, factor: Float64s) -> Float64s:
    """Score items in float64, each row on its own, so that no other row changes its last bit."""
    scores: Float64s = (item_factors * factor).sum(axis=1)
    return scores
