"""Filters and their composition: strong Kleene logic that fails closed.

A composition is a filter again. Each leaf is guarded on its own, so one that fails reads as
UNKNOWN and no negation around it can open anything.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

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
    negate,
    of_live,
)
from seg1.errors import EmptyCompositionError, InvalidTypeError, PluginError

__all__ = [
    "Composed",
    "ConsentFilter",
    "all_of",
    "any_of",
    "check_filters",
    "guarded_check",
    "name_of",
    "not_",
]

log = logging.getLogger(__name__)

Word: TypeAlias = Literal["all_of", "any_of", "not_"]


@runtime_checkable
class ConsentFilter(Protocol):
    """A source of consent. Nothing of seg1 needs importing to write one.

    Three more members are looked for, and may be missing:

    ``ask_one(customer, ask)`` answers for one customer, with a `Verdict` or an int 1, 0 or -1: the
    same as ``check`` would. Decisions about one customer are made faster with it.

    ``depends_on`` names the words of the question on which the answer depends, beside customer and
    moment, as a tuple or set of "purpose" and "stage". What is asked at several purposes or stages
    is then asked once where the answer is the same. Without it: both.

    ``may_veto = True`` says that among its refusals are vetoes (see `Consent`): where it fails,
    nothing beside it in a tree opens anything either.

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

    It is not asked about a code whose id is erased, which is nobody's and UNKNOWN.

    The log names the filter and the type of the error. Its text is told only where it is ours,
    about the form of the answer: another's may hold an id.
    """
    n = len(customers)
    try:
        return of_live(
            customers, lambda live: as_verdicts(consent_filter.check(live, ask), n=len(live))
        )
    except Exception as error:  # noqa: BLE001  # fail closed: a plug-in may raise anything
        log.warning(
            "consent filter %s failed (%s): %d customers read as unknown",
            name_of(consent_filter),
            error if isinstance(error, PluginError) else type(error).__name__,
            n,
        )
        return Verdicts.uniform(UNKNOWN, Reason.FILTER_FAILED, n=n)


def name_of(consent_filter: object) -> str:
    """Name a filter for a log line, even one whose name fails."""
    try:
        return str(consent_filter.name)  # type: ignore[attr-defined]  # what it lacks is caught
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
    return _compose("all_of", filters)


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
    return _compose("any_of", filters)


def not_(consent_filter: ConsentFilter) -> ConsentFilter:
    """Turn ALLOW and DENY around; UNKNOWN stays UNKNOWN.

    Examples
    --------
    >>> from seg1.consent import ConsentLedger
    >>> not_(ConsentLedger()).name
    'not_(ledger)'
    """
    return _compose("not_", (consent_filter,))


def _compose(word: Word, filters: tuple[ConsentFilter, ...]) -> ConsentFilter:
    check_filters(word, filters)
    if not filters:
        raise EmptyCompositionError(f"{word} needs at least one filter")
    return Composed(f"{word}({', '.join(f.name for f in filters)})", filters, word)


def check_filters(word: str, filters: Iterable[ConsentFilter]) -> None:
    """Refuse what is no filter, naming the word that was given it."""
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
class Composed:
    """Filters under one word. `Consent` looks through it and asks every filter in it once."""

    name: str
    filters: tuple[ConsentFilter, ...]
    word: Word

    def check(self, customers: Customers, ask: Ask) -> Verdicts:
        """Fold what the filters answer."""
        answers = [guarded_check(member, customers, ask) for member in self.filters]
        if self.word == "not_":
            return negate(answers[0])
        return meet(answers) if self.word == "all_of" else join(answers)
