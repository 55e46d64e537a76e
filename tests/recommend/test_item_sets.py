"""Compiled item sets: the answers of plain lists, for the models they were compiled for."""

from typing import Any

import numpy as np
import pytest
import small_shop
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_rank import slow_best
from small_shop import ANYONE, NOBODY

from seg1 import ALS, BuyAgain, Popularity
from seg1.errors import InvalidArgumentError, WrongIdTypeError
from seg1.recommend import ItemSet, Recommender
from seg1.recommend.ranking.topk import exact_scores

SHOP = small_shop.random_interactions(1)
ALS_MODEL = ALS(factors=8, seed=1).fit(SHOP)
OTHER_FACTORS = ALS(factors=8, seed=2, alpha=0.5).fit(SHOP)
POPULARITY = Popularity().fit(SHOP)
MODELS: list[Any] = [ALS_MODEL, POPULARITY, BuyAgain().fit(SHOP)]
EACH_MODEL = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
SOME = st.lists(st.sampled_from([*SHOP.items.ids, "unheard of"]))


@EACH_MODEL
@settings(deadline=None, max_examples=80)
@given(st.data())
def test_a_compiled_set_gives_what_the_plain_list_gives(model: Any, data: st.DataObject) -> None:  # noqa: ANN401
    allow, deny = data.draw(st.none() | SOME), data.draw(SOME)
    # Compiled for this model's factors, for others, and for a model that has none.
    compiler = data.draw(st.sampled_from([model, ALS_MODEL, OTHER_FACTORS, POPULARITY]))
    options: dict[str, Any] = {
        "n": data.draw(st.integers(1, 40)),
        "exclude_seen": data.draw(st.booleans()),
        "consent": ANYONE,
        "at": 0,
    }
    customer = data.draw(st.sampled_from(SHOP.customers.ids))
    compiled_allow = (
        allow if allow is None or data.draw(st.booleans()) else compiler.item_set(allow)
    )

    plain = model.recommend(customer, allow=allow, deny=deny, **options)
    compiled = model.recommend(
        customer, allow=compiled_allow, deny=compiler.item_set(deny), **options
    )

    assert compiled.items == plain.items
    assert compiled.scores.tobytes() == plain.scores.tobytes()
    assert compiled.withheld == plain.withheld
    assert compiled.reasons == plain.reasons


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_als_ranks_as_a_sort_of_all_scores_and_counts_what_it_withholds(
    data: st.DataObject,
) -> None:
    allow, deny = data.draw(st.none() | SOME), data.draw(SOME)
    n, exclude_seen = data.draw(st.integers(1, 40)), data.draw(st.booleans())
    row = data.draw(st.integers(0, SHOP.shape[0] - 1))
    seen = SHOP.history(row)[0]
    allowed = np.array([allow is None or item in allow for item in SHOP.items.ids])
    n_outside = int((~allowed).sum())
    denied = np.array([item in deny for item in SHOP.items.ids])
    allowed &= ~denied
    if exclude_seen:
        allowed[seen] = False
    scores = exact_scores(ALS_MODEL.item_factors, ALS_MODEL.customer_factors[row].astype(float))

    ranking = ALS_MODEL.recommend(
        SHOP.customers.ids[row],
        n=n,
        exclude_seen=exclude_seen,
        consent=ANYONE,
        at=0,
        allow=None if allow is None else ALS_MODEL.item_set(allow),
        deny=ALS_MODEL.item_set(deny),
    )

    best = slow_best(scores, n=n, allowed=allowed)
    assert SHOP.items.encode(ranking.items).tolist() == best
    assert ranking.scores.tolist() == scores[best].tolist()
    expected = {"not in allow": n_outside} if allow is not None else {}
    expected |= {"denied": int(denied.sum())} if denied.any() else {}
    expected |= {"seen": len(seen)} if exclude_seen else {}
    assert dict(ranking.withheld) == expected


def test_a_set_knows_what_it_holds() -> None:
    compiled = ALS_MODEL.item_set(["item-1", "item-1", "unheard of", "item-0"])

    assert len(compiled) == 3
    assert sorted(map(str, compiled)) == ["item-0", "item-1", "unheard of"]
    assert "item-1" in compiled
    assert "item-2" not in compiled
    assert "unheard of" in compiled  # a fallback may know it
    assert "unheard of too" not in compiled
    assert 7 not in compiled
    assert repr(compiled) == f"ItemSet(2 of {SHOP.shape[1]} items, 1 unknown)"
    assert repr(ALS_MODEL.item_set(["item-1"])) == f"ItemSet(1 of {SHOP.shape[1]} items)"
    with pytest.raises(ValueError, match="read-only"):
        compiled.mask[0] = True


def test_a_set_of_nothing_allows_nothing_and_denies_nothing() -> None:
    nothing = ALS_MODEL.item_set([])
    asked: dict[str, Any] = {"n": 99, "exclude_seen": False, "consent": ANYONE, "at": 0}

    assert ALS_MODEL.recommend(0, allow=nothing, **asked).items == ()
    assert len(ALS_MODEL.recommend(0, deny=nothing, **asked)) == SHOP.shape[1]


