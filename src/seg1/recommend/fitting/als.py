"""`ALS`: the configuration, and the fit. The one module that touches implicit.

Matrix factorization for implicit feedback (Hu, Koren, Volinsky 2008) by alternating least squares,
with the frequency-scaled penalty of Rendle, Krichene, Zhang, Koren (2022), solved by implicit's
conjugate-gradient kernel (Takacs, Pilaszy, Tikk 2011).
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from seg1._checks import check_at_least, check_choice, check_int, check_number
from seg1._types import Float32s, Float64s, Int32s, Int64s
from seg1.errors import ForkedFitError, InvalidArgumentError, InvalidTypeError
from seg1.events import Vocabulary
from seg1.events.coding import codes_in
from seg1.interactions import Interactions
from seg1.recommend.fitting.foldin import Penalty
from seg1.recommend.fitting.foldin_many import fold_in_narrow
from seg1.recommend.fitting.model import ALSModel
from seg1.recommend.fitting.saved import gram_diagonal_of
from seg1.recommend.fitting.validation import Foresight, Validation

__all__ = ["ALS", "Sweep"]

_CG_STEPS = 3  # implicit's own
_LARGEST_NU = 10.0  # beyond it a penalty is soon beyond any number
_PATIENCE = 3  # sweeps without a better figure, after which a fit with a validation ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """How far a fit is, as its callback is told.

    Attributes
    ----------
    number, n_sweeps
        This sweep, from 1, of how many at most.
    ndcg
        Mean NDCG on the validation after it, in [0, 1]; None where none was given.
    """

    number: int
    n_sweeps: int
    ndcg: float | None


Callback: TypeAlias = Callable[[Sweep], bool | None]


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
        Exponent of the frequency in the penalty, in [0, 10]; 0 is one penalty for all.
    confidence
        "linear": c = 1 + alpha w, so that an interaction never counts less than none. "raw":
        c = alpha w, implicit's own way, which won on grocery data.
    iterations
        Sweeps over both sides, >= 1; at most so many where `fit` is given a validation.
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
        if plain["nu"] > _LARGEST_NU:
            raise InvalidArgumentError(f"nu must be at most {_LARGEST_NU:g}, got {self.nu!r}")
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

    def fit(
        self,
        interactions: Interactions,
        *,
        validation: Validation | None = None,
        start: ALSModel | None = None,
        callback: Callback | None = None,
        show_progress: bool = False,
    ) -> ALSModel:
        """Learn factors.

        Parameters
        ----------
        interactions
            The matrix, already masked by consent.
        validation
            What customers had later. Given that, the fit ends after three sweeps without a better
            NDCG, and the factors of the best sweep are kept. Up to 1,000 of its customers are
            asked, those of the matrix only.
        start
            A model to start from instead of random factors, of as many factors: those of known
            customers and items are taken over, the new ones start at random.
        callback
            Called with a `Sweep` after each sweep; the fit ends where it returns True.
        show_progress
            Whether to show a bar.

        Returns
        -------
        ALSModel

        Raises
        ------
        ForkedFitError
            In a forked child of a process that has fitted before, where it would hang for ever.
        InvalidArgumentError
            Where `start` has another number of factors, or no customer of the validation is known.
        """
        if not isinstance(interactions, Interactions):
            raise InvalidTypeError(
                f"fit takes Interactions, got {type(interactions).__name__}; make them with "
                "InteractionMatrixBuilder().build(events, consent=..., at=...)"
            )
        X, Y = self._first_factors(interactions, start)
        foresight = None if validation is None else Foresight(validation, interactions)
        _FORK.enter()
        # Two BLAS threads under implicit's own make the fit 1.7 times slower.
        with threadpool_limits(1, "blas"):
            sides = _Sides.of(self, interactions, foresight)
            bar = tqdm(total=self.iterations, desc="fit", disable=not show_progress, leave=False)
            with bar:
                items = self._alternate(sides, X, Y, callback=callback, bar=bar)
            items = _to_eigenbasis(items)
            # The last word is an exact solve, so that a fold-in of the same history gives it again.
            closed = sides.closing.closed(items, self.penalty(n_other=interactions.shape[1]))
        return ALSModel.of(closed, items, interactions=interactions, config=self)

    def _first_factors(
        self, interactions: Interactions, start: ALSModel | None
    ) -> tuple[Float32s, Float32s]:
        rng = np.random.default_rng(self.seed)
        # Rows of length about 1: from factors near 0 a fit under a large penalty gets away slowly,
        # and a search that looks at the first sweeps would take it for a bad one.
        X, Y = (
            rng.standard_normal((n_rows, self.factors), dtype=np.float32)
            * np.float32(self.factors**-0.5)
            for n_rows in interactions.shape
        )
        if start is None:
            return X, Y
        if not isinstance(start, ALSModel) or start.n_factors != self.factors:
            raise InvalidArgumentError(
                f"start must be an ALSModel of {self.factors} factors, as configured"
            )
        _take_over(start.customer_factors, start.interactions.customers, X, interactions.customers)
        _take_over(start.item_factors, start.interactions.items, Y, interactions.items)
        return X, Y

    def _alternate(
        self,
        sides: "_Sides",
        X: Float32s,
        Y: Float32s,
        *,
        callback: Callback | None,
        bar: Any,  # noqa: ANN401  # tqdm's bar is not typed
    ) -> Float32s:
        """Give the item factors after the last sweep, or after the best where that is known."""
        customers, items = sides.customers, sides.items
        X, Y = X[customers.order], Y[items.order]
        best, best_ndcg, n_worse = None, -1.0, 0
        for number in range(1, self.iterations + 1):
            customers.sweep(X, Y)
            items.sweep(Y, X)
            bar.update()
            ndcg = sides.ndcg(items.unsorted(Y))
            if ndcg is not None:
                n_worse = 0 if ndcg > best_ndcg else n_worse + 1
                if not n_worse:
                    best, best_ndcg = Y.copy(), ndcg
            sweep = Sweep(number=number, n_sweeps=self.iterations, ndcg=ndcg)
            if (callback is not None and callback(sweep)) or n_worse == _PATIENCE:
                break
        return items.unsorted(Y if best is None else best)


def _take_over(known: Float32s, known_ids: Vocabulary, into: Float32s, ids: Vocabulary) -> None:
    """Copy the rows of ids that both sides know."""
    codes = codes_in(known_ids, ids)[: len(into)]  # a vocabulary may have grown since
    is_known = (codes >= 0) & (codes < len(known))
    into[is_known] = known[codes[is_known]]


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
        # Longest rows first: threads that share a bucket then end together.
        order = np.argsort(-n_events, kind="stable")
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
        return self.unsorted(X)

    def closed(self, Y: Float32s, penalty: Penalty) -> Float32s:
        """Solve every row as a fold-in does; Y must stand in the eigenbasis of Y'Y.

        It takes half of the time. What float32 does not solve well enough is solved exactly.
        """
        indptr, indices, confidences = _arrays(self.matrix)
        factors, left = fold_in_narrow(
            Y, indices, confidence=confidences.astype(np.float64), starts=indptr.astype(np.int64),
            gram_diagonal=gram_diagonal_of(Y), penalty=penalty,
        )  # fmt: skip
        X = factors.astype(np.float32)
        if len(left):
            X[left] = _Side.of(self.matrix[left], penalty).solve_exactly(Y)
        return self.unsorted(X)

    def unsorted(self, X: Float32s) -> Float32s:
        """Put rows back into their own order."""
        own_order = np.empty_like(X)
        own_order[self.order] = X
        return own_order


class _Sides(NamedTuple):
    """Both sides of a matrix, ready to be swept, and what their factors are measured on."""

    customers: _Side
    items: _Side
    closing: _Side  # the customers, facing items in their own order
    asked: _Side | None  # those of a validation, likewise
    foresight: Foresight | None

    @classmethod
    def of(cls, config: ALS, interactions: Interactions, foresight: Foresight | None) -> "_Sides":
        from scipy.sparse import csr_matrix  # noqa: PLC0415  # a fifth of a second, when first used

        n_customers, n_items = interactions.shape
        confidence = csr_matrix(interactions.weights, dtype=np.float32)
        confidence.data = config.confidence_of(interactions.weights.data).astype(np.float32)
        penalty = config.penalty(n_other=n_items)
        closing = _Side.of(confidence, penalty)
        items = _Side.of(confidence.T.tocsr(), config.penalty(n_other=n_customers))
        asked = None
        if foresight is not None:
            asked = _Side.of(confidence[foresight.customer_index], penalty)
        return cls(closing.facing(items), items.facing(closing), closing, asked, foresight)

    def ndcg(self, item_factors: Float32s) -> float | None:
        """Measure item factors on the validation, if there is one."""
        if self.asked is None or self.foresight is None:
            return None
        return self.foresight.ndcg(self.asked.solve_exactly(item_factors), item_factors)


def _arrays(matrix: Any) -> tuple[Int32s, Int32s, Float32s]:  # noqa: ANN401  # scipy's csr_matrix
    return matrix.indptr, matrix.indices, matrix.data


def _to_eigenbasis(items: Float32s) -> Float32s:
    """Rotate the factors so that Y'Y is diagonal, largest first; inner products stay."""
    wide = items.astype(np.float64)
    _, rotation = np.linalg.eigh(wide.T @ wide)
    rotation = rotation[:, ::-1]
    # An eigenvector has no sign of its own: its largest entry is made positive.
    largest = rotation[np.abs(rotation).argmax(axis=0), np.arange(rotation.shape[1])]
    rotated: Float32s = items @ (rotation * np.sign(largest)).astype(np.float32)
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
