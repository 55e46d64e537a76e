"""What a tired caller gets wrong at the engine's door is told, with the mend."""

import logging
from pathlib import Path

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

from seg1 import Consent, Goal, Offer, OfferSelector
from seg1.consent import ConsentEvent, MemoryStore
from seg1.consent.ledger.ledger import ConsentLedger
from seg1.errors import ConsentStoreError, InvalidTypeError, JournalError
from seg1.journal import MemoryJournal
from seg1.offers import Placement


def test_a_fallback_says_that_the_ledger_holds_ids_of_the_other_kind() -> None:
    engine = engine_of(consent=consent_of(ledger_of(1, 2)))

    of_other_kind, unknown = decide(engine, "1"), decide(engine, 3)

    assert of_other_kind.reasons == (
        "consent: no record, and the ledger's ids are not of type str",
    )
    assert unknown.reasons == ("consent: no record",)


def test_a_store_that_fails_when_kinds_are_compared_leaves_the_fallback_standing() -> None:
    class Failing(MemoryStore):
        n_left = 100

        def version(self) -> int:
            self.n_left -= 1
            if self.n_left < 0:
                raise ConsentStoreError("gone")
            return super().version()

    store = Failing()
    store.append([ConsentEvent("ana", "offers", "grant", T0 - DAY, T0 - DAY, T0 + DAY)])
    consent = Consent({("offers", "decide"): ConsentLedger(store)})
    engine = engine_of(consent=consent)

    modes = []
    for n_left in range(6):
        store.n_left = n_left
        modes.append(decide(engine, "bo").mode)

    assert set(modes) == {"fallback"}


def test_a_decision_in_the_place_of_its_id_is_refused() -> None:
    engine = engine_of()
    decision = decide(engine)

    with pytest.raises(InvalidTypeError, match="the `id` of the Decision, got Decision"):
        engine.exposed(decision, at=T0)  # type: ignore[arg-type]  # the point
    with pytest.raises(InvalidTypeError, match="the `id` of the Decision, got Decision"):
        engine.outcome(decision, accepted=True, at=T0)  # type: ignore[arg-type]  # the same


def test_an_engine_that_was_closed_says_so(tmp_path: Path) -> None:
    engine = engine_of(journal=tmp_path / "shop.sqlite")
    engine.close()

    with pytest.raises(JournalError, match="the journal is closed: open it again"):
        decide(engine)


def test_another_context_in_an_old_journal_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    journal = MemoryJournal()
    with caplog.at_level(logging.WARNING):
        engine = engine_of(journal=journal, selector=selector_of([Offer("tea")], no_offer=False))
        engine.exposed(decide(engine, 1).id, at=T0)
        engine.observe(1, item="milk", at=T0 + 30 * DAY)
        more = selector_of([Offer("tea"), Offer("bread")], no_offer=False)
        engine_of(journal=journal, selector=more)
    assert not caplog.records
    other = OfferSelector([Offer("tea")], goal=Goal.response(), no_offer=False)

    with caplog.at_level(logging.WARNING):
        engine_of(journal=journal, selector=other)

    (told,) = caplog.records
    assert told.getMessage().startswith("1 decisions that were made with other offers")


def test_a_declared_placement_is_known_by_its_name(caplog: pytest.LogCaptureFixture) -> None:
    engine = engine_of(placements=[Placement("newsletter", outcome_days=14)])

    with caplog.at_level(logging.WARNING):
        engine.decide(1, placement="newsletter", at=T0)
        engine.decide(1, placement="newsleter", at=T0)

    (told,) = caplog.records
    assert "'newsleter' is not declared, and 'newsletter' is" in told.getMessage()
