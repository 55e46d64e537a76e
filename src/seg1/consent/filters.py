"""Filters and their composition: strong Kleene logic that fails closed.

A composition is a filter again. Each leaf is guarded on its own, so one that fails reads as
UNKNOWN and no negation around it can open anything.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from seg1._types import Int8s
from seg1.consent.verdicts import (
    UNKNOWN,
    Ask,
    Customers,
    Reason,
    Verdicts,
    as_verdicts,
    join,
    meet,
)
from seg1.errors import EmptyCompositionError, InvalidTypeError, PluginError

__all__ = ["ConsentFilter", "all_of", "any_of", "guarded_check", "not_"]

log = logging.getLogger(__name__)


@runtime_checkable
class ConsentFilter(Protocol):
    """A source of consent. Nothing of seg1 needs importing to write one.

    Examples
    --------
    >>> import numpy as np
    >>> class Adults:
    ...     name = "adults"
    ...
    ...     def __init__(self, ages):
    ...         self.ages = ages
    ...
    ...     def check(self, customers, ask):
    ...         ages = [self.ages.get(i, 0) for i in customers.ids()]
    ...         return np.where(np.array(ages) >= 18, 1, -1).astype(np.int8)
    >>> Adults({"ana": 34}).check(Customers.of("ana", "bo"), None)
    array([ 1, -1], dtype=int8)
    """

    @property
    def name(self) -> str:
        """A short name, for reports and errors."""
        ...

    def check(self, customers: Customers, ask: Ask) -> Verdicts | Int8s:
        """Answer for each customer, in order: `Verdicts`, or int8 -1, 0, 1 of shape (n,)."""
        ...


def guarded_check(consent_filter: ConsentFilter, customers: Customers, ask: Ask) -> Verdicts:
    """Ask a filter; whatever goes wrong in it reads as UNKNOWN for everybody.

    The log names the filter and the type of the error. Its text is told only where it is ours,
    about the form of the answer: another's may hold an id.
    """
    n = len(customers)
    try:
        return as_verdicts(consent_filter.check(customers, ask), n=n)
    except Exception as error:  # noqa: BLE001  # fail closed: a plug-in may raise anything
        log.warning(
            "consent filter %s failed (%s): %d customers read as unknown",
            _name_of(consent_filter),
            error if isinstance(error, PluginError) else type(error).__name__,
            n,
        )
        return Verdicts.uniform(UNKNOWN, Reason.FILTER_FAILED, n=n)


def _name_of(consent_filter: ConsentFilter) -> str:
    try:
        return str(consent_filter.name)
    except Exception:  # noqa: BLE001  # a failing name must not break the guard
        return type(consent_filter).__name__


def all_of(*filters: ConsentFilter) -> ConsentFilter:
    """Permit what every filter permits: the minimum of their verdicts.

    Raises
    ------
    EmptyCompositionError
        Without a filter.
    InvalidTypeError
        For something that is no filter.

    Examples
    --------
    >>> from seg1.consent import ConsentLedger
    >>> all_of(ConsentLedger(), ConsentLedger()).name
    'all_of(ledger, ledger)'
    """
    return _compose("all_of", filters, meet)


def any_of(*filters: ConsentFilter) -> ConsentFilter:
    """Permit what at least one filter permits: the maximum of their verdicts.

    Raises and looks like `all_of`.

    Examples
    --------
    >>> any_of()
    Traceback (most recent call last):
        ...
    seg1.errors.EmptyCompositionError: any_of needs at least one filter
    """
    return _compose("any_of", filters, join)


def not_(consent_filter: ConsentFilter) -> ConsentFilter:
    """Turn ALLOW and DENY around; UNKNOWN stays UNKNOWN.

    Examples
    --------
    >>> from seg1.consent import ConsentLedger
    >>> not_(ConsentLedger()).name
    'not_(ledger)'
    """
    _check_filters("not_", (consent_filter,))
    return _Not(consent_filter)


def _compose(
    word: str, filters: tuple[ConsentFilter, ...], fold: Callable[[Sequence[Verdicts]], Verdicts]
) -> ConsentFilter:
    _check_filters(word, filters)
    if not filters:
        raise EmptyCompositionError(f"{word} needs at least one filter")
    return _Composed(f"{word}({', '.join(f.name for f in filters)})", filters, fold)


def _check_filters(word: str, filters: tuple[ConsentFilter, ...]) -> None:
    for member in filters:
        is_class = isinstance(member, type)
        if is_class or not isinstance(member, ConsentFilter) or not isinstance(member.name, str):
            raise InvalidTypeError(
                f"{word} takes filters, objects with a name and check(customers, ask); "
                f"got {'the class' if is_class else 'an object of'} {_class_name(member)}"
            )


def _class_name(member: object) -> str:
    return member.__name__ if isinstance(member, type) else type(member).__name__


@dataclass(frozen=True, slots=True)
class _Composed:
    name: str
    filters: tuple[ConsentFilter, ...]
    fold: Callable[[Sequence[Verdicts]], Verdicts]

    def check(self, customers: Customers, ask: Ask) -> Verdicts:
        return self.fold([guarded_check(member, customers, ask) for member in self.filters])


@dataclass(frozen=True, slots=True)
class _Not:
    inner: ConsentFilter

    @property
    def name(self) -> str:
        return f"not_({self.inner.name})"

    def check(self, customers: Customers, ask: Ask) -> Verdicts:
        inner = guarded_check(self.inner, customers, ask)
        reasons = np.where(inner.values == UNKNOWN, inner.reasons, Reason.NEGATED)
        return Verdicts(-inner.values, reasons.astype(np.int8), inner.epoch)
