"""`OfferSelector`: what is chosen, with which probability, and what is learned."""

import math
import threading
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from seg1._checks import DAY_US
from seg1._types import Bools, Float64s, Id
from seg1.bandit import (
    Choice,
    ContextSchema,
    EpsilonGreedy,
    Explorer,
    Greedy,
    InverseGap,
    OfferSelector,
    PosteriorState,
    Softmax,
    ThompsonSampling,
)
from seg1.bandit.choosing.choice import draw_from
from seg1.bandit.explorers.floor import Floor
from seg1.bandit.posteriors.per_offer import PerOfferLinear, PerOfferState
from seg1.bandit.posteriors.posterior import Belief
from seg1.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    PluginError,
    UnknownIdError,
)
from seg1.offers import Arms, Goal, Offer

COFFEE = Offer("coffee", cost=0.30, prices=[1.29, 0.99], slots=["now", "saturday"])
TEA, CAKE = Offer("tea", worth=0.5, cost=0.1), Offer("cake", worth=2.0)
OFFERS = [COFFEE, TEA, CAKE]
CONTEXT = ContextSchema(numeric={"hour": (0, 24)}, categorical={"channel": ["app", "till"]})
MARGIN = Goal.margin(contact_cost=0.02)
REWARD = Goal.incremental(reward_cap=50.0, window_days=7)


def selector(**options: Any) -> OfferSelector:  # noqa: ANN401
    return OfferSelector(OFFERS, **{"goal": MARGIN, "context": CONTEXT, "seed": 7, **options})


def everything(chosen_by: OfferSelector) -> Bools:
    return np.ones(len(chosen_by.arms), np.bool_)


class Recording:
    """An explorer that tells what it was given, and chooses evenly."""

    needs_floor = False

    def __init__(self) -> None:
        self.mean = self.sd = np.empty(0)

    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Float64s:
        self.mean, self.sd = mean, sd
        even: Float64s = eligible / eligible.sum()
        return even


def taught(chosen_by: OfferSelector, *, n_rows: int = 200) -> PosteriorState:
    """A state in which arms differ."""
    rng = np.random.default_rng(0)
    state = chosen_by.start()
    for i in range(n_rows):
        arm = int(rng.integers(len(chosen_by.arms)))
        if chosen_by.learns_arm(arm):
            x = chosen_by.schema.encode({"hour": i % 24, "channel": "app"})
            state.fold(arm, x, float(rng.random() < 0.1 * (arm + 1)), at_us=i * DAY_US // 10)
    return state


def test_without_a_goal_it_says_what_to_write() -> None:
    with pytest.raises(InvalidArgumentError, match=r"write goal=seg1\.Goal\.response\(\)"):
        OfferSelector(OFFERS)


def test_more_arms_than_are_scored_are_refused() -> None:
    offers = [Offer(i) for i in range(256)]

    with pytest.raises(InvalidArgumentError, match=r"at most 256 arms .* make 257"):
        OfferSelector(offers, goal=Goal.response())

    assert len(OfferSelector(offers, goal=Goal.response(), no_offer=False).arms) == 256


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"floor": -0.1}, InvalidArgumentError, "floor must be a finite number >= 0"),
        ({"floor": 1.1}, InvalidArgumentError, r"floor must lie in \[0, 1\], got 1.1"),
        ({"floor": 0, "explorer": Greedy()}, InvalidArgumentError, "Greedy tries few arms"),
        ({"explorer": "greedy"}, InvalidTypeError, "explorer must keep .*Explorer, got str"),
        ({"explorer": Greedy}, InvalidTypeError, "explorer must keep .*Explorer, got Greedy"),
        ({"posterior": "linear"}, InvalidTypeError, "posterior must keep .*Posterior, got str"),
        ({"context": {"hour": (0, 24)}}, InvalidTypeError, "must be a ContextSchema, got dict"),
        ({"seed": -1}, InvalidArgumentError, "seed must be an int >= 0"),
        ({"goal": "margin"}, InvalidArgumentError, "does not know what an answer is worth"),
    ],
)
def test_a_selector_that_cannot_be_used_is_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        selector(**options)


