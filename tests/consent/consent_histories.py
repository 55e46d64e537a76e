"""Random histories of consent, and a ledger of each: what the tests of the ledger draw."""

from collections.abc import Iterable

from hypothesis import strategies as st

from seg1._types import Id
from seg1.consent import (
    ConsentEvent,
    ConsentLedger,
    Verdict,
)
from seg1.consent.ledger.said import KINDS, EventKind

WHO: list[Id] = ["ana", "bo"]
PURPOSES = ["offers", "ads"]
moments = st.integers(0, 12)


ABOUT_THE_PERSON = {"restrict", "unrestrict", "opt_out", "opt_in"}


def _event(draw: tuple[Id, str, EventKind, int, int, int]) -> ConsentEvent:
    who, purpose, kind, at_us, wait, length = draw
    if kind in ABOUT_THE_PERSON:
        return ConsentEvent(who, "*", kind, at_us)
    if kind not in ("grant", "renew"):
        return ConsentEvent(who, purpose, kind, at_us)
    from_us = at_us + wait
    purpose = "offers" if purpose == "*" else purpose
    return ConsentEvent(who, purpose, kind, at_us, from_us, from_us + length)


events = st.tuples(
    st.sampled_from(WHO), st.sampled_from([*PURPOSES, "*"]), st.sampled_from(["grant", *KINDS]),
    moments, st.integers(0, 3), st.integers(1, 8),
).map(_event)  # fmt: skip
histories = st.lists(events, max_size=10)


def ledger_of(said: Iterable[ConsentEvent]) -> ConsentLedger:
    ledger = ConsentLedger()
    for event in said:
        ledger.record([event])
    return ledger


def everything(ledger: ConsentLedger) -> dict[tuple[Id, str, int], Verdict]:
    return {
        (who, purpose, at): ledger.ask(who, purpose, at=at)
        for who in WHO
        for purpose in PURPOSES
        for at in range(-1, 25)
    }
