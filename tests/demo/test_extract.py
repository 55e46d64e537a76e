"""The bundled extract: what is in it, and that damage is noticed."""

import hashlib
import os
import shutil
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from seg1.demo.extract import load_extract
from seg1.errors import DamagedError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "data"
    with resources.as_file(resources.files("seg1.demo") / "data") as bundled:
        shutil.copytree(bundled, copy)
    return copy


def seal(folder: Path) -> None:
    """Write the sums that fit the files, as one would who knows how they are checked."""
    sums = "".join(
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("journey.npz", "journey.json")
    )
    (folder / "journey.sha256").write_text(sums)


def test_it_holds_800_households_and_products_that_five_of_them_bought() -> None:
    receipts = load_extract().receipts
    pairs = np.unique(
        np.stack([receipts["product_id"], receipts["household_id"]]).astype(np.int64), axis=1
    )

    assert len(np.unique(receipts["household_id"])) == 800
    assert np.unique(pairs[0], return_counts=True)[1].min() >= 5


def test_columns_are_of_one_length_and_all_products_are_named() -> None:
    extract = load_extract()

    assert {len(column) for column in extract.receipts.values()} == {374_129}
    assert set(np.unique(extract.receipts["product_id"]).tolist()) == set(extract.product_names)


def test_times_lie_in_the_year_and_weeks_start_on_its_first_day() -> None:
    extract = load_extract()

    assert extract.week_us(1) == extract.first_us
    assert extract.receipts["time"].min() >= extract.week_us(1)
    assert extract.receipts["time"].max() < extract.week_us(54)


def test_it_holds_who_was_mailed_who_redeemed_and_what_the_coupons_were_for() -> None:
    extract = load_extract()
    households = set(np.unique(extract.receipts["household_id"]).tolist())
    mailed, redeemed = extract.mailings, extract.redemptions

    assert len(mailed["household_id"]) == len(mailed["campaign_id"]) == 2_018
    assert set(mailed["household_id"].tolist()) <= households
    assert set(redeemed["household_id"].tolist()) <= households
    of_18 = mailed["campaign_id"] == 18
    assert len(np.unique(mailed["household_id"][of_18])) == of_18.sum() == 364
    redeemers = redeemed["household_id"][redeemed["campaign_id"] == 18]
    assert len(np.unique(redeemers)) == 65
    assert redeemed["time"].min() >= extract.first_us
    assert redeemed["time"].max() < extract.week_us(54)
    assert set(extract.coupons["product_id"].tolist()) <= set(extract.product_names)


@pytest.mark.parametrize("name", ["journey.npz", "journey.json", "journey.sha256"])
def test_a_missing_file_is_noticed(folder: Path, name: str) -> None:
    (folder / name).unlink()

    with pytest.raises(DamagedError, match="install seg1 again"):
        load_extract(folder)


@pytest.mark.parametrize("name", ["journey.npz", "journey.json", "journey.sha256"])
def test_one_changed_byte_is_noticed(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 3] ^= 1
    (folder / name).write_bytes(bytes(content))

    with pytest.raises(DamagedError, match="install seg1 again"):
        load_extract(folder)


def test_files_that_match_their_sums_and_lack_their_form_are_refused(folder: Path) -> None:
    (folder / "journey.json").write_text('{"format": 2}')
    seal(folder)

    with pytest.raises(DamagedError, match="does not have its form"):
        load_extract(folder)


def test_an_array_that_would_run_code_when_read_is_refused_and_runs_none(folder: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(folder / "sprung"),)

    np.savez(folder / "journey.npz", household_id=np.array([Trap()], dtype=object))
    seal(folder)

    with pytest.raises(DamagedError, match="does not have its form"):
        load_extract(folder)

    assert not (folder / "sprung").exists()
