"""`value`: against plain Python, under its laws, and what it refuses."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_measure import slow_ess, slow_value
from small_log import OPEN, WORLD, a_log, fixed, make_log, one_arm, take

from seg1 import Goal, Offer, OfferSelector
from seg1._types import Float64s
from seg1.errors import InvalidArgumentError, InvalidTypeError, PluginError
from seg1.journal import States
from seg1.measure import Estimator, NotSupportedError, lift, value

ESTIMATORS: tuple[Estimator, ...] = ("dr", "ips", "snips")
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@settings(deadline=None, max_examples=15)
@given(seed=seeds, n_folds=st.integers(2, 7))
def test_a_value_is_what_the_formula_says(estimator: Estimator, seed: int, n_folds: int) -> None:
    log = a_log(seed)
    slow = slow_value(log, WORLD.policy, estimator, n_folds)

    fast = value(log, policy=WORLD.policy, estimator=estimator, n_folds=n_folds, gate=OPEN)

    assert fast.estimate == pytest.approx(slow.estimate, rel=1e-9, abs=1e-12)
    assert fast.se == pytest.approx(slow.se, rel=1e-9)


def test_the_other_figures_are_what_the_formulas_say() -> None:
    log = a_log(1)
    rows = range(len(log))
    weight = WORLD.policy(log.states)[rows, log.arm] / log.action_prob

    found = value(log, policy=WORLD.policy, gate=OPEN)

    assert found.ess == pytest.approx(slow_ess(weight.tolist(), log.customer_index.tolist()))
    assert found.largest_weight == weight.max()
    assert found.mean_weight == pytest.approx(weight.mean())
    assert found.mean_weight_se > 0
    assert found.support == min(1.0, found.mean_weight)
    assert (found.n_rows, found.n_customers) == (len(log), 40)
    assert (found.estimator, found.level) == ("dr", 0.95)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_interval_is_students_over_customers(estimator: Estimator) -> None:
    log = a_log(2, n_customers=31)

    found = value(log, policy=WORLD.policy, estimator=estimator, gate=OPEN)

    assert found.high - found.estimate == pytest.approx(2.0423 * found.se, rel=1e-4)
    assert found.estimate - found.low == pytest.approx(2.0423 * found.se, rel=1e-4)


@pytest.mark.parametrize("estimator", ["ips", "snips"])
@given(seed=seeds)
@settings(deadline=None, max_examples=15)
def test_on_policy_the_value_is_the_mean_reward_exactly(estimator: Estimator, seed: int) -> None:
    log = a_log(seed)

    found = value(log, policy=WORLD.logging_policy, estimator=estimator, gate=OPEN)

    assert found.estimate == log.reward.mean()
    assert (found.mean_weight, found.mean_weight_se, found.largest_weight) == (1.0, 0.0, 1.0)


def test_on_policy_the_gate_lets_every_log_of_400_even_customers_pass() -> None:
    rng = np.random.default_rng(3)
    arm = rng.integers(0, 2, 400)
    log = make_log(
        action_prob=np.full(400, 0.5),
        arm=arm,
        reward=1.0 * arm,
        customer=np.arange(400),
        n_arms=2,
    )

    found = value(log, policy=fixed(0.5, 0.5))

    assert found.ess == 400


@pytest.mark.parametrize("estimator", ESTIMATORS)
@settings(deadline=None, max_examples=15)
@given(seed=seeds)
def test_the_order_of_rows_does_not_matter(estimator: Estimator, seed: int) -> None:
    log = a_log(seed)
    order = np.random.default_rng(seed).permutation(len(log))

    plain = value(log, policy=WORLD.policy, estimator=estimator, gate=OPEN)
    mixed = value(take(log, order), policy=WORLD.policy, estimator=estimator, gate=OPEN)

    assert mixed.estimate == pytest.approx(plain.estimate, abs=1e-12)
    assert mixed.se == pytest.approx(plain.se, rel=1e-9)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@settings(deadline=None, max_examples=15)
@given(seed=seeds)
def test_the_order_of_arms_does_not_matter(estimator: Estimator, seed: int) -> None:
    log = a_log(seed)
    new_place = np.random.default_rng(seed).permutation(4)
    moved = replace(log, arm=new_place[log.arm].astype(np.int32))
    old_place = np.argsort(new_place)

    plain = value(log, policy=WORLD.policy, estimator=estimator, gate=OPEN)
    mixed = value(
        moved, policy=lambda s: WORLD.policy(s)[:, old_place], estimator=estimator, gate=OPEN
    )

    assert mixed.estimate == pytest.approx(plain.estimate, abs=1e-12)
    assert mixed.se == pytest.approx(plain.se, rel=1e-9)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@settings(deadline=None, max_examples=15)
@given(seed=seeds, factor=st.floats(-1e3, 1e3).filter(lambda x: abs(x) > 1e-3))
def test_a_scale_of_rewards_is_a_scale_of_everything(
    estimator: Estimator, seed: int, factor: float
) -> None:
    log = a_log(seed)
    scaled = replace(log, reward=factor * log.reward)

    plain = value(log, policy=WORLD.policy, estimator=estimator, gate=OPEN)
    found = value(scaled, policy=WORLD.policy, estimator=estimator, gate=OPEN)

    assert found.estimate == pytest.approx(factor * plain.estimate, rel=1e-9, abs=1e-9)
    assert found.se == pytest.approx(abs(factor) * plain.se, rel=1e-9)
    assert found.ess == plain.ess


@pytest.mark.parametrize("estimator", ["dr", "snips"])
@settings(deadline=None, max_examples=15)
@given(seed=seeds, shift=st.floats(-100, 100))
def test_a_constant_more_reward_is_a_constant_more_value(
    estimator: Estimator, seed: int, shift: float
) -> None:
    log = a_log(seed)

    plain = value(log, policy=WORLD.policy, estimator=estimator, gate=OPEN)
    found = value(
        replace(log, reward=log.reward + shift),
        policy=WORLD.policy,
        estimator=estimator,
        gate=OPEN,
    )

    # For DR up to what the reward model's few pseudo-rows hold back; its constant is free.
    assert found.estimate == pytest.approx(plain.estimate + shift, abs=1e-9 + 0.02 * abs(shift))
    if estimator == "snips":
        assert found.estimate == pytest.approx(plain.estimate + shift, abs=1e-9)


@pytest.mark.parametrize("estimator", ["ips", "snips"])
def test_whose_rows_they_are_moves_the_error_and_not_the_estimate(estimator: Estimator) -> None:
    log = a_log(5)
    rows = np.arange(len(log), dtype=np.int32)
    alone = make_log(
        action_prob=log.action_prob,
        arm=log.arm,
        reward=log.reward,
        customer=rows,
        n_arms=4,
        context=log.states.context,
    )

    found = value(log, policy=WORLD.policy, estimator=estimator, gate=OPEN)
    split = value(alone, policy=WORLD.policy, estimator=estimator, gate=OPEN)

    assert split.estimate == found.estimate
    assert split.n_customers == len(log)
    assert split.se != found.se


def test_units_of_the_context_do_not_matter() -> None:
    log = a_log(6)
    context = np.hstack([log.states.context, np.sin(np.arange(len(log)))[:, None]])
    plain = replace(log, states=replace(log.states, context=context))
    other = replace(log, states=replace(log.states, context=context * [1.0, 1e4]))

    assert value(other, policy=WORLD.policy, gate=OPEN).estimate == pytest.approx(
        value(plain, policy=WORLD.policy, gate=OPEN).estimate, abs=1e-9
    )


def test_held_out_rows_are_not_part_of_it() -> None:
    log = a_log(7)
    is_control = log.customer_index % 3 == 0
    with_control = replace(
        log,
        is_control=is_control,
        action_prob=np.where(is_control, 1.0, log.action_prob),
        reward=np.where(is_control, 1e6, log.reward),
    )
    asked: list[int] = []

    def policy(states: States) -> Float64s:
        asked.append(len(states))
        return WORLD.policy(states)

    for estimator in ESTIMATORS:
        found = value(with_control, policy=policy, estimator=estimator, gate=OPEN)
        without = value(
            take(log, np.flatnonzero(~is_control)),
            policy=WORLD.policy,
            estimator=estimator,
            gate=OPEN,
        )

        assert found.estimate == pytest.approx(without.estimate, rel=1e-12)
        assert found.se == pytest.approx(without.se, rel=1e-12)
    assert set(asked) == {int((~is_control).sum())}


def test_a_long_log_is_asked_block_by_block_and_gives_the_same() -> None:
    log = a_log(8, n_customers=15_000)
    lengths: list[int] = []

    def policy(states: States) -> Float64s:
        lengths.append(len(states))
        return WORLD.policy(states)

    found = value(log, policy=policy, estimator="ips")

    assert len(lengths) > 1
    assert sum(lengths) == len(log)
    weight = WORLD.policy(log.states)[np.arange(len(log)), log.arm] / log.action_prob
    assert found.estimate == pytest.approx((weight * log.reward).mean(), rel=1e-12)


def test_a_policy_cannot_write_into_the_log() -> None:
    def scribbler(states: States) -> Float64s:
        states.context[:] = 0.0
        return WORLD.policy(states)

    with pytest.raises(ValueError, match="read-only"):
        value(a_log(1), policy=scribbler, gate=OPEN)


def test_the_better_the_model_the_smaller_the_error() -> None:
    log = WORLD.draw(np.random.default_rng(9), n_customers=2_000, mood=0.0)

    errors = [value(log, policy=WORLD.policy, estimator=e).se for e in ("dr", "snips", "ips")]

    assert all(small < large for small, large in pairwise(errors))


def test_every_run_gives_the_same_bits() -> None:
    log = a_log(10)

    assert value(log, policy=WORLD.policy, gate=OPEN) == value(log, policy=WORLD.policy, gate=OPEN)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ([[0.5, 0.5]], "must give an ndarray of float64, got list"),
        (np.full((3, 2), 0.5, np.float32), "must give an ndarray of float64, got float32"),
        (np.full((2, 2), 0.5), r"must give shape \(3, 2\), got \(2, 2\); it is asked block"),
        (np.full(3, 0.5), r"must give shape \(3, 2\), got \(3,\)"),
        (np.array([[0.5, 0.5], [1.5, -0.5], [1, 0]]), "gave a probability below 0 or nan"),
        (np.array([[0.5, 0.5], [np.nan, 1.0], [1, 0]]), "gave a probability below 0 or nan"),
        (
            np.array([[0.5, 0.5], [np.inf, 1.0], [1, 0]]),
            "must give rows that sum to 1, got one off by inf",
        ),
        (
            np.array([[0.5, 0.5], [0.5, 0.4], [1, 0]]),
            "must give rows that sum to 1, got one off by 0.1",
        ),
        (
            np.array([[0.5, 0.5], [1, 0], [1 - 1e-12, 1e-12]]),
            "gave an arm that is not eligible a probability other than 0",
        ),
    ],
)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_policy_that_answers_wrongly_is_named(
    answer: Float64s, problem: str, estimator: Estimator
) -> None:
    log = make_log(
        action_prob=np.full(3, 0.5),
        arm=np.zeros(3, int),
        reward=np.ones(3),
        customer=np.arange(3),
        n_arms=2,
        eligible=np.array([[True, True], [True, True], [True, False]]),
    )

    def lame(_states: States) -> Float64s:
        return answer

    with pytest.raises(PluginError, match=f"lame' {problem}"):
        value(log, policy=lame, estimator=estimator, gate=OPEN)


def test_a_policy_that_is_an_object_is_named_by_its_class() -> None:
    class Empty:
        def __call__(self, states: States) -> Float64s:
            return np.zeros((len(states), 0))

    with pytest.raises(PluginError, match="policy 'Empty' must give shape"):
        value(a_log(1), policy=Empty())


def test_rounding_of_a_float32_vector_passes() -> None:
    row = np.array([0.1, 0.2, 0.3, 0.4], np.float32).astype(np.float64)

    assert row.sum() != 1
    assert value(a_log(1), policy=fixed(*row), gate=OPEN).n_rows > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"estimator": "dm"}, "estimator must be one of dr, ips, snips, got 'dm'"),
        ({"n_folds": 1}, "n_folds must be an int >= 2, got 1"),
        ({"level": 1.0}, r"level must lie in \(0, 1\), got 1.0"),
        ({"level": float("nan")}, r"level must lie in \(0, 1\), got nan"),
    ],
)
def test_an_argument_out_of_range_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        value(a_log(1), policy=WORLD.policy, **arguments)  # type: ignore[arg-type]  # on purpose


def test_a_context_that_is_not_finite_is_refused_where_it_is_used() -> None:
    log = a_log(1)
    context = log.states.context.copy()
    context[3] = np.nan
    broken = replace(log, states=replace(log.states, context=context))
    policy = one_arm(1, 4)

    assert value(broken, policy=policy, estimator="ips", gate=OPEN).n_rows == len(log)
    with pytest.raises(InvalidArgumentError, match="context of the log must be finite"):
        value(broken, policy=policy, gate=OPEN)


def test_a_log_of_held_out_rows_alone_is_refused() -> None:
    log = a_log(1)
    held_out = replace(log, is_control=np.ones(len(log), bool))

    with pytest.raises(NotSupportedError, match="no decision outside the holdout"):
        value(held_out, policy=WORLD.policy)


def test_the_refusal_of_an_empty_log_says_what_was_left_out_of_it() -> None:
    log = a_log(1)
    nobody = np.ones(len(log), bool)
    empty = replace(log, is_control=nobody, excluded={"another catalogue": 1_500, "withheld": 2})

    with pytest.raises(NotSupportedError) as refused:
        value(empty, policy=WORLD.policy)

    assert str(refused.value) == (
        "the log has no decision outside the holdout; nothing to go by (decisions that the log "
        "leaves out: 1,500 by 'another catalogue', 2 by 'withheld')"
    )


def test_no_message_shows_a_customer() -> None:
    with pytest.raises(NotSupportedError) as refused:
        value(a_log(1), policy=WORLD.policy)

    assert "customer-" not in str(refused.value)


def test_what_is_no_log_is_refused_and_says_where_one_comes_from() -> None:
    choices: Any = []

    with pytest.raises(InvalidTypeError, match=r"DecisionLog.from_journal\(.*; got list"):
        value(choices, policy=fixed(1.0))
    with pytest.raises(InvalidTypeError, match=r"DecisionLog.from_journal\(.*; got list"):
        lift(choices)


def test_a_selector_in_the_place_of_its_policy_is_told_of_frozen() -> None:
    selector = OfferSelector([Offer("tea")], goal=Goal.response())

    with pytest.raises(InvalidTypeError, match=r"as what frozen\(\) of a selector .* got OfferSel"):
        value(a_log(1), policy=selector)  # type: ignore[arg-type]  # the point
