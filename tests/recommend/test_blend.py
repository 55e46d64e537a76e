"""`Blend`: the weighted sum it says it is, whoever knows what; weights found on earlier data."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import small_shop
from hypothesis import given
from hypothesis import strategies as st
from small_shop import ANYONE

from seg1 import ALS, BuyAgain, ConsentNotNeeded, Popularity
from seg1._types import Id
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.recommend import ALSModel, Blend, BlendModel, Validation
from seg1.recommend.metrics import evaluate
from seg1.testing import check_recommender

SHOP = small_shop.random_interactions(1)
OTHER = small_shop.random_interactions(2, n_customers=55, n_items=35)
MEMBERS = [BuyAgain().fit(SHOP), Popularity().fit(OTHER), ALS(factors=4, seed=3).fit(SHOP)]


def own_scores(member: Any, customer: Id) -> dict[Id, float]:  # noqa: ANN401  # any of the models
    """All scores of one member, by its public call."""
    ranking = member.recommend(customer, n=10**6, exclude_seen=False, consent=ANYONE, at=0)
    return dict(zip(ranking.items, ranking.scores.tolist(), strict=True))


def slow_blend(members: Sequence[Any], weights: Sequence[float], customer: Id) -> dict[Id, float]:
    total: dict[Id, float] = {}
    for member, weight in zip(members, weights, strict=True):
        asked = [customer] if isinstance(member, ALSModel) else member.interactions.customers.ids
        best = [max(own_scores(member, who).values()) for who in asked]
        for item, score in own_scores(member, customer).items():
            total[item] = total.get(item, 0.0) + weight * score / float(np.mean(best))
    return total


@pytest.mark.parametrize("weights", [(1.0, 0.2, 0.5), (0.0, 1.0, 0.3), (2.0, 0.0, 0.0)])
@pytest.mark.parametrize("customer", [0, 3, 17])
def test_a_blend_ranks_by_the_weighted_sum(weights: tuple[float, ...], customer: int) -> None:
    model = Blend(weights=weights).fit(MEMBERS)

    ranking = model.recommend(customer, n=100, exclude_seen=False, consent=ANYONE, at=0)

    slow = slow_blend(MEMBERS, weights, customer)
    assert set(slow) <= set(ranking.items) == set(model.items.ids)
    wanted = [slow.get(item, 0.0) for item in ranking.items]
    assert ranking.scores == pytest.approx(wanted, rel=1e-5, abs=1e-6)
    assert (np.diff(ranking.scores) <= 0).all()


def test_a_blend_keeps_the_contract_of_a_recommender() -> None:
    model = Blend(weights=(1.0, 0.2, 0.5)).fit(MEMBERS)

    check_recommender(model, customers=[*SHOP.customers.ids[:4], 54, 10**6], consent=ANYONE, at=0)


def test_a_customer_of_one_member_only_is_ranked_by_that_member() -> None:
    model = Blend(weights=(1.0, 0.2)).fit([BuyAgain().fit(SHOP), BuyAgain().fit(OTHER)])
    stranger = next(who for who in OTHER.customers.ids if who not in SHOP.customers)

    ranking = model.recommend(stranger, n=5, exclude_seen=False, consent=ANYONE, at=0)

    own = BuyAgain().fit(OTHER).recommend(stranger, n=5, exclude_seen=False, consent=ANYONE, at=0)
    assert ranking.items[: len(own)] == own.items[:5]


def test_seen_is_what_any_member_knows_to_be_seen() -> None:
    model = Blend(weights=(1.0, 0.2)).fit([BuyAgain().fit(SHOP), Popularity().fit(OTHER)])
    seen = set(own_scores(MEMBERS[0], 3)) | set(own_scores(BuyAgain().fit(OTHER), 3))

    ranking = model.recommend(3, n=100, exclude_seen=True, consent=ANYONE, at=0)

    assert set(ranking.items) == set(model.items.ids) - seen
    assert ranking.withheld["seen"] == len(seen)


def test_the_member_that_adds_most_gives_the_reason() -> None:
    habit = Blend(weights=(1.0, 1e-6)).fit(MEMBERS[:2])
    popular = Blend(weights=(1e-6, 1.0)).fit(MEMBERS[:2])

    by_habit = habit.recommend(3, n=2, exclude_seen=False, consent=ANYONE, at=0)
    by_all = popular.recommend(3, n=2, exclude_seen=False, consent=ANYONE, at=0)

    assert [why.kind for why in by_habit.reasons] == ["habit", "habit"]
    assert [why.kind for why in by_all.reasons] == ["popular", "popular"]
    assert by_habit.reasons[0].amount == own_scores(MEMBERS[0], 3)[by_habit.items[0]]


def test_an_item_nobody_speaks_for_has_a_reason_that_names_nothing() -> None:
    model = Blend(weights=(1.0, 0.0)).fit([BuyAgain().fit(SHOP), BuyAgain().fit(OTHER)])

    ranking = model.recommend(3, n=100, exclude_seen=False, consent=ANYONE, at=0)

    assert ranking.scores[-1] == 0.0
    assert ranking.reasons[-1].items == ()
    assert len(ranking.reasons) == len(ranking)


def figure(model: Any, validation: Validation) -> float:  # noqa: ANN401  # any recommender
    rankings = model.recommend_many(
        list(validation.relevant), n=validation.n, exclude_seen=validation.exclude_seen,
        consent=ANYONE, at=0,
    )  # fmt: skip
    return float(evaluate(rankings, validation.relevant).ndcg.mean())


@given(st.integers(0, 10**6), st.booleans())
def test_weights_found_are_never_below_the_best_member_on_the_validation(
    seed: int,
    exclude_seen: bool,  # noqa: FBT001  # drawn
) -> None:
    rng = np.random.default_rng(seed)
    items = SHOP.items.ids
    relevant = {
        who: frozenset(items[i] for i in rng.choice(len(items), 3, replace=False))
        for who in SHOP.customers.ids
    }
    validation = Validation(relevant=relevant, exclude_seen=exclude_seen, n=5)
    members = [MEMBERS[2], Popularity().fit(SHOP)]

    model = Blend().fit(members, validation=validation)

    best = max(figure(member, validation) for member in members)
    assert figure(model, validation) >= best - 1e-9
    assert max(model.weights) == 1.0


def test_a_member_that_foresees_everything_is_found() -> None:
    truth = {
        who: frozenset(BuyAgain().fit(SHOP).recommend(
            who, n=2, exclude_seen=False, consent=ANYONE, at=0
        ).items)
        for who in SHOP.customers.ids
    }  # fmt: skip

    model = Blend().fit(
        [Popularity().fit(SHOP), BuyAgain().fit(SHOP)],
        validation=Validation(relevant=truth, exclude_seen=False, n=2),
    )

    assert model.weights == (0.0, 1.0)


def test_weights_are_carried_over_to_members_fitted_on_more() -> None:
    early = Blend(weights=(1.0, 0.25)).fit(MEMBERS[:2])

    late = Blend(weights=early.weights).fit([BuyAgain().fit(OTHER), Popularity().fit(OTHER)])

    assert late.weights == (1.0, 0.25)
    assert repr(late) == "BlendModel(1 BuyAgainModel, 0.25 PopularityModel)"


def test_a_blend_of_blends_is_a_blend() -> None:
    inner = Blend(weights=(1.0, 0.2)).fit(MEMBERS[:2])

    outer = Blend(weights=(1.0, 0.5)).fit([inner, MEMBERS[2]])

    assert isinstance(outer, BlendModel)
    check_recommender(outer, customers=SHOP.customers.ids[:3], consent=ANYONE, at=0)


def test_members_without_scores_above_zero_do_not_divide_by_zero() -> None:
    shop = small_shop.interactions_of([(1, "item-1"), (2, "item-2")])
    flat = ALS(factors=1, regularization=1e6).fit(shop)

    model = Blend(weights=(1.0, 1.0)).fit([flat, Popularity().fit(shop)])

    ranking = model.recommend(1, exclude_seen=False, consent=ANYONE, at=0)
    assert np.isfinite(ranking.scores).all()
    assert ranking.scores[0] > 0.0


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        ((0.0, 0.0), "at least one"),
        ((-1.0, 1.0), r"weights\[0\]"),
        ((1.0, np.nan), r"weights\[1\]"),
    ],
)
def test_weights_that_weigh_nothing_are_refused(weights: tuple[float, ...], match: str) -> None:
    with pytest.raises(InvalidArgumentError, match=match):
        Blend(weights=weights)


def test_a_blend_says_what_it_lacks() -> None:
    with pytest.raises(InvalidArgumentError, match="pass weights, or validation="):
        Blend().fit(MEMBERS)
    with pytest.raises(InvalidArgumentError, match="2 weights for 3 members"):
        Blend(weights=(1.0, 2.0)).fit(MEMBERS)
    for wrong in ([MEMBERS[0]], [MEMBERS[0], "popularity"]):
        with pytest.raises(InvalidTypeError, match="two or more fitted models"):
            Blend(weights=(1.0, 1.0)).fit(wrong)  # type: ignore[arg-type]  # that is the test


def test_a_denied_customer_gets_nothing_personal_from_a_blend() -> None:
    model = Blend(weights=(1.0, 0.2)).fit(MEMBERS[:2])

    ranking = model.recommend(
        3,
        n=5,
        exclude_seen=False,
        consent=small_shop.NOBODY,
        at=0,
        fallback=MEMBERS[1],  # type: ignore[arg-type]  # a Popularity
    )

    anyone = ConsentNotNeeded("made up")
    assert (
        ranking.items
        == MEMBERS[1].recommend(3, n=5, exclude_seen=False, consent=anyone, at=0).items
    )
    assert not ranking.personalised


def test_a_given_history_is_given_to_each_member_in_its_own_codes() -> None:
    weights = (1.0, 0.2, 0.5)
    model = Blend(weights=weights).fit(MEMBERS)
    history = {"item-9": 2.0, "item-2": 1.0, "item-30": 3.0, "unheard of": 1.0}

    ranking = model.recommend(
        10**6, n=100, exclude_seen=False, consent=ANYONE, at=0, history=history
    )

    wanted: dict[Id, float] = {}
    for member, weight, scale in zip(MEMBERS, weights, model.scales, strict=True):
        own = member.recommend(
            10**6, n=100, exclude_seen=False, consent=ANYONE, at=0, history=history
        )
        divisor = own.scores.max() if scale is None else scale
        for item, score in zip(own.items, own.scores.tolist(), strict=True):
            wanted[item] = wanted.get(item, 0.0) + weight * score / divisor
    assert ranking.scores == pytest.approx(
        [wanted.get(item, 0.0) for item in ranking.items], rel=1e-4, abs=1e-6
    )
    assert len(ranking.reasons) == len(ranking)


def test_a_blend_in_which_nothing_personal_spoke_does_not_say_personalised() -> None:
    habit, popular = MEMBERS[:2]

    ranking = (
        Blend(weights=(0.0, 1.0))
        .fit([habit, popular])
        .recommend(3, n=5, exclude_seen=False, consent=ANYONE, at=0)
    )

    assert (ranking.personalised, ranking.reason) == (False, "anyone")


def test_whom_no_personal_member_knows_a_blend_does_not_know() -> None:
    model = Blend(weights=(1.0, 1.0)).fit([BuyAgain().fit(SHOP), Popularity().fit(OTHER)])
    stranger = next(who for who in OTHER.customers.ids if who not in SHOP.customers)

    ranking = model.recommend(stranger, n=5, exclude_seen=False, consent=ANYONE, at=0)

    assert (len(ranking), ranking.reason) == (0, "no history")


def test_popularity_speaks_also_of_those_it_did_not_count() -> None:
    few = small_shop.interactions_of([(10**6, "item-1"), (10**6, "item-2"), (10**6 + 1, "item-2")])
    model = Blend(weights=(1e-9, 1.0)).fit([BuyAgain().fit(SHOP), Popularity().fit(few)])

    ranking = model.recommend(3, n=2, exclude_seen=False, consent=ANYONE, at=0)

    assert ranking.items == ("item-2", "item-1")


@pytest.mark.parametrize("weights", [5, "12"])
def test_weights_are_several_numbers(weights: Any) -> None:  # noqa: ANN401
    with pytest.raises((InvalidTypeError, InvalidArgumentError)):
        Blend(weights=weights)
