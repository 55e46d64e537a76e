"""The path through public names, in two acts with a restart between. The end-to-end test runs it.

Act "first" reads events, records consent in SQLite, fits, recommends, saves, decides and learns.
One customer withdraws, one objects, and all is written to an audit trail. Act "restart" is another
process: it opens what the first one left, goes on deciding, replays, measures and erases.
"""

import json
import struct
import sys
import warnings
from datetime import UTC, datetime, timedelta

import seg1
from seg1._types import Float64s
from seg1.bandit import PartialPooling
from seg1.consent import AuditHead, AuditTrail, GlobalPrivacyControl, MinimumAge, verify_audit
from seg1.decide import EarlyAnswers, replay
from seg1.demo import load_extract
from seg1.journal import States

NOW = datetime(2017, 11, 5, tzinfo=UTC)
IN_A_YEAR = NOW + timedelta(days=365)
LATER = NOW + timedelta(days=60)
EARLY = EarlyAnswers(hours=12, min_answers=5)
PURPOSES = ["profiling", "offers", "measurement"]
N_CUSTOMERS = 400
OFFERS = [
    seg1.Offer("coffee", items=[981760], cost=0.30, prices=[1.29, 0.99], slots=["now", "saturday"]),
    seg1.Offer("bakery", cost=0.20, prices=[0.89]),
    seg1.Offer("members only", worth=1.0, audience=lambda customer, _: int(customer) % 2 == 0),
]


AUDIT_KEY = b"a key of the end-to-end test"


def open_consent() -> tuple[seg1.ConsentLedger, seg1.Consent, AuditTrail]:
    trail = AuditTrail("audit.jsonl", key=AUDIT_KEY)
    ledger = seg1.ConsentLedger("consent.sqlite", audit=trail)
    consent = seg1.Consent.for_purposes(
        ledger,
        train="profiling",
        decide="offers",
        measure="measurement",
        features={"mood": "wellbeing"},
        vetoes=[
            MinimumAge(16, ages=lambda _: 40),
            GlobalPrivacyControl(lambda _: None, purposes=["offers"]),
        ],
        retention_days={"profiling": 3_650},
        audit=trail,
    )
    return ledger, consent, trail


def open_selector() -> seg1.OfferSelector:
    context = seg1.ContextSchema(
        numeric={"hour": (0, 24), "mood": (0, 10)},
        categorical={"channel": ["app", "till"]},
        special={"mood": "explicit consent"},
    )
    goal = seg1.Goal.margin(contact_cost=0.02)
    # With a floor this high the log can judge a policy that shows everything alike.
    return seg1.OfferSelector(OFFERS, context=context, goal=goal, floor=0.3, seed=7)


def open_engine(model: seg1.ALSModel, consent: seg1.Consent) -> seg1.Personalizer:
    return seg1.Personalizer(
        open_selector(),
        consent=consent,
        recommender=model,
        filters=[seg1.FrequencyCap(3, days=7)],
        history=PartialPooling(),
        segment="channel",
        delay_model=EARLY,
        holdout=seg1.Holdout(0.2, key=b"a secret of the end-to-end test"),
        journal="shop.sqlite",
    )


def rank(model: seg1.ALSModel, customer: int, consent: seg1.Consent) -> dict[str, object]:
    ranking = model.recommend(customer, n=10, exclude_seen=True, consent=consent, at=NOW)
    return {
        "items": list(ranking.items),
        "scores": [score.hex() for score in ranking.scores.tolist()],
        "personalised": ranking.personalised,
        "reason": ranking.reason,
        "words": [why.words() for why in ranking.reasons],
    }


def contact(engine: seg1.Personalizer, customer: int, number: int) -> str:
    """Decide, show and answer once; who is even accepts whatever is shown."""
    at = NOW + timedelta(minutes=number)
    channel = "app" if number % 3 else "till"
    context = {"hour": number % 24, "channel": channel, "mood": 2}  # which nobody permits
    d = engine.decide(
        customer, placement="app-home", context=context, at=at, id=f"contact-{number}"
    )
    if d.logged and d.offer is not None:
        engine.exposed(d.id, at=at)
        if customer % 2 == 0:
            engine.outcome(d.id, accepted=True, at=at + timedelta(hours=2))
    return d.mode


def decide_probe(engine: seg1.Personalizer, customer: int) -> seg1.decide.Decision:
    context = {"hour": 8, "channel": "app"}
    at = NOW + timedelta(days=1)
    return engine.decide(customer, placement="app-home", context=context, at=at, id="probe")


