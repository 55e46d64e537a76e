"""`Catalogue`: the offers and placements in force, and the version that a log names."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from seg1.offers.offer import Offer, Placement, check_members

__all__ = ["Catalogue"]

_UNDECLARED: Final = Placement("undeclared")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Offers and placements, together and unchanging; a change is another catalogue.

    Parameters
    ----------
    offers
        Offers with ids that differ.
    placements
        Placements with ids that differ. One that is not declared has the default windows.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        For two of one id, or what is no `Offer` or `Placement`.

    Examples
    --------
    >>> catalogue = Catalogue([Offer("tea")], placements=[Placement("till", confirm=False)])
    >>> catalogue.placement("till").confirm, catalogue.placement("app").confirm
    (False, True)
    """

    offers: Sequence[Offer]
    placements: Sequence[Placement] = field(default=(), kw_only=True)
    _declared: dict[str, Placement] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, kind in (("offers", Offer), ("placements", Placement)):
            object.__setattr__(self, name, check_members(getattr(self, name), kind, name=name))
        declared = {placement.id: placement for placement in self.placements}
        object.__setattr__(self, "_declared", declared)

    def placement(self, placement_id: str) -> Placement:
        """Give the rules of a placement: the defaults, where it was not declared."""
        return self._declared.get(placement_id, _UNDECLARED)

    @property
    def version(self) -> str:
        """Name what is in force by its content: 16 hexadecimal digits.

        An audience is code: it stands in the version by its name only.
        """
        told = json.dumps(
            [[_told(offer) for offer in self.offers], [_told(p) for p in self.placements]],
            sort_keys=True,
        )
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def _told(member: Offer | Placement) -> dict[str, object]:
    told = {name: getattr(member, name) for name in member.__dataclass_fields__}
    if isinstance(member, Offer):
        audience = member.audience
        told["audience"] = getattr(audience, "__qualname__", type(audience).__name__)
        told |= {"valid_from": None, "valid_until": None, "valid_us": list(member.valid_us)}
    return told
