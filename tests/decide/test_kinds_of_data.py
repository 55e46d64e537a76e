"""Some features, some data and some customers need more than the consent to offers."""

import numpy as np
import pytest
from small_engine import (
    DAY,
    OFFERS,
    PURPOSES,
    T0,
    HookedJournal,
    consent_of,
    decide,
    decided_rows,
    engine_of,
    ledger_of,
    rows_of,
    state_of,
)  # fmt: skip
from test_affinity import OFFERS as TASTES
from test_affinity import fitted

from seg1 import Consent, ConsentLedger, ContextSchema, Goal, OfferSelector, Personalizer
from seg1.consent import Reason
from seg1.decide.core import objects
from seg1.errors import InvalidArgumentError, WrongIdTypeError
from seg1.journal import Decided, DecisionLog, MemoryJournal

MOOD = ContextSchema(
    numeric={"hour": (0, 24), "mood": (0, 10)}, special={"mood": "explicit consent"}
)


def consent_with_mood(ledger: ConsentLedger) -> Consent:
    return Consent.for_purposes(
        ledger, train=PURPOSES[0], decide=PURPOSES[1], measure=PURPOSES[2],
        features={"mood": "wellbeing"},
    )  # fmt: skip


def engine_with_mood(consent: Consent) -> Personalizer:
    selector = OfferSelector(OFFERS, context=MOOD, goal=Goal.response(), seed=3)
    return engine_of(selector=selector, consent=consent)


def test_a_denied_feature_is_the_same_as_a_missing_one() -> None:
    ledger = ledger_of(1, 2)
    ledger.grant(2, ["wellbeing"], at=T0 - DAY, until=T0 + DAY)
    engine = engine_with_mood(consent_with_mood(ledger))

    for customer, context in ((1, {"hour": 9, "mood": 7}), (1, {"hour": 9}),
                              (2, {"hour": 9, "mood": 7})):  # fmt: skip
        engine.decide(customer, placement="app", context=context, at=T0)

    denied, missing, permitted = (np.frombuffer(row.context) for row in decided_rows(engine))
    assert denied.tolist() == missing.tolist()
    assert permitted.tolist() != missing.tolist()


def test_a_feature_that_is_withdrawn_before_the_release_voids_the_decision() -> None:
    ledger = ledger_of(1)
    ledger.grant(1, ["wellbeing"], at=T0 - DAY, until=T0 + DAY)
    engine = engine_with_mood(consent_with_mood(ledger))

    def withdraw(_: Decided) -> None:
        ledger.withdraw(1, ["wellbeing"], at=T0)

    engine._core.journal = HookedJournal(engine.journal, withdraw)

    decision = engine.decide(1, placement="app", context={"mood": 7}, at=T0)

    assert decision.mode == "fallback"
    assert engine.decide(1, placement="app", context={"mood": 7}, at=T0 + 1).mode == "personalised"


def test_a_special_feature_without_a_rule_of_its_own_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"features=\{'mood': \"its purpose\"\}"):
        engine_with_mood(consent_of(ledger_of(1)))


def test_who_objects_is_shown_nothing_and_not_even_the_fallback() -> None:
    ledger = ledger_of(1)
    engine = engine_of(consent=consent_of(ledger))
    before = decide(engine, 1)

    ledger.object(1, at=T0 + 1)
    after = decide(engine, 1, at=T0 + 1)
    ledger.withdraw(1, at=T0 + 2)
    withdrawn = decide(engine, 1, at=T0 + 2)

    assert before.mode == "personalised"
    for decision in (after, withdrawn):
        assert (decision.mode, decision.offer, decision.logged) == ("none", None, False)
        assert decision.reasons == ("consent: objected",)
    assert state_of(engine).counters.held == tuple(
        sum(row.offer == offer.id for row in decided_rows(engine)[:1]) for offer in OFFERS
    )


def test_who_objects_while_the_decision_is_made_is_shown_nothing() -> None:
    ledger = ledger_of(1)
    engine = engine_of(consent=consent_of(ledger))

    def leave(row: Decided) -> None:
        if row.customer is not None:
            ledger.object(1, at=T0)

    engine._core.journal = HookedJournal(engine.journal, leave)

    assert decide(engine, 1).mode == "none"


def test_who_opts_out_of_automated_decisions_gets_the_fallback() -> None:
    ledger = ledger_of(1)
    engine = engine_of(consent=consent_of(ledger))

    ledger.opt_out(1, at=T0)

    assert decide(engine, 1).mode == "fallback"
    permits = consent_of(ledger).ask(1, T0)
    assert permits.reason("decide") is Reason.AUTOMATED_OPT_OUT
    assert permits.allows("candidates")
    assert not objects(permits)
    assert {row.customer for row in rows_of(engine) if isinstance(row, Decided)} == {None}


def test_decisions_that_are_older_than_measuring_allows_are_in_no_log() -> None:
    ledger, journal = ledger_of(1, 2), MemoryJournal()
    engine = engine_of(consent=consent_of(ledger), journal=journal)
    decide(engine, 1)
    decide(engine, 2, at=T0 + 20 * DAY)
    consent = Consent.for_purposes(
        ledger, train=PURPOSES[0], decide=PURPOSES[1], measure=PURPOSES[2],
        retention_days={PURPOSES[2]: 15},
    )  # fmt: skip

    log = DecisionLog.from_journal(journal, consent=consent, at=T0 + 30 * DAY)

    assert (len(log), log.excluded) == (1, {"older than its purpose allows": 1})


def test_observed_events_that_are_older_than_their_purpose_allows_are_not_read() -> None:
    ledger = ledger_of(99)
    consent = Consent.for_purposes(
        ledger, train=PURPOSES[0], decide=PURPOSES[1], measure=PURPOSES[2],
        retention_days={PURPOSES[1]: 15},
    )  # fmt: skip
    engine = engine_of(TASTES, recommender=fitted(), consent=consent)
    engine.observe(99, item="bread", at=T0)

    for days in (15, 16):
        decide(engine, 99, at=T0 + days * DAY)

    young, old = (np.frombuffer(row.affinity) for row in decided_rows(engine))
    assert young[1] > 0
    assert old.tolist() == [0.0] * 4


def test_an_erasure_of_the_other_kind_of_id_is_refused() -> None:
    engine = engine_of(consent=consent_of(ledger_of(1)))
    decide(engine, 1)

    with pytest.raises(WrongIdTypeError):
        engine.erase("1", at=T0)

    assert engine.erase(1, at=T0).n_rows == 1
