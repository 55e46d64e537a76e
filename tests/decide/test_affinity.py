"""Taste: what a recommender knows of a customer, as one more feature of each arm."""

import numpy as np
import pytest
from small_engine import (
    ANYONE,
    DAY,
    T0,
    consent_of,
    decide,
    decided_rows,
    engine_of,
    ledger_of,
    rows_of,
    selector_of,
    state_of,
    told_state,
    without,
)  # fmt: skip

from seg1 import ALS, ALSModel, Events, InteractionMatrixBuilder, Offer
from seg1._types import Float64s, Id
from seg1.decide.affinity import Affinity
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.interactions import LiveInteractions
from seg1.journal import DecisionLog, MemoryJournal, Observed, Swapped, Withheld
from seg1.measure import Gate, value

OFFERS = (
    Offer("dairy", items=["milk", "cheese"]), Offer("bakery", items=["bread", "rolls"]),
    Offer("new", items=["moon cheese"]), Offer("plain"),
)  # fmt: skip


def fitted(*, seed: int = 1, **settings: object) -> ALSModel:
    """Customers 0 to 19 live on dairy, 20 to 39 on bread."""
    rows: list[tuple[int, str]] = []
    for customer in range(40):
        rows += [(customer, item) for item in (("milk", "cheese") if customer < 20
                                               else ("bread", "rolls"))]  # fmt: skip
        rows.append((customer, "eggs"))
    events = Events.from_table(
        {"customer": [c for c, _ in rows], "item": [i for _, i in rows], "time": [0] * len(rows),
         "value": [1.0] * len(rows)}, value="value",
    )  # fmt: skip
    builder = InteractionMatrixBuilder(**settings)  # type: ignore[arg-type]  # passed on
    interactions = builder.build(events, consent=ANYONE, at=0)
    return ALS(factors=3, seed=seed).fit(interactions)


@pytest.fixture(scope="module")
def model() -> ALSModel:
    return fitted()


def event(customer: Id, item: Id, *, what: str = "event", value: float = 1.0) -> Observed:
    return Observed(customer=customer, item=item, at_us=T0, what=what, value=value)


def test_taste_speaks_for_the_offers_of_its_items(model: ALSModel) -> None:
    affinity = Affinity(model, OFFERS)

    dairy, bakery = affinity.of(3, []), affinity.of(30, [])

    assert dairy[0] > 0.5 > dairy[1]
    assert bakery[1] > 0.5 > bakery[0]
    assert dairy[2:].tolist() == [0.0, 0.0]
    assert dairy.dtype == np.float64
    assert dairy.shape == (4,)


def test_nothing_is_known_of_a_stranger_or_of_items_that_are_new(model: ALSModel) -> None:
    affinity = Affinity(model, OFFERS)

    assert affinity.of(99, []).tolist() == [0.0] * 4
    assert affinity.of(99, [event(99, "moon cheese")]).tolist() == [0.0] * 4
    assert (affinity.knows(3), affinity.knows(99), affinity.knows("3")) == (True, False, False)


def test_what_was_just_observed_speaks_too(model: ALSModel) -> None:
    affinity = Affinity(model, OFFERS)

    stranger = affinity.of(99, [event(99, "bread"), event(99, "rolls")])
    turned = affinity.of(3, [event(3, "bread", value=50.0), event(3, "rolls", value=50.0)])

    assert stranger[1] > stranger[0]
    assert turned[1] > affinity.of(3, [])[1]


@pytest.mark.parametrize("value", [0.0, 5e-324, 1e-40, 1.0, 1e30, 1.7e308])
@pytest.mark.parametrize("transform", ["log1p", "identity", "count"])
@pytest.mark.parametrize("compress", ["none", "log1p"])
def test_no_value_of_an_event_breaks_a_decision(
    value: float, transform: str, compress: str
) -> None:
    affinity = Affinity(fitted(transform=transform, compress=compress), OFFERS)

    of_known = affinity.of(3, [event(3, "bread", value=value)] * 3)
    of_stranger = affinity.of(99, [event(99, "bread", value=value)])

    for known in (of_known, of_stranger):
        assert np.isfinite(known).all()
        assert (np.abs(known) <= 1.0).all()


def test_events_weigh_as_the_builder_of_the_matrix_weighs_them() -> None:
    model = fitted(kind_weights={"view": 0.0, "buy": 2.0}, transform="identity")
    affinity = Affinity(model, OFFERS)

    viewed = affinity.of(99, [event(99, "bread", what="view")])
    bought = affinity.of(99, [event(99, "bread", what="buy")])
    twice = affinity.of(99, [event(99, "bread", what="gift")] * 2)

    assert viewed.tolist() == [0.0] * 4
    assert bought.tolist() == twice.tolist()
    assert bought[1] > 0


def features_seen(engine_rows: list[bytes]) -> Float64s:
    return np.array([np.frombuffer(row) for row in engine_rows])


