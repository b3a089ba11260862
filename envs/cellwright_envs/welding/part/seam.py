"""The joint of a part in the cell: frames along the seam, deviations from the drawing, mesh."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import length, turned
from cellwright_envs.welding.part.paths import SaddlePath
from cellwright_envs.welding.part.product import WeldProduct
from cellwright_perception.seam.taught_path import LEAD_IN_M, RUN_OUT_M, STEP_M, SeamFrames

Array = NDArray[np.float64]

STATION_M = 2e-3
FLANK_M = 0.03
NOTCH_HALF_WIDTH_M = 0.3e-3
NOTCH_DEPTH_M = 0.5e-3
"""Sheared edges of a butt joint are broken by this notch; without it a closed gap could not be seen.

Engineering assumption.
"""


def seam_frames(product: WeldProduct, origin_w: Array) -> SeamFrames:
    """Lay the drawing's seam out with the middle of its points above `origin_w` (3,) [m]."""
    count = round((LEAD_IN_M + product.path.length_m + RUN_OUT_M) / STEP_M) + 1
    positions = np.arange(count, dtype=np.float64) * STEP_M - LEAD_IN_M
    points, tangents, normals = product.path.frames(positions)
    welded = points[(positions >= 0) & (positions <= product.path.length_m)]
    middle = 0.5 * (welded.min(axis=0) + welded.max(axis=0))
    points = points - [middle[0], middle[1], 0.0] + origin_w
    upright = np.array([0.0, 0.0, 1.0])
    return SeamFrames.of_curve(product.joint, points, tangents, normals, upright, product.path.length_m)


@dataclass(frozen=True, kw_only=True)
class SeamDeviation:
    """How one part differs from its drawing, per sample of `SeamFrames` (N,) unless said otherwise."""

    lateral_m: Array
    """Seam displacement along y_s, the fixture's included."""
    height_m: Array
    """Seam displacement along z_s, the fixture's included."""
    warp_lateral_m: Array
    warp_height_m: Array
    """The part of the displacement that comes from the warp of the workpiece."""
    gap_m: Array
    misalignment_m: Array
    tack_m: Array
    thickness_m: float
    translation_w: Array
    """Fixture displacement (3,) [m]."""
    yaw_rad: float
    """Fixture rotation about the product's middle."""


def deviate(
    frames: SeamFrames,
    origin_w: Array,
    *,
    translation_w: Array,
    yaw_rad: float,
    warp_m: tuple[Array, Array],
    gap_m: Array,
    misalignment_m: Array,
    tack_m: Array,
    thickness_m: float,
) -> SeamDeviation:
    """Combine fixture pose and part shape into displacements across the drawing's seam."""
    rotation = _yaw(yaw_rad)
    moved = turned(rotation, frames.points_w - origin_w) + origin_w + translation_w
    across = turned(frames.rotations_w.transpose(0, 2, 1), moved - frames.points_w)
    return SeamDeviation(
        lateral_m=across[:, 1] + warp_m[0],
        height_m=across[:, 2] + warp_m[1],
        warp_lateral_m=warp_m[0],
        warp_height_m=warp_m[1],
        gap_m=gap_m,
        misalignment_m=misalignment_m,
        tack_m=tack_m,
        thickness_m=thickness_m,
        translation_w=translation_w,
        yaw_rad=yaw_rad,
    )


def _yaw(angle_rad: float) -> Array:
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


@dataclass(frozen=True, kw_only=True)
class SeamMesh:
    """Strips swept along the stations; the vertices of one station lie together, and so do its faces."""

    vertices_w: Array
    """(stations * points, 3)."""
    faces: NDArray[np.int32]
    """(stations - 1) * strips * 2 triangles, numbered from the first station."""
    albedo: Array
    """Per face, 0..1."""
    points_per_station: int
    strips: int
    stations: int

    def window(self, path_position_m: float, before_m: float, after_m: float) -> tuple[int, int]:
        """First and last station that cover `path_position_m - before_m` to `+ after_m`."""
        first = int((path_position_m - before_m + LEAD_IN_M) / STATION_M)
        last = int((path_position_m + after_m + LEAD_IN_M) / STATION_M) + 1
        last = min(max(last, 1), self.stations - 1)
        return min(max(first, 0), last - 1), last


Strip = tuple[Array, Array, float]
"""Two edges, each (stations, 2) in the joint's cross-section [m], and the albedo between them."""

STEEL = 0.55
EDGE = 0.30
TACK = 0.40


def _pairs(first: Array | float, second: Array | float, stations: int) -> Array:
    return np.stack([np.broadcast_to(first, stations), np.broadcast_to(second, stations)], axis=1)


