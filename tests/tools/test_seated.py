"""What counts as a wrong verdict that a part is seated, and what a file of verdicts keeps."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cellwright_envs.assembly.cell import NOMINAL_FIXTURE_W
from cellwright_runtime.interface.seated import UR10E_N_M
from tools import seated
from tools.seated import AFTER_S, FIRST_SEED, main, verdict

PERIOD_S, DEPTH_M, PUSH_N, HOLD_S = 0.05, 0.02, 8.0, 0.3
STEPS = 80
BOTTOM_M = float(NOMINAL_FIXTURE_W[2]) - DEPTH_M
NEVER = 10_000


class Cell:
    """What `verdict` reads of an environment: a tip that comes down, and when its part is seated in truth."""

    def __init__(
        self, *, looks_seated: int, is_seated: int, bias_n: float = 0.0, error_n: float = 0.0
    ) -> None:
        """Steps from which the reported pose is that of a seated part, and from which the part is seated.

        `bias_n` is what the sensor shows along z in air, `error_n` what it adds later.
        """
        self.looks_seated, self.is_seated = looks_seated, is_seated
        self.config = SimpleNamespace(hold_s=HOLD_S + AFTER_S)
        self.product = SimpleNamespace(depth_m=DEPTH_M)
        self.tare = np.array([0.0, 0.0, bias_n, 0.0, 0.0, 0.0])
        error = (0.0, 0.0, error_n, 0.0, 0.0, 0.0)
        self.disturbed = SimpleNamespace(force_sensor=SimpleNamespace(error=lambda time_s: error))

    def reset(self, *, seed: int) -> tuple[None, dict[str, Any]]:
        self.step_number, self.time_s = 0, 0.0
        return None, {}

    def step(self, action: None) -> tuple[None, float, bool, bool, dict[str, Any]]:
        self.step_number += 1
        number = self.step_number
        self.time_s = number * PERIOD_S
        pushed = number >= self.looks_seated
        push_n = PUSH_N if pushed else 0.0
        height_m = BOTTOM_M - push_n / UR10E_N_M if pushed else BOTTOM_M + 0.001 * (NEVER - number)
        wrench = self.tare + np.array([0.0, 0.0, push_n, 0.0, 0.0, 0.0])
        self.reached = SimpleNamespace(tool=np.array([0.0, 0.0, height_m, 0.0, 0.0, 0.0]), wrench_t=wrench)
        held_s = max(0, number - self.is_seated) * PERIOD_S
        self.measurement = SimpleNamespace(held_s=held_s)
        return None, 0.0, held_s >= self.config.hold_s, number >= STEPS, {}


RUNTIME: Any = SimpleNamespace(
    spec=SimpleNamespace(layout=SimpleNamespace(control_period_s=PERIOD_S)), act=lambda observation: None
)


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        (Cell(looks_seated=30, is_seated=28), "right"),
        (Cell(looks_seated=NEVER, is_seated=NEVER), "right"),  # jammed, and nobody said that it is seated
        (Cell(looks_seated=20, is_seated=30), "too early"),
        (Cell(looks_seated=20, is_seated=NEVER), "never seated"),
        (Cell(looks_seated=NEVER, is_seated=20), "never said"),
        (Cell(looks_seated=30, is_seated=28, bias_n=-40.0), "right"),  # the wrench is tared
        (Cell(looks_seated=30, is_seated=28, error_n=-40.0), "never said"),  # and wrong, as the sensor is
    ],
)
def test_a_verdict_is_held_against_the_truth(cell: Cell, told: str) -> None:
    assert verdict(cell, RUNTIME, 7) == told


def test_a_verdict_may_come_until_the_policy_stops_going_on() -> None:
    """The episode goes on for `AFTER_S` once the environment alone would have ended it."""
    late = 28 + round((HOLD_S + AFTER_S) / PERIOD_S)
    assert verdict(Cell(looks_seated=late - 6, is_seated=28), RUNTIME, 7) == "right"
    assert verdict(Cell(looks_seated=late, is_seated=28), RUNTIME, 7) == "never said"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Seeds whose verdicts are asked for; that of every fourth is `never said`."""
    seeds: list[int] = []

    def said(env: Any, runtime: Any, seed: int) -> str:
        assert env.config.hold_s > AFTER_S
        seeds.append(seed)
        return "never said" if seed % 4 == 3 else "right"

    monkeypatch.setattr(seated, "verdict", said)
    return seeds


def test_counts_are_told_and_a_file_goes_on_where_it_ends(
    asked: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "seated.json"

    def measured(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["seated", "zoo:peg-insertion", "--json", str(file), *arguments])
        return main()

    assert measured("--parts", "4") == 0
    told = capsys.readouterr().out
    assert "right 3, too early 0, never seated 0, never said 1" in told
    assert "wrong 25.00 %" in told
    assert measured("--parts", "6") == 0
    assert asked == list(range(FIRST_SEED, FIRST_SEED + 6))
    assert len(json.loads(file.read_text())["verdicts"]) == 6
    with pytest.raises(SystemExit) as refused:
        measured("--parts", "8", "--disturbances", "none")
    assert refused.value.code == 2
    assert "was measured with other settings; take another file" in capsys.readouterr().err
