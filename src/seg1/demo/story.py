"""The main job, step by step: events, consent, matrix, comparison, three households, reload."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from seg1._checks import to_us
from seg1._types import Id, Int64s
from seg1.consent import STAGES, Consent, ConsentEvent, ConsentLedger
from seg1.demo.extract import Extract
from seg1.events import Events
from seg1.interactions import InteractionMatrixBuilder, Interactions, split_time
from seg1.recommend import (
    ALS,
    ALSModel,
    BuyAgain,
    BuyAgainModel,
    Popularity,
    PopularityModel,
    Ranking,
)
from seg1.recommend.metrics import (
    Evaluation,
    Interval,
    bootstrap_mean,
    evaluate,
    relevant_items,
)
from seg1.recommend.ranking.serving import Recommender

__all__ = [
    "Comparison",
    "Figures",
    "Household",
    "Models",
    "Shop",
    "Withdrawal",
    "compare",
    "consent_of",
    "fit_models",
    "is_reloaded_identical",
    "meet_households",
    "open_shop",
    "withdraw",
]

SPLIT_WEEK: Final = 45  # weeks 1-44 are learned from, 45-53 are predicted
N: Final = 10
PURPOSES: Final = ("profiling", "offers", "measurement")
_HOUR_US = 3_600 * 1_000_000

# Chosen by benchmarks/demo_choice.py on weeks 1-35 against 36-44, never on the weeks shown.
COUNTS: Final = InteractionMatrixBuilder(transform="count", compress="log1p")
HABITS: Final = InteractionMatrixBuilder(transform="count", half_life_days=182)
FACTORS: Final = ALS(factors=64, alpha=1.0, regularization=0.005, nu=1.0, confidence="raw")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shop:
    """Events, and who permits what.

    Attributes
    ----------
    extract, events, before, after
        The data; all events; those before and after the split.
    ledger, consent
        The synthetic consent file, and the policy over it.
    now_us
        The moment of the split, at which everything is decided, microseconds UTC.
    n_after
        Receipt lines from the split on.
    n_asked, permits
        How many households there are, and per step of the path how many permit it.
    """

    extract: Extract
    events: Events
    before: Events
    after: Events
    ledger: ConsentLedger
    consent: Consent
    now_us: int
    n_after: int
    n_asked: int
    permits: Mapping[str, int]


def open_shop(extract: Extract, *, consent_file: Path, rng: np.random.Generator) -> Shop:
    """Read the events, and draw a synthetic consent file, because the data hold none."""
    events = Events.from_table(
        extract.receipts,
        customer="household_id",
        item="product_id",
        time="time",
        value="quantity",
        bad_rows="drop",
    )
    ledger = ConsentLedger(consent_file)
    _draw_consent(ledger, events.customers.ids, rng=rng)
    consent = consent_of(ledger)
    now_us = extract.week_us(SPLIT_WEEK)
    before, after = split_time(events, at=now_us)
    answers = [consent.ask(household, now_us) for household in events.customers.ids]
    return Shop(
        extract=extract,
        events=events,
        before=before,
        after=after.where(after.value > 0),  # what was brought back is no purchase
        ledger=ledger,
        consent=consent,
        now_us=now_us,
        n_after=len(after),
        n_asked=len(events.customers),
        permits={stage: sum(a.allows(stage) for a in answers) for stage in STAGES},
    )


def consent_of(ledger: ConsentLedger) -> Consent:
    """Say which purpose stands for which step of the path."""
    return Consent.for_purposes(ledger, train="profiling", decide="offers", measure="measurement")


def _draw_consent(
    ledger: ConsentLedger, households: tuple[Id, ...], *, rng: np.random.Generator
) -> None:
    """Grant about 80 % everything; of the others some withdrew, expired, or never spoke."""
    first, spring, autumn, late = (
        to_us(datetime(year, month, 1, tzinfo=UTC))
        for year, month in ((2017, 1), (2017, 5), (2017, 9), (2018, 7))
    )
    said: list[ConsentEvent] = []
    for household, u in zip(households, rng.random(len(households)).tolist(), strict=True):
        purposes = PURPOSES if u < 0.90 else ("measurement",) if u < 0.93 else ()
        until = autumn if 0.85 <= u < 0.90 else late
        said += [ConsentEvent(household, p, "grant", first, first, until) for p in purposes]
        if 0.80 <= u < 0.85:
            said += [ConsentEvent(household, p, "withdraw", spring) for p in purposes]
    ledger.record(said)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Models:
    """What was learned from the weeks before the split.

    Attributes
    ----------
    interactions
        The matrix of the households that permit it.
    popularity, buy_again, als
        The three recommenders.
    """

    interactions: Interactions
    popularity: PopularityModel
    buy_again: BuyAgainModel
    als: ALSModel


def fit_models(shop: Shop, *, seed: int, show_progress: bool) -> Models:
    """Build the matrices under consent and fit the three recommenders."""
    counts = COUNTS.build(shop.before, consent=shop.consent, at=shop.now_us)
    habits = HABITS.build(shop.before, consent=shop.consent, at=shop.now_us)
    return Models(
        interactions=counts,
        popularity=Popularity().fit(counts),
        buy_again=BuyAgain().fit(habits),
        als=replace(FACTORS, seed=seed).fit(counts, show_progress=show_progress),
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """How good one recommender is: means over households with 95 % intervals, and coverage."""

    ndcg: Interval
    recall: Interval
    coverage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The three recommenders on the weeks after the split.

    Attributes
    ----------
    all_products, new_products
        Name to figures: for all products, and for those new to the household.
    als_minus_popularity, buy_again_minus_als
        Paired differences in NDCG@10: on new products, and on all products.
    n_households
        How many households were measured, for all products.
    """

    all_products: Mapping[str, Figures]
    new_products: Mapping[str, Figures]
    als_minus_popularity: Interval
    buy_again_minus_als: Interval
    n_households: int


