"""A game of a policy with a world, and our own policy: public names only. Run by `regret.py`."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

import seg1
from seg1.bandit import Explorer, Posterior, ThompsonSampling
from seg1.testing.worlds import World, reward

if TYPE_CHECKING:
    from seg1.bandit import Choice

__all__ = ["OURS", "Ours", "Policy", "goal_of", "offers_of", "play", "schema_of"]

WINDOW_US = 7 * 86_400 * 1_000_000


class Policy(Protocol):
    """What is played: it chooses an arm in a round, and is told what the arm brought."""

    def choose(self, t: int) -> int:
        """Choose an available arm in round t."""
        ...

    def learn(self, t: int, amount: float) -> None:
        """Learn what the arm chosen in round t brought."""
        ...


def play(world: World, policy: Policy) -> NDArray[np.int64]:
    """Let a policy choose in every round, and tell it the answers; give what it chose.

    Where answers are delayed, each is told 7 days after its round: 0, if it was not there by then.
    """
    chosen = np.empty(world.n_rounds, np.int64)
    delay_us = np.zeros_like(world.at_us) if world.delay_us is None else world.delay_us
    wait_us = 0 if world.delay_us is None else WINDOW_US
    waiting: deque[int] = deque()
    for t in range(world.n_rounds):
        while waiting and world.at_us[waiting[0]] + wait_us <= world.at_us[t]:
            then = waiting.popleft()
            is_there = delay_us[then] <= wait_us
            policy.learn(then, reward(world, then, int(chosen[then])) if is_there else 0.0)
        chosen[t] = policy.choose(t)
        waiting.append(t)
    return chosen


class Ours:
    """`seg1.OfferSelector` alone, with its defaults but for `no_offer`.

    `choices` holds those that wait for their answers, by round.
    """

    def __init__(
        self,
        world: World,
        *,
        seed: int,
        floor: float = 0.01,
        has_features: bool = True,
        widen: float = 1.0,
        explorer: Explorer = ThompsonSampling(),  # noqa: B008  # frozen
        posterior: Posterior | None = None,
    ) -> None:
        names = [f"n{i}" for i in range(world.contexts.shape[1])]
        self._contexts = [dict(zip(names, x, strict=True)) for x in world.contexts.tolist()]
        self._at_us = world.at_us.tolist()
        self._learns_reward = world.draws != "bernoulli"
        self.choices: dict[int, Choice] = {}
        self.selector = seg1.OfferSelector(
            offers_of(world, has_features=has_features),
            context=schema_of(world, names, widen=widen),
            goal=goal_of(world),
            explorer=explorer,
            posterior=posterior,
            floor=floor,
            no_offer=bool(world.prices),
            seed=seed,
        )

    def choose(self, t: int) -> int:
        """Choose an arm; those not born yet are offers not valid yet."""
        choice = self.selector.choose(self._contexts[t], id=t, at=self._at_us[t])
        self.choices[t] = choice
        return choice.arm

    def learn(self, t: int, amount: float) -> None:
        """Learn the amount, or whether there was one."""
        choice = self.choices.pop(t)
        if self._learns_reward:
            self.selector.learn(choice, reward=amount, at=choice.at_us)
        else:
            self.selector.learn(choice, accepted=amount > 0, at=choice.at_us)


def schema_of(world: World, names: list[str], *, widen: float) -> seg1.ContextSchema:
    """Declare the ranges that the world declares, times a factor about their middles."""
    middle, half = world.ranges.mean(axis=1), np.ptp(world.ranges, axis=1) / 2.0 * widen
    low, high = (middle - half).tolist(), (middle + half).tolist()
    return seg1.ContextSchema(numeric={name: (low[i], high[i]) for i, name in enumerate(names)})


def goal_of(world: World) -> seg1.Goal:
    """Learn acceptance where it is drawn, else the amount."""
    if world.draws != "bernoulli":
        return seg1.Goal.incremental(reward_cap=1e9, window_days=7)
    return seg1.Goal.margin() if world.prices else seg1.Goal.response()


def offers_of(world: World, *, has_features: bool) -> list[seg1.Offer]:
    """Make offers whose arms lie in the world's order."""
    if world.prices:
        return [seg1.Offer("offer", prices=world.prices, cost=world.cost)]
    born_us = world.at_us[world.available.argmax(axis=0)].tolist()
    if (world.available != (world.at_us[:, None] >= born_us)).any():
        raise RuntimeError("an arm goes again: an offer's validity cannot say that of a round")
    per_offer = max(len(world.slots), 1)
    features = world.features if has_features else None
    return [
        seg1.Offer(
            f"offer {k}",
            slots=world.slots,
            features=(
                {} if features is None else {f"f{i}": v for i, v in enumerate(features[k].tolist())}
            ),
            group=None if world.group is None else f"group {world.group[k]}",
            valid_from=born_us[k * per_offer],
        )
        for k in range(world.n_arms // per_offer)
    ]


OURS: dict[str, Callable[..., Policy]] = {
    "ours": Ours,
    "ours_no_floor": partial(Ours, floor=0.0),
    "ours_no_features": partial(Ours, has_features=False),
}
"""Policies by name, made of a world and `seed=`."""