def test_greedy_without_a_floor_has_to_be_asked_for() -> None:
    assert selector(floor=0, explorer=Greedy(without_floor=True)).floor == 0.0


def test_the_floor_is_spread_as_written_by_hand() -> None:
    arms = Arms.of(OFFERS, goal=MARGIN)
    explored = np.array([0, 0, 0.7, 0, 0, 0.3, 0])
    eligible = np.array([1, 0, 1, 0, 0, 1, 1], bool)  # coffee twice, no tea, cake, no offer

    p = Floor.of(arms, share=0.3).under(explored, eligible=eligible)

    assert p.tolist() == pytest.approx([0.05, 0, 0.7 * 0.7 + 0.05, 0, 0, 0.7 * 0.3 + 0.1, 0.1])


@settings(deadline=None, max_examples=60)
@given(mask=st.lists(st.booleans(), min_size=7, max_size=7), share=st.floats(0, 1))
def test_each_eligible_offer_has_its_part_of_the_floor(mask: list[bool], share: float) -> None:
    chosen_by = selector(floor=share)
    eligible = np.array(mask)
    if not eligible.any():
        return

    p = chosen_by.probabilities(taught(chosen_by), CONTEXT.encode({"hour": 8}), eligible=eligible).p

    assert abs(p.sum() - 1) < 1e-12
    assert not p[~eligible].any()
    offer_of = chosen_by.arms.offer_index[eligible]
    for offer in np.unique(offer_of):
        assert p[eligible][offer_of == offer].sum() >= share / len(np.unique(offer_of)) - 1e-12


def test_value_is_worth_times_answer_less_the_contact() -> None:
    explorer = Recording()
    chosen_by = selector(explorer=explorer)
    state, x = taught(chosen_by), CONTEXT.encode({"hour": 8})

    scored = chosen_by.probabilities(state, x, eligible=everything(chosen_by))

    mean, sd, _ = state.belief(x)
    worth = np.array([0.99, 0.99, 0.69, 0.69, 0.5, 2.0, 0.0])
    cost = np.array([0.02] * 6 + [0.0])
    assert scored.value == pytest.approx(worth * mean - cost)
    assert explorer.mean.tolist() == scored.value.tolist()
    assert explorer.sd == pytest.approx(worth * sd)
    assert scored.response == pytest.approx(np.append(np.clip(mean[:-1], 0, 1), 0.0))
    assert (scored.value[-1], explorer.sd[-1], scored.response[-1]) == (0.0, 0.0, 0.0)
    assert [scored.response_of(arm) for arm in range(7)] == scored.response.tolist()


def test_where_rewards_are_learned_no_offer_is_an_arm_like_the_others() -> None:
    explorer = Recording()
    chosen_by = selector(goal=REWARD, explorer=explorer)
    state, x = taught(chosen_by), CONTEXT.encode({"hour": 8})
    state.fold(6, x, 40.0, at_us=20 * DAY_US)

    scored = chosen_by.probabilities(state, x, eligible=everything(chosen_by))

    mean, sd, _ = state.belief(x)
    assert scored.value.tolist() == scored.response.tolist() == mean.tolist()
    assert explorer.sd.tolist() == sd.tolist()
    assert scored.response_of(6) == mean[6]
    assert scored.value.argmax() == 6


def test_pacing_charges_nothing_for_no_offer() -> None:
    chosen_by = OfferSelector([Offer("tea", cost=0.5)], goal=REWARD)
    x, eligible = np.ones(1), np.ones(2, np.bool_)

    scored = chosen_by.probabilities(chosen_by.start(), x, eligible=eligible, unit_price=2.0)

    assert scored.value.tolist() == [-1.0, 0.0]


