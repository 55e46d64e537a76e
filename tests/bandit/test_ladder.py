"""`LadderLinear`: what is learned at one price tells of the others, and acceptance never falls."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1.bandit import HybridLinear, LadderLinear, OfferSelector, PerOfferLinear, Posterior
from seg1.bandit.posteriors.posterior import Layout
from seg1.errors import InvalidArgumentError
from seg1.offers import Goal, Offer

LADDER = Layout(
    np.ones((5, 1)),
    np.array([0, 0, 0, 1, 2]),
    np.array([0, 1, 2, 0, 0]),
    np.array([0.0, 0.2, 0.5, 0.0, 0.0]),
)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), link=st.sampled_from(["identity", "logit"]))
def test_acceptance_never_falls_with_the_price_in_any_draw(seed: int, link: str) -> None:
    rng = np.random.default_rng(seed)
    state = LadderLinear(link=link).start(LADDER, n_features=3)  # type: ignore[arg-type]  # one of two
    # Answers say the contrary: the deeper the discount, the fewer accept.
    for _ in range(int(rng.integers(0, 60))):
        arm = int(rng.integers(4))
        x = np.append(1.0, rng.standard_normal(2))
        state.fold(arm, x, float(rng.random() < [0.9, 0.4, 0.1, 0.5][arm]), at_us=0)

    belief = state.belief(np.append(1.0, rng.standard_normal(2)))

    assert belief.draws is not None
    draws = belief.draws(np.arange(5))
    assert (np.diff(draws[:, :3], axis=1) >= 0.0).all()
    assert (np.diff(belief.mean[:3]) >= 0.0).all()
    assert ((draws >= 0.0) & (draws <= 1.0)).all()


def test_what_is_learned_at_one_price_tells_of_the_others() -> None:
    state = LadderLinear().start(LADDER, n_features=1)
    for i in range(300):
        state.fold(1, np.ones(1), float(i % 2), at_us=0)

    mean, sd, _ = state.belief(np.ones(1))

    assert mean[1] == pytest.approx(0.5, abs=0.03)
    assert mean[0] < mean[1] < mean[2]
    assert (sd[:3] < sd[4]).all()


def test_many_answers_tell_each_rung_apart() -> None:
    state = LadderLinear().start(LADDER, n_features=1)
    rng = np.random.default_rng(0)
    truth = [0.1, 0.3, 0.35, 0.6]
    for i in range(8_000):
        arm = i % 4
        state.fold(arm, np.ones(1), float(rng.random() < truth[arm]), at_us=0)

    belief = state.belief(np.ones(1))

    assert belief.mean[:4].tolist() == pytest.approx(truth, abs=0.03)


def test_a_step_that_data_deny_is_drawn_as_none() -> None:
    state = LadderLinear(step_sd=5.0).start(LADDER, n_features=1)
    for i in range(20_000):
        state.fold(i % 2, np.ones(1), float(i % 2 == 0), at_us=0)  # all at the regular price

    draws = state.belief(np.ones(1)).draws

    assert draws is not None
    step = np.diff(draws(np.array([0, 1])), axis=1)
    assert np.isfinite(step).all()
    assert step.max() < 0.01


def test_prices_choose_a_ladder_where_acceptance_is_learned() -> None:
    coffee = Offer("coffee", prices=[2.0, 1.5], slots=["now", "later"])
    plain, hot = Offer("tea", worth=1.0), Offer("soup", worth=1.0, features={"hot": 1.0})

    def chosen(offers: list[Offer], goal: Goal) -> Posterior:
        return OfferSelector(offers, goal=goal).posterior

    reward = Goal.incremental(reward_cap=9, window_days=7)
    assert chosen([coffee, plain], Goal.margin()) == LadderLinear()
    assert chosen([coffee, plain], reward) == HybridLinear(own_share=0.5)  # slots, and no features
    assert chosen([coffee, hot], reward) == HybridLinear()
    assert chosen([plain, hot], Goal.margin()) == HybridLinear()
    assert chosen([plain, Offer("cake", slots=["now"], worth=1)], reward) == PerOfferLinear()
    assert chosen([plain], Goal.margin()) == PerOfferLinear()


def test_features_that_a_ladder_does_not_read_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    coffee = Offer("coffee", prices=[2.0, 1.5], features={"hot": 1.0})

    with caplog.at_level(logging.WARNING):
        OfferSelector([coffee], goal=Goal.margin(), posterior=LadderLinear())
        OfferSelector([Offer("tea", prices=[2.0, 1.5])], goal=Goal.margin())
        assert not caplog.records
        OfferSelector([coffee], goal=Goal.margin())

    (told,) = caplog.records
    assert "LadderLinear, which does not read features of offers" in told.getMessage()


def test_prices_of_a_slot_are_one_ladder() -> None:
    coffee = Offer("coffee", prices=[2.0, 1.5], slots=["now", "later"])

    layout = Layout.of(OfferSelector([coffee], goal=Goal.margin()).arms)

    assert layout.ladder.tolist() == [0, 1, 0, 1, 2]
    assert layout.rung.tolist() == [0, 0, 1, 1, 0]
    assert layout.depth.tolist() == [0.0, 0.0, 0.25, 0.25, 0.0]


def test_a_discount_that_wins_nobody_is_not_given() -> None:
    # Both buy alike at either price, so the lower one only costs.
    coffee = Offer("coffee", cost=0.5, prices=[2.0, 1.0])
    selector = OfferSelector([coffee], goal=Goal.margin(contact_cost=0.01), floor=0.0, seed=1)
    rng = np.random.default_rng(0)
    given = []
    for i in range(1_500):
        choice = selector.choose({}, id=i, at=i)
        given.append(choice.price)
        selector.learn(choice, accepted=choice.offer is not None and rng.random() < 0.4, at=i)

    assert np.mean([price == 2.0 for price in given[500:]]) > 0.95


def test_a_step_has_a_spread_above_0() -> None:
    with pytest.raises(InvalidArgumentError, match="step_sd must be a finite number > 0, got 0"):
        LadderLinear(step_sd=0)
