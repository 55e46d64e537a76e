"""The right of access: one call gives all that is held of a customer, as plain values."""

import json
from typing import Any

import pytest
from small_engine import (
    CONTEXT,
    DAY,
    PURPOSES,
    T0,
    consent_of,
    decide,
    engine_of,
    ledger_of,
    rows_of,
    state_of,
    without,
)  # fmt: skip

from seg1 import ALS, ConsentLedger, Events, FrequencyCap, InteractionMatrixBuilder, Offer
from seg1.decide import Personalizer
from seg1.decide.affinity import Affinity
from seg1.errors import InvalidArgumentError, WrongIdTypeError
from seg1.journal import Erased, Observed, Swapped
from seg1.recommend import ALSModel

OFFERS = [Offer("tea", items=["tea"], prices=[2.0, 1.0]), Offer(7, items=["milk"])]


def fitted() -> ALSModel:
    table = {"customer": ["ana", "ana", "bo"], "item": ["tea", "milk", "tea"], "time": [0, 0, 0]}
    builder, consent = InteractionMatrixBuilder(), consent_of(ledger_of("ana", "bo"))
    return ALS(factors=2, seed=1).fit(
        builder.build(Events.from_table(table), consent=consent, at=T0)
    )


def known_engine(ledger: ConsentLedger, *, recommender: ALSModel | None = None) -> Personalizer:
    """An engine that knows two customers: decisions, answers, observed events, contacts."""
    engine = engine_of(
        OFFERS,
        consent=consent_of(ledger),
        filters=[FrequencyCap(3, days=7)],
        recommender=recommender,
    )
    for n, who in enumerate(["ana", "bo", "ana"]):
        d = decide(engine, who, at=T0 + n, key=f"{who}-{n}")
        engine.exposed(d.id, at=T0 + n)
        engine.outcome(d.id, accepted=True, at=T0 + n)
        engine.observe(who, item="milk", kind="view", value=2.0, at=T0 + n)
    return engine


def exported(engine: Personalizer, who: str = "ana", *, at: int = T0 + DAY) -> dict[str, Any]:
    """Export as JSON, and read it back: so what is asserted is what a customer would be sent."""
    told: dict[str, Any] = json.loads(json.dumps(engine.export(who, at=at)))
    assert told == engine.export(who, at=at)
    return told


def test_all_that_is_held_of_a_customer_is_given() -> None:
    told = exported(known_engine(ledger_of("ana", "bo")))

    assert (told["customer"], told["at_us"]) == ("ana", T0 + DAY)
    assert [(e["purpose"], e["kind"]) for e in told["said"]] == [(p, "grant") for p in PURPOSES]
    assert [(row["kind"], row["decision_id"]) for row in told["decisions"]] == [
        (kind, f"ana-{n}") for n in (0, 2) for kind in ("decided", "exposed", "outcome")
    ]
    assert [(row["item"], row["what"], row["value"]) for row in told["observed"]] == [
        ("milk", "view", 2.0)
    ] * 2
    n_contacts = sum(row.get("offer") is not None for row in told["decisions"])
    assert len(told["contacts_us"]) == n_contacts
    assert ["decide", True, "granted"] in told["permits"]
    assert ["export", True, "own right"] in told["permits"]
    assert told["recommender"] is None


def test_a_decision_is_told_by_names_and_not_by_positions() -> None:
    engine = known_engine(ledger_of("ana", "bo"), recommender=fitted())

    decision = exported(engine)["decisions"][0]

    context, affinity = dict(decision["context"]), decision["affinity"]
    assert context["intercept"] == 1.0
    assert context["channel=app"] > 0 == context["channel=till"]
    assert [offer for offer, _ in affinity] == ["tea", 7]
    assert decision["eligible"] == [
        ["tea", 2.0, None], ["tea", 1.0, None], [7, None, None], [None, None, None],
    ]  # fmt: skip
    chosen = [decision["offer"], decision["price"], decision["slot"]]
    assert chosen in decision["eligible"]


def test_an_offer_that_could_not_be_shown_is_not_told_as_eligible() -> None:
    engine = engine_of([Offer("till only", placements=["till"]), Offer("tea")])
    decide(engine, "ana")

    (decision,) = exported(engine)["decisions"]

    assert decision["eligible"] == [["tea", None, None], [None, None, None]]


def test_what_the_recommender_holds_and_reads_is_told() -> None:
    model = fitted()
    engine = known_engine(ledger_of("ana", "bo"), recommender=model)

    told = exported(engine)["recommender"]

    code = model.interactions.customers.encode(["ana"])[0]
    assert told["version"] == model.version
    assert dict(told["history"]).keys() == {"tea", "milk"}
    assert told["factors"] == model.customer_factors[code].tolist()
    observed, affinity = state_of(engine).observed["ana"], Affinity(model, tuple(OFFERS))
    read = affinity.of("ana", observed).tolist()
    assert told["affinity"] == [["tea", read[0]], [7, read[1]]]
    assert read != affinity.of("ana", []).tolist()  # what was observed since is in it


