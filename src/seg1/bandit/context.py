"""`ContextSchema`: from what is known of a moment to the vector that a bandit learns on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import copysign, inf, isfinite, sqrt
from typing import NamedTuple

import numpy as np

from seg1._types import Float64s, Int64s
from seg1.bandit.special import checked_bases
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.offers import Arms

__all__ = ["ContextSchema", "own_features"]


class _Field(NamedTuple):
    """Where a field stands in the vector; the feature after `position` says that it is missing.

    Attributes
    ----------
    position
        Of the scaled number; of a category, where values go that were not declared.
    middle, half_range
        What turns a number into [-1, 1].
    position_of
        Where each declared value of a category stands; None for a number.
    """

    position: int
    middle: float
    half_range: float
    position_of: dict[str, int] | None


class _Products(NamedTuple):
    """The last features of a vector: products of two earlier ones each, over their scale.

    Attributes
    ----------
    left, right
        Positions of what is multiplied, int64, shape (n_products,).
    scale
        Of every feature, and so of their products.
    """

    left: Int64s
    right: Int64s
    scale: float

    @classmethod
    def of(cls, told: list[tuple[str, int, int]], *, scale: float) -> "_Products | None":
        if not told:
            return None
        _, left, right = zip(*told, strict=True)
        return cls(np.array(left), np.array(right), scale)

    def fill(self, x: Float64s) -> None:
        """Work out the last features of x; a missing number is 0 there, as is any other value."""
        products = x.take(self.left)
        products *= x.take(self.right)
        products /= self.scale
        x[-len(products) :] = products


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSchema:
    """What may be told about a moment, declared; `encode` turns it into numbers.

    An encoder learns nothing: ranges and values are declared, so that a vector means the same on
    the first day and on the last. Features are an intercept of 1; for each number its value, from
    the declared range to [-1, 1] and *clipped* outside of it, and whether it is missing; for each
    category one feature for each declared value, one for any other, one for missing; for each
    interaction the products of its two fields' features. All but the intercept are divided by the
    root of the number of fields and interactions, so that the squared norm of a vector lies in
    [1, 2], however many there are.

    Parameters
    ----------
    numeric
        Range of each number, (low, high), finite, low < high.
    categorical
        Values of each category, str, at least one, all different.
    interactions
        Pairs of declared fields whose products are features too, each pair once, in any order. Two
        numbers have one product, a number and a category one for each declared value and one for
        any other, two categories one for each two declared values. Where either is missing they
        are 0.
    special
        Basis on which each feature of a special category is used (health, emotion, biometrics,
        belief, ...: GDPR, article 9), in words. A feature whose name sounds like one is refused
        without. An engine uses it only under a consent of its own for it.

    Attributes
    ----------
    names
        Name of each feature.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        For a range or a list of values that cannot be used, a name declared twice, an interaction
        of fields that are not declared or named before, or a feature of a special category without
        a basis.

    Examples
    --------
    >>> schema = ContextSchema(numeric={"hour": (0, 24)}, categorical={"channel": ["app", "till"]})
    >>> schema.names
    ('intercept', 'hour', 'hour:missing', 'channel=app', 'channel=till', 'channel:other',
     'channel:missing')
    >>> schema.encode({"hour": 24, "channel": "app"}).round(2).tolist()
    [1.0, 0.71, 0.0, 0.71, 0.0, 0.0, 0.0]
    >>> both = ContextSchema(
    ...     numeric=schema.numeric, categorical=schema.categorical,
    ...     interactions=[("hour", "channel")])
    >>> both.names[7:]
    ('hour*channel=app', 'hour*channel=till', 'hour*channel:other')
    """

    numeric: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    categorical: Mapping[str, Sequence[str]] = field(default_factory=dict)
    special: Mapping[str, str] = field(default_factory=dict, repr=False)
    interactions: Sequence[tuple[str, str]] = ()
    names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _fields: dict[str, _Field] = field(init=False, repr=False, compare=False)
    _blank: list[float] = field(init=False, repr=False, compare=False)
    _scale: float = field(init=False, repr=False, compare=False)
    _products: _Products | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        numeric = {name: _range(name, ends) for name, ends in _named(self.numeric, "numeric")}
        declared = _named(self.categorical, "categorical")
        categorical = {name: _values(name, values) for name, values in declared}
        if numeric.keys() & categorical.keys():
            raise InvalidArgumentError("a name is either numeric or categorical, not both")
        names = ["intercept"]
        fields: dict[str, _Field] = {}
        for name, (low, high) in numeric.items():
            fields[name] = _Field(len(names), (low + high) / 2, (high - low) / 2, None)
            names += [name, f"{name}:missing"]
        for name, values in categorical.items():
            start = len(names)
            position_of = {value: start + i for i, value in enumerate(values)}
            fields[name] = _Field(start + len(values), 0.0, 1.0, position_of)
            names += [*(f"{name}={value}" for value in values), f"{name}:other", f"{name}:missing"]
        interactions = _pairs(self.interactions, fields)
        told = [pair for names_of in interactions for pair in _told(*names_of, fields)]
        names += [name for name, _, _ in told]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise InvalidArgumentError(
                f"two features would have one name, {twice!r}; rename a field or a value"
            )
        scale = 1.0 / sqrt(max(len(fields) + len(interactions), 1))
        blank = [1.0] + [0.0] * (len(names) - 1)
        for place in fields.values():
            blank[place.position + 1] = scale
        derived = {
            "numeric": numeric, "categorical": categorical, "names": tuple(names),
            "special": checked_bases(self.special, names=fields),
            "interactions": interactions, "_products": _Products.of(told, scale=scale),
            "_fields": fields, "_blank": blank, "_scale": scale,
        }  # fmt: skip
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def n_features(self) -> int:
        """Count the features, the intercept among them."""
        return len(self.names)

    @property
    def version(self) -> str:
        """Name the schema by its content: 16 hexadecimal digits."""
        told: list[object] = [list(self.numeric.items()), list(self.categorical.items())]
        # What is saved names a schema without interactions by the others alone.
        told += [self.interactions] if self.interactions else []
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    def encode(self, context: Mapping[str, object]) -> Float64s:
        """Turn what is known of a moment into a vector.

        Parameters
        ----------
        context
            Values by name. A key that is left out, or None, is a missing value.

        Returns
        -------
        ndarray of float64, shape (n_features,)

        Raises
        ------
        InvalidArgumentError
            For a key that is not declared, or a number that is not finite.
        InvalidTypeError
            For a value of the wrong type. No message holds a value.

        Examples
        --------
        >>> ContextSchema().encode({}).tolist()
        [1.0]
        """
        # A dict is told apart first: isinstance of an abstract class costs as much as four fields.
        if type(context) is not dict and not isinstance(context, Mapping):
            raise InvalidTypeError(f"context must be a mapping, got {type(context).__name__}")
        row, fields, scale = self._blank.copy(), self._fields, self._scale
        for key, value in context.items():
            place = fields.get(key)
            if place is None:
                raise InvalidArgumentError(_unknown(key, fields))
            if value is None:
                continue
            position, middle, half_range, position_of = place
            if position_of is None:
                number = value if type(value) is float else _to_float(value, key)
                scaled = (number - middle) / half_range
                if not -1.0 <= scaled <= 1.0:  # clipped to the declared range, if it is a number
                    scaled = copysign(1.0, _number(number, key) - middle)
                row[position] = scale * scaled
                row[position + 1] = 0.0
            elif isinstance(value, str):
                row[position_of.get(value, position)] = scale
                row[position + 1] = 0.0
            else:
                raise InvalidTypeError(f"context[{key!r}] must be a str, got {_kind(value)}")
        x = np.array(row)
        if self._products is not None:
            self._products.fill(x)
        return x


def own_features(affinity: Float64s, arms: Arms) -> Float64s | None:
    """Give the feature that each arm has beside the context: the affinity to its offer.

    Parameters
    ----------
    affinity
        Of the customer to each offer, float64, shape (n_offers,); empty without a recommender.
    arms
        The arms.

    Returns
    -------
    ndarray of float64, shape (n_arms,); None without a recommender
    """
    if not len(affinity):
        return None
    own = affinity[arms.offer_index]
    if arms.has_no_offer:  # it comes last, and nobody has a taste for it
        own[-1] = 0.0
    return own


def _pairs(declared: object, fields: Mapping[str, _Field]) -> tuple[tuple[str, str], ...]:
    if isinstance(declared, str) or not isinstance(declared, Sequence):
        raise InvalidTypeError("interactions must be a list of pairs of names")
    pairs = []
    for pair in declared:
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:  # noqa: PLR2004  # a pair
            raise InvalidTypeError("interactions must hold pairs of names only")
        for name in pair:
            if not isinstance(name, str) or name not in fields:
                raise InvalidArgumentError(
                    f"interactions name a field that is not declared: {name!r}"
                )
        pairs.append((pair[0], pair[1]))
    if len({frozenset(pair) for pair in pairs if pair[0] != pair[1]}) != len(pairs):
        raise InvalidArgumentError(
            "interactions must be of two fields each, and name no two fields twice"
        )
    return tuple(pairs)


def _told(left: str, right: str, fields: Mapping[str, _Field]) -> list[tuple[str, int, int]]:
    """Name the products of two fields, and the positions of what they multiply."""
    is_pair = all(fields[name].position_of is not None for name in (left, right))
    return [
        (f"{one}*{other}", one_position, other_position)
        for one, one_position in _parts(left, fields[left], with_other=not is_pair)
        for other, other_position in _parts(right, fields[right], with_other=not is_pair)
    ]


def _parts(name: str, place: _Field, *, with_other: bool) -> list[tuple[str, int]]:
    if place.position_of is None:
        return [(name, place.position)]
    told = [(f"{name}={value}", position) for value, position in place.position_of.items()]
    return [*told, (f"{name}:other", place.position)] if with_other else told


def _number(value: object, key: str) -> float:
    if type(value) is not float:
        value = _to_float(value, key)
    if not isfinite(value):
        raise InvalidArgumentError(
            f"context[{key!r}] must be finite; leave the key out where the value is missing"
        )
    return value


def _to_float(value: object, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise InvalidTypeError(f"context[{key!r}] must be a number, got {_kind(value)}")
    try:
        return float(value)
    except OverflowError:  # an int that no float holds
        return inf


def _kind(value: object) -> str:
    return type(value).__name__


def _unknown(key: object, fields: Mapping[str, object]) -> str:
    name = repr(key) if isinstance(key, str) else f"a {type(key).__name__}"
    return f"context has a key that is not declared: {name}; declared: {', '.join(fields) or '-'}"


def _named(declared: object, what: str) -> list[tuple[str, object]]:
    if not isinstance(declared, Mapping):
        raise InvalidTypeError(f"{what} must be a mapping, got {type(declared).__name__}")
    if not all(isinstance(name, str) and name for name in declared):
        raise InvalidArgumentError(f"names in {what} must be non-empty strings")
    return list(declared.items())


def _range(name: str, ends: object) -> tuple[float, float]:
    try:
        low, high = (_number(end, name) for end in ends)  # type: ignore[attr-defined]  # tried
    except (TypeError, ValueError):
        raise InvalidArgumentError(
            f"numeric[{name!r}] must be a range (low, high) of finite numbers"
        ) from None
    # The middle and the half of the range are worked with, so they must be finite too.
    if not (low < high and isfinite(high - low)):
        raise InvalidArgumentError(f"numeric[{name!r}] must have low < high, got ({low}, {high})")
    return low, high


def _values(name: str, values: object) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise InvalidTypeError(f"categorical[{name!r}] must be a list of strings")
    if not all(isinstance(value, str) and value for value in values):
        raise InvalidTypeError(f"categorical[{name!r}] must hold non-empty strings only")
    if not values or len(set(values)) != len(values):
        raise InvalidArgumentError(
            f"categorical[{name!r}] must be one value or more, all different"
        )
    return tuple(values)
