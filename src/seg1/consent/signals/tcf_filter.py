"""`TCFConsent`: TC strings as a consent filter for one vendor."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import ClassVar, Final

from seg1._checks import DAY_US, check_int
from seg1.consent.signals.sources import (
    ALLOWED,
    DENIED,
    MALFORMED,
    MISSING,
    NOT_ASKED,
    NOT_YET,
    TOO_OLD,
    Source,
    answer_each,
    check_source,
)
from seg1.consent.signals.tcf import RestrictionType, TCString, decode_tc
from seg1.consent.verdicts import Ask, Customers, Verdict, Verdicts
from seg1.errors import InvalidArgumentError, InvalidTypeError

__all__ = ["TCFConsent"]

_TCF_2_2: Final = 4
_TCF_2_3: Final = 5
_N_PURPOSES: Final = 24
_MAX_VENDOR: Final = 65_535
_MAX_AGE_DAYS: Final = 390
_DECISECOND_US: Final = 100_000
# Purpose 1 rests on consent by law; TCF 2.2 took legitimate interest from 3 to 6.
_CONSENT_ONLY: Final = frozenset({1, 3, 4, 5, 6})


class TCFConsent:
    """What TC strings permit one vendor of the Global Vendor List.

    ALLOW needs every purpose that stands behind the one asked about: by consent (of the purpose
    and of the vendor), or, for the purposes of `legitimate_interest`, by legitimate interest (of
    both). A decoded string that lacks one is DENY. So is one of an older policy, one of TCF 2.3
    that does not disclose the vendor, and one in which the publisher restricts the vendor
    otherwise. Missing, malformed, expired and not yet valid strings are UNKNOWN.

    Parameters
    ----------
    strings
        Mapping of customer to string, or a function of the customer: a TC string, a `TCString`,
        or None. It is asked anew at every check, and nothing is kept.
    vendor
        Our number in the Global Vendor List.
    purposes
        For each purpose of the policy the purposes of the framework, 1 to 24, that it needs, all
        of them. Other purposes are UNKNOWN.
    legitimate_interest
        Purposes of the framework for which we rely on legitimate interest; never 1, 3, 4, 5, 6.
    min_policy
        Lowest policy version that counts: 4 is TCF 2.2.
    max_age_days
        Days after which a string, counted from its creation, has expired: 13 months of 30 days.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        For an argument out of its range.

    Examples
    --------
    >>> from seg1.consent import Ask, Customers
    >>> strings = {"bo": "CPtGDMAPtGDMALMAAAENA_E_AAAAAAAAACiQAAAAAAAA", "cy": "cut off"}
    >>> tcf = TCFConsent(strings, vendor=12, purposes={"offers": (1, 3, 4)})
    >>> ask = Ask(purpose="offers", stage="decide", at_us=1_690_000_000_000_000)
    >>> tcf.check(Customers.of("ana", "bo", "cy"), ask).values
    array([ 0, -1,  0], dtype=int8)
    """

    name = "tcf"
    depends_on: ClassVar[tuple[str, ...]] = ("purpose",)

    def __init__(
        self,
        strings: Source,
        *,
        vendor: int,
        purposes: Mapping[str, Iterable[int]],
        legitimate_interest: Iterable[int] = (),
        min_policy: int = _TCF_2_2,
        max_age_days: int = _MAX_AGE_DAYS,
    ) -> None:
        self._source = check_source(strings)
        self._vendor = check_int(vendor, name="vendor", low=1)
        if vendor > _MAX_VENDOR:
            raise InvalidArgumentError(f"vendor must be at most {_MAX_VENDOR}, got {vendor}")
        self._purposes = _checked_purposes(purposes)
        self._by_interest = frozenset(_numbers(legitimate_interest, name="legitimate_interest"))
        if forbidden := sorted(self._by_interest & _CONSENT_ONLY):
            raise InvalidArgumentError(
                f"purposes {forbidden} need consent: TCF 2.2 knows no legitimate interest for them"
            )
        self._min_policy = check_int(min_policy, name="min_policy", low=2)
        self._max_age_us = check_int(max_age_days, name="max_age_days", low=1) * DAY_US

    def __repr__(self) -> str:
        return f"TCFConsent(vendor={self._vendor}, {len(self._purposes)} purposes)"

    def check(self, customers: Customers, ask: Ask) -> Verdicts:
        """Answer for each customer: the contract of a `ConsentFilter`."""
        needed = self._purposes.get(ask.purpose)
        if needed is None:
            return Verdicts.uniform(NOT_ASKED.value, NOT_ASKED.reason, n=len(customers))
        return answer_each(
            customers, self._source, lambda signal: self._judge(signal, needed, ask.at_us)
        )

    def _judge(self, signal: object, needed: tuple[int, ...], at_us: int) -> Verdict:
        if signal is None:
            return MISSING
        tc = signal if isinstance(signal, TCString) else decode_tc(signal)  # type: ignore[arg-type]  # it refuses what is no str
        if tc.policy_version < self._min_policy:
            return DENIED
        if not tc.is_service_specific:
            return MALFORMED  # the standard: a vendor takes it as invalid
        if tc.updated_us - _DECISECOND_US > at_us:  # times are rounded to the next decisecond
            return NOT_YET
        if at_us - tc.created_us > self._max_age_us:
            return TOO_OLD
        return ALLOWED if self._permits(tc, needed) else DENIED

    def _permits(self, tc: TCString, needed: tuple[int, ...]) -> bool:
        disclosed = tc.disclosed_vendors
        if tc.policy_version >= _TCF_2_3 and (disclosed is None or self._vendor not in disclosed):
            return False
        return all(self._permits_purpose(tc, purpose) for purpose in needed)

    def _permits_purpose(self, tc: TCString, purpose: int) -> bool:
        kinds = {
            r.kind
            for r in tc.publisher_restrictions
            if r.purpose == purpose and r.covers(self._vendor)
        }
        is_interest = purpose in self._by_interest
        if RestrictionType.NOT_ALLOWED in kinds:
            return False
        if RestrictionType.REQUIRE_LEGITIMATE_INTEREST in kinds and (
            not is_interest or RestrictionType.REQUIRE_CONSENT in kinds
        ):
            return False
        if is_interest and RestrictionType.REQUIRE_CONSENT not in kinds:
            interests = tc.purpose_legitimate_interests
            return purpose in interests and self._vendor in tc.vendor_legitimate_interests
        if purpose == 1 and tc.purpose_one_treatment:
            return False  # what was not disclosed cannot have been consented to
        return purpose in tc.purpose_consents and self._vendor in tc.vendor_consents


def _checked_purposes(purposes: object) -> Mapping[str, tuple[int, ...]]:
    if not isinstance(purposes, Mapping):
        raise InvalidTypeError('purposes must be a mapping, for example {"offers": (1, 3, 4)}')
    checked = {}
    for purpose, numbers in purposes.items():
        if not isinstance(purpose, str) or not purpose:
            raise InvalidArgumentError("the keys of purposes must be non-empty words")
        checked[purpose] = _numbers(numbers, name=f"purposes of {purpose!r}")
        if not checked[purpose]:
            raise InvalidArgumentError(f"purposes of {purpose!r} must name at least one")
    if not checked:
        raise InvalidArgumentError("purposes must name at least one purpose")
    return MappingProxyType(checked)


def _numbers(numbers: object, *, name: str) -> tuple[int, ...]:
    if isinstance(numbers, str) or not isinstance(numbers, Iterable):
        raise InvalidTypeError(f"{name} must be numbers, for example (1, 3, 4)")
    checked = tuple(check_int(number, name=name, low=1) for number in numbers)
    if any(number > _N_PURPOSES for number in checked):
        raise InvalidArgumentError(f"{name} must be numbers from 1 to {_N_PURPOSES}")
    return checked