def compare(shop: Shop, models: Models, *, rng: np.random.Generator) -> Comparison:
    """Rank for every household that permits it, and hold the rankings against what came."""
    named = {
        "popularity": models.popularity, "buy_again": models.buy_again, "als": models.als,
    }  # fmt: skip
    on_all = {name: _evaluate(shop, model, new=False) for name, model in named.items()}
    del named["buy_again"]  # it has nothing to say of what a household never had
    on_new = {name: _evaluate(shop, model, new=True) for name, model in named.items()}
    return Comparison(
        all_products={name: _figures(e, rng=rng) for name, e in on_all.items()},
        new_products={name: _figures(e, rng=rng) for name, e in on_new.items()},
        als_minus_popularity=bootstrap_mean(
            on_new["als"].ndcg - on_new["popularity"].ndcg, rng=rng
        ),
        buy_again_minus_als=bootstrap_mean(on_all["buy_again"].ndcg - on_all["als"].ndcg, rng=rng),
        n_households=len(on_all["als"].customers),
    )


def _evaluate(shop: Shop, model: Recommender, *, new: bool) -> Evaluation:
    relevant = relevant_items(shop.after, new_to=shop.before if new else None)
    measured = [
        household
        for household in relevant
        if shop.consent.ask(household, shop.now_us).allows("measure")
    ]
    rankings = model.recommend_many(
        measured, n=N, exclude_seen=new, consent=shop.consent, at=shop.now_us
    )
    answered = {
        customer
        for customer, reason in zip(measured, rankings.reasons, strict=True)
        if reason in ("personalised", "anyone")
    }
    return evaluate(rankings, {c: items for c, items in relevant.items() if c in answered})


def _figures(evaluation: Evaluation, *, rng: np.random.Generator) -> Figures:
    return Figures(
        bootstrap_mean(evaluation.ndcg, rng=rng),
        bootstrap_mean(evaluation.recall, rng=rng),
        evaluation.coverage,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Household:
    """One household: what it had, and what is recommended to it.

    Attributes
    ----------
    household
        Its id.
    n_events
        Receipt lines before the split.
    history
        Its own products, heaviest first.
    ranking
        Five products that are new to it.
    """

    household: Id
    n_events: int
    history: tuple[Id, ...]
    ranking: Ranking


def meet_households(shop: Shop, models: Models, *, rng: np.random.Generator) -> list[Household]:
    """Pick three households that permit it and have a history, and recommend to them."""
    counts = np.bincount(shop.before.customer_index, minlength=len(shop.events.customers))
    known = [
        household
        for household in models.interactions.customers.ids
        if counts[shop.events.customers.find(household)] >= 100
        and shop.consent.ask(household, shop.now_us).allows("candidates")
    ]
    chosen = rng.choice(len(known), 3, replace=False)
    return [_meet(shop, models, known[position], counts=counts) for position in chosen.tolist()]


def _meet(shop: Shop, models: Models, household: Id, *, counts: Int64s) -> Household:
    again = models.buy_again.recommend(
        household, n=5, exclude_seen=False, consent=shop.consent, at=shop.now_us
    )
    return Household(
        household=household,
        n_events=int(counts[shop.events.customers.find(household)]),
        history=again.items,
        ranking=_recommend(shop, models, models.als, household, at_us=shop.now_us),
    )


def _recommend(
    shop: Shop, models: Models, model: ALSModel, household: Id, *, at_us: int
) -> Ranking:
    return model.recommend(
        household,
        n=5,
        exclude_seen=True,
        consent=shop.consent,
        at=at_us,
        fallback=models.popularity,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Withdrawal:
    """What one household gets before and after it withdraws.

    Attributes
    ----------
    household
        Its id.
    before, after
        The rankings of the last call before, and of the very next call.
    is_denied
        Whether nothing personal was used any more.
    """

    household: Id
    before: Ranking
    after: Ranking
    is_denied: bool


def withdraw(shop: Shop, models: Models, household: Household) -> Withdrawal:
    """Let a household withdraw everything, and ask again at once."""
    then_us = shop.now_us + _HOUR_US
    shop.ledger.withdraw(household.household, at=then_us)
    after = _recommend(shop, models, models.als, household.household, at_us=then_us)
    anyone = models.popularity.rank_for_anyone(5)
    return Withdrawal(
        household=household.household,
        before=household.ranking,
        after=after,
        is_denied=not after.personalised
        and after.reason == "consent: withdrawn"
        and after.items == anyone.items,
    )


def is_reloaded_identical(
    shop: Shop, models: Models, households: list[Household], *, model_folder: Path
) -> bool:
    """Load the saved model and ask it for the same households: items and scores, to the bit."""
    loaded = ALSModel.load(model_folder)
    return all(
        again.items == known.ranking.items and bool((again.scores == known.ranking.scores).all())
        for known in households
        for again in [_recommend(shop, models, loaded, known.household, at_us=shop.now_us)]
    )
