"""The six worlds in which policies are compared: four made up, two of real classes.

Contexts of the first four are ``x = [1, z]``, ``z ~ N(0, I_10) / sqrt(10)``. In all of them `theta`
has a row for each of x and a column for each arm, ``s`` is the logistic function, and N(0, 1) is
drawn afresh wherever it stands.
"""

from dataclasses import replace

import numpy as np

from seg1._types import Float64s, Int64s
from seg1.errors import MissingExtraError
from seg1.testing.worlds.drawing import contexts_of, sigmoid, with_constant
from seg1.testing.worlds.world import World, built

__all__ = ["breast", "digits", "drift", "linear", "logit5", "newarm"]


def linear(seed: int, rounds: int = 10_000) -> World:
    """Reward 10 arms ``x'theta / 2 + N(0, 1) / 2``.

    ``theta ~ N(0, 1)``, its intercepts times 0.3. No reward is 0 or 1: this is an amount.

    Parameters
    ----------
    seed
        Of everything drawn, >= 0.
    rounds
        How many contacts, >= 1.

    Examples
    --------
    >>> world = linear(seed=1, rounds=200)
    >>> world.reward_sd, world.n_arms
    (0.5, 10)
    """
    rng = np.random.default_rng(seed)
    z, ranges = contexts_of(rng, rounds)
    theta = rng.standard_normal((11, 10))
    theta[0] *= 0.3
    means = 0.5 * with_constant(z) @ theta
    return built("linear", means, rng=rng, contexts=z, ranges=ranges, reward_sd=0.5)


def logit5(seed: int, rounds: int = 10_000) -> World:
    """Let 10 arms be accepted with ``s(x'theta)``, about 5 times in 100.

    ``theta ~ 1.2 N(0, 1)``, intercepts ``-3.4 + 0.3 N(0, 1)``.

    Parameters
    ----------
    seed, rounds
        As for `linear`.

    Examples
    --------
    >>> world = logit5(seed=1, rounds=200)
    >>> bool(0.02 < world.means.mean() < 0.1)
    True
    """
    rng = np.random.default_rng(seed)
    z, ranges = contexts_of(rng, rounds)
    theta = 1.2 * rng.standard_normal((11, 10))
    theta[0] = -3.4 + 0.3 * rng.standard_normal(10)
    means = sigmoid(with_constant(z) @ theta)
    return built("logit5", means, rng=rng, contexts=z, ranges=ranges)


