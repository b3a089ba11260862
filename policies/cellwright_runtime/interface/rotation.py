"""Rotations in plain arithmetic: the same bits on every processor, compiled or not."""

from __future__ import annotations

import math

Rows = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]


def rotation_rows(x: float, y: float, z: float) -> Rows:
    """Rows of the matrix (3, 3) of a rotation vector [rad] (Rodrigues)."""
    angle = math.sqrt(x * x + y * y + z * z)
    if angle < 1e-12:
        return (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
    x, y, z = x / angle, y / angle, z / angle
    c, s = math.cos(angle), math.sin(angle)
    t = 1.0 - c
    return (
        (t * x * x + c, t * x * y - s * z, t * x * z + s * y),
        (t * x * y + s * z, t * y * y + c, t * y * z - s * x),
        (t * x * z - s * y, t * y * z + s * x, t * z * z + c),
    )
