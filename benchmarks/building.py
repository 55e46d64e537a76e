"""From a table of events to a matrix, appends, and vocabularies of ten million ids.

Usage: ``python benchmarks/building.py [--json] [--events N] [--vocabulary]``. About three minutes
and 4 GB for five million events; the vocabularies take as long and about 5 GB again.

The table is a log as a shop keeps it: in the order of time, 200,000 customers and 40,000 items with
string ids, a few of them with most of the events, times of one year, a value each. Every build
weighs ``log1p(value)`` with a half-life of 90 days. The peer is pandas' factorize on the object
columns of the very frame that is read here as well, the same weights in numpy, and scipy's
``coo_array.tocsr``; runs take turns, and the best of each counts.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
import timeit
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.sparse import coo_array

import seg1
from seg1.events import Vocabulary
from seg1.interactions import Interactions, LiveInteractions

DAY_US = 86_400 * 1_000_000
YEAR_US = 365 * DAY_US
N_CUSTOMERS, N_ITEMS = 200_000, 40_000
HALF_LIFE_DAYS = 90.0
BUILDER = seg1.InteractionMatrixBuilder(half_life_days=HALF_LIFE_DAYS)
ANYONE = seg1.ConsentNotNeeded("made up")


def table_of(n_events: int, *, seed: int = 1) -> pa.Table:
    """Make up a log of events."""
    rng = np.random.default_rng(seed)
    customer = (N_CUSTOMERS * rng.random(n_events) ** 1.5).astype(np.int32)
    item = (N_ITEMS * rng.random(n_events) ** 3).astype(np.int32)
    customers = pa.array([f"household-{n:07d}" for n in rng.permutation(N_CUSTOMERS)])
    items = pa.array([f"product-{n:06d}" for n in rng.permutation(N_ITEMS)])
    return pa.table(
        {
            "customer": customers.take(pa.array(customer)),
            "item": items.take(pa.array(item)),
            "time": pa.array(np.sort(rng.integers(0, YEAR_US, n_events))),
            "value": pa.array(np.round(rng.gamma(1.5, 4, n_events) + 0.01, 2)),
        }
    )


def build(table: Any, consent: Any = ANYONE) -> Interactions:  # noqa: ANN401  # Any: any table
    """Read a table and build its matrix."""
    events = seg1.Events.from_table(table, value="value")
    return BUILDER.build(events, consent=consent, at=YEAR_US)


def build_rows(rows: Iterator[dict[str, Any]]) -> Interactions:  # Any: fields of several types
    """Read rows and build their matrix."""
    events = seg1.Events.from_rows(rows, value="value")
    return BUILDER.build(events, consent=ANYONE, at=YEAR_US)


def build_with_pandas(frame: pd.DataFrame) -> tuple[Any, Any, Any]:  # Any: pandas' and scipy's
    """Do the same by hand."""
    customer, customers = pd.factorize(frame["customer"])
    item, items = pd.factorize(frame["item"])
    age_days = (YEAR_US - frame["time"].to_numpy()) / DAY_US
    weight = np.log1p(frame["value"].to_numpy()) * np.exp2(-age_days / HALF_LIFE_DAYS)
    shape = (len(customers), len(items))
    matrix = coo_array((weight.astype(np.float32), (customer, item)), shape=shape).tocsr()
    return matrix, customers, items


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def best(works: dict[str, Callable[[], object]], *, n_turns: int) -> dict[str, float]:
    """Time several works in turns; give the best of each."""
    turns = [{name: seconds(work) for name, work in works.items()} for _ in range(n_turns)]
    return {name: min(turn[name] for turn in turns) for name in works}


def ledger_of(table: pa.Table) -> seg1.Consent:
    """Let nine customers in ten permit it."""
    ledger = seg1.ConsentLedger()
    for n, customer in enumerate(table["customer"].unique().to_pylist()):
        if n % 10:
            ledger.grant(customer, ["profiling"], at=0, until=2 * YEAR_US)
    return seg1.Consent.for_purposes(ledger, train="profiling", decide="a", measure="b")


def builds(table: pa.Table) -> dict[str, float]:
    """Time the builds, each from its kind of table."""
    frame = table.to_pandas().astype({"customer": object, "item": object})
    consent = ledger_of(table)
    ours, theirs = build(frame), build_with_pandas(frame)[0]
    # Both code ids in order of arrival; the peer adds up in float32.
    if ours.shape != theirs.shape or abs(ours.weights - theirs).max() > 1e-5 * theirs.max():
        raise SystemExit("the two matrices differ")
    took = best(
        {
            "arrow": lambda: build(table),
            "ledger": lambda: build(table, consent),
            "frame": lambda: build(frame),
            "pandas": lambda: build_with_pandas(frame),
        },
        n_turns=4,
    )
    return {
        "build_5m_arrow_s": took["arrow"],
        "build_5m_arrow_ledger_s": took["ledger"],
        "build_5m_frame_s": took["frame"],
        "build_5m_pandas_s": took["pandas"],
        "build_ratio_pandas": took["pandas"] / took["frame"],
    }


def rows_build(table: pa.Table) -> dict[str, float]:
    """Time the build from rows that a generator makes; what making them takes is told as well."""
    columns = [table[name].to_pylist() for name in ("customer", "item", "time", "value")]

    def rows() -> Iterator[dict[str, Any]]:
        for customer, item, at, value in zip(*columns, strict=True):
            yield {"customer": customer, "item": item, "time": at, "value": value}

    took = best(
        {"rows": lambda: build_rows(rows()), "making": lambda: sum(1 for _ in rows())}, n_turns=2
    )
    return {"build_5m_rows_s": took["rows"], "making_5m_rows_s": took["making"]}


def appends(built: Interactions) -> dict[str, float]:
    """Time appends of three events, from one customer to another; ids included."""
    live = LiveInteractions(built, consent=ANYONE)
    ids = built.customers.ids
    items = built.items.ids
    rng = np.random.default_rng(2)
    asked = [
        (ids[customer], [items[item] for item in rng.integers(0, len(items), 3)])
        for customer in rng.integers(0, len(ids), 20_000)
    ]
    times = []
    for customer, bought in asked:
        begun = time.perf_counter()
        live.append(customer, bought, at=YEAR_US)
        times.append(time.perf_counter() - begun)
    reads = timeit.timeit(lambda: live.history_codes(asked[0][0]), number=1_000) / 1_000
    return {
        "append_us": float(np.median(times)) * 1e6,
        "append_p99_us": float(np.quantile(times, 0.99)) * 1e6,
        "live_history_us": reads * 1e6,
        "append_nonzeros": len(built.data),
        "compact_s": seconds(lambda: live.compact(at=YEAR_US)),
    }


def loads(n_customers: int = 1_000_000) -> dict[str, float]:
    """Time what is this room's of loading a model of many customers."""
    rng = np.random.default_rng(3)
    built = Interactions(
        indptr=np.arange(0, 4 * n_customers + 1, 4, dtype=np.int32),
        indices=np.tile(np.arange(4, dtype=np.int32), n_customers),
        data=rng.random(4 * n_customers).astype(np.float32) + 1,
        customers=Vocabulary(f"household-{n:07d}" for n in range(n_customers)),
        items=Vocabulary(range(N_ITEMS)),
        builder=BUILDER,
        provenance=build(table_of(10)).provenance,
    )
    arrays, meta = built.to_saved()

    def load(verify: bool) -> Interactions:  # noqa: FBT001  # one name, close by
        return Interactions.from_saved(arrays, meta, builder=BUILDER, verify=verify)

    loose = load(verify=False)
    asked = [f"household-{n:07d}" for n in rng.integers(0, n_customers, 5_000)]
    finding = min(
        seconds(lambda: [loose.customers.find(customer) for customer in asked]) for _ in range(5)
    )
    return {
        "from_saved_us": min(timeit.repeat(lambda: load(verify=False), number=10, repeat=5)) * 1e5,
        "from_saved_verified_ms": seconds(lambda: load(verify=True)) * 1e3,
        "find_mapped_us": finding / len(asked) * 1e6,
    }


