"""`InteractionMatrixBuilder`, against a plain-Python twin."""

import json
import math
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from seg1 import Consent, ConsentLedger, ConsentNotNeeded, Events, InteractionMatrixBuilder
from seg1._checks import DAY_US
from seg1.consent import Ask, ConsentDoor, Customers
from seg1.errors import InvalidArgumentError, InvalidTypeError, NoInteractionsError
from seg1.interactions import Interactions
from seg1.testing.strategies import KINDS, Columns, events_tables

ANYONE = ConsentNotNeeded("made up")
BUILDERS = st.builds(
    InteractionMatrixBuilder,
    kind_weights=st.dictionaries(
        st.sampled_from([*KINDS, "unheard of"]), st.sampled_from([0.0, 0.2, 1.0, 3.0])
    ),
    transform=st.sampled_from(["log1p", "identity", "count"]),
    half_life_days=st.sampled_from([None, 0.01, 5.0, 400.0]),
    combine=st.sampled_from(["sum", "max", "last"]),
    compress=st.sampled_from(["none", "log1p"]),
    min_customers_per_item=st.integers(1, 3),
    min_items_per_customer=st.integers(1, 3),
)


class Permitting:
    """A filter that permits some customers, and refuses all others."""

    name = "permitting"

    def __init__(self, permitted: Collection[str]) -> None:
        self.permitted = permitted

    def check(self, customers: Customers, ask: Ask) -> NDArray[np.int8]:  # noqa: ARG002
        return np.array([1 if i in self.permitted else -1 for i in customers.ids()], np.int8)


def permitting(permitted: Collection[str]) -> Consent:
    return Consent(
        {("personal", stage): Permitting(permitted) for stage in ("ingest", "train", "candidates")}
    )


def events_of(table: Columns) -> Events:
    return Events.from_table(table, value="value", kind="kind")


def without(table: Columns, keep: list[bool]) -> Columns:
    return {
        name: [value for value, stays in zip(column, keep, strict=True) if stays]
        for name, column in table.items()
    }


def built(
    events: Events, builder: InteractionMatrixBuilder, *, consent: ConsentDoor, at: int
) -> Interactions | None:
    try:
        return builder.build(events, consent=consent, at=at)
    except NoInteractionsError:
        return None


Row = tuple[str, int, float]  # customer, item, weight


def slow_rows(table: Columns, builder: InteractionMatrixBuilder, *, at: int) -> list[Row]:
    """Weigh event by event; in the order of the table."""
    rows: list[tuple[str, int, int, float]] = []
    for customer, item, time, value, kind in zip(
        *(table[name] for name in ("customer", "item", "time", "value", "kind")), strict=True
    ):
        weight = builder.kind_weights.get(kind, 1.0)
        if time > at or weight == 0 or value <= 0:
            continue
        amount = {"log1p": math.log1p(max(value, 0)), "identity": value, "count": 1.0}
        weight *= amount[builder.transform]
        if builder.half_life_days is not None:
            weight *= 0.5 ** ((at - time) / DAY_US / builder.half_life_days)
        if 1e-12 <= weight <= 1e30:
            rows.append((customer, item, time, weight))
    while True:
        fewer = [row for row in rows if len({r[0] for r in rows if r[1] == row[1]})
                 >= builder.min_customers_per_item]  # fmt: skip
        fewer = [row for row in fewer if len({r[1] for r in fewer if r[0] == row[0]})
                 >= builder.min_items_per_customer]  # fmt: skip
        if len(fewer) == len(rows):
            break
        rows = fewer
    order = {(row[0], row[1]): None for row in rows}
    return [(customer, item, weight) for customer, item in order
            for weight in _combined(rows, customer, item, builder)]  # fmt: skip


def _combined(
    rows: list[tuple[str, int, int, float]],
    customer: str,
    item: int,
    builder: InteractionMatrixBuilder,
) -> list[float]:
    own = sorted((r for r in rows if r[:2] == (customer, item)), key=lambda r: r[2])
    weights = [row[3] for row in own]
    weight = {"sum": sum(weights), "max": max(weights), "last": weights[-1]}[builder.combine]
    return [math.log1p(weight) if builder.compress == "log1p" else weight]


