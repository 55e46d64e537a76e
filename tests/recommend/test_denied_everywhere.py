"""What is denied comes back from nobody: not from a fallback, not from a later link of a chain."""

from itertools import product
from typing import Any

import pytest
import small_shop
from hypothesis import given, settings
from hypothesis import strategies as st
from small_shop import ANYONE, NOBODY, permitting

from seg1 import ALS, BuyAgain, Popularity
from seg1._types import Id
from seg1.errors import InvalidArgumentError, InvalidTypeError, PluginError, WrongIdTypeError
from seg1.recommend import FallbackChain, Ranking

SHOP = small_shop.random_interactions(1)
GROWN = small_shop.random_interactions(2, n_customers=80, n_items=40, n_events=900)
FIRST, SECOND, THIRD = ALS(factors=4, seed=3).fit(SHOP), BuyAgain().fit(GROWN), BuyAgain().fit(SHOP)
POPULAR_HERE, POPULAR_THERE = Popularity().fit(SHOP), Popularity().fit(GROWN)
COMPILERS = [FIRST, SECOND, POPULAR_HERE, POPULAR_THERE]
CHAINS = [
    FallbackChain([FIRST, SECOND], anyone=POPULAR_THERE),
    FallbackChain([SECOND, FIRST], anyone=POPULAR_HERE),
    FallbackChain([THIRD, FallbackChain([FIRST], anyone=POPULAR_HERE), SECOND]),
]
CUSTOMERS: list[Id] = [SHOP.customers.ids[0], GROWN.customers.ids[-1], 10**6]
ITEMS = sorted({*map(str, SHOP.items.ids), *map(str, GROWN.items.ids)})
SOME = st.lists(st.sampled_from([*ITEMS, "unheard of"]))
ASKED: dict[str, Any] = {"exclude_seen": False, "consent": ANYONE, "at": 0}

SMALL = BuyAgain().fit(small_shop.interactions_of([(1, "a"), (1, "b"), (2, "a")]))
BIG = BuyAgain().fit(small_shop.interactions_of([(1, "a"), (2, "b"), (3, "x"), (3, "a")]))
POPULAR = Popularity().fit(BIG.interactions)


@settings(deadline=None)
@given(st.data())
def test_a_set_that_anybody_compiled_counts_as_its_ids_in_a_chain(data: st.DataObject) -> None:
    chain, compiler = data.draw(st.sampled_from(CHAINS)), data.draw(st.sampled_from(COMPILERS))
    allow, deny = data.draw(st.none() | SOME), data.draw(SOME)
    asked: dict[str, Any] = {
        "n": data.draw(st.sampled_from([3, 60])),
        "exclude_seen": data.draw(st.booleans()),
        "consent": data.draw(st.sampled_from([ANYONE, NOBODY, permitting(CUSTOMERS[0])])),
        "at": 0,
        "fallback": data.draw(st.sampled_from([None, POPULAR_HERE, POPULAR_THERE])),
    }
    compiled: dict[str, Any] = {
        "allow": None if allow is None else compiler.item_set(allow),
        "deny": compiler.item_set(deny),
    }

    many = chain.recommend_many(CUSTOMERS, **(compiled | asked))

    for position, customer in enumerate(CUSTOMERS):
        plain = chain.recommend(customer, allow=allow, deny=deny, **asked)
        one = chain.recommend(customer, **(compiled | asked))
        assert set(one.items).isdisjoint(deny)
        assert allow is None or set(one.items) <= set(allow)
        assert one.items == plain.items == tuple(many.ids(position))
        assert one.reason == plain.reason == many.reasons[position]


@settings(deadline=None)
@given(st.data())
def test_a_fallback_that_knows_other_items_heeds_a_compiled_set(data: st.DataObject) -> None:
    model, fallback = data.draw(
        st.sampled_from([*product((FIRST, POPULAR_HERE), (POPULAR_THERE,)), (SECOND, POPULAR_HERE)])
    )
    allow, deny = data.draw(st.none() | SOME), data.draw(SOME)
    asked: dict[str, Any] = ASKED | {"n": data.draw(st.sampled_from([3, 60])), "fallback": fallback}
    compiled: dict[str, Any] = {
        "allow": None if allow is None else model.item_set(allow),
        "deny": model.item_set(deny),
    }

    plain = model.recommend(10**6, allow=allow, deny=deny, **asked)
    one = model.recommend(10**6, **(compiled | asked))
    many = model.recommend_many([10**6], **(compiled | asked))

    assert set(one.items).isdisjoint(deny)
    assert allow is None or set(one.items) <= set(allow)
    assert one.items == plain.items == tuple(many.ids(0))


