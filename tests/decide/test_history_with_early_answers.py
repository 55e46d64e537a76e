"""Customers' histories beside early answers: one learns at the close, the other before it."""

import numpy as np
import pytest
from small_engine import DAY, T0, decided_rows, selector_of, state_of
from small_history import (
    LATER,
    effects_in,
    history_in,
    let_close,
    liked_by,
    lively,
    n_held,
    reopened,
)

from seg1.bandit.context import own_features
from seg1.decide import EarlyAnswers, replay
from seg1.journal import MemoryJournal

EARLY = EarlyAnswers(hours=1, min_answers=5)
HOUR = DAY // 24


def test_early_answers_are_learned_less_the_effect_and_replaced_at_the_close() -> None:
    selector = selector_of(no_offer=False)
    twin = selector.start()
    engine = lively(delay_model=EARLY)
    early = state_of(engine).learner.early
    assert early is not None
    n_early = len(early._taught)

    let_close(engine)

    rows = decided_rows(engine)
    for row in rows:
        answer = float(row.offer == liked_by(int(str(row.customer))))
        own = own_features(np.frombuffer(row.affinity), selector.arms)
        assert own is None
        effect = effects_in(row)[selector.arms.offer_index[row.arm]]
        twin.fold(row.arm, np.frombuffer(row.context), answer - effect, at_us=row.at_us)
    learned = state_of(engine).posterior.to_arrays()
    assert n_early > 10
    assert max(np.abs(effects_in(row)).max() for row in rows) > 0.2
    for name in ("S", "b", "q", "n"):
        np.testing.assert_allclose(learned[name], twin.to_arrays()[name], rtol=1e-9, atol=1e-9)


def test_a_history_takes_in_final_answers_only() -> None:
    engine = lively(delay_model=EARLY)
    n_rows = len(decided_rows(engine))

    n_before = sum(n_held(engine, customer) for customer in range(20))
    let_close(engine)

    assert 0 < n_before < n_rows - 20  # those of the last days wait, learned early or not
    assert sum(n_held(engine, customer) for customer in range(20)) == n_rows


def test_both_come_back_as_they_were_and_replay_the_same() -> None:
    journal = MemoryJournal()
    engine = lively(journal, delay_model=EARLY)
    let_close(engine, at=T0 + 33 * DAY)

    again = reopened(journal, delay_model=EARLY)
    told = replay(journal, selector_of(no_offer=False), delay_model=EARLY)

    assert again.fingerprint() == engine.fingerprint()
    assert (told.n_same, told.n_different) == (400, 0)
    assert again.erase(3, at=LATER).n_rows > 0
    assert again.fingerprint() != engine.fingerprint()


def test_an_answer_counts_beyond_what_was_expected_before_it_was_learned_early() -> None:
    engine = lively(delay_model=EARLY)
    row = decided_rows(engine)[-1]
    let_close(engine, at=row.at_us + HOUR)  # the next moment it is learned, and nothing else is
    expected = state_of(engine).posterior.belief(np.frombuffer(row.context)).mean[row.arm]

    let_close(engine, at=row.at_us + HOUR + 1)
    with_its_own = state_of(engine).posterior.belief(np.frombuffer(row.context)).mean[row.arm]
    let_close(engine)

    told = history_in(engine).told_of(int(str(row.customer)), {row.decision_id})
    assert 0.0 < expected < 1.0
    assert with_its_own != pytest.approx(expected, rel=1e-6)
    assert told["expected"] == [[row.decision_id, pytest.approx(expected, rel=1e-12)]]
