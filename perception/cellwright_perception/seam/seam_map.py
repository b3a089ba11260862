"""The map of the seam ahead: each profile's measurement by its place, and what neighbours agree on."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.compiled import compiled
from cellwright_perception.seam.line_profile import LineMeasurement

Array = NDArray[np.float64]

QUANTITIES = ("lateral", "height", "gap", "mismatch")
_COUNT = len(QUANTITIES)
_REACHES_M = np.array([2.0e-3, 5.0e-3, 14.0e-3, 60.0e-3])
"""Distances [m] within which measurements are asked for one place: the next one only where the last has too
few, as under a tack, which is 10 to 20 mm long."""
_LEAD_IN_M = 60.0e-3
"""Distance [m] before the first measurement at which nothing is known of the seam. A part lies off its place
there by as much as at the seam's start, and the torch has to be in place when the arc strikes."""
_TRUST = np.array([1.0, 0.6, 0.3, 0.1])
"""Confidence at most with each of these."""
_STIFF = np.array([0.02, 0.05, 0.1, 1.0])
"""Weight of the assumption that nothing changes along the path, which keeps a line through few level."""
_ENOUGH = 2.5
"""Weight of the measurements that is enough: so many sure ones, beside the place."""
_GATES = np.array([4.0, 2.0, 1.0])
"""Of the distance `_APART_M` beyond which a measurement does not count, for each pass after the first."""
_APART_M = np.array([0.4e-3, 0.4e-3, 0.3e-3, 0.3e-3])
"""For each quantity [m]: a few times the scatter of one profile."""
_AGREE_M = np.array([0.15e-3, 0.15e-3, 0.12e-3, 0.12e-3])
"""Scatter about the fit at which half is believed [m]."""
_STEEPEST = np.array([0.3, 0.3, 0.1, 0.1])
"""Most that a quantity changes per metre of path [m/m]."""


class MapSample(NamedTuple):
    """The seam at some places of the path, relative to the taught path."""

    values_m: Array
    """(N, 4): lateral, height, gap and mismatch [m]."""
    confidence: Array
    """(N, 2): of the place (lateral, height, mismatch) and of the gap, 0..1."""


class SeamMap:
    """Keeps measurements by path position and answers what most near a place agree on.

    A gap changes over tens of millimetres, a profile comes every few tenths of one: each answer is a robust
    line through the measurements up to 2 mm away (Tukey's weights), so that a profile with spatter in it is
    outvoted. Where too few are near, as beside a tack, those farther away are asked, with less confidence.
    """

    def __init__(self, capacity: int = 512) -> None:
        if capacity < 8:
            raise ValueError(f"need {capacity=} of at least 8 measurements")
        self._ring = np.zeros((capacity, 1 + _COUNT + 2))
        self._count = 0

    def __len__(self) -> int:
        return min(self._count, len(self._ring))

    def reset(self) -> None:
        """Forget every measurement."""
        self._count = 0

    def push(self, path_position_m: float, found: LineMeasurement) -> None:
        """Add what was measured at `path_position_m`; a confidence of 0 or what is not finite adds nothing.

        Laterals and heights in `found` are relative to the taught path. Positions must grow: one that does
        not (the torch stood still or went back) replaces what was measured at and beyond it.
        """
        row = (
            path_position_m,
            found.lateral_m,
            found.height_m,
            found.gap_m,
            found.mismatch_m,
            found.confidence,
            found.gap_confidence,
        )
        if not found.confidence > 0.0 or not all(map(math.isfinite, row)):
            return
        capacity = len(self._ring)
        while self._count and self._ring[(self._count - 1) % capacity, 0] >= path_position_m:
            self._count -= 1
        self._ring[self._count % capacity] = row
        self._count += 1

    def move(self, lateral_m: float, height_m: float) -> None:
        """The whole part has moved: so have all places that were measured before."""
        self._ring[:, 1] += lateral_m
        self._ring[:, 2] += height_m

    def sample(self, path_positions_m: Array) -> MapSample:
        """The seam at `path_positions_m` (N,) [m]; zeros, with confidence 0, where nothing is known.

        Beyond the first and the last measurement the nearest line is held, with less confidence the farther
        away it is.
        """
        positions = np.ascontiguousarray(path_positions_m, dtype=np.float64)
        if positions.ndim != 1:
            raise ValueError(f"path positions must have shape (N,), got {positions.shape}")
        values, confidence = np.zeros((len(positions), _COUNT)), np.zeros((len(positions), 2))
        _fit_all(self._ring, self._count, positions, values, confidence)
        return MapSample(values, confidence)


