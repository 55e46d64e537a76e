"""Whose response history is kept and read, and for how long."""

import json
from typing import Any

import numpy as np
import pytest
from small_engine import (
    DAY,
    T0,
    consent_of,
    decided_rows,
    engine_of,
    ledger_of,
    rows_of,
    selector_of,
    without,
)  # fmt: skip
from small_history import (
    LATER,
    POOLING,
    answers_of,
    effects_in,
    history_in,
    let_close,
    lively,
    n_held,
    reopened,
    visit,
)

from seg1 import Consent, ConsentLedger
from seg1.decide import Holdout, replay
from seg1.errors import InvalidArgumentError
from seg1.journal import MemoryJournal
from seg1.journal.records import Row

PARTS = ("use", "know", "check")


@pytest.fixture(scope="module")
def known() -> list[Row]:
    """The journal of a lively engine; each test writes on in one of its own."""
    return rows_of(lively())


@pytest.fixture
def journal(known: list[Row]) -> MemoryJournal:
    written = MemoryJournal()
    for row in known:
        written.append(row)
    return written


def permits_of(customer: int, *, not_for: str) -> tuple[ConsentLedger, Consent]:
    """A policy of three purposes; one customer permits all but one of them."""
    ledger = ledger_of(*(c for c in (*range(20), 99) if c != customer), purposes=PARTS)
    ledger.grant(customer, [p for p in PARTS if p != not_for], at=T0 - DAY, until=T0 + 999 * DAY)
    rules = {("use", stage): ledger for stage in ("ingest", "candidates", "decide", "log")}
    return ledger, Consent({**rules, ("know", "features"): ledger, ("check", "measure"): ledger})


def test_effects_are_read_only_where_features_are_permitted() -> None:
    _, consent = permits_of(1, not_for="know")

    engine = lively(consent=consent)
    let_close(engine)

    denied = [effects_in(row) for row in decided_rows(engine) if row.customer == 1]
    others = [effects_in(row) for row in decided_rows(engine) if row.customer == 3]
    assert n_held(engine, 1) > 5
    assert not np.any(denied)
    assert np.any(others)


def test_a_decision_that_may_not_be_logged_holds_no_effects() -> None:
    engine = lively(consent=without("log", ledger_of(*range(20), 99)))

    rows = decided_rows(engine)

    assert {(row.customer, row.effects) for row in rows} == {(None, b"")}
    assert n_held(engine, 1) == 0


def test_who_does_not_permit_measuring_teaches_nothing() -> None:
    _, consent = permits_of(1, not_for="check")

    engine = lively(consent=consent)
    let_close(engine)

    assert n_held(engine, 1) == 0
    assert n_held(engine, 3) > 5


def test_a_fallback_reads_and_teaches_nothing() -> None:
    engine = lively(consent=consent_of(ledger_of(*(c for c in range(20) if c != 1))))
    let_close(engine)

    rows = [row for row in decided_rows(engine) if row.mode == "fallback"]

    assert len(rows) == 20
    assert {row.effects for row in rows} == {b""}
    assert n_held(engine, 1) == 0


def test_a_customer_who_left_teaches_no_more_and_nothing_of_theirs_is_read() -> None:
    engine = lively(consent=consent_of(ledger_of(*range(20))))
    before = n_held(engine, 1)

    engine.withdraw(1, at=T0 + 32 * DAY)
    let_close(engine)
    decision = visit(engine, 1, at=LATER + 1)

    assert n_held(engine, 1) == before
    assert decision.mode == "fallback"


def test_who_is_held_out_teaches_no_offer() -> None:
    engine = lively(holdout=Holdout(0.5, key=b"sixteen bytes at least"))
    let_close(engine)

    held_out = {row.customer for row in decided_rows(engine) if row.is_control}

    assert 0 < len(held_out) < 20
    assert all(n_held(engine, customer) == 0 for customer in held_out if customer is not None)


def test_a_segment_that_may_not_be_read_is_missing() -> None:
    ledger = ledger_of(*range(20), 99)
    consent = Consent.for_purposes(
        ledger, train="profiling", decide="offers", measure="measurement",
        features={"channel": "where I shop"},
    )  # fmt: skip

    engine = lively(consent=consent)
    let_close(engine)

    assert {held["segment"] for held in answers_of(engine, 1)} == {"channel:missing"}


def test_an_erased_customer_is_a_stranger_again(journal: MemoryJournal) -> None:
    engine = reopened(journal)
    x = np.frombuffer(decided_rows(engine)[0].context)
    assert (history_in(engine).effects(1, x) != history_in(engine).effects(77, x)).any()

    engine.erase(1, at=LATER)

    assert (history_in(engine).effects(1, x) == history_in(engine).effects(77, x)).all()
    assert 1 not in history_in(engine)._code_of
    assert n_held(engine, 1) == 0
    assert replay(journal, selector_of(no_offer=False)).n_different == 0


def test_an_export_tells_what_is_held_and_what_it_makes(journal: MemoryJournal) -> None:
    engine = reopened(journal)
    decided = {row.decision_id for row in decided_rows(engine) if row.customer == 1}

    told: dict[str, Any] = json.loads(json.dumps(engine.export(1, at=LATER)))

    history, decision = told["history"], told["decisions"][-3]
    x = np.frombuffer(decided_rows(engine)[0].context)
    of_tea = next(held for held in history["answers"] if held["group"] == "tea")
    assert of_tea["segment"] == "channel=app"
    assert of_tea["effect"] == history_in(engine).effects(1, x)[0] > 0.1
    assert 0 < of_tea["reliability"] < 1
    assert {id_ for id_, _ in history["expected"]} < decided
    assert len(history["expected"]) > 0
    names = [name for name, _ in decision["effects"]]
    assert names == ["tea", "cake", "wine", None]
    stranger = engine.export(77, at=LATER)["history"]
    assert stranger == {"answers": [], "expected": []}
    assert reopened(journal, history=None, segment=None).export(1, at=LATER)["history"] is None


def test_a_policy_that_limits_the_age_of_what_is_read_is_refused() -> None:
    ledger = ledger_of(1)
    for purpose in ("offers", "profiling"):
        consent = Consent.for_purposes(
            ledger, train="profiling", decide="offers", measure="measurement",
            retention_days={purpose: 90},
        )  # fmt: skip
        if purpose == "offers":
            with pytest.raises(InvalidArgumentError, match="sums that know no age"):
                engine_of(consent=consent, history=POOLING)
        else:
            engine_of(consent=consent, history=POOLING)


def test_no_customer_is_named_in_a_repr() -> None:
    engine = engine_of(history=POOLING, selector=selector_of(no_offer=False))
    visit(engine, "canary-7f3a91", at=T0, likes="tea")
    let_close(engine)

    history = history_in(engine)

    assert "canary" not in f"{history!r}{history._pooled!r}{engine!r}{decided_rows(engine)!r}"


def test_ids_of_two_kinds_are_two_customers() -> None:
    engine = engine_of(history=POOLING, selector=selector_of(no_offer=False))
    for n in range(40):
        visit(engine, 5 if n % 2 else "5", at=T0 + n * DAY, likes="tea" if n % 2 else None)
    let_close(engine, at=T0 + 80 * DAY)

    for customer in (5, "5"):
        visit(engine, customer, at=T0 + 81 * DAY)

    number, text = (effects_in(row)[0] for row in decided_rows(engine)[-2:])
    assert number > 0 > text
