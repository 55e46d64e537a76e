"""No id, feature or consent string in a log line, an exception, a repr or an explanation."""

import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import seg1
from seg1.consent import (
    Ask,
    AuditTrail,
    Consent,
    ConsentEvent,
    ConsentLedger,
    ConsentMode,
    Customers,
    GlobalPrivacyControl,
    GPPOptOut,
    MinimumAge,
    TCFConsent,
    Verdict,
    all_of,
    any_of,
    decode_gpp,
    decode_tc,
    explain,
    not_,
    vectorise,
)
from seg1.errors import Seg1Error
from seg1.journal import MemoryJournal

PURPOSES: dict[str, Any] = {"train": "a", "decide": "b", "measure": "c"}  # Any: keywords
ASK = Ask("b", "decide", 50)
SCHEMA = seg1.ContextSchema(numeric={"hour": (0, 24)}, categorical={"channel": ["app"]})


class Failing:
    """Fails, with all that it was asked about in its error."""

    name = "failing"

    def check(self, customers: Customers, ask: Ask) -> NoReturn:
        raise KeyError(customers.ids(), ask)

    def ask_one(self, customer: object, ask: Ask) -> NoReturn:
        raise KeyError(customer, ask)


class Answering:
    """Answers whatever it was given, in any form."""

    name = "answering"

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def check(self, customers: Customers, ask: Ask) -> Any:  # noqa: ANN401, ARG002  # the point
        return self.answer


def raising(canary: str) -> Callable[..., NoReturn]:
    def fail(*_: object) -> NoReturn:
        raise ValueError(canary)

    return fail


def asked(source: object, canary: str) -> list[object]:
    """Ask a filter alone and in compositions, about one and about many."""
    tree: Any = source
    shown: list[object] = []
    for of in (tree, all_of(tree, ConsentLedger()), any_of(not_(tree), tree)):
        consent = Consent.for_purposes(of, **PURPOSES, vetoes=[tree])
        permits = consent.ask(canary, 50)
        verdicts = consent.check(Customers.of(canary, "bo"), stage="decide", at_us=50)
        shown += [consent, permits, explain(permits), verdicts, verdicts.one(0)]
    return shown


def ledgers(canary: str) -> list[object]:
    ledger = ConsentLedger()
    ledger.grant(canary, ["b"], at=0, until=99)
    ledger.withdraw(canary, at=-5)
    ledger.object(canary, ["a"], at=3)
    ledger.opt_out(canary, at=4)
    ledger.restrict(canary, at=5)
    told = explain(ledger.ask(canary, "b", at=50))
    return [ledger, ledger.snapshot(), ledger.history(canary), told, *asked(ledger, canary)]


def engine(canary: str) -> list[object]:
    ledger = ConsentLedger()
    ledger.grant(canary, ["a", "b", "c"], at=0, until=99)
    journal = MemoryJournal()
    offers = [seg1.Offer("tea"), seg1.Offer("milk", audience=raising(canary))]
    selector = seg1.OfferSelector(offers, context=SCHEMA, goal=seg1.Goal.response(), seed=1)
    shop = seg1.Personalizer(
        selector, consent=Consent.for_purposes(ledger, **PURPOSES), journal=journal
    )
    context = {"hour": 9.0, "channel": canary}
    decision = shop.decide(canary, placement="app", context=context, at=50, id=canary)
    again = shop.decide(canary, placement="app", at=50, id=canary)
    shop.exposed(canary, at=51)
    shop.outcome(canary, accepted=True, at=52)
    shop.observe(canary, item=canary, at=53)
    log = seg1.DecisionLog.from_journal(journal, consent=Consent.for_purposes(ledger, **PURPOSES),
                                        at=60)  # fmt: skip
    rows = [row for _, row in journal.read()]
    # `kind` and `placement` are words of the service.
    return [shop, decision, decision.reasons, again, rows, log, shop.erase(canary, at=54)]


def training(canary: str) -> list[object]:
    columns = {"customer": [canary, "bo"], "item": [canary, "tea"], "time": [0, 1]}
    events = seg1.Events.from_table(columns)
    ledger = ConsentLedger()
    ledger.grant("bo", ["a"], at=0, until=99)
    consent = Consent.for_purposes(ledger, **PURPOSES)
    matrix = seg1.InteractionMatrixBuilder().build(events, consent=consent, at=50)
    return [events, matrix, matrix.provenance]


def signals(canary: str) -> list[object]:
    strings = {canary: canary, "bo": "C" + canary}
    filters: list[Any] = [
        TCFConsent(strings, vendor=12, purposes={"b": (1,)}),
        TCFConsent(raising(canary), vendor=12, purposes={"b": (1,)}),
        GPPOptOut(strings, purposes=["b"]),
        GlobalPrivacyControl(strings, purposes=["b"]),
        ConsentMode({canary: {"ad_storage": canary}}, signals={"b": ["ad_storage"]}),
        MinimumAge(16, ages={canary: canary}),  # type: ignore[dict-item]  # the point
        MinimumAge(16, ages=raising(canary)),
    ]
    return [shown for one in filters for shown in (one, *asked(one, canary))]


