"""Bits out of base64url text, read strictly: nothing may be missing, nothing left over."""

import binascii
import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final, TypeAlias, final

from seg1.errors import MalformedSignalError

__all__ = ["BitReader", "Numbers", "Ranges"]

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""First and last number of each run, both included, ascending."""

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")
_TO_STANDARD: Final = str.maketrans("-_", "+/")
_BITS_A_CHARACTER: Final = 6
_HIGHEST_LETTER: Final = 25
_SINGLE_BITS: Final = 17
_ONE: Final = ord("1")
# What an entry of 33 bits reads where the text ends: no number, so that the order refuses it.
_BEYOND: Final = "0" * 33


@final
class Numbers(AbstractSet[int]):
    """A set of whole numbers from 1 up, one bit each; equal to any set of the same numbers.

    Parameters
    ----------
    mask
        Bit k is set where number k + 1 is in the set.

    Examples
    --------
    >>> vendors = Numbers.of([3, 5])
    >>> 3 in vendors, 4 in vendors, sorted(vendors), vendors == {3, 5}
    (True, False, [3, 5], True)
    """

    __slots__ = ("_mask",)

    def __init__(self, mask: int) -> None:
        self._mask = mask

    @classmethod
    def of(cls, numbers: Iterable[int]) -> "Numbers":
        """Make a set of numbers, each >= 1."""
        mask = 0
        for number in numbers:
            mask |= 1 << (number - 1)
        return cls(mask)

    @classmethod
    def _from_iterable(cls, it: Iterable[object]) -> frozenset[object]:  # type: ignore[override]  # what & and | give
        return frozenset(it)

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and number > 0 and bool(self._mask >> (number - 1) & 1)

    def __iter__(self) -> Iterator[int]:
        bits = f"{self._mask:b}"[::-1]
        return (place + 1 for place, bit in enumerate(bits) if bit == "1")

    def __len__(self) -> int:
        return self._mask.bit_count()

    def __hash__(self) -> int:
        return self._hash()

    def __repr__(self) -> str:
        return f"Numbers({len(self)} of them)"


class BitReader:
    """Reads the fields of one part of a signal, from its first bit to its last.

    Parameters
    ----------
    text
        The part, base64url without padding characters.
    name
        What the part is called, for messages.

    Raises
    ------
    MalformedSignalError
        For a character outside the alphabet, and by every method where the bits run out.
    """

    __slots__ = ("_at", "_bits", "_name")

    def __init__(self, text: str, *, name: str) -> None:
        self._name = name
        self._at = 0
        # fullmatch: `$` would let a newline through.
        if not _BASE64URL.fullmatch(text):
            raise self.refusal("it has a character outside base64url, or none at all")
        n_bits = _BITS_A_CHARACTER * len(text)
        full = text.translate(_TO_STANDARD) + "A" * (-len(text) % 4)
        raw = binascii.a2b_base64(full)
        # One integer written in base 2 is linear in time, and slices of it are quick.
        self._bits = f"{int.from_bytes(raw, 'big'):0{8 * len(raw)}b}"[:n_bits]

    def __repr__(self) -> str:
        return f"BitReader({self._name})"

    @property
    def n_left(self) -> int:
        """How many bits are not read yet."""
        return len(self._bits) - self._at

    def refusal(self, reason: str) -> MalformedSignalError:
        """Make the error that names this part and tells the reason."""
        return MalformedSignalError(f"{self._name}: {reason}")

    def take(self, n: int) -> str:
        """Read n bits, as a str of 0 and 1."""
        start = self._at
        self._at = end = start + n
        if end > len(self._bits):
            raise self.refusal("it ends before the content does")
        return self._bits[start:end]

    def number(self, n: int) -> int:
        """Read an unsigned number of n bits, n > 0."""
        return int(self.take(n), 2)

    def flag(self) -> bool:
        """Read one bit."""
        return self.take(1) == "1"

    def letters(self) -> str:
        """Read two capital letters of six bits each."""
        first, second = self.number(6), self.number(6)
        if first > _HIGHEST_LETTER or second > _HIGHEST_LETTER:
            raise self.refusal("a two-letter code has something else than letters")
        return chr(first + ord("A")) + chr(second + ord("A"))

    def numbers(self, n: int) -> Numbers:
        """Read n bits, the first of which stands for 1."""
        return Numbers(int(self.take(n)[::-1] or "0", 2))

    def ranges(self, *, highest: int) -> Ranges:
        """Read a counted list of runs, each above the one before, none beyond `highest`."""
        n_entries = self.number(12)
        if n_entries * _SINGLE_BITS > self.n_left:
            raise self.refusal("it ends before the content does")
        bits, at, last, found = self._bits + _BEYOND, self._at, 0, []
        for _ in range(n_entries):  # thousands of times in a hostile string: kept short
            start = end = int(bits[at + 1 : at + 17], 2)
            if bits[at] == "1":
                end = int(bits[at + 17 : at + 33], 2)
                at += 16
            at += 17
            if not last < start <= end <= highest:
                raise self.refusal("its ranges are not ascending numbers up to the largest")
            found.append((start, end))
            last = end
        self._at = at
        self.take(0)
        return tuple(found)

    def range_numbers(self, *, highest: int) -> Numbers:
        """Read the same list as `ranges` into a set."""
        bits = bytearray(b"0") * highest
        # As text: shifting a long integer once a run would be quadratic.
        for start, end in self.ranges(highest=highest):
            if start == end:
                bits[start - 1] = _ONE
            else:
                bits[start - 1 : end] = b"1" * (end - start + 1)
        bits.reverse()
        return Numbers(int(bits or b"0", 2))

    def end(self) -> None:
        """Refuse what follows the content, unless it is padding: zeros."""
        if self._bits.find("1", self._at) >= 0:
            raise self.refusal("it goes on after its content")
