"""What a customer's own response history adds, and that it does no harm where it tells nothing.

Usage: ``OPENBLAS_NUM_THREADS=1 python benchmarks/individual.py --json``; the last line is one JSON
object. Our selector plays two worlds of `seg1.testing.worlds`: customers with tastes, and customers
alike. It knows the context alone ("all"), or the customer's own effect on each offer's answers too
("individual"): added to the answer that is expected of everybody, who learn answers less it, as the
engine does; before, the effect was one more feature of each arm ("as_feature"). All face the same
draws. Others are played with the first seeds for comparison: the effect of the segment, the segment
as a category of the context, and the customer's effect with answers held against what the selector
expected *with* it ("as_chosen"). Figures are expected rewards over those of "all", with a 95 %
interval of the mean over seeds, which are paired; `new_customer_low` is the lower end in the first
five contacts of a customer, in the world where it is lowest. A single game's ratio there has a
standard deviation of .02: with 10 seeds its interval alone is wider than what it is to show.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from threadpoolctl import threadpool_limits
from tqdm import tqdm

import seg1
from regret_play import schema_of
from seg1.bandit import PartialPooling
from seg1.testing import worlds
from seg1.testing.worlds import World, reward

WORLDS = ("heterogeneous", "homogeneous")
WAYS = ("all", "individual")
OTHERS = ("segment", "segment_category", "as_chosen", "as_feature")
N_NEW = 5  # contacts

Floats = NDArray[np.float64]
Rewards = dict[tuple[str, str], list[tuple[float, float]]]
"""By world and way, for each seed: the mean over all contacts, and over those of new customers."""


class Game(NamedTuple):
    """One way to know customers, in one world, with one seed."""

    world: str
    way: str
    seed: int


class Player:
    """Our selector with its defaults but for `no_offer`, and customers' effects."""

    def __init__(self, world: World, *, way: str, seed: int) -> None:
        self._world, self._way = world, way
        self._names = [f"n{i}" for i in range(world.contexts.shape[1])]
        self._selector = seg1.OfferSelector(
            [seg1.Offer(f"offer {k}") for k in range(world.n_arms)],
            context=self._schema(),
            goal=seg1.Goal.response(),
            no_offer=False,
            seed=seed,
        )
        self._has_effects = way not in ("all", "segment_category")
        self._has_own = way == "as_feature"
        n_features = self._selector.schema.n_features + self._has_own
        self._state = self._selector.start(n_features=n_features)
        self._history = PartialPooling().start()
        self._eligible = np.ones(world.n_arms, np.bool_)

    def _schema(self) -> seg1.ContextSchema:
        schema = schema_of(self._world, self._names, widen=1.0)
        if self._way != "segment_category" or self._world.segment is None:
            return schema
        segments = sorted({str(segment) for segment in self._world.segment.tolist()})
        return seg1.ContextSchema(numeric=schema.numeric, categorical={"segment": segments})

    def play(self, t: int, *, customer: int, segment: int) -> int:
        """Choose an arm in round t, learn what it brought, and give it."""
        at_us = int(self._world.at_us[t])
        x = self._encoded(t, segment=segment)
        effects = self._effects(customer, segment=segment) if self._has_effects else None
        # Either the effects are added to what is expected, or they are a feature.
        own, added = (effects, None) if self._has_own else (None, effects)
        scored = self._selector.probabilities(
            self._state, x, own=own, eligible=self._eligible, effects=added
        )
        arm = self._selector.draw(scored.p, draw_id=t)
        answer = reward(self._world, t, arm)
        if effects is not None:
            expected = float(scored.response[arm])
            if self._way != "as_chosen":  # of one who is like the others
                expected = self._expected(x)[arm]
            self._history.fold(
                customer, answer, expected=expected, segment=segment, group=arm, at_us=at_us
            )
        if own is not None:
            x = np.append(x, own[arm])
        left = answer if added is None else answer - float(added[arm])
        self._state.fold(arm, x, left, at_us=at_us)
        return arm

    def _encoded(self, t: int, *, segment: int) -> Floats:
        context: dict[str, object] = dict(
            zip(self._names, self._world.contexts[t].tolist(), strict=True)
        )
        if self._way == "segment_category":
            context["segment"] = str(segment)
        return self._selector.schema.encode(context)

    def _effects(self, customer: int, *, segment: int) -> Floats:
        who = -1 if self._way == "segment" else customer  # nobody is -1: the segment's effects
        return np.array(self._history.effects(who, segment, groups=range(self._world.n_arms)))

    def _expected(self, x: Floats) -> list[float]:
        own = np.zeros(self._world.n_arms) if self._has_own else None
        mean = self._state.belief(x, own=own).mean
        expected: list[float] = mean.clip(0.0, 1.0).tolist()
        return expected


