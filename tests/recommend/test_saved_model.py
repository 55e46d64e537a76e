"""What is saved beside the factors: read as it is, and refused where it is not theirs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_shop
from numpy.typing import NDArray

from seg1 import ALS, ALSModel, persist
from seg1.errors import DamagedError
from seg1.recommend.fitting.saved import to_saved

MODEL = ALS(factors=4, seed=1).fit(small_shop.random_interactions(1))


def save_with(folder: Path, name: str, change: Any) -> None:  # noqa: ANN401
    """Save a model of which one array was changed by one who knows how it is sealed."""
    arrays, meta = to_saved(MODEL)
    arrays[name] = change(arrays[name].copy())
    persist.save(folder, kind="als", arrays=arrays, meta=meta)


def with_first(value: float) -> Any:  # noqa: ANN401
    def change(array: NDArray[Any]) -> NDArray[Any]:
        array.flat[0] = value
        return array

    return change


def exchanged(array: NDArray[Any]) -> NDArray[Any]:
    array[[0, 1]] = array[[1, 0]]
    return array


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("by_norm_factors", lambda a: a[:-1]),
        ("by_norm_factors", lambda a: a.astype(np.float64)),
        ("by_norm_minus_norms", lambda a: a.astype(np.float32)),
        ("by_norm_minus_norms", lambda a: a[1:]),
        ("by_norm_item_index", with_first(-1)),
        ("by_norm_item_index", with_first(10**6)),
        ("by_norm_item_index", lambda a: a.astype(np.int64)),
        ("by_norm_position", with_first(-1)),
        ("by_norm_position", with_first(10**6)),
        ("gram_diagonal", lambda a: a[:-1]),
        ("customer_factors", lambda a: a[:-1]),
    ],
)
def test_parts_of_another_form_are_refused_with_and_without_verify(
    tmp_path: Path,
    name: str,
    change: Any,  # noqa: ANN401
    verify: bool,  # noqa: FBT001
) -> None:
    save_with(tmp_path / "model", name, change)

    with pytest.raises(DamagedError, match="do not fit the"):
        ALSModel.load(tmp_path / "model", verify=verify)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("by_norm_factors", with_first(7.0), "not those of the factors"),
        ("by_norm_factors", exchanged, "not those of the factors"),
        ("by_norm_minus_norms", with_first(-1e9), "not those of the factors"),
        ("by_norm_minus_norms", exchanged, "not those of the factors"),
        ("by_norm_item_index", exchanged, "not those of the factors"),
        ("by_norm_position", exchanged, "not those of the factors"),
        ("gram_diagonal", with_first(7.0), "not those of the factors"),
        ("item_factors", with_first(np.nan), "not finite"),
        ("customer_factors", with_first(np.inf), "not finite"),
    ],
)
def test_parts_that_are_not_those_of_the_factors_are_refused(
    tmp_path: Path,
    name: str,
    change: Any,  # noqa: ANN401
    message: str,
) -> None:
    save_with(tmp_path / "model", name, change)

    with pytest.raises(DamagedError, match=message):
        ALSModel.load(tmp_path / "model")


def test_a_model_of_version_2_that_lacks_a_part_is_refused(tmp_path: Path) -> None:
    for name in to_saved(MODEL)[0]:
        arrays, meta = to_saved(MODEL)
        del arrays[name]
        persist.save(tmp_path / "model", kind="als", arrays=arrays, meta=meta)

        for verify in (True, False):
            with pytest.raises(DamagedError):
                ALSModel.load(tmp_path / "model", verify=verify)


def test_a_model_whose_vocabularies_grew_is_saved_as_it_was_fitted(tmp_path: Path) -> None:
    model = ALS(factors=2, seed=1).fit(small_shop.random_interactions(1))
    model.interactions.customers.encode([10**6], unknown="add")
    model.items.encode(["new"], unknown="add")

    model.save(tmp_path / "model")

    assert repr(ALSModel.load(tmp_path / "model")) == repr(model)


@pytest.mark.parametrize("verify", [True, False])
def test_what_a_ranking_reads_is_mapped_and_not_worked_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verify: bool  # noqa: FBT001
) -> None:  # fmt: skip
    MODEL.save(tmp_path / "model")
    monkeypatch.setattr("seg1.recommend.ranking.pruning.ByNorm.of", None)

    model = ALSModel.load(tmp_path / "model", verify=verify)

    for name in ("factors", "minus_norms", "item_index", "position"):
        assert isinstance(getattr(model.by_norm, name).base, np.memmap)
    mapped: Any = model.item_factors
    assert isinstance(mapped.base.base, np.memmap)
    assert not model.gram_diagonal.flags.writeable
