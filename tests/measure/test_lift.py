"""`lift`: against plain Python, under its laws, and what it refuses."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_measure import slow_lift
from small_log import make_log, take

from seg1.errors import InvalidArgumentError
from seg1.journal import DecisionLog
from seg1.measure import NotSupportedError, lift

seeds = st.integers(0, 2**32 - 1)


def a_held_out_log(seed: int, *, n_customers: int = 200, moves: bool = False) -> DecisionLog:
    """Give a log with two holdout probabilities; with `moves`, customers change groups."""
    rng = np.random.default_rng(seed)
    customer = np.repeat(np.arange(n_customers), rng.integers(1, 5, n_customers))
    n = len(customer)
    chance = np.where(np.arange(n) < n // 2, 0.3, 0.5)
    is_control = (rng.random(n) if moves else rng.random(n_customers)[customer]) < chance
    return make_log(
        action_prob=np.ones(n),
        arm=np.zeros(n, int),
        reward=2.0 + rng.standard_normal(n_customers)[customer] + 0.5 * ~is_control,
        customer=customer,
        n_arms=2,
        is_control=is_control,
        holdout_prob=chance,
        labels={"channel": tuple(rng.choice(["app", "till", "web"], n).tolist())},
    )


@pytest.mark.parametrize("moves", [False, True])
@settings(deadline=None, max_examples=20)
@given(seed=seeds)
def test_a_lift_is_what_the_formula_says(moves: bool, seed: int) -> None:  # noqa: FBT001  # a parameter of the test
    log = a_held_out_log(seed, moves=moves)
    treated, control, difference = slow_lift(log)

    found = lift(log)

    assert found.treated_mean == pytest.approx(treated.estimate)
    assert found.control_mean == pytest.approx(control.estimate)
    assert found.estimate == pytest.approx(difference.estimate)
    assert found.se == pytest.approx(difference.se)
    assert found.low < found.estimate < found.high


@settings(deadline=None, max_examples=20)
@given(seed=seeds)
def test_the_bounds_of_the_relative_lift_solve_fiellers_equation(seed: int) -> None:
    log = a_held_out_log(seed)
    treated, control, difference = slow_lift(log)
    cov = (treated.se**2 + control.se**2 - difference.se**2) / 2

    found = lift(log)

    assert found.relative is not None
    assert found.relative_low is not None
    assert found.relative_high is not None
    assert found.relative == pytest.approx(treated.estimate / control.estimate - 1)
    assert found.relative_low < found.relative < found.relative_high
    reach = (found.high - found.estimate) / found.se
    for bound in (found.relative_low, found.relative_high):
        rho = bound + 1
        variance = treated.se**2 - 2 * rho * cov + rho**2 * control.se**2
        off = treated.estimate - rho * control.estimate
        assert off**2 == pytest.approx(reach**2 * variance, rel=1e-6)


def test_with_one_probability_the_means_are_plain_means() -> None:
    log = replace(a_held_out_log(1), holdout_prob=np.full(len(a_held_out_log(1)), 0.4))

    found = lift(log)

    assert found.treated_mean == pytest.approx(log.reward[~log.is_control].mean())
    assert found.control_mean == pytest.approx(log.reward[log.is_control].mean())
    assert found.n_treated_rows == int((~log.is_control).sum())
    assert found.n_control_rows == int(log.is_control.sum())
    assert found.n_control == len(np.unique(log.customer_index[log.is_control]))
    assert found.n_treated == len(np.unique(log.customer_index[~log.is_control]))


def test_where_the_probability_differs_an_unweighted_mean_would_mislead() -> None:
    n = 4_000
    rich = np.arange(n) % 2 == 0  # held out often, and spend more whatever they are shown
    chance = np.where(rich, 0.8, 0.2)
    is_control = np.random.default_rng(1).random(n) < chance
    log = make_log(
        action_prob=np.ones(n),
        arm=np.zeros(n, int),
        reward=np.where(rich, 10.0, 1.0),
        customer=np.arange(n),
        n_arms=2,
        is_control=is_control,
        holdout_prob=chance,
    )
    naive = log.reward[~is_control].mean() - log.reward[is_control].mean()

    found = lift(log)

    assert naive < -4
    assert found.low < 0 < found.high
    assert abs(found.estimate) < 0.5


@settings(deadline=None, max_examples=10)
@given(seed=seeds, factor=st.floats(1e-3, 1e3))
def test_a_scale_of_rewards_scales_the_lift_and_not_the_relative_lift(
    seed: int, factor: float
) -> None:
    log = a_held_out_log(seed)

    plain, scaled = lift(log), lift(replace(log, reward=factor * log.reward))

    assert scaled.estimate == pytest.approx(factor * plain.estimate)
    assert scaled.se == pytest.approx(factor * plain.se)
    assert scaled.relative == pytest.approx(plain.relative)
    assert scaled.relative_high == pytest.approx(plain.relative_high)


def test_the_order_of_rows_does_not_matter() -> None:
    log = a_held_out_log(3)
    order = np.random.default_rng(1).permutation(len(log))

    assert lift(take(log, order)).estimate == pytest.approx(lift(log).estimate)
    assert lift(take(log, order)).se == pytest.approx(lift(log).se)


def test_rows_that_no_holdout_was_drawn_for_are_left_out() -> None:
    log = a_held_out_log(4)
    is_drawn = log.customer_index % 4 != 0
    mixed = replace(
        log,
        holdout_prob=np.where(is_drawn, log.holdout_prob, 0.0),
        reward=np.where(is_drawn, log.reward, 1e9),
    )

    assert lift(mixed) == lift(take(log, np.flatnonzero(is_drawn)))


@pytest.mark.parametrize("control_reward", [0.0, -3.0])
def test_no_relative_lift_where_the_control_mean_is_not_above_0(control_reward: float) -> None:
    log = a_held_out_log(5)
    reward = np.where(log.is_control, control_reward, log.reward)

    found = lift(replace(log, reward=reward))

    assert (found.relative, found.relative_low, found.relative_high) == (None, None, None)
    assert found.estimate > 0


def test_no_relative_lift_where_the_control_mean_may_be_0() -> None:
    log = a_held_out_log(6)

    found = lift(replace(log, reward=log.reward - log.reward[log.is_control].mean() + 0.01))

    assert found.relative is None


def test_by_a_label_each_value_has_the_lift_of_its_rows() -> None:
    log = a_held_out_log(7, n_customers=600)

    found = lift(log, by="channel")

    assert list(found) == ["app", "till", "web"]
    for name, of_label in found.items():
        rows = np.flatnonzero(np.array(log.labels["channel"]) == name)
        assert of_label == lift(take(log, rows))


def test_a_value_of_a_label_with_too_few_customers_is_left_out_and_said() -> None:
    log = a_held_out_log(8, n_customers=600)
    channel = ("kiosk",) * 10 + ("app",) * (len(log) - 10)

    with pytest.warns(UserWarning, match="1 of 2 values of label 'channel' are left out") as said:
        found = lift(replace(log, labels={"channel": channel}), by="channel")

    assert list(found) == ["app"]
    assert said[0].filename == __file__
    assert "kiosk" not in str(said[0].message)


def test_a_value_that_no_holdout_was_drawn_for_is_not_in_it() -> None:
    log = a_held_out_log(8, n_customers=600)
    chance = log.holdout_prob.copy()
    chance[:10] = 0.0
    channel = ("kiosk",) * 10 + ("app",) * (len(log) - 10)
    mixed = replace(log, holdout_prob=chance, labels={"channel": channel})

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(lift(mixed, by="channel")) == ["app"]


def test_a_label_of_small_values_alone_is_refused() -> None:
    log = a_held_out_log(9)
    labels = {"row": tuple(str(i) for i in range(len(log)))}

    with pytest.raises(NotSupportedError, match="at least 30 customers in each group"):
        lift(replace(log, labels=labels), by="row")


def test_few_held_out_customers_are_refused_with_the_counts() -> None:
    log = a_held_out_log(10, n_customers=50)
    found = lift(log, min_customers=2)

    with pytest.raises(NotSupportedError) as refused:
        lift(log)

    assert str(refused.value) == (
        f"a lift needs at least 30 customers in each group, got {found.n_treated} treated and "
        f"{found.n_control} held out; log longer, or hold out more"
    )


def test_a_refusal_for_too_few_customers_says_what_the_log_leaves_out() -> None:
    log = replace(a_held_out_log(10, n_customers=50), excluded={"window open": 7})

    with pytest.raises(NotSupportedError, match=r"leaves out: 7 by 'window open'\)$"):
        lift(log)


@pytest.mark.parametrize("by", [None, "channel"])
def test_a_log_without_a_holdout_is_refused(by: str | None) -> None:
    log = a_held_out_log(11)
    none = np.zeros(len(log))

    with pytest.raises(NotSupportedError, match="got 0 treated and 0 held out"):
        lift(
            replace(log, holdout_prob=none, is_control=none.astype(bool)),
            by=by,
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"level": 0.0}, r"level must lie in \(0, 1\), got 0.0"),
        ({"min_customers": 1}, "min_customers must be an int >= 2, got 1"),
        ({"by": "age"}, "the log has no label 'age'; it has: channel"),
    ],
)
def test_an_argument_out_of_range_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        lift(a_held_out_log(1), **arguments)  # type: ignore[call-overload]  # on purpose


@pytest.mark.parametrize("n_lost", [0, 50])
def test_groups_of_other_sizes_than_assigned_have_no_lift(n_lost: int) -> None:
    n = 400
    is_control = np.arange(n) % 4 == 0
    kept = np.flatnonzero(~is_control | (is_control.cumsum() > n_lost))
    log = make_log(
        action_prob=np.ones(len(kept)), arm=np.zeros(len(kept), int), customer=kept, n_arms=2,
        reward=kept % 7 / 7.0, is_control=is_control[kept], holdout_prob=np.full(len(kept), 0.25),
    )  # fmt: skip

    if n_lost:
        with pytest.raises(NotSupportedError, match="50 of 350 customers are held out, where 88"):
            lift(log)
    else:
        assert lift(log).n_control == 100
