"""`Arms`: every way to answer a contact, once, as columns."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.offers import Arm, Arms, Goal, Offer

COFFEE = Offer("coffee", cost=0.30, prices=[1.29, 0.99], slots=["now", "saturday"])
LEAFLET = Offer("leaflet", worth=2)


@st.composite
def offer_lists(draw: st.DrawFn) -> list[Offer]:
    n_offers = draw(st.integers(1, 6))
    return [
        Offer(
            f"offer-{k}",
            cost=draw(st.floats(0, 5)),
            prices=sorted(draw(st.sets(st.floats(0.5, 9.0), max_size=3)), reverse=True),
            slots=sorted(draw(st.sets(st.sampled_from(["now", "tonight", "saturday"])))),
        )
        for k in range(n_offers)
    ]


@given(offers=offer_lists(), no_offer=st.booleans())
def test_every_arm_appears_once_and_no_offer_last(offers: list[Offer], *, no_offer: bool) -> None:
    expected = {
        Arm(offer.id, price, slot)
        for offer in offers
        for price, slot in product(offer.prices or (None,), offer.slots or (None,))
    }

    arms = Arms.of(offers, goal=Goal.response(contact_cost=0.1), no_offer=no_offer)

    shown = arms.arms[:-1] if no_offer else arms.arms
    assert set(shown) == expected
    assert len(shown) == len(expected)
    assert arms.has_no_offer is no_offer
    if no_offer:
        assert arms.arms[-1] == Arm(None, None, None)
        assert arms.offer_index[-1] == -1
        assert arms.rung[-1] == arms.worth[-1] == arms.contact_cost[-1] == 0


@given(offers=offer_lists(), no_offer=st.booleans())
def test_columns_say_what_the_arms_say(offers: list[Offer], *, no_offer: bool) -> None:
    goal = Goal.response(contact_cost=0.1)

    arms = Arms.of(offers, goal=goal, no_offer=no_offer)

    for column, dtype in (
        (arms.offer_index, np.int32),
        (arms.rung, np.int32),
        (arms.worth, np.float64),
        (arms.contact_cost, np.float64),
    ):
        assert column.shape == (len(arms),)
        assert column.dtype == dtype
        assert not column.flags.writeable
    for position, arm in enumerate(arms.arms):
        if arm.offer is not None:
            offer = arms.offers[arms.offer_index[position]]
            rung = int(arms.rung[position])
            assert offer.id == arm.offer
            assert arm.price == (offer.prices[rung] if offer.prices else None)
            assert arms.worth[position] == goal.worth_of(offer, rung=rung)
            assert arms.contact_cost[position] == 0.1
    n_shown = len(arms) - no_offer
    assert arms.n_arms_of_offer.sum() == n_shown
    assert (arms.n_arms_of_offer == np.bincount(arms.offer_index[:n_shown])).all()


def test_the_order_is_offer_then_price_then_slot() -> None:
    arms = Arms.of([COFFEE, LEAFLET], goal=Goal.margin())

    assert [tuple(arm) for arm in arms.arms] == [
        ("coffee", 1.29, "now"),
        ("coffee", 1.29, "saturday"),
        ("coffee", 0.99, "now"),
        ("coffee", 0.99, "saturday"),
        ("leaflet", None, None),
        (None, None, None),
    ]
    assert arms.worth.tolist() == pytest.approx([0.99, 0.99, 0.69, 0.69, 2.0, 0.0])


def test_a_whole_number_as_worth_stays_a_float_column() -> None:
    assert Arms.of([LEAFLET], goal=Goal.margin(), no_offer=False).worth.dtype == np.float64


def test_no_offers_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="there must be at least one offer"):
        Arms.of([], goal=Goal.response())


def test_two_offers_of_one_id_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="offers must have ids that differ"):
        Arms.of([Offer("tea"), Offer("tea", cost=1)], goal=Goal.response())


@pytest.mark.parametrize(
    ("offers", "message"),
    [
        (["tea"], "offers must hold Offer only, got str"),
        ("tea", "offers must be a list or tuple, got str"),
        ((offer for offer in [Offer("tea")]), "offers must be a list or tuple, got generator"),
    ],
)
def test_what_is_no_list_of_offers_is_refused(offers: object, message: str) -> None:
    with pytest.raises(InvalidTypeError, match=message):
        Arms.of(offers, goal=Goal.response())  # type: ignore[arg-type]  # on purpose


def test_an_offer_that_the_goal_gives_no_worth_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="offer 'poster' has neither prices nor worth"):
        Arms.of([COFFEE, Offer("poster")], goal=Goal.margin())
