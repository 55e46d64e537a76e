"""`FallbackChain`: the first who knows the customer answers; nobody else is asked."""

from typing import Any

import pandas as pd
import pytest
import small_shop
from small_shop import ANYONE, NOBODY, permitting

from seg1 import ALS, BuyAgain, Popularity
from seg1._types import Id
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.recommend import FallbackChain
from seg1.testing import check_recommender

SHOP = small_shop.random_interactions(1)
GROWN = small_shop.random_interactions(2, n_customers=80, n_items=40, n_events=900)
FIRST, SECOND = ALS(factors=4, seed=3).fit(SHOP), BuyAgain().fit(GROWN)
POPULAR = Popularity().fit(GROWN)
CHAIN = FallbackChain([FIRST, SECOND], anyone=POPULAR)
KNOWN = SHOP.customers.ids[0]
NEW = next(who for who in GROWN.customers.ids if who not in SHOP.customers)
STRANGER = 10**6


@pytest.mark.parametrize(("customer", "answers"), [(KNOWN, FIRST), (NEW, SECOND)])
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_the_first_that_knows_the_customer_answers(
    customer: Id,
    answers: ALS,
    exclude_seen: bool,  # noqa: FBT001
) -> None:
    options = {"n": 7, "exclude_seen": exclude_seen, "consent": ANYONE, "at": 0}

    ranking = CHAIN.recommend(customer, **options)  # type: ignore[arg-type]  # as a user passes them

    own = answers.recommend(customer, **options)  # type: ignore[attr-defined]
    assert ranking.items == own.items
    assert ranking.scores.tolist() == own.scores.tolist()
    assert ranking.personalised


def test_whom_nobody_knows_gets_the_ranking_for_anyone() -> None:
    ranking = CHAIN.recommend(STRANGER, n=3, exclude_seen=False, consent=ANYONE, at=0)

    assert ranking.items == POPULAR.rank_for_anyone(3).items
    assert (ranking.reason, ranking.personalised) == ("no history", False)


def test_who_does_not_permit_it_gets_the_ranking_for_anyone_from_the_first() -> None:
    ranking = CHAIN.recommend(NEW, n=3, exclude_seen=False, consent=NOBODY, at=0)

    assert ranking.items == POPULAR.rank_for_anyone(3).items
    assert ranking.reason.startswith("consent: ")
    assert not ranking.personalised


def test_a_personal_ranking_that_masks_have_emptied_stays_empty() -> None:
    everything = [*SHOP.items.ids]

    ranking = CHAIN.recommend(
        KNOWN, exclude_seen=False, consent=ANYONE, at=0, deny=iter(everything)
    )

    assert len(ranking) == 0
    assert ranking.reason == "personalised"


def test_lists_that_can_be_read_once_are_heeded_by_each_recommender() -> None:
    few = ["item-1", "item-2", "item-3"]

    ranking = CHAIN.recommend(
        STRANGER, exclude_seen=False, consent=ANYONE, at=0, allow=iter(few), deny=iter(few[:1])
    )

    assert set(ranking.items) == {"item-2", "item-3"}


def test_a_fallback_of_the_request_takes_the_place_of_the_chain_s_own() -> None:
    own = Popularity().fit(SHOP)

    ranking = CHAIN.recommend(STRANGER, n=4, exclude_seen=False, consent=ANYONE, at=0, fallback=own)

    assert ranking.items == own.rank_for_anyone(4).items


@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("consent", [ANYONE, NOBODY, permitting(KNOWN, STRANGER)])
def test_many_are_answered_as_one_by_one(
    consent: object,
    exclude_seen: bool,  # noqa: FBT001
) -> None:
    customers: list[Id] = [STRANGER, KNOWN, NEW, *GROWN.customers.ids[:10]]
    options = {"n": 6, "exclude_seen": exclude_seen, "consent": consent, "at": 0}

    many = CHAIN.recommend_many(customers, **options)  # type: ignore[arg-type]  # as above

    for position, customer in enumerate(customers):
        one = CHAIN.recommend(customer, **options)  # type: ignore[arg-type]  # as above
        assert tuple(many.ids(position)) == one.items
        assert many.reasons[position] == one.reason
        assert bool(many.personalised[position]) == one.personalised
        shown = many.scores[position][: len(one)]
        assert shown.tolist() == one.scores.tolist()


