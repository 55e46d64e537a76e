"""`Events`: the table that everything else is built from."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import numpy as np

from seg1._checks import check_choice, read_only
from seg1._types import Bools, Float64s, Int8s, Int32s, Int64s
from seg1.errors import BadRowError, InvalidArgumentError, InvalidTypeError
from seg1.events.coding import coded, end_to_end, joined, recoded
from seg1.events.columns import read_numbers, read_times
from seg1.events.id_columns import IdReader
from seg1.events.intake import Row, Table, column_chunks, row_chunks
from seg1.events.problems import Column, Problems
from seg1.events.vocabulary import Vocabulary, first_appearance

__all__ = ["BadRows", "Events"]

BadRows: TypeAlias = Literal["raise", "drop"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Events:
    """What customers did with items: one row per event, as read-only columns.

    Made by `from_table` or `from_rows`; the plain constructor takes columns that are coded already
    and checks nothing.

    Attributes
    ----------
    customers, items
        The vocabularies that the codes belong to.
    customer_index, item_index
        Codes, int32, shape (n_events,).
    time_us
        Microseconds UTC, int64, shape (n_events,).
    value
        Amount of each event (a quantity, a sum), float64, shape (n_events,); 1 where none is given.
    kind_index
        Position of each event's kind in `kinds`, int32, shape (n_events,).
    kinds
        Names of the kinds of event; ("event",) where none is given.
    dropped
        Rows left out while reading: reason to count.

    Examples
    --------
    >>> table = {"who": ["ana", "bo"], "what": [7, 8], "when": [0, 1]}
    >>> Events.from_table(table, customer="who", item="what", time="when")
    Events(2 events, 2 customers, 2 items, dropped 0)
    """

    customers: Vocabulary
    items: Vocabulary
    customer_index: Int32s
    item_index: Int32s
    time_us: Int64s
    value: Float64s
    kind_index: Int32s
    kinds: tuple[str, ...] = ("event",)
    dropped: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_table(
        cls,
        table: Table,
        *,
        customer: str = "customer",
        item: str = "item",
        time: str = "time",
        value: str | None = None,
        kind: str | None = None,
        tz: str | None = None,
        bad_rows: BadRows = "raise",
        coded_like: "Events | None" = None,
    ) -> "Events":
        """Read events from a pandas, polars, pyarrow or duckdb table, or a dict of columns.

        Parameters
        ----------
        table
            The table. Through Arrow where pyarrow is installed, else through numpy.
        customer, item
            Names of the id columns: str (at most 256 bytes of UTF-8) or int64, one kind each.
        time
            Name of the column of times: aware timestamps of any unit, or int64 microseconds UTC.
        value
            Name of a column of finite numbers; without it every event has value 1.
        kind
            Name of a column of kinds ("view", "purchase"), names or ints; without it all events
            are of one kind.
        tz
            Zone of naive times, for example "Europe/Madrid". Naive times are refused without it.
        bad_rows
            "raise" at the first row that cannot be used, or "drop" such rows and count them.
        coded_like
            Earlier events whose vocabularies go on: their ids keep their codes.

        Raises
        ------
        BadRowError
            With `bad_rows="raise"`: has the row, the column and the reason.
        MissingColumnError, InvalidTypeError, InvalidArgumentError, WrongIdTypeError
            For a column that is not there, or of the wrong type.

        Examples
        --------
        >>> table = {"customer": ["ana", None], "item": [7, 8], "time": [0, 1]}
        >>> dict(Events.from_table(table, bad_rows="drop").dropped)
        {'customer: missing': 1}
        """
        columns = _Columns(customer, item, time, value, kind)
        chunks = column_chunks(table, columns.names)
        return _read(chunks, columns, tz=tz, bad_rows=bad_rows, coded_like=coded_like)

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[Row],
        *,
        customer: str = "customer",
        item: str = "item",
        time: str = "time",
        value: str | None = None,
        kind: str | None = None,
        tz: str | None = None,
        bad_rows: BadRows = "raise",
        coded_like: "Events | None" = None,
    ) -> "Events":
        """Read events from an iterable of mappings or `EventRow`, such as a generator of messages.

        The parameters are those of `from_table`; `rows` is read once, in chunks. A field that a
        row does not have is missing.

        Examples
        --------
        >>> from datetime import UTC, datetime
        >>> row = {"customer": 1, "item": "tea", "time": datetime(2026, 1, 1, tzinfo=UTC)}
        >>> len(Events.from_rows(iter([row])))
        1
        """
        columns = _Columns(customer, item, time, value, kind)
        chunks = row_chunks(rows, columns.names)
        return _read(chunks, columns, tz=tz, bad_rows=bad_rows, coded_like=coded_like)

    @classmethod
    def concat(cls, parts: Iterable["Events"]) -> "Events":
        """Put events one after the other.

        Parts that share their vocabularies (`coded_like=`) keep their codes; others are coded anew,
        as if their rows had stood in one table. Events of erased ids are left out and counted.

        Raises
        ------
        InvalidTypeError
            For something that is no `Events`.
        WrongIdTypeError
            Where one part has str ids and another int.

        Examples
        --------
        >>> first = Events.from_table({"customer": ["ana"], "item": [7], "time": [0]})
        >>> second = Events.from_table({"customer": ["bo"], "item": [7], "time": [1]})
        >>> Events.concat([first, second])
        Events(2 events, 2 customers, 1 items, dropped 0)
        """
        listed = list(parts)
        if not all(isinstance(part, Events) for part in listed):
            raise InvalidTypeError(
                "concat takes several Events; write Events.concat([first, next])"
            )
        living = [_without_erased(part) for part in listed]
        customers, customer_index = joined([(e.customers, e.customer_index) for e in living])
        items, item_index = joined([(e.items, e.item_index) for e in living])
        kinds = Vocabulary(kind for part in living for kind in part.kinds)
        of_kind = [kinds.encode(part.kinds)[part.kind_index] for part in living]
        return cls(
            customers=customers,
            items=items,
            customer_index=read_only(customer_index),
            item_index=read_only(item_index),
            time_us=read_only(end_to_end([part.time_us for part in living], np.int64)),
            value=read_only(end_to_end([part.value for part in living], np.float64)),
            kind_index=read_only(end_to_end(of_kind, np.int32)),
            kinds=tuple(map(str, kinds.ids)),
            dropped=MappingProxyType(_summed([part.dropped for part in living])),
        )

    def __len__(self) -> int:
        """Count the events."""
        return len(self.time_us)

    def __repr__(self) -> str:
        return (
            f"Events({len(self)} events, {len(self.customers)} customers, "
            f"{len(self.items)} items, dropped {sum(self.dropped.values())})"
        )

    def where(self, mask: Bools) -> "Events":
        """Keep the rows where `mask`, of shape (n_events,), is true; codes stay as they are.

        Examples
        --------
        >>> events = Events.from_table({"customer": [1, 2], "item": [7, 8], "time": [0, 9]})
        >>> len(events.where(events.time_us < 5))
        1
        """
        if mask.shape != self.time_us.shape or mask.dtype != np.bool_:
            raise InvalidArgumentError(
                f"mask must be bool of shape ({len(self)},), got {mask.dtype} of {mask.shape}"
            )
        return replace(
            self,
            customer_index=read_only(self.customer_index[mask]),
            item_index=read_only(self.item_index[mask]),
            time_us=read_only(self.time_us[mask]),
            value=read_only(self.value[mask]),
            kind_index=read_only(self.kind_index[mask]),
        )


class _Columns:
    """Which columns are read, in which order."""

    def __init__(
        self, customer: str, item: str, time: str, value: str | None, kind: str | None
    ) -> None:
        self.of_role = {"customer": customer, "item": item, "time": time}
        self.of_role |= {"value": value} if value is not None else {}
        self.of_role |= {"kind": kind} if kind is not None else {}
        self.names = list(self.of_role.values())
        self.roles = list(self.of_role)


def _read(
    chunks: Iterator[list[Column]],
    columns: _Columns,
    *,
    tz: str | None,
    bad_rows: BadRows,
    coded_like: Events | None,
) -> Events:
    check_choice(bad_rows, name="bad_rows", choices=("raise", "drop"))
    problems = Problems()
    ids = {role: IdReader(problems) for role in ("customer", "item", "kind")}
    parts: list[list[Any]] = []
    dropped: dict[str, int] = {}
    n_before = 0
    for chunk in chunks:
        read = [
            _read_column(
                column, role, name=columns.of_role[role], ids=ids, problems=problems, tz=tz
            )
            for column, role in zip(chunk, columns.roles, strict=True)
        ]
        bad = [problem for _, problem in read]
        values = [of_column for of_column, _ in read]
        if any(problem.any() for problem in bad):
            if bad_rows == "raise":
                raise _first_bad_row(bad, columns, problems, n_before)
            _count_bad(bad, columns, problems, into=dropped)
            is_good = ~np.any(bad, axis=0)
            values = [of_column[is_good] for of_column in values]
        parts.append(values)
        n_before += len(bad[0])
    joined = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
    whole = dict(zip(columns.roles, joined, strict=True))
    return _assemble(whole, ids, dropped=dropped, coded_like=coded_like)


def _read_column(
    column: Column,
    role: str,
    *,
    name: str,
    ids: dict[str, IdReader],
    problems: Problems,
    tz: str | None,
) -> tuple[Any, Int8s]:
    try:
        if role == "time":
            return read_times(column, problems, tz=tz)
        return read_numbers(column, problems) if role == "value" else ids[role].read(column)
    except (InvalidArgumentError, InvalidTypeError) as error:
        raise type(error)(f"column {name!r}: {error}") from error


def _first_bad_row(
    bad: list[Int8s], columns: _Columns, problems: Problems, n_before: int
) -> BadRowError:
    row = int(np.argmax(np.any(bad, axis=0)))
    which = next(position for position, problem in enumerate(bad) if problem[row])
    reason = problems.reasons[int(bad[which][row])]
    return BadRowError(n_before + row, column=columns.names[which], reason=reason)


def _count_bad(
    bad: list[Int8s], columns: _Columns, problems: Problems, *, into: dict[str, int]
) -> None:
    """Count each bad row once, under the first of its columns that is bad."""
    counted = np.zeros(len(bad[0]), dtype=np.bool_)
    for name, problem in zip(columns.names, bad, strict=True):
        fresh = problem[(problem > 0) & ~counted]
        for number, n in zip(*np.unique(fresh, return_counts=True), strict=True):
            reason = f"{name}: {problems.reasons[int(number)]}"
            into[reason] = into.get(reason, 0) + int(n)
        counted |= problem > 0


def _assemble(
    whole: dict[str, Any],
    ids: dict[str, IdReader],
    *,
    dropped: dict[str, int],
    coded_like: Events | None,
) -> Events:
    n_events = len(whole["time"])
    if coded_like is not None:
        # Both are asked before either grows: a table of the wrong kind changes nothing.
        coded_like.customers.encode(ids["customer"].ids[:1], unknown="ignore")
        coded_like.items.encode(ids["item"].ids[:1], unknown="ignore")
    customers, customer_index = coded(
        whole["customer"],
        ids["customer"],
        like=None if coded_like is None else coded_like.customers,
    )
    items, item_index = coded(
        whole["item"], ids["item"], like=None if coded_like is None else coded_like.items
    )
    kinds = Vocabulary(() if coded_like is None else coded_like.kinds)
    kind_index = np.zeros(n_events, dtype=np.int32)
    if "kind" in whole:
        names = [str(kind) for kind in ids["kind"].ids]
        order = first_appearance(whole["kind"], len(names))
        kind_index = recoded(whole["kind"], order, names, grows=kinds)
    return Events(
        customers=customers,
        items=items,
        customer_index=read_only(customer_index),
        item_index=read_only(item_index),
        time_us=read_only(whole["time"]),
        value=read_only(whole.get("value", np.ones(n_events))),
        kind_index=read_only(kind_index),
        kinds=tuple(map(str, kinds.ids)) if "kind" in whole else ("event",),
        dropped=MappingProxyType(dropped),
    )


def _without_erased(events: Events) -> Events:
    for role, vocabulary, codes in (
        ("customer", events.customers, events.customer_index),
        ("item", events.items, events.item_index),
    ):
        is_live = vocabulary.is_live(codes)
        if not is_live.all():
            n_gone = {f"{role} is erased": int((~is_live).sum())}
            kept = replace(events, dropped=MappingProxyType(_summed([events.dropped, n_gone])))
            return _without_erased(kept.where(is_live))
    return events


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for of in counts:
        for reason, n in of.items():
            total[reason] = total.get(reason, 0) + n
    return total