@settings(deadline=None, max_examples=200)
@given(events_tables(), BUILDERS, st.integers(0, 41))
def test_the_matrix_equals_a_plain_twin(
    table: Columns, builder: InteractionMatrixBuilder, day: int
) -> None:
    expected = slow_rows(table, builder, at=day * DAY_US)

    interactions = built(events_of(table), builder, consent=ANYONE, at=day * DAY_US)

    assert (interactions is None) == (not expected)
    if interactions is not None:
        assert interactions.customers.ids == tuple(dict.fromkeys(c for c, _, _ in expected))
        assert set(interactions.items.ids) == {i for _, i, _ in expected}
        assert interactions.weights.nnz == len(expected)
        for customer, item, weight in expected:
            row = interactions.customers.find(customer)
            got = interactions.weights[row, interactions.items.find(item)]
            assert got == pytest.approx(weight, rel=1e-6)


@settings(deadline=None, max_examples=150)
@given(events_tables(), BUILDERS, st.integers(0, 41), st.integers(0, 6))
def test_every_event_is_in_the_matrix_or_counted_as_dropped(
    table: Columns, builder: InteractionMatrixBuilder, day: int, n_permitted: int
) -> None:
    events = events_of(table)
    consent = permitting({f"customer-{i}" for i in range(n_permitted + 1)})

    interactions = built(events, builder, consent=consent, at=day * DAY_US)

    if interactions is not None:
        told = interactions.provenance
        assert told.n_events + sum(told.dropped.values()) == len(events)
        assert interactions.weights.nnz <= told.n_events
        assert told.n_customers == len(interactions.customers)


@settings(deadline=None, max_examples=200)
@given(events_tables(), BUILDERS, st.sets(st.integers(1, 6)))
def test_training_on_masked_events_is_bit_equal_to_events_that_never_held_the_others(
    table: Columns, builder: InteractionMatrixBuilder, numbers: set[int]
) -> None:
    permitted = {f"customer-{i}" for i in numbers}
    keep = [customer in permitted for customer in table["customer"]]
    never_held = without(table, keep)

    masked = built(events_of(table), builder, consent=permitting(permitted), at=41 * DAY_US)
    reference = (
        built(events_of(never_held), builder, consent=ANYONE, at=41 * DAY_US)
        if any(keep) else None
    )  # fmt: skip

    assert (masked is None) == (reference is None)
    if masked is not None and reference is not None:
        assert masked.customers.ids == reference.customers.ids
        assert masked.items.ids == reference.items.ids
        for part in ("data", "indices", "indptr"):
            left, right = getattr(masked.weights, part), getattr(reference.weights, part)
            assert left.dtype == right.dtype
            assert left.tobytes() == right.tobytes()


def test_a_denied_customer_and_items_only_they_touched_are_nowhere_in_the_result() -> None:
    table = {
        "customer": ["ana", "bo-secret", "bo-secret"],
        "item": ["tea", "tea", "rare-secret"],
        "time": [0, 0, 0],
    }

    interactions = InteractionMatrixBuilder().build(
        Events.from_table(table), consent=permitting({"ana"}), at=0
    )

    arrays, meta = interactions.to_saved()
    everything = b"".join(array.tobytes() for array in arrays.values())
    assert b"secret" not in everything
    assert "secret" not in json.dumps(meta) + repr(interactions)
    assert interactions.provenance.excluded == {"by filter": 1}
    assert interactions.provenance.dropped == {"consent: by filter": 2}
    assert interactions.provenance.purposes == ("personal",)


