"""Intervals cover the truth as often as they say, where customers decide more than once."""

import numpy as np
import pytest
from slow_measure import slow_ratio
from small_log import WORLD, make_log

from seg1.measure import Estimator, Gate, lift, value

N_REPLICATIONS = 200
GATE = Gate(min_ess=50, max_mean_weight_z=10)


@pytest.mark.parametrize("estimator", ["dr", "ips", "snips"])
def test_a_95_percent_interval_covers_the_value(estimator: Estimator) -> None:
    rng = np.random.default_rng(20_261_121)

    found = [
        value(WORLD.draw(rng, n_customers=500), policy=WORLD.policy, estimator=estimator, gate=GATE)
        for _ in range(N_REPLICATIONS)
    ]

    covered = np.mean([v.low <= WORLD.truth <= v.high for v in found])
    estimates = np.array([v.estimate for v in found])
    assert 0.90 <= covered <= 0.99
    assert abs(estimates.mean() - WORLD.truth) <= 4 * estimates.std() / N_REPLICATIONS**0.5
    assert np.mean([v.se for v in found]) == pytest.approx(estimates.std(), rel=0.2)


def test_where_customers_decide_20_times_rows_taken_for_customers_cover_too_little() -> None:
    rng = np.random.default_rng(7)
    n_customers, n_each = 100, 20
    customer = np.repeat(np.arange(n_customers), n_each)
    n = len(customer)
    clustered, by_row = [], []

    for _ in range(N_REPLICATIONS):
        arm = rng.integers(0, 2, n)
        mood = rng.standard_normal(n_customers)[customer]
        reward = 0.5 * arm + mood + rng.standard_normal(n)
        log = make_log(
            action_prob=np.full(n, 0.5), arm=arm, reward=reward, customer=customer, n_arms=2
        )
        found = value(
            log,
            policy=lambda s: np.tile([0.5, 0.5], (len(s), 1)),
            estimator="ips",
            gate=GATE,
        )
        iid = slow_ratio(reward.tolist(), [1.0] * n, range(n))
        clustered.append(found.low <= 0.25 <= found.high)
        by_row.append(abs(iid.estimate - 0.25) <= 1.96 * iid.se)

    assert 0.90 <= np.mean(clustered) <= 0.99
    assert np.mean(by_row) < 0.75


def test_a_95_percent_interval_covers_the_lift_and_the_relative_lift() -> None:
    rng = np.random.default_rng(11)
    covered, covered_relative = [], []

    for _ in range(N_REPLICATIONS):
        customer = np.repeat(np.arange(600), rng.integers(1, 6, 600))
        chance = np.where(np.arange(600) % 2 == 0, 0.1, 0.4)[customer]
        is_control = (rng.random(600)[customer]) < chance
        base = np.where(chance == 0.1, 3.0, 1.0) + rng.standard_normal(600)[customer]
        reward = base + np.where(is_control, 0.0, 0.5) + rng.standard_normal(len(customer))
        found = lift(
            make_log(
                action_prob=np.ones(len(customer)),
                arm=np.zeros(len(customer), int),
                reward=reward,
                customer=customer,
                n_arms=2,
                is_control=is_control,
                holdout_prob=chance,
            )
        )
        assert found.relative_low is not None
        assert found.relative_high is not None
        covered.append(found.low <= 0.5 <= found.high)
        covered_relative.append(found.relative_low <= 0.25 <= found.relative_high)

    assert 0.90 <= np.mean(covered) <= 0.99
    assert 0.90 <= np.mean(covered_relative) <= 0.99
