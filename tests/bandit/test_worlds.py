"""The simulated worlds: what is known of them holds, and regret is measured right."""

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from seg1._checks import DAY_US
from seg1._types import Float64s, Int64s
from seg1.errors import InvalidArgumentError, MissingExtraError
from seg1.testing import worlds
from seg1.testing.worlds import World, regret_share, reward

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = [name for name in worlds.__all__ if name not in ("World", "regret_share", "reward")]
ROUNDS = 600


def world_of(name: str, *, seed: int = 3, rounds: int = ROUNDS) -> World:
    if name in ("breast", "digits"):
        pytest.importorskip("sklearn")
    make: Callable[..., World] = getattr(worlds, name)
    return make(seed, rounds)


def log_odds(chances: Float64s) -> Float64s:
    odds: Float64s = np.log(chances / (1.0 - chances))
    return odds


def plain_regret_share(world: World, chosen: Int64s) -> float:
    """Add regret up round by round."""
    missed = missed_by_even_draw = 0.0
    for t in range(world.n_rounds):
        means = [
            m for m, is_there in zip(world.means[t], world.available[t], strict=True) if is_there
        ]
        missed += max(means) - world.means[t, chosen[t]]
        missed_by_even_draw += max(means) - sum(means) / len(means)
    return missed / missed_by_even_draw


@pytest.mark.parametrize("name", NAMES)
def test_columns_have_the_shapes_that_are_promised(name: str) -> None:
    world = world_of(name)

    n_rounds, n_arms = world.n_rounds, world.n_arms
    assert (world.name, n_rounds) == (name, ROUNDS)
    assert world.means.shape == world.rewards.shape == world.available.shape == (n_rounds, n_arms)
    assert world.contexts.shape == (n_rounds, len(world.ranges))
    assert world.ranges.shape[1:] == (2,)
    assert world.worth.shape == (n_arms,)
    assert world.means.dtype == world.contexts.dtype == world.rewards.dtype == np.float64
    assert world.available.dtype == np.bool_
    assert world.at_us.dtype == np.int64
    assert all(np.isfinite(a).all() for a in (world.contexts, world.means, world.rewards))


@pytest.mark.parametrize("name", NAMES)
def test_time_runs_evenly_over_300_days(name: str) -> None:
    at_us = world_of(name).at_us

    assert set(np.diff(at_us).tolist()) == {300 * DAY_US // ROUNDS}


@pytest.mark.parametrize("name", NAMES)
def test_nobody_can_change_a_world(name: str) -> None:
    world = world_of(name)

    with pytest.raises(ValueError, match="read-only"):
        world.means[0, 0] = 1.0


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_makes_the_same_world_and_another_another(name: str) -> None:
    one, again, other = world_of(name), world_of(name), world_of(name, seed=4)

    assert np.array_equal(one.rewards, again.rewards)
    assert np.array_equal(one.contexts, again.contexts)
    assert not np.array_equal(one.rewards, other.rewards)
    assert not np.array_equal(one.contexts, other.contexts)


@pytest.mark.parametrize("name", NAMES)
def test_the_oracle_misses_nothing_and_an_even_draw_everything(name: str) -> None:
    world = world_of(name, rounds=5_000)
    rng = np.random.default_rng(8)

    drawn = np.array([rng.choice(np.flatnonzero(there)) for there in world.available])

    assert regret_share(world, world.best) == 0.0
    assert regret_share(world, drawn) == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "newarm"])
def test_arms_played_alone_miss_on_average_what_an_even_draw_misses(name: str) -> None:
    world = world_of(name)

    alone = [regret_share(world, np.full(ROUNDS, k)) for k in range(world.n_arms)]

    assert np.mean(alone) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("name", ["linear", "newarm", "price_ladder"])
def test_regret_adds_up_round_by_round(name: str) -> None:
    world = world_of(name)
    chosen = np.arange(ROUNDS) % 6

    assert regret_share(world, chosen) == pytest.approx(plain_regret_share(world, chosen))


@pytest.mark.parametrize("name", NAMES)
def test_rewards_have_the_means_that_are_told(name: str) -> None:
    world = world_of(name, rounds=4_000)

    off = world.rewards - world.means
    # Arm by arm; an arm whose reward is certain is never off at all.
    se = off.std(axis=0) / world.n_rounds**0.5

    assert (np.abs(off.mean(axis=0)) <= 4.5 * se).all()