def test_of_eight_items_a_set_of_two_gives_two() -> None:
    eight = small_shop.interactions_of([(c, f"item-{i}") for c in range(4) for i in range(8)])
    model = ALS(factors=2).fit(eight)
    six = model.item_set([f"item-{i}" for i in range(6)])
    two = model.item_set(["item-6", "item-7"])

    each: list[dict[str, Any]] = [{"deny": six}, {"allow": two}, {"allow": two, "deny": six}]
    for options in each:
        ranking = model.recommend(0, n=5, exclude_seen=False, consent=ANYONE, at=0, **options)
        assert set(ranking.items) == {"item-6", "item-7"}


def foreign(model: Recommender) -> list[ItemSet]:
    """Sets of an equal vocabulary that is another object, and of other items altogether."""
    same = Popularity().fit(small_shop.random_interactions(1))
    other = Popularity().fit(small_shop.random_interactions(2, n_items=40))
    assert same.items.ids == model.items.ids
    return [same.item_set(["item-1"]), other.item_set(["item-1"])]


@EACH_MODEL
@pytest.mark.parametrize("name", ["allow", "deny"])
def test_a_set_of_another_vocabulary_is_refused(model: Any, name: str) -> None:  # noqa: ANN401
    for stranger in foreign(model):
        options: dict[str, Any] = {name: stranger}
        with pytest.raises(InvalidArgumentError, match="has another; compile it again"):
            model.recommend(0, exclude_seen=False, consent=ANYONE, at=0, **options)
        with pytest.raises(InvalidArgumentError, match="has another; compile it again"):
            model.recommend_many([0], exclude_seen=False, consent=ANYONE, at=0, **options)
    with pytest.raises(InvalidArgumentError, match="has another; compile it again"):
        POPULARITY.rank_for_anyone(3, allow=foreign(POPULARITY)[0])


@pytest.mark.parametrize("config", [ALS(factors=2), Popularity()], ids=repr)
def test_an_item_that_came_after_the_fit_is_in_no_set_and_no_ranking(
    config: ALS | Popularity,
) -> None:
    shop = small_shop.random_interactions(3)
    early = config.fit(shop)
    compiled = early.item_set(["item-1"])
    shop.items.encode(["a new item"], unknown="add")

    ranking = early.recommend(
        0, n=99, exclude_seen=False, consent=ANYONE, at=0, allow=["a new item", "item-1"]
    )
    again = early.recommend(0, n=99, exclude_seen=False, consent=ANYONE, at=0, allow=compiled)
    later = early.item_set(["a new item", "item-1"])

    assert list(later) == ["item-1", "a new item"]
    assert ranking.items == again.items == ("item-1",)


def test_a_set_is_compiled_from_ids_of_the_kind_of_the_model() -> None:
    with pytest.raises(WrongIdTypeError, match="holds str ids"):
        ALS_MODEL.item_set([1])


@pytest.mark.parametrize(
    "fallback", [POPULARITY, Popularity().fit(small_shop.random_interactions(1))]
)
def test_a_fallback_heeds_a_compiled_set_whatever_its_own_vocabulary(fallback: Any) -> None:  # noqa: ANN401
    allow = ["item-1", "item-2", "item-3"]

    ranking = ALS_MODEL.recommend(
        0,
        exclude_seen=False,
        consent=NOBODY,
        at=0,
        fallback=fallback,
        allow=ALS_MODEL.item_set(allow),
        deny=ALS_MODEL.item_set(["item-2"]),
    )

    assert set(ranking.items) == {"item-1", "item-3"}
    assert not ranking.personalised


def test_many_are_ranked_within_a_compiled_set() -> None:
    inside = ALS_MODEL.item_set(["item-1", "item-2", "item-3"])
    options: dict[str, Any] = {"exclude_seen": False, "consent": ANYONE, "at": 0, "allow": inside}

    many = ALS_MODEL.recommend_many([0, 1], n=2, **options)

    for position, customer in enumerate([0, 1]):
        one = ALS_MODEL.recommend(customer, n=2, **options)
        assert tuple(many.ids(position)) == one.items
        assert set(one.items) <= set(inside)


@pytest.mark.parametrize("config", [ALS(factors=4), Popularity(), BuyAgain()])
@pytest.mark.parametrize("allow", [None, ["item-1", "item-2", "item-3"]])
def test_an_erased_item_is_no_candidate(config: Any, allow: list[str] | None) -> None:  # noqa: ANN401
    model = config.fit(small_shop.random_interactions(3))
    model.items.erase(["item-1"])

    ranking = model.recommend(0, n=99, exclude_seen=False, consent=ANYONE, at=0, allow=allow)

    assert "item-1" not in ranking.items
    assert ranking.withheld["erased"] == 1
