"""The taught path: the seam on the drawing, sampled along its length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellwright_assets.arithmetic import inner, length, unit
from cellwright_perception.compiled import compiled

Array = NDArray[np.float64]

STEP_M = 1e-3
LEAD_IN_M = 0.036
"""The part continues this far before the weld starts, so that the sensor sees the joint while approaching."""
RUN_OUT_M = 0.050
"""The path continues this far beyond the weld."""
_FINE_M = 0.25e-3


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

    @classmethod
    def of_curve(
        cls, joint: str, points_w: Array, tangents: Array, normals: Array, upright: Array, length_m: float
    ) -> SeamFrames:
        """Frames of a curve that is sampled every `STEP_M` from `-LEAD_IN_M` on.

        `points_w`, unit `tangents` and unit `normals` of the base plate are (N, 3). `upright` (3,) or (N, 3)
        is where the web of a T-fillet or the edge of a lap points; a butt joint ignores it. `joint` is "lap",
        "t_fillet" or "butt".
        """
        left = np.cross(normals, tangents)
        if joint == "butt":
            base, web, outward = -left, normals, normals
        else:
            base = -left
            web = unit(upright - tangents * inner(tangents, upright)[:, None])
            outward = unit(base + web)
        turning = np.gradient(tangents, STEP_M, axis=0)
        return cls(
            path_position_m=np.arange(len(points_w), dtype=np.float64) * STEP_M - LEAD_IN_M,
            points_w=points_w,
            rotations_w=np.stack([tangents, np.cross(outward, tangents), outward], axis=2),
            base_directions_w=base,
            web_directions_w=web,
            curvature_1_m=inner(turning, np.cross(normals, tangents)),
            length_m=length_m,
        )

    @classmethod
    def taught(
        cls, joint: str, points_w: ArrayLike, normals_w: ArrayLike, upright_w: ArrayLike | None = None
    ) -> SeamFrames:
        """Frames of a seam of which some points are known, from the first weld point to the last.

        `points_w` (K, 3) [m] may lie at any distances; a smooth curve is laid through them and continued
        straight on over lead-in and run-out. `normals_w` (K, 3) are normals of the base plate on the side of
        the weld. `upright_w` (3,) is where the web points, along the normals where it is None. The web, or
        the upper plate of a lap, stands to the left of travel. Raises ValueError where these describe no
        seam.
        """
        points, normals = np.array(points_w, np.float64), np.array(normals_w, np.float64)
        if joint not in ("lap", "t_fillet", "butt"):
            raise ValueError(f"unknown {joint=}, choose one of lap, t_fillet, butt")
        if points.ndim != 2 or points.shape[1] != 3 or len(points) < 2:
            raise ValueError(f"taught points must have shape (2 or more, 3), got {points.shape}")
        if normals.shape != points.shape:
            raise ValueError(f"need a normal for each of {len(points)} points, got {normals.shape}")
        chords = np.diff(points, axis=0)
        if not (np.isfinite(points).all() and np.isfinite(normals).all() and np.all(length(chords) > 1e-6)):
            raise ValueError("taught points and normals must be finite, and neighbouring points apart")
        curve, normals, length_m = _resampled(points, normals, chords)
        tangents = unit(np.gradient(curve, axis=0))
        across = normals - tangents * inner(normals, tangents)[:, None]
        if np.any(length(across) < 0.1 * length(normals)):
            raise ValueError("a normal of the base plate points along the seam")
        upright = normals if upright_w is None else np.asarray(upright_w, np.float64)
        return cls.of_curve(joint, curve, tangents, unit(across), upright, length_m)

    def index(self, path_position_m: float) -> int:
        """Nearest sample at or before `path_position_m`, inside the table."""
        index = int((path_position_m + LEAD_IN_M) / STEP_M)
        return min(max(index, 0), len(self.path_position_m) - 1)

    def place(self, point_w: Array, near_path_position_m: float) -> TorchPlace:
        """Where a point (3,) [m] is; the search begins near a path position."""
        start = (near_path_position_m + LEAD_IN_M) / STEP_M
        sample, lateral_m, height_m = _across(point_w, start, self.points_w, self.rotations_w)
        return TorchPlace(sample * STEP_M - LEAD_IN_M, lateral_m, height_m)


def _resampled(points: Array, normals: Array, chords: Array) -> tuple[Array, Array, float]:
    """Points and normals (N, 3) every `STEP_M` of arc length, lead-in and run-out included, and the length.

    The curve is the cubic through `points` whose slope at each is that of the parabola through it and its
    neighbours.
    """
    knots = np.concatenate([[0.0], np.cumsum(length(chords))])
    slopes = np.gradient(points, knots, axis=0, edge_order=2 if len(points) > 2 else 1)
    at = np.linspace(0.0, knots[-1], max(int(knots[-1] / _FINE_M), 2) + 1)
    piece = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
    span = (knots[piece + 1] - knots[piece])[:, None]
    t = (at - knots[piece])[:, None] / span
    fine = (
        (1.0 + 2.0 * t) * (1.0 - t) ** 2 * points[piece]
        + t * (1.0 - t) ** 2 * span * slopes[piece]
        + t * t * (3.0 - 2.0 * t) * points[piece + 1]
        + t * t * (t - 1.0) * span * slopes[piece + 1]
    )
    fine_normals = (1.0 - t) * normals[piece] + t * normals[piece + 1]
    arc_m = np.concatenate([[0.0], np.cumsum(length(np.diff(fine, axis=0)))])
    length_m = float(arc_m[-1])
    positions = np.arange(round((LEAD_IN_M + length_m + RUN_OUT_M) / STEP_M) + 1) * STEP_M - LEAD_IN_M
    inside = np.clip(positions, 0.0, length_m)
    curve, turned_normals = (
        np.stack([np.interp(inside, arc_m, values[:, axis]) for axis in range(3)], axis=1)
        for values in (fine, fine_normals)
    )
    beyond = (positions - inside)[:, None]
    ends = np.where(beyond < 0.0, unit(fine[1] - fine[0]), unit(fine[-1] - fine[-2]))
    return curve + beyond * ends, turned_normals, length_m


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
