"""The plain twin of every ranking, and factors that are hard to rank."""

import numpy as np

from seg1._types import Bools, Float32s, Float64s


def slow_best(scores: Float64s, *, n: int, allowed: Bools | None = None) -> list[int]:
    items = [i for i in range(len(scores)) if allowed is None or allowed[i]]
    return sorted(items, key=lambda i: (-scores[i], i))[:n]


def random_factors(seed: int, *, n_items: int, n_factors: int, scale: float) -> Float32s:
    """Random rows, of which many are duplicates, some are 0, and some are nearly equal."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n_items, n_factors)) * scale
    rows[rng.random(n_items) < 0.3] = rows[0]
    rows[rng.random(n_items) < 0.1] = 0.0
    factors: Float32s = rows.astype(np.float32)
    near = rng.random(n_items) < 0.2
    factors[near] = np.nextafter(factors[0], np.float32(np.inf))
    return factors
