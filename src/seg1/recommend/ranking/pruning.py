"""The n best items by the inner product of factors, without looking at them all.

Rows stand in the order of their norms, longest first. By Cauchy-Schwarz no row can score more than
its norm times the customer's, so that a ranking is done where that falls under the n-th best score
so far (Bachrach et al. 2014, "Speeding up the Xbox recommender system", sec. 2.3).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seg1._checks import read_only
from seg1._types import Bools, Float32s, Float64s, Int32s
from seg1.recommend.ranking.topk import exact_scores

__all__ = ["FLOAT32_UNIT", "ByNorm", "Closed", "norms_of", "top_by_norm"]

FLOAT32_UNIT = 2.0**-24
_FLOAT32_TINY = 2.0**-124  # more than is lost where a processor flushes small numbers to 0
_FLOAT32_SAFE = 1e37  # up to this no sum can overflow
_FLOAT64_SAFE = (1e-100, 1e100)  # times a float32, neither 0 nor infinity
_FIRST_BLOCK = 512  # rows; the next blocks are several times as long
_GROWTH = 4
_HOPELESS = 0.4  # share of the rows after which all that could be left is scored at once
_FEW = 0.02  # share of the items up to which they are picked out


@dataclass(frozen=True, slots=True, eq=False)
class ByNorm:
    """Item factors, longest first: the model's, or those of a set of its items.

    Attributes
    ----------
    factors
        float32, shape (n_rows, n_factors).
    minus_norms
        Negated Euclidean norms, float64, shape (n_rows,), rising.
    item_index
        int32, shape (n_rows,): which item a row is of.
    position
        int32, shape (n_items,): the row of an item, -1 where it has none.
    """

    factors: Float32s
    minus_norms: Float64s
    item_index: Int32s
    position: Int32s

    @classmethod
    def of(cls, item_factors: Float32s, item_norms: Float64s) -> "ByNorm":
        """Sort all items."""
        order = np.argsort(-item_norms, kind="stable").astype(np.int32)
        return cls._of(item_factors[order], -item_norms[order], order, n_items=len(item_norms))

    def within(self, mask: Bools) -> "ByNorm":
        """Take the items of a mask, shape (n_items,), out of rows that hold every item."""
        rows = np.flatnonzero(mask[self.item_index])
        return self._of(
            self.factors[rows], self.minus_norms[rows], self.item_index[rows], n_items=len(mask)
        )

    @classmethod
    def _of(
        cls, factors: Float32s, minus_norms: Float64s, item_index: Int32s, *, n_items: int
    ) -> "ByNorm":
        position = np.full(n_items, -1, dtype=np.int32)
        position[item_index] = np.arange(len(item_index), dtype=np.int32)
        return cls(
            read_only(factors), read_only(minus_norms), read_only(item_index), read_only(position)
        )


class Closed(NamedTuple):
    """Which items must not be returned.

    Attributes
    ----------
    mask
        bool, shape (n_items,), True where an item is closed; None where none is.
    also
        int32, shape (n_also,): further items that are closed, a few.
    """

    mask: Bools | None = None
    also: Int32s | None = None


def norms_of(item_factors: Float32s) -> Float64s:
    """Give the Euclidean norms of rows, in float64."""
    norms: Float64s = np.sqrt(np.einsum("if,if->i", item_factors, item_factors, dtype=np.float64))
    return norms


def top_by_norm(
    rows: ByNorm, factor: Float64s, *, n: int, closed: Closed
) -> tuple[Int32s, Float64s]:
    """Rank items by the inner product of their factors with a customer's.

    Scored in float32, block by block, with an error bound; whatever could be among the n best
    within the bound is scored again in float64. So the answer is that of float64 throughout.

    Parameters
    ----------
    rows
        The items that are ranked.
    factor
        The customer's factors, float64, shape (n_factors,).
    n
        How many at most, >= 0.
    closed
        Items that are left out.

    Returns
    -------
    items, scores : ndarray of int32 and float64, shape (min(n, number that is not closed),)
        Best first, ties by item.

    Examples
    --------
    >>> factors = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0]], dtype=np.float32)
    >>> rows = ByNorm.of(factors, norms_of(factors))
    >>> top_by_norm(rows, np.array([1.0, 1.0]), n=2, closed=Closed())
    (array([1, 2], dtype=int32), array([3., 2.]))
    """
    kept = _near_best(rows, factor, n=n, closed=closed)
    scores = exact_scores(rows.factors[kept], factor)
    items = rows.item_index[kept]
    order = np.lexsort((items, -scores))[:n]
    return items[order], scores[order]


def _near_best(rows: ByNorm, factor: Float64s, *, n: int, closed: Closed) -> NDArray[np.intp]:
    """List the rows that are not closed and that float32 cannot rule out from the n best."""
    shut = _Shut(rows, closed)
    rough = _Rough.of(rows, factor)
    if rough is None or not 0 < n < len(rows.item_index):
        return shut.open_rows()
    if shut.leaves_few():
        kept = shut.open_rows()
        scores = rows.factors[kept] @ rough.direction
        return kept[rough.near_best(scores, n)] if n < len(kept) else kept
    return _scan(rows, rough, shut, n=n)


def _scan(rows: ByNorm, rough: "_Rough", shut: "_Shut", *, n: int) -> NDArray[np.intp]:
    """Score block after block until no row that is left could be among the n best."""
    n_rows = len(rows.item_index)
    scores, least = np.empty(0, dtype=np.float32), -math.inf
    stop, reach = 0, min(n_rows, max(_FIRST_BLOCK, 2 * n))
    while stop < reach:
        # (n_block, n_factors) @ (n_factors,) -> (n_block,)
        block = rows.factors[stop:reach] @ rough.direction
        shut.close(block, stop, reach)
        scores = np.concatenate((scores, block)) if stop else block
        stop = reach
        least = rough.least(scores, n)
        # No row from here on can score `least`: its norm is too short.
        reach = int(rows.minus_norms.searchsorted(-least / rough.length, side="right"))
        if reach > _GROWTH * stop and _GROWTH * stop < _HOPELESS * n_rows:
            reach = _GROWTH * stop
    return np.flatnonzero(scores >= least if least > -math.inf else scores > least)


class _Rough(NamedTuple):
    """A customer's factors in float32, of largest entry 1, and how far its scores may be off.

    So scaled, float32 neither overflows nor underflows on account of the customer.
    """

    direction: Float32s
    length: float
    margin: float

    @classmethod
    def of(cls, rows: ByNorm, factor: Float64s) -> "_Rough | None":
        """Scale; None where float32 cannot hold the scores."""
        peak = float(np.abs(factor).max(initial=0.0))
        if not _FLOAT64_SAFE[0] < peak < _FLOAT64_SAFE[1] or not len(rows.item_index):
            return None  # 0 and NaN as well
        direction = factor / peak
        length = math.sqrt(direction @ direction)
        longest = -length * float(rows.minus_norms[0])
        if not longest <= _FLOAT32_SAFE:
            return None
        # |rough - exact| <= margin: Higham (2002), Accuracy ..., sec. 3.1. Four roundings are added
        # (of the direction, of the comparison, and two to spare), and what may underflow.
        n = len(factor)
        margin = 1.01 * (n + 4) * FLOAT32_UNIT * longest + n * _FLOAT32_TINY
        return cls(direction.astype(np.float32), length, margin)

    def least(self, scores: Float32s, n: int) -> float:
        """Give what a rough score must have for the exact one to be among the n best."""
        n_th = float(np.partition(scores, len(scores) - n)[len(scores) - n])
        return n_th - 2.0 * self.margin

    def near_best(self, scores: Float32s, n: int) -> Bools:
        """Tell which scores, none of them closed, may be among the n best."""
        is_near: Bools = scores >= self.least(scores, n)
        return is_near


class _Shut:
    """Writes minus infinity over the scores of what is closed."""

    def __init__(self, rows: ByNorm, closed: Closed) -> None:
        self._rows = rows
        self._mask = closed.mask
        self._also = None if closed.also is None else rows.position[closed.also]

    def close(self, block: Float32s, start: int, stop: int) -> None:
        """Close the scores of the rows from `start` to `stop`."""
        if self._mask is not None:
            np.putmask(block, self._mask[self._rows.item_index[start:stop]], -np.inf)
        if self._also is not None:
            here = self._also[(self._also >= start) & (self._also < stop)]
            block[here - start] = -np.inf

    def leaves_few(self) -> bool:
        """Whether so few items are open that they are better picked out than scanned for."""
        n_closed = 0 if self._mask is None else int(np.count_nonzero(self._mask))
        return len(self._rows.position) - n_closed < _FEW * len(self._rows.position)

    def open_rows(self) -> NDArray[np.intp]:
        """List all rows that are not closed."""
        is_open = self._rows.position >= 0
        if self._mask is not None:
            is_open &= ~self._mask
        rows = self._rows.position[np.flatnonzero(is_open)]
        if self._also is not None:
            rows = rows[~np.isin(rows, self._also)]
        return rows.astype(np.intp)
