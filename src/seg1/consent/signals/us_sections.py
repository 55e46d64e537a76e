"""Sections of GPP strings under US laws: opt-outs out of fields of two bits each.

Format: IAB Tech Lab, "Global Privacy Platform", the specifications of the sections 6 to 22. A row
tells the fields of a section, and each row is held to strings that others publish.
"""

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from seg1.consent.signals.bits import BitReader
from seg1.errors import MalformedSignalError, UnsupportedSignalError

__all__ = ["US_SECTIONS", "USOptOuts", "decode_us"]

_US_PRIVACY: Final = 6
_US_PRIVACY_TEXT: Final = re.compile(r"1[YN-]{3}")
_US_NATIONAL: Final = 7
_VERSION: Final = 1
_GPC_TYPE: Final = 1
_OPTED_OUT: Final = 1
_HIGHEST_ANSWER: Final = 2
_N_MSPA: Final = 3  # covered transaction, opt-out option mode, service provider mode
_TARGETED: Final = ("sale", "targeted_advertising")


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


class _Layout(NamedTuple):
    """The fields of a section after its version, in their order; how many there are of a kind.

    Attributes
    ----------
    name
        The section's name in the standard.
    n_notices
        Of processing or sharing, of each opt-out, of sensitive data.
    opt_outs
        The fields of `USOptOuts` that it has.
    n_sensitive, n_children, n_consents
        Kinds of sensitive data; of data of children; consents to what was not disclosed.
    has_gpc
        Whether a part with Global Privacy Control may follow.
    """

    name: str
    n_notices: int = 3
    opt_outs: tuple[str, ...] = _TARGETED
    n_sensitive: int = 8
    n_children: int = 1
    n_consents: int = 1
    has_gpc: bool = True

    @property
    def n_fields(self) -> int:
        named = self.n_notices + len(self.opt_outs)
        return named + self.n_sensitive + self.n_children + self.n_consents + _N_MSPA


_NATIONAL: Final = _Layout(
    "usnat",
    n_notices=6,
    opt_outs=("sale", "sharing", "targeted_advertising"),
    n_sensitive=16,
    n_children=3,
)
# There are two layouts of one version, told apart by the characters they take.
_FIRST_NATIONAL: Final = _NATIONAL._replace(n_sensitive=12, n_children=2)
_NATIONAL_LAYOUTS: Final = {10: _FIRST_NATIONAL, 11: _FIRST_NATIONAL, 12: _NATIONAL}

_STATES: Final = {
    8: _Layout("usca", opt_outs=("sale", "sharing"), n_sensitive=9, n_children=2),
    9: _Layout("usva", n_consents=0, has_gpc=False),
    10: _Layout("usco", n_sensitive=7, n_consents=0),
    11: _Layout("usut", n_notices=4, n_consents=0, has_gpc=False),
    12: _Layout("usct", n_children=3, n_consents=0),
    13: _Layout("usfl", n_children=3, has_gpc=False),
    14: _Layout("usmt", n_children=3),
    15: _Layout("usor", n_sensitive=11, n_children=3),
    16: _Layout("ustx"),
    17: _Layout("usde", n_sensitive=9, n_children=5),
    18: _Layout("usia", n_notices=4, n_consents=0),
    19: _Layout("usne"),
    20: _Layout("usnh", n_children=3),
    21: _Layout("usnj", n_sensitive=10, n_children=5),
    22: _Layout("ustn"),
}

US_SECTIONS: Final = MappingProxyType(
    {_US_PRIVACY: "uspv1", _US_NATIONAL: "usnat"} | {n: of.name for n, of in _STATES.items()}
)
"""Name of each section that is read here, by its number."""


def decode_us(section_id: int, text: str) -> USOptOuts:
    """Decode one section of a US law.

    Parameters
    ----------
    section_id
        One of `US_SECTIONS`.
    text
        The section as it stands in the GPP string.

    Returns
    -------
    USOptOuts

    Raises
    ------
    UnsupportedSignalError
        For another version of the section.
    MalformedSignalError
        For a section that is not in its form. It never quotes the text.

    Examples
    --------
    >>> decode_us(9, "BVWSSVY")
    USOptOuts(sale=True, sharing=None, targeted_advertising=True, gpc=None)
    """
    name = f"GPP section {section_id} ({US_SECTIONS[section_id]})"
    if section_id == _US_PRIVACY:
        return _us_privacy(text, name=name)
    core, dot, rest = text.partition(".")
    layout = _layout(section_id, core, name=name)
    opt_outs = _opt_outs(core, layout, name=name)
    if not dot:
        return USOptOuts(**opt_outs)
    if not layout.has_gpc:
        raise MalformedSignalError(f"{name}: it has one part, and no more may follow")
    return USOptOuts(**opt_outs, gpc=_gpc(rest, name=f"{name}, GPC"))


def _us_privacy(text: str, *, name: str) -> USOptOuts:
    if not _US_PRIVACY_TEXT.fullmatch(text):
        raise MalformedSignalError(f"{name}: it must be 1 and three of Y, N and -")
    return USOptOuts(sale={"Y": True, "N": False}.get(text[2]))


def _layout(section_id: int, core: str, *, name: str) -> _Layout:
    if section_id != _US_NATIONAL:
        return _STATES[section_id]
    if len(core) not in _NATIONAL_LAYOUTS:
        raise MalformedSignalError(f"{name}: its length fits neither layout")
    return _NATIONAL_LAYOUTS[len(core)]


def _opt_outs(core: str, layout: _Layout, *, name: str) -> dict[str, bool | None]:
    bits = BitReader(core, name=name)
    version = bits.number(6)
    if version != _VERSION:
        raise UnsupportedSignalError(f"{name}: version {version} is not read here")
    answers = [bits.number(2) for _ in range(layout.n_fields)]
    bits.end()
    if max(answers) > _HIGHEST_ANSWER:
        raise bits.refusal("a field has the value 3, which is undefined")
    told = answers[layout.n_notices :]
    return {
        field: None if answer == 0 else answer == _OPTED_OUT
        for field, answer in zip(layout.opt_outs, told, strict=False)
    }


def _gpc(text: str, *, name: str) -> bool:
    bits = BitReader(text, name=name)
    if bits.number(2) != _GPC_TYPE:
        raise bits.refusal("its type must be 1")
    gpc = bits.flag()
    bits.end()
    return gpc
