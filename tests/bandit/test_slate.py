"""Slates: several offers at once, without replacement, each drawn from the vector it holds."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1.bandit import Greedy, OfferSelector
from seg1.errors import InvalidArgumentError
from seg1.offers import Goal, Offer

OFFERS = [
    Offer("tea", group="hot", worth=1.0),
    Offer("soup", group="hot", worth=1.0),
    Offer("cola", prices=[2.0, 1.5]),
    Offer("cake", worth=0.5),
]


def selector(**options: Any) -> OfferSelector:  # noqa: ANN401
    return OfferSelector(
        OFFERS, **{"goal": Goal.revenue(), "seed": 3, "no_offer": False, **options}
    )


@settings(deadline=None, max_examples=60)
@given(
    visit=st.integers(0, 10_000),
    n=st.integers(1, 6),
    by_group=st.booleans(),
    no_offer=st.booleans(),
    deny=st.sets(st.sampled_from(["tea", "soup", "cola", "cake"]), max_size=3),
)
def test_a_slate_has_no_offer_twice_and_nothing_denied(
    visit: int, n: int, *, by_group: bool, no_offer: bool, deny: set[str]
) -> None:
    chosen_by = selector(no_offer=no_offer)

    slate = chosen_by.choose({}, id=visit, at=0, n=n, by_group=by_group, deny=deny)

    shown = [choice.offer for choice in slate]
    assert 1 <= len(slate) <= n
    assert len(set(shown)) == len(shown)
    assert not set(shown) & deny
    assert None not in shown[:-1]  # no offer ends it
    if by_group:
        assert not {"tea", "soup"} <= set(shown)
    taken: set[object] = set()
    for choice in slate:
        p = choice.probabilities
        assert choice.action_prob == p[choice.arm] > 0.0
        assert abs(p.sum() - 1.0) < 1e-12
        for arm, chance in zip(chosen_by.arms.arms, p, strict=True):
            assert chance == 0.0 or arm.offer not in taken | deny
        taken.add(choice.offer)


def test_a_slate_is_as_long_as_what_is_left() -> None:
    slate = selector().choose({}, id=1, at=0, n=9)

    assert sorted(str(choice.offer) for choice in slate) == ["cake", "cola", "soup", "tea"]


def test_the_first_of_a_slate_is_what_would_be_chosen_alone() -> None:
    for visit in range(30):
        alone = selector().choose({}, id=visit, at=0)

        first = selector().choose({}, id=visit, at=0, n=2)[0]

        assert first.arm == alone.arm
        assert first.probabilities.tobytes() == alone.probabilities.tobytes()


def test_each_is_drawn_as_if_alone_among_what_is_left() -> None:
    first, second = selector().choose({}, id=4, at=0, n=2)

    left = [offer.id for offer in OFFERS if offer.id != first.offer]
    alone = selector().choose({}, id=4, at=0, allow=left)
    assert second.probabilities.tolist() == alone.probabilities.tolist()


def test_the_second_place_goes_to_the_second_best() -> None:
    chosen_by = selector(explorer=Greedy(without_floor=True), floor=0.0)
    for i in range(40):
        choice = chosen_by.choose({}, id=i, at=i, allow=["tea"] if i % 2 else ["cake"])
        chosen_by.learn(choice, accepted=bool(i % 2), at=i)

    slate = chosen_by.choose({}, id="x", at=50, n=2, allow=["tea", "cake"])

    assert [choice.offer for choice in slate] == ["tea", "cake"]
    assert [choice.action_prob for choice in slate] == [1.0, 1.0]


def test_offers_without_a_group_do_not_exclude_each_other() -> None:
    slate = selector().choose({}, id=1, at=0, n=9, by_group=True)

    assert {"cola", "cake"} < {choice.offer for choice in slate}
    assert len(slate) == 3


def test_no_offer_ends_a_slate_wherever_it_is_drawn() -> None:
    chosen_by = selector(no_offer=True, floor=1.0)

    slates = [chosen_by.choose({}, id=i, at=0, n=9) for i in range(100)]

    lengths = {len(slate) for slate in slates}
    assert lengths == {1, 2, 3, 4, 5}  # it is drawn at every place, and last where all are shown
    for slate in slates:
        assert [choice.offer for choice in slate].index(None) == len(slate) - 1


def test_conditional_probabilities_estimate_without_bias() -> None:
    # The weight 1 / (product of conditionals) of one fixed slate is 1 on average.
    chosen_by = selector(floor=0.2)
    weights = []
    for visit in range(20_000):
        slate = chosen_by.choose({}, id=visit, at=0, n=2)
        shown = [choice.offer for choice in slate]
        prob = math.prod(choice.action_prob for choice in slate)
        is_it = shown == ["tea", "cake"]
        weights.append(1.0 / prob if is_it else 0.0)

    error = np.std(weights) / np.sqrt(len(weights))
    assert abs(np.mean(weights) - 1.0) < 3.5 * error


@pytest.mark.parametrize("n", [0, -1, 1.5, True])
def test_a_slate_has_at_least_one_place(n: Any) -> None:  # noqa: ANN401
    with pytest.raises(InvalidArgumentError, match="n must be an int >= 1"):
        selector().choose({}, id=1, at=0, n=n)
