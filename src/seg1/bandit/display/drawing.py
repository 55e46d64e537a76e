"""What displays share: numbers taken in, axes of their own, legends, and pictures."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike

from seg1._types import Float64s
from seg1.errors import InvalidArgumentError, MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["add_legend", "axes_or_new", "numbers_of", "picture_of"]

_SIZE: Final = (6.4, 4.0)  # inches


def numbers_of(values: ArrayLike, *, name: str, n: int | None = None) -> Float64s:
    """Accept finite numbers, at least one and all in one row: `n` of them, where it is given."""
    try:
        numbers = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise InvalidArgumentError(f"{name} must be numbers in one row") from None
    if numbers.ndim != 1 or not len(numbers) or n not in (None, len(numbers)):
        wanted = "(n_rows,), at least one" if n is None else f"({n},)"
        raise InvalidArgumentError(f"{name} must have shape {wanted}, got {numbers.shape}")
    if not np.isfinite(numbers).all():
        raise InvalidArgumentError(f"{name} must be finite")
    return numbers


def axes_or_new(ax: "Axes | None") -> "Axes":
    """Give the caller's axes, or some on a figure that pyplot does not know."""
    if ax is not None:
        return ax
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise MissingExtraError('displays need matplotlib: pip install "seg1[plot]"') from error
    return Figure(figsize=_SIZE, layout="constrained").subplots()


def add_legend(
    ax: "Axes",
    artists: Sequence[Any],  # Any: lines and containers, which have no type in common
    names: Sequence[str],
    *,
    is_beside: bool = False,
) -> None:
    """Add a legend, within the axes or to the right of them.

    A name is shown as it is, with a `$` or a leading `_` too, which matplotlib reads as formulas
    and as nothing.
    """
    legend = ax.legend(
        artists,
        ["?"] * len(artists),
        frameon=False,
        loc="center left" if is_beside else "upper left",
        bbox_to_anchor=(1.0, 0.5) if is_beside else None,
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)


def picture_of(ax: "Axes") -> bytes:
    """Give the figure that some axes lie on, one that `axes_or_new` made, as PNG."""
    out = io.BytesIO()
    ax.figure.savefig(out, format="png")  # type: ignore[union-attr]  # it is no part of another
    return out.getvalue()
