"""`fold_in` for many customers at once: systems stacked and built together, in float32.

Histories of about one length stand in one stack, filled up to the longest of it with events at
``c = 0`` whose ``c - 1`` counts as nothing: they add to neither side of the equation of `foldin`.
What float32 does not solve well enough is left to `fold_in`.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg1._types import Bools, Float32s, Float64s, Int32s, Int64s
from seg1.recommend.fitting.foldin import (
    NARROW_CONDITION,
    NARROW_CONFIDENCE,
    WOODBURY_UP_TO,
    Penalty,
    fold_in,
    lapack,
)

__all__ = ["fold_in_many", "fold_in_narrow"]

_STACKED = 2**17  # float32 numbers of a stack, half a MB: more leave the cache
_NOTHING = 1e-30  # c - 1 of an event that only fills up; of the others it is 2e-16 or more
_NARROW_LEAST = 1e-30  # diag(s) + lambda below it: float32 might not hold what is divided by it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Batch:
    """What is asked: histories one behind the other, and the penalty of each."""

    item_factors: Float32s  # (n_items, n_factors)
    item_index: Int32s  # (n_events,)
    confidence: Float64s  # (n_events,)
    starts: Int64s  # (n_histories + 1,)
    n_events: Int64s  # (n_histories,)
    gram_diagonal: Float64s  # (n_factors,)
    penalty: Float64s  # (n_histories,)

    @classmethod
    def of(
        cls, item_factors: Float32s, item_index: Int32s, *, confidence: Float64s,
        starts: Int64s, gram_diagonal: Float64s, penalty: Penalty,
    ) -> "_Batch":  # fmt: skip
        """Put together what is asked."""
        n_events = np.diff(starts)
        return cls(
            item_factors=item_factors, item_index=item_index, confidence=confidence,
            starts=starts, n_events=n_events, gram_diagonal=gram_diagonal,
            penalty=_penalties(n_events, penalty),
        )  # fmt: skip

    def alone(self, row: int) -> Float64s:
        """Fold one history in, by itself."""
        events = slice(self.starts[row], self.starts[row + 1])
        return fold_in(
            self.item_factors[self.item_index[events]],
            self.confidence[events],
            gram_diagonal=self.gram_diagonal,
            penalty=float(self.penalty[row]),
        )

    def stacked(self, rows: NDArray[np.intp]) -> tuple[Float32s, Float64s, Float64s]:
        """Give Y and c of some histories, ascending by length, and diag(s) + lambda of each."""
        n_events = self.n_events[rows][:, None]
        place = np.arange(n_events[-1, 0])
        events = self.starts[rows][:, None] + np.minimum(place, n_events - 1)  # (n_rows, longest)
        Y = self.item_factors.take(self.item_index.take(events), axis=0)
        c = np.where(place < n_events, self.confidence.take(events), 0.0)
        return Y, c, self.gram_diagonal + self.penalty[rows][:, None]


def fold_in_many(
    item_factors: Float32s,
    item_index: Int32s,
    *,
    confidence: Float64s,
    starts: Int64s,
    gram_diagonal: Float64s,
    penalty: Penalty,
) -> Float64s:
    """Solve for the factors of several customers.

    Parameters
    ----------
    item_factors
        The factors of all items, shape (n_items, n_factors).
    item_index, confidence
        Items and confidences of all histories, one history behind the other, shape (n_events,).
    starts
        Where each history begins, and the end; shape (n_histories + 1,).
    gram_diagonal
        As for `fold_in`.
    penalty
        The penalty of a customer with n events.

    Returns
    -------
    ndarray of float64, shape (n_histories, n_factors)
        What `fold_in` gives, within some 1e-5 of its norm.

    Examples
    --------
    >>> Y = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    >>> factors = fold_in_many(
    ...     Y, np.array([0, 0, 1], dtype=np.int32), confidence=np.array([3.0, 3.0, 3.0]),
    ...     starts=np.array([0, 1, 3]), gram_diagonal=np.ones(2),
    ...     penalty=Penalty(scale=1.0, offset=1.0, nu=0.0),
    ... )
    >>> factors.round(3)
    array([[0.75, 0.  ],
           [0.75, 0.75]])
    """
    batch = _Batch.of(
        item_factors, item_index, confidence=confidence, starts=starts,
        gram_diagonal=gram_diagonal, penalty=penalty,
    )  # fmt: skip
    factors, left = _solved(batch)
    for row in left.tolist():
        factors[row] = batch.alone(row)
    return factors


def fold_in_narrow(
    item_factors: Float32s,
    item_index: Int32s,
    *,
    confidence: Float64s,
    starts: Int64s,
    gram_diagonal: Float64s,
    penalty: Penalty,
) -> tuple[Float64s, Int64s]:
    """Solve in float32 what it solves well enough, and say which customers are left.

    Parameters
    ----------
    item_factors, item_index, confidence, starts, gram_diagonal, penalty
        As for `fold_in_many`.

    Returns
    -------
    factors, left
        As from `fold_in_many`; and the rows that stand for nothing there yet, shape (n_left,).
    """
    batch = _Batch.of(
        item_factors, item_index, confidence=confidence, starts=starts,
        gram_diagonal=gram_diagonal, penalty=penalty,
    )  # fmt: skip
    return _solved(batch)


def _solved(batch: _Batch) -> tuple[Float64s, Int64s]:
    factors = np.zeros((len(batch.n_events), len(batch.gram_diagonal)))  # of none without events
    spread = np.where(batch.n_events > 0, np.inf, 0.0)
    most = _most_spread(batch)
    is_short, is_long = _narrow(batch, most)
    for solve, is_such in ((_solve_short, is_short), (_solve_long, is_long)):
        for rows in _stacks(np.flatnonzero(is_such), batch):
            factors[rows], spread[rows] = solve(*batch.stacked(rows))
    return factors, np.flatnonzero(~(spread <= most))


def _penalties(n_events: Int64s, penalty: Penalty) -> Float64s:
    lengths, which = np.unique(n_events, return_inverse=True)
    return np.array([penalty.at(n) for n in lengths.tolist()], dtype=np.float64)[which]


def _most_spread(batch: _Batch) -> Float64s:
    """Give the trace up to which a scaled system is conditioned well enough for float32.

    As in `fold_in`: ``(1 + trace) * sqrt(max d / min d)`` is the condition, at most.
    """
    low = batch.gram_diagonal.min() + batch.penalty
    high = batch.gram_diagonal.max() + batch.penalty
    most: Float64s = NARROW_CONDITION / np.sqrt(high / np.maximum(low, _NARROW_LEAST)) - 1.0
    return np.where(low >= _NARROW_LEAST, most, -1.0)


def _narrow(batch: _Batch, most_spread: Float64s) -> tuple[Bools, Bools]:
    """Tell which histories to try in float32: by a system of their size, and by the whole one."""
    lowest, highest = _extremes(batch)
    is_tame = (highest <= NARROW_CONFIDENCE) & (most_spread >= 0.0)
    n_small = min(WOODBURY_UP_TO, len(batch.gram_diagonal))
    is_short = is_tame & (batch.n_events <= n_small) & (lowest > 1.0)
    return is_short, is_tame & (lowest >= 1.0) & ~is_short


def _extremes(batch: _Batch) -> tuple[Float64s, Float64s]:
    """Give the least and the greatest confidence of each history; nan where there is none."""
    lowest, highest = np.full((2, len(batch.n_events)), np.nan)
    rows = np.flatnonzero(batch.n_events)
    if len(rows):
        lowest[rows] = np.minimum.reduceat(batch.confidence, batch.starts[rows])
        highest[rows] = np.maximum.reduceat(batch.confidence, batch.starts[rows])
    return lowest, highest


def _stacks(rows: NDArray[np.intp], batch: _Batch) -> Iterator[NDArray[np.intp]]:
    """Cut histories into stacks of about one length, each ascending by length."""
    rows = rows[batch.n_events[rows].argsort(kind="stable")]
    n_events = batch.n_events[rows].tolist()
    room = _STACKED // len(batch.gram_diagonal)  # events
    start = 0
    while start < len(rows):
        alike = bisect_right(n_events, n_events[start] * 5 // 4 + 4, start)
        stop = min(start + max(1, room // n_events[alike - 1]), alike)
        yield rows[start:stop]
        start = stop


def _solve_short(Y: Float32s, c: Float64s, d: Float64s) -> tuple[Float32s, Float64s]:
    """Solve systems of the size of the histories; give as well the traces of the scaled ones.

    As `fold_in` does, with ``B = Y D^-1`` cut in two: ``Y D^-1 Y'`` is a matrix times itself. Both
    this system and the whole one, once scaled, are I and a matrix of the same eigenvalues.
    """
    excess = np.maximum(c - 1.0, _NOTHING)
    root = np.sqrt(1.0 / d).astype(np.float32)
    Y *= root[:, None, :]
    # (n_rows, n_events, n_factors) @ its transpose -> (n_rows, n_events, n_events)
    inner = Y @ Y.transpose(0, 2, 1)
    diagonal = np.einsum("bii->bi", inner)
    spread = (diagonal * excess).sum(axis=1)
    diagonal += 1.0 / excess
    z, is_solved = _solve_each(inner, (c / excess).astype(np.float32))
    # one row of n_events times (n_events, n_factors), for each customer
    factors: Float32s = (z[:, None, :] @ Y)[:, 0] * root
    return factors, np.where(is_solved, spread, np.inf)


def _solve_long(Y: Float32s, c: Float64s, d: Float64s) -> tuple[Float32s, Float64s]:
    """Solve systems of the size of the factors, likewise."""
    b: Float32s = (c.astype(np.float32)[:, None, :] @ Y)[:, 0]
    Y *= np.sqrt(np.maximum(c - 1.0, 0.0)).astype(np.float32)[:, :, None]
    # (n_rows, n_factors, n_events) @ its transpose -> (n_rows, n_factors, n_factors)
    A = Y.transpose(0, 2, 1) @ Y
    diagonal = np.einsum("bii->bi", A)
    spread = (diagonal / d).sum(axis=1)
    diagonal += d
    factors, is_solved = _solve_each(A, b)
    return factors, np.where(is_solved, spread, np.inf)


def _solve_each(A: Float32s, b: Float32s) -> tuple[Float32s, Bools]:
    """Solve a stack of systems, writing over both; tell which were positive."""
    sposv = lapack().sposv
    # Cholesky one by one: half the time of `np.linalg.solve`, from some 20 rows on.
    solved = [sposv(one, y, 0, 1, 1) for one, y in zip(A.transpose(0, 2, 1), b, strict=True)]
    _, x, failed = zip(*solved, strict=True)
    return np.concatenate(x).reshape(b.shape), np.equal(failed, 0)
