"""What a selector has learned, in a folder; and back, bit for bit."""

from os import PathLike
from typing import TYPE_CHECKING, Any, Final

from seg1 import persist
from seg1.bandit.posteriors.posterior import Layout, Posterior, PosteriorState
from seg1.errors import DamagedError, InvalidArgumentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["load_state", "save_state"]

_KIND: Final = "selector"
_SUMS: Final = "sums"  # how the array S is called in a folder, where names are lower case


def save_state(path: str | PathLike[str], state: PosteriorState, *, version: str) -> None:
    """Write a state and the version of the selector that it belongs to."""
    arrays: dict[str, NDArray[Any]] = {  # Any: float64, and int64 counts
        _SUMS if name == "S" else name: array for name, array in state.to_arrays().items()
    }
    persist.save(path, kind=_KIND, arrays=arrays, meta={"version": version})


def load_state(
    path: str | PathLike[str], *, posterior: Posterior, layout: Layout, version: str
) -> PosteriorState:
    """Read a state that was saved under the same version.

    Raises
    ------
    DamagedError
        Where anything is missing, changed, or of another kind.
    InvalidArgumentError
        Where it is of a selector of other offers, goal, context, explorer or posterior.
    """
    saved = persist.load(path, kind=_KIND)
    found = saved.meta.get("version")
    if not isinstance(found, str):
        raise DamagedError("the folder does not say which selector it is of")
    if found != version:
        raise InvalidArgumentError(
            f"the folder is of selector version {found}, and this one is {version}: give the same "
            "offers, context, goal, explorer, posterior and floor, in the same order; a part of "
            "your own needs a repr that is alike in every process"
        )
    arrays = {"S" if name == _SUMS else name: array for name, array in saved.arrays.items()}
    return posterior.from_arrays(arrays, layout)
