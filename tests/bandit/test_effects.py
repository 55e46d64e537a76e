"""A customer's effect on an answer: added to what is believed of it, in every draw alike."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg1.bandit import (
    Explorer,
    Greedy,
    HybridLinear,
    InverseGap,
    OfferSelector,
    PerOfferLinear,
    Softmax,
    ThompsonSampling,
)
from seg1.bandit.customers.effects import effects_of_arms
from seg1.bandit.posteriors.posterior import Belief
from seg1.errors import InvalidArgumentError
from seg1.offers import Arms, Goal, Offer

OFFERS = [
    Offer("tea", worth=2.0, cost=0.5, features={"hot": 1.0}),
    Offer("cola", prices=[2.0, 1.5], features={"hot": 0.0}),
    Offer("soup", worth=1.0, features={"hot": 1.0}),
]
GOALS = [Goal.margin(contact_cost=0.02), Goal.incremental(reward_cap=5.0, window_days=7)]
EXPLORERS = [
    ThompsonSampling(scale=2.0, optimism=0),
    InverseGap(),
    Softmax(),
    Greedy(without_floor=True),
]
POSTERIORS = [PerOfferLinear(), HybridLinear(), HybridLinear(link="logit")]
EVERYTHING = np.ones(5, np.bool_)
X = np.ones(1)


def selector(**options: Any) -> OfferSelector:  # noqa: ANN401  # passed on
    return OfferSelector(OFFERS, **{"goal": GOALS[0], "seed": 7, **options})


def shifted(belief: Belief, by: np.ndarray[Any, np.dtype[np.float64]]) -> Belief:
    """The slow twin: what would be believed if every answer were larger by that much."""
    mean, sd, draws = belief
    if draws is None:
        return Belief(mean + by, sd)
    return Belief(mean + by, sd, lambda arms: draws(arms) + by[arms].astype(np.float32))


@pytest.mark.parametrize("explorer", EXPLORERS, ids=repr)
@pytest.mark.parametrize("posterior", POSTERIORS, ids=repr)
@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.kind)
@pytest.mark.parametrize("unit_price", [0.0, 0.3])
def test_probabilities_are_those_of_answers_that_are_larger_by_the_effect(
    explorer: Explorer, posterior: Any, goal: Goal, unit_price: float  # noqa: ANN401
) -> None:  # fmt: skip
    ours = selector(explorer=explorer, posterior=posterior, goal=goal)
    state = ours.start()
    for n in range(40):  # the first is accepted by half, all others by none
        state.fold(n % 4, X, float(n % 8 == 0), at_us=0)
    effects = np.array([-0.6, -0.2, -0.1, 0.9, 0.0])

    scored = ours.probabilities(
        state, X, eligible=EVERYTHING, unit_price=unit_price, effects=effects
    )

    twin = ours._scoring.score(
        shifted(state.belief(X), effects), eligible=EVERYTHING, unit_price=unit_price
    )
    # One of 256 draws may fall the other way where the last bit of two values differs.
    assert scored.p == pytest.approx(twin.p, abs=0.005)
    assert scored.value == pytest.approx(twin.value, abs=1e-12)
    assert scored.response == pytest.approx(twin.response, abs=1e-12)


@given(st.lists(st.floats(-1, 1), min_size=5, max_size=5))
def test_predicted_acceptances_stay_between_0_and_1(told: list[float]) -> None:
    ours = selector(posterior=PerOfferLinear())

    scored = ours.probabilities(ours.start(), X, eligible=EVERYTHING, effects=np.array(told))

    assert (scored.response[:-1] == np.clip(told, 0.0, 1.0)[:-1]).all()
    assert scored.response[-1] == 0.0  # no offer is not accepted
    assert abs(scored.p.sum() - 1.0) < 1e-9


def test_no_effects_and_effects_of_0_are_the_same_to_the_bit() -> None:
    ours = selector(posterior=HybridLinear())
    state = ours.start()
    state.fold(0, X, 1.0, at_us=0)

    without, with_0 = (
        ours.probabilities(state, X, eligible=EVERYTHING, effects=effects)
        for effects in (None, np.zeros(5))
    )

    assert all(np.array_equal(a, b) for a, b in zip(without[:3], with_0[:3], strict=True))


def test_what_is_given_is_not_written_to() -> None:
    ours, effects = selector(posterior=HybridLinear()), np.full(5, 0.1)
    state = ours.start()
    before = state.belief(X).mean.copy()

    ours.probabilities(state, X, eligible=EVERYTHING, effects=effects)

    assert (effects == 0.1).all()
    assert (state.belief(X).mean == before).all()
    assert (ours._scoring.contact_cost == [0.02, 0.02, 0.02, 0.02, 0.0]).all()


@pytest.mark.parametrize("effects", [np.zeros(4), np.zeros((5, 1)), np.zeros(5, np.float32)])
def test_effects_of_another_form_are_refused(effects: Any) -> None:  # noqa: ANN401
    ours = selector()

    with pytest.raises(InvalidArgumentError, match=r"effects must be float64 of shape \(5,\)"):
        ours.probabilities(ours.start(), X, eligible=EVERYTHING, effects=effects)


def test_prices_and_slots_of_an_offer_have_one_effect() -> None:
    effects = np.array([0.1, 0.2, 0.3, 0.4])
    with_none, without = (Arms.of(OFFERS, goal=GOALS[0], no_offer=has) for has in (True, False))

    spread, fewer = (effects_of_arms(effects, arms) for arms in (with_none, without))

    assert spread is not None
    assert fewer is not None
    assert spread.tolist() == [0.1, 0.2, 0.2, 0.3, 0.4]
    assert fewer.tolist() == [0.1, 0.2, 0.2, 0.3]
    assert effects_of_arms(np.zeros(0), with_none) is None
