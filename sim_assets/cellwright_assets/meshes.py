"""Triangle meshes with outward winding (counter-clockwise seen from outside), and a few ways to make them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellwright_assets.arithmetic import cos, inner, sin, unit


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """Flat-coloured triangles."""

    name: str
    """What the triangles are part of, such as `torch` or `forearm`."""
    vertices: NDArray[np.float64]
    """(N, 3) [m] in the frame that the function returning the mesh names."""
    faces: NDArray[np.int32]
    """(M, 3) indices into `vertices`, counter-clockwise seen from outside."""
    color: tuple[float, float, float]
    """Red, green, blue in 0..1."""


@dataclass(frozen=True, kw_only=True)
class LinkMesh(Mesh):
    """A mesh that moves with one link of a robot; its vertices are in that link's frame."""

    link: int
    """0 for the base, 1..6 for the link that joint 1..6 turns."""


Vertices = NDArray[np.float64]
Faces = NDArray[np.int32]


def box_mesh(size_m: ArrayLike, center_m: ArrayLike = (0.0, 0.0, 0.0)) -> tuple[Vertices, Faces]:
    """Return (8, 3) vertices [m] and (12, 3) faces of an axis-aligned box with edges `size_m` (3,) [m]."""
    size = np.asarray(size_m, dtype=np.float64)
    if size.shape != (3,) or not np.all(size > 0):
        raise ValueError(f"a box needs three edge lengths above 0 m, got {size}")
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))]
    return corners * size + np.asarray(center_m, dtype=np.float64), np.array(faces, dtype=np.int32)


def cylinder_mesh(radius_m: float, length_m: float, segments: int = 12) -> tuple[Vertices, Faces]:
    """Return vertices [m] and faces of a closed cylinder along z, centred on the origin."""
    half_m = 0.5 * length_m
    return tube_mesh([[0.0, 0.0, -half_m], [0.0, 0.0, half_m]], [radius_m, radius_m], segments)


def tube_mesh(points_m: ArrayLike, radii_m: ArrayLike, segments: int) -> tuple[Vertices, Faces]:
    """Return vertices [m] and faces of a closed round tube along a polyline.

    `points_m` (K, 3) is the centre line, `radii_m` (K,) the radius at each of its points; rings lie in the
    planes that halve the bends, so that one call makes a cylinder, a cone frustum, a stepped nozzle or a bent
    neck. (2 K segments - 4) triangles.
    """
    points = np.asarray(points_m, dtype=np.float64)
    radii = np.asarray(radii_m, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or len(points) < 2 or radii.shape != (len(points),):
        raise ValueError(f"need points (K, 3) and radii (K,) with K >= 2, got {points.shape}, {radii.shape}")
    if segments < 3 or not np.all(radii > 0):
        raise ValueError(f"need at least 3 segments and radii above 0 m, got {segments=}, radii {radii}")
    count = len(points)
    vertices = _rings(points, radii, segments).reshape(-1, 3)
    faces: list[tuple[int, int, int]] = []
    for ring in range(count - 1):
        for k in range(segments):
            a, b = ring * segments + k, ring * segments + (k + 1) % segments
            faces += [(a, b, b + segments), (a, b + segments, a + segments)]
    last = (count - 1) * segments
    for k in range(1, segments - 1):
        faces += [(0, k + 1, k), (last, last + k, last + k + 1)]
    return vertices, np.array(faces, dtype=np.int32)


def merge(parts: list[tuple[Vertices, Faces]]) -> tuple[Vertices, Faces]:
    """Join meshes given as (vertices, faces) in one frame into one."""
    offsets = np.cumsum([0] + [len(vertices) for vertices, _ in parts[:-1]])
    faces = [part_faces + offset for (_, part_faces), offset in zip(parts, offsets, strict=True)]
    return np.concatenate([vertices for vertices, _ in parts]), np.concatenate(faces).astype(np.int32)


def _rings(points: Vertices, radii: NDArray[np.float64], segments: int) -> NDArray[np.float64]:
    """Return (K, segments, 3) ring vertices; the rings do not twist against each other."""
    steps = unit(np.diff(points, axis=0))
    side = unit(np.cross(steps[0], np.eye(3)[np.argmin(np.abs(steps[0]))]))
    angle_rad = 2.0 * np.pi * np.arange(segments) / segments
    rings = np.empty((len(points), segments, 3))
    for index in range(len(points)):
        before, after = steps[max(index - 1, 0)], steps[min(index, len(steps) - 1)]
        normal = unit(before + after)
        side = unit(side - inner(side, normal) * normal)
        around = np.outer(cos(angle_rad), side) + np.outer(sin(angle_rad), np.cross(normal, side))
        rings[index] = points[index] + radii[index] * around
    return rings
