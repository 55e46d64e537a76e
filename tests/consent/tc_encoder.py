"""Writes TC strings and US sections, bit by bit and slowly: the twins of the decoders."""

from collections.abc import Collection
from dataclasses import replace

from hypothesis import strategies as st

from seg1.consent import PublisherConsents, Restriction, RestrictionType, TCString
from seg1.consent.signals.bits import Numbers, Ranges

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
DAY_US = 86_400 * 1_000_000
JAN_2026_US = 20_454 * DAY_US
NOBODY = Numbers(0)

PLAIN = TCString(
    version=2,
    created_us=JAN_2026_US,
    updated_us=JAN_2026_US,
    cmp_id=31,
    cmp_version=640,
    screen=1,
    language="DE",
    vendor_list_version=140,
    policy_version=5,
    is_service_specific=True,
    use_non_standard_texts=False,
    special_feature_opt_ins=Numbers.of([1]),
    purpose_consents=Numbers.of([1, 3, 4, 7]),
    purpose_legitimate_interests=Numbers.of([7, 9]),
    purpose_one_treatment=False,
    publisher_country="DE",
    vendor_consents=Numbers.of([12, 90]),
    vendor_legitimate_interests=Numbers.of([12]),
    publisher_restrictions=(),
    disclosed_vendors=Numbers.of([12, 90, 91]),
)


def text_of(bits: str) -> str:
    """Give the base64url text of bits, padded with zeros to whole characters."""
    bits += "0" * (-len(bits) % 6)
    return "".join(ALPHABET[int(bits[at : at + 6], 2)] for at in range(0, len(bits), 6))


def number(value: int, n: int) -> str:
    assert 0 <= value < 1 << n
    return f"{value:0{n}b}"


def letters(code: str) -> str:
    return "".join(number(ord(letter) - ord("A"), 6) for letter in code)


def field(numbers: Collection[int], n: int) -> str:
    return "".join("1" if place in numbers else "0" for place in range(1, n + 1))


def runs_of(numbers: Collection[int]) -> Ranges:
    runs: list[tuple[int, int]] = []
    for one in sorted(numbers):
        if runs and runs[-1][1] == one - 1:
            runs[-1] = (runs[-1][0], one)
        else:
            runs.append((one, one))
    return tuple(runs)


def ranges(runs: Ranges) -> str:
    entries = (
        "0" + number(start, 16) if start == end else "1" + number(start, 16) + number(end, 16)
        for start, end in runs
    )
    return number(len(runs), 12) + "".join(entries)


def vendors(numbers: Collection[int], *, is_ranges: bool) -> str:
    highest = max(numbers, default=0)
    rest = ranges(runs_of(numbers)) if is_ranges else field(numbers, highest)
    return number(highest, 16) + str(int(is_ranges)) + rest


def core_bits(tc: TCString, *, is_ranges: bool = False) -> str:
    parts = [
        number(tc.version, 6),
        number(tc.created_us // 100_000, 36),
        number(tc.updated_us // 100_000, 36),
        number(tc.cmp_id, 12),
        number(tc.cmp_version, 12),
        number(tc.screen, 6),
        letters(tc.language),
        number(tc.vendor_list_version, 12),
        number(tc.policy_version, 6),
        str(int(tc.is_service_specific)),
        str(int(tc.use_non_standard_texts)),
        field(tc.special_feature_opt_ins, 12),
        field(tc.purpose_consents, 24),
        field(tc.purpose_legitimate_interests, 24),
        str(int(tc.purpose_one_treatment)),
        letters(tc.publisher_country),
        vendors(tc.vendor_consents, is_ranges=is_ranges),
        vendors(tc.vendor_legitimate_interests, is_ranges=is_ranges),
        number(len(tc.publisher_restrictions), 12),
    ]
    parts += [
        number(r.purpose, 6) + number(r.kind, 2) + ranges(r.vendors)
        for r in tc.publisher_restrictions
    ]
    return "".join(parts)


def publisher_bits(publisher: PublisherConsents) -> str:
    n = publisher.n_custom
    return "".join(
        (
            number(3, 3),
            field(publisher.purpose_consents, 24),
            field(publisher.purpose_legitimate_interests, 24),
            number(n, 6),
            field(publisher.custom_consents, n),
            field(publisher.custom_legitimate_interests, n),
        )
    )


def encode(tc: TCString, *, is_ranges: bool = False) -> str:
    """Write a TC string."""
    segments = [core_bits(tc, is_ranges=is_ranges)]
    if tc.disclosed_vendors is not None:
        segments.append(number(1, 3) + vendors(tc.disclosed_vendors, is_ranges=is_ranges))
    if tc.allowed_vendors is not None:
        segments.append(number(2, 3) + vendors(tc.allowed_vendors, is_ranges=is_ranges))
    if tc.publisher is not None:
        segments.append(publisher_bits(tc.publisher))
    return ".".join(map(text_of, segments))


def section(*answers: int, n: int, version: int = 1) -> str:
    """Write a section of a US law: n fields of two bits after its version, the last of them 0."""
    fields = [*answers, *[0] * (n - len(answers))]
    return text_of(number(version, 6) + "".join(number(answer, 2) for answer in fields))


def changed(**fields: object) -> str:
    """Write the plain string with some fields changed."""
    return encode(replace(PLAIN, **fields))  # type: ignore[arg-type]  # fields of a TCString


def _numbers(highest: int) -> st.SearchStrategy[Numbers]:
    return st.sets(st.integers(1, highest), max_size=12).map(Numbers.of)


def _runs() -> st.SearchStrategy[Ranges]:
    return st.sets(st.integers(1, 65_535), max_size=6).map(runs_of)


_CODES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=2)
_TIMES = st.tuples(*[st.integers(0, 2**36 - 1)] * 2).map(sorted)
_RESTRICTIONS = st.lists(
    st.builds(Restriction, st.integers(1, 24), st.sampled_from(RestrictionType), _runs()),
    max_size=3,
)
_PUBLISHERS = st.integers(0, 8).flatmap(
    lambda n: st.builds(
        PublisherConsents,
        _numbers(24),
        _numbers(24),
        st.just(n),
        _numbers(n) if n else st.just(NOBODY),
        _numbers(n) if n else st.just(NOBODY),
    )
)


@st.composite
def tc_strings(draw: st.DrawFn) -> TCString:
    """Draw what a TC string may say."""
    created, updated = draw(_TIMES)
    return TCString(
        version=2,
        created_us=created * 100_000,
        updated_us=updated * 100_000,
        cmp_id=draw(st.integers(0, 4_095)),
        cmp_version=draw(st.integers(0, 4_095)),
        screen=draw(st.integers(0, 63)),
        language=draw(_CODES),
        vendor_list_version=draw(st.integers(0, 4_095)),
        policy_version=draw(st.integers(0, 63)),
        is_service_specific=draw(st.booleans()),
        use_non_standard_texts=draw(st.booleans()),
        special_feature_opt_ins=draw(_numbers(12)),
        purpose_consents=draw(_numbers(24)),
        purpose_legitimate_interests=draw(_numbers(24)),
        purpose_one_treatment=draw(st.booleans()),
        publisher_country=draw(_CODES),
        vendor_consents=draw(_numbers(2_000)),
        vendor_legitimate_interests=draw(_numbers(2_000)),
        publisher_restrictions=tuple(draw(_RESTRICTIONS)),
        disclosed_vendors=draw(st.none() | _numbers(2_000)),
        allowed_vendors=draw(st.none() | _numbers(2_000)),
        publisher=draw(st.none() | _PUBLISHERS),
    )
