"""What a response history may be told and tell: sizes, repeated ids, and what is refused."""

import numpy as np
import pytest
from small_engine import (
    DAY,
    T0,
    decided_rows,
    engine_of,
    rows_of,
    selector_of,
)  # fmt: skip
from small_history import (
    LATER,
    POOLING,
    effects_in,
    history_in,
    let_close,
    lively,
    reopened,
)

from seg1 import Goal, Offer
from seg1._types import Float64s
from seg1.bandit import PartialPooling
from seg1.bandit.posteriors.posterior import Belief
from seg1.decide.history import ResponseHistory
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.journal import MemoryJournal
from seg1.journal.records import Row


@pytest.fixture(scope="module")
def known() -> list[Row]:
    """The journal of a lively engine; each test writes on in one of its own."""
    return rows_of(lively())


@pytest.fixture
def journal(known: list[Row]) -> MemoryJournal:
    written = MemoryJournal()
    for row in known:
        written.append(row)
    return written


class Sure:
    """A posterior that expects one answer of every arm; nothing else is asked of it."""

    def __init__(self, mean: float) -> None:
        self._mean = mean

    def belief(self, x: Float64s, *, own: Float64s | None = None) -> Belief:  # noqa: ARG002  # the contract
        return Belief(np.full(3, self._mean), np.ones(3))


@pytest.mark.parametrize(("mean", "residual"), [(1.7, -1.0), (-0.4, 0.0), (0.25, -0.25)])
def test_an_expected_acceptance_lies_between_0_and_1(
    journal: MemoryJournal, mean: float, residual: float
) -> None:
    row = decided_rows(reopened(journal))[0]
    history = ResponseHistory(POOLING, selector=selector_of(no_offer=False), segment=None)

    history.learn(row, 0.0, posterior=Sure(mean))  # type: ignore[arg-type]  # all that is asked

    (held,) = history.told_of(row.customer or 0, set())["answers"]
    assert held["residual"] == residual


def test_no_effect_on_an_acceptance_is_larger_than_1(journal: MemoryJournal) -> None:
    engine = reopened(journal)
    history, x = history_in(engine), np.frombuffer(decided_rows(engine)[0].context)
    segment, code = history._segment(x), history._code_of[1]

    for group, residual in ((0, 900.0), (1, -900.0)):
        history._pooled.fold(
            code, residual, expected=0.0, segment=segment, group=group, at_us=LATER
        )

    assert history.effects(1, x)[:2].tolist() == [1.0, -1.0]


def test_an_id_that_was_decided_again_keeps_what_was_expected_last(
    journal: MemoryJournal,
) -> None:
    row = decided_rows(reopened(journal))[0]
    history = ResponseHistory(POOLING, selector=selector_of(no_offer=False), segment=None)

    history.learn(row, 0.0, posterior=Sure(0.5))  # type: ignore[arg-type]  # as above
    history.learn(row._replace(at_us=T0 + DAY), 1.0, posterior=Sure(0.25))  # type: ignore[arg-type]
    history.forget(T0 + 14 * DAY + 1)
    told = history.told_of(1, {row.decision_id})["expected"]
    history.forget(T0 + 15 * DAY + 1)

    assert told == [[row.decision_id, 0.25]]
    assert history.told_of(1, {row.decision_id})["expected"] == []


def test_where_rewards_are_learned_no_offer_has_an_effect_too() -> None:
    goal = Goal.incremental(reward_cap=50.0, window_days=7)
    engine = engine_of(
        history=PartialPooling(noise_sd=5.0), selector=selector_of([Offer("tea")], goal=goal)
    )
    for n in range(300):
        customer = n % 20
        d = engine.decide(customer, placement="app", at=T0 + n * DAY // 9, id=f"visit-{n}")
        if d.offer is not None:
            engine.exposed(d.id, at=d.at_us)
        engine.outcome(d.id, reward=20.0 if customer == 1 else 1.0, at=d.at_us + 1)

    for customer in (1, 2):
        engine.decide(customer, placement="app", at=T0 + 60 * DAY)

    big, small = map(effects_in, decided_rows(engine)[-2:])
    assert min(big) > 5
    assert max(small) < 0


def test_the_largest_rewards_spoil_neither_fold_nor_effects() -> None:
    goal = Goal.incremental(reward_cap=1e100, window_days=7)
    selector = selector_of([Offer("tea")], goal=goal, no_offer=False)
    engine = engine_of(history=POOLING, selector=selector)
    for n in range(8):
        d = engine.decide(n % 2, placement="app", at=T0 + n * DAY, id=f"visit-{n}")
        engine.exposed(d.id, at=d.at_us)
        engine.outcome(d.id, reward=-1e30 if n % 2 else 1e30, at=d.at_us + 1)
    let_close(engine)

    told = history_in(engine).effects(1, np.frombuffer(decided_rows(engine)[0].context))

    assert np.isfinite(told).all()


def test_what_cannot_be_kept_is_refused_with_what_to_write() -> None:
    with pytest.raises(InvalidTypeError, match="history must be a PartialPooling, got dict"):
        engine_of(history={})  # type: ignore[arg-type]  # that is what is tested
    with pytest.raises(InvalidArgumentError, match="give history= too"):
        engine_of(segment="channel")
    for segment in ("tier", "hour"):
        with pytest.raises(InvalidArgumentError, match=f"segment '{segment}' is no category"):
            engine_of(history=POOLING, segment=segment)