def test_pacing_charges_for_the_expected_cost() -> None:
    chosen_by = selector()
    state, x, eligible = taught(chosen_by), CONTEXT.encode({}), everything(chosen_by)
    offer_cost = np.array([0.3, 0.3, 0.3, 0.3, 0.1, 0.0, 0.0])

    free = chosen_by.probabilities(state, x, eligible=eligible)
    paced = chosen_by.probabilities(state, x, eligible=eligible, unit_price=2.0)

    assert paced.value == pytest.approx(free.value - 2.0 * offer_cost * state.belief(x)[0])
    assert paced.response.tolist() == free.response.tolist()


def test_pacing_charges_for_the_cost_of_showing_where_acceptance_is_not_learned() -> None:
    chosen_by = selector(goal=REWARD)
    state, x, eligible = taught(chosen_by), CONTEXT.encode({}), everything(chosen_by)

    paced = chosen_by.probabilities(state, x, eligible=eligible, unit_price=2.0)

    charge = np.array([0.6, 0.6, 0.6, 0.6, 0.2, 0.0, 0.0])
    assert paced.value == pytest.approx(state.belief(x)[0] - charge)


EXPLORERS = [ThompsonSampling(), Greedy(), InverseGap(gamma=10.0)]


@pytest.mark.parametrize("explorer", EXPLORERS, ids=lambda e: type(e).__name__)
def test_arms_are_drawn_as_often_as_the_logged_vector_says(explorer: Explorer) -> None:
    chosen_by = selector(explorer=explorer, floor=0.1)
    state, x = taught(chosen_by), CONTEXT.encode({"hour": 20})
    eligible = np.array([1, 1, 0, 1, 1, 1, 1], bool)
    p = chosen_by.probabilities(state, x, eligible=eligible).p

    drawn = np.bincount([chosen_by.draw(p, draw_id=i) for i in range(100_000)], minlength=7)

    assert drawn[2] == 0
    assert chisquare(drawn[p > 0], p[p > 0] * drawn.sum()).pvalue > 1e-4


@pytest.mark.parametrize("uniform", [0.0, 0.3, 1 - 2.0**-53])
def test_an_arm_with_probability_0_is_never_drawn(uniform: float) -> None:
    p = np.array([0.0, 0.3, 0.0, 0.7, 0.0])

    assert p[draw_from(p, uniform=uniform)] > 0


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 1) | st.just(0.0), min_size=1, max_size=20),
    st.integers(0, 2**53 - 1) | st.sampled_from([0, 2**53 - 1]),
)
def test_whatever_the_rounding_an_arm_with_some_probability_is_drawn(
    weights: list[float], drawn: int
) -> None:
    p = np.array([*weights, 1e-9, 0.0])

    assert p[draw_from(p / p.sum(), uniform=drawn * 2.0**-53)] > 0


def test_a_sum_that_rounds_up_still_gives_an_arm() -> None:
    # The smallest numbers there are: their products with what is nearly 1 round up.
    p = np.array([5e-324, 0.0, 5e-324, 5e-324, 0.0])

    assert draw_from(p, uniform=1 - 2.0**-53) == 3


def test_the_same_id_draws_the_same_arm_and_another_attempt_draws_afresh() -> None:
    chosen_by = selector()
    p = np.full(7, 1 / 7)

    first = [chosen_by.draw(p, draw_id=f"visit-{i}") for i in range(50)]

    assert first == [chosen_by.draw(p, draw_id=f"visit-{i}") for i in range(50)]
    assert first != [chosen_by.draw(p, draw_id=f"visit-{i}", attempt=1) for i in range(50)]
    assert first != [selector(seed=8).draw(p, draw_id=f"visit-{i}") for i in range(50)]


