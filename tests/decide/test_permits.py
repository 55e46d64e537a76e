"""Consent comes first: what is denied is neither read, nor written, nor learned from."""

import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from small_engine import (
    CONTEXT,
    DAY,
    OFFERS,
    T0,
    consent_of,
    decide,
    decided_rows,
    engine_of,
    ledger_of,
    rows_of,
    selector_of,
    state_of,
    told_state,
    without,
)  # fmt: skip

from seg1 import Consent, ConsentLedger, Offer
from seg1._types import Bools, Id, Int8s
from seg1.consent import Ask, Customers
from seg1.decide import FrequencyCap, Personalizer
from seg1.decide.eligibility import Request
from seg1.errors import InvalidTypeError, UnknownIdError
from seg1.journal import Decided, Observed, Voided
from seg1.offers import Placement

PERSONAL = [*OFFERS, Offer("personal", audience=lambda *_: True)]


class Broken:
    name = "broken"

    def check(self, customers: Customers, ask: Ask) -> Int8s:
        raise KeyError(customers.ids(), ask.purpose)


def denied() -> Consent:
    ledger = ledger_of(1)
    ledger.withdraw(1, at=T0 - 1)
    return consent_of(ledger)


def expired() -> Consent:
    ledger = ConsentLedger()
    ledger.grant(1, ["profiling", "offers", "measurement"], at=T0 - DAY, until=T0)
    return consent_of(ledger)


def said_later() -> Consent:
    ledger = ConsentLedger()
    ledger.grant(1, ["profiling", "offers", "measurement"], at=T0 + 1, until=T0 + DAY)
    return consent_of(ledger)


def only_others() -> Consent:
    return consent_of(ledger_of(2))


def failing() -> Consent:
    return consent_of(Broken())  # type: ignore[arg-type]  # a filter, where it says ledger


def nobody() -> Consent:
    return Consent({})


def no_decisions() -> Consent:
    return without("decide", ledger_of(1))


def no_candidates() -> Consent:
    return without("candidates", ledger_of(1))


CLOSED = [
    denied, expired, said_later, only_others, failing, nobody,
    no_decisions, no_candidates,
]  # fmt: skip


@pytest.mark.parametrize("make_consent", CLOSED)
def test_without_consent_there_is_a_fallback_that_reads_and_keeps_nothing(
    make_consent: Callable[[], Consent],
) -> None:
    asked: list[Id] = []

    def audience(customer: Id, context: Mapping[str, object]) -> bool:  # noqa: ARG001
        asked.append(customer)
        return True

    offers = [*OFFERS, Offer("personal", audience=audience)]
    engine = engine_of(offers, consent=make_consent(), filters=[FrequencyCap(1, days=7)])

    decisions = [decide(engine, 1, key=f"visit-{n}") for n in range(80)]

    assert {d.mode for d in decisions} == {"fallback"}
    assert {d.offer for d in decisions} == {"tea", "cake", "wine"}
    assert {d.action_prob for d in decisions} == {1 / 3}
    assert all(d.refused == {"audience": ("personal",)} and not d.logged for d in decisions)
    assert asked == []
    for row in decided_rows(engine):
        assert (row.customer, row.context, row.affinity) == (None, b"", b"")
        assert not row.is_measured
        assert row.holdout_prob == 0.0
        assert "visit" not in row.decision_id
    engine.observe(2, item="milk", at=T0 + 30 * DAY)
    assert engine.n_learned == 0


def test_the_reason_of_a_fallback_is_why_consent_was_denied() -> None:
    reasons = [decide(engine_of(consent=make())).reasons for make in CLOSED[:4]]

    assert reasons == [
        ("consent: withdrawn",), ("consent: expired",), ("consent: no record",),
        ("consent: no record",),
    ]  # fmt: skip
    one_stage = decide(engine_of(consent=without("candidates", ledger_of(1))))
    assert one_stage.reasons == ("consent: no policy",)


