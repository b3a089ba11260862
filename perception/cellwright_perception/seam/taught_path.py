"""The taught path: the seam on the drawing, sampled along its length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEP_M = 1e-3
LEAD_IN_M = 0.036
"""The part continues this far before the weld starts, so that the sensor sees the joint while approaching."""


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


def along(profile: Array, path_position_m: float) -> float:
    """Value of a per-sample `profile` (N,) at a path position, linear between samples."""
    position = (path_position_m + LEAD_IN_M) / STEP_M
    index = min(max(int(position), 0), len(profile) - 2)
    share = position - index
    return float((1.0 - share) * profile.item(index) + share * profile.item(index + 1))
