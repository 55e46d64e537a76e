"""MovieLens-1M: the configuration that `tune` chooses on train and valid alone, and its peers.

The split is that of LightGCN++; every film but the customer's own is ranked, Recall@20 and NDCG@20
are averaged over the customers of the test part.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

import numpy as np
from threadpoolctl import threadpool_limits

import seg1
from seg1._types import Float64s
from seg1.interactions import Interactions
from seg1.recommend import Rankings, Validation, tune
from seg1.recommend.metrics import Evaluation, compare, evaluate
from seg1.recommend.ranking.topk import top_by_score

PUBLIC: Final = seg1.ConsentNotNeeded("public data, a benchmark")
COUNTS: Final = seg1.InteractionMatrixBuilder(transform="count")
ALS: Final = seg1.ALS(iterations=15, seed=7)
N: Final = 20
ALPHAS: Final = (1.0, 3.3, 10.0)
SPACE: Final = {
    "factors": (64, 256),
    "alpha": ALPHAS,
    "regularization": (0.003, 0.005, 0.007, 0.01, 0.015),
}
SCALARS: Final = (3.0, 10.0, 30.0, 100.0, 300.0)  # penalties that do not grow with frequency
RIDGES: Final = (100.0, 200.0, 300.0, 500.0, 800.0)
History = dict[int, list[int]]


def figures(folder: Path, *, show_progress: bool) -> dict[str, Any]:
    """Give all figures of this data set."""
    parts = {name: read(folder / f"{name}.txt") for name in ("train", "valid", "test")}
    train, both = interactions(parts["train"]), interactions(parts["train"], parts["valid"])
    validation = Validation(relevant=as_sets(parts["valid"]), exclude_seen=True, n=N)
    options: dict[str, Any] = {
        "consent": PUBLIC, "at": 0, "validation": validation, "builder": COUNTS, "als": ALS,
        "n_candidates": 30, "show_progress": show_progress,
    }  # fmt: skip
    test = as_sets(parts["test"])
    ours = tune(events(parts["train"]), space=SPACE, **options)
    scalar = tune(
        events(parts["train"]), space=SPACE | {"nu": (0.0,), "regularization": SCALARS}, **options
    )
    told: dict[str, Any] = {"ml1m_table": ours.rows(), "ml1m_scalar_table": scalar.rows()}
    results = {
        "": measured(ours.als.fit(both), test),
        "_scalar": measured(scalar.als.fit(both), test),
        "_popularity": measured(seg1.Popularity().fit(both), test),
        "_implicit_default": of_scores(bare(both, {}), both, test),
        "_implicit_tuned": of_scores(bare(both, best_bare(train, validation)), both, test),
        "_ease": of_scores(ease(both, best_ridge(train, validation)), both, test),
    }
    rng = np.random.default_rng(1)
    for name, evaluation in results.items():
        for metric in ("recall", "ndcg"):
            interval = evaluation.interval(metric, rng=rng)
            told[f"ml1m_{metric}20{name}"] = interval.mean
            told[f"ml1m_{metric}20{name}_interval"] = [interval.low, interval.high]
    gain = compare(results[""], results["_scalar"], "ndcg", rng=rng)
    told["frequency_scaled_gain"] = {"mean": gain.mean, "low": gain.low, "high": gain.high}
    over = compare(results[""], results["_implicit_tuned"], "ndcg", rng=rng)
    told["ml1m_over_implicit"] = {"mean": over.mean, "low": over.low, "high": over.high}
    return told


def read(path: Path) -> History:
    """Read lines of a customer and its items."""
    lines = [[int(word) for word in line.split()] for line in path.read_text().splitlines()]
    return {customer: items for customer, *items in lines if items}


def as_sets(history: History) -> dict[Any, frozenset[int]]:
    """Turn lists into sets."""
    return {customer: frozenset(items) for customer, items in history.items()}


def events(*histories: History) -> seg1.Events:
    """Make events of value 1 at time 0; the split has no times."""
    pairs = [(c, items) for history in histories for c, items in history.items()]
    table = {
        "customer": np.concatenate([np.full(len(items), c) for c, items in pairs]),
        "item": np.concatenate([items for _, items in pairs]),
    }
    return seg1.Events.from_table(table | {"time": np.zeros(len(table["item"]), dtype=np.int64)})


def interactions(*histories: History) -> Interactions:
    """Build the matrix of all of them."""
    return COUNTS.build(events(*histories), consent=PUBLIC, at=0)


def measured(model: Any, relevant: Mapping[Any, AbstractSet[Any]]) -> Evaluation:  # noqa: ANN401
    """Rank for everybody by the public call, and evaluate."""
    rankings = model.recommend_many(list(relevant), n=N, exclude_seen=True, consent=PUBLIC, at=0)
    return evaluate(rankings, relevant)


def of_scores(
    scores: Callable[[int], Float64s], of: Interactions, relevant: Mapping[Any, AbstractSet[Any]]
) -> Evaluation:
    """Rank by a peer's scores, with masks of our own, and evaluate."""
    customers = [who for who in relevant if who in of.customers]
    item_index = np.full((len(customers), N), -1, dtype=np.int32)
    for row, who in enumerate(customers):
        code = of.customers.find(who)
        allowed = np.ones(of.shape[1], dtype=np.bool_)
        allowed[of.history(code)[0]] = False
        best = top_by_score(scores(code), n=N, allowed=allowed)
        item_index[row, : len(best)] = best
    rankings = Rankings(
        customers=customers, items=of.items, item_index=item_index,
        scores=np.zeros(item_index.shape), personalised=np.ones(len(customers), dtype=np.bool_),
        reasons=[""] * len(customers),
    )  # fmt: skip
    return evaluate(rankings, relevant)