@pytest.mark.parametrize("name", NAMES)
def test_rewards_are_drawn_as_told(name: str) -> None:
    world = world_of(name)

    if world.draws == "bernoulli":
        assert ((world.rewards == 0) | (world.rewards == world.worth)).all()
        assert ((world.means >= 0) & (world.means <= world.worth)).all()
    elif world.draws == "gaussian":
        assert (world.rewards - world.means).std() == pytest.approx(world.reward_sd, rel=0.05)
    else:
        assert (world.rewards >= 0).all()


def test_a_reward_is_the_same_for_every_policy() -> None:
    world = world_of("logit5")

    assert [reward(world, t, 2) for t in range(50)] == world.rewards[:50, 2].tolist()


def test_an_arm_that_is_not_born_brings_nothing_and_cannot_be_judged() -> None:
    world = world_of("newarm")

    with pytest.raises(InvalidArgumentError, match="arm 19 is not available in round 0"):
        reward(world, 0, 19)
    with pytest.raises(InvalidArgumentError, match="not available"):
        regret_share(world, np.full(ROUNDS, 19))


def test_choices_for_other_rounds_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"shape \(600,\), got \(5,\)"):
        regret_share(world_of("linear"), np.zeros(5, np.int64))


def test_a_world_without_a_best_arm_has_no_regret() -> None:
    world = worlds.price_ladder(1, 1)
    alike = World(**{
        name: getattr(world, name) for name in World.__dataclass_fields__ if name != "means"
    }, means=np.zeros((1, 6)))  # fmt: skip

    with pytest.raises(InvalidArgumentError, match="equally good"):
        regret_share(alike, np.zeros(1, np.int64))


def test_acceptance_is_known_where_it_is_promised() -> None:
    assert 0.03 < world_of("logit5", rounds=5_000).means.mean() < 0.09
    assert world_of("rare").means.mean() == pytest.approx(0.01, rel=1e-9)
    assert (world_of("money").rewards > 0).mean() == pytest.approx(0.1, abs=0.02)


def test_linear_rewards_are_linear_in_the_context() -> None:
    world = world_of("linear")

    x = np.column_stack([np.ones(ROUNDS), world.contexts])
    _, residual, rank, _ = np.linalg.lstsq(x, world.means, rcond=None)

    assert rank == 11
    assert residual.max() < 1e-20


def test_drift_moves_the_arms_by_three_half_way() -> None:
    world = world_of("drift")
    x = np.column_stack([np.ones(ROUNDS), world.contexts])

    half = ROUNDS // 2
    before, after = (
        np.linalg.lstsq(x[rows], log_odds(world.means[rows]), rcond=None)[0]
        for rows in (slice(half), slice(half, None))
    )

    assert np.allclose(after, np.roll(before, 3, axis=1))


def test_new_arms_come_one_by_one_and_stay() -> None:
    world = world_of("newarm", rounds=1_000)

    born = world.available.argmax(axis=0)

    assert born[:10].tolist() == [0] * 10
    assert born[10] == 200
    assert born[19] == 900
    assert (np.diff(born[10:]) > 70).all()
    assert (world.available == (np.arange(1_000)[:, None] >= born)).all()


def test_features_tell_nearly_everything_of_a_new_arm() -> None:
    world = world_of("newarm")
    assert world.features is not None
    x = np.column_stack([np.ones(ROUNDS), world.contexts])

    theta = np.linalg.lstsq(x, log_odds(world.means), rcond=None)[0][1:]  # (10, n_arms)
    told = theta @ np.linalg.pinv(world.features.T) @ world.features.T

    assert (theta - told).std() < 0.4
    assert theta.std() > 2 * (theta - told).std()


def test_breast_and_digits_have_one_right_arm() -> None:
    breast, digits = world_of("breast"), world_of("digits")

    assert np.allclose(np.sort(breast.means, axis=1), [0.2, 0.8])
    assert (np.sort(digits.means, axis=1)[:, -2:] == [0.0, 1.0]).all()
    assert np.linalg.norm(digits.contexts, axis=1).mean() == pytest.approx(1.0, abs=0.02)
    assert (breast.contexts**2).sum(axis=1).mean() == pytest.approx(1.0, abs=0.15)


