"""Rows by pair: equal, bit for bit, to two plain sorts and a sum over each run."""

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from seg1.interactions import pairs as pairs_module
from seg1.interactions.pairs import Pairs

N_CUSTOMERS, N_ITEMS = 3, 2
Rows = list[tuple[int, int, int, float]]

row_lists: st.SearchStrategy[Rows] = st.lists(
    st.tuples(
        st.integers(0, N_CUSTOMERS - 1),
        st.integers(0, N_ITEMS - 1),
        st.integers(0, 5),
        st.floats(1e-9, 1e9),
    ),
    min_size=1,
    max_size=80,
)


def columns_of(rows: Rows) -> tuple[NDArray[Any], ...]:
    columns = zip(*rows, strict=True)
    dtypes = (np.int32, np.int32, np.int64, np.float64)
    return tuple(np.array(column, dtype) for column, dtype in zip(columns, dtypes, strict=True))


def two_sorts(
    customer: NDArray[Any], item: NDArray[Any], time: NDArray[Any], value: NDArray[Any], how: str
) -> tuple[list[int], list[float]]:
    """Sort by time, then stably by pair, and reduce each run: the plainest way with numpy."""
    by_time = np.argsort(time, kind="stable")
    key = customer[by_time].astype(np.int64) * N_ITEMS + item[by_time]
    by_pair = np.argsort(key, kind="stable")
    key, sorted_value = key[by_pair], value[by_time][by_pair]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    if how == "last":
        combined = sorted_value[np.append(starts[1:], len(key)) - 1]
    else:
        reduce = np.add if how == "sum" else np.maximum
        combined = reduce.reduceat(sorted_value, starts)
    return key[starts].tolist(), combined.tolist()


@pytest.mark.parametrize("word_bits", [63, 0])
@pytest.mark.parametrize("how", ["sum", "max", "last"])
@given(rows=row_lists, is_sorted=st.booleans())
def test_pairs_equal_two_plain_sorts_bit_for_bit(
    rows: Rows,
    is_sorted: bool,  # noqa: FBT001  # hypothesis passes it by name
    how: Literal["sum", "max", "last"],
    word_bits: int,
) -> None:
    rows = sorted(rows, key=lambda row: row[2]) if is_sorted else rows
    customer, item, time, value = columns_of(rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs_module, "_WORD_BITS", word_bits)
        pairs = Pairs.of(customer, item, n_customers=N_CUSTOMERS, n_items=N_ITEMS)
    combined = pairs.combined(value, time, how=how)

    keys = pairs.customer_index.astype(np.int64) * N_ITEMS + pairs.item_index
    assert (keys.tolist(), combined.tolist()) == two_sorts(customer, item, time, value, how)


def test_a_long_sum_has_the_bits_of_the_plain_one() -> None:
    rng = np.random.default_rng(5)
    value, time = rng.lognormal(0, 9, 5_000), rng.integers(0, 900, 5_000)
    customer, item = np.zeros(5_000, np.int32), rng.integers(0, 2, 5_000).astype(np.int32)

    pairs = Pairs.of(customer, item, n_customers=1, n_items=N_ITEMS)

    expected = two_sorts(customer, item, time, value, "sum")[1]
    assert pairs.combined(value, time, how="sum").tolist() == expected


def test_codes_at_the_edge_of_the_words_are_told_apart() -> None:
    customer = np.array([2**30, 0, 2**30], dtype=np.int32)
    item = np.array([2**30, 2**30, 0], dtype=np.int32)

    pairs = Pairs.of(customer, item, n_customers=2**30 + 1, n_items=2**30 + 1)

    assert pairs.rows.tolist() == [1, 2, 0]
    assert pairs.customer_index.tolist() == [0, 2**30, 2**30]
    assert pairs.item_index.tolist() == [2**30, 0, 2**30]
