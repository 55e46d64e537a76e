"""The root of what all arms share in one context: its square is the covariance, singular or not."""

import numpy as np
import pytest

from seg1._types import Float64s
from seg1.bandit.posteriors.contract import contracted_root

M, D = 2, 3  # features of an arm, and of a context
X = np.array([1.0, -2.0, 3.0])


def of_context(covariance: Float64s, x: Float64s) -> Float64s:
    """The slow twin: covariances of B'x, number by number."""
    blocks = covariance.reshape(M, D, M, D)
    return np.array([[x @ blocks[i, :, j, :] @ x for j in range(M)] for i in range(M)])


def of_context_and_own(covariance: Float64s, x: Float64s) -> Float64s:
    """The same, and of what goes with the last feature beside."""
    known, last = np.append(x, 0.0), np.append(0.0 * x, 1.0)
    blocks = covariance.reshape(M, D, M, D)
    sides = [(i, side) for side in (known, last) for i in range(M)]
    return np.array([[a @ blocks[i, :, j, :] @ b for j, b in sides] for i, a in sides])


def regular() -> Float64s:
    spread = np.random.default_rng(3).standard_normal((M * D, M * D))
    return spread @ spread.T


def of_rank_one() -> Float64s:
    """Whole numbers: a factorisation meets a 0 that no rounding hides."""
    only = np.array([1.0, 2.0, -1.0, 3.0, 1.0, 2.0])
    return np.outer(only, only)


COVARIANCES = pytest.mark.parametrize(
    "covariance", [regular(), of_rank_one(), np.zeros((M * D, M * D))],
    ids=["regular", "rank one", "nothing"],
)  # fmt: skip


@COVARIANCES
def test_the_square_of_the_root_is_the_covariance_in_the_context(covariance: Float64s) -> None:
    root = contracted_root(covariance, X, has_own=False)

    assert np.allclose(root @ root.T, of_context(covariance, X))


@COVARIANCES
@pytest.mark.parametrize("x", [X[:2], np.zeros(2)], ids=["some context", "no context"])
def test_a_feature_of_each_arms_own_doubles_the_root(covariance: Float64s, x: Float64s) -> None:
    root = contracted_root(covariance, x, has_own=True)

    assert root.shape == (2 * M, 2 * M)
    assert np.allclose(root @ root.T, of_context_and_own(covariance, x))
