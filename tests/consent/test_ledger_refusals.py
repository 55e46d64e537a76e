"""The ledger: what it keeps of a word, and what it refuses."""

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from consent_histories import (
    ABOUT_THE_PERSON,
)

from seg1.consent import (
    Consent,
    ConsentEvent,
    ConsentLedger,
    MemoryStore,
)
from seg1.consent.ledger.said import EventKind
from seg1.errors import (
    InvalidArgumentError,
    InvalidTypeError,
)


def test_recorded_events_are_kept_as_plain_values(tmp_path: Path) -> None:
    said = ConsentEvent(np.int64(5), np.str_("offers"), "grant", np.int64(0), 0, np.int64(9))  # type: ignore[arg-type]  # numpy's are accepted

    with ConsentLedger(tmp_path / "c.sqlite") as ledger:
        ledger.record([said])

        (kept,) = ledger.history(5)
        assert kept == ConsentEvent(5, "offers", "grant", 0, 0, 9)
        assert type(kept.customer) is int
        assert ledger.ask(5, "offers", at=8).allowed


Call = Callable[[Any], object]  # of a ledger; Any, because most calls are wrong on purpose
GRANTED: Any = "granted"  # no kind
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001  # the point
REFUSED: list[tuple[Call, type[Exception], str]] = [
    (lambda led: led.grant("canary", "offers", at=0, until=9), InvalidTypeError, "several"),
    (lambda led: led.grant("canary", None, at=0, until=9), InvalidTypeError, "several"),
    (lambda led: led.withdraw("canary", "a*b", at=0), InvalidTypeError, "several"),
    (lambda led: led.withdraw("canary", 5, at=0), InvalidTypeError, "several"),
    (
        lambda led: led.grant("canary", [], at=0, until=9),
        InvalidArgumentError,
        "at least one purpose",
    ),
    (lambda led: led.withdraw("canary", [], at=0), InvalidArgumentError, "at least one purpose"),
    (
        lambda led: led.grant("canary", ["ok", ""], at=0, until=9),
        InvalidArgumentError,
        "non-empty str",
    ),
    (lambda led: led.grant("canary", [5], at=0, until=9), InvalidArgumentError, "non-empty str"),
    (
        lambda led: led.grant("canary", ["canary\ud800"], at=0, until=9),
        InvalidArgumentError,
        "non-em",
    ),
    (
        lambda led: led.grant("canary", ["x" * 300], at=0, until=9),
        InvalidArgumentError,
        "256 bytes",
    ),
    (
        lambda led: led.grant("canary", ["ok", "*"], at=0, until=9),
        InvalidArgumentError,
        "no grant of",
    ),
    (lambda led: led.grant("canary", ["ok"], at=9, until=9), InvalidArgumentError, "never valid"),
    (
        lambda led: led.grant("canary", ["ok"], at=0, from_=9, until=9),
        InvalidArgumentError,
        "never",
    ),
    (
        lambda led: led.grant("canary", ["ok"], at=9, from_=0, until=5),
        InvalidArgumentError,
        "never",
    ),
    (lambda led: led.grant("canary", ["ok"], at=0, until=None), InvalidTypeError, "until must be"),
    (
        lambda led: led.grant("canary", ["ok"], at=0, until=2**62),
        InvalidArgumentError,
        "years 1 to",
    ),
    (
        lambda led: led.withdraw("canary", at=NAIVE),
        InvalidArgumentError,
        "time zone",
    ),
    (lambda led: led.withdraw("", at=0), InvalidArgumentError, "empty id"),
    (
        lambda led: led.withdraw(1.5, at=0),
        InvalidTypeError,
        "id must be a str or an int, got float",
    ),
    (lambda led: led.withdraw(customer=True, at=0), InvalidTypeError, "got bool"),
    (
        lambda led: led.ask("canary\ud800", "offers", at=0),
        InvalidArgumentError,
        "not valid Unicode",
    ),
    (lambda led: led.ask("canary", "offers", at="now"), InvalidTypeError, "at must be an aware"),
    (
        lambda led: led.grant("canary", ["offers"], at=0, from_="now", until=9),
        InvalidTypeError,
        "from_ must be an aware",
    ),
    (lambda led: led.object("canary", "a*b", at=0), InvalidTypeError, "several"),
    (lambda led: led.expire("canary", [], at=0), InvalidArgumentError, "at least one purpose"),
    (lambda led: led.opt_out("", at=0), InvalidArgumentError, "empty id"),
    (
        lambda led: led.record(["canary"]),
        InvalidTypeError,
        "events must be ConsentEvents, got a str",
    ),
    (
        lambda led: led.record([ConsentEvent("canary", "p", GRANTED, 0)]),
        InvalidArgumentError,
        "kind must be one of grant, renew, withdraw",
    ),
    (
        lambda led: led.record(
            [ConsentEvent("a", "p", "withdraw", 0), ConsentEvent("", "p", "withdraw", 0)]
        ),
        InvalidArgumentError,
        "empty id",
    ),
]


