"""An `ALSModel` as arrays and JSON, and back: what a load need not work out again is saved too."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seg1 import persist
from seg1._checks import read_only
from seg1._types import Float32s, Float64s, Int32s
from seg1.errors import DamagedError
from seg1.interactions import InteractionMatrixBuilder, Interactions
from seg1.recommend.ranking.pruning import ByNorm, norms_of

if TYPE_CHECKING:
    from seg1.recommend.fitting.als import ALS
    from seg1.recommend.fitting.model import ALSModel

__all__ = ["check_factors", "check_finite", "from_saved", "gram_diagonal_of", "to_saved"]

_BY_NORM = "by_norm_"
_CLOSE = 1e-9  # relative: what sums of another processor may differ by


def to_saved(model: "ALSModel") -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Lay out as arrays and JSON, for `seg1.persist.save`."""
    arrays, meta = model.interactions.to_saved()
    arrays["customer_factors"] = model.customer_factors
    arrays["item_factors"] = model.item_factors
    arrays["gram_diagonal"] = model.gram_diagonal
    for name in ByNorm.__dataclass_fields__:
        arrays[_BY_NORM + name] = getattr(model.by_norm, name)
    return arrays, meta | {"config": asdict(model.config)}


def from_saved(saved: persist.Saved, *, verify: bool) -> dict[str, Any]:
    """Give the parts of the model that `to_saved` laid out, and its forerunner of version 1.

    Parameters
    ----------
    saved
        What was laid out.
    verify
        Look at every number. Without it nothing is read whose time grows with the customers.

    Raises
    ------
    DamagedError
        Where the parts do not fit together.
    """
    from seg1.recommend.fitting.als import ALS  # noqa: PLC0415  # als imports the model, and that this

    arrays, meta = saved.arrays, saved.meta
    config = ALS(**meta["config"])
    interactions = Interactions.from_saved(
        arrays, meta, builder=InteractionMatrixBuilder(**meta["builder"]), verify=verify
    )
    customers, items = arrays["customer_factors"], arrays["item_factors"]
    check_factors(customers, items, shape=interactions.shape, config=config)
    if verify:
        check_finite(customers, items)
    by_norm, gram_diagonal = _derived(saved, verify=verify)
    return {
        "customer_factors": read_only(customers),
        "item_factors": read_only(items),
        "gram_diagonal": read_only(gram_diagonal),
        "by_norm": by_norm,
        "penalty": config.penalty(n_other=interactions.shape[1]),
        "interactions": interactions,
        "config": config,
    }


def check_factors(
    customers: Float32s, items: Float32s, *, shape: tuple[int, int], config: "ALS"
) -> None:
    """Refuse factors of another shape or dtype."""
    wanted = tuple((n, config.factors) for n in shape)
    is_float32 = customers.dtype == items.dtype == np.float32
    if (customers.shape, items.shape) != wanted or not is_float32:
        raise DamagedError("the factors do not fit the interactions")


def check_finite(customers: Float32s, items: Float32s) -> None:
    """Refuse factors that are no numbers."""
    if not (np.isfinite(norms_of(items)).all() and np.isfinite(customers).all()):
        raise DamagedError("a factor is not finite")


def gram_diagonal_of(items: Float32s) -> Float64s:
    """Give the diagonal of Y'Y."""
    diagonal: Float64s = np.einsum("if,if->f", items, items, dtype=np.float64)
    return diagonal


def _derived(saved: persist.Saved, *, verify: bool) -> tuple[ByNorm, Float64s]:
    arrays, items = saved.arrays, saved.arrays["item_factors"]
    if saved.format_version == 1:  # which had the factors alone
        return ByNorm.of(items, norms_of(items)), gram_diagonal_of(items)
    gram_diagonal = arrays["gram_diagonal"]
    rows = ByNorm(**{name: arrays[_BY_NORM + name] for name in ByNorm.__dataclass_fields__})
    _check_form(rows, gram_diagonal, items)
    if verify:
        _check_content(rows, gram_diagonal, items)
    return rows, gram_diagonal


def _check_form(rows: ByNorm, gram_diagonal: Float64s, items: Float32s) -> None:
    n_items, n_factors = items.shape
    forms = [(a.dtype.str, a.shape) for a in (gram_diagonal, rows.factors, rows.minus_norms)]
    wanted = [("<f8", (n_factors,)), ("<f4", items.shape), ("<f8", (n_items,))]
    is_whole = forms == wanted and all(
        _is_within(codes, n_items) for codes in (rows.item_index, rows.position)
    )
    if not is_whole:
        raise DamagedError("the rows for rankings do not fit the factors")


def _is_within(codes: Int32s, n: int) -> bool:
    """Whether no code can lead out of an array, which is looked at always."""
    is_int = codes.dtype == np.int32 and codes.shape == (n,)
    return is_int and (n == 0 or (int(codes.min()) >= 0 and int(codes.max()) < n))


def _check_content(rows: ByNorm, gram_diagonal: Float64s, items: Float32s) -> None:
    is_same = (
        np.array_equal(rows.position[rows.item_index], np.arange(len(items)))
        and np.array_equal(rows.factors, items[rows.item_index])
        and bool((np.diff(rows.minus_norms) >= 0).all())
        and np.allclose(-rows.minus_norms, norms_of(rows.factors), rtol=_CLOSE, atol=0.0)
        and np.allclose(gram_diagonal, gram_diagonal_of(items), rtol=_CLOSE, atol=0.0)
    )
    if not is_same:
        raise DamagedError("the rows for rankings are not those of the factors")
