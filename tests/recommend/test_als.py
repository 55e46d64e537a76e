"""`ALS`: against a plain numpy twin; the same bits again; and never a hang after a fork."""

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import small_shop
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from seg1 import ALS
from seg1._types import Float64s
from seg1.errors import ForkedFitError, InvalidArgumentError, InvalidTypeError
from seg1.interactions import Interactions
from seg1.recommend.fitting import als

Wide = NDArray[np.float64]
Bucketed = dict[int, float]  # row to penalty


def slow_cg(x: Wide, row: Wide, Y: Wide, penalty: float) -> Wide:
    """Three conjugate-gradient steps on the normal equations of one row, dense."""
    A = Y.T @ Y + Y.T @ np.diag(np.where(row > 0, row - 1.0, 0.0)) @ Y + penalty * np.eye(len(x))
    x = x.copy()
    residual = Y.T @ row - A @ x
    direction = residual.copy()
    for _ in range(3):
        step = (residual @ residual) / (direction @ A @ direction)
        x += step * direction
        smaller = residual - step * (A @ direction)
        direction = smaller + (smaller @ smaller) / (residual @ residual) * direction
        residual = smaller
    return x


def slow_exact(row: Wide, Y: Wide, penalty: float) -> Wide:
    A = Y.T @ Y + Y.T @ np.diag(np.where(row > 0, row - 1.0, 0.0)) @ Y
    solved: Wide = np.linalg.solve(A + penalty * np.eye(Y.shape[1]), Y.T @ row)
    return solved


def slow_fit(config: ALS, interactions: Interactions) -> tuple[Wide, Wide]:
    """Alternate over dense rows, one by one; close with an exact pass over the customers."""
    C = weighed(config, interactions)
    n_customers, n_items = C.shape
    of_customer = config.penalty(n_other=n_items)
    of_item = config.penalty(n_other=n_customers)
    rng = np.random.default_rng(config.seed)
    X, Y = (
        (rng.standard_normal((n, config.factors), dtype=np.float32) / np.sqrt(config.factors))
        for n in C.shape
    )
    X, Y = X.astype(np.float64), Y.astype(np.float64)
    n_of = [(C > 0).sum(axis=1), (C > 0).sum(axis=0)]
    for _ in range(config.iterations):
        X = np.stack([slow_cg(X[u], C[u], Y, of_customer.at(int(n_of[0][u])))
                      for u in range(n_customers)])  # fmt: skip
        Y = np.stack([slow_cg(Y[i], C[:, i], X, of_item.at(int(n_of[1][i])))
                      for i in range(n_items)])  # fmt: skip
    X = np.stack([slow_exact(C[u], Y, of_customer.at(int(n_of[0][u])))
                  for u in range(n_customers)])  # fmt: skip
    return X, Y


CONFIGS = [
    ALS(factors=6, alpha=2.0, iterations=3, seed=5),
    ALS(factors=6, alpha=2.0, iterations=3, seed=5, nu=0.0, regularization=0.3),
    ALS(factors=4, alpha=3.0, iterations=2, seed=6, confidence="raw", regularization=0.1),
    ALS(factors=4, alpha=0.5, iterations=2, seed=6, confidence="raw", nu=0.0, regularization=0.2),
]


def weighed(config: ALS, interactions: Interactions) -> Wide:
    """Confidences, dense; 0 where there is no interaction."""
    weights = interactions.weights.toarray().astype(np.float64)
    shift = 0.0 if config.confidence == "raw" else 1.0
    return np.where(weights > 0, shift + config.alpha * weights, 0.0)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("scale", [0.01, 0.3])
def test_a_sweep_and_an_exact_pass_give_what_a_plain_numpy_twin_gives(
    config: ALS, scale: float
) -> None:
    interactions = small_shop.random_interactions(1)
    C = weighed(config, interactions)
    matrix = csr_matrix(C.astype(np.float32))
    rng = np.random.default_rng(1)
    X, Y = (rng.random((n, config.factors), dtype=np.float32) * scale for n in C.shape)
    penalty = config.penalty(n_other=C.shape[1])
    of_row = [penalty.at(int(n)) for n in (C > 0).sum(axis=1)]
    side = als._Side.of(matrix, penalty)

    swept = X[side.order]
    side.sweep(swept, Y)
    solved = side.solve_exactly(Y)

    wide = Y.astype(np.float64)
    slow_swept = [slow_cg(X[u].astype(np.float64), C[u], wide, of_row[u]) for u in side.order]
    slow_solved = [slow_exact(row, wide, p) for row, p in zip(C, of_row, strict=True)]
    assert np.allclose(swept, slow_swept, rtol=0, atol=1e-4 * np.abs(slow_swept).max())
    assert np.allclose(solved, slow_solved, rtol=0, atol=1e-5 * np.abs(slow_solved).max())


