"""The laser plane as the stripe window sees it.

`homography` (3, 3) leads from column and row [px] to (y, z) [m] in the laser plane.
"""

from __future__ import annotations

from cellwright_perception.columns import Column, Floats
from cellwright_perception.compiled import compilable_inline


@compilable_inline
def position(homography: Floats, column: Column, row: Column) -> tuple[Column, Column]:
    """Return (y, z) [m] of the laser plane seen at (`column`, `row`) [px], or the reverse of it."""
    depth = homography[2, 0] * column + homography[2, 1] * row + homography[2, 2]
    y = homography[0, 0] * column + homography[0, 1] * row + homography[0, 2]
    z = homography[1, 0] * column + homography[1, 1] * row + homography[1, 2]
    return y / depth, z / depth


@compilable_inline
def line_row(homography: Floats, ny: float, nz: float, level: float, column: Column) -> Column:
    """Return the row [px] at which `column` meets the line ny y + nz z = level of the laser plane."""
    a = ny * homography[0, 0] + nz * homography[1, 0] - level * homography[2, 0]
    b = ny * homography[0, 1] + nz * homography[1, 1] - level * homography[2, 1]
    c = ny * homography[0, 2] + nz * homography[1, 2] - level * homography[2, 2]
    return -(a * column + c) / b
