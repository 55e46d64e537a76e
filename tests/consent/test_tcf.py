"""The decoder of TC strings, against an encoder written for it and against cut and bent strings."""

import contextlib
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tc_encoder import (
    ALPHABET,
    PLAIN,
    changed,
    core_bits,
    encode,
    number,
    publisher_bits,
    ranges,
    tc_strings,
    text_of,
    vendors,
)

from seg1.consent import (
    PublisherConsents,
    Restriction,
    RestrictionType,
    TCString,
    decode_tc,
)
from seg1.consent.signals.bits import BitReader, Numbers
from seg1.consent.signals.tcf import MAX_CHARACTERS
from seg1.errors import MalformedSignalError

TEXT = encode(PLAIN)
CORE, DISCLOSED = TEXT.split(".")
BITS = core_bits(PLAIN)
UP_TO_VENDORS = 213  # bits before the vendor section
PUBLISHER = PublisherConsents(Numbers.of([1]), Numbers.of([7]), 3, Numbers.of([2]), Numbers.of([3]))


def widens(shorter: TCString, whole: TCString) -> bool:
    """Whether a string permits anybody anything that another one does not."""
    pairs: list[tuple[Numbers | None, Numbers | None]] = [
        (shorter.purpose_consents, whole.purpose_consents),
        (shorter.purpose_legitimate_interests, whole.purpose_legitimate_interests),
        (shorter.vendor_consents, whole.vendor_consents),
        (shorter.vendor_legitimate_interests, whole.vendor_legitimate_interests),
        (shorter.special_feature_opt_ins, whole.special_feature_opt_ins),
        (shorter.disclosed_vendors, whole.disclosed_vendors),
        (shorter.allowed_vendors, whole.allowed_vendors),
    ]
    is_wider = any(set(few or ()) - set(many or ()) for few, many in pairs)
    return is_wider or shorter.publisher_restrictions != whole.publisher_restrictions


@given(tc=tc_strings(), is_ranges=st.booleans())
@settings(deadline=None)
def test_what_was_written_is_read(tc: TCString, is_ranges: bool) -> None:  # noqa: FBT001  # hypothesis
    assert decode_tc(encode(tc, is_ranges=is_ranges)) == tc


