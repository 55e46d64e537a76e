"""Probability that each of several independent values is the largest, by quadrature.

``p_k = int phi_k(t) prod_{j != k} Phi_j(t) dt``. With F the product of all the Phi, that is
``int (phi_k / Phi_k) F dt``: one product for all arms, and a matrix times a vector.
"""

import math

import numpy as np
from scipy.special import ndtr

from seg1._types import Float64s, Int64s

__all__ = ["best_probabilities"]

_REACH = 4.0  # standard deviations; beyond them lies a probability of 3e-5
_NO_SPREAD = 1e-250  # below it, products underflow
_UNRESOLVED = 1e-13  # a spread that is none, as a share of the values
_FINEST = 1e-9  # a spread that is resolved, as a share of the widest
_NEVER = 1e-9  # a probability that is none
_N_ABOVE = 15  # so many medians above a point: the largest value is not below (2^-15)
_MANY = 32  # arms, of which finding those medians pays

# Phi and phi / Phi at the middles of equal cells, for working them out takes five times as long.
# What is above the last cell is as good as certain.
_N_CELLS, _LAST = 8192, 5.0
_CELLS_PER_SD = _N_CELLS / (_REACH + _LAST)
_MIDDLES = (np.arange(_N_CELLS) + 0.5) / _CELLS_PER_SD - _REACH
_BELOW = ndtr(_MIDDLES)
_RATE = np.exp(-0.5 * _MIDDLES * _MIDDLES) / _BELOW
_BELOW[-1], _RATE[-1] = 1.0, 0.0


def _grid(n_nodes: int, n_panels: int) -> tuple[Float64s, Float64s]:
    """Give nodes and weights of the unit interval, in panels of Gauss and Legendre."""
    places, weights = np.polynomial.legendre.leggauss(n_nodes)
    starts = np.arange(n_panels)[:, None]
    nodes = ((starts + 0.5 + 0.5 * places) / n_panels).ravel()
    # The exponential of the second row is 1: see `_integrals`.
    return np.array([nodes, 0.0 * nodes]), np.tile(weights / (2.0 * n_panels), n_panels)


# For each half of a unit of a logarithmic axis; enough for spreads that differ 1e9-fold.
_GRIDS = tuple(_grid(15 + 3 * min(half, 9), 1 + half // 10) for half in range(42))


def best_probabilities(mean: Float64s, sd: Float64s) -> Float64s:
    """Give the probability that each of several independent normal values is the largest.

    Nodes lie densely where the largest value begins, ever wider apart above it: an arm that is
    known to a thousandth is resolved beside one that is not known at all. Arms that can hardly be
    the largest (probability below 1e-4) get exactly 0.

    Parameters
    ----------
    mean
        Finite, shape (n_arms,), at least one.
    sd
        Standard deviations, >= 0, shape (n_arms,). With 0 the value is certain; equal certain
        values share alike.

    Returns
    -------
    ndarray of float64, shape (n_arms,)
        They sum to 1; the error of each is below 1e-3.

    Examples
    --------
    >>> best_probabilities(np.array([0.0, 1.0]), np.array([1.0, 0.0])).round(3)
    array([0.159, 0.841])
    """
    reach = _REACH * sd
    low, high = mean - reach, mean + reach
    # The methods of an array that name a place take a third of the time of those that reduce it.
    begin, top = low.item(low.argmax()), high.item(high.argmax())
    if len(mean) > _MANY:
        begin = max(begin, np.partition(mean, -_N_ABOVE).item(-_N_ABOVE))
    # Below `begin` the largest value does not lie: it is decided above.
    close = (high >= begin).nonzero()[0]
    reach = reach.take(close)
    least = reach.item(reach.argmin())
    chances = np.zeros(len(mean))
    if least > max(_REACH * _UNRESOLVED * max(abs(begin), abs(top)), _NO_SPREAD):
        chances[close] = _integrals(low.take(close), reach, begin=begin, top=top)
    else:
        _beside_certain(chances, mean, sd, close=close)
    return chances


def _beside_certain(chances: Float64s, mean: Float64s, sd: Float64s, *, close: Int64s) -> None:
    """Fill in the chances of the arms at `close`, some of which have no spread to speak of."""
    m, s = mean.take(close), sd.take(close)
    is_sure = s <= max(_UNRESOLVED * float(np.abs(m).max()), _NO_SPREAD)
    sure = float(m.max(where=is_sure, initial=-math.inf))
    m, s, unsure = m[~is_sure], s[~is_sure], close[~is_sure]
    low, high = m - _REACH * s, m + _REACH * s
    begin = float(low.max(initial=sure))
    left = float(ndtr((sure - m) / s).prod()) if begin == sure else 0.0
    if left <= _NEVER:
        left = 0.0
    else:  # what is certain wins where nothing exceeds it
        winners = close[is_sure & (mean.take(close) == sure)]
        chances[winners] = left / len(winners)
    above = high > begin
    if left < 1.0 and above.any():
        won = _integrals(low[above], _REACH * s[above], begin=begin, top=float(high.max()))
        chances[unsure[above]] = (1.0 - left) * won
    chances /= chances.sum()


def _integrals(low: Float64s, reach: Float64s, *, begin: float, top: float) -> Float64s:
    """Integrate from begin to top, for values that lie within `reach` above and below a middle.

    Every arm here has low <= begin <= low + 2 reach, so that an arm of a given spread matters
    within eight of its standard deviations above `begin`: nodes may lie evenly in the logarithm of
    the distance.
    """
    step = reach.item(reach.argmin())
    if step < _FINEST * (top - begin):
        step = _FINEST * (top - begin)
        reach = np.maximum(reach, step)
    end = math.log1p((top - begin) / step)
    nodes, weights = _GRIDS[int(2.0 * end)]
    spaces = end * nodes
    np.exp(spaces, out=spaces)  # (2, n_nodes): distances over the step, from 1 upwards; and 1
    cell = reach * (1.0 / (_REACH * _CELLS_PER_SD))
    turn = np.empty((2, len(reach)))
    density = np.divide(step, cell, out=turn[0])
    np.divide((begin - step) - low, cell, out=turn[1])
    # (n_arms, 2) @ (2, n_nodes) -> (n_arms, n_nodes): in which cell the value of a node lies
    cells = turn.T.dot(spaces).astype(np.intp)
    weighed = spaces[0] * weights
    weighed *= np.multiply.reduce(_BELOW.take(cells, mode="clip"))
    # (n_arms, n_nodes) @ (n_nodes,) -> (n_arms,), but for a factor that all share
    won: Float64s = _RATE.take(cells, mode="clip").dot(weighed)
    won *= density
    won /= won.sum()
    return won