def plug_ins(canary: str) -> list[object]:
    answers = (canary, [canary, canary], np.array([canary, canary]), {canary: 1}, None)
    sources = [
        Failing(),
        vectorise(raising(canary), name="raising"),
        vectorise(lambda who, _: who, name="echo"),  # type: ignore[arg-type,return-value]  # the point
        vectorise(lambda who, _: Verdict(1, who), name="reason"),  # type: ignore[arg-type]  # the point
        *map(Answering, answers),
    ]
    return [shown for source in sources for shown in asked(source, canary)]


def wrong(canary: str, trail: AuditTrail) -> list[Callable[[], object]]:
    """List what must be refused, each with the canary among its arguments."""
    ledger, ints = ConsentLedger(), ConsentLedger()
    ints.grant(7, ["b"], at=0, until=99)
    consent = Consent.for_purposes(ledger, **PURPOSES)
    selector = seg1.OfferSelector([seg1.Offer("tea")], context=SCHEMA, goal=seg1.Goal.response())
    shop = seg1.Personalizer(
        selector, consent=seg1.ConsentNotNeeded("made up"), journal=MemoryJournal()
    )
    shop.decide("somebody", placement="app", at=50, id=canary)
    anything: Any = canary
    return [
        lambda: ints.grant(canary, ["b"], at=0, until=99),
        lambda: ledger.grant(canary, anything, at=0, until=99),
        lambda: ledger.grant(canary, ["b"], at=9, until=9),
        lambda: ledger.grant(canary * 300, ["b"], at=0, until=99),
        lambda: ledger.grant(anything.encode(), ["b"], at=0, until=99),
        lambda: ledger.withdraw(canary, [], at=0),
        lambda: ledger.withdraw(canary, at=anything),
        lambda: ledger.record([anything]),
        lambda: ledger.record([ConsentEvent(canary, "*", "grant", 0, 0, 9)]),
        lambda: ledger.record([ConsentEvent((canary,), "b", "withdraw", 0)]),  # type: ignore[arg-type]  # the point
        lambda: consent.ask({canary}, 50),  # type: ignore[arg-type]  # the point
        lambda: consent.ask(canary, anything),
        lambda: explain(anything),
        lambda: decode_tc(canary),
        lambda: decode_tc("C" + canary),
        lambda: decode_gpp(canary),
        lambda: decode_gpp("DBABMA~" + canary).decode(2),
        lambda: MinimumAge(16, ages=anything),
        lambda: seg1.ContextSchema(numeric={"hour": (0, 24)}).encode({"hour": anything}),
        lambda: shop.decide(canary, placement="app", at=50, id=canary),
        lambda: shop.decide(canary, placement="app", context={"hour": anything}, at=50),
        lambda: shop.decide((canary,), placement="app", at=50),  # type: ignore[arg-type]  # the point
        lambda: shop.exposed(canary + "?", at=50),
        lambda: shop.outcome(canary + "?", accepted=True, at=50),
        lambda: shop.outcome(canary, accepted=anything, at=50),
        lambda: shop.observe(canary, item=(canary,), at=50),  # type: ignore[arg-type]  # the point
        lambda: trail.record("withdraw", at=0, customer=canary, facts={"of": anything.encode()}),
        lambda: seg1.Events.from_table({"customer": [canary, 7], "item": [1, 1], "time": [0, 0]}),
        lambda: seg1.Events.from_table({"customer": [canary], "item": [1], "time": [canary]}),
    ]


def refusal(attempt: Callable[[], object]) -> str:
    """Try what must be refused; give what a traceback would show of the error and its causes."""
    try:
        attempt()
    except Seg1Error as error:
        told = traceback.TracebackException.from_exception(error)
        return "".join(line for one in chain(told) for line in one.format_exception_only())
    raise AssertionError("nothing was refused")


def chain(told: traceback.TracebackException) -> list[traceback.TracebackException]:
    before = told.__cause__ or (None if told.__suppress_context__ else told.__context__)
    return [told, *(chain(before) if before is not None else [])]


SHOWN = [ledgers, engine, training, signals, plug_ins]
# What stands in our own words cannot be told from a canary: it begins with what none of them hold.
canaries = st.text("abcdefxyz0123456789-_", min_size=3, max_size=30).map("zq7".__add__)


@given(canary=canaries)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_canary_stands_in_a_log_line_an_exception_or_a_repr(
    canary: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.clear()
    trail = AuditTrail(tmp_path / "audit.jsonl", key=b"sixteen bytes at least")
    with caplog.at_level(logging.DEBUG), trail:
        shown = [f"{thing!r} {thing}" for make in SHOWN for thing in make(canary)]
        shown += [refusal(attempt) for attempt in wrong(canary, trail)]

    assert not [text for text in shown if "zq7" in text]
    assert caplog.records
    assert "zq7" not in caplog.text


def test_a_canary_that_is_told_would_be_seen(caplog: pytest.LogCaptureFixture) -> None:
    def tell(*, is_cause_shown: bool) -> None:
        cause = KeyError("zq7")
        raise Seg1Error("another") from cause if is_cause_shown else None

    logging.getLogger("seg1").warning("zq7")

    assert "zq7" not in refusal(lambda: tell(is_cause_shown=False))
    assert "zq7" in refusal(lambda: tell(is_cause_shown=True))
    assert "zq7" in caplog.text