@given(tc=tc_strings(), is_ranges=st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_string_that_is_cut_off_is_refused_or_permits_no_more(
    tc: TCString,
    is_ranges: bool,  # noqa: FBT001  # hypothesis
) -> None:
    text = encode(tc, is_ranges=is_ranges)
    whole = decode_tc(text)

    for n in range(len(text)):
        try:
            shorter = decode_tc(text[:n])
        except MalformedSignalError:
            continue
        assert not widens(shorter, whole)


@given(tc=tc_strings(), place=st.integers(0), letter=st.sampled_from(ALPHABET + ".~\n= é"))
@settings(deadline=None)
def test_a_bent_string_is_decoded_or_refused_with_our_error(
    tc: TCString, place: int, letter: str
) -> None:
    text = encode(tc)
    place %= len(text)

    bent = text[:place] + letter + text[place + 1 :]

    with contextlib.suppress(MalformedSignalError):
        assert decode_tc(bent).version == 2


@given(text=st.text(max_size=80) | st.text(ALPHABET + ".", max_size=400))
def test_any_text_is_decoded_or_refused_with_our_error(text: str) -> None:
    with contextlib.suppress(MalformedSignalError):
        assert decode_tc("C" + text).version == 2


@pytest.mark.parametrize("ending", ["\n", "=", " ", "+", "/", "é", "\x00", "\ud800"])
def test_a_character_outside_base64url_is_refused(ending: str) -> None:
    with pytest.raises(MalformedSignalError, match="character outside base64url"):
        decode_tc(CORE + ending)


@pytest.mark.parametrize("value", [None, b"COtybn4PA", 7, ["C"]])
def test_what_is_no_str_is_refused(value: object) -> None:
    with pytest.raises(MalformedSignalError, match="a TC string must be a str, got "):
        decode_tc(value)  # type: ignore[arg-type]  # the point


def test_a_string_longer_than_the_bound_is_refused_unread() -> None:
    with pytest.raises(MalformedSignalError, match="at most 6,144 characters"):
        decode_tc(TEXT + "A" * MAX_CHARACTERS)


def test_the_longest_string_that_is_allowed_is_read() -> None:
    assert decode_tc(TEXT + "A" * (MAX_CHARACTERS - len(TEXT))) == decode_tc(TEXT)


def test_as_many_restrictions_as_there_are_purposes_and_types_are_read() -> None:
    vendors = ((12, 12), (40_000, 65_535))
    restrictions = tuple(
        Restriction(purpose, kind, vendors) for purpose in range(1, 25) for kind in RestrictionType
    )

    read = decode_tc(changed(publisher_restrictions=restrictions)).publisher_restrictions

    assert read == restrictions
    assert [read[0].covers(vendor) for vendor in (11, 12, 13, 39_999, 40_000, 65_535)] == [
        False, True, False, False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "core: it has a character outside base64url, or none at all"),
        ("A" * 44, "version must be 2, got 0"),
        ("BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA", "version must be 2, got 1"),
        (text_of(BITS + "1"), "core: it goes on after its content"),
        (CORE + "B", "core: it goes on after its content"),
        (CORE + ".", "segment: it has a character outside"),
        (CORE + "." + DISCLOSED + ".", "segment: it has a character outside"),
        (TEXT + "." + DISCLOSED, "segment disclosed_vendors is there twice"),
        (".".join([CORE] + [DISCLOSED] * 4), "at most 4 segments"),
        (CORE + "." + text_of(number(0, 3) + "0" * 40), "segment: type 0 is unknown"),
        (CORE + "." + text_of(number(4, 3) + "0" * 40), "segment: type 4 is unknown"),
        (CORE + "." + text_of(number(1, 3)), "segment: it ends before the content does"),
        (CORE + "." + text_of(publisher_bits(PUBLISHER) + "1"), "goes on after its content"),
        (changed(updated_us=PLAIN.created_us - 100_000), "updated before it was created"),
        (text_of(BITS[:108] + "111111" + BITS[114:]), "something else than letters"),
        (text_of(BITS[:114] + number(26, 6) + BITS[120:]), "something else than letters"),
    ],
)
def test_what_is_not_of_the_standard_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(MalformedSignalError, match=re.escape(words)):
        decode_tc(text)


def with_ranges(highest: int, content: str) -> str:
    return text_of(BITS[:UP_TO_VENDORS] + number(highest, 16) + "1" + content + "0" * 17 + "0" * 12)


@pytest.mark.parametrize(
    ("highest", "runs"),
    [
        (9, ((5, 4),)),
        (9, ((0, 0),)),
        (9, ((0, 3),)),
        (9, ((3, 10),)),
        (9, ((10, 10),)),
        (0, ((1, 1),)),
        (9, ((5, 5), (3, 3))),
        (9, ((5, 7), (7, 9))),
        (9, ((5, 5), (5, 5))),
    ],
)
def test_ranges_that_are_not_ascending_up_to_the_largest_are_refused(
    highest: int, runs: tuple[tuple[int, int], ...]
) -> None:
    with pytest.raises(MalformedSignalError, match="ranges are not ascending numbers up to"):
        decode_tc(with_ranges(highest, ranges(runs)))


def test_neighbouring_runs_are_read() -> None:
    tc = decode_tc(with_ranges(9, ranges(((2, 2), (3, 5), (6, 6)))))

    assert set(tc.vendor_consents) == {2, 3, 4, 5, 6}