def slate_of(selector: seg1.OfferSelector) -> list[object]:
    """Several offers at once, and what speaks for the first of them."""
    context = {"hour": 17, "channel": "till"}
    slate = selector.choose(context, id="visit-2", at=NOW, n=3, allow=["coffee", "bakery"])
    why = selector.reasons(slate[0])
    return [
        [[choice.offer, choice.price, choice.slot, choice.action_prob.hex()] for choice in slate],
        sorted(told.feature for told in why.contributions),
    ]


def first() -> dict[str, object]:
    events = seg1.Events.from_table(
        load_extract().receipts,
        customer="household_id",
        item="product_id",
        time="time",
        value="sales_value",
    )
    ledger, consent, trail = open_consent()
    customers = [int(c) for c in events.customers.ids[:N_CUSTOMERS]]
    stays, leaves, never, objects = customers[:4]
    for customer in (stays, leaves, *customers[3:]):
        ledger.grant(customer, PURPOSES, at=NOW, until=IN_A_YEAR)
    interactions = seg1.InteractionMatrixBuilder(half_life_days=90).build(
        events, consent=consent, at=NOW
    )
    model = seg1.ALS(factors=16, seed=7).fit(interactions)
    model.save("model")
    selector = open_selector()
    choice = selector.choose({"hour": 8, "channel": "app"}, id="visit-1", at=NOW)
    selector.learn(choice, accepted=choice.offer is not None, at=NOW)
    selector.save("selector")
    told: dict[str, object] = {
        "n_customers": len(interactions.customers),
        "never_in_matrix": never in interactions.customers,
        "accounted": interactions.provenance.n_events
        + sum(interactions.provenance.dropped.values()),
        "n_events": len(events),
        "before": {c: rank(model, c, consent) for c in (stays, leaves, never)},
        "alone": 0 < choice.action_prob <= 1,
        "slate": slate_of(selector),
    }
    engine = open_engine(model, consent)
    engine.observe(stays, item=981760, kind="view", at=NOW)
    told["modes"] = [contact(engine, c, number) for number, c in enumerate(customers)]
    probe = decide_probe(engine, stays)
    told["probe"] = [probe.offer, probe.price, probe.slot, probe.action_prob.hex()]
    engine.withdraw(leaves, at=NOW + timedelta(days=1))
    for day in (1, 2):  # everybody comes again, in the same channel
        for number, customer in enumerate(customers, day * 24 * 60):
            contact(engine, customer, number)
    told["learned_early"] = contacts_learned_early(engine, customers)
    told["after"] = {c: rank_later(model, c, consent) for c in (stays, leaves, never)}
    contact_of_leaver = f"contact-{customers.index(leaves)}"
    told["late_answer"] = engine.outcome(
        contact_of_leaver, accepted=True, at=NOW + timedelta(days=2)
    )
    held = engine.export(stays, at=NOW + timedelta(days=2))
    told["exported"] = {name: held[name] for name in ("customer", "said", "decisions", "observed")}
    told["seq"] = engine.decide(leaves, placement="app-home", at=NOW).mode
    ledger.object(objects, at=NOW + timedelta(days=1))
    told["policy"] = model.manifest["policy"] == consent.version
    told["fingerprint"] = engine.fingerprint()
    told["audit"], told["objector"] = list(trail.head), objects
    for part in (ledger, engine, trail):
        part.close()
    return told


def contacts_learned_early(engine: seg1.Personalizer, customers: list[int]) -> list[int]:
    """Let everybody come on the tenth day; give how much is learned before and after its night."""
    for number, customer in enumerate(customers, 10 * 24 * 60):
        contact(engine, customer, number)
    before = engine.n_learned
    engine.observe(customers[0], item=981760, kind="view", at=NOW + timedelta(days=11))
    return [before, engine.n_learned]


def rank_later(model: seg1.ALSModel, customer: int, consent: seg1.Consent) -> dict[str, object]:
    at = NOW + timedelta(days=1)
    ranking = model.recommend(customer, n=10, exclude_seen=True, consent=consent, at=at)
    return {"items": list(ranking.items), "reason": ranking.reason}


def even(states: States) -> Float64s:
    p: Float64s = states.eligible / states.eligible.sum(axis=1, keepdims=True)
    return p


