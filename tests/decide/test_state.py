"""The journal is the truth: whatever is known is a fold of its rows, to the last bit."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_engine import (
    DAY,
    SCHEMA,
    T0,
    HookedJournal,
    consent_of,
    decide,
    engine_of,
    ledger_of,
    rows_of,
    selector_of,
    state_of,
    told_state,
)  # fmt: skip

from seg1 import ContextSchema, Goal, Offer, OfferSelector
from seg1.decide import Budget, FrequencyCap, Holdout, Personalizer
from seg1.decide.state import State
from seg1.errors import UnknownIdError
from seg1.journal import (
    Decided,
    Exposed,
    Journal,
    MemoryJournal,
    Observed,
    Outcome,
    SqliteJournal,
    Swapped,
)

OFFERS = [Offer("tea", stock=30), Offer("cake", cost=0.5), Offer("wine", cost=2.0)]
CAP = FrequencyCap(4, days=7)


def shop(journal: Journal | Path, *, customers: range = range(30)) -> Personalizer:
    return engine_of(
        selector=selector_of(OFFERS),
        consent=consent_of(ledger_of(*customers)),
        journal=journal,
        filters=[CAP, Budget(40.0)],
        holdout=Holdout(0.2, key=b"sixteen bytes at least"),
    )


def live(engine: Personalizer, *, days: range, seed: int = 0) -> None:
    """Let customers come, see, accept, correct and leave; a part of them permits nothing."""
    rng = np.random.default_rng(seed)
    for day in days:
        for _ in range(6):
            customer, chance = int(rng.integers(34)), rng.random(5)
            at = T0 + day * DAY + int(chance[4] * DAY)
            decision = decide(engine, customer, at=at, key=f"{day}-{customer}-{at}")
            engine.observe(customer, item="milk", at=at)
            if not decision.logged:
                continue
            if chance[0] < 0.9:
                engine.exposed(decision.id, at=at)
            if chance[1] < 0.5 and decision.offer is not None:
                engine.outcome(decision.id, accepted=bool(chance[2] < 0.6), at=at + 1)
            if chance[3] < 0.2 and decision.offer is not None:
                engine.outcome(decision.id, accepted=True, at=at + 2, correct=True)


@pytest.mark.parametrize("n_days", [3, 12, 40])
def test_a_reopened_file_gives_the_same_state_to_the_last_bit(tmp_path: Path, n_days: int) -> None:
    engine = shop(tmp_path / "shop.sqlite")
    live(engine, days=range(n_days))
    before, n_rows = told_state(state_of(engine)), len(rows_of(engine))
    engine.close()

    again = shop(tmp_path / "shop.sqlite")

    assert told_state(state_of(again)) == before
    assert len(rows_of(again)) == n_rows  # not even the catalogue is declared again
    again.close()


def test_a_restart_in_the_middle_changes_nothing_that_follows(tmp_path: Path) -> None:
    path, everybody = tmp_path / "shop.sqlite", range(34)  # ids of anonymous rows are random
    whole = shop(MemoryJournal(), customers=everybody)
    live(whole, days=range(15))
    live(whole, days=range(15, 30), seed=1)

    with shop(path, customers=everybody) as first:
        live(first, days=range(15))
    second = shop(path, customers=everybody)
    live(second, days=range(15, 30), seed=1)

    assert told_state(state_of(second)) == told_state(state_of(whole))
    assert rows_of(second) == rows_of(whole)
    second.close()


def test_a_fingerprint_tells_states_apart_and_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite"
    seen: list[str] = []
    with shop(path, customers=range(34)) as engine:
        for day in range(20):
            live(engine, days=range(day, day + 1), seed=day)
            seen.append(engine.fingerprint())

    with shop(path, customers=range(34)) as again:
        assert again.fingerprint() == seen[-1]
        assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("part", ["posterior", "held", "reserved", "contacts", "answer", "seen"])
def test_a_fingerprint_covers_every_part_of_a_state(part: str) -> None:
    engine = shop(MemoryJournal())
    live(engine, days=range(12))
    before, state = engine.fingerprint(), state_of(engine)
    waiting = next(iter(state.outcomes._open.values()))

    if part == "posterior":
        state.posterior.fold(0, np.zeros(len(SCHEMA.names)), 1.0, at_us=T0)
    elif part == "held":
        state.counters._held[0] += 1
    elif part == "reserved":
        state.counters._reserved.add("another")
    elif part == "contacts":
        state.counters._contacts.setdefault(1, []).append(T0)
    elif part == "answer":
        waiting.answers["accepted"] = 1.0 - waiting.answers.get("accepted", 0.0)
    else:
        waiting.is_exposed = not waiting.is_exposed

    assert engine.fingerprint() != before


def test_rows_are_folded_in_the_order_in_which_they_were_appended() -> None:
    engine = shop(MemoryJournal(), customers=range(34))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: live(engine, days=range(12), seed=n), range(8)))

    version = engine._deciding.version
    fresh = State(selector_of(OFFERS), catalogue=version, n_features=7, caps=[CAP])
    for row in rows_of(engine):
        fresh.fold(row)
    assert told_state(fresh) == told_state(state_of(engine))
    assert engine.n_learned > 0


def test_a_voided_decision_is_voided_after_a_restart_too() -> None:
    journal = MemoryJournal()

    def withdraw(row: Decided) -> None:
        if row.customer is not None:
            engine.withdraw(row.customer, at=row.at_us)

    engine = shop(HookedJournal(journal, withdraw))

    for customer in range(10):
        decide(engine, customer, at=T0 + customer, key=f"visit-{customer}")

    again = shop(journal)
    assert told_state(state_of(again)) == told_state(state_of(engine))
    assert state_of(again).outcomes.status("visit-3") == "voided"


class Killed:
    """A service in a process of its own."""

    def __init__(self, path: Path) -> None:
        script = Path(__file__).parent / "answering_process.py"
        self.process = subprocess.Popen(
            [sys.executable, script, path], stdout=subprocess.PIPE, text=True
        )

    def acknowledged(self, n_lines: int) -> list[str]:
        """Read so many lines, kill, and read what was told before the end."""
        stream = self.process.stdout
        assert stream is not None
        lines = [stream.readline() for _ in range(n_lines)]
        self.process.kill()
        rest = stream.readlines()
        stream.close()
        self.process.wait()
        return [line.strip() for line in [*lines, *rest] if line.endswith("\n")]


def test_a_killed_process_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite"
    told: list[str] = []

    for n_lines in (40, 90, 140):
        told += Killed(path).acknowledged(n_lines)

    journal = SqliteJournal(path)
    rows = [row for _, row in journal.read()]
    journal.close()
    answers = {r.decision_id: r.value for r in rows if isinstance(r, Outcome)}
    assert len(told) >= 270
    assert {line.split()[0]: float(line.split()[1]) for line in told}.items() <= answers.items()
    decided = {row.decision_id for row in rows if isinstance(row, Decided)}
    exposed = {row.decision_id for row in rows if isinstance(row, Exposed)}
    assert answers.keys() <= exposed <= decided


@pytest.mark.parametrize("is_file", [True, False])
def test_an_erased_customer_leaves_the_state_of_a_journal_without_them(
    tmp_path: Path, *, is_file: bool
) -> None:
    engine = shop(tmp_path / "shop.sqlite" if is_file else MemoryJournal())
    live(engine, days=range(30))
    gone = [row for row in rows_of(engine) if getattr(row, "customer", None) == 5]
    ids = {row.decision_id for row in gone if isinstance(row, Decided)}
    kept = [row for row in rows_of(engine)
            if row not in gone and getattr(row, "decision_id", None) not in ids]  # fmt: skip

    erasure = engine.erase(5, at=T0)

    never = MemoryJournal()
    for row in kept:
        never.append(row)
    fresh = told_state(state_of(shop(never)), is_counting_rows=False)
    assert told_state(state_of(engine), is_counting_rows=False) == fresh
    assert (erasure.residual, len(rows_of(engine))) == ((), len(kept) + 1)
    assert erasure.n_rows > len(gone)
    with pytest.raises(UnknownIdError):
        engine.outcome(ids.pop(), accepted=True, at=T0)
    engine.close()


def test_an_erased_customer_is_gone_from_every_byte(tmp_path: Path) -> None:
    canary = "canary-7f3a91"
    engine = engine_of(journal=tmp_path / "shop.sqlite")
    for n in range(60):
        for customer in (canary, "somebody"):
            decision = decide(engine, customer, at=T0 + n, key=f"{customer}-{n}")
            engine.observe(customer, item=f"{customer}-item", at=T0 + n)
            engine.exposed(decision.id, at=T0 + n)
            engine.outcome(decision.id, reward=2.0, at=T0 + n)

    erasure = engine.erase(canary, at=T0 + 99)

    found = b"".join(part.read_bytes() for part in tmp_path.iterdir())
    assert erasure.n_rows == 240
    assert canary.encode() not in found
    assert b"somebody" in found
    assert canary not in str(told_state(state_of(engine)).values())
    engine.close()


def test_bytes_that_stay_for_now_are_told() -> None:
    class Residual(MemoryJournal):
        has_residue = True

    erasure = engine_of(journal=Residual()).erase(1, at=T0)

    assert erasure.residual == (
        "journal: bytes in its file, until an erasure that no reader disturbs",
    )


def test_rows_of_another_context_or_goal_are_not_learned_from(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite"
    with engine_of(journal=path) as engine:
        for n in range(40):
            engine.exposed(decide(engine, n).id, at=T0)
    schema = ContextSchema(numeric={"hour": (0, 12)}, categorical={"channel": ["app", "till"]})
    shorter = ContextSchema()
    offers, rewards = engine._selector.arms.offers, Goal.incremental(reward_cap=9, window_days=7)

    for selector in (
        OfferSelector(offers, context=schema, goal=Goal.response()),
        OfferSelector(offers, context=shorter, goal=Goal.response()),
        OfferSelector(offers, context=selector_of().schema, goal=rewards),
    ):
        with engine_of(selector=selector, journal=path) as other:
            other.observe(1, item="milk", at=T0 + 30 * DAY)
            assert other.n_learned == 0
    with engine_of(journal=path) as again:
        assert again.n_learned > 10
        names = [row.version for row in rows_of(again) if isinstance(row, Swapped)]
    assert len(names) == 5
    assert names[0] == names[-1]


def test_another_explorer_goes_on_learning_from_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite"
    with engine_of(journal=path) as engine:
        for n in range(40):
            engine.exposed(decide(engine, n).id, at=T0)
        engine.observe(1, item="milk", at=T0 + 30 * DAY)
        n_learned = engine.n_learned
    selector = OfferSelector(
        engine._selector.arms.offers, context=engine._selector.schema, goal=Goal.response(),
        floor=0.2, seed=99,
    )  # fmt: skip

    with engine_of(selector=selector, journal=path) as other:
        assert other.n_learned == n_learned > 10


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_any_life_folds_to_the_state_that_lived_it(seed: int, n_days: int) -> None:
    journal = MemoryJournal()
    engine = shop(journal)

    live(engine, days=range(n_days), seed=seed)

    assert told_state(state_of(shop(journal))) == told_state(state_of(engine))


def test_what_a_customer_did_is_remembered_up_to_a_bound() -> None:
    selector = selector_of()
    state = State(selector, catalogue="c", n_features=selector.schema.n_features + 1)

    for n in range(300):
        state.fold(Observed(customer=1, item=n, at_us=n, what="view", value=1.0))

    assert [event.item for event in state.observed[1]] == list(range(44, 300))


def test_without_a_recommender_no_event_is_remembered() -> None:
    engine = engine_of()

    assert engine.observe(1, item="milk", at=T0)

    assert state_of(engine).observed == {}
    assert isinstance(rows_of(engine)[-1], Observed)
