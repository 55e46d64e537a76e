"""The three-valued lattice: DENY (-1) < UNKNOWN (0) < ALLOW (1). Only ALLOW allows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple, NoReturn

import numpy as np

from seg1._checks import read_only
from seg1._types import Bools, Id, Int8s, Int32s
from seg1.errors import InvalidArgumentError, InvalidTypeError, PluginError
from seg1.events import Vocabulary

__all__ = ["ALLOW", "DENY", "UNKNOWN", "Ask", "Customers", "Reason", "Verdict", "Verdicts"]

DENY: Final = -1
UNKNOWN: Final = 0
ALLOW: Final = 1


class Reason(IntEnum):
    """Why a verdict is what it is. Numbers are stable: they may be stored."""

    NOT_ASKED = 0
    GRANTED = 1
    NO_RECORD = 2
    WITHDRAWN = 3
    NOT_YET_VALID = 4
    EXPIRED = 5
    FILTER_FAILED = 6
    NO_POLICY = 7
    NEGATED = 8
    BY_FILTER = 9
    NOT_NEEDED = 10
    OWN_RIGHT = 11
    OBJECTED = 12
    RESTRICTED = 13
    UNDER_AGE = 14
    OPTED_OUT = 15
    AUTOMATED_OPT_OUT = 16
    TOO_OLD = 17
    AGE_UNKNOWN = 18
    MALFORMED = 19
    NO_ANSWER_IN_TIME = 20
    REFUSED = 21

    @property
    def words(self) -> str:
        """The reason in lower-case words, for reports."""
        return self.name.lower().replace("_", " ")


_LAST_REASON = max(Reason)


class Ask(NamedTuple):  # a tuple, because one is made for every question that is asked
    """What is asked of a filter: whether data may be used for this, at that moment.

    Attributes
    ----------
    purpose
        The purpose, in the words of the policy ("profiling").
    stage
        The step of the path ("train"); one of `seg1.consent.STAGES`.
    at_us
        The moment, microseconds UTC.
    """

    purpose: str
    stage: str
    at_us: int


@dataclass(frozen=True, slots=True, eq=False)
class Customers:
    """Whom a question is about: codes of a vocabulary.

    Attributes
    ----------
    vocabulary
        The ids behind the codes.
    codes
        int32, shape (n_customers,), each a code of `vocabulary`; read-only. A customer may stand
        there more than once.

    Raises
    ------
    InvalidArgumentError
        For codes of another dtype or shape, or that the vocabulary never gave out.
    """

    vocabulary: Vocabulary
    codes: Int32s

    def __post_init__(self) -> None:
        codes = np.asarray(self.codes)
        if codes.dtype != np.int32 or codes.ndim != 1:
            raise InvalidArgumentError(
                f"codes must be int32 of one dimension, got {codes.dtype} of {codes.ndim}"
            )
        # A filter that looks -1 up in an array would answer for the last customer.
        if len(codes) and not (codes.min() >= 0 and codes.max() < len(self.vocabulary)):
            raise InvalidArgumentError(f"codes must lie in [0, {len(self.vocabulary)})")
        object.__setattr__(self, "codes", read_only(codes))

    @classmethod
    def of(cls, *customers: Id) -> "Customers":
        """Make a question about a few ids."""
        vocabulary = Vocabulary()
        return cls(vocabulary, vocabulary.encode(customers, unknown="add"))

    def __len__(self) -> int:
        """Count the customers."""
        return len(self.codes)

    def __repr__(self) -> str:
        return f"Customers({len(self)} customers)"

    def ids(self) -> list[Id]:
        """Give the ids, in order. Never write them into a message or a log."""
        return self.vocabulary.decode(self.codes)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one customer.

    Use `.allowed`. A verdict has no truth value, because an unknown one would read as a no in one
    place and as "not denied" in another.

    Examples
    --------
    >>> Verdict(ALLOW, Reason.GRANTED).allowed
    True
    >>> bool(Verdict(UNKNOWN, Reason.EXPIRED))
    Traceback (most recent call last):
        ...
    seg1.errors.InvalidTypeError: a verdict has three values and no truth value; use verdict.allowed
    """

    value: int
    reason: Reason

    @property
    def allowed(self) -> bool:
        """Whether the use is permitted: only ALLOW permits."""
        return self.value == ALLOW

    def __bool__(self) -> NoReturn:
        raise InvalidTypeError("a verdict has three values and no truth value; use verdict.allowed")


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """The answers for many customers, in the order in which they were asked about.

    Attributes
    ----------
    values
        DENY (-1), UNKNOWN (0) or ALLOW (1), int8, shape (n_customers,).
    reasons
        Codes of `Reason`, int8, shape (n_customers,).
    epoch
        Version of the consent state that was read; it grows with every change.
    """

    values: Int8s
    reasons: Int8s
    epoch: int = 0

    @classmethod
    def uniform(cls, value: int, reason: Reason, *, n: int, epoch: int = 0) -> "Verdicts":
        """Give everybody the same answer."""
        return cls(np.full(n, value, np.int8), np.full(n, reason, np.int8), epoch)

    def __len__(self) -> int:
        """Count the answers."""
        return len(self.values)

    def __repr__(self) -> str:
        return f"Verdicts({int(self.allowed.sum())} of {len(self)} allowed, epoch {self.epoch})"

    def __bool__(self) -> NoReturn:
        raise InvalidTypeError("verdicts have no truth value; use verdicts.allowed, a mask")

    @property
    def allowed(self) -> Bools:
        """Mask of shape (n_customers,): true where the use is permitted."""
        allowed: Bools = self.values == ALLOW
        return allowed

    def one(self, position: int) -> Verdict:
        """Give the answer for one customer."""
        return Verdict(int(self.values[position]), Reason(int(self.reasons[position])))

    def denied_by_reason(self) -> Mapping[str, int]:
        """Count those who are not allowed, by reason in words."""
        numbers, counts = np.unique(self.reasons[~self.allowed], return_counts=True)
        return {
            Reason(int(number)).words: int(n) for number, n in zip(numbers, counts, strict=True)
        }


