"""How long a decision takes, an answer, and an observed event: public calls, SQLite on disk.

Usage: ``OPENBLAS_NUM_THREADS=1 python benchmarks/decide.py --json`` (last line one JSON object).
Ids are passed in and records come out; a frequency cap, a budget, a holdout and consent of three
purposes are asked at every decision, and answers are learned as their windows close.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

import seg1
from seg1.consent import ConsentEvent
from seg1.decide import Budget

DAY_US = 86_400 * 1_000_000
NOW_US = 1_770_000_000 * 1_000_000
N_CUSTOMERS = 5_000
WARM_UP = 500


def open_engine(n_offers: int, *, folder: Path, is_consent_on_disk: bool) -> seg1.Personalizer:
    """Open an engine with all its rules; 18 features."""
    ledger = seg1.ConsentLedger(folder / "consent.sqlite" if is_consent_on_disk else None)
    ledger.record(
        ConsentEvent(customer, purpose, "grant", 0, 0, NOW_US + 400 * DAY_US)
        for customer in range(N_CUSTOMERS)
        for purpose in ("profiling", "offers", "measurement")
    )
    consent = seg1.Consent.for_purposes(
        ledger, train="profiling", decide="offers", measure="measurement"
    )
    context = seg1.ContextSchema(
        numeric={f"n{i}": (0, 24) for i in range(7)}, categorical={"channel": ["app"]}
    )
    offers = [
        seg1.Offer(f"offer {n}", cost=0.1, stock=None if n else 10**6) for n in range(n_offers)
    ]
    return seg1.Personalizer(
        seg1.OfferSelector(offers, context=context, goal=seg1.Goal.response(), seed=3),
        consent=consent,
        filters=[seg1.FrequencyCap(30, days=7), Budget(1e9)],
        holdout=seg1.Holdout(0.05, key=b"sixteen bytes at least"),
        journal=folder / "shop.sqlite",
    )


T = TypeVar("T")


def timed(call: Callable[[], T], into: list[float]) -> T:
    """Call, and note the microseconds."""
    started = time.perf_counter()
    answer = call()
    into.append((time.perf_counter() - started) * 1e6)
    return answer


def measure(n_offers: int, *, n: int, is_consent_on_disk: bool) -> dict[str, object]:
    """Decide, show and answer n times, 400 a day; give medians and 99th percentiles."""
    rng = np.random.default_rng(1)
    context: dict[str, object] = {f"n{i}": float(i) for i in range(7)} | {"channel": "app"}
    took: dict[str, list[float]] = {"decide": [], "answer": [], "observe": []}
    with (
        tempfile.TemporaryDirectory() as folder,
        open_engine(n_offers, folder=Path(folder), is_consent_on_disk=is_consent_on_disk) as engine,
    ):
        for k in range(n):
            at, who = NOW_US + k * DAY_US // 400, int(rng.integers(N_CUSTOMERS))
            decide = partial(engine.decide, who, placement="app", context=context, at=at)
            d = timed(decide, took["decide"])
            if d.offer is not None:
                engine.exposed(d.id, at=at + 1)
                accepted = bool(rng.random() < 0.1)
                answer = partial(engine.outcome, d.id, accepted=accepted, at=at + 2)
                timed(answer, took["answer"])
            timed(partial(engine.observe, who, item=7, at=at + 3), took["observe"])
    return {what: _told(np.array(times[WARM_UP:])) for what, times in took.items()}


def _told(us: NDArray[np.float64]) -> dict[str, float]:
    return {f"p{q}": round(float(np.percentile(us, q)), 1) for q in (50, 99)}


def main() -> None:
    """Measure, and print one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=6_000)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    figures = {
        "arms_20": measure(20, n=arguments.n, is_consent_on_disk=False),
        "arms_20_consent_on_disk": measure(20, n=arguments.n, is_consent_on_disk=True),
        "arms_200": measure(200, n=arguments.n, is_consent_on_disk=False),
    }
    print(json.dumps(figures, indent=None if arguments.json else 1))


if __name__ == "__main__":
    main()
