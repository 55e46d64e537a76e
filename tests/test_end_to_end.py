"""One test owns the path: events, consent, matrix, model, decisions, withdrawal, restart, lift.

It runs through public names in processes of their own. Where SEG1_WHEEL_PYTHON names an interpreter
with the built wheel, as in continuous integration, it is the wheel that is tested.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("path_script.py")


def act(name: str, *arguments: str, folder: Path) -> dict[str, Any]:
    python = os.environ.get("SEG1_WHEEL_PYTHON", sys.executable)
    told = subprocess.run(
        [python, "-W", "error", str(SCRIPT), name, *arguments],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
    )
    figures: dict[str, Any] = json.loads(told.stdout)
    return figures


def test_the_path_from_events_to_measured_decisions_with_a_withdrawal_and_a_restart(
    tmp_path: Path,
) -> None:
    first = act("first", folder=tmp_path)
    stays, leaves, never = first["before"]
    whom = (stays, leaves, never, str(first["objector"]))
    n_lines, mac = first["audit"]
    again = act("restart", *whom, str(n_lines), mac, folder=tmp_path)

    check_recommendations(first, stays=stays, leaves=leaves, never=never)
    assert again["after"] == first["after"]
    assert again["implicit_imported"] is False
    assert first["alone"] is True
    assert again["slate"] == first["slate"]  # what the selector learned alone was saved
    shown, reasons = first["slate"]
    assert 1 <= len(shown) <= 3
    assert len({offer for offer, *_ in shown}) == len(shown)
    assert "intercept" in reasons
    assert set(first["modes"]) == {"personalised", "control", "fallback"}
    assert first["modes"].count("fallback") == 1  # the customer who never spoke
    assert first["seq"] == again["mode_of_leaver"] == "fallback"
    assert first["late_answer"] == "withheld"
    assert first["exported"]["customer"] == int(stays)
    assert all(first["exported"][part] for part in ("said", "decisions", "observed"))
    assert again["served"] == {
        "live_kept": [1, 0],  # whoever has left adds nothing
        "live_is_seen": True,
        "live_ranked": True,
        "denied_shown": 0,
        "leaver_ranked": [False, "consent: withdrawn"],
    }
    assert again["probe"] == first["probe"]
    assert again["fingerprint"] == first["fingerprint"]
    assert again["mode_of_objector"] == "none"
    assert again["mood_is_missing"] is True
    assert again["audit"] == first["audit"]
    assert first["policy"] is True
    before_that_night, after_it = first["learned_early"]
    assert 100 < before_that_night < after_it - 50
    # The close replaces what was learned early; of whoever has objected meanwhile, it takes it out.
    assert again["n_learned"] == after_it - 1
    assert again["n_learned"] > 100
    assert again["replayed"][0] > 200
    assert again["replayed"][1:] == [0, 0]
    check_history(again)
    assert again["log"] > 350
    assert again["leaver_in_log"] is False
    assert again["lift"] > 0
    assert again["by"] == ["app", "till"]
    assert again["value"] == sorted(again["value"])
    assert again["erased"] >= 3  # observed, contact, probe
    assert again["after_erasure"] == 0
    assert again["answers_after_erasure"] == 0


def check_history(again: dict[str, Any]) -> None:
    """Who stays has answered, and is decided for by it; who left teaches nothing."""
    of_stays, of_leaver = again["answers"]
    assert of_stays >= 1
    assert of_leaver == 0
    for effects in again["effects"]:  # of each channel, by offer, and last of none
        assert len(effects) == 4
        assert effects[-1] == 0
        assert all(-1 <= effect <= 1 for effect in effects)
    assert any(map(any, again["effects"]))


def check_recommendations(first: dict[str, Any], *, stays: str, leaves: str, never: str) -> None:
    assert first["n_customers"] == 399
    assert first["never_in_matrix"] is False
    assert first["accounted"] == first["n_events"]
    for customer in (stays, leaves):
        assert first["before"][customer]["personalised"] is True
        assert len(first["before"][customer]["items"]) == 10
        assert all(words.startswith("goes with") for words in first["before"][customer]["words"])
    assert first["before"][never]["reason"] == "consent: no record"
    assert first["after"][stays]["items"] == first["before"][stays]["items"]
    assert first["after"][leaves] == {"items": [], "reason": "consent: withdrawn"}
    assert first["after"][never]["items"] == []
