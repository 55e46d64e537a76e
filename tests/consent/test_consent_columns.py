"""Very many customers at once: equal to one by one, whatever was asked or said before."""

import threading
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1._types import Id
from seg1.consent import Ask, ConsentEvent, ConsentLedger, Customers, LedgerSnapshot, Verdict
from seg1.consent.ledger.columns import Columns
from seg1.consent.ledger.said import KINDS
from seg1.events import Vocabulary

FEW = 4
MANY = 300  # more than are answered one by one
PURPOSES = ["offers", "ads"]
Ledger: TypeAlias = ConsentLedger | LedgerSnapshot


def _event(draw: tuple[int, str, int, int, int, int]) -> ConsentEvent:
    who, purpose, kind_index, at_us, wait, length = draw
    kind = KINDS[kind_index]
    if kind in ("grant", "renew"):
        from_us = at_us + wait
        purpose = "offers" if purpose == "*" else purpose
        return ConsentEvent(who, purpose, kind, at_us, from_us, from_us + length)
    return ConsentEvent(who, "*" if kind in KINDS[-4:] else purpose, kind, at_us)


events = st.tuples(
    st.integers(0, FEW), st.sampled_from([*PURPOSES, "*"]), st.integers(0, len(KINDS) - 1),
    st.integers(0, 12), st.integers(0, 3), st.integers(1, 8),
).map(_event)  # fmt: skip
batches = st.lists(st.lists(events, max_size=5), min_size=1, max_size=4)


def all_of(vocabulary: Vocabulary) -> Customers:
    return Customers(vocabulary, np.arange(len(vocabulary), dtype=np.int32))


def one_by_one(ledger: Ledger, customers: Iterable[Id], ask: Ask) -> list[Verdict]:
    asked = [ledger.check(Customers.of(customer), ask) for customer in customers]
    return [answer.one(0) for answer in asked]


def at_once(
    ledger: ConsentLedger | LedgerSnapshot, customers: Customers, ask: Ask
) -> list[Verdict]:
    answer = ledger.check(customers, ask)
    return [answer.one(place) for place in range(len(answer))]


@given(said=batches, at_us=st.integers(0, 20), stage=st.sampled_from(["train", "decide"]))
@settings(max_examples=60, deadline=None)
def test_many_at_once_equal_one_by_one_after_every_batch(
    said: list[list[ConsentEvent]], at_us: int, stage: str
) -> None:
    ledger = ConsentLedger()
    vocabulary = Vocabulary(range(1, MANY))  # 0 comes later

    for batch in said:
        ledger.record(batch)
        for purpose in PURPOSES:
            ask = Ask(purpose=purpose, stage=stage, at_us=at_us)
            answers = at_once(ledger, all_of(vocabulary), ask)

            expected = one_by_one(ledger, range(1, FEW + 1), ask)
            assert answers[:FEW] == expected
            assert set(answers[FEW : MANY - 1]) == {Verdict(0, answers[FEW].reason)}
        vocabulary.encode([0], unknown="add")
    ask = Ask(purpose="offers", stage=stage, at_us=at_us)
    assert at_once(ledger, all_of(vocabulary), ask)[-1] == one_by_one(ledger, [0], ask)[0]


def test_customers_may_stand_in_any_order_and_twice() -> None:
    ledger = ConsentLedger()
    ledger.grant(3, ["offers"], at=0, until=9)
    codes = np.array([5, 3, 3, *range(MANY)], dtype=np.int32)

    answer = ledger.check(Customers(Vocabulary(range(MANY)), codes), Ask("offers", "train", 5))

    assert np.flatnonzero(answer.allowed).tolist() == [1, 2, 6]


def test_a_word_that_comes_while_columns_are_built_is_heard_at_the_next_question() -> None:
    class Slow(Vocabulary):
        @property
        def ids(self) -> tuple[Id, ...]:
            withdrawals.pop()(1, at=2)
            return super().ids

    ledger = ConsentLedger()
    ledger.grant(1, ["offers"], at=0, until=9)
    withdrawals = [ledger.withdraw]
    vocabulary = Slow(range(MANY))
    ask = Ask("offers", "train", 5)

    ledger.check(all_of(vocabulary), ask)

    assert not withdrawals
    assert not ledger.check(all_of(vocabulary), ask).allowed[1]


@pytest.mark.parametrize("asked_before", [True, False])
def test_a_code_whose_id_is_erased_is_nobodys_and_all_others_stay_who_they_are(
    *, asked_before: bool
) -> None:
    ledger = ConsentLedger()
    for who in (1, 2, 3):
        ledger.grant(who, ["offers"], at=0, until=9)
    ledger.withdraw(3, ["offers"], at=8)
    vocabulary, ask = Vocabulary(range(MANY)), Ask("offers", "train", 5)
    everybody = all_of(vocabulary)
    if asked_before:
        ledger.check(everybody, ask)

    for who in (10**6, 10**6 + 1):
        ledger.grant(who, ["offers"], at=0, until=9)
    vocabulary.encode([10**6 + 1, 10**6], unknown="add")
    vocabulary.erase([1, 3, 10**6 + 1])  # the last before anybody asked about it
    ledger.grant(1, ["offers"], at=4, until=9)

    assert np.flatnonzero(ledger.check(everybody, ask).allowed).tolist() == [2]
    assert np.flatnonzero(ledger.check(all_of(vocabulary), ask).allowed).tolist() == [2, MANY + 1]