_ONE_VOCABULARY = """
import json, resource, sys, time
from seg1.events import Vocabulary
kind, n = sys.argv[1], int(sys.argv[2])
def memory():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20
def timed(name, work):
    before, begun = memory(), time.perf_counter()
    made = work()
    told[f"vocabulary_{kind}_{name}_s"] = time.perf_counter() - begun
    told[f"vocabulary_{kind}_{name}_mb"] = memory() - before
    return made
told = {}
make = "household-{:08d}".format if kind == "str" else lambda n: n * 7
plain = timed("add", lambda: Vocabulary(make(i) for i in range(n)))
arrays = timed("to_arrays", lambda: plain.to_arrays("x"))
mapped = timed("map", lambda: Vocabulary.from_arrays(arrays, "x", verify=False))
timed("verify", lambda: Vocabulary.from_arrays(arrays, "x"))
asked = [make(i) for i in range(0, n, n // 10_000)]
for name, vocabulary in (("plain", plain), ("mapped", mapped)):
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        codes = [vocabulary.find(i) for i in asked]
        took.append(time.perf_counter() - begun)
    told[f"vocabulary_{kind}_find_{name}_us"] = min(took) / len(asked) * 1e6
    assert codes == list(range(0, n, n // 10_000))
timed("erase", lambda: mapped.erase([make(5)]))
assert mapped.find(make(5)) == -1 and mapped.encode([make(5)], unknown="add").tolist() == [n]
told[f"vocabulary_{kind}_n"] = n
print(json.dumps(told))
"""


def vocabularies(n: int = 10_000_000) -> dict[str, float]:
    """Time vocabularies of many ids, a process each, with the memory that each step adds."""
    told: dict[str, float] = {}
    for kind in ("int", "str"):
        ran = subprocess.run(  # noqa: S603  # our own lines above
            [sys.executable, "-c", _ONE_VOCABULARY, kind, str(n)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        told |= json.loads(ran.stdout)
    return told


def figures(*, n_events: int = 5_000_000, has_vocabularies: bool = False) -> dict[str, float]:
    """Give all figures."""
    table = table_of(n_events)
    told: dict[str, float] = {"n_events": n_events}
    told |= builds(table)
    told |= appends(build(table))
    told |= rows_build(table)
    del table
    told |= loads()
    told["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return told | (vocabularies() if has_vocabularies else {})


def main() -> None:
    """Print the figures; with ``--json`` the last line is one object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--vocabulary", action="store_true")
    asked = parser.parse_args()
    told = figures(n_events=asked.events, has_vocabularies=asked.vocabulary)
    if not asked.json:
        for name, value in told.items():
            print(f"{name:32} {value:,.3f}")
    else:
        print(json.dumps(told))


if __name__ == "__main__":
    main()
