"""Worlds with what a shop has: price ladders, slots, answers that come late, rare or in money.

Contexts are ``x = [1, z]``, ``z ~ N(0, I_10) / sqrt(10)`` unless said; ``s`` is the logistic
function, and N(0, 1) is drawn afresh wherever it stands.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from seg1._checks import DAY_US
from seg1.testing.worlds.drawing import contexts_of, logits_at_rate, sigmoid, with_constant
from seg1.testing.worlds.world import World, built

__all__ = ["delayed", "money", "near_duplicates", "price_ladder", "rare", "slots"]


def price_ladder(seed: int, rounds: int = 10_000, *, elasticity: float = 8.0) -> World:
    """Show one offer at one of five prices, or nothing; the reward is the margin.

    At price p it is accepted with ``s(a + e (1 - p / 2))``: the base ``a = -2.2 + 0.8 w'z`` and the
    elasticity ``e = elasticity s(1.5 v'z) > 0``, w and v ~ N(0, 1), are the contact's own. So
    acceptance falls with the price for everybody, and whom a discount pays for is to be learned.
    Means are ``(p - cost) P(accept)`` for each rung, and 0 for no offer, the last arm.

    Parameters
    ----------
    seed, rounds
        As for `linear`.
    elasticity
        What the log odds would gain at most from a discount of all of the price, > 0.

    Examples
    --------
    >>> world = price_ladder(seed=1, rounds=500)
    >>> world.prices, world.cost, world.worth.round(2).tolist()
    ((2.0, 1.8, 1.6, 1.4, 1.2), 0.8, [1.2, 1.0, 0.8, 0.6, 0.4, 0.0])
    >>> len(set(world.best.tolist()))  # customers differ in the price that is best
    5
    """
    rng = np.random.default_rng(seed)
    z, ranges = contexts_of(rng, rounds)
    prices, cost = np.array([2.0, 1.8, 1.6, 1.4, 1.2]), 0.8
    base = -2.2 + 0.8 * z @ rng.standard_normal(10)
    own = elasticity * sigmoid(1.5 * z @ rng.standard_normal(10))
    accepts = sigmoid(base[:, None] + own[:, None] * (1.0 - prices / 2.0))
    worth = np.append(prices - cost, 0.0)
    means = np.column_stack([accepts, np.zeros(rounds)]) * worth
    world = built("price_ladder", means, rng=rng, contexts=z, ranges=ranges, worth=worth)
    return replace(world, prices=tuple(prices.tolist()), cost=cost)


def slots(seed: int, rounds: int = 10_000) -> World:
    """Show one of 3 offers now, in the evening or on Saturday: 9 arms, offer by offer.

    Accepted with ``s(x'theta_offer + x'gamma_slot)``: which time suits depends on the contact, and
    is the same for each offer. ``theta ~ N(0, 1)``, intercepts ``-2.2 + 0.3 N(0, 1)``;
    ``gamma ~ N(0, 1)``, intercepts times 0.3.

    Parameters
    ----------
    seed, rounds
        As for `linear`.

    Examples
    --------
    >>> world = slots(seed=1, rounds=500)
    >>> world.slots, world.n_arms
    (('now', 'evening', 'saturday'), 9)
    """
    rng = np.random.default_rng(seed)
    z, ranges = contexts_of(rng, rounds)
    theta, gamma = rng.standard_normal((11, 3)), rng.standard_normal((11, 3))
    theta[0] = -2.2 + 0.3 * theta[0]
    gamma[0] *= 0.3
    of_arm = (theta[:, :, None] + gamma[:, None, :]).reshape(11, 9)
    means = sigmoid(with_constant(z) @ of_arm)
    world = built("slots", means, rng=rng, contexts=z, ranges=ranges)
    return replace(world, slots=("now", "evening", "saturday"))


def delayed(seed: int, rounds: int = 10_000) -> World:
    """Answer late: as `drift` without the change, after ``exp(1.5 N(0, 1))`` days.

    Half of the answers take longer than a day, and one in ten longer than a window of 7 days.

    Parameters
    ----------
    seed, rounds
        As for `linear`.

    Examples
    --------
    >>> world = delayed(seed=1, rounds=2_000)
    >>> float((world.delay_us > 7 * 86_400_000_000).mean().round(1))
    0.1
    """
    rng = np.random.default_rng(seed)
    z, ranges = contexts_of(rng, rounds)
    theta = 1.5 * rng.standard_normal((11, 10))
    theta[0] = -1.5 + 0.5 * rng.standard_normal(10)
    delay_us = (np.exp(1.5 * rng.standard_normal(rounds)) * DAY_US).astype(np.int64)
    means = sigmoid(with_constant(z) @ theta)
    return replace(built("delayed", means, rng=rng, contexts=z, ranges=ranges), delay_us=delay_us)


def rare(seed: int, rounds: int = 10_000) -> World:
    """Let 10 arms be accepted 1 time in 100 on average, exactly.

    ``s(x'theta + c)``, theta ~ N(0, 1), intercepts times 0.3; c makes the mean of all 0.01.

    Parameters
    ----------
    seed, rounds
        As for `linear`.

    Examples
    --------
    >>> round(float(rare(seed=1, rounds=500).means.mean()), 6)
    0.01
    """
    rng = np.random.default_rng(seed)
    z, ranges = contexts_of(rng, rounds)
    theta = rng.standard_normal((11, 10))
    theta[0] *= 0.3
    means = sigmoid(logits_at_rate(with_constant(z) @ theta, rate=0.01))
    return built("rare", means, rng=rng, contexts=z, ranges=ranges)


def money(seed: int, rounds: int = 10_000) -> World:
    """Spend amounts: nothing for 9 of 10 on average, else a log-normal sum.

    An answer comes with ``s(x'theta + c)``, 0.1 on average, and is then ``exp(x'mu + N(0, 1))``, so
    that means are ``s(x'theta + c) exp(x'mu + 1/2)``. theta and mu ~ N(0, 1) and 0.4 N(0, 1),
    intercepts times 0.3 and ``2 + 0.3 N(0, 1)``. The best arm is often not the one that is answered
    most.

    Parameters
    ----------
    seed, rounds
        As for `linear`.

    Examples
    --------
    >>> world = money(seed=1, rounds=500)
    >>> bool((world.rewards == 0).mean() > 0.8), bool(world.rewards.max() > 30)
    (True, True)
    """
    rng = np.random.default_rng(seed)
    z, ranges = contexts_of(rng, rounds)
    x = with_constant(z)
    theta, mu = rng.standard_normal((11, 10)), 0.4 * rng.standard_normal((11, 10))
    theta[0] *= 0.3
    mu[0] = 2.0 + 0.3 * rng.standard_normal(10)
    answers = sigmoid(logits_at_rate(x @ theta, rate=0.1))
    amounts = np.exp(x @ mu + rng.standard_normal(answers.shape))
    rewards = np.where(rng.random(answers.shape) < answers, amounts, 0.0)
    world = built("money", answers * np.exp(x @ mu + 0.5), rng=rng, contexts=z, ranges=ranges)
    return replace(world, rewards=rewards, draws="lognormal")


def near_duplicates(seed: int, rounds: int = 10_000, *, sizes: Sequence[int] = (20,) * 10) -> World:
    """Offer arms in groups, almost equal within a group: 200 in 10 groups of 20, unless told.

    Accepted with ``s(x'(theta_group + 0.05 N(0, 1)))``, ``theta ~ 1.5 N(0, 1)``, intercepts
    ``-2 + 0.5 N(0, 1)``, whatever the size of the group. Features are 1 for the group and 0 for the
    others.

    Parameters
    ----------
    seed, rounds
        As for `linear`.
    sizes
        How many arms each group has, >= 1 each: what comes in many prices and slots has many.

    Examples
    --------
    >>> world = near_duplicates(seed=1, rounds=100)
    >>> world.n_arms, world.features.sum(axis=0).tolist() == [20.0] * 10
    (200, True)
    >>> near_duplicates(seed=1, rounds=100, sizes=[3, 1]).group.tolist()
    [0, 0, 0, 1]
    """
    rng = np.random.default_rng(seed)
    z, ranges = contexts_of(rng, rounds)
    theta = 1.5 * rng.standard_normal((11, len(sizes)))
    theta[0] = -2.0 + 0.5 * rng.standard_normal(len(sizes))
    group = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    of_arm = theta[:, group] + 0.05 * rng.standard_normal((11, len(group)))
    means = sigmoid(with_constant(z) @ of_arm)
    world = built("near_duplicates", means, rng=rng, contexts=z, ranges=ranges)
    return replace(world, group=group, features=np.eye(len(sizes))[group])
