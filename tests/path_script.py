"""The path through public names, in two acts with a restart between. The end-to-end test runs it.

Act "first" reads events, records consent in SQLite, fits, recommends, saves, and lets one customer
withdraw. Act "restart" is another process: it opens what the first one left.
"""

import json
import sys
from datetime import UTC, datetime, timedelta

import seg1
from seg1.demo import load_extract

NOW = datetime(2017, 11, 5, tzinfo=UTC)
IN_A_YEAR = NOW + timedelta(days=365)
PURPOSES = ["profiling", "offers", "measurement"]


def open_consent() -> tuple[seg1.ConsentLedger, seg1.Consent]:
    ledger = seg1.ConsentLedger("consent.sqlite")
    consent = seg1.Consent.for_purposes(
        ledger, train="profiling", decide="offers", measure="measurement"
    )
    return ledger, consent


def rank(model: seg1.ALSModel, customer: int, consent: seg1.Consent) -> dict[str, object]:
    ranking = model.recommend(customer, n=10, exclude_seen=True, consent=consent, at=NOW)
    return {
        "items": list(ranking.items),
        "scores": [score.hex() for score in ranking.scores.tolist()],
        "personalised": ranking.personalised,
        "reason": ranking.reason,
        "words": [why.words() for why in ranking.reasons],
    }


def first() -> dict[str, object]:
    events = seg1.Events.from_table(
        load_extract().receipts,
        customer="household_id",
        item="product_id",
        time="time",
        value="sales_value",
    )
    ledger, consent = open_consent()
    stays, leaves, never = (int(c) for c in events.customers.ids[:3])
    for customer in (stays, leaves, *map(int, events.customers.ids[3:60])):
        ledger.grant(customer, PURPOSES, at=NOW, until=IN_A_YEAR)
    builder = seg1.InteractionMatrixBuilder(half_life_days=90)
    interactions = builder.build(events, consent=consent, at=NOW)
    model = seg1.ALS(factors=16, seed=7).fit(interactions)
    model.save("model")
    told = {
        "n_customers": len(interactions.customers),
        "never_in_matrix": never in interactions.customers,
        "accounted": interactions.provenance.n_events
        + sum(interactions.provenance.dropped.values()),
        "n_events": len(events),
        "before": {c: rank(model, c, consent) for c in (stays, leaves, never)},
    }
    ledger.withdraw(leaves, at=NOW)
    told["after"] = {c: rank(model, c, consent) for c in (stays, leaves, never)}
    ledger.close()
    return told


def restart() -> dict[str, object]:
    ledger, consent = open_consent()
    model = seg1.ALSModel.load("model")
    customers = map(int, sys.argv[2:])
    told: dict[str, object] = {"after": {c: rank(model, c, consent) for c in customers}}
    ledger.close()
    return {**told, "implicit_imported": "implicit" in sys.modules}


if __name__ == "__main__":
    json.dump(first() if sys.argv[1] == "first" else restart(), sys.stdout)
