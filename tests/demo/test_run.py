"""The main job as a user runs it: what it shows, what it leaves, and how it fails."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seg1 import ALSModel
from seg1.__main__ import main
from seg1.demo import extract as extract_module
from seg1.demo import run as run_module
from seg1.demo import story
from seg1.errors import DamagedError


def test_habit_wins_on_all_products_and_als_on_new_ones(demo_figures: dict[str, Any]) -> None:
    on_all, on_new = demo_figures["ndcg10_all"], demo_figures["ndcg10_new"]

    assert on_all["buy_again"] > on_all["als"] > on_all["popularity"]
    assert on_new["als"] > on_new["popularity"]
    assert on_new["low"] <= on_new["als"] - on_new["popularity"] <= on_new["high"]


def test_the_json_has_every_key_it_documents(demo_figures: dict[str, Any]) -> None:
    page = Path(__file__).parents[2] / "docs" / "pages" / "demo.md"

    assert list(demo_figures) == [
        "seconds", "events", "customers", "items", "dropped", "ndcg10_all", "ndcg10_new",
        "denied_after_withdrawal", "reloaded_identical", "decide_us", "regret_share",
        "thompson_minus_greedy", "ope", "ope_covered_of_20", "state_identical", "replayed",
        "replay_differs", "erased", "report",
    ]  # fmt: skip
    assert all(f"`{key}`" in page.read_text() for key in demo_figures)


def test_withdrawal_and_reload_are_shown(demo_figures: dict[str, Any]) -> None:
    assert demo_figures["denied_after_withdrawal"] is True
    assert demo_figures["reloaded_identical"] is True


def test_every_dropped_row_is_told_with_its_reason(
    demo_figures: dict[str, Any], demo_text: str
) -> None:
    assert demo_figures["dropped"]
    for reason, n in demo_figures["dropped"].items():
        assert f"{n:,} lines ({reason})" in demo_text


def test_the_synthetic_consent_is_called_so(demo_text: str, demo_folder: Path) -> None:
    assert "SYNTHETIC" in demo_text
    assert "synthetic" in (demo_folder / "report.html").read_text()


def test_wherever_the_consent_file_is_named_it_is_called_synthetic(demo_text: str) -> None:
    lines = [line for line in demo_text.splitlines() if "consent file" in line]

    assert len(lines) == 3
    assert all("synthetic consent file" in line.lower() for line in lines)


def test_the_simulation_is_called_so(demo_text: str, demo_folder: Path) -> None:
    page = (demo_folder / "report.html").read_text()

    assert "SIMULATION" in demo_text
    assert "<strong>Simulation.</strong>" in page
    assert page.index("<strong>Simulation.</strong>") < page.index("What does choosing well save?")
    assert "(simulation)" in page


def test_what_decisions_show_holds_on_two_seeds_too(demo_figures: dict[str, Any]) -> None:
    assert demo_figures["regret_share"]["thompson"] < 0.8
    assert demo_figures["regret_share"]["best_fixed"] < demo_figures["regret_share"]["greedy"]
    assert demo_figures["state_identical"] is True
    assert demo_figures["replayed"] > 1_500
    assert demo_figures["replay_differs"] == 0
    assert demo_figures["erased"] > 0
    assert demo_figures["ope"]["ess"] >= 400
    assert (
        demo_figures["ope"]["low"] < demo_figures["ope"]["estimate"] < demo_figures["ope"]["high"]
    )
    assert 0 <= demo_figures["ope_covered_of_20"] <= 2


def test_nothing_but_the_four_results_is_left(demo_folder: Path) -> None:
    assert sorted(file.name for file in demo_folder.iterdir()) == [
        ".seg1-demo", "decisions.sqlite", "demo-consent.sqlite", "model", "report.html",
    ]  # fmt: skip


def test_the_decisions_can_be_read_with_plain_sql(demo_folder: Path) -> None:
    with sqlite3.connect(demo_folder / "decisions.sqlite") as connection:
        modes = dict(connection.execute("select mode, count(*) from decisions group by mode"))
    connection.close()

    assert set(modes) == {"personalised", "fallback", "control", "none"}


def test_both_withdrawals_stand_in_the_consent_file(demo_folder: Path) -> None:
    with sqlite3.connect(demo_folder / "demo-consent.sqlite") as connection:
        last = connection.execute(
            "select kind, purpose from consent_events order by seq desc limit 2"
        ).fetchall()
    connection.close()

    assert last == [("withdraw", "*")] * 2


def test_the_saved_model_loads(demo_folder: Path) -> None:
    assert ALSModel.load(demo_folder / "model").n_factors == 64


def test_the_report_asks_for_nothing_outside(demo_folder: Path) -> None:
    page = (demo_folder / "report.html").read_text()

    assert "<script" not in page
    assert 'src="http' not in page
    assert "@import" not in page
    assert "url(http" not in page


def test_two_runs_with_one_seed_say_the_same(demo_figures: dict[str, Any], tmp_path: Path) -> None:
    again = run_module.run(tmp_path / "again", n_seeds=2)

    timed = {"seconds", "decide_us", "report"}
    assert {k: v for k, v in again.items() if k not in timed} == {
        k: v for k, v in demo_figures.items() if k not in timed
    }


def test_another_seed_draws_another_consent_file_and_another_fit(
    few: extract_module.Extract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "load_extract", lambda: few)

    runs = [run_module.run(tmp_path / str(seed), seed=seed, n_seeds=1) for seed in (1, 2)]

    assert runs[0]["dropped"] != runs[1]["dropped"]
    assert [ALSModel.load(tmp_path / str(seed) / "model").config.seed for seed in (1, 2)] == [1, 2]


@pytest.mark.parametrize("is_identical", [True, False])
def test_what_the_reload_showed_is_told_by_text_page_and_figures(
    few: extract_module.Extract,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_identical: bool,
) -> None:
    monkeypatch.setattr(run_module, "load_extract", lambda: few)
    monkeypatch.setattr(story, "is_reloaded_identical", lambda *_, **__: is_identical)

    figures = run_module.run(tmp_path / "out", n_seeds=1)

    assert figures["reloaded_identical"] is is_identical
    assert f"same answers to the last bit: {is_identical}" in capsys.readouterr().out
    page = (tmp_path / "out" / "report.html").read_text()
    assert f'to the last bit:\n<span class="flag">{is_identical}</span>' in page


def test_a_run_replaces_what_an_earlier_one_left(
    few: extract_module.Extract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "load_extract", lambda: few)
    out = tmp_path / "out"
    (out / "model").mkdir(parents=True)
    for name in ("report.html", "decisions.sqlite", "demo-consent.sqlite"):
        (out / name).write_text("old")
    (out / ".seg1-demo").write_text("")

    run_module.run(out, n_seeds=1)

    assert (out / "report.html").read_text().startswith("<!doctype html>")
    for name in ("decisions.sqlite", "demo-consent.sqlite"):
        assert (out / name).read_bytes().startswith(b"SQLite format 3")


@pytest.mark.parametrize(
    "arguments",
    [["demo", "--seed", "-1"], ["demo", "--seed", "x"], ["demo", "--seed", str(2**32)], ["x"], []],
    ids=str,
)
def test_bad_arguments_exit_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == 2
    assert capsys.readouterr().out == ""


def test_a_folder_that_cannot_be_written_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")

    code = main(["demo", "--out", str(tmp_path / "file" / "out")])

    told = capsys.readouterr()
    assert code == 2
    assert told.err.startswith("seg1 demo: ")
    assert told.err.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_damaged_extract_is_one_line_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "load_extract", _damaged)

    code = main(["demo", "--out", str(tmp_path / "out")])

    assert code == 2
    assert capsys.readouterr().err == "seg1 demo: the bundled journey.npz is damaged\n"
    assert not (tmp_path / "out").exists()


def _damaged() -> extract_module.Extract:
    raise DamagedError("the bundled journey.npz is damaged")


@pytest.mark.parametrize(
    "name", ["report.html", "model", "demo-consent.sqlite", "decisions.sqlite"]
)
def test_what_the_demo_did_not_write_is_never_replaced(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text("mine")

    code = main(["demo", "--out", str(tmp_path)])

    assert code == 2
    assert f"holds a {name} that the demo did not write" in capsys.readouterr().err
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [(name, "mine")]


def test_a_failure_halfway_leaves_nothing_behind(
    few: extract_module.Extract,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_module, "load_extract", lambda: few)

    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_module, "render", full)

    code = main(["demo", "--out", str(tmp_path / "out")])

    assert code == 2
    assert "No space left on device" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_the_report_extra_the_rest_is_done_and_said(
    few: extract_module.Extract,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_module, "load_extract", lambda: few)
    monkeypatch.setitem(sys.modules, "jinja2", None)

    code = main(["demo", "--json", "--out", str(tmp_path / "out")])

    told = capsys.readouterr().out
    assert code == 0
    assert 'pip install "seg1[report]"' in told
    assert json.loads(told.splitlines()[-1])["report"] is None
    assert not (tmp_path / "out" / "report.html").exists()


def test_the_version_is_printed() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "seg1", "--version"], check=True, capture_output=True, text=True
    )

    assert told.stdout.startswith("seg1 0.")
