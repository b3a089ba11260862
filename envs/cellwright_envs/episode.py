"""What one episode is made of: random streams, what it draws, and the data from which it can be repeated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Streams:
    """Independent generators, so that switching one consumer off leaves the others' draws as they were."""

    task: np.random.Generator
    disturbance: np.random.Generator
    process: np.random.Generator
    sensors: np.random.Generator


@dataclass(frozen=True, kw_only=True, eq=False)
class EpisodeState:
    """An episode up to one moment: plain data from which the episode can be repeated, in any process."""

    task: str
    """Name of the environment's class."""
    config: Any
    generator: np.random.Generator
    """The environment's, as it was before the episode began."""
    products: tuple[Any, ...]
    disturbances: Any
    actions: tuple[NDArray[np.float32], ...]
    """Those taken so far."""


def drawn(
    generator: np.random.Generator, products: tuple[Any, ...], disturbances: Any
) -> tuple[Streams, Any, Any]:
    """Streams of an episode, its product, and its disturbances as drawn."""
    streams = Streams(**dict(zip(Streams.__dataclass_fields__, generator.spawn(4), strict=True)))
    product = products[int(streams.task.integers(len(products)))]
    return streams, product, disturbances.draw(streams.disturbance)
