"""One matrix of a built one and of what came since, under consent asked again."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from seg1._types import Float64s, Int32s, Int64s
from seg1.consent import ConsentDoor
from seg1.errors import NoInteractionsError
from seg1.events import Vocabulary
from seg1.interactions.builder import InteractionMatrixBuilder
from seg1.interactions.matrix import Interactions, Provenance
from seg1.interactions.pairs import combined
from seg1.interactions.permission import ask_training

__all__ = ["Held", "compacted"]


class Held(NamedTuple):
    """What a live matrix holds at one moment.

    Attributes
    ----------
    indptr, indices, weight
        The matrix that was built, its weights before they were compressed.
    since
        What came since: customer, item and what their events come to.
    customers, items
        The vocabularies of all; a customer who is erased has no id in it.
    """

    indptr: Int32s | Int64s
    indices: Int32s
    weight: Float64s
    since: list[tuple[int, int, float]]
    customers: Vocabulary
    items: Vocabulary


def compacted(
    held: Held,
    provenance: Provenance,
    *,
    builder: InteractionMatrixBuilder,
    consent: ConsentDoor,
    at_us: int,
) -> Interactions:
    """Put together what those who permit it, as of `at_us`, have.

    Raises
    ------
    NoInteractionsError
        Where nothing is left.
    """
    customer_index, item_index, weight = _rows(held)
    present = _present(customer_index, len(held.customers))
    present = present[held.customers.is_live(present)]
    # A vocabulary of its own: the question is about these alone, and none of them is erased.
    named = held.customers.take(present)
    everyone = np.arange(len(named), dtype=np.int32)
    verdict = ask_training(named, everyone, consent=consent, at_us=at_us)
    allowed = present[verdict.reasons == 0]
    stays = np.zeros(len(held.customers), dtype=np.bool_)
    stays[allowed] = True
    is_kept = stays[customer_index] & held.items.is_live(item_index)
    if not is_kept.any():
        raise NoInteractionsError("no interaction is left of those who permit it")
    item_index = item_index[is_kept]
    allowed = _present(customer_index[is_kept], len(held.customers))
    item_order = _present(item_index, len(held.items))
    csr = combined(
        customer_index[is_kept], item_index, weight[is_kept],
        np.zeros(len(item_index), dtype=np.int64),  # what came since stands behind what was built
        customer_order=allowed, item_order=item_order,
        n_customers=len(held.customers), n_items=len(held.items),
        how=builder.combine, compress=builder.compress,
    )  # fmt: skip
    return Interactions(
        indptr=csr.indptr,
        indices=csr.indices,
        data=csr.data,
        customers=held.customers.take(allowed),
        items=held.items.take(item_order),
        builder=builder,
        provenance=replace(
            provenance,
            purposes=verdict.purposes,
            consent_epoch=verdict.epoch,
            consent_at_us=at_us,
            n_customers=len(allowed),
            excluded=verdict.excluded,
            policy=verdict.policy,
        ),
    )


def _rows(held: Held) -> tuple[Int32s, Int32s, Float64s]:
    """Give customer, item and weight of what was built, and behind it of what came since."""
    n_of_row = np.diff(held.indptr)
    built = np.repeat(np.arange(len(n_of_row), dtype=np.int32), n_of_row)
    customers, items, weights = zip(*held.since, strict=True) if held.since else ((), (), ())
    return (
        np.concatenate([built, np.array(customers, dtype=np.int32)]),
        np.concatenate([held.indices, np.array(items, dtype=np.int32)]),
        np.concatenate([held.weight, np.array(weights, dtype=np.float64)]),
    )


def _present(codes: Int32s, n_codes: int) -> Int32s:
    present: Int32s = np.flatnonzero(np.bincount(codes, minlength=n_codes)).astype(np.int32)
    return present
