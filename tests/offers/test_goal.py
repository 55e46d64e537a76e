"""`Goal`: what an acceptance is worth."""

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg1.errors import InvalidArgumentError
from seg1.offers import Goal, Offer

COFFEE = Offer("coffee", cost=0.30, prices=[1.29, 0.99])
LEAFLET = Offer("leaflet", cost=0.10, worth=2.5)
POSTER = Offer("poster")
INCREMENTAL = Goal.incremental(reward_cap=50, window_days=7)


@pytest.mark.parametrize(
    ("goal", "offer", "rung", "worth"),
    [
        (Goal.response(), COFFEE, 1, 1.0),
        (Goal.response(), LEAFLET, 0, 1.0),
        (Goal.response(), POSTER, 0, 1.0),
        (Goal.revenue(), COFFEE, 0, 1.29),
        (Goal.revenue(), COFFEE, 1, 0.99),
        (Goal.revenue(), LEAFLET, 0, 2.5),
        (Goal.margin(), COFFEE, 0, 0.99),
        (Goal.margin(), COFFEE, 1, 0.69),
        (Goal.margin(), LEAFLET, 0, 2.5),
        (INCREMENTAL, COFFEE, 1, 1.0),
        (INCREMENTAL, POSTER, 0, 1.0),
    ],
)
def test_worth_follows_the_goal(goal: Goal, offer: Offer, rung: int, worth: float) -> None:
    assert goal.worth_of(offer, rung=rung) == pytest.approx(worth)


@pytest.mark.parametrize("goal", [Goal.revenue(), Goal.margin()])
def test_an_offer_without_price_or_worth_is_refused_with_the_way_out(goal: Goal) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        goal.worth_of(POSTER, rung=0)

    assert str(refused.value) == (
        f"offer 'poster' has neither prices nor worth, and the goal is {goal.kind}: "
        "give it one, or use Goal.response()"
    )


@pytest.mark.parametrize(("offer", "rung"), [(COFFEE, 2), (COFFEE, -1), (LEAFLET, 1), (POSTER, -1)])
@pytest.mark.parametrize("goal", [Goal.response(), Goal.margin(), INCREMENTAL])
def test_a_rung_off_the_ladder_is_refused(goal: Goal, offer: Offer, rung: int) -> None:
    with pytest.raises(InvalidArgumentError, match=rf"rung must lie in \[0, [12]\), got {rung}"):
        goal.worth_of(offer, rung=rung)


@given(
    prices=st.lists(st.floats(0.01, 1e4), min_size=1, max_size=5, unique=True),
    cost=st.floats(0, 1e4),
)
def test_worth_falls_with_the_price_and_margin_is_revenue_less_cost(
    prices: list[float], cost: float
) -> None:
    offer = Offer("tea", cost=cost, prices=sorted(prices, reverse=True))
    rungs = range(len(prices))

    revenue = [Goal.revenue().worth_of(offer, rung=rung) for rung in rungs]
    margin = [Goal.margin().worth_of(offer, rung=rung) for rung in rungs]

    assert revenue == sorted(revenue, reverse=True)
    assert margin == [price - cost for price in revenue]


def test_an_incremental_goal_learns_rewards_over_its_window() -> None:
    assert INCREMENTAL.learns_reward
    assert INCREMENTAL.window_us == 7 * 86_400_000_000
    assert (INCREMENTAL.reward_cap, INCREMENTAL.contact_cost) == (50.0, 0.0)


@pytest.mark.parametrize("goal", [Goal.response(), Goal.revenue(), Goal.margin(contact_cost=0.02)])
def test_other_goals_learn_acceptances_and_have_no_window(goal: Goal) -> None:
    assert not goal.learns_reward
    assert goal.window_us == 0


@pytest.mark.parametrize("bad", [-0.01, math.nan, math.inf, "free"])
def test_a_contact_costs_a_number(bad: float) -> None:
    for make in (Goal.response, Goal.revenue, Goal.margin):
        with pytest.raises(InvalidArgumentError, match="contact_cost must be a finite number >= 0"):
            make(contact_cost=bad)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "profit"}, "kind must be one of response, revenue, margin, incremental, got"),
        ({"kind": "margin", "contact_cost": -1.0}, "contact_cost must be a finite number >= 0"),
        ({"kind": "incremental"}, "an incremental goal needs reward_cap and window_days"),
        ({"kind": "incremental", "reward_cap": 5.0}, "needs reward_cap and window_days"),
        (
            {"kind": "incremental", "reward_cap": 0.0, "window_days": 1.0},
            "reward_cap must be a finite number > 0, got 0.0",
        ),
        (
            {"kind": "incremental", "reward_cap": 1.0, "window_days": -1.0},
            "window_days must be a finite number > 0, got -1.0",
        ),
        (
            {"kind": "incremental", "reward_cap": 1.0, "window_days": 1e6},
            "window_days must be at most 36,525",
        ),
        ({"kind": "margin", "reward_cap": 5.0}, "go with Goal.incremental alone"),
        ({"kind": "response", "window_days": 5.0}, "go with Goal.incremental alone"),
    ],
)
def test_a_goal_made_by_hand_is_checked_too(arguments: Mapping[str, object], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        Goal(**arguments)  # type: ignore[arg-type]  # on purpose