def drift(seed: int, rounds: int = 10_000) -> World:
    """Let 10 arms be accepted with ``s(x'theta)``, and change places half-way.

    ``theta ~ 1.5 N(0, 1)``, intercepts ``-1.5 + 0.5 N(0, 1)``. From the middle round on
    arm k has the chances that arm k - 3 had.

    Parameters
    ----------
    seed, rounds
        As for `linear`.

    Examples
    --------
    >>> world = drift(seed=1, rounds=200)
    >>> (world.best[:100] == world.best[100:]).all()
    np.False_
    """
    rng = np.random.default_rng(seed)
    z, ranges = contexts_of(rng, rounds)
    theta = 1.5 * rng.standard_normal((11, 10))
    theta[0] = -1.5 + 0.5 * rng.standard_normal(10)
    means = sigmoid(with_constant(z) @ theta)
    means[rounds // 2 :] = np.roll(means[rounds // 2 :], 3, axis=1)
    return built("drift", means, rng=rng, contexts=z, ranges=ranges)


def newarm(seed: int, rounds: int = 10_000) -> World:
    """Let 20 arms be accepted with ``s(x'theta)``; ten of them come one after another.

    Arms have features ``F ~ N(0, 1) / 2`` in 4 dimensions, and what they tell is nearly all:
    ``theta = B F' + 0.3 N(0, 1)``, ``B ~ 1.6 N(0, 1)`` of shape (11, 4), its first row halved.
    Intercepts are -2.2 on top, and another 0.4 for arms 10 to 19, which are born evenly from round
    ``0.2 T`` to ``0.9 T``.

    Parameters
    ----------
    seed, rounds
        As for `linear`.

    Examples
    --------
    >>> world = newarm(seed=1, rounds=200)
    >>> world.features.shape, world.available.sum(axis=1)[[0, 39, 40, 199]].tolist()
    ((20, 4), [10, 10, 11, 20])
    """
    rng = np.random.default_rng(seed)
    z, ranges = contexts_of(rng, rounds)
    features = 0.5 * rng.standard_normal((20, 4))
    B = 1.6 * rng.standard_normal((11, 4))
    B[0] *= 0.5
    theta = B @ features.T + 0.3 * rng.standard_normal((11, 20))
    theta[0] += np.repeat([-2.2, -1.8], 10)
    means = sigmoid(with_constant(z) @ theta)
    world = built("newarm", means, rng=rng, contexts=z, ranges=ranges)
    born = np.append(np.zeros(10), np.linspace(0.2, 0.9, 10) * rounds)
    # (rounds, 1) >= (20,) -> (rounds, 20)
    return replace(world, available=np.arange(rounds)[:, None] >= born, features=features)


def breast(seed: int, rounds: int = 10_000) -> World:
    """Let the right one of 2 arms be accepted with 0.8, the other with 0.2.

    Contexts are rows of scikit-learn's `load_breast_cancer` (30 numbers, standardised, over
    sqrt(30)), drawn with replacement; the right arm is the class of the row.

    Parameters
    ----------
    seed, rounds
        As for `linear`.

    Raises
    ------
    MissingExtraError
        Without scikit-learn.

    Examples
    --------
    >>> sorted(set(breast(seed=1, rounds=200).means.ravel().tolist()))
    [0.2, 0.8]
    """
    numbers, classes = _classes("load_breast_cancer")
    z = (numbers - numbers.mean(axis=0)) / (numbers.std(axis=0) * 30**0.5)
    ranges = np.tile([-2.0 / 30**0.5, 2.0 / 30**0.5], (30, 1))
    rng = np.random.default_rng(seed)
    row = rng.integers(len(classes), size=rounds)
    means = np.where(classes[row][:, None] == np.arange(2), 0.8, 0.2)
    return built("breast", means, rng=rng, contexts=z[row], ranges=ranges)


def digits(seed: int, rounds: int = 10_000) -> World:
    """Let the one of 10 arms be accepted that is the digit shown, and no other ever.

    Contexts are images of scikit-learn's `load_digits` (64 pixels over 16, centred, scaled to a
    mean norm of 1), drawn with replacement.

    Parameters
    ----------
    seed, rounds
        As for `linear`.

    Raises
    ------
    MissingExtraError
        Without scikit-learn.

    Examples
    --------
    >>> world = digits(seed=1, rounds=200)
    >>> world.means.sum(axis=1).tolist() == [1.0] * 200
    True
    """
    numbers, classes = _classes("load_digits")
    centre = numbers.mean(axis=0) / 16.0
    z = numbers / 16.0 - centre
    scale = float(np.linalg.norm(z, axis=1).mean())
    ranges = np.column_stack([-centre, 1.0 - centre]) / scale  # what 0 and 16 come to
    rng = np.random.default_rng(seed)
    row = rng.integers(len(classes), size=rounds)
    means = (classes[row][:, None] == np.arange(10)).astype(np.float64)
    return built("digits", means, rng=rng, contexts=z[row] / scale, ranges=ranges)


def _classes(name: str) -> tuple[Float64s, Int64s]:
    """Read one of scikit-learn's bundled sets: numbers (n_rows, n_numbers), classes (n_rows,)."""
    try:
        from sklearn import datasets  # noqa: PLC0415  # for these two worlds alone
    except ImportError:
        raise MissingExtraError(
            'the worlds breast and digits need scikit-learn: pip install "seg1[test]"'
        ) from None
    numbers, classes = getattr(datasets, name)(return_X_y=True)
    return np.asarray(numbers, np.float64), np.asarray(classes, np.int64)
