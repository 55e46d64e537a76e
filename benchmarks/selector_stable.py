"""Whether what was learned is still right after a million answers. Run by `selector.py`.

Answers come over 300 days, one in a hundred two days late, and count half after 90. Contexts have 8
features, of which two are 0 in every row: directions that are never excited, in which forgetting
winds up what is not held. Four features hang together. Four arms have 3 features each; the fourth
arm is never shown. At the last row of ten of the ticks, the state is compared with the solution
of the normal equations, made of all rows so far: their weights are worked out from their ages, and
nothing is taken from the state but what it says.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seg1.bandit import HybridLinear, HybridState, Layout, PerOfferLinear, PerOfferState

__all__ = ["figures"]

Floats = NDArray[np.float64]

DAY_US = 86_400 * 1_000_000
N_DAYS = 300
N_FEATURES = 8
N_ARMS = 4
SHOWN = 3
CHECKS = 10
HALF_LIFE_DAYS = 90.0
INTERCEPT_SD, PRIOR_SD = 1.0, 4.0
PRIOR = np.array([INTERCEPT_SD] + [PRIOR_SD] * (N_FEATURES - 1))
OWN_SHARE = 0.25
FEATURES = np.column_stack([np.ones(N_ARMS), np.random.default_rng(7).normal(size=(N_ARMS, 2))])
LAYOUT = Layout.plain(N_ARMS)._replace(features=FEATURES)


class Day(NamedTuple):
    """Rows in the order in which they are learned, and the day each was decided on."""

    arms: NDArray[np.int64]
    x: Floats
    answers: Floats
    days: NDArray[np.int64]


def days_of(n: int, *, seed: int) -> Iterator[Day]:
    """Make up n rows, a day at a time."""
    rng = np.random.default_rng(seed)
    theta = rng.standard_normal((N_ARMS, N_FEATURES))
    mixing = rng.standard_normal((4, 4)) * np.array([1.0, 0.3, 0.1, 0.03])
    per_day = n // N_DAYS
    for day in range(N_DAYS):
        x = np.zeros((per_day, N_FEATURES))
        x[:, 0] = 1.0
        x[:, 1] = rng.uniform(-0.5, 0.5, per_day)
        x[:, 2:6] = 0.3 * rng.standard_normal((per_day, 4)) @ mixing.T
        arms = rng.integers(SHOWN, size=per_day)
        expected = np.einsum("ij,ij->i", x, theta[arms])
        answers = expected + 0.5 * rng.standard_normal(per_day)
        late = np.where(rng.random(per_day) < 0.01, 2, 0)
        yield Day(arms, x, answers, np.maximum(day - late, 0))


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Sums of products of each day and arm, undecayed: what direct solutions are made of."""

    S: Floats = field(default_factory=lambda: np.zeros((N_DAYS, N_ARMS, N_FEATURES, N_FEATURES)))
    b: Floats = field(default_factory=lambda: np.zeros((N_DAYS, N_ARMS, N_FEATURES)))

    def add(self, rows: Day) -> None:
        """Add rows."""
        for day in np.unique(rows.days):
            for arm in range(N_ARMS):
                of = (rows.days == day) & (rows.arms == arm)
                self.S[day, arm] += rows.x[of].T @ rows.x[of]
                self.b[day, arm] += rows.x[of].T @ rows.answers[of]

    def decayed(self, day: int) -> tuple[Floats, Floats]:
        """Weigh every day by its age."""
        weight = 2.0 ** -((day - np.arange(N_DAYS)) / HALF_LIFE_DAYS)
        weight[day + 1 :] = 0.0
        S: Floats = np.tensordot(weight, self.S, axes=1)
        b: Floats = np.tensordot(weight, self.b, axes=1)
        return S, b


def per_offer_errors(state: PerOfferState, S: Floats, b: Floats) -> dict[str, float]:
    """Compare one regression for each arm with the solution of its normal equations."""
    precision = S + np.diag(PRIOR**-2.0)
    direct = np.linalg.inv(precision).astype(np.float64)
    solved = np.linalg.solve(precision, b[..., None])[..., 0]
    covariance = whole(state.to_arrays()["inverse"])
    prior = np.broadcast_to(np.diag(PRIOR**2), direct.shape)
    return {
        "coefficients": largest(state.coefficients() - solved),
        "variances": largest(covariance - direct),
        "above_prior": above(covariance, PRIOR),
        **believed(state, direct=direct, prior=prior),
    }


