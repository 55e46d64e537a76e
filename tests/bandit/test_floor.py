"""The floor, as a selector lays it: over all arms or some, under whatever an explorer answers."""

import numpy as np
import pytest

from seg1._types import Bools, Float64s
from seg1.bandit import OfferSelector
from seg1.offers import Goal, Offer

OFFERS = [Offer("tea", prices=[3.0, 2.0, 1.0]), Offer("cake", worth=1.0)]


class First:
    """An explorer that gives the first arm everything, and a rounding error more."""

    needs_floor = False

    def __init__(self, *, error: float = 0.0) -> None:
        self.error = error

    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Float64s:  # noqa: ARG002  # the contract
        chances = np.zeros(len(mean))
        chances[int(eligible.argmax())] = 1.0 + self.error
        return chances


def logged(eligible: list[bool], *, floor: float, error: float = 0.0) -> Float64s:
    chosen_by = OfferSelector(OFFERS, goal=Goal.revenue(), explorer=First(error=error), floor=floor)
    return chosen_by.probabilities(
        chosen_by.start(), np.ones(1), eligible=np.array(eligible)
    ).p  # fmt: skip


def test_every_offer_has_an_equal_part_and_no_offer_too() -> None:
    p = logged([True] * 5, floor=0.3)

    third = 0.3 / 3
    assert p == pytest.approx([0.7 + third / 3, third / 3, third / 3, third, third])


def test_arms_that_are_not_eligible_leave_their_part_to_the_others() -> None:
    p = logged([False, True, True, False, True], floor=0.3)

    half = 0.3 / 2
    assert p == pytest.approx([0.0, 0.7 + half / 2, half / 2, 0.0, half])
    assert p[0] == p[3] == 0.0


@pytest.mark.parametrize("eligible", [[True] * 5, [True, True, False, True, False]])
@pytest.mark.parametrize("error", [9e-10, -9e-10])
def test_what_an_explorer_answers_is_summed_up_to_1(eligible: list[bool], error: float) -> None:
    p = logged(eligible, floor=0.2, error=error)

    assert abs(p.sum() - 1.0) < 1e-15
