"""A task that trains within seconds, with the observation layout of the weld cell, to check an installation.

Importing this module registers the task; `gymnasium.make` does so by itself when given `PROBE_ID`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from cellwright_assets.arithmetic import exp
from cellwright_envs.cell_env import group_space
from cellwright_runtime.vocabulary import Component

PROBE_ID = "cellwright_envs.probe:cellwright-probe/ColumnTracking-v0"
"""What to give to `gymnasium.make`."""

_SIDE_PX = 64
_HALF_WIDTH_PX = 2.0
_RATE_PX = 3.0
_TOLERANCE_PX = 3.0
_GLARE = {"none": 0.0, "mild": 20.0, "train": 40.0, "hard": 80.0}


class ColumnTracking(gym.Env[Any, NDArray[np.float32]]):
    """Keep a bright column, which wanders, in the middle of the picture.

    Action 0 moves the camera by up to 3 px a step; the other four do nothing. Everything but the image is
    zero, so only what reads the image can solve the task. The episode is a success when the column stayed
    within 3 px of the middle over its second half. `set_disturbances` chooses how much noise the image
    carries from the next reset on.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 (as declared by Gymnasium)
    observation_components: ClassVar[dict[str, tuple[Component, ...]]] = {
        "privileged": (
            Component(name="offset", unit="px", low=-_SIDE_PX / 2, high=_SIDE_PX / 2),
            Component(name="drift", unit="px", low=-_RATE_PX, high=_RATE_PX),
        )
    }

    def __init__(
        self, *, privileged: bool = False, episode_steps: int = 60, disturbances: str = "none"
    ) -> None:
        low_dimensional = {"seam": 25, "signals": 42, "programme": 12, "motion": 10}
        boxes: dict[str, spaces.Space] = {"image": spaces.Box(0, 255, (2, _SIDE_PX, _SIDE_PX), np.uint8)}
        boxes |= {key: spaces.Box(-1.0, 1.0, (size,), np.float32) for key, size in low_dimensional.items()}
        if privileged:
            boxes["privileged"] = group_space(self.observation_components["privileged"])
        self.observation_space = spaces.Dict(boxes)
        self.action_space = spaces.Box(-1.0, 1.0, (5,), np.float32)
        self._zeros = {key: np.zeros(size, dtype=np.float32) for key, size in low_dimensional.items()}
        self._privileged = privileged
        self._episode_steps = episode_steps
        self.set_disturbances(disturbances)

    def set_disturbances(self, level: str) -> None:
        """Set the image noise from the next reset on: "none", "mild", "train" or "hard"."""
        if level not in _GLARE:
            raise ValueError(f"unknown disturbances {level!r}; choose from {', '.join(_GLARE)}")
        self._next_glare = _GLARE[level]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Put the column somewhere else, drifting at another speed."""
        super().reset(seed=seed)
        self._glare = self._next_glare
        self._offset_px = float(self.np_random.uniform(-24, 24))
        self._drift_px = float(self.np_random.uniform(-1, 1))
        self._step = 0
        self._misses = 0
        return self._observe(), {}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[dict[str, NDArray[Any]], float, bool, bool, dict[str, Any]]:
        """Move the camera, then the column."""
        self._step += 1
        moved_px = self._offset_px + self._drift_px - _RATE_PX * float(np.clip(action[0], -1, 1))
        self._offset_px = float(np.clip(moved_px, -_SIDE_PX / 2, _SIDE_PX / 2))
        missed = abs(self._offset_px) > _TOLERANCE_PX
        self._misses += int(missed and 2 * self._step > self._episode_steps)
        terms = {
            "centred": float(10.0 ** -((self._offset_px / _TOLERANCE_PX) ** 2)),
            "near": 0.5 - abs(self._offset_px) / _SIDE_PX,
        }
        truncated = self._step >= self._episode_steps
        info: dict[str, Any] = {"reward_terms": terms}
        if truncated:
            info["is_success"] = self._misses == 0
        return self._observe(), sum(terms.values()), False, truncated, info

    def _observe(self) -> dict[str, NDArray[Any]]:
        columns_px = np.arange(_SIDE_PX) - (_SIDE_PX - 1) / 2 - self._offset_px
        line = 200.0 * exp(-0.5 * (columns_px / _HALF_WIDTH_PX) ** 2)
        noise = self.np_random.uniform(0, 1 + self._glare, (2, 1, _SIDE_PX))
        rows = np.clip(line + noise, 0, 255).astype(np.uint8)
        image = np.repeat(rows, _SIDE_PX, axis=1)
        observation: dict[str, NDArray[Any]] = {key: zeros.copy() for key, zeros in self._zeros.items()} | {
            "image": image
        }
        if self._privileged:
            observation["privileged"] = np.array([self._offset_px, self._drift_px], dtype=np.float32)
        return observation


gym.register("cellwright-probe/ColumnTracking-v0", entry_point="cellwright_envs.probe:ColumnTracking")
