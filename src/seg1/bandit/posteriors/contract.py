"""Contraction: what a model shared by all arms says of each of them, in one context.

The coefficients of arm k are ``B f_k``, f_k being its features and B of shape (n_features,
n_arm_features) normal. In one context x the arms then depend on ``B'x`` alone: as many numbers as
an arm has features, however many arms there are.
"""

import numpy as np
from scipy.linalg.lapack import dpotrf

from seg1._types import Float64s

__all__ = ["contracted_root", "row_sums"]


def contracted_root(covariance: Float64s, x: Float64s, *, has_own: bool) -> Float64s:
    """Give a root of the covariance of B'x, to multiply features of arms with.

    Parameters
    ----------
    covariance
        Of B, column after column, symmetric; shape (n, n), n = n_arm_features * n_features.
    x
        The context, all features or, with `has_own`, all but the last.
    has_own
        Whether the last feature of the context is another for each arm. The root is then twice as
        wide: its second half goes with an arm's features times its own.

    Returns
    -------
    ndarray of float64, shape (n_arm_features, n_arm_features), or twice that
        R with R R' the covariance.
    """
    d = len(x) + has_own
    m = len(covariance) // d
    blocks = covariance.reshape(m, d, m, d)
    if not has_own:
        # (m * d * m, d) @ (d,), and once more: -> (m, m)
        half = (covariance.reshape(-1, d) @ x).reshape(m, d, m)
        return _root(x @ half)
    half = (blocks[..., :-1] @ x).reshape(m, d, m)
    both = np.empty((2 * m, 2 * m))
    both[:m, :m] = x @ half[:, :-1]
    both[m:, :m] = half[:, -1]
    both[:m, m:] = half[:, -1].T
    both[m:, m:] = blocks[:, -1, :, -1]
    return _root(both)


def _root(covariance: Float64s) -> Float64s:
    root, failed = dpotrf(covariance.T, lower=1, clean=1)
    if failed:  # but for rounding it is positive: the context, or what is left open, is next to 0
        size, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
        root = vectors * np.sqrt(size.clip(0.0))
    rooted: Float64s = root
    return rooted


def row_sums(matrix: Float64s) -> Float64s:
    """Add up each row; for small matrices this takes half the time of a sum along an axis."""
    sums: Float64s = matrix.dot(np.ones(matrix.shape[1]))
    return sums
