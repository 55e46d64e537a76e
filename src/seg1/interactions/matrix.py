"""`Interactions`: the sparse matrix, its vocabularies, and where it came from."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seg1._checks import read_only
from seg1._types import Float32s, Int32s
from seg1.errors import DamagedError
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
        Events and customers in the matrix.
    dropped
        Events left out: reason to count.
    excluded
        Customers left out for lack of consent: reason to count.
    policy
        Version of the consent policy; or why no consent was needed.
    """

    purposes: tuple[str, ...]
    consent_epoch: int
    at_us: int
    n_events: int
    n_customers: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    excluded: Mapping[str, int] = field(default_factory=dict)
    policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interactions:
    """How much each customer had to do with each item, for those who permit it.

    Holds only customers and items with at least one interaction: an id that consent excludes, or
    that nobody left has touched, is not in the vocabularies.

    Attributes
    ----------
    weights
        float32, shape (n_customers, n_items), all stored weights > 0; read-only.
    customers, items
        The ids of rows and columns.
    builder
        The configuration it was built with.
    provenance
        Where it came from.
    """

    weights: "csr_array[np.float32, tuple[int, int]]"
    customers: Vocabulary
    items: Vocabulary
    builder: "InteractionMatrixBuilder"
    provenance: Provenance

    @property
    def shape(self) -> tuple[int, int]:
        """(n_customers, n_items)."""
        return (int(self.weights.shape[0]), int(self.weights.shape[1]))

    def __repr__(self) -> str:
        n_customers, n_items = self.shape
        return f"Interactions({n_customers} customers, {n_items} items, {self.weights.nnz} weights)"

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
        start, stop = self.weights.indptr[customer_index : customer_index + 2]
        return self.weights.indices[start:stop], self.weights.data[start:stop]

    @property
    def version(self) -> str:
        """Name the matrix by its content, ids and weights: 16 hexadecimal digits."""
        digest = hashlib.sha256()
        for name, array in self.to_saved()[0].items():
            digest.update(f"{name} {array.dtype} {array.shape}:".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:16]

    def to_saved(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Lay out as arrays and JSON, for `seg1.persist.save`."""
        arrays = {
            "weights_indptr": self.weights.indptr,
            "weights_indices": self.weights.indices,
            "weights_data": self.weights.data,
            **self.customers.to_arrays("customers"),
            **self.items.to_arrays("items"),
        }
        return arrays, {"builder": asdict(self.builder), "provenance": asdict(self.provenance)}

    @classmethod
    def from_saved(
        cls,
        arrays: Mapping[str, NDArray[Any]],
        meta: Mapping[str, Any],
        *,
        builder: "InteractionMatrixBuilder",
    ) -> "Interactions":
        """Rebuild what `to_saved` laid out.

        Raises
        ------
        DamagedError
            Where the parts do not fit together.
        """
        customers = Vocabulary.from_arrays(arrays, "customers")
        items = Vocabulary.from_arrays(arrays, "items")
        parts = [arrays[f"weights_{part}"] for part in ("data", "indices", "indptr")]
        _check_csr(*parts, n_rows=len(customers), n_columns=len(items))
        from scipy.sparse import csr_array  # noqa: PLC0415  # a fifth of a second

        weights = csr_array((parts[0], parts[1], parts[2]), shape=(len(customers), len(items)))
        provenance = dict(meta["provenance"])
        provenance["purposes"] = tuple(provenance["purposes"])
        return cls(
            weights=freeze(weights),
            customers=customers,
            items=items,
            builder=builder,
            provenance=Provenance(**provenance),
        )


def freeze(
    weights: "csr_array[np.float32, tuple[int, int]]",
) -> "csr_array[np.float32, tuple[int, int]]":
    """Make the arrays of a sparse matrix read-only."""
    weights.data = read_only(weights.data)
    weights.indices = read_only(weights.indices)
    weights.indptr = read_only(weights.indptr)
    return weights


def _check_csr(
    data: NDArray[Any],
    indices: NDArray[Any],
    indptr: NDArray[Any],
    *,
    n_rows: int,
    n_columns: int,
) -> None:
    is_whole = (
        data.dtype == np.float32
        and indices.dtype == np.int32
        and indptr.dtype.kind == "i"
        and len(indptr) == n_rows + 1
        and indptr[0] == 0
        and indptr[-1] == len(indices) == len(data)
        and bool((np.diff(indptr) >= 0).all())
        and (not len(indices) or (indices.min() >= 0 and indices.max() < n_columns))
        and bool((np.isfinite(data) & (data > 0)).all())
    )
    if not is_whole:
        raise DamagedError("the weights of the matrix do not fit its vocabularies")
