"""The package as a whole: names, layers, sizes, and what it must never import."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import seg1

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "seg1").rglob("*.py"))


def test_public_names_are_sorted_complete_and_few() -> None:
    assert seg1.__all__ == sorted(seg1.__all__)
    assert set(seg1.__all__) == set(seg1._ROOM_OF)
    assert len(seg1.__all__) <= 20


@pytest.mark.parametrize("name", seg1.__all__)
def test_every_public_name_is_documented_with_an_example(name: str) -> None:
    public = getattr(seg1, name)

    assert ">>>" in (public.__doc__ or "")


@pytest.mark.parametrize(
    "room", ["consent", "errors", "events", "interactions", "persist", "recommend", "testing"]
)
def test_every_name_a_room_exports_is_documented(room: str) -> None:
    module = importlib.import_module(f"seg1.{room}")

    assert all(getattr(module, name).__doc__ for name in module.__all__)
    assert list(module.__all__) == sorted(module.__all__, key=_as_ruff_sorts)


def _as_ruff_sorts(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def test_names_and_rooms_can_be_listed() -> None:
    assert {*seg1.__all__, "consent", "recommend"} <= set(dir(seg1))


def test_an_unknown_name_says_so() -> None:
    with pytest.raises(AttributeError, match="module 'seg1' has no attribute 'nothing'"):
        _ = seg1.nothing


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_file_is_longer_than_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_nothing_is_pickled_and_implicit_is_touched_in_one_module(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])

    assert not imported & {
        "pickle",
        "cPickle",
        "dill",
        "cloudpickle",
        "joblib",
        "shelve",
        "marshal",
    }
    assert "implicit" not in imported or path.name == "als.py"
    assert "hypothesis" not in imported or path.name == "strategies.py"


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert "version" not in project
    assert re.fullmatch(r"\d+\.\d+\.\d+", seg1.__version__)


def test_core_dependencies_are_the_seven() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=]", dependency)[0] for dependency in project["dependencies"]}

    assert names == {
        "implicit", "numpy", "pydantic", "scipy", "threadpoolctl", "tqdm", "typing-extensions",
    }  # fmt: skip


def test_public_names_load_without_implicit_pandas_or_matplotlib() -> None:
    code = (
        "import sys, seg1\n"
        "for name in seg1.__all__: getattr(seg1, name)\n"
        "heavy = {'implicit', 'pandas', 'polars', 'pyarrow', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )

    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert told.stdout.strip() == "[]"


def test_the_bundled_data_are_small_and_have_their_licence() -> None:
    folder = ROOT / "src" / "seg1" / "demo" / "data"
    n_bytes = sum(file.stat().st_size for file in folder.iterdir())

    assert n_bytes <= 2_500_000
    licence = (folder / "LICENSE-data.txt").read_text()
    assert "CC0" in licence
    assert "MIT License" in licence
