"""Ids as they lie in a saved folder: mapped, found through an index, read one by one.

Two kinds, `StoredInts` and `StoredStrings`, with the same methods. Nothing here changes in place:
a reader keeps what it holds while another is put in its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seg1._checks import read_only
from seg1._types import Bools, Id, Int32s, Int64s
from seg1.errors import DamagedError
from seg1.events.ids import MAX_ID_BYTES, IdKind
from seg1.events.index import Index, UInt64s, hash_ints, hash_strings

__all__ = ["Stored", "StoredInts", "StoredStrings", "lay_out", "read_stored"]

Arrays: TypeAlias = Mapping[str, NDArray[Any]]  # Any: each array has a dtype of its own

_CONTINUED: Final = 0b1000_0000  # how the later bytes of a character begin in UTF-8
_LEADING_TWO: Final = 0b1100_0000


@dataclass(frozen=True, slots=True, eq=False)
class StoredInts:
    """Ids that are ints.

    Attributes
    ----------
    values
        int64, shape (n,); 0 in the place of an erased id.
    index
        Where to look for an id.
    erased
        Codes whose ids are erased.
    """

    values: Int64s
    index: Index
    erased: frozenset[int]
    _view: memoryview  # an element of it is an int, and at a third of the time

    kind: ClassVar[IdKind] = "int"
    id_type: ClassVar[type] = int

    @classmethod
    def of(cls, values: Int64s, erased: Int32s, index: Index | None = None) -> "StoredInts":
        """Put together, with an index made where none is given."""
        if index is None:
            is_live = _live(len(values), erased)
            index = Index.of(
                values.data, lambda key: hash_ints(values, key=key), np.flatnonzero(is_live)
            )
        values = read_only(values)
        return cls(values, index, frozenset(erased.tolist()), values.data)

    def __len__(self) -> int:
        """Count the codes."""
        return len(self.values)

    @property
    def is_indexed(self) -> bool:
        """Whether the index is as it would be made anew: no id was erased since."""
        return len(self.index.codes) == len(self) - len(self.erased)

    def find(self, value: int) -> int:
        """Give the code of an id, or -1."""
        for code in self.index.places_of_int(value):
            is_it = 0 <= code < len(self._view) and self._view[code] == value
            # On past an erased one: the 0 in its place is another's id.
            if is_it and code not in self.erased:
                return code
        return -1

    def decode(self, code: int) -> Id:
        """Give the id of a code in range; "" where it is erased."""
        return "" if code in self.erased else self._view[code]

    def ids(self) -> list[Id]:
        """Give all ids."""
        ids: list[Id] = self.values.tolist()
        for code in self.erased:
            ids[code] = ""
        return ids

    def without(self, codes: set[int]) -> "StoredInts":
        """Give a copy in memory that does not hold the ids of some codes."""
        values = self.values.copy()
        values[list(codes)] = 0
        values = read_only(values)
        return replace(self, values=values, erased=self.erased | codes, _view=values.data)

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Lay out as arrays, without the index."""
        return {f"{prefix}_ids": self.values, **_erased_array(self.erased, prefix)}

    def check(self, prefix: str) -> None:
        """Raise unless the ids are distinct and the index is the one that belongs to them."""
        erased = np.array(sorted(self.erased), dtype=np.int32)
        ascending = np.sort(self.values[_live(len(self), erased)])
        if (ascending[1:] == ascending[:-1]).any() or self.values[erased].any():
            raise DamagedError(f"the {prefix} vocabulary holds an id twice")
        self.index.check_same(StoredInts.of(self.values, erased).index, prefix)