@pytest.mark.parametrize(("call", "error", "words"), REFUSED)
def test_what_means_nothing_is_refused_and_changes_nothing(
    call: Call, error: type[Exception], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = ConsentLedger()
    caplog.set_level(logging.DEBUG)

    with pytest.raises(error, match=words) as caught:
        call(ledger)

    assert "canary" not in str(caught.value)
    assert not caplog.messages
    assert (ledger.epoch, ledger.history("canary"), ledger.history("a")) == (0, [], [])


class NoStore:
    """Has a word of a store and lacks the others."""

    def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("store", [5, object(), b"path", NoStore()])
def test_what_is_no_store_is_refused(store: Any) -> None:  # noqa: ANN401  # the point
    with pytest.raises(InvalidTypeError, match="store must be a path, a ConsentStore or None"):
        ConsentLedger(store)


@pytest.mark.parametrize("kind", sorted(ABOUT_THE_PERSON))
def test_what_is_about_the_person_is_about_no_purpose(kind: EventKind) -> None:
    with pytest.raises(InvalidArgumentError, match=f"'{kind}' is about the person"):
        ConsentLedger().record([ConsentEvent("canary", "p", kind, 0)])


def test_only_a_grant_is_kept_with_a_validity() -> None:
    ledger = ConsentLedger()
    ledger.record(
        [ConsentEvent("ana", "offers", "withdraw", 5, 6, 7), ConsentEvent("ana", "*", "object", 5)]
    )

    assert [(event.from_us, event.until_us) for event in ledger.history("ana")] == [(0, 0)] * 2


def test_a_word_about_everything_is_kept_for_purposes_that_were_spoken_of() -> None:
    ledger = ConsentLedger()
    ledger.grant("ana", ["offers"], at=0, until=9)

    ledger.withdraw("bo", at=5)

    assert repr(ledger) == "ConsentLedger(2 customer purposes, epoch 2)"


def test_repr_shows_counts_only() -> None:
    ledger = ConsentLedger()
    ledger.grant("canary", ["canary purpose"], at=0, until=9)

    assert repr(ledger) == "ConsentLedger(1 customer purposes, epoch 1)"
    assert ledger.name == "ledger"


def test_a_grant_of_everything_in_a_store_opens_nothing() -> None:
    store = MemoryStore()
    store.append([ConsentEvent("ana", "*", "grant", 0, 0, 99)])

    ledger = ConsentLedger(store)

    assert not ledger.ask("ana", "offers", at=5).allowed
    assert not ledger.ask("ana", "*", at=5).allowed


def test_an_event_that_cannot_be_folded_is_never_passed_over() -> None:
    store = MemoryStore()
    ledger = ConsentLedger(store)
    ledger.grant("ana", ["offers"], at=0, until=99)
    consent = Consent({("offers", "decide"): ledger})

    store.append([ConsentEvent("ana", "offers", "withdraw", "soon")])  # type: ignore[arg-type]  # the point

    for _ in range(2):
        assert not consent.ask("ana", at=5).allows("decide")
        with pytest.raises(TypeError):
            ledger.ask("ana", "offers", at=5)
