"""`Interactions`: histories, what it says of itself, and its way to disk and back."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from seg1 import ConsentNotNeeded, Events, InteractionMatrixBuilder
from seg1.errors import DamagedError
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
