"""`LiveInteractions`: what came since, weighed as if it had been there from the start."""

import math
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seg1 import Consent, ConsentLedger, ConsentNotNeeded, Events, InteractionMatrixBuilder
from seg1._checks import DAY_US
from seg1._types import Id
from seg1.consent import ConsentDoor, Customers, Verdicts
from seg1.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    NoInteractionsError,
    Seg1Error,
    WrongIdTypeError,
)
from seg1.interactions import Interactions, LiveInteractions
from seg1.testing.strategies import KINDS, Columns, events_tables

ANYONE = ConsentNotNeeded("made up")
REFERENCE_US = 20 * DAY_US
NOW_US = 50 * DAY_US
BUILDERS = st.builds(
    InteractionMatrixBuilder,
    kind_weights=st.dictionaries(st.sampled_from(KINDS), st.sampled_from([0.0, 0.2, 3.0])),
    transform=st.sampled_from(["log1p", "identity", "count"]),
    half_life_days=st.sampled_from([None, 5.0, 400.0]),
    combine=st.sampled_from(["sum", "max", "last"]),
    compress=st.sampled_from(["none", "log1p"]),
)
Row = tuple[str, int, int, float, str]  # customer, item, time, value, kind


def rows_of(table: Columns) -> list[Row]:
    names = ("customer", "item", "time", "value", "kind")
    return list(zip(*(table[name] for name in names), strict=True))


def slow_weights(rows: list[Row], builder: InteractionMatrixBuilder) -> dict[str, dict[int, float]]:
    """Weigh all rows against the reference time, event by event, oldest first."""
    weights: dict[str, dict[int, float]] = {}
    for customer, item, time, value, kind in sorted(rows, key=lambda row: row[2]):
        weight = builder.kind_weights.get(kind, 1.0)
        if value <= 0 or weight == 0:
            continue
        weight *= {"log1p": math.log1p(value), "identity": value, "count": 1.0}[builder.transform]
        if builder.half_life_days is not None:
            weight *= 2.0 ** ((time - REFERENCE_US) / DAY_US / builder.half_life_days)
        if not 1e-12 <= weight <= 1e30:
            continue
        own = weights.setdefault(customer, {})
        old = own.get(item, 0.0)
        own[item] = {"sum": old + weight, "max": max(old, weight), "last": weight}[builder.combine]
    if builder.compress == "log1p":
        return {who: {i: math.log1p(w) for i, w in own.items()} for who, own in weights.items()}
    return weights


def live_of(
    rows: list[Row], builder: InteractionMatrixBuilder, *, consent: ConsentDoor = ANYONE
) -> LiveInteractions:
    columns = dict(zip(("customer", "item", "time", "value", "kind"), zip(*rows, strict=True),
                       strict=True))  # fmt: skip
    events = Events.from_table(columns, value="value", kind="kind")
    return LiveInteractions(builder.build(events, consent=ANYONE, at=REFERENCE_US), consent=consent)


def all_weights(built: Interactions) -> dict[Id, dict[Id, float]]:
    return {customer: built.history_of(customer) for customer in built.customers.ids}


@given(table=events_tables(n_customers=2, n_items=3), builder=BUILDERS, is_batch=st.booleans())
def test_what_is_appended_weighs_as_if_it_had_been_there_from_the_start(
    table: Columns,
    builder: InteractionMatrixBuilder,
    is_batch: bool,  # noqa: FBT001  # hypothesis passes it by name
) -> None:
    rows = rows_of(table)
    early = [row for row in rows if row[2] <= REFERENCE_US]
    later = [row for row in rows if row[2] > REFERENCE_US]
    expected = slow_weights(rows, builder)
    assume(slow_weights(early, builder))
    live = live_of(early, builder)

    if is_batch:
        names = ("customer", "item", "time", "value", "kind")
        columns = {name: [row[place] for row in later] for place, name in enumerate(names)}
        live.extend(Events.from_table(columns, value="value", kind="kind"), at=NOW_US)
    else:
        for customer, item, time, value, kind in later:
            live.append(customer, {item: value}, at=NOW_US, time=time, kind=kind)
    built = live.compact(at=NOW_US)

    assert {who: live.history(who) for who in expected} == {
        who: pytest.approx(own, rel=3e-7) for who, own in expected.items()
    }
    assert all_weights(built) == {
        who: pytest.approx(own, rel=3e-7) for who, own in expected.items()
    }
    assert set(built.items.ids) == {item for own in expected.values() for item in own}
    for row in range(built.shape[0]):
        assert (np.diff(built.history(row)[0]) > 0).all()


