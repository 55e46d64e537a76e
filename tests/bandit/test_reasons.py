"""Reasons of a choice: against which other arm it is told, and in which unit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from seg1.bandit import Choice, OfferSelector, PerOfferLinear
from seg1.offers import Goal, Offer

TEA, SOUP, CAKE = Offer("tea", worth=1.5), Offer("soup", worth=1.0), Offer("cake", worth=10.0)


def choice_of(chosen_by: OfferSelector, offer: str, *, deny: Sequence[str] = ()) -> Choice:
    """Choose until it is this offer: the floor sees to it."""
    choices = (chosen_by.choose({}, id=i, at=0, deny=deny) for i in range(10_000))
    return next(choice for choice in choices if choice.offer == offer)


def taught(link: Any, *, accepted: dict[str, tuple[int, int]], **options: Any) -> OfferSelector:  # noqa: ANN401
    """A selector that was told of each offer how many accepted, and of how many."""
    chosen_by = OfferSelector(
        [TEA, SOUP, CAKE],
        posterior=PerOfferLinear(link=link),
        floor=0.5,
        **{"goal": Goal.margin(), **options},
    )
    for offer, (n_accepted, n) in accepted.items():
        choice = choice_of(chosen_by, offer)
        for i in range(n):
            chosen_by.learn(choice, accepted=i < n_accepted, at=0)
    return chosen_by


def coefficients(chosen_by: OfferSelector, offer: str) -> float:
    """What the intercept, the only feature, adds to the answer."""
    of_arm = {
        arm.offer: row for arm, row in zip(chosen_by.arms.arms, theta(chosen_by), strict=True)
    }
    return float(of_arm[offer][0])


def theta(chosen_by: OfferSelector) -> Any:  # noqa: ANN401
    return chosen_by._state.coefficients()


def test_the_runner_up_is_what_is_worth_most_after_its_contact() -> None:
    # An answer to soup is worth 0.1, and its contact costs 0.3: nothing is worth more than it.
    goal = Goal.margin(contact_cost=0.3)
    chosen_by = taught("identity", accepted={"tea": (9, 10), "soup": (1, 10)}, goal=goal)

    reasons = chosen_by.reasons(choice_of(chosen_by, "tea", deny=["cake"]))

    gain = 1.5 * coefficients(chosen_by, "tea")
    assert reasons.runner_up is not None
    assert reasons.runner_up.offer is None
    assert [told.amount for told in reasons.contributions] == [pytest.approx(gain)]
    assert reasons.contact_cost == pytest.approx(-0.3)
    assert reasons.difference == pytest.approx(gain - 0.3)


def test_two_offers_are_compared_by_what_their_answers_are_worth() -> None:
    # Cake is accepted far less, and is worth ten times as much: half a unit, and soup more.
    chosen_by = taught(
        "identity", accepted={"tea": (9, 10), "soup": (8, 10), "cake": (1, 20)}, no_offer=False
    )

    reasons = chosen_by.reasons(choice_of(chosen_by, "tea"))
    against_cake = chosen_by.reasons(choice_of(chosen_by, "tea", deny=["soup"]))

    tea = 1.5 * coefficients(chosen_by, "tea")
    assert reasons.runner_up == chosen_by.arms.arms[1]
    assert reasons.difference == pytest.approx(tea - coefficients(chosen_by, "soup"))
    assert against_cake.difference == pytest.approx(tea - 10.0 * coefficients(chosen_by, "cake"))


def test_under_a_logit_link_amounts_are_log_odds_and_leave_worth_and_contact_out() -> None:
    # By its log odds cake would be last; by its probability, times its worth, it comes second.
    chosen_by = taught(
        "logit",
        accepted={"tea": (9, 10), "soup": (3, 10), "cake": (1, 20)},
        goal=Goal.margin(contact_cost=0.01),
    )

    reasons = chosen_by.reasons(choice_of(chosen_by, "tea"))
    against_none = chosen_by.reasons(choice_of(chosen_by, "tea", deny=["cake", "soup"]))

    tea = coefficients(chosen_by, "tea")
    assert reasons.runner_up == chosen_by.arms.arms[2]
    assert reasons.contact_cost == 0.0
    assert reasons.difference == pytest.approx(tea - coefficients(chosen_by, "cake"))
    assert against_none.difference == pytest.approx(tea)


def test_a_feature_that_adds_nothing_is_no_reason() -> None:
    chosen_by = taught("identity", accepted={"tea": (0, 0)}, no_offer=False)

    reasons = chosen_by.reasons(choice_of(chosen_by, "tea"))

    assert reasons.contributions == ()
    assert np.isclose(reasons.difference, 0.0)
