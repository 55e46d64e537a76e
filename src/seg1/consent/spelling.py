"""Whether a purpose of a policy is written nearly, but not quite, as one that was granted."""

import logging
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from seg1.consent.ledger.ledger import ConsentLedger

__all__ = ["look_at_spelling"]

log = logging.getLogger(__name__)

_NEARLY: Final = 0.8  # of the letters, in their order


def look_at_spelling(purposes: Iterable[str], ledgers: Iterable[ConsentLedger]) -> None:
    """Log each purpose that nobody has spoken of, where somebody has of one like it.

    Nobody permits what is misspelt, and a ledger cannot tell it from what nobody was asked.

    Parameters
    ----------
    purposes
        As a policy names them.
    ledgers
        Where they are asked for.

    Examples
    --------
    >>> ledger = ConsentLedger()
    >>> ledger.grant("ana", ["offers"], at=0, until=9)
    >>> look_at_spelling(["offers", "measurement"], [ledger])
    """
    known = sorted({purpose for ledger in ledgers for purpose in ledger.purposes})
    for purpose in sorted(set(purposes) - set(known)):
        for near in get_close_matches(purpose, known, n=1, cutoff=_NEARLY):
            log.warning(
                "nothing is on record of purpose %r, which the policy names, but of %r: if they "
                "are one, write it alike, for nobody permits the other",
                purpose,
                near,
            )