def small(
    *,
    consent: ConsentDoor = ANYONE,
    **options: Any,  # noqa: ANN401  # handed on
) -> LiveInteractions:
    rows: list[Row] = [
        ("ana", 7, 0, 1.0, "buy"),
        ("bo", 8, 0, 1.0, "buy"),
        ("ana", 8, 0, 1.0, "buy"),
    ]
    return live_of(rows, InteractionMatrixBuilder(transform="count", **options), consent=consent)


def test_a_history_has_what_was_built_and_what_came_since() -> None:
    live = small()

    n_kept = live.append("ana", [8, 9, 9], at=NOW_US)

    assert n_kept == 3
    assert live.history("ana") == {7: 1.0, 8: 2.0, 9: 2.0}
    items, weights = live.history_codes("ana")
    assert items.dtype == np.int32
    assert weights.dtype == np.float32
    assert live.items.decode(items) == [7, 8, 9]
    assert weights.tolist() == [1.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("combine", "built", "new"), [("sum", 7.0, 6.0), ("max", 4.0, 4.0), ("last", 2.0, 2.0)]
)
def test_several_events_since_are_combined_as_the_builder_does(
    combine: Any,  # noqa: ANN401  # a literal
    built: float,
    new: float,
) -> None:
    live = live_of(
        [("ana", 7, 0, 1.0, "buy")], InteractionMatrixBuilder(transform="identity", combine=combine)
    )

    for days, value in ((30, 4.0), (31, 2.0)):
        live.append("ana", {7: value, 8: value}, at=NOW_US, time=days * DAY_US)

    assert live.history("ana") == {7: built, 8: new}
    assert live.compact(at=NOW_US).history_of("ana") == {7: built, 8: new}


def test_new_customers_and_items_are_taken_in() -> None:
    live = small()

    live.append("cy", {9: 4.0}, at=NOW_US)

    assert live.history("cy") == {9: 1.0}
    assert live.history("dee") == {}
    assert live.compact(at=NOW_US).customers.ids == ("ana", "bo", "cy")


def test_the_matrix_it_began_with_stays_as_it_is() -> None:
    events = Events.from_table({"customer": ["ana"], "item": [7], "time": [0]})
    built = InteractionMatrixBuilder().build(events, consent=ANYONE, at=0)
    before = built.version
    live = LiveInteractions(built, consent=ANYONE)

    live.append("cy", [9], at=5)
    live.erase("ana")

    assert built.version == before
    assert built.customers.ids == ("ana",)


def test_events_after_the_reference_time_weigh_more_than_one() -> None:
    live = small(half_life_days=30)

    live.append("bo", [9], at=NOW_US)  # 30 days after the reference time

    assert live.history("bo")[9] == 2.0


def ledgered(*permitting: str) -> tuple[ConsentLedger, Consent]:
    ledger = ConsentLedger()
    for customer in permitting:
        ledger.grant(customer, ["profiling"], at=0, until=2 * NOW_US)
    consent = Consent.for_purposes(
        ledger, train="profiling", decide="offers", measure="measurement"
    )
    return ledger, consent


def test_what_is_not_permitted_is_not_kept_and_counted() -> None:
    _, consent = ledgered("ana")
    live = small(consent=consent)

    n_kept = [live.append("ana", [9], at=NOW_US), live.append("canary", [10, 11], at=NOW_US)]

    assert n_kept == [1, 0]
    assert live.dropped == {"consent: no record": 2}
    assert live.customers.find("canary") == -1
    assert (live.items.find(10), live.items.find(9)) == (-1, 2)
    assert "canary" not in repr(live)


def test_consent_is_asked_as_of_the_moment_given() -> None:
    ledger, consent = ledgered("ana")
    ledger.withdraw("ana", at=40 * DAY_US)
    live = small(consent=consent)

    assert live.append("ana", [9], at=40 * DAY_US - 1) == 1
    assert live.append("ana", [9], at=40 * DAY_US) == 0


@pytest.mark.parametrize("stage", ["ingest", "train"])
def test_both_ingest_and_train_must_be_permitted(stage: str) -> None:
    ledger, _ = ledgered("ana")
    live = small(consent=Consent({("profiling", stage): ledger}))

    assert live.append("ana", [9], at=NOW_US) == 0


def test_compacting_asks_again_and_leaves_no_trace_of_those_who_refuse() -> None:
    ledger, consent = ledgered("ana", "bo")
    live = small(consent=consent)
    live.append("bo", [9], at=NOW_US)
    ledger.withdraw("bo", at=NOW_US)

    built = live.compact(at=NOW_US)

    assert built.customers.ids == ("ana",)
    assert built.items.ids == (7, 8)
    assert built.provenance.excluded == {"withdrawn": 1}
    assert built.provenance.consent_epoch == 2 * ledger.epoch
    assert (built.provenance.at_us, built.provenance.consent_at_us) == (REFERENCE_US, NOW_US)
    assert built.provenance.purposes == ("profiling",)
    ledger.withdraw("ana", at=NOW_US)
    with pytest.raises(NoInteractionsError):
        live.compact(at=NOW_US)


