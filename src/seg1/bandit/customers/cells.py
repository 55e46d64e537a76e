"""`Cells`: plain sums of each customer in each stratum, found by id."""

from array import array
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from seg1._types import Id
from seg1.bandit.customers.components import Sums
from seg1.bandit.posteriors.posterior import Arrays, checked_array
from seg1.errors import DamagedError, WrongIdTypeError
from seg1.events.vocabulary import Vocabulary, as_id

__all__ = ["Cells", "Place"]

Place = tuple[Id | None, Id | None]
"""A stratum: a group of offers, and a segment of customers; None where not told."""

_SUMS: Final = ("weight", "weight2", "residual", "square")
_KINDS: Final = ("group", "segment", "customer")


class Cells:
    """Sums of rows by customer and stratum. Changes in place, by its owner.

    Attributes
    ----------
    weight, weight2, residual, square
        Of each cell, as in `Sums`; float64.
    n_folded, n_rows
        Rows of each cell, and of all.
    customer, of_stratum
        Id and position of the stratum of each cell.
    """

    # Arrays of the standard library grow, and a number of theirs is read at half of numpy's time.
    __slots__ = (
        "_group_of", "_groups", "_kinds", "_rows", "_strata", "customer", "n_folded", "n_rows",
        "of_stratum", "residual", "square", "weight", "weight2",
    )  # fmt: skip

    def __init__(self) -> None:
        self.weight, self.weight2 = array("d"), array("d")
        self.residual, self.square = array("d"), array("d")
        self.n_folded, self.of_stratum = array("q"), array("q")
        self.customer: list[Id] = []
        self.n_rows = 0
        self._rows: list[dict[Id, int]] = []  # of each stratum, by customer
        self._strata: dict[Place, int] = {}
        self._groups: dict[Id | None, int] = {}
        self._group_of = array("q")  # of each stratum
        self._kinds: dict[str, type] = {}

    def __len__(self) -> int:
        """Count the cells."""
        return len(self.customer)

    @property
    def n_customers(self) -> int:
        """Count the customers that any cell is of."""
        return len(set(self.customer))

    @property
    def shape(self) -> tuple[int, int]:
        """How many groups and strata there are."""
        return len(self._groups), len(self._strata)

    @property
    def places(self) -> list[Place]:
        """Of each stratum group and segment."""
        return list(self._strata)

    def place(self, *, segment: Id | None, group: Id | None) -> Place:
        """Accept the ids of a stratum."""
        return (
            None if group is None else as_id(group),
            None if segment is None else as_id(segment),
        )

    def stratum(self, place: Place) -> tuple[int, int]:
        """Give the positions of a stratum and of its group, each -1 where it is not known."""
        found = self._strata.get(place, -1)
        if found >= 0:
            return found, self._group_of[found]
        self._check_kinds(place)
        return -1, self._groups.get(place[0], -1)

    def find(self, customer: Id, stratum: int) -> int:
        """Give the cell of a customer in a stratum, or -1."""
        row = self._rows[stratum].get(customer, -1) if stratum >= 0 else -1
        if row < 0:
            self._check_kind("customer", customer)
        return row

    def found(
        self, customer: Id, *, segment: Id | None, groups: Iterable[Id | None]
    ) -> Iterator[tuple[int, int, int]]:
        """Give stratum, group and cell of a customer in each of some groups; -1 where not known."""
        self._check_kind("customer", customer)
        segment = None if segment is None else as_id(segment)
        strata, rows, group_of = self._strata, self._rows, self._group_of
        for group in groups:
            # An int or a str that is known is an id, of the right kind; others may equal one.
            is_plain = group is None or type(group) is int or type(group) is str
            stratum = strata.get((group, segment), -1) if is_plain else -1
            if stratum >= 0:
                yield stratum, group_of[stratum], rows[stratum].get(customer, -1)
                continue
            stratum, of_group = self.stratum(self.place(segment=segment, group=group))
            yield stratum, of_group, self.find(customer, stratum)

    def found_or_made(self, customer: Id, place: Place) -> int:
        """Give the cell of a customer in a stratum, with sums of 0 where it is new."""
        stratum = self._strata.get(place, -1)
        row = self._rows[stratum].get(customer, -1) if stratum >= 0 else -1
        if row >= 0:
            return row
        self._check_kinds(place)  # all of them before anything is changed
        self._check_kind("customer", customer)
        for kind, value in zip(_KINDS, (*place, customer), strict=True):
            if value is not None:
                self._kinds[kind] = type(value)
        return self._made(customer, self._made_stratum(place) if stratum < 0 else stratum)

    def _made_stratum(self, place: Place) -> int:
        self._rows.append({})
        self._group_of.append(self._groups.setdefault(place[0], len(self._groups)))
        return self._strata.setdefault(place, len(self._strata))

    def _made(self, customer: Id, stratum: int) -> int:
        row = len(self.customer)
        self.customer.append(customer)
        self.of_stratum.append(stratum)
        self.n_folded.append(0)
        for name in _SUMS:
            getattr(self, name).append(0.0)
        self._rows[stratum][customer] = row
        return row

    def add(self, row: int, residual: float, *, weight: float, n: int) -> None:
        """Add a row's part to a cell; with n = -1 take it away."""
        self.weight[row] += n * weight
        self.weight2[row] += n * weight * weight
        self.residual[row] += n * weight * residual
        self.square[row] += n * weight * residual * residual
        self.n_folded[row] += n
        self.n_rows += n
        if n < 0:  # what rounding leaves must not be negative
            for sums in (self.weight, self.weight2, self.square):
                sums[row] = max(sums[row], 0.0)

    def drop(self, row: int) -> None:
        """Forget a cell: the last one takes its place."""
        self.n_rows -= self.n_folded[row]
        del self._rows[self.of_stratum[row]][self.customer[row]]
        last = len(self) - 1
        if row < last:
            self._rows[self.of_stratum[last]][self.customer[last]] = row
        self.customer[row] = self.customer[last]
        self.customer.pop()
        for counts in (self.of_stratum, self.n_folded):
            counts[row] = counts[last]
            counts.pop()
        for sums in self._columns():
            sums[row] = sums[last]
            sums.pop()

    def drop_empty(self) -> None:
        """Forget strata that hold no cell, and their names."""
        if all(self._rows):
            return
        kept = [place for place, i in self._strata.items() if self._rows[i]]
        moved = np.full(len(self._rows), -1)
        moved[[self._strata[place] for place in kept]] = np.arange(len(kept))
        self.of_stratum = array("q", moved[np.asarray(self.of_stratum, np.int64)].tolist())
        rows, self._rows = self._rows, []
        strata, self._strata = self._strata, {}
        self._groups, self._group_of = {}, array("q")
        for place in kept:
            self._rows[self._made_stratum(place)] = rows[strata[place]]

    def drop_customer(self, customer: Id) -> int:
        """Forget all cells of a customer; give how many rows they had."""
        self._check_kind("customer", customer)
        before = self.n_rows
        for rows in self._rows:
            row = rows.get(customer, -1)
            if row >= 0:
                self.drop(row)
        self.drop_empty()
        return before - self.n_rows

    def held(self, customer: Id) -> Iterator[dict[str, Any]]:  # Any: ids, sums and a count
        """Tell the cells of a customer: where they lie, and their sums."""
        for (group, segment), rows in zip(self.places, self._rows, strict=True):
            row = rows.get(customer, -1)
            if row >= 0:
                told = {"group": group, "segment": segment, "n_rows": self.n_folded[row]}
                yield told | {name: getattr(self, name)[row] for name in _SUMS}

    def decay(self, factor: float) -> None:
        """Multiply every row's weight."""
        if not len(self):
            return
        for column, by in zip(self._columns(), (factor, factor**2, factor, factor), strict=True):
            numbers = np.frombuffer(column)
            numbers *= by

    def absorb(self, other: "Cells", *, factor: float) -> None:
        """Add the cells of another, at a factor."""
        places = other.places
        for row, customer in enumerate(other.customer):
            mine = self.found_or_made(customer, places[other.of_stratum[row]])
            self.n_folded[mine] += other.n_folded[row]
            self.n_rows += other.n_folded[row]
            for name, by in zip(_SUMS, (factor, factor**2, factor, factor), strict=True):
                getattr(self, name)[mine] += by * getattr(other, name)[row]

    def sums(self) -> Sums:
        """Give copies of the sums and of where they lie."""
        return Sums(
            np.array(self.of_stratum, np.int64),
            np.array(self._group_of, np.int64),
            *(np.array(column) for column in self._columns()),
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:  # Any: float64 sums, and ints
        """Lay out as plain arrays, ids as int64 or as UTF-8 bytes and offsets."""
        groups, segments = zip(*self._strata, strict=True) if self._strata else ((), ())
        told: dict[str, NDArray[Any]] = {"stratum": np.array(self.of_stratum, np.int64)}
        for kind, ids in zip(_KINDS, (groups, segments, self.customer), strict=True):
            known = Vocabulary(dict.fromkeys(value for value in ids if value is not None))
            told |= known.to_arrays(kind, index=False)
            codes = [-1 if value is None else known.find(value) for value in ids]
            told[f"{kind}_code"] = np.array(codes, np.int64)
        told["n_folded"] = np.array(self.n_folded, np.int64)
        return told | {name: np.array(getattr(self, name)) for name in _SUMS}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> "Cells":
        """Make them again, bit for bit.

        Raises
        ------
        DamagedError
            Where arrays are missing, of the wrong shape or dtype, or do not fit together.
        """
        groups, segments, customers = (_read_ids(arrays, kind) for kind in _KINDS)
        cells, n_cells = cls(), len(customers)
        stratum = _checked_ints(arrays, "stratum", n=n_cells)
        places = list(zip(groups, segments, strict=False))
        if None in customers or len(groups) != len(segments) or len(set(places)) != len(places):
            raise _damaged("strata or customers")
        _check_within(stratum, low=0, high=len(places))
        for place in places:
            cells._made_stratum(place)
        for customer, i in zip(customers, stratum.tolist(), strict=True):
            cells._made(customer, i)  # type: ignore[arg-type]  # None is not among them
        if sum(map(len, cells._rows)) != n_cells or not all(cells._rows):
            raise _damaged("cells")
        for kind, ids in zip(_KINDS, (groups, segments, customers), strict=True):
            cells._kinds.update((kind, type(value)) for value in ids if value is not None)
        n_folded = _checked_ints(arrays, "n_folded", n=n_cells)
        _check_within(n_folded, low=1)
        cells.n_folded, cells.n_rows = array("q", n_folded.tolist()), int(n_folded.sum())
        for name in _SUMS:
            column = checked_array(arrays, name, shape=(n_cells,))
            if name != "residual" and (column < 0).any():
                raise _damaged(name)
            setattr(cells, name, array("d", column.tolist()))
        return cells

    def _columns(self) -> Iterator["array[float]"]:
        return (getattr(self, name) for name in _SUMS)

    def _check_kinds(self, place: Place) -> None:
        for kind, value in zip(_KINDS, place, strict=False):
            if value is not None:
                self._check_kind(kind, value)

    def _check_kind(self, kind: str, value: Id) -> None:
        known = self._kinds.get(kind)
        if known is not None and type(value) is not known:
            raise WrongIdTypeError(
                f"ids of {kind}s are {known.__name__} here, got {type(value).__name__}"
            )


def _read_ids(arrays: Arrays, kind: str) -> list[Id | None]:
    """Read the id of each place: codes of a vocabulary, -1 for none."""
    codes = arrays.get(f"{kind}_code")
    if codes is None:
        raise _damaged(f"{kind}_code")
    ids = [*Vocabulary.from_arrays(arrays, kind).ids, None]  # the last one, at -1
    codes = _checked_ints(arrays, f"{kind}_code", n=codes.size)
    _check_within(codes, low=-1, high=len(ids) - 1)
    return [ids[code] for code in codes.tolist()]


def _checked_ints(arrays: Arrays, name: str, *, n: int) -> NDArray[np.int64]:
    array_ = arrays.get(name)
    if array_ is None or array_.dtype != np.int64 or array_.shape != (n,):
        raise _damaged(name)
    return array_


def _check_within(numbers: NDArray[np.int64], *, low: int, high: int | None = None) -> None:
    if (numbers < low).any() or (high is not None and (numbers >= high).any()):
        raise _damaged("numbers out of their range")


def _damaged(what: str) -> DamagedError:
    return DamagedError(f"the state of a pooled history is missing or damaged: {what}")
