"""The ledger: laws of its state, a slow twin, and what it refuses."""

import logging
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1._types import Id
from seg1.consent import (
    Ask,
    Consent,
    ConsentEvent,
    ConsentLedger,
    ConsentStore,
    Customers,
    MemoryStore,
    Reason,
    Verdict,
)
from seg1.consent.ledger.said import KINDS, EventKind
from seg1.errors import (
    ConsentStoreError,
    InvalidArgumentError,
    InvalidTypeError,
    WrongIdTypeError,
)
from seg1.events import Vocabulary

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


def newest(heard: Sequence[ConsentEvent], at_us: int) -> list[ConsentEvent]:
    heard = [e for e in heard if e.at_us <= at_us]
    return [e for e in heard if e.at_us == max(e.at_us for e in heard)]


def is_grant(word: Sequence[ConsentEvent]) -> bool:
    return bool(word) and all(e.kind in ("grant", "renew") for e in word)


def slow_reason(said: Sequence[ConsentEvent], who: Id, purpose: str, at_us: int) -> Reason:
    """Why a use is permitted or not, by reading all that was said from the beginning."""
    mine = [e for e in said if e.customer == who]
    heard = [e for e in mine if e.purpose in (purpose, "*") and e.kind not in ABOUT_THE_PERSON]
    moments = sorted({e.at_us for e in heard if e.at_us <= at_us})
    words = [[e for e in heard if e.at_us == moment] for moment in moments]
    kept = max([-1, *(place for place, word in enumerate(words) if is_grant(word))])
    since = [e.kind for word in words[kept + 1 :] for e in word]  # what no grant has taken back
    if "object" in since:
        return Reason.OBJECTED
    marks = newest([e for e in mine if e.kind in ("restrict", "unrestrict")], at_us)
    if any(e.kind == "restrict" for e in marks):
        return Reason.RESTRICTED
    if not words:
        return Reason.NO_RECORD
    if "withdraw" in since:
        return Reason.WITHDRAWN
    if since or at_us >= min(e.until_us for e in words[-1]):
        return Reason.EXPIRED
    is_early = at_us < max(e.from_us for e in words[-1])
    return Reason.NOT_YET_VALID if is_early else Reason.GRANTED


@given(said=histories)
@settings(max_examples=120, deadline=None)
def test_answers_equal_the_slow_twin(said: list[ConsentEvent]) -> None:
    answers = everything(ledger_of(said))

    for (who, purpose, at), verdict in answers.items():
        assert verdict.reason == slow_reason(said, who, purpose, at)
        assert verdict.allowed == (verdict.reason == Reason.GRANTED)