def test_a_compacted_matrix_tells_the_moment_of_the_latest_event_it_took_in() -> None:
    live = small()
    as_built = live.compact(at=NOW_US)
    live.append("ana", [7], at=NOW_US)
    live.append("ana", [8], at=NOW_US, time=REFERENCE_US - 1)
    live.append("ana", [8], at=NOW_US, time=NOW_US + 1)

    grown = live.compact(at=NOW_US + 7)
    again = LiveInteractions(grown, consent=ANYONE).compact(at=NOW_US + 9)

    assert as_built.provenance.holds_until_us == REFERENCE_US
    assert grown.provenance.holds_until_us == again.provenance.holds_until_us == NOW_US
    assert grown.provenance.at_us == REFERENCE_US


def test_events_are_counted() -> None:
    live = small(kind_weights={"view": 0.0})
    live.append("ana", {7: 1.0, 8: -1.0}, at=NOW_US)
    live.append("ana", [7], at=NOW_US, kind="view")
    live.append("ana", [7], at=NOW_US, time=NOW_US + 1)

    built = live.compact(at=NOW_US)

    assert built.provenance.n_events == 4
    assert built.provenance.dropped == {
        "value, kind or age gives no weight": 2,
        "later than the reference time": 1,
    }


def test_an_erased_customer_is_gone_and_begins_anew() -> None:
    live = small()
    live.append("ana", [9], at=NOW_US)

    assert live.erase("ana")
    assert not live.erase("ana")

    assert live.history("ana") == {}
    assert "ana" not in live.customers.ids
    live.append("ana", [8], at=NOW_US)
    assert live.history("ana") == {8: 1.0}
    built = live.compact(at=NOW_US)
    assert all_weights(built) == {"bo": {8: 1.0}, "ana": {8: 1.0}}


def test_an_erased_customer_is_in_no_compacted_matrix() -> None:
    live = small()
    live.erase("ana")

    built = live.compact(at=NOW_US)

    assert (built.customers.ids, built.items.ids) == (("bo",), (8,))
    held = [live.__dict__ if hasattr(live, "__dict__") else {}, live.customers.__dict__]
    assert "ana" not in str(held)


def test_who_is_erased_while_a_matrix_is_compacted_is_not_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, consent = ledgered("ana", "bo")
    live = small(consent=consent)
    check = consent.check
    n_asked: list[int] = []

    def erased_meanwhile(customers: Customers, **question: Any) -> Verdicts:  # noqa: ANN401  # handed on
        if not n_asked:
            live.erase("ana")
        n_asked.append(len(customers))
        return check(customers, **question)

    monkeypatch.setattr(consent, "check", erased_meanwhile)
    built = live.compact(at=NOW_US)

    assert (built.customers.ids, built.items.ids) == (("bo",), (8,))
    assert n_asked == [2, 2, 1, 1]  # two stages each time


def test_events_of_erased_ids_are_left_out_and_counted() -> None:
    live = small()
    events = Events.from_table(
        {"customer": ["cy", "di", "cy"], "item": [7, 7, 10], "time": [0] * 3}
    )
    events.customers.erase(["di"])
    events.items.erase([10])

    assert live.extend(events, at=NOW_US) == 1

    assert live.history("cy") == {7: 1.0}
    assert live.dropped == {"customer or item is erased": 2}


def test_an_erased_item_is_in_no_history_and_no_compacted_matrix() -> None:
    live = small()
    live.items.erase([7])

    built = live.compact(at=NOW_US)

    assert live.history("ana") == {8: 1.0}
    assert all_weights(built) == {"ana": {8: 1.0}, "bo": {8: 1.0}}


def test_an_event_asked_about_before_an_erasure_is_asked_about_again() -> None:
    ledger, consent = ledgered("ana")
    live = small(consent=consent)
    ask = consent.ask
    asked: list[int] = []

    def withdrawn_meanwhile(customer: Id, at: int) -> Any:  # noqa: ANN401  # permits
        permits = ask(customer, at)
        if not asked:
            ledger.withdraw("ana", at=at)
            live.erase("ana")
        asked.append(at)
        return permits

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(consent, "ask", withdrawn_meanwhile)
        n_kept = live.append("ana", [9], at=NOW_US)

    assert (n_kept, len(asked)) == (0, 2)
    assert live.history("ana") == {}


def test_minimum_counts_let_histories_be_read_and_refuse_to_compact() -> None:
    live = small(min_customers_per_item=2)

    live.append("ana", [9], at=NOW_US)

    assert live.history("ana") == {8: 1.0, 9: 1.0}
    with pytest.raises(InvalidArgumentError, match="does not hold what they left out"):
        live.compact(at=NOW_US)


