"""A fit that is watched, stopped, and started from another model."""

import numpy as np
import pytest
import small_shop
from small_shop import ANYONE

from seg1 import ALS
from seg1.errors import InvalidArgumentError, InvalidTypeError, WrongIdTypeError
from seg1.recommend import Sweep, Validation
from seg1.recommend.metrics import evaluate

SHOP = small_shop.random_interactions(1)
RELEVANT = {who: frozenset({f"item-{who % 20}", f"item-{who % 7}"}) for who in SHOP.customers.ids}
VALIDATION = Validation(relevant=RELEVANT, exclude_seen=False, n=5)


def figures(config: ALS, validation: Validation) -> list[float]:
    """Mean NDCG of the fits of 1, 2, ... sweeps, as their rankings give it."""
    found = []
    for sweeps in range(1, config.iterations + 1):
        model = ALS(factors=config.factors, iterations=sweeps, seed=config.seed).fit(SHOP)
        rankings = model.recommend_many(
            list(validation.relevant),
            n=validation.n,
            exclude_seen=validation.exclude_seen,
            consent=ANYONE,
            at=0,
        )
        found.append(float(evaluate(rankings, validation.relevant).ndcg.mean()))
    return found


@pytest.mark.parametrize("exclude_seen", [False, True])
def test_each_sweep_tells_the_ndcg_that_its_rankings_would_have(*, exclude_seen: bool) -> None:
    validation = Validation(relevant=RELEVANT, exclude_seen=exclude_seen, n=5)
    config = ALS(factors=4, iterations=3, seed=5)
    told: list[Sweep] = []

    config.fit(SHOP, validation=validation, callback=told.append)

    assert [sweep.number for sweep in told] == [1, 2, 3]
    assert [sweep.n_sweeps for sweep in told] == [3, 3, 3]
    wanted = figures(config, validation)
    assert [sweep.ndcg for sweep in told] == pytest.approx(wanted, abs=1e-3)


def test_a_fit_with_a_validation_keeps_the_best_sweep_and_ends_three_after_it() -> None:
    told: list[Sweep] = []

    model = ALS(factors=8, iterations=60, seed=5).fit(
        SHOP, validation=VALIDATION, callback=told.append
    )

    ndcg = [sweep.ndcg or 0.0 for sweep in told]
    best = int(np.argmax(ndcg))
    assert len(told) == best + 1 + 3 < 60
    stopped = ALS(factors=8, iterations=best + 1, seed=5).fit(SHOP)
    np.testing.assert_array_equal(model.item_factors, stopped.item_factors)
    np.testing.assert_array_equal(model.customer_factors, stopped.customer_factors)


def test_without_a_validation_no_figure_is_told() -> None:
    told: list[Sweep] = []

    ALS(factors=4, iterations=2).fit(SHOP, callback=told.append)

    assert [sweep.ndcg for sweep in told] == [None, None]


def test_a_callback_that_returns_true_ends_the_fit() -> None:
    config = ALS(factors=4, iterations=10, seed=3)

    ended = config.fit(SHOP, callback=lambda sweep: sweep.number == 2)

    whole = ALS(factors=4, iterations=2, seed=3).fit(SHOP)
    np.testing.assert_array_equal(ended.item_factors, whole.item_factors)


def test_a_validation_of_strangers_is_refused() -> None:
    strangers = Validation(relevant={999: {"item-1"}}, exclude_seen=False)

    with pytest.raises(InvalidArgumentError, match="no customer of the validation"):
        ALS(factors=2).fit(SHOP, validation=strangers)


def test_at_most_a_thousand_customers_of_a_validation_are_asked() -> None:
    pairs = [(who, f"item-{who % 30}") for who in range(2_500)]
    shop = small_shop.interactions_of(pairs)
    validation = Validation(relevant={who: {"item-3"} for who, _ in pairs}, exclude_seen=False)
    told: list[Sweep] = []

    ALS(factors=2, iterations=1).fit(shop, validation=validation, callback=told.append)

    assert told[0].ndcg is not None


