"""The gap under the web of a T-fillet or the edge face of a lap (compiled)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.compiled import compilable
from cellwright_perception.seam.cross_section import corner
from cellwright_perception.seam.laser_plane import line_row, position
from cellwright_perception.seam.stripe import CANDIDATES

Floats = NDArray[np.float64]

_MAX_GAP_M = 4.0e-3


@compilable
def _lit(
    row_px: Floats,
    strength: Floats,
    smoothed: NDArray[np.float32],
    column: int,
    row: float,
    base_row: float,
    reference: float,
) -> float:
    """Return how much of `column` shows the web's line at `row` [px]: 0 to 1, or -1 where glare hides it.

    Under the web the base plate goes on, and the line on it at `base_row` with a kink at the corner.
    """
    found, on_base = 0.0, False
    for slot in range(CANDIDATES):
        if strength[column, slot] <= found:
            break
        off_web, off_base = abs(row_px[column, slot] - row), abs(row_px[column, slot] - base_row)
        if off_web < 1.0 and off_web <= off_base:
            found = strength[column, slot]
        on_base |= off_base < min(1.0, off_web)
    if found > 0.0:
        return min(max((found / reference - 0.1) / 0.75, 0.0), 1.0)
    nearest = int(row + 0.5)
    if not on_base and 0 <= nearest < smoothed.shape[0] and smoothed[nearest, column] > 0.8 * reference:
        return -1.0
    return 0.0


@compilable
def gap_under_face(
    homography: Floats,
    inverse: Floats,
    row_px: Floats,
    strength: Floats,
    smoothed: NDArray[np.float32],
    angle: float,
    skew: float,
    levels: Floats,
    reference: float,
) -> tuple[float, float]:
    """Return the gap [m] under a web or an edge face, from its dark columns, and the corner's column [px]."""
    cos, sin = math.cos(angle + skew), math.sin(angle + skew)
    cos_h, sin_h = math.cos(angle - skew), math.sin(angle - skew)
    square = math.cos(2.0 * skew)
    corner_y, corner_z = corner(angle, skew, levels)
    corner_px, _ = position(inverse, corner_y, corner_z)
    if not 0.0 <= corner_px < smoothed.shape[1] - 2:
        return 0.0, corner_px
    first = math.ceil(corner_px)
    score, best, dark_px = 0.0, 0.0, 0.0
    pending = True
    width_px = first - 0.5 - corner_px
    for column in range(first, smoothed.shape[1]):
        row = line_row(homography, cos, sin, levels[2], column)
        y, z = position(homography, column, row)
        if (cos_h * z - sin_h * y - levels[0]) / square > _MAX_GAP_M:
            break
        base_row = line_row(homography, -sin_h, cos_h, levels[0], column)
        lit = _lit(row_px, strength, smoothed, column, row, base_row, reference)
        if lit < 0.0:
            continue
        score += 1.0 - 2.0 * lit
        dark_px += 1.0 - lit
        if score > best:
            best, pending = score, True
            width_px = first - 0.5 - corner_px + dark_px
        elif pending:
            # The column that the edge runs through counts by the part of it that is dark.
            pending = False
            width_px = first - 0.5 - corner_px + dark_px
    end = corner_px + max(width_px, 0.0)
    y, z = position(homography, end, line_row(homography, cos, sin, levels[2], end))
    return max(0.0, (cos_h * z - sin_h * y - levels[0]) / square), corner_px
