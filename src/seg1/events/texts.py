"""A column of texts, as codes in order of arrival: blocks of rows at a time, without an object each.

A text is read as words of eight bytes, and looked for in an open table by a hash of them. A hash
only says where to look: whether two texts are the same, all their words decide. So texts that share
a hash, by chance or on purpose, cost a repeated entry and never a wrong code.
"""

from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from seg1._types import Bools, Int32s, Int64s
from seg1.events.index import UInt64s
from seg1.events.problems import Column

__all__ = ["code_texts"]

_Held = TypeVar("_Held", bound=np.generic)

_TEXTS: Final = {"string": np.int32, "large_string": np.int64}  # and the dtype of their offsets
_WORD_BYTES: Final = 8
_MOST_WORDS: Final = 9  # more of them, and Arrow is as fast
_BLOCK_ROWS: Final = 2**15  # what is made of them on the way stays in the cache
_MOST_STEPS: Final = 16  # by chance, one text in some ten thousand is not found by then
_MASKS: Final = np.array([(1 << 8 * n) - 1 for n in range(_WORD_BYTES + 1)], dtype=np.uint64)
_LENGTH_SHIFT: Final = np.uint64(56)
_HALF: Final = np.uint64(32)
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)  # odd, its bits without a pattern


def code_texts(column: Column) -> tuple[Column, Int32s] | None:
    """Find the distinct texts of an Arrow column of strings, and which one each row holds.

    Parameters
    ----------
    column
        A pyarrow array.

    Returns
    -------
    tuple or None
        The texts in order of arrival, as a pyarrow array, and for each row the place of its text
        there, past the end where it is missing, shape (n_rows,). A text is there twice where too
        many share its hash. None for a column of something else, or with a text too long for it.

    Examples
    --------
    >>> import pyarrow as pa
    >>> texts, rows = code_texts(pa.array(["tea", "milk", None, "tea"]))
    >>> texts.to_pylist(), rows
    (['tea', 'milk'], array([0, 1, 2, 0], dtype=int32))
    """
    if str(column.type) not in _TEXTS:
        return None
    held = column.drop_null() if column.null_count else column
    texts = _Texts.of(held)
    if texts.n_words > _MOST_WORDS:
        return None
    first_rows, codes = _coded(texts)
    if column.null_count:
        is_valid = column.is_valid().to_numpy(zero_copy_only=False)
        with_missing = np.full(len(column), len(first_rows), dtype=np.int32)
        with_missing[is_valid] = codes
        codes = with_missing
    return held.take(_as_arrow(first_rows)), codes


def _coded(texts: "_Texts") -> tuple[Int64s, Int32s]:
    """Give the first row of every text, ascending, and the place there of each row's."""
    codes = np.empty(len(texts), dtype=np.int32)
    known = _Known(texts.n_words)
    for start in range(0, len(codes), _BLOCK_ROWS):
        words = texts.words(start, min(start + _BLOCK_ROWS, len(codes)))
        codes[start : start + len(words)] = known.code(words, first_row=start)
    first_rows = known.first_rows()
    order = np.argsort(first_rows)
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    for start in range(0, len(codes), _BLOCK_ROWS):  # in place: no other column is needed
        codes[start : start + _BLOCK_ROWS] = place.take(codes[start : start + _BLOCK_ROWS])
    return first_rows[order], codes


def _as_arrow(rows: Int64s) -> Column:
    import pyarrow as pa  # noqa: PLC0415  # only where the caller's table has brought it

    return pa.array(rows)


class _Texts(NamedTuple):
    """Where the texts of a column lie."""

    ends: NDArray[np.signedinteger[Any]]  # of each, after where the first begins, (n_texts + 1,)
    text: NDArray[np.uint8]
    n_words: int

    @classmethod
    def of(cls, column: Column) -> "_Texts":
        _, ends, text = column.buffers()
        dtype = _TEXTS[str(column.type)]
        begin, stop = column.offset, column.offset + len(column)
        # An empty column may come without its buffers.
        held = np.frombuffer(ends, dtype)[begin : stop + 1] if len(column) else np.zeros(1, dtype)
        longest = int(np.diff(held).max(initial=0))
        n_words = longest // _WORD_BYTES + 1  # the last has a byte to spare
        return cls(held, np.frombuffer(text or b"", np.uint8), n_words)

    def __len__(self) -> int:
        return len(self.ends) - 1

    def words(self, start: int, stop: int) -> UInt64s:
        """Give some texts as words, shape (stop - start, n_words), zeros after their ends.

        The last byte of the last word is no text's: it has the length, for a text may end in zeros.
        """
        ends = self.ends[start : stop + 1].astype(np.int64)
        text = self.text[ends[0] : ends[-1]]
        padded = np.concatenate([text, np.zeros(self.n_words * _WORD_BYTES, dtype=np.uint8)])
        word_at: UInt64s = np.ndarray((len(padded) - 7,), "<u8", padded, strides=(1,))
        begins, lengths = ends[:-1] - ends[0], np.diff(ends)
        shortest = int(lengths.min())
        words = np.empty((len(lengths), self.n_words), dtype=np.uint64)
        for place in range(self.n_words):
            words[:, place] = word_at[begins + place * _WORD_BYTES]
            if shortest < (place + 1) * _WORD_BYTES:
                n_bytes = (lengths - place * _WORD_BYTES).clip(0, _WORD_BYTES)
                words[:, place] &= _MASKS.take(n_bytes)
        words[:, -1] |= lengths.astype(np.uint64) << _LENGTH_SHIFT
        return words


