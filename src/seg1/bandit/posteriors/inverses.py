"""Inverses of sums: one symmetric matrix a row, kept so that it stays symmetric in every bit.

What has drifted apart in its last bits diverges, with forgetting, after some ten thousand updates.
Sums, and the inverses of `PackedInverses`, lie as lower triangles, row by row: a matrix of d x d in
d (d + 1) / 2 numbers, so that one product gives the quadratic forms of all. `FullInverses` have
both halves, for whoever multiplies with parts of them.
"""

import math
from typing import TypeAlias

import numpy as np
from scipy.linalg.blas import dger, dspmv, dspr

from seg1._types import Float64s
from seg1.bandit.posteriors.posterior import Arrays, checked_array

__all__ = [
    "FullInverses", "Inverses", "PackedInverses", "in_full", "lower_by", "quadratic_forms_of_each",
    "unpacked",
]  # fmt: skip


class PackedInverses:
    """Inverses as packed triangles.

    Attributes
    ----------
    array
        float64, shape (n, n_pairs); changes in place.
    """

    __slots__ = ("array",)

    def __init__(self, array: Float64s) -> None:
        self.array = array

    @staticmethod
    def shape(n: int, d: int) -> tuple[int, ...]:
        """Give the shape of the array of n matrices of d x d."""
        return n, d * (d + 1) // 2

    @staticmethod
    def of(S: Float64s, *, ridge: Float64s) -> Float64s:
        """Invert S + diag(ridge) for each of a stack; packed triangles in, an array as here out.

        Examples
        --------
        >>> PackedInverses.of(np.array([[3.0, 0.0, 1.0]]), ridge=np.array([1.0, 1.0])).tolist()
        [[0.25, 0.0, 0.5]]
        """
        inverse = FullInverses.of(S, ridge=ridge)
        rows, columns = np.tril_indices(len(ridge))
        packed: Float64s = inverse[:, rows, columns]
        return packed

    def times(self, k: int, x: Float64s) -> Float64s:
        """Multiply one of them with a vector."""
        product: Float64s = dspmv(len(x), 1.0, self.array[k], x)
        return product

    def lower(self, k: int, u: Float64s, shrink: float) -> None:
        """Take ``shrink u u'`` from one of them, in place."""
        dspr(len(u), -shrink, u, self.array[k], overwrite_ap=1)


class FullInverses:
    """Inverses laid out in full.

    Attributes
    ----------
    array
        float64, shape (n, d, d); changes in place.
    """

    __slots__ = ("array",)

    def __init__(self, array: Float64s) -> None:
        self.array = array

    @staticmethod
    def shape(n: int, d: int) -> tuple[int, ...]:
        """Give the shape of the array of n matrices of d x d."""
        return n, d, d

    @staticmethod
    def of(S: Float64s, *, ridge: Float64s) -> Float64s:
        """Invert S + diag(ridge) for each of a stack; packed triangles in, an array as here out."""
        A = unpacked(S)
        d = A.shape[1]
        A[:, np.arange(d), np.arange(d)] += ridge
        inverse = np.linalg.inv(A)
        symmetric: Float64s = 0.5 * (inverse + inverse.transpose(0, 2, 1))
        return symmetric

    def times(self, k: int, x: Float64s) -> Float64s:
        """Multiply one of them with a vector."""
        product: Float64s = self.array[k].dot(x)
        return product

    def lower(self, k: int, u: Float64s, shrink: float) -> None:
        """Take ``shrink u u'`` from one of them, in place."""
        lower_by(self.array[k], u, shrink)


Inverses: TypeAlias = PackedInverses | FullInverses


def lower_by(matrix: Float64s, u: Float64s, shrink: float) -> None:
    """Take ``shrink u u'`` from a symmetric matrix, in place and symmetric in every bit.

    `matrix` must be in C order; shrink >= 0. The vector is scaled first: scaling it within the
    product would round the two halves apart.
    """
    v = math.sqrt(shrink) * u
    dger(-1.0, v, v, a=matrix.T, overwrite_a=1)


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


def in_full(arrays: Arrays, n: int, d: int) -> Arrays:
    """Lay inverses out in full where an earlier version, which packed all of them, saved them.

    Examples
    --------
    >>> saved = {"inverse": np.array([[1.0, 2.0, 3.0]])}
    >>> in_full(saved, 1, 2)["inverse"].tolist()
    [[[1.0, 2.0], [2.0, 3.0]]]
    """
    packed = PackedInverses.shape(n, d)
    if np.shape(arrays.get("inverse", ())) != packed:
        return arrays
    return {**arrays, "inverse": unpacked(checked_array(arrays, "inverse", shape=packed))}


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
