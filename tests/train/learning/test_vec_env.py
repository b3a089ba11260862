"""The pool as Stable-Baselines3 sees it."""

import contextlib
from functools import partial

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger

from cellwright_envs.probe import PROBE_ID
from cellwright_envs.vector.pool import CellPool
from cellwright_policies.networks import CellActorCritic
from cellwright_policies.ppo import CellPPO, PPOConfig
from cellwright_train.learning.vec_env import PoolVecEnv

make_probe = partial(gym.make, PROBE_ID, privileged=True, episode_steps=7)


def test_steps_and_ends_are_those_of_cells_stepped_in_turn() -> None:
    cells = 3
    actions = np.random.default_rng(0).uniform(-1, 1, (20, cells, 5)).astype(np.float32)
    envs = [make_probe() for _ in range(cells)]
    expected = [env.reset(seed=11 + index)[0] for index, env in enumerate(envs)]
    total = 0.0
    with contextlib.closing(PoolVecEnv(CellPool([make_probe] * cells, workers=2))) as vector:
        vector.seed(11)
        observations = vector.reset()
        for step in range(20):
            for key, values in observations.items():
                np.testing.assert_array_equal(values, np.stack([each[key] for each in expected]))
            observations, rewards, dones, infos = vector.step(actions[step])
            for index, env in enumerate(envs):
                expected[index], reward, terminated, truncated, info = env.step(actions[step, index])
                assert rewards[index] == np.float32(reward)
                assert dones[index] == (terminated or truncated)
                assert infos[index]["reward_terms"] == info["reward_terms"]
                assert infos[index]["TimeLimit.truncated"] == truncated
                total += float(reward) if index == 0 else 0.0
                if truncated:
                    for key, value in expected[index].items():
                        np.testing.assert_array_equal(infos[index]["terminal_observation"][key], value)
                    expected[index] = env.reset()[0]
            if dones[0]:
                assert infos[0]["episode"]["l"] == 7
                assert infos[0]["episode"]["r"] == round(total, 6)
                total = 0.0


def test_stable_baselines_trains_on_it_as_it_is() -> None:
    vector = PoolVecEnv.make(PROBE_ID, cells=4, workers=2, episode_steps=8)
    with contextlib.closing(vector):
        model = PPO("MultiInputPolicy", vector, n_steps=16, batch_size=32, n_epochs=1, seed=0, device="cpu")
        model.learn(128)
    assert model.num_timesteps == 128
    assert len(model.ep_info_buffer or []) == 16


def test_a_rollout_holds_the_values_and_probabilities_that_its_policy_gives() -> None:
    config = PPOConfig(rollout_steps=80, batch_size=64)
    with contextlib.closing(PoolVecEnv(CellPool([make_probe] * 4, workers=2))) as vector:
        model = CellPPO(CellActorCritic, vector, config=config, seed=0)
        model.set_logger(Logger(None, []))
        model.learn(1, callback=(checked := Checked()))
    assert checked.rollouts == 1


class Checked(BaseCallback):
    """Asks the policy again for what the buffer holds, before anything is learnt from it."""

    rollouts = 0

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        buffer = self.model.rollout_buffer
        seen = {
            key: torch.as_tensor(values.reshape(-1, *values.shape[2:]))
            for key, values in buffer.observations.items()
        }
        with torch.no_grad():
            values, log_probs, _ = self.model.policy.evaluate_actions(
                seen, torch.as_tensor(buffer.actions.reshape(-1, 5))
            )
        assert np.std(buffer.values) > 0
        np.testing.assert_allclose(buffer.values.ravel(), values.numpy().ravel(), atol=1e-5)
        np.testing.assert_allclose(buffer.log_probs.ravel(), log_probs.numpy(), atol=1e-4)
        self.rollouts += 1
