"""A policy that goes on learning in a cell that has changed."""

from __future__ import annotations

import dataclasses

from cellwright_train.errors import UsageError
from cellwright_train.learning.curriculum import CurriculumConfig
from cellwright_train.learning.line_conditions import StretchConfig
from cellwright_train.learning.presets import PRESETS, TrainConfig

_ROLLOUT_STEPS = 64
_TESTS, _TEST_EPISODES = 5, 64
"""Tests on the way, and episodes of each, half of them before the change: more would take longer than the
learning."""


def preset_of(env_id: str) -> TrainConfig:
    """The preset that trains policies for `env_id`, where no run says how; raises `UsageError`."""
    for config in PRESETS.values():
        if config.env_id == env_id:
            return config
    raise UsageError(f"no preset trains policies for {env_id}, so none can be adapted")


def adapting(config: TrainConfig, stretch: StretchConfig, *, steps: int, expert: str | None) -> TrainConfig:
    """The training of `config` as it goes on in a changed cell for some `steps` of PPO.

    Rollouts are short, so that even a few parts make several updates. With an `expert` its actions pull as
    strongly as at the beginning of a training, to the end.
    """
    return dataclasses.replace(
        config,
        steps=steps,
        demonstrations=dataclasses.replace(
            config.demonstrations, steps=0, expert=expert or config.demonstrations.expert
        ),
        ppo=dataclasses.replace(
            config.ppo,
            rollout_steps=_ROLLOUT_STEPS,
            batch_size=min(config.ppo.batch_size, _ROLLOUT_STEPS * config.cells // 4),
            warmup_rollouts=2,
            teacher_coefficient=config.ppo.teacher_coefficient if expert else 0.0,
            teacher_steps=1_000 * steps,
        ),
        curriculum=CurriculumConfig(line=stretch),
        evaluation=dataclasses.replace(
            config.evaluation, episodes=_TEST_EPISODES, every_steps=max(1, steps // _TESTS)
        ),
    )
