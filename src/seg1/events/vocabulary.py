"""Ids and their codes: the one place where the caller's names become row numbers."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seg1._checks import check_choice
from seg1._types import Id, Int32s
from seg1.errors import (
    DamagedError,
    InvalidArgumentError,
    InvalidTypeError,
    UnknownIdError,
    WrongIdTypeError,
)

__all__ = [
    "MAX_ID_BYTES",
    "IdKind",
    "Vocabulary",
    "as_id",
    "first_appearance",
    "id_problem",
    "plain_id",
]

IdKind: TypeAlias = Literal["str", "int"]

MAX_ID_BYTES = 256
_MAX_CODES = 2**31 - 1
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
    first_row = np.full(n_codes, -1, dtype=np.int64)
    # Written back to front: of equal codes the assignment that stays is the first row's.
    first_row[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    present = np.flatnonzero(first_row >= 0)
    order: Int32s = present[np.argsort(first_row[present])].astype(np.int32)
    return order


class Vocabulary:
    """Ids of one kind (str or int), each with a code: 0, 1, 2, ... in order of arrival.

    Codes never change; a vocabulary only grows, and only by `encode(..., unknown="add")`. Any
    number of threads may read while one adds.

    Parameters
    ----------
    ids
        Ids to begin with. A repeated id keeps its first code.

    Raises
    ------
    InvalidTypeError, InvalidArgumentError
        For an id that is no str or int, is empty, or is longer than 256 bytes; or for one str
        in the place of several ids.
    WrongIdTypeError
        For str and int in one vocabulary.

    Examples
    --------
    >>> items = Vocabulary(["milk", "bread"])
    >>> items.encode(["bread", "eggs"], unknown="add")
    array([1, 2], dtype=int32)
    >>> items.decode([2])
    ['eggs']
    """

    def __init__(self, ids: Iterable[Id] = ()) -> None:
        self._ids: list[Id] = []
        self._codes: dict[Id, int] = {}
        self._lock = threading.Lock()
        self.encode(ids, unknown="add")

    @property
    def kind(self) -> IdKind | None:
        """Which kind of id it holds: "str", "int", or None while it is empty."""
        if not self._ids:
            return None
        return "str" if isinstance(self._ids[0], str) else "int"

    @property
    def ids(self) -> tuple[Id, ...]:
        """All ids, in the order of their codes."""
        return tuple(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, value: object) -> bool:
        return id_problem(value) is None and value in self._codes and self._is_kind(value)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} ids of kind {self.kind})"

    def find(self, value: Id) -> int:
        """Code of one id, or -1 where it is not known.

        Raises
        ------
        WrongIdTypeError
            Where the vocabulary holds the other kind.

        Examples
        --------
        >>> Vocabulary(["milk"]).find("milk"), Vocabulary(["milk"]).find("tea")
        (0, -1)
        """
        if type(value) is int or type(value) is str:  # not bool, which is 0 or 1 to a dict
            code = self._codes.get(value)
            if code is not None:
                return code
        checked = as_id(value)
        self._check_kinds([checked])
        return self._codes.get(checked, -1)

    def encode(
        self, ids: Iterable[Id], *, unknown: Literal["error", "ignore", "add"] = "error"
    ) -> Int32s:
        """Turn ids into codes.

        Parameters
        ----------
        ids
            Ids, n of them.
        unknown
            What to do with an id not held: raise, give code -1, or append it.

        Returns
        -------
        ndarray of int32, shape (n,)

        Raises
        ------
        UnknownIdError
            With `unknown="error"`; the message has the position, not the id.
        WrongIdTypeError
            Where an id is of the other kind. Nothing is added then.
        """
        check_choice(unknown, name="unknown", choices=("error", "ignore", "add"))
        if isinstance(ids, str):  # its letters would become ids
            raise InvalidTypeError("ids must be several, got one str; write [id]")
        plain = [as_id(value) for value in ids]
        if unknown == "add":
            self._add(plain)
        else:
            self._check_kinds(plain)
        codes = np.fromiter((self._codes.get(i, -1) for i in plain), np.int32, count=len(plain))
        if unknown == "error" and (codes < 0).any():
            n_unknown = int((codes < 0).sum())
            raise UnknownIdError(
                f"{n_unknown} of {len(plain)} ids are unknown, the first at position "
                f'{int(np.argmax(codes < 0))}; pass unknown="ignore" to get -1 for them'
            )
        return codes

    def decode(self, codes: Iterable[int] | NDArray[np.integer]) -> list[Id]:
        """Turn codes into ids.

        Raises
        ------
        InvalidArgumentError
            For a code that was never given out.
        """
        numbers = codes.tolist() if isinstance(codes, np.ndarray) else list(codes)
        ids = self._ids
        if numbers and not (min(numbers) >= 0 and max(numbers) < len(ids)):
            raise InvalidArgumentError(f"codes must lie in [0, {len(ids)})")
        return [ids[code] for code in numbers]

    def take(self, codes: NDArray[np.integer]) -> "Vocabulary":
        """Build a new vocabulary of some ids, in the order given, with codes from 0.

        Raises
        ------
        InvalidArgumentError
            For a code that was never given out, or that stands there twice.
        """
        taken = Vocabulary()
        taken._extend(self.decode(codes))  # ids that were checked when they came
        if len(taken._codes) != len(taken):
            raise InvalidArgumentError("codes must be distinct: a vocabulary holds an id once")
        return taken

    def to_arrays(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """Lay the ids out as arrays that need no pickle: int64 ids, or UTF-8 bytes and offsets."""
        if self.kind != "str":
            return {f"{prefix}_ids": np.array(self._ids, dtype=np.int64)}
        encoded = [str(value).encode() for value in self._ids]
        ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        blob = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        return {f"{prefix}_utf8": blob, f"{prefix}_offsets": ends}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]], prefix: str) -> "Vocabulary":
        """Rebuild what `to_arrays` laid out.

        Raises
        ------
        DamagedError
            Where the arrays do not describe distinct valid ids.
        """
        ids: Sequence[Id]
        if f"{prefix}_ids" in arrays:
            ids = arrays[f"{prefix}_ids"].tolist()
        elif f"{prefix}_utf8" in arrays and f"{prefix}_offsets" in arrays:
            ids = _split_utf8(arrays[f"{prefix}_utf8"], arrays[f"{prefix}_offsets"])
        else:
            raise DamagedError(f"the arrays of the {prefix} vocabulary are missing")
        try:
            vocabulary = cls(ids)
        except (InvalidArgumentError, InvalidTypeError) as error:
            raise DamagedError(f"the {prefix} vocabulary holds what is no id: {error}") from error
        if len(vocabulary) != len(ids):
            raise DamagedError(f"the {prefix} vocabulary holds an id twice")
        return vocabulary

    def _is_kind(self, value: object) -> bool:
        return self.kind == ("str" if isinstance(value, str) else "int")

    def _check_kinds(self, plain: list[Id]) -> None:
        asked = {type(value) for value in plain}
        if len(asked) > 1:
            raise WrongIdTypeError("ids are both str and int; a vocabulary holds one kind")
        kind = self.kind
        if kind is not None and asked and {kind} != {type_.__name__ for type_ in asked}:
            raise WrongIdTypeError(
                f"this vocabulary holds {kind} ids and was asked for the other kind; "
                f"convert them, for example with {kind}(id)"
            )

    def _add(self, plain: list[Id]) -> None:
        with self._lock:
            self._check_kinds(plain)
            new = [value for value in dict.fromkeys(plain) if value not in self._codes]
            if len(self._ids) + len(new) > _MAX_CODES:
                raise InvalidArgumentError(f"a vocabulary holds at most {_MAX_CODES} ids")
            self._extend(new)

    def _extend(self, new: list[Id]) -> None:
        start = len(self._ids)
        self._ids.extend(new)  # before the codes: a reader never meets a code without its id
        self._codes.update(zip(new, range(start, start + len(new)), strict=True))


def _split_utf8(blob: NDArray[np.generic], ends: NDArray[np.generic]) -> list[str]:
    text = blob.tobytes()
    offsets = ends.tolist() if ends.dtype.kind == "i" and ends.ndim == 1 else []
    if offsets[:1] != [0] or offsets[-1] != len(text) or offsets != sorted(offsets):
        raise DamagedError("the offsets of a vocabulary do not fit its text")
    try:
        return [text[a:b].decode() for a, b in pairwise(offsets)]
    except UnicodeDecodeError:
        # The cause is left out: it holds the text, and so an id.
        raise DamagedError("the text of a vocabulary is not UTF-8") from None
