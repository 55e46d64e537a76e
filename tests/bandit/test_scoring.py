"""From a belief to a value: what counts against it, and which beliefs are refused."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seg1.bandit import Belief, ContextSchema, OfferSelector
from seg1.errors import PluginError
from seg1.offers import Goal, Offer


def test_a_contact_costs_where_every_answer_is_worth_1() -> None:
    goal = Goal.response(contact_cost=0.1)
    chosen_by = OfferSelector([Offer("tea"), Offer("cake")], goal=goal, no_offer=False)
    state, x, eligible = chosen_by.start(), np.ones(1), np.ones(2, np.bool_)
    state.fold(0, x, 1.0, at_us=0)

    value = chosen_by.probabilities(state, x, eligible=eligible).value

    assert value == pytest.approx(state.belief(x).mean - 0.1)


def test_answers_are_multiplied_with_what_they_are_worth() -> None:
    offers = [Offer("tea", worth=3.0), Offer("cake", worth=3.0)]
    chosen_by = OfferSelector(offers, goal=Goal.revenue(), no_offer=False)
    state, x, eligible = chosen_by.start(), np.ones(1), np.ones(2, np.bool_)
    state.fold(0, x, 1.0, at_us=0)

    value = chosen_by.probabilities(state, x, eligible=eligible).value

    assert value == pytest.approx(3.0 * state.belief(x).mean)


def test_an_expected_acceptance_is_a_probability_wherever_a_line_leads() -> None:
    context = ContextSchema(numeric={"hour": (0, 24)})
    chosen_by = OfferSelector([Offer("tea")], goal=Goal.response(), context=context, no_offer=False)
    for i in range(200):  # nobody at noon, everybody six hours later
        choice = chosen_by.choose({"hour": 12 + 6 * (i % 2)}, id=i, at=0)
        chosen_by.learn(choice, accepted=bool(i % 2), at=0)

    late, early = (chosen_by.choose({"hour": hour}, id="x", at=0) for hour in (24, 0))

    value = chosen_by.probabilities(chosen_by._state, late.x, eligible=np.ones(1, np.bool_))
    assert value.value[0] > 1.5
    assert (late.response_prob, early.response_prob) == (1.0, 0.0)
    assert value.response.tolist() == [1.0]


@pytest.mark.parametrize(("n_means", "n_deviations"), [(2, 1), (1, 2), (3, 3)])
def test_a_belief_has_a_mean_and_a_deviation_of_each_arm(n_means: int, n_deviations: int) -> None:
    chosen_by = OfferSelector([Offer("tea"), Offer("cake")], goal=Goal.response(), no_offer=False)
    belief = Belief(np.zeros(n_means), np.ones(n_deviations))
    state: Any = SimpleNamespace(belief=lambda _x, **_: belief)

    with pytest.raises(PluginError, match="one number for each arm"):
        chosen_by.probabilities(state, np.ones(1), eligible=np.ones(2, np.bool_))
