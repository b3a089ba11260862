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


def rotation_vector(rows: Rows) -> tuple[float, float, float]:
    """Rotation vector [rad], no longer than half a turn, of a matrix (3, 3) that is a rotation."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rows
    # Four times w², x², y² and z² of the quaternion: the largest of them is far from zero.
    squares = (1.0 + xx + yy + zz, 1.0 + xx - yy - zz, 1.0 - xx + yy - zz, 1.0 - xx - yy + zz)
    w, x, y, z = (
        (squares[0], zy - yz, xz - zx, yx - xy),
        (zy - yz, squares[1], xy + yx, xz + zx),
        (xz - zx, xy + yx, squares[2], yz + zy),
        (yx - xy, xz + zx, yz + zy, squares[3]),
    )[squares.index(max(squares))]
    if w < 0.0:
        w, x, y, z = -w, -x, -y, -z
    sine = math.sqrt(x * x + y * y + z * z)
    if sine == 0.0:
        return 0.0, 0.0, 0.0
    scale = 2.0 * math.atan2(sine, w) / sine
    return scale * x, scale * y, scale * z
