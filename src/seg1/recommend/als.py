"""`ALS`: the configuration, and the fit. The one module that touches implicit.

Matrix factorization for implicit feedback (Hu, Koren, Volinsky 2008) by alternating least squares,
with the frequency-scaled penalty of Rendle, Krichene, Zhang, Koren (2022), solved by implicit's
conjugate-gradient kernel (Takacs, Pilaszy, Tikk 2011).
"""

import os
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from seg1._checks import check_at_least, check_choice, check_int, check_number
from seg1._types import Float32s, Float64s, Int32s, Int64s
from seg1.errors import ForkedFitError, InvalidTypeError
from seg1.interactions import Interactions
from seg1.recommend.foldin import Penalty
from seg1.recommend.model import ALSModel

__all__ = ["ALS"]

_CG_STEPS = 3  # implicit's own


@dataclass(frozen=True, slots=True, kw_only=True)
class ALS:
    """Alternating least squares for implicit feedback: a configuration; `fit` gives the model.

    Minimises ``sum c (p - x'y)^2`` over all customers and items (p = 1 where there is an
    interaction, else p = 0 with c = 1) plus a penalty ``lambda alpha (n + N/alpha)^nu`` on every
    customer and item with n interactions, N being the number of rows of the other side.

    Parameters
    ----------
    factors
        Length of the factors, >= 1. More fit more; 64 serves in microseconds.
    alpha
        How much a weight of 1 adds to the confidence, > 0. The best value differs 40-fold between
        data sets: choose it on an earlier split.
    regularization
        lambda, > 0.
    nu
        Exponent of the frequency in the penalty, >= 0; 0 is one penalty for all.
    confidence
        "linear": c = 1 + alpha w, so that an interaction never counts less than none. "raw":
        c = alpha w, implicit's own way, which won on grocery data.
    iterations
        Sweeps over both sides, >= 1.
    seed
        Where the factors start; the same seed gives the same model, bit for bit.

    Examples
    --------
    >>> import seg1
    >>> seg1.ALS(factors=32, alpha=2.0)
    ALS(factors=32, alpha=2.0, regularization=0.01, nu=1.0, confidence='linear', iterations=15,
        seed=0)
    """

    factors: int = 64
    alpha: float = 3.0
    regularization: float = 0.01
    nu: float = 1.0
    confidence: Literal["linear", "raw"] = "linear"
    iterations: int = 15
    seed: int = 0

    def __post_init__(self) -> None:
        plain = {
            "factors": check_int(self.factors, name="factors", low=1),
            "alpha": check_number(self.alpha, name="alpha", above=0),
            "regularization": check_number(self.regularization, name="regularization", above=0),
            "nu": check_at_least(self.nu, name="nu", low=0),
            "iterations": check_int(self.iterations, name="iterations", low=1),
            "seed": check_int(self.seed, name="seed", low=0),
        }
        check_choice(self.confidence, name="confidence", choices=("linear", "raw"))
        for name, value in plain.items():  # numpy's own numbers could not be saved as JSON
            object.__setattr__(self, name, value)

    def confidence_of(self, weights: Float32s) -> Float64s:
        """Turn weights into confidences, float64, of the same shape."""
        scaled = self.alpha * weights.astype(np.float64)
        return scaled if self.confidence == "raw" else 1.0 + scaled

    def penalty(self, *, n_other: int) -> Penalty:
        """Give the penalty of one side, the other having `n_other` rows."""
        return Penalty(
            scale=self.regularization * self.alpha, offset=n_other / self.alpha, nu=self.nu
        )

    def fit(self, interactions: Interactions, *, show_progress: bool = False) -> ALSModel:
        """Learn factors.

        Parameters
        ----------
        interactions
            The matrix, already masked by consent.
        show_progress
            Whether to show a bar.

        Returns
        -------
        ALSModel

        Raises
        ------
        ForkedFitError
            In a forked child of a process that has fitted before, where it would hang for ever.
        """
        if not isinstance(interactions, Interactions):
            raise InvalidTypeError(
                f"fit takes Interactions, got {type(interactions).__name__}; make them with "
                "InteractionMatrixBuilder().build(events, consent=..., at=...)"
            )
        _FORK.enter()
        # Two BLAS threads under implicit's own make the fit 1.7 times slower.
        with threadpool_limits(1, "blas"):
            customers, items = self._alternate(interactions, show_progress=show_progress)
            items = _to_eigenbasis(items)
            # The last word is an exact solve, so that a fold-in of the same history gives it again.
            closed = customers.solve_exactly(items)
        return ALSModel.of(closed, items, interactions=interactions, config=self)

    def _alternate(
        self, interactions: Interactions, *, show_progress: bool
    ) -> tuple["_Side", Float32s]:
        n_customers, n_items = interactions.shape
        from scipy.sparse import csr_matrix  # noqa: PLC0415  # a fifth of a second, when first used

        confidence = csr_matrix(interactions.weights, dtype=np.float32)
        confidence.data = self.confidence_of(interactions.weights.data).astype(np.float32)
        customers = _Side.of(confidence, self.penalty(n_other=n_items))
        items = _Side.of(confidence.T.tocsr(), self.penalty(n_other=n_customers))
        rng = np.random.default_rng(self.seed)
        X = (rng.random((n_customers, self.factors), dtype=np.float32) * 0.01)[customers.order]
        Y = (rng.random((n_items, self.factors), dtype=np.float32) * 0.01)[items.order]
        customers, items = customers.facing(items), items.facing(customers)
        for _ in tqdm(range(self.iterations), desc="fit", disable=not show_progress, leave=False):
            customers.sweep(X, Y)
            items.sweep(Y, X)
        unsorted = np.empty_like(Y)
        unsorted[items.order] = Y
        return _Side.of(confidence, self.penalty(n_other=n_items)), unsorted


