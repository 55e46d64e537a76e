"""The page of promises names tests, scripts and figures: each of them exists."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "pages" / "promises.md").read_text(encoding="utf-8")
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_SCRIPT = re.compile(r"`python (benchmarks/\w+\.py)[^`]*`")
NAMED = sorted(set(_TEST.findall(PAGE)))
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "| --- |" not in line]
PROMISES = [row for row in ROWS if not row.endswith("| shown by | what it does not do |")]


def functions_of(file: Path, *, decorated_by: str = "") -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {
        function.name
        for function in functions
        if not decorated_by
        or any(ast.unparse(of).startswith(f"{decorated_by}(") for of in function.decorator_list)
    }


@pytest.mark.parametrize(("file", "name"), NAMED, ids=lambda value: Path(value).stem)
def test_each_test_that_the_page_names_exists(file: str, name: str) -> None:
    assert name.startswith("test_")
    assert name in functions_of(ROOT / file)


def test_each_mention_of_a_test_is_one_that_is_checked() -> None:
    assert len(NAMED) > 50
    assert PAGE.count(".py::") == len(_TEST.findall(PAGE))


@pytest.mark.parametrize("row", PROMISES, ids=lambda row: row.split(" | ")[0].strip("| "))
def test_each_promise_is_shown_by_a_test(row: str) -> None:
    cells = row.strip("|").split(" | ")

    assert len(cells) == 4
    assert _TEST.search(cells[2])
    assert cells[1].strip()


def test_each_script_that_the_page_names_exists() -> None:
    scripts = set(_SCRIPT.findall(PAGE))

    assert scripts
    assert all((ROOT / script).is_file() for script in scripts)


def test_each_law_that_is_run_on_many_cases_is_a_property_test_of_the_suite() -> None:
    spec = importlib.util.spec_from_file_location("laws", ROOT / "benchmarks" / "properties.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    tests = [test.split("::") for law in (script.LAWS | script.SLOW_LAWS).values() for test in law]

    assert len(tests) > 10
    for file, name in tests:
        assert name in functions_of(ROOT / "tests" / file, decorated_by="given")
