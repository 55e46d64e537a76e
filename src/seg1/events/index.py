"""An index from ids to codes that is saved beside them, so that none has to be read to find one.

Codes lie in buckets by a keyed hash of their ids. The key follows from all ids together: who
chooses an id can neither know it before, nor choose many ids that share a bucket. A hash only says
where to look: whether a code is the one asked for, the id itself decides.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seg1._types import Int32s, Int64s
from seg1.errors import DamagedError

__all__ = ["Index", "UInt64s", "hash_ints", "hash_strings"]

UInt64s: TypeAlias = NDArray[np.uint64]

_KEY_BYTES: Final = 16
# Ids that fall by chance have buckets of some 15 at the most; a longer one is another's making.
_LONGEST: Final = 64
_HASH_BYTES: Final = 8
_PLACE_BITS: Final = 31  # a vocabulary has at most 2 ** 31 codes, and as many buckets
_LOW_64: Final = 2**64 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Where to look for an id.

    Attributes
    ----------
    key
        Key of the hash, 16 bytes.
    starts
        Where in `codes` each bucket begins, int32, shape (n_buckets + 1,); n_buckets is a power of
        two.
    codes
        Codes by bucket, ascending within one, int32, shape (n_ids,).
    """

    key: bytes
    starts: Int32s
    codes: Int32s
    _starts: memoryview
    _codes: memoryview
    _mixers: tuple[int, int]

    @classmethod
    def of(
        cls, content: bytes | memoryview, hashed: Callable[[bytes], UInt64s], codes: Int64s
    ) -> "Index":
        """Make an index of some codes.

        Parameters
        ----------
        content
            What the key follows from.
        hashed
            Gives, for a key, the hash of the id of every code.
        codes
            The codes to hold, ascending.
        """
        for attempt in range(256):
            key = blake2b(content, digest_size=_KEY_BYTES, salt=bytes([attempt])).digest()
            starts, order = _buckets(hashed(key)[codes])
            if np.diff(starts).max(initial=0) <= _LONGEST:
                return cls._of(key, starts, codes[order].astype(np.int32))
        raise DamagedError("the ids of a vocabulary are not distinct")

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], prefix: str, *, n: int) -> "Index":
        """Take an index as it lies, looking at shapes and dtypes alone.

        Raises
        ------
        DamagedError
            Where it is none, or not one of n codes.
        """
        parts = [arrays.get(f"{prefix}_index_{part}") for part in ("key", "starts", "codes")]
        if all(part is not None and part.ndim == 1 for part in parts):
            key, starts, codes = parts
            dtypes = [part.dtype for part in parts]  # type: ignore[union-attr]  # as just seen
            n_buckets = len(starts) - 1  # type: ignore[arg-type]  # the same
            lengths = (len(key), len(codes), n_buckets)  # type: ignore[arg-type]  # the same
            if dtypes == [np.uint8, np.int32, np.int32] and lengths == (
                _KEY_BYTES, n, _n_buckets(n),
            ):  # fmt: skip
                return cls._of(key.tobytes(), starts, codes)  # type: ignore[union-attr, arg-type]  # the same
        raise DamagedError(f"the index of the {prefix} vocabulary does not fit it")

    @classmethod
    def _of(cls, key: bytes, starts: Int32s, codes: Int32s) -> "Index":
        return cls(key, starts, codes, starts.data, codes.data, _mixers(key))

    def places_of_bytes(self, utf8: bytes) -> memoryview:
        """Give the codes that a string may have; they may be out of range.

        Raises
        ------
        DamagedError
            Where the index is not one that was made here.
        """
        hashed = blake2b(utf8, digest_size=_HASH_BYTES, key=self.key).digest()
        return self._places(int.from_bytes(hashed, "little"))

    def places_of_int(self, value: int) -> memoryview:
        """Give the codes that an int may have, as `places_of_bytes` does for a string."""
        first, second = self._mixers
        mixed = ((value ^ first) * second) & _LOW_64
        mixed = ((mixed ^ (mixed >> 32)) * second) & _LOW_64
        return self._places(mixed ^ (mixed >> 32))

    def _places(self, hashed: int) -> memoryview:
        bucket = hashed & (len(self._starts) - 2)
        start, stop = self._starts[bucket], self._starts[bucket + 1]
        if not 0 <= start <= stop <= start + _LONGEST:
            raise DamagedError("the index of a vocabulary does not fit it")
        return self._codes[start:stop]

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Lay out as arrays."""
        return {
            f"{prefix}_index_key": np.frombuffer(self.key, dtype=np.uint8),
            f"{prefix}_index_starts": self.starts,
            f"{prefix}_index_codes": self.codes,
        }

    def check_same(self, made: "Index", prefix: str) -> None:
        """Raise unless this is the index that was made anew from the ids."""
        is_same = (
            self.key == made.key
            and np.array_equal(self.starts, made.starts)
            and np.array_equal(self.codes, made.codes)
        )
        if not is_same:
            raise DamagedError(f"the index of the {prefix} vocabulary does not fit it")


def hash_strings(text: NDArray[np.uint8], ends: Int64s, *, key: bytes) -> UInt64s:
    """Hash every id of a text, as `Index.places_of_bytes` does one."""
    whole = text.tobytes()
    digests = b"".join(
        [
            blake2b(whole[a:b], digest_size=_HASH_BYTES, key=key).digest()
            for a, b in pairwise(ends.tolist())
        ]
    )
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def hash_ints(values: Int64s, *, key: bytes) -> UInt64s:
    """Hash every one of some ints, as `Index.places_of_int` does one."""
    first, second = (np.uint64(part) for part in _mixers(key))
    mixed = (values.view(np.uint64) ^ first) * second
    mixed = (mixed ^ (mixed >> np.uint64(32))) * second
    hashed: UInt64s = mixed ^ (mixed >> np.uint64(32))
    return hashed


def _mixers(key: bytes) -> tuple[int, int]:
    return int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little") | 1


def _n_buckets(n: int) -> int:
    return 1 << max(n - 1, 0).bit_length()


def _buckets(hashed: UInt64s) -> tuple[Int32s, Int64s]:
    n_buckets = _n_buckets(len(hashed))
    bucket = (hashed & np.uint64(n_buckets - 1)).astype(np.int64)
    starts = np.zeros(n_buckets + 1, dtype=np.int32)
    np.cumsum(np.bincount(bucket, minlength=n_buckets), out=starts[1:])
    # Words that hold the place as well are sorted at a fifth of what an argsort takes.
    words = np.sort((bucket << _PLACE_BITS) | np.arange(len(hashed)))
    return starts, words & ((1 << _PLACE_BITS) - 1)