def cross_section(
    product: WeldProduct, gap_m: Array, misalignment_m: Array, tack_m: Array, thickness_m: float
) -> list[Strip]:
    """Strips of the joint per station, in (a, b): a along the base direction, b along the web direction.

    For a butt joint a points to the right of travel and b out of the plates. Every array is (stations,).
    """
    n = len(gap_m)
    if product.joint == "butt":
        half, notch, depth = 0.5 * gap_m, 0.5 * gap_m + NOTCH_HALF_WIDTH_M, NOTCH_DEPTH_M
        left_top, left_notch = misalignment_m, misalignment_m - depth
        return [
            (_pairs(FLANK_M, 0.0, n), _pairs(notch, 0.0, n), STEEL),
            (_pairs(notch, 0.0, n), _pairs(half, -depth, n), EDGE),
            (_pairs(half, -depth, n), _pairs(half, -thickness_m, n), EDGE),
            (_pairs(-half, left_notch - thickness_m, n), _pairs(-half, left_notch, n), EDGE),
            (_pairs(-half, left_notch, n), _pairs(-notch, left_top, n), EDGE),
            (_pairs(-notch, left_top, n), _pairs(-FLANK_M, left_top, n), STEEL),
            (_pairs(2 * tack_m, 0.0, n), _pairs(0.0, tack_m - 1e-6, n), TACK),
            (_pairs(0.0, tack_m - 1e-6, n), _pairs(-2 * tack_m, 0.0, n), TACK),
        ]
    wall_m = thickness_m if product.joint == "lap" else FLANK_M
    far_m = -FLANK_M if product.joint == "lap" else -thickness_m
    base_edges = np.linspace(FLANK_M, 0.0, 5) if isinstance(product.path, SaddlePath) else [FLANK_M, 0.0]
    base = [
        (_pairs(start, 0.0, n), _pairs(end if end > 0 else -gap_m, 0.0, n), STEEL)
        for start, end in pairwise(base_edges)
    ]
    return [
        *base,
        (_pairs(0.0, gap_m, n), _pairs(far_m, gap_m, n), EDGE),
        (_pairs(0.0, gap_m, n), _pairs(0.0, gap_m + wall_m, n), STEEL),
        (_pairs(0.0, gap_m + wall_m, n), _pairs(far_m, gap_m + wall_m, n), STEEL),
        (_pairs(2 * tack_m, 0.0, n), _pairs(0.0, 2 * tack_m, n), TACK),
    ]


def seam_mesh(
    product: WeldProduct, frames: SeamFrames, deviation: SeamDeviation, origin_w: Array
) -> SeamMesh:
    """Sweep the joint's cross-section along the seam as the part really lies."""
    every = round(STATION_M / STEP_M)
    pick = np.arange(0, len(frames.path_position_m), every)
    strips = cross_section(
        product,
        deviation.gap_m[pick],
        deviation.misalignment_m[pick],
        deviation.tack_m[pick],
        deviation.thickness_m,
    )
    section = np.concatenate([np.stack([first, second], axis=1) for first, second, _ in strips], axis=1)
    points = sweep(section, pick, product, frames, deviation, origin_w)
    stations, per_station = points.shape[:2]
    corner = np.arange(len(strips)) * 2
    quads = np.stack([corner, corner + 1, corner + 1 + per_station, corner + per_station], axis=1)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]], axis=1).reshape(-1, 3)
    faces = triangles[None] + (np.arange(stations - 1) * per_station)[:, None, None]
    albedo = np.tile(np.repeat([strip[2] for strip in strips], 2), stations - 1)
    return SeamMesh(
        vertices_w=np.ascontiguousarray(points.reshape(-1, 3)),
        faces=np.ascontiguousarray(faces.reshape(-1, 3).astype(np.int32)),
        albedo=albedo,
        points_per_station=per_station,
        strips=len(strips),
        stations=stations,
    )


def sweep(
    section: Array,
    pick: NDArray[np.intp],
    product: WeldProduct,
    frames: SeamFrames,
    deviation: SeamDeviation,
    origin_w: Array,
) -> Array:
    """Points (stations, points, 3) in the world of a cross-section that follows the seam as the part lies.

    `section` (stations, points, 2) [m] is in (a, b), see `cross_section`; `pick` (stations,) are samples.
    """
    points = frames.points_w[pick, None] + (
        section[..., 0:1] * frames.base_directions_w[pick, None]
        + section[..., 1:2] * frames.web_directions_w[pick, None]
    )
    if isinstance(product.path, SaddlePath):
        points = _onto_main_pipe(points, section, product.path, origin_w)
    rotations = frames.rotations_w[pick]
    points = (
        points
        + (
            deviation.warp_lateral_m[pick, None] * rotations[:, :, 1]
            + deviation.warp_height_m[pick, None] * rotations[:, :, 2]
        )[:, None]
    )
    return turned(_yaw(deviation.yaw_rad), points - origin_w) + origin_w + deviation.translation_w


def _onto_main_pipe(points: Array, section: Array, path: SaddlePath, origin_w: Array) -> Array:
    """Drop the base plate's points (those with b = 0 and a > 0) onto the main pipe's surface."""
    axis = np.array([0.0, origin_w[1], origin_w[2] - path.main_radius_m])
    radial = points - axis
    radial[..., 0] = 0.0
    on_surface = points + radial * (path.main_radius_m / length(radial)[..., None] - 1.0)
    base = (section[..., 1:2] == 0.0) & (section[..., 0:1] > 0.0)
    return np.where(base, on_surface, points)
