"""The pool of cells as a vector environment of Stable-Baselines3."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices

from cellwright_envs.vector.pool import CellPool


class PoolVecEnv(VecEnv):
    """Stable-Baselines3's `VecEnv` over a `CellPool`, which it closes.

    Where an episode ends, `info["terminal_observation"]` is its last observation, `info["episode"]` holds
    return, length and age as `Monitor` reports them, and `info["TimeLimit.truncated"]` is whether the time
    limit ended it.
    """

    def __init__(self, pool: CellPool) -> None:
        self.pool = pool
        self._started_s = time.monotonic()
        super().__init__(pool.num_envs, pool.single_observation_space, pool.single_action_space)

    @classmethod
    def make(cls, env_id: str, *, cells: int = 16, workers: int = 2, **env_kwargs: Any) -> PoolVecEnv:
        """Cover a pool of `cells` environments registered as `env_id`, each with `env_kwargs`."""
        return cls(CellPool.make(env_id, cells=cells, workers=workers, **env_kwargs))

    def reset(self) -> dict[str, NDArray[Any]]:
        """Reset every cell; cell i gets the seed that `seed` was given, plus i."""
        options = [each or None for each in self._options]
        observations, self.reset_infos = self.pool.reset_cells(self._seeds, options)
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: NDArray[Any]) -> None:
        """Have the workers step their cells with `actions` (cells, action size)."""
        self.pool.send(actions)

    def step_wait(self) -> tuple[dict[str, NDArray[Any]], NDArray[Any], NDArray[Any], list[dict[str, Any]]]:
        """Wait for the step and return observations, rewards (cells,), dones (cells,) and infos."""
        step = self.pool.receive()
        cut_off = step.truncations & ~step.terminations
        for info, truncated in zip(step.infos, cut_off.tolist(), strict=True):
            info["TimeLimit.truncated"] = truncated
        for cell, ended in step.ended.items():
            self.reset_infos[cell] = ended.reset_info
            step.infos[cell]["terminal_observation"] = ended.observation
            step.infos[cell]["episode"] = {
                "r": round(ended.total_reward, 6),
                "l": ended.steps,
                "t": round(time.monotonic() - self._started_s, 6),
            }
        return step.observations, step.rewards, step.terminations | step.truncations, step.infos

    def close(self) -> None:
        """End the workers; calling it again does nothing."""
        self.pool.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return attribute `attr_name` of each cell at `indices`."""
        if attr_name == "render_mode":  # asked by the base class's constructor
            return [self.pool.render_mode] * len(self.pool.listed(indices))
        return self.pool.get_attr(attr_name, indices)

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set attribute `attr_name` of each cell at `indices` to `value`."""
        self.pool.set_attr(attr_name, value, indices)

    def limit_episodes(self, steps: int | None, indices: VecEnvIndices = None) -> None:
        """Cut episodes of the cells at `indices` off after `steps` control steps; None ends that."""
        self.pool.limit_episodes(steps, indices)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call method `method_name` of each cell at `indices` and return the results."""
        return self.pool.call(method_name, *method_args, indices=indices, **method_kwargs)

    def env_is_wrapped(self, wrapper_class: type[gym.Wrapper], indices: VecEnvIndices = None) -> list[bool]:
        """Say for each cell at `indices` whether it is wrapped in `wrapper_class`."""
        return self.pool.is_wrapped(wrapper_class, indices)

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """Return a picture of each cell."""
        return self.pool.render()