def serve(consent: seg1.Consent, stays: int, leaves: int) -> dict[str, object]:
    """A second worker: unverified, live events, a blend in a chain, and a compiled set."""
    worker = seg1.ALSModel.load("model", verify=False)
    interactions, at = worker.interactions, NOW + timedelta(days=1)
    live = seg1.interactions.LiveInteractions(interactions, consent=consent)
    item = next(i for i in interactions.items.ids if i not in interactions.history_of(stays))
    kept = [live.append(customer, [item], at=at) for customer in (stays, leaves)]
    habit, popular = seg1.BuyAgain().fit(interactions), seg1.Popularity().fit(interactions)
    blend = seg1.recommend.Blend(weights=(1.0, 0.3)).fit([habit, worker])
    chain = seg1.recommend.FallbackChain([blend], anyone=popular)
    gone = worker.item_set(popular.rank_for_anyone(50).items)
    shown = {
        who: chain.recommend(
            who, n=50, exclude_seen=False, consent=consent, at=at, deny=gone,
            history=live.history(who),
        )
        for who in (stays, leaves)
    }  # fmt: skip
    return {
        "live_kept": kept,
        "live_is_seen": item in live.history(stays),
        "live_ranked": shown[stays].personalised,
        "denied_shown": sum(i in gone for ranking in shown.values() for i in ranking.items),
        "leaver_ranked": [shown[leaves].personalised, shown[leaves].reason],
    }


def effects_of(engine: seg1.Personalizer, customer: int, channel: str) -> list[float]:
    """What moved a decision, after all windows have closed: effects of each offer, and of none."""
    d = engine.decide(
        customer, placement="till", context={"channel": channel}, at=LATER, id=f"late-{channel}"
    )
    row = engine.journal.find(d.id)
    return list(struct.unpack("<4d", row.effects)) if row is not None else []


def answers_of(engine: seg1.Personalizer, customer: int) -> int:
    """How many answers to its offers an engine keeps of a customer."""
    decisions = engine.export(customer, at=LATER)["history"]
    assert isinstance(decisions, dict)
    return sum(held["n_rows"] for held in decisions["answers"])


def restart() -> dict[str, object]:
    stays, leaves, never, objects, n_lines = map(int, sys.argv[2:7])
    head = AuditHead(n_lines, sys.argv[7])
    told: dict[str, object] = {"audit": list(verify_audit("audit.jsonl", key=AUDIT_KEY, head=head))}
    ledger, consent, trail = open_consent()
    selector = open_selector()
    selector.resume("selector")
    told["slate"] = slate_of(selector)
    model = seg1.ALSModel.load("model")
    told["after"] = {c: rank_later(model, c, consent) for c in (stays, leaves, never)}
    told["served"] = serve(consent, stays, leaves)
    with open_engine(model, consent) as engine:
        told["fingerprint"] = engine.fingerprint()
        told["mode_of_objector"] = engine.decide(objects, placement="till", at=LATER).mode
        probe = decide_probe(engine, stays)
        told["probe"] = [probe.offer, probe.price, probe.slot, probe.action_prob.hex()]
        told["mode_of_leaver"] = engine.decide(leaves, placement="till", at=LATER).mode
        told["n_learned"] = engine.n_learned
        replayed = replay(engine.journal, open_selector(), delay_model=EARLY)
        told["replayed"] = [replayed.n_same, replayed.n_different, replayed.n_not_replayable]
        log = seg1.DecisionLog.from_journal(engine.journal, consent=consent, at=LATER)
        told["log"] = len(log)
        told["effects"] = [effects_of(engine, stays, channel) for channel in ("till", "app")]
        told["answers"] = [answers_of(engine, customer) for customer in (stays, leaves)]
        told["leaver_in_log"] = leaves in log.customers
        names = open_selector().schema.names
        missing = log.states.context[:, names.index("mood:missing")]
        told["mood_is_missing"] = bool(missing.all())
        told["lift"] = seg1.measure.lift(log).estimate
        told["by"] = sorted(seg1.measure.lift(log, by="channel", min_customers=5))
        gate = seg1.measure.Gate(min_ess=20, max_weight_share=1.0, max_mean_weight_z=4.0)
        value = seg1.measure.value(log, policy=even, estimator="dr", gate=gate)
        told["value"] = [value.low, value.estimate, value.high]
        told["erased"] = engine.erase(stays, at=LATER).n_rows
        told["after_erasure"] = replay(
            engine.journal, open_selector(), delay_model=EARLY
        ).n_different
        told["answers_after_erasure"] = answers_of(engine, stays)
    ledger.close()
    trail.close()
    return {**told, "implicit_imported": "implicit" in sys.modules}


if __name__ == "__main__":
    warnings.simplefilter("error")
    json.dump(first() if sys.argv[1] == "first" else restart(), sys.stdout)
