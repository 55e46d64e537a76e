"""Packed triangles: one symmetric matrix a row, so that what is symmetric stays so in every bit.

A matrix of d x d lies in a row as its lower triangle, row by row: d (d + 1) / 2 numbers.
"""

import math

import numpy as np

from seg1._types import Float64s

__all__ = ["inverses", "quadratic_forms_of_each", "unpacked"]


def unpacked(P: Float64s) -> Float64s:
    """Lay packed triangles out in full: (n, n_pairs) to (n, d, d).

    Examples
    --------
    >>> unpacked(np.array([[1.0, 2.0, 3.0]])).tolist()
    [[[1.0, 2.0], [2.0, 3.0]]]
    """
    n, n_pairs = P.shape
    d = (math.isqrt(8 * n_pairs + 1) - 1) // 2
    rows, columns = np.tril_indices(d)
    whole = np.empty((n, d, d))
    whole[:, rows, columns] = P
    whole[:, columns, rows] = P
    return whole


def inverses(S: Float64s, *, ridge: Float64s) -> Float64s:
    """Invert S + diag(ridge) for each matrix of a stack; packed triangles in and out."""
    A = unpacked(S)
    d = A.shape[1]
    A[:, np.arange(d), np.arange(d)] += ridge
    inverse = np.linalg.inv(A)
    rows, columns = np.tril_indices(d)
    packed: Float64s = 0.5 * (inverse[:, rows, columns] + inverse[:, columns, rows])
    return packed


def quadratic_forms_of_each(P: Float64s, pairs: Float64s, x: Float64s, own: Float64s) -> Float64s:
    """Give [x, own_k]'P_k [x, own_k] for each matrix of a stack, shape (n,).

    Parameters
    ----------
    P
        Packed triangles, shape (n, n_pairs).
    pairs
        Products of the features in x, two by two, as the triangle has them; those of two different
        features twice.
    x
        The features that all share, shape (d - 1,).
    own
        The last feature of each, shape (n,).
    """
    # The triangle's last row is of the last feature: its products with the others, and itself.
    n_shared = len(pairs)
    forms: Float64s = P[:, :n_shared] @ pairs
    forms += own * (2.0 * (P[:, n_shared:-1] @ x) + own * P[:, -1])
    return forms
