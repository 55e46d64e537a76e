"""Every python block of README and docs runs; output shown beneath it is what comes out."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "pages").rglob("*.md"))]
_BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```$(?:\n+^```text\n(?P<output>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)


class Block(NamedTuple):
    line: int
    code: str
    output: str | None


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(text.count("\n", 0, m.start()) + 2, m["code"], m["output"])
        for m in _BLOCK.finditer(text)
    ]


WITH_CODE = [page for page in PAGES if blocks_of(page)]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.stem)
def test_the_page_runs_and_shows_what_comes_out(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "docs"}
    for block in blocks_of(page):
        out = io.StringIO()

        with contextlib.redirect_stdout(out):
            code = compile("\n" * (block.line - 1) + block.code, str(page), "exec")
            exec(code, names)  # noqa: S102  # our own pages

        if block.output is not None:
            assert out.getvalue() == block.output, f"{page.name}, line {block.line}"


def test_every_room_has_a_page_with_code() -> None:
    with_code = {page.stem for page in WITH_CODE}

    assert {"README", "index", "events", "consent", "interactions", "recommend"} <= with_code


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "pages" / "adr"
    overview = (folder / "index.md").read_text()

    assert all(page.name in overview for page in folder.glob("0*.md"))
