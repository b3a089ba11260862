"""Policies that ask for everything that an envelope has to refuse."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Policy = Callable[[np.random.Generator, Array, Array], Iterator[Array]]
"""Of a generator, the tool's pose (6,) at the start, and the half-widths (6,) of where it may be."""


def noise(rng: np.random.Generator, home: Array, reach: Array) -> Iterator[Array]:
    """Another place in every cycle, anywhere in twice the workspace."""
    while True:
        yield home + rng.normal(0.0, 1.0, 6) * reach


def corners(rng: np.random.Generator, home: Array, reach: Array) -> Iterator[Array]:
    """From corner to corner, well outside of the fences, at any moment."""
    while True:
        corner = home + rng.choice([-3.0, 3.0], 6) * reach
        for _ in range(int(rng.integers(1, 400))):
            yield corner


def waves(rng: np.random.Generator, home: Array, reach: Array) -> Iterator[Array]:
    """Sines that leave the fences and come back, from slow to faster than any motor."""
    while True:
        rate, shift, size = rng.uniform(0.002, 0.6, 6), rng.uniform(0.0, 6.3, 6), rng.uniform(0.1, 2.0)
        for number in range(int(rng.integers(50, 1500))):
            yield home + size * reach * np.sin(rate * number + shift)


def ramps(rng: np.random.Generator, home: Array, reach: Array) -> Iterator[Array]:
    """Straight at a fence, faster and faster, then at once the other way."""
    at = home.copy()
    while True:
        direction, speed = rng.normal(0.0, 1.0, 6), 10.0 ** rng.uniform(-5.0, -1.5)
        direction /= np.linalg.norm(direction)
        for number in range(int(rng.integers(20, 500))):
            at = at + direction * reach * speed * (1.0 + 0.02 * number)
            yield at
        at = home + np.clip(at - home, -2.0 * reach, 2.0 * reach)


def stutters(rng: np.random.Generator, home: Array, reach: Array) -> Iterator[Array]:
    """A smooth motion from which single cycles jump away by any order of magnitude."""
    number = 0
    while True:
        number += 1
        target = home + 0.7 * reach * math.sin(0.003 * number)
        if rng.random() < 0.02:
            target = target + rng.normal(0.0, 1.0, 6) * 10.0 ** rng.uniform(-6.0, 6.0)
        yield target


def resonance(rng: np.random.Generator, home: Array, reach: Array) -> Iterator[Array]:
    """Turns round just when the motion has built up its speed, so that it is always changing its mind."""
    while True:
        period, sign = int(rng.integers(4, 120)), rng.choice([-1.0, 1.0], 6)
        for turn in range(int(rng.integers(2, 30))):
            for _ in range(period):
                yield home + (1.0 - 2.0 * (turn % 2)) * sign * reach * 0.9


POLICIES: dict[str, Policy] = {
    each.__name__: each for each in (noise, corners, waves, ramps, stutters, resonance)
}
