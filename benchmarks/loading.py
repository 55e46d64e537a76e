"""How long a second process takes to load a model of a million customers, and in how much memory.

Usage: ``python benchmarks/loading.py --json`` (last line one JSON object). The model has 64
factors, made up, and three events a customer. The second process loads a small model first, so
that what is measured is the loading and not the imports.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import seg1

N_FACTORS = 64
N_ITEMS = 41_000

_CHILD = """
import json, sys, time
import seg1
from seg1 import ALSModel

def private_mb():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024

small, large, verify = sys.argv[1], sys.argv[2], sys.argv[3] == "verify"
anyone = seg1.ConsentNotNeeded("made up")
ALSModel.load(small).recommend(3, exclude_seen=True, consent=anyone, at=0)
before = private_mb()
started = time.perf_counter()
model = ALSModel.load(large, verify=verify)
took = time.perf_counter() - started
loaded = private_mb()
assert len(model.recommend(3, exclude_seen=True, consent=anyone, at=0)) == 10
print(json.dumps([took * 1e3, loaded, loaded - before, private_mb()]))
"""


def save_model(folder: Path, *, n_customers: int, n_items: int) -> None:
    """Save a made-up model: random factors, int customers, and items with string ids."""
    rng = np.random.default_rng(1)
    ids = np.array([f"item-{i}" for i in range(n_items)], dtype=object)
    table = {
        "customer": np.repeat(np.arange(n_customers), 3),
        "item": ids[rng.integers(0, n_items, 3 * n_customers)],
        "time": np.zeros(3 * n_customers, dtype=np.int64),
    }
    interactions = seg1.InteractionMatrixBuilder().build(
        seg1.Events.from_table(table), consent=seg1.ConsentNotNeeded("made up"), at=0
    )
    factors = [rng.standard_normal((n, N_FACTORS), dtype=np.float32) for n in interactions.shape]
    config = seg1.ALS(factors=N_FACTORS)
    seg1.ALSModel.of(*factors, interactions=interactions, config=config).save(folder)


def _loaded(small: Path, large: Path, *, how: str) -> list[float]:
    done = subprocess.run(  # noqa: S603  # this very file's
        [sys.executable, "-c", _CHILD, str(small), str(large), how],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    answer: list[float] = json.loads(done.stdout)
    return answer


def figures(*, n_customers: int = 1_000_000) -> dict[str, float]:
    """Load five times without hashes, once with; medians."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small"), Path(folder, "large")
        save_model(small, n_customers=2_000, n_items=100)
        save_model(large, n_customers=n_customers, n_items=N_ITEMS)
        plain = np.median([_loaded(small, large, how="plain") for _ in range(5)], axis=0)
        verified = _loaded(small, large, how="verify")
    return {
        "load_1m_ms": float(plain[0]),
        "load_1m_private_mb": float(plain[1]),
        "load_1m_added_mb": float(plain[2]),
        "load_1m_private_after_a_ranking_mb": float(plain[3]),
        "load_1m_verified_ms": verified[0],
    }


def main() -> None:
    """Measure, and print one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    indent = None if parser.parse_args().json else 1
    print(json.dumps(figures(), indent=indent))


if __name__ == "__main__":
    main()
