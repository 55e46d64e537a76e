"""`Interactions`: histories, what it says of itself, and its way to disk and back."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from seg1 import ConsentNotNeeded, Events, InteractionMatrixBuilder
from seg1.errors import (
    DamagedError,
    InvalidArgumentError,
    NoInteractionsError,
    WrongIdTypeError,
)
from seg1.interactions import Interactions
from seg1.testing.strategies import Columns, events_tables

ANYONE = ConsentNotNeeded("made up")
BUILDER = InteractionMatrixBuilder(transform="count", kind_weights={"view": 0.5})


def interactions_of(table: Columns) -> Interactions:
    return BUILDER.build(Events.from_table(table), consent=ANYONE, at=41 * 86_400 * 1_000_000)


def small() -> Interactions:
    return interactions_of({"customer": ["ana", "bo", "ana"], "item": [7, 8, 9], "time": [0, 0, 0]})


@settings(deadline=None, max_examples=50)
@given(events_tables())
def test_a_history_is_the_row_of_the_matrix_ascending_by_item(table: Columns) -> None:
    interactions = interactions_of(table)
    dense = interactions.weights.toarray()

    for row in range(interactions.shape[0]):
        items, weights = interactions.history(row)

        assert items.dtype == np.int32
        assert weights.dtype == np.float32
        assert items.tolist() == np.flatnonzero(dense[row]).tolist()
        assert np.array_equal(weights, dense[row][items])


def test_vocabularies_that_grew_add_nothing_to_the_matrix() -> None:
    interactions = small()
    interactions.items.erase([8])
    version = interactions.version
    interactions.customers.encode(["cy"], unknown="add")
    interactions.items.encode([10], unknown="add")

    again = Interactions.from_saved(*interactions.to_saved(), builder=BUILDER)

    assert interactions.history_of("cy") == {}
    assert interactions.without(["cy"]).customers.ids == ("ana",)
    assert (again.customers.ids, again.items.ids) == (("ana", "bo"), (7, "", 9))
    assert again.shape == interactions.shape == (2, 3)
    assert again.version == interactions.version == version


def test_nobody_writes_into_the_matrix() -> None:
    items, weights = small().history(0)

    for array in (items, weights):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_its_repr_tells_counts_and_no_ids() -> None:
    assert repr(small()) == "Interactions(2 customers, 3 items, 3 weights)"


@settings(deadline=None, max_examples=50)
@given(events_tables())
def test_it_comes_back_from_its_saved_form_bit_for_bit(table: Columns) -> None:
    interactions = interactions_of(table)

    arrays, meta = interactions.to_saved()
    again = Interactions.from_saved(arrays, meta, builder=BUILDER)

    assert again.customers.ids == interactions.customers.ids
    assert again.items.ids == interactions.items.ids
    assert again.provenance == interactions.provenance
    for part in ("data", "indices", "indptr"):
        left, right = getattr(again.weights, part), getattr(interactions.weights, part)
        assert left.dtype == right.dtype
        assert np.array_equal(left, right)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("weights_data", np.array([1, 1], np.float32)),
        ("weights_data", np.array([1, 1, np.inf], np.float32)),
        ("weights_data", np.array([1, 1, -1], np.float32)),
        ("weights_data", np.array([1, 1, 1], np.float64)),
        ("weights_indices", np.array([0, 2, 3], np.int32)),
        ("weights_indices", np.array([0, -1, 1], np.int32)),
        ("weights_indices", np.array([0, 2, 1], np.int64)),
        ("weights_indptr", np.array([0, 2], np.int32)),
        ("weights_indptr", np.array([1, 2, 3], np.int32)),
        ("weights_indptr", np.array([0, 4, 3], np.int32)),
        ("weights_indptr", np.array([0, 2, 3], np.float64)),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(name: str, array: NDArray[Any]) -> None:
    arrays, meta = small().to_saved()
    arrays[name] = array

    with pytest.raises(DamagedError, match="do not fit its vocabularies"):
        Interactions.from_saved(arrays, meta, builder=BUILDER)


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        {"purposes": "abc"}, {"purposes": [1]}, {"purposes": None}, {"consent_epoch": 1.5},
        {"at_us": "soon"}, {"at_us": True}, {"at_us": 2**62}, {"consent_at_us": "soon"},
        {"n_events": -1}, {"n_events": 1.0}, {"n_customers": None}, {"dropped": 7},
        {"dropped": {"late": -1}}, {"excluded": {"withdrawn": "1"}}, {"policy": None},
        {"canary": 1},
    ],
    ids=str,
)  # fmt: skip
def test_a_provenance_that_is_none_is_refused(
    change: dict[str, Any],
    verify: bool,  # noqa: FBT001
) -> None:
    arrays, meta = small().to_saved()
    meta["provenance"] |= change

    with pytest.raises(DamagedError, match="the provenance of the matrix is not in its form"):
        Interactions.from_saved(arrays, meta, builder=BUILDER, verify=verify)


def test_a_history_by_id_has_items_and_weights_and_is_empty_for_the_unknown() -> None:
    interactions = small()

    assert interactions.history_of("ana") == {7: 1.0, 9: 1.0}
    assert interactions.history_of("nobody") == {}
    with pytest.raises(WrongIdTypeError):
        interactions.history_of(7)


@settings(deadline=None, max_examples=50)
@given(events_tables(), st.sets(st.integers(1, 6).map("customer-{}".format)))
def test_without_some_customers_is_what_a_table_without_them_gives(
    table: Columns, gone: set[str]
) -> None:
    interactions = interactions_of(table)
    stays = [customer not in gone for customer in table["customer"]]
    rest = {name: [v for v, s in zip(of, stays, strict=True) if s] for name, of in table.items()}
    assume(any(stays))

    left = interactions.without(gone)

    expected = interactions_of(rest)
    assert {c: left.history_of(c) for c in left.customers.ids} == {
        c: expected.history_of(c) for c in expected.customers.ids
    }
    assert set(left.items.ids) == set(expected.items.ids)
    assert left.provenance.n_customers == expected.provenance.n_customers == left.shape[0]
    n_gone = interactions.shape[0] - left.shape[0]
    assert left.provenance.excluded == ({"erased": n_gone} if n_gone else {})
    assert left.weights.toarray().sum() == left.data.sum()


def test_who_and_what_is_erased_already_is_left_out_with_the_others() -> None:
    interactions = interactions_of(
        {"customer": ["ana", "bo", "cy", "di"], "item": [7, 8, 9, 8], "time": [0] * 4}
    )
    interactions.customers.erase(["ana"])
    interactions.items.erase([9])

    left = interactions.without(["di"])

    assert (left.customers.ids, left.items.ids) == (("bo",), (8,))
    assert left.history_of("bo") == {8: 1.0}
    assert left.provenance.excluded == {"erased": 2}
    assert interactions.history_of("cy") == {}


def test_without_anybody_nothing_is_left() -> None:
    with pytest.raises(NoInteractionsError):
        small().without(["ana", "bo"])


def test_unverified_parts_are_looked_at_for_their_form_alone() -> None:
    arrays, meta = small().to_saved()
    bent = {**arrays, "weights_indices": np.array([0, 2, 3], np.int32)}

    loose = Interactions.from_saved(bent, meta, builder=BUILDER, verify=False)

    with pytest.raises(InvalidArgumentError):
        loose.history_of("bo")
    with pytest.raises(DamagedError):
        _ = loose.weights
    short = {**arrays, "weights_indptr": np.array([0, 3], np.int32)}
    with pytest.raises(DamagedError):
        Interactions.from_saved(short, meta, builder=BUILDER, verify=False)


def test_items_of_a_row_that_do_not_ascend_are_refused() -> None:
    arrays, meta = small().to_saved()

    for indices in ([1, 0, 2], [0, 0, 2]):
        arrays["weights_indices"] = np.array(indices, np.int32)
        with pytest.raises(DamagedError, match="do not fit its vocabularies"):
            Interactions.from_saved(arrays, meta, builder=BUILDER)


def test_loading_reads_nothing_and_needs_no_scipy() -> None:
    code = (
        "import sys, numpy as np\n"
        "from seg1.interactions import Interactions, InteractionMatrixBuilder\n"
        "from seg1 import ConsentNotNeeded, Events\n"
        "table = {'customer': ['ana', 'bo'], 'item': [7, 8], 'time': [0, 0]}\n"
        "builder = InteractionMatrixBuilder()\n"
        "events = Events.from_table(table)\n"
        "built = builder.build(events, consent=ConsentNotNeeded('made up'), at=0)\n"
        "arrays, meta = built.to_saved()\n"
        "again = Interactions.from_saved(arrays, meta, builder=builder, verify=False)\n"
        "assert again.history_of('ana') == {7: np.float32(np.log1p(1))}\n"
        "print('scipy' in sys.modules)"
    )

    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert told.stdout.strip() == "False"


def test_the_matrix_is_made_once_and_anew_for_other_weights() -> None:
    interactions = small()
    other = replace(interactions, data=interactions.data * 2)

    assert interactions.weights is interactions.weights
    assert other.weights.sum() == 2 * interactions.weights.sum()