def test_a_limit_of_age_drops_what_is_older_and_refuses_to_compact_later() -> None:
    ledger, _ = ledgered("ana", "bo")
    consent = Consent.for_purposes(
        ledger, train="profiling", decide="q", measure="r", retention_days={"profiling": 10}
    )
    live = small(consent=consent)

    n_kept = live.append("ana", [9], at=NOW_US, time=NOW_US - 11 * DAY_US)

    assert n_kept == 0
    assert live.dropped == {"older than its purpose allows": 1}
    with pytest.raises(InvalidArgumentError, match="limits how old events may be"):
        live.compact(at=NOW_US)
    assert len(live.compact(at=REFERENCE_US).data) == 3


def test_the_last_event_of_a_built_pair_must_be_later_than_the_matrix() -> None:
    live = small(combine="last", half_life_days=10)

    with pytest.raises(InvalidArgumentError, match='with combine="last" an event must be later'):
        live.append("ana", [9, 7], at=NOW_US, time=REFERENCE_US)

    assert 9 not in live.history("ana")
    live.append("ana", [9], at=NOW_US, time=REFERENCE_US)
    live.append("ana", [9], at=NOW_US, time=REFERENCE_US - 10 * DAY_US)
    assert live.history("ana")[9] == 1.0


@pytest.mark.parametrize(
    ("customer", "items", "error"),
    [
        ("", [7], InvalidArgumentError),
        (5, [7], WrongIdTypeError),
        ("ana", ["seven"], WrongIdTypeError),
        ("ana", [9, "seven"], WrongIdTypeError),
        ("ana", [9, ""], InvalidArgumentError),
        ("ana", [9, None], InvalidTypeError),
        ("ana", "seven", InvalidTypeError),
        ("ana", 7, InvalidTypeError),
        ("ana", {9: float("nan")}, InvalidArgumentError),
        ("ana", {9: 1.0, 7: float("inf")}, InvalidArgumentError),
        ("ana", {9: "much"}, InvalidArgumentError),
        ("ana", {9: True}, InvalidArgumentError),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_kept(
    customer: Any,  # noqa: ANN401  # wrong on purpose
    items: Any,  # noqa: ANN401  # the same
    error: type[Exception],
) -> None:
    live = small()

    with pytest.raises(error) as caught:
        live.append(customer, items, at=NOW_US)

    assert isinstance(caught.value, Seg1Error)
    assert "seven" not in str(caught.value)
    assert (live.history("ana"), len(live.items), live.dropped) == ({7: 1.0, 8: 1.0}, 2, {})


@pytest.mark.parametrize("kind", ["", None, 5])
def test_a_kind_that_is_no_name_is_refused(kind: Any) -> None:  # noqa: ANN401  # wrong on purpose
    with pytest.raises(InvalidTypeError, match="kind must be a name"):
        small().append("ana", [7], at=NOW_US, kind=kind)


def test_something_that_is_no_matrix_or_no_consent_is_refused() -> None:
    with pytest.raises(InvalidTypeError, match="interactions must be Interactions, got dict"):
        LiveInteractions({}, consent=ANYONE)  # type: ignore[arg-type]  # that is the test
    with pytest.raises(InvalidTypeError, match=r"Consent\.for_purposes"):
        small(consent=None)  # type: ignore[arg-type]  # the same


def test_threads_that_append_at_once_lose_nothing() -> None:
    live = small()

    def work(number: int) -> None:
        for turn in range(200):
            live.append(f"new-{turn % 7}", [turn % 5, 100 + number], at=NOW_US)
            live.history(f"new-{turn % 7}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    total = sum(sum(live.history(f"new-{n}").values()) for n in range(7))
    assert total == 4 * 200 * 2
    assert live.compact(at=NOW_US).provenance.n_events == 3 + 1600


@given(
    builder=BUILDERS,
    value=st.one_of(st.floats(-5, 1e9), st.sampled_from([1e-300, 1e300])),
    time=st.integers(-(10**15), 10**15),
    kind=st.sampled_from([*KINDS, "unheard of"]),
)
def test_one_event_weighs_what_it_weighs_among_many(
    builder: InteractionMatrixBuilder, value: float, time: int, kind: str
) -> None:
    events = Events.from_table(
        {"customer": ["ana"], "item": [7], "time": [time], "value": [value], "kind": [kind]},
        value="value", kind="kind",
    )  # fmt: skip
    at_us = 10**15
    try:
        built = builder.build(events, consent=ANYONE, at=at_us).history_of("ana")[7]
    except NoInteractionsError:
        built = 0.0

    weight = builder.weigh_one(value, kind=kind, time_us=time, at_us=at_us)

    weight = math.log1p(weight) if builder.compress == "log1p" else weight
    assert built == pytest.approx(weight, rel=1e-6)
