"""After a withdrawal: no answer to an earlier decision is kept, and nothing is learned from it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small_engine import (
    CONTEXT,
    DAY,
    PURPOSES,
    T0,
    consent_of,
    decide,
    engine_of,
    ledger_of,
    rows_of,
    selector_of,
    state_of,
    told_state,
)  # fmt: skip

from seg1 import Consent, ConsentLedger, DecisionLog, Offer
from seg1._types import Id
from seg1.consent import STAGES
from seg1.decide import Decision, Personalizer, replay
from seg1.journal import Exposed, Outcome, Row, Swapped, Withheld
from seg1.offers import Placement

HOUR = DAY // 24
END = T0 + 7 * DAY
ONLY_TEA = selector_of([Offer("tea", stock=3)], no_offer=False)


def tea_engine(ledger: ConsentLedger, **named: object) -> Personalizer:
    return engine_of(selector=ONLY_TEA, consent=consent_of(ledger), **named)  # type: ignore[arg-type]  # passed on


def shown(engine: Personalizer, customer: Id = 1, *, at: int = T0) -> Decision:
    decision = decide(engine, customer, at=at, key=f"visit-{customer}")
    assert engine.exposed(decision.id, at=at)
    return decision


def answers(engine: Personalizer) -> list[Row]:
    return [row for row in rows_of(engine) if isinstance(row, Outcome | Exposed | Withheld)]


def test_an_answer_after_a_withdrawal_is_neither_kept_nor_learned() -> None:
    engine = tea_engine(ledger_of(1, 2))
    decision = shown(engine)
    engine.withdraw(1, at=T0 + 1)

    told = engine.outcome(decision.id, accepted=True, at=T0 + 2)
    engine.observe(2, item="milk", at=END + 1)

    assert told == "withheld"
    assert answers(engine) == [
        Exposed(decision_id="visit-1", at_us=T0),
        Withheld(decision_id="visit-1", at_us=T0),
    ]
    assert engine.n_learned == 0


@pytest.mark.parametrize("purpose", PURPOSES[1:])
def test_an_answer_is_withheld_whatever_of_its_purposes_was_withdrawn(purpose: str) -> None:
    ledger = ledger_of(1, 2)
    engine = tea_engine(ledger)
    decision = shown(engine)
    ledger.withdraw(1, [purpose], at=T0 + 1)

    told = engine.outcome(decision.id, reward=9.0, at=T0 + 2)
    engine.observe(2, item="milk", at=END + 1)

    assert told == "withheld"
    assert not any(isinstance(row, Outcome) for row in rows_of(engine))
    assert engine.n_learned == 0


@pytest.mark.parametrize("stage", ["candidates", "decide", "log", "measure"])
def test_an_answer_is_withheld_whichever_stage_is_permitted_no_more(stage: str) -> None:
    ledger = ConsentLedger()
    ledger.grant(1, STAGES, at=T0 - DAY, until=T0 + DAY)
    engine = engine_of(selector=ONLY_TEA, consent=Consent({(s, s): ledger for s in STAGES}))
    decision = shown(engine)
    ledger.withdraw(1, [stage], at=T0 + 1)

    assert engine.outcome(decision.id, accepted=True, at=T0 + 2) == "withheld"


def test_a_purpose_that_the_decision_did_not_need_withholds_nothing() -> None:
    ledger = ledger_of(1, 2)
    engine = tea_engine(ledger)
    decision = shown(engine)
    ledger.withdraw(1, [PURPOSES[0]], at=T0 + 1)

    assert engine.outcome(decision.id, accepted=True, at=T0 + 2) == "recorded"


def test_an_answer_of_who_never_permitted_measuring_is_kept() -> None:
    engine = tea_engine(ledger_of(1, purposes=PURPOSES[:2]))
    decision = shown(engine)

    assert engine.outcome(decision.id, accepted=True, at=T0 + 2) == "recorded"


def test_a_grant_that_ended_before_the_answer_withholds_it() -> None:
    ledger = ConsentLedger()
    ledger.grant(1, PURPOSES, at=T0 - DAY, until=T0 + HOUR)
    engine = tea_engine(ledger)
    decision = shown(engine)

    assert engine.outcome(decision.id, accepted=True, at=T0 + HOUR) == "withheld"


def test_an_exposure_after_a_withdrawal_is_not_kept() -> None:
    engine = tea_engine(ledger_of(1))
    decision = decide(engine, 1, key="visit-1")
    engine.withdraw(1, at=T0 + 1)

    is_kept = engine.exposed(decision.id, at=T0 + 2)

    assert is_kept is False
    assert answers(engine) == [Withheld(decision_id="visit-1", at_us=T0)]


def test_a_decision_is_withheld_once_and_for_good() -> None:
    ledger = ledger_of(1, 2)
    engine = tea_engine(ledger)
    decision = shown(engine)
    engine.withdraw(1, at=T0 + 1)
    first = engine.outcome(decision.id, accepted=True, at=T0 + 2)
    again = engine.outcome(decision.id, accepted=True, at=T0 + 3)
    ledger.grant(1, PURPOSES, at=T0 + 4, until=T0 + 99 * DAY)

    after_a_grant = engine.outcome(decision.id, accepted=True, at=T0 + 5)
    engine.observe(2, item="milk", at=END + 1)

    assert [first, again, after_a_grant] == ["withheld"] * 3
    assert sum(isinstance(row, Withheld) for row in rows_of(engine)) == 1
    assert engine.n_learned == 0


def test_an_exposure_of_a_withheld_decision_is_not_kept_after_a_later_grant() -> None:
    ledger = ledger_of(1)
    engine = tea_engine(ledger)
    decision = decide(engine, 1, key="visit-1")
    engine.withdraw(1, at=T0 + 1)
    engine.exposed(decision.id, at=T0 + 2)
    ledger.grant(1, PURPOSES, at=T0 + 4, until=T0 + 99 * DAY)

    assert engine.exposed(decision.id, at=T0 + 5) is False
    assert not any(isinstance(row, Exposed) for row in rows_of(engine))


def test_an_exposure_of_a_withheld_decision_is_not_kept_once_it_is_forgotten_either() -> None:
    ledger = ledger_of(1, 2)
    engine = tea_engine(ledger)
    decision = decide(engine, 1, key="visit-1")
    engine.withdraw(1, at=T0 + 1)
    engine.exposed(decision.id, at=T0 + 2)
    ledger.grant(1, PURPOSES, at=T0 + 4, until=T0 + 99 * DAY)
    engine.observe(2, item="milk", at=T0 + 60 * DAY)

    assert engine.exposed(decision.id, at=T0 + 60 * DAY) is False
    assert not any(isinstance(row, Exposed) for row in rows_of(engine))


def test_what_was_answered_before_a_withdrawal_is_not_learned_after_it() -> None:
    engine = tea_engine(ledger_of(1, 2))
    decision = shown(engine)
    engine.outcome(decision.id, accepted=True, at=T0 + 1)
    engine.withdraw(1, at=T0 + 2)

    engine.observe(2, item="milk", at=END + 1)

    assert engine.n_learned == 0
    assert Withheld(decision_id="visit-1", at_us=T0 + 1) in rows_of(engine)


CLOSING: dict[str, Callable[[Personalizer], object]] = {
    "decide": lambda engine: decide(engine, 3, at=END + 1),
    "decide for nobody known": lambda engine: decide(engine, "stranger", at=END + 1),
    "observe": lambda engine: engine.observe(3, item="milk", at=END + 1),
    "exposed": lambda engine: engine.exposed("visit-3", at=END + 1),
    "outcome": lambda engine: engine.outcome("visit-3", accepted=True, at=END + 1),
    "erase": lambda engine: engine.erase(4, at=END + 1),
}


@pytest.mark.parametrize("close", CLOSING.values(), ids=CLOSING)
def test_silence_after_a_withdrawal_is_not_learned_whatever_closes_the_windows(
    close: Callable[[Personalizer], object],
) -> None:
    ledger = ledger_of(1, 2, 3, 4)
    engine = tea_engine(ledger)
    shown(engine, 1)
    shown(engine, 2, at=T0 + 1)
    decide(engine, 3, at=T0 + 2 * HOUR, key="visit-3")
    engine.withdraw(1, at=T0 + 3 * HOUR)
    ledger.withdraw(2, at=T0 + 3 * HOUR)

    close(engine)
    engine.observe(4, item="milk", at=END + DAY)

    withheld = [row.decision_id for row in rows_of(engine) if isinstance(row, Withheld)]
    assert withheld == ["visit-1", "visit-2"]
    assert engine.n_learned == 0


def test_who_still_permits_it_is_learned_from_beside_who_does_not() -> None:
    engine = engine_of(
        consent=consent_of(ledger_of(*range(1, 41))),
        selector=selector_of([Offer("tea")], no_offer=False),
        placements=[Placement("app", confirm=False)],
    )
    for customer in range(1, 41):  # in an order that is not that of their windows
        decide(engine, customer, at=T0 + customer * 7 % 40, key=f"visit-{customer}")
    for customer in range(1, 41, 3):
        engine.withdraw(customer, at=T0 + HOUR)

    engine.observe(2, item="milk", at=END + 1_000)

    withheld = {row.decision_id for row in rows_of(engine) if isinstance(row, Withheld)}
    assert withheld == {f"visit-{n}" for n in range(1, 41, 3)}
    assert engine.n_learned == 40 - len(withheld)


def test_what_was_learned_before_stays_and_no_correction_follows() -> None:
    engine = tea_engine(ledger_of(1, 2))
    decision = shown(engine)
    engine.observe(2, item="milk", at=END + 1)
    engine.withdraw(1, at=END + 2)
    before = state_of(engine).posterior.to_arrays()["q"].tolist()

    told = engine.outcome(decision.id, accepted=True, at=T0 + 1)

    assert (told, engine.n_learned) == ("withheld", 1)
    assert state_of(engine).posterior.to_arrays()["q"].tolist() == before


def test_a_decision_that_is_over_for_good_is_not_withheld_any_more() -> None:
    engine = tea_engine(ledger_of(1, 2))
    decision = shown(engine)
    engine.observe(2, item="milk", at=T0 + 30 * DAY)
    engine.withdraw(1, at=T0 + 30 * DAY)

    is_kept = engine.exposed(decision.id, at=T0 + 30 * DAY)

    assert is_kept is False
    assert not any(isinstance(row, Withheld) for row in rows_of(engine))


def test_late_and_repeated_answers_are_told_as_before() -> None:
    engine = tea_engine(ledger_of(1, 2))
    decision = shown(engine)
    engine.outcome(decision.id, accepted=True, at=T0 + 1)
    engine.withdraw(1, at=T0 + 2)

    repeated = engine.outcome(decision.id, accepted=True, at=T0 + 3)
    expired = engine.outcome(decision.id, accepted=True, at=END + 1)

    assert (repeated, expired) == ("repeated", "expired")


def test_what_a_withheld_decision_reserved_stays_used_up() -> None:
    engine = tea_engine(ledger_of(1, 2))
    shown(engine, 1)
    shown(engine, 2, at=T0 + 1)
    engine.withdraw(1, at=T0 + 2)

    engine.observe(2, item="milk", at=END + DAY)

    assert state_of(engine).counters.held == (1,)  # of two: whether it was accepted nobody may say


def test_a_withheld_decision_is_in_no_log_even_after_a_later_grant() -> None:
    ledger = ledger_of(1, 2)
    engine = tea_engine(ledger)
    shown(engine, 1)
    shown(engine, 2)
    engine.withdraw(1, at=T0 + 1)
    engine.outcome("visit-1", accepted=True, at=T0 + 2)
    ledger.grant(1, PURPOSES, at=T0 + 3, until=T0 + 99 * DAY)

    log = DecisionLog.from_journal(engine.journal, consent=consent_of(ledger), at=END + DAY)

    assert (len(log), log.excluded) == (1, {"withheld": 1})


def a_month(engine: Personalizer, ledger: ConsentLedger) -> None:
    """Decide, show and answer, while every fifth customer withdraws between the two."""
    for number in range(120):
        at, who = T0 + number * DAY // 4, number % 30
        d = engine.decide(who, placement="app", context=CONTEXT, at=at, id=f"visit-{number}")
        if number % 5 == 0:
            engine.withdraw(who, at=at + 1)
        if d.logged:
            engine.exposed(d.id, at=at + 2)
            engine.outcome(d.id, accepted=number % 2 == 0, at=at + 3)
        if number % 5 == 0:
            ledger.grant(who, PURPOSES, at=at + 4, until=at + 999 * DAY)


def test_a_restart_and_a_replay_come_to_the_same_to_the_bit(tmp_path: Path) -> None:
    path, ledger = tmp_path / "shop.sqlite", ledger_of(*range(30))
    selector = selector_of()
    with engine_of(selector=selector, consent=consent_of(ledger), journal=path) as engine:
        a_month(engine, ledger)
        before, told = engine.fingerprint(), told_state(state_of(engine))
        n_withheld = sum(isinstance(row, Withheld) for row in rows_of(engine))

    with engine_of(selector=selector, consent=consent_of(ledger_of()), journal=path) as again:
        assert n_withheld > 15
        assert again.fingerprint() == before
        assert told_state(state_of(again)) == told
        replayed = replay(again.journal, selector)
    assert (replayed.n_different, replayed.n_not_replayable) == (0, 0)
    assert replayed.n_same > 60


def test_an_erasure_takes_the_withholding_out_too() -> None:
    ledger = ledger_of(*range(30))
    engine = engine_of(consent=consent_of(ledger))
    a_month(engine, ledger)

    for customer in range(0, 30, 5):
        engine.erase(customer, at=T0 + 40 * DAY)

    assert not any(isinstance(row, Withheld) for row in rows_of(engine))


def test_the_fingerprint_tells_a_withheld_decision_from_another() -> None:
    engines = [tea_engine(ledger_of(1, 2)) for _ in range(2)]
    for engine in engines:
        shown(engine, 1)
    engines[0]._core.append(Withheld(decision_id="visit-1", at_us=T0))
    engines[1]._core.append(Swapped(what="model", at_us=T0, version="", body="{}"))

    told = [list(state_of(engine).outcomes.told()) for engine in engines]

    assert told[0] != told[1]
