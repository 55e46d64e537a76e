"""Whatever happens, the state is the fold of the journal, and every decision can be drawn again."""

from hypothesis import given, settings
from hypothesis import strategies as st
from small_engine import (
    DAY,
    PURPOSES,
    T0,
    consent_of,
    decided_rows,
    ledger_of,
    selector_of,
    state_of,
    told_state,
)  # fmt: skip
from small_history import liked_by, reopened, visit

from seg1.decide import replay
from seg1.journal import MemoryJournal

HAPPENS = st.lists(
    st.tuples(
        st.sampled_from(["visit"] * 6 + ["correct", "withdraw", "grant", "erase", "wait"]),
        st.integers(0, 4),
        st.sampled_from(["app", "till", "web"]),
    ),
    min_size=5,
    max_size=60,
)


@settings(max_examples=40, deadline=None)
@given(HAPPENS)
def test_the_state_is_the_fold_of_the_journal_whatever_happens(
    happens: list[tuple[str, int, str]],
) -> None:
    journal, ledger = MemoryJournal(), ledger_of(*range(5))
    engine = reopened(journal, consent=consent_of(ledger))
    at = T0
    for what, customer, channel in happens:
        at += DAY
        if what == "visit":
            visit(engine, customer, at=at, likes=liked_by(customer), channel=channel)
        elif what == "correct":
            for row in decided_rows(engine)[-9:]:
                if row.customer is not None and row.mode == "personalised":
                    engine.outcome(
                        row.decision_id, accepted=customer > 1, at=row.at_us + 2, correct=True
                    )
        elif what == "withdraw":
            engine.withdraw(customer, at=at)
        elif what == "grant":
            ledger.grant(customer, PURPOSES, at=at, until=at + 999 * DAY)
        elif what == "erase":
            engine.erase(customer, at=at)
        else:
            at += 20 * DAY

    again = reopened(journal, consent=consent_of(ledger))

    assert told_state(state_of(again)) == told_state(state_of(engine))
    assert again.fingerprint() == engine.fingerprint()
    assert replay(journal, selector_of(no_offer=False)).n_different == 0