@dataclass(frozen=True, slots=True, eq=False)
class StoredStrings:
    """Ids that are strings.

    Attributes
    ----------
    text
        UTF-8 of all ids, one after the other; uint8, shape (n_bytes,).
    ends
        Where each id begins and, last, where the text ends; int64, shape (n + 1,). An erased id
        has no bytes.
    index
        Where to look for an id.
    erased
        Codes whose ids are erased.
    """

    text: NDArray[np.uint8]
    ends: Int64s
    index: Index
    erased: frozenset[int]
    _text: memoryview
    _ends: memoryview

    kind: ClassVar[IdKind] = "str"
    id_type: ClassVar[type] = str

    @classmethod
    def of(
        cls,
        text: NDArray[np.uint8],
        ends: Int64s,
        erased: Int32s,
        index: Index | None = None,
    ) -> "StoredStrings":
        """Put together, with an index made where none is given."""
        if index is None:
            live = np.flatnonzero(_live(len(ends) - 1, erased))
            index, _ = _index_of_strings(text, ends, live)
        text, ends = read_only(text), read_only(ends)
        gone = frozenset(erased.tolist())
        return cls(text, ends, index, gone, text.data, ends.data)

    def __len__(self) -> int:
        """Count the codes."""
        return len(self.ends) - 1

    @property
    def is_indexed(self) -> bool:
        """Whether the index is as it would be made anew: no id was erased since."""
        return len(self.index.codes) == len(self) - len(self.erased)

    def find(self, value: str) -> int:
        """Give the code of an id, or -1."""
        utf8, ends = value.encode(), self._ends
        n = len(ends) - 1
        for code in self.index.places_of_bytes(utf8):
            if 0 <= code < n:
                start = ends[code]
                # All its bytes are looked at: "an" is not found where "ana" begins.
                if start >= 0 and self._text[start : ends[code + 1]] == utf8:
                    return -1 if code in self.erased else code
        return -1

    def decode(self, code: int) -> Id:
        """Give the id of a code in range; "" where it is erased."""
        start, stop = self._ends[code], self._ends[code + 1]
        if not 0 <= start <= stop <= len(self._text) or (start == stop) != (code in self.erased):
            raise DamagedError("the offsets of a vocabulary do not fit its text")
        try:
            return bytes(self._text[start:stop]).decode()
        except UnicodeDecodeError:
            # The cause is left out: it holds the text, and so an id.
            raise DamagedError("the text of a vocabulary is not UTF-8") from None

    def ids(self) -> list[Id]:
        """Give all ids."""
        text = self.text.tobytes()
        try:
            return [text[a:b].decode() for a, b in pairwise(self.ends.tolist())]
        except UnicodeDecodeError:
            raise DamagedError("the text of a vocabulary is not UTF-8") from None

    def without(self, codes: set[int]) -> "StoredStrings":
        """Give a copy in memory that does not hold the ids of some codes."""
        lengths = np.diff(self.ends)
        stays = np.ones(len(lengths), dtype=np.bool_)
        stays[list(codes)] = False
        text = read_only(self.text[np.repeat(stays, lengths)])
        ends = np.zeros_like(self.ends)
        np.cumsum(np.where(stays, lengths, 0), out=ends[1:])
        ends, gone = read_only(ends), self.erased | codes
        return StoredStrings(text, ends, self.index, gone, text.data, ends.data)

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Lay out as arrays, without the index."""
        return {
            f"{prefix}_utf8": self.text,
            f"{prefix}_offsets": self.ends,
            **_erased_array(self.erased, prefix),
        }

    def check(self, prefix: str) -> None:
        """Raise unless the ids are distinct and valid and the index belongs to them."""
        lengths, erased = np.diff(self.ends), np.array(sorted(self.erased), dtype=np.int32)
        is_live = _live(len(self), erased)
        starts = self.ends[:-1][is_live]
        if not ((lengths >= 0).all() and ((lengths > 0) == is_live).all()):
            raise DamagedError("the offsets of a vocabulary do not fit its text")
        if (lengths > MAX_ID_BYTES).any():
            raise DamagedError(f"the {prefix} vocabulary holds an id that is too long")
        self._check_utf8(starts)
        live = np.flatnonzero(is_live)
        index, hashed = _index_of_strings(self.text, self.ends, live)
        self._check_distinct(live, hashed[live], prefix)
        self.index.check_same(index, prefix)

    def _check_utf8(self, starts: Int64s) -> None:
        try:
            self.text.tobytes().decode()
        except UnicodeDecodeError:
            raise DamagedError("the text of a vocabulary is not UTF-8") from None
        # The whole is UTF-8; so is each id, where none begins within a character.
        if ((self.text[starts] & _LEADING_TWO) == _CONTINUED).any():
            raise DamagedError("the text of a vocabulary is not UTF-8")

    def _check_distinct(self, live: Int64s, hashed: UInt64s, prefix: str) -> None:
        ascending = np.sort(hashed)
        repeated = ascending[1:][ascending[1:] == ascending[:-1]]
        alike = live[np.isin(hashed, repeated)].tolist()
        if len({self.decode(code) for code in alike}) != len(alike):
            raise DamagedError(f"the {prefix} vocabulary holds an id twice")


def _index_of_strings(text: NDArray[np.uint8], ends: Int64s, live: Int64s) -> tuple[Index, UInt64s]:
    """Make an index; give as well the hash of every code, which takes most of the time."""
    kept: list[UInt64s] = []

    def hashed(key: bytes) -> UInt64s:
        kept[:] = [hash_strings(text, ends, key=key)]
        return kept[0]

    return Index.of(text.tobytes() + ends.tobytes(), hashed, live), kept[0]


Stored: TypeAlias = StoredInts | StoredStrings


def read_stored(arrays: Arrays, prefix: str) -> Stored | None:
    """Take the ids and their index as they lie, looking at shapes and dtypes alone.

    None where there is no index: a folder saved before there was one.

    Raises
    ------
    DamagedError
        Where arrays are missing or do not fit together.
    """
    if not any(f"{prefix}_index_{part}" in arrays for part in ("key", "starts", "codes")):
        return None
    values = _column(arrays, f"{prefix}_ids", np.int64)
    if values is not None:
        return StoredInts.of(values, *_erased_and_index(arrays, prefix, n=len(values)))
    text = _column(arrays, f"{prefix}_utf8", np.uint8)
    ends = _column(arrays, f"{prefix}_offsets", np.int64)
    if text is None or ends is None or not len(ends):
        raise DamagedError(f"the arrays of the {prefix} vocabulary are missing")
    if ends[0] != 0 or ends[-1] != len(text):
        raise DamagedError("the offsets of a vocabulary do not fit its text")
    return StoredStrings.of(text, ends, *_erased_and_index(arrays, prefix, n=len(ends) - 1))


def lay_out(
    ids: Sequence[Id], erased: Int32s, *, kind: IdKind | None, prefix: str, index: bool
) -> dict[str, NDArray[Any]]:
    """Lay out ids as arrays, with an index made for them where it is asked for."""
    gone = {f"{prefix}_erased": erased} if len(erased) else {}
    if kind != "str":
        values = np.array([0 if value == "" else value for value in ids], dtype=np.int64)
        made = StoredInts.of(values, erased).index.to_arrays(prefix) if index else {}
        return {f"{prefix}_ids": values, **gone, **made}
    encoded = [str(value).encode() for value in ids]
    text = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    made = StoredStrings.of(text, ends, erased).index.to_arrays(prefix) if index else {}
    return {f"{prefix}_utf8": text, f"{prefix}_offsets": ends, **gone, **made}


def _erased_and_index(arrays: Arrays, prefix: str, *, n: int) -> tuple[Int32s, Index]:
    none = np.zeros(0, dtype=np.int32)
    gone = f"{prefix}_erased"
    erased = _column(arrays, gone, np.int32) if gone in arrays else none
    is_ascending = erased is not None and bool((np.diff(erased, prepend=-1, append=n) > 0).all())
    if erased is None or not is_ascending:
        raise DamagedError(f"the erased codes of the {prefix} vocabulary are out of range")
    return erased, Index.from_arrays(arrays, prefix, n=n - len(erased))


def _column(arrays: Arrays, name: str, dtype: type[np.generic]) -> NDArray[Any] | None:
    array = arrays.get(name)
    is_column = isinstance(array, np.ndarray) and array.dtype == dtype and array.ndim == 1
    return array if is_column else None


def _erased_array(erased: frozenset[int], prefix: str) -> dict[str, NDArray[Any]]:
    codes = np.array(sorted(erased), dtype=np.int32)
    return {f"{prefix}_erased": codes} if len(codes) else {}


def _live(n: int, erased: Int32s) -> Bools:
    is_live = np.ones(n, dtype=np.bool_)
    is_live[erased] = False
    return is_live


def read_unindexed(arrays: Arrays, prefix: str) -> list[Id]:
    """Read the ids of a folder that was saved before there was an index.

    Raises
    ------
    DamagedError
        Where arrays are missing or do not fit together.
    """
    if f"{prefix}_ids" in arrays:
        ids: list[Id] = arrays[f"{prefix}_ids"].tolist()
        return ids
    if f"{prefix}_utf8" in arrays and f"{prefix}_offsets" in arrays:
        return _split_utf8(arrays[f"{prefix}_utf8"], arrays[f"{prefix}_offsets"])
    raise DamagedError(f"the arrays of the {prefix} vocabulary are missing")


def _split_utf8(blob: NDArray[Any], ends: NDArray[Any]) -> list[Id]:
    text = blob.tobytes()
    offsets = ends.tolist() if ends.dtype.kind == "i" and ends.ndim == 1 else []
    if offsets[:1] != [0] or offsets[-1] != len(text) or offsets != sorted(offsets):
        raise DamagedError("the offsets of a vocabulary do not fit its text")
    try:
        return [text[a:b].decode() for a, b in pairwise(offsets)]
    except UnicodeDecodeError:
        # The cause is left out: it holds the text, and so an id.
        raise DamagedError("the text of a vocabulary is not UTF-8") from None
