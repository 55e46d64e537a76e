"""Release: a withdrawal comes wholly before a decision, or after it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
from small_engine import (
    DAY,
    T0,
    HookedJournal,
    consent_of,
    decide,
    decided_rows,
    engine_of,
    ledger_of,
    rows_of,
    selector_of,
    state_of,
)  # fmt: skip

from seg1 import Consent, Offer
from seg1._types import Id
from seg1.decide import Decision, FrequencyCap, Personalizer
from seg1.errors import UnknownIdError
from seg1.journal import Decided, Journal, MemoryJournal, Voided


def withdrawing(consent: Consent, *, journal: Journal | None = None) -> Personalizer:
    """An engine whose customers withdraw right after their first decision was written."""
    pending = {1}

    def withdraw(row: Decided) -> None:
        if row.customer in pending:
            pending.clear()
            engine.withdraw(1, at=T0)

    engine = engine_of(
        [Offer("tea", stock=3), Offer("personal", audience=lambda *_: True)],
        selector=selector_of([Offer("tea", stock=3)], no_offer=False),
        consent=consent,
        journal=HookedJournal(journal or MemoryJournal(), withdraw),
        filters=[FrequencyCap(1, days=7)],
    )
    return engine


def test_a_withdrawal_between_writing_and_release_voids_the_decision() -> None:
    engine = withdrawing(consent_of(ledger_of(1, 2)))

    decision = decide(engine, 1, key="visit-1")

    assert (decision.mode, decision.logged) == ("fallback", False)
    personal, fallback = decided_rows(engine)
    assert (personal.mode, personal.decision_id) == ("personalised", "visit-1")
    assert (fallback.mode, fallback.customer) == ("fallback", None)
    assert Voided(decision_id="visit-1", at_us=T0) in rows_of(engine)
    assert state_of(engine).counters.held == (1,)  # the fallback's
    assert state_of(engine).counters._contacts[1] == []
    with pytest.raises(UnknownIdError):
        engine.outcome("visit-1", accepted=True, at=T0)
    engine.observe(2, item="milk", at=T0 + 30 * DAY)
    assert engine.n_learned == 0
    assert state_of(engine).outcomes.status("visit-1") == "voided"


def test_a_voided_id_stays_its_customers_and_may_be_decided_again() -> None:
    ledger = ledger_of(1, 2)
    engine = withdrawing(consent_of(ledger))
    decide(engine, 1, key="visit-1")

    denied_again = decide(engine, 1, at=T0 + 1, key="visit-1")
    ledger.grant(1, ["offers"], at=T0 + 2, until=T0 + DAY)
    permitted = decide(engine, 1, at=T0 + 2, key="visit-1")

    assert denied_again.mode == "fallback"
    assert (permitted.mode, permitted.logged) == ("personalised", True)
    assert engine.outcome("visit-1", accepted=True, at=T0 + 3) == "recorded"
    with pytest.raises(ValueError, match="another customer"):
        decide(engine, 2, at=T0 + 3, key="visit-1")


def test_a_purpose_that_is_lost_between_writing_and_release_voids_too() -> None:
    ledger = ledger_of(1)
    engine = engine_of(consent=consent_of(ledger))

    def withdraw(_: Decided) -> None:
        ledger.withdraw(1, ["measurement"], at=T0)

    engine._core.journal = HookedJournal(engine.journal, withdraw)

    decision = decide(engine, 1, key="visit-1")

    assert decision.mode == "fallback"
    assert decision.reasons == ("consent: changed while the decision was made",)
    assert state_of(engine).outcomes.status("visit-1") == "voided"


def test_an_erasure_between_writing_and_a_stale_release_leaves_no_trace() -> None:
    engine = engine_of(consent=consent_of(ledger_of("canary")))
    original = engine._core.ask
    n_asked = []

    def ask(customer: Id, at_us: int) -> object:
        n_asked.append(at_us)
        if len(n_asked) == 2:  # at the release: the stripe is held by this thread
            with engine._core.lock:
                engine.journal.erase("canary", at_us=T0)
                engine._core.refold()
            engine._core.consent.withdraw("canary", at=T0)
        return original(customer, at_us)

    engine._core.ask = ask  # type: ignore[method-assign,assignment]  # the pause is injected here

    decision = decide(engine, "canary", key="canary-visit")

    assert decision.mode == "fallback"
    assert "canary" not in str([told(r) for r in decided_rows(engine)])
    assert not any(isinstance(row, Voided) for row in rows_of(engine))


@pytest.mark.parametrize("seed", range(3))
def test_no_decision_is_released_after_a_withdrawal_was_acknowledged(seed: int) -> None:
    """Each decision pauses between its row and its release until its withdrawal is under way."""
    rng = np.random.default_rng(seed)
    customers = range(150)
    pauses = {n: Event() for n in customers}
    goes_first = rng.random(len(customers)) < 0.5
    engine = engine_of(consent=consent_of(ledger_of(*customers)))
    written = {n: Event() for n in customers}

    original = engine._core.append

    def append(row: object) -> None:
        original(row)  # type: ignore[arg-type]  # as it was given
        if isinstance(row, Decided) and isinstance(row.customer, int):
            written[row.customer].set()

    release = engine._deciding._release

    def paused(request: object, row: Decided, *rest: object, **named: object) -> Decision:
        pauses[int(row.customer or 0)].wait()
        return release(request, row, *rest, **named)  # type: ignore[arg-type]  # passed on

    engine._core.append = append  # type: ignore[method-assign]  # the pauses are injected
    engine._deciding._release = paused  # type: ignore[method-assign]  # the same

    def withdraw(n: int) -> int:
        written[n].wait()
        if goes_first[n]:
            seq = engine.withdraw(n, at=T0)
            pauses[n].set()
            return seq
        pauses[n].set()
        return engine.withdraw(n, at=T0)

    with ThreadPoolExecutor(8) as pool:
        futures = [(pool.submit(decide, engine, n), pool.submit(withdraw, n)) for n in customers]
        pairs = [(decision.result(), seq.result()) for decision, seq in futures]

    for decision, seq in pairs:
        assert decision.mode == "fallback" or decision.released_seq < seq
    modes = [decision.mode for decision, _ in pairs]
    assert all(modes[n] == "fallback" for n in customers if goes_first[n])
    n_voided = sum(isinstance(row, Voided) for row in rows_of(engine))
    assert n_voided == modes.count("fallback")
    seqs = [seq for _, seq in pairs] + [decision.released_seq for decision, _ in pairs]
    assert len(set(seqs)) == 2 * len(customers)


def told(row: Decided) -> dict[str, object]:
    return row._asdict()
