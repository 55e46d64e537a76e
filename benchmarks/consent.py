"""Consent under load: millions at once, one at a time, and a writer that is killed.

Usage: ``python benchmarks/consent.py [--json] [--data DIR] [--customers N] [--trials N]
[--mutants OUTPUT]``. A few minutes and about 5 GB for five million customers; POSIX only, because
the writers are forked. How many wrong changes the tests catch takes hours to find out: run
``python benchmarks/mutants.py --json > OUTPUT``, and hand the file to ``--mutants`` for the keys
``mutants``, ``survivors_unexplained`` and ``mutants_not_tried``.
"""

import argparse
import json
import os
import tempfile
import time
import timeit
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import seg1
import tcf_strings
from killed import lines_of_killed
from seg1._types import Int8s
from seg1.consent import Ask, ConsentEvent, Customers, SqliteStore, all_of, vectorise
from seg1.events import Vocabulary

DAY_US = 86_400 * 1_000_000
START_US = 1_770_000_000 * 1_000_000
END_US = START_US + 400 * DAY_US
PURPOSES: dict[str, Any] = {"train": "a", "decide": "b", "measure": "c"}  # Any: passed as keywords
BATCH = 500_000


class EveryTenthNot:
    """A filter that answers for many at once."""

    name = "every tenth not"

    def check(self, customers: Customers, ask: Ask) -> Int8s:  # noqa: ARG002  # the contract's
        """Deny every tenth."""
        return np.where(customers.codes % 10 == 0, np.int8(-1), np.int8(1))


def ledger_of(vocabulary: Vocabulary) -> seg1.ConsentLedger:
    """Grant to everybody; a fiftieth withdraws, a few object to everything or restrict."""
    ledger, ids = seg1.ConsentLedger(), vocabulary.ids
    for start in range(0, len(ids), BATCH):
        ledger.record(
            ConsentEvent(i, "b", "grant", START_US, START_US, END_US)
            for i in ids[start : start + BATCH]
        )
    ledger.record(ConsentEvent(i, "b", "withdraw", START_US + DAY_US) for i in ids[::50])
    ledger.record(ConsentEvent(i, "*", "object", START_US + DAY_US) for i in ids[7::500])
    ledger.record(ConsentEvent(i, "*", "restrict", START_US) for i in ids[3::5_000])
    return ledger


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def millions(n_customers: int) -> dict[str, float]:
    """Ask three filters about everybody, for one purpose and stage."""
    vocabulary = Vocabulary(range(n_customers))
    ledger = ledger_of(vocabulary)
    tree = all_of(ledger, EveryTenthNot(), ledger_of(vocabulary))
    consent = seg1.Consent({("b", "decide"): tree})
    who = Customers(vocabulary, np.arange(n_customers, dtype=np.int32))

    def check() -> None:
        consent.check(who, stage="decide", at_us=START_US + 2 * DAY_US)

    first = seconds(check)
    warm = [seconds(check) for _ in range(5)]
    ledger.withdraw(1, at=START_US + DAY_US)
    return {
        "three_filters_customers": n_customers,
        "three_filters_5m_s": float(np.median(warm)),
        "three_filters_first_s": first,
        "three_filters_after_a_word_s": seconds(check),
    }


def microseconds(work: Callable[[], object]) -> float:
    """Time a call by the best of many short rounds: others share the machine."""
    n = 200
    return min(timeit.repeat(work, number=n, repeat=300)) / n * 1e6


def single(folder: Path) -> dict[str, float]:
    """Ask about one customer and all stages."""
    ledgers = [seg1.ConsentLedger(), seg1.ConsentLedger(), seg1.ConsentLedger(folder / "c.sqlite")]
    for ledger in ledgers:
        ledger.record(
            ConsentEvent(who, purpose, "grant", START_US, START_US, END_US)
            for who in range(1_000)
            for purpose in PURPOSES.values()
        )
    of_age = vectorise(lambda who, _: 1 if who != 5 else -1, name="of age", depends_on=())
    of = {
        "ask_us": all_of(ledgers[0], of_age, ledgers[1]),
        "ask_ledger_us": ledgers[0],
        "ask_sqlite_us": ledgers[2],
    }
    figures = {}
    for key, source in of.items():
        consent = seg1.Consent.for_purposes(source, **PURPOSES)
        assert consent.ask(7, START_US).bits == 255  # noqa: S101  # nothing is timed that denies
        figures[key] = microseconds(lambda consent=consent: consent.ask(7, START_US))  # type: ignore[misc]  # bound now
    ledgers[2].close()
    return figures


def withdraw_for_ever(path: Path, pipe: int) -> None:
    """Withdraw until killed; tell each that was acknowledged through the pipe."""
    ledger = seg1.ConsentLedger(path)
    n = 0
    while True:
        ledger.withdraw(n, ["b"], at=START_US + n)
        os.write(pipe, f"{n}\n".encode())
        n += 1


def kill_nine(trials: int) -> int:
    """Kill a writing process again and again; count acknowledged withdrawals that are gone."""
    lost = 0
    rng = np.random.default_rng(3)
    with tempfile.TemporaryDirectory() as folder:
        for trial in range(trials):
            path = Path(folder) / f"{trial}.sqlite"
            work = partial(withdraw_for_ever, path)
            acknowledged = lines_of_killed(work, after_s=float(rng.uniform(0.0, 0.03)))
            store = SqliteStore(path)
            kept = {event.customer for _, event in store.read(0)}
            store.close()
            path.unlink()
            lost += len({int(n) for n in acknowledged} - kept)
    return lost


def mutants(output: Path) -> dict[str, int]:
    """Read how many wrong changes were made, and how many no test saw, from a run of `mutants`."""
    told = json.loads(output.read_text().splitlines()[-1])
    return {
        "mutants": told["mutants"],
        "survivors_unexplained": told["survivors_unexplained"],
        "mutants_not_tried": told["not_tried"],
    }


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object as the last line"
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("SEG1_DATA"),
        help="folder with tcf/tc_strings.json; by default SEG1_DATA",
    )
    parser.add_argument("--customers", type=int, default=5_000_000)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--mutants", type=Path, help="output of mutants.py --json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures: dict[str, float] = single(Path(folder))
    figures |= {
        "ledger_kill9_trials": arguments.trials,
        "ledger_lost": kill_nine(arguments.trials),
    }
    if arguments.data is not None:
        figures |= tcf_strings.measure(arguments.data)
    if arguments.mutants is not None:
        figures |= mutants(arguments.mutants)
    figures |= millions(arguments.customers)
    print(json.dumps(figures, indent=None if arguments.json else 1))


if __name__ == "__main__":
    main()
