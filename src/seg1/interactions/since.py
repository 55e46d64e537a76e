"""What came after a matrix was built: events added up, and put to the weights of the matrix."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from seg1._types import Float64s

if TYPE_CHECKING:
    from seg1.interactions.builder import InteractionMatrixBuilder

__all__ = ["Sum", "added", "merged"]

_Item = TypeVar("_Item")


class Sum(NamedTuple):
    """What the events of a customer and an item since the matrix was built come to."""

    weight: float
    time_us: int


def added(
    old: Sum | None, weight: float, time_us: int, *, builder: "InteractionMatrixBuilder"
) -> Sum:
    """Add the weight of one more event, as the builder combines those of a matrix."""
    if old is None:
        return Sum(weight, time_us)
    if builder.combine == "sum":
        return Sum(old.weight + weight, time_us)
    if builder.combine == "max":
        return Sum(max(old.weight, weight), time_us)
    return old if time_us < old.time_us else Sum(weight, time_us)


def merged(
    built: Mapping[_Item, float],
    since: Mapping[_Item, Sum],
    *,
    builder: "InteractionMatrixBuilder",
) -> dict[_Item, float]:
    """Put what came since to the weights of a matrix, and give weights as the matrix holds them."""
    is_compressed = builder.compress == "log1p"
    plain = _each(np.expm1, built) if is_compressed else dict(built)
    for item, total in since.items():
        # 0 where there is none: it adds nothing, and no weight is below it.
        old = 0.0 if builder.combine == "last" else plain.get(item, 0.0)
        plain[item] = old + total.weight if builder.combine == "sum" else max(old, total.weight)
    return _each(np.log1p, plain) if is_compressed else plain


def _each(
    function: Callable[[Float64s], Float64s], of: Mapping[_Item, float]
) -> dict[_Item, float]:
    weights = np.fromiter(of.values(), np.float64, count=len(of))
    return dict(zip(of, function(weights).tolist(), strict=True))
