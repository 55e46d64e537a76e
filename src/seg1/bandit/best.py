"""Probability that each of several independent values is the largest, by quadrature.

``p_k = int phi_k(t) prod_{j != k} Phi_j(t) dt``. With F the product of all the Phi, that is
``int (phi_k / Phi_k) F dt``: one product for all arms, and a matrix times a vector.
"""

import math

import numpy as np
from scipy.special import ndtr

from seg1._types import Float64s

__all__ = ["best_probabilities"]

_REACH = 5.0  # standard deviations; beyond them lies a probability of 3e-7
_NO_SPREAD = 1e-250  # below it, products underflow
_FINEST = 1e-9  # a spread that is resolved, as a share of the widest
_NEVER = 1e-9  # a probability that is none
# The methods of an array take twice as long on a few numbers.
_largest, _smallest = np.maximum.reduce, np.minimum.reduce
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_MAX_PANELS = 32  # of 20 nodes, on a logarithmic axis: enough for spreads that differ 1e9-fold


def _grid(n_panels: int) -> tuple[Float64s, Float64s]:
    """Give nodes and weights of the unit interval: 0, and panels of Gauss and Legendre."""
    starts = np.arange(n_panels)[:, None]
    nodes = ((starts + 0.5 + 0.5 * _NODES) / n_panels).ravel()
    weights = np.tile(_WEIGHTS / (2.0 * n_panels), n_panels)
    # What stands at 0 is asked for, and has no weight.
    return np.concatenate([[0.0], nodes]), np.concatenate([[0.0], weights])


_GRIDS = tuple(_grid(n_panels) for n_panels in range(1, _MAX_PANELS + 1))


def best_probabilities(mean: Float64s, sd: Float64s) -> Float64s:
    """Give the probability that each of several independent normal values is the largest.

    Nodes lie densely where the largest value begins, ever wider apart above it: an arm that is
    known to a thousandth is resolved beside one that is not known at all. Arms that cannot be the
    largest (probability below 1e-6) get exactly 0.

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
        They sum to 1; the error of each is below 1e-4.

    Examples
    --------
    >>> best_probabilities(np.array([0.0, 1.0]), np.array([1.0, 0.0])).round(4)
    array([0.1587, 0.8413])
    """
    # A spread below the spacing of the floats is none.
    is_sure = sd <= max(1e-13 * float(_largest(np.abs(mean))), _NO_SPREAD)
    sure = -math.inf
    if np.count_nonzero(is_sure):
        sure = float(_largest(mean[is_sure]))
        sd = np.where(is_sure, 0.0, sd)
    reach = _REACH * sd
    # Below `begin` the largest value does not lie: it is decided above.
    begin = float(_largest(mean - reach))
    reach += mean
    close = (reach > begin).nonzero()[0]
    chances = np.zeros(len(mean))
    left = 1.0
    if len(close):
        m, s, top = mean.take(close) - begin, sd.take(close), float(_largest(reach)) - begin
        won, nothing = _integrals(m, s, top=top)
        # What is certain wins where nothing exceeds it.
        left = nothing if begin == sure and nothing > _NEVER else 0.0
        won *= (1.0 - left) / float(np.add.reduce(won))
        chances[close] = won
    if left > 0.0:
        winners = is_sure & (mean == sure)
        chances[winners] = left / np.count_nonzero(winners)
    return chances


def _integrals(m: Float64s, s: Float64s, *, top: float) -> tuple[Float64s, float]:
    """Integrate from 0 to `top`, for means m and standard deviations s; and say what lies below 0.

    Every arm here has m - 5 s <= 0 < m + 5 s, so that an arm of a given spread matters within ten
    of its standard deviations from 0: nodes may lie evenly in the logarithm of the distance.
    """
    least, most = float(_smallest(s)), float(_largest(s))
    if least < _FINEST * most:
        least = _FINEST * most
        s = np.maximum(s, least)
    step = 4.0 * least
    end = math.log1p(top / step)
    nodes, weights = _GRIDS[min(math.ceil(end), _MAX_PANELS) - 1 if end > 0.0 else 0]
    distance = np.exp(end * nodes)
    distance *= step  # from -step: the first is 0
    z = distance - (m + step)[:, None]  # (n_arms, n_nodes)
    z /= s[:, None]
    below = ndtr(z)  # never 0: z >= -5
    z *= z
    z *= -0.5
    density = np.exp(z, out=z)
    density /= below
    product = np.multiply.reduce(below, axis=0)  # (n_nodes,)
    distance *= weights
    distance *= product
    # (n_arms, n_nodes) @ (n_nodes,) -> (n_arms,), but for a factor that all share
    won: Float64s = density @ distance
    won /= s
    return won, float(product[0])
