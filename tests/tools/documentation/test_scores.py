"""Tables of scenarios, shifts and adaptations out of recorded files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cellwright_train.results import intervals
from cellwright_train.scenarios.catalogue import scenario, scenario_names
from tools.documentation.errors import DocumentationError
from tools.documentation.scores import adaptations, leaderboard, shifts, zero_shot


def score(name: str, policy: str, good: int, control: int | None, *, reached: bool) -> dict[str, Any]:
    of = intervals.proportion(good, 100)
    return {
        "scenario": name,
        "identity": scenario(name).identity,
        "policy": policy,
        "policy_sha256": "0",
        "good": good,
        "parts": 100,
        "control": control,
        "reached": reached,
        "good_fraction": {"value": of.value, "low": of.low, "high": of.high},
    }


def recorded(directory: Path, *scores: dict[str, Any]) -> Path:
    (directory / "scenarios.json").write_text(json.dumps(scores))
    return directory


def row_of(text: str, word: str) -> list[str]:
    """Cells of the first row with `word`."""
    line = next(line for line in text.splitlines() if word in line)
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_scenario_has_its_score_and_the_best_controller_that_sees_no_more(tmp_path: Path) -> None:
    name = "peg-moved-fixture"
    found = recorded(
        tmp_path,
        score(name, "zoo:peg-insertion", 96, 98, reached=True),
        score(name, "spiral-search", 40, 60, reached=False),
        score(name, "visual-servo", 55, 60, reached=False),
        score(name, "oracle", 100, 100, reached=True),
        score("mixed-worn-equipment", "zoo:weld-seam+zoo:peg-insertion", 20, 90, reached=False),
    )
    told = leaderboard(found)
    row = row_of(told, f"`{name}`")
    assert row[2:5] == ["96 (90 to 98) of 100", "98", "yes"]
    assert row[5].startswith("visual-servo: 55 ")
    assert row_of(told, "`mixed-worn-equipment`")[4] == "no"
    assert row_of(told, "`peg-hard`")[2:] == ["", "", "not recorded", ""]
    assert "in 1 of the 2 scenarios recorded, of 51; the aim is 45" in told


def test_a_table_of_all_scenarios_says_so(tmp_path: Path) -> None:
    policy = {name: "+".join(["zoo:x"] * len(scenario(name).cells)) for name in scenario_names()}
    all_of_them = [score(name, policy[name], 1, 90, reached=False) for name in scenario_names()]
    assert "in 0 of the 51 scenarios; the aim is 45" in leaderboard(recorded(tmp_path, *all_of_them))


def test_without_scores_every_scenario_is_not_recorded(tmp_path: Path) -> None:
    assert "in 0 of the 0 scenarios recorded" in leaderboard(tmp_path)
    assert row_of(zero_shot(tmp_path), "one change")[3:] == ["not recorded", "no"]


def test_scores_under_other_conditions_are_refused(tmp_path: Path) -> None:
    old = score("peg-hard", "zoo:peg-insertion", 1, None, reached=False) | {"identity": "another"}
    with pytest.raises(DocumentationError, match="peg-hard has other conditions"):
        leaderboard(recorded(tmp_path, old))


def test_what_is_kept_is_the_median_over_scenarios_of_shipped_policies(tmp_path: Path) -> None:
    found = recorded(
        tmp_path,
        score("peg-moved-fixture", "zoo:peg-insertion", 80, 100, reached=False),
        score("peg-new-batch", "zoo:peg-insertion", 95, 100, reached=True),
        score("peg-moved-camera", "zoo:peg-insertion", 99, 100, reached=True),
        score("peg-moved-camera", "spiral-search", 1, 100, reached=False),
        score("peg-three-changes", "zoo:peg-insertion", 70, 100, reached=False),
        score("peg-hard", "zoo:peg-insertion", 1, None, reached=False),
        score("mixed-worn-equipment", "zoo:weld-seam+zoo:peg-insertion", 2, 90, reached=False),
    )
    told = zero_shot(found)
    assert row_of(told, "one change")[1:] == ["3", ">= 0.9", "0.95, lowest 0.80", "yes"]
    assert row_of(told, "several changes")[1:] == ["1", ">= 0.75", "0.70, lowest 0.70", "no"]


def test_a_shift_has_a_row_per_contender(tmp_path: Path) -> None:
    assert shifts(tmp_path) == "No shift has been recorded yet."
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    account = {
        "policy": "zoo:weld-seam",
        "parts": 200,
        "first_pass_yield": figure,
        "good_per_hour": {"value": 90.0, "low": 80.0, "high": 99.0},
        "cycle_time_s": {"value": 12.34, "low": 12.0, "high": 13.0},
        "rework": 1,
        "scrap": 2,
        "crashes": 3,
        "oee": None,
        "changeover": {"lost_parts": 4.25, "lost_s": None},
    }
    changes = [{"announced": True}, {"announced": False}]
    data = {"line": {"name": "a-line"}, "changes": changes, "shifts": [account]}
    (tmp_path / "shift-a.json").write_text(json.dumps(data))
    told = shifts(tmp_path)
    assert "`shift-a.json`: a-line, 200 parts, 2 changes, 1 announced." in told
    assert row_of(told, "zoo:weld-seam")[1:] == [
        *("50 (40 to 60)", "90 (80 to 99)", "12.3", "1", "2", "3", "4.2", "", "")
    ]


@pytest.mark.parametrize("is_back", [True, False])
def test_an_adaptation_has_its_yields_and_when_it_was_back(tmp_path: Path, is_back: bool) -> None:
    arms = ("before", "right after", "adapted", "adapted, before the change")
    data = {
        "policy": "zoo:peg-insertion",
        "change": "moved-camera",
        "description": "The camera was hit.",
        "good": {arm: {"good": good, "parts": 60} for arm, good in zip(arms, (60, 30, 54, 57), strict=True)},
        "back": {"steps": 12_000, "parts": 130, "seconds": 312.4} if is_back else None,
        "area": 0.812,
        "retention": 0.95,
        "command": "cellwright adapt zoo:peg-insertion --line a" + " --expert=guide --seed=1" * is_back,
    }
    (tmp_path / "adapt-peg-2.json").write_text(json.dumps(data))
    row = row_of(adaptations(tmp_path), "zoo:peg-insertion")
    assert row[1] == "moved-camera: The camera was hit."
    assert [cell.partition(" ")[0] for cell in row[2:5]] == ["100", "50", "90"]
    assert row[5:8] == ["12,000 steps, 130 parts, 312 s" if is_back else "no", "0.81", "0.95"]
    assert row[8] == ("guide" if is_back else "")