def test_the_very_next_decision_knows_what_was_observed(model: ALSModel) -> None:
    engine = engine_of(OFFERS, recommender=model)

    decide(engine, 99)
    engine.observe(99, item="bread", at=T0 + 1)
    decide(engine, 99, at=T0 + 2)

    before, after = features_seen([row.affinity for row in decided_rows(engine)])
    assert before.tolist() == [0.0] * 4
    assert after[1] > 0


def test_without_features_no_taste_is_read_or_written(model: ALSModel) -> None:
    ledger = ledger_of(3, 99)
    blind = engine_of(OFFERS, recommender=model, consent=without("features", ledger))
    stranger = engine_of(OFFERS, recommender=model)
    blind.observe(3, item="bread", at=T0)

    for n in range(30):
        told = decide(blind, 3, key=f"visit-{n}")
        seen = stranger.decide(99, placement="app", at=T0, id=f"visit-{n}")
        assert (told.offer, told.action_prob) == (seen.offer, seen.action_prob)

    assert {row.affinity for row in decided_rows(blind)} == {np.zeros(4).tobytes()}


def test_a_fallback_reads_no_taste(model: ALSModel) -> None:
    engine = engine_of(OFFERS, recommender=model, consent=consent_of(ledger_of(1)))

    decision = decide(engine, 3)

    assert decision.mode == "fallback"
    assert decision.versions.model == ""
    assert {row.affinity for row in decided_rows(engine)} == {b""}


def test_what_is_learned_lies_in_the_features_that_were_seen(model: ALSModel) -> None:
    journal = MemoryJournal()
    engine = engine_of(OFFERS, recommender=model, journal=journal)
    for n in range(200):
        decision = decide(engine, n % 40, at=T0 + n, key=f"visit-{n}")
        engine.exposed(decision.id, at=T0 + n)
        likes = "dairy" if n % 40 < 20 else "bakery"
        if decision.offer == likes:
            engine.outcome(decision.id, accepted=True, at=T0 + n)

    engine.observe(1, item="milk", at=T0 + 8 * DAY)

    late = [engine.decide(c, placement="app", at=T0 + 9 * DAY, id=f"late-{c}") for c in (3, 33)]
    predicted = features_seen([row.affinity for row in decided_rows(engine)[-2:]])
    assert engine.n_learned > 100
    assert predicted[0, 0] > predicted[1, 0]
    assert all(0 <= d.response_prob <= 1 for d in late)
    again = engine_of(OFFERS, recommender=model, journal=journal)
    assert told_state(state_of(again)) == told_state(state_of(engine))


def test_what_the_engine_knows_can_be_frozen_and_asked_about_its_log(model: ALSModel) -> None:
    engine = engine_of(OFFERS, recommender=model)
    for n in range(100):
        decision = decide(engine, n % 40, at=T0 + n)
        engine.exposed(decision.id, at=T0 + n)
        if decision.offer == "dairy":
            engine.outcome(decision.id, accepted=True, at=T0 + n)
    # A row that waits longer than the others makes all of those learned, and nothing after it.
    last = decide(engine, 3, at=T0 + 8 * DAY)

    policy = engine.frozen()
    log = DecisionLog.from_journal(engine.journal, consent=ANYONE, at=T0 + 20 * DAY)

    assert engine.n_learned > 50
    assert log.states.affinity.shape == (101, 4)
    assert log.states.affinity.any()
    again = policy(log.states)
    assert np.allclose(again.sum(axis=1), 1)
    then = decide(engine, 3, at=T0 + 8 * DAY, key="then")
    arm = decided_rows(engine)[-1].arm
    assert again[-1, arm] == pytest.approx(then.action_prob, abs=1e-12)
    assert last.placement == then.placement


def test_events_that_are_in_the_matrix_already_count_once(model: ALSModel) -> None:
    affinity = Affinity(model, OFFERS)
    before = Observed(customer=3, item="bread", at_us=0, what="event", value=50.0)

    assert affinity.of(3, [before]).tolist() == affinity.of(3, []).tolist()
    assert affinity.of(3, [before, event(3, "bread")])[1] > affinity.of(3, [])[1]


def test_events_that_a_compacted_matrix_holds_count_once() -> None:
    live = LiveInteractions(fitted().interactions, consent=ANYONE)
    live.append(3, ["bread"], at=T0)
    live.append(3, ["rolls"], at=T0 + 9, time=5)
    affinity = Affinity(ALS(factors=3, seed=1).fit(live.compact(at=T0 + DAY)), OFFERS)
    later = Observed(customer=3, item="bread", at_us=T0 + 1, what="event", value=1.0)

    held, with_later = (affinity.of(3, [event(3, "bread"), *more]) for more in ([], [later]))

    assert held.tolist() == affinity.of(3, []).tolist()
    assert with_later.tolist() == affinity.of(3, [later]).tolist() != held.tolist()


