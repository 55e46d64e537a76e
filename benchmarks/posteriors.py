"""Which posterior misses least in which world: why one is chosen by itself.

Usage: ``OPENBLAS_NUM_THREADS=1 python benchmarks/posteriors.py --json``; the last line is one JSON
object: `regret_share` by world and posterior, a mean over seeds with its standard error, all else
being the selector's defaults. "chosen" is what the selector takes where none is given. A posterior
is left out where the world has nothing for it: features, or prices.
"""

import argparse
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from typing import Any

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from regret_more import mean_and_se
from regret_play import Ours, play
from seg1.bandit import HybridLinear, LadderLinear, PerOfferLinear, Posterior, SharedLinear
from seg1.testing import worlds
from seg1.testing.worlds import World

Posteriors = dict[str, Posterior]

ALONE: Posteriors = {
    "PerOfferLinear": PerOfferLinear(),
    "PerOfferLinear, logit": PerOfferLinear(link="logit"),
}
SHARED: Posteriors = {
    **ALONE,
    "SharedLinear": SharedLinear(),
    "HybridLinear": HybridLinear(),
    "HybridLinear, logit": HybridLinear(link="logit"),
}
PRICED: Posteriors = {
    **ALONE,
    "LadderLinear": LadderLinear(),
    "LadderLinear, identity": LadderLinear(link="identity"),
}
POSTERIORS: dict[str, Posteriors] = {
    "logit5": ALONE,
    "digits": ALONE,
    "newarm": SHARED,
    "near_duplicates": SHARED,
    "slots": SHARED,
    "price_ladder": PRICED,
    "price_ladder_mild": PRICED,
}


WORLDS: dict[str, Callable[[int, int], World]] = {
    **{name: getattr(worlds, name) for name in POSTERIORS if hasattr(worlds, name)},
    # A quarter of the elasticity: for fewer customers a discount pays.
    "price_ladder_mild": partial(worlds.price_ladder, elasticity=2.0),
}


def share(world_name: str, posterior_name: str, *, seed: int, rounds: int) -> float:
    """Play a world; give the regret share."""
    world = WORLDS[world_name](seed, rounds)
    posterior = POSTERIORS[world_name].get(posterior_name)
    return worlds.regret_share(world, play(world, Ours(world, seed=seed, posterior=posterior)))


def shares(arguments: argparse.Namespace) -> dict[str, dict[str, dict[str, float]]]:
    """Play all, in processes; give means and standard errors."""
    games = [(world, name) for world in arguments.only for name in (*POSTERIORS[world], "chosen")]
    work = list(product(games, range(arguments.seeds)))
    told: dict[str, dict[str, list[float]]] = {}
    with ProcessPoolExecutor(arguments.workers, initializer=partial(threadpool_limits, 1)) as pool:
        done = pool.map(partial(_played, arguments.rounds), work)
        # None: a bar at a terminal only.
        for ((world, name), _), one in zip(work, tqdm(done, total=len(work), disable=None)):  # noqa: B905  # map gives as many
            told.setdefault(world, {}).setdefault(name, []).append(one)
    return {
        world: {name: mean_and_se(of_seeds) for name, of_seeds in by_name.items()}
        for world, by_name in told.items()
    }


def _played(rounds: int, game: tuple[tuple[str, str], int]) -> float:
    (world, name), seed = game
    return share(world, name, seed=seed, rounds=rounds)


def main() -> None:
    """Play, and print one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--only", nargs="+", choices=POSTERIORS, default=list(POSTERIORS), metavar="WORLD"
    )
    parser.add_argument("--seeds", type=int, default=10, help="at least 2")
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    told: dict[str, Any] = {"seeds": arguments.seeds, "rounds": arguments.rounds}
    told["regret_share"] = shares(arguments)
    print(json.dumps(told, indent=None if arguments.json else 1))


if __name__ == "__main__":
    main()
