"""Answers, withdrawals and erasures of one customer on several threads: one after the other."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from small_engine import (
    DAY,
    T0,
    consent_of,
    decide,
    engine_of,
    ledger_of,
    selector_of,
)  # fmt: skip

from seg1 import ConsentLedger, Offer
from seg1._types import Id
from seg1.consent import Permits
from seg1.decide import Decision, Personalizer
from seg1.errors import UnknownIdError
from seg1.journal import Outcome, Row

END = T0 + 7 * DAY
ONLY_TEA = selector_of([Offer("tea", stock=3)], no_offer=False)


def tea_engine(ledger: ConsentLedger, **named: object) -> Personalizer:
    return engine_of(selector=ONLY_TEA, consent=consent_of(ledger), **named)  # type: ignore[arg-type]  # passed on


def shown(engine: Personalizer, customer: Id = 1, *, at: int = T0) -> Decision:
    decision = decide(engine, customer, at=at, key=f"visit-{customer}")
    assert engine.exposed(decision.id, at=at)
    return decision


def test_an_answer_whose_decision_is_erased_meanwhile_is_refused() -> None:
    engine = tea_engine(ledger_of(1))
    shown(engine)
    original = engine._core.stripe

    def stripe(customer: Id) -> object:
        engine._core.stripe = original  # type: ignore[method-assign]  # once
        engine.erase(1, at=T0 + 1)
        return original(customer)

    engine._core.stripe = stripe  # type: ignore[method-assign,assignment]  # the pause is injected

    with pytest.raises(UnknownIdError):
        engine.outcome("visit-1", accepted=True, at=T0 + 2)


@pytest.mark.parametrize("report", ["outcome", "exposed"])
def test_consent_is_asked_and_the_answer_kept_under_the_customers_lock(report: str) -> None:
    engine = tea_engine(ledger_of(1))
    decide(engine, 1, key="visit-1")
    locked: list[bool] = []
    ask, append = engine._core.ask, engine._core.append

    def asked(customer: Id, at_us: int) -> Permits:
        locked.append(engine._core.stripe(1).locked())
        return ask(customer, at_us)

    def appended(row: Row) -> None:
        locked.append(engine._core.stripe(1).locked())
        append(row)

    engine._core.ask = asked  # type: ignore[method-assign]  # watched
    engine._core.append = appended  # type: ignore[method-assign]  # the same

    if report == "outcome":
        engine.outcome("visit-1", accepted=True, at=T0 + 1)
    else:
        engine.exposed("visit-1", at=T0 + 1)

    assert locked == [True, True]


def test_an_erasure_holds_the_customers_lock() -> None:
    engine = tea_engine(ledger_of(1))
    erase, locked = engine.journal.erase, []

    def erased(customer: Id, *, at_us: int) -> int:
        locked.append(engine._core.stripe(1).locked())
        return erase(customer, at_us=at_us)

    engine.journal.erase = erased  # type: ignore[method-assign]  # watched

    engine.erase(1, at=T0 + 1)

    assert locked == [True]


def test_nothing_is_kept_after_a_withdrawal_was_acknowledged() -> None:
    """Of each customer an answer and a withdrawal start at one moment, on two threads."""
    customers = range(200)
    selector = selector_of([Offer("tea")], no_offer=False)
    engine = engine_of(selector=selector, consent=consent_of(ledger_of(*customers, 999)))
    for customer in customers:
        shown(engine, customer)
    acknowledged: dict[int, int] = {}
    told: dict[int, str] = {}

    def answer(customer: int, together: Barrier) -> None:
        together.wait()
        told[customer] = engine.outcome(f"visit-{customer}", accepted=True, at=T0 + 1)

    def withdraw(customer: int, together: Barrier) -> None:
        together.wait()
        engine.withdraw(customer, at=T0 + 1)
        acknowledged[customer] = max(seq for seq, _ in engine.journal.read())

    with ThreadPoolExecutor(2) as pool:
        for customer in customers:
            together = Barrier(2)
            pair = [
                pool.submit(answer, customer, together),
                pool.submit(withdraw, customer, together),
            ]
            for future in pair:
                future.result()
    engine.observe(999, item="milk", at=END + DAY)

    kept = {row.decision_id: seq for seq, row in engine.journal.read() if isinstance(row, Outcome)}
    for customer in customers:
        seq = kept.get(f"visit-{customer}")
        assert told[customer] == ("withheld" if seq is None else "recorded")
        assert seq is None or seq <= acknowledged[customer]
    assert engine.n_learned == 0  # everybody had withdrawn when the windows closed
