"""Find the laser line in the stripe window: sub-pixel rows per image column, then points in the tool."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.compiled import compiled
from cellwright_perception.opencv import opencv
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry

CANDIDATES = 3
"""Lines kept per image column: the laser line is often not the brightest where spatter or reflections are."""

SHOULDER_PX = 4
"""Rows from a line's crest to its background; the line's own sigma is about 1 px."""
_MIN_STRENGTH = 10.0
"""Smallest contrast of a line [counts]: five standard deviations of sensor noise of 3 counts, smoothed."""
_MIN_RELATIVE_STRENGTH = 0.2
"""Smallest contrast of a line as a fraction of the image's typical one."""
_SMOOTHING = np.array([0.0545, 0.2442, 0.4026, 0.2442, 0.0545])
"""Gaussian of sigma 1 px along the columns only: across them it would blur the edges of a gap."""
_IDENTITY = np.ones(1)


@dataclass(frozen=True, kw_only=True)
class StripeObservation:
    """The laser line in one image; arrays are per image column, strongest line first."""

    row_px: NDArray[np.float64]
    """Sub-pixel rows (columns, CANDIDATES) [px]; -1 where there is no line."""
    strength: NDArray[np.float64]
    """Contrasts (columns, CANDIDATES) against the background [counts]; 0 where there is no line."""
    smoothed: NDArray[np.float32]
    """Image (rows, columns), smoothed along the columns [counts]."""
    typical_strength: float
    """Contrast of a typical column [counts]; 0 in an image without a line."""

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Columns (columns,) in which a line was seen."""
        return self.strength[:, 0] > 0.0


def extract_stripe(image: NDArray[np.uint8]) -> StripeObservation:
    """Return the bright horizontal ridges of `image` (rows, columns), up to `CANDIDATES` per column.

    A ridge is a crest that falls off to both sides within 4 px: slopes of arc glare and the inside and the
    edge of saturated blobs are none. Rows come from the centroid of the crest above its background.

    Raises ValueError for an image that is not uint8 with two dimensions of at least 16 px.
    """
    check_image(image)
    rows, columns = image.shape
    smoothed = smooth(image)
    row_px = np.empty((columns, CANDIDATES))
    strength = np.empty((columns, CANDIDATES))
    ridge = np.empty((rows, columns), dtype=np.float32)
    typical = find_ridges(smoothed, ridge, row_px, strength)
    return StripeObservation(row_px=row_px, strength=strength, smoothed=smoothed, typical_strength=typical)


def triangulate(
    geometry: SeamSensorGeometry, column_px: NDArray[np.float64], row_px: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return points (N, 2) as (y_t, z_t) [m] of the laser plane seen at `column_px`, `row_px` (N,)."""
    homogeneous = geometry.laser_from_stripe @ np.stack((column_px, row_px, np.ones_like(row_px)))
    return (homogeneous[:2] / homogeneous[2]).T


def check_image(image: NDArray[np.uint8]) -> None:
    """Raise ValueError unless `image` is a uint8 array (rows, columns) of at least 16 x 16 px."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        found = getattr(image, "dtype", type(image).__name__)
        raise ValueError(f"stripe image must be a uint8 array, got {found}")
    if image.ndim != 2 or min(image.shape) < 16:
        raise ValueError(f"stripe image must have shape (rows, columns), 16 px at least, got {image.shape}")


def smooth(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return `image` (rows, columns) smoothed along its columns, as float32."""
    cv2 = opencv()
    return cv2.sepFilter2D(image, cv2.CV_32F, _IDENTITY, _SMOOTHING)


@compiled
def find_ridges(
    smoothed: NDArray[np.float32],
    ridge: NDArray[np.float32],
    row_px: NDArray[np.float64],
    strength: NDArray[np.float64],
) -> float:
    """Fill `row_px`, `strength` (columns, CANDIDATES) and scratch `ridge`; return the typical strength."""
    rows, columns = smoothed.shape
    for row in range(rows):
        above, below = max(row - SHOULDER_PX, 0), min(row + SHOULDER_PX, rows - 1)
        for column in range(columns):
            background = np.float32(0.5) * (smoothed[above, column] + smoothed[below, column])
            ridge[row, column] = smoothed[row, column] - background
    row_px[:] = -1.0
    strength[:] = 0.0
    for row in range(2, rows - 2):
        above, below = max(row - SHOULDER_PX, 0), min(row + SHOULDER_PX, rows - 1)
        for column in range(columns):
            crest = ridge[row, column]
            if crest < _MIN_STRENGTH or crest <= ridge[row - 1, column] or crest < ridge[row + 1, column]:
                continue
            shoulder = max(smoothed[above, column], smoothed[below, column])
            # The edge of a saturated blob has a shoulder as bright as itself on one side.
            if smoothed[row, column] - shoulder < 0.25 * crest:
                continue
            slot = CANDIDATES
            while slot > 0 and crest > strength[column, slot - 1]:
                slot -= 1
            for moved in range(CANDIDATES - 1, slot, -1):
                strength[column, moved] = strength[column, moved - 1]
                row_px[column, moved] = row_px[column, moved - 1]
            if slot < CANDIDATES:
                strength[column, slot] = crest
                row_px[column, slot] = _centroid(ridge, row, column)
    return _keep_strong(row_px, strength)


@compiled
def _centroid(ridge: NDArray[np.float32], row: int, column: int) -> float:
    """Return the sub-pixel row of the crest at (`row`, `column`): centroid of what tops a quarter of it."""
    floor = 0.25 * ridge[row, column]
    total = 0.0
    moment = 0.0
    for offset in range(-3, 4):
        if 0 <= row + offset < ridge.shape[0]:
            weight = max(ridge[row + offset, column] - floor, 0.0)
            total += weight
            moment += weight * offset
    return row + moment / total


@compiled
def _keep_strong(row_px: NDArray[np.float64], strength: NDArray[np.float64]) -> float:
    """Drop lines far weaker than the upper-middle column's, whose strength is returned."""
    best = np.sort(strength[:, 0])
    first = np.searchsorted(best, 1e-9)
    seen = len(best) - first
    if seen == 0:
        return 0.0
    typical = best[first + (seen * 3) // 5]
    for column in range(strength.shape[0]):
        for slot in range(CANDIDATES):
            if strength[column, slot] < _MIN_RELATIVE_STRENGTH * typical:
                strength[column, slot] = 0.0
                row_px[column, slot] = -1.0
    return typical
