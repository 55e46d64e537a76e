"""Columns of texts, coded block by block in numpy: most rows are never looked up one by one.

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

__all__ = ["BLOCK_ROWS", "TextCodes", "Texts"]

_Held = TypeVar("_Held", bound=np.generic)

BLOCK_ROWS: Final = 2**15  # what is made of them on the way stays in the cache
_OFFSETS: Final = {"string": np.int32, "large_string": np.int64}
_WORD_BYTES: Final = 8
_MOST_BYTES: Final = 72  # of longer texts the words are more work than another way of coding
_MASKS: Final = np.array([(1 << 8 * n) - 1 for n in range(_WORD_BYTES + 1)], dtype=np.uint64)
_MOST_STEPS: Final = 16  # by chance, hardly one text in ten thousand is not found by then
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)  # odd, its bits without a pattern
_HALF: Final = np.uint64(32)


class Texts(NamedTuple):
    """Texts as bytes, one after the other.

    Attributes
    ----------
    ends
        Where the first begins, and where each ends, shape (n_texts + 1,).
    utf8
        The bytes.
    longest
        Bytes of the longest.
    """

    ends: NDArray[np.signedinteger[Any]]
    utf8: NDArray[np.uint8]
    longest: int

    @classmethod
    def of_arrow(cls, column: Column) -> "Texts | None":
        """Take a pyarrow array as it lies; None where it holds no texts, or too long ones.

        Missing values are not told apart: the caller leaves them out before.
        """
        dtype = _OFFSETS.get(str(column.type))
        if dtype is None:
            return None
        _, ends, utf8 = column.buffers()
        place = slice(column.offset, column.offset + len(column) + 1)
        # An empty column may come without its buffers.
        held = np.frombuffer(ends, dtype)[place] if len(column) else np.zeros(1, dtype)
        return cls._of(held, np.frombuffer(utf8 or b"", np.uint8))

    @classmethod
    def of_strs(cls, values: list[str]) -> "Texts | None":
        """Write strs one after the other; None where they are not ASCII, or too long.

        Examples
        --------
        >>> Texts.of_strs(["tea", "milk"]).ends
        array([0, 3, 7])
        >>> Texts.of_strs(["thé"]) is None
        True
        """
        joined = "".join(values)
        if not joined.isascii():  # then bytes are not characters
            return None
        ends = np.zeros(len(values) + 1, dtype=np.int64)
        np.cumsum(np.fromiter(map(len, values), np.int64, count=len(values)), out=ends[1:])
        return cls._of(ends, np.frombuffer(joined.encode(), np.uint8))

    @classmethod
    def _of(cls, ends: NDArray[np.signedinteger[Any]], utf8: NDArray[np.uint8]) -> "Texts | None":
        longest = int(np.diff(ends).max(initial=0))
        return cls(ends, utf8, longest) if longest <= _MOST_BYTES else None

    def words(self, start: int, stop: int, *, n_words: int) -> UInt64s:
        """Give some texts as words, shape (stop - start, n_words).

        The first is the length, for a text may end in zeros; zeros follow the text.
        """
        ends = self.ends[start : stop + 1].astype(np.int64)
        begins, lengths = ends[:-1] - ends[0], np.diff(ends)
        zeros = np.zeros(n_words * _WORD_BYTES, dtype=np.uint8)  # so that no word ends outside
        utf8 = np.concatenate([self.utf8[ends[0] : ends[-1]], zeros])
        words = np.empty((len(lengths), n_words), dtype=np.uint64)
        words[:, 0] = lengths
        shortest, longest = int(lengths.min()), int(lengths.max())
        for place in range(1, n_words):
            n_before = (place - 1) * _WORD_BYTES
            if shortest == longest:  # they lie at equal steps
                words[:, place] = np.ndarray(lengths.shape, "<u8", utf8, n_before, (longest,))
            else:  # the word that begins at each byte is a view, too
                word_at: UInt64s = np.ndarray((len(utf8) - 7,), "<u8", utf8, strides=(1,))
                words[:, place] = word_at[begins + n_before]
            if shortest < n_before + _WORD_BYTES:
                words[:, place] &= _MASKS.take((lengths - n_before).clip(0, _WORD_BYTES))
        return words


class TextCodes:
    """Gives texts their codes, over any number of columns: an open table of words."""

    def __init__(self) -> None:
        self._n = 0
        self._words = np.empty((0, 1), dtype=np.uint64)
        self._hashes = np.empty(0, dtype=np.uint64)
        self._slots = np.empty(0, dtype=np.int32)  # codes, -1 where free; a power of two of them

    def code(self, texts: Texts) -> tuple[Int32s, Int64s]:
        """Code texts; those not met before get the next codes.

        Returns
        -------
        tuple
            Codes, shape (n_texts,); and for each code that is new, in their order, the first text
            that has it. A text has more than one code where too many share its hash.

        Examples
        --------
        >>> known = TextCodes()
        >>> known.code(Texts.of_strs(["tea", "milk", "tea"]))
        (array([0, 1, 0], dtype=int32), array([0, 1]))
        >>> known.code(Texts.of_strs(["bread", "milk"]))
        (array([2, 1], dtype=int32), array([0]))
        """
        self._widen(1 + -(-texts.longest // _WORD_BYTES))
        n_texts = len(texts.ends) - 1
        codes = np.empty(n_texts, dtype=np.int32)
        new = [np.empty(0, dtype=np.int64)]
        for start in range(0, n_texts, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, n_texts)
            words = texts.words(start, stop, n_words=self._words.shape[1])
            codes[start:stop], new_of_block = self._code_block(words)
            new.append(start + new_of_block)
        return codes, np.concatenate(new)

    def _code_block(self, words: UInt64s) -> tuple[Int32s, Int64s]:
        self._make_room(len(words))
        hashes = _hashed(words)
        codes = np.empty(len(words), dtype=np.int32)
        rows = np.arange(len(words))
        new: list[Int64s] = []
        for step in range(_MOST_STEPS):
            slots = self._slots_of(hashes, step)
            found = self._slots.take(slots)
            free = np.flatnonzero(found < 0)
            if len(free):
                first = free[self._claim(slots[free])]
                self._add(words[first], hashes[first])
                new.append(rows[first])
                found = self._slots.take(slots)
            codes[rows] = found
            left = np.flatnonzero(_differ(self._words.take(found, axis=0, mode="clip"), words))
            rows, words, hashes = rows[left], words[left], hashes[left]
            if not len(left):
                break
        # What is left has a code of its own each time: it is told apart by the caller.
        codes[rows] = np.arange(self._n, self._n + len(rows))
        self._add(words, hashes)
        return codes, np.concatenate([*new, rows])

    def _slots_of(self, hashes: UInt64s, step: int) -> Int64s:
        n_bits = len(self._slots).bit_length() - 1
        slots = hashes >> np.uint64(64 - n_bits)
        if step:  # texts that share their first slot do not share the next
            slots = (slots + np.uint64(step) * (hashes | np.uint64(1))) & np.uint64(2**n_bits - 1)
        return slots.view(np.int64)

    def _claim(self, slots: Int64s) -> Int64s:
        """Write the next codes into free slots; give the places of those that got theirs."""
        # Written back to front: of equal slots the one that stays is the first's.
        self._slots[slots[::-1]] = np.arange(len(slots) - 1, -1, -1, dtype=np.int32)
        first = np.flatnonzero(self._slots.take(slots) == np.arange(len(slots)))
        self._slots[slots[first]] = np.arange(self._n, self._n + len(first), dtype=np.int32)
        return first

    def _add(self, words: UInt64s, hashes: UInt64s) -> None:
        stop = self._n + len(words)
        self._words[self._n : stop] = words
        self._hashes[self._n : stop] = hashes
        self._n = stop

    def _widen(self, n_words: int) -> None:
        """Hold longer texts from now on: the words of the others end in zeros."""
        n_more = n_words - self._words.shape[1]
        if n_more <= 0:
            return
        self._words = np.pad(self._words[: self._n], [(0, 0), (0, n_more)])
        self._hashes = _hashed(self._words)
        self._slots = np.empty(0, dtype=np.int32)

    def _make_room(self, n_more: int) -> None:
        n = self._n + n_more
        if n > len(self._words):
            self._words = _with_room(self._words, self._n, 2 * n)
            self._hashes = _with_room(self._hashes, self._n, 2 * n)
        if 2 * n > len(self._slots):
            self._slots = np.full(1 << (2 * n).bit_length(), -1, dtype=np.int32)
            self._fill_slots()

    def _fill_slots(self) -> None:
        codes, hashes = np.arange(self._n, dtype=np.int32), self._hashes[: self._n]
        for step in range(_MOST_STEPS):
            slots = self._slots_of(hashes, step)
            is_free = self._slots.take(slots) < 0
            self._slots[slots[is_free]] = codes[is_free]
            left = self._slots.take(slots) != codes
            codes, hashes = codes[left], hashes[left]


def _with_room(held: NDArray[_Held], n: int, n_rooms: int) -> NDArray[_Held]:
    larger = np.empty((n_rooms, *held.shape[1:]), dtype=held.dtype)
    larger[:n] = held[:n]
    return larger


def _hashed(words: UInt64s) -> UInt64s:
    hashed = words[:, 0] * _MULTIPLIER
    for place in range(1, words.shape[1]):
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