def test_the_fallback_of_one_id_draws_the_same_offer() -> None:
    engine = engine_of(consent=denied())

    shown = [{decide(engine, 1, key=f"visit-{n}").offer for _ in range(3)} for n in range(10)]

    assert all(len(offers) == 1 for offers in shown)


def test_a_fallback_takes_from_the_stock_and_ends_with_it() -> None:
    engine = engine_of([Offer("tea", stock=2)], consent=denied())

    decisions = [decide(engine) for _ in range(3)]

    assert [d.offer for d in decisions] == ["tea", "tea", None]
    assert (decisions[2].mode, decisions[2].refused) == ("none", {"stock": ("tea",)})
    assert decisions[2].reasons == ("consent: withdrawn",)


def test_a_fallback_shows_the_regular_price() -> None:
    offer = Offer("tea", prices=[2.0, 1.0], slots=["now", "later"])
    engine = engine_of([offer], consent=denied())

    decisions = [decide(engine, key=f"visit-{n}") for n in range(30)]

    assert {(d.price, d.slot) for d in decisions} == {(2.0, "now"), (2.0, "later")}
    assert {d.action_prob for d in decisions} == {0.5}


def test_without_features_the_model_sees_an_empty_context() -> None:
    known, blind = engine_of(), engine_of(consent=without("features", ledger_of(1)))

    for n in range(40):
        seen = known.decide(1, placement="app", context={}, at=T0, id=f"visit-{n}")
        told = decide(blind, 1, key=f"visit-{n}")
        assert (told.offer, told.action_prob, told.mode) == (
            seen.offer,
            seen.action_prob,
            seen.mode,
        )

    blank = selector_of().schema.encode({}).tobytes()
    assert {row.context for row in decided_rows(blind)} == {blank}


def test_without_features_rules_of_the_service_see_an_empty_context() -> None:
    seen: list[Mapping[str, object]] = []

    def audience(customer: Id, context: Mapping[str, object]) -> bool:  # noqa: ARG001
        seen.append(dict(context))
        return True

    engine = engine_of([Offer("tea", audience=audience)], consent=without("features", ledger_of(1)))

    decide(engine)

    assert seen == [{}]


def test_without_a_log_nothing_names_the_customer_and_answers_are_refused() -> None:
    engine = engine_of(
        consent=without("log", ledger_of("canary")), placements=[Placement("app", confirm=False)]
    )

    decisions = [decide(engine, "canary", key=f"canary-{n}") for n in range(30)]

    assert {d.mode for d in decisions} == {"personalised"}
    assert not any(d.logged for d in decisions)
    assert "canary" not in str([vars_of(row) for row in decided_rows(engine)])
    assert {row.context for row in decided_rows(engine)} == {b""}
    n_shown = sum(d.offer is not None for d in decisions)
    assert sum(state_of(engine).counters.held) == n_shown > 0
    for decision in decisions:
        with pytest.raises(UnknownIdError):
            engine.outcome(decision.id, accepted=True, at=T0)
    engine_time_passes(engine)
    assert engine.n_learned == 0


def vars_of(row: Decided) -> dict[str, object]:
    return row._asdict()


def engine_time_passes(engine: Personalizer) -> None:
    with engine._core.lock:
        engine._core.append(Voided(decision_id="nobody's", at_us=T0 + 60 * DAY))


def test_the_id_of_an_anonymous_row_cannot_be_answered() -> None:
    engine = engine_of(consent=denied())
    decide(engine)
    (row,) = decided_rows(engine)

    with pytest.raises(UnknownIdError):
        engine.outcome(row.decision_id, accepted=True, at=T0)


def test_without_measuring_nothing_is_learned() -> None:
    engine = engine_of(consent=without("measure", ledger_of(1)))
    fresh = told_state(state_of(engine))
    for n in range(30):
        decision = decide(engine, 1, key=f"visit-{n}")
        engine.exposed(decision.id, at=T0)
        if decision.offer is not None:
            engine.outcome(decision.id, accepted=True, at=T0)

    engine_time_passes(engine)

    assert engine.n_learned == 0
    assert told_state(state_of(engine))["posterior"] == fresh["posterior"]


