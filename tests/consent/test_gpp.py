"""GPP strings: the header, the sections read here, and the opt-outs as a veto.

The strings marked with a source are asserted by the tests of public projects, all under the
Apache License 2.0:

- es: IABTechLab/iabgpp-es, modules/cmpapi/test/encoder/section (HeaderV1)
- java: IABTechLab/iabgpp-java, iabgpp-encoder/src/test/java/com/iab/gpp/encoder (GppModelTest)
- prebid: prebid/go-gpp, parse_test.go
"""

import contextlib
import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tc_encoder import ALPHABET, PLAIN, encode, number, section, text_of

from seg1._types import Id
from seg1.consent import (
    Ask,
    Customers,
    GPPOptOut,
    TCFConsent,
    TCString,
    USOptOuts,
    decode_gpp,
    decode_tc,
)
from seg1.consent.signals.gpp import MAX_CHARACTERS
from seg1.errors import MalformedSignalError, UnsupportedSignalError
from seg1.testing import check_consent_filter

OFFERS = Ask(purpose="offers", stage="decide", at_us=PLAIN.updated_us)
CANARY = "CANARYcanaryCANARY"
TC = "CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA"
ALL_SECTIONS = (
    "DBACOdM~CPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAAAAAA.QAAA.IAAA"
    "~BPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAAAA.YAAAAAAAAAA~1---~BAAAAAAAAABA.QA~BAAAAABA.QA"
    "~BAAAABA~BAAAAEA.QA~BAAAAAQA~BAAAAAEA.QA~BAAAAABA~BAAAAABA.QA~BAAAAAABAA.QA~BAAAAAQA.QA"
    "~BAAAAAABAA.QA~BAAAAAQA.QA~BAAAAAQA.QA~BAAAAABA.QA~BAAAAAAAQA.QA~BAAAAAQA.QA"
)


def fibonacci(value: int) -> str:
    """Write a number >= 1 in Fibonacci coding, largest part first, then turned around."""
    parts = [1, 2]
    while parts[-1] <= value:
        parts.append(parts[-1] + parts[-2])
    marks = []
    for part in reversed(parts[:-1]):
        marks.append("1" if part <= value else "0")
        value -= part if part <= value else 0
    return "".join(reversed(marks)).rstrip("0") + "1"


def header(runs: list[tuple[int, int]]) -> str:
    bits, last = number(3, 6) + number(1, 6) + number(len(runs), 12), 0
    for start, end in runs:
        bits += str(int(end > start)) + fibonacci(start - last)
        bits += fibonacci(end - start) if end > start else ""
        last = end
    return text_of(bits)


@pytest.mark.parametrize(
    ("text", "section_ids"),
    [
        ("DBAA", ()),  # es
        ("DBABMA~" + TC, (2,)),  # es, prebid
        ("DBACNYA~" + TC + "~1YNN", (2, 6)),  # es, prebid
        ("DBABTA~1YNN", (6,)),  # java
        (ALL_SECTIONS, (2, *range(5, 23))),  # java
    ],
)
def test_headers_of_others_are_read(text: str, section_ids: tuple[int, ...]) -> None:
    gpp = decode_gpp(text)

    assert gpp.section_ids == section_ids
    assert gpp.texts == tuple(text.split("~")[1:])


@given(ids=st.sets(st.integers(1, 90), max_size=30))
def test_headers_written_here_are_read(ids: set[int]) -> None:
    runs: list[tuple[int, int]] = []
    for one in sorted(ids):
        if runs and runs[-1][1] == one - 1:
            runs[-1] = (runs[-1][0], one)
        else:
            runs.append((one, one))

    gpp = decode_gpp("~".join([header(runs), *["1YNN"] * len(ids)]))

    assert gpp.section_ids == tuple(sorted(ids))


def test_every_section_of_a_string_with_all_of_them_is_read_but_the_canadian() -> None:
    gpp = decode_gpp(ALL_SECTIONS)

    found = [gpp.decode(section_id) for section_id in (2, *range(6, 23))]

    assert isinstance(found[0], TCString)
    assert {(one.sale, one.any) for one in found[1:] if isinstance(one, USOptOuts)} == {
        (None, False)
    }
    assert all(isinstance(one, USOptOuts) for one in found[1:])


def test_the_european_section_is_a_tc_string() -> None:
    gpp = decode_gpp("DBABMA~" + TC)

    assert gpp.decode(2) == decode_tc(TC)
    assert gpp.decode(7) is None


@pytest.mark.parametrize(("section_id", "name"), [(1, "tcfeuv1"), (5, "tcfcav1")])
def test_a_section_that_is_not_read_is_named(section_id: int, name: str) -> None:
    gpp = decode_gpp(header([(section_id, section_id)]) + "~BAAA")
    words = f"GPP section {section_id} ({name}) is not read here"

    with pytest.raises(UnsupportedSignalError, match=re.escape(words)):
        gpp.decode(section_id)


def test_a_section_without_a_name_is_told_by_its_number() -> None:
    gpp = decode_gpp(header([(60, 60)]) + "~BAAA")

    with pytest.raises(UnsupportedSignalError, match=r"section 60 \(of a name not known here\) is"):
        gpp.decode(60)


