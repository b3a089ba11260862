"""An episode step by step, for whoever records or shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from numpy.typing import NDArray

from cellwright_train.rollout.cell import Observation


class Step(NamedTuple):
    """One control step: what was seen, what was done, and what came of it."""

    observation: Observation
    """Before the action."""
    action: NDArray[np.float32]
    """As the cell took it, within [-1, 1]."""
    reward: float
    terms: Mapping[str, float]
    """The terms of the reward by name."""
    done: bool
    """Whether the episode ends here."""
    success: bool
    """Whether it ends here with a good part."""


Listener = Callable[[gymnasium.Env[Any, Any], Step], None]
"""Called after each step with the cell, which stands where the step left it."""


class Watched(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A cell that tells listeners of every step."""

    def __init__(self, env: gymnasium.Env[Any, Any], *listeners: Listener) -> None:
        super().__init__(env)
        self._listeners = listeners
        self._seen: Observation = {}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """As the cell's."""
        observation, info = super().reset(seed=seed, options=options)
        self._seen = _copied(observation)
        return observation, info

    def step(self, action: NDArray[np.float32]) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """As the cell's."""
        observation, reward, terminated, truncated, info = super().step(action)
        step = Step(
            observation=self._seen,
            action=np.clip(action, -1.0, 1.0).astype(np.float32),
            reward=float(reward),
            terms=info["reward_terms"],
            done=terminated or truncated,
            success=bool(info["is_success"]),
        )
        self._seen = _copied(observation)
        for listener in self._listeners:
            listener(self.env, step)
        return observation, reward, terminated, truncated, info


def _copied(observation: Observation) -> Observation:
    """A cell may fill the same arrays again."""
    return {name: np.array(values) for name, values in observation.items()}
