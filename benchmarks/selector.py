"""The selector: how fast, how exact, how stable; and how fast beside other libraries.

Usage: ``OPENBLAS_NUM_THREADS=1 python benchmarks/selector.py --json [--only KEY ...]`` (last line
one JSON object). Keys, each with a script of its own:

- ``times`` (`selector_times.py`): `choose_us`, `learn_us` and `encode_us`; a minute;
- ``pairs`` (`selector_peers.py`): `pairs_ratio`, what a peer takes for a choice and its answer over
  what we take. It needs vowpalwabbit, gittins and mabwiser (``pip install "seg1[bench]"``);
- ``exactness`` (`selector_exact.py`): of every explorer, and of slates; some minutes;
- ``stability`` (`selector_stable.py`): after a million answers; some minutes.

Regret is measured by `regret.py` and `regret_more.py`.
"""

import argparse
import json
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from threadpoolctl import threadpool_limits

import selector_exact
import selector_stable
import selector_times

SIZES = (20, 200)
PEERS = ("vowpalwabbit", "gittins", "mabwiser")
MUST = {
    "choose_us": {
        "20": {"per_offer": 50, "hybrid": 80, "inverse_gap": 20},
        "200": {"per_offer": 100, "hybrid": 250, "inverse_gap": 25},
    },
    "learn_us": {"per_offer": 15, "hybrid": 40},
    "encode_us": 4,
    "pairs_ratio": 1.5,
}
"""At most so many microseconds, warm, as a median; at least such a ratio."""


def times(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time what the selector does."""
    told: dict[str, Any] = {"choose_us": {}, "learn_us": {}, "cold_us": {}, "first_of_a_day_us": {}}
    for n_arms in SIZES:
        of = selector_times.selector_us(n_arms, n=arguments.n, n_cold=arguments.n // 10)
        told["choose_us"][str(n_arms)] = of["warm"]["choose"]
        told["learn_us"][str(n_arms)] = of["warm"]["learn"]
        told["cold_us"][str(n_arms)] = of["cold"]
        told["first_of_a_day_us"][str(n_arms)] = of["first of a day"]["learn"]
    return told | {"encode_us": selector_times.encode_us(n=arguments.n)}


def pairs(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time us beside the peers."""
    import selector_peers  # noqa: PLC0415  # all else runs without the peers

    return selector_peers.figures(SIZES, n=arguments.n // 8)


def exactness(arguments: argparse.Namespace) -> dict[str, Any]:
    """Check that logged probabilities are what was drawn by."""
    return selector_exact.figures(
        seeds=arguments.seeds, rounds=arguments.rounds, workers=arguments.workers
    )


def stability(arguments: argparse.Namespace) -> dict[str, Any]:
    """Check what was learned against a direct solution."""
    return {"stability": selector_stable.figures(n=arguments.updates)}


KEYS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "times": times,
    "pairs": pairs,
    "exactness": exactness,
    "stability": stability,
}


def main() -> None:
    """Measure, and print one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", nargs="+", choices=KEYS, default=list(KEYS), metavar="KEY")
    parser.add_argument("--n", type=int, default=2_000, help="calls of each kind that are timed")
    parser.add_argument("--seeds", type=int, default=20, help="of exactness")
    parser.add_argument("--rounds", type=int, default=5_000, help="of exactness")
    parser.add_argument("--updates", type=int, default=1_000_000, help="of stability")
    parser.add_argument("--workers", type=int, default=2, help="processes of exactness")
    arguments = parser.parse_args()
    missing = [name for name in PEERS if find_spec(name) is None]
    if "pairs" in arguments.only and missing:
        parser.error(f"pairs needs {', '.join(missing)}: install seg1[bench], or leave it out")
    told: dict[str, Any] = {"must": MUST}
    with threadpool_limits(1, "blas"):
        for key in arguments.only:
            told |= KEYS[key](arguments)
    print(json.dumps(told, indent=None if arguments.json else 1))


if __name__ == "__main__":
    main()
