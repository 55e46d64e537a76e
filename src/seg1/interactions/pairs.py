"""Rows in the order of their (customer, item) pairs, to be summed."""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from seg1._checks import read_only
from seg1._types import Float32s, Float64s, Int32s, Int64s

__all__ = ["Combine", "Csr", "Pairs", "combined"]

Combine: TypeAlias = Literal["sum", "max", "last"]

_WORD_BITS = 63  # of an int64 that is not negative


class Pairs(NamedTuple):
    """Distinct (customer, item) pairs, ascending, and the rows of each.

    Attributes
    ----------
    customer_index, item_index
        int32, shape (n_pairs,).
    starts
        Where in `rows` the rows of a pair begin, int64, shape (n_pairs,).
    rows
        Row numbers by pair, within one ascending, int64, shape (n_rows,).
    """

    customer_index: Int32s
    item_index: Int32s
    starts: Int64s
    rows: Int64s

    @classmethod
    def of(
        cls, customer_index: Int32s, item_index: Int32s, *, n_customers: int, n_items: int
    ) -> "Pairs":
        """Sort rows by pair, shape (n_rows,) each."""
        n_rows = len(customer_index)
        item_bits, row_bits = (max(n - 1, 0).bit_length() for n in (n_items, n_rows))
        # In place, step by step: fresh memory of this size costs as much as what is done in it.
        key = customer_index.astype(np.int64)
        key <<= item_bits
        key |= item_index
        if max(n_customers - 1, 0).bit_length() + item_bits + row_bits <= _WORD_BITS:
            # Words that hold the row as well are sorted at a fifth of what an argsort takes, and
            # equal pairs stay in the order of their rows.
            key <<= row_bits
            rows = np.arange(n_rows)
            key |= rows
            key.sort()
            np.bitwise_and(key, (1 << row_bits) - 1, out=rows)
            key >>= row_bits
        else:
            rows = np.argsort(key, kind="stable")
            key = key[rows]
        starts = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1]))[:n_rows])
        pair = key[starts]
        item = (pair & ((1 << item_bits) - 1)).astype(np.int32)
        return cls((pair >> item_bits).astype(np.int32), item, starts, rows)

    def combined(self, value: Float64s, time_us: Int64s, *, how: Combine) -> Float64s:
        """Make one value of those of each pair, shape (n_pairs,).

        Sums run from the oldest to the newest row, rows of one moment in their own order, so that
        the last bit of a sum follows from the events alone.
        """
        if how == "max":
            largest: Float64s = np.maximum.reduceat(value[self.rows], self.starts)
            return largest
        # Two add up alike either way round.
        rows = self._oldest_first(time_us, from_n=3 if how == "sum" else 2)
        if how == "last":
            newest: Float64s = value[rows[np.append(self.starts[1:], len(rows)) - 1]]
            return newest
        sums: Float64s = np.add.reduceat(value[rows], self.starts)
        return sums

    def _oldest_first(self, time_us: Int64s, *, from_n: int) -> Int64s:
        """Give the rows with those of pairs that have `from_n` or more in the order of time."""
        if bool((time_us[1:] >= time_us[:-1]).all()):
            return self.rows
        n_of_pair = np.diff(self.starts, append=len(self.rows))
        is_long = np.repeat(n_of_pair >= from_n, n_of_pair)
        pair = np.repeat(np.arange(len(n_of_pair)), n_of_pair)[is_long]
        rows, of_long = self.rows.copy(), self.rows[is_long]
        rows[is_long] = of_long[np.lexsort((time_us[of_long], pair))]
        return rows


class Csr(NamedTuple):
    """Weights row by row: the read-only arrays of an `Interactions`."""

    indptr: Int32s | Int64s
    indices: Int32s
    data: Float32s


def combined(
    customer_index: Int32s,
    item_index: Int32s,
    weight: Float64s,
    time_us: Int64s,
    *,
    customer_order: Int32s,
    item_order: Int32s,
    n_customers: int,
    n_items: int,
    how: Combine,
    compress: Literal["none", "log1p"],
) -> Csr:
    """Combine weights by pair, with new codes: the places of the old ones in the two orders."""
    pairs = Pairs.of(
        _renumbered(customer_index, customer_order, n_customers),
        _renumbered(item_index, item_order, n_items),
        n_customers=len(customer_order),
        n_items=len(item_order),
    )
    weight = pairs.combined(weight, time_us, how=how)
    weight = np.log1p(weight) if compress == "log1p" else weight
    return Csr(
        read_only(_indptr(pairs.customer_index, n_rows=len(customer_order))),
        read_only(pairs.item_index),
        read_only(weight.astype(np.float32)),
    )


def _indptr(customer_index: Int32s, *, n_rows: int) -> Int32s | Int64s:
    counts = np.bincount(customer_index, minlength=n_rows)
    ends: Int64s = np.concatenate(([0], np.cumsum(counts)))
    return ends.astype(np.int32) if len(customer_index) < 2**31 else ends


def _renumbered(codes: Int32s, order: Int32s, n_codes: int) -> Int32s:
    if len(order) == n_codes and bool((np.diff(order) > 0).all()):
        return codes
    inverse = np.full(n_codes, -1, dtype=np.int32)
    inverse[order] = np.arange(len(order), dtype=np.int32)
    renumbered: Int32s = inverse[codes]
    return renumbered
