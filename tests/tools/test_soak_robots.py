"""A soak counts what is lost, compares memory after the warm-up, and goes on where it was ended."""

import json
from pathlib import Path
from typing import Any

import pytest

from tools.soak_robots import main, problems


def leg(**changes: Any) -> dict[str, Any]:
    """Twenty samples of one robot, the last of which is changed."""
    robot = {
        "kind": "ur",
        "state": "running",
        "ended": "",
        "cycles": 5000,
        "silent": 0,
        "controller_mb": 90.0,
    }
    samples = [
        {"time_s": 10.0 * number, "program_mb": 200.0, "robots": [dict(robot)]} for number in range(20)
    ]
    samples[0]["program_mb"] = 100.0  # what is compiled and cached at the beginning is no growth
    samples[-1]["robots"][0] |= {name: value for name, value in changes.items() if name in robot}
    samples[-1] |= {name: value for name, value in changes.items() if name in samples[-1]}
    return {"seconds": 190.0, "samples": samples}


def test_what_is_lost_is_told() -> None:
    assert problems(leg(), 5.0) == []
    for changes, told in (
        ({"silent": 3}, "robot 1 (ur) lost 3 of 5000 states"),
        ({"state": "stopped", "ended": "force"}, "robot 1 (ur) is stopped: force"),
        ({"ended": "the connection is gone"}, "robot 1 (ur) is running: the connection is gone"),
        ({"program_mb": 206.0}, "the program grew by 6.0 MB after the first 10 %"),
        ({"controller_mb": 97.5}, "controller 1 grew by 7.5 MB after the first 10 %"),
    ):
        assert problems(leg(**changes), 5.0) == [told]


def test_a_soak_goes_on_until_its_minutes_are_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "soak.json"

    def run(minutes: float) -> None:
        told = ["--robots", "1", "--kinds", "kuka-rsi", "--sample", "1", "--growth", "100", "--lockstep"]
        monkeypatch.setattr("sys.argv", ["soak", "--minutes", str(minutes), "--json", str(path), *told])
        main()

    run(0.04)
    first = json.loads(path.read_text())["legs"]
    assert len(first) == 1
    robot = first[0]["samples"][-1]["robots"][0]
    assert robot["kind"] == "kuka-rsi"
    assert robot["cycles"] > 0
    assert robot["controller_mb"] > 10.0
    run(0.04)
    assert json.loads(path.read_text())["legs"] == first
    run(0.06)
    legs = json.loads(path.read_text())["legs"]
    assert len(legs) == 2
    assert sum(each["seconds"] for each in legs) >= 3.6
