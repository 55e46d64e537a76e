"""What several rooms' tests share."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run the demo once, as a user does; give its folder and what it printed."""
    out = tmp_path_factory.mktemp("demo") / "out"
    told = subprocess.run(
        [sys.executable, "-W", "error", "-m", "seg1", "demo", "--json", "--out", str(out)],
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