class _Known:
    """The texts met so far, by their words."""

    def __init__(self, n_words: int) -> None:
        self._n = 0
        self._words = np.empty((0, n_words), dtype=np.uint64)
        self._hashes = np.empty(0, dtype=np.uint64)
        self._first_rows = np.empty(0, dtype=np.int64)
        self._slots = np.empty(0, dtype=np.int32)  # codes, -1 in a free one; a power of two

    def first_rows(self) -> Int64s:
        """Tell for every code the first row that had it, shape (n_codes,)."""
        return self._first_rows[: self._n]

    def code(self, words: UInt64s, *, first_row: int) -> Int32s:
        """Give the codes of some rows, which are consecutive; texts not met before get new ones."""
        self._make_room(len(words))
        hashes = _hashed(words)
        codes = np.empty(len(words), dtype=np.int32)
        rows = np.arange(len(words))
        for step in range(_MOST_STEPS):
            slots = self._slots_of(hashes, step)
            found = self._slots.take(slots)
            new = np.flatnonzero(found < 0)
            if len(new):
                first = new[self._claim(slots[new])]
                self._add(words[first], hashes[first], first_row + rows[first])
                found = self._slots.take(slots)
            codes[rows] = found
            left = np.flatnonzero(_differ(self._words.take(found, axis=0, mode="clip"), words))
            if not len(left):
                return codes
            rows, words, hashes = rows[left], words[left], hashes[left]
        codes[rows] = np.arange(self._n, self._n + len(rows))
        self._add(words, hashes, first_row + rows)
        return codes

    def _slots_of(self, hashes: UInt64s, step: int) -> Int64s:
        n_bits = len(self._slots).bit_length() - 1
        slots = hashes >> np.uint64(64 - n_bits)
        if step:  # texts that share their first slot do not share the next
            slots = (slots + np.uint64(step) * (hashes | np.uint64(1))) & np.uint64(2**n_bits - 1)
        return slots.view(np.int64)

    def _claim(self, slots: Int64s) -> Int64s:
        """Write the codes to come into free slots; give the places of the rows that get them."""
        # Written back to front: of equal slots the one that stays is the first row's.
        self._slots[slots[::-1]] = np.arange(len(slots) - 1, -1, -1, dtype=np.int32)
        first = np.flatnonzero(self._slots.take(slots) == np.arange(len(slots)))
        self._slots[slots[first]] = np.arange(self._n, self._n + len(first), dtype=np.int32)
        return first

    def _add(self, words: UInt64s, hashes: UInt64s, rows: Int64s) -> None:
        stop = self._n + len(rows)
        self._words[self._n : stop] = words
        self._hashes[self._n : stop] = hashes
        self._first_rows[self._n : stop] = rows
        self._n = stop

    def _make_room(self, n_more: int) -> None:
        n = self._n + n_more
        if n > len(self._words):
            self._words = _with_room(self._words, self._n, 2 * n)
            self._hashes = _with_room(self._hashes, self._n, 2 * n)
            self._first_rows = _with_room(self._first_rows, self._n, 2 * n)
        if 2 * n > len(self._slots):
            self._slots = np.full(1 << (2 * n).bit_length(), -1, dtype=np.int32)
            self._fill_slots()

    def _fill_slots(self) -> None:
        codes, hashes = np.arange(self._n, dtype=np.int32), self._hashes[: self._n]
        for step in range(_MOST_STEPS):
            slots = self._slots_of(hashes, step)
            free = self._slots.take(slots) < 0
            self._slots[slots[free]] = codes[free]
            left = self._slots.take(slots) != codes
            codes, hashes = codes[left], hashes[left]


def _with_room(held: NDArray[_Held], n: int, n_rooms: int) -> NDArray[_Held]:
    larger = np.empty((n_rooms, *held.shape[1:]), dtype=held.dtype)
    larger[:n] = held[:n]
    return larger


def _hashed(words: UInt64s) -> UInt64s:
    hashed = words[:, -1] * _MULTIPLIER
    for place in range(words.shape[1] - 1):
        hashed ^= words[:, place]
        hashed ^= hashed >> _HALF
        hashed *= _MULTIPLIER
    hashed ^= hashed >> _HALF
    hashed *= _MULTIPLIER
    return hashed


def _differ(some: UInt64s, others: UInt64s) -> Bools:
    """Tell which rows differ; word by word is faster than row by row."""
    differ: Bools = some[:, 0] != others[:, 0]
    for place in range(1, some.shape[1]):
        differ |= some[:, place] != others[:, place]
    return differ
