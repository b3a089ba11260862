"""What holds for every insertion: an expert seats its parts, and knows how far an action goes."""

import gymnasium
import numpy as np
import pytest

from cellwright_policies.experts import make_expert
from cellwright_policies.experts.assembly.base import FULL_SCALE
from cellwright_train.learning.presets import PRESETS

TASKS = {
    "PegInsertion": ("peg-insertion", "guide", 30.0),
    "ConnectorInsertion": ("connector-insertion", "guide", 100.0),
    "NutFastening": ("nut-fastening", "guide", 40.0),
    "GearMesh": ("gear-mesh", "oracle", 30.0),
}
"""Preset, an expert that knows the true state, and what the parts bear."""


@pytest.mark.parametrize("task", TASKS)
def test_an_expert_seats_parts_and_keeps_their_limits(task: str) -> None:
    preset, name, limit_n = TASKS[task]
    env_id = PRESETS[preset].env_id
    assert env_id.startswith(f"cellwright/{task}-v")
    env = gymnasium.make(env_id, disturbances="none", privileged=True).unwrapped
    assert env.config.control_period_s == 0.048
    expert = make_expert(env_id, name, env.privileged_names)
    observation, _ = env.reset(seed=4)
    expert.reset(1, [0])
    ended, steps = False, 0
    while not ended:
        action = expert.act_batch({key: value[None] for key, value in observation.items()})[0]
        observation, _, terminated, truncated, _ = env.step(action)
        ended, steps = terminated or truncated, steps + 1
    card = env.scorecard()
    env.close()
    assert card.success
    assert card.peak_force_n < limit_n
    assert steps < PRESETS[preset].env_kwargs["max_episode_steps"]


@pytest.mark.parametrize("task", TASKS)
def test_experts_know_how_far_an_action_goes(task: str) -> None:
    env = gymnasium.make(PRESETS[TASKS[task][0]].env_id).unwrapped
    np.testing.assert_array_equal(env.layout.reach[:6], FULL_SCALE)
    env.close()
