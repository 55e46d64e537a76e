"""A history that the caller gives: ranked from as the stored one, under the same consent."""

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import numpy as np
import pytest
import small_shop
from hypothesis import given, settings
from hypothesis import strategies as st
from small_shop import ANYONE, NOBODY, permitting

from seg1 import ALS, BuyAgain, Popularity
from seg1._types import Id
from seg1.errors import InvalidArgumentError, InvalidTypeError, WrongIdTypeError

SHOP = small_shop.random_interactions(1)
ALS_MODEL = ALS(factors=8, seed=1).fit(SHOP)
FALLBACK = Popularity().fit(SHOP)
MODELS: list[Any] = [ALS_MODEL, FALLBACK, BuyAgain().fit(SHOP)]
EACH_MODEL = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
ASKED: dict[str, Any] = {"consent": ANYONE, "at": 0}


def stored(row: int) -> dict[Id, float]:
    items, weights = SHOP.history(row)
    return dict(zip(SHOP.items.decode(items), weights.tolist(), strict=True))


@EACH_MODEL
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_the_stored_history_given_again_gives_the_same_ranking(
    model: Any,  # noqa: ANN401
    exclude_seen: bool,  # noqa: FBT001
) -> None:
    for row, customer in enumerate(SHOP.customers.ids[:12]):
        known = model.recommend(customer, n=9, exclude_seen=exclude_seen, **ASKED)
        asked = {"n": 9, "exclude_seen": exclude_seen, "history": stored(row)} | ASKED

        for who in (customer, 10**6):  # for one whom the model has never seen as well
            ranking = model.recommend(who, **asked)
            assert ranking.items == known.items
            assert np.allclose(ranking.scores, known.scores, rtol=1e-4, atol=1e-6)
            assert ranking.withheld == known.withheld
            assert (ranking.personalised, ranking.reason) == (known.personalised, known.reason)
            assert [why.items for why in ranking.reasons] == [why.items for why in known.reasons]


@EACH_MODEL
@settings(deadline=None, max_examples=60)
@given(st.data())
def test_what_is_seen_is_what_the_given_history_holds(model: Any, data: st.DataObject) -> None:  # noqa: ANN401
    known = [str(item) for item in SHOP.items.ids]
    items = data.draw(st.lists(st.sampled_from([*known, "unheard of"]), min_size=1, unique=True))
    history = {item: data.draw(st.floats(0.01, 9.0)) for item in items}
    customer = data.draw(st.sampled_from([*SHOP.customers.ids, 10**6]))

    ranking = model.recommend(customer, n=99, exclude_seen=True, history=history, **ASKED)

    left = set(known) - set(items)
    assert set(ranking.items) <= left
    if items != ["unheard of"]:
        assert ranking.withheld == {"seen": len(set(items) - {"unheard of"})}
        assert isinstance(model, type(MODELS[2])) or set(ranking.items) == left


def test_a_changed_history_changes_the_ranking_and_the_reasons() -> None:
    asked: dict[str, Any] = {"n": 5, "exclude_seen": True} | ASKED
    before = ALS_MODEL.recommend(0, **asked)

    ranking = ALS_MODEL.recommend(0, history={"item-20": 3.0, "item-21": 2.0}, **asked)

    assert ranking.items != before.items
    for why in ranking.reasons:
        assert set(why.items) <= {"item-20", "item-21"}


def test_a_given_history_is_ranked_by_its_fold_in() -> None:
    history: dict[Id, float] = {"item-3": 1.0, "item-9": 4.0}
    scores = ALS_MODEL.item_factors.astype(np.float64) @ ALS_MODEL.fold_in(history)

    ranking = ALS_MODEL.recommend(10**6, n=4, exclude_seen=False, history=history, **ASKED)

    best = np.argsort(-scores)[:4]
    assert list(ranking.items) == SHOP.items.decode(best)
    assert np.allclose(ranking.scores, scores[best], rtol=1e-12)


class Unreadable(Mapping[Id, float]):
    """A history that raises where anything of it is read."""

    def __getitem__(self, item: Id) -> NoReturn:
        raise AssertionError("a history was read")

    def __iter__(self) -> Iterator[Id]:
        raise AssertionError("a history was read")

    def __len__(self) -> int:
        raise AssertionError("a history was read")


@EACH_MODEL
@pytest.mark.parametrize("consent", [NOBODY, permitting(1)])
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_of_the_denied_the_given_history_is_not_read(
    model: Any,  # noqa: ANN401
    consent: Any,  # noqa: ANN401
    exclude_seen: bool,  # noqa: FBT001
) -> None:
    asked: dict[str, Any] = {"n": 3, "exclude_seen": exclude_seen, "consent": consent, "at": 0}

    ranking = model.recommend(0, history=Unreadable(), fallback=FALLBACK, **asked)

    assert not ranking.personalised
    assert ranking.reason.startswith("consent: ")
    assert ranking.items == FALLBACK.rank_for_anyone(3).items
    with pytest.raises(AssertionError, match="a history was read"):
        model.recommend(0, history=Unreadable(), **(asked | {"consent": ANYONE}))


@EACH_MODEL
@pytest.mark.parametrize("history", [{}, {"unheard of": 1.0}])
def test_a_history_of_nothing_known_gets_the_fallback_also_for_the_known(
    model: Any,  # noqa: ANN401
    history: dict[Id, float],
) -> None:
    asked: dict[str, Any] = {"n": 3, "exclude_seen": True, "history": history} | ASKED

    assert model.recommend(0, **asked).items == ()
    ranking = model.recommend(0, fallback=FALLBACK, **asked)

    assert ranking.items == FALLBACK.rank_for_anyone(3).items
    assert (ranking.personalised, ranking.reason) == (False, "no history")


@EACH_MODEL
@pytest.mark.parametrize(
    ("history", "error", "message"),
    [
        ({"item-1": 0.0}, InvalidArgumentError, "must be a number > 0"),
        ({"item-1": float("nan")}, InvalidArgumentError, "must be a number > 0"),
        ({"item-1": "7.25"}, InvalidArgumentError, "must be a number > 0"),
        ({7: 1.0}, WrongIdTypeError, "holds str ids"),
        ([("item-1", 1.0)], InvalidTypeError, "history must map items to weights, got list"),
    ],
)
def test_a_history_that_cannot_be_used_is_refused_and_not_shown(
    model: Any,  # noqa: ANN401
    history: Any,  # noqa: ANN401
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message) as caught:
        model.recommend(0, exclude_seen=False, history=history, **ASKED)

    assert "7.25" not in str(caught.value)
    assert "item-1" not in str(caught.value)


@EACH_MODEL
@pytest.mark.parametrize("weights", [([1.0], [2.0]), ([1.0, 2.0], [1.0]), ([1.0], 2.0)], ids=repr)
def test_weights_that_are_no_numbers_but_lists_are_refused(model: Any, weights: Any) -> None:  # noqa: ANN401
    history: dict[Id, Any] = dict(zip(("item-1", "item-2"), weights, strict=True))

    with pytest.raises(InvalidArgumentError, match="every weight of a history must be a number"):
        model.recommend(0, exclude_seen=True, history=history, **ASKED)
    with pytest.raises(InvalidArgumentError, match="every weight of a history must be a number"):
        ALS_MODEL.fold_in_many([history])
