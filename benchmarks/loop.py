"""The loop under attack: exactness, contention, kill -9, withdrawal races, overselling.

Usage: ``python benchmarks/loop.py [--json] [--trials N] [--races N]``. A few minutes; POSIX only,
because the writers that are killed are forked.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from scipy.stats import chisquare

import seg1
from killed import lines_of_killed
from seg1.bandit import Explorer, Greedy, InverseGap, ThompsonSampling
from seg1.journal import Decided, MemoryJournal, Outcome, SqliteJournal

DAY_US = 86_400 * 1_000_000
START_US = 1_770_000_000 * 1_000_000
N_DRAWS = 100_000


def consent_of(customers: range) -> tuple[seg1.ConsentLedger, seg1.Consent]:
    """Grant everything to everybody."""
    ledger = seg1.ConsentLedger()
    for customer in customers:
        ledger.grant(customer, ["a", "b", "c"], at=START_US - 1, until=START_US + 1_000 * DAY_US)
    return ledger, seg1.Consent.for_purposes(ledger, train="a", decide="b", measure="c")


def selector_of(
    n_offers: int, *, stock: int | None = None, explorer: Explorer | None = None
) -> seg1.OfferSelector:
    """Make offers, of which the even ones have a stock."""
    offers = [
        seg1.Offer(f"offer-{n}", stock=stock if n % 2 == 0 else None) for n in range(n_offers)
    ]
    return seg1.OfferSelector(
        offers,
        context=seg1.ContextSchema(numeric={"hour": (0, 24)}),
        goal=seg1.Goal.response(),
        explorer=explorer or ThompsonSampling(),
        seed=11,
    )


def chi_square(explorer: Explorer) -> float:
    """Draw 100,000 times from a learned vector, and give the p-value of the counts."""
    selector = selector_of(8, explorer=explorer)
    rng = np.random.default_rng(5)
    for n in range(400):
        choice = selector.choose({"hour": float(rng.uniform(0, 24))}, id=f"learn-{n}", at=START_US)
        if choice.offer is not None:
            accepted = bool(rng.random() < 0.05 * (choice.arm + 1))
            selector.learn(choice, accepted=accepted, at=START_US)
    p = selector.choose({"hour": 8.0}, id="the vector", at=START_US).probabilities
    drawn = [selector.draw(p, draw_id=f"draw-{n}") for n in range(N_DRAWS)]
    counts = np.bincount(drawn, minlength=len(p))
    if counts[p == 0].any():
        return 0.0
    is_common = p * N_DRAWS >= 5
    observed = np.append(counts[is_common], counts[~is_common].sum())
    expected = np.append(p[is_common], p[~is_common].sum()) * N_DRAWS
    keep = expected > 0
    return float(chisquare(observed[keep], expected[keep]).pvalue)


def in_threads(n_threads: int, work: Callable[[int], None]) -> None:
    """Run the same work in several threads, and wait for all."""
    threads = [threading.Thread(target=work, args=(n,)) for n in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def contended_weight() -> dict[str, float]:
    """Mean weight of a deterministic target while stock runs out under 8 threads; 1 if exact."""
    n_each = 1_500
    _, consent = consent_of(range(8 * n_each))
    selector = selector_of(6, stock=150)
    journal = MemoryJournal()
    engine = seg1.Personalizer(selector, consent=consent, journal=journal)

    def work(thread: int) -> None:
        for n in range(n_each):
            at = START_US + n * 1_000_000
            d = engine.decide(thread * n_each + n, placement="app", context={"hour": n % 24}, at=at)
            if d.offer is not None:
                engine.exposed(d.id, at=at)
                engine.outcome(d.id, accepted=n % 3 == 0, at=at)

    in_threads(8, work)
    weights = []
    for _, row in journal.read():
        if isinstance(row, Decided) and row.mode == "personalised":
            bits = np.unpackbits(np.frombuffer(row.eligible, dtype=np.uint8))
            target = int(np.flatnonzero(bits[: len(selector.arms)])[0])
            weights.append((row.arm == target) / row.action_prob)
    return {
        "value": float(np.mean(weights)),
        "se": float(np.std(weights) / np.sqrt(len(weights))),
        "n": len(weights),
    }


def decide_and_answer(path: Path, pipe: int) -> None:
    """Decide and answer until killed; tell each acknowledged answer through the pipe."""
    _, consent = consent_of(range(50))
    engine = seg1.Personalizer(selector_of(4), consent=consent, journal=path)
    n = 0
    while True:
        at = START_US + n * 1_000_000
        d = engine.decide(n % 50, placement="app", context={"hour": n % 24}, at=at)
        if d.logged and d.offer is not None:
            engine.outcome(d.id, accepted=True, at=at)
            os.write(pipe, f"{d.id}\n".encode())
        n += 1


def kill_nine(trials: int) -> int:
    """Kill a deciding process again and again; count acknowledged answers that are gone."""
    lost = 0
    rng = np.random.default_rng(3)
    with tempfile.TemporaryDirectory() as folder:
        for trial in range(trials):
            path = Path(folder) / f"{trial}.sqlite"
            work = partial(decide_and_answer, path)
            acknowledged = lines_of_killed(work, after_s=float(rng.uniform(0.0, 0.05)))
            journal = SqliteJournal(path)
            kept = {row.decision_id for _, row in journal.read() if isinstance(row, Outcome)}
            journal.close()
            lost += len(acknowledged - kept)
    return lost


def races(n_races: int) -> int:
    """Withdraw while 8 threads decide, pausing before each release; count what leaked."""
    _, consent = consent_of(range(n_races))
    engine = seg1.Personalizer(selector_of(4), consent=consent, journal=MemoryJournal())
    take = engine._core.next_release  # noqa: SLF001  # the pause between re-check and return

    def pausing() -> int:
        time.sleep(0.0002)
        return take()

    engine._core.next_release = pausing  # type: ignore[method-assign]  # noqa: SLF001  # as above
    leaks = 0
    for race in range(n_races):
        released: list[int] = []
        begun = threading.Barrier(9)

        def work(
            customer: int = race, into: list[int] = released, gate: threading.Barrier = begun
        ) -> None:
            gate.wait()
            for _ in range(3):
                d = engine.decide(customer, placement="app", at=START_US + customer)
                if d.mode != "fallback":
                    into.append(d.released_seq)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        begun.wait()
        withdrawn = engine.withdraw(race, at=START_US + race)
        for thread in threads:
            thread.join()
        leaks += sum(seq > withdrawn for seq in released)
    return leaks


def oversold() -> int:
    """Let 16 threads sell a stock of 100 out; count what was sold beyond."""
    n_each, stock = 200, 100
    _, consent = consent_of(range(16 * n_each))
    offers = [seg1.Offer("the last hundred", stock=stock)]
    selector = seg1.OfferSelector(offers, goal=seg1.Goal.response(), no_offer=False)
    engine = seg1.Personalizer(selector, consent=consent, journal=MemoryJournal())
    sold = [0] * 16

    def work(thread: int) -> None:
        for n in range(n_each):
            d = engine.decide(thread * n_each + n, placement="app", at=START_US + n)
            if d.offer is not None:
                engine.outcome(d.id, accepted=True, at=START_US + n)
                sold[thread] += 1

    in_threads(16, work)
    return max(0, sum(sold) - stock)


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object as the last line"
    )
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--races", type=int, default=1_000)
    arguments = parser.parse_args()
    sys.setswitchinterval(1e-4)  # threads meet more often
    explorers = (ThompsonSampling(), InverseGap(), Greedy())
    p_values = {type(e).__name__: chi_square(e) for e in explorers}
    figures = {
        "chi_square_p_min": min(p_values.values()),
        "chi_square_p": p_values,
        "contended_weight": contended_weight(),
        "kill9_trials": arguments.trials,
        "acknowledged_lost": kill_nine(arguments.trials),
        "races": arguments.races,
        "leaks": races(arguments.races),
        "oversold": oversold(),
    }
    print(json.dumps(figures, indent=None if arguments.json else 1))


if __name__ == "__main__":
    main()
