"""What is learned, when, at what weight; and what comes of answers in any order."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_engine import DAY, T0, decide, engine_of, rows_of, selector_of, state_of

from seg1 import Goal, Offer, OfferSelector
from seg1.bandit import PerOfferLinear
from seg1.decide import Decision, Personalizer
from seg1.errors import InvalidArgumentError
from seg1.journal import Decided, MemoryJournal, Outcome
from seg1.offers import Placement

HOUR = DAY // 24
END = T0 + 7 * DAY


def only_tea(*, goal: Goal | None = None) -> Personalizer:
    return engine_of(selector=selector_of([Offer("tea")], goal=goal, no_offer=False))


def n_arm_rows(engine: Personalizer) -> list[int]:
    folded: list[int] = state_of(engine).posterior.to_arrays()["n_folded"].tolist()
    return folded


def learned(engine: Personalizer) -> float:
    """The sum of the answers of the first arm, by weight."""
    return float(state_of(engine).posterior.to_arrays()["q"][0])


def let_time_pass(engine: Personalizer, at: int = END + 1) -> None:
    engine.observe(99, item="milk", at=at)


def shown(engine: Personalizer) -> Decision:
    decision = decide(engine)
    engine.exposed(decision.id, at=T0)
    return decision


def test_an_answer_is_learned_when_the_window_closes_and_not_before() -> None:
    engine = only_tea()
    decision = shown(engine)

    told = engine.outcome(decision.id, accepted=True, at=T0 + 1)
    let_time_pass(engine, at=END)
    before = engine.n_learned
    let_time_pass(engine, at=END + 1)

    assert (told, before, engine.n_learned, learned(engine)) == ("recorded", 0, 1, 1.0)


def test_silence_is_learned_as_a_refusal() -> None:
    engine = only_tea()
    shown(engine)

    let_time_pass(engine)

    assert (engine.n_learned, learned(engine), n_arm_rows(engine)) == (1, 0.0, [1])


@pytest.mark.parametrize(
    ("exposed_at", "n_learned"), [(T0, 1), (T0 + 24 * HOUR, 1), (T0 + 24 * HOUR + 1, 0), (None, 0)]
)
def test_what_was_not_seen_in_time_is_not_learned(exposed_at: int | None, n_learned: int) -> None:
    engine = only_tea()
    decision = decide(engine)
    if exposed_at is not None:
        engine.exposed(decision.id, at=exposed_at)
    engine.outcome(decision.id, accepted=True, at=T0 + 25 * HOUR)

    let_time_pass(engine)

    assert engine.n_learned == n_learned


def test_an_answer_may_come_before_its_exposure() -> None:
    engine = only_tea()
    decision = decide(engine)

    told = engine.outcome(decision.id, accepted=True, at=T0 + 1)
    engine.exposed(decision.id, at=T0)
    let_time_pass(engine)

    assert (told, engine.n_learned, learned(engine)) == ("recorded", 1, 1.0)


def test_an_answer_counts_once_of_each_kind() -> None:
    engine = only_tea()
    decision = shown(engine)

    told = [
        engine.outcome(decision.id, accepted=True, at=T0 + 1),
        engine.outcome(decision.id, accepted=True, at=T0 + 1),
        engine.outcome(decision.id, accepted=False, at=T0 + 2),
        engine.outcome(decision.id, reward=3.0, at=T0 + 3),
        engine.outcome(decision.id, accepted=True, at=T0 + 4, correct=True),
    ]
    let_time_pass(engine)

    assert told == ["recorded", "repeated", "repeated", "recorded", "repeated"]
    assert sum(isinstance(row, Outcome) for row in rows_of(engine)) == 2
    assert (engine.n_learned, learned(engine)) == (1, 1.0)


@pytest.mark.parametrize("corrected_when", ["open", "closed"])
def test_a_correction_replaces_what_was_said(corrected_when: str) -> None:
    engine, reference = only_tea(), only_tea()
    decision, other = shown(engine), shown(reference)
    engine.outcome(decision.id, accepted=False, at=T0 + 1)
    reference.outcome(other.id, accepted=True, at=T0 + 1)
    if corrected_when == "closed":
        let_time_pass(engine)

    told = engine.outcome(decision.id, accepted=True, at=T0 + 2, correct=True)
    let_time_pass(engine)
    let_time_pass(reference)

    assert (told, engine.n_learned) == ("recorded", 1)
    mine, theirs = (state_of(e).posterior.to_arrays() for e in (engine, reference))
    for name in ("S", "b", "q", "n"):
        np.testing.assert_allclose(mine[name], theirs[name], atol=1e-12)


@pytest.mark.parametrize(
    ("at", "told"), [(T0 - 1, "expired"), (T0, "recorded"), (END, "recorded"), (END + 1, "expired")]
)
def test_an_answer_belongs_to_the_window_it_was_given_in(at: int, told: str) -> None:
    engine = only_tea()
    decision = shown(engine)
    n_rows = len(rows_of(engine))

    assert engine.outcome(decision.id, accepted=True, at=at) == told
    assert len(rows_of(engine)) == n_rows + (told == "recorded")


def test_a_late_report_of_an_answer_in_time_changes_what_was_learned() -> None:
    engine = only_tea()
    decision = shown(engine)
    let_time_pass(engine)
    before = learned(engine)

    told = engine.outcome(decision.id, accepted=True, at=T0 + DAY)

    assert (told, before, learned(engine), engine.n_learned) == ("recorded", 0.0, 1.0, 1)


def test_a_report_that_comes_too_late_changes_nothing() -> None:
    engine = only_tea()
    decision = shown(engine)
    let_time_pass(engine, at=T0 + 14 * DAY + 1)
    n_rows = len(rows_of(engine))

    told = engine.outcome(decision.id, accepted=True, at=T0 + DAY)

    assert (told, len(rows_of(engine)), engine.n_refused) == ("expired", n_rows, 0)
    assert learned(engine) == 0.0
    again = decide(engine, at=T0 + 20 * DAY, key=decision.id)
    assert again.reasons == ("decided before under this id",)


def test_a_decision_far_in_the_past_closes_at_once_and_is_not_learned() -> None:
    engine = only_tea()
    let_time_pass(engine, at=T0 + 100 * DAY)

    decision = decide(engine, at=T0)
    engine.exposed(decision.id, at=T0)

    assert (engine.n_learned, state_of(engine).counters.held) == (0, (0,))


def test_a_row_weighs_as_of_the_time_of_its_decision() -> None:
    offers = [Offer("tea")]
    posterior = PerOfferLinear(half_life_days=10.0, tick_hours=24.0)
    selector = OfferSelector(
        offers, goal=Goal.response(), posterior=posterior, no_offer=False, floor=0.1
    )
    engine = engine_of(selector=selector, placements=[Placement("app", outcome_days=30)])
    for at in (T0, T0 + 10 * DAY):
        decision = engine.decide(1, placement="app", at=at)
        engine.exposed(decision.id, at=at)
        engine.outcome(decision.id, accepted=True, at=at + DAY)

    let_time_pass(engine, at=T0 + 100 * DAY)

    weights = state_of(engine).posterior.to_arrays()["n"]
    assert weights.tolist() == pytest.approx([1.5])


def test_windows_are_those_of_the_placement() -> None:
    placements = [Placement("app", exposure_hours=1, outcome_days=1)]
    engine = engine_of(selector=selector_of([Offer("tea")], no_offer=False), placements=placements)
    in_app, elsewhere = decide(engine), engine.decide(1, placement="till", at=T0)

    told = [engine.outcome(d.id, accepted=True, at=T0 + 2 * DAY) for d in (in_app, elsewhere)]

    assert told == ["expired", "recorded"]


def test_no_offer_teaches_only_where_rewards_are_learned() -> None:
    incremental = Goal.incremental(reward_cap=50.0, window_days=7)
    engines = [engine_of([Offer("tea")], selector=selector_of([Offer("tea")], goal=goal))
               for goal in (Goal.response(), incremental)]  # fmt: skip
    for engine in engines:
        for n in range(30):
            decide(engine, n, key=f"visit-{n}")
        let_time_pass(engine)

    n_none = sum(isinstance(r, Decided) and r.offer is None for r in rows_of(engines[1]))
    assert [n_arm_rows(engine) for engine in engines] == [[0, 0], [0, n_none]]


@pytest.mark.parametrize(("reward", "sum_of_squares"), [(3.0, 9.0), (80.0, 2_500.0), (-2.0, 4.0)])
def test_a_reward_is_learned_up_to_its_cap(reward: float, sum_of_squares: float) -> None:
    engine = only_tea(goal=Goal.incremental(reward_cap=50.0, window_days=7))
    decision = shown(engine)

    engine.outcome(decision.id, reward=reward, at=T0 + 1)
    let_time_pass(engine)

    assert learned(engine) == pytest.approx(sum_of_squares)


@pytest.mark.parametrize("hot", [{}, {"hot": 1.0}])
def test_the_largest_reward_that_is_taken_does_not_spoil_what_is_believed(
    hot: dict[str, float],
) -> None:
    journal = MemoryJournal()
    offers = [Offer("tea", features=hot), Offer("cake")]  # with features, draws are joint
    selector = selector_of(
        offers, goal=Goal.incremental(reward_cap=50.0, window_days=7), no_offer=False
    )
    engine = engine_of(selector=selector, journal=journal)
    decision = shown(engine)

    engine.outcome(decision.id, reward=-1e30, at=T0 + 1)
    let_time_pass(engine)
    after = decide(engine, 2, at=T0 + 30 * DAY)

    assert 0.0 < after.action_prob <= 1.0
    assert engine_of(selector=selector, journal=journal).n_learned == 1
    with pytest.raises(InvalidArgumentError, match="reward must be"):
        engine.outcome(after.id, reward=-1e31, at=T0 + 30 * DAY)


REPORTS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from(["seen", "yes", "no", "reward"]),
              st.integers(0, 9)),
    max_size=25,
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(REPORTS, st.randoms(use_true_random=False))
def test_the_order_of_reports_does_not_matter(
    reports: list[tuple[int, str, int]], random: Random
) -> None:
    first = {(visit, what.replace("no", "yes")): (visit, what, day) for visit, what, day in reports}
    shuffled = list(first.values())
    random.shuffle(shuffled)
    states = []

    for order in (list(first.values()), shuffled):
        engine = engine_of(selector=selector_of(no_offer=False))
        for visit in range(5):
            decide(engine, visit, at=T0 + visit, key=f"visit-{visit}")
        for visit, what, day in order:
            report(engine, f"visit-{visit}", what, at=T0 + day * DAY)
        let_time_pass(engine, at=T0 + 30 * DAY)
        states.append(state_of(engine))

    mine, theirs = (state.posterior.to_arrays() for state in states)
    assert states[0].n_learned == states[1].n_learned
    assert states[0].counters.held == states[1].counters.held
    for name in ("S", "b", "q", "n"):
        np.testing.assert_allclose(mine[name], theirs[name], atol=1e-9)


def report(engine: Personalizer, decision_id: str, what: str, *, at: int) -> None:
    if what == "seen":
        # Reported in time, whenever it was seen.
        engine.exposed(decision_id, at=min(at, T0 + DAY // 2))
    elif what == "reward":
        engine.outcome(decision_id, reward=2.0, at=at)
    else:
        engine.outcome(decision_id, accepted=what == "yes", at=at)