@compiled
def _first_at(ring: Array, oldest: int, count: int, position_m: float) -> int:
    """Number of the first measurement at or beyond a position, `count` where there is none."""
    low, high = oldest, count
    while low < high:
        middle = (low + high) // 2
        if ring[middle % ring.shape[0], 0] < position_m:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _line(
    ring: Array, first: int, last: int, quantity: int, position_m: float, reach: int, out: Array
) -> None:
    """Fill `out`: value at a position [m], weight of the measurements that agree, their rms [m].

    A robust line through quantity number `quantity` of the measurements from `first` up to `last`.
    """
    trust = 6 if quantity == 2 else 5
    reach_m = _REACHES_M[reach]
    value = slope = agreeing = rms_m = 0.0
    for turn in range(1 + len(_GATES)):
        gate_m = _GATES[max(turn - 1, 0)] * _APART_M[quantity]
        w = wt = wv = wtt = wtv = wrr = 0.0
        for number in range(first, last):
            row = ring[number % ring.shape[0]]
            if row[trust] <= 0.0:
                continue
            away = (row[0] - position_m) / reach_m
            near = 1.0 - away * away
            weight = near * near * row[trust]
            if turn > 0:
                off = (row[1 + quantity] - value - slope * away) / gate_m
                agrees = 1.0 - off * off
                weight *= agrees * agrees if agrees > 0.0 else 0.0
                wrr += weight * (off * gate_m) * (off * gate_m)
            w += weight
            wt += weight * away
            wtt += weight * away * away
            wv += weight * row[1 + quantity]
            wtv += weight * away * row[1 + quantity]
        if w <= 1e-9:
            break
        agreeing, rms_m = w, math.sqrt(wrr / w)
        steepest = _STEEPEST[quantity] * reach_m
        slope = (wtv - wt * wv / w) / (wtt - wt * wt / w + _STIFF[reach])
        slope = min(max(slope, -steepest), steepest)
        value = (wv - slope * wt) / w
    out[0], out[1], out[2] = value, agreeing, rms_m


@compiled
def _fit_all(ring: Array, count: int, positions: Array, values: Array, confidence: Array) -> None:
    """Fill `values` (N, 4) and `confidence` (N, 2) from the last measurements of `ring`."""
    oldest = max(count - ring.shape[0], 0)
    if count == oldest:
        return
    start_m, end_m = ring[oldest % ring.shape[0], 0], ring[(count - 1) % ring.shape[0], 0]
    fit = np.zeros(3)
    for place in range(len(positions)):
        held_m = min(max(positions[place], start_m), end_m)
        reach_m = _LEAD_IN_M if positions[place] < start_m else _REACHES_M[1]
        known = 1.0 - min(abs(positions[place] - held_m) / reach_m, 1.0)
        for quantity in range(_COUNT):
            sure = 0.0
            for reach in range(len(_REACHES_M)):
                reach_m = _REACHES_M[reach]
                first = _first_at(ring, oldest, count, held_m - reach_m)
                last = _first_at(ring, first, count, held_m + reach_m)
                _line(ring, first, last, quantity, held_m, reach, fit)
                scatter = fit[2] / _AGREE_M[quantity]
                sure = min(fit[1] / _ENOUGH, 1.0) * _TRUST[reach] / (1.0 + scatter * scatter)
                if fit[1] >= _ENOUGH:
                    break
            values[place, quantity] = fit[0]
            column = 1 if quantity == 2 else 0
            if quantity in (0, 2):
                confidence[place, column] = sure * known
            elif quantity == 1:
                confidence[place, column] = min(confidence[place, column], sure * known)
