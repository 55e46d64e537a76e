"""The rows of a journal: eight kinds, one dataclass each, and how they lie in columns."""

from dataclasses import dataclass, fields
from operator import attrgetter
from typing import ClassVar, Final, NamedTuple, TypeAlias

from seg1._types import Id
from seg1.errors import DamagedError

__all__ = [
    "COLUMNS",
    "FIELDS",
    "LATER",
    "Decided",
    "Erased",
    "Exposed",
    "Observed",
    "Outcome",
    "Row",
    "Swapped",
    "Voided",
    "Withheld",
    "from_columns",
    "values_of",
]


class Decided(NamedTuple):  # a tuple, because one is made for every decision
    """A decision, with all that its probability depends on.

    Attributes
    ----------
    decision_id, customer, placement, at_us
        Which decision, for whom (None where the customer does not permit a log), where, when
        (microseconds UTC).
    mode
        "personalised", "control" (held out), "fallback" (denied) or "none" (nothing allowed).
    arm
        Position of the chosen arm in the catalogue's arms; -1 where there is none.
    offer, price, slot
        What that arm is; None for no offer.
    action_prob, response_prob
        Probability with which it was chosen, and with which the customer was predicted to accept.
    context, affinity
        What the model saw, masked by consent: the vector of the context, and the affinity
        of the customer to each offer; float64, little-endian.
    eligible
        One bit for each arm, packed, first arm in the highest bit of the first byte.
    floor, unit_price
        The floor of the probabilities, and the price of a unit of cost that pacing subtracted.
    attempt
        Which draw it was: 0, or more where an earlier attempt was discarded.
    is_control, holdout_prob
        Assignment to the holdout, and its probability; 0 where none was drawn.
    is_measured
        Whether the customer permits measuring; without it nothing is learned.
    confirm, exposure_us, outcome_us
        The placement's rules at that time.
    policy, model, catalogue, consent_epoch, state_seq
        Versions of what it was decided with, and how many rows the state had folded.
    effects
        What the customer's own response history adds to the answer to each offer, and last to no
        offer; float64, little-endian. Empty where no history is kept.
    """

    decision_id: str
    customer: Id | None
    placement: str
    at_us: int
    mode: str
    arm: int
    offer: Id | None
    price: float | None
    slot: str | None
    action_prob: float
    response_prob: float
    context: bytes
    affinity: bytes
    eligible: bytes
    floor: float
    unit_price: float
    attempt: int
    is_control: bool
    holdout_prob: float
    is_measured: bool
    confirm: bool
    exposure_us: int
    outcome_us: int
    policy: str
    model: str
    catalogue: str
    consent_epoch: int
    state_seq: int
    effects: bytes = b""

    @property
    def kind(self) -> str:
        """What kind of row this is."""
        return "decided"

    @property
    def owner(self) -> Id:
        """The customer of a decision that was logged; no other is answered, learned or measured."""
        if self.customer is None:
            raise AssertionError("a decision that was not logged has no customer")
        return self.customer

    @property
    def n_features(self) -> int:
        """Length of the vector that the model saw of an arm, its affinity in it."""
        return len(self.context) // 8 + bool(self.affinity)

    def __repr__(self) -> str:
        return f"Decided({self.mode})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Exposed:
    """The customer saw what was decided."""

    kind: ClassVar[str] = "exposed"

    decision_id: str
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Outcome:
    """The customer's answer: `what` is "accepted" or "reward"."""

    kind: ClassVar[str] = "outcome"

    decision_id: str
    at_us: int
    what: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Observed:
    """An event of a customer outside any decision."""

    kind: ClassVar[str] = "observed"

    customer: Id
    item: Id
    at_us: int
    what: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Voided:
    """A decision was taken back before it was released: it never happened."""

    kind: ClassVar[str] = "voided"

    decision_id: str
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Withheld:
    """The customer does not permit any more what a decision would teach: it is closed to answers.

    Nothing is learned from it, and what it reserved stays used up, for nobody may say whether it
    was accepted.
    """

    kind: ClassVar[str] = "withheld"

    decision_id: str
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Swapped:
    """Another catalogue, model or policy is in force; `body` is JSON that describes it."""

    kind: ClassVar[str] = "swapped"

    what: str
    at_us: int
    version: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Erased:
    """The rows of a customer were removed. Holds how many, and not whose."""

    kind: ClassVar[str] = "erased"

    at_us: int
    n_rows: int


Row: TypeAlias = Decided | Exposed | Outcome | Observed | Voided | Withheld | Swapped | Erased

_OTHERS: Final = (Exposed, Outcome, Observed, Voided, Withheld, Swapped, Erased)
_KINDS: Final = {"decided": Decided, **{row.kind: row for row in _OTHERS}}
FIELDS: Final = {
    "decided": Decided._fields,
    **{row.kind: tuple(f.name for f in fields(row)) for row in _OTHERS},
}
"""Names of the fields of each kind of row."""

LATER: Final = ("effects",)
"""Columns that tables of earlier versions lack: the last ones, so that they can be added."""

_NAMES: Final = dict.fromkeys(name for names in FIELDS.values() for name in names)
COLUMNS: Final = ("kind", *(name for name in _NAMES if name not in LATER), *LATER)
_PLACES: Final = {
    kind: tuple((name, COLUMNS.index(name)) for name in names) for kind, names in FIELDS.items()
}
_VALUES: Final = {kind: attrgetter(*names) for kind, names in FIELDS.items()}
_BOOLS: Final = frozenset(("is_control", "is_measured", "confirm"))


def values_of(row: Row) -> tuple[object, ...]:
    """Give the values of a row's fields, in the order of `FIELDS`."""
    values: tuple[object, ...] = row if isinstance(row, Decided) else _VALUES[row.kind](row)
    return values


def from_columns(values: tuple[object, ...]) -> Row:
    """Rebuild a row from its columns.

    Raises
    ------
    DamagedError
        For a kind of row that is not known.
    """
    kind = str(values[0])
    if kind not in _KINDS:
        raise DamagedError("the journal holds a row of a kind that is not known here")
    named: dict[str, object] = {name: values[place] for name, place in _PLACES[kind]}
    for name in _BOOLS & named.keys():
        named[name] = bool(named[name])
    if "effects" in named:  # of a row that was written before there was such a column
        named["effects"] = named["effects"] or b""
    row: Row = _KINDS[kind](**named)  # type: ignore[arg-type]  # the columns were written from one
    return row