class _Bucket(NamedTuple):
    """Rows with one penalty: a slice of a side sorted by frequency."""

    start: int
    stop: int
    penalty: float


class _Side(NamedTuple):
    """The rows of one side (customers, or items), sorted by frequency and cut into buckets."""

    order: Int64s  # (n_rows,), position in the sorted side -> row
    matrix: Any  # csr_matrix in sorted order; scipy's matrix types are not generic
    buckets: list[_Bucket]

    @classmethod
    def of(cls, matrix: Any, penalty: Penalty) -> "_Side":  # noqa: ANN401  # scipy's csr_matrix
        n_events = np.diff(matrix.indptr)
        order = np.argsort(n_events, kind="stable")
        penalty_of = {int(n): penalty.at(int(n)) for n in np.unique(n_events)}
        penalties = np.array([penalty_of[int(n)] for n in n_events[order]])
        starts = np.flatnonzero(np.diff(penalties, prepend=np.nan))
        stops = [*starts[1:].tolist(), len(order)]
        buckets = [
            _Bucket(start, stop, float(penalties[start]))
            for start, stop in zip(starts.tolist(), stops, strict=True)
        ]
        return cls(order, matrix[order], buckets)

    def facing(self, other: "_Side") -> "_Side":
        """Renumber the columns as the other side is sorted."""
        position = np.empty(len(other.order), dtype=self.matrix.indices.dtype)
        position[other.order] = np.arange(len(other.order))
        matrix = self.matrix.copy()
        matrix.indices = position[matrix.indices]
        return self._replace(matrix=matrix)

    def sweep(self, X: Float32s, Y: Float32s) -> None:
        """Improve X in place by a few conjugate-gradient steps, Y standing still."""
        # implicit 0.7 has no public call for one side and one slice; pinned below 0.8 for that.
        from implicit.cpu._als import _least_squares_cg  # noqa: PLC0415  # as told above

        indptr, indices, confidences = _arrays(self.matrix)
        for start, stop, penalty in self.buckets:
            _least_squares_cg(
                indptr[start : stop + 1], indices, confidences, X[start:stop], Y, penalty,
                num_threads=0, cg_steps=_CG_STEPS,
            )  # fmt: skip

    def solve_exactly(self, Y: Float32s) -> Float32s:
        """Solve every row by Cholesky; rows come back in their own order."""
        from implicit.cpu._als import _least_squares  # noqa: PLC0415  # as for `sweep`

        X = np.zeros((len(self.order), Y.shape[1]), dtype=np.float32)
        gram = Y.T @ Y  # (n_factors, n_factors)
        indptr, indices, confidences = _arrays(self.matrix)
        for start, stop, penalty in self.buckets:
            _least_squares(
                gram, indptr[start : stop + 1], indices, confidences, X[start:stop], Y, penalty,
                num_threads=0,
            )  # fmt: skip
        unsorted = np.empty_like(X)
        unsorted[self.order] = X
        return unsorted


def _arrays(matrix: Any) -> tuple[Int32s, Int32s, Float32s]:  # noqa: ANN401  # scipy's csr_matrix
    return matrix.indptr, matrix.indices, matrix.data


def _to_eigenbasis(items: Float32s) -> Float32s:
    """Rotate the factors so that Y'Y is diagonal, largest first; inner products stay."""
    wide = items.astype(np.float64)
    _, rotation = np.linalg.eigh(wide.T @ wide)
    rotation = rotation[:, ::-1]
    # An eigenvector has no sign of its own: its largest entry is made positive.
    largest = rotation[np.abs(rotation).argmax(axis=0), np.arange(rotation.shape[1])]
    rotated: Float32s = (wide @ (rotation * np.sign(largest))).astype(np.float32)
    return rotated


class _ForkGuard:
    """Remembers that this process has fitted, and that a child was forked from one that had."""

    def __init__(self) -> None:
        self._has_fitted = False
        self._is_forked = False

    def enter(self) -> None:
        if self._is_forked:
            raise ForkedFitError(
                "this process was forked from one that had fitted, and implicit's threads do not "
                "survive a fork: fit in the parent, or start workers with "
                'multiprocessing.get_context("spawn")'
            )
        self._has_fitted = True

    def after_fork(self) -> None:
        self._is_forked = self._has_fitted


_FORK = _ForkGuard()
if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_FORK.after_fork)
