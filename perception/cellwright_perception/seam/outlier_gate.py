"""Rejects measurements that jump away from what was seen just before, until the jump has lasted."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.compiled import compiled


class OutlierGate:
    """Distinguishes a joint that moved from a reflection that crossed it for a moment.

    A measurement (lateral, height, gap) [m] passes while it stays within `jumps_m` (3,) of the median of the
    last `memory` that passed. One that does not is held back; once `persistence` in a row were held back and
    agree with each other, the joint has moved: the newest passes and the memory starts anew from them.
    """

    def __init__(
        self,
        *,
        jumps_m: tuple[float, float, float] = (0.8e-3, 0.8e-3, 0.8e-3),
        memory: int = 15,
        persistence: int = 10,
    ) -> None:
        if min(jumps_m) <= 0.0 or not 1 <= persistence <= memory:
            raise ValueError(f"need positive {jumps_m=} and 1 <= {persistence=} <= {memory=}")
        self._jumps_m = np.array(jumps_m)
        self._passed = np.zeros((memory, 3))
        self._held = np.zeros((persistence, 3))
        self.reset()

    def reset(self) -> None:
        """Forget everything; the first measurements count as held back until they agree."""
        self._passed_count = self._held_count = 0

    def passes(self, lateral_m: float, height_m: float, gap_m: float) -> bool:
        """Return whether to accept this measurement, and remember it."""
        values = (lateral_m, height_m, gap_m)
        if not all(map(math.isfinite, values)):
            return False
        passed, held = self._passed, self._held
        if self._passed_count:
            known = min(self._passed_count, len(passed))
            if _near_median(passed, known, np.array(values), self._jumps_m):
                passed[self._passed_count % len(passed)] = values
                self._passed_count += 1
                self._held_count = 0
                return True
        held[self._held_count % len(held)] = values
        self._held_count += 1
        wanted = len(held) if self._passed_count else _FIRST
        if self._held_count < wanted or not _agree(held, wanted, self._held_count, self._jumps_m):
            return False
        passed[:wanted] = held[:wanted]
        self._passed_count, self._held_count = wanted, 0
        return True


_FIRST = 3
"""Measurements that have to agree before the first passes."""


@compiled
def _median(rows: NDArray[np.float64], count: int, column: int) -> float:
    """Median of the first `count` rows of a column; for so few, sorting compiles faster than `np.median`."""
    values = np.empty(count)
    for index in range(count):
        place = index
        while place > 0 and values[place - 1] > rows[index, column]:
            values[place] = values[place - 1]
            place -= 1
        values[place] = rows[index, column]
    half = count // 2
    return float(values[half] if count % 2 else (values[half - 1] + values[half]) / 2)


@compiled
def _near_median(
    rows: NDArray[np.float64], count: int, values: NDArray[np.float64], within: NDArray[np.float64]
) -> bool:
    near = True
    for column in range(3):
        near &= abs(_median(rows, count, column) - values[column]) <= within[column]
    return near


@compiled
def _agree(ring: NDArray[np.float64], wanted: int, newest: int, within: NDArray[np.float64]) -> bool:
    """Whether the last `wanted` rows written to `ring` lie within half of `within` of their median."""
    rows = np.empty((wanted, 3))
    for index in range(wanted):
        for column in range(3):
            rows[index, column] = ring[(newest - 1 - index) % ring.shape[0], column]
    for column in range(3):
        middle = _median(rows, wanted, column)
        for index in range(wanted):
            if abs(rows[index, column] - middle) > 0.5 * within[column]:
                return False
    return True
