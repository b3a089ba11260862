"""The taught path: the seam on the drawing, sampled along its length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.compiled import compiled

Array = NDArray[np.float64]

STEP_M = 1e-3
LEAD_IN_M = 0.036
"""The part continues this far before the weld starts, so that the sensor sees the joint while approaching."""


class TorchPlace(NamedTuple):
    """Where a torch is, relative to the taught path."""

    path_position_m: float
    """Along the path, from the start of the seam."""
    lateral_m: float
    """+ to the left of travel."""
    height_m: float
    """+ away from the work."""


@dataclass(frozen=True, kw_only=True)
class SeamFrames:
    """The seam on the drawing, every `STEP_M` from `-LEAD_IN_M`; all arrays in world coordinates."""

    path_position_m: Array
    points_w: Array
    rotations_w: Array
    """(N, 3, 3); columns are x tangent, y left, z outward bisector."""
    base_directions_w: Array
    """(N, 3) along the base plate's surface, away from the joint."""
    web_directions_w: Array
    """(N, 3) up the web's face; for a butt joint the plates' common normal."""
    curvature_1_m: Array
    length_m: float

    def index(self, path_position_m: float) -> int:
        """Nearest sample at or before `path_position_m`, inside the table."""
        index = int((path_position_m + LEAD_IN_M) / STEP_M)
        return min(max(index, 0), len(self.path_position_m) - 1)

    def place(self, point_w: Array, near_path_position_m: float) -> TorchPlace:
        """Where a point (3,) [m] is; the search begins near a path position."""
        start = (near_path_position_m + LEAD_IN_M) / STEP_M
        sample, lateral_m, height_m = _across(point_w, start, self.points_w, self.rotations_w)
        return TorchPlace(sample * STEP_M - LEAD_IN_M, lateral_m, height_m)


def along(profile: Array, path_position_m: float) -> float:
    """Value of a per-sample `profile` (N,) at a path position, linear between samples."""
    position = (path_position_m + LEAD_IN_M) / STEP_M
    index = min(max(int(position), 0), len(profile) - 2)
    fraction = position - index
    return float((1.0 - fraction) * profile.item(index) + fraction * profile.item(index + 1))


@compiled
def _across(point: Array, start: float, points: Array, seam_rotations: Array) -> tuple[float, float, float]:
    """Path sample (fractional), lateral and height [m] of `point` (3,) relative to the path."""
    index = min(max(int(start), 0), points.shape[0] - 2)
    ahead = 0.0
    for _ in range(4):
        ahead = 0.0
        for i in range(3):
            ahead += (point[i] - points[index, i]) * seam_rotations[index, i, 0]
        moved = min(max(index + int(np.floor(ahead / STEP_M)), 0), points.shape[0] - 2)
        if moved == index:
            break
        # Beside a curve two neighbouring samples may each send the search to the other: keep the last one.
        ahead -= (moved - index) * STEP_M
        index = moved
    fraction = min(max(ahead / STEP_M, 0.0), 1.0)
    lateral_m = height_m = 0.0
    here, there = seam_rotations[index], seam_rotations[index + 1]
    for i in range(3):
        away = point[i] - ((1 - fraction) * points[index, i] + fraction * points[index + 1, i])
        lateral_m += away * ((1 - fraction) * here[i, 1] + fraction * there[i, 1])
        height_m += away * ((1 - fraction) * here[i, 2] + fraction * there[i, 2])
    return index + ahead / STEP_M, lateral_m, height_m