def test_an_event_is_kept_where_taking_in_and_logging_are_permitted() -> None:
    kept = {
        stage: engine_of(consent=without(stage, ledger_of(1))).observe(1, item="milk", at=T0)
        for stage in ("ingest", "log", "measure", "decide")
    }

    assert kept == {"ingest": False, "log": False, "measure": True, "decide": True}


def test_a_call_that_was_stamped_earlier_never_overtakes_a_withdrawal() -> None:
    engine = engine_of(consent=consent_of(ledger_of(1, 2)))
    engine.withdraw(1, at=T0 + 100)

    assert decide(engine, 1, at=T0).mode == "fallback"
    assert not engine.observe(1, item="milk", at=T0)
    assert decide(engine, 2, at=T0).mode == "personalised"


def test_a_grant_permits_nothing_that_is_stamped_before_it() -> None:
    ledger = ledger_of(2)
    ledger.grant(1, ["offers"], at=T0 + 10, until=T0 + DAY)
    engine = engine_of(consent=consent_of(ledger))
    decide(engine, 2, at=T0 + 20)

    early, later = decide(engine, 1, at=T0), decide(engine, 1, at=T0 + 10)

    assert (early.mode, early.reasons) == ("fallback", ("consent: no record",))
    assert later.mode == "personalised"


def test_a_stored_decision_is_not_shown_again_after_a_withdrawal() -> None:
    engine = engine_of(PERSONAL, consent=consent_of(ledger_of(1)))
    first = decide(engine, 1, key="visit-1")
    withdrawn_seq = engine.withdraw(1, at=T0 + 1)

    again = decide(engine, 1, at=T0 + 2, key="visit-1")

    assert (first.mode, again.mode, again.logged) == ("personalised", "fallback", False)
    assert first.released_seq < withdrawn_seq < again.released_seq


def test_where_consent_is_not_needed_a_withdrawal_is_refused() -> None:
    with pytest.raises(InvalidTypeError, match="open the engine with a Consent over a ledger"):
        engine_of().withdraw(1, at=T0)


def test_nothing_is_observed_after_a_withdrawal_was_acknowledged() -> None:
    ledger = ledger_of(1)
    engine = engine_of(consent=consent_of(ledger))
    assert engine.observe(1, item="milk", at=T0)
    engine.withdraw(1, at=T0 + 1)

    is_kept = engine.observe(1, item="milk", at=T0 + 2)

    assert not is_kept
    assert sum(isinstance(row, Observed) for row in rows_of(engine)) == 1


def test_no_log_line_names_a_customer(caplog: pytest.LogCaptureFixture) -> None:
    engine = engine_of(consent=failing())

    with caplog.at_level(logging.DEBUG):
        engine.decide("canary-7f3a91", placement="app", context=CONTEXT, at=T0)

    assert "canary" not in caplog.text
    assert caplog.records


class AfterNoon:
    """A rule of the house that knows the hour alone; it notes whom it was asked about."""

    name = "after noon"

    def __init__(self, *, impersonal: bool) -> None:
        self.impersonal = impersonal
        self.asked: list[Request] = []

    def allow(self, request: Request, offers: Sequence[Offer]) -> Bools:
        self.asked.append(request)
        return np.zeros(len(offers), dtype=np.bool_)


@pytest.mark.parametrize(("is_impersonal", "mode"), [(True, "none"), (False, "fallback")])
def test_the_fallback_asks_the_rules_that_say_they_are_impersonal(
    *, is_impersonal: bool, mode: str
) -> None:
    rule = AfterNoon(impersonal=is_impersonal)
    engine = engine_of(consent=consent_of(ledger_of()), filters=[rule])

    decision = decide(engine, 1)

    assert decision.mode == mode
    assert [(r.customer, dict(r.context)) for r in rule.asked] == [("", {})] * is_impersonal
