"""The seam-tracking unit: profiles of the laser line in, the seam between wire and laser out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import turned
from cellwright_perception.seam.line_profile import LineMeasurement, ProfileSensor
from cellwright_perception.seam.look_ahead import LookAhead
from cellwright_perception.seam.seam_map import SeamMap
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_perception.seam.taught_path import SeamFrames

PROFILE_POINTS = 8
"""Points of the seam ahead that the tracker gives, from the wire to the laser."""
_JUMP_M = 0.4e-3
"""Distance from the seam that the map holds, sideways or in height, beyond which a profile is doubted: no
joint bends so sharply."""
_FARTHEST_M = (2.0e-3, 1.2e-3)
"""Most that a part is knocked aside and up or down; beyond it, something else was measured."""
_SCATTER_M = 0.25e-3
"""Distance within which doubted profiles agree with the one before."""
_SAME_GAP_M, _GAP_KNOWN = 0.3e-3, 0.5
"""A part that was knocked keeps its gap within this, where both gaps have this confidence."""
_MAP_KNOWN = 0.2
"""Confidence of the map below which it holds nothing to compare with."""
_SEARCH_M = 5.0e-3
"""Lateral distance from where the joint was seen last within which it is looked for: more than a part is
knocked or laid off its place, less than the field, so that a false line far away is no rival."""
_PERSISTENCE = 8
"""Profiles in a row that have to agree before the part counts as knocked: a glint or a tack holds fewer."""
_PERSISTENCE_UNKNOWN = 25
"""The same beyond what the map holds, as after a long tack, where a wrong place is soon all that is known."""
_PERSISTENCE_RIVAL = 25
"""The same where the part cannot have been knocked so: the map itself was wrong then, and begins anew."""
_FIRST = 5
"""The same before anything is known."""
_SURE = {"butt": (0.35, 0.35), "lap": (0.0, 0.35), "t_fillet": (0.0, 0.0)}
"""Least confidence of the gap, and of gap or place, whichever is more, at which a profile counts. Of the
profiles that lock onto a tack or a glint, 19 of 20 in butts have less, and one of ten of the others."""


class LineTracker:
    """Turns profiles into the seam between wire and laser.

    When the seam jumps and stays there, the part was knocked: what the map holds moves with it.
    """

    def __init__(self, geometry: SeamSensorGeometry, columns: int) -> None:
        self.columns = columns
        self._sensor = ProfileSensor(geometry, columns)
        self.map = SeamMap()
        self._ahead_m = np.linspace(0.0, geometry.look_ahead_m, PROFILE_POINTS)

    def load(self, joint: str, frames: SeamFrames, look_ahead: LookAhead) -> None:
        """Follow another taught path along a `joint` (lap, t_fillet or butt) from now on."""
        self._joint = joint
        self._frames = frames
        self._look_ahead = look_ahead

    def reset(self) -> None:
        self.map.reset()
        self._last = 0.0, 0.0
        self._doubted: list[tuple[float, float]] = []
        self._rivals: list[tuple[float, float]] = []

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
        least_gap, least = _SURE[self._joint]
        if (
            found.confidence <= 0.0
            or found.gap_confidence < least_gap
            or max(found.confidence, found.gap_confidence) < least
        ):
            return
        off_m = np.array([found.lateral_m, found.height_m]) - crossing.seam_t + torch_m
        across_m, up_m = turned(crossing.seam_from_laser, off_m).tolist()
        place_m = path_position_m + crossing.arc_m
        if self._believed(place_m, across_m, up_m, found):
            self._last = across_m, up_m
            self.map.push(place_m, replace(found, lateral_m=across_m, height_m=up_m))

    def _believed(self, place_m: float, across_m: float, up_m: float, found: LineMeasurement) -> bool:
        """Whether a profile fits what the map holds, moving the map where the part was knocked.

        The first profiles count once some in a row agree. Beyond what the map holds, the seam is compared
        with where it was last.
        """
        if not len(self.map):
            return _agreed(self._doubted, (across_m, up_m), _FIRST)
        held = self.map.sample(np.array([place_m]))
        known = held.confidence[0, 0] >= _MAP_KNOWN
        lateral_m, height_m = held.values_m[0, :2].tolist() if known else self._last
        off_m = across_m - lateral_m, up_m - height_m
        if max(abs(off_m[0]), abs(off_m[1])) <= _JUMP_M:
            self._doubted.clear()
            self._rivals.clear()
            return True
        sure = min(found.gap_confidence, float(held.confidence[0, 1])) >= _GAP_KNOWN
        other_gap = sure and abs(found.gap_m - float(held.values_m[0, 2])) > _SAME_GAP_M
        if other_gap or any(abs(off) > most for off, most in zip(off_m, _FARTHEST_M, strict=True)):
            if not _agreed(self._rivals, off_m, _PERSISTENCE_RIVAL):
                return False
            self.map.reset()  # it was wrong from the start
            return True
        if not _agreed(self._doubted, off_m, _PERSISTENCE if known else _PERSISTENCE_UNKNOWN):
            return False
        self.map.move(*off_m)
        return True

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


def _agreed(places_m: list[tuple[float, float]], newest_m: tuple[float, float], wanted: int) -> bool:
    """Whether so many doubted profiles in a row, `newest_m` the last, found the same place.

    `places_m` are those before; it is emptied once they are enough, or where the newest is elsewhere.
    """
    if places_m and math.dist(newest_m, places_m[-1]) > _SCATTER_M:
        places_m.clear()
    places_m.append(newest_m)
    if len(places_m) < wanted:
        return False
    places_m.clear()
    return True
