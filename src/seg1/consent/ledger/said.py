"""What a customer can say about consent: the events, and what makes one valid."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from seg1._checks import check_choice, to_us
from seg1._types import Id
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.events.vocabulary import MAX_ID_BYTES, as_id, id_problem

__all__ = ["CLOSING", "EVERYTHING", "KINDS", "ConsentEvent", "EventKind", "checked_event"]

EventKind: TypeAlias = Literal[
    "grant", "renew", "withdraw", "object", "expire", "restrict", "unrestrict", "opt_out", "opt_in"
]
KINDS: Final[tuple[EventKind, ...]] = get_args(EventKind)
EVERYTHING: Final = "*"
"""In the place of a purpose: whatever the purpose."""

CLOSING: Final[tuple[EventKind, ...]] = ("withdraw", "object", "expire", "restrict", "opt_out")
"""Kinds that can only take a permission away."""

_GRANTS = ("grant", "renew")
_OF_THE_PERSON = ("restrict", "unrestrict", "opt_out", "opt_in")


@dataclass(frozen=True, slots=True)
class ConsentEvent:
    """One thing a customer said about one purpose.

    Attributes
    ----------
    customer
        Whose word it is.
    purpose
        What it is about; "*" for everything, and always so for the last four kinds.
    kind
        "grant", "renew", "withdraw", "object", "expire"; "restrict", "unrestrict", "opt_out",
        "opt_in". See the methods of `ConsentLedger`.
    at_us
        When it was said, microseconds UTC.
    from_us, until_us
        For a grant, when it is valid: [from, until). 0 for anything else.
    """

    customer: Id
    purpose: str
    kind: EventKind
    at_us: int
    from_us: int = 0
    until_us: int = 0

    def __repr__(self) -> str:
        return f"ConsentEvent({self.kind})"


def checked_event(event: ConsentEvent) -> ConsentEvent:
    """Accept an event that means something, as plain values that any store can keep.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        For one that does not.
    """
    if not isinstance(event, ConsentEvent):
        raise InvalidTypeError(f"events must be ConsentEvents, got a {type(event).__name__}")
    who, at_us = as_id(event.customer), to_us(event.at_us, name="at_us")
    if not isinstance(event.purpose, str) or id_problem(event.purpose) is not None:
        raise InvalidArgumentError(
            f"a purpose must be a non-empty str of at most {MAX_ID_BYTES} bytes"
        )
    purpose = str(as_id(event.purpose))
    check_choice(event.kind, name="kind", choices=KINDS)
    if event.kind in _OF_THE_PERSON and purpose != EVERYTHING:
        raise InvalidArgumentError(f'{event.kind!r} is about the person: its purpose is "*"')
    if event.kind not in _GRANTS:
        return ConsentEvent(who, purpose, event.kind, at_us)
    from_us, until_us = to_us(event.from_us, name="from_us"), to_us(event.until_us, name="until_us")
    if purpose == EVERYTHING:
        raise InvalidArgumentError("a grant names its purposes; there is no grant of everything")
    if until_us <= max(from_us, at_us):
        raise InvalidArgumentError("until must lie after at and from_: the grant is never valid")
    return ConsentEvent(who, purpose, event.kind, at_us, from_us, until_us)
