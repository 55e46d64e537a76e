"""`LiveInteractions`: a matrix that takes events as they happen, each in microseconds."""

import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from seg1._checks import check_number, to_us
from seg1._types import At, Float32s, Float64s, History, Id, Int32s
from seg1.consent import ConsentDoor
from seg1.consent.policy import check_consent
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.events import Events, Vocabulary
from seg1.events.ids import as_id
from seg1.interactions.compact import Held, compacted
from seg1.interactions.matrix import Interactions, Provenance
from seg1.interactions.permission import TRAINING
from seg1.interactions.since import Sum, added, merged

__all__ = ["LiveInteractions"]

_LATE = (
    'with combine="last" an event must be later than the reference time of the matrix, or of an '
    "item the customer has not: the matrix does not hold when its events were; build it anew"
)
_MINIMUM_COUNTS = (
    "a matrix with minimum counts does not hold what they left out, so that it cannot be told what "
    "has enough by now: build it anew from the events"
)
_RETENTION = (
    "the policy limits how old events may be, and the matrix does not hold when its events were: "
    "build it anew from the events, or compact as of its reference time"
)


class LiveInteractions:
    """Interactions that grow: a built matrix, and beside it what came since.

    Events are weighed as the builder of the matrix does, against the matrix's own reference time:
    one that is later counts more than 1 where there is a half-life, so that all weights stay
    comparable. Any number of threads may call one.

    What minimum counts left out of the matrix is not in it: a history then has what came since.

    Parameters
    ----------
    interactions
        The matrix to begin with. It stays as it is.
    consent
        Asked for the stages ingest and train at each `append`, and by `compact`.

    Attributes
    ----------
    customers, items
        Vocabularies: those of the matrix, and who and what came since.

    Examples
    --------
    >>> import seg1
    >>> events = seg1.Events.from_table({"customer": ["ana"], "item": [7], "time": [0]})
    >>> anyone = seg1.ConsentNotNeeded("an example")
    >>> builder = seg1.InteractionMatrixBuilder(transform="count")
    >>> live = LiveInteractions(builder.build(events, consent=anyone, at=0), consent=anyone)
    >>> live.append("ana", [7, 8], at=5)
    2
    >>> live.history("ana")
    {7: 2.0, 8: 1.0}
    """

    def __init__(self, interactions: Interactions, *, consent: ConsentDoor) -> None:
        if not isinstance(interactions, Interactions):
            raise InvalidTypeError(
                f"interactions must be Interactions, got {type(interactions).__name__}"
            )
        self._consent = check_consent(consent)
        # The arrays alone: in the matrix itself the ids of those who are erased would stay.
        self._indptr, self._indices = interactions.indptr, interactions.indices
        self._data, self._n_built = interactions.data, interactions.shape[0]
        self._builder, self._provenance = interactions.builder, interactions.provenance
        self.customers = interactions.customers.copy()
        self.items = interactions.items.copy()
        self._since: dict[int, dict[int, Sum]] = {}
        self._n_appended, self._n_erased = 0, 0
        self._until_us = self._provenance.holds_until_us
        self._dropped: dict[str, int] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return (
            f"LiveInteractions({len(self.customers) - self.customers.n_erased} customers, "
            f"{len(self.items)} items, {self._n_appended} events appended)"
        )

    @property
    def dropped(self) -> Mapping[str, int]:
        """Events that were not kept: reason to count."""
        with self._lock:
            return MappingProxyType(dict(self._dropped))

    def append(
        self,
        customer: Id,
        items: Iterable[Id] | History,
        *,
        at: At,
        time: At | None = None,
        kind: str = "event",
    ) -> int:
        """Take what a customer did at one moment, where training on it is permitted.

        Parameters
        ----------
        customer
            The customer's id.
        items
            Items, an event each, of value 1; or a mapping of item to value.
        at
            The moment as of which consent is asked.
        time
            When it happened; by default `at`. What is later than `at` is not kept.
        kind
            The kind of all of them.

        Returns
        -------
        int
            How many events were kept; `dropped` tells why others were not.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError, WrongIdTypeError
            For an id, value or time that cannot be used; nothing is kept then.
        """
        at_us = to_us(at)
        time_us = at_us if time is None else to_us(time, name="time")
        who, values = self._checked(customer, items, kind=kind)
        while True:
            n_erased = self._n_erased
            reason = self._refusal(who, at_us=at_us, time_us=time_us)
            with self._lock:
                # Who was erased since the question may have withdrawn as well: it is asked again.
                if n_erased == self._n_erased:
                    return self._keep(who, values, kind=kind, time_us=time_us, refusal=reason)

    def extend(self, events: Events, *, at: At) -> int:
        """Take events of many customers, one after the other, as `append` does each.

        Parameters
        ----------
        events
            The events; those of erased ids are left out, and counted in `dropped`.
        at
            The moment as of which consent is asked.

        Returns
        -------
        int
            How many were kept.
        """
        is_live = events.customers.is_live(events.customer_index)
        is_live &= events.items.is_live(events.item_index)
        if not is_live.all():
            with self._lock:
                self._count("customer or item is erased", int((~is_live).sum()))
            events = events.where(is_live)
        customers = events.customers.decode(events.customer_index)
        items = events.items.decode(events.item_index)
        return sum(
            self.append(customer, {item: value}, at=at, time=time_us, kind=events.kinds[kind])
            for customer, item, value, time_us, kind in zip(
                customers, items, events.value.tolist(), events.time_us.tolist(),
                events.kind_index.tolist(), strict=True,
            )
        )  # fmt: skip

    def _checked(
        self, customer: Id, items: Iterable[Id] | History, *, kind: str
    ) -> tuple[Id, list[tuple[Id, float]]]:
        if isinstance(items, str) or not isinstance(items, Iterable):
            raise InvalidTypeError("items must be several ids, or map ids to values; write [id]")
        if not isinstance(kind, str) or not kind:
            raise InvalidTypeError('kind must be a name, as "view"')
        who = as_id(customer)
        self.customers.find(who)  # raises for the other kind of id
        pairs = items.items() if isinstance(items, Mapping) else ((item, 1.0) for item in items)
        values = [(as_id(item), _number(value)) for item, value in pairs]
        for item, _ in values:
            self.items.find(item)
        return who, values

    def _refusal(self, customer: Id, *, at_us: int, time_us: int) -> str | None:
        permits = self._consent.ask(customer, at_us)
        for stage in TRAINING:
            if not permits.allows(stage):
                return f"consent: {permits.reason(stage).words}"
        if time_us > at_us:
            return "later than the reference time"
        retention_us = self._consent.retention_us(*TRAINING)
        if retention_us is not None and time_us < at_us - retention_us:
            return "older than its purpose allows"
        return None

    def _keep(
        self,
        customer: Id,
        values: list[tuple[Id, float]],
        *,
        kind: str,
        time_us: int,
        refusal: str | None,
    ) -> int:
        """Keep events; the owner of the lock calls."""
        if refusal is not None:
            self._count(refusal, len(values))
            return 0
        at_us, builder = self._provenance.at_us, self._builder
        weights = [
            (item, builder.weigh_one(value, kind=kind, time_us=time_us, at_us=at_us))
            for item, value in values
        ]
        kept = [(item, weight) for item, weight in weights if weight > 0]
        if len(kept) < len(values):
            self._count("value, kind or age gives no weight", len(values) - len(kept))
        if not kept:
            return 0
        self._check_late([item for item, _ in kept], customer, time_us=time_us)
        code = _code(self.customers, customer)
        since = self._since.setdefault(code, {})
        for item, weight in kept:
            item_code = _code(self.items, item)
            since[item_code] = added(since.get(item_code), weight, time_us, builder=builder)
        self._n_appended += len(kept)
        self._until_us = max(self._until_us, time_us)
        return len(kept)

    def _check_late(self, items: list[Id], customer: Id, *, time_us: int) -> None:
        if self._builder.combine != "last" or time_us > self._provenance.at_us:
            return
        built, _ = self._built(self.customers.find(customer))
        if np.isin([self.items.find(item) for item in items], built).any():
            raise InvalidArgumentError(_LATE)

    def _count(self, reason: str, n: int) -> None:
        self._dropped[reason] = self._dropped.get(reason, 0) + n

    def history(self, customer: Id) -> dict[Id, float]:
        """Give a customer's weights by item, as `ALSModel.recommend` takes a history.

        A customer not known, or erased, has an empty one.
        """
        items, weights = self.history_codes(customer)
        is_live = self.items.is_live(items)
        items, weights = items[is_live], weights[is_live]
        return dict(zip(self.items.decode(items), weights.tolist(), strict=True))

    def history_codes(self, customer: Id) -> tuple[Int32s, Float32s]:
        """Give the same as codes of `items`, ascending, and weights, shape (n,) each."""
        with self._lock:
            code = self.customers.find(customer)
            items, weights = self._built(code)
            since = self._since.get(code)
            if not since:
                return items, weights
            return self._merged(items, weights, since)

    def _built(self, code: int) -> tuple[Int32s, Float32s]:
        if not 0 <= code < self._n_built:
            return np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32)
        start, stop = self._indptr[code : code + 2]
        return self._indices[start:stop], self._data[start:stop]

    def _merged(
        self, items: Int32s, weights: Float32s, since: dict[int, Sum]
    ) -> tuple[Int32s, Float32s]:
        built = dict(zip(items.tolist(), weights.tolist(), strict=True))
        of_item = merged(built, since, builder=self._builder)
        codes = sorted(of_item)
        return (
            np.array(codes, dtype=np.int32),
            np.array([of_item[code] for code in codes], dtype=np.float32),
        )

    def _uncompressed(self, weights: Float32s) -> Float64s:
        plain = weights.astype(np.float64)
        return np.expm1(plain) if self._builder.compress == "log1p" else plain

    def erase(self, customer: Id) -> bool:
        """Forget a customer: the id, and what came since; tell whether the id was known.

        The row in the matrix has no name any more and is left out by `compact`. Who comes back
        under the same id begins anew. The matrix given at the start, and what was saved, are not
        touched: `Interactions.without` and a new fit forget there.
        """
        with self._lock:
            code = self.customers.find(customer)
            self._n_erased += 1
            self._since.pop(code, None)
            return self.customers.erase([customer]) > 0

    def compact(self, *, at: At) -> Interactions:
        """Build one matrix of all that is held, with consent asked again.

        Its weights are those, within the rounding of float32, that all events at once would have
        against the same reference time. This object goes on as it is.

        Parameters
        ----------
        at
            The moment as of which consent is asked.

        Raises
        ------
        InvalidArgumentError
            Where the matrix does not hold what is needed: with minimum counts, or where the policy
            limits the age of events.
        NoInteractionsError
            Where nothing is left.
        """
        at_us = to_us(at)
        self._check_compact(at_us)
        while True:
            n_erased, held, provenance = self._held()
            built = compacted(
                held, provenance, builder=self._builder, consent=self._consent, at_us=at_us
            )
            with self._lock:
                # Who was erased while consent was asked is in what was built.
                if n_erased == self._n_erased:
                    return built

    def _held(self) -> tuple[int, Held, Provenance]:
        """Copy what is held, with how many erasures there were before."""
        with self._lock:
            held = Held(
                self._indptr, self._indices, self._uncompressed(self._data), self._rows_since(),
                self.customers.copy(), self.items.copy(),
            )  # fmt: skip
            provenance = replace(
                self._provenance,
                until_us=self._until_us,
                n_events=self._provenance.n_events + self._n_appended,
                dropped=_summed(self._provenance.dropped, self._dropped),
            )
            return self._n_erased, held, provenance

    def _check_compact(self, at_us: int) -> None:
        if self._builder.min_customers_per_item > 1 or self._builder.min_items_per_customer > 1:
            raise InvalidArgumentError(_MINIMUM_COUNTS)
        if self._consent.retention_us(*TRAINING) is not None and at_us > self._provenance.at_us:
            raise InvalidArgumentError(_RETENTION)

    def _rows_since(self) -> list[tuple[int, int, float]]:
        return [
            (customer, item, total.weight)
            for customer, since in self._since.items()
            for item, total in since.items()
        ]


def _number(value: float) -> float:
    if type(value) is not float or not math.isfinite(value):
        check_number(value, name="a value", above=-math.inf)
    return float(value)


def _code(vocabulary: Vocabulary, value: Id) -> int:
    code = vocabulary.find(value)
    return code if code >= 0 else int(vocabulary.encode([value], unknown="add")[0])


def _summed(*counts: Mapping[str, int]) -> dict[str, int]:
    return {
        reason: sum(of.get(reason, 0) for of in counts)
        for reason in dict.fromkeys(reason for of in counts for reason in of)
    }
