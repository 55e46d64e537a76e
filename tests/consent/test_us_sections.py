"""Sections of GPP strings under US laws, held to strings that others publish.

The strings marked with a source are asserted by the tests of public projects, under the Apache
License 2.0:

- es: IABTechLab/iabgpp-es, modules/cmpapi/test/encoder/section (UspV1, UsNat)
- java: IABTechLab/iabgpp-java, iabgpp-encoder/src/test/java/com/iab/gpp/encoder/section (UsNatTest
  and one file for each state: UsVaTest, UsCoTest, ...)

The order of the fields is that of the specifications (InteractiveAdvertisingBureau/
Global-Privacy-Platform, Sections).
"""

import re
from typing import NamedTuple

import pytest
from tc_encoder import section

from seg1.consent import USOptOuts
from seg1.consent.signals.us_sections import US_SECTIONS, decode_us
from seg1.errors import MalformedSignalError, UnsupportedSignalError

MSPA = (1, 1, 2)


class State(NamedTuple):
    """What the specification of a section says of its fields."""

    section_id: int
    name: str
    notices: int
    sensitive: int
    children: int
    consents: int
    gpc: str

    def write(self, *opt_outs: int, n_more: int = 0) -> str:
        """Write the section, every field but the opt-outs as the opposite of an opt-out."""
        rest = [2] * (self.sensitive + self.children + self.consents + n_more)
        fields = [*[2] * self.notices, *opt_outs, *rest, *MSPA]
        return section(*fields, n=len(fields))


STATES = [
    State(9, "usva", 3, 8, 1, 0, gpc=""),
    State(10, "usco", 3, 7, 1, 0, gpc=".YA"),
    State(11, "usut", 4, 8, 1, 0, gpc=""),
    State(12, "usct", 3, 8, 3, 0, gpc=".YA"),
    State(13, "usfl", 3, 8, 3, 1, gpc=""),
    State(14, "usmt", 3, 8, 3, 1, gpc=".YA"),
    State(15, "usor", 3, 11, 3, 1, gpc=".YA"),
    State(16, "ustx", 3, 8, 1, 1, gpc=".YA"),
    State(17, "usde", 3, 9, 5, 1, gpc=".YA"),
    State(18, "usia", 4, 8, 1, 0, gpc=".YA"),
    State(19, "usne", 3, 8, 1, 1, gpc=".YA"),
    State(20, "usnh", 3, 8, 3, 1, gpc=".YA"),
    State(21, "usnj", 3, 10, 5, 1, gpc=".YA"),
    State(22, "ustn", 3, 8, 1, 1, gpc=".YA"),
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1NYN", USOptOuts(sale=True)),  # es
        ("1YNN", USOptOuts(sale=False)),  # es, java
        ("1---", USOptOuts(sale=None)),  # es, java
        ("1YYY", USOptOuts(sale=True)),
    ],
)
def test_us_privacy_is_read(text: str, expected: USOptOuts) -> None:
    assert decode_us(6, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BVVVkkkklWA.YA", (True, True, True, True)),  # java
        ("BVVVkkkklWA", (True, True, True, None)),  # java
        ("BAAAAAAAAQA.QA", (None, None, None, False)),  # java
        ("BVVVkkkkkpFY.YA", (True, True, True, True)),  # es
        ("BAAAAAAAAABA", (None, None, None, None)),  # es
        (section(1, 1, 1, 1, 0, 0, 2, 1, 0, n=27), (False, True, None, None)),
        (section(1, 1, 1, 1, 0, 0, 2, 2, 1, n=32), (False, False, True, None)),
    ],
)
def test_us_national_is_read(text: str, expected: tuple[bool | None, ...]) -> None:
    assert decode_us(7, text) == USOptOuts(
        sale=expected[0], sharing=expected[1], targeted_advertising=expected[2], gpc=expected[3]
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BVWSSSVY.YA", USOptOuts(sale=True, sharing=True, gpc=True)),  # java
        ("BVWSSSVY", USOptOuts(sale=True, sharing=True)),  # java
        ("BAAAAABA.QA", USOptOuts(sale=None, gpc=False)),  # java
        (section(1, 1, 1, 2, 1, n=20), USOptOuts(sale=False, sharing=True)),
    ],
)
def test_us_california_is_read(text: str, expected: USOptOuts) -> None:
    assert decode_us(8, text) == expected


@pytest.mark.parametrize(
    ("section_id", "nothing", "opted_out"),
    [  # java, every string
        (9, "BAAAABA", "BVWSSVY"),
        (10, "BAAAAEA", "BVWSSVg"),
        (11, "BAAAAAQA", "BVVkklWA"),
        (12, "BAAAAAEA", "BVWSSZFg"),
        (13, "BAAAAABA", "BVWSSZlY"),
        (14, "BAAAAABA", "BVWSSZFY"),
        (15, "BAAAAAABAA", "BVWSSRpFYA"),
        (16, "BAAAAAQA", "BVWSSVWA"),
        (17, "BAAAAAABAA", "BVWSSSSVYA"),
        (18, "BAAAAAQA", "BVVkklWA"),
        (19, "BAAAAAQA", "BVWSSVWA"),
        (20, "BAAAAABA", "BVWSSZFY"),
        (21, "BAAAAAAAQA", "BVWSSRklWA"),
        (22, "BAAAAAQA", "BVWSSVWA"),
    ],
)
def test_the_strings_of_others_are_read_for_every_state(
    section_id: int, nothing: str, opted_out: str
) -> None:
    assert decode_us(section_id, nothing) == USOptOuts(sale=None)
    assert decode_us(section_id, opted_out) == USOptOuts(sale=True, targeted_advertising=True)


