"""The demo's claims on 20 seeds: other consent, other starts, other intervals.

Of steps 5 to 7 each seed runs but one simulation: the demo itself runs twenty.

Usage: ``python benchmarks/demo_seeds.py [--seeds N] [--json]``.
"""

import argparse
import contextlib
import io
import json
import tempfile
from pathlib import Path

import numpy as np

from seg1.demo.run import run


def main() -> None:
    """Run the demo once per seed and count on how many each claim holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object as the last line"
    )
    arguments = parser.parse_args()
    told = []
    for seed in range(arguments.seeds):
        with tempfile.TemporaryDirectory() as out, contextlib.redirect_stdout(io.StringIO()):
            told.append(run(Path(out), seed=seed, n_seeds=1))
        print(seed, told[-1]["ndcg10_all"], told[-1]["ndcg10_new"], told[-1]["seconds"])
    figures = {
        "seeds": arguments.seeds,
        "buy_again_beats_als_on_all": sum(
            t["ndcg10_all"]["buy_again"] > t["ndcg10_all"]["als"] for t in told
        ),
        "als_beats_popularity_on_new": sum(
            t["ndcg10_new"]["als"] > t["ndcg10_new"]["popularity"] for t in told
        ),
        "interval_above_0": sum(t["ndcg10_new"]["low"] > 0 for t in told),
        "denied_after_withdrawal": sum(t["denied_after_withdrawal"] for t in told),
        "reloaded_identical": sum(t["reloaded_identical"] for t in told),
        "state_identical": sum(t["state_identical"] for t in told),
        "replay_differs": sum(t["replay_differs"] for t in told),
        "regret_share": _means(told, "regret_share"),
        "ndcg10_all": _means(told, "ndcg10_all"),
        "ndcg10_new": _means(told, "ndcg10_new"),
        "seconds_max": max(t["seconds"] for t in told),
    }
    print(json.dumps(figures, indent=None if arguments.json else 1))


def _means(told: list[dict[str, dict[str, float]]], key: str) -> dict[str, float]:
    return {name: round(float(np.mean([t[key][name] for t in told])), 4) for name in told[0][key]}


if __name__ == "__main__":
    main()
