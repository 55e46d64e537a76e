"""What an id is: a str of 1 to 256 bytes of UTF-8, or an int that int64 holds."""

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

import numpy as np

from seg1._types import Id, Int32s
from seg1.errors import InvalidArgumentError, InvalidTypeError

__all__ = [
    "MAX_ID_BYTES",
    "IdKind",
    "as_id",
    "first_appearance",
    "id_problem",
    "known_codes",
    "plain_id",
    "plain_ids",
]

IdKind: TypeAlias = Literal["str", "int"]

MAX_ID_BYTES = 256
_BLOCK_ROWS = 2**15
_INT64 = (-(2**63), 2**63 - 1)


def id_problem(value: object) -> str | None:
    """Say what is wrong with an id, or None. The value is not in the answer.

    Examples
    --------
    >>> id_problem("a-17"), id_problem(""), id_problem(2.0)
    (None, 'empty id', 'id is a float; ids are str or int')
    """
    if isinstance(value, str):
        return _string_problem(value)
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return None if _INT64[0] <= int(value) <= _INT64[1] else "id does not fit into int64"
    return "missing" if value is None else f"id is a {type(value).__name__}; ids are str or int"


def _string_problem(value: str) -> str | None:
    if not value:
        return "empty id"
    try:
        n_bytes = len(value) if value.isascii() else len(value.encode())
    except UnicodeEncodeError:
        return "id is not valid Unicode"
    return f"id is longer than {MAX_ID_BYTES} bytes" if n_bytes > MAX_ID_BYTES else None


def plain_id(value: object) -> object:
    """Take the plain str or int out of a subclass of one (an enum, a numpy scalar).

    Examples
    --------
    >>> plain_id(np.int64(7)), plain_id(np.str_("a")), plain_id(None)
    (7, 'a', None)
    """
    if isinstance(value, str):
        return str.__str__(value)  # str() of an enum would give its name, not its value
    is_int = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return int(value) if is_int else value  # type: ignore[call-overload]  # an int, as just seen


def as_id(value: object) -> Id:
    """Accept one id as a plain str or int; raise without showing it."""
    # The hot paths: nothing else to look at.
    if type(value) is str and value and value.isascii() and len(value) <= MAX_ID_BYTES:
        return value
    if type(value) is int and -(2**63) <= value < 2**63:
        return value
    problem = id_problem(value)
    if problem is None:
        return plain_id(value)  # type: ignore[return-value]  # id_problem has seen what it is
    if isinstance(value, str | int | np.integer) and not isinstance(value, bool):
        raise InvalidArgumentError(problem)
    raise InvalidTypeError(f"id must be a str or an int, got {type(value).__name__}")


def first_appearance(codes: Int32s, n_codes: int) -> Int32s:
    """List the codes that occur, in the order in which they first do.

    Parameters
    ----------
    codes
        Codes in [0, n_codes), shape (n,).
    n_codes
        How many codes there can be.

    Returns
    -------
    ndarray of int32, shape (n_distinct,)

    Examples
    --------
    >>> first_appearance(np.array([4, 1, 4, 0], dtype=np.int32), 5)
    array([4, 1, 0], dtype=int32)
    """
    # Codes given out in this very order, as a table's are: there is nothing to look for.
    n_in_order = _count_in_order(codes)
    if n_in_order is not None:
        return np.arange(n_in_order, dtype=np.int32)
    first_row = np.full(n_codes, -1, dtype=np.int64)
    # Written back to front: of equal codes the assignment that stays is the first row's.
    first_row[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    present = np.flatnonzero(first_row >= 0)
    order: Int32s = present[np.argsort(first_row[present])].astype(np.int32)
    return order


def _count_in_order(codes: Int32s) -> int | None:
    """Count the codes where each is new by being the next one; None where one is not."""
    n_codes = 0
    # Block by block: what is made on the way stays in the cache.
    for start in range(0, len(codes), _BLOCK_ROWS):
        highest = np.maximum.accumulate(codes[start : start + _BLOCK_ROWS])
        np.maximum(highest, n_codes - 1, out=highest)
        if highest[0] > n_codes or int(np.diff(highest).max(initial=0)) > 1:
            return None
        n_codes = int(highest[-1]) + 1
    return n_codes


def plain_ids(ids: Iterable[object]) -> list[Id]:
    """Accept several ids as plain strs or ints."""
    if isinstance(ids, str):  # its letters would become ids
        raise InvalidTypeError("ids must be several, got one str; write [id]")
    return [as_id(value) for value in ids]


def known_codes(ids: list[Id], codes: Mapping[Id, int]) -> Int32s | None:
    """Look up several ids that are plain; None where one is not there.

    Examples
    --------
    >>> known_codes(["b", "a"], {"a": 0, "b": 1}), known_codes(["c"], {"a": 0})
    (array([1, 0], dtype=int32), None)
    """
    try:
        return np.array(list(map(codes.__getitem__, ids)), dtype=np.int32)
    except KeyError:
        return None
