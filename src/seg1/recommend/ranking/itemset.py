"""Which items a request allows: `ItemSet`, compiled once, and `Candidates`, made per call."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np

from seg1._checks import read_only
from seg1._types import Bools, Id, Int32s
from seg1.errors import InvalidArgumentError
from seg1.events import Vocabulary
from seg1.events.ids import as_id, id_problem, plain_id
from seg1.recommend.ranking.pruning import ByNorm, Closed

__all__ = ["Candidates", "ItemSet", "candidates_of"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ItemSet:
    """Items of one vocabulary, compiled so that ``allow=`` and ``deny=`` cost nothing per call.

    Made by ``item_set`` of a model, and good for every model over the same item vocabulary (those
    of one `Interactions`). Another model refuses it. What its own model does not know it keeps too:
    a fallback, or the next link of a chain, may know it.

    Attributes
    ----------
    items
        The vocabulary.
    mask
        bool, shape (n_items,), True where an item is in the set; read-only.
    n
        How many of its items the model knows.
    unknown
        The ids that it does not know.
    rows, source
        The factors of the set's items, longest first, and the model's rows they were taken from;
        None where the model has no factors.

    Examples
    --------
    >>> import seg1
    >>> table = {"customer": [1, 1, 2, 2, 3], "item": ["a", "b", "a", "c", "a"], "time": [0] * 5}
    >>> anyone = seg1.ConsentNotNeeded("an example")
    >>> builder = seg1.InteractionMatrixBuilder()
    >>> interactions = builder.build(seg1.Events.from_table(table), consent=anyone, at=0)
    >>> model = seg1.Popularity().fit(interactions)
    >>> in_stock = model.item_set(["b", "c"])
    >>> len(in_stock), "a" in in_stock
    (2, False)
    >>> model.recommend(3, exclude_seen=True, consent=anyone, at=0, deny=in_stock).items
    ()
    """

    items: Vocabulary
    mask: Bools
    n: int
    unknown: frozenset[Id] = frozenset()
    rows: ByNorm | None = None
    source: ByNorm | None = None

    @classmethod
    def of(
        cls, ids: Iterable[Id], *, items: Vocabulary, n_items: int, source: ByNorm | None = None
    ) -> "ItemSet":
        """Compile ids; those that are not known are kept beside."""
        given = ids if isinstance(ids, str) else list(ids)  # encode refuses one str
        codes = items.encode(given, unknown="ignore")
        is_known = (codes >= 0) & (codes < n_items)
        mask = np.zeros(n_items, dtype=np.bool_)
        mask[codes[is_known]] = True
        return cls(
            items=items,
            mask=read_only(mask),
            n=int(np.count_nonzero(mask)),
            unknown=frozenset(as_id(given[place]) for place in np.flatnonzero(~is_known).tolist()),
            rows=None if source is None else source.within(mask),
            source=source,
        )

    def __len__(self) -> int:
        """Count the ids, known or not."""
        return self.n + len(self.unknown)

    def __iter__(self) -> Iterator[Id]:
        """Give the ids, in the order of the vocabulary; behind them those it does not know."""
        return chain(self.items.decode(np.flatnonzero(self.mask)), self.unknown)

    def __contains__(self, item: object) -> bool:
        """Whether an id is in the set."""
        if id_problem(item) is not None:
            return False
        if plain_id(item) in self.unknown:
            return True
        code = self.items.find(item) if item in self.items else -1  # type: ignore[arg-type]  # an id
        return 0 <= code < len(self.mask) and bool(self.mask[code])

    def __repr__(self) -> str:
        beside = f", {len(self.unknown)} unknown" if self.unknown else ""
        return f"ItemSet({self.n} of {len(self.mask)} items{beside})"


class Candidates(NamedTuple):
    """What a request leaves to be ranked.

    Attributes
    ----------
    n_items
        Of the model.
    within
        Only these, where given.
    mask
        bool, shape (n_items,), True where an item is left out; None where none is.
    withheld
        Reason to number of items.
    seen
        Further items that are left out, those of the customer's past; None where none are.
    """

    n_items: int
    within: ItemSet | None
    mask: Bools | None
    withheld: Mapping[str, int]
    seen: Int32s | None = None

    def without(self, seen: Int32s) -> "Candidates":
        """Leave out what the customer had."""
        return self._replace(seen=seen, withheld={**self.withheld, "seen": len(seen)})

    def allowed(self) -> Bools:
        """Give a mask of its own, shape (n_items,), True where an item may be returned."""
        if self.within is None:
            allowed = np.ones(self.n_items, dtype=np.bool_)
        else:
            allowed = self.within.mask.copy()
        if self.mask is not None:
            allowed &= ~self.mask
        if self.seen is not None:
            allowed[self.seen] = False
        return allowed

    def on(self, rows: ByNorm) -> tuple[ByNorm, Closed]:
        """Give the rows of a model that are ranked, and what is closed among them."""
        if self.within is None:
            return rows, Closed(self.mask, self.seen)
        if self.within.source is rows and self.within.rows is not None:
            return self.within.rows, Closed(self.mask, self.seen)
        return rows, Closed(~self.allowed())  # compiled for the factors of another model


def candidates_of(
    items: Vocabulary,
    *,
    n_items: int,
    allow: Collection[Id] | None,
    deny: Collection[Id],
) -> Candidates:
    """Put allow and deny together, and count what each withholds.

    Raises
    ------
    InvalidArgumentError
        For an `ItemSet` of another vocabulary.
    """
    withheld: dict[str, int] = {}
    within, mask = None, None
    if isinstance(allow, ItemSet):
        within = _own(allow, items, n_items=n_items)
        withheld["not in allow"] = n_items - within.n
    elif allow is not None:
        mask = np.ones(n_items, dtype=np.bool_)
        mask[_known(items, allow, n_items=n_items)] = False
        withheld["not in allow"] = int(np.count_nonzero(mask))
    denied = _denied(items, deny, n_items=n_items)
    if denied is not None:
        withheld["denied"] = int(np.count_nonzero(denied))
        mask = denied if mask is None else mask | denied
    if items.n_erased:
        erased = ~items.is_live(np.arange(n_items))
        withheld["erased"] = int(np.count_nonzero(erased))
        mask = erased if mask is None else mask | erased
    return Candidates(n_items, within, mask, withheld)


def _denied(items: Vocabulary, deny: Collection[Id], *, n_items: int) -> Bools | None:
    if isinstance(deny, ItemSet):  # before its length is asked for: a foreign one is refused
        own = _own(deny, items, n_items=n_items)
        return own.mask if own.n else None
    if not deny:
        return None
    codes = _known(items, deny, n_items=n_items)
    if not len(codes):
        return None
    mask = np.zeros(n_items, dtype=np.bool_)
    mask[codes] = True
    return mask


def _own(given: ItemSet, items: Vocabulary, *, n_items: int) -> ItemSet:
    if given.items is not items or len(given.mask) != n_items:
        raise InvalidArgumentError(
            "an ItemSet is good for models over the vocabulary it was compiled for, and this model "
            "has another; compile it again with this model's item_set(ids)"
        )
    return given


def _known(items: Vocabulary, ids: Iterable[Id], *, n_items: int) -> Int32s:
    codes = items.encode(ids, unknown="ignore")
    return codes[(codes >= 0) & (codes < n_items)]  # a vocabulary may have grown since the fit
