"""`InteractionMatrixBuilder`: from events to weights, under consent, row by row accounted for."""

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
    read_only,
    to_us,
)
from seg1._types import At, Bools, Float64s, Int8s, Int32s, Int64s
from seg1.consent import ConsentDoor, Customers, Reason
from seg1.consent.policy import check_consent
from seg1.consent.verdicts import meet
from seg1.errors import InvalidTypeError, NoInteractionsError
from seg1.events import Events
from seg1.events.vocabulary import first_appearance
from seg1.interactions.matrix import Interactions, Provenance
from seg1.interactions.pairs import Pairs

__all__ = ["InteractionMatrixBuilder"]

# Outside these a sum of weights would soon read 0 or infinity as float32.
_LEAST_WEIGHT, _MOST_WEIGHT = 1e-12, 1e30


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
        verdict = _ask(events, check_consent(consent), at_us=to_us(at))
        dropped: dict[str, int] = {}
        rows = self._select(events, verdict, dropped, at_us=to_us(at))
        if not len(rows.value):
            told = ", ".join(f"{reason}: {n}" for reason, n in dropped.items()) or "no events"
            raise NoInteractionsError(
                f"no interaction is left ({told}); see that events, consent and at= name customers "
                "by the same ids and times in the same unit, microseconds UTC"
            )
        return self._assemble(events, rows, verdict=verdict, dropped=dropped, at_us=to_us(at))

    def _select(
        self, events: Events, verdict: "_TrainVerdict", dropped: dict[str, int], *, at_us: int
    ) -> "_Rows":
        """Leave out what may not or need not be in the matrix, and count it by reason."""
        rows = _Rows.of(events)
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
        rows = rows.keep(of_kind[rows.kind_index] > 0, dropped, "kind weighs 0")
        rows = rows.with_value(self._weigh(rows, of_kind, at_us=at_us))
        rows = rows.keep(rows.value >= _LEAST_WEIGHT, dropped, f"weight below {_LEAST_WEIGHT:g}")
        rows = rows.keep(rows.value <= _MOST_WEIGHT, dropped, f"weight above {_MOST_WEIGHT:g}")
        return self._apply_minimum_counts(rows, dropped)

    def _weigh(self, rows: "_Rows", of_kind: Float64s, *, at_us: int) -> Float64s:
        weight: Float64s = of_kind[rows.kind_index]
        with np.errstate(over="ignore", under="ignore"):  # both are left out, and counted
            if self.transform != "count":
                value = np.log1p(rows.value) if self.transform == "log1p" else rows.value
                weight = weight * value
            if self.half_life_days is not None:
                age_days = (at_us - rows.time_us) / DAY_US
                weight = weight * np.exp2(-age_days / self.half_life_days)
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
        verdict: "_TrainVerdict",
        dropped: dict[str, int],
        at_us: int,
    ) -> Interactions:
        # Codes are given anew, by first appearance among the rows that stay: the matrix is equal,
        # bit for bit, to the one built from a table that never held the others.
        customer_order = first_appearance(rows.customer_index, rows.n_customers)
        item_order = first_appearance(rows.item_index, rows.n_items)
        shape = {"n_customers": len(customer_order), "n_items": len(item_order)}
        pairs = Pairs.of(
            _renumbered(rows.customer_index, customer_order, rows.n_customers),
            _renumbered(rows.item_index, item_order, rows.n_items),
            **shape,
        )
        weight = pairs.combined(rows.value, rows.time_us, how=self.combine)
        weight = np.log1p(weight) if self.compress == "log1p" else weight
        return Interactions(
            indptr=read_only(_indptr(pairs.customer_index, n_rows=len(customer_order))),
            indices=read_only(pairs.item_index),
            data=read_only(weight.astype(np.float32)),
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


class _TrainVerdict(NamedTuple):
    """Per customer code: 0 where training is permitted, else the number of the reason."""

    reasons: Int8s
    purposes: tuple[str, ...]
    epoch: int
    excluded: dict[str, int]
    policy: str
    retention_us: int | None


def _ask(events: Events, consent: ConsentDoor, *, at_us: int) -> _TrainVerdict:
    present = first_appearance(events.customer_index, len(events.customers))
    who = Customers(events.customers, present)
    verdicts = meet([consent.check(who, stage=stage, at_us=at_us) for stage in ("ingest", "train")])
    reasons = np.zeros(len(events.customers), dtype=np.int8)
    reasons[present] = np.where(verdicts.allowed, 0, verdicts.reasons)
    # A filter may deny without a reason of its own: a denial never reads as permission.
    reasons[present[~verdicts.allowed & (verdicts.reasons == 0)]] = Reason.BY_FILTER
    purposes = dict.fromkeys((*consent.purposes("ingest"), *consent.purposes("train")))
    return _TrainVerdict(
        reasons,
        tuple(purposes),
        verdicts.epoch,
        dict(verdicts.denied_by_reason()),
        consent.version,
        consent.retention_us("ingest", "train"),
    )


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


def _indptr(customer_index: Int32s, *, n_rows: int) -> Int32s | Int64s:
    ends: Int64s = np.concatenate(([0], np.cumsum(np.bincount(customer_index, minlength=n_rows))))
    return ends.astype(np.int32) if len(customer_index) < 2**31 else ends


def _renumbered(codes: Int32s, order: Int32s, n_codes: int) -> Int32s:
    """Give codes anew, by their place in `order`."""
    if len(order) == n_codes and int(order[-1]) == n_codes - 1 and bool((np.diff(order) > 0).all()):
        return codes
    inverse = np.full(n_codes, -1, dtype=np.int32)
    inverse[order] = np.arange(len(order), dtype=np.int32)
    renumbered: Int32s = inverse[codes]
    return renumbered
