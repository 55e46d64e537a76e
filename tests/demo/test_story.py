"""The steps of the story, on a few of the households: what they show is what happened."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seg1 import ALSModel, ConsentNotNeeded
from seg1.demo import story
from seg1.demo.extract import Extract
from seg1.recommend.metrics import Interval, evaluate, relevant_items

NOTHING = Interval(0.0, 0.0, 0.0)


def open_few(few: Extract, folder: Path) -> story.Shop:
    return story.open_shop(
        few, consent_file=folder / "consent.sqlite", rng=np.random.default_rng(1)
    )


@pytest.fixture
def shop(few: Extract, tmp_path: Path) -> story.Shop:
    return open_few(few, tmp_path)


@pytest.fixture(scope="module")
def models(few: Extract, tmp_path_factory: pytest.TempPathFactory) -> story.Models:
    shop = open_few(few, tmp_path_factory.mktemp("models"))
    return story.fit_models(shop, seed=3, show_progress=False)


def meet(shop: story.Shop, models: story.Models) -> list[story.Household]:
    return story.meet_households(shop, models, rng=np.random.default_rng(2))


def compare(shop: story.Shop, models: story.Models) -> story.Comparison:
    return story.compare(shop, models, rng=np.random.default_rng(2))


def test_models_are_fitted_on_the_weeks_before_the_split_with_the_seed_given(
    shop: story.Shop, models: story.Models
) -> None:
    told = models.interactions.provenance

    assert told.at_us == shop.now_us == shop.extract.week_us(45)
    assert told.n_events + sum(told.dropped.values()) == len(shop.before)
    assert models.als.config.seed == 3


def test_some_withdrew_some_expired_some_never_spoke_and_none_of_them_is_learned_from(
    shop: story.Shop, models: story.Models
) -> None:
    answers = {who: shop.consent.ask(who, shop.now_us) for who in shop.events.customers.ids}
    denied = {who for who, permits in answers.items() if not permits.allows("train")}

    assert {answers[who].reason("train").words for who in denied} == {
        "withdrawn", "expired", "no record",
    }  # fmt: skip
    assert 0 < len(denied) == shop.n_asked - shop.permits["train"]
    assert denied.isdisjoint(models.interactions.customers.ids)


def test_two_recommenders_that_are_one_differ_by_nothing_at_all(
    shop: story.Shop, models: story.Models
) -> None:
    on_new = replace(models, als=models.popularity)  # type: ignore[arg-type]  # the point
    on_all = replace(models, als=models.buy_again)  # type: ignore[arg-type]  # the point

    assert compare(shop, on_new).als_minus_popularity == NOTHING
    assert compare(shop, on_all).buy_again_minus_als == NOTHING


def test_on_new_products_what_a_household_had_is_neither_shown_nor_sought(
    shop: story.Shop, models: story.Models
) -> None:
    relevant = relevant_items(shop.after, new_to=shop.before)
    rankings = models.popularity.recommend_many(
        list(relevant), n=10, exclude_seen=True, consent=shop.consent, at=shop.now_us
    )
    served = [c for c, ok in zip(relevant, rankings.personalised, strict=True) if ok]
    expected = evaluate(rankings, {c: relevant[c] for c in served})

    figures = compare(shop, models).new_products["popularity"]

    assert 0 < len(served) < len(relevant)
    assert figures.ndcg.mean == pytest.approx(expected.ndcg.mean())
    assert figures.recall.mean == pytest.approx(expected.recall.mean())


@pytest.mark.parametrize("purpose", ["measurement", "offers"])
def test_who_withdraws_measurement_or_offers_is_no_longer_measured(
    shop: story.Shop, models: story.Models, purpose: str
) -> None:
    n_before = compare(shop, models).n_households
    household = meet(shop, models)[0].household

    shop.ledger.withdraw(household, [purpose], at=shop.now_us)

    assert compare(shop, models).n_households == n_before - 1


def test_a_withdrawal_is_recorded_and_the_next_call_gives_what_everybody_gets(
    shop: story.Shop, models: story.Models
) -> None:
    household = meet(shop, models)[0]

    withdrawal = story.withdraw(shop, models, household)

    assert withdrawal.is_denied
    assert withdrawal.before.personalised
    assert withdrawal.after.reason == "consent: withdrawn"
    assert withdrawal.after.items == models.popularity.rank_for_anyone(5).items
    assert shop.ledger.history(household.household)[-1].kind == "withdraw"


def test_a_withdrawal_that_changes_nothing_is_told_as_such(
    shop: story.Shop, models: story.Models
) -> None:
    deaf = replace(shop, consent=ConsentNotNeeded("deaf"))  # type: ignore[arg-type]  # the point

    withdrawal = story.withdraw(deaf, models, meet(shop, models)[0])

    assert not withdrawal.is_denied


@pytest.mark.parametrize(("scale", "is_identical"), [(1.0, True), (2.0, False), (-1.0, False)])
def test_a_reloaded_model_is_compared_by_its_items_and_its_scores(
    shop: story.Shop, models: story.Models, tmp_path: Path, scale: float, *, is_identical: bool
) -> None:
    als = models.als
    saved = ALSModel.of(
        als.customer_factors * np.float32(scale),  # twice the scores, or all turned around
        als.item_factors,
        interactions=als.interactions,
        config=als.config,
    )
    saved.save(tmp_path / "model")

    told = story.is_reloaded_identical(
        shop, models, meet(shop, models), model_folder=tmp_path / "model"
    )

    assert told is is_identical
