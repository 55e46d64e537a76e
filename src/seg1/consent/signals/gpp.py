"""GPP strings of the IAB Global Privacy Platform: the header, and the sections read here.

Format: IAB Tech Lab, "GPP Consent String Specification" 1. Read are the EU's TC string (2) and the
sections under US laws (6 to 22). Other sections are named, not guessed.
"""

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
from seg1.consent.signals.us_sections import US_SECTIONS, USOptOuts, decode_us
from seg1.consent.verdicts import Ask, Customers, Verdict, Verdicts
from seg1.errors import MalformedSignalError, UnsupportedSignalError

__all__ = ["GPPOptOut", "GPPString", "decode_gpp"]

# Twice a TC string: one of them, and a few dozen short sections.
MAX_CHARACTERS: Final = 16_384
_MAX_SECTIONS: Final = 64
# A number has parts below this one: without a bound, zeros would grow it for ever.
_LARGEST_PART: Final = 4_181

_TCF_EU: Final = 2
_NOT_READ: Final = {1: "tcfeuv1", 5: "tcfcav1"}
_FIRST_US: Final = 6
_HEADER: Final = (3, 1)  # type and version


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
            Its number: 2 (EU), 6 (US Privacy), 7 (US National), or 8 to 22 (laws of states).

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
        if section_id in US_SECTIONS:
            return decode_us(section_id, text)
        name = _NOT_READ.get(section_id, "of a name not known here")
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
