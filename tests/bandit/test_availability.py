"""Which arms may be shown at a moment: equal to asking every offer anew."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg1._checks import to_us
from seg1._types import Id
from seg1.bandit.choosing.availability import Availability
from seg1.errors import InvalidArgumentError, UnknownIdError
from seg1.offers import Arms, Goal, Offer

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = st.none() | st.integers(0, 5)


def for_some(_customer: Id, _context: Mapping[str, object]) -> bool:
    raise AssertionError("a selector asks no audience; whoever allows the offer vouches for it")


@st.composite
def some_offers(draw: st.DrawFn) -> list[Offer]:
    offers = []
    for i in range(draw(st.integers(1, 4))):
        begin, end = draw(DAYS), draw(DAYS)
        if begin is not None and end is not None and end <= begin:
            end = begin + 1
        offers.append(
            Offer(
                i,
                prices=draw(st.sampled_from([(), (2.0, 1.0)])),
                valid_from=None if begin is None else START + timedelta(days=begin),
                valid_until=None if end is None else START + timedelta(days=end),
                audience=draw(st.none() | st.just(for_some)),
            )
        )
    return offers


def asked_one_by_one(arms: Arms, at_us: int, allow: set[int] | None, deny: set[int]) -> list[bool]:
    """The plain twin: every arm by itself."""
    told = []
    for arm in arms.arms:
        if arm.offer is None:
            told.append(True)
            continue
        offer = arms.offers[int(str(arm.offer))]
        start, end = offer.valid_us
        vouched = offer.audience is None if allow is None else offer.id in allow
        told.append(start <= at_us < end and vouched and offer.id not in deny)
    return told


@given(
    offers=some_offers(),
    hours=st.integers(-30, 7 * 24),
    off_us=st.integers(-1, 1),
    allow=st.none() | st.sets(st.integers(0, 3)),
    deny=st.sets(st.integers(0, 3)),
)
def test_a_mask_says_of_each_arm_what_its_offer_says(
    offers: list[Offer], hours: int, off_us: int, allow: set[int] | None, deny: set[int]
) -> None:
    arms = Arms.of(offers, goal=Goal.response())
    at_us = to_us(START + timedelta(hours=24 * (hours // 24))) + off_us
    known = set(range(len(offers)))
    allow, deny = None if allow is None else allow & known, deny & known

    mask = Availability.of(arms).mask(at_us, allow=allow, deny=deny)

    assert mask.tolist() == asked_one_by_one(arms, at_us, allow, deny)


def test_a_mask_that_was_given_cannot_change_the_next() -> None:
    availability = Availability.of(Arms.of([Offer("tea")], goal=Goal.response()))

    mask = availability.mask(0, allow=None, deny=())

    with pytest.raises(ValueError, match="read-only"):
        mask[0] = False
    assert availability.mask(0, allow=None, deny=["tea"]).tolist() == [False, True]
    assert availability.mask(0, allow=None, deny=()).tolist() == [True, True]


def test_where_nothing_may_be_shown_it_says_so() -> None:
    arms = Arms.of([Offer("tea")], goal=Goal.response(), no_offer=False)

    with pytest.raises(InvalidArgumentError, match="no offer may be shown now"):
        Availability.of(arms).mask(0, allow=[], deny=())


def test_an_offer_that_is_not_there_is_refused() -> None:
    availability = Availability.of(Arms.of([Offer("tea")], goal=Goal.response()))

    with pytest.raises(UnknownIdError, match="must name offers of the selector"):
        availability.mask(0, allow=["cake"], deny=())
    with pytest.raises(InvalidArgumentError, match="got a str"):
        availability.mask(0, allow=None, deny="tea")
    assert np.count_nonzero(availability.mask(0, allow=["tea"], deny=())) == 2


@pytest.mark.parametrize("deny", [np.array([0]), np.array([0, 1]), {0: "tea"}.keys()])
def test_whatever_holds_the_ids_that_are_denied_they_are_denied(deny: Collection[Id]) -> None:
    availability = Availability.of(Arms.of([Offer(0), Offer(1)], goal=Goal.response()))

    mask = availability.mask(0, allow=None, deny=deny)

    assert mask.tolist() == [False, 1 not in deny, True]
