"""Draws a cell in flat greys, to compare the drawing with the cameras' frames.

Everything is made of upright prisms, painted from the back to the front. Both cameras look down from the same
side of everything, so one order of the prisms serves both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.assembly_cell import CAMERA_IMAGE_PX, CameraMount
from cellwright_perception.camera import looking_at
from cellwright_perception.opencv import opencv

Array = NDArray[np.float64]
Painter = Callable[[int, NDArray[np.uint8]], None]
"""Fills an image with the number of the face at each sample, of one cell of many; 0 is none."""

FRACTION_BITS = 4
"""Of the corners of a polygon, below one sample."""


@dataclass(frozen=True, kw_only=True)
class Prism:
    """An upright prism or frustum in the frame of the fixture or of the tool."""

    bottom: Array
    """Outline (K, 2) [m], counter-clockwise from above."""
    top: Array
    """Outline (K, 2) [m]."""
    low_m: float
    high_m: float
    grey: float
    """Albedo."""
    held: bool = False
    """Whether it is in the tool's frame."""
    gripper: bool = False
    """Whether it is held for certain where the tool is, as a part is not."""


def rectangle(low_x: float, high_x: float, low_y: float, high_y: float) -> Array:
    """Its corners (4, 2) [m]."""
    return np.array([(low_x, low_y), (high_x, low_y), (high_x, high_y), (low_x, high_y)])


def disc(radius_m: float, corners: int = 12) -> Array:
    """A regular polygon (K, 2) [m] around the origin, as cylinders are drawn."""
    angle = 2.0 * np.pi * np.arange(corners) / corners
    return np.asarray(radius_m * np.stack([np.cos(angle), np.sin(angle)], axis=1))


def calibrated(camera: CameraMount) -> Array:
    """(4, 4) from the frame that a camera is mounted in to the camera's: right, down, forward."""
    return looking_at(np.array(camera.position_m), np.array(camera.target_m))


def rigid(vectors: Array) -> Array:
    """Small motions (P, 4, 4) of vectors (P, 6): rotation [rad], to second order, and translation [m]."""
    cross = np.zeros((len(vectors), 3, 3))
    x, y, z = vectors[:, :3].T
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -z, y, -x
    cross[:, 1, 0], cross[:, 2, 0], cross[:, 2, 1] = z, -y, x
    out = np.tile(np.eye(4), (len(vectors), 1, 1))
    out[:, :3, :3] += cross + 0.5 * cross @ cross
    out[:, :3, 3] = vectors[:, 3:]
    return out


class Drawing:
    """The prisms of a cell as a function of its sizes, and its faces in the order in which they are painted.

    `prisms` must place every corner linearly in the sizes (K,) [m] that it is given.
    """

    def __init__(self, prisms: Callable[[Array], Sequence[Prism]], sizes: Array) -> None:
        as_drawn = prisms(sizes)
        base = _corners(as_drawn)
        steps = np.eye(len(sizes)) * 1e-3
        self._slopes = np.stack([(_corners(prisms(sizes + step)) - base) / 1e-3 for step in steps])
        self._base = base - np.tensordot(sizes, self._slopes, axes=1)
        faces, tops, greys, first = [], [], [], 0
        for prism in as_drawn:
            count = len(prism.top)
            each = np.arange(count)
            following = np.roll(each, -1)
            if prism.high_m > prism.low_m:
                sides = [each, following, count + following, count + each]
                faces += list(first + np.stack(sides, axis=1))
                tops += [False] * count
                greys += [prism.grey] * count
            faces.append(first + count + each)
            tops.append(True)
            greys.append(prism.grey)
            first += 2 * count
        counts = [2 * len(prism.top) for prism in as_drawn]
        self.held = np.repeat([prism.held for prism in as_drawn], counts)
        """(V,) which corners are in the tool's frame."""
        self.part = np.repeat([prism.held and not prism.gripper for prism in as_drawn], counts)
        """(V,) which of them are the part's."""
        self.greys = np.array(greys)
        """(F,) albedos."""
        self._tops = np.array(tops)
        self._quads = np.array([face[:4] for face in faces])
        self._large = np.array([len(face) > 4 for face in faces])
        ends = np.cumsum([len(face) for face in faces]).tolist()
        self._rings = np.concatenate(faces)
        """Corners of all faces, one face after the other."""
        self._spans = [slice(end - len(face), end) for face, end in zip(faces, ends, strict=True)]

    def corners(self, sizes: Array) -> Array:
        """(P, V, 3) [m] for sizes (P, K)."""
        return np.asarray(self._base + np.tensordot(sizes, self._slopes, axes=1))

    def normals(self, corners: Array) -> Array:
        """(P, F, 3) of the faces between corners (P, V, 3)."""
        a, b, c = (corners[:, self._quads[:, k]] for k in (0, 1, 3))
        normals = np.cross(b - a, c - a)
        normals[:, self._tops] = (0.0, 0.0, 1.0)
        return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-12))

    def painter(self, camera: Array, focal_px: float, finer: int) -> Painter:
        """Paints what a camera sees of corners (P, V, 3) [m] in its frame, `finer` samples a pixel's edge."""
        pixels = focal_px * camera[..., :2] / camera[..., 2:] + 0.5 * (CAMERA_IMAGE_PX - 1)
        samples = finer * (pixels + 0.5) - 0.5
        quads = samples[:, self._quads]
        across, along = quads[:, :, 2] - quads[:, :, 0], quads[:, :, 3] - quads[:, :, 1]
        seen = self._tops | (across[..., 0] * along[..., 1] - across[..., 1] * along[..., 0] < 0.0)
        inside = (quads.max(axis=2) > -1.0) & (quads.min(axis=2) < finer * CAMERA_IMAGE_PX)
        seen &= inside.all(axis=2) | self._large
        grid = np.clip(np.rint(samples * (1 << FRACTION_BITS)), -30000, 30000).astype(np.int32)
        rings, spans = np.take(grid, self._rings, axis=1), self._spans
        fill = opencv().fillConvexPoly

        def paint(index: int, out: NDArray[np.uint8]) -> None:
            out.fill(0)
            corners = rings[index]
            for face in np.flatnonzero(seen[index]).tolist():
                fill(out, corners[spans[face]], face + 1, 8, FRACTION_BITS)

        return paint


def _corners(prisms: Sequence[Prism]) -> Array:
    rings = []
    for prism in prisms:
        for outline, z_m in ((prism.bottom, prism.low_m), (prism.top, prism.high_m)):
            rings.append(np.column_stack([outline, np.full(len(outline), z_m)]))
    return np.concatenate(rings)
