"""Why a score is what it is: what each event of the history adds to it."""

import numpy as np
from numpy.typing import NDArray

from seg1._types import Float64s, Id, Int32s
from seg1.recommend.ranking.result import Why

__all__ = ["adding_up", "why_similar"]

_N_REASONS = 2


def why_similar(
    parts: Float64s, *, best: Int32s, own: Int32s, own_ids: list[Id]
) -> tuple[Why, ...]:
    """Name, for each item, the events of the history that speak for it most.

    Parameters
    ----------
    parts
        What each event adds to the score of each item, shape (n_items, n_events).
    best, own
        Codes of the items that are ranked and of those of the history.
    own_ids
        Ids of the latter.
    """
    others = np.where(best[:, None] == own[None, :], 0.0, parts)  # no reason for itself
    strongest = np.argsort(-others, axis=1, kind="stable")[:, :_N_REASONS]
    return tuple(
        _similar(row, order, own=[own_ids[i] for i in order.tolist()])
        for row, order in zip(others, strongest, strict=True)
    )


def _similar(parts: Float64s, order: NDArray[np.intp], *, own: list[Id]) -> Why:
    speaking = parts[order]
    items = tuple(item for item, part in zip(own, speaking, strict=True) if part > 0)
    total = float(parts.sum())
    share = float(speaking[speaking > 0].sum()) / total if total > 0 else 0.0
    return Why("similar", items, share)


def adding_up(parts: Float64s, score: float) -> Float64s:
    """Spread over the parts, by their size, what they lack of the score.

    A fitted factor is stored in float32, so that its scores differ in the sixth digit from the
    exact sums.
    """
    sizes = np.abs(parts)
    total = float(sizes.sum())
    if total == 0.0:
        return parts
    spread: Float64s = parts + (score - float(parts.sum())) * (sizes / total)
    return spread
