"""The seam-tracking unit: stripe images in, the seam between wire and laser out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import turned
from cellwright_perception.seam.look_ahead import LookAhead
from cellwright_perception.seam.measurement import SeamSensor
from cellwright_perception.seam.outlier_gate import OutlierGate
from cellwright_perception.seam.seam_profile import SeamProfile
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_perception.seam.taught_path import SeamFrames

Array = NDArray[np.float64]

PROFILE_POINTS = 8
"""Points of the seam ahead that the tracker gives, from the wire to the laser."""


class SeamTrackingSensor:
    """Turns stripe images into the seam profile between wire and laser, as a seam-tracking unit does."""

    def __init__(self, geometry: SeamSensorGeometry) -> None:
        self._geometry = geometry
        self._sensor = SeamSensor(geometry)
        self._profile = SeamProfile(look_ahead_m=geometry.look_ahead_m, capacity=512)
        self._gate = OutlierGate()
        self._ahead_m = np.linspace(0.0, geometry.look_ahead_m, PROFILE_POINTS)

    def load(self, joint: str, frames: SeamFrames, look_ahead: LookAhead) -> None:
        """Follow another taught path along a `joint` (lap, t_fillet or butt) from now on."""
        self._joint = joint
        self._frames = frames
        self._look_ahead = look_ahead

    def reset(self) -> None:
        self._profile.reset()
        self._gate.reset()

    def window_px(self, path_position_m: float) -> tuple[float, float]:
        """Shift of the stripe window (columns, rows) at `path_position_m` of the taught path."""
        columns, rows = self._look_ahead.window_px[self._frames.index(path_position_m)]
        return float(columns), float(rows)

    def update(
        self,
        stripe: NDArray[np.uint8],
        path_position_m: float,
        window_px: tuple[float, float],
        lateral_m: float,
        height_m: float,
    ) -> None:
        """Measure one frame taken with the torch `lateral_m` and `height_m` off the taught path."""
        ahead = self._look_ahead
        opening_rad = float(ahead.opening_rad[self._frames.index(path_position_m)])
        crossing = ahead.at(path_position_m)
        found = self._sensor.measure(
            stripe, self._joint, window_px=window_px, opening_rad=opening_rad, slant=crossing.slant
        )
        if found.confidence <= 0.0:
            return
        off_m = np.array([found.lateral_m, found.height_m]) - crossing.seam_t
        off_m += turned(crossing.laser_from_torch, (lateral_m, height_m))
        across_m, up_m = turned(crossing.seam_from_laser, off_m).tolist()
        measured = (across_m, up_m, found.gap_m * crossing.gap_fraction)
        if self._gate.passes(*measured):
            self._profile.push(path_position_m + crossing.arc_m, *measured, found.confidence)

    def profile(self, path_position_m: float, lateral_m: float, height_m: float) -> NDArray[np.float32]:
        """The `seam` group (25,): the seam ahead relative to the torch, kind-major, then the confidence."""
        values = self._profile.sample(path_position_m + self._ahead_m)
        out = np.empty(3 * PROFILE_POINTS + 1, dtype=np.float32)
        out[:PROFILE_POINTS] = values[:, 0] - lateral_m
        out[PROFILE_POINTS : 2 * PROFILE_POINTS] = values[:, 1] - height_m
        out[2 * PROFILE_POINTS : -1] = values[:, 2]
        out[-1] = self._profile.confidence
        return out