def played(game: Game, *, rounds: int) -> tuple[Game, tuple[float, float]]:
    """Play a game; give mean expected rewards, over all contacts and over new customers'."""
    world: World = getattr(worlds, game.world)(game.seed, rounds)
    if world.customer is None or world.segment is None:
        raise SystemExit(f"{game.world} has no customers")
    player = Player(world, way=game.way, seed=game.seed)
    customers, segments = world.customer.tolist(), world.segment.tolist()
    chosen = [
        player.play(t, customer=customers[t], segment=segments[t]) for t in range(world.n_rounds)
    ]
    rewards = world.means[np.arange(rounds), chosen]
    return game, (float(rewards.mean()), float(rewards[is_new(customers)].mean()))


def is_new(customers: list[int]) -> NDArray[np.bool_]:
    """Say of each contact whether it is one of the first of its customer."""
    seen: dict[int, int] = {}
    told = []
    for customer in customers:
        seen[customer] = seen.get(customer, 0) + 1
        told.append(seen[customer] <= N_NEW)
    return np.array(told)


def rewards_of(arguments: argparse.Namespace) -> Rewards:
    """Play all games in processes."""
    games = [
        Game(world, way, seed)
        for seed in range(arguments.seeds)
        for world in WORLDS
        for way in (WAYS if seed >= arguments.others else (*WAYS, *OTHERS))
    ]
    work = partial(played, rounds=arguments.rounds)
    rewards: Rewards = {}
    with ProcessPoolExecutor(arguments.workers, initializer=partial(threadpool_limits, 1)) as pool:
        # None: a bar at a terminal only.
        for game, told in tqdm(pool.map(work, games), total=len(games), disable=None):
            rewards.setdefault((game.world, game.way), []).append(told)
    return rewards


def interval(ratios: Floats) -> dict[str, float]:
    """Give the mean of ratios, one for each seed, and the ends of its 95 % interval."""
    half = float(stats.t.ppf(0.975, len(ratios) - 1) * stats.sem(ratios))
    mean = float(ratios.mean())
    return {"mean": round(mean, 4), "low": round(mean - half, 4), "high": round(mean + half, 4)}


def figures(rewards: Rewards) -> dict[str, Any]:
    """Compare every way with "all", and the customer's effect with the others, seed by seed."""
    told = {key: np.array(pairs) for key, pairs in rewards.items()}  # (n_seeds, 2) each

    def over(world: str, way: str, *, base: str = "all", part: int = 0) -> dict[str, float]:
        own, of_base = told[world, way][:, part], told[world, base][:, part]
        n_seeds = min(len(own), len(of_base))  # the first ones: of both the same
        return interval(own[:n_seeds] / of_base[:n_seeds])

    ways = [way for way in (*WAYS, *OTHERS) if way != "all"]
    new = {world: over(world, "individual", part=1) for world in WORLDS}
    return {
        "individual_gain": {way: over("heterogeneous", way) for way in ways} | {"all": 1.0},
        "individual_over_segment": over("heterogeneous", "individual", base="segment"),
        "individual_over": {way: over("heterogeneous", "individual", base=way) for way in OTHERS},
        "homogeneous_ratio": over("homogeneous", "individual")["mean"],
        "new_customer_low": min(one["low"] for one in new.values()),
        "homogeneous": {way: over("homogeneous", way) for way in ways},
        "new_customer": new,
        "reward_of_all": {
            world: round(float(told[world, "all"][:, 0].mean()), 4) for world in WORLDS
        },
    }


def main() -> None:
    """Play, and print one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seeds", type=int, default=50, help="at least 2")
    parser.add_argument("--others", type=int, default=10, help="seeds of the other ways, too")
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    if not 2 <= arguments.others <= arguments.seeds:  # an interval is over seeds
        parser.error("give 2 seeds at least, and no more to the others than there are")
    told = {"seeds": arguments.seeds, "others": arguments.others, "rounds": arguments.rounds}
    told |= figures(rewards_of(arguments))
    print(json.dumps(told, indent=None if arguments.json else 1))


if __name__ == "__main__":
    main()
