"""The shift's aims are held against the right rival, the right way round."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tools.documentation.shift_aims import SHIFT, TAUGHT, shift_aims

OURS = "zoo:weld-seam+zoo:peg-insertion"


def account(policy: str, good: float, per_hour: float, lost_s: float) -> dict[str, Any]:
    return {
        "policy": policy,
        "parts": 200,
        "first_pass_yield": {"value": good},
        "good_per_hour": {"value": per_hour},
        "changeover": {"lost_s": lost_s},
    }


def rows(directory: Path, *accounts: dict[str, Any]) -> list[list[str]]:
    (directory / SHIFT).write_text(json.dumps({"shifts": accounts}))
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in shift_aims(directory).splitlines()[2:]
    ]


def test_aims_are_ratios_to_the_taught_program_and_to_the_best_classical_controller(tmp_path: Path) -> None:
    told = rows(
        tmp_path,
        account(TAUGHT, 0.5, 100.0, 5000.0),
        account("adaptive-tracker+visual-servo", 0.8, 110.0, 1000.0),
        account("adaptive-tracker+spiral-search", 0.9, 90.0, 10.0),
        account("oracle", 1.0, 500.0, 0.0),
        account(OURS, 0.95, 120.0, 451.0),
    )
    assert [row[3] for row in told] == [
        *("0.10 (10 to 100)", "1.20 (120 to 100)"),
        *("0.25 (10 to 40)", "1.09 (120 to 110)", "0.45 (451 to 1000)"),
    ]
    assert [row[4] for row in told] == ["yes", "no", "yes", "no", "no"]
    assert [TAUGHT in row[1] for row in told] == [True, True, False, False, False]
    assert all("visual-servo" in row[1] for row in told[2:])


def test_without_a_shift_no_aim_is_reached(tmp_path: Path) -> None:
    told = shift_aims(tmp_path)
    assert told.count("not recorded") == 5
    assert "yes" not in told
    assert all(row[4] == "no" for row in rows(tmp_path, account(OURS, 1.0, 999.0, 0.0)))
