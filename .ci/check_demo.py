"""Read the demo's JSON from standard input and check what it must show."""

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path


def main() -> None:
    """Fail with the first thing that does not hold."""
    told = json.load(sys.stdin)
    on_all, on_new = told["ndcg10_all"], told["ndcg10_new"]
    holds = {
        "buy again beats ALS on all products": on_all["buy_again"] > on_all["als"],
        "ALS beats popularity on new products": on_new["als"] > on_new["popularity"],
        "low <= als - popularity <= high": on_new["low"]
        <= on_new["als"] - on_new["popularity"]
        <= on_new["high"],
        "denied after withdrawal": told["denied_after_withdrawal"] is True,
        "reloaded identical": told["reloaded_identical"] is True,
        "at most 90 seconds": told["seconds"] <= 90,
        "the report is there": Path(told["report"]).is_file(),
        "rows are accounted for": sum(told["dropped"].values()) > 0,
        "Thompson sampling misses less than 80 % of an even draw": told["regret_share"]["thompson"]
        < 0.8,
        "Thompson less greedy is not wholly above 0": told["thompson_minus_greedy"]["low"] <= 0,
        "the log supports the other policy": told["ope"]["ess"] is not None
        and told["ope"]["ess"] >= 400,
        "the interval holds the truth on 17 of 20 seeds": told["ope_covered_of_20"] >= 17,
        "the state is identical after a restart": told["state_identical"] is True,
        "decisions were replayed": told["replayed"] >= 1_000,
        "no replayed decision differs": told["replay_differs"] == 0,
        "a household was erased": told["erased"] > 0,
        "decisions can be read with plain SQL": count_decisions(Path(told["report"])) >= 2_000,
    }
    for claim, is_true in holds.items():
        print(f"{'holds' if is_true else 'FAILS'}: {claim}")
    sys.exit(0 if all(holds.values()) else 1)


def count_decisions(report: Path) -> int:
    """Count the decisions in the journal beside the report."""
    with closing(sqlite3.connect(report.with_name("decisions.sqlite"))) as connection:
        (n,) = connection.execute("select count(*) from decisions").fetchone()
    return int(n)


if __name__ == "__main__":
    main()
