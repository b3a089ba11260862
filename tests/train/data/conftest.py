"""Small episodes without a cell."""

from collections.abc import Callable

import numpy as np
import pytest

from cellwright_train.data.episode import EpisodeLayout, RecordedEpisode


@pytest.fixture(scope="session")
def layout() -> EpisodeLayout:
    return EpisodeLayout(
        rate_hz=20.0,
        image_size_px=8,
        views=("hand", "fixed"),
        groups={"pose": ("x", "y"), "limit": ("force",)},
        actions=("x", "y"),
    )


@pytest.fixture(scope="session")
def episode() -> Callable[[int], RecordedEpisode]:
    """The episode of a number: another length, task and content for each."""

    def make(number: int) -> RecordedEpisode:
        rng = np.random.default_rng(number)
        steps = 4 + number % 3
        last = np.arange(steps) == steps - 1
        return RecordedEpisode(
            images=rng.integers(0, 256, (steps, 2, 8, 8), dtype=np.uint8),
            state=rng.normal(size=(steps, 3)).astype(np.float32),
            actions=rng.uniform(-1, 1, (steps, 2)).astype(np.float32),
            rewards=rng.normal(size=steps).astype(np.float32),
            dones=last,
            successes=last & (number % 2 == 0),
            task=f"fit the peg {number % 2}",
            facts={"made_by": {"policy": "nobody"}, "good": number % 2 == 0, "result": {"seed": number}},
        )

    return make
