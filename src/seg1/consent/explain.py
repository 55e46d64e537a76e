"""`explain`: a verdict or all permits in plain words, and what to do about each."""

from types import MappingProxyType
from typing import Final

from seg1.consent.policy import STAGES, Permits
from seg1.consent.verdicts import ALLOW, Reason, Verdict
from seg1.errors import InvalidTypeError

__all__ = ["explain"]

_ASK_AGAIN: Final = "ask the customer, and record a grant"
_WORDS: Final = MappingProxyType({
    Reason.NOT_ASKED: ("nobody was asked", "let the filter give a reason of its own"),
    Reason.GRANTED: ("the customer has granted it", ""),
    Reason.NO_RECORD: (
        "the customer has said nothing about it",
        _ASK_AGAIN + "; or see that purpose and id are written as they were granted",
    ),
    Reason.WITHDRAWN: (
        "the customer has withdrawn it", "respect it; only a later grant permits again"
    ),
    Reason.NOT_YET_VALID: ("what was granted is not valid yet", "wait until it is"),
    Reason.EXPIRED: ("what was granted is not valid any more", _ASK_AGAIN + " that renews it"),
    Reason.FILTER_FAILED: (
        "a source of consent failed", "see the log of seg1.consent, which names it"
    ),
    Reason.NO_POLICY: (
        "the policy names no purpose for this step", "name (purpose, stage) in the policy"
    ),
    Reason.NEGATED: ("a filter was negated by not_", "see what it negates"),
    Reason.BY_FILTER: ("a filter says so, without a reason of its own", "see the filter"),
    Reason.NOT_NEEDED: ("consent was declared as not needed", ""),
    Reason.OWN_RIGHT: ("it is the customer's own right", ""),
    Reason.OBJECTED: (
        "the customer objects to it",
        "show no offer, not even a fixed one; only a later grant lifts it",
    ),
    Reason.RESTRICTED: (
        "the use of the customer's data is restricted", "do nothing with them until it is lifted"
    ),
    Reason.UNDER_AGE: ("the customer is too young", "do not personalise"),
    Reason.OPTED_OUT: ("a privacy signal of the customer says no", "respect it"),
    Reason.AUTOMATED_OPT_OUT: (
        "the customer wants no automated decisions", "decide without the person, or let a person do"
    ),
    Reason.TOO_OLD: ("what was said is too old to count", _ASK_AGAIN),
    Reason.AGE_UNKNOWN: ("the customer's age is not known", "find it out, or do not personalise"),
    Reason.MALFORMED: (
        "what was received as consent cannot be read", "mend its source; it counts as nothing"
    ),
    Reason.NO_ANSWER_IN_TIME: (
        "a remote source of consent gave no answer in time", "see that it runs, or allow more time"
    ),
    Reason.REFUSED: ("the customer has refused it", "respect it; only another answer permits"),
})  # fmt: skip


def explain(answer: Verdict | Permits) -> str:
    """Say in plain words what is permitted and why, and what to do where it is not.

    Parameters
    ----------
    answer
        A verdict, or what `Consent.ask` gives: then a line for each stage.

    Raises
    ------
    InvalidTypeError
        For anything else.

    Examples
    --------
    >>> from seg1 import ConsentLedger
    >>> print(explain(ConsentLedger().ask("ana", "offers", at=0)))
    not allowed: the customer has said nothing about it (ask the customer, and record a grant; or
    see that purpose and id are written as they were granted)
    """
    if isinstance(answer, Verdict):
        return _line(answer.reason, is_allowed=answer.value == ALLOW)
    if isinstance(answer, Permits):
        return "\n".join(
            f"{stage}: {_line(answer.reason(stage), is_allowed=answer.allows(stage))}"
            for stage in STAGES
        )
    raise InvalidTypeError(
        f"explain takes a Verdict or the Permits of Consent.ask, got {type(answer).__name__}"
    )


def _line(reason: Reason, *, is_allowed: bool) -> str:
    why, what_to_do = _WORDS[reason]
    if is_allowed:
        return f"allowed: {why}"
    return f"not allowed: {why} ({what_to_do})" if what_to_do else f"not allowed: {why}"
