"""Probability that each of several independent values is the largest, by quadrature.

``p_k = int phi_k(t) prod_{j != k} Phi_j(t) dt``. With F the product of all the Phi, that is
``int (phi_k / Phi_k) F dt``: one product for all arms, and a matrix times a vector.
"""

import math

import numpy as np
from scipy.special import ndtr

from seg1._types import Float64s

__all__ = ["best_probabilities"]

# Standard deviations: one arm alone decides where the largest value begins, and any may be above.
_DOWN, _UP = 3.7, 4.5  # beyond them lie probabilities of 1e-4 and 3e-6
_STEP = 4.0  # standard deviations of the one known best, between the origin and the first node
_NO_SPREAD = 1e-250  # below it, products underflow
_UNRESOLVED = 1e-13  # a spread that is none, as a share of the values
_FINEST = 1e-9  # a spread that is resolved, as a share of the widest
_N_ABOVE = 15  # so many medians above a point: the largest value is not below (2^-15)
_MANY = 20  # arms, of which finding those medians pays

# Phi and phi / Phi at the middles of equal cells, for working them out takes five times as long.
# What is above the last cell is as good as certain.
_N_CELLS, _LAST = 8192, 5.0
_CELLS_PER_SD = _N_CELLS / (_DOWN + _LAST)
_MIDDLES = (np.arange(_N_CELLS) + 0.5) / _CELLS_PER_SD - _DOWN
_BELOW = ndtr(_MIDDLES)
_RATE = np.exp(-0.5 * _MIDDLES * _MIDDLES) / _BELOW
_BELOW[-1], _RATE[-1] = 1.0, 0.0

# Of 14 nodes and more, for each half of a unit of a logarithmic axis.
_RULES = tuple(np.polynomial.legendre.leggauss(14 + 7 * half) for half in range(8))


def _grid(half: int) -> tuple[Float64s, Float64s]:
    """Give nodes and weights of the unit interval, in panels of Gauss and Legendre."""
    places, weights = _RULES[min(half, 7)]
    n_panels = 1 + half // 8
    starts = np.arange(n_panels)[:, None]
    nodes = ((starts + 0.5 + 0.5 * places) / n_panels).ravel()
    # Room for a second row: see `_integrals`.
    return np.array([nodes, 0.0 * nodes]), np.tile(weights / (2.0 * n_panels), n_panels)


# Enough for spreads that differ 1e9-fold.
_GRIDS = tuple(_grid(half) for half in range(42))


def best_probabilities(mean: Float64s, sd: Float64s) -> Float64s:
    """Give the probability that each of several independent normal values is the largest.

    Nodes lie densely where the largest value begins, ever wider apart above it: an arm that is
    known to a thousandth is resolved beside one that is not known at all. Arms that can hardly be
    the largest (probability below 1e-5) get exactly 0.

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
    low, high = mean - _DOWN * sd, mean + _UP * sd
    # The methods of an array that name a place take a third of the time of those that reduce it.
    begin, top = low.item(low.argmax()), high.item(high.argmax())
    if len(mean) > _MANY:
        begin = max(begin, np.partition(mean, -_N_ABOVE).item(-_N_ABOVE))
    # Below `begin` the largest value does not lie: it is decided above.
    close = (high >= begin).nonzero()[0]
    if len(close) == len(mean):
        return _among(mean, sd, low, begin=begin, top=top)
    chances = np.zeros(len(mean))
    among = mean.take(close), sd.take(close), low.take(close)
    chances[close] = _among(*among, begin=begin, top=top)
    return chances


def _among(mean: Float64s, sd: Float64s, low: Float64s, *, begin: float, top: float) -> Float64s:
    """Share 1 among arms that may be the best, certain or not."""
    least = max(_UNRESOLVED * max(-begin, top), _NO_SPREAD)
    if sd.item(sd.argmin()) > least:
        return _integrals(low, sd, begin=begin, top=top)
    sure = np.where(sd <= least, mean, -math.inf)
    return _beside_certain(sure, low, sd, begin=begin, top=top)


def _beside_certain(
    sure: Float64s, low: Float64s, sd: Float64s, *, begin: float, top: float
) -> Float64s:
    """Share 1 between the largest of the values that are certain and those that may exceed it.

    `sure` holds what is certain, and minus infinity for the others; the rest as in `_integrals`.
    """
    chances = np.zeros(len(sure))
    largest = sure.item(sure.argmax())
    begin = max(begin, largest)
    # What is certain may have moved `begin` above some that were close.
    unsure = ((sure == -math.inf) & (low + (_DOWN + _UP) * sd >= begin)).nonzero()[0]
    low, sd = low.take(unsure), sd.take(unsure)
    if len(unsure):
        chances[unsure] = _integrals(low, sd, begin=begin, top=max(begin, top))
    if begin == largest:  # it wins where nothing exceeds it
        nothing = float(ndtr((begin - low) / sd - _DOWN).prod())
        winners = sure == largest
        chances *= 1.0 - nothing
        chances[winners] = nothing / np.count_nonzero(winners)
    return chances


def _integrals(low: Float64s, sd: Float64s, *, begin: float, top: float) -> Float64s:
    """Integrate from `begin` to `top`, for values that are hardly below `low`.

    Every arm here lies around `begin`, so that one of a given spread matters within nine of its
    standard deviations above: nodes may lie evenly in the logarithm of the distance.
    """
    least = sd.item(sd.argmin())
    if least < _FINEST * (top - begin):
        least = _FINEST * (top - begin)
        sd = np.maximum(sd, least)
    step = _STEP * least
    end = math.log1p((top - begin) / step)
    nodes, weights = _GRIDS[int(2.0 * end)]
    spaces = end * nodes
    np.exp(spaces, out=spaces)  # (2, n_nodes): first distances over the step, from 1 upwards
    spaces[1] = _CELLS_PER_SD
    turn = np.empty((2, len(sd)))
    density = np.divide(step * _CELLS_PER_SD, sd, out=turn[0])
    np.divide((begin - step) - low, sd, out=turn[1])
    # (n_arms, 2) @ (2, n_nodes) -> (n_arms, n_nodes): in which cell the value of a node lies
    cells = turn.T.dot(spaces).astype(np.intp)
    weighed = spaces[0] * weights
    weighed *= np.multiply.reduce(_BELOW.take(cells, mode="clip"))
    # (n_arms, n_nodes) @ (n_nodes,) -> (n_arms,), but for a factor that all share
    won: Float64s = _RATE.take(cells, mode="clip").dot(weighed)
    density *= 1.0 / float(won.dot(density))  # quicker than to divide by the sum
    won *= density
    return won
