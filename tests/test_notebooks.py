"""Every notebook runs from its first cell to its last, and is kept without stored outputs."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def code_cells(notebook: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "notebook"}

    with contextlib.redirect_stdout(io.StringIO()) as out:
        for cell in code_cells(notebook):
            exec("".join(cell["source"]), names)  # noqa: S102  # our own notebooks

    assert out.getvalue()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_holds_no_outputs(notebook: Path) -> None:
    cells = code_cells(notebook)

    assert cells
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
