"""Experts at work in assembly cells, on seeds of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


@pytest.fixture(scope="session")
def work() -> Callable[..., list[Any]]:
    """Scorecards of an expert on the seeds from `first` on."""
    return _work