@pytest.mark.parametrize("config", CONFIGS)
def test_the_fit_gives_what_a_plain_numpy_twin_gives(config: ALS) -> None:
    interactions = small_shop.random_interactions(1)
    X, Y = slow_fit(config, interactions)
    C = weighed(config, interactions)

    model = config.fit(interactions)

    def loss(scores: Wide) -> float:
        wanted = np.where(C > 0, 1.0, 0.0)
        return float((np.where(C > 0, C, 1.0) * (wanted - scores) ** 2).sum())

    # The first sweeps part the factors out of noise of float32: what is scored well is the same.
    scores = model.customer_factors.astype(np.float64) @ model.item_factors.T
    assert loss(scores) == pytest.approx(loss(X @ Y.T), rel=2e-3)
    assert np.abs(scores - X @ Y.T).max() < 0.03 * np.abs(X @ Y.T).max()


@pytest.mark.parametrize("nu", [0.0, 1.0, 2.0])
def test_the_penalty_is_that_of_the_paper(nu: float) -> None:
    config = ALS(alpha=4.0, regularization=0.5, nu=nu)

    penalty = config.penalty(n_other=100)

    # lambda alpha (n + N / alpha) ** nu; the grid has points at n = 0 and 3.75
    assert [penalty.at(n) for n in (0, 4)] == pytest.approx([2.0 * 25.0**nu, 2.0 * 28.75**nu])


@pytest.mark.parametrize("nu", [0.0, 1.0])
def test_every_row_stands_in_one_bucket_with_the_penalty_of_its_count(nu: float) -> None:
    interactions = small_shop.random_interactions(2)
    config = ALS(nu=nu)
    penalty = config.penalty(n_other=interactions.shape[1])

    side = als._Side.of(interactions.weights, penalty)

    counts = np.diff(interactions.weights.indptr)[side.order]
    covered = [row for b in side.buckets for row in range(b.start, b.stop)]
    assert covered == list(range(len(counts)))
    for bucket in side.buckets:
        assert {penalty.at(int(n)) for n in counts[bucket.start : bucket.stop]} == {bucket.penalty}
    assert (len(side.buckets) == 1) == (nu == 0.0)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    interactions = small_shop.random_interactions(3)

    first, again, other = (ALS(factors=8, seed=s).fit(interactions) for s in (1, 1, 2))

    assert first.customer_factors.tobytes() == again.customer_factors.tobytes()
    assert first.item_factors.tobytes() == again.item_factors.tobytes()
    assert first.item_factors.tobytes() != other.item_factors.tobytes()


def test_a_fit_writes_nothing_into_its_input() -> None:
    interactions = small_shop.random_interactions(4)
    parts = ("data", "indices", "indptr")
    before = [getattr(interactions.weights, part).tobytes() for part in parts]
    frozen = replace(interactions)

    ALS(factors=4).fit(frozen)

    assert [getattr(interactions.weights, part).tobytes() for part in parts] == before
    assert not interactions.weights.data.flags.writeable


def test_after_a_fit_the_gram_matrix_is_diagonal_largest_first() -> None:
    model = ALS(factors=8).fit(small_shop.random_interactions(5))
    wide = model.item_factors.astype(np.float64)

    gram = wide.T @ wide

    off_diagonal = gram - np.diag(np.diag(gram))
    assert np.abs(off_diagonal).max() < 1e-5 * gram.max()
    assert np.allclose(np.diag(gram), model.gram_diagonal, rtol=1e-12)
    assert (np.diff(model.gram_diagonal) <= 1e-9).all()


def test_the_rotation_leaves_inner_products_as_they_are() -> None:
    rng = np.random.default_rng(6)
    items = rng.standard_normal((30, 7)).astype(np.float32)

    rotated = als._to_eigenbasis(items)

    assert rotated.dtype == np.float32
    assert np.allclose(rotated @ rotated.T, items @ items.T, atol=1e-4)


def test_a_rotation_does_not_depend_on_the_signs_that_the_solver_happens_to_choose() -> None:
    items = np.random.default_rng(7).standard_normal((30, 5)).astype(np.float32)

    rotated = als._to_eigenbasis(items)

    assert np.allclose(als._to_eigenbasis(rotated), rotated, atol=1e-4)


@pytest.mark.parametrize(("n_customers", "n_items", "factors"), [(1, 5, 3), (9, 1, 2), (3, 4, 32)])
def test_one_customer_one_item_and_more_factors_than_items_fit_all_the_same(
    n_customers: int, n_items: int, factors: int
) -> None:
    interactions = small_shop.random_interactions(
        8, n_customers=n_customers, n_items=n_items, n_events=30
    )

    model = ALS(factors=factors).fit(interactions)

    assert np.isfinite(model.customer_factors).all()
    assert model.item_factors.shape == (interactions.shape[1], factors)


