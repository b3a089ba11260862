"""Which cells meet which disturbances, and when they meet harder ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stable_baselines3.common.vec_env import VecEnv


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Disturbance levels that train side by side, each on a share of the cells."""

    levels: tuple[str, ...]
    """Names that the environment's `set_disturbances` knows."""
    shares: tuple[float, ...]
    """Share of the cells for each level; they add up to 1."""

    def __post_init__(self) -> None:
        if len(self.levels) != len(self.shares) or not self.levels:
            raise ValueError(f"need one share for each level, got {self.levels=} {self.shares=}")
        if min(self.shares) < 0 or abs(sum(self.shares) - 1.0) > 1e-6:
            raise ValueError(f"shares must add up to 1, got {self.shares=}")

    def assign(self, cells: int) -> list[str]:
        """Return the level of each cell, spread so that every worker gets its part of each level."""
        counts = [0] * len(self.levels)
        assigned = []
        for cell in range(cells):
            owed = [share * (cell + 1) - count for share, count in zip(self.shares, counts, strict=True)]
            chosen = owed.index(max(owed))
            counts[chosen] += 1
            assigned.append(self.levels[chosen])
        return assigned


UNDISTURBED = Mixture(levels=("none",), shares=(1.0,))


@dataclass(frozen=True, kw_only=True)
class CurriculumConfig:
    """Mixtures from easy to hard."""

    mixtures: tuple[Mixture, ...] = (UNDISTURBED,)
    """What cells meet, stage by stage."""
    promote_at: float = 0.8
    """Success rate over the recent episodes of a stage that leads to the next stage."""
    window_episodes: int = 64
    """How many episodes count as recent."""
    longest_stage_steps: int = 300_000
    """Steps after which the next stage starts in any case."""


class Curriculum:
    """Follows success and moves the cells from one mixture to the next."""

    def __init__(self, config: CurriculumConfig, env: VecEnv) -> None:
        self._config = config
        self._env = env
        self.stage = 0
        self.stage_started_at = 0
        self._recent: deque[bool] = deque(maxlen=config.window_episodes)
        self.levels: list[str] = []

    def apply(self) -> None:
        """Give each cell the level of the present stage, from its next reset on."""
        self.levels = self._config.mixtures[self.stage].assign(self._env.num_envs)
        set_levels(self._env, self.levels)

    def record(self, success: bool) -> None:
        """Count a finished training episode."""
        self._recent.append(success)

    def update(self, steps: int) -> bool:
        """Go to the next stage if it is time; say whether the stage changed."""
        full = len(self._recent) == self._config.window_episodes
        mastered = full and sum(self._recent) >= self._config.promote_at * len(self._recent)
        overdue = steps - self.stage_started_at >= self._config.longest_stage_steps
        if self.stage + 1 == len(self._config.mixtures) or not (mastered or overdue):
            return False
        self.stage += 1
        self.stage_started_at = steps
        self._recent.clear()
        self.apply()
        return True

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON."""
        started = self.stage_started_at
        return {"stage": self.stage, "stage_started_at": started, "recent": list(self._recent)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.stage = state["stage"]
        self.stage_started_at = state["stage_started_at"]
        self._recent.extend(state["recent"])
        self.apply()


def set_levels(env: VecEnv, levels: Sequence[str]) -> None:
    """Give cell i the disturbances `levels[i]` from its next reset on."""
    for level in dict.fromkeys(levels):
        cells = [cell for cell, own in enumerate(levels) if own == level]
        env.env_method("set_disturbances", level, indices=cells)
