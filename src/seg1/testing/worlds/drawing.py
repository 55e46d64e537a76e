"""What the worlds are drawn from: contexts, and chances on the scale of log-odds."""

import numpy as np

from seg1._types import Float64s

__all__ = ["contexts_of", "logits_at_rate", "sigmoid", "with_constant"]


def contexts_of(
    rng: np.random.Generator, rounds: int, *, n_numbers: int = 10
) -> tuple[Float64s, Float64s]:
    """Draw contexts ``N(0, I) / sqrt(n_numbers)``, of squared norm about 1; and their ranges.

    Returns
    -------
    tuple of two ndarrays of float64
        Shapes (rounds, n_numbers) and (n_numbers, 2).
    """
    sd = n_numbers**-0.5
    ranges = np.tile([-2.0 * sd, 2.0 * sd], (n_numbers, 1))
    return sd * rng.standard_normal((rounds, n_numbers)), ranges


def with_constant(contexts: Float64s) -> Float64s:
    """Put a column of ones before the others."""
    return np.column_stack([np.ones(len(contexts)), contexts])


def sigmoid(logits: Float64s) -> Float64s:
    """Turn log-odds into probabilities."""
    chances: Float64s = 1.0 / (1.0 + np.exp(-logits))
    return chances


def logits_at_rate(logits: Float64s, *, rate: float) -> Float64s:
    """Shift all log-odds alike, so that the mean probability is `rate`.

    Examples
    --------
    >>> shifted = logits_at_rate(np.array([0.0, 1.0, 2.0]), rate=0.01)
    >>> round(float(sigmoid(shifted).mean()), 6)
    0.01
    """
    low, high = -50.0, 50.0
    for _ in range(60):  # halves 100 down to the last bit
        middle = (low + high) / 2.0
        low, high = (middle, high) if sigmoid(logits + middle).mean() < rate else (low, middle)
    return logits + high