@given(said=histories, pick=st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_state_depends_on_neither_order_nor_repetition(
    said: list[ConsentEvent], pick: random.Random
) -> None:
    again = [*said, *said[: len(said) // 2]]
    pick.shuffle(again)

    assert everything(ledger_of(again)) == everything(ledger_of(said))


@given(said=histories)
@settings(max_examples=30, deadline=None)
def test_a_repetition_does_not_move_the_epoch(said: list[ConsentEvent]) -> None:
    ledger = ledger_of(said)
    epoch = ledger.epoch

    ledger.record(said)

    assert ledger.epoch == epoch


@given(said=histories)
@settings(max_examples=60, deadline=None)
def test_time_alone_only_starts_or_ends_a_recorded_grant(said: list[ConsentEvent]) -> None:
    answers = everything(ledger_of(said))

    for (who, purpose, at), verdict in answers.items():
        before = answers.get((who, purpose, at - 1))
        if before is None or before.allowed == verdict.allowed:
            continue
        mine = [e for e in said if e.customer == who and e.purpose in (purpose, "*")]
        edges = {e.at_us for e in mine} | {e.from_us for e in mine} | {e.until_us for e in mine}
        assert at in edges
        if verdict.allowed:
            opening = ("grant", "renew", "unrestrict")
            assert any(e.kind in opening and at in (e.at_us, e.from_us) for e in mine)


@given(said=histories, who=st.sampled_from(WHO), at=moments)
@pytest.mark.parametrize("refuse", ["withdraw", "object", "expire"])
@settings(max_examples=60, deadline=None)
def test_after_a_refusal_nothing_without_a_strictly_newer_grant(
    refuse: str, said: list[ConsentEvent], who: Id, at: int
) -> None:
    ledger = ledger_of(said)

    getattr(ledger, refuse)(who, at=at)

    for (other, purpose, later), verdict in everything(ledger).items():
        if other == who and later >= at and verdict.allowed:
            assert any(
                e.kind in ("grant", "renew")
                and (e.customer, e.purpose) == (who, purpose)
                and e.at_us > at
                for e in said
            )


@given(said=histories, asked=st.lists(st.sampled_from([0, 1, 2]), max_size=12), at=moments)
@settings(max_examples=60, deadline=None)
def test_many_at_once_equal_one_by_one(said: list[ConsentEvent], asked: list[int], at: int) -> None:
    ledger = ledger_of(said)
    vocabulary = Vocabulary([*WHO, "stranger"])
    customers = Customers(vocabulary, np.array(asked, dtype=np.int32))

    answer = ledger.check(customers, Ask(purpose="offers", stage="train", at_us=at))

    one_by_one = [ledger.ask(who, "offers", at=at) for who in customers.ids()]
    assert [answer.one(place) for place in range(len(answer))] == one_by_one
    assert answer.epoch == ledger.epoch


def test_withdrawn_consent_blocks_from_that_instant() -> None:
    ledger = ConsentLedger()
    ledger.grant("ana", ["offers"], at=0, until=100)

    ledger.withdraw("ana", ["offers"], at=50)

    assert ledger.ask("ana", "offers", at=49) == Verdict(1, Reason.GRANTED)
    assert ledger.ask("ana", "offers", at=50) == Verdict(-1, Reason.WITHDRAWN)


def test_a_grant_of_the_same_instant_loses_to_the_withdrawal() -> None:
    ledger = ConsentLedger()
    ledger.withdraw("ana", at=50)

    ledger.grant("ana", ["offers"], at=50, until=100)

    assert not ledger.ask("ana", "offers", at=50).allowed


@pytest.mark.parametrize("first", ["grant", "withdraw"])
def test_of_one_purpose_and_instant_the_withdrawal_wins_whichever_came_first(first: str) -> None:
    said = [
        ConsentEvent("ana", "offers", "grant", 50, 50, 100),
        ConsentEvent("ana", "offers", "withdraw", 50),
    ]

    ledger = ledger_of(said if first == "grant" else said[::-1])

    assert ledger.ask("ana", "offers", at=50) == Verdict(-1, Reason.WITHDRAWN)


def test_a_later_grant_permits_again() -> None:
    ledger = ConsentLedger()
    ledger.withdraw("ana", at=50)

    ledger.grant("ana", ["offers"], at=51, until=100)

    assert ledger.ask("ana", "offers", at=51).allowed


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (9, Reason.NO_RECORD), (10, Reason.NOT_YET_VALID), (19, Reason.NOT_YET_VALID),
        (20, Reason.GRANTED), (29, Reason.GRANTED), (30, Reason.EXPIRED),
    ],
)  # fmt: skip
def test_a_grant_is_valid_from_until(at: int, reason: Reason) -> None:
    ledger = ConsentLedger()
    ledger.grant("ana", ["offers"], at=10, from_=20, until=30)

    assert ledger.ask("ana", "offers", at=at).reason == reason


def test_grants_of_one_instant_permit_what_both_permit() -> None:
    ledger = ConsentLedger()
    ledger.grant("ana", ["offers"], at=0, from_=5, until=20)
    ledger.grant("ana", ["offers"], at=0, until=10)

    assert [at for at in range(25) if ledger.ask("ana", "offers", at=at).allowed] == [5, 6, 7, 8, 9]


def test_a_withdrawal_of_one_purpose_leaves_the_others() -> None:
    ledger = ConsentLedger()
    ledger.grant("ana", ["offers", "ads"], at=0, until=100)

    ledger.withdraw("ana", ["ads"], at=1)

    assert ledger.ask("ana", "offers", at=2).allowed
    assert not ledger.ask("ana", "ads", at=2).allowed


def test_a_withdrawal_of_everything_holds_for_grants_recorded_later() -> None:
    ledger = ConsentLedger()
    ledger.withdraw("ana", at=50)

    ledger.grant("ana", ["offers"], at=40, until=100)

    assert ledger.ask("ana", "offers", at=45).allowed
    assert not ledger.ask("ana", "offers", at=60).allowed


def test_an_int_and_a_str_are_two_customers() -> None:
    ledger = ConsentLedger()
    ledger.grant(7, ["offers"], at=0, until=9)

    assert ledger.ask(np.int64(7), "offers", at=5).allowed  # type: ignore[arg-type]  # a numpy int is an int
    assert not ledger.ask("7", "offers", at=5).allowed
    assert len(ledger.history(7)) == 1
    assert ledger.history("7") == []


def test_datetimes_and_microseconds_say_the_same() -> None:
    ledger = ConsentLedger()
    start = datetime(2026, 1, 1, tzinfo=UTC)

    ledger.grant("ana", ["offers"], at=start, until=start + timedelta(days=1))

    assert ledger.ask("ana", "offers", at=1_767_225_600_000_000).allowed
    assert not ledger.ask("ana", "offers", at=start + timedelta(days=1)).allowed


def test_history_tells_what_was_recorded_in_order() -> None:
    ledger = ConsentLedger()
    ledger.withdraw("ana", at=9)
    ledger.withdraw("bo", at=1)
    ledger.grant("ana", ["offers"], at=3, until=5)

    assert ledger.history("ana") == [
        ConsentEvent("ana", "*", "withdraw", 9),
        ConsentEvent("ana", "offers", "grant", 3, 3, 5),
    ]


def test_a_store_that_gives_no_history_of_one_is_read_through() -> None:
    class Plain:
        """Exactly what the contract asks for."""

        def __init__(self) -> None:
            inner = MemoryStore()
            self.append, self.read, self.version = inner.append, inner.read, inner.version
            self.close = inner.close

    ledger = ConsentLedger(Plain())
    ledger.withdraw("7", at=9)
    ledger.withdraw("8", at=9)

    assert ledger.history("7") == [ConsentEvent("7", "*", "withdraw", 9)]
    assert ledger.history(7) == []


def test_a_renewal_is_a_grant_that_says_so() -> None:
    ledger = ConsentLedger()

    ledger.grant("ana", ["offers"], at=5, until=9, renews=True)

    assert ledger.ask("ana", "offers", at=5).allowed
    assert ledger.history("ana") == [ConsentEvent("ana", "offers", "renew", 5, 5, 9)]


def test_a_kind_that_is_not_known_counts_as_a_refusal() -> None:
    store = MemoryStore()
    store.append(
        [
            ConsentEvent("ana", "offers", "grant", 0, 0, 99),
            ConsentEvent("ana", "offers", "suspend", 5),  # type: ignore[arg-type]  # the point
        ]
    )

    assert ConsentLedger(store).ask("ana", "offers", at=6).reason == Reason.WITHDRAWN


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


def test_two_ledgers_on_one_file_hear_each_other_at_the_next_check(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with ConsentLedger(path) as ours, ConsentLedger(path) as theirs:
        ours.grant("ana", ["offers"], at=0, until=100)
        assert theirs.ask("ana", "offers", at=5).allowed

        theirs.withdraw("ana", at=4)

        assert ours.ask("ana", "offers", at=5).reason == Reason.WITHDRAWN
        assert ours.epoch == theirs.epoch == 2


@given(said=histories)
@settings(max_examples=10, deadline=None)
def test_a_reopened_ledger_gives_the_same_answers(
    said: list[ConsentEvent], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "c.sqlite"
    with ConsentLedger(path) as first:
        first.record(said)
        before = everything(first)

    with ConsentLedger(str(path)) as again:
        assert everything(again) == before
        assert everything(ledger_of(said)) == before


class FailingStore(MemoryStore):
    """A store whose disk is full, or gone."""

    def __init__(self, fails: str) -> None:
        super().__init__()
        self.fails = fails
        self.is_on = False

    def append(self, events: Sequence[ConsentEvent]) -> None:
        self._maybe("append")
        super().append(events)

    def version(self) -> int:
        self._maybe("version")
        return super().version()

    def read(self, after: int) -> list[tuple[int, ConsentEvent]]:
        self._maybe("read")
        return super().read(after)

    def _maybe(self, name: str) -> None:
        if self.is_on and name == self.fails:
            raise ConsentStoreError("the disk is gone")


def test_a_word_that_could_not_be_kept_changes_nothing() -> None:
    store = FailingStore("append")
    ledger = ConsentLedger(store)
    store.is_on = True

    with pytest.raises(ConsentStoreError):
        ledger.grant("ana", ["offers"], at=0, until=9)

    assert ledger.epoch == 0
    assert not ledger.ask("ana", "offers", at=5).allowed


def test_several_events_are_kept_in_one_write() -> None:
    class Counting(MemoryStore):
        def append(self, events: Sequence[ConsentEvent]) -> None:
            sizes.append(len(events))
            super().append(events)

    sizes: list[int] = []
    ledger = ConsentLedger(Counting())

    ledger.grant("ana", ["offers", "ads"], at=0, until=9)

    assert sizes == [2]


def test_an_event_that_comes_while_the_store_is_read_is_heard_at_the_next_check() -> None:
    class Overtaken(MemoryStore):
        def read(self, after: int) -> list[tuple[int, ConsentEvent]]:
            rows = super().read(after)
            self.append([late.pop()] if rows and late else [])
            return rows

    late = [ConsentEvent("ana", "offers", "withdraw", 1)]
    ledger = ConsentLedger(Overtaken())
    ledger.grant("ana", ["offers"], at=0, until=9)

    assert ledger.ask("ana", "offers", at=5).reason == Reason.WITHDRAWN


@pytest.mark.parametrize("fails", ["version", "read"])
def test_a_store_that_cannot_be_read_reads_as_unknown_and_recovers(fails: str) -> None:
    store = FailingStore(fails)
    ledger = ConsentLedger(store)
    ledger.grant("ana", ["offers"], at=0, until=9)
    store.append([ConsentEvent("bo", "offers", "withdraw", 1)])
    consent = Consent({("offers", "decide"): ledger})

    store.is_on = True
    during = consent.ask("ana", at=5)
    with pytest.raises(ConsentStoreError):
        ledger.ask("ana", "offers", at=5)
    store.is_on = False

    assert during.reason("decide") == Reason.FILTER_FAILED
    assert not during.allows("decide")
    assert consent.ask("ana", at=5).allows("decide")


def test_a_closed_file_raises_and_reads_as_unknown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = ConsentLedger(tmp_path / "c.sqlite")
    ledger.grant("canary", ["offers"], at=0, until=9)
    consent = Consent({("offers", "decide"): ledger})

    ledger.close()

    assert consent.ask("canary", at=5).reason("decide") == Reason.FILTER_FAILED
    assert "canary" not in caplog.text
    with pytest.raises(ConsentStoreError, match="closed"):
        ledger.ask("canary", "offers", at=5)


@pytest.mark.parametrize("is_on_file", [True, False])
def test_threads_share_a_ledger(is_on_file: bool, tmp_path: Path) -> None:  # noqa: FBT001  # pytest passes it by name
    store: ConsentStore | Path = tmp_path / "c.sqlite" if is_on_file else MemoryStore()
    wrong: list[object] = []

    with ConsentLedger(store) as ledger:

        def live(who: int) -> None:
            for at in range(0, 40, 2):
                ledger.grant(who, ["offers"], at=at, until=1_000)
                is_open = ledger.ask(who, "offers", at=500).allowed
                ledger.withdraw(who, at=at + 1)
                is_shut = not ledger.ask(who, "offers", at=500).allowed
                if not (is_open and is_shut):
                    wrong.append((who, at))

        threads = [threading.Thread(target=live, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert not wrong
        assert ledger.epoch == 4 * 40


def test_a_withdrawal_says_whether_a_later_grant_leaves_it_without_effect(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ledger = ConsentLedger()
    ledger.grant("ana", ["offers"], at=50, until=100)

    told = [ledger.withdraw("ana", at=49), ledger.withdraw("ana", at=50)]

    assert told == [False, True]
    assert "before a grant that it leaves standing" in caplog.text
    assert "ana" not in caplog.text


def test_a_refusal_that_nothing_later_opens_is_the_newest_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ledger = ConsentLedger()
    ledger.grant("ana", ["ads"], at=50, until=100)
    ledger.withdraw("ana", ["offers"], at=50)
    ledger.grant("bo", ["mail"], at=50, until=100)

    assert ledger.withdraw("ana", ["offers"], at=49)
    assert ledger.withdraw("ana", at=51)
    assert ledger.withdraw("ana", at=50)
    assert not caplog.messages


def test_a_snapshot_keeps_what_another_ledger_on_the_store_has_recorded() -> None:
    store = MemoryStore()
    ours, theirs = ConsentLedger(store), ConsentLedger(store)
    ours.grant("ana", ["offers"], at=0, until=9)
    theirs.withdraw("ana", at=1)

    assert not ours.snapshot().ask("ana", "offers", at=5).allowed


def test_a_ledger_closes_its_store_at_the_end_of_a_with() -> None:
    class Closing(MemoryStore):
        n_closed = 0

        def close(self) -> None:
            self.n_closed += 1

    store = Closing()

    with ConsentLedger(store):
        pass

    assert store.n_closed == 1


def test_a_second_kind_of_id_is_refused_where_it_would_be_recorded() -> None:
    ledger = ConsentLedger()
    ledger.grant("5", ["offers"], at=0, until=100)

    with pytest.raises(WrongIdTypeError, match="use one kind"):
        ledger.withdraw(5, at=50)

    assert ledger.ask("5", "offers", at=60).allowed


def test_a_store_is_read_by_one_thread_at_a_time() -> None:
    class Crowded(MemoryStore):
        def read(self, after: int) -> list[tuple[int, ConsentEvent]]:
            second = threading.Thread(target=come_in)
            second.start()
            second.join()
            return super().read(after)

    def come_in() -> None:
        came_in.append(bool(ledgers) and ledgers[0]._lock.acquire(blocking=False))

    ledgers: list[ConsentLedger] = []
    came_in: list[bool] = []
    ledgers.append(ConsentLedger(Crowded()))

    ledgers[0].grant("ana", ["offers"], at=0, until=9)

    assert came_in == [False, False]
    come_in()
    assert came_in[-1]
