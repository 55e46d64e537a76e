"""`InteractionMatrixBuilder`: from events to weights, under consent, row by row accounted for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from seg1._checks import (
    DAY_US,
    check_at_least,
    check_choice,
    check_int,
    check_number,
    to_us,
)
from seg1._types import At, Bools, Float64s, Int32s, Int64s
from seg1.consent import ConsentDoor, Reason
from seg1.consent.policy import check_consent
from seg1.errors import InvalidTypeError, NoInteractionsError
from seg1.events import Events
from seg1.events.vocabulary import first_appearance
from seg1.interactions.matrix import Interactions, Provenance
from seg1.interactions.pairs import Pairs, combined
from seg1.interactions.permission import TrainVerdict, ask_training

__all__ = ["InteractionMatrixBuilder"]

# Outside these a sum of weights would soon read 0 or infinity as float32.
_LEAST_WEIGHT, _MOST_WEIGHT = 1e-12, 1e30
_BLOCK_ROWS = 2**15
_MOST_HALF_LIVES = 1024  # 2.0 ** 1024 would raise


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionMatrixBuilder:
    """How events become weights.

    An event weighs ``kind_weight * transform(value) * 0.5 ** (age / half_life)``; the events of one
    customer and item are combined; the result may be compressed.

    Parameters
    ----------
    kind_weights
        Weight of each kind of event, >= 0; a kind not listed weighs 1, a kind of weight 0 is left
        out.
    transform
        What is made of an event's value: "log1p", "identity", or "count": every event counts 1.
        Events of value <= 0 (returns, cancellations) are left out, whatever the transform.
    half_life_days
        Days after which an event counts half, > 0; None for no decay.
    combine
        What several events of a customer and an item make: their "sum", the "max", or the "last".
    compress
        "log1p" of the combined weight, or "none".
    min_customers_per_item, min_items_per_customer
        Leave out items and customers with fewer, again and again until all have enough. >= 1.

    Examples
    --------
    >>> import seg1
    >>> table = {"customer": ["ana", "ana", "bo"], "item": [7, 8, 7], "time": [0, 0, 0]}
    >>> events = seg1.Events.from_table(table)
    >>> builder = seg1.InteractionMatrixBuilder(half_life_days=90, transform="count")
    >>> interactions = builder.build(events, consent=seg1.ConsentNotNeeded("an example"), at=0)
    >>> interactions.weights.toarray()
    array([[1., 1.],
           [1., 0.]], dtype=float32)
    """

    kind_weights: Mapping[str, float] = field(default_factory=dict)
    transform: Literal["log1p", "identity", "count"] = "log1p"
    half_life_days: float | None = None
    combine: Literal["sum", "max", "last"] = "sum"
    compress: Literal["none", "log1p"] = "none"
    min_customers_per_item: int = 1
    min_items_per_customer: int = 1

    def __post_init__(self) -> None:
        check_choice(self.transform, name="transform", choices=("log1p", "identity", "count"))
        check_choice(self.combine, name="combine", choices=("sum", "max", "last"))
        check_choice(self.compress, name="compress", choices=("none", "log1p"))
        # A copy, so that it is nobody else's to change; and plain numbers, which JSON can keep.
        plain: dict[str, object] = {
            "kind_weights": _checked_kind_weights(self.kind_weights),
            **{
                name: check_int(getattr(self, name), name=name, low=1)
                for name in ("min_customers_per_item", "min_items_per_customer")
            },
        }
        if self.half_life_days is not None:
            plain["half_life_days"] = check_number(
                self.half_life_days, name="half_life_days", above=0
            )
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    def build(self, events: Events, *, consent: ConsentDoor, at: At) -> Interactions:
        """Build the matrix of those who permit it.

        Parameters
        ----------
        events
            The events.
        consent
            Asked for the stages ingest and train; a customer who does not permit both leaves no
            trace in the result.
        at
            The moment as of which consent is asked and weights decay; later events are left out.

        Returns
        -------
        Interactions

        Raises
        ------
        NoInteractionsError
            Where nothing is left; the message has the reasons and counts.
        """
        if not isinstance(events, Events):
            raise InvalidTypeError(f"events must be seg1.Events, got {type(events).__name__}")
        present = first_appearance(events.customer_index, len(events.customers))
        present = present[events.customers.is_live(present)]
        verdict = ask_training(
            events.customers, present, consent=check_consent(consent), at_us=to_us(at)
        )
        dropped: dict[str, int] = {}
        rows = self._select(events, verdict, dropped, at_us=to_us(at))
        if not len(rows.value):
            told = ", ".join(f"{reason}: {n}" for reason, n in dropped.items()) or "no events"
            raise NoInteractionsError(
                f"no interaction is left ({told}); see that events, consent and at= name customers "
                "by the same ids and times in the same unit, microseconds UTC"
            )
        is_whole = len(rows.value) == len(events)
        return self._assemble(
            events,
            rows,
            verdict=verdict,
            customer_order=present if is_whole else None,
            dropped=dropped,
            at_us=to_us(at),
        )

    def _select(
        self, events: Events, verdict: TrainVerdict, dropped: dict[str, int], *, at_us: int
    ) -> "_Rows":
        """Leave out what may not or need not be in the matrix, and count it by reason."""
        rows = _Rows.of(events)
        is_there = events.customers.is_live(rows.customer_index)
        is_there &= events.items.is_live(rows.item_index)
        rows = rows.keep(is_there, dropped, "customer or item is erased")
        for number in np.unique(verdict.reasons[verdict.reasons > 0]):
            reason = f"consent: {Reason(int(number)).words}"
            is_other = verdict.reasons[rows.customer_index] != number
            rows = rows.keep(is_other, dropped, reason)
        rows = rows.keep(rows.time_us <= at_us, dropped, "later than the reference time")
        if verdict.retention_us is not None:
            is_young = rows.time_us >= at_us - verdict.retention_us
            rows = rows.keep(is_young, dropped, "older than its purpose allows")
        rows = rows.keep(rows.value > 0, dropped, "value is not above 0")
        of_kind = np.array([self.kind_weights.get(kind, 1.0) for kind in events.kinds])
        if not (of_kind > 0).all():
            rows = rows.keep(of_kind[rows.kind_index] > 0, dropped, "kind weighs 0")
        rows = rows.with_value(self._weigh(rows, of_kind, at_us=at_us))
        rows = rows.keep(rows.value >= _LEAST_WEIGHT, dropped, f"weight below {_LEAST_WEIGHT:g}")
        rows = rows.keep(rows.value <= _MOST_WEIGHT, dropped, f"weight above {_MOST_WEIGHT:g}")
        return self._apply_minimum_counts(rows, dropped)

    def weigh_one(self, value: float, *, kind: str, time_us: int, at_us: int) -> float:
        """Weigh one event, as `build` weighs many; later than `at_us` it counts more than now.

        Returns
        -------
        float
            0 where `build` would leave the event out.

        Examples
        --------
        >>> day = 86_400_000_000
        >>> builder = InteractionMatrixBuilder(transform="identity", half_life_days=30)
        >>> builder.weigh_one(4.0, kind="view", time_us=0, at_us=60 * day)
        1.0
        """
        weight = self.kind_weights.get(kind, 1.0)
        if value <= 0 or weight == 0:
            return 0.0
        if self.transform != "count":
            weight *= math.log1p(value) if self.transform == "log1p" else value
        if self.half_life_days is not None:
            half_lives = (at_us - time_us) / DAY_US / self.half_life_days
            weight *= 2.0**-half_lives if half_lives > -_MOST_HALF_LIVES else math.inf
        return weight if _LEAST_WEIGHT <= weight <= _MOST_WEIGHT else 0.0

    def _weigh(self, rows: "_Rows", of_kind: Float64s, *, at_us: int) -> Float64s:
        weight = np.empty(len(rows.value))
        # Block by block: what is made on the way stays in the cache.
        for start in range(0, len(weight), _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            of_block = of_kind[rows.kind_index[block]]
            with np.errstate(over="ignore", under="ignore"):  # both are left out, and counted
                if self.transform != "count":
                    value = rows.value[block]
                    of_block *= np.log1p(value) if self.transform == "log1p" else value
                if self.half_life_days is not None:
                    age_days = (at_us - rows.time_us[block]) / DAY_US
                    of_block *= np.exp2(-age_days / self.half_life_days)
            weight[block] = of_block
        return weight

    def _apply_minimum_counts(self, rows: "_Rows", dropped: dict[str, int]) -> "_Rows":
        """Leave out rare items and thin customers until none is left (a fixed point)."""
        if self.min_customers_per_item == self.min_items_per_customer == 1:
            return rows
        while True:
            n_before = len(rows.value)
            pairs = rows.pairs()
            n_customers = np.bincount(pairs.item_index, minlength=rows.n_items)
            is_known = n_customers[rows.item_index] >= self.min_customers_per_item
            rows = rows.keep(is_known, dropped, "item with too few customers")
            pairs = rows.pairs()
            n_items = np.bincount(pairs.customer_index, minlength=rows.n_customers)
            is_rich = n_items[rows.customer_index] >= self.min_items_per_customer
            rows = rows.keep(is_rich, dropped, "customer with too few items")
            if len(rows.value) == n_before:
                return rows

    def _assemble(
        self,
        events: Events,
        rows: "_Rows",
        *,
        verdict: TrainVerdict,
        customer_order: Int32s | None,
        dropped: dict[str, int],
        at_us: int,
    ) -> Interactions:
        # Codes are given anew, by first appearance among the rows that stay: the matrix is equal,
        # bit for bit, to the one built from a table that never held the others.
        if customer_order is None:
            customer_order = first_appearance(rows.customer_index, rows.n_customers)
        item_order = first_appearance(rows.item_index, rows.n_items)
        csr = combined(
            rows.customer_index, rows.item_index, rows.value, rows.time_us,
            customer_order=customer_order, item_order=item_order,
            n_customers=rows.n_customers, n_items=rows.n_items,
            how=self.combine, compress=self.compress,
        )  # fmt: skip
        return Interactions(
            indptr=csr.indptr,
            indices=csr.indices,
            data=csr.data,
            customers=events.customers.take(customer_order),
            items=events.items.take(item_order),
            builder=self,
            provenance=Provenance(
                purposes=verdict.purposes,
                consent_epoch=verdict.epoch,
                at_us=at_us,
                n_events=len(rows.value),
                n_customers=len(customer_order),
                dropped=dropped,
                excluded=verdict.excluded,
                policy=verdict.policy,
            ),
        )


def _checked_kind_weights(kind_weights: object) -> dict[str, float]:
    if not isinstance(kind_weights, Mapping) or not all(isinstance(k, str) for k in kind_weights):
        raise InvalidTypeError('kind_weights must map kinds to numbers, as in {"view": 0.2}')
    return {
        kind: check_at_least(weight, name=f"kind_weights[{kind!r}]", low=0)
        for kind, weight in kind_weights.items()
    }


class _Rows(NamedTuple):
    """The events still in, as columns; each step gives a new, smaller one."""

    customer_index: Int32s
    item_index: Int32s
    time_us: Int64s
    value: Float64s  # the event's value; from `with_value` on its weight
    kind_index: Int32s
    n_customers: int
    n_items: int

    @classmethod
    def of(cls, events: Events) -> "_Rows":
        return cls(
            events.customer_index,
            events.item_index,
            events.time_us,
            events.value,
            events.kind_index,
            len(events.customers),
            len(events.items),
        )

    def with_value(self, value: Float64s) -> "_Rows":
        return self._replace(value=value)

    def pairs(self) -> Pairs:
        return Pairs.of(
            self.customer_index,
            self.item_index,
            n_customers=self.n_customers,
            n_items=self.n_items,
        )

    def keep(self, mask: Bools, dropped: dict[str, int], reason: str) -> "_Rows":
        n_dropped = int(len(mask) - mask.sum())
        if not n_dropped:
            return self
        dropped[reason] = dropped.get(reason, 0) + n_dropped
        return self._replace(
            customer_index=self.customer_index[mask],
            item_index=self.item_index[mask],
            time_us=self.time_us[mask],
            value=self.value[mask],
            kind_index=self.kind_index[mask],
        )
