"""Verdicts as small numbers, one for each value and reason: what a policy is folded in.

A code is ``3 * reason + value + 1`` and fits into a byte, so that one table serves one customer and
five million alike.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from seg1._types import Int8s
from seg1.consent.verdicts import ALLOW, DENY, UNKNOWN, Reason, Verdict, Verdicts
from seg1.errors import PluginError

__all__ = [
    "FAILED",
    "LATE",
    "NEGATED",
    "RANKS",
    "UNRANKED",
    "VALUES",
    "VETO_REASONS",
    "Codes",
    "as_code",
    "code_of",
    "codes_of",
    "verdict_of",
    "verdicts_of",
]

Codes = NDArray[np.uint8]

VETO_REASONS: Final = (
    Reason.OBJECTED, Reason.RESTRICTED, Reason.AUTOMATED_OPT_OUT, Reason.OPTED_OUT,
    Reason.UNDER_AGE,
)  # fmt: skip
"""Refusals that no tree overrides, the one that is told first standing first."""


def code_of(value: int, reason: Reason) -> int:
    """Give the code of a verdict."""
    return 3 * reason + value + 1


FAILED: Final = code_of(UNKNOWN, Reason.FILTER_FAILED)
LATE: Final = code_of(UNKNOWN, Reason.NO_ANSWER_IN_TIME)
_REASON = Reason.BY_FILTER
_BY_FILTER = code_of(UNKNOWN, _REASON)
_N_CODES = code_of(ALLOW, max(Reason)) + 1
_VERDICTS = tuple(Verdict(code % 3 - 1, Reason(code // 3)) for code in range(_N_CODES))


def _negated(verdict: Verdict) -> int:
    reason = verdict.reason if verdict.value == UNKNOWN else Reason.NEGATED
    return code_of(-verdict.value, reason)


def _rank(verdict: Verdict) -> tuple[int, int, int]:
    first = VETO_REASONS.index(verdict.reason) if verdict.reason in VETO_REASONS else 99
    return verdict.value, first, verdict.reason


_BY_RANK = sorted(range(_N_CODES), key=lambda code: _rank(_VERDICTS[code]))

VALUES: Final[Int8s] = np.array([verdict.value for verdict in _VERDICTS], dtype=np.int8)
"""The value of each code."""
NEGATED: Final[Codes] = np.array([_negated(verdict) for verdict in _VERDICTS], dtype=np.uint8)
"""The code that `not_` makes of each."""
RANKS: Final[Codes] = np.argsort(_BY_RANK).astype(np.uint8)
"""Place of each code among vetoes: the lowest verdict first, then as `VETO_REASONS` stand."""
UNRANKED: Final[Codes] = np.array(_BY_RANK, dtype=np.uint8)
"""The code at each place."""
_REASONS = np.array([verdict.reason for verdict in _VERDICTS], dtype=np.int8)


def verdict_of(code: int) -> Verdict:
    """Give the verdict of a code."""
    return _VERDICTS[code]


def codes_of(verdicts: Verdicts) -> Codes:
    """Turn checked verdicts into codes."""
    codes = verdicts.reasons.astype(np.uint8)
    codes *= 3
    codes += (verdicts.values + np.int8(1)).view(np.uint8)
    return codes


def verdicts_of(codes: Codes, *, epoch: int) -> Verdicts:
    """Turn codes into verdicts."""
    return Verdicts(VALUES[codes], _REASONS[codes], epoch)


def as_code(answer: object) -> int:
    """Check what a scalar filter answered: a `Verdict`, or an int -1, 0 or 1.

    Raises
    ------
    PluginError
        For anything else. A bool has two values and a verdict three: False would have to stand for
        "no" and for "not known".
    """
    if type(answer) is int and DENY <= answer <= ALLOW:
        return _BY_FILTER + answer  # the usual case, at once
    value, reason = answer, _REASON
    if type(answer) is Verdict:
        value, reason = answer.value, answer.reason
        if type(reason) is not Reason:
            raise PluginError("the reason of a verdict must be a seg1.consent.Reason")
        if type(value) is int and DENY <= value <= ALLOW:
            return code_of(value, reason)
    if isinstance(value, bool | np.bool_):
        raise PluginError(
            "a bool has two values and a verdict three; answer 1 (allow), -1 (deny) or 0 (unknown)"
        )
    if not isinstance(value, int | np.integer) or not DENY <= value <= ALLOW:
        raise PluginError(f"expected a Verdict or an int -1, 0 or 1, got {type(value).__name__}")
    return code_of(int(value), reason)
