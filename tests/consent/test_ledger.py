"""The ledger: laws of its state, a slow twin, and what it answers."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from consent_histories import ABOUT_THE_PERSON, WHO, everything, histories, ledger_of, moments
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1._types import Id
from seg1.consent import (
    Ask,
    ConsentEvent,
    ConsentLedger,
    Customers,
    MemoryStore,
    Reason,
    Verdict,
)
from seg1.events import Vocabulary


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
