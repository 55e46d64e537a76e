"""The estimators again, in plain Python: what the formulas say, and nothing else."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from seg1._types import Float64s
from seg1.journal import DecisionLog
from seg1.measure import Policy
from seg1.measure.reward_model import folds_of

Rows = list[list[float]]


class Slow(NamedTuple):
    estimate: float
    se: float


def slow_value(log: DecisionLog, policy: Policy, estimator: str, n_folds: int = 5) -> Slow:
    rows = [i for i in range(len(log)) if not log.is_control[i]]
    probs = policy(log.states)
    weight = {i: float(probs[i, log.arm[i]] / log.action_prob[i]) for i in rows}
    score = {i: weight[i] * float(log.reward[i]) for i in rows}
    if estimator == "dr":
        score = _doubly_robust(log, rows, probs, weight, n_folds)
    below = weight if estimator == "snips" else dict.fromkeys(rows, 1.0)
    return slow_ratio(
        [score[i] for i in rows],
        [below[i] for i in rows],
        [int(log.customer_index[i]) for i in rows],
    )


def slow_ratio(above: Sequence[float], below: Sequence[float], customer: Sequence[int]) -> Slow:
    theta = sum(above) / sum(below)
    residual: dict[int, float] = {}
    for a, b, c in zip(above, below, customer, strict=True):
        residual[c] = residual.get(c, 0.0) + a - theta * b
    n = len(residual)
    variance = n / (n - 1) * sum(u * u for u in residual.values()) / sum(below) ** 2
    return Slow(theta, math.sqrt(variance))


def slow_ess(weight: Sequence[float], customer: Sequence[int]) -> float:
    total: dict[int, float] = {}
    for w, c in zip(weight, customer, strict=True):
        total[c] = total.get(c, 0.0) + w
    return sum(total.values()) ** 2 / sum(w * w for w in total.values())


def _doubly_robust(
    log: DecisionLog, rows: list[int], probs: Float64s, weight: dict[int, float], n_folds: int
) -> dict[int, float]:
    folds = folds_of(log.customers.ids, n_folds=n_folds)
    fold = {i: int(folds[log.customer_index[i]]) for i in rows}
    n_arms = len(log.states.arms)
    score = {}
    for k in range(n_folds):
        model = slow_model(log, [i for i in rows if fold[i] != k])
        for i in (i for i in rows if fold[i] == k):
            q = [_dot(_x(log, i), model[a]) for a in range(n_arms)]
            baseline = sum(float(probs[i, a]) * q[a] for a in range(n_arms))
            score[i] = baseline + weight[i] * (float(log.reward[i]) - q[int(log.arm[i])])
    return score


def slow_model(log: DecisionLog, rows: list[int]) -> Rows:
    """Coefficients of each arm: a ridge model of all rows, and one of what it leaves."""
    d, n_arms = 1 + log.states.context.shape[1], len(log.states.arms)
    if not rows:
        return [[0.0] * d for _ in range(n_arms)]
    square = [sum(_x(log, i)[j] ** 2 for i in rows) / len(rows) for j in range(d)]
    penalty = [s if s > 0 else 1.0 for s in square]
    target = {i: float(log.reward[i]) for i in rows}
    shared = _ridge(log, rows, target, [0.0, *penalty[1:]])
    left = {i: target[i] - _dot(_x(log, i), shared) for i in rows}
    model = []
    for a in range(n_arms):
        own = [i for i in rows if log.arm[i] == a]
        delta = _ridge(log, own, left, [20 * p for p in penalty])
        model.append([s + t for s, t in zip(shared, delta, strict=True)])
    return model


def _ridge(
    log: DecisionLog, rows: list[int], target: dict[int, float], penalty: list[float]
) -> list[float]:
    d = len(penalty)
    A = [[penalty[j] if j == k else 0.0 for k in range(d)] for j in range(d)]
    b = [0.0] * d
    for i in rows:
        x = _x(log, i)
        for j in range(d):
            b[j] += x[j] * target[i]
            for k in range(d):
                A[j][k] += x[j] * x[k]
    return _gauss(A, b)


def _gauss(A: Rows, b: list[float]) -> list[float]:
    n = len(b)
    M = [[*row, value] for row, value in zip(A, b, strict=True)]
    for j in range(n):
        pivot = max(range(j, n), key=lambda r: abs(M[r][j]))
        M[j], M[pivot] = M[pivot], M[j]
        for r in range(n):
            if r != j:
                factor = M[r][j] / M[j][j]
                M[r] = [u - factor * v for u, v in zip(M[r], M[j], strict=True)]
    return [M[j][n] / M[j][j] for j in range(n)]


def _x(log: DecisionLog, row: int) -> list[float]:
    return [1.0, *map(float, log.states.context[row])]


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def slow_lift(log: DecisionLog) -> tuple[Slow, Slow, Slow]:
    """Treated mean, control mean, and their difference, each with its standard error."""
    used = [i for i in range(len(log)) if log.holdout_prob[i] > 0]
    customer = sorted({int(log.customer_index[i]) for i in used})
    means, pulls = [], []
    for is_control in (False, True):
        own = [i for i in used if bool(log.is_control[i]) is is_control]
        chance = {i: log.holdout_prob[i] if is_control else 1 - log.holdout_prob[i] for i in own}
        total = sum(1 / chance[i] for i in own)
        mean = sum(log.reward[i] / chance[i] for i in own) / total
        n = len({int(log.customer_index[i]) for i in own})
        pull = dict.fromkeys(customer, 0.0)
        for i in own:
            by_row = (log.reward[i] - mean) / chance[i] / total
            pull[int(log.customer_index[i])] += math.sqrt(n / (n - 1)) * by_row
        means.append(mean)
        pulls.append(pull)
    difference = [pulls[0][c] - pulls[1][c] for c in customer]
    se = [math.sqrt(sum(u * u for u in pull.values())) for pull in pulls]
    return (
        Slow(means[0], se[0]),
        Slow(means[1], se[1]),
        Slow(means[0] - means[1], math.sqrt(sum(u * u for u in difference))),
    )
