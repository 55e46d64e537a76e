"""Serving: consent first, allowed items only, and many as one."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import Any, NoReturn

import numpy as np
import pytest
import small_shop
from hypothesis import given, settings
from hypothesis import strategies as st
from small_shop import ANYONE, NOBODY, permitting

from seg1 import ALS, BuyAgain, ConsentLedger, Popularity
from seg1._types import Float32s, Id, Int32s
from seg1.consent import Consent
from seg1.errors import (
    DamagedError,
    InvalidArgumentError,
    InvalidTypeError,
    PluginError,
    WrongIdTypeError,
)
from seg1.events import Vocabulary
from seg1.interactions import Interactions
from seg1.recommend import Ranking, Recommender
from seg1.recommend.ranking.serving import Past

SHOP = small_shop.random_interactions(1)
ALS_MODEL = ALS(factors=8, seed=1).fit(SHOP)
MODELS: list[Recommender] = [ALS_MODEL, Popularity().fit(SHOP), BuyAgain().fit(SHOP)]
FALLBACK = Popularity().fit(SHOP)
EACH_MODEL = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)


class Untouchable(Interactions):
    """Interactions that raise where a personal history is read."""

    def history(self, customer_index: int) -> NoReturn:  # noqa: ARG002
        raise AssertionError("a history was read")


def guarded() -> Recommender:
    """A model in which nothing personal can be read: neither a history nor a factor."""
    parts = {field.name: getattr(SHOP, field.name) for field in fields(SHOP) if field.init}
    blank = np.full_like(ALS_MODEL.customer_factors, np.nan)
    return replace(ALS_MODEL, interactions=Untouchable(**parts), customer_factors=blank)


def withdrawn() -> Consent:
    ledger = ConsentLedger()
    ledger.grant(0, ["offers"], at=0, until=100)
    ledger.withdraw(0, ["offers"], at=10)
    return Consent.for_purposes(ledger, train="offers", decide="offers", measure="offers")


def expired() -> Consent:
    ledger = ConsentLedger()
    ledger.grant(0, ["offers"], at=0, until=15)
    return Consent.for_purposes(ledger, train="offers", decide="offers", measure="offers")


class Failing:
    name = "failing"

    def check(self, customers: object, ask: object) -> NoReturn:  # noqa: ARG002
        raise RuntimeError("down")


@pytest.mark.parametrize(
    ("customer", "consent", "reason"),
    [
        (0, NOBODY, "consent: no policy"),
        (0, permitting(1), "consent: by filter"),
        (0, withdrawn(), "consent: withdrawn"),
        (0, expired(), "consent: expired"),
        (0, Consent({("offers", "candidates"): Failing()}), "consent: filter failed"),
        (10**6, ANYONE, "no history"),
    ],
)
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_of_the_denied_and_the_unknown_nothing_personal_is_read(
    customer: int,
    consent: Consent,
    reason: str,
    exclude_seen: bool,  # noqa: FBT001
) -> None:
    model = guarded()

    ranking = model.recommend(customer, exclude_seen=exclude_seen, consent=consent, at=20)
    many = model.recommend_many([customer], exclude_seen=exclude_seen, consent=consent, at=20)

    assert ranking.items == ()
    assert not ranking.personalised
    assert ranking.reason == reason
    assert ranking.reasons == ()
    assert many.ids(0) == []
    assert many.reasons == (reason,)


def test_the_guard_of_the_test_above_does_guard() -> None:
    with pytest.raises(AssertionError, match="a history was read"):
        guarded().recommend(0, exclude_seen=True, consent=ANYONE, at=0)


class Closed(Vocabulary):
    """Ids of customers that raise where one of them is looked up."""

    def find(self, value: Id) -> NoReturn:  # noqa: ARG002
        raise AssertionError("a customer was looked up")


def test_of_the_denied_it_is_not_even_read_whether_they_are_known() -> None:
    shop = replace(SHOP, customers=Closed(SHOP.customers.ids))
    model = replace(ALS_MODEL, interactions=shop)

    ranking = model.recommend(0, exclude_seen=True, consent=NOBODY, at=0)
    many = model.recommend_many([0], exclude_seen=True, consent=NOBODY, at=0)

    assert ranking.reason == "consent: no policy"
    assert many.reasons == ("consent: no policy",)


@EACH_MODEL
def test_a_fallback_ranks_for_the_denied_and_says_why(model: Recommender) -> None:
    ranking = model.recommend(
        0, n=3, exclude_seen=True, consent=NOBODY, at=0, fallback=FALLBACK, deny=["item-0"]
    )

    assert ranking.items == FALLBACK.rank_for_anyone(3, deny=["item-0"]).items
    assert not ranking.personalised
    assert ranking.reason == "consent: no policy"
    assert {why.kind for why in ranking.reasons} == {"popular"}


@EACH_MODEL
def test_a_fallback_ranks_for_those_without_a_history_and_says_so(model: Recommender) -> None:
    ranking = model.recommend(
        10**6, n=3, exclude_seen=True, consent=ANYONE, at=0, fallback=FALLBACK, deny=["item-0"]
    )

    assert ranking.items == FALLBACK.rank_for_anyone(3, deny=["item-0"]).items
    assert not ranking.personalised
    assert ranking.reason == "no history"


@pytest.mark.parametrize("code", [-1, 25, 10**6])
def test_a_history_that_names_no_item_of_the_model_is_told_as_damage(code: int) -> None:
    class Damaged(Interactions):
        def history(self, customer_index: int) -> tuple[Int32s, Float32s]:  # noqa: ARG002
            return np.array([3, code], np.int32), np.ones(2, np.float32)

    parts = {field.name: getattr(SHOP, field.name) for field in fields(SHOP) if field.init}
    model = replace(ALS_MODEL, interactions=Damaged(**parts))

    with pytest.raises(DamagedError, match="names an item that the model does not have"):
        model.recommend(0, exclude_seen=True, consent=ANYONE, at=0)
    with pytest.raises(DamagedError, match="names an item that the model does not have"):
        _ = model.recommend(0, exclude_seen=False, consent=ANYONE, at=0).reasons


def test_a_fallback_is_asked_once_for_many() -> None:
    asked = []

    class Counting:
        def rank_for_anyone(self, n: int, **options: Any) -> Ranking:  # noqa: ANN401
            asked.append(n)
            return FALLBACK.rank_for_anyone(n, **options)

    many = ALS_MODEL.recommend_many(
        [0, 10**6, 1], n=2, exclude_seen=True, consent=NOBODY, at=0, fallback=Counting()
    )

    assert asked == [2]
    assert many.ids(0) == many.ids(1) == many.ids(2)


def answering(*items: str, personalised: bool = False) -> Any:  # noqa: ANN401
    class Answering:
        def rank_for_anyone(
            self,
            n: int,  # noqa: ARG002
            *,
            allow: Iterable[Id] | None = None,  # noqa: ARG002
            deny: Iterable[Id] = (),  # noqa: ARG002
        ) -> Ranking:
            return Ranking(
                items=items, scores=np.zeros(len(items)), personalised=personalised, reason=""
            )

    return Answering()


@pytest.mark.parametrize(
    ("items", "options"),
    [
        (("item-1",), {"deny": ["item-1"]}),
        (("item-1",), {"allow": ["item-2"]}),
        (("item-1", "item-1"), {}),
        (("item-1", "item-2", "item-3"), {}),
    ],
)
def test_a_fallback_that_breaks_its_contract_is_named(
    items: tuple[str, ...], options: dict[str, Any]
) -> None:
    with pytest.raises(PluginError, match="must heed n, allow and deny"):
        ALS_MODEL.recommend(
            0, n=2, exclude_seen=True, consent=NOBODY, at=0, fallback=answering(*items), **options
        )


def test_a_fallback_that_gives_no_ranking_is_named() -> None:
    class Listing:
        def rank_for_anyone(self, n: int, **options: object) -> list[str]:  # noqa: ARG002
            return ["item-1"]

    with pytest.raises(PluginError, match="must give a Ranking, got list"):
        ALS_MODEL.recommend(
            0, exclude_seen=True, consent=NOBODY, at=0, fallback=Listing()  # type: ignore[arg-type]  # that is the test
        )  # fmt: skip


def test_a_fallback_never_counts_as_personalised() -> None:
    liar = answering("item-1", personalised=True)

    ranking = ALS_MODEL.recommend(0, exclude_seen=True, consent=NOBODY, at=0, fallback=liar)

    assert not ranking.personalised


@EACH_MODEL
@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_denied_item_is_never_returned(model: Recommender, data: st.DataObject) -> None:
    some = st.lists(st.sampled_from([*SHOP.items.ids, "unheard of"]))
    allow, deny = data.draw(st.one_of(st.none(), some)), data.draw(some)
    n, exclude_seen = data.draw(st.integers(1, 40)), data.draw(st.booleans())
    customer = data.draw(st.sampled_from(SHOP.customers.ids))
    seen = set(SHOP.items.decode(SHOP.history(SHOP.customers.find(customer))[0]))

    ranking = model.recommend(
        customer, n=n, exclude_seen=exclude_seen, consent=ANYONE, at=0, allow=allow, deny=deny
    )

    allowed = set(SHOP.items.ids if allow is None else allow) & set(SHOP.items.ids) - set(deny)
    allowed -= seen if exclude_seen else set()
    rankable = allowed & seen if isinstance(model, type(MODELS[2])) else allowed
    assert set(ranking.items) <= allowed
    assert len(set(ranking.items)) == len(ranking.items) == min(n, len(rankable))
    assert (np.diff(ranking.scores) <= 0).all()


@pytest.mark.parametrize("config", [ALS(factors=2), Popularity(), BuyAgain()], ids=repr)
def test_of_eight_items_of_which_six_are_denied_only_two_come_back(
    config: ALS | Popularity | BuyAgain,
) -> None:
    eight = small_shop.interactions_of([(c, f"item-{i}") for c in range(4) for i in range(8)])
    model = config.fit(eight)

    ranking = model.recommend(
        0, n=5, exclude_seen=False, consent=ANYONE, at=0, deny=[f"item-{i}" for i in range(6)]
    )

    assert set(ranking.items) == {"item-6", "item-7"}
    assert np.isfinite(ranking.scores).all()


@EACH_MODEL
def test_exclude_seen_leaves_out_what_the_customer_had(model: Recommender) -> None:
    for row, customer in enumerate(SHOP.customers.ids):
        seen = set(SHOP.items.decode(SHOP.history(row)[0]))

        ranking = model.recommend(customer, n=99, exclude_seen=True, consent=ANYONE, at=0)

        assert not seen & set(ranking.items)
        assert ranking.withheld["seen"] == len(seen)


def test_what_is_withheld_is_counted_under_each_reason() -> None:
    seen = SHOP.items.decode(SHOP.history(0)[0])
    unseen = [item for item in SHOP.items.ids if item not in seen]

    ranking = ALS_MODEL.recommend(
        SHOP.customers.ids[0],
        n=99,
        exclude_seen=True,
        consent=ANYONE,
        at=0,
        allow=[*seen, *unseen[:1], "unheard of"],
        deny=[seen[0], seen[0], "unheard of"],
    )

    assert ranking.items == tuple(unseen[:1])
    assert dict(ranking.withheld) == {
        "seen": len(seen),
        "not in allow": len(unseen) - 1,
        "denied": 1,
    }


@EACH_MODEL
@settings(deadline=None, max_examples=25)
@given(st.data())
def test_many_are_answered_as_one_by_one(model: Recommender, data: st.DataObject) -> None:
    known = [c for c in SHOP.customers.ids if isinstance(c, int)]
    customers = data.draw(st.lists(st.sampled_from([*known, 10**6, 10**7]), max_size=9))
    others = small_shop.random_interactions(2, n_items=40)  # a vocabulary of its own
    options: dict[str, Any] = {
        "n": data.draw(st.integers(1, 30)),
        "exclude_seen": data.draw(st.booleans()),
        "consent": permitting(*known[::2], 10**6),
        "at": 0,
        "fallback": data.draw(st.sampled_from([None, FALLBACK, Popularity().fit(others)])),
        "deny": ["item-2"],
    }

    many = model.recommend_many(customers, **options)

    assert len(many) == len(customers)
    for position, customer in enumerate(customers):
        one = model.recommend(customer, **options)
        assert tuple(many.ids(position)) == one.items
        assert many.scores[position][: len(one)].tobytes() == one.scores.tobytes()
        assert np.isnan(many.scores[position][len(one) :]).all()
        assert many.personalised[position] == one.personalised
        assert many.reasons[position] == one.reason


@pytest.mark.parametrize(
    "customers",
    [np.array([3, 0]), (c for c in [3, 0]), range(3, -1, -3)],
    ids=["array", "generator", "range"],
)
def test_many_takes_any_iterable_of_ids(customers: Any) -> None:  # noqa: ANN401
    many = ALS_MODEL.recommend_many(customers, n=2, exclude_seen=True, consent=ANYONE, at=0)

    assert many.customers == (3, 0)
    assert len(many.ids(0)) == 2


def test_one_str_is_not_many_customers() -> None:
    with pytest.raises(InvalidTypeError, match="customers must be several ids"):
        ALS_MODEL.recommend_many("ana", exclude_seen=True, consent=ANYONE, at=0)


@pytest.mark.parametrize("consent", [ANYONE, NOBODY, permitting(0)])
def test_an_id_of_the_wrong_kind_is_refused_whatever_consent_says(consent: Consent) -> None:
    with pytest.raises(WrongIdTypeError, match="knows int customer ids"):
        ALS_MODEL.recommend("0", exclude_seen=True, consent=consent, at=0)
    with pytest.raises(WrongIdTypeError, match="knows int customer ids"):
        ALS_MODEL.recommend_many(["0"], exclude_seen=True, consent=consent, at=0)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n": 0}, InvalidArgumentError, "n must be an int >= 1, got 0"),
        ({"n": 2.0}, InvalidArgumentError, "n must be an int >= 1"),
        ({"exclude_seen": None}, InvalidTypeError, "exclude_seen must be a bool, got NoneType"),
        ({"consent": None}, InvalidTypeError, r"Consent\.for_purposes\(ledger"),
        ({"consent": True}, InvalidTypeError, "got bool"),
        ({"at": "now"}, InvalidTypeError, "at must be an aware datetime"),
        ({"allow": "item-1"}, InvalidTypeError, "several ids, not one str"),
        ({"deny": "item-1"}, InvalidTypeError, "several ids, not one str"),
        ({"deny": [1]}, WrongIdTypeError, "holds str ids"),
        ({"allow": [1]}, WrongIdTypeError, "holds str ids"),
    ],
)
@pytest.mark.parametrize("ask", ["recommend", "recommend_many"])
def test_an_argument_that_cannot_be_used_is_refused(
    ask: str, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    asked: Callable[..., object] = getattr(ALS_MODEL, ask)
    good: dict[str, Any] = {"exclude_seen": True, "consent": ANYONE, "at": 0}

    with pytest.raises(error, match=message):
        asked(0 if ask == "recommend" else [0], **(good | options))


def test_deny_and_allow_are_read_once() -> None:
    ranking = ALS_MODEL.recommend(
        0,
        exclude_seen=False,
        consent=NOBODY,
        at=0,
        fallback=FALLBACK,
        allow=(f"item-{i}" for i in range(3)),
        deny=(f"item-{i}" for i in range(1)),
    )

    assert set(ranking.items) == {"item-1", "item-2"}


def test_threads_that_ask_one_model_get_the_answers_of_one_thread() -> None:
    def ask(customer: Id) -> tuple[Id, ...]:
        return ALS_MODEL.recommend(customer, exclude_seen=True, consent=ANYONE, at=0).items

    alone = {customer: ask(customer) for customer in SHOP.customers.ids}
    wrong: list[Id] = []

    def work() -> None:
        wrong.extend(c for _ in range(10) for c in SHOP.customers.ids if ask(c) != alone[c])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


@EACH_MODEL
def test_every_model_is_a_recommender(model: Recommender) -> None:
    assert isinstance(model, Recommender)
    assert model.items is SHOP.items


@pytest.mark.parametrize("fallback", [Popularity(), BuyAgain().fit(SHOP), [1, 2]], ids=repr)
def test_a_fallback_that_cannot_rank_for_anyone_is_refused_at_once(fallback: Any) -> None:  # noqa: ANN401
    model = Popularity().fit(SHOP)

    with pytest.raises(InvalidTypeError, match="fallback must be a fitted Popularity"):
        model.recommend(0, exclude_seen=False, consent=ANYONE, at=0, fallback=fallback)


@pytest.mark.parametrize("kind", [BuyAgain(), Popularity(), ALS(factors=2, seed=1)], ids=repr)
def test_ids_that_came_after_the_fit_have_no_history_and_no_score(
    kind: BuyAgain | Popularity | ALS,
) -> None:
    model = kind.fit(small_shop.random_interactions(1))
    before = model.recommend(0, exclude_seen=False, consent=ANYONE, at=0)
    n_items = len(model.items)

    model.interactions.customers.encode([10**6], unknown="add")
    model.items.encode(["new"], unknown="add")

    late = model.recommend(10**6, exclude_seen=False, consent=ANYONE, at=0)
    assert (late.items, late.reason) == ((), "no history")
    after = model.recommend(0, exclude_seen=False, consent=ANYONE, at=0)
    assert after.items == before.items
    assert model._score_all(Past(0, model.interactions)).shape == (n_items,)


def test_what_is_alike_for_everybody_is_not_called_personalised() -> None:
    model = Popularity().fit(SHOP)

    alike = model.recommend(0, exclude_seen=False, consent=ANYONE, at=0)
    own = model.recommend(0, exclude_seen=True, consent=ANYONE, at=0)

    assert (alike.personalised, alike.reason) == (False, "anyone")
    assert (own.personalised, own.reason) == (True, "personalised")
