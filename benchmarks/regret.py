"""What our selector misses in simulated worlds, beside the policies of other libraries.

Usage: ``OPENBLAS_NUM_THREADS=1 python benchmarks/regret.py --json`` (last line one JSON object).
Regret is against the best available arm's expected reward, as a share of what an even draw misses;
all policies face the same draws. The six worlds are the default, any of `seg1.testing.worlds` can
be named. The peers take most of the time and do not change with our code: keep what
``--only peers --json`` printed in a file, and give it with ``--peers FILE`` afterwards.
"""

import argparse
import json
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from regret_play import OURS, play
from seg1.testing import worlds

SIX = ("linear", "logit5", "drift", "newarm", "breast", "digits")
WORLDS = [name for name in worlds.__all__ if name not in ("World", "regret_share", "reward")]
EXPECTED = {"vw_squarecb": (0.20, 0.03), "gittins": (0.35, 0.05)}

Shares = dict[str, dict[str, list[float]]]
"""By policy and world, one for each seed."""


class Game(NamedTuple):
    """One policy in one world with one seed."""

    policy: str
    world: str
    seed: int


def played(game: Game, *, rounds: int, widen: float) -> tuple[Game, float, float]:
    """Play a game; give the regret share, and microseconds of a round."""
    world = getattr(worlds, game.world)(game.seed, rounds)
    if game.policy in OURS:
        policy = OURS[game.policy](world, seed=game.seed, widen=widen)
    else:
        from regret_peers import PEERS  # noqa: PLC0415  # ours are played without the peers

        policy = PEERS[game.policy](world, seed=game.seed)
    started = time.perf_counter()
    chosen = play(world, policy)
    took_us = (time.perf_counter() - started) / world.n_rounds * 1e6
    return game, worlds.regret_share(world, chosen), took_us


def games_of(arguments: argparse.Namespace) -> list[Game]:
    """List every game, those that take longest first."""
    ours = [] if arguments.only == "peers" else list(OURS)
    peers, slow = [], set()
    if arguments.only != "ours" and arguments.peers is None:
        from regret_peers import PEERS, SLOW  # noqa: PLC0415  # as above

        peers, slow = list(PEERS), set(SLOW)
    games = [
        Game(policy, world, seed)
        for world in arguments.worlds
        for policy in [*peers, *ours]
        for seed in range(
            min(arguments.seeds, arguments.slow_seeds) if policy in slow else arguments.seeds
        )
        if policy != "ours_no_features" or has_features(world)
    ]
    return sorted(games, key=lambda game: (game.policy not in slow, game.world != "digits"))


def has_features(world: str) -> bool:
    """Say whether the arms of a world have features."""
    return getattr(worlds, world)(0, 10).features is not None


def shares_of(arguments: argparse.Namespace) -> tuple[Shares, dict[str, dict[str, float]]]:
    """Play all games in processes; give shares, and the median time of a round."""
    work = partial(played, rounds=arguments.rounds, widen=arguments.widen)
    games = games_of(arguments)
    with ProcessPoolExecutor(arguments.workers, initializer=partial(threadpool_limits, 1)) as pool:
        # None: a bar at a terminal only.
        results = list(tqdm(pool.map(work, games), total=len(games), disable=None))
    shares: Shares = {}
    took: Shares = {}
    for game, share, took_us in sorted(results):
        for kept, value in ((shares, share), (took, took_us)):
            kept.setdefault(game.policy, {}).setdefault(game.world, []).append(value)
    medians = {
        policy: {world: round(float(np.median(us)), 1) for world, us in of_worlds.items()}
        for policy, of_worlds in took.items()
    }
    return shares, medians


def with_best_vw(shares: Shares) -> tuple[Shares, dict[str, Any]]:
    """Put the best of the grid in its place: one setting for all worlds, and one for each."""
    from regret_peers import VW_GRID  # noqa: PLC0415  # as above

    grid = {name: shares[name] for name in VW_GRID}
    others = {name: of_worlds for name, of_worlds in shares.items() if name not in grid}
    best = min(grid, key=lambda name: mean_of(grid[name]))
    of_each = {
        world: min((of_worlds[world] for of_worlds in grid.values()), key=np.mean)
        for world in grid[best]
    }
    told = {"vw_best": best, "vw_grid": {name: mean_of(grid[name]) for name in grid}}
    return others | {"vw_best": grid[best], "vw_best_of_each_world": of_each}, told


