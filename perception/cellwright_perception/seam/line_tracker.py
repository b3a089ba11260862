"""The seam-tracking unit with a line of its own: profiles in, the seam between wire and laser out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import turned
from cellwright_perception.seam.line_profile import ProfileSensor
from cellwright_perception.seam.look_ahead import LookAhead
from cellwright_perception.seam.outlier_gate import OutlierGate
from cellwright_perception.seam.seam_map import SeamMap
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_perception.seam.taught_path import SeamFrames
from cellwright_perception.seam.tracker import PROFILE_POINTS

_JUMP_M = 0.6e-3
"""A jump of the seam from one profile to those after it that is larger means that the part was moved: no
joint bends so sharply."""
_SEARCH_M = 5.0e-3
"""Lateral distance from where the joint was seen last within which it is looked for: more than a part is
knocked or laid off its place, less than the field, so that a false line far away is no rival."""
_PERSISTENCE = 5
"""Profiles in a row that have to agree on such a jump."""
_JUMPS_M = (0.8e-3, 0.8e-3, 10e-3)
"""Of lateral, height and gap from the last profiles: the map itself outvotes gaps that jump."""


class LineTracker:
    """Turns profiles into the seam between wire and laser, as `SeamTrackingSensor` does with pictures.

    When the seam jumps and stays there, the part was knocked: what the map holds moves with it.
    """

    def __init__(self, geometry: SeamSensorGeometry, columns: int) -> None:
        self.columns = columns
        self._sensor = ProfileSensor(geometry, columns)
        self.map = SeamMap()
        self._gate = OutlierGate(jumps_m=_JUMPS_M, persistence=_PERSISTENCE)
        self._ahead_m = np.linspace(0.0, geometry.look_ahead_m, PROFILE_POINTS)

    def load(self, joint: str, frames: SeamFrames, look_ahead: LookAhead) -> None:
        """Follow another taught path along a `joint` (lap, t_fillet or butt) from now on."""
        self._joint = joint
        self._frames = frames
        self._look_ahead = look_ahead

    def reset(self) -> None:
        self.map.reset()
        self._gate.reset()
        self._last = 0.0, 0.0
        self._held_back = 0

    def window_px(self, path_position_m: float) -> tuple[float, float]:
        """Shift of the stripe window (columns, rows) at `path_position_m`; the line's field follows it."""
        columns, rows = self._look_ahead.window_px[self._frames.index(path_position_m)]
        return float(columns), float(rows)

    def update(
        self, profile: NDArray[np.float64], path_position_m: float, lateral_m: float, height_m: float
    ) -> None:
        """Measure one profile taken with the torch `lateral_m` and `height_m` off the taught path.

        The joint is looked for around where it was seen last, before that around where the drawing has it.
        """
        ahead = self._look_ahead
        crossing = ahead.at(path_position_m)
        torch_m = turned(crossing.laser_from_torch, (lateral_m, height_m))
        ((a, b), (c, d)), (across_m, up_m) = crossing.seam_from_laser.tolist(), self._last
        middle_m = float(crossing.seam_t[0] - torch_m[0]) + (d * across_m - b * up_m) / (a * d - b * c)
        found = self._sensor.measure(
            profile,
            self._joint,
            opening_rad=float(ahead.opening_rad[self._frames.index(path_position_m)]),
            gap_fraction=crossing.gap_fraction,
            search=(middle_m, _SEARCH_M),
        )
        if found.confidence <= 0.0:
            return
        off_m = np.array([found.lateral_m, found.height_m]) - crossing.seam_t + torch_m
        across_m, up_m = turned(crossing.seam_from_laser, off_m).tolist()
        if not self._gate.passes(across_m, up_m, found.gap_m):
            self._held_back += 1
            return
        if len(self.map) and self._held_back + 1 >= _PERSISTENCE:
            jump_m = across_m - self._last[0], up_m - self._last[1]
            if max(abs(jump_m[0]), abs(jump_m[1])) > _JUMP_M:
                self.map.move(*jump_m)
        self._last, self._held_back = (across_m, up_m), 0
        self.map.push(path_position_m + crossing.arc_m, replace(found, lateral_m=across_m, height_m=up_m))

    def profile(self, path_position_m: float, lateral_m: float, height_m: float) -> NDArray[np.float32]:
        """The `seam` group (41,): the seam ahead relative to the torch, then the confidence of its place.

        Eight each of lateral, height, gap, mismatch and the gap's confidence, from the wire to the laser.
        """
        seam = self.map.sample(path_position_m + self._ahead_m)
        out = np.empty(5 * PROFILE_POINTS + 1, dtype=np.float32)
        kinds = out[:-1].reshape(5, PROFILE_POINTS)
        kinds[:4] = seam.values_m.T
        kinds[0] -= np.float32(lateral_m)
        kinds[1] -= np.float32(height_m)
        kinds[4] = seam.confidence[:, 1]
        out[-1] = seam.confidence[:, 0].sum() / PROFILE_POINTS
        return out
