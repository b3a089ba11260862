"""A small exact renderer of the laser line on the three joints: the truth the measurements are tested on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry

GEOMETRY = SeamSensorGeometry()
PLATE_M = 0.040
CHAMFER_M, CHAMFER_DEPTH_M = 0.3e-3, 0.5e-3
EDGE = 0.55
"""Brightness of a sheared edge as a fraction of the plate's."""


@dataclass(frozen=True, kw_only=True)
class Joint:
    """One cross-section in the laser plane and where it lies in the tool frame."""

    kind: str
    lateral_m: float = 0.0
    height_m: float = 0.0
    gap_m: float = 0.0
    mismatch_m: float = 0.0
    thickness_m: float = 4e-3
    roll_rad: float = 0.0
    opening_rad: float = 0.5 * np.pi
    """Angle between base plate and web of a T-fillet."""
    mirrored: bool = False

    def surfaces_t(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the surfaces (N, 2, 2) as end points (y_t, z_t) [m] and how bright each is (N,)."""
        surfaces = getattr(self, f"_{self.kind}")()
        segments = np.array([surface[:2] for surface in surfaces])
        if self.mirrored:
            segments[..., 0] *= -1.0
        cos, sin = np.cos(self.roll_rad), np.sin(self.roll_rad)
        placed = segments @ np.array([[cos, sin], [-sin, cos]]) + (self.lateral_m, self.height_m)
        return placed, np.array([surface[2] for surface in surfaces])

    def _butt(self) -> list:
        lip, foot, deep = self.gap_m / 2 + CHAMFER_M, self.gap_m / 2, CHAMFER_DEPTH_M
        top, thick = self.mismatch_m, self.thickness_m
        return [
            [(-PLATE_M, 0.0), (-lip, 0.0), 1.0],
            [(-lip, 0.0), (-foot, -deep), EDGE],
            [(-foot, -deep), (-foot, -thick), EDGE],
            [(foot, top - thick), (foot, top - deep), EDGE],
            [(foot, top - deep), (lip, top), EDGE],
            [(lip, top), (PLATE_M, top), 1.0],
        ]

    def _t_fillet(self) -> list:
        sin, cos = np.sin(0.5 * self.opening_rad), np.cos(0.5 * self.opening_rad)
        out, up = np.array([-sin, cos]), np.array([sin, cos])
        return [[-self.gap_m * out, PLATE_M * out, 1.0], [self.gap_m * up, PLATE_M * up, 1.0]]

    def _lap(self) -> list:
        out, up = np.array([-1.0, 1.0]) / np.sqrt(2.0), np.array([1.0, 1.0]) / np.sqrt(2.0)
        foot, edge = self.gap_m * up, (self.gap_m + self.thickness_m) * up
        return [
            [-self.gap_m * out, PLATE_M * out, 1.0],
            [foot, edge, 1.0],
            [edge, edge - PLATE_M * out, 1.0],
        ]


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What the camera has to see through."""

    line: float = 150.0
    ambient: float = 25.0
    noise: float = 3.0
    glare_blobs: int = 0
    spatter: int = 0
    smoke: float = 0.0
    dropped_columns: int = 0
    exposure: float = 1.0
    reflection: float = 0.0
    arc_glare: float = 0.0


def render(
    joint: Joint,
    rng: np.random.Generator,
    conditions: Conditions = Conditions(),
    samples: int = 1,
) -> NDArray[np.uint8]:
    """Return the stripe window (64, 64) of `joint`, `samples` x `samples` rays per pixel."""
    size = GEOMETRY.image_size_px
    image = np.zeros((size, size))
    for dv in (np.arange(samples) + 0.5) / samples - 0.5:
        for du in (np.arange(samples) + 0.5) / samples - 0.5:
            image += _shade(joint, conditions, du, dv)
    image /= samples**2
    return _disturb(image, conditions, rng)


def _shade(joint: Joint, conditions: Conditions, du: float, dv: float) -> NDArray[np.float64]:
    segments, albedo = joint.surfaces_t()
    size = GEOMETRY.image_size_px
    rows, columns = np.mgrid[0:size, 0:size]
    px = np.column_stack((columns.ravel() + du, rows.ravel() + dv))
    rays = GEOMETRY.stripe.rays(px) @ GEOMETRY.tool_from_camera[:3, :3].T
    eye = np.array(GEOMETRY.camera_position_t)
    reach = np.full(len(rays), np.inf)
    bright = np.zeros(len(rays))
    for (start, end), brightness in zip(segments, albedo, strict=True):
        edge = end - start
        across = rays[:, 1] * edge[1] - rays[:, 2] * edge[0]
        to_start = start - eye[1:]
        length = (to_start[0] * edge[1] - to_start[1] * edge[0]) / across
        where = (to_start[0] * rays[:, 2] - to_start[1] * rays[:, 1]) / across
        hit = (where >= 0) & (where <= 1) & (length > 0) & (length < reach)
        reach[hit] = length[hit]
        bright[hit] = brightness
    seen = np.isfinite(reach)
    ahead = eye[0] + np.where(seen, reach, 0.0) * rays[:, 0]
    distance = (ahead - GEOMETRY.look_ahead_m) / GEOMETRY.laser_sigma_m
    light = bright * (conditions.ambient + conditions.line * np.exp(-0.5 * distance**2))
    return np.where(seen, light, 0.1 * conditions.ambient).reshape(size, size)


def _disturb(
    image: NDArray[np.float64], conditions: Conditions, rng: np.random.Generator
) -> NDArray[np.uint8]:
    size = image.shape[0]
    rows, columns = np.mgrid[0:size, 0:size]
    if conditions.reflection:
        image = np.maximum(image, conditions.reflection * np.roll(image, 9, axis=0))
    if conditions.dropped_columns:
        start = rng.integers(0, size - conditions.dropped_columns)
        image[:, start : start + conditions.dropped_columns] = 0.5 * conditions.ambient
    image = image * (1 - conditions.smoke) + 60.0 * conditions.smoke
    image += conditions.arc_glare * np.exp(-rows / 18.0)
    image *= conditions.exposure
    for _ in range(conditions.glare_blobs):
        centre, radius = rng.uniform(0, size, 2), rng.uniform(3, 7)
        distance = np.hypot(rows - centre[0], columns - centre[1])
        image += 300.0 * np.clip(1.5 - distance / radius, 0.0, 1.0)
    for _ in range(conditions.spatter):
        start, angle, length = rng.uniform(0, size, 2), rng.uniform(0, np.pi), rng.uniform(8, 25)
        along = (rows - start[0]) * np.sin(angle) + (columns - start[1]) * np.cos(angle)
        across = -(rows - start[0]) * np.cos(angle) + (columns - start[1]) * np.sin(angle)
        streak = np.exp(-0.5 * (across / 0.9) ** 2) * (np.abs(along) < length / 2)
        image = np.maximum(image, 240.0 * streak)
    image = image + rng.normal(0.0, conditions.noise, image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def laser():
    """Return the renderer's module, so that tests need no import path to it."""
    import sys

    return sys.modules[__name__]
