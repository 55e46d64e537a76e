"""The newest words of very many customers as columns, so that a question about all is arithmetic.

Columns stand in the order of a question's own vocabulary: no code has to be translated.
"""

import threading
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from seg1._types import Id, Int64s
from seg1.consent.codes import Codes
from seg1.consent.ledger.said import EVERYTHING
from seg1.consent.ledger.standing import Standing, stricter
from seg1.consent.ledger.words import (
    EXPIRED,
    GRANT,
    GRANTED,
    NO_RECORD,
    NOT_YET_VALID,
    Word,
    code_at,
)
from seg1.consent.verdicts import Ask, Customers
from seg1.events import Vocabulary

__all__ = ["Columns"]

_NOBODY: Final = Word(-(2**63), GRANT, 0, 0, NO_RECORD, None)
_FEW: Final = 256
_SHARE: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class _Newest:
    """The newest word of each id about one purpose, shape (n_ids,) each."""

    at_us: Int64s
    from_us: Int64s
    until_us: Int64s
    codes: Codes

    @classmethod
    def of(cls, words: list[Word]) -> "_Newest":
        n = len(words)
        at_us, from_us, until_us = (
            np.fromiter(map(itemgetter(place), words), np.int64, count=n) for place in (0, 2, 3)
        )
        return cls(
            at_us, from_us, until_us, np.fromiter(map(itemgetter(4), words), np.uint8, count=n)
        )

    def replaced(self, places: list[int], words: list[Word], *, n_ids: int) -> "_Newest":
        """Put words at places, some of them perhaps behind the end, into new columns."""
        new = _Newest.of(words)
        return _Newest(
            _put(self.at_us, new.at_us, places, n_ids),
            _put(self.from_us, new.from_us, places, n_ids),
            _put(self.until_us, new.until_us, places, n_ids),
            _put(self.codes, new.codes, places, n_ids),
        )


@dataclass(slots=True)
class _Kept:
    newest: _Newest | None = None
    stale: set[Id] = field(default_factory=set)

    def __repr__(self) -> str:
        return f"_Kept({len(self.stale)} stale)"


class Columns:
    """Columns for each vocabulary and purpose that was asked about, mended where words came.

    Parameters
    ----------
    standing
        What stands; its owner calls `tell` for what it folds.
    lock
        The lock under which the owner folds.
    """

    def __init__(self, standing: Standing, lock: threading.RLock) -> None:
        self._standing = standing
        self._lock = lock
        self._building = threading.Lock()
        self._of: WeakKeyDictionary[Vocabulary, dict[str, _Kept]] = WeakKeyDictionary()

    def tell(self, customer: Id, changed: tuple[str, ...]) -> None:
        """Note for whom a word came; the owner holds its lock."""
        if not self._of:
            return
        for of in self._of.values():
            for purpose, kept in of.items():
                # A word about everything counts also where a purpose was never spoken of.
                if purpose in changed or EVERYTHING in changed:
                    kept.stale.add(customer)

    def codes(self, customers: Customers, ask: Ask) -> Codes:
        """Answer for many customers, shape (n_customers,)."""
        n = len(customers)
        if n < _FEW or n * _SHARE < len(customers.vocabulary):
            asked = [(ask.purpose, ask.stage == "decide")]
            few: Codes = np.full(n, NO_RECORD, dtype=np.uint8)
            is_live = customers.vocabulary.is_live(customers.codes)
            ids = customers.vocabulary.decode(customers.codes[is_live])
            few[is_live] = [self._standing.codes(i, asked, ask.at_us)[0] for i in ids]
            return few
        newest = self._newest(customers.vocabulary, ask.purpose)
        codes: Codes = self._as_of(newest, customers.vocabulary, ask)[customers.codes]
        return codes

    def _as_of(self, newest: _Newest, vocabulary: Vocabulary, ask: Ask) -> Codes:
        """Answer for every id of a vocabulary; nothing is locked."""
        codes, at_us = newest.codes.copy(), ask.at_us
        is_granted = codes == GRANTED
        codes[is_granted & (newest.from_us > at_us)] = NOT_YET_VALID
        codes[is_granted & (newest.until_us <= at_us)] = EXPIRED
        is_erased = ~vocabulary.is_live(np.arange(len(codes)))
        later = np.flatnonzero((newest.at_us > at_us) & ~is_erased)
        for place, customer in zip(later.tolist(), vocabulary.decode(later), strict=True):
            codes[place] = code_at(self._standing.chain(customer, ask.purpose), at_us)
        is_decide = ask.stage == "decide"
        for customer in self._standing.marked(is_decide=is_decide):
            if customer in vocabulary and (place := vocabulary.find(customer)) < len(codes):
                mark = self._standing.mark(customer, at_us, is_decide=is_decide)
                codes[place] = stricter(int(codes[place]), mark)
        codes[is_erased] = NO_RECORD  # a code without an id is nobody's
        return codes

    def _newest(self, vocabulary: Vocabulary, purpose: str) -> _Newest:
        n_ids = len(vocabulary)
        with self._building:
            with self._lock:
                kept = self._of.setdefault(vocabulary, {}).setdefault(purpose, _Kept())
                stale, kept.stale = kept.stale, set()
                # None meanwhile: after a failure everything is built anew, and no word is missed.
                newest, kept.newest = kept.newest, None
            kept.newest = self._renewed(newest, vocabulary, purpose, stale=stale, n_ids=n_ids)
            return kept.newest

    def _renewed(
        self,
        newest: _Newest | None,
        vocabulary: Vocabulary,
        purpose: str,
        *,
        stale: set[Id],
        n_ids: int,
    ) -> _Newest:
        if newest is None:
            return self._all(vocabulary, purpose, n_ids=n_ids)
        n_old = len(newest.codes)
        places = [vocabulary.find(i) for i in stale if i in vocabulary]
        places = [place for place in places if place < n_old] + list(range(n_old, n_ids))
        if not places:
            return newest
        is_live = vocabulary.is_live(np.array(places))
        live = [place for place, is_so in zip(places, is_live.tolist(), strict=True) if is_so]
        of_live = iter(self._standing.chain(i, purpose) for i in vocabulary.decode(live))
        words = [(next(of_live) if is_so else None) or _NOBODY for is_so in is_live.tolist()]
        return newest.replaced(places, words, n_ids=max(n_old, n_ids))

    def _all(self, vocabulary: Vocabulary, purpose: str, *, n_ids: int) -> _Newest:
        find = self._standing.words.get(purpose, {}).get
        words = [find(customer, _NOBODY) for customer in vocabulary.ids[:n_ids]]
        everything = self._standing.words[EVERYTHING]
        for customer in list(everything):
            if customer in vocabulary and (place := vocabulary.find(customer)) < n_ids:
                words[place] = find(customer, everything[customer])
        return _Newest.of(words)


def _put(old: NDArray[Any], new: NDArray[Any], places: list[int], n_ids: int) -> NDArray[Any]:
    columns = np.empty(n_ids, dtype=old.dtype)  # Any: int64 and uint8 alike
    columns[: len(old)] = old
    columns[places] = new
    return columns
