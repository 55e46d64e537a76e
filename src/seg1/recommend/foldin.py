"""From a history to a customer's factors, exactly, for any penalty.

Notation of Hu, Koren, Volinsky (2008), eq. 4: u solves
``(Y'Y + Y_S' (C - I) Y_S + lambda I) u = Y_S' c`` over the items S of the history, with
confidences c. After a fit the factors stand in the eigenbasis of Y'Y, so Y'Y = diag(s).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seg1._types import Float32s, Float64s, Id, Int32s
from seg1.errors import InvalidArgumentError
from seg1.events import Vocabulary

__all__ = ["BUCKET_RATIO", "Penalty", "checked_history", "fold_in", "influence"]

BUCKET_RATIO = 1.15
_WOODBURY_UP_TO = 50  # events; above it the direct solve is faster


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty:
    """The frequency-scaled penalty ``scale * (n + offset) ** nu`` of a row with n events.

    With scale = lambda * alpha and offset = N / alpha, N the number of rows of the other side
    (Rendle, Krichene, Zhang, Koren 2022, "Revisiting the Performance of iALS", eq. 7, with
    confidence 1 + alpha w). n is taken from a fixed grid of powers of 1.15, so that a fit can solve
    all rows of a grid point in one call, and a fold-in meets the very number that the fit used.

    Attributes
    ----------
    scale
        lambda * alpha, > 0.
    offset
        N / alpha, >= 0.
    nu
        Exponent; 0 is one penalty for all.

    Examples
    --------
    >>> Penalty(scale=0.5, offset=10.0, nu=0.0).at(3)
    0.5
    """

    scale: float
    offset: float
    nu: float

    def at(self, n_events: int) -> float:
        """Give the penalty for a row with `n_events` events."""
        if n_events == 0:
            return float(self.scale * self.offset**self.nu)
        step = round(math.log(n_events) / math.log(BUCKET_RATIO))
        return float(self.scale * (BUCKET_RATIO**step + self.offset) ** self.nu)


def checked_history(
    history: Mapping[Id, float], *, items: Vocabulary, n_items: int
) -> tuple[Int32s, Float32s]:
    """Turn a history into codes and weights, ascending by item.

    Items that are not known are passed over. A message names no weight: a history is personal.

    Raises
    ------
    InvalidArgumentError
        For a weight that is not a number > 0, or that float32 cannot hold.
    WrongIdTypeError
        For items of the other kind of id.
    """
    weights = _checked_weights(history)
    codes = items.encode(history, unknown="ignore")
    order = codes.argsort()
    first, last = codes[order].searchsorted((0, n_items))  # unknown ones, and added since the fit
    order = order[first:last]
    return codes[order], weights[order]


def _checked_weights(history: Mapping[Id, float]) -> Float32s:
    given = np.array(list(history.values()))
    if given.dtype.kind in "fiu" or not history:
        with np.errstate(over="ignore"):
            weights: Float32s = given.astype(np.float32)
        if not len(weights) or (weights.min() > 0 and weights.max() < np.inf):  # NaN: neither
            return weights
    raise InvalidArgumentError(
        "every weight of a history must be a number > 0 that float32 can hold; "
        "weigh its events as the builder of the model does"
    )


def fold_in(
    item_factors: Float32s, confidence: Float64s, *, gram_diagonal: Float64s, penalty: float
) -> Float64s:
    """Solve for the factors of one customer.

    Parameters
    ----------
    item_factors
        Y_S, the factors of the items of the history, shape (n_events, n_factors).
    confidence
        c, shape (n_events,), > 0.
    gram_diagonal
        s, the eigenvalues of Y'Y over *all* items, shape (n_factors,).
    penalty
        lambda, > 0.

    Returns
    -------
    ndarray of float64, shape (n_factors,)

    Examples
    --------
    >>> Y = np.array([[1.0, 0.0]], dtype=np.float32)
    >>> fold_in(Y, np.array([3.0]), gram_diagonal=np.array([1.0, 0.0]), penalty=1.0)
    array([0.75, 0.  ])
    """
    Y_S = item_factors.astype(np.float64)
    d = gram_diagonal + penalty
    if _is_small(confidence, n_factors=len(d)):
        B, inner = _small_system(Y_S, confidence, d)
        # Woodbury and push-through: A^-1 Y_S' c = B' inner^-1 (c / (c - 1)); nothing cancels.
        factors: Float64s = B.T @ _positive_solve(inner, confidence / (confidence - 1.0))
        return factors
    # (n_events,) @ (n_events, n_factors) -> (n_factors,)
    return _positive_solve(_whole_system(Y_S, confidence, d), confidence @ Y_S)


def influence(
    item_factors: Float32s,
    confidence: Float64s,
    target_factors: Float32s,
    *,
    gram_diagonal: Float64s,
    penalty: float,
) -> Float64s:
    """Split the scores of some items into what each event of the history adds to them.

    From u = A^-1 Y_S' c: the score of item i is the sum over events s of ``c_s y_i' A^-1 y_s``
    (Hu, Koren, Volinsky 2008, sec. 5).

    Parameters
    ----------
    item_factors, confidence, gram_diagonal, penalty
        As for `fold_in`.
    target_factors
        Factors of the items whose scores are split, shape (n_targets, n_factors).

    Returns
    -------
    ndarray of float64, shape (n_targets, n_events)
        Rows add up to the scores.
    """
    Y_S = item_factors.astype(np.float64)
    targets = target_factors.astype(np.float64)
    d = gram_diagonal + penalty
    if _is_small(confidence, n_factors=len(d)):
        B, inner = _small_system(Y_S, confidence, d)
        # (n_events, n_targets): Y_S A^-1 y_i (c - 1), as in `fold_in`
        parts: Float64s = _positive_solve(inner, B @ targets.T)
        return parts.T * (confidence / (confidence - 1.0))
    # (n_factors, n_targets): A^-1 y_i for each target, A being symmetric
    solved: Float64s = _positive_solve(_whole_system(Y_S, confidence, d), targets.T)
    return (solved.T @ Y_S.T) * confidence


def _is_small(c: Float64s, *, n_factors: int) -> bool:
    """Whether a system of the size of the history is faster, and possible: every c > 1."""
    return 0 < len(c) <= min(_WOODBURY_UP_TO, n_factors) and bool(c.min() > 1.0)


def _small_system(Y_S: Float64s, c: Float64s, d: Float64s) -> tuple[Float64s, Float64s]:
    """Give B = Y_S diag(1/d) and ``diag(1 / (c - 1)) + B Y_S'``, of n_events rows."""
    B = Y_S / d
    inner = B @ Y_S.T
    inner.flat[:: len(c) + 1] += 1.0 / (c - 1.0)
    return B, inner


def _whole_system(Y_S: Float64s, c: Float64s, d: Float64s) -> Float64s:
    """Give ``diag(d) + Y_S' diag(c - 1) Y_S``, of n_factors rows."""
    A = (Y_S.T * (c - 1.0)) @ Y_S
    A.flat[:: len(d) + 1] += d
    return A


def _positive_solve(A: Float64s, b: Float64s) -> Float64s:
    from scipy.linalg import lapack  # noqa: PLC0415  # a fifth of a second, when first used

    _, x, failed = lapack.dposv(A, b)
    if failed:  # only where a penalty of nearly 0 meets factors that are nearly dependent
        x = np.linalg.lstsq(A, b)[0]
    solution: Float64s = x
    return solution