def test_codes_follow_the_rows_that_stay_and_not_those_of_the_others() -> None:
    table: Columns = {
        "customer": ["bo", "cy", "ana", "cy"],
        "item": ["milk", "tea", "tea", "milk"],
        "time": [0, 0, 0, 0],
        "value": [1.0, 0.0, 1.0, 1.0],
    }
    events = Events.from_table(table, value="value")

    interactions = InteractionMatrixBuilder().build(events, consent=permitting({"ana", "cy"}), at=0)

    assert interactions.customers.ids == ("ana", "cy")
    assert interactions.items.ids == ("tea", "milk")


def test_consent_is_asked_as_of_the_reference_time_and_its_version_is_told() -> None:
    ledger = ConsentLedger()
    ledger.grant("ana", ["profiling"], at=0, until=100)
    ledger.grant("bo", ["profiling"], at=0, until=100)
    ledger.withdraw("bo", at=5)
    consent = Consent.for_purposes(
        ledger, train="profiling", decide="offers", measure="measurement"
    )
    events = Events.from_table({"customer": ["ana", "bo"], "item": [1, 1], "time": [0, 0]})

    at_4, at_5 = (InteractionMatrixBuilder().build(events, consent=consent, at=at) for at in (4, 5))

    assert at_4.customers.ids == ("ana", "bo")
    assert at_5.customers.ids == ("ana",)
    assert at_5.provenance.consent_epoch == 2 * ledger.epoch == 6  # asked for two stages


def test_both_ingest_and_train_must_be_permitted() -> None:
    table = {"customer": ["ana", "bo", "cy"], "item": [1, 1, 1], "time": [0, 0, 0]}
    consent = Consent(
        {
            ("take", "ingest"): Permitting({"ana", "bo"}),
            ("learn", "train"): Permitting({"bo", "cy"}),
        }
    )

    interactions = InteractionMatrixBuilder().build(Events.from_table(table), consent=consent, at=0)

    assert interactions.customers.ids == ("bo",)
    assert interactions.provenance.purposes == ("take", "learn")


def test_a_denial_that_gives_no_reason_is_a_denial_all_the_same() -> None:
    class Silent(Permitting):
        def check(self, customers: Customers, ask: Ask) -> Any:  # noqa: ANN401
            from seg1.consent import Verdicts  # noqa: PLC0415

            return Verdicts(super().check(customers, ask), np.zeros(len(customers), np.int8))

    consent = Consent({("p", stage): Silent({"ana"}) for stage in ("ingest", "train")})
    table = {"customer": ["ana", "bo"], "item": [1, 2], "time": [0, 0]}

    interactions = InteractionMatrixBuilder().build(Events.from_table(table), consent=consent, at=0)

    assert interactions.customers.ids == ("ana",)


def test_an_unpermitted_stage_leaves_nothing_and_the_error_tells_the_counts() -> None:
    table = {"customer": ["ana", "bo"], "item": [1, 1], "time": [0, 9]}

    with pytest.raises(NoInteractionsError, match=r"consent: no policy: 2") as caught:
        InteractionMatrixBuilder().build(Events.from_table(table), consent=Consent({}), at=0)

    assert "ana" not in str(caught.value)


def test_the_error_tells_every_reason_and_its_count() -> None:
    table: Columns = {
        "customer": ["ana", "ana", "ana", "ana"],
        "item": [1, 2, 3, 4],
        "time": [9, 0, 0, 0],
        "value": [1.0, 0.0, 1.0, 1.0],
        "kind": ["buy", "buy", "view", "buy"],
    }
    builder = InteractionMatrixBuilder(kind_weights={"view": 0}, min_customers_per_item=2)

    with pytest.raises(NoInteractionsError) as caught:
        builder.build(events_of(table), consent=ANYONE, at=0)

    assert (
        "no interaction is left (later than the reference time: 1, value is not above 0: 1, "
        "kind weighs 0: 1, item with too few customers: 1); see that events, consent and at="
    ) in str(caught.value)


