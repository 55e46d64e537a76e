"""From a history to a customer's factors, exactly, for any penalty.

Notation of Hu, Koren, Volinsky (2008), eq. 4: u solves
``(Y'Y + Y_S' (C - I) Y_S + lambda I) u = Y_S' c`` over the items S of the history, with
confidences c. After a fit the factors stand in the eigenbasis of Y'Y, so Y'Y = diag(s).
"""

import math
from dataclasses import dataclass

import numpy as np

from seg1._types import Bools, Float32s, Float64s

__all__ = [
    "BUCKET_RATIO",
    "Penalty",
    "fold_in",
    "fold_in_alike",
    "influence",
]

BUCKET_RATIO = 1.15
_WOODBURY_UP_TO = 50  # events; above it the direct solve is faster
_NARROW_FROM = 51  # events; from here on float32 takes up to half the time off
_NARROW_CONFIDENCE = 1e6  # what float32 sums up without overflow, and with something left over
_NARROW_CONDITION = 1e3  # up to this float32 is off by some 1e-5 of the factor's norm, at most
_STACKED = 2**16  # float32 numbers that are solved at a time: more leave the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty:
    """The frequency-scaled penalty ``scale * (n + offset) ** nu`` of a row with n events.

    With scale = lambda * alpha and offset = N / alpha, N the number of rows of the other side
    (Rendle, Krichene, Zhang, Koren 2022, "Revisiting the Performance of iALS", eq. 7, with
    confidence 1 + alpha w). ``n + offset`` is taken from the grid ``offset * 1.15 ** k``, so that a
    fit can solve all rows of a grid point in one call, and a fold-in meets the very number that the
    fit used; nu = 0 has one point only.

    Attributes
    ----------
    scale
        lambda * alpha, > 0.
    offset
        N / alpha, > 0.
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
        step = round(math.log1p(n_events / self.offset) / math.log(BUCKET_RATIO))
        return float(self.scale * (self.offset * BUCKET_RATIO**step) ** self.nu)


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
    d = gram_diagonal + penalty
    if _is_long(confidence):
        narrow = _narrow_solve(item_factors, confidence, d)
        if narrow is not None:
            return narrow
    Y_S = item_factors.astype(np.float64)
    if _is_small(confidence, n_factors=len(d)):
        B, inner, inverse = _small_system(Y_S, confidence, d)
        # Woodbury and push-through: A^-1 Y_S' c = B' inner^-1 (c / (c - 1)); nothing cancels.
        factors: Float64s = _positive_solve(inner, 1.0 + inverse) @ B
        return factors
    # (n_events,) @ (n_events, n_factors) -> (n_factors,)
    return _positive_solve(_whole_system(Y_S, confidence, d), confidence @ Y_S)


def fold_in_alike(
    item_factors: Float32s, confidence: Float64s, *, gram_diagonal: Float64s, penalty: float
) -> Float64s:
    """Solve for several customers whose histories are of one length.

    Parameters
    ----------
    item_factors
        shape (n_customers, n_events, n_factors).
    confidence
        shape (n_customers, n_events).
    gram_diagonal, penalty
        As for `fold_in`.

    Returns
    -------
    ndarray of float64, shape (n_customers, n_factors)
        What `fold_in` gives, within some 1e-5 of its norm.
    """
    n_customers, n_events, n_factors = item_factors.shape
    factors = np.empty((n_customers, n_factors))
    d = gram_diagonal + penalty
    is_done = np.zeros(n_customers, dtype=np.bool_)
    if n_events <= min(_WOODBURY_UP_TO, n_factors) and confidence.min() > 1.0:
        step = max(1, _STACKED // (n_events * n_factors))
        for start in range(0, n_customers, step):
            some = slice(start, start + step)
            factors[some], is_done[some] = _small_systems(item_factors[some], confidence[some], d)
    for row in np.flatnonzero(~is_done).tolist():
        factors[row] = fold_in(
            item_factors[row], confidence[row], gram_diagonal=gram_diagonal, penalty=penalty
        )
    return factors


def _small_systems(Y: Float32s, c: Float64s, d: Float64s) -> tuple[Float32s, Bools]:
    """Solve short histories in float32, and tell for whom that is exact enough.

    As `fold_in` does, stacked; Y has an axis of customers, one of events and one of factors.
    """
    B = Y / d.astype(np.float32)
    inner = B @ Y.transpose(0, 2, 1)
    inverse = 1.0 / (c - 1.0)
    each = np.arange(c.shape[1])
    # The condition of `_narrow_solve`: both systems, once scaled, have the same eigenvalues.
    spread = (inner[:, each, each] / inverse).sum(axis=1)
    is_exact = (1.0 + spread) * math.sqrt(d.max() / d.min()) <= _NARROW_CONDITION
    is_exact &= c.max(axis=1) <= _NARROW_CONFIDENCE
    inverse[~is_exact] = 1.0  # solved again by who asks; here they must only not fail
    inner[:, each, each] += inverse
    z = np.linalg.solve(inner, (c * inverse).astype(np.float32)[:, :, None])
    # one row of n_events times (n_events, n_factors), for each customer
    factors: Float32s = (z.transpose(0, 2, 1) @ B)[:, 0].astype(np.float32, copy=False)
    return factors, is_exact


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
        B, inner, inverse = _small_system(Y_S, confidence, d)
        # (n_events, n_targets): Y_S A^-1 y_i (c - 1), as in `fold_in`
        parts: Float64s = _positive_solve(inner, B @ targets.T)
        return parts.T * (1.0 + inverse)
    # (n_factors, n_targets): A^-1 y_i for each target, A being symmetric
    solved: Float64s = _positive_solve(_whole_system(Y_S, confidence, d), targets.T)
    return (solved.T @ Y_S.T) * confidence


def _is_small(c: Float64s, *, n_factors: int) -> bool:
    """Whether a system of the size of the history is faster, and possible: every c > 1."""
    return 0 < len(c) <= min(_WOODBURY_UP_TO, n_factors) and bool(c.min() > 1.0)


def _is_long(c: Float64s) -> bool:
    """Whether float32 is worth trying: every c >= 1, so that nothing cancels."""
    return len(c) >= _NARROW_FROM and bool(c.min() >= 1.0 and c.max() <= _NARROW_CONFIDENCE)


def _narrow_solve(Y_S: Float32s, c: Float64s, d: Float64s) -> Float64s | None:
    """Solve in float32; None where the system is too ill-conditioned for that."""
    from scipy.linalg import lapack  # noqa: PLC0415  # as for `_positive_solve`

    Z = Y_S * np.sqrt(c - 1.0).astype(np.float32)[:, None]
    A = Z.T @ Z
    diagonal = A.ravel()[:: len(d) + 1]
    # Scaled by d, which changes no rounding, A is I + something; then the scale is undone.
    condition = (1.0 + float((diagonal / d).sum())) * math.sqrt(d.max() / d.min())
    if not condition <= _NARROW_CONDITION:
        return None
    diagonal += d
    _, x, failed = lapack.sposv(A.T, c.astype(np.float32) @ Y_S, overwrite_a=True, overwrite_b=True)
    if failed:
        return None
    factors: Float64s = x.astype(np.float64)
    return factors


def _small_system(Y_S: Float64s, c: Float64s, d: Float64s) -> tuple[Float64s, Float64s, Float64s]:
    """Give B = Y_S diag(1/d), ``diag(1 / (c - 1)) + B Y_S'`` of n_events rows, and 1 / (c - 1)."""
    B = Y_S * (1.0 / d)
    inner = B @ Y_S.T
    inverse = 1.0 / (c - 1.0)
    inner.ravel()[:: len(c) + 1] += inverse
    return B, inner, inverse


def _whole_system(Y_S: Float64s, c: Float64s, d: Float64s) -> Float64s:
    """Give ``diag(d) + Y_S' diag(c - 1) Y_S``, of n_factors rows."""
    if c.min(initial=1.0) >= 1.0:
        Z = Y_S * np.sqrt(c - 1.0)[:, None]
        A = Z.T @ Z  # of one matrix with itself: half the work
    else:
        A = (Y_S.T * (c - 1.0)) @ Y_S
    A.ravel()[:: len(d) + 1] += d
    return A


def _positive_solve(A: Float64s, b: Float64s) -> Float64s:
    from scipy.linalg import lapack  # noqa: PLC0415  # a fifth of a second, when first used

    _, x, failed = lapack.dposv(A.T, b)  # A' = A, in the order that LAPACK wants
    if failed:  # only where a penalty of nearly 0 meets factors that are nearly dependent
        x = np.linalg.lstsq(A, b)[0]
    solution: Float64s = x
    return solution