def test_digits_lie_within_their_ranges() -> None:
    world = world_of("digits")

    low, high = world.ranges.T
    assert ((world.contexts >= low - 1e-12) & (world.contexts <= high + 1e-12)).all()


def test_worlds_of_real_classes_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)

    with pytest.raises(MissingExtraError, match=r'pip install "seg1\[test\]"'):
        worlds.breast(1)


def test_dearer_is_accepted_less_and_whom_a_discount_pays_for_differs() -> None:
    world = world_of("price_ladder", rounds=5_000)

    accepts = world.means[:, :-1] / world.worth[:-1]

    assert (np.diff(accepts, axis=1) > 0).all()  # prices fall along the ladder
    assert np.allclose(world.worth[:-1], np.array(world.prices) - world.cost)
    assert not world.means[:, -1].any()
    assert (np.bincount(world.best, minlength=6)[:4] > 200).all()


def test_the_effect_of_a_slot_depends_on_the_contact_and_not_on_the_offer() -> None:
    world = world_of("slots")

    logits = log_odds(world.means).reshape(ROUNDS, 3, 3)
    effect = logits - logits[:, :, :1]  # of a slot beside the first; (n_rounds, n_offers, n_slots)

    assert np.allclose(effect, effect[:, :1])
    assert (effect[:, 0, 1:].std(axis=0) > 0.5).all()


def test_some_answers_come_after_the_window() -> None:
    delay_us = world_of("delayed", rounds=5_000).delay_us
    assert delay_us is not None

    assert np.median(delay_us) == pytest.approx(DAY_US, rel=0.1)
    assert (delay_us > 7 * DAY_US).mean() == pytest.approx(0.097, abs=0.015)
    assert (delay_us > 0).all()


def test_the_most_answered_arm_often_does_not_bring_most_money() -> None:
    world = world_of("money", rounds=5_000)

    amounts = world.rewards[world.rewards > 0]

    assert np.log(amounts).std() > 1.0
    assert amounts.max() > 20 * np.median(amounts)


def test_arms_of_a_group_are_almost_equal() -> None:
    world = world_of("near_duplicates")
    assert world.group is not None
    assert world.features is not None

    logits = log_odds(world.means).reshape(ROUNDS, 10, 20)

    assert logits.std(axis=2).mean() < 0.1 * logits.mean(axis=2).std(axis=1).mean()
    assert (world.features.argmax(axis=1) == world.group).all()


def test_groups_may_differ_in_size() -> None:
    sizes = (40, 5, 1)
    world = worlds.near_duplicates(3, ROUNDS, sizes=sizes)
    assert world.group is not None
    assert world.features is not None

    logits = log_odds(world.means)
    of_groups = [logits[:, world.group == group] for group in range(3)]

    assert np.bincount(world.group).tolist() == [40, 5, 1]
    assert world.features.tolist() == np.eye(3)[world.group].tolist()
    between = np.column_stack([of_group[:, 0] for of_group in of_groups]).std(axis=1).mean()
    assert all(of_group.std(axis=1).mean() < 0.15 * between for of_group in of_groups)


def test_customers_differ_in_one_world_and_not_in_its_twin() -> None:
    one, twin = world_of("heterogeneous", rounds=5_000), world_of("homogeneous", rounds=5_000)
    x = np.column_stack([np.ones(5_000), one.contexts])

    spread = [
        log_odds(world.means) - x @ np.linalg.lstsq(x, log_odds(world.means), rcond=None)[0]
        for world in (one, twin)
    ]

    assert spread[0].std() == pytest.approx(0.8 * 2**0.5, rel=0.25)
    assert np.abs(spread[1]).max() < 1e-9


def test_a_customer_keeps_taste_and_segment() -> None:
    world = world_of("heterogeneous", rounds=5_000)
    twin = world_of("homogeneous", rounds=5_000)
    assert world.customer is not None
    assert world.segment is not None

    taste = log_odds(world.means) - log_odds(twin.means)

    for customer in range(20):
        rows = np.flatnonzero(world.customer == customer)
        assert len(set(world.segment[rows].tolist())) == 1
        assert np.allclose(taste[rows], taste[rows[0]])