def of_live(customers: Customers, answer: Callable[[Customers], Verdicts]) -> Verdicts:
    """Answer for those whose ids are not erased: a code without an id is nobody's, and unknown."""
    vocabulary, codes = customers.vocabulary, customers.codes
    is_live = vocabulary.is_live(codes) if vocabulary.n_erased else None
    if is_live is None or is_live.all():
        return answer(customers)
    told = answer(Customers(vocabulary, codes[is_live]))
    values = np.full(len(codes), UNKNOWN, dtype=np.int8)
    reasons = np.full(len(codes), Reason.NO_RECORD, dtype=np.int8)
    values[is_live], reasons[is_live] = told.values, told.reasons
    return Verdicts(values, reasons, told.epoch)


def meet(parts: Sequence[Verdicts]) -> Verdicts:
    """Take the lowest verdict for each customer; of equal ones the first part's reason is told."""
    return _pick(parts, lambda new, old: new < old)


def join(parts: Sequence[Verdicts]) -> Verdicts:
    """Take the highest verdict for each customer; of equal ones the first part's reason is told."""
    return _pick(parts, lambda new, old: new > old)


def negate(part: Verdicts) -> Verdicts:
    """Turn ALLOW and DENY around; what is unknown keeps its reason."""
    reasons = np.where(part.values == UNKNOWN, part.reasons, np.int8(Reason.NEGATED))
    return Verdicts(-part.values, reasons, part.epoch)


def _pick(parts: Sequence[Verdicts], is_better: Callable[[Int8s, Int8s], Bools]) -> Verdicts:
    values, reasons = parts[0].values, parts[0].reasons
    for part in parts[1:]:
        is_new = is_better(part.values, values)
        values = np.where(is_new, part.values, values)
        reasons = np.where(is_new, part.reasons, reasons)
    return Verdicts(values, reasons, sum(part.epoch for part in parts))


def as_verdicts(answer: object, *, n: int) -> Verdicts:
    """Check a filter's answer and copy it: `Verdicts`, or a plain int8 array of -1, 0 and 1.

    A copy, because a filter may write its next answer into the same array.

    Raises
    ------
    PluginError
        For a wrong type, dtype, shape or value.
    """
    if isinstance(answer, np.ndarray):
        answer = Verdicts(answer, np.full(n, Reason.BY_FILTER, np.int8))
    if not isinstance(answer, Verdicts):
        raise PluginError(f"expected Verdicts or an int8 array, got {type(answer).__name__}")
    for name, array in (("values", answer.values), ("reasons", answer.reasons)):
        # Exactly ndarray: a masked array would hide values that `==` finds again.
        if type(array) is not np.ndarray or array.dtype != np.int8 or array.shape != (n,):
            raise PluginError(f"{name} must be a plain int8 array of shape ({n},)")
    if isinstance(answer.epoch, bool) or not isinstance(answer.epoch, int | np.integer):
        raise PluginError(f"epoch must be an int, got {type(answer.epoch).__name__}")
    values, reasons = answer.values.copy(), answer.reasons.copy()
    if n and not (values.min() >= DENY and values.max() <= ALLOW):
        raise PluginError("values must be -1, 0 or 1")
    if n and not (reasons.min() >= 0 and reasons.max() <= _LAST_REASON):
        raise PluginError("reasons must be codes of seg1.consent.Reason")
    return Verdicts(read_only(values), read_only(reasons), int(answer.epoch))
