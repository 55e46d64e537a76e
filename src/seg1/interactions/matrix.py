"""`Interactions`: the sparse matrix, its vocabularies, and where it came from."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seg1._checks import MAX_US, MIN_US, read_only
from seg1._types import Bools, Float32s, Id, Int32s, Int64s
from seg1.errors import DamagedError, NoInteractionsError
from seg1.events import Vocabulary

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from seg1.interactions.builder import InteractionMatrixBuilder

__all__ = ["Interactions", "Provenance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Whose data a matrix holds, under which consent, and what was left out and why.

    Attributes
    ----------
    purposes
        Purposes that the customers had to permit; or why no consent was needed.
    consent_epoch
        Version of the consent state that was asked.
    at_us
        The moment as of which consent was asked and weights decayed, microseconds UTC.
    n_events, n_customers
        Events and customers in the matrix. Events of customers who left it later are counted still:
        a matrix does not hold how many a weight is made of.
    dropped
        Events left out: reason to count.
    excluded
        Customers left out for lack of consent: reason to count.
    policy
        Version of the consent policy; or why no consent was needed.
    consent_at_us
        The moment as of which consent was asked last, where that is not `at_us`.
    until_us
        The moment up to which it holds events; None where that is `at_us`.
    """

    purposes: tuple[str, ...]
    consent_epoch: int
    at_us: int
    n_events: int
    n_customers: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    excluded: Mapping[str, int] = field(default_factory=dict)
    policy: str = ""
    consent_at_us: int | None = None
    until_us: int | None = None

    @property
    def holds_until_us(self) -> int:
        """The moment up to which events are taken to be in the matrix."""
        return self.at_us if self.until_us is None else self.until_us


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interactions:
    """How much each customer had to do with each item, for those who permit it.

    Holds only customers and items with at least one interaction: an id that consent excludes, or
    that nobody left has touched, is not in the vocabularies.

    Attributes
    ----------
    indptr, indices, data
        The weights, all > 0, row by row: customer c has ``data[start:stop]`` with the items
        ``indices[start:stop]``, ascending, where ``start, stop = indptr[c : c + 2]``. Of int32 (or
        int64), int32 and float32; read-only.
    customers, items
        The ids of rows and columns.
    builder
        The configuration it was built with.
    provenance
        Where it came from.
    """

    indptr: Int32s | Int64s
    indices: Int32s
    data: Float32s
    customers: Vocabulary
    items: Vocabulary
    builder: "InteractionMatrixBuilder"
    provenance: Provenance
    _made: "list[tuple[Float32s, csr_array[np.float32, tuple[int, int]]]]" = field(
        default_factory=list, init=False, repr=False
    )
    _n_items: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # As of now: a vocabulary that somebody lets grow later adds no columns.
        object.__setattr__(self, "_n_items", len(self.items))

    @property
    def weights(self) -> "csr_array[np.float32, tuple[int, int]]":
        """All weights, a read-only matrix of shape (n_customers, n_items), made when asked for."""
        if not self._made or self._made[-1][0] is not self.data:
            from scipy.sparse import csr_array  # noqa: PLC0415  # a fifth of a second

            # Looked at here where the load did not: scipy reads where an index says.
            _Csr(self.indptr, self.indices, self.data).check(n_columns=self._n_items)
            parts = (self.data, self.indices, self.indptr)
            self._made.append((self.data, freeze(csr_array(parts, shape=self.shape))))
        return self._made[-1][1]

    @property
    def shape(self) -> tuple[int, int]:
        """(n_customers, n_items)."""
        return (len(self.indptr) - 1, self._n_items)

    def __repr__(self) -> str:
        n_customers, n_items = self.shape
        return f"Interactions({n_customers} customers, {n_items} items, {len(self.data)} weights)"

    def history(self, customer_index: int) -> tuple[Int32s, Float32s]:
        """Give a customer's items and their weights.

        Parameters
        ----------
        customer_index
            Row of the customer.

        Returns
        -------
        item_index, weight : ndarray of int32 and float32, shape (n_items_of_the_customer,)
            Ascending by item. Views: do not write.
        """
        start, stop = self.indptr[customer_index : customer_index + 2]
        return self.indices[start:stop], self.data[start:stop]

    def history_of(self, customer: Id) -> dict[Id, float]:
        """Give a customer's weights by item, as `ALSModel.recommend` takes a history.

        Parameters
        ----------
        customer
            The customer's id; one not known has an empty history.

        Raises
        ------
        WrongIdTypeError
            For an id of the other kind.

        Examples
        --------
        >>> import seg1
        >>> events = seg1.Events.from_table({"customer": ["ana"], "item": [7], "time": [0]})
        >>> builder = seg1.InteractionMatrixBuilder(transform="count")
        >>> built = builder.build(events, consent=seg1.ConsentNotNeeded("an example"), at=0)
        >>> built.history_of("ana"), built.history_of("bo")
        ({7: 1.0}, {})
        """
        row = self.customers.find(customer)
        if not 0 <= row < self.shape[0]:  # who was added to the vocabulary later has no row
            return {}
        items, weights = self.history(row)
        is_live = self.items.is_live(items)
        items, weights = items[is_live], weights[is_live]
        return dict(zip(self.items.decode(items), weights.tolist(), strict=True))

    def without(self, customers: Iterable[Id]) -> "Interactions":
        """Give the interactions of all but some customers, who leave no trace in them.

        Codes are given anew, in the order of the old ones; items that only they had are gone. What
        the vocabularies have erased since is left out as well.

        Parameters
        ----------
        customers
            Their ids; those not known are passed over.

        Raises
        ------
        NoInteractionsError
            Where nothing is left.
        WrongIdTypeError
            For an id of the other kind.

        Examples
        --------
        >>> import seg1
        >>> table = {"customer": ["ana", "bo"], "item": [7, 8], "time": [0, 0]}
        >>> builder = seg1.InteractionMatrixBuilder()
        >>> anyone = seg1.ConsentNotNeeded("an example")
        >>> built = builder.build(seg1.Events.from_table(table), consent=anyone, at=0)
        >>> built.without(["ana"]).items.ids
        (8,)
        """
        stays = self.customers.is_live(np.arange(self.shape[0]))
        gone = self.customers.encode(customers, unknown="ignore")
        stays[gone[(gone >= 0) & (gone < len(stays))]] = False
        is_kept = np.repeat(stays, np.diff(self.indptr)) & self.items.is_live(self.indices)
        if not is_kept.any():
            raise NoInteractionsError("no interaction is left without these customers")
        return self._only(is_kept, n_gone=int((~stays).sum()))

    def _only(self, is_kept: Bools, *, n_gone: int) -> "Interactions":
        """Keep some of the weights, and the customers and items that have one."""
        n_before = np.concatenate(([0], np.cumsum(is_kept)))
        n_of_row = np.diff(n_before[self.indptr])
        stays = n_of_row > 0
        present = np.unique(self.indices[is_kept])
        place = np.zeros(self.shape[1], dtype=np.int32)
        place[present] = np.arange(len(present), dtype=np.int32)
        indptr = np.zeros(int(stays.sum()) + 1, dtype=self.indptr.dtype)
        np.cumsum(n_of_row[stays], out=indptr[1:])
        excluded = {**self.provenance.excluded}
        if n_gone:
            excluded["erased"] = excluded.get("erased", 0) + n_gone
        return replace(
            self,
            indptr=read_only(indptr),
            indices=read_only(place[self.indices[is_kept]]),
            data=read_only(self.data[is_kept]),
            customers=self.customers.take(np.flatnonzero(stays)),
            items=self.items.take(present),
            provenance=replace(self.provenance, n_customers=int(stays.sum()), excluded=excluded),
        )

    @property
    def version(self) -> str:
        """Name the matrix by its content, ids and weights: 16 hexadecimal digits."""
        digest = hashlib.sha256()
        for name, array in self._arrays(index=False).items():
            digest.update(f"{name} {array.dtype} {array.shape}:".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:16]

    def to_saved(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Lay out as arrays and JSON, for `seg1.persist.save`."""
        meta = {"builder": asdict(self.builder), "provenance": asdict(self.provenance)}
        return self._arrays(index=True), meta

    def _arrays(self, *, index: bool) -> dict[str, NDArray[Any]]:
        return {
            "weights_indptr": self.indptr,
            "weights_indices": self.indices,
            "weights_data": self.data,
            **_of_rows(self.customers, self.shape[0]).to_arrays("customers", index=index),
            **_of_rows(self.items, self.shape[1]).to_arrays("items", index=index),
        }

    @classmethod
    def from_saved(
        cls,
        arrays: Mapping[str, NDArray[Any]],
        meta: Mapping[str, Any],
        *,
        builder: "InteractionMatrixBuilder",
        verify: bool = True,
    ) -> "Interactions":
        """Rebuild what `to_saved` laid out.

        Parameters
        ----------
        arrays, meta
            What was laid out.
        builder
            The configuration it was built with.
        verify
            Look at every weight and id. Without it only shapes and dtypes are looked at, and
            nothing is read before it is asked for.

        Raises
        ------
        DamagedError
            Where the parts do not fit together.
        """
        customers = Vocabulary.from_arrays(arrays, "customers", verify=verify)
        items = Vocabulary.from_arrays(arrays, "items", verify=verify)
        csr = _Csr(*(arrays[f"weights_{part}"] for part in ("indptr", "indices", "data")))
        csr.check_form(n_rows=len(customers))
        if verify:
            csr.check(n_columns=len(items))
        return cls(
            indptr=read_only(csr.indptr),
            indices=read_only(csr.indices),
            data=read_only(csr.data),
            customers=customers,
            items=items,
            builder=builder,
            provenance=_read_provenance(meta["provenance"]),
        )


def _read_provenance(saved: Mapping[str, Any]) -> Provenance:
    """Take what a manifest says of where a matrix came from, looking at every word and number."""
    try:
        read = Provenance(**saved)
        is_whole = (
            isinstance(read.purposes, list | tuple)
            and all(isinstance(word, str) for word in (*read.purposes, read.policy))
            and type(read.consent_epoch) is int
            and _is_time(read.at_us)
            and all(us is None or _is_time(us) for us in (read.consent_at_us, read.until_us))
            and all(
                type(n) is int and n >= 0
                for counts in (read.dropped, read.excluded)
                for n in (read.n_events, read.n_customers, *counts.values())
            )
        )
    except (TypeError, AttributeError):
        is_whole = False
    if not is_whole:
        raise DamagedError("the provenance of the matrix is not in its form")
    return replace(read, purposes=tuple(read.purposes))


def _is_time(value: object) -> bool:
    return type(value) is int and MIN_US <= value <= MAX_US


def _of_rows(vocabulary: Vocabulary, n: int) -> Vocabulary:
    """Leave out what a vocabulary took in after the matrix was made."""
    return vocabulary if len(vocabulary) == n else vocabulary.first(n)


def freeze(
    weights: "csr_array[np.float32, tuple[int, int]]",
) -> "csr_array[np.float32, tuple[int, int]]":
    """Make the arrays of a sparse matrix read-only."""
    weights.data = read_only(weights.data)
    weights.indices = read_only(weights.indices)
    weights.indptr = read_only(weights.indptr)
    return weights


class _Csr(NamedTuple):
    """Three arrays that should make up a matrix."""

    indptr: NDArray[Any]  # Any: from a file, and looked at here
    indices: NDArray[Any]
    data: NDArray[Any]

    def check_form(self, *, n_rows: int) -> None:
        """Look at what costs nothing to look at."""
        _demand(
            all(part.ndim == 1 for part in self)
            and self.data.dtype == np.float32
            and self.indices.dtype == np.int32
            and self.indptr.dtype in (np.int32, np.int64)
            and len(self.indptr) == n_rows + 1
            and self.indptr[0] == 0
            and self.indptr[-1] == len(self.indices) == len(self.data)
        )

    def check(self, *, n_columns: int) -> None:
        """Look at every element."""
        _demand(bool((np.diff(self.indptr) >= 0).all()))
        _demand(bool((np.isfinite(self.data) & (self.data > 0)).all()))
        if len(self.indices):
            _demand(self.indices.min() >= 0 and self.indices.max() < n_columns)
            begins_row = np.zeros(len(self.indices) + 1, dtype=np.bool_)
            begins_row[self.indptr] = True
            _demand(bool(((np.diff(self.indices) > 0) | begins_row[1:-1]).all()))


def _demand(is_right: object) -> None:
    if not is_right:
        raise DamagedError("the weights of the matrix do not fit its vocabularies")
