"""How the demo's ALS configuration was chosen: on weeks 1-35 against 36-44, never later ones.

Usage: ``python benchmarks/demo_choice.py [--json]``. The grid's best NDCG@10 on products new to the
household is the configuration in ``seg1.demo.story``; the last line names it.
"""

import argparse
import itertools
import json
from dataclasses import replace
from typing import Final, Literal

import seg1
from seg1.demo import load_extract
from seg1.demo.story import COUNTS, FACTORS
from seg1.interactions import split_time
from seg1.recommend.metrics import evaluate, relevant_items

CONFIDENCES: Final[tuple[Literal["raw", "linear"], ...]] = ("raw", "linear")
PUBLIC = seg1.ConsentNotNeeded("public data, chosen on before anybody is decided for")


def main() -> None:
    """Fit the grid and print every figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object as the last line"
    )
    as_json = parser.parse_args().json
    extract = load_extract()
    events = seg1.Events.from_table(
        extract.receipts, customer="household_id", item="product_id", time="time", value="quantity"
    )
    events = events.where(events.time_us < extract.week_us(45))
    cut = extract.week_us(36)
    before, after = split_time(events, at=cut)
    interactions = COUNTS.build(before, consent=PUBLIC, at=cut)
    relevant = relevant_items(after, new_to=before)
    rows = []
    grid = itertools.product(CONFIDENCES, (1.0, 10.0), (0.002, 0.003, 0.005, 0.007, 0.01))
    for confidence, alpha, regularization in grid:
        config = replace(FACTORS, confidence=confidence, alpha=alpha, regularization=regularization)
        rankings = config.fit(interactions).recommend_many(
            list(relevant), n=10, exclude_seen=True, consent=PUBLIC, at=cut
        )
        ndcg = float(evaluate(rankings, relevant).ndcg.mean())
        rows.append((ndcg, confidence, alpha, regularization))
        print(f"{confidence:7} alpha {alpha:4} lambda {regularization:.3f}: NDCG@10 new {ndcg:.4f}")
    ndcg, confidence, alpha, regularization = max(rows)
    best = {"confidence": confidence, "alpha": alpha, "regularization": regularization}
    print(json.dumps({**best, "ndcg10_new": ndcg}) if as_json else f"best: {best}, {ndcg:.4f}")


if __name__ == "__main__":
    main()
