"""Insertions in the making: registered, with experts that know how far an action goes there."""

import gymnasium
import numpy as np
import pytest

import cellwright_envs
from cellwright_policies.experts import EXPERTS, make_expert
from cellwright_train.learning.presets import PRESETS

TASKS = {
    "PegInsertion": ("peg-insertion-next", "guide", 30.0),
    "ConnectorInsertion": ("connector-insertion-next", "guide", 100.0),
    "NutFastening": ("nut-fastening-next", "guide", 40.0),
    "GearMesh": ("gear-mesh-next", "oracle", 30.0),
}
"""Preset, an expert that knows the true state, and what the parts bear."""


@pytest.mark.parametrize("task", TASKS)
def test_an_expert_seats_parts_and_keeps_their_limits(task: str) -> None:
    env_id, (preset, name, limit_n) = f"cellwright-next/{task}-v1", TASKS[task]
    assert PRESETS[preset].env_id == env_id
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
def test_experts_scale_their_motion_to_the_cell(task: str) -> None:
    """The same way down: an action of v1 goes a third as far, so a servo asks for more of it."""
    assert set(EXPERTS[f"cellwright-next/{task}-v1"]) == set(EXPERTS[f"cellwright/{task}-v0"])
    reach = {}
    for env_id in (f"cellwright/{task}-v0", f"cellwright-next/{task}-v1"):
        env = gymnasium.make(env_id, disturbances="none", privileged=True).unwrapped
        observation, _ = env.reset(seed=4)
        expert = make_expert(env_id, "blind-insertion", env.privileged_names)
        action = expert.act_batch({name: value[None] for name, value in observation.items()})[0]
        full = np.array([component.high for component in env.action_components])
        reach[env_id] = np.abs(action * full)[:3].max()
        env.close()
    slow, fast = sorted(reach.values())
    assert 0.0 < slow <= fast


def test_versions_in_the_making_are_no_environments_of_this_release() -> None:
    assert not set(cellwright_envs.NEXT_ENVIRONMENTS) & set(cellwright_envs.ENVIRONMENTS)
    assert set(cellwright_envs.NEXT_ENVIRONMENTS) <= set(gymnasium.registry)