def test_a_choice_says_what_it_was_drawn_from() -> None:
    chosen_by = selector()
    at = datetime(2025, 3, 1, 8, tzinfo=UTC)

    choice = chosen_by.choose({"hour": 8, "channel": "app"}, id="visit-1", at=at)

    assert (choice.offer, choice.price, choice.slot) == chosen_by.arms.arms[choice.arm]
    assert choice.action_prob == choice.probabilities[choice.arm]
    assert choice.arm == chosen_by.draw(choice.probabilities, draw_id="visit-1")
    assert choice.x.tolist() == CONTEXT.encode({"hour": 8, "channel": "app"}).tolist()
    assert choice.at_us == at.timestamp() * 1e6
    assert not choice.x.flags.writeable
    assert not choice.probabilities.flags.writeable
    assert "visit-1" not in repr(choice)
    assert "x=" not in repr(choice)


def offers_of(chosen_by: OfferSelector, **options: Any) -> set[Id | None]:  # noqa: ANN401
    p = chosen_by.choose({}, id=1, at=options.pop("at", 0), **options).probabilities
    return {arm.offer for arm, chance in zip(chosen_by.arms.arms, p, strict=True) if chance > 0}


def test_allow_and_deny_name_offers_and_deny_wins() -> None:
    chosen_by = selector()

    assert offers_of(chosen_by) == {"coffee", "tea", "cake", None}
    assert offers_of(chosen_by, allow=["tea", "cake"]) == {"tea", "cake", None}
    assert offers_of(chosen_by, allow=["tea", "cake"], deny={"tea"}) == {"cake", None}
    assert offers_of(chosen_by, allow=[]) == {None}


def test_an_offer_is_shown_while_it_is_valid() -> None:
    brief = Offer("brief", valid_from=10, valid_until=20)
    chosen_by = OfferSelector([brief], goal=Goal.response())

    assert [offers_of(chosen_by, at=at) for at in (9, 10, 19, 20)] == [
        {None}, {"brief", None}, {"brief", None}, {None},
    ]  # fmt: skip


def test_an_offer_with_a_personal_rule_is_shown_only_where_it_is_named() -> None:
    personal = Offer("personal", audience=lambda _customer, _context: True)
    chosen_by = OfferSelector([personal, Offer("open")], goal=Goal.response())

    assert offers_of(chosen_by) == {"open", None}
    assert offers_of(chosen_by, allow=["personal"]) == {"personal", None}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"allow": ["bread"]}, UnknownIdError, "must name offers of the selector, got 'bread'"),
        ({"deny": ["bread"]}, UnknownIdError, "must name offers of the selector"),
        ({"allow": "tea"}, InvalidArgumentError, "collections of ids, got a str"),
        ({"allow": []}, InvalidArgumentError, "no offer may be shown now; with no_offer=True"),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        selector(no_offer=False).choose({}, id=1, at=0, **options)


@pytest.mark.parametrize(
    ("eligible", "message"),
    [
        (np.zeros(7, np.bool_), "no arm is eligible"),
        (np.ones(6, np.bool_), r"bool of shape \(7,\), got bool of \(6,\)"),
        (np.ones(7), r"bool of shape \(7,\), got float64"),
    ],
)
def test_eligibility_of_the_wrong_form_is_refused(
    eligible: Any,  # noqa: ANN401
    message: str,
) -> None:
    chosen_by = selector()

    with pytest.raises(InvalidArgumentError, match=message):
        chosen_by.probabilities(chosen_by.start(), CONTEXT.encode({}), eligible=eligible)


