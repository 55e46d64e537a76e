"""How fast a model ranks, folds in, loads and fits, beside implicit; and what damage it refuses.

Usage: ``OPENBLAS_NUM_THREADS=1 python benchmarks/serving.py --json`` (last line one JSON object;
about ten minutes). Public calls, ids in and records out; each peer is asked in turn with ours, in
the same run, and medians are compared. The model is fitted on made-up purchases of 30,000
customers and 41,000 items in clusters, popularities falling as a power of the rank. `--quick` has
one seed and 500 damaged copies.
"""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from implicit.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

import damage
import loading
import seg1
from seg1.recommend.fitting.foldin import fold_in

ANYONE = seg1.ConsentNotNeeded("made up")
N_CUSTOMERS, N_ITEMS, N_CLUSTERS = 30_000, 41_000, 200
CONFIG = seg1.ALS(factors=64, alpha=3.0, regularization=3e-4, iterations=8)
N_ASKED = 400
LENGTHS = (20, 100, 500)


def purchases(seed: int) -> dict[str, Any]:
    """Make up a table of events, skewed as retail is: by item, by cluster and by customer."""
    rng = np.random.default_rng(seed)
    share = 1.0 / np.arange(1, N_CLUSTERS + 1) ** 0.7
    cluster_of = rng.choice(N_CLUSTERS, size=N_ITEMS, p=share / share.sum())
    popularity = rng.permutation(1.0 / np.arange(1, N_ITEMS + 1) ** 0.8)
    lengths = np.maximum(3, rng.lognormal(3.0, 0.9, N_CUSTOMERS)).astype(int)
    customers = np.repeat(np.arange(N_CUSTOMERS), lengths)
    tastes = rng.choice(N_CLUSTERS, size=(N_CUSTOMERS, 3), p=share / share.sum())
    cluster = tastes[customers, rng.integers(3, size=len(customers))]
    items = rng.choice(N_ITEMS, len(customers), p=popularity / popularity.sum())
    is_of_taste = rng.random(len(customers)) < 0.75
    for c in range(N_CLUSTERS):
        rows = np.flatnonzero((cluster == c) & is_of_taste)
        own = np.flatnonzero(cluster_of == c)
        items[rows] = rng.choice(own, len(rows), p=popularity[own] / popularity[own].sum())
    ids = np.array([f"item-{i}" for i in range(N_ITEMS)], dtype=object)
    return {"customer": customers, "item": ids[items], "time": np.zeros(len(items), np.int64)}


def fitted(seed: int) -> seg1.ALSModel:
    """Fit a model on made-up purchases."""
    builder = seg1.InteractionMatrixBuilder(transform="count", compress="log1p")
    events = seg1.Events.from_table(purchases(seed))
    return CONFIG.fit(builder.build(events, consent=ANYONE, at=0))


@dataclass(frozen=True)
class Peer:
    """Implicit with the factors of our model, and its matrix of confidences."""

    model: AlternatingLeastSquares
    matrix: csr_matrix

    @classmethod
    def of(cls, ours: seg1.ALSModel) -> "Peer":
        """Take over the factors."""
        peer = AlternatingLeastSquares(factors=ours.n_factors, num_threads=1)
        peer.user_factors = ours.customer_factors.copy()
        peer.item_factors = ours.item_factors.copy()
        matrix = csr_matrix(ours.interactions.weights, dtype=np.float32, copy=True)
        matrix.data = CONFIG.confidence_of(matrix.data).astype(np.float32)
        return cls(peer, matrix)


def interleaved(pairs: Sequence[tuple[Callable[[], object], Callable[[], object]]]) -> list[float]:
    """Time each call and its peer in turn; give the medians of both in microseconds."""
    took: tuple[list[float], list[float]] = ([], [])
    for pair in pairs:
        for call, times in zip(pair, took, strict=True):
            started = time.perf_counter()
            call()
            times.append((time.perf_counter() - started) * 1e6)
    return [statistics.median(times) for times in took]