def test_as_many_sections_and_characters_as_are_allowed_are_read() -> None:
    most = header([(1, 64)]) + "~x" * 64
    longest = f"DBABTA~{'x' * (MAX_CHARACTERS - len('DBABTA~'))}"

    assert len(decode_gpp(most).section_ids) == 64
    assert decode_gpp(longest).section_ids == (6,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "GPP header: it has a character outside base64url"),
        ("invalid gpp string", "GPP header: it has a character outside base64url"),
        ("z", "GPP header: it ends before the content does"),
        (TC, "its type must be 3 and its version 1"),
        (text_of(number(3, 6) + number(2, 6) + "0" * 12), "its type must be 3 and its version 1"),
        ("DBABTA", "it names more sections than there are"),
        ("DBAA~1YNN", "it names fewer sections than there are"),
        ("DBABTA~1YNN~1YNN", "it names fewer sections than there are"),
        (header([(2, 4_000)]) + "~1YNN", "it names more sections than there are"),
        (header([(5_000, 5_000)]) + "~1YNN", "a section has a number of 4,181 or more"),
        ("DBAB" + "A" * 9_000 + "~1YNN", "a section has a number of 4,181 or more"),
        ("DBAB~1YNN", "GPP header: it ends before the content does"),
        ("DBABTB~1YNN", "GPP header: it goes on after its content"),
        ("DBABTA" + "~1YNN" * 65, "at most 64 sections"),
        ("D" * (MAX_CHARACTERS + 1), "at most 16,384 characters"),
        (None, "a GPP string must be a str, got NoneType"),
    ],
)
def test_a_header_that_is_not_of_the_standard_is_refused(text: str, words: str) -> None:
    with pytest.raises(MalformedSignalError, match=words):
        decode_gpp(text)


@given(text=st.text(ALPHABET + ".~", max_size=200))
def test_any_text_is_decoded_or_refused_with_our_errors(text: str) -> None:
    with contextlib.suppress(MalformedSignalError, UnsupportedSignalError):
        gpp = decode_gpp("DBA" + text)

        for section_id in gpp.section_ids:
            assert isinstance(gpp.decode(section_id), TCString | USOptOuts)


STRINGS: dict[Id, object] = {
    "none": None,
    "sale": "DBABTA~1NYN",
    "no sale": "DBABTA~1YNN",
    "eu alone": "DBABMA~" + TC,
    "eu malformed": "DBABMA~" + CANARY,
    "canada alone": header([(5, 5)]) + "~BAAA",
    "sharing": header([(8, 8)]) + "~" + section(1, 1, 1, 2, 1, n=20),
    "targeted": header([(7, 7)]) + "~" + section(1, 1, 1, 1, 0, 0, 2, 2, 1, n=27),
    "gpc": header([(7, 7)]) + "~BAAAAAAAAQA.YA",
    "does not apply": header([(7, 7)]) + "~BAAAAAAAAQA.QA",
    "cut off": header([(7, 7)]) + "~BAAAA",
    "a state": header([(22, 22)]) + "~" + section(1, 1, 1, 2, 1, n=18),
    "a law not read": header([(23, 23)]) + "~BAAAABA",
    "a law not read, and sale": header([(6, 6), (23, 23)]) + "~1NYN~BAAAABA",
    "malformed": CANARY,
    "bytes": b"DBABTA~1YNN",
}
EXPECTED = [1, -1, 1, 1, 1, 1, -1, -1, -1, 1, 0, -1, 0, -1, 0, 0]


def test_an_opt_out_vetoes_and_what_cannot_be_read_does_not_pass() -> None:
    veto = GPPOptOut(STRINGS, purposes=["offers"])

    answers = veto.check(Customers.of(*STRINGS), OFFERS)

    assert dict(zip(STRINGS, answers.values.tolist(), strict=True)) == dict(
        zip(STRINGS, EXPECTED, strict=True)
    )
    check_consent_filter(veto, Customers.of(*STRINGS), OFFERS)


def test_an_opt_out_is_about_the_purposes_it_is_given() -> None:
    veto = GPPOptOut(STRINGS, purposes=["advertising"])

    assert set(veto.check(Customers.of(*STRINGS), OFFERS).values.tolist()) == {1}


def test_the_european_section_can_be_handed_to_the_tcf_filter() -> None:
    strings = {"ana": "DBABMA~" + encode(PLAIN), "bo": "DBABMA~" + CANARY, "cy": "DBABTA~1YNN"}

    def european(customer: Id) -> object:
        text = strings.get(str(customer))
        return None if text is None else decode_gpp(text).decode(2)

    tcf = TCFConsent(european, vendor=12, purposes={"offers": (1, 3)})

    assert isinstance(european("ana"), TCString)
    assert tcf.check(Customers.of("ana", "bo", "cy", "di"), OFFERS).values.tolist() == [1, 0, 0, 0]


def test_no_string_is_logged_or_shown(caplog: pytest.LogCaptureFixture) -> None:
    veto = GPPOptOut({"ana": "DBABMA~" + CANARY, "bo": CANARY}, purposes=["offers"])

    with caplog.at_level(logging.DEBUG):
        veto.check(Customers.of("ana", "bo"), OFFERS)

    assert caplog.text == ""
    assert repr(veto) == "GPPOptOut(1 purposes)"
    assert repr(decode_gpp("DBABMA~" + CANARY)) == "GPPString(section_ids=(2,))"