@pytest.mark.parametrize("half_life_days", [None, 2.0])
@pytest.mark.parametrize("combine", ["sum", "max", "last"])
@pytest.mark.parametrize("compress", ["none", "log1p"])
def test_observed_events_count_as_a_live_matrix_counts_them(
    half_life_days: float | None, combine: str, compress: str
) -> None:
    model = fitted(half_life_days=half_life_days, combine=combine, compress=compress)
    live, affinity = LiveInteractions(model.interactions, consent=ANYONE), Affinity(model, OFFERS)
    happened = [("bread", 4.0, 3), ("milk", 0.5, 2), ("bread", 0.25, 6), ("bread", 2.0, 5)]

    for item, amount, day in happened:
        live.append(3, {item: amount}, at=day * DAY)
    observed = [
        Observed(customer=3, item=item, at_us=day * DAY, what="event", value=amount)
        for item, amount, day in happened
    ]

    same = affinity._offer_factors @ model.fold_in(live.history(3))
    assert affinity.of(3, observed) == pytest.approx(same.clip(-1, 1), rel=1e-5, abs=1e-7)


def test_taste_decides_once_it_was_seen_to_matter(model: ALSModel) -> None:
    engine = engine_of(OFFERS, recommender=model)
    for n in range(400):
        decision = decide(engine, n % 40, at=T0 + n)
        engine.exposed(decision.id, at=T0 + n)
        if decision.offer == ("dairy" if n % 40 < 20 else "bakery"):
            engine.outcome(decision.id, accepted=True, at=T0 + n)
    engine.observe(1, item="milk", at=T0 + 8 * DAY)
    log = DecisionLog.from_journal(engine.journal, consent=ANYONE, at=T0 + 20 * DAY)

    p = engine.frozen()(log.states)

    loves_dairy = log.states.affinity[:, 0] > log.states.affinity[:, 1]
    assert 0 < loves_dairy.sum() < len(p)
    assert p[loves_dairy, 0].mean() > 1.2 * p[~loves_dairy, 0].mean()
    assert p[~loves_dairy, 1].mean() > 1.2 * p[loves_dairy, 1].mean()
    gate = Gate(min_ess=1, max_weight_share=1.0, max_mean_weight_z=1e9)
    assert value(log, policy=engine.frozen(), gate=gate).estimate > 0


def test_another_fit_is_in_force_from_the_next_decision_on(model: ALSModel) -> None:
    engine = engine_of(OFFERS, recommender=model)
    other = fitted(seed=2)
    first = decide(engine, 3)

    engine.swap(other, at=T0)

    assert (first.versions.model, decide(engine, 3).versions.model) == (
        model.version,
        other.version,
    )
    assert rows_of(engine)[-2] == Swapped(what="model", at_us=T0, version=other.version, body="{}")


def test_a_swap_that_closes_windows_learns_nothing_after_a_withdrawal(model: ALSModel) -> None:
    engine = engine_of(OFFERS, consent=consent_of(ledger_of(3)), recommender=model)
    engine.exposed(decide(engine, 3, key="visit-3").id, at=T0)
    engine.withdraw(3, at=T0 + 1)

    engine.swap(fitted(seed=2), at=T0 + 30 * DAY)

    assert Withheld(decision_id="visit-3", at_us=T0) in rows_of(engine)
    assert engine.n_learned == 0


def test_a_swap_that_cannot_be_changes_nothing(model: ALSModel) -> None:
    engine = engine_of(OFFERS, recommender=model)
    n_rows = len(rows_of(engine))

    with pytest.raises(InvalidTypeError, match="recommender must be an ALSModel, got NoneType"):
        engine.swap(None, at=T0)  # type: ignore[arg-type]  # that is what is tested
    with pytest.raises(InvalidTypeError, match="at must be"):
        engine.swap(fitted(seed=2), at="now")  # type: ignore[arg-type]  # that is what is tested
    with pytest.raises(InvalidArgumentError, match="opened without a recommender"):
        engine_of(OFFERS).swap(model, at=T0)

    assert len(rows_of(engine)) == n_rows
    assert decide(engine, 3).versions.model == model.version


def test_an_erasure_says_what_the_recommender_still_holds(model: ALSModel) -> None:
    engine = engine_of(OFFERS, recommender=model)

    known, stranger, other_kind = (engine.erase(c, at=T0) for c in (3, 99, "3"))

    assert known.residual == ("recommender: history and factors, until the next fit without them",)
    assert stranger.residual == other_kind.residual == ()


def test_rows_without_taste_are_not_learned_by_an_engine_with_it(model: ALSModel) -> None:
    journal = MemoryJournal()
    plain = engine_of(OFFERS, journal=journal)
    for n in range(20):
        plain.exposed(decide(plain, n).id, at=T0)

    engine = engine_of(OFFERS, journal=journal, recommender=model, selector=selector_of(OFFERS))
    engine.observe(1, item="milk", at=T0 + 30 * DAY)

    assert engine.n_learned == 0