def test_of_who_is_not_in_the_fit_the_recommender_holds_nothing() -> None:
    ledger = ledger_of("ana", "bo", "cy")

    told = exported(known_engine(ledger, recommender=fitted()), "cy")

    assert told["recommender"]["history"] == told["recommender"]["factors"] == []
    assert told["recommender"]["affinity"] == [["tea", 0.0], [7, 0.0]]
    assert told["left_by_erase"] == ["consent ledger: what was said, as the evidence"]


def test_it_is_what_an_erasure_removes_and_says_what_that_leaves() -> None:
    engine = known_engine(ledger_of("ana", "bo"), recommender=fitted())
    before = exported(engine)

    erasure = engine.erase("ana", at=T0 + DAY)
    after = exported(engine)

    assert erasure.n_rows == len(before["decisions"]) + len(before["observed"]) == 8
    assert before["left_by_erase"] == [
        "consent ledger: what was said, as the evidence", *erasure.residual,
    ]  # fmt: skip
    assert after["decisions"] == after["observed"] == after["contacts_us"] == []
    assert after["said"] == before["said"]


def test_who_may_not_be_decided_for_may_have_the_own_data() -> None:
    ledger = ledger_of("ana", "bo")
    engine = known_engine(ledger)
    ledger.restrict("ana", at=T0 + 5)
    engine.withdraw("ana", at=T0 + 6)

    told = exported(engine)

    assert [stage for stage, is_permitted, _ in told["permits"] if is_permitted] == ["export"]
    assert len(told["decisions"]) == 6
    assert [event["kind"] for event in told["said"][-2:]] == ["restrict", "withdraw"]


def test_a_stranger_gets_what_is_held_nothing() -> None:
    told = exported(known_engine(ledger_of("ana", "bo")), "nobody")

    held = ("said", "decisions", "observed", "contacts_us", "left_by_erase")
    assert [told[part] for part in held] == [[]] * 5


def test_nothing_of_anybody_else_is_in_it() -> None:
    engine = known_engine(ledger_of("ana", "bo"), recommender=fitted())

    assert '"bo' not in json.dumps(engine.export("ana", at=T0 + DAY))


def test_an_export_writes_nothing() -> None:
    engine = known_engine(ledger_of("ana", "bo"), recommender=fitted())
    before, rows = engine.fingerprint(), rows_of(engine)

    engine.export("ana", at=T0 + 99 * DAY)

    assert (engine.fingerprint(), rows_of(engine)) == (before, rows)


def test_a_policy_that_does_not_permit_export_is_refused_with_what_to_write() -> None:
    engine = engine_of(consent=without("none", ledger_of("ana")))

    with pytest.raises(InvalidArgumentError, match="the policy permits no export: name a purpose"):
        engine.export("ana", at=T0)


def test_an_id_of_another_kind_is_refused() -> None:
    engine = known_engine(ledger_of("ana", "bo"))

    with pytest.raises(WrongIdTypeError):
        engine.export(5, at=T0)


def test_where_no_consent_is_needed_nothing_was_said() -> None:
    engine = engine_of()
    decide(engine, "ana")

    told = exported(engine)

    assert (told["said"], told["left_by_erase"], len(told["decisions"])) == ([], [], 1)
    assert told["permits"][0] == ["ingest", True, "not needed"]


def test_decisions_of_an_earlier_catalogue_are_told_by_its_names() -> None:
    engine = engine_of([Offer("old")])
    engine.decide("ana", placement="app", context=CONTEXT, at=T0)
    later = engine_of([Offer("new"), Offer("newer")], journal=engine.journal)
    later.decide("ana", placement="app", context=CONTEXT, at=T0 + 1)

    first, second = exported(later)["decisions"]

    assert first["eligible"] == [["old", None, None], [None, None, None]]
    assert second["eligible"] == [["new", None, None], ["newer", None, None], [None, None, None]]


def test_of_a_catalogue_that_is_lost_the_bytes_are_given() -> None:
    engine = engine_of()
    decide(engine, "ana")
    rows = [row for row in rows_of(engine) if not isinstance(row, Swapped | Erased)]
    other = engine_of([Offer("other")])
    for row in rows:
        other.journal.append(row)

    (told,) = exported(other)["decisions"]

    row = rows[0]
    assert told["eligible"] == getattr(row, "eligible").hex()  # noqa: B009  # of a decided row
    assert told["context"] == getattr(row, "context").hex()  # noqa: B009  # the same
    assert not isinstance(row, Observed)
