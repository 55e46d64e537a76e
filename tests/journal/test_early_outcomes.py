"""What has come of decisions at the early age, folded."""

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

EXPOSURE, AGE, WINDOW = 10, 30, 100

Change = Early | Answered | Correction


def decided(decision_id: str = "visit-1", *, at: int = 0) -> Decided:
    row = _decided(decision_id, customer=7)
    return row._replace(at_us=at, confirm=True, exposure_us=EXPOSURE, outcome_us=WINDOW)


def exposed(decision_id: str = "visit-1", *, at: int = 1) -> Exposed:
    return Exposed(decision_id=decision_id, at_us=at)


def accepted(decision_id: str = "visit-1", *, at: int = 2, value: float = 1.0) -> Outcome:
    return Outcome(decision_id=decision_id, at_us=at, what="accepted", value=value)


def tick(at: int) -> Row:
    return replace(_swapped(), at_us=at)


def fold(*rows: Row) -> tuple[Outcomes, list[Change]]:
    outcomes = Outcomes(early_us=AGE)
    return outcomes, [change for row in rows for change in outcomes.fold(row)]


def answered(*, accepted: float = 0.0, early: Answered | None = None) -> Answered:
    return Answered(decided(), accepted=accepted, reward=0.0, is_exposed=True, early=early)


@pytest.mark.parametrize("rows", [[], [accepted()]], ids=["silent", "answered"])
def test_what_has_come_is_told_at_the_age_whether_answered_or_not(rows: list[Row]) -> None:
    outcomes, before = fold(decided(), exposed(), *rows, tick(AGE))

    changes = outcomes.fold(tick(AGE + 1))

    assert before == []
    assert changes == [Early(answered(accepted=float(bool(rows))))]
    assert outcomes.status("visit-1") == "open"


def test_a_decision_is_told_early_once() -> None:
    _, changes = fold(decided(), exposed(), tick(AGE + 1), tick(AGE + 2), tick(WINDOW))

    assert [type(change) for change in changes] == [Early]


def test_an_answer_that_brings_the_age_to_pass_came_later_than_it() -> None:
    _, changes = fold(decided(), exposed(), accepted(at=AGE + 1))

    assert changes == [Early(answered())]


def test_an_answer_at_the_age_itself_is_in_it() -> None:
    _, changes = fold(decided(), exposed(), accepted(at=AGE), tick(AGE + 1))

    assert changes == [Early(answered(accepted=1.0))]


def test_what_is_told_early_comes_with_what_is_told_at_the_close() -> None:
    _, changes = fold(decided(), exposed(), tick(AGE + 1), accepted(at=50), tick(WINDOW + 1))

    assert changes == [Early(answered()), answered(accepted=1.0, early=answered())]


def test_a_correction_after_the_close_still_knows_it() -> None:
    outcomes, _ = fold(decided(), exposed(), accepted(), tick(AGE + 1), tick(WINDOW + 1))

    (change,) = outcomes.fold(accepted(at=50, value=0.0))

    early = answered(accepted=1.0)
    assert change == Correction(answered(accepted=1.0, early=early), answered(early=early))


def test_a_journal_that_was_quiet_tells_both_at_once() -> None:
    _, changes = fold(decided(), exposed(), tick(WINDOW + 1))

    assert changes == [Early(answered()), answered(early=answered())]


@pytest.mark.parametrize("rows", [[], [exposed(at=EXPOSURE + 1)]], ids=["never", "too late"])
def test_what_was_not_seen_by_then_is_not_told_early(rows: list[Row]) -> None:
    _, changes = fold(decided(), accepted(), *rows, tick(AGE + 1))

    assert changes == []


def test_what_is_seen_after_the_age_waits_for_the_close() -> None:
    row = decided()._replace(exposure_us=WINDOW)

    _, changes = fold(row, tick(AGE + 1), exposed(at=AGE + 1), tick(WINDOW + 1))

    assert changes == [Answered(row, accepted=0.0, reward=0.0, is_exposed=True)]


def test_a_window_that_is_not_longer_than_the_age_is_waited_for() -> None:
    _, changes = fold(decided()._replace(outcome_us=AGE), exposed(), tick(AGE + 1))

    assert [type(change) for change in changes] == [Answered]


@pytest.mark.parametrize(
    "row", [Withheld(decision_id="visit-1", at_us=1), Voided(decision_id="visit-1", at_us=1)]
)
def test_what_is_withheld_or_voided_is_not_told_early(row: Row) -> None:
    _, changes = fold(decided(), exposed(), row, tick(AGE + 1))

    assert changes == []


def test_a_row_that_withholds_comes_before_the_age_that_it_brings_to_pass() -> None:
    _, changes = fold(decided(), exposed(), Withheld(decision_id="visit-1", at_us=AGE + 1))

    assert changes == []


def test_an_id_that_was_voided_and_decided_again_has_its_own_age() -> None:
    void, again = Voided(decision_id="visit-1", at_us=1), decided(at=20)

    outcomes, changes = fold(decided(), void, again, exposed(at=21), tick(AGE + 1))

    assert changes == []
    (change,) = outcomes.fold(tick(20 + AGE + 1))
    assert isinstance(change, Early)
    assert change.so_far.decided == again


def test_without_an_age_nothing_is_told_early() -> None:
    outcomes = Outcomes()
    rows: list[Row] = [decided(), exposed(), accepted(), tick(AGE + 1), tick(WINDOW + 1)]

    changes = [change for row in rows for change in outcomes.fold(row)]

    assert changes == [answered(accepted=1.0)]


def test_what_is_known_early_is_told_of_a_state() -> None:
    states = [fold(decided(), exposed(), *rows)[0] for rows in
              ([accepted(), tick(AGE + 1)], [tick(AGE + 1), accepted()])]  # fmt: skip

    told = [list(state.told()) for state in states]

    assert told[0] != told[1]


def test_states_of_different_ages_are_told_apart() -> None:
    states = [Outcomes(early_us=age) for age in (AGE, AGE + 1)]
    for state in states:
        state.fold(decided())

    told = [list(state.told()) for state in states]

    assert told[0] != told[1]


@given(st.lists(st.integers(0, 150), max_size=40), st.integers(AGE - 5, WINDOW + 55))
@example([3, 0, 3], AGE + 3)
@settings(max_examples=60)
def test_what_is_due_is_what_a_row_of_that_moment_brings_to_pass(
    starts: list[int], at: int
) -> None:
    rows = [decided(f"visit-{n}", at=at) for n, at in enumerate(sorted(starts))]
    shown = [exposed(row.decision_id, at=row.at_us) for row in rows]
    outcomes, _ = fold(*(row for pair in zip(rows, shown, strict=True) for row in pair))

    due = {row.decision_id for row in outcomes.due(at)}
    changes = outcomes.fold(tick(at))

    told = [change.so_far if isinstance(change, Early) else change for change in changes]
    assert due == {c.decided.decision_id for c in told if isinstance(c, Answered)}


def test_what_is_due_for_both_reasons_is_named_once() -> None:
    outcomes, _ = fold(decided(), exposed())

    assert outcomes.due(WINDOW + 1) == [decided()]


def test_what_is_due_is_asked_whether_or_not_it_was_seen() -> None:
    outcomes, _ = fold(decided(), decided("visit-2"), Withheld(decision_id="visit-2", at_us=0))

    assert outcomes.due(AGE + 1) == [decided()]
    assert outcomes.due(AGE) == []