class Answers:
    """An explorer that answers what it was told to."""

    needs_floor = False

    def __init__(self, answer: Any) -> None:  # noqa: ANN401
        self.answer = answer

    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Float64s:  # noqa: ARG002
        answer: Float64s = self.answer
        return answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([1.0] + [0.0] * 6, r"Answers\.probabilities must give float64 of shape \(7,\)"),
        (np.ones(3) / 3, "must give float64 of shape"),
        (np.eye(7, dtype=np.float32)[1], "must give float64 of shape"),
        (np.full(7, np.nan), "must be >= 0 and sum to 1"),
        (np.array([1.5, -0.5, 0, 0, 0, 0, 0]), "must be >= 0 and sum to 1"),
        (np.full(7, 0.1), "must be >= 0 and sum to 1"),
        (np.eye(7)[0], "Answers gave an arm that is not eligible a probability"),
    ],
)
def test_an_explorer_that_breaks_its_contract_is_named(answer: object, message: str) -> None:
    chosen_by = selector(explorer=Answers(answer))
    eligible = np.array([0, 1, 1, 1, 1, 1, 1], bool)

    with pytest.raises(PluginError, match=message):
        chosen_by.probabilities(chosen_by.start(), CONTEXT.encode({}), eligible=eligible)


def test_a_posterior_that_breaks_its_contract_is_refused() -> None:
    chosen_by = selector()
    short: Any = SimpleNamespace(belief=lambda _x, **_: Belief(np.zeros(3), np.zeros(3)))
    bare: Any = SimpleNamespace(belief=lambda _x, **_: (np.zeros(7), np.zeros(7)))

    array: Any = SimpleNamespace(belief=lambda _x, **_: np.zeros(7))

    for state, message in [
        (short, "one number for each arm"),
        (bare, "must give a Belief, got"),
        (array, "must give a Belief, got"),
    ]:
        with pytest.raises(PluginError, match=message):
            chosen_by.probabilities(state, CONTEXT.encode({}), eligible=everything(chosen_by))


@pytest.mark.parametrize("explorer", [InverseGap(), Greedy(), EpsilonGreedy(), Softmax()])
def test_an_explorer_that_needs_means_only_does_not_ask_for_more(explorer: Explorer) -> None:
    chosen_by = selector(explorer=explorer)
    x, eligible = CONTEXT.encode({"hour": 8}), everything(chosen_by)
    state = taught(chosen_by)
    means_only: Any = SimpleNamespace(means=lambda x, own: state.belief(x, own=own).mean)
    belief_only: Any = SimpleNamespace(belief=state.belief)

    expected = chosen_by.probabilities(state, x, eligible=eligible)

    for other in (means_only, belief_only):
        scored = chosen_by.probabilities(other, x, eligible=eligible)
        assert scored.p.tolist() == expected.p.tolist()
        assert scored.response.tolist() == expected.response.tolist()


def test_means_of_the_wrong_shape_are_refused() -> None:
    chosen_by = selector(explorer=InverseGap())
    short: Any = SimpleNamespace(means=lambda _x, **_: np.zeros(3))

    with pytest.raises(PluginError, match="one number for each arm"):
        chosen_by.probabilities(short, CONTEXT.encode({}), eligible=everything(chosen_by))


def test_what_is_accepted_becomes_likelier() -> None:
    chosen_by = selector(
        posterior=PerOfferLinear(), explorer=ThompsonSampling(scale=0.5, optimism=0)
    )
    before = chosen_by.choose({"hour": 8}, id=0, at=0, allow=["cake"])

    for i in range(30):
        choice = chosen_by.choose({"hour": 8}, id=i, at=i, allow=["cake"])
        chosen_by.learn(choice, accepted=choice.offer == "cake", at=i + 5)

    after = chosen_by.choose({"hour": 8}, id=0, at=50, allow=["cake"])
    cake = [arm.offer for arm in chosen_by.arms.arms].index("cake")
    assert after.probabilities[cake] > 0.95 > before.probabilities[cake]


def of_arm(chosen_by: OfferSelector, offer: Id | None) -> Choice:
    choices = (chosen_by.choose({}, id=i, at=100) for i in range(10_000))
    return next(choice for choice in choices if choice.offer == offer)


def test_no_offer_is_not_learned_where_acceptance_is() -> None:
    chosen_by = selector()

    chosen_by.learn(of_arm(chosen_by, None), accepted=False, at=100)

    assert chosen_by.n_learned == 0