def test_columns_that_could_not_be_built_are_built_anew() -> None:
    class Failing(Vocabulary):
        fails = True

        @property
        def ids(self) -> tuple[Id, ...]:
            if self.fails:
                raise MemoryError
            return super().ids

    ledger = ConsentLedger()
    vocabulary = Failing(range(MANY))
    ask = Ask("offers", "train", 5)
    with pytest.raises(MemoryError):
        ledger.check(all_of(vocabulary), ask)

    vocabulary.fails = False
    ledger.grant(1, ["offers"], at=0, until=9)

    assert ledger.check(all_of(vocabulary), ask).allowed[1]


def test_what_columns_keep_names_nobody_in_its_repr() -> None:
    ledger = ConsentLedger()
    vocabulary = Vocabulary(["canary", *map(str, range(MANY))])
    ledger.check(all_of(vocabulary), Ask("offers", "train", 5))

    ledger.grant("canary", ["offers"], at=0, until=9)

    shown = repr(dict(ledger._columns._of))
    assert "_Kept(1 stale)}" in shown
    assert "canary" not in shown


def test_columns_live_no_longer_than_the_vocabulary_they_are_about() -> None:
    ledger = ConsentLedger()
    ledger.check(all_of(Vocabulary(range(MANY))), Ask("offers", "train", 5))

    assert not list(ledger._columns._of)


def test_what_somebody_else_says_touches_nobody() -> None:
    ledger = ConsentLedger()
    ledger.grant(1, ["offers"], at=0, until=9)
    ledger.restrict(MANY + 1, at=0)
    ledger.withdraw(MANY + 2, at=0)
    ledger.grant(MANY - 1, ["offers"], at=0, until=9)
    vocabulary = Vocabulary(range(MANY))

    for _ in range(2):  # the second time the columns stand, and are mended
        answer = ledger.check(all_of(vocabulary), Ask("offers", "train", 5))
        ledger.withdraw(MANY + 3, at=0)

        assert np.flatnonzero(answer.allowed).tolist() == [1, MANY - 1]


def test_all_of_a_grants_validity_counts_for_many() -> None:
    ledger = ConsentLedger()
    ledger.grant(1, ["offers"], at=3, from_=6, until=8)
    everybody = all_of(Vocabulary(range(MANY)))

    told = [ledger.check(everybody, Ask("offers", "train", at)).one(1) for at in (2, 5, 6, 7, 8)]

    assert [verdict.reason.words for verdict in told] == [
        "no record", "not yet valid", "granted", "granted", "expired",
    ]  # fmt: skip


def test_a_grant_after_a_withdrawal_of_everything_counts_for_many() -> None:
    ledger = ConsentLedger()
    for customer in (3, 4):
        ledger.withdraw(customer, at=1)
    ledger.grant(4, ["offers"], at=2, until=9)

    answers = ledger.check(Customers.of(*range(MANY)), Ask("offers", "decide", 5))

    assert [answers.one(n).reason.words for n in (2, 3, 4)] == ["no record", "withdrawn", "granted"]


@pytest.mark.parametrize("step", ["_all", "_as_of"])
def test_who_comes_while_all_are_asked_disturbs_nobody(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = getattr(Columns, step)
    ledger, vocabulary = ConsentLedger(), Vocabulary(range(MANY))
    ledger.grant(1, ["offers"], at=0, until=9)
    ledger.withdraw(MANY, at=0)
    ledger.restrict(MANY, at=0)

    def grow(*given: Any, **named: Any) -> Any:  # noqa: ANN401  # passed on as they are
        vocabulary.encode([MANY], unknown="add")
        return true(*given, **named)

    monkeypatch.setattr(Columns, step, grow)
    answer = ledger.check(all_of(vocabulary), Ask("offers", "train", 5))

    assert np.flatnonzero(answer.allowed).tolist() == [1]


def test_a_snapshot_answers_as_of_its_epoch() -> None:
    ledger = ConsentLedger()
    ledger.grant(1, ["offers"], at=0, until=9)
    ledger.restrict(2, at=0)
    vocabulary = Vocabulary(range(MANY))
    ask = Ask("offers", "decide", 5)
    kept = ledger.snapshot()
    before = at_once(ledger, all_of(vocabulary), ask)

    ledger.withdraw(1, at=1)
    ledger.grant(3, ["ads"], at=1, until=9)
    ledger.unrestrict(2, at=1)

    assert at_once(kept, all_of(vocabulary), ask) == before
    assert one_by_one(kept, range(4), ask) == before[:4]
    assert kept.ask(1, "offers", at=5).allowed
    assert (kept.epoch, ledger.epoch) == (2, 5)
    assert repr(kept) == "LedgerSnapshot(epoch 2)"


def test_a_snapshot_asked_about_a_purpose_tells_no_opt_out_as_the_ledger_does() -> None:
    ledger = ConsentLedger()
    ledger.grant(1, ["offers"], at=0, until=9)
    ledger.opt_out(1, at=0)

    assert ledger.snapshot().ask(1, "offers", at=5) == ledger.ask(1, "offers", at=5)
    assert ledger.ask(1, "offers", at=5).allowed


def test_threads_that_ask_about_all_hear_an_acknowledged_withdrawal() -> None:
    ledger = ConsentLedger()
    vocabulary = Vocabulary(range(MANY))
    ledger.record(ConsentEvent(who, "offers", "grant", 0, 0, 99) for who in range(MANY))
    late: list[int] = []

    def withdraw(first: int) -> None:
        for who in range(first, MANY, 4):
            ledger.withdraw(who, at=1)
            if ledger.check(all_of(vocabulary), Ask("offers", "train", 5)).allowed[who]:
                late.append(who)

    threads = [threading.Thread(target=withdraw, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not late
