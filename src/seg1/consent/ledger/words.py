"""The words of a customer about a purpose, newest first, folded so that one look answers.

A chain of words is immutable: a new word makes a new chain that shares the older part. So readers
need no lock, and a copy of the tables is a snapshot.
"""

from typing import Final, NamedTuple

from seg1.consent.codes import code_of
from seg1.consent.verdicts import ALLOW, DENY, UNKNOWN, Reason

__all__ = [
    "AUTOMATED",
    "EXPIRED",
    "GRANT",
    "GRANTED",
    "NOT_YET_VALID",
    "NO_RECORD",
    "OBJECTED",
    "RANK_OF_KIND",
    "RESTRICTED",
    "WITHDRAW",
    "Word",
    "code_at",
    "is_on_at",
    "say",
]

GRANTED: Final = code_of(ALLOW, Reason.GRANTED)
WITHDRAWN: Final = code_of(DENY, Reason.WITHDRAWN)
EXPIRED: Final = code_of(UNKNOWN, Reason.EXPIRED)
NOT_YET_VALID: Final = code_of(UNKNOWN, Reason.NOT_YET_VALID)
NO_RECORD: Final = code_of(UNKNOWN, Reason.NO_RECORD)
OBJECTED: Final = code_of(DENY, Reason.OBJECTED)
RESTRICTED: Final = code_of(DENY, Reason.RESTRICTED)
AUTOMATED: Final = code_of(DENY, Reason.AUTOMATED_OPT_OUT)

GRANT, _EXPIRE, WITHDRAW, _OBJECT = range(4)
RANK_OF_KIND: Final = {
    "grant": GRANT, "renew": GRANT, "expire": _EXPIRE, "withdraw": WITHDRAW, "object": _OBJECT,
    "unrestrict": GRANT, "restrict": WITHDRAW, "opt_in": GRANT, "opt_out": WITHDRAW,
}  # fmt: skip
"""Of words of one microsecond the one with the highest rank counts."""


class Word(NamedTuple):
    """All that was said about one purpose at one moment, folded, and what was said before.

    Attributes
    ----------
    at_us
        When it was said.
    rank
        Rank of the strongest kind that was said.
    from_us, until_us
        For a grant, what all grants of the moment permit; 0 for anything else.
    code
        What holds from here on, up to a grant's validity.
    before
        The word before, or None.
    """

    at_us: int
    rank: int
    from_us: int
    until_us: int
    code: int
    before: "Word | None"


def say(head: Word | None, *, at_us: int, rank: int, from_us: int, until_us: int) -> Word:
    """Put a word where its time is. A word that changes nothing gives back the same chain.

    Examples
    --------
    >>> chain = say(None, at_us=5, rank=GRANT, from_us=5, until_us=9)
    >>> say(chain, at_us=5, rank=GRANT, from_us=5, until_us=9) is chain
    True
    """
    later = []
    place = head
    while place is not None and place.at_us > at_us:
        later.append(place)
        place = place.before
    if place is not None and place.at_us == at_us:
        rank = max(rank, place.rank)
        if rank == GRANT:
            from_us, until_us = max(from_us, place.from_us), min(until_us, place.until_us)
        place, was = place.before, place
    else:
        was = None
    chain = _on(place, at_us, rank, from_us, until_us)
    if chain == was:
        return head  # type: ignore[return-value]  # there is one: `was` stands in it
    for word in reversed(later):
        chain = _on(chain, word.at_us, word.rank, word.from_us, word.until_us)
    return chain


def _on(before: Word | None, at_us: int, rank: int, from_us: int, until_us: int) -> Word:
    if rank == GRANT:
        return Word(at_us, rank, from_us, until_us, GRANTED, before)
    code = OBJECTED if rank == _OBJECT else WITHDRAWN if rank == WITHDRAW else EXPIRED
    if before is not None and (
        before.code == OBJECTED or (rank == _EXPIRE and before.code == WITHDRAWN)
    ):
        code = before.code  # only a grant takes a refusal back; nothing else weakens one
    return Word(at_us, rank, 0, 0, code, before)


def code_at(word: Word | None, at_us: int) -> int:
    """Answer from a chain, as of a moment."""
    while word is not None and word.at_us > at_us:
        word = word.before
    if word is None:
        return NO_RECORD
    if word.code != GRANTED or word.from_us <= at_us < word.until_us:
        return word.code
    return EXPIRED if at_us >= word.until_us else NOT_YET_VALID


def is_on_at(word: Word | None, at_us: int) -> bool:
    """Whether a restriction or an opt-out holds, as of a moment."""
    while word is not None and word.at_us > at_us:
        word = word.before
    return word is not None and word.code != GRANTED
