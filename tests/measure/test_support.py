"""The gate: what it lets through, when it fires, and that it never looks at rewards."""

from dataclasses import replace

import numpy as np
import pytest
from small_log import OPEN, WORLD, fixed, make_log, one_arm

from seg1.errors import InvalidArgumentError, Seg1Error
from seg1.journal import DecisionLog
from seg1.measure import Gate, NotSupportedError, value

ROW = (0.55, 0.3, 0.1, 0.05)


def a_drawn_log(drawn: tuple[float, ...], logged: tuple[float, ...], seed: int) -> DecisionLog:
    rng = np.random.default_rng(seed)
    arm = rng.choice(4, 20_000, p=drawn)
    return make_log(
        action_prob=np.array(logged)[arm],
        arm=arm,
        reward=1.0 * (arm == 2),
        customer=rng.integers(0, 5_000, 20_000),
        n_arms=4,
    )


@pytest.mark.parametrize("arm", range(4))
@pytest.mark.parametrize("seed", range(3))
def test_drawn_from_the_logged_vector_a_deterministic_target_has_mean_weight_1(
    arm: int, seed: int
) -> None:
    log = a_drawn_log(ROW, ROW, seed)

    found = value(log, policy=one_arm(arm, 4), estimator="ips")

    assert abs(found.mean_weight - 1) <= 3 * found.mean_weight_se
    assert found.mean_weight_se > 0


@pytest.mark.parametrize("arm", range(4))
def test_drawn_from_another_vector_the_check_fires(arm: int) -> None:
    log = a_drawn_log((0.45, 0.35, 0.13, 0.07), ROW, 1)

    with pytest.raises(
        NotSupportedError, match=r"mean weight \d\.\d{4} with standard error .* \(mu"
    ):
        value(log, policy=one_arm(arm, 4))


def test_a_target_that_chooses_what_could_not_be_drawn_is_refused() -> None:
    log = a_drawn_log((0.6, 0.4, 0.0, 0.0), (0.6, 0.4, 0.5, 0.5), 1)

    with pytest.raises(NotSupportedError, match="chooses arms that could not be drawn"):
        value(log, policy=fixed(0.5, 0.4, 0.1, 0.0))


def test_a_target_that_was_never_chosen_is_refused_even_by_the_widest_gate() -> None:
    log = a_drawn_log((0.6, 0.4, 0.0, 0.0), (0.6, 0.4, 0.5, 0.5), 1)

    with pytest.raises(NotSupportedError, match=r"mean weight 0\.0000 with standard error 0\.0000"):
        value(log, policy=one_arm(2, 4), estimator="snips", gate=OPEN)


def test_weights_up_to_21_739_are_refused() -> None:
    rng = np.random.default_rng(1)
    rare = 1 / 21_739
    arm = 1 * (rng.random(10_000) < 2 * rare)
    arm[17] = 1
    log = make_log(
        action_prob=np.where(arm == 1, rare, 1 - rare),
        arm=arm,
        reward=np.zeros(10_000),
        customer=np.arange(10_000),
        n_arms=2,
    )

    with pytest.raises(NotSupportedError) as refused:
        value(log, policy=fixed(0.0, 1.0))

    assert "effective sample size" in str(refused.value)
    assert "its weight is 21,739.0" in str(refused.value)
    assert "(10000 rows of 10000 customers)" in str(refused.value)


def test_one_heavy_row_among_a_million_light_ones_is_refused() -> None:
    n = 1_000_000
    probability = np.ones(n)
    probability[0] = 1 / 21_739
    log = make_log(
        action_prob=probability,
        arm=np.zeros(n, np.int32),
        reward=np.zeros(n),
        customer=np.arange(n) % 1_000,
        n_arms=2,
    )

    with pytest.raises(
        NotSupportedError, match=r"one row carries 2\.13% of all weight \(at most 1"
    ):
        value(log, policy=fixed(1.0, 0.0), estimator="ips")


def test_many_rows_of_few_customers_are_few_customers() -> None:
    log = WORLD.draw(np.random.default_rng(1), n_customers=300)

    with pytest.raises(NotSupportedError, match=r"size \d+\.\d customers \(at least 400\)"):
        value(log, policy=WORLD.logging_policy)


@pytest.mark.parametrize("rewards", ["none", "huge", "as they are"])
def test_the_gate_does_not_see_rewards(rewards: str) -> None:
    log = a_drawn_log(ROW, ROW, 1)
    reward = {
        "none": np.zeros(len(log)),
        "huge": 1e12 * log.reward,
        "as they are": log.reward,
    }[rewards]

    found = value(replace(log, reward=reward), policy=one_arm(3, 4), estimator="ips")

    assert found.ess == value(log, policy=one_arm(3, 4), estimator="ips").ess
    with pytest.raises(NotSupportedError):
        value(replace(log, reward=reward), policy=one_arm(3, 4), gate=Gate(min_ess=1e6))


def test_one_customer_is_no_sample() -> None:
    log = make_log(
        action_prob=np.full(5, 0.5),
        arm=np.zeros(5, int),
        reward=np.ones(5),
        customer=np.zeros(5, int),
        n_arms=2,
    )

    with pytest.raises(NotSupportedError, match=r"size 1\.0 customers \(at least 2\)"):
        value(log, policy=fixed(0.5, 0.5), gate=OPEN)


@pytest.mark.parametrize("name", ["min_ess", "max_weight_share", "max_mean_weight_z"])
@pytest.mark.parametrize("bad", [-1.0, float("nan"), "many"])
def test_a_gate_of_no_number_is_refused(name: str, bad: object) -> None:
    with pytest.raises(InvalidArgumentError, match=f"{name} must be a finite number >= 0"):
        Gate(**{name: bad})  # type: ignore[arg-type]  # on purpose


def test_the_refusal_is_one_of_ours_and_a_value_error() -> None:
    assert issubclass(NotSupportedError, Seg1Error)
    assert issubclass(NotSupportedError, ValueError)