def test_rewards_above_the_cap_count_as_the_cap() -> None:
    chosen_by = selector(goal=REWARD)

    assert chosen_by.reward_of(6, reward=70.0) == 50.0
    assert chosen_by.reward_of(0, reward=-3) == -3.0
    chosen_by.learn(of_arm(chosen_by, None), reward=70.0, at=100)
    assert chosen_by.n_learned == 1


@pytest.mark.parametrize(
    ("goal", "offer", "answer", "message"),
    [
        (MARGIN, "cake", {}, "the goal is margin: give accepted"),
        (MARGIN, "cake", {"reward": 1.0}, "the goal is margin: give accepted"),
        (MARGIN, "cake", {"accepted": True, "reward": 1.0}, "and not reward="),
        (MARGIN, "cake", {"accepted": 1}, "the goal is margin: give accepted"),
        (MARGIN, None, {"accepted": True}, "nothing could be accepted"),
        (REWARD, "cake", {}, "the goal is incremental: give reward="),
        (REWARD, "cake", {"accepted": True}, "the goal is incremental: give reward="),
        (REWARD, "cake", {"accepted": True, "reward": 1.0}, "and not accepted="),
        (REWARD, "cake", {"reward": math.nan}, "reward must be a finite number"),
        (REWARD, "cake", {"reward": 1.0, "at": 99}, "must not lie before the time of the choice"),
    ],
)
def test_an_answer_that_does_not_fit_the_goal_is_refused(
    goal: Goal, offer: Id | None, answer: dict[str, Any], message: str
) -> None:
    chosen_by = selector(goal=goal)
    choice = of_arm(chosen_by, offer)

    with pytest.raises(InvalidArgumentError, match=message):
        chosen_by.learn(choice, **{"at": 100, **answer})

    assert chosen_by.n_learned == 0


def test_an_answer_weighs_as_much_as_the_time_of_its_choice() -> None:
    chosen_by = selector(no_offer=False)
    choice = of_arm(chosen_by, "cake")
    expected = chosen_by.start()
    expected.fold(choice.arm, choice.x, 1.0, at_us=choice.at_us)

    chosen_by.learn(choice, accepted=np.bool_(1), at=500 * DAY_US)  # type: ignore[arg-type]  # numpy's own bool

    assert chosen_by._state.to_arrays()["S"].tobytes() == expected.to_arrays()["S"].tobytes()


