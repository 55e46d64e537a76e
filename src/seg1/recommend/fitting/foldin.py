"""From a history to a customer's factors, exactly, for any penalty.

Notation of Hu, Koren, Volinsky (2008), eq. 4: u solves
``(Y'Y + Y_S' (C - I) Y_S + lambda I) u = Y_S' c`` over the items S of the history, with
confidences c. After a fit the factors stand in the eigenbasis of Y'Y, so Y'Y = diag(s).
"""

import math
from dataclasses import dataclass
from functools import cache
from types import ModuleType

import numpy as np

from seg1._types import Float32s, Float64s

__all__ = [
    "BUCKET_RATIO",
    "NARROW_CONDITION",
    "NARROW_CONFIDENCE",
    "WOODBURY_UP_TO",
    "Penalty",
    "fold_in",
    "influence",
    "lapack",
]

BUCKET_RATIO = 1.15
WOODBURY_UP_TO = 50  # events; above it the direct solve is faster
_NARROW_FROM = 51  # events; from here on float32 takes up to half the time off
NARROW_CONFIDENCE = 1e6  # what float32 sums up without overflow, and with something left over
NARROW_CONDITION = 1e3  # up to this float32 is off by some 1e-5 of the factor's norm, at most


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
    solved = None
    if _is_small(confidence, n_factors=len(d)):
        solved = _small_solve(item_factors, confidence, d)
    elif len(confidence) >= _NARROW_FROM:
        solved = _narrow_solve(item_factors, confidence, d)
    return _whole_solve(item_factors, confidence, d) if solved is None else solved


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


@cache  # one module and never another; asking for it by `import` takes 2 us of a fold-in's 15
def lapack() -> ModuleType:
    """Load LAPACK when it is first used: a fifth of a second."""
    from scipy.linalg import lapack as loaded  # noqa: PLC0415

    return loaded


def _is_small(c: Float64s, *, n_factors: int) -> bool:
    """Whether a system of the size of the history is faster, and possible: every c > 1."""
    # The least by its place: a sixth of what `min` takes for a few numbers.
    return 0 < len(c) <= min(WOODBURY_UP_TO, n_factors) and bool(c[c.argmin()] > 1.0)


def _small_solve(Y: Float32s, c: Float64s, d: Float64s) -> Float64s | None:
    """Solve a system of the size of the history; None where rounding leaves it not positive.

    Woodbury and push-through: A^-1 Y' c = B' inner^-1 (c / (c - 1)); nothing cancels.
    """
    B, inner, inverse = _small_system(Y.astype(np.float64), c, d)
    _, z, failed = lapack().dposv(inner.T, c * inverse, 0, 1, 1)  # upper; writes over both
    if failed:
        return None
    factors: Float64s = z.dot(B)
    return factors


def _narrow_solve(Y: Float32s, c: Float64s, d: Float64s) -> Float64s | None:
    """Solve in float32; None where something might cancel or the system is too ill-conditioned."""
    if not 1.0 <= c[c.argmin()] <= c[c.argmax()] <= NARROW_CONFIDENCE:
        return None
    Z = Y * np.sqrt(c - 1.0).astype(np.float32)[:, None]
    A = Z.T @ Z
    diagonal = A.reshape(-1)[:: len(d) + 1]
    # Scaled by d, which changes no rounding, A is I + something; then the scale is undone.
    spread = float((diagonal / d).sum())
    condition = (1.0 + spread) * math.sqrt(d[d.argmax()] / d[d.argmin()])
    if not condition <= NARROW_CONDITION:
        return None
    diagonal += d
    _, x, failed = lapack().sposv(A.T, c.astype(np.float32) @ Y, 0, 1, 1)
    if failed:
        return None
    factors: Float64s = x.astype(np.float64)
    return factors


def _whole_solve(Y: Float32s, c: Float64s, d: Float64s) -> Float64s:
    Y_S = Y.astype(np.float64)
    # (n_events,) @ (n_events, n_factors) -> (n_factors,)
    return _positive_solve(_whole_system(Y_S, c, d), c @ Y_S)


def _small_system(Y_S: Float64s, c: Float64s, d: Float64s) -> tuple[Float64s, Float64s, Float64s]:
    """Give B = Y_S diag(1/d), ``diag(1 / (c - 1)) + B Y_S'`` of n_events rows, and 1 / (c - 1)."""
    B = Y_S * np.reciprocal(d)
    inner = B.dot(Y_S.T)  # less of a call than @
    inverse = np.reciprocal(c - 1.0)
    diagonal = inner.reshape(-1)[:: len(c) + 1]
    diagonal += inverse
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
    _, x, failed = lapack().dposv(A.T, b)  # A' = A, in the order that LAPACK wants
    if failed:  # only where a penalty of nearly 0 meets factors that are nearly dependent
        x = np.linalg.lstsq(A, b)[0]
    solution: Float64s = x
    return solution
