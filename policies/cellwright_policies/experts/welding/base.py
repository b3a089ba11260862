"""Helpers of the weld experts: named columns of the programme, and the seam profile."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.seam.line_tracker import PROFILE_POINTS
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_policies.experts.expert import Observations

LOOK_AHEAD_M = SeamSensorGeometry().look_ahead_m


class Programme:
    """Named columns of the `programme` group (n, 14)."""

    def __init__(self, observations: Observations) -> None:
        values = np.asarray(observations["programme"], dtype=np.float64)
        self.joint = values[:, :3].argmax(axis=1)
        self.thickness_m = values[:, 3]
        self.travel_speed_m_s = values[:, 6]
        self.gap_m = values[:, 8]


def profile_at(group: NDArray[Any], ahead_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate the first 8 columns of `group` (n, >= 8), a seam profile, `ahead_m` (n,) before wire."""
    position = np.clip(ahead_m / LOOK_AHEAD_M, 0.0, 1.0) * (PROFILE_POINTS - 1)
    first = np.minimum(position.astype(int), PROFILE_POINTS - 2)
    fraction = position - first
    rows = np.arange(len(group))
    return (1 - fraction) * group[rows, first] + fraction * group[rows, first + 1]