def test_a_raw_confidence_of_nearly_nothing_stays_finite() -> None:
    pairs: list[Any] = [("a", 1), ("a", 2), ("b", 1), ("b", 3), ("c", 2)]
    interactions = small_shop.interactions_of(pairs, values=[1e-12, 1.0, 1e-12, 5.0, 1e-9])

    model = ALS(factors=3, confidence="raw", alpha=1e-3).fit(interactions)

    assert np.isfinite(model.customer_factors).all()
    assert np.isfinite(model.item_factors).all()


def confidences(weights: list[float], config: ALS) -> Float64s:
    return config.confidence_of(np.array(weights, np.float32))


def test_a_linear_confidence_never_counts_less_than_no_interaction() -> None:
    assert confidences([0.0, 0.25, 2.0], ALS(alpha=2.0)).tolist() == [1.0, 1.5, 5.0]


def test_a_raw_confidence_is_the_scaled_weight() -> None:
    assert confidences([0.25, 2.0], ALS(alpha=2.0, confidence="raw")).tolist() == [0.5, 4.0]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("factors", 0), ("factors", True), ("alpha", 0), ("alpha", float("inf")),
        ("regularization", -1.0), ("nu", -0.1), ("nu", 10.1), ("confidence", "log"),
        ("iterations", 0), ("seed", -1),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_used_is_refused_by_name(
    option: str,
    value: Any,  # noqa: ANN401
) -> None:
    with pytest.raises(InvalidArgumentError, match=f"^{option} must be"):
        ALS(**{option: value})


def test_numbers_of_numpy_become_plain_ones() -> None:
    config = ALS(factors=np.int64(4), alpha=np.float32(0.5), seed=np.int32(3))  # type: ignore[arg-type]  # what a notebook holds

    assert (type(config.factors), type(config.alpha), type(config.seed)) == (int, float, int)


def test_something_that_is_no_matrix_is_refused_with_the_way_to_make_one() -> None:
    with pytest.raises(InvalidTypeError, match=r"InteractionMatrixBuilder\(\)\.build"):
        ALS().fit(np.eye(3))  # type: ignore[arg-type]  # that is the test


def test_progress_is_shown_only_where_asked(capsys: pytest.CaptureFixture[str]) -> None:
    interactions = small_shop.random_interactions(9)

    ALS(factors=2, iterations=2).fit(interactions)
    quiet = capsys.readouterr().err
    ALS(factors=2, iterations=2).fit(interactions, show_progress=True)
    loud = capsys.readouterr().err

    assert quiet == ""
    assert "fit" in loud


def test_the_guard_raises_in_a_child_of_a_process_that_fitted() -> None:
    guard = als._ForkGuard()
    guard.enter()

    guard.after_fork()

    with pytest.raises(ForkedFitError, match="spawn"):
        guard.enter()


def test_the_guard_lets_a_child_fit_whose_parent_never_did() -> None:
    guard = als._ForkGuard()

    guard.after_fork()
    guard.enter()
    guard.after_fork()  # but the child of that child may not

    with pytest.raises(ForkedFitError):
        guard.enter()


FORKING = """
import os, signal, sys
import seg1
from seg1.errors import ForkedFitError

table = {"customer": [1, 1, 2, 2, 3] * 40, "item": list("ababa") * 40, "time": [0] * 200}
anyone = seg1.ConsentNotNeeded("made up")
interactions = seg1.InteractionMatrixBuilder().build(
    seg1.Events.from_table(table), consent=anyone, at=0)

def in_child(work):
    pid = os.fork()
    if pid == 0:
        signal.alarm(40)  # a child that hangs is killed
        try:
            os._exit(0 if work() else 1)
        except BaseException:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def refuses():
    try:
        seg1.ALS(factors=2).fit(interactions)
    except ForkedFitError:
        return True

def ask():
    return model.recommend(3, exclude_seen=False, consent=anyone, at=0)

def serves():
    answer = ask()
    many = model.recommend_many([1, 2, 3], exclude_seen=True, consent=anyone, at=0)
    folded = model.fold_in({"a": 1.0})
    return answer.items == here.items and len(many) == 3 and len(folded) == 2

early = in_child(lambda: seg1.ALS(factors=2).fit(interactions) is not None)
model = seg1.ALS(factors=2).fit(interactions)
here = ask()
print(early, in_child(refuses), in_child(serves))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_after_a_fork_a_fit_raises_and_serving_works() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=120, check=False
    )

    assert done.stdout.split() == ["0", "0", "0"], done.stderr
