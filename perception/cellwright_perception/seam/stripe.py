"""Find the laser line in the stripe window: sub-pixel rows of up to three lines per image column."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.columns import (
    Column,
    Floats,
    each,
    everywhere,
    larger,
    ordered,
    rows,
    smaller,
    strongest_rows,
    where,
    whole,
)
from cellwright_perception.compiled import compilable

Pixels = NDArray[np.float32]

CANDIDATES = 3
"""Lines kept per image column: the laser line is often not the brightest where spatter or reflections are."""

SHOULDER_PX = 4
"""Rows from a line's crest to its background; the line's own sigma is about 1 px."""
_MIN_STRENGTH = np.float32(10.0)
"""Smallest contrast of a line [counts]: five standard deviations of sensor noise of 3 counts, smoothed."""
_MIN_RELATIVE_STRENGTH = 0.2
"""Smallest contrast of a line as a fraction of the image's typical one."""
_MIDDLE, _NEXT, _LAST = np.float32(0.4026), np.float32(0.2442), np.float32(0.0545)
"""Gaussian of sigma 1 px along the columns only: across them it would blur the edges of a gap."""
_NONE, _QUARTER, _HALF = np.float32(0.0), np.float32(0.25), np.float32(0.5)


def check_image(image: NDArray[np.uint8]) -> None:
    """Raise ValueError unless `image` is a uint8 array (rows, columns) of at least 16 x 16 px."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        found = getattr(image, "dtype", type(image).__name__)
        raise ValueError(f"stripe image must be a uint8 array, got {found}")
    if image.ndim != 2 or min(image.shape) < 16:
        raise ValueError(f"stripe image must have shape (rows, columns), 16 px at least, got {image.shape}")


@compilable
def smooth(image: NDArray[np.uint8], mirrored: bool, smoothed: Pixels) -> None:
    """Fill `smoothed` (rows, columns) with `image`, smoothed along its columns, left for right if `mirrored`.

    Rows beyond the first and the last are those as far inside of them.
    """
    count, columns = image.shape
    for row in rows(0, count):
        above, below = abs(row - 1), count - 1 - abs(count - 2 - row)
        far_above, far_below = abs(row - 2), count - 1 - abs(count - 3 - row)
        for column in each(0, columns):
            place = columns - 1 - column if mirrored else column
            beside = np.float32(image[above, place]) + np.float32(image[below, place])
            around = np.float32(image[far_above, place]) + np.float32(image[far_below, place])
            value = _MIDDLE * np.float32(image[row, place]) + _NEXT * beside
            smoothed[row, column] = value + _LAST * around


@compilable
def find_ridges(smoothed: Pixels, ridge: Pixels, crests: Pixels, row_px: Floats, strength: Floats) -> float:
    """Fill `row_px`, `strength` (CANDIDATES, columns), strongest line first; return the typical strength.

    Lines are the bright horizontal ridges of `smoothed` (rows, columns): crests that fall off to both sides
    within 4 px. Slopes of arc glare and the inside and the edge of saturated blobs are none. A row [px] is
    the centroid of a crest above its background, -1 where there is no line; a strength is the contrast
    [counts], 0 where there is none. `ridge` and `crests` (rows, columns) are scratch.
    """
    count, columns = smoothed.shape
    for row in rows(0, count):
        above, below = larger(row - SHOULDER_PX, 0), smaller(row + SHOULDER_PX, count - 1)
        for column in each(0, columns):
            background = _HALF * (smoothed[above, column] + smoothed[below, column])
            ridge[row, column] = smoothed[row, column] - background
    crests[:2] = _NONE
    crests[count - 2 :] = _NONE
    for row in rows(2, count - 2):
        above, below = larger(row - SHOULDER_PX, 0), smaller(row + SHOULDER_PX, count - 1)
        for column in each(0, columns):
            crest = ridge[row, column]
            is_crest = (crest >= _MIN_STRENGTH) & (crest > ridge[row - 1, column])
            is_crest = is_crest & (crest >= ridge[row + 1, column])
            shoulder = larger(smoothed[above, column], smoothed[below, column])
            # The edge of a saturated blob has a shoulder as bright as itself on one side.
            falls_off = smoothed[row, column] - shoulder >= _QUARTER * crest
            crests[row, column] = where(is_crest & falls_off, crest, _NONE)
    for slot in range(CANDIDATES):
        strongest_rows(crests, strength[slot], row_px[slot])
        for column in each(0, columns):
            row = whole(row_px[slot, column])
            row_px[slot, column] = -1.0
            if everywhere(strength[slot, column] <= 0.0):
                continue
            centre = _centroid(ridge, row, column)
            row_px[slot, column] = where(strength[slot, column] > 0.0, centre, -1.0)
            crests[row, column] = _NONE
    return _keep_strong(row_px, strength)


@compilable
def _centroid(ridge: Pixels, row: Column, column: Column) -> Column:
    """Return the sub-pixel row of the crest at (`row`, `column`): centroid of what tops a quarter of it."""
    last = ridge.shape[0] - 1
    floor = 0.25 * np.float64(ridge[row, column])
    total, moment = 0.0, 0.0
    for offset in range(-3, 4):
        place = smaller(larger(row + offset, 0), last)
        above_floor = larger(np.float64(ridge[place, column]) - floor, 0.0)
        weight = where(place == row + offset, above_floor, 0.0)
        total = total + weight
        moment = moment + weight * offset
    return row + moment / where(total > 0.0, total, 1.0)


@compilable
def _keep_strong(row_px: Floats, strength: Floats) -> float:
    """Drop lines far weaker than the upper-middle column's, whose strength is returned; 0 without a line."""
    best = ordered(strength[0])
    columns = len(best)
    dark = columns
    while dark > 0 and best[dark - 1] > 0.0:
        dark -= 1
    if dark == columns:
        return 0.0
    typical = best[dark + ((columns - dark) * 3) // 5]
    for slot in rows(0, CANDIDATES):
        for column in each(0, columns):
            weak = strength[slot, column] < _MIN_RELATIVE_STRENGTH * typical
            strength[slot, column] = where(weak, 0.0, strength[slot, column])
            row_px[slot, column] = where(weak, -1.0, row_px[slot, column])
    return float(typical)