def test_an_item_that_only_the_fallback_knows_is_denied_by_a_compiled_set() -> None:
    ranking = SMALL.recommend(99, fallback=POPULAR, deny=SMALL.item_set(["x"]), **ASKED)

    assert ranking.items == ("a", "b")


def test_an_item_that_only_the_next_link_knows_is_denied_by_a_compiled_set() -> None:
    chain, deny = FallbackChain([SMALL, BIG]), SMALL.item_set(["x"])

    assert chain.recommend(3, deny=deny, **ASKED).items == ("a",)
    assert chain.recommend_many([3], deny=deny, **ASKED).ids(0) == ["a"]


@pytest.mark.parametrize("ids", [["x"], []])
def test_a_foreign_set_of_nothing_that_its_model_knows_is_refused(ids: list[Id]) -> None:
    with pytest.raises(InvalidArgumentError, match="has another; compile it again"):
        BIG.recommend(3, deny=SMALL.item_set(ids), **ASKED)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_chain_checks_what_its_own_fallback_gives(compiled: bool) -> None:  # noqa: FBT001
    class Deaf:
        def rank_for_anyone(self, n: int, **_: object) -> Ranking:
            return POPULAR.rank_for_anyone(n)

    chain = FallbackChain([SMALL], anyone=Deaf())
    deny = SMALL.item_set(["x"]) if compiled else ["x"]

    with pytest.raises(PluginError, match="must heed n, allow and deny"):
        chain.recommend(99, deny=deny, **ASKED)
    with pytest.raises(PluginError, match="must heed n, allow and deny"):
        chain.recommend_many([99], deny=deny, **ASKED)


def test_a_chain_asks_for_the_ranking_for_anyone_once() -> None:
    asked = []

    class Counting:
        def rank_for_anyone(self, n: int, **options: Any) -> Ranking:  # noqa: ANN401
            asked.append(n)
            return POPULAR.rank_for_anyone(n, **options)

    chain = FallbackChain([SMALL, BIG, SMALL], anyone=Counting())

    chain.recommend(99, n=2, **ASKED)
    many = chain.recommend_many([99, 1, 98], n=2, **ASKED)

    assert asked == [2, 2]
    assert many.ids(0) == many.ids(2) == list(POPULAR.rank_for_anyone(2).items)


NUMBERED = Popularity().fit(small_shop.interactions_of([(1, 7), (1, 8), (2, 7)]))


class Hidden:
    """A fallback that does not tell its items."""

    def rank_for_anyone(self, n: int, **options: Any) -> Ranking:  # noqa: ANN401
        return NUMBERED.rank_for_anyone(n, **options)


@pytest.mark.parametrize("fallback", [NUMBERED, Hidden()])
@pytest.mark.parametrize("asked", [SMALL, FallbackChain([SMALL])])
def test_a_fallback_of_the_other_kind_of_item_id_is_refused(asked: Any, fallback: Any) -> None:  # noqa: ANN401
    with pytest.raises(WrongIdTypeError, match="the fallback knows items by int ids"):
        asked.recommend(99, fallback=fallback, **ASKED)
    with pytest.raises(WrongIdTypeError, match="the fallback knows items by int ids"):
        asked.recommend_many([99], fallback=fallback, **ASKED)


def test_a_chain_over_anyone_of_the_other_kind_of_item_id_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="ids of different kinds"):
        FallbackChain([SMALL], anyone=NUMBERED)


def test_a_fallback_that_cannot_rank_is_refused_by_a_chain_at_once() -> None:
    chain, cannot = FallbackChain([SMALL]), Popularity()

    with pytest.raises(InvalidTypeError, match="fallback must be a fitted Popularity"):
        chain.recommend(1, fallback=cannot, **ASKED)  # type: ignore[arg-type]  # that is the test
    with pytest.raises(InvalidTypeError, match="fallback must be a fitted Popularity"):
        chain.recommend_many([1], fallback=cannot, **ASKED)  # type: ignore[arg-type]  # as above
