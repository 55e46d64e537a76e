"""Rows in the order of their (customer, item) pairs, to be summed."""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from seg1._types import Float64s, Int32s, Int64s

__all__ = ["Combine", "Pairs"]

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
        key = (customer_index.astype(np.int64) << item_bits) | item_index
        if max(n_customers - 1, 0).bit_length() + item_bits + row_bits <= _WORD_BITS:
            # Words that hold the row as well are sorted at a fifth of what an argsort takes, and
            # equal pairs stay in the order of their rows.
            key = np.sort((key << row_bits) | np.arange(n_rows))
            rows = key & ((1 << row_bits) - 1)
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
