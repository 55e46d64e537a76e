"""Where a filter of signals finds each customer's signal, and how it answers one by one."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import numpy as np

from seg1._types import Id
from seg1.consent.verdicts import ALLOW, DENY, UNKNOWN, Customers, Reason, Verdict, Verdicts
from seg1.errors import InvalidArgumentError, InvalidTypeError

__all__ = ["ALLOWED", "DENIED", "EXPIRED", "FAILED", "MISSING", "NOT_ASKED", "NOT_YET", "Source"]

# Any: an id of the one kind that the source holds, str or int.
Source: TypeAlias = Callable[[Any], object] | Mapping[Any, object]
"""A customer's signal: a mapping of ids, or a function of one id; None where there is none."""

ALLOWED: Final = Verdict(ALLOW, Reason.GRANTED)
DENIED: Final = Verdict(DENY, Reason.BY_FILTER)
MISSING: Final = Verdict(UNKNOWN, Reason.NO_RECORD)
FAILED: Final = Verdict(UNKNOWN, Reason.FILTER_FAILED)
EXPIRED: Final = Verdict(UNKNOWN, Reason.EXPIRED)
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

    A signal that many customers share is judged once. Nothing is kept after the call.
    """
    known: dict[str, Verdict] = {}
    answers = [_answer(customer, source, judge, known) for customer in customers.ids()]
    values = np.fromiter((a.value for a in answers), np.int8, count=len(answers))
    reasons = np.fromiter((a.reason for a in answers), np.int8, count=len(answers))
    return Verdicts(values, reasons)


def _answer(
    customer: Id,
    source: Callable[[Id], object],
    judge: Callable[[object], Verdict],
    known: dict[str, Verdict],
) -> Verdict:
    try:
        signal = source(customer)
        if type(signal) is not str:
            return judge(signal)
        verdict = known.get(signal)
        if verdict is None:
            verdict = judge(signal)
            if len(known) < _CACHE_SIZE:
                known[signal] = verdict
    except Exception:  # noqa: BLE001  # fail closed, for this customer alone; nothing is logged
        return FAILED
    return verdict
