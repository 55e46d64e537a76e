"""`Validation`: what customers had later, and how well rankings foresee it."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from seg1._checks import check_int
from seg1._types import Float32s, Float64s, Id, Int32s
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.interactions import Interactions
from seg1.recommend.metrics import rank_discounts

__all__ = ["Foresight", "Validation"]

_ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Validation:
    """What customers had after the events that are learned from: what choices are made on.

    Parameters
    ----------
    relevant
        Customer to the items had later, as `metrics.relevant_items` gives them.
    exclude_seen
        Whether rankings leave out what was had before; then `relevant` should be what is new.
    n
        Length of the rankings, >= 1.

    Examples
    --------
    >>> Validation(relevant={"ana": {"milk"}}, exclude_seen=True)
    Validation(1 customers, n=10, exclude_seen=True)
    """

    relevant: Mapping[Id, AbstractSet[Id]]
    exclude_seen: bool
    n: int = 10

    def __post_init__(self) -> None:
        if not isinstance(self.relevant, Mapping):
            raise InvalidTypeError("relevant must map customers to items; see relevant_items")
        if not isinstance(self.exclude_seen, bool):
            raise InvalidTypeError("exclude_seen must be a bool")
        check_int(self.n, name="n", low=1)

    def __repr__(self) -> str:
        n_customers = len(self.relevant)  # no ids: what somebody had is personal
        return f"Validation({n_customers} customers, n={self.n}, exclude_seen={self.exclude_seen})"

    def codes(self, interactions: Interactions) -> tuple[Int32s, list[Int32s]]:
        """Find who and what of it a matrix knows.

        Returns
        -------
        customer_index : ndarray of int32, shape (n_customers,)
            Customers of the matrix with at least one relevant item that it knows.
        item_index : list of ndarray of int32
            Their relevant items.

        Raises
        ------
        InvalidArgumentError
            Where there is no such customer.
        """
        found = interactions.customers.encode(self.relevant, unknown="ignore")
        customers, wanted = [], []
        for code, items in zip(found.tolist(), self.relevant.values(), strict=True):
            known = interactions.items.encode(items, unknown="ignore")
            known = known[known >= 0]
            if code >= 0 and len(known):
                customers.append(code)
                wanted.append(known)
        if not customers:
            raise InvalidArgumentError(
                "no customer of the validation has a relevant item that the matrix knows"
            )
        return np.array(customers, dtype=np.int32), wanted


class Foresight:
    """Measures factors against a validation, for an even sample of its customers.

    Attributes
    ----------
    customer_index
        Whose factors are asked for, int32, shape (n_customers,).
    """

    def __init__(
        self, validation: Validation, interactions: Interactions, *, at_most: int = 1_000
    ) -> None:
        customers, wanted = validation.codes(interactions)
        step = -(-len(customers) // at_most)
        self.customer_index: Int32s = customers[::step]
        self._wanted = wanted[::step]
        self._interactions = interactions
        self._exclude_seen = validation.exclude_seen
        self._n = min(validation.n, interactions.shape[1])

    def ndcg(self, customer_factors: Float32s, item_factors: Float32s) -> float:
        """Give the mean NDCG at n.

        Parameters
        ----------
        customer_factors
            Of `customer_index`, float32, shape (n_customers, n_factors).
        item_factors
            float32, shape (n_items, n_factors).
        """
        parts = [
            self._ndcg_of(customer_factors[start : start + _ROWS_AT_ONCE], item_factors, start)
            for start in range(0, len(customer_factors), _ROWS_AT_ONCE)
        ]
        return float(np.concatenate(parts).mean())

    def _ndcg_of(self, customer_factors: Float32s, item_factors: Float32s, start: int) -> Float64s:
        # (n_rows, n_factors) @ (n_factors, n_items) -> (n_rows, n_items)
        scores = customer_factors @ item_factors.T
        is_wanted = np.zeros(scores.shape, dtype=np.bool_)
        n_wanted = np.zeros(len(scores), dtype=np.int64)
        for row in range(len(scores)):
            wanted = self._wanted[start + row]
            is_wanted[row, wanted] = True
            n_wanted[row] = len(wanted)
            if self._exclude_seen:
                seen, _ = self._interactions.history(int(self.customer_index[start + row]))
                scores[row, seen] = -np.inf
        top = np.argpartition(-scores, self._n - 1, axis=1)[:, : self._n]
        order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
        best = np.take_along_axis(top, order, axis=1)
        hits = np.take_along_axis(is_wanted, best, axis=1)
        hits &= np.isfinite(np.take_along_axis(scores, best, axis=1))  # not what is left out
        discounts = rank_discounts(self._n)
        best_possible = np.cumsum(discounts)[np.minimum(n_wanted, self._n) - 1]
        ndcg: Float64s = (hits @ discounts) / best_possible
        return ndcg
