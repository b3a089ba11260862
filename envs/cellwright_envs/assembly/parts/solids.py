"""Boxes that bound a hole: flat walls around an axis, each with a chamfer at its mouth.

Collision shapes are boxes and implicit cylinders only, which Bullet keeps at exact size; its convex hulls
have a margin of a millimetre.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import product, turned
from cellwright_envs.physics.world import Box

Array = NDArray[np.float64]


def about_z(angle_rad: float) -> Array:
    """Rotation (3, 3) by `angle_rad` about the axis."""
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def wall(
    angle_rad: float,
    distance_m: float,
    span_m: tuple[float, float],
    thickness_m: float,
    depth_m: float,
    chamfer_m: float,
) -> list[Box]:
    """The boxes of one wall, whose face is `distance_m` from the axis in the direction `angle_rad`.

    `span_m` is its extent to the left of that direction, `thickness_m` how far it goes on behind the face.
    """
    turn = about_z(angle_rad)
    middle_m, half_width_m = 0.5 * (span_m[0] + span_m[1]), 0.5 * (span_m[1] - span_m[0])

    def box(near_m: float, far_m: float, low_m: float, high_m: float) -> Box:
        centre = np.array([0.5 * (near_m + far_m), middle_m, 0.5 * (low_m + high_m)])
        half = np.array([0.5 * (far_m - near_m), half_width_m, 0.5 * (high_m - low_m)])
        return Box(half_m=half, centre_body=turned(turn, centre), rotation_body=turn)

    far_m = distance_m + thickness_m
    if chamfer_m <= 0.0:
        return [box(distance_m, far_m, -depth_m, 0.0)]
    # Columns: up the slope, across it, out of the material.
    slope = np.array([[1.0, 0.0, -1.0], [0.0, np.sqrt(2.0), 0.0], [1.0, 0.0, 1.0]]) / np.sqrt(2.0)
    half = np.array([chamfer_m / np.sqrt(2.0), half_width_m, 0.25 * chamfer_m])
    face = np.array([distance_m + 0.5 * chamfer_m, middle_m, -0.5 * chamfer_m])
    centre = face - half[2] * slope[:, 2]
    return [
        box(distance_m, far_m, -depth_m, -chamfer_m),
        box(distance_m + chamfer_m, far_m, -chamfer_m, 0.0),
        Box(half_m=half, centre_body=turned(turn, centre), rotation_body=product(turn, slope)),
    ]
