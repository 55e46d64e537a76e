"""What a reward is expected to be, learned from other customers' rows: the nuisance of DR."""

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from seg1._types import Float64s, Id, Int32s, Int64s

__all__ = ["block_sums", "folds_of", "leave_one_out", "predict", "solve"]

# How many rows a prior is worth: that of the model that all arms share (coefficients are 0), and
# that of an arm (it is like the others).
_SHARED_PRIOR_ROWS = 1.0
_ARM_PRIOR_ROWS = 20.0

_FOLD_KEY = 0x5E61F01D
_MIX = np.array([0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)


def folds_of(customer_ids: Sequence[Id], *, n_folds: int) -> Int32s:
    """Put customers into folds, by a keyed hash of their ids.

    The same customer is in the same fold in every process and whoever else is in the log.

    Parameters
    ----------
    customer_ids
        Ids, n of them.
    n_folds
        How many folds, >= 2.

    Returns
    -------
    ndarray of int32, shape (n,)
        In [0, n_folds).

    Examples
    --------
    >>> folds_of(["ann", "ben", "cem"], n_folds=5)
    array([3, 4, 0], dtype=int32)
    """
    sums = (crc32(str(customer_id).encode(), _FOLD_KEY) for customer_id in customer_ids)
    h = np.fromiter(sums, np.uint64, count=len(customer_ids))
    # CRC-32 is linear, so neighbouring ids would fall into folds in a pattern: splitmix64's
    # finaliser (Steele, Lea, Flood 2014) breaks it.
    for shift, factor in zip((30, 27), _MIX, strict=True):
        h = (h ^ (h >> np.uint64(shift))) * factor
    h ^= h >> np.uint64(31)
    fold: Int32s = (h % np.uint64(n_folds)).astype(np.int32)
    return fold


def block_sums(
    context: Float64s,
    *,
    arm: Int32s,
    reward: Float64s,
    rows: Int64s,
    block: Int32s,
    n_blocks: int,
    n_arms: int,
) -> tuple[Float64s, Float64s]:
    """Add up what a least-squares model needs, for each block of rows and each arm.

    Parameters
    ----------
    context
        float64, shape (n_all, n_features).
    arm
        Chosen arm, in [0, n_arms), shape (n_all,).
    reward
        float64, shape (n_all,).
    rows
        Which rows count, shape (n_rows,).
    block
        Block of each of these, in [0, n_blocks), shape (n_rows,).
    n_blocks, n_arms
        How many there are.

    Returns
    -------
    tuple of ndarray
        S = sum of x x', shape (n_blocks, n_arms, d, d), and b = sum of r x, shape
        (n_blocks, n_arms, d); x is 1 and the context, d = 1 + n_features.
    """
    d = 1 + context.shape[1]
    n_cells = n_blocks * n_arms
    S, b = np.zeros((n_cells, d, d)), np.zeros((n_cells, d))
    # int16 where it fits: numpy then sorts by radix, ten times faster.
    cell = (block * n_arms + arm[rows]).astype(np.int16 if n_cells < 2**15 else np.int32)
    order = rows[np.argsort(cell, kind="stable")]
    ends = np.cumsum(np.bincount(cell, minlength=n_cells))
    for position, members in enumerate(np.split(order, ends[:-1])):
        if len(members):
            x = np.ones((len(members), d))
            x[:, 1:] = context[members]
            S[position] = x.T @ x
            b[position] = reward[members] @ x
    return S.reshape(n_blocks, n_arms, d, d), b.reshape(n_blocks, n_arms, d)


def leave_one_out(sums: Float64s) -> Float64s:
    """Give, for each block, the sum over all others; the shape stays."""
    others: Float64s = sums.sum(axis=0) - sums
    return others


def solve(S: Float64s, b: Float64s) -> Float64s:
    """Fit one ridge model that all arms share, and each arm's ridge deviation from it.

    With P = diag(sum over arms of S) / n, the mean square of each feature: the shared part solves
    ``(sum of S + P') beta = sum of b`` with P' = P but 0 for the constant, and an arm's deviation
    ``(S_a + 20 P) delta_a = b_a - S_a beta``. An arm that was never chosen has the shared model;
    the units of a feature do not matter.

    Parameters
    ----------
    S, b
        Sums of one set of rows, shapes (n_arms, d, d) and (n_arms, d).

    Returns
    -------
    ndarray of float64, shape (d, n_arms)
        Coefficients; all 0 where there was no row.

    Examples
    --------
    >>> S = np.array([[[30.0]], [[10.0]]])        # 30 and 10 rows, no features
    >>> solve(S, np.array([[3.0], [5.0]]))        # 3 and 5 acceptances: a fifth of all rows
    array([[0.14, 0.3 ]])
    """
    pooled = S.sum(axis=0)
    n_rows = pooled[0, 0]
    if not n_rows:
        return np.zeros((S.shape[-1], len(S)))
    mean_square = np.diag(pooled) / n_rows
    penalty = np.where(mean_square > 0, mean_square, 1.0)  # a feature that is always 0
    shared_penalty = _SHARED_PRIOR_ROWS * penalty
    shared_penalty[0] = 0.0
    beta = np.linalg.solve(pooled + np.diag(shared_penalty), b.sum(axis=0))
    # (n_arms, d, d) and (n_arms, d, 1) -> (n_arms, d, 1)
    left = (b - S @ beta)[:, :, None]
    delta = np.linalg.solve(S + np.diag(_ARM_PRIOR_ROWS * penalty), left)
    coefficients: Float64s = beta[:, None] + delta[:, :, 0].T
    return coefficients


def predict(context: Float64s, coefficients: Float64s, *, block: Int32s) -> Float64s:
    """Expect the reward of every arm, each row by the model of its block.

    Parameters
    ----------
    context
        float64, shape (n_rows, n_features).
    coefficients
        One model for each block, shape (n_blocks, d, n_arms).
    block
        Block of each row, shape (n_rows,).

    Returns
    -------
    ndarray of float64, shape (n_rows, n_arms)
    """
    expected = np.empty((len(context), coefficients.shape[2]))
    for k, of_block in enumerate(coefficients):
        members = np.flatnonzero(block == k)
        # (n_members, n_features) @ (n_features, n_arms) -> (n_members, n_arms)
        expected[members] = context[members] @ of_block[1:] + of_block[0]
    return expected
