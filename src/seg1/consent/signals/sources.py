"""Where a filter of signals finds each customer's signal, and how it answers one by one."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import numpy as np

from seg1._types import Id
from seg1.consent.verdicts import (
    ALLOW,
    DENY,
    UNKNOWN,
    Customers,
    Reason,
    Verdict,
    Verdicts,
    of_live,
)
from seg1.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    MalformedSignalError,
    UnsupportedSignalError,
)

__all__ = [
    "ALLOWED",
    "DENIED",
    "FAILED",
    "MALFORMED",
    "MISSING",
    "NOT_ASKED",
    "NOT_YET",
    "OPTED_OUT",
    "TOO_OLD",
    "Source",
]

log = logging.getLogger(__name__)

# Any: an id of the one kind that the source holds, str or int.
Source: TypeAlias = Callable[[Any], object] | Mapping[Any, object]
"""A customer's signal: a mapping of ids, or a function of one id; None where there is none."""

ALLOWED: Final = Verdict(ALLOW, Reason.GRANTED)
DENIED: Final = Verdict(DENY, Reason.REFUSED)
OPTED_OUT: Final = Verdict(DENY, Reason.OPTED_OUT)
MISSING: Final = Verdict(UNKNOWN, Reason.NO_RECORD)
FAILED: Final = Verdict(UNKNOWN, Reason.FILTER_FAILED)
MALFORMED: Final = Verdict(UNKNOWN, Reason.MALFORMED)
TOO_OLD: Final = Verdict(UNKNOWN, Reason.TOO_OLD)
NOT_YET: Final = Verdict(UNKNOWN, Reason.NOT_YET_VALID)
NOT_ASKED: Final = Verdict(UNKNOWN, Reason.NO_POLICY)

_CACHE_SIZE = 4_096


def check_source(source: object) -> Callable[[Id], object]:
    """Turn a source into a function of one id."""
    if isinstance(source, Mapping):
        return source.get
    if callable(source):
        return source
    raise InvalidTypeError(
        "signals must be a mapping of customer to signal, or a function of one customer; "
        f"got {type(source).__name__}"
    )


def check_purposes(purposes: object) -> frozenset[str]:
    """Accept some purposes, each a non-empty str."""
    if isinstance(purposes, str) or not isinstance(purposes, Iterable):
        raise InvalidTypeError('purposes must be several words, for example ["offers"]')
    named = frozenset(purposes)
    if not named or not all(isinstance(purpose, str) and purpose for purpose in named):
        raise InvalidArgumentError("purposes must be non-empty words, at least one")
    return named


def answer_each(
    customers: Customers, source: Callable[[Id], object], judge: Callable[[object], Verdict]
) -> Verdicts:
    """Judge each customer's signal; where it cannot be had or read, it is UNKNOWN.

    A text that many customers share is judged once. Nothing is kept after the call. Only errors
    that are not about the form of a signal are logged: how many, and the type of the first.
    """
    return of_live(customers, lambda live: _answer_live(live, source, judge))


def _answer_live(
    customers: Customers, source: Callable[[Id], object], judge: Callable[[object], Verdict]
) -> Verdicts:
    asking = _Asking(source, judge)
    answers = [asking.answer(customer) for customer in customers.ids()]
    if asking.failures:
        log.warning(
            "the signals of %d of %d customers failed (%s first): read as unknown",
            len(asking.failures),
            len(customers),
            asking.failures[0],
        )
    values = np.fromiter((a.value for a in answers), np.int8, count=len(answers))
    reasons = np.fromiter((a.reason for a in answers), np.int8, count=len(answers))
    return Verdicts(values, reasons)


class _Asking:
    """One call of a filter: what it has judged so far, and what went wrong."""

    def __init__(self, source: Callable[[Id], object], judge: Callable[[object], Verdict]) -> None:
        self._source = source
        self._judge = judge
        self._known: dict[str, Verdict] = {}
        self.failures: list[str] = []

    def answer(self, customer: Id) -> Verdict:
        try:
            signal = self._source(customer)
            return self._shared(signal) if type(signal) is str else self._one(signal)
        except (MalformedSignalError, UnsupportedSignalError):  # a source may decode, too
            return MALFORMED
        except Exception as error:  # noqa: BLE001  # fail closed, for this customer alone
            self.failures.append(type(error).__name__)
            return FAILED

    def _shared(self, text: str) -> Verdict:
        verdict = self._known.get(text)
        if verdict is None:
            verdict = self._one(text)
            if len(self._known) < _CACHE_SIZE:
                self._known[text] = verdict
        return verdict

    def _one(self, signal: object) -> Verdict:
        try:
            return self._judge(signal)
        except (MalformedSignalError, UnsupportedSignalError):
            return MALFORMED