def bare(of: Interactions, options: dict[str, Any]) -> Callable[[int], Float64s]:
    """Fit implicit as it comes."""
    from implicit.als import AlternatingLeastSquares  # noqa: PLC0415  # a peer
    from scipy.sparse import csr_matrix  # noqa: PLC0415  # with it

    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(**{"random_state": 7, **options})
        model.fit(csr_matrix(of.weights, copy=True), show_progress=False)  # it wants to write
    return lambda row: (model.item_factors @ model.user_factors[row]).astype(np.float64)


def best_bare(train: Interactions, validation: Validation) -> dict[str, Any]:
    """Tune bare implicit over as many configurations, in the same rounds."""
    candidates = [
        {"factors": factors, "alpha": alpha, "regularization": penalty}
        for factors, alpha, penalty in itertools.product(SPACE["factors"], ALPHAS, SCALARS)
    ]
    for n_kept, sweeps in rounds(len(candidates)):
        figure = {
            position: of_scores(
                bare(train, options | {"iterations": sweeps}), train, validation.relevant
            ).ndcg.mean()
            for position, options in enumerate(candidates[:n_kept])
        }
        candidates = [candidates[p] for p in sorted(figure, key=lambda p: -figure[p])]
    return candidates[0] | {"iterations": ALS.iterations}


def rounds(n_candidates: int) -> Iterator[tuple[int, int]]:
    """Plan the rounds as `tune` does by default: thirds, fitted three times as long."""
    yield from ((n_candidates, 2), (n_candidates // 3, 5), (n_candidates // 9, ALS.iterations))


def ease(of: Interactions, ridge: float) -> Callable[[int], Float64s]:
    """Fit EASE (Steck 2019, eq. 8): an item-item regression with an empty diagonal."""
    dense = np.asarray(of.weights.toarray(), dtype=np.float64)
    gram = dense.T @ dense
    gram.flat[:: len(gram) + 1] += ridge
    inverse = np.linalg.inv(gram)
    B = inverse / -np.diag(inverse)
    np.fill_diagonal(B, 0.0)
    return lambda row: dense[row] @ B


def best_ridge(train: Interactions, validation: Validation) -> float:
    """Choose the ridge on the validation."""
    found = {
        ridge: of_scores(ease(train, ridge), train, validation.relevant).ndcg.mean()
        for ridge in RIDGES
    }
    return max(found, key=lambda ridge: found[ridge])