def test_a_chain_keeps_the_contract_of_a_recommender() -> None:
    check_recommender(
        FallbackChain([FIRST, SECOND]), customers=[KNOWN, NEW, STRANGER], consent=ANYONE, at=0
    )


def test_a_chain_knows_the_items_of_all() -> None:
    assert set(CHAIN.items.ids) == set(SHOP.items.ids) | set(GROWN.items.ids)


def test_a_chain_of_what_does_not_rank_is_refused() -> None:
    text = BuyAgain().fit(small_shop.interactions_of([(1, 7)]))

    with pytest.raises(InvalidTypeError, match="one or more fitted recommenders"):
        FallbackChain([])
    with pytest.raises(InvalidTypeError, match="one or more fitted recommenders"):
        FallbackChain([ALS()])  # type: ignore[list-item]  # that is the test
    with pytest.raises(InvalidTypeError, match="anyone must be a fitted Popularity"):
        FallbackChain([FIRST], anyone=FIRST)  # type: ignore[arg-type]  # that is the test
    with pytest.raises(InvalidArgumentError, match="ids of different kinds"):
        FallbackChain([FIRST, text])


def test_a_compiled_set_of_one_recommender_is_heeded_by_all() -> None:
    few = FIRST.item_set(["item-1", "item-2", "item-3"])

    for customer in (KNOWN, NEW, STRANGER):
        allowed = CHAIN.recommend(customer, exclude_seen=False, consent=ANYONE, at=0, allow=few)
        denied = CHAIN.recommend(customer, n=99, exclude_seen=False, consent=ANYONE, at=0, deny=few)
        assert set(allowed.items) <= set(few)
        assert set(denied.items).isdisjoint(few)


def test_a_given_history_is_answered_by_the_first_that_knows_an_item_of_it() -> None:
    only_second = next(item for item in GROWN.items.ids if item not in SHOP.items)

    cases: list[tuple[dict[Id, float], Any]] = [
        ({"item-1": 1.0}, FIRST),
        ({only_second: 1.0}, SECOND),
    ]
    for history, answers in cases:
        ranking = CHAIN.recommend(
            STRANGER, exclude_seen=False, consent=ANYONE, at=0, history=history
        )
        own = answers.recommend(STRANGER, exclude_seen=False, consent=ANYONE, at=0, history=history)
        assert ranking.items == own.items
        assert ranking.reason == "personalised"


def test_many_are_answered_by_position_whatever_labels_they_carry() -> None:
    customers = pd.Series([KNOWN, NEW, STRANGER], index=[2, 0, 1])
    options: dict[str, Any] = {"n": 4, "exclude_seen": False, "consent": ANYONE, "at": 0}

    many = CHAIN.recommend_many(customers, **options)
    read_once = CHAIN.recommend_many((who for who in customers), **options)  # type: ignore[arg-type]  # that is the test

    assert many.customers == read_once.customers == (KNOWN, NEW, STRANGER)
    for position, customer in enumerate([KNOWN, NEW, STRANGER]):
        one = CHAIN.recommend(customer, **options)
        assert tuple(many.ids(position)) == tuple(read_once.ids(position)) == one.items


def test_one_str_in_the_place_of_several_customers_is_refused() -> None:
    with pytest.raises(InvalidTypeError, match="customers must be several ids, not one str"):
        CHAIN.recommend_many("ana", exclude_seen=False, consent=ANYONE, at=0)


def test_nobody_gets_no_ranking() -> None:
    assert len(CHAIN.recommend_many([], exclude_seen=False, consent=ANYONE, at=0)) == 0
