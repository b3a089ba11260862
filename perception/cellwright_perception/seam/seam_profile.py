"""The delay line between sensor and wire: measurements of the seam ahead, by position along the path."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.compiled import compiled


class SeamProfile:
    """Seam measurements indexed by path position, for a torch that reaches them `look_ahead_m` later.

    Positions, laterals and heights are relative to the taught path, so that they stay true while the torch
    moves; the caller turns them into the torch's frame. A ring of `capacity` measurements, the oldest is
    overwritten.
    """

    def __init__(self, look_ahead_m: float, capacity: int = 256) -> None:
        if not look_ahead_m > 0:
            raise ValueError(f"need a positive {look_ahead_m=}")
        if capacity < 2:
            raise ValueError(f"need {capacity=} of at least 2 measurements")
        self.look_ahead_m = look_ahead_m
        self._ring = np.zeros((capacity, 5))
        self._count = 0
        self._confidence = 0.0

    def __len__(self) -> int:
        return min(self._count, len(self._ring))

    @property
    def confidence(self) -> float:
        """Mean confidence 0..1 of the positions of the last `sample`; held and unseen ones count 0."""
        return self._confidence

    def reset(self) -> None:
        """Forget every measurement."""
        self._count = 0
        self._confidence = 0.0

    def push(
        self, path_position_m: float, lateral_m: float, height_m: float, gap_m: float, confidence: float
    ) -> None:
        """Add what was measured at `path_position_m`; a confidence of 0 or a NaN measures nothing.

        Positions must grow. One that does not (the torch stood still or went back) replaces what was measured
        at and beyond it.
        """
        values = (path_position_m, lateral_m, height_m, gap_m, confidence)
        if not confidence > 0.0 or not all(map(math.isfinite, values)):
            return
        capacity = len(self._ring)
        while len(self) and self._ring[(self._count - 1) % capacity, 0] >= path_position_m:
            self._count -= 1
            self._count = max(self._count, 0)
        self._ring[self._count % capacity] = values
        self._count += 1

    def sample(self, path_positions_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (lateral, height, gap) [m], shape (N, 3), at the increasing `path_positions_m` (N,) [m].

        Linear between measurements. Beyond the newest or before the oldest one, the nearest is held; before
        the first measurement everything is 0.
        """
        positions = np.ascontiguousarray(path_positions_m, dtype=np.float64)
        if positions.ndim != 1:
            raise ValueError(f"path positions must have shape (N,), got {positions.shape}")
        values = np.zeros((len(positions), 3))
        self._confidence = _interpolate(self._ring, self._count, positions, values)
        return values


@compiled
def _interpolate(
    ring: NDArray[np.float64], count: int, positions: NDArray[np.float64], values: NDArray[np.float64]
) -> float:
    """Fill `values` (N, 3) from the last measurements of `ring` and return the mean confidence."""
    capacity = ring.shape[0]
    if count == 0 or len(positions) == 0:
        return 0.0
    oldest = max(count - capacity, 0)
    total = 0.0
    for i in range(len(positions)):
        low, high = oldest, count - 1
        if positions[i] <= ring[low % capacity, 0]:
            high = low
        elif positions[i] >= ring[high % capacity, 0]:
            low = high
        else:
            while high - low > 1:
                middle = (low + high) // 2
                if ring[middle % capacity, 0] <= positions[i]:
                    low = middle
                else:
                    high = middle
        before, after = ring[low % capacity], ring[high % capacity]
        span = after[0] - before[0]
        fraction = (positions[i] - before[0]) / span if span > 0.0 else 0.0
        for k in range(3):
            values[i, k] = before[k + 1] + fraction * (after[k + 1] - before[k + 1])
        if low != high or positions[i] == before[0]:
            total += before[4] + fraction * (after[4] - before[4])
    return total / len(positions)
