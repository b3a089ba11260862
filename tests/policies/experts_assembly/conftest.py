"""Experts at work in assembly cells, on seeds of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from cellwright_envs.assembly.insertion import Insertion

SEED = 7000


def _work(
    env: Insertion[Any],
    expert: Any,
    *,
    episodes: int,
    steps: int = 620,
    first: int = SEED,
    **options: Any,
) -> list[Any]:
    cards = []
    for seed in range(first, first + episodes):
        observation, _ = env.reset(seed=seed, options=options)
        expert.reset(1)
        for _ in range(steps):
            batch = {name: values[None] for name, values in observation.items()}
            observation, _, terminated, _, _ = env.step(expert.act_batch(batch)[0])
            if terminated:
                break
        cards.append(env.scorecard())
    return cards


class _Misled:
    """An expert that takes the fixture to be elsewhere, by the same vector all along an episode."""

    def __init__(self, expert: Any, names: Sequence[str], off_m: tuple[float, float]) -> None:
        self._expert = expert
        self._columns = [names.index("tip_x"), names.index("tip_y")]
        self._off_m = off_m
        self.reset = expert.reset

    def act_batch(self, observations: dict[str, Any]) -> Any:
        truth = np.array(observations["privileged"])
        truth[:, self._columns] += self._off_m
        return self._expert.act_batch({**observations, "privileged": truth})


@pytest.fixture(scope="session")
def misled() -> Callable[..., Any]:
    """An expert, the names of `privileged`, and by how much [m] it takes the fixture to be elsewhere."""
    return _Misled


@pytest.fixture(scope="session")
def work() -> Callable[..., list[Any]]:
    """Scorecards of an expert on the seeds from `first` on."""
    return _work