@pytest.mark.parametrize("n_entries", [1, 2, 4_095])
def test_a_count_of_ranges_beyond_the_string_is_refused(n_entries: int) -> None:
    bits = BITS[:UP_TO_VENDORS] + number(99, 16) + "1" + number(n_entries, 12)

    for rest in ("", "0" + number(1, 16), "1" + number(1, 16), "1" + number(1, 16) + "0"):
        with pytest.raises(MalformedSignalError, match="core: "):
            decode_tc(text_of(bits + rest))


def test_a_last_run_that_is_cut_off_is_refused() -> None:
    run = "1" + number(5, 16) + "1" * 5  # the zeros beyond would make it end at 63,488
    bits = number(1, 3) + number(65_535, 16) + "1" + number(1, 12) + run

    assert len(bits) % 6 == 0
    with pytest.raises(MalformedSignalError, match="segment: it ends before the content does"):
        decode_tc(CORE + "." + text_of(bits))


def test_one_bit_too_few_is_refused() -> None:
    bits = BitReader("_", name="part")

    assert bits.take(5) == "11111"
    with pytest.raises(MalformedSignalError, match="part: it ends before the content does"):
        bits.take(2)


@pytest.mark.parametrize(
    ("purpose", "kind", "words"),
    [(0, 0, "names purpose 0"), (25, 0, "names purpose 25"), (7, 3, "has type 3")],
)
def test_a_restriction_outside_the_standard_is_refused(purpose: int, kind: int, words: str) -> None:
    bits = BITS[:-12] + number(1, 12) + number(purpose, 6) + number(kind, 2) + ranges(((1, 1),))

    with pytest.raises(MalformedSignalError, match=words):
        decode_tc(text_of(bits))


def test_more_restrictions_than_purposes_and_types_are_refused() -> None:
    with pytest.raises(MalformedSignalError, match="it has 73 restrictions, of at most 72"):
        decode_tc(text_of(BITS[:-12] + number(73, 12)))


@pytest.mark.parametrize("n_zeros", [1, 5, 24, 57])
def test_padding_of_zeros_changes_nothing(n_zeros: int) -> None:
    bits = number(1, 3) + vendors(PLAIN.disclosed_vendors or (), is_ranges=False)

    padded = text_of(BITS + "0" * n_zeros) + "." + text_of(bits + "0" * n_zeros)

    assert decode_tc(padded) == PLAIN


def test_segments_may_come_in_any_order() -> None:
    tc = replace(PLAIN, allowed_vendors=Numbers.of([90]), publisher=PUBLISHER)
    core, disclosed, allowed, publisher = encode(tc).split(".")

    assert decode_tc(f"{core}.{publisher}.{allowed}.{disclosed}") == tc


def test_a_repr_tells_nothing_of_the_content() -> None:
    restriction = Restriction(7, RestrictionType.NOT_ALLOWED, ((12, 13),))
    tc = replace(PLAIN, publisher_restrictions=(restriction,), publisher=PUBLISHER)

    shown = [
        tc,
        tc.publisher_restrictions,
        tc.publisher,
        tc.vendor_consents,
        BitReader(CORE, name="part"),
    ]

    assert [repr(each) for each in shown] == [
        "TCString(policy_version=5)",
        "(Restriction(1 runs of vendors),)",
        "PublisherConsents(3 custom purposes)",
        "Numbers(2 of them)",
        "BitReader(part)",
    ]


@given(some=st.sets(st.integers(1, 300)), others=st.sets(st.integers(1, 300)))
def test_numbers_are_a_set(some: set[int], others: set[int]) -> None:
    numbers, more = Numbers.of(some), Numbers.of(others)
    same: object = frozenset(some)

    assert numbers == same
    assert list(numbers) == sorted(some)
    assert len(numbers) == len(some)
    assert numbers & more == some & others
    assert (numbers <= more) is (some <= others)
    assert hash(numbers) == hash(Numbers.of(sorted(some)))
    assert not any(other in numbers for other in (0, -1, "1", None, 301))
