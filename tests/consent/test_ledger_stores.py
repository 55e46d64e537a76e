"""The ledger over its stores: shared, failing, closed, read by many threads."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from consent_histories import everything, histories, ledger_of
from hypothesis import given, settings

from seg1.consent import (
    Consent,
    ConsentEvent,
    ConsentLedger,
    ConsentStore,
    MemoryStore,
    Reason,
)
from seg1.errors import (
    ConsentStoreError,
    WrongIdTypeError,
)


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
