"""Joint draws: what several arms may be worth together, where they share what is not known."""

import math
from functools import partial
from typing import Final

import numpy as np
from scipy.special import ndtri

from seg1._checks import read_only
from seg1._types import Float32s, Float64s, Int64s
from seg1.bandit.posteriors.posterior import Draws

__all__ = ["N_DRAWS", "joint_draws", "normal_points"]

N_DRAWS: Final = 256
_N_HALF: Final = N_DRAWS // 2


def normal_points(n_shared: int, n_own: int = 0) -> tuple[Float32s, Float32s]:
    """Give fixed standard normal numbers for what arms share and what each has alone.

    They are always the same, so that a belief has the same draws whenever it is asked: 53 bits each
    of Philox (Salmon et al. 2011), through the inverse of the normal distribution. Each has its
    negative, so their means are 0; the columns of what is shared are orthogonal, those of what is
    alone are orthogonal to them, and all have variance 1, so that draws have just the deviations
    that are believed. (Where more than 64 numbers are shared, all that holds but for chance.)

    Returns
    -------
    shared, own
        float32, shapes (1 + n_shared, N_DRAWS) and (n_own, N_DRAWS), read-only. The first row of
        what is shared is 1: a mean goes with it.

    Examples
    --------
    >>> shared, own = normal_points(2, 1)
    >>> np.allclose(shared @ shared.T / N_DRAWS, np.eye(3), atol=1e-6), abs(own.mean()) < 1e-6
    (True, np.True_)
    """
    n_dims = n_shared + n_own
    bits = np.random.Philox(key=n_dims).random_raw(_N_HALF * n_dims)
    half: Float64s = ndtri(((bits >> np.uint64(11)) + 0.5) * 2.0**-53).reshape(-1, n_dims)
    if n_shared <= _N_HALF // 2:
        basis, _ = np.linalg.qr(half[:, :n_shared])
        half[:, :n_shared] = basis
        half[:, n_shared:] -= basis @ (basis.T @ half[:, n_shared:])
    half *= math.sqrt(_N_HALF) / np.linalg.norm(half, axis=0)
    points = np.vstack([half, -half]).T.astype(np.float32, order="C")
    shared = np.vstack([np.ones((1, N_DRAWS), np.float32), points[:n_shared]])
    return read_only(shared), read_only(points[n_shared:])


def joint_draws(
    mean: Float64s,
    *,
    loadings: Float64s,
    rest: Float64s | None,
    points: Float32s,
    rest_points: Float32s | None,
) -> Draws:
    """Prepare draws of ``mean + loadings z + rest e``, z and e standard normal.

    Parameters
    ----------
    mean
        Shape (n_arms,).
    loadings
        How each arm depends on what all share, shape (n_arms, n_shared).
    rest
        Standard deviation of what each arm has alone, shape (n_arms,); None for nothing.
    points
        1, then z, shape (1 + n_shared, N_DRAWS).
    rest_points
        e, shape (n_arms, N_DRAWS).

    Returns
    -------
    Draws
        They are computed when it is called, for the arms asked for.
    """
    return partial(_drawn, mean, loadings, rest, points, rest_points)


def _drawn(  # noqa: PLR0917  # partial gives all but the last
    mean: Float64s,
    loadings: Float64s,
    rest: Float64s | None,
    points: Float32s,
    rest_points: Float32s | None,
    arms: Int64s,
) -> Float32s:
    parts = np.empty((len(arms), len(points)), np.float32)  # a draw is no sum to be kept
    parts[:, 0] = mean.take(arms)
    parts[:, 1:] = loadings.take(arms, axis=0)
    # (n_asked, 1 + n_shared) @ (1 + n_shared, N_DRAWS) -> (n_asked, N_DRAWS)
    draws: Float32s = parts @ points
    if rest is not None and rest_points is not None:
        alone = rest_points.take(arms, axis=0)
        alone *= rest.take(arms).astype(np.float32)[:, None]
        draws += alone
    return draws.T
