"""What a posterior is: a configuration, and a state that learns in place."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from seg1._checks import read_only
from seg1._types import Float32s, Float64s, Int64s
from seg1.errors import DamagedError
from seg1.offers import Arms

__all__ = [
    "Arrays",
    "Belief",
    "Draws",
    "Layout",
    "Posterior",
    "PosteriorState",
    "checked_array",
    "means_of",
]

# Any: arrays of several dtypes by name; whoever reads them checks.
Arrays: TypeAlias = Mapping[str, NDArray[Any]]

Draws: TypeAlias = Callable[[Int64s], Float32s]
"""Gives joint draws of the arms at some positions, shape (n_draws, n_asked), when called."""


class Belief(NamedTuple):
    """What is believed of each arm's expected answer in one context.

    Attributes
    ----------
    mean, sd
        Mean and standard deviation, float64, shape (n_arms,) each.
    draws
        Joint draws of the expected answers, where arms share what is not known; the same ones each
        time. None: they are independent normals.
    """

    mean: Float64s
    sd: Float64s
    draws: Draws | None = None


class Layout(NamedTuple):
    """What a posterior may know of the arms themselves.

    Attributes
    ----------
    features
        Of each arm, the first an intercept of 1; float64, shape (n_arms, n_arm_features).
    ladder
        Which arms differ in nothing but their price: those of equal number; int64, shape (n_arms,).
    rung
        Step of the price ladder, 0 the regular price; int64, shape (n_arms,).
    depth
        Discount as a share of the regular price, in [0, 1); float64, shape (n_arms,).
    """

    features: Float64s
    ladder: Int64s
    rung: Int64s
    depth: Float64s

    @classmethod
    def plain(cls, n_arms: int) -> "Layout":
        """Lay out arms that nothing is known of.

        Examples
        --------
        >>> Layout.plain(2).features.tolist()
        [[1.0], [1.0]]
        """
        alone, none = np.arange(n_arms), np.zeros(n_arms, np.int64)
        return cls(np.ones((n_arms, 1)), alone, none, np.zeros(n_arms))

    @classmethod
    def of(cls, arms: Arms) -> "Layout":
        """Read it off the arms of a selector.

        A feature of the offers is divided by its root mean square over them, so that it counts
        whatever its unit; slots are features, one each, where there are two or more. All but the
        intercept are divided by the root of their number, as a context's fields are.

        Examples
        --------
        >>> from seg1.offers import Goal, Offer
        >>> tea = Offer("tea", worth=1, features={"hot": 2.0})
        >>> Layout.of(Arms.of([tea, Offer("cola", worth=1)], goal=Goal.margin())).features.round(2)
        array([[1.  , 1.41],
               [1.  , 0.  ],
               [1.  , 0.  ]])
        """
        told = _told_of(arms)  # (n_arms, n_told)
        told /= np.sqrt(max(told.shape[1], 1))
        keys = [(arm.offer, arm.slot) for arm in arms.arms]
        number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        return cls(
            read_only(np.column_stack([np.ones(len(arms)), told])),
            read_only(np.array([number[key] for key in keys], np.int64)),
            read_only(arms.rung.astype(np.int64)),
            read_only(np.array([_depth(arms, place) for place in range(len(arms))])),
        )


class PosteriorState(Protocol):
    """What has been learned. `fold`, `correct`, `remove` change it in place, under a lock.

    A state may also have ``means(x, *, own=None)``, which gives the means of its `belief` alone: it
    is asked instead by explorers that need no more (`seg1.bandit.MeansExplorer`).
    """

    @property
    def n_rows(self) -> int:
        """How many rows were folded."""
        ...

    def fold(self, arm: int, x: Float64s, reward: float, *, at_us: int) -> None:
        """Learn one answer, at the weight of the time of its decision."""
        ...

    def correct(self, arm: int, x: Float64s, *, before: float, after: float, at_us: int) -> None:
        """Replace the answer of a row that was folded."""
        ...

    def remove(self, arm: int, x: Float64s, reward: float, *, at_us: int) -> None:
        """Forget a row that was folded, as if it had never been."""
        ...

    def belief(self, x: Float64s, *, own: Float64s | None = None) -> Belief:
        """Say what is believed of each arm's expected answer.

        x has shape (n_features,). Where the last feature is another for each arm, `own` has it,
        shape (n_arms,), and x the others.
        """
        ...

    def coefficients(self) -> Float64s:
        """Give what each feature adds to the answer of each arm, (n_arms, n_features)."""
        ...

    def copy(self) -> Self:
        """Give a state that goes its own way."""
        ...

    def merge(self, other: Self) -> Self:
        """Give the state that has folded the rows of both."""
        ...

    def to_arrays(self) -> Arrays:
        """Give copies of all that `Posterior.from_arrays` needs to make it again, bit for bit."""
        ...


@runtime_checkable
class Posterior(Protocol):
    """A configuration of how to learn; `start` gives a state that has learned nothing."""

    def start(self, layout: Layout, *, n_features: int) -> PosteriorState:
        """Give a state that has learned nothing, of contexts of n_features numbers."""
        ...

    def from_arrays(self, arrays: Arrays, layout: Layout) -> PosteriorState:
        """Make a state again from its arrays."""
        ...


def checked_array(
    arrays: Arrays, name: str, *, shape: tuple[int, ...], dtype: type = np.float64
) -> NDArray[Any]:  # Any: of the dtype asked for
    """Give a copy of a saved array.

    Raises
    ------
    DamagedError
        Where it is missing, of another shape or dtype, or not finite.
    """
    array = arrays.get(name)
    if array is None or array.shape != shape or array.dtype != dtype:
        raise DamagedError(f"the state of a posterior needs {name}: {dtype} of {shape}")
    if not np.isfinite(array).all():
        raise DamagedError(f"the state of a posterior has a {name} that is not finite")
    return array.copy()


def means_of(state: PosteriorState, x: Float64s, *, own: Float64s | None = None) -> Float64s:
    """Give the means of a state's belief, for who needs no more: of its `means`, where it has them.

    Parameters
    ----------
    state, x, own
        As for `PosteriorState.belief`.
    """
    means = getattr(state, "means", None)
    told: Float64s = means(x, own=own) if callable(means) else state.belief(x, own=own).mean
    return told


def _told_of(arms: Arms) -> Float64s:
    """Give features of the offers and slots as columns, each of root mean square 1 or all 0."""
    shown = np.flatnonzero(arms.offer_index >= 0)
    features = [arms.offers[i].features for i in arms.offer_index[shown]]
    names = sorted({name for of_offer in features for name in of_offer})
    columns = [[of_offer.get(name, 0.0) for of_offer in features] for name in names]
    slots = [arms.arms[place].slot for place in shown]
    several = dict.fromkeys(slot for slot in slots if slot is not None)
    if len(several) > 1:
        columns += [[float(slot == name) for slot in slots] for name in several]
    told = np.zeros((len(arms), len(columns)))
    for place, column in enumerate(columns):
        size = math.hypot(*column) / math.sqrt(len(column))
        told[shown, place] = np.array(column) / (size or 1.0)
    return told


def _depth(arms: Arms, place: int) -> float:
    price = arms.arms[place].price
    return 0.0 if price is None else 1.0 - price / arms.offers[arms.offer_index[place]].prices[0]
