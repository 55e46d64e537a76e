"""What our selector misses where arms are alike, prices fall, answers come late or are rare.

Usage: ``OPENBLAS_NUM_THREADS=1 python benchmarks/regret_more.py --json [--only KEY ...]`` (last
line one JSON object; a quarter of an hour on two cores). Worlds are those of `seg1.testing.worlds`;
figures are means over seeds with their standard errors. Keys:

- ``near_duplicates``: `near_duplicate_ratio`, the regret of joint draws over that of the same
  selector whose arms are taken as independent (200 arms that are 10 in truth, in groups that are
  equal, unequal, or one of 191 beside nine alone); by explorer, the default and plain Thompson
  sampling at half the deviation; and `near_duplicate_spread`, how unevenly what is alike was
  chosen: the mean squared weight that an even draw from the likeliest group has, 1 at best;
- ``prices``: `price_profit_share`, expected profit over the best possible, in the last quarter of
  20,000 rounds; and `monotone_violations`, how many draws of what was learned at the end let
  acceptance fall as the price falls;
- ``delayed``: `delayed_bias_pct`, how far the learned acceptance lies above the true share of
  answers within 7 days, in percent of it: where every answer is learned after 7 days, where
  acceptances are learned at once and refusals after 7 days, and where the engine's `EarlyAnswers`
  learn after a day; and `delayed_regret_share` of an engine that waits for its windows, and of one
  with `EarlyAnswers`, in the worlds delayed (windows of 7 days), newarm and drift (of 28);
- ``shares``: `regret_share` of the worlds newarm (with and without the features of offers), slots,
  rare and money. `regret.py` plays peers in them.
"""

import argparse
import heapq
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from regret import Game, played
from regret_delay import WINDOW_DAYS, early_bias_pct, engine_share, even_arms
from regret_play import WINDOW_US, Ours, goal_of, play, schema_of
from seg1.bandit import Explorer, OfferSelector, PosteriorState, ThompsonSampling
from seg1.offers import Offer
from seg1.testing import worlds
from seg1.testing.worlds import World

Floats = NDArray[np.float64]

DAY_US = 86_400 * 1_000_000
SHARES = (
    ("newarm", "ours"),
    ("newarm", "ours_no_features"),
    ("slots", "ours"),
    ("rare", "ours"),
    ("money", "ours"),
)
MUST = {
    "near_duplicate_ratio": 0.75,
    "price_profit_share": 0.95,
    "monotone_violations": 0,
    "delayed_bias_pct": 2,
    "regret_share newarm": 0.085,
}


SIZES = {
    "equal": (20,) * 10,
    "unequal": (100, 40, 20, 12, 8, 6, 5, 4, 3, 2),
    "one_large": (191,) + (1,) * 9,
}
EXPLORERS = {"default": ThompsonSampling(), "plain": ThompsonSampling(optimism=0, scale=0.5)}


@dataclass(frozen=True, slots=True)
class Marginals:
    """Thompson sampling that takes arms as independent, whatever they share."""

    explorer: ThompsonSampling
    needs_floor: bool = False

    def probabilities(self, mean: Floats, sd: Floats, *, eligible: NDArray[np.bool_]) -> Floats:
        """Give the probability that each arm is the best one of independent normals."""
        return self.explorer.probabilities(mean, sd, eligible=eligible)


class Spread:
    """`Ours`, which notes how evenly it chooses within the likeliest group."""

    def __init__(self, world: World, *, seed: int, explorer: Explorer) -> None:
        if world.group is None:
            raise RuntimeError("arms of this world have no groups")
        self._ours = Ours(world, seed=seed, explorer=explorer)
        self._group = world.group
        self.noted: list[float] = []

    def choose(self, t: int) -> int:
        """Choose an arm; now and then, note."""
        arm = self._ours.choose(t)
        if t % 20 == 0:
            p = self._ours.choices[t].probabilities
            of_group = p[self._group == np.bincount(self._group, weights=p).argmax()]
            even = 1.0 / len(of_group)
            self.noted.append(float((even**2 / (of_group / of_group.sum())).sum()))
        return arm

    def learn(self, t: int, amount: float) -> None:
        """Learn the answer."""
        self._ours.learn(t, amount)


class Remembered:
    """`Ours`, which learns into a second state as well, to be looked at."""

    def __init__(self, world: World, *, seed: int) -> None:
        self._ours = Ours(world, seed=seed)
        self.selector: OfferSelector = self._ours.selector
        self.state: PosteriorState = self.selector.start()
        self.x: list[Floats] = []

    def choose(self, t: int) -> int:
        """Choose an arm."""
        return self._ours.choose(t)

    def learn(self, t: int, amount: float) -> None:
        """Learn the answer, and remember the context."""
        choice = self._ours.choices[t]
        self.x.append(choice.x)
        if self.selector.learns_arm(choice.arm):
            self.state.fold(choice.arm, choice.x, float(amount > 0), at_us=choice.at_us)
        self._ours.learn(t, amount)