def mean_of(of_worlds: Mapping[str, Iterable[float]]) -> float:
    """Mean over worlds of the mean over seeds."""
    return float(np.mean([np.mean(list(shares)) for shares in of_worlds.values()]))


def told_of(shares: Shares) -> dict[str, Any]:
    """Give mean and standard error by world and policy, and the means over all worlds."""
    by_world: dict[str, dict[str, dict[str, float]]] = {}
    for policy, of_worlds in shares.items():
        for world, one in of_worlds.items():
            by_world.setdefault(world, {})[policy] = _mean_and_se(one)
    over_all = {
        policy: _mean_and_se(np.mean(list(of_worlds.values()), axis=0))
        for policy, of_worlds in shares.items()
        if len(of_worlds) == len(by_world)
    }
    return {"regret_share": by_world, "over_all_worlds": over_all}


def _mean_and_se(shares: Any) -> dict[str, float]:  # noqa: ANN401  # what numpy takes
    n = len(shares)
    se = float(np.std(shares, ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    return {"mean": round(float(np.mean(shares)), 4), "se": round(se, 4), "seeds": n}


def peers_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Read the figures of a peers' run, where it played the same games; else say so and stop."""
    peers: dict[str, Any] = json.loads(arguments.peers.read_text().splitlines()[-1])
    for key in ("worlds", "rounds", "seeds"):
        asked = getattr(arguments, key)
        if asked != peers[key]:
            raise SystemExit(f"the peers' file has other {key}: {peers[key]}, not {asked}")
    return peers


def merged(ours: dict[str, Any], peers: dict[str, Any]) -> dict[str, Any]:
    """Put the figures of a peers' run beside ours."""
    return ours | {
        "regret_share": {
            world: peers["regret_share"][world] | ours["regret_share"][world]
            for world in ours["worlds"]
        },
        "over_all_worlds": peers["over_all_worlds"] | ours["over_all_worlds"],
        "us_per_round": peers["us_per_round"] | ours["us_per_round"],
        "vw_best": peers["vw_best"],
        "vw_grid": peers["vw_grid"],
    }


def summed_up(figures: dict[str, Any]) -> dict[str, Any]:
    """Add what is compared: our means, ours over the best tuned peer's, and the worlds' check."""
    means = {policy: told["mean"] for policy, told in figures["over_all_worlds"].items()}
    told: dict[str, Any] = {}
    if "ours" in means:
        told["mean_regret_share"] = means["ours"]
        told["mean_regret_share_no_floor"] = means["ours_no_floor"]
    if "vw_best" in means and "ours" in means:
        told["vs_best_vw"] = round(means["ours"] / means["vw_best"], 4)
    is_known = tuple(figures["worlds"]) == SIX and figures["rounds"] == 10_000
    if is_known and "gittins" in means:
        told["world_check"] = {
            name: {"mean": means[name], "is_right": bool(abs(means[name] - centre) <= width)}
            for name, (centre, width) in EXPECTED.items()
        }
    return told | figures


def figures(arguments: argparse.Namespace) -> dict[str, Any]:
    """Play, or read, everything that was asked for."""
    peers = None if arguments.peers is None else peers_of(arguments)
    shares, took = shares_of(arguments)
    extra: dict[str, Any] = {}
    if any(name.startswith("squarecb") for name in shares):
        shares, extra = with_best_vw(shares)
    told = {
        "worlds": list(arguments.worlds),
        "rounds": arguments.rounds,
        "seeds": arguments.seeds,
        **told_of(shares),
        "us_per_round": {name: us for name, us in took.items() if not name.startswith("squarecb")},
        **extra,
    }
    return summed_up(told if peers is None else merged(told, peers))


def main() -> None:
    """Play, and print one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--slow-seeds", type=int, default=3, help="for peers of 1 ms a round")
    parser.add_argument("--worlds", nargs="+", default=list(SIX), choices=WORLDS)
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--only", choices=("ours", "peers"))
    parser.add_argument("--peers", type=Path, help="what a run with --only peers --json printed")
    parser.add_argument("--widen", type=float, default=1.0, help="factor of the declared ranges")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.only == "peers" and arguments.peers is not None:
        parser.error("--peers has been played: it goes with ours")
    print(json.dumps(figures(arguments), indent=None if arguments.json else 1))


if __name__ == "__main__":
    main()