def test_eight_threads_leave_the_sum_of_what_they_learned() -> None:
    chosen_by = selector(no_offer=False, posterior=PerOfferLinear())
    learned: list[list[Choice]] = [[] for _ in range(8)]

    def run(own: list[Choice], thread: int) -> None:
        for i in range(60):
            choice = chosen_by.choose({"hour": i % 24}, id=f"{thread}-{i}", at=i * DAY_US // 5)
            chosen_by.learn(choice, accepted=i % 3 == 0, at=choice.at_us)
            own.append(choice)

    threads = [
        threading.Thread(target=run, args=(own, number)) for number, own in enumerate(learned)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    alone = chosen_by.start()
    for own in learned:
        for i, choice in enumerate(own):
            alone.fold(choice.arm, choice.x, float(i % 3 == 0), at_us=choice.at_us)
    assert isinstance(alone, PerOfferState)
    assert isinstance(chosen_by._state, PerOfferState)
    assert chosen_by.n_learned == 480
    assert chosen_by._state.n_rows_of_arm.tolist() == alone.n_rows_of_arm.tolist()
    for name, array in alone.to_arrays().items():
        assert np.allclose(chosen_by._state.to_arrays()[name], array, rtol=1e-9, atol=1e-9), name


def some_states(chosen_by: OfferSelector, *, n_rows: int = 20) -> SimpleNamespace:
    rng = np.random.default_rng(0)
    rows = [CONTEXT.encode({"hour": float(rng.uniform(0, 24))}) for _ in range(n_rows)]
    eligible = rng.random((n_rows, len(chosen_by.arms))) < 0.5
    eligible[:, -1], eligible[3] = True, False
    return SimpleNamespace(
        arms=chosen_by.arms, context=np.array(rows), affinity=np.zeros((n_rows, 0)),
        effects=np.zeros((n_rows, 0)),
        eligible=eligible,
    )  # fmt: skip


def test_a_frozen_policy_gives_what_the_selector_would() -> None:
    chosen_by = selector()
    chosen_by.learn(of_arm(chosen_by, "cake"), accepted=True, at=100)
    states = some_states(chosen_by)

    p = chosen_by.frozen()(states)

    for row, eligible in enumerate(states.eligible):
        if not eligible.any():
            assert not p[row].any()
            continue
        scored = chosen_by.probabilities(chosen_by._state, states.context[row], eligible=eligible)
        assert p[row].tolist() == scored.p.tolist()
        assert abs(p[row].sum() - 1) < 1e-12
        assert not p[row][~eligible].any()


def test_a_frozen_policy_goes_by_the_state_that_it_is_given() -> None:
    chosen_by, states = selector(), some_states(selector())
    elsewhere = taught(chosen_by)

    given, own = chosen_by.frozen(elsewhere)(states), chosen_by.frozen()(states)

    row = int(np.flatnonzero(states.eligible.any(axis=1))[0])
    scored = chosen_by.probabilities(elsewhere, states.context[row], eligible=states.eligible[row])
    assert given[row].tolist() == scored.p.tolist()
    assert given.tolist() != own.tolist()


def test_a_state_of_ones_own_may_be_wider_than_the_context() -> None:
    chosen_by = selector()
    n_features = chosen_by.schema.n_features

    wide, plain = chosen_by.start(n_features=n_features + 1), chosen_by.start()

    assert wide.coefficients().shape[1] == n_features + 1
    assert plain.coefficients().shape[1] == n_features
    assert len(chosen_by.version) == 16


def test_a_frozen_policy_learns_no_more() -> None:
    chosen_by = selector(explorer=ThompsonSampling(scale=0.5, optimism=0))
    policy, states = chosen_by.frozen(), some_states(chosen_by)
    before = policy(states)

    chosen_by.learn(of_arm(chosen_by, "cake"), accepted=True, at=100)

    assert policy(states).tolist() == before.tolist()
    assert chosen_by.frozen()(states).tolist() != before.tolist()


def test_a_frozen_policy_is_not_asked_about_other_arms() -> None:
    chosen_by = selector()
    other = selector(no_offer=False)

    with pytest.raises(InvalidArgumentError, match="the policy knows other arms than these"):
        chosen_by.frozen()(some_states(other))


def test_the_version_follows_what_probabilities_follow_from() -> None:
    changed: list[dict[str, Any]] = [
        {"floor": 0.02},
        {"explorer": Greedy()},
        {"goal": Goal.margin()},
        {"context": None},
        {"no_offer": False},
    ]

    assert selector().version == selector(seed=8).version
    assert len({selector().version, *(selector(**change).version for change in changed)}) == 6


@pytest.mark.parametrize("nothing", [None, 1.0, b"visit", ("visit", 1)])
def test_an_id_that_names_no_draw_is_refused(nothing: Any) -> None:  # noqa: ANN401
    with pytest.raises(InvalidTypeError, match="id must be a str or an int, got"):
        selector().choose({}, id=nothing, at=0)


def test_a_selector_says_what_it_is_made_of() -> None:
    chosen_by = OfferSelector([Offer("tea")], goal=Goal.response(), explorer=Greedy())

    assert repr(chosen_by).startswith("OfferSelector(2 arms, Greedy(")
    assert "PerOfferLinear(" in repr(chosen_by)
    assert repr(chosen_by.frozen()) == "FrozenPolicy(2 arms, 0 answers)"
