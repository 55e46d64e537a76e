"""GPP strings of the IAB Global Privacy Platform: the header, and the sections read here.

Format: IAB Tech Lab, "GPP Consent String Specification" 1. Read are the EU's TC string (2), the
US Privacy string (6), US National (7) and California (8). Other sections are named, not guessed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from seg1.consent.signals.bits import BitReader
from seg1.consent.signals.browser import PASS
from seg1.consent.signals.sources import (
    MALFORMED,
    OPTED_OUT,
    Source,
    answer_each,
    check_purposes,
    check_source,
)
from seg1.consent.signals.tcf import TCString, decode_tc
from seg1.consent.verdicts import Ask, Customers, Verdict, Verdicts
from seg1.errors import MalformedSignalError, UnsupportedSignalError

__all__ = ["GPPOptOut", "GPPString", "USOptOuts", "decode_gpp"]

# Twice a TC string: one of them, and a few dozen short sections.
MAX_CHARACTERS: Final = 16_384
_MAX_SECTIONS: Final = 64
# A number has parts below this one: without a bound, zeros would grow it for ever.
_LARGEST_PART: Final = 4_181

_TCF_EU, _US_PRIVACY, _US_NATIONAL, _US_CALIFORNIA = 2, 6, 7, 8
_NAMES: Final = {
    1: "tcfeuv1", 2: "tcfeuv2", 5: "tcfcav1", 6: "uspv1", 7: "usnat", 8: "usca", 9: "usva",
    10: "usco", 11: "usut", 12: "usct", 13: "usfl", 14: "usmt", 15: "usor", 16: "ustx",
    17: "usde", 18: "usia", 19: "usne", 20: "usnh", 21: "usnj", 22: "ustn",
}  # fmt: skip
_FIRST_US: Final = 6
_HEADER: Final = (3, 1)  # type and version
_US_VERSION: Final = 1
_US_PRIVACY_TEXT: Final = re.compile(r"1[YN-]{3}")
_GPC_TYPE: Final = 1
_OPTED_OUT: Final = 1
_HIGHEST_ANSWER: Final = 2
# Fields of two bits. National: notices, opt-outs, sensitive data, children, the rest. There are
# two layouts of one version: sixteen kinds of sensitive data and three of children, or 12 and 2.
_NATIONAL_NOTICES: Final = 6
_NATIONAL_FIELDS: Final = {10: 27, 11: 27, 12: 32}  # by characters
_CALIFORNIA_NOTICES: Final = 3
_CALIFORNIA_FIELDS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class USOptOuts:
    """What a section of a US law says about opting out.

    Attributes
    ----------
    sale, sharing, targeted_advertising
        True where the customer opted out, False where not, None where it does not apply or the
        section has no such field.
    gpc
        Whether Global Privacy Control was seen; None where the section does not tell.
    """

    sale: bool | None
    sharing: bool | None = None
    targeted_advertising: bool | None = None
    gpc: bool | None = None

    @property
    def any(self) -> bool:
        """Whether there is an opt-out of any kind."""
        return True in (self.sale, self.sharing, self.targeted_advertising, self.gpc)


@dataclass(frozen=True, slots=True, repr=False)
class GPPString:
    """A GPP string, its header decoded. Its repr tells the numbers of sections alone.

    Attributes
    ----------
    section_ids
        Numbers of its sections, ascending.
    texts
        The sections as they stand in the string, in the same order. Never log them.
    """

    section_ids: tuple[int, ...]
    texts: tuple[str, ...]

    def __repr__(self) -> str:
        return f"GPPString(section_ids={self.section_ids})"

    def decode(self, section_id: int) -> TCString | USOptOuts | None:
        """Decode one section.

        Parameters
        ----------
        section_id
            Its number: 2 (EU), 6 (US Privacy), 7 (US National) or 8 (California).

        Returns
        -------
        TCString, USOptOuts or None
            None where the string has no such section.

        Raises
        ------
        UnsupportedSignalError
            For a section, or a version of one, that is not read here.
        MalformedSignalError
            For a section that is not in its form.
        """
        if section_id not in self.section_ids:
            return None
        text = self.texts[self.section_ids.index(section_id)]
        if section_id == _TCF_EU:
            return decode_tc(text)
        if section_id == _US_PRIVACY:
            return _us_privacy(text)
        if section_id == _US_NATIONAL:
            return _us_national(text)
        if section_id == _US_CALIFORNIA:
            return _us_california(text)
        name = _NAMES.get(section_id, "of a name not known here")
        raise UnsupportedSignalError(f"GPP section {section_id} ({name}) is not read here")


def decode_gpp(text: str) -> GPPString:
    """Decode the header of a GPP string and take its sections apart.

    Parameters
    ----------
    text
        The header and the sections, joined by tildes. At most 16,384 characters.

    Returns
    -------
    GPPString
        Its sections are decoded one by one, with `GPPString.decode`.

    Raises
    ------
    MalformedSignalError
        For anything but such a string. It never quotes the string.

    Examples
    --------
    >>> gpp = decode_gpp("DBABTA~1YNN")
    >>> gpp, gpp.decode(6).sale
    (GPPString(section_ids=(6,)), False)
    """
    if not isinstance(text, str):
        raise MalformedSignalError(f"a GPP string must be a str, got {type(text).__name__}")
    if len(text) > MAX_CHARACTERS:
        raise MalformedSignalError(f"a GPP string has at most {MAX_CHARACTERS:,} characters")
    header, *sections = text.split("~", _MAX_SECTIONS + 1)
    if len(sections) > _MAX_SECTIONS:
        raise MalformedSignalError(f"a GPP string has at most {_MAX_SECTIONS} sections")
    bits = BitReader(header, name="GPP header")
    if (bits.number(6), bits.number(6)) != _HEADER:
        raise bits.refusal("its type must be 3 and its version 1")
    section_ids = _section_ids(bits, n_sections=len(sections))
    bits.end()
    return GPPString(section_ids, tuple(sections))


def _section_ids(bits: BitReader, *, n_sections: int) -> tuple[int, ...]:
    found: list[int] = []
    last = 0
    for _ in range(bits.number(12)):
        is_run = bits.flag()
        start = last + _fibonacci(bits)
        last = start + _fibonacci(bits) if is_run else start
        if len(found) + last - start + 1 > n_sections:  # before a long run is written out
            raise bits.refusal("it names more sections than there are")
        found += range(start, last + 1)
    if len(found) != n_sections:
        raise bits.refusal("it names fewer sections than there are")
    return tuple(found)


def _fibonacci(bits: BitReader) -> int:
    """Read a number >= 1 in Fibonacci coding: the sum of the marked ones, ended by two marks."""
    total, this, following = 0, 1, 2
    was_marked = False
    while this <= _LARGEST_PART:
        is_marked = bits.flag()
        if is_marked and was_marked:
            return total
        total += this if is_marked else 0
        was_marked, this, following = is_marked, following, this + following
    raise bits.refusal(f"a section has a number of {_LARGEST_PART:,} or more")


def _us_privacy(text: str) -> USOptOuts:
    if not _US_PRIVACY_TEXT.fullmatch(text):
        raise MalformedSignalError("GPP section 6 (uspv1): it must be 1 and three of Y, N and -")
    return USOptOuts(sale={"Y": True, "N": False}.get(text[2]))


def _us_national(text: str) -> USOptOuts:
    core, gpc = _us_parts(text, name="GPP section 7 (usnat)")
    if len(core) not in _NATIONAL_FIELDS:
        raise MalformedSignalError("GPP section 7 (usnat): its length fits neither layout")
    answers = _us_answers(core, n_fields=_NATIONAL_FIELDS[len(core)], name="GPP section 7 (usnat)")[
        _NATIONAL_NOTICES:
    ]
    return USOptOuts(sale=answers[0], sharing=answers[1], targeted_advertising=answers[2], gpc=gpc)


def _us_california(text: str) -> USOptOuts:
    core, gpc = _us_parts(text, name="GPP section 8 (usca)")
    answers = _us_answers(core, n_fields=_CALIFORNIA_FIELDS, name="GPP section 8 (usca)")
    sale, sharing = answers[_CALIFORNIA_NOTICES : _CALIFORNIA_NOTICES + 2]
    return USOptOuts(sale=sale, sharing=sharing, gpc=gpc)


def _us_parts(text: str, *, name: str) -> tuple[str, bool | None]:
    core, dot, rest = text.partition(".")
    if not dot:
        return core, None
    bits = BitReader(rest, name=f"{name}, GPC")
    if bits.number(2) != _GPC_TYPE:
        raise bits.refusal("its type must be 1")
    gpc = bits.flag()
    bits.end()
    return core, gpc


def _us_answers(core: str, *, n_fields: int, name: str) -> list[bool | None]:
    bits = BitReader(core, name=name)
    version = bits.number(6)
    if version != _US_VERSION:
        raise UnsupportedSignalError(f"{name}: version {version} is not read here")
    answers = [bits.number(2) for _ in range(n_fields)]
    bits.end()
    if max(answers) > _HIGHEST_ANSWER:
        raise bits.refusal("a field has the value 3, which is undefined")
    return [None if answer == 0 else answer == _OPTED_OUT for answer in answers]


class GPPOptOut:
    """Opt-outs under US laws, from GPP strings, as a veto.

    Hand it to a policy as a veto. An opt-out of sale, sharing or targeted advertising, or Global
    Privacy Control in a section, is VETO. FAILED where the string is malformed, or has a section
    of a US law that is not read here: it may hold an opt-out. Without a string, without US
    sections and for other purposes, PASS.

    Parameters
    ----------
    strings
        Mapping of customer to string, or a function of the customer; None where there is none.
    purposes
        Purposes of the policy that sell or share data or target advertising, at least one.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        For something that is no source, or no purposes.

    Examples
    --------
    >>> from seg1.consent import Ask, Customers
    >>> strings = {"ana": "DBABTA~1YYN", "bo": "DBABTA~1YNN", "cy": "DBABTA"}
    >>> gpp = GPPOptOut(strings, purposes=["offers"])
    >>> ask = Ask(purpose="offers", stage="decide", at_us=0)
    >>> gpp.check(Customers.of("ana", "bo", "cy", "di"), ask).values
    array([-1,  1,  0,  1], dtype=int8)
    """

    name = "gpp"
    depends_on: ClassVar[tuple[str, ...]] = ("purpose",)
    may_veto: ClassVar[bool] = True

    def __init__(self, strings: Source, *, purposes: Iterable[str]) -> None:
        self._source = check_source(strings)
        self._purposes = check_purposes(purposes)

    def __repr__(self) -> str:
        return f"GPPOptOut({len(self._purposes)} purposes)"

    def check(self, customers: Customers, ask: Ask) -> Verdicts:
        """Answer for each customer: VETO, FAILED or PASS."""
        if ask.purpose not in self._purposes:
            return Verdicts.uniform(PASS.value, PASS.reason, n=len(customers))
        return answer_each(customers, self._source, _judge)


def _judge(signal: object) -> Verdict:
    if signal is None:
        return PASS
    gpp = decode_gpp(signal)  # type: ignore[arg-type]  # it refuses what is no str
    lowest = PASS
    for section_id in gpp.section_ids:
        if section_id >= _FIRST_US:
            verdict = _judge_section(gpp, section_id)
            lowest = min(lowest, verdict, key=lambda v: v.value)
    return lowest


def _judge_section(gpp: GPPString, section_id: int) -> Verdict:
    try:
        section = gpp.decode(section_id)
    except (MalformedSignalError, UnsupportedSignalError):
        return MALFORMED
    return OPTED_OUT if isinstance(section, USOptOuts) and section.any else PASS