def test_minimum_counts_are_applied_until_all_that_stay_have_enough() -> None:
    # Item 4 goes, so dee has one item and goes; so item 3 has one customer and goes; so has cy.
    pairs = [("ana", 1), ("ana", 2), ("bo", 1), ("bo", 2), ("cy", 1), ("cy", 3), ("dee", 3),
             ("dee", 4)]  # fmt: skip
    table = {
        "customer": [customer for customer, _ in pairs],
        "item": [item for _, item in pairs],
        "time": [0] * len(pairs),
    }
    builder = InteractionMatrixBuilder(min_customers_per_item=2, min_items_per_customer=2)

    interactions = builder.build(Events.from_table(table), consent=ANYONE, at=0)

    assert interactions.customers.ids == ("ana", "bo")
    assert interactions.items.ids == (1, 2)
    assert interactions.provenance.n_events == 4
    assert interactions.provenance.dropped == {
        "item with too few customers": 2,
        "customer with too few items": 2,
    }


def test_no_events_at_all_are_told_as_such() -> None:
    events = Events.from_table({"customer": ["ana"], "item": [1], "time": [0]})

    with pytest.raises(NoInteractionsError, match=r"\(no events\)"):
        InteractionMatrixBuilder().build(
            events.where(np.zeros(1, dtype=np.bool_)), consent=ANYONE, at=0
        )


def test_events_later_than_the_reference_time_are_left_out() -> None:
    table = {"customer": ["ana", "ana"], "item": [1, 2], "time": [5, 6]}

    interactions = InteractionMatrixBuilder().build(Events.from_table(table), consent=ANYONE, at=5)

    assert interactions.items.ids == (1,)
    assert interactions.provenance.at_us == 5


@pytest.mark.parametrize(
    ("value", "weights", "reason"),
    [
        (1e-300, {"buy": 1e-300}, "weight below 1e-12"),
        (1e300, {"buy": 1e300}, "weight above 1e+30"),
    ],
)
def test_a_weight_that_no_float_holds_is_counted_and_not_warned_of(
    value: float, weights: dict[str, float], reason: str
) -> None:
    table: Columns = {"customer": ["a", "a"], "item": [1, 2], "time": [0, 0], "value": [value, 1.0]}
    events = events_of({**table, "kind": ["buy", "view"]})
    builder = InteractionMatrixBuilder(kind_weights=weights, transform="identity")

    interactions = builder.build(events, consent=ANYONE, at=0)

    assert interactions.provenance.dropped == {reason: 1}


def test_age_alone_is_never_told_as_a_kind_that_weighs_nothing() -> None:
    table = {"customer": ["a", "a"], "item": [1, 2], "time": [0, 9_000 * DAY_US]}
    builder = InteractionMatrixBuilder(half_life_days=1)

    interactions = builder.build(Events.from_table(table), consent=ANYONE, at=9_000 * DAY_US)

    assert interactions.provenance.dropped == {"weight below 1e-12": 1}


def test_building_changes_no_events() -> None:
    table: Columns = {"customer": ["a", "b"], "item": [1, 2], "time": [0, 0]}
    events = Events.from_table(table)
    before = replace(events, value=events.value.copy(), time_us=events.time_us.copy())

    InteractionMatrixBuilder(half_life_days=1).build(events, consent=ANYONE, at=DAY_US)

    assert np.array_equal(before.value, events.value)
    assert np.array_equal(before.time_us, events.time_us)
    assert events.customers.ids == ("a", "b")


def test_the_configuration_is_a_copy_that_the_caller_cannot_change() -> None:
    weights = {"view": 0.5}
    builder = InteractionMatrixBuilder(kind_weights=weights)

    weights["view"] = 9.0

    assert builder.kind_weights == {"view": 0.5}


