"""The gap under the web of a T-fillet or the edge face of a lap."""

from __future__ import annotations

import math

import numpy as np

from cellwright_perception.columns import (
    Column,
    Floats,
    each,
    everywhere,
    larger,
    listed,
    smaller,
    where,
    whole,
)
from cellwright_perception.compiled import compilable
from cellwright_perception.seam.cross_section import corner
from cellwright_perception.seam.laser_plane import line_row, position
from cellwright_perception.seam.stripe import CANDIDATES, Pixels

_MAX_GAP_M = 4.0e-3


@compilable
def _lit(
    row_px: Floats,
    strength: Floats,
    smoothed: Pixels,
    column: Column,
    row: Column,
    base_row: Column,
    reference: float,
) -> Column:
    """Return how much of `column` shows the web's line at `row` [px]: 0 to 1, or -1 where glare hides it.

    Under the web the base plate goes on, and the line on it at `base_row` with a kink at the corner.
    """
    found, on_base, matters = 0.0, False, True
    for slot in range(CANDIDATES):
        contrast = strength[slot, column]
        if everywhere(contrast <= found):
            break
        matters = matters & (contrast > found)
        off_web, off_base = abs(row_px[slot, column] - row), abs(row_px[slot, column] - base_row)
        on_web = matters & (off_web < 1.0) & (off_web <= off_base)
        on_base = on_base | (matters & (off_base < smaller(1.0, off_web)))
        found = where(on_web, contrast, found)
    nearest = whole(row + 0.5)
    last = smoothed.shape[0] - 1
    inside = (nearest >= 0) & (nearest <= last)
    bright = np.float64(smoothed[smaller(larger(nearest, 0), last), column]) > 0.8 * reference
    unseen = where(inside & bright & (on_base == False), -1.0, 0.0)  # noqa: E712 - may be an array
    return where(found > 0.0, smaller(larger((found / reference - 0.1) / 0.75, 0.0), 1.0), unseen)


@compilable
def gap_under_face(
    homography: Floats,
    inverse: Floats,
    row_px: Floats,
    strength: Floats,
    smoothed: Pixels,
    angle: float,
    skew: float,
    levels: Floats,
    reference: float,
    scratch: Floats,
) -> tuple[float, float]:
    """Return the gap [m] under a web or an edge face, from its dark columns, and the corner's column [px].

    `scratch` is (2, columns).
    """
    cos, sin = math.cos(angle + skew), math.sin(angle + skew)
    cos_h, sin_h = math.cos(angle - skew), math.sin(angle - skew)
    square = math.cos(2.0 * skew)
    columns = smoothed.shape[1]
    corner_y, corner_z = corner(angle, skew, levels)
    corner_px, _ = position(inverse, corner_y, corner_z)
    if not 0.0 <= corner_px < columns - 2:
        return 0.0, corner_px
    first = math.ceil(corner_px)
    for column in each(first, columns):
        row = line_row(homography, cos, sin, levels[2], column)
        y, z = position(homography, column, row)
        above_m = (cos_h * z - sin_h * y - levels[0]) / square
        scratch[0, column] = above_m
        if everywhere(above_m > _MAX_GAP_M):
            break
        base_row = line_row(homography, -sin_h, cos_h, levels[0], column)
        scratch[1, column] = _lit(row_px, strength, smoothed, column, row, base_row, reference)
    end = corner_px + max(_dark_px(listed(scratch[0]), listed(scratch[1]), first, columns, corner_px), 0.0)
    y, z = position(homography, end, line_row(homography, cos, sin, levels[2], end))
    return max(0.0, (cos_h * z - sin_h * y - levels[0]) / square), corner_px


@compilable
def _dark_px(above_m: Floats, lit: Floats, first: int, columns: int, corner_px: float) -> float:
    """Return how many columns from the corner on are dark, where that ends most clearly."""
    score, best, dark_px = 0.0, 0.0, 0.0
    pending = True
    width_px = first - 0.5 - corner_px
    for column in range(first, columns):
        if above_m[column] > _MAX_GAP_M:
            break
        if lit[column] < 0.0:
            continue
        score += 1.0 - 2.0 * lit[column]
        dark_px += 1.0 - lit[column]
        if score > best:
            best, pending = score, True
            width_px = first - 0.5 - corner_px + dark_px
        elif pending:
            # The column that the edge runs through counts by the part of it that is dark.
            pending = False
            width_px = first - 0.5 - corner_px + dark_px
    return width_px
