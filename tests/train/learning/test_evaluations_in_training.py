"""How often a run tests its policy, by a clock that the test moves."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from cellwright_policies.ppo import PPOConfig
from cellwright_train.learning import session
from cellwright_train.learning.presets import EvaluationConfig, preset
from cellwright_train.learning.training import train
from cellwright_train.learning.vec_env import PoolVecEnv

ROLLOUT_STEPS, CELLS, ROLLOUTS = 32, 2, 7
ROLLOUT_S = 40.0


class Clock:
    """Shows `ROLLOUT_S` more after every rollout."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.mark.parametrize(("every_minutes", "tests"), [(1.0, 4), (1.9, 3), (3.0, 2), (60.0, 1)])
def test_a_run_tests_its_policy_as_often_as_its_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every_minutes: float, tests: int
) -> None:
    """After every second, third and fifth rollout but the one that only the critic learns, and at the end."""
    clock, testing = Clock(), [False]
    step, test = PoolVecEnv.step_wait, session.evaluate_in_training

    def timed(self: PoolVecEnv) -> Any:
        clock.now_s += 0.0 if testing[0] else ROLLOUT_S / ROLLOUT_STEPS
        return step(self)

    def counted(*arguments: Any, **named: Any) -> Any:
        testing[0] = True
        try:
            return test(*arguments, **named)
        finally:
            testing[0] = False

    monkeypatch.setattr(PoolVecEnv, "step_wait", timed)
    monkeypatch.setattr(session, "evaluate_in_training", counted)
    monkeypatch.setattr(session, "time", clock)
    config = dataclasses.replace(
        preset("debug"),
        steps=ROLLOUTS * ROLLOUT_STEPS * CELLS,
        cells=CELLS,
        workers=1,
        ppo=PPOConfig(
            rollout_steps=ROLLOUT_STEPS,
            batch_size=ROLLOUT_STEPS * CELLS,
            warmup_rollouts=1,
            adaptive_threads=False,
            update_threads=1,
        ),
        evaluation=EvaluationConfig(episodes=2, every_minutes=every_minutes),
        checkpoint_minutes=60.0,
    )
    train(config, seed=1, run_dir=tmp_path / "run")
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(bool(row.get("test/success_rate")) for row in rows) == tests
