"""Time a quick picture (`render`) and a fine one (`picture`) of every environment.

python -m tools.picture_time
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

import cellwright_envs

STEPS = 20
TRIES = 5


def least_cpu_s(take: Callable[[], Any]) -> float:
    """Least processor time [s] of several calls, which a loaded machine disturbs little."""
    times_s = []
    for _ in range(TRIES):
        begin_s = time.process_time()
        take()
        times_s.append(time.process_time() - begin_s)
    return min(times_s)


def main() -> None:
    """Print one line an environment."""
    for env_id in cellwright_envs.ENVIRONMENTS:
        cell: Any = gymnasium.make(env_id, render_mode="rgb_array").unwrapped
        cell.reset(seed=1)
        for _ in range(STEPS):
            cell.step(np.zeros(cell.action_space.shape, np.float32))
        print(f"{env_id:<36} quick {least_cpu_s(cell.render):.3f} s, fine {least_cpu_s(cell.picture):.2f} s")
        cell.close()


if __name__ == "__main__":
    main()
