"""Tables of false alarms and of faults that were planted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tools.documentation.gate import false_alarms, seeded_faults


def row_of(text: str, word: str) -> list[str]:
    line = next(line for line in text.splitlines() if word in line)
    return [cell.strip() for cell in line.strip("|").split("|")]


def fault(**other: Any) -> dict[str, Any]:
    return {
        "kind": "policy",
        "located": ["policy lateral"],
        "rightly": True,
        "pairs": 400,
        "repeats": 100,
        "measure": "cycle_time_s",
        "worse_fraction": 0.97,
        "beyond_margin": ["cycle_time_s"],
        "early": {"REGRESSION": 100},
        "late": {"REGRESSION": 100},
        "needed": 14,
        "needed_told": None,
        "needed_unknown": 0,
        "needed_asked": 0,
        **other,
    }


def recorded(directory: Path, **faults: dict[str, Any]) -> Path:
    told = {"task": "peg-insertion", "faults": faults}
    (directory / "seeded-faults-peg-insertion.json").write_text(json.dumps(told))
    return directory


def test_a_fault_has_what_it_came_to(tmp_path: Path) -> None:
    told = seeded_faults(recorded(tmp_path, slower=fault()))
    assert row_of(told, "slower") == [
        *("slower", "`peg-insertion`", "policy lateral", "cycle_time_s", "97", "cycle_time_s"),
        *("100", "0", "decided", "14"),
    ]
    assert "1 of 1 faults are located rightly. 1 make at least 95 % of pairs worse; 1 of these" in told
    assert "1 reach a margin; 0 of these" in told


def test_what_is_missed_is_counted(tmp_path: Path) -> None:
    late = fault(early={"REGRESSION": 99, "UNDERPOWERED": 1}, late={"no regression": 2, "REGRESSION": 98})
    elsewhere = fault(rightly=False, worse_fraction=0.94, beyond_margin=[], late={"no regression": 100})
    told = seeded_faults(recorded(tmp_path, late=late, elsewhere=elsewhere))
    assert "1 of 2 faults are located rightly. 1 make at least 95 % of pairs worse; 0 of these" in told
    assert "1 reach a margin; 1 of these" in told


def test_pairs_that_are_not_known_are_not_made_up(tmp_path: Path) -> None:
    rare = fault(needed=None, needed_asked=20, needed_unknown=20)
    assert row_of(seeded_faults(recorded(tmp_path, rare=rare)), "rare")[-2:] == ["unknown", "over 1,000"]


def test_four_alarms_in_a_thousand_are_few_and_five_are_not(tmp_path: Path) -> None:
    assert "yet" in false_alarms(tmp_path)
    for alarms, reached in ((4, "yes"), (5, "no")):
        told = {
            "scenarios": {"a": 2000, "b": 2400},
            "parts": 60,
            "repeats": 1000,
            "false_alarms": 0.01,
            "verdicts": {"UNDERPOWERED": 1000 - alarms, "REGRESSION": alarms},
        }
        (tmp_path / "false-alarms.json").write_text(json.dumps(told))
        row = row_of(false_alarms(tmp_path), "episodes each")
        assert row[0] == "2, 2,000 episodes each"
        assert row[3:] == ["1 %", f"{alarms} REGRESSION, {1000 - alarms} UNDERPOWERED", str(alarms), reached]
