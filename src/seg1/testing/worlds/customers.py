"""Worlds of customers who come again: alike, or each with tastes of their own."""

from dataclasses import replace

import numpy as np

from seg1.testing.worlds.drawing import contexts_of, sigmoid, with_constant
from seg1.testing.worlds.world import World, built

__all__ = ["heterogeneous", "homogeneous"]

_N_CUSTOMERS = 500
_N_SEGMENTS = 5
_N_ARMS = 8


def heterogeneous(seed: int, rounds: int = 10_000) -> World:
    """Let 500 customers in 5 segments come again, each with tastes of their own.

    Accepted with ``s(x'theta + segment's taste + customer's taste)`` among 8 arms: theta ~ 0.7
    N(0, 1), intercepts ``-1.5 + 0.5 N(0, 1)``; tastes ~ 0.8 N(0, 1) for each segment and arm, and
    as much again for each customer and arm. Contexts say nothing of either: what is known is who
    it is (`customer`) and of which segment.

    Parameters
    ----------
    seed, rounds
        As for `linear`.

    Examples
    --------
    >>> world = heterogeneous(seed=1, rounds=500)
    >>> len(set(world.segment.tolist())), world.customer.shape
    (5, (500,))
    """
    return _of_customers("heterogeneous", seed, rounds=rounds, taste_sd=0.8)


def homogeneous(seed: int, rounds: int = 10_000) -> World:
    """Let 500 customers come again who have no tastes of their own.

    As `heterogeneous`, with tastes of 0: whatever one sees in a single customer here is chance.

    Parameters
    ----------
    seed, rounds
        As for `linear`.

    Examples
    --------
    >>> world, other = homogeneous(seed=1, rounds=500), heterogeneous(seed=1, rounds=500)
    >>> bool((world.customer == other.customer).all())
    True
    """
    return _of_customers("homogeneous", seed, rounds=rounds, taste_sd=0.0)


def _of_customers(name: str, seed: int, *, rounds: int, taste_sd: float) -> World:
    rng = np.random.default_rng(seed)
    z, ranges = contexts_of(rng, rounds)
    theta = 0.7 * rng.standard_normal((11, _N_ARMS))
    theta[0] = -1.5 + 0.5 * rng.standard_normal(_N_ARMS)
    customer = rng.integers(_N_CUSTOMERS, size=rounds, dtype=np.int32)
    segment = rng.integers(_N_SEGMENTS, size=_N_CUSTOMERS, dtype=np.int32)
    # One row for each customer: the segment's taste, and the customer's own.
    taste = rng.standard_normal((_N_SEGMENTS, _N_ARMS))[segment]
    taste += rng.standard_normal((_N_CUSTOMERS, _N_ARMS))
    means = sigmoid(with_constant(z) @ theta + taste_sd * taste[customer])
    world = built(name, means, rng=rng, contexts=z, ranges=ranges)
    return replace(world, customer=customer, segment=segment[customer])
