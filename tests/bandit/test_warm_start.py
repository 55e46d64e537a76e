"""What a log of decisions teaches a selector, row by row."""

from typing import Any

import numpy as np
import pytest

from seg1._checks import DAY_US
from seg1.bandit import OfferSelector, PerOfferLinear
from seg1.errors import InvalidArgumentError
from seg1.events import Vocabulary
from seg1.journal import DecisionLog
from seg1.journal.log import States
from seg1.offers import Goal, Offer

OFFERS = [Offer("tea", worth=1.0), Offer("cake", worth=3.0), Offer("gift", worth=0.0)]
TEA, CAKE, GIFT, NONE = range(4)


def selector(goal: Goal) -> OfferSelector:
    return OfferSelector(OFFERS, goal=goal, posterior=PerOfferLinear())


def log_of(
    chosen_by: OfferSelector, rows: list[tuple[int, float]], *, n_affinity: int = 0
) -> DecisionLog:
    """A log of arms and rewards, a day apart; nobody is held out."""
    n = len(rows)
    arm = np.array([arm for arm, _ in rows], np.int32)
    return DecisionLog(
        states=States(
            arms=chosen_by.arms,
            context=np.ones((n, 1)),
            eligible=np.ones((n, len(chosen_by.arms)), np.bool_),
            at_us=np.arange(n) * DAY_US,
            affinity=np.zeros((n, n_affinity)),
        ),
        arm=arm,
        action_prob=np.full(n, 0.25),
        reward=np.array([reward for _, reward in rows]),
        customers=Vocabulary(["ana"]),
        customer_index=np.zeros(n, np.int32),
        is_control=np.zeros(n, np.bool_),
        holdout_prob=np.zeros(n),
    )


def folded(chosen_by: OfferSelector, rows: list[tuple[int, int, float]]) -> Any:  # noqa: ANN401
    """The state that has learned answers of arms, each on its day."""
    state = chosen_by.start()
    for day, arm, answer in rows:
        state.fold(arm, np.ones(1), answer, at_us=day * DAY_US)
    return state


def means(state: Any) -> list[float]:  # noqa: ANN401
    return list(state.belief(np.ones(1)).mean)


def test_a_reward_is_turned_back_into_an_acceptance_or_a_refusal() -> None:
    warm = selector(Goal.margin(contact_cost=0.1))
    log = log_of(warm, [(TEA, 0.9), (TEA, -0.1), (CAKE, 2.9), (CAKE, 2.9), (TEA, 0.9)])

    n_rows = warm.warm_start(log)

    expected = folded(warm, [(0, TEA, 1), (1, TEA, 0), (2, CAKE, 1), (3, CAKE, 1), (4, TEA, 1)])
    assert n_rows == 5
    assert means(warm._state) == means(expected)


def test_what_is_worth_nothing_and_no_offer_teach_nothing_of_acceptance() -> None:
    # Whether a gift was taken, its reward does not say.
    warm = selector(Goal.margin(contact_cost=0.1))
    log = log_of(warm, [(GIFT, -0.1), (NONE, 0.0), (TEA, 0.9), (GIFT, -0.1)])

    n_rows = warm.warm_start(log)

    assert n_rows == 1
    assert means(warm._state) == means(folded(warm, [(2, TEA, 1)]))


def test_where_rewards_are_learned_every_arm_teaches_its_reward_up_to_the_cap() -> None:
    warm = selector(Goal.incremental(reward_cap=5.0, window_days=7))
    log = log_of(warm, [(GIFT, 2.5), (NONE, -1.5), (TEA, 9.0)])

    n_rows = warm.warm_start(log)

    expected = folded(warm, [(0, GIFT, 2.5), (1, NONE, -1.5), (2, TEA, 5.0)])
    assert n_rows == 3
    assert means(warm._state) == means(expected)


def test_a_log_of_decisions_by_affinity_teaches_nothing() -> None:
    warm = selector(Goal.margin())
    log = log_of(warm, [(TEA, 1.0)], n_affinity=3)

    with pytest.raises(InvalidArgumentError, match="1 features and no affinity, got 1 and 3"):
        warm.warm_start(log)


@pytest.mark.parametrize("reward", [0.5, 2.0, -1.0, 1.0 + 1e-6])
def test_a_reward_that_no_answer_has_is_refused(reward: float) -> None:
    warm = selector(Goal.margin())

    with pytest.raises(InvalidArgumentError, match="neither an acceptance nor a refusal"):
        warm.warm_start(log_of(warm, [(TEA, reward)]))
