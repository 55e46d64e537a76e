"""Exposures, answers and windows, folded."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seg1.journal import (
    Answered,
    Correction,
    Decided,
    Early,
    Exposed,
    Outcome,
    Outcomes,
    Row,
    Voided,
    Withheld,
)
from seg1.testing.journal import _decided, _swapped

EXPOSURE, WINDOW = 10, 100


def decided(decision_id: str = "visit-1", *, at: int = 0, confirm: bool = True) -> Decided:
    row = _decided(decision_id, customer=7)
    return row._replace(at_us=at, confirm=confirm, exposure_us=EXPOSURE, outcome_us=WINDOW)


def exposed(decision_id: str = "visit-1", *, at: int = 1) -> Exposed:
    return Exposed(decision_id=decision_id, at_us=at)


def accepted(decision_id: str = "visit-1", *, at: int = 2, value: float = 1.0) -> Outcome:
    return Outcome(decision_id=decision_id, at_us=at, what="accepted", value=value)


def tick(at: int) -> Row:
    return replace(_swapped(), at_us=at)


def fold(*rows: Row) -> tuple[Outcomes, list[Early | Answered | Correction]]:
    outcomes = Outcomes()
    return outcomes, [change for row in rows for change in outcomes.fold(row)]


def test_nothing_is_learned_while_the_window_is_open() -> None:
    outcomes, changes = fold(decided(), exposed(), accepted(), tick(WINDOW))

    assert changes == []
    assert outcomes.status("visit-1") == "open"


def test_a_decision_is_learned_when_its_window_closes_in_journal_time() -> None:
    outcomes, changes = fold(decided(), exposed(), accepted(), tick(WINDOW + 1))

    assert changes == [Answered(decided(), accepted=1.0, reward=0.0, is_exposed=True)]
    assert (outcomes.status("visit-1"), outcomes.now_us) == ("closed", WINDOW + 1)


def test_journal_time_never_goes_back() -> None:
    outcomes, changes = fold(decided(), exposed(), tick(WINDOW + 1), tick(3))

    assert outcomes.now_us == WINDOW + 1
    assert len(changes) == 1


def test_windows_close_in_the_order_of_their_ends_and_then_of_arrival() -> None:
    rows = [decided("c", at=5), decided("b", at=3), decided("a", at=5), tick(900)]

    _, changes = fold(*rows)

    closed = [c.decided.decision_id for c in changes if isinstance(c, Answered)]
    assert closed == ["b", "c", "a"]


def test_an_answer_without_one_is_zero() -> None:
    _, changes = fold(decided(), exposed(), tick(WINDOW + 1))

    assert changes == [Answered(decided(), accepted=0.0, reward=0.0, is_exposed=True)]


@pytest.mark.parametrize(("at", "is_exposed"), [(0, True), (EXPOSURE, True), (EXPOSURE + 1, False)])
def test_an_exposure_counts_within_its_time(at: int, *, is_exposed: bool) -> None:
    _, changes = fold(decided(), exposed(at=at), tick(WINDOW + 1))

    assert [c.is_exposed for c in changes if isinstance(c, Answered)] == [is_exposed]


def test_an_answer_that_comes_before_its_exposure_waits_for_it() -> None:
    _, changes = fold(decided(), accepted(at=3), exposed(at=2), tick(WINDOW + 1))

    assert changes == [Answered(decided(), accepted=1.0, reward=0.0, is_exposed=True)]


def test_what_needs_no_confirmation_counts_as_seen() -> None:
    row = decided(confirm=False)
    nothing = decided("visit-2")._replace(offer=None)

    _, changes = fold(row, nothing, tick(WINDOW + 1))

    assert [c.is_exposed for c in changes if isinstance(c, Answered)] == [True, True]


def test_a_late_answer_corrects_what_was_learned() -> None:
    outcomes, _ = fold(decided(), exposed(), tick(WINDOW + 1))

    (change,) = outcomes.fold(accepted(at=50))

    before = Answered(decided(), accepted=0.0, reward=0.0, is_exposed=True)
    assert change == Correction(before, before._replace(accepted=1.0))
    assert outcomes.answer_of("visit-1", "accepted") == 1.0
    assert outcomes.answer_of("visit-1", "reward") is None


def test_a_late_exposure_changes_nothing() -> None:
    outcomes, _ = fold(decided(), tick(WINDOW + 1), exposed(at=1))

    (change,) = outcomes.fold(accepted(at=50))

    assert isinstance(change, Correction)
    assert change.after.is_exposed is False


def test_a_withheld_decision_closes_as_one() -> None:
    withheld = Withheld(decision_id="visit-1", at_us=1)

    outcomes, changes = fold(decided(), exposed(), withheld, tick(WINDOW + 1))

    (closed,) = changes
    assert isinstance(closed, Answered)
    assert (closed.is_withheld, closed.is_exposed) == (True, True)
    assert outcomes.is_withheld("visit-1")


def test_a_decision_may_be_withheld_after_it_has_closed() -> None:
    outcomes, _ = fold(decided(), decided("visit-2"), exposed(), tick(WINDOW + 1))
    before = outcomes.is_withheld("visit-1")

    changes = outcomes.fold(Withheld(decision_id="visit-1", at_us=1))

    assert (before, outcomes.is_withheld("visit-1"), outcomes.is_withheld("visit-2")) == (
        False,
        True,
        False,
    )
    assert changes == []
    assert not outcomes.is_withheld("nobody's")


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(WINDOW - 5, WINDOW + 55))
@example([3, 0, 3], WINDOW + 3)
def test_what_is_due_is_what_a_row_of_that_moment_closes(starts: list[int], at: int) -> None:
    outcomes, _ = fold(*(decided(f"visit-{n}", at=at) for n, at in enumerate(starts)))

    due = outcomes.due(at)
    closed = [change.decided for change in outcomes.fold(tick(at)) if isinstance(change, Answered)]

    assert sorted(due) == sorted(closed)


def test_what_is_withheld_voided_or_decided_again_is_not_due_twice() -> None:
    outcomes, _ = fold(
        *(decided(name) for name in ("withheld", "voided", "again", "plain")),
        Withheld(decision_id="withheld", at_us=1),
        Voided(decision_id="voided", at_us=1),
        Voided(decision_id="again", at_us=1),
        decided("again", at=2),
    )

    due = [row.decision_id for row in outcomes.due(WINDOW + 3)]

    assert sorted(due) == ["again", "plain"]


def test_a_voided_decision_never_happened() -> None:
    void = Voided(decision_id="visit-1", at_us=1)

    outcomes, changes = fold(decided(), void, exposed(), accepted(), tick(WINDOW + 1))

    assert changes == []
    assert outcomes.decision("visit-1") is None
    assert outcomes.status("visit-1") == "voided"


def test_an_id_that_was_voided_and_decided_again_closes_at_its_own_time() -> None:
    void = Voided(decision_id="visit-1", at_us=1)
    again = decided(at=50)

    outcomes, early = fold(decided(), void, again, exposed(at=51), tick(WINDOW + 1))

    assert (early, outcomes.status("visit-1")) == ([], "open")
    (answered,) = outcomes.fold(tick(50 + WINDOW + 1))
    assert isinstance(answered, Answered)
    assert answered.decided == again


def test_a_decision_is_forgotten_a_window_after_its_own() -> None:
    outcomes, _ = fold(decided(), exposed(), tick(2 * WINDOW))
    known = outcomes.decision("visit-1")

    outcomes.fold(tick(2 * WINDOW + 1))

    assert known == decided()
    assert outcomes.decision("visit-1") is None
    assert outcomes.status("visit-1") == "unknown"
    assert outcomes.fold(accepted(at=50)) == []


def test_an_anonymous_decision_is_forgotten_when_its_window_closes() -> None:
    outcomes, changes = fold(decided()._replace(customer=None), tick(WINDOW + 1))

    assert len(changes) == 1
    assert outcomes.status("visit-1") == "unknown"


def test_a_row_about_nobody_changes_nothing() -> None:
    outcomes, changes = fold(exposed("x"), accepted("x"), Voided(decision_id="x", at_us=1))

    assert changes == []
    assert outcomes.status("x") == "unknown"


@settings(max_examples=60)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=60))
def test_what_is_remembered_is_bounded_by_two_windows(times: list[int]) -> None:
    rows = [decided(f"visit-{n}", at=at) for n, at in enumerate(sorted(times))]

    outcomes, changes = fold(*rows)

    recent = [row for row in rows if row.at_us + 2 * WINDOW >= outcomes.now_us]
    assert {row.decision_id for row in recent} == {*outcomes._open, *outcomes._closed}
    assert len(outcomes._closing) + len(outcomes._forgetting) == len(recent)
    assert len(changes) == sum(row.at_us + WINDOW < outcomes.now_us for row in rows)
