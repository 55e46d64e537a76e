"""What a journal says of its arms."""

import pytest

from seg1.errors import DamagedError
from seg1.journal.catalogue import arms_of_body, body_of_arms, features_of_body
from seg1.offers import Arms, Goal, Offer

COFFEE = Offer(
    "coffee", items=[981760, 5], cost=0.3, prices=[1.29, 0.99], slots=["now", "saturday"],
    features={"bitter": 0.5}, group="drinks",
)  # fmt: skip
TEA = Offer(7, worth=0.5, stock=3, audience=lambda *_: True, placements=["app"], valid_from=5)


@pytest.mark.parametrize("no_offer", [True, False])
@pytest.mark.parametrize("goal", [Goal.margin(contact_cost=0.02), Goal.response()])
def test_arms_and_goal_come_back_from_their_text(
    goal: Goal,
    no_offer: bool,  # noqa: FBT001  # pytest passes it by name
) -> None:
    arms = Arms.of([COFFEE, TEA], goal=goal, no_offer=no_offer)

    again, goal_again = arms_of_body(body_of_arms(arms, goal=goal))

    assert again.arms == arms.arms
    assert again.worth.tolist() == arms.worth.tolist()
    assert again.contact_cost.tolist() == arms.contact_cost.tolist()
    assert goal_again == goal


def test_an_incremental_goal_comes_back() -> None:
    goal = Goal.incremental(reward_cap=50.0, window_days=7)

    _, again = arms_of_body(body_of_arms(Arms.of([TEA], goal=goal), goal=goal))

    assert again == goal


def test_the_names_of_features_come_back_in_order() -> None:
    goal = Goal.response()
    arms = Arms.of([TEA], goal=goal)

    assert features_of_body(body_of_arms(arms, goal=goal, features=["b", "a"])) == ("b", "a")
    assert features_of_body(body_of_arms(arms, goal=goal)) == ()


@pytest.mark.parametrize("body", ["", "[]", "{}", "7", '{"goal": {"kind": "fame"}}', '{"goal": 3}'])
def test_a_text_of_another_form_is_damage(body: str) -> None:
    with pytest.raises(DamagedError, match="catalogue does not have its form"):
        arms_of_body(body)
    if body not in ("{}", '{"goal": {"kind": "fame"}}', '{"goal": 3}'):
        with pytest.raises(DamagedError, match="catalogue does not have its form"):
            features_of_body(body)