def test_numbers_of_numpy_become_plain_ones() -> None:
    builder = InteractionMatrixBuilder(
        kind_weights={"view": np.float32(0.5)},  # type: ignore[dict-item]  # what a notebook holds
        half_life_days=np.int64(3),  # type: ignore[arg-type]  # the same
        min_items_per_customer=np.int32(2),  # type: ignore[arg-type]  # the same
    )

    assert type(builder.kind_weights["view"]) is float
    assert type(builder.half_life_days) is float
    assert type(builder.min_items_per_customer) is int


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transform": "sqrt"}, "transform must be one of"),
        ({"combine": "mean"}, "combine must be one of"),
        ({"compress": "zip"}, "compress must be one of"),
        ({"half_life_days": 0}, "half_life_days must be a finite number > 0"),
        ({"half_life_days": math.nan}, "half_life_days"),
        ({"min_customers_per_item": 0}, "min_customers_per_item must be an int >= 1"),
        ({"min_items_per_customer": 1.5}, "min_items_per_customer must be an int >= 1"),
        ({"kind_weights": {"view": -1}}, r"kind_weights\['view'\] must be a finite number >= 0"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        InteractionMatrixBuilder(**options)


@pytest.mark.parametrize("weights", [None, [("view", 1.0)], {1: 1.0}])
def test_kind_weights_of_another_form_are_refused(weights: Any) -> None:  # noqa: ANN401
    with pytest.raises(InvalidTypeError, match="kind_weights must map kinds to numbers"):
        InteractionMatrixBuilder(kind_weights=weights)


def test_something_that_is_no_events_table_is_refused() -> None:
    with pytest.raises(InvalidTypeError, match=r"events must be seg1\.Events, got dict"):
        InteractionMatrixBuilder().build({}, consent=ANYONE, at=0)  # type: ignore[arg-type]  # that is the test


def test_without_consent_nothing_is_built() -> None:
    events = Events.from_table({"customer": [1], "item": [1], "time": [0]})

    with pytest.raises(InvalidTypeError, match=r"Consent\.for_purposes\(ledger"):
        InteractionMatrixBuilder().build(events, consent=None, at=0)  # type: ignore[arg-type]  # that is the test


def test_events_that_are_older_than_their_purpose_allows_are_left_out_and_counted() -> None:
    ledger = ConsentLedger()
    ledger.grant("ana", ["p"], at=0, until=100 * DAY_US)
    events = Events.from_table(
        {"customer": ["ana"] * 3, "item": ["old", "edge", "new"],
         "time": [DAY_US, 20 * DAY_US, 30 * DAY_US]},
    )  # fmt: skip
    consent = Consent.for_purposes(
        ledger, train="p", decide="q", measure="r", retention_days={"p": 10, "q": 1}
    )

    built = InteractionMatrixBuilder().build(events, consent=consent, at=30 * DAY_US)

    assert built.items.ids == ("edge", "new")
    assert built.provenance.dropped == {"older than its purpose allows": 1}
    assert built.provenance.policy == consent.version


def test_a_matrixs_version_names_its_content() -> None:
    def built(items: list[str], value: float) -> Interactions:
        events = Events.from_table(
            {"customer": ["ana"] * 2, "item": items, "time": [0, 0], "value": [1.0, value]},
            value="value",
        )
        return InteractionMatrixBuilder().build(events, consent=ANYONE, at=0)

    assert built(["a", "b"], 1.0).version == built(["a", "b"], 1.0).version
    versions = {built(items, v).version for items in (["a", "b"], ["a", "c"]) for v in (1.0, 2.0)}
    assert len(versions) == 4


def test_events_of_the_erased_are_left_out_and_counted() -> None:
    events = Events.from_table(
        {"customer": ["ana", "bo", "ana", "cy"], "item": [1, 1, 2, 3], "time": [0, 0, 0, 0]}
    )
    events.customers.erase(["ana"])
    events.items.erase([3])
    ledger = ConsentLedger()
    for customer in ("ana", "bo", "cy"):
        ledger.grant(customer, ["p"], at=0, until=9)
    consent = Consent.for_purposes(ledger, train="p", decide="q", measure="r")

    for asked in (ANYONE, consent):
        built = InteractionMatrixBuilder().build(events, consent=asked, at=0)

        assert (built.customers.ids, built.items.ids) == (("bo",), (1,))
        assert built.provenance.dropped == {"customer or item is erased": 3}
