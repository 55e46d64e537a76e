"""`Offer` and `Placement`: what can be shown, and where."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from seg1._checks import DAY_US, check_at_least, check_int, check_number, to_us
from seg1._types import At, Id
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.events.vocabulary import as_id

__all__ = ["Audience", "Offer", "Placement"]

Audience: TypeAlias = Callable[[Id, Mapping[str, object]], bool]
"""A personal rule: of a customer and the context, whether the offer may be shown."""

HOUR_US = DAY_US // 24
_MAX_DAYS = 36_525


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that can be shown to a customer.

    Parameters
    ----------
    id
        The caller's name of the offer: a non-empty str or an int.
    items
        Ids of the items it is about; the customer's affinity to them informs the choice.
    cost
        What an acceptance costs, >= 0, in the currency of the prices.
    prices
        Prices it may be shown at, falling from the regular one; empty where it has no price.
    slots
        Times it may be shown for ("now", "saturday"); empty where there is no choice.
    worth
        What an acceptance is worth, for an offer without prices.
    features
        Numbers that describe it, by name, finite.
    group
        Offers of one group resemble each other; None for a group of its own.
    placements
        Ids of the placements it may stand in, at least one; None for all.
    valid_from, valid_until
        When it may be shown: [from, until).
    stock
        How many acceptances there can be, >= 0; None without a limit.
    audience
        A personal rule; see `Audience`.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        For a value out of its range, prices that do not fall, both prices and a worth, or an offer
        that could never be shown.

    Examples
    --------
    >>> coffee = Offer("coffee", items=[981760], cost=0.30, prices=[1.29, 0.99])
    >>> coffee.prices
    (1.29, 0.99)
    """

    id: Id
    items: Sequence[Id] = field(default=(), kw_only=True)
    cost: float = field(default=0.0, kw_only=True)
    prices: Sequence[float] = field(default=(), kw_only=True)
    slots: Sequence[str] = field(default=(), kw_only=True)
    worth: float | None = field(default=None, kw_only=True)
    # A dict has no hash, and two offers that are equal hash alike without it.
    features: Mapping[str, float] = field(default_factory=dict, kw_only=True, hash=False)
    group: str | None = field(default=None, kw_only=True)
    placements: Sequence[str] | None = field(default=None, kw_only=True)
    valid_from: At | None = field(default=None, kw_only=True)
    valid_until: At | None = field(default=None, kw_only=True)
    stock: int | None = field(default=None, kw_only=True)
    audience: Audience | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        # Plain values are kept: of equal offers the version and the journal must be equal too.
        self._set("id", as_id(self.id))
        self._set("items", tuple(as_id(item) for item in _several(self.items, "items")))
        self._set("slots", _words(_several(self.slots, "slots"), "slots"))
        self._set("features", _features(self.features))
        self._set_money()
        self._check_reach()
        if self.group is not None:
            _words([self.group], "group")
        if self.stock is not None:
            self._set("stock", check_int(self.stock, name="stock", low=0))

    def _set_money(self) -> None:
        self._set("prices", _prices(_several(self.prices, "prices")))
        self._set("cost", check_at_least(self.cost, name="cost", low=0))
        if self.worth is not None:
            self._set("worth", _finite(self.worth, name="worth"))
            if self.prices:
                raise InvalidArgumentError("an offer has prices or a worth, not both")

    def _check_reach(self) -> None:
        if self.placements is not None:
            self._set("placements", _words(_several(self.placements, "placements"), "placements"))
            if not self.placements:
                raise InvalidArgumentError(
                    "placements must name at least one, or be None for all: it is never shown"
                )
        if self.audience is not None and not callable(self.audience):
            raise InvalidTypeError(
                f"audience must be callable with (customer, context), got "
                f"{type(self.audience).__name__}"
            )
        start, end = self.valid_us
        if start >= end:
            raise InvalidArgumentError("valid_until must lie after valid_from: it is never valid")

    @property
    def valid_us(self) -> tuple[float, float]:
        """When it may be shown, [from, until), microseconds UTC; infinite where open."""
        start, end = self.valid_from, self.valid_until
        return (
            -math.inf if start is None else to_us(start, name="valid_from"),
            math.inf if end is None else to_us(end, name="valid_until"),
        )

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where offers are shown, and how long one waits for an answer there.

    Parameters
    ----------
    id
        Its name ("app-home").
    confirm
        Whether the exposure is reported with `exposed`. With False, decided counts as exposed.
    exposure_hours
        Within how many hours of the decision an exposure must be reported, > 0; at most
        `outcome_days`.
    outcome_days
        Within how many days of the decision an outcome counts, > 0, at most 36,525.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        For a value out of its range.

    Examples
    --------
    >>> Placement("newsletter", outcome_days=14).outcome_us // 86_400_000_000
    14
    """

    id: str
    confirm: bool = field(default=True, kw_only=True)
    exposure_hours: float = field(default=24.0, kw_only=True)
    outcome_days: float = field(default=7.0, kw_only=True)

    def __post_init__(self) -> None:
        _words([self.id], "id")
        if not isinstance(self.confirm, bool):  # "no" would count as yes
            raise InvalidTypeError(f"confirm must be a bool, got {type(self.confirm).__name__}")
        hours = check_number(self.exposure_hours, name="exposure_hours", above=0)
        object.__setattr__(self, "exposure_hours", hours)
        object.__setattr__(self, "outcome_days", check_days(self.outcome_days, name="outcome_days"))
        if self.exposure_us > self.outcome_us:
            raise InvalidArgumentError("exposure_hours must not exceed outcome_days")

    @property
    def exposure_us(self) -> int:
        """Microseconds within which an exposure must be reported."""
        return round(self.exposure_hours * HOUR_US)

    @property
    def outcome_us(self) -> int:
        """Microseconds within which an outcome counts."""
        return round(self.outcome_days * DAY_US)


def _several(values: object, name: str) -> Sequence[object]:
    if isinstance(values, str | bytes | bytearray) or not isinstance(values, Sequence):
        raise InvalidTypeError(f"{name} must be a list or tuple, got {type(values).__name__}")
    return values


def check_members(
    members: Sequence[Offer] | Sequence[Placement], kind: type[Offer | Placement], *, name: str
) -> tuple[Offer | Placement, ...]:
    """Accept several offers, or placements, whose ids differ."""
    checked = tuple(_several(members, name))
    for member in checked:
        if not isinstance(member, kind):
            raise InvalidTypeError(
                f"{name} must hold {kind.__name__} only, got {type(member).__name__}"
            )
    if len({member.id for member in members}) != len(checked):
        raise InvalidArgumentError(f"{name} must have ids that differ from one another")
    return checked  # type: ignore[return-value]  # each has just been looked at


def check_days(value: float, *, name: str) -> float:
    """Accept a number of days above 0 that int64 microseconds hold with room to spare."""
    days = check_number(value, name=name, above=0)
    if days > _MAX_DAYS:
        raise InvalidArgumentError(
            f"{name} must be at most {_MAX_DAYS:,} (a century), got {days:g}"
        )
    return days


def _words(values: Sequence[object], name: str) -> tuple[object, ...]:
    if not all(isinstance(value, str) and value for value in values):
        raise InvalidArgumentError(f"{name} must be non-empty strings")
    if len(set(values)) != len(values):
        raise InvalidArgumentError(f"{name} must differ from one another")
    return tuple(values)


def _features(values: object) -> dict[str, float]:
    if not isinstance(values, Mapping):
        raise InvalidTypeError(f"features must be a dict, got {type(values).__name__}")
    _words(tuple(values), "names of features")
    return {name: _finite(value, name=f"features[{name!r}]") for name, value in values.items()}


def _prices(values: Sequence[object]) -> tuple[float, ...]:
    prices = tuple(check_number(value, name="a price", above=0) for value in values)  # type: ignore[arg-type]  # it checks the type
    if any(high <= low for high, low in pairwise(prices)):
        raise InvalidArgumentError(f"prices must fall from the regular one, got {list(prices)}")
    return prices


def _finite(value: object, *, name: str) -> float:
    if isinstance(value, np.floating):  # a float32 cannot be held against the bound
        value = float(value)
    return check_at_least(value, name=name, low=-1e300)  # type: ignore[arg-type]  # it checks the type
