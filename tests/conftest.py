"""What several rooms' tests share."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from seg1.demo import Extract, load_extract

# That check measures the machine: the first text that is made reads all of Unicode's tables.
settings.register_profile("seg1", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("seg1")


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run the demo once, on fewer seeds than a user's; give its folder and what it printed."""
    out = tmp_path_factory.mktemp("demo") / "out"
    code = (
        "import pathlib, sys; from seg1.demo.run import run; "
        "run(pathlib.Path(sys.argv[1]), as_json=True, n_seeds=2)"
    )
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(out)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert told.stderr == ""
    return out, told.stdout


@pytest.fixture(scope="session")
def demo_folder(demo_run: tuple[Path, str]) -> Path:
    return demo_run[0]


@pytest.fixture(scope="session")
def demo_text(demo_run: tuple[Path, str]) -> str:
    return demo_run[1]


@pytest.fixture(scope="session")
def demo_figures(demo_text: str) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads(demo_text.splitlines()[-1])
    return figures


@pytest.fixture(scope="session")
def few() -> Extract:
    """The extract, cut down to sixty households."""
    extract = load_extract()
    households = extract.receipts["household_id"]
    keep = np.isin(households, np.unique(households)[:60])
    return replace(extract, receipts={name: of[keep] for name, of in extract.receipts.items()})
