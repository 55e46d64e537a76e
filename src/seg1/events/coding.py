"""Codes of columns: given by a table, by an earlier vocabulary, or anew for several together."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from seg1._types import Id, Int32s
from seg1.events.id_columns import IdReader
from seg1.events.vocabulary import Vocabulary, first_appearance

__all__ = ["coded", "codes_in", "end_to_end", "joined", "recoded"]


def coded(codes: Int32s, reader: IdReader, *, like: Vocabulary | None) -> tuple[Vocabulary, Int32s]:
    """Give the vocabulary of a column that was read, or let an earlier one grow, and its codes."""
    # Ids that only dropped rows held leave no trace: codes are given to the rows that stay.
    order = first_appearance(codes, len(reader.ids))
    if like is None and len(order) == len(reader.ids) and (np.diff(order) > 0).all():
        return Vocabulary.of_codes(reader.codes), codes
    grows = Vocabulary() if like is None else like
    return grows, recoded(codes, order, reader.ids, grows=grows)


def recoded(codes: Int32s, order: Int32s, ids: Sequence[Id], *, grows: Vocabulary) -> Int32s:
    """Add the ids of some codes, in an order, to a vocabulary; give their codes there."""
    final = np.full(len(ids), -1, dtype=np.int32)
    final[order] = grows.encode([ids[code] for code in order.tolist()], unknown="add")
    return final[codes]


def joined(parts: list[tuple[Vocabulary, Int32s]]) -> tuple[Vocabulary, Int32s]:
    """Put columns of codes one after the other, under one vocabulary."""
    if parts and all(vocabulary is parts[0][0] for vocabulary, _ in parts):
        return parts[0][0], end_to_end([codes for _, codes in parts], np.int32)
    whole, columns = Vocabulary(), []
    for vocabulary, codes in parts:
        order = first_appearance(codes, len(vocabulary))
        columns.append(recoded(codes, order, vocabulary.ids, grows=whole))
    return whole, end_to_end(columns, np.int32)


def codes_in(
    other: Vocabulary, own: Vocabulary, *, unknown: Literal["ignore", "add"] = "ignore"
) -> Int32s:
    """Find the ids of one vocabulary in another.

    Returns
    -------
    ndarray of int32, shape (len(own),)
        For each code of `own` the code in `other`; -1 where the other does not know the id (unless
        it is added), and where the id is erased.

    Examples
    --------
    >>> codes_in(Vocabulary(["milk", "bread"]), Vocabulary(["bread", "tea"]))
    array([ 1, -1], dtype=int32)
    """
    found = np.full(len(own), -1, dtype=np.int32)
    live = np.flatnonzero(own.is_live(np.arange(len(own))))
    found[live] = other.encode(own.decode(live), unknown=unknown)
    return found


def end_to_end(columns: list[Any], dtype: type[np.generic]) -> Any:  # noqa: ANN401  # of that dtype
    """Put columns one after the other; of none there is an empty one."""
    return np.concatenate([np.zeros(0, dtype=dtype), *columns])
