"""Read the demo's JSON from standard input and check what it must show."""

import json
import sys
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
    }
    for claim, is_true in holds.items():
        print(f"{'holds' if is_true else 'FAILS'}: {claim}")
    sys.exit(0 if all(holds.values()) else 1)


if __name__ == "__main__":
    main()
