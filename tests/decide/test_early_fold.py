"""Early answers in the fold: once all windows have closed, the state is what waiting gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_engine import DAY, T0, selector_of

from seg1 import Goal, Offer, OfferSelector
from seg1.bandit import HybridLinear, PerOfferLinear, Posterior, SharedLinear
from seg1.decide import EarlyAnswers
from seg1.decide.early import expected_answer
from seg1.decide.state import State
from seg1.journal import Decided, Exposed, Outcome, Row, Swapped, Voided, Withheld
from seg1.testing.journal import _decided

OFFERS = [Offer("tea", features={"hot": 1.0}), Offer("cake", stock=2), Offer("wine")]
SCHEMA = selector_of().schema
EARLY = EarlyAnswers(hours=24, min_answers=1)
POSTERIORS = [PerOfferLinear(half_life_days=10.0), HybridLinear(), SharedLinear()]
GOALS = {
    "accepted": Goal.response(),
    "reward": Goal.incremental(reward_cap=3.0, window_days=7),
}
EFFECTS = np.array([0.2, -0.1, 0.0, 0.3])  # by offer, and last of no offer
NAMES = [f"visit-{n}" for n in range(6)]
Event = tuple[str, str, int, int, str, float]


def selector_with(posterior: Posterior, goal: Goal) -> OfferSelector:
    return OfferSelector(OFFERS, context=SCHEMA, goal=goal, posterior=posterior)


def state_with(selector: OfferSelector, delay_model: EarlyAnswers | None) -> State:
    n_features = selector.schema.n_features
    return State(selector, catalogue="c", n_features=n_features, delay_model=delay_model)


def decided(name: str, *, at: int, arm: int, what: str = "personalised") -> Decided:
    context = SCHEMA.encode({"hour": float(at // 3_600_000_000 % 24), "channel": "app"})
    offer = OFFERS[arm].id if arm < len(OFFERS) else None
    return _decided(name, customer=7)._replace(
        at_us=at, mode="control" if what == "control" else "personalised", arm=arm, offer=offer,
        context=context.astype("<f8").tobytes(), affinity=b"",
        effects=EFFECTS.tobytes(), is_measured=what != "unmeasured",
        confirm=True, exposure_us=3 * DAY, outcome_us=7 * DAY,
        catalogue="d" if what == "of another catalogue" else "c",
    )  # fmt: skip


WHATS = ("personalised", "personalised", "control", "unmeasured", "of another catalogue")
EVENTS = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(["decided", "decided", "exposed", "exposed", "answered", "answered",
                     "withheld", "voided", "nothing"]),
    st.integers(0, 36),  # hours since the last row
    st.integers(0, 3),
    st.sampled_from(WHATS),
    st.sampled_from([0.0, 1.0, 5.0]),
)  # fmt: skip


def rows_of(events: list[Event], *, answer: str) -> list[Row]:
    """Make rows of a life in which ids are taken back, decided again and even used twice."""
    rows: list[Row] = list(known(answer))
    at = T0 + 10 * DAY
    for name, kind, hours, arm, what, value in events:
        at += hours * DAY // 24
        if kind == "decided":
            rows.append(decided(name, at=at, arm=arm, what=what))
        elif kind == "exposed":
            rows.append(Exposed(decision_id=name, at_us=at))
        elif kind == "answered":
            said = min(value, 1.0) if answer == "accepted" else value
            rows.append(Outcome(decision_id=name, at_us=at, what=answer, value=said))
        elif kind == "withheld":
            rows.append(Withheld(decision_id=name, at_us=at))
        elif kind == "voided":
            rows.append(Voided(decision_id=name, at_us=at))
        else:
            rows.append(tick(at))
    return [*rows, *last(at)]


def tick(at: int) -> Row:
    return Swapped(what="model", at_us=at, version="", body="{}")


def known(answer: str) -> list[Row]:
    """Two answers, one of them within a day: their share is known, and a half."""
    rows: list[Row] = []
    for arm in (0, 3):  # of an offer and of no offer
        for n, at in enumerate((T0 + 1, T0 + 2 * DAY)):
            name = f"known-{arm}-{n}"
            rows += [decided(name, at=T0, arm=arm), Exposed(decision_id=name, at_us=T0)]
            rows.append(Outcome(decision_id=name, at_us=at, what=answer, value=1.0))
    return [*sorted(rows, key=lambda row: row.at_us), tick(T0 + 9 * DAY)]


def last(at: int) -> list[Row]:
    """One row that both states learn last, in a tick of its own; and then nothing open."""
    end = at + 8 * DAY  # what follows from the sums is worked out anew where a tick begins
    return [
        decided("last", at=end, arm=0),
        Exposed(decision_id="last", at_us=end),
        tick(end + 8 * DAY),
    ]


@pytest.mark.parametrize("answer", GOALS)
@pytest.mark.parametrize("posterior", POSTERIORS, ids=lambda p: type(p).__name__)
@settings(max_examples=60, deadline=None)
@given(events=st.lists(EVENTS, max_size=30))
def test_whatever_happens_the_state_becomes_what_waiting_gives(
    posterior: Posterior, answer: str, events: list[Event]
) -> None:
    selector = selector_with(posterior, GOALS[answer])
    early, waiting = state_with(selector, EARLY), state_with(selector, None)

    for row in rows_of(events, answer=answer):
        early.fold(row)
        waiting.fold(row)

    assert early.n_learned == waiting.n_learned
    assert early.counters.held == waiting.counters.held
    mine, theirs = (state.posterior.to_arrays() for state in (early, waiting))
    for name, array in theirs.items():
        np.testing.assert_allclose(mine[name], array, rtol=1e-9, atol=1e-9)
    assert early.learner.early is not None
    assert early.learner.early._taught == {}


def test_an_early_answer_is_expected_with_the_effect_and_learned_less_it() -> None:
    state = state_with(selector_with(PerOfferLinear(half_life_days=None), Goal.response()), EARLY)
    at = T0 + 10 * DAY
    row = decided("visit-1", at=at, arm=0)
    for known_row in (*known("accepted"), row, Exposed(decision_id="visit-1", at_us=at)):
        state.fold(known_row)
    x = np.frombuffer(row.context)
    believed = state.posterior.belief(x).mean[0]
    before = state.posterior.to_arrays()["b"][0]

    state.fold(tick(at + DAY + 1))

    answer = expected_answer(0.0, expected=believed + EFFECTS[0], share=0.5, is_reward=False)
    learned = state.posterior.to_arrays()["b"][0] - before
    assert learned == pytest.approx((answer - EFFECTS[0]) * x, rel=1e-9)


@pytest.mark.parametrize("kind", [Voided, Withheld])
def test_what_was_learned_early_is_unlearned_when_it_is_taken_back(
    kind: type[Voided] | type[Withheld],
) -> None:
    selector = selector_with(PerOfferLinear(), Goal.response())
    state = state_with(selector, EARLY)
    shown: list[Row] = [decided("visit-1", at=T0 + 10 * DAY, arm=0),
                        Exposed(decision_id="visit-1", at_us=T0 + 10 * DAY)]  # fmt: skip
    for row in (*known("accepted"), *shown, tick(T0 + 12 * DAY)):
        state.fold(row)
    n_learned = state.n_learned

    state.fold(kind(decision_id="visit-1", at_us=T0 + 12 * DAY))

    assert (n_learned, state.n_learned) == (3, 2)
    assert state.posterior.to_arrays()["n_folded"].tolist() == [2, 0, 0, 0]


def test_an_id_that_is_decided_twice_is_learned_as_of_its_last_decision() -> None:
    selector = selector_with(PerOfferLinear(), Goal.response())
    state = state_with(selector, EARLY)
    rows: list[Row] = list(known("accepted"))
    for day, arm in ((10, 0), (12, 1)):
        at = T0 + day * DAY
        rows += [decided("visit-1", at=at, arm=arm), Exposed(decision_id="visit-1", at_us=at)]

    for row in (*rows, tick(T0 + 14 * DAY)):
        state.fold(row)

    assert state.n_learned == 3
    assert state.posterior.to_arrays()["n_folded"].tolist() == [2, 1, 0, 0]


def test_decisions_of_an_earlier_catalogue_tell_how_long_answers_take() -> None:
    selector = selector_with(PerOfferLinear(), Goal.response())
    state = state_with(selector, EARLY)
    earlier = [row._replace(catalogue="d") if isinstance(row, Decided) else row
               for row in known("accepted")]  # fmt: skip
    at = T0 + 10 * DAY
    shown: list[Row] = [decided("visit-1", at=at, arm=0), Exposed(decision_id="visit-1", at_us=at)]

    for row in (*earlier, *shown, tick(at + 2 * DAY)):
        state.fold(row)

    assert state.n_learned == 1


@pytest.mark.parametrize("link", ["identity", "logit"])
def test_two_states_that_folded_the_same_rows_are_equal_to_the_last_bit(link: str) -> None:
    posterior = PerOfferLinear(link=link)  # type: ignore[arg-type]  # of a list
    selector = selector_with(posterior, Goal.response())
    rng = np.random.default_rng(1)
    events: list[Event] = []
    for n in range(80):
        kinds = ["decided", "exposed", "answered", "nothing", "withheld", "voided"]
        kinds = kinds[: rng.choice([2, 3, 3, 4, 5, 6])]
        arm = int(rng.integers(3))
        events += [
            (f"visit-{n}", kind, int(rng.integers(9)), arm, "personalised", 1.0) for kind in kinds
        ]
    states = [state_with(selector, EARLY) for _ in range(2)]

    for row in rows_of(events, answer="accepted"):
        for state in states:
            state.fold(row)
            if state is states[0]:  # asking changes nothing
                state.posterior.belief(SCHEMA.encode({"hour": 3.0}))

    assert states[0].fingerprint() == states[1].fingerprint()
    assert states[0].n_learned > 20