def test_a_warm_start_goes_on_where_the_model_stood() -> None:
    config = ALS(factors=6, iterations=12, seed=5)
    whole = config.fit(SHOP)

    first = ALS(factors=6, iterations=8, seed=5).fit(SHOP)
    second = ALS(factors=6, iterations=4, seed=9).fit(SHOP, start=first)
    cold = ALS(factors=6, iterations=4, seed=9).fit(SHOP)

    scores = [model.customer_factors @ model.item_factors.T for model in (whole, second, cold)]
    assert np.abs(scores[0] - scores[1]).max() < np.abs(scores[0] - scores[2]).max() / 3


def test_a_warm_start_survives_new_customers_and_items() -> None:
    start = ALS(factors=4, iterations=5, seed=5).fit(SHOP)
    grown = small_shop.random_interactions(2, n_customers=70, n_items=60, n_events=900)

    model = ALS(factors=4, iterations=0 + 3, seed=5).fit(grown, start=start)

    assert model.customer_factors.shape == (len(grown.customers), 4)
    assert np.isfinite(model.item_factors).all()
    again = ALS(factors=4, iterations=3, seed=5).fit(grown, start=start)
    np.testing.assert_array_equal(model.item_factors, again.item_factors)


def test_a_warm_start_takes_factors_over_by_id() -> None:
    start = ALS(factors=4, iterations=5, seed=5).fit(SHOP)
    other_order = small_shop.interactions_of(
        [(who, item) for who in reversed(SHOP.customers.ids) for item in ("item-3", "item-1")]
    )

    X, Y = ALS(factors=4)._first_factors(other_order, start)

    for codes, factors, known, of in (
        (other_order.customers, X, SHOP.customers, start.customer_factors),
        (other_order.items, Y, SHOP.items, start.item_factors),
    ):
        for code, name in enumerate(codes.ids):
            np.testing.assert_array_equal(factors[code], of[known.find(name)])


def test_a_start_of_another_length_or_kind_is_refused() -> None:
    start = ALS(factors=3, iterations=1).fit(SHOP)
    text = small_shop.interactions_of([("ana", "item-1")])

    with pytest.raises(InvalidArgumentError, match="start must be an ALSModel of 4 factors"):
        ALS(factors=4).fit(SHOP, start=start)
    with pytest.raises(WrongIdTypeError):
        ALS(factors=3).fit(text, start=start)


@pytest.mark.parametrize("relevant", [[("ana", "milk")], "ana"])
def test_a_validation_takes_a_mapping(relevant: object) -> None:
    with pytest.raises(InvalidTypeError, match="relevant must map"):
        Validation(relevant=relevant, exclude_seen=True)  # type: ignore[arg-type]  # that is the test


def test_a_validation_wants_a_bool_and_shows_no_id() -> None:
    with pytest.raises(InvalidTypeError, match="exclude_seen must be a bool"):
        Validation(relevant={}, exclude_seen=1)  # type: ignore[arg-type]  # that is the test

    assert "ana" not in repr(Validation(relevant={"ana": {"milk"}}, exclude_seen=True))


def test_an_item_that_is_left_out_is_no_hit_where_few_are_left() -> None:
    shop = small_shop.interactions_of([(1, "a"), (1, "b"), (1, "c"), (2, "d")])
    validation = Validation(relevant={1: {"a"}}, exclude_seen=True, n=4)
    told: list[Sweep] = []

    ALS(factors=2, iterations=1).fit(shop, validation=validation, callback=told.append)

    assert told[0].ndcg == 0.0


def test_a_warm_start_passes_over_ids_that_came_after_the_fit() -> None:
    start = ALS(factors=2, iterations=1).fit(small_shop.interactions_of([(1, "a"), (2, "b")]))
    start.interactions.customers.encode([3], unknown="add")
    grown = small_shop.interactions_of([(1, "a"), (3, "b")])
    grown.items.encode(["c"], unknown="add")

    model = ALS(factors=2, iterations=1).fit(grown, start=start)

    assert np.isfinite(model.customer_factors).all()
