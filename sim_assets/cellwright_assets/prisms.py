"""Meshes of prismatic parts and of blocks with a hole of the same outline.

An outline is a closed polygon (K, 2) [m], counter-clockwise, every point of it visible from the origin.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import arctan2, circle_points, length
from cellwright_assets.meshes import Faces, Vertices

Outline = NDArray[np.float64]


def round_outline(radius_m: float, segments: int = 16) -> Outline:
    """Return a regular polygon (segments, 2) [m] that lies on the circle."""
    angle_rad = 2.0 * np.pi * np.arange(segments) / segments
    return np.asarray(radius_m * circle_points(angle_rad))


def regular_outline(across_flats_m: float, sides: int) -> Outline:
    """Return a regular polygon (sides, 2) [m] with one flat facing +x."""
    radius_m = 0.5 * across_flats_m / math.cos(math.pi / sides)
    angle_rad = np.pi * (2.0 * np.arange(sides) + 1.0) / sides
    return np.asarray(radius_m * circle_points(angle_rad))


def keyed_outline(radius_m: float, key_width_m: float, key_reach_m: float, segments: int = 14) -> Outline:
    """Return a circle with a rectangular key that reaches to x = `key_reach_m`."""
    half_m = 0.5 * key_width_m
    open_rad = math.asin(half_m / radius_m)
    angle_rad = np.linspace(open_rad, 2.0 * np.pi - open_rad, segments)
    circle = radius_m * circle_points(angle_rad)
    return np.concatenate([[[key_reach_m, -half_m], [key_reach_m, half_m]], circle])


def prism_mesh(outline: Outline, bottom_m: float, top_m: float) -> tuple[Vertices, Faces]:
    """Return vertices [m] and faces of the closed prism over `outline` from z = `bottom_m` to `top_m`.

    (4 K - 4) triangles, the sides first; vertices are the lower outline (K), then the upper one (K).
    """
    count = len(outline)
    vertices = np.concatenate([_at(outline, bottom_m), _at(outline, top_m)])
    lid = _lid(outline)
    faces = _band(0, count, count) + [(k, j, i) for i, j, k in lid]
    faces += [(count + i, count + j, count + k) for i, j, k in lid]
    return vertices, np.array(faces, dtype=np.int32)


def _lid(outline: Outline) -> list[tuple[int, int, int]]:
    """Return triangles over a simple counter-clockwise polygon: ears cut off all around, again and again.

    They are compact. A fan is as many, but slivers from the middle to the edge of a gear took most of the
    time of drawing it.
    """
    corners = list(range(len(outline)))
    faces = []
    while len(corners) > 3:
        position, before = 0, len(corners)
        while position < len(corners) and len(corners) > 3:
            ear = [corners[position - 1], corners[position], corners[(position + 1) % len(corners)]]
            if _is_ear(outline, ear, corners):
                faces.append((ear[0], ear[1], ear[2]))
                del corners[position]
            position += 1
        if len(corners) == before:
            raise ValueError(f"the outline of {len(outline)} points crosses itself or runs clockwise")
    return [*faces, (corners[0], corners[1], corners[2])]


def _is_ear(outline: Outline, ear: list[int], corners: list[int]) -> bool:
    """Whether a triangle of three neighbouring corners lies in the polygon, with no other corner in it."""
    a, b, c = outline[ear]
    others = outline[[corner for corner in corners if corner not in ear]]
    inside = [_left_of(start, end, others) >= 0.0 for start, end in ((a, b), (b, c), (c, a))]
    return bool(_left_of(a, b, c) > 0.0) and not np.all(inside, axis=0).any()


def _left_of(start: Outline, end: Outline, points: Outline) -> NDArray[np.float64]:
    """Return twice the area (...) between an edge and `points` (..., 2): positive to the left of it."""
    edge, away = end - start, points - start
    return np.asarray(edge[0] * away[..., 1] - edge[1] * away[..., 0])


def holed_block_mesh(
    outline: Outline, *, half_width_m: float, hole_depth_m: float, height_m: float, chamfer_m: float
) -> tuple[Vertices, Faces, slice]:
    """Return vertices [m] and faces of a square block with a blind hole, and the rows of faces in the hole.

    The top lies at z = 0, the hole opens there around the origin, widened by `chamfer_m` (0 for none).
    """
    if not 0.0 < hole_depth_m < height_m:
        raise ValueError(f"need 0 < {hole_depth_m=} < {height_m=}")
    inner = _with_corner_angles(outline)
    widest_m = np.max(np.abs(inner)) + chamfer_m
    if widest_m >= half_width_m:
        raise ValueError(f"a hole reaching to {widest_m} m leaves nothing of {half_width_m=}")
    reach_m = length(inner)[:, None]
    mouth = inner * (1.0 + chamfer_m / reach_m)
    outer = inner * (half_width_m / np.max(np.abs(inner), axis=1, keepdims=True))
    count = len(inner)
    rings = [_at(outer, -height_m), _at(outer, 0.0), _at(mouth, 0.0)]
    rings += [_at(inner, -chamfer_m)] if chamfer_m > 0.0 else []
    rings += [_at(inner, -hole_depth_m)]
    vertices = np.concatenate([*rings, [[0.0, 0.0, -hole_depth_m]]])
    faces = [face for ring in range(2) for face in _band(ring * count, (ring + 1) * count, count)]
    first_inside = len(faces)
    for ring in range(2, len(rings) - 1):
        faces += _band(ring * count, (ring + 1) * count, count)
    last = (len(rings) - 1) * count
    faces += [(len(vertices) - 1, last + k, last + (k + 1) % count) for k in range(count)]
    return vertices, np.array(faces, dtype=np.int32), slice(first_inside, len(faces))


def _at(outline: Outline, height_m: float) -> Vertices:
    return np.column_stack([outline, np.full(len(outline), height_m)])


def _band(lower: int, upper: int, count: int) -> list[tuple[int, int, int]]:
    """Return two triangles for each edge between two rings of `count` vertices."""
    faces = []
    for k in range(count):
        following = (k + 1) % count
        faces += [
            (lower + k, lower + following, upper + following),
            (lower + k, upper + following, upper + k),
        ]
    return faces


def _with_corner_angles(outline: Outline) -> Outline:
    """Return `outline` with points added at 45, 135, 225 and 315 degrees, so that a square fits around it."""
    points = [tuple(point) for point in outline]
    for angle_rad in np.pi * (0.25 + 0.5 * np.arange(4)):
        direction = (math.cos(angle_rad), math.sin(angle_rad))
        for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            edge = end - start
            crossing = direction[0] * edge[1] - direction[1] * edge[0]
            if abs(crossing) < 1e-15:
                continue
            fraction = (start[0] * direction[1] - start[1] * direction[0]) / crossing
            point = start + fraction * edge
            if 1e-6 < fraction < 1.0 - 1e-6 and point[0] * direction[0] + point[1] * direction[1] > 0.0:
                points.append((float(point[0]), float(point[1])))
    added = np.array(points)
    return added[np.argsort(arctan2(added[:, 1], added[:, 0]), kind="stable")]
