"""`World`: contacts whose best arm is known, and what a policy misses in them."""

from dataclasses import dataclass, fields
from typing import Final, Literal, TypeAlias

import numpy as np

from seg1._checks import DAY_US, read_only
from seg1._types import Bools, Float64s, Int32s, Int64s
from seg1.errors import InvalidArgumentError

__all__ = ["START_US", "Rewards", "World", "built", "regret_share", "reward"]

Rewards: TypeAlias = Literal["bernoulli", "gaussian", "lognormal"]
"""How rewards are drawn: worth or 0, mean and noise, or 0 and else an amount."""

START_US: Final = 20_454 * DAY_US  # 1 January 2026
_LENGTH_US: Final = 300 * DAY_US


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """Simulated contacts, one a round: what is known, what each arm would bring, and what it did.

    Rewards are drawn in advance for every arm, so that all policies face the same draws. Arrays are
    read-only. The last group of attributes is there in worlds that need it.

    Attributes
    ----------
    name
        Of the function that made it.
    contexts
        What is known of each contact, without a constant; float64, shape (n_rounds, n_numbers).
    ranges
        What a schema may declare for each number, low and high: two standard deviations to each
        side, or the true ends; float64, shape (n_numbers, 2). Of normal numbers 1 in 20 lies
        outside.
    means
        Expected reward, float64, shape (n_rounds, n_arms).
    rewards
        Reward, as drawn, float64, shape (n_rounds, n_arms).
    available
        Which arms may be chosen, bool, shape (n_rounds, n_arms), at least one in each round.
    at_us
        When, evenly over 300 days; int64, shape (n_rounds,).
    draws
        How rewards were drawn. "bernoulli": ``worth`` with probability ``means / worth``, else 0;
        "gaussian": ``means + reward_sd N(0, 1)``; "lognormal": 0, or an amount > 0.
    reward_sd
        Standard deviation of Gaussian noise; 0 for other draws.
    worth
        Of an acceptance, for each arm, float64, shape (n_arms,); 1 where rewards are 0 and 1.

    features
        Numbers that describe each arm, float64, shape (n_arms, n_features).
    group
        Which arms resemble each other, int32, shape (n_arms,).
    prices, cost
        The price ladder, falling, and what an acceptance costs.
    slots
        Names of the times that each offer can be shown for; arms are offer by offer.
    delay_us
        How long each contact's answer takes, microseconds, int64, shape (n_rounds,).
    customer, segment
        Of each contact, int32, shape (n_rounds,).

    Examples
    --------
    >>> from seg1.testing.worlds import linear
    >>> world = linear(seed=1, rounds=500)
    >>> world.contexts.shape, world.means.shape, world.draws
    ((500, 10), (500, 10), 'gaussian')
    """

    name: str
    contexts: Float64s
    ranges: Float64s
    means: Float64s
    rewards: Float64s
    available: Bools
    at_us: Int64s
    draws: Rewards
    reward_sd: float
    worth: Float64s

    features: Float64s | None = None
    group: Int32s | None = None
    prices: tuple[float, ...] = ()
    cost: float = 0.0
    slots: tuple[str, ...] = ()
    delay_us: Int64s | None = None
    customer: Int32s | None = None
    segment: Int32s | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                object.__setattr__(self, field.name, read_only(value))

    @property
    def n_rounds(self) -> int:
        """Count the contacts."""
        return len(self.means)

    @property
    def n_arms(self) -> int:
        """Count the arms."""
        return int(self.means.shape[1])

    @property
    def best(self) -> Int64s:
        """The available arm of the highest mean in each round, int64, shape (n_rounds,)."""
        best: Int64s = np.where(self.available, self.means, -np.inf).argmax(axis=1)
        return best


def built(
    name: str,
    means: Float64s,
    *,
    rng: np.random.Generator,
    contexts: Float64s,
    ranges: Float64s,
    reward_sd: float = 0.0,
    worth: Float64s | None = None,
) -> World:
    """Draw rewards: with Gaussian noise where `reward_sd` is above 0, else 0 or worth.

    All arms are available; what else a world has comes by `dataclasses.replace`.
    """
    n_rounds, n_arms = means.shape
    worth = np.ones(n_arms) if worth is None else worth
    rewards = (
        means + reward_sd * rng.standard_normal(means.shape)
        if reward_sd
        else np.where(rng.random(means.shape) * worth < means, worth, 0.0)
    )
    return World(
        name=name,
        contexts=contexts,
        ranges=ranges,
        means=means,
        rewards=rewards,
        available=np.ones(means.shape, np.bool_),
        at_us=START_US + np.arange(n_rounds, dtype=np.int64) * _LENGTH_US // n_rounds,
        draws="gaussian" if reward_sd else "bernoulli",
        reward_sd=reward_sd,
        worth=worth,
    )


def reward(world: World, t: int, arm: int) -> float:
    """Say what an arm brings in a round: the same draw, whoever asks.

    Parameters
    ----------
    world
        The world.
    t
        The round, from 0.
    arm
        Position of an arm that is available then.

    Raises
    ------
    InvalidArgumentError
        For an arm that is not available.

    Examples
    --------
    >>> from seg1.testing.worlds import logit5
    >>> world = logit5(seed=1, rounds=500)
    >>> reward(world, 3, 2) in (0.0, 1.0), reward(world, 3, 2) == reward(world, 3, 2)
    (True, True)
    """
    if not world.available[t, arm]:
        raise InvalidArgumentError(f"arm {arm} is not available in round {t}")
    return float(world.rewards[t, arm])


def regret_share(world: World, chosen: Int64s) -> float:
    """Give what a policy missed, as a share of what an even draw misses.

    ``sum_t (m*_t - m_t[chosen]) / sum_t (m*_t - mean of m_t)``: m are expected rewards, m* the
    highest of those available, and the mean is over the available arms. 0 is the best policy that
    there is, 1 is no better than a lottery.

    Parameters
    ----------
    world
        The world.
    chosen
        Position of the arm of each round, int, shape (n_rounds,).

    Raises
    ------
    InvalidArgumentError
        For another number of rounds, an arm that is not available, or a world in which all arms are
        equally good.

    Examples
    --------
    >>> from seg1.testing.worlds import drift
    >>> world = drift(seed=1, rounds=500)
    >>> regret_share(world, world.best)
    0.0
    """
    rounds = np.arange(world.n_rounds)
    if chosen.shape != rounds.shape:
        raise InvalidArgumentError(f"chosen must have shape {rounds.shape}, got {chosen.shape}")
    if not world.available[rounds, chosen].all():
        raise InvalidArgumentError("chosen has an arm that is not available in its round")
    best = world.means[rounds, world.best]
    even = np.where(world.available, world.means, 0.0).sum(axis=1) / world.available.sum(axis=1)
    of_even = float((best - even).sum())
    if of_even <= 0:
        raise InvalidArgumentError("all arms are equally good: there is nothing to miss")
    return float((best - world.means[rounds, chosen]).sum() / of_even)
