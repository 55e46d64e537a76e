"""TC strings of the IAB Transparency and Consent Framework 2, decoded strictly.

Format: IAB Europe / IAB Tech Lab, "Transparency and Consent String with Global Vendor & CMP List
Formats", versions 2.0 to 2.3. A string that is cut off anywhere is refused, or permits the same.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from seg1.consent.signals.bits import BitReader, Numbers, Ranges
from seg1.errors import MalformedSignalError

__all__ = ["PublisherConsents", "Restriction", "RestrictionType", "TCString", "decode_tc"]

# A string for 2,000 vendors takes about 1,300 characters, and a browser keeps 4,096 in a cookie.
# The rest is room for publisher restrictions; the bound keeps the slowest near a millisecond.
MAX_CHARACTERS: Final = 6_144

_MAX_VENDOR: Final = 65_535
_MAX_SEGMENTS: Final = 4
_MAX_RESTRICTIONS: Final = 72  # one a purpose and type
_DECISECOND_US: Final = 100_000
_VERSION: Final = 2
_N_PURPOSES: Final = 24
_N_SPECIAL_FEATURES: Final = 12
_DISCLOSED, _ALLOWED, _PUBLISHER = 1, 2, 3


class RestrictionType(IntEnum):
    """What a publisher demands of some vendors for one purpose."""

    NOT_ALLOWED = 0
    REQUIRE_CONSENT = 1
    REQUIRE_LEGITIMATE_INTEREST = 2


@dataclass(frozen=True, slots=True, repr=False)
class Restriction:
    """A publisher's restriction of one purpose.

    Attributes
    ----------
    purpose
        The purpose, from 1 to 24.
    kind
        What is demanded.
    vendors
        First and last number of each run of vendors, both included, ascending.
    """

    purpose: int
    kind: RestrictionType
    vendors: Ranges

    def __repr__(self) -> str:
        return f"Restriction({len(self.vendors)} runs of vendors)"

    def covers(self, vendor: int) -> bool:
        """Whether the restriction is about a vendor."""
        return any(start <= vendor <= end for start, end in self.vendors)


@dataclass(frozen=True, slots=True, repr=False)
class PublisherConsents:
    """What the customer permits the publisher itself: the publisher TC segment.

    Attributes
    ----------
    purpose_consents, purpose_legitimate_interests
        Purposes, from 1 to 24.
    custom_consents, custom_legitimate_interests
        Purposes of the publisher's own, from 1 to `n_custom`.
    n_custom
        How many purposes of its own the publisher has.
    """

    purpose_consents: Numbers
    purpose_legitimate_interests: Numbers
    n_custom: int
    custom_consents: Numbers
    custom_legitimate_interests: Numbers

    def __repr__(self) -> str:
        return f"PublisherConsents({self.n_custom} custom purposes)"


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class TCString:
    """What a TC string says. Its repr tells the policy version alone.

    Attributes
    ----------
    version
        Of the encoding: 2.
    created_us, updated_us
        When the choices were first made and last changed, microseconds UTC.
    cmp_id, cmp_version, screen
        The consent management platform, its version, and the screen it showed.
    language
        Two capital letters.
    vendor_list_version
        Of the Global Vendor List.
    policy_version
        Of the framework's policies: 4 is TCF 2.2, 5 is TCF 2.3.
    is_service_specific
        Whether it is about one service or group of services; since TCF 2.2 always.
    use_non_standard_texts
        Whether the platform showed texts of its own.
    special_feature_opt_ins
        Special features, from 1 to 12.
    purpose_consents, purpose_legitimate_interests
        Purposes, from 1 to 24.
    purpose_one_treatment
        True where purpose 1 was not disclosed at all.
    publisher_country
        Two capital letters.
    vendor_consents, vendor_legitimate_interests
        Vendors of the Global Vendor List.
    publisher_restrictions
        The publisher's restrictions, in the order of the string.
    disclosed_vendors
        Vendors that were shown; None without the segment, which TCF 2.3 requires.
    allowed_vendors
        Vendors with a basis outside the framework, up to TCF 2.1; None without the segment.
    publisher
        The publisher TC segment, or None.
    """

    version: int
    created_us: int
    updated_us: int
    cmp_id: int
    cmp_version: int
    screen: int
    language: str
    vendor_list_version: int
    policy_version: int
    is_service_specific: bool
    use_non_standard_texts: bool
    special_feature_opt_ins: Numbers
    purpose_consents: Numbers
    purpose_legitimate_interests: Numbers
    purpose_one_treatment: bool
    publisher_country: str
    vendor_consents: Numbers
    vendor_legitimate_interests: Numbers
    publisher_restrictions: tuple[Restriction, ...]
    disclosed_vendors: Numbers | None = None
    allowed_vendors: Numbers | None = None
    publisher: PublisherConsents | None = None

    def __repr__(self) -> str:
        return f"TCString(policy_version={self.policy_version})"


def decode_tc(text: str) -> TCString:
    """Decode a TC string of TCF 2, or refuse it as a whole.

    Parameters
    ----------
    text
        The core segment and, in any order, disclosed vendors, allowed vendors and publisher TC,
        joined by dots. At most 6,144 characters.

    Returns
    -------
    TCString
        What it says. Whether that permits anything is `TCFConsent`'s to judge.

    Raises
    ------
    MalformedSignalError
        For anything but such a string: characters outside base64url, a field cut off, bits after
        the content, ranges that overlap, descend or exceed the largest vendor, a segment that is
        unknown or there twice, an update before the creation. It never quotes the string.

    Examples
    --------
    >>> tc = decode_tc("COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA")
    >>> tc.cmp_id, tc.language, sorted(tc.purpose_consents), sorted(tc.vendor_consents)
    (675, 'EN', [2, 10], [])
    """
    if not isinstance(text, str):
        raise MalformedSignalError(f"a TC string must be a str, got {type(text).__name__}")
    if len(text) > MAX_CHARACTERS:
        raise MalformedSignalError(f"a TC string has at most {MAX_CHARACTERS:,} characters")
    core, *others = text.split(".", _MAX_SEGMENTS)
    fields = _core(core)
    if len(others) >= _MAX_SEGMENTS:
        raise MalformedSignalError(f"a TC string has at most {_MAX_SEGMENTS} segments")
    for segment in others:
        name, content = _segment(segment)
        if name in fields:
            raise MalformedSignalError(f"TC string: segment {name} is there twice")
        fields[name] = content
    return TCString(**fields)  # type: ignore[arg-type]  # read in the order of the standard


def _core(text: str) -> dict[str, object]:
    bits = BitReader(text, name="TC string, core")
    fields: dict[str, object] = _metadata(bits)
    fields |= {
        "is_service_specific": bits.flag(),
        "use_non_standard_texts": bits.flag(),
        "special_feature_opt_ins": bits.numbers(_N_SPECIAL_FEATURES),
        "purpose_consents": bits.numbers(_N_PURPOSES),
        "purpose_legitimate_interests": bits.numbers(_N_PURPOSES),
        "purpose_one_treatment": bits.flag(),
        "publisher_country": bits.letters(),
        "vendor_consents": _vendors(bits),
        "vendor_legitimate_interests": _vendors(bits),
        "publisher_restrictions": _restrictions(bits),
    }
    bits.end()
    return fields


def _metadata(bits: BitReader) -> dict[str, object]:
    version = bits.number(6)
    if version != _VERSION:
        raise bits.refusal(f"version must be {_VERSION}, got {version}")
    created_us, updated_us = bits.number(36) * _DECISECOND_US, bits.number(36) * _DECISECOND_US
    if updated_us < created_us:
        raise bits.refusal("it was updated before it was created")
    return {
        "version": version,
        "created_us": created_us,
        "updated_us": updated_us,
        "cmp_id": bits.number(12),
        "cmp_version": bits.number(12),
        "screen": bits.number(6),
        "language": bits.letters(),
        "vendor_list_version": bits.number(12),
        "policy_version": bits.number(6),
    }


def _vendors(bits: BitReader) -> Numbers:
    highest = bits.number(16)
    return bits.range_numbers(highest=highest) if bits.flag() else bits.numbers(highest)


def _restrictions(bits: BitReader) -> tuple[Restriction, ...]:
    n = bits.number(12)
    if n > _MAX_RESTRICTIONS:
        raise bits.refusal(f"it has {n} restrictions, of at most {_MAX_RESTRICTIONS}")
    return tuple(_restriction(bits) for _ in range(n))


def _restriction(bits: BitReader) -> Restriction:
    purpose, kind = bits.number(6), bits.number(2)
    if not 1 <= purpose <= _N_PURPOSES:
        raise bits.refusal(f"a restriction names purpose {purpose}, of 1 to {_N_PURPOSES}")
    if kind > max(RestrictionType):
        raise bits.refusal(f"a restriction has type {kind}, which is undefined")
    return Restriction(purpose, RestrictionType(kind), bits.ranges(highest=_MAX_VENDOR))


def _segment(text: str) -> tuple[str, Numbers | PublisherConsents]:
    bits = BitReader(text, name="TC string, segment")
    kind = bits.number(3)
    if kind not in (_DISCLOSED, _ALLOWED, _PUBLISHER):
        raise bits.refusal(f"type {kind} is unknown")
    content = _publisher(bits) if kind == _PUBLISHER else _vendors(bits)
    bits.end()
    return ("disclosed_vendors", "allowed_vendors", "publisher")[kind - 1], content


def _publisher(bits: BitReader) -> PublisherConsents:
    consents, interests = bits.numbers(_N_PURPOSES), bits.numbers(_N_PURPOSES)
    n_custom = bits.number(6)
    return PublisherConsents(
        consents, interests, n_custom, bits.numbers(n_custom), bits.numbers(n_custom)
    )