def ranking_figures(ours: seg1.ALSModel, peer: Peer, *, seed: int) -> dict[str, float]:
    """Compare the ten best items: of all, of half by `allow`, and of half by `deny`."""
    rng = np.random.default_rng(seed)
    n_items = ours.interactions.shape[1]
    half = np.sort(rng.choice(n_items, n_items // 2, replace=False))
    other = np.setdiff1d(np.arange(n_items), half)
    inside, outside = (ours.item_set(ours.items.decode(codes)) for codes in (half, other))
    cases: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "topk": ({}, {}),
        "allow": ({"allow": inside}, {"items": half}),
        "deny": ({"deny": outside}, {"filter_items": other}),
    }
    rows = rng.choice(ours.interactions.shape[0], N_ASKED, replace=False).tolist()
    figures: dict[str, float] = {}
    for name, (own, theirs) in cases.items():
        pairs = [_asked(ours, peer, row, own=own, theirs=theirs) for row in rows]
        for pair in pairs[:100]:
            _check_equal(ours, *pair)
        us, peer_us = interleaved(pairs)
        figures |= {f"{name}_us": us, f"{name}_peer_us": peer_us, f"{name}_ratio": peer_us / us}
    return figures


def _asked(
    ours: seg1.ALSModel, peer: Peer, row: int, *, own: dict[str, Any], theirs: dict[str, Any]
) -> tuple[Callable[[], seg1.recommend.Ranking], Callable[[], Any]]:
    """Ask ours with the customer's id, and the peer with the row number and the row."""
    customer = ours.interactions.customers.decode([row])[0]
    options: dict[str, Any] = {"n": 10, "exclude_seen": True, "consent": ANYONE, "at": 0}
    return (
        partial(ours.recommend, customer, **options, **own),
        lambda: peer.model.recommend(row, peer.matrix[row], N=10, **theirs),
    )


def _check_equal(
    ours: seg1.ALSModel, ask: Callable[[], seg1.recommend.Ranking], ask_peer: Callable[[], Any]
) -> None:
    ranking, (items, scores) = ask(), ask_peer()
    is_same = ours.items.encode(ranking.items).tolist() == items.tolist()
    if not is_same or np.abs(ranking.scores - scores).max() > 1e-4:
        raise RuntimeError("ours and implicit rank differently: their times mean nothing")


def history_of(ours: seg1.ALSModel, codes: NDArray[np.intp], rng: np.random.Generator) -> Any:  # noqa: ANN401  # dict[Id, float]
    """Give items weights, as a mapping of ids."""
    weights = np.log1p(rng.integers(1, 5, len(codes))).tolist()
    return dict(zip(ours.items.decode(codes), weights, strict=True))


def fold_in_figures(ours: seg1.ALSModel, peer: Peer, *, seed: int) -> dict[str, float]:
    """Compare the fold-in: the kernel, the call with ids, and a thousand at once."""
    rng = np.random.default_rng(seed)
    likely = np.linalg.norm(ours.item_factors, axis=1)
    figures: dict[str, float] = {}
    for n in LENGTHS:
        drawn = [
            np.sort(rng.choice(len(likely), n, replace=False, p=likely / likely.sum()))
            for _ in range(200)
        ]
        histories = [history_of(ours, codes, rng) for codes in drawn]
        given = [
            (codes.astype(np.int32), np.array(list(history.values()), np.float32))
            for codes, history in zip(drawn, histories, strict=True)
        ]
        # The peer's call takes a row of its matrix, which is made of the same arrays.
        pairs = [
            (partial(_kernel, ours, *one), partial(_peer_fold_in, peer, *one)) for one in given
        ]
        us, peer_us = interleaved(pairs)
        figures |= {f"foldin_kernel_us_{n}": us, f"foldin_kernel_ratio_{n}": peer_us / us}
        rows = [_row(peer, *one) for one in given]
        us, peer_us = interleaved(
            [(partial(_kernel, ours, *one), partial(peer.model.recalculate_user, 0, row))
             for one, row in zip(given, rows, strict=True)]
        )  # fmt: skip
        figures[f"foldin_kernel_ratio_{n}_row_at_hand"] = peer_us / us
        us, peer_us = interleaved(
            [(partial(ours.fold_in, history), partial(_peer_fold_in, peer, *one))
             for one, history in zip(given, histories, strict=True)]
        )  # fmt: skip
        figures |= {f"foldin_call_us_{n}": us, f"foldin_call_ratio_{n}": peer_us / us}
    return figures | _batch_figures(ours, peer, rng)


def _batch_figures(ours: seg1.ALSModel, peer: Peer, rng: np.random.Generator) -> dict[str, float]:
    rows = rng.choice(ours.interactions.shape[0], 1_000, replace=False)
    histories: list[Any] = []
    for row in rows.tolist():
        items, weights = ours.interactions.history(row)
        histories.append(dict(zip(ours.items.decode(items), weights.tolist(), strict=True)))
    trained = ours.customer_factors[rows]
    folded = ours.fold_in_many(histories)
    off = np.linalg.norm(folded - trained, axis=1) / np.linalg.norm(trained, axis=1)
    us, peer_us = interleaved(
        [(lambda: ours.fold_in_many(histories),
          lambda: peer.model.recalculate_user(rows, peer.matrix[rows]))] * 15
    )  # fmt: skip
    return {
        "foldin_batch_ms": us / 1e3,
        "foldin_batch_ratio": peer_us / us,
        "foldin_largest_error": float(off.max()),
    }


def _kernel(ours: seg1.ALSModel, items: NDArray[np.int32], weights: NDArray[np.float32]) -> object:
    return fold_in(
        ours.item_factors.take(items, axis=0),
        CONFIG.confidence_of(weights),
        gram_diagonal=ours.gram_diagonal,
        penalty=ours.penalty.at(len(items)),
    )


def _row(peer: Peer, items: NDArray[np.int32], weights: NDArray[np.float32]) -> csr_matrix:
    confidence = CONFIG.confidence_of(weights).astype(np.float32)
    return csr_matrix((confidence, items, [0, len(items)]), shape=(1, peer.matrix.shape[1]))


def _peer_fold_in(peer: Peer, items: NDArray[np.int32], weights: NDArray[np.float32]) -> object:
    return peer.model.recalculate_user(0, _row(peer, items, weights))


def fit_figures(ours: seg1.ALSModel, *, n_repeats: int) -> dict[str, float]:
    """Compare a fit with implicit's, of the same factors and sweeps: ours closes with one more."""
    config = replace(CONFIG, iterations=10)
    matrix = Peer.of(ours).matrix

    def fit_peer() -> None:
        with threadpool_limits(1, "blas"):
            peer = AlternatingLeastSquares(
                factors=config.factors, iterations=config.iterations + 1, alpha=1.0
            )
            peer.fit(matrix, show_progress=False)

    us, peer_us = interleaved([(partial(config.fit, ours.interactions), fit_peer)] * n_repeats)
    return {"fit_s": us / 1e6, "fit_peer_s": peer_us / 1e6, "fit_ratio": us / peer_us}


def figures(*, is_quick: bool = False) -> dict[str, float]:
    """Measure everything; over several seeds the median, and the least ratio as `_least`."""
    warnings.simplefilter("ignore")  # implicit's, about a row for a history
    told: list[dict[str, float]] = []
    fits: dict[str, float] = {}
    for seed in (1,) if is_quick else (1, 2, 3):
        ours = fitted(seed)
        peer = Peer.of(ours)
        told.append(ranking_figures(ours, peer, seed=seed) | fold_in_figures(ours, peer, seed=seed))
        fits = fits or fit_figures(ours, n_repeats=1 if is_quick else 3)
    answer = {key: statistics.median(one[key] for one in told) for key in told[0]}
    ratios = [key for key in answer if "_ratio" in key]
    answer |= {f"{key}_least": min(one[key] for one in told) for key in ratios}
    answer |= fits | loading.figures() | damage.figures(n=500 if is_quick else 20_000)
    return {key: float(f"{value:.4g}") for key, value in answer.items()}


def main() -> None:
    """Measure, and print one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="one seed, few damaged copies")
    arguments = parser.parse_args()
    indent = None if arguments.json else 1
    with threadpool_limits(1, "blas"):
        print(json.dumps(figures(is_quick=arguments.quick), indent=indent))


if __name__ == "__main__":
    main()
