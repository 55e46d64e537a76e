"""Popularity and own habit: counted as a plain twin counts."""

from collections import Counter

import pytest
import small_shop
from small_shop import ANYONE

from seg1 import BuyAgain, Popularity
from seg1.errors import InvalidArgumentError

SHOP = small_shop.random_interactions(1)
DENSE = SHOP.weights.toarray()


def test_popularity_ranks_by_how_many_customers_had_an_item() -> None:
    counts = Counter({item: int((DENSE[:, i] > 0).sum()) for i, item in enumerate(SHOP.items.ids)})
    slow = sorted(SHOP.items.ids, key=lambda item: (-counts[item], SHOP.items.find(item)))

    ranking = Popularity().fit(SHOP).rank_for_anyone(1_000)

    assert list(ranking.items) == slow
    assert ranking.scores.tolist() == [counts[item] for item in slow]
    assert not ranking.personalised
    assert ranking.reason == "anyone"


def test_popularity_heeds_allow_and_deny_and_counts_what_they_withhold() -> None:
    model = Popularity().fit(SHOP)
    allow = ["item-1", "item-2", "item-3", "unheard of"]

    ranking = model.rank_for_anyone(10, allow=allow, deny=["item-2", "item-9"])

    assert set(ranking.items) == {"item-1", "item-3"}
    assert dict(ranking.withheld) == {"not in allow": len(SHOP.items) - 3, "denied": 2}


def test_popularity_says_how_many_had_an_item() -> None:
    ranking = Popularity().fit(SHOP).rank_for_anyone(2)

    assert [why.kind for why in ranking.reasons] == ["popular", "popular"]
    assert [why.amount for why in ranking.reasons] == ranking.scores.tolist()


def test_popularity_cannot_be_edited() -> None:
    model = Popularity().fit(SHOP)

    with pytest.raises(ValueError, match="read-only"):
        model.n_customers[0] = 99.0


@pytest.mark.parametrize("n", [0, -1, 2.5, True])
def test_popularity_refuses_an_n_that_counts_nothing(n: int) -> None:
    with pytest.raises(InvalidArgumentError, match="n must be an int >= 1"):
        Popularity().fit(SHOP).rank_for_anyone(n)


def test_buy_again_ranks_a_customer_s_own_items_by_their_weight() -> None:
    model = BuyAgain().fit(SHOP)

    for customer in SHOP.customers.ids:
        own = DENSE[SHOP.customers.find(customer)]
        slow = sorted((i for i in range(len(own)) if own[i] > 0), key=lambda i: (-own[i], i))
        ranking = model.recommend(customer, n=4, exclude_seen=False, consent=ANYONE, at=0)

        assert list(ranking.items) == SHOP.items.decode(slow[:4])
        assert ranking.scores.tolist() == own[slow[:4]].tolist()
        assert [why.kind for why in ranking.reasons] == ["habit"] * len(ranking)


def test_buy_again_has_nothing_new_to_say() -> None:
    ranking = BuyAgain().fit(SHOP).recommend(0, exclude_seen=True, consent=ANYONE, at=0)

    assert ranking.items == ()
    assert ranking.personalised


def test_buy_again_never_gives_a_denied_item() -> None:
    model = BuyAgain().fit(SHOP)
    best = model.recommend(0, n=3, exclude_seen=False, consent=ANYONE, at=0).items

    ranking = model.recommend(0, n=99, exclude_seen=False, consent=ANYONE, at=0, deny=best)

    assert not set(best) & set(ranking.items)