@pytest.mark.parametrize(
    ("section_id", "text", "gpc"),
    [  # java, every string
        (10, "BVWSSVg.YA", True),
        (12, "BVWSSZFg.YA", True),
        (14, "BVWSSZFY.YA", True),
        (15, "BVWSSRpFYA.YA", True),
        (16, "BVWSSVWA.YA", True),
        (17, "BVWSSSSVYA.YA", True),
        (18, "BVVkklWA.YA", True),
        (19, "BVWSSVWA.YA", True),
        (20, "BVWSSZFY.YA", True),
        (21, "BVWSSRklWA.YA", True),
        (22, "BVWSSVWA.YA", True),
        (10, "BAAAAEA.QA", False),
        (15, "BAAAAAABAA.QA", False),
        (22, "BAAAAAQA.QA", False),
    ],
)
def test_the_strings_of_others_tell_global_privacy_control(
    section_id: int, text: str, *, gpc: bool
) -> None:
    found = decode_us(section_id, text)

    assert found.gpc is gpc
    assert found.any is gpc  # where one string has no signal, it has no opt-out either


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
@pytest.mark.parametrize(
    ("written", "expected"),
    [((1, 2), (True, False)), ((2, 1), (False, True)), ((0, 0), (None, None))],
)
def test_the_fields_of_a_state_stand_in_the_order_of_its_specification(
    state: State, written: tuple[int, int], expected: tuple[bool | None, bool | None]
) -> None:
    text = state.write(*written) + state.gpc

    found = decode_us(state.section_id, text)

    assert (found.sale, found.targeted_advertising) == expected
    assert (found.sharing, found.gpc) == (None, True if state.gpc else None)
    assert US_SECTIONS[state.section_id] == state.name


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_a_state_has_no_field_more_and_none_less(state: State) -> None:
    longer = state.write(1, 1, n_more=1)
    n_bits = 6 + 2 * (state.notices + 2 + state.sensitive + state.children + state.consents + 3)
    shorter = longer[: (n_bits - 1) // 6]

    with pytest.raises(MalformedSignalError, match=r"\): it goes on after its content"):
        decode_us(state.section_id, longer)
    with pytest.raises(MalformedSignalError, match=r"\): it ends before the content does"):
        decode_us(state.section_id, shorter)


@pytest.mark.parametrize(("section_id", "name"), [(9, "usva"), (11, "usut"), (13, "usfl")])
def test_a_state_without_a_part_for_global_privacy_control_has_none(
    section_id: int, name: str
) -> None:
    text = "BVWSSZlY" if section_id == 13 else "BAAAABAA"
    words = f"GPP section {section_id} ({name}): it has one part, and no more may follow"

    with pytest.raises(MalformedSignalError, match=f"^{re.escape(words)}$"):
        decode_us(section_id, text + ".QA")


@pytest.mark.parametrize(
    ("section_id", "text", "words"),
    [
        (6, "2YNY", r"^GPP section 6 \(uspv1\): it must be 1 and three of"),
        (6, "1YN", "it must be 1 and three of"),
        (6, "1ynn", "it must be 1 and three of"),
        (6, "1YNN\n", "it must be 1 and three of"),
        (7, "BVVVkkkkl", r"^GPP section 7 \(usnat\): its length fits neither layout"),
        (7, "BVVVkkkkkpFYA", "its length fits neither layout"),
        (7, section(3, n=27), "a field has the value 3"),
        (7, section(*[0] * 26, 3, n=27), "a field has the value 3"),
        (7, section(*[0] * 26, 3, n=27) + "A", "a field has the value 3"),
        (7, section(*[0] * 31, 3, n=32), "a field has the value 3"),
        (7, "BVVVkkkklW_", "it goes on after its content"),
        (7, "BVVVkkkklWA.", "character outside base64url"),
        (7, "BVVVkkkklWA.QA.QA", "character outside base64url"),
        (7, "BVVVkkkklWA.IA", r"^GPP section 7 \(usnat\), GPC: its type must be 1"),
        (7, "BVVVkkkklWA.QB", "it goes on after its content"),
        (8, "BVWSSSVY.IA", r"^GPP section 8 \(usca\), GPC: its type must be 1"),
        (8, "BVWSSSV", r"^GPP section 8 \(usca\): it ends before the content does"),
        (8, "z", "version 51 is not read here"),
        (8, "", "character outside base64url"),
        (9, section(*[0] * 16, 3, n=17), r"^GPP section 9 \(usva\): a field has the value 3"),
        (15, "BVWSSRpFYA.AA", r"^GPP section 15 \(usor\), GPC: its type must be 1"),
        (22, "z", r"^GPP section 22 \(ustn\): version 51 is not read here"),
    ],
)
def test_a_section_that_is_not_of_its_standard_is_refused(
    section_id: int, text: str, words: str
) -> None:
    with pytest.raises((MalformedSignalError, UnsupportedSignalError), match=words):
        decode_us(section_id, text)


@pytest.mark.parametrize(("section_id", "n"), [(7, 27), (8, 20), (9, 17), (22, 18)])
def test_another_version_of_a_section_is_not_guessed(section_id: int, n: int) -> None:
    name = US_SECTIONS[section_id]

    with pytest.raises(UnsupportedSignalError, match=rf"{name}\): version 2 is not read here"):
        decode_us(section_id, section(n=n, version=2))
