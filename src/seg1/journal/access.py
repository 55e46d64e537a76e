"""All that a journal holds of one customer: its rows, and the same as values that JSON can hold."""

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np

from seg1._types import Id
from seg1.events.vocabulary import as_id
from seg1.journal.catalogue import arms_of_body, features_of_body
from seg1.journal.journal import Journal, is_of
from seg1.journal.records import FIELDS, Decided, Row, Swapped, values_of
from seg1.offers import Arms

__all__ = ["rows_of", "told_rows"]

_VECTORS: Final = ("context", "affinity", "effects", "eligible")


class _Meaning(NamedTuple):
    """What the numbers of a decision stand for, under one catalogue."""

    arms: Arms
    features: tuple[str, ...]


def rows_of(journal: Journal, customer: Id) -> list[tuple[int, Row]]:
    """Give a customer's rows, with their numbers: what `Journal.erase` would remove.

    Those are the decisions, what came of them, and the observed events. The whole journal is read.

    Examples
    --------
    >>> from seg1.journal import MemoryJournal, Observed
    >>> journal = MemoryJournal()
    >>> journal.append(Observed(customer="ana", item="tea", at_us=5, what="view", value=1.0))
    1
    >>> [(seq, row.kind) for seq, row in rows_of(journal, "ana")], rows_of(journal, "bo")
    ([(1, 'observed')], [])
    """
    who = as_id(customer)
    decided = (row for _, row in journal.read() if isinstance(row, Decided))
    own = {row.decision_id for row in decided if is_of(row, who)}
    return [
        (seq, row)
        for seq, row in journal.read()
        if is_of(row, who) or (row.kind != "decided" and getattr(row, "decision_id", None) in own)
    ]


def told_rows(journal: Journal, customer: Id) -> list[dict[str, object]]:
    """Give a customer's rows as plain values, for the customer: with names in place of positions.

    Examples
    --------
    >>> from seg1.journal import MemoryJournal, Observed
    >>> journal = MemoryJournal()
    >>> journal.append(Observed(customer="ana", item="tea", at_us=5, what="view", value=1.0))
    1
    >>> told_rows(journal, "ana")
    [{'seq': 1, 'kind': 'observed', 'customer': 'ana', 'item': 'tea', 'at_us': 5, 'what': 'view',
      'value': 1.0}]
    """
    rows = rows_of(journal, customer)
    meanings = _meanings(journal, {row.catalogue for _, row in rows if isinstance(row, Decided)})
    return [_told(seq, row, meanings) for seq, row in rows]


def _meanings(journal: Journal, versions: set[str]) -> dict[str, _Meaning]:
    declared = (row for _, row in journal.read() if isinstance(row, Swapped))
    bodies = {row.version: row.body for row in declared if row.what == "catalogue"}
    return {
        version: _Meaning(arms_of_body(bodies[version])[0], features_of_body(bodies[version]))
        for version in versions & bodies.keys()
    }


def _told(seq: int, row: Row, meanings: dict[str, _Meaning]) -> dict[str, object]:
    told: dict[str, object] = {"seq": seq, "kind": row.kind}
    told.update(zip(FIELDS[row.kind], values_of(row), strict=True))
    if isinstance(row, Decided):
        told.update(_numbers(row, meanings.get(row.catalogue)))
    return told


def _numbers(row: Decided, meaning: _Meaning | None) -> dict[str, object]:
    """Tell the vectors of a decision by the names of what they are about."""
    if meaning is None:  # of a journal that lost its catalogue: better the bytes than nothing
        return {name: getattr(row, name).hex() for name in _VECTORS}
    bits = np.unpackbits(np.frombuffer(row.eligible, dtype=np.uint8), count=len(meaning.arms))
    arms = [arm for arm, bit in zip(meaning.arms.arms, bits.tolist(), strict=True) if bit]
    return {
        "context": _pairs(meaning.features, row.context),
        "affinity": _pairs([offer.id for offer in meaning.arms.offers], row.affinity),
        "effects": _pairs([*(offer.id for offer in meaning.arms.offers), None], row.effects),
        "eligible": [[arm.offer, arm.price, arm.slot] for arm in arms],
    }


def _pairs(names: Iterable[Id | None], vector: bytes) -> list[list[object]]:
    return [
        [name, number]
        for name, number in zip(names, np.frombuffer(vector, "<f8").tolist(), strict=False)
    ]
