"""Filters that answer for one customer: asked safely, and lifted to many by `vectorise`."""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from seg1._types import Id
from seg1.consent.codes import FAILED, as_code, verdicts_of
from seg1.consent.filters import ConsentFilter, guarded_check, name_of
from seg1.consent.verdicts import Ask, Customers, Verdict, Verdicts, of_live
from seg1.errors import InvalidArgumentError, InvalidTypeError, PluginError

__all__ = [
    "EVERY_WORD",
    "Scalar",
    "checked_words",
    "guarded_ask_one",
    "guarded_check_one",
    "log_failure",
    "vectorise",
]

log = logging.getLogger(__name__)

Scalar: TypeAlias = Callable[[Id, Ask], Verdict | int]
EVERY_WORD: Final = ("purpose", "stage")


def vectorise(
    function: Scalar, *, name: str, depends_on: Collection[str] = EVERY_WORD
) -> ConsentFilter:
    """Make a filter of a function that answers for one customer.

    Parameters
    ----------
    function
        Called with a customer id and an `Ask`; answers with a `Verdict`, or with 1 (allow), 0
        (unknown) or -1 (deny). Where it raises or answers otherwise, that customer reads as
        UNKNOWN, and no other.
    name
        A short name, for reports and errors.
    depends_on
        The words of the question that the function looks at, of "purpose" and "stage"; it is asked
        once where they are the same. Both, where not given.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        Without a name, for something that cannot be called, or for other words.

    Examples
    --------
    >>> ages = {"ana": 34, "bo": 12}
    >>> adults = vectorise(lambda customer, ask: 1 if ages[customer] >= 18 else -1, name="adults")
    >>> adults.check(Customers.of("ana", "bo", "cy"), Ask("offers", "decide", 0)).values
    array([ 1, -1,  0], dtype=int8)
    """
    if not callable(function):
        raise InvalidTypeError(f"vectorise takes a function, got a {type(function).__name__}")
    if not isinstance(name, str) or not name:
        raise InvalidArgumentError("give the filter a name, for reports and errors")
    return _Vectorised(name, function, checked_words(depends_on))


@dataclass(frozen=True, slots=True, eq=False)
class _Vectorised:
    name: str
    ask_one: Scalar
    depends_on: frozenset[str]

    def check(self, customers: Customers, ask: Ask) -> Verdicts:
        """Answer for each customer."""
        return check_each(self.ask_one, customers, ask, name=self.name)


def check_each(ask_one: Scalar, customers: Customers, ask: Ask, *, name: str) -> Verdicts:
    """Answer for each customer; one that fails takes no other with it."""
    return of_live(customers, lambda live: _check_live(ask_one, live, ask, name=name))


def _check_live(ask_one: Scalar, customers: Customers, ask: Ask, *, name: str) -> Verdicts:
    n_failed, first = 0, ""
    codes = np.full(len(customers), FAILED, dtype=np.uint8)
    for place, customer in enumerate(customers.ids()):
        try:
            codes[place] = as_code(ask_one(customer, ask))
        except Exception as error:  # noqa: BLE001  # fail closed: it may raise anything
            n_failed, first = n_failed + 1, first or _told(error)
    if n_failed:
        log.warning(
            "consent filter %s failed (%s): %d customers read as unknown", name, first, n_failed
        )
    return verdicts_of(codes, epoch=0)


def guarded_ask_one(consent_filter: ConsentFilter, ask_one: Scalar, customer: Id, ask: Ask) -> int:
    """Ask a filter about one customer; give the code of its verdict.

    Whatever goes wrong in it reads as UNKNOWN, as in `guarded_check`.
    """
    try:
        return as_code(ask_one(customer, ask))
    except Exception as error:  # noqa: BLE001  # fail closed: a plug-in may raise anything
        log_failure(consent_filter, error)
        return FAILED


def guarded_check_one(consent_filter: ConsentFilter, customer: Id, ask: Ask) -> tuple[int, int]:
    """Ask a filter that answers for many about one; give the code of its verdict, and its epoch."""
    answer = guarded_check(consent_filter, Customers.of(customer), ask)
    return as_code(answer.one(0)), answer.epoch


def log_failure(consent_filter: object, error: Exception) -> None:
    """Tell of a filter that failed for one customer, by its name and the type of the error."""
    log.warning(
        "consent filter %s failed (%s): 1 customer read as unknown",
        name_of(consent_filter), _told(error),
    )  # fmt: skip


def _told(error: Exception) -> str:
    # Another's text may hold an id; ours is about the form of the answer.
    return str(error) if isinstance(error, PluginError) else type(error).__name__


def checked_words(depends_on: object) -> frozenset[str]:
    """Accept which words of a question an answer depends on."""
    if isinstance(depends_on, tuple | list | set | frozenset) and set(depends_on) <= set(
        EVERY_WORD
    ):
        return frozenset(depends_on)
    raise InvalidArgumentError('depends_on is a tuple or set of "purpose" and "stage", or empty')