def hybrid_errors(state: HybridState, S: Floats, b: Floats) -> dict[str, float]:
    """Compare with one dense system of what is shared and every arm's own part together."""
    m, d = FEATURES.shape[1], N_FEATURES
    sds = np.concatenate([np.tile(PRIOR, m), np.tile(OWN_SHARE * PRIOR, N_ARMS)])
    # theta_k = spread_k @ (B, delta); (n_arms, d, m d + n_arms d)
    spread = np.stack([
        np.hstack([np.kron(FEATURES[k], np.eye(d)), np.kron(np.eye(N_ARMS)[k], np.eye(d))])
        for k in range(N_ARMS)
    ])  # fmt: skip
    precision = np.diag(sds**-2.0) + np.einsum("kia,kij,kjb->ab", spread, S, spread)
    direct = np.linalg.inv(precision)
    solved = spread @ np.linalg.solve(precision, np.einsum("kia,ki->a", spread, b))
    own = np.linalg.inv(S + np.diag((OWN_SHARE * PRIOR) ** -2.0))
    arrays = state.to_arrays()
    shared = arrays["shared"]
    return {
        "coefficients": largest(state.coefficients() - solved),
        "variances": max(
            largest(shared - direct[: m * d, : m * d]), largest(arrays["inverse"] - own)
        ),
        "above_prior": max(
            above(shared, np.tile(PRIOR, m)), above(arrays["inverse"], OWN_SHARE * PRIOR)
        ),
        **believed(
            state,
            direct=np.asarray(spread @ direct @ spread.swapaxes(1, 2), np.float64),
            prior=spread @ np.diag(sds**2.0) @ spread.swapaxes(1, 2),
        ),
    }


def believed(
    state: PerOfferState | HybridState, *, direct: Floats, prior: Floats
) -> dict[str, float]:
    """Compare the deviations of beliefs, squared, with exact variances and with those before any.

    Parameters
    ----------
    state
        What was learned.
    direct, prior
        Covariances of each arm's coefficients now and at first, in units of the noise; float64,
        shape (n_arms, n_features, n_features).
    """
    unknown = np.eye(N_FEATURES)[-1]  # of which nothing is ever learned: it tells the noise
    noise = state.belief(unknown).sd ** 2 / prior[:, -1, -1]
    directions = np.vstack([np.eye(N_FEATURES), np.random.default_rng(3).normal(size=(50, 8))])
    over_direct, over_prior = [], []
    for x in directions:
        variance = state.belief(x).sd ** 2 / noise
        over_direct.append(variance / (x @ direct @ x))
        over_prior.append(variance / (x @ prior @ x))
    return {
        "belief_over_direct_least": float(np.min(over_direct)),
        "belief_over_direct": float(np.max(over_direct)),
        "belief_over_prior": float(np.max(over_prior)),
    }


def whole(packed: Floats) -> Floats:
    """Lay packed lower triangles out as matrices."""
    rows, columns = np.tril_indices(N_FEATURES)
    out = np.empty((len(packed), N_FEATURES, N_FEATURES))
    out[:, rows, columns] = packed
    out[:, columns, rows] = packed
    return out


def above(covariance: Floats, prior_sd: Floats) -> float:
    """Give how far the largest variance lies above its prior; 0 or less where none does."""
    return float((np.einsum("...ii->...i", covariance) - prior_sd**2).max())


def largest(differences: Floats) -> float:
    """Give the largest absolute difference."""
    return float(np.abs(differences).max())


# Any: a posterior and what looks at a state of it.
PARTS: dict[str, tuple[Any, Callable[[Any, Floats, Floats], dict[str, float]]]] = {
    "per_offer": (
        PerOfferLinear(
            half_life_days=HALF_LIFE_DAYS, intercept_sd=INTERCEPT_SD, prior_sd=PRIOR_SD
        ),
        per_offer_errors,
    ),
    "hybrid": (
        HybridLinear(
            half_life_days=HALF_LIFE_DAYS, intercept_sd=INTERCEPT_SD, prior_sd=PRIOR_SD,
            own_share=OWN_SHARE,
        ),
        hybrid_errors,
    ),
}  # fmt: skip


def figures(*, n: int) -> dict[str, Any]:
    """Learn n answers; give the largest figures of any check.

    Returns
    -------
    dict
        By posterior: `coefficients` and `variances`, the largest absolute errors; `above_prior`,
        how far the largest variance lies above its prior; and of the beliefs their variance over
        the exact one (the least of all, and the largest) and over the prior's.
    """
    told: dict[str, Any] = {"updates": n // N_DAYS * N_DAYS}
    for name, (posterior, errors) in PARTS.items():
        state = posterior.start(LAYOUT, n_features=N_FEATURES)
        sums = Sums()
        checks = []
        for day, rows in enumerate(days_of(n, seed=11)):
            at_us = (rows.days * DAY_US + DAY_US // 2).tolist()
            for arm, x, answer, at in zip(*rows[:3], at_us, strict=True):
                state.fold(int(arm), x, float(answer), at_us=at)
            sums.add(rows)
            if (day + 1) % (N_DAYS // CHECKS) == 0:
                checks.append(errors(state, *sums.decayed(day)))
        told[name] = {
            key: (min if key.endswith("least") else max)(check[key] for check in checks)
            for key in checks[0]
        }
    return told
