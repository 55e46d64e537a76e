"""Replay: every decision can be made again from its row and the rows before it."""

from pathlib import Path

import pytest

import seg1
from seg1.decide import Replayed, replay
from seg1.journal import Decided, MemoryJournal, Row, SqliteJournal

DAY_US = 86_400 * 1_000_000
NOW_US = 1_770_000_000 * 1_000_000
CUSTOMERS = range(40)


def selector(*, seed: int = 7, floor: float = 0.01) -> seg1.OfferSelector:
    offers = [seg1.Offer("tea"), seg1.Offer("milk", stock=3), seg1.Offer("bread", cost=0.1)]
    context = seg1.ContextSchema(numeric={"hour": (0, 24)}, categorical={"channel": ["app"]})
    goal = seg1.Goal.response()
    return seg1.OfferSelector(offers, context=context, goal=goal, seed=seed, floor=floor)


def consent() -> seg1.Consent:
    ledger = seg1.ConsentLedger()
    for customer in CUSTOMERS:
        ledger.grant(customer, ["a", "b", "c"], at=0, until=NOW_US + 999 * DAY_US)
    return seg1.Consent.for_purposes(ledger, train="a", decide="b", measure="c")


def decide_for_a_month(engine: seg1.Personalizer) -> None:
    for number in range(200):
        at = NOW_US + number * DAY_US // 6
        context = {"hour": number % 24, "channel": "app" if number % 3 else "till"}
        d = engine.decide(number % 40, placement="home", context=context, at=at)
        if d.offer is not None:
            engine.exposed(d.id, at=at)
            engine.outcome(d.id, accepted=number % 4 == 0, at=at + 1)


@pytest.fixture
def journal() -> MemoryJournal:
    written = MemoryJournal()
    decide_for_a_month(seg1.Personalizer(selector(), consent=consent(), journal=written))
    return written


def test_every_decision_comes_out_again_to_the_bit(journal: MemoryJournal) -> None:
    replayed = replay(journal, selector())

    assert replayed.n_same == 200
    assert (replayed.n_different, replayed.n_not_replayable) == (0, 0)


def test_an_empty_journal_has_nothing_to_replay() -> None:
    assert replay(MemoryJournal(), selector()).n_same == 0


def test_a_restart_between_decisions_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        with seg1.Personalizer(
            selector(), consent=consent(), journal=tmp_path / "shop.sqlite"
        ) as engine:
            decide_for_a_month(engine)

    reopened = SqliteJournal(tmp_path / "shop.sqlite")
    replayed = replay(reopened, selector())
    reopened.close()

    assert (replayed.n_same, replayed.n_different) == (400, 0)


@pytest.mark.parametrize("field", ["action_prob", "arm", "decision_id"])
def test_a_row_that_was_changed_is_noticed(journal: MemoryJournal, field: str) -> None:
    forged = MemoryJournal()
    n_decided = 0
    for _, row in journal.read():
        n_decided += isinstance(row, Decided)
        forged.append(_forge(row, field) if n_decided == 9 else row)

    assert replay(forged, selector()).n_different >= 1


def _forge(row: Row, field: str) -> Row:
    if not isinstance(row, Decided):
        return row
    if field == "action_prob":
        return row._replace(action_prob=row.action_prob * 0.99)
    if field == "arm":
        return row._replace(arm=(row.arm + 1) % 4)
    return row._replace(decision_id="another id draws another arm, most of the time")


def test_another_selector_cannot_replay(journal: MemoryJournal) -> None:
    replayed = replay(journal, selector(floor=0.05))

    assert (replayed.n_same, replayed.n_not_replayable) == (0, 200)


def test_a_selector_of_fewer_offers_cannot_replay(journal: MemoryJournal) -> None:
    fewer = seg1.OfferSelector([seg1.Offer("tea")], goal=seg1.Goal.response())

    assert replay(journal, fewer) == Replayed(0, 0, 200)


@pytest.mark.parametrize("n_before", [1, 5])
def test_what_was_decided_after_the_offers_changed_comes_out_again(n_before: int) -> None:
    journal = MemoryJournal()
    offers = [seg1.Offer(name) for name in "abcde"[:n_before]]
    before = seg1.OfferSelector(
        offers, context=selector().schema, goal=seg1.Goal.response(), no_offer=False
    )
    for chosen_by in (before, selector()):
        decide_for_a_month(seg1.Personalizer(chosen_by, consent=consent(), journal=journal))

    assert replay(journal, selector()) == Replayed(200, 0, 200)
    assert replay(journal, before) == Replayed(200, 0, 200)


def test_decisions_that_used_erased_rows_are_told_apart(journal: MemoryJournal) -> None:
    engine = seg1.Personalizer(selector(), consent=consent(), journal=journal)

    engine.erase(20, at=NOW_US + 60 * DAY_US)
    replayed = replay(journal, selector())

    assert replayed.n_different == 0
    assert replayed.n_same == 20  # those before the customer's first
    assert replayed.n_not_replayable == 200 - 20 - 5
