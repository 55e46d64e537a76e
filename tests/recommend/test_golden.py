"""Models that earlier versions of the format saved: loaded, and ranking as they did.

Each folder was written by the first release of its format version, with the answers it gave then.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from small_shop import ANYONE

from seg1 import ALSModel, persist

GOLDEN = Path(__file__).parent / "golden"
EACH = pytest.mark.parametrize("version", [1, 2])


@EACH
@pytest.mark.parametrize("verify", [True, False])
def test_a_model_of_an_earlier_format_ranks_as_it_did(version: int, verify: bool) -> None:  # noqa: FBT001
    folder = GOLDEN / f"version_{version}"
    told = json.loads((folder / "answers.json").read_text(encoding="utf-8"))

    model = ALSModel.load(folder / "model", verify=verify)

    assert model.version == told["version"]
    for customer, expected in told["recommend"].items():
        ranking = model.recommend(customer, n=5, exclude_seen=True, consent=ANYONE, at=0)
        assert list(ranking.items) == [item for item, _ in expected]
        assert np.allclose(ranking.scores, [score for _, score in expected], rtol=1e-9)
    # The penalty of a fold-in is taken from a finer grid since.
    assert np.allclose(model.fold_in({"item-1": 1.0, "item-3": 2.5}), told["fold_in"], rtol=0.02)


@EACH
def test_what_is_loaded_can_be_saved_again_in_the_newest_format(
    tmp_path: Path, version: int
) -> None:
    model = ALSModel.load(GOLDEN / f"version_{version}" / "model")

    model.save(tmp_path / "again")

    saved = persist.load(tmp_path / "again", kind="als")
    assert saved.format_version == persist.FORMAT_VERSION
    assert ALSModel.load(tmp_path / "again").version == model.version


def test_every_format_version_has_its_golden_folder() -> None:
    folders = {folder.name for folder in GOLDEN.glob("version_*")}

    assert folders == {f"version_{n}" for n in range(1, persist.FORMAT_VERSION + 1)}
