"""Ids and their codes: the one place where the caller's names become row numbers."""

import threading
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seg1._checks import check_choice
from seg1._types import Bools, Id, Int32s
from seg1.errors import (
    DamagedError,
    InvalidArgumentError,
    InvalidTypeError,
    UnknownIdError,
    WrongIdTypeError,
)
from seg1.events.ids import MAX_ID_BYTES, IdKind, as_id, first_appearance, id_problem, plain_id
from seg1.events.ids import known_codes as _known_codes
from seg1.events.ids import plain_ids as _plain_ids
from seg1.events.stored import Stored, lay_out, read_stored, read_unindexed

__all__ = [
    "MAX_ID_BYTES",
    "IdKind",
    "Vocabulary",
    "as_id",
    "first_appearance",
    "id_problem",
    "plain_id",
]

_MAX_CODES = 2**31 - 1
_TYPES: dict[IdKind | None, set[type]] = {"str": {str}, "int": {int}}
_ERASED = ""  # stands where an id was; it is no id of either kind


class Vocabulary:
    """Ids of one kind (str or int), each with a code: 0, 1, 2, ... in order of arrival.

    Codes never change and are never used again. A vocabulary grows by
    `encode(..., unknown="add")`; an id leaves it by `erase`. Any number of threads may read while
    one adds or erases.

    One that was saved is mapped when it is loaded: `find` reads the few bytes it needs, and what is
    added stands beside.

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
        self._stored: Stored | None = None  # the ids of the first codes, where they were saved
        self._n_stored = 0
        self._ids: list[Id] = []  # the ids of the codes after them
        self._codes: dict[Id, int] = {}
        self._kind: IdKind | None = None
        self._erased: frozenset[int] = frozenset()
        self._lock = threading.Lock()
        self.encode(ids, unknown="add")

    @property
    def kind(self) -> IdKind | None:
        """Which kind of id it holds: "str", "int", or None while it is empty."""
        return self._kind

    @property
    def ids(self) -> tuple[Id, ...]:
        """All ids, in the order of their codes; "", which is no id, where one is erased."""
        stored = self._stored
        return tuple(self._ids) if stored is None else (*stored.ids(), *self._ids)

    @property
    def n_erased(self) -> int:
        """How many codes have lost their ids."""
        return len(self._erased)

    def __len__(self) -> int:
        """Count the codes, those of erased ids among them."""
        return self._n_stored + len(self._ids)

    def __contains__(self, value: object) -> bool:
        if id_problem(value) is not None:
            return False
        plain = plain_id(value)
        return type(plain).__name__ == self._kind and self._find(plain) >= 0  # type: ignore[arg-type]  # an id

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
        checked, stored = as_id(value), self._stored
        if stored is not None and checked is value and type(value) is stored.id_type:
            return stored.find(value)  # type: ignore[arg-type]  # of its type, as just seen
        self._check_kinds([checked])
        return self._find(checked)

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
        if not isinstance(ids, str):
            ids = list(ids)
            if self._stored is None and set(map(type, ids)) == _TYPES.get(self._kind):
                # All are plain ids of the kind: those that are found need no other look.
                found = _known_codes(ids, self._codes)
                if found is not None:
                    return found
        plain = _plain_ids(ids)
        if unknown == "add":
            self._add(plain)
        else:
            self._check_kinds(plain)
        codes = np.fromiter(map(self._find, plain), np.int32, count=len(plain))
        if unknown == "error" and (codes < 0).any():
            raise UnknownIdError(
                f"{int((codes < 0).sum())} of {len(plain)} ids are unknown, the first at position "
                f'{int(np.argmax(codes < 0))}; pass unknown="ignore" to get -1 for them'
            )
        return codes

    def decode(self, codes: Iterable[int] | NDArray[np.integer]) -> list[Id]:
        """Turn codes into ids.

        Raises
        ------
        InvalidArgumentError
            For a code that was never given out.
        UnknownIdError
            For a code whose id is erased; `is_live` tells which are not.
        """
        numbers = codes.tolist() if isinstance(codes, np.ndarray) else list(codes)
        if numbers and not 0 <= min(numbers) <= max(numbers) < len(self):
            raise InvalidArgumentError(f"codes must lie in [0, {len(self)})")
        ids = self._decode(numbers)
        if not self._erased or _ERASED not in ids:
            return ids
        raise UnknownIdError(
            f"{ids.count(_ERASED)} of {len(ids)} codes are of erased ids, the first at position "
            f"{ids.index(_ERASED)}; is_live(codes) tells them apart"
        )

    def is_live(self, codes: NDArray[np.integer]) -> Bools:
        """Tell which codes have an id still: mask of shape (n,).

        Examples
        --------
        >>> items = Vocabulary(["milk", "bread"])
        >>> items.erase(["milk"])
        1
        >>> items.is_live(np.array([0, 1]))
        array([False,  True])
        """
        erased = self._erased
        return ~np.isin(codes, list(erased)) if erased else np.ones(len(codes), dtype=np.bool_)

    def erase(self, ids: Iterable[Id]) -> int:
        """Forget ids, and tell how many were known. Their codes are never used again.

        An id is then neither in memory nor in what is saved; a folder from which the vocabulary was
        loaded keeps it until it is saved anew. The same id, added again, gets a new code.

        Raises
        ------
        WrongIdTypeError
            Where an id is of the other kind. Nothing is erased then.

        Examples
        --------
        >>> items = Vocabulary(["milk", "bread"])
        >>> items.erase(["milk", "tea"]), items.find("milk")
        (1, -1)
        >>> items.encode(["milk"], unknown="add")
        array([2], dtype=int32)
        """
        plain = _plain_ids(ids)
        with self._lock:
            self._check_kinds(plain)
            gone = {code for code in map(self._find, plain) if code >= 0}
            self._erased |= gone  # first: a reader who meets no id knows why
            added = {code for code in gone if code >= self._n_stored}
            for place in (code - self._n_stored for code in added):
                del self._codes[self._ids[place]]
                self._ids[place] = _ERASED
            if self._stored is not None and gone != added:
                self._stored = self._stored.without(gone - added)
        return len(gone)

    def copy(self) -> "Vocabulary":
        """Give one that holds the same codes and goes on by itself; what is mapped is shared."""
        other = Vocabulary()
        with self._lock:
            other._stored, other._n_stored = self._stored, self._n_stored
            other._ids, other._codes = self._ids.copy(), self._codes.copy()
            other._kind, other._erased = self._kind, self._erased
        return other

    @classmethod
    def of_codes(cls, codes: Mapping[Id, int]) -> "Vocabulary":
        """Make one of ids that were read, and so checked, in this room: id to code, ascending."""
        vocabulary = cls()
        vocabulary._codes, vocabulary._ids = dict(codes), list(codes)
        if vocabulary._ids:
            vocabulary._kind = "str" if isinstance(vocabulary._ids[0], str) else "int"
        return vocabulary

    def take(self, codes: NDArray[np.integer]) -> "Vocabulary":
        """Build a new vocabulary of some ids, in the order given, with codes from 0.

        Raises
        ------
        InvalidArgumentError
            For a code that was never given out, or that stands there twice.
        UnknownIdError
            For a code whose id is erased.
        """
        is_whole = self._stored is None and not self._erased and len(codes) == len(self)
        if is_whole and np.array_equal(codes, np.arange(len(codes))):
            return self.copy()  # a dict, in a tenth of the time that filling one takes
        taken = Vocabulary()
        taken._extend(self.decode(codes))  # ids that were checked when they came
        if len(taken._codes) != len(taken):
            raise InvalidArgumentError("codes must be distinct: a vocabulary holds an id once")
        return taken

    def first(self, n: int) -> "Vocabulary":
        """Build a new vocabulary of the first n codes as they are, the erased ones among them.

        Examples
        --------
        >>> Vocabulary(["milk", "tea"]).first(1).ids
        ('milk',)
        """
        first = Vocabulary()
        with self._lock:
            ids, erased = self.ids[:n], frozenset(code for code in self._erased if code < n)
        first._ids, first._kind, first._erased = list(ids), self._kind, erased
        first._codes = {value: code for code, value in enumerate(ids) if code not in erased}
        return first

    def to_arrays(self, prefix: str, *, index: bool = True) -> dict[str, NDArray[Any]]:
        """Lay the ids out as arrays that need no pickle.

        Parameters
        ----------
        prefix
            What the names of the arrays begin with.
        index
            Lay out as well where to find an id: what is loaded with it is mapped.

        Returns
        -------
        dict
            int64 ids, or UTF-8 bytes and offsets; the codes that are erased, where there are any.
        """
        with self._lock:
            stored = None if self._ids else self._stored
            ids = () if stored and stored.is_indexed else self.ids
            erased = np.array(sorted(self._erased), dtype=np.int32)
        if stored and stored.is_indexed:
            arrays = stored.to_arrays(prefix)
            return {**arrays, **stored.index.to_arrays(prefix)} if index else arrays
        return lay_out(ids, erased, kind=self._kind, prefix=prefix, index=index)

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], prefix: str, *, verify: bool = True
    ) -> "Vocabulary":
        """Rebuild what `to_arrays` laid out; with an index among it, the arrays stay as they are.

        Parameters
        ----------
        arrays, prefix
            The arrays, and what their names begin with.
        verify
            Look at every id, and at the index. Without it only shapes and dtypes are looked at: an
            id that does not stand where the index says is not found.

        Raises
        ------
        DamagedError
            Where the arrays do not describe distinct valid ids.
        """
        stored = read_stored(arrays, prefix)
        if stored is None:
            return cls._of_unindexed(arrays, prefix)
        if verify:
            stored.check(prefix)
        vocabulary = cls()
        if len(stored):
            vocabulary._stored, vocabulary._n_stored = stored, len(stored)
            vocabulary._kind, vocabulary._erased = stored.kind, stored.erased
        return vocabulary

    @classmethod
    def _of_unindexed(cls, arrays: Mapping[str, NDArray[Any]], prefix: str) -> "Vocabulary":
        """Read what was saved before there was an index: every id becomes an object."""
        ids = read_unindexed(arrays, prefix)
        try:
            vocabulary = cls(ids)
        except (InvalidArgumentError, InvalidTypeError) as error:
            raise DamagedError(f"the {prefix} vocabulary holds what is no id: {error}") from error
        if len(vocabulary) != len(ids):
            raise DamagedError(f"the {prefix} vocabulary holds an id twice")
        return vocabulary

    def _find(self, value: Id) -> int:
        code = self._codes.get(value, -1)
        if code < 0 and self._stored is not None:
            return self._stored.find(value)  # type: ignore[arg-type]  # of the kind it holds
        return code

    def _decode(self, codes: list[int]) -> list[Id]:
        stored, n_stored, ids = self._stored, self._n_stored, self._ids
        if stored is None:
            return [ids[code] for code in codes]
        return [stored.decode(code) if code < n_stored else ids[code - n_stored] for code in codes]

    def _check_kinds(self, plain: list[Id]) -> None:
        asked, kind = {type(value) for value in plain}, self.kind
        if len(asked) > 1:
            raise WrongIdTypeError("ids are both str and int; a vocabulary holds one kind")
        if kind is not None and asked and {kind} != {type_.__name__ for type_ in asked}:
            raise WrongIdTypeError(
                f"this vocabulary holds {kind} ids and was asked for the other kind; "
                f"convert them, for example with {kind}(id)"
            )

    def _add(self, plain: list[Id]) -> None:
        with self._lock:
            self._check_kinds(plain)
            new = [value for value in dict.fromkeys(plain) if self._find(value) < 0]
            if len(self) + len(new) > _MAX_CODES:
                raise InvalidArgumentError(f"a vocabulary holds at most {_MAX_CODES} ids")
            self._extend(new)

    def _extend(self, new: list[Id]) -> None:
        start = len(self)
        if new:
            self._kind = "str" if isinstance(new[0], str) else "int"
        self._ids.extend(new)  # before the codes: a reader never meets a code without its id
        self._codes.update(zip(new, range(start, start + len(new)), strict=True))
