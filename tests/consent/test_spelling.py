"""A purpose that is written otherwise in the policy than in the grants."""

import logging

import pytest

from seg1 import Consent, ConsentLedger
from seg1.consent import ConsentEvent, MemoryStore


def ledger() -> ConsentLedger:
    made = ConsentLedger()
    made.grant("ana", ["offers", "measurement"], at=0, until=9)
    made.withdraw("bo", at=1)
    return made


def test_a_ledger_tells_the_purposes_that_somebody_spoke_of() -> None:
    assert ledger().purposes == ("measurement", "offers")
    assert ConsentLedger().purposes == ()


@pytest.mark.parametrize(
    ("decide", "near"),
    [("offer", "offers"), ("Offers", "offers"), ("offers", None), ("profiling", None)],
)
def test_a_purpose_that_is_nearly_one_on_record_is_logged(
    decide: str, near: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        Consent.for_purposes(ledger(), train="profiling", decide=decide, measure="measurement")

    told = [record.getMessage() for record in caplog.records]
    assert len(told) == (near is not None)
    assert all(f"purpose {decide!r}, which the policy names, but of {near!r}" in t for t in told)


def test_a_policy_reads_no_store_to_look_at_its_spelling() -> None:
    class Closed(MemoryStore):
        is_open = True

        def read(self, after: int) -> list[tuple[int, ConsentEvent]]:
            assert self.is_open
            return super().read(after)

    store = Closed()
    kept = ConsentLedger(store)
    store.is_open = False

    Consent.for_purposes(kept, train="a", decide="b", measure="c")
