"""Who does not permit training leaves no bit in a fit, whatever their events hold."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1 import (
    ALS,
    ALSModel,
    Consent,
    ConsentLedger,
    ConsentNotNeeded,
    Events,
    InteractionMatrixBuilder,
)
from seg1._checks import DAY_US
from seg1.errors import NoInteractionsError
from seg1.testing.strategies import Columns, events_tables

AT = 41 * DAY_US
ANYONE = ConsentNotNeeded("made up")
CONFIG = ALS(factors=2, iterations=2, seed=3)
VALUES = st.one_of(
    st.sampled_from([0.0, -1.0, 1e-300, 1e30, 1e300]), st.floats(-1e6, 1e6, allow_nan=False)
)


customers = st.integers(1, 6).map("customer-{}".format)


def joined(tables: list[Columns]) -> Columns:
    """Make one longer table of several: a short one seldom leaves anything to fit."""
    return {name: [value for table in tables for value in table[name]] for name in tables[0]}


def fitted(table: Columns, consent: Consent | ConsentNotNeeded) -> ALSModel | None:
    if not table["customer"]:
        return None
    events = Events.from_table(table, value="value", kind="kind")
    try:
        return CONFIG.fit(InteractionMatrixBuilder().build(events, consent=consent, at=AT))
    except NoInteractionsError:
        return None


def bits(model: ALSModel | None) -> dict[str, Any] | None:
    if model is None:
        return None
    weights = model.interactions.weights
    return {
        "customers": model.interactions.customers.ids,
        "items": model.interactions.items.ids,
        "arrays": [
            (array.dtype.str, array.shape, array.tobytes())
            for array in (
                weights.data, weights.indices, weights.indptr,
                model.customer_factors, model.item_factors,
            )
        ],
    }  # fmt: skip


def rows_of(table: Columns, customers: set[str]) -> Columns:
    keep = [customer in customers for customer in table["customer"]]
    return {
        name: [value for value, stays in zip(column, keep, strict=True) if stays]
        for name, column in table.items()
    }


@given(
    table=st.lists(events_tables(n_events=10), min_size=3, max_size=3).map(joined),
    granted=st.sets(customers, min_size=2),
    withdrawn=st.sets(customers, max_size=2),
    instead=st.lists(VALUES, min_size=30, max_size=30),
)
@settings(max_examples=20, deadline=None)
def test_a_fit_on_masked_events_is_bit_equal_to_one_that_never_held_the_others(
    table: Columns, granted: set[str], withdrawn: set[str], instead: list[float]
) -> None:
    ledger = ConsentLedger()
    for customer in granted:
        ledger.grant(customer, ["profiling"], at=0, until=AT + 1)
    for customer in withdrawn:
        ledger.withdraw(customer, at=1)
    consent = Consent.for_purposes(
        ledger, train="profiling", decide="offers", measure="measurement"
    )
    permitted = granted - withdrawn
    other_values = [
        value if customer in permitted else other
        for customer, value, other in zip(table["customer"], table["value"], instead, strict=False)
    ]

    masked = bits(fitted(table, consent))

    assert masked == bits(fitted(rows_of(table, permitted), ANYONE))
    assert masked == bits(fitted({**table, "value": other_values}, consent))


def test_the_comparison_above_sees_one_customer_more() -> None:
    table: Columns = {
        "customer": ["ana", "bo", "ana"], "item": [1, 1, 2], "time": [0, 0, 0],
        "value": [1.0, 1.0, 1.0], "kind": ["buy"] * 3,
    }  # fmt: skip

    both, one = bits(fitted(table, ANYONE)), bits(fitted(rows_of(table, {"ana"}), ANYONE))

    assert both is not None
    assert one is not None
    assert both["arrays"] != one["arrays"]
    assert np.isfinite(np.frombuffer(one["arrays"][-1][2], np.float32)).all()
