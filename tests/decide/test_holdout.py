"""The holdout: keyed, stable, only of those who permit measuring; and it teaches nothing."""

import numpy as np
import pytest
from small_engine import (
    DAY,
    T0,
    consent_of,
    decide,
    decided_rows,
    engine_of,
    ledger_of,
    rows_of,
    selector_of,
    state_of,
    told_state,
    without,
)  # fmt: skip

from seg1 import Goal
from seg1.decide import Holdout
from seg1.errors import InvalidArgumentError, InvalidTypeError

KEY = b"sixteen bytes at least"
CUSTOMERS = range(4_000)


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_the_share_is_kept(share: float) -> None:
    held = np.array([Holdout(share, key=KEY).is_control(n) for n in CUSTOMERS])

    se = np.sqrt(share * (1 - share) / len(held))
    assert abs(held.mean() - share) < 3 * se


def test_the_key_decides_and_nothing_else() -> None:
    first = [Holdout(0.3, key=KEY).is_control(n) for n in CUSTOMERS]
    again = [Holdout(0.3, key=KEY).is_control(n) for n in CUSTOMERS]
    other = [Holdout(0.3, key=b"another sixteen bytes").is_control(n) for n in CUSTOMERS]

    assert first == again
    agreement = np.mean(np.array(first) == np.array(other))
    assert abs(agreement - (0.3**2 + 0.7**2)) < 0.03


def test_who_is_held_out_at_a_share_is_held_out_at_a_larger_one() -> None:
    small = {n for n in CUSTOMERS if Holdout(0.1, key=KEY).is_control(n)}
    large = {n for n in CUSTOMERS if Holdout(0.2, key=KEY).is_control(n)}

    assert small < large


def test_str_and_int_are_two_customers() -> None:
    holdout = Holdout(0.5, key=KEY)

    assert any(holdout.is_control(n) != holdout.is_control(str(n)) for n in range(50))


@pytest.mark.parametrize("share", [0, 1, 0.0, 1.0, -0.1, 1.5, float("nan"), "0.1", None])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(InvalidArgumentError, match=r"share must lie in \(0, 1\)"):
        Holdout(share, key=KEY)


def test_a_key_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="at least 16 bytes"):
        Holdout(0.1, key=b"short")
    with pytest.raises(InvalidTypeError, match="key must be bytes, got str"):
        Holdout(0.1, key="sixteen characters")  # type: ignore[arg-type]  # that is what is tested


def test_the_key_is_not_shown() -> None:
    assert "sixteen" not in repr(Holdout(0.1, key=KEY))


def test_a_held_out_customer_gets_no_offer_and_the_assignment_is_written() -> None:
    holdout = Holdout(0.3, key=KEY)
    engine = engine_of(consent=consent_of(ledger_of(*range(200))), holdout=holdout)

    decisions = [decide(engine, n) for n in range(200)]

    held = [holdout.is_control(n) for n in range(200)]
    assert [d.mode == "control" for d in decisions] == held
    assert all(d.offer is None and d.action_prob == 1.0 for d in decisions if d.mode == "control")
    rows = decided_rows(engine)
    assert [row.is_control for row in rows] == held
    assert {row.holdout_prob for row in rows} == {0.3}


def test_the_assignment_stays_from_visit_to_visit() -> None:
    engine = engine_of(holdout=Holdout(0.5, key=KEY))

    modes = [{decide(engine, n, at=T0 + day * DAY).mode for day in range(5)} for n in range(40)]

    assert all(len(mode) == 1 for mode in modes)
    assert {*modes[0]} | {*modes[1]} | {*modes[2]} | {*modes[3]} == {"control", "personalised"}


@pytest.mark.parametrize("stage", ["measure", "log"])
def test_who_does_not_permit_measuring_is_not_held_out(stage: str) -> None:
    holdout = Holdout(0.9, key=KEY)
    consent = without(stage, ledger_of(*range(60)))
    engine = engine_of(consent=consent, holdout=holdout)

    modes = {decide(engine, n).mode for n in range(60)}

    assert modes == {"personalised"}
    assert {row.holdout_prob for row in decided_rows(engine)} == {0.0}
    assert {row.is_measured for row in decided_rows(engine)} == {False}


def test_held_out_customers_teach_nothing() -> None:
    held = [n for n in range(200) if Holdout(0.3, key=KEY).is_control(n)]
    engine = engine_of(holdout=Holdout(0.3, key=KEY))
    fresh = told_state(state_of(engine))
    decisions = [decide(engine, n) for n in held]
    for decision in decisions:
        engine.exposed(decision.id, at=T0 + 1)
        engine.outcome(decision.id, reward=5.0, at=T0 + 2)

    engine.observe(1, item="milk", at=T0 + 30 * DAY)

    assert len(rows_of(engine)) == 2 + 3 * len(held)
    assert engine.n_learned == 0
    after = told_state(state_of(engine))
    assert after["posterior"] == fresh["posterior"]
    assert after["held"] == fresh["held"]


def test_held_out_customers_teach_nothing_about_no_offer_either() -> None:
    goal = Goal.incremental(reward_cap=50.0, window_days=7)
    engine = engine_of(selector=selector_of(goal=goal), holdout=Holdout(0.3, key=KEY))
    held = [n for n in range(200) if Holdout(0.3, key=KEY).is_control(n)]
    for n in held:
        engine.outcome(decide(engine, n).id, reward=5.0, at=T0)

    engine.observe(1, item="milk", at=T0 + 30 * DAY)

    assert engine.n_learned == 0


def test_what_is_no_holdout_is_refused() -> None:
    with pytest.raises(InvalidTypeError, match="holdout must be a Holdout, got float"):
        engine_of(holdout=0.05)  # type: ignore[arg-type]  # that is what is tested
