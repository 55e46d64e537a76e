"""Vetoes that are no word of a ledger: what no tree of filters overrides."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import ClassVar, TypeAlias

import numpy as np

from seg1._checks import check_number
from seg1._types import Id
from seg1.consent.scalar import check_each
from seg1.consent.verdicts import ALLOW, DENY, UNKNOWN, Ask, Customers, Reason, Verdict, Verdicts
from seg1.errors import InvalidTypeError

__all__ = ["Ages", "MinimumAge"]

Ages: TypeAlias = Mapping[Id, float | None] | Callable[[Id], float | None]

_NUMBERS = (int, float, np.integer, np.floating)  # made once: a union is built at every use
_UNDER_AGE = Verdict(DENY, Reason.UNDER_AGE)
_AGE_UNKNOWN = Verdict(UNKNOWN, Reason.AGE_UNKNOWN)
_OF_AGE = Verdict(ALLOW, Reason.BY_FILTER)


@dataclass(frozen=True, slots=True, eq=False)
class MinimumAge:
    """Let pass who is old enough; an age that is not known is a no.

    Parameters
    ----------
    years
        Least age in years.
    ages
        The age of each customer in years, as a mapping or as a function of the id. None, or no
        entry: not known.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        For years that are not above 0, or ages that can be asked for none.

    Examples
    --------
    >>> from seg1 import Consent, ConsentLedger
    >>> ledger = ConsentLedger()
    >>> ledger.grant("bo", ["offers"], at=0, until=9)
    >>> consent = Consent.for_purposes(ledger, train="profiling", decide="offers", measure="m",
    ...                                vetoes=[MinimumAge(16, ages={"bo": 12})])
    >>> consent.ask("bo", at=5).reason("decide").words
    'under age'
    """

    depends_on: ClassVar[tuple[str, ...]] = ()
    may_veto: ClassVar[bool] = True

    years: float
    ages: Ages = field(repr=False)
    _find: Callable[[Id], float | None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_number(self.years, name="years", above=0)
        if not (isinstance(self.ages, Mapping) or callable(self.ages)):
            raise InvalidTypeError(
                f"ages must be a mapping or a function of the id, got {type(self.ages).__name__}"
            )
        find = self.ages.get if isinstance(self.ages, Mapping) else self.ages
        object.__setattr__(self, "_find", find)

    @property
    def name(self) -> str:
        """Name of the filter, for reports."""
        return f"minimum age {self.years:g}"

    def ask_one(self, customer: Id, ask: Ask) -> Verdict:  # noqa: ARG002  # the contract's
        """Answer for one customer."""
        age = self._find(customer)
        if isinstance(age, bool) or not isinstance(age, _NUMBERS):
            return _AGE_UNKNOWN
        if not 0 <= age < inf:
            return _AGE_UNKNOWN
        return _OF_AGE if age >= self.years else _UNDER_AGE

    def check(self, customers: Customers, ask: Ask) -> Verdicts:
        """Answer for each customer."""
        return check_each(self.ask_one, customers, ask, name=self.name)
