"""What a posterior is: a configuration, and a state that learns in place."""

from collections.abc import Mapping
from typing import Any, Protocol, Self, TypeAlias, runtime_checkable

from numpy.typing import NDArray

from seg1._types import Float64s

__all__ = ["Arrays", "Posterior", "PosteriorState"]

# Any: arrays of several dtypes by name; whoever reads them checks.
Arrays: TypeAlias = Mapping[str, NDArray[Any]]


class PosteriorState(Protocol):
    """What has been learned. `fold` and `correct` change it in place, under its owner's lock."""

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

    def belief(self, x: Float64s, *, own: Float64s | None = None) -> tuple[Float64s, Float64s]:
        """Give mean and standard deviation of each arm's expected answer, shape (n_arms,) each.

        x has shape (n_features,). Where the last feature is another for each arm, `own` has it,
        shape (n_arms,), and x the others.
        """
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

    def start(self, *, n_arms: int, n_features: int) -> PosteriorState:
        """Give a state that has learned nothing."""
        ...

    def from_arrays(self, arrays: Arrays) -> PosteriorState:
        """Make a state again from its arrays."""
        ...