def near_duplicates(
    sizes: Sequence[int], explorer: ThompsonSampling, seed: int, *, rounds: int
) -> dict[str, float]:
    """Play with joint draws, and with marginals; give regret shares, and spreads in a group."""
    world = worlds.near_duplicates(seed, rounds, sizes=sizes)
    told: dict[str, float] = {}
    for name, one in (("joint", explorer), ("marginal", Marginals(explorer))):
        policy = Spread(world, seed=seed, explorer=one)
        told[name] = worlds.regret_share(world, play(world, policy))
        told[f"{name} spread"] = float(np.mean(policy.noted))
    return told


def prices(seed: int, *, rounds: int) -> dict[str, float]:
    """Play the ladder of prices for twice the rounds; look at the last quarter, and the state."""
    world = worlds.price_ladder(seed, 2 * rounds)
    policy = Remembered(world, seed=seed)
    chosen = play(world, policy)
    late = np.arange(3 * world.n_rounds // 4, world.n_rounds)
    profit, best = world.means[late, chosen[late]].sum(), world.means[late].max(axis=1).sum()
    ladder = np.arange(len(world.prices))
    violations = draws = 0
    for x in policy.x[-1_000:]:
        belief = policy.state.belief(x)
        if belief.draws is None:
            raise RuntimeError("what is believed of prices has no draws")
        drawn = np.vstack([belief.draws(ladder), belief.mean[ladder]])
        violations += int((np.diff(drawn, axis=1) < 0.0).sum())
        draws += len(drawn)
    return {"share": float(profit / best), "violations": violations, "draws": draws}


def delayed(seed: int, *, rounds: int) -> dict[str, float]:
    """Learn late answers in three ways, of arms drawn evenly; give their biases in percent.

    Each round is predicted by what is known before it, from the 15th day on: of an answer nothing
    is known before the 8th. Even draws leave the bias of the delay alone: a policy that chooses
    what looks good shows what was overestimated.
    """
    world = worlds.delayed(seed, rounds)
    told = {
        name: _bias_pct(world, seed=seed, is_at_once=is_at_once)
        for name, is_at_once in (("after_the_window", False), ("acceptances_at_once", True))
    }
    return told | {"early_answers": early_bias_pct(world, seed=seed)}


def _bias_pct(world: World, *, seed: int, is_at_once: bool) -> float:
    if world.delay_us is None:
        raise RuntimeError("answers of this world are not delayed")
    names = [f"n{i}" for i in range(world.contexts.shape[1])]
    schema = schema_of(world, names, widen=1.0)
    offers = [Offer(f"offer {k}") for k in range(world.n_arms)]
    selector = OfferSelector(offers, context=schema, goal=goal_of(world), no_offer=False)
    state = selector.start()
    is_in_time = world.delay_us <= WINDOW_US
    arms = even_arms(world, seed=seed)
    truth = world.means * is_in_time.mean()
    waiting: list[tuple[int, int, float]] = []  # when it is learned, the round, the answer
    encoded: list[Floats] = []
    begin_us = int(world.at_us[0]) + 14 * DAY_US
    wrong, whole = 0.0, 0.0
    for t, (at_us, arm) in enumerate(zip(world.at_us.tolist(), arms, strict=True)):
        while waiting and waiting[0][0] <= at_us:
            _, then, answer = heapq.heappop(waiting)
            state.fold(arms[then], encoded[then], answer, at_us=int(world.at_us[then]))
        encoded.append(schema.encode(dict(zip(names, world.contexts[t].tolist(), strict=True))))
        if at_us >= begin_us:
            wrong += float((state.belief(encoded[t]).mean - truth[t]).sum())
            whole += float(truth[t].sum())
        answer = float(is_in_time[t] and world.rewards[t, arm] > 0)
        wait_us = int(world.delay_us[t]) if is_at_once and answer else WINDOW_US
        heapq.heappush(waiting, (at_us + wait_us, t, answer))
    return 100.0 * wrong / whole


def share(world: str, policy: str, seed: int, *, rounds: int) -> dict[str, float]:
    """Play a world; give the regret share."""
    _, regret_share, _ = played(Game(policy, world, seed), rounds=rounds, widen=1.0)
    return {"share": regret_share}


def mean_and_se(figures: Sequence[float] | Floats) -> dict[str, float]:
    """Give the mean over seeds, and its standard error."""
    se = np.std(figures, ddof=1) / np.sqrt(len(figures)) if len(figures) > 1 else 0.0
    return {"mean": round(float(np.mean(figures)), 4), "se": round(float(se), 4)}


def ratio_and_se(over: Floats, under: Floats) -> dict[str, float]:
    """Give the ratio of two means over the same seeds, and its standard error (jackknife)."""
    n = len(over)
    without = (over.sum() - over) / (under.sum() - under) if n > 1 else np.zeros(1)
    se = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    return {"mean": round(float(over.sum() / under.sum()), 4), "se": round(float(se), 4)}


Results = dict[str, list[dict[str, float]]]


def told_near_duplicates(results: Results) -> dict[str, Any]:
    """Sum up the seeds of `near_duplicates`, by world and explorer."""
    told: dict[str, dict[str, Any]] = {"ratio": {}, "share": {}, "spread": {}}
    for game, of_seeds in results.items():
        by_name = {name: np.array([one[name] for one in of_seeds]) for name in of_seeds[0]}
        told["ratio"][game] = ratio_and_se(by_name["joint"], by_name["marginal"])
        for word, end in (("share", ""), ("spread", " spread")):
            told[word][game] = {
                name: mean_and_se(by_name[f"{name}{end}"]) for name in ("joint", "marginal")
            }
    return {f"near_duplicate_{word}": games for word, games in told.items()}


def told_prices(results: Results) -> dict[str, Any]:
    """Sum up the seeds of `prices`."""
    (of_seeds,) = results.values()
    return {
        "price_profit_share": mean_and_se([one["share"] for one in of_seeds]),
        "monotone_violations": sum(one["violations"] for one in of_seeds),
        "monotone_draws": sum(one["draws"] for one in of_seeds),
    }


def told_delayed(results: Results) -> dict[str, Any]:
    """Sum up the seeds of `delayed`."""
    of_seeds = results.pop("bias")
    bias = {name: mean_and_se([one[name] for one in of_seeds]) for name in of_seeds[0]}
    return {"delayed_bias_pct": bias, "delayed_regret_share": {
        world: {name: mean_and_se([one[name] for one in games]) for name in games[0]}
        for world, games in results.items()
    }}  # fmt: skip


def told_shares(results: Results) -> dict[str, Any]:
    """Sum up the seeds of each world."""
    told: dict[str, Any] = {}
    for name, of_seeds in results.items():
        world, policy = name.split()
        told.setdefault(world, {})[policy] = mean_and_se([one["share"] for one in of_seeds])
    return {"regret_share": told}


KEYS: dict[str, tuple[dict[str, Callable[..., dict[str, float]]], Callable[[Results], Any]]] = {
    "near_duplicates": (
        {
            f"{name} {of}": partial(near_duplicates, sizes, explorer)
            for (name, sizes), (of, explorer) in product(SIZES.items(), EXPLORERS.items())
        },
        told_near_duplicates,
    ),
    "prices": ({"prices": prices}, told_prices),
    "delayed": (
        {"bias": delayed, **{name: partial(engine_share, name) for name in WINDOW_DAYS}},
        told_delayed,
    ),
    "shares": (
        {f"{world} {policy}": partial(share, world, policy) for world, policy in SHARES},
        told_shares,
    ),
}
"""By key: what is played, called with a seed and `rounds=`; and what sums it up."""


def figures(arguments: argparse.Namespace) -> dict[str, Any]:
    """Play all that was asked for, in processes, and sum it up."""
    seeds = range(arguments.seeds)
    told: dict[str, Any] = {"seeds": arguments.seeds, "rounds": arguments.rounds, "must": MUST}
    with ProcessPoolExecutor(arguments.workers, initializer=partial(threadpool_limits, 1)) as pool:
        for key in arguments.only:
            games, sum_up = KEYS[key]
            work = list(product(games, seeds))
            done = pool.map(partial(_played, key, arguments.rounds), work)
            results: Results = {name: [] for name in games}
            # None: a bar at a terminal only.
            for (name, _), one in zip(work, tqdm(done, total=len(work), disable=None), strict=True):
                results[name].append(one)
            told |= sum_up(results)
    return told


def _played(key: str, rounds: int, game: tuple[str, int]) -> dict[str, float]:
    name, seed = game
    return KEYS[key][0][name](seed, rounds=rounds)


def main() -> None:
    """Play, and print one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", nargs="+", choices=KEYS, default=list(KEYS), metavar="KEY")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    print(json.dumps(figures(arguments), indent=None if arguments.json else 1))


if __name__ == "__main__":
    main()
