"""Measure a joint from the lines seen in the stripe window (compiled, no allocation per call)."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.compiled import compilable, compiled
from cellwright_perception.seam.cross_section import (
    BUTT,
    GATES_M,
    LAP,
    LEVELS,
    MIN_SEGMENT_COLUMNS,
    coarse,
    corner,
    refine,
)
from cellwright_perception.seam.face_gap import gap_under_face
from cellwright_perception.seam.groove import butt_split, measure_groove
from cellwright_perception.seam.laser_plane import position
from cellwright_perception.seam.stripe import CANDIDATES, find_ridges

Floats = NDArray[np.float64]


@compilable
def _weigh(homography: Floats, typical: float, planes: Floats) -> float:
    """Fill weight, y and z of `planes` from its lines; return how many columns show one."""
    row_px, strength, weight, y, z, _, _ = planes
    seen = 0.0
    for column in range(strength.shape[0]):
        seen += strength[column, 0] > 0.0
        for slot in range(CANDIDATES):
            weight[column, slot] = 0.0
            if strength[column, slot] <= 0.0:
                continue
            # Spatter and glare are brighter than the laser line, reflections weaker than it in their column.
            relative = strength[column, slot] / typical
            weight[column, slot] = min(relative, 1.0 / relative) * (1.0 if slot == 0 else 0.6)
            y[column, slot], z[column, slot] = position(homography, column, row_px[column, slot])
    return seen


@compilable
def _measure(
    joint: int,
    smoothed: NDArray[np.float32],
    typical: float,
    skew: float,
    homography: Floats,
    inverse: Floats,
    planes: Floats,
    vectors: Floats,
    result: Floats,
) -> None:
    """Fill `result` from the weighed lines; arguments are those of `measure_joint`."""
    columns = smoothed.shape[1]
    row_px, strength, weight, y, z, u, h = planes
    levels, split, stats = np.zeros(LEVELS), np.zeros(2), np.zeros((LEVELS, 4))
    angle = coarse(joint, y, z, weight, skew, u, h, vectors[:3], levels)
    if joint == BUTT:
        split[0] = butt_split(u, h, weight, vectors[3:9], levels[0])
    angle = refine(joint, y, z, strength, weight, u, h, angle, skew, levels, split, GATES_M, stats)

    if joint == BUTT:
        found, dark_columns = measure_groove(
            homography, smoothed, planes, angle, levels, split, stats, vectors[9:11], result
        )
        if found <= 0.0:
            return
        fewest = min(stats[0, 0], stats[1, 0])
    else:
        reference = max(stats[2, 3] / max(stats[2, 1], 1e-9), 1.0)
        gap, corner_px = gap_under_face(
            homography, inverse, row_px, strength, smoothed, angle, skew, levels, reference
        )
        if not 0.0 <= corner_px <= columns - 1.0:
            return
        result[0], result[1] = corner(angle, skew, levels)
        result[2] = gap
        result[5] = angle + 0.25 * math.pi
        found, dark_columns = 1.0, 2.5e3 * gap
        fewest = min(stats[0, 0], stats[2, 0])
        if joint == LAP:
            fewest = min(fewest + 2.0, stats[0, 0], stats[1, 0])

    expected = columns - dark_columns
    inliers = stats[:, 0].sum()
    rms_m = math.sqrt(stats[:, 2].sum() / max(stats[:, 1].sum(), 1e-9))
    covered = min(max((inliers / max(expected, 1.0) - 0.45) / 0.3, 0.0), 1.0)
    complete = min(max((fewest - 1.0) / (MIN_SEGMENT_COLUMNS - 1.0), 0.0), 1.0)
    sharp = min(max((0.20e-3 - rms_m) / 0.10e-3, 0.0), 1.0)
    bright = min(max((typical - 10.0) / 15.0, 0.0), 1.0)
    result[4] = covered * complete * sharp * bright * found
    if result[4] <= 0.0:
        result[:] = 0.0


def _entry_point(sources: int) -> Callable[..., None]:
    """Compile the call that Python makes; `sources` keys its cache on disk.

    Numba recompiles a cached function when its own file changes. This one also contains what other
    modules define, whose checksum as a closure variable becomes part of the key.
    """

    @compiled
    def measure_joint(
        joint: int,
        smoothed: NDArray[np.float32],
        skew: float,
        homography: Floats,
        inverse: Floats,
        ridge: NDArray[np.float32],
        planes: Floats,
        vectors: Floats,
        result: Floats,
    ) -> None:
        """Fill `result`: lateral, height, gap, mismatch [m], confidence 0..1, roll [rad].

        `skew` [rad] is half of what base and web enclose less than a right angle, 0 for a butt joint.
        `planes` (7, columns, CANDIDATES) and `vectors` (12, columns or bins) are scratch.
        """
        if sources < 0:
            return
        result[:] = 0.0
        typical = find_ridges(smoothed, ridge, planes[0], planes[1])
        if _weigh(homography, typical, planes) >= 2 * MIN_SEGMENT_COLUMNS:
            _measure(joint, smoothed, typical, skew, homography, inverse, planes, vectors, result)

    return measure_joint


def _checksum() -> int:
    names = ("cross_section", "face_gap", "groove", "laser_plane", "stripe")
    return zlib.crc32(b"".join(Path(__file__).with_name(f"{name}.py").read_bytes() for name in names))


measure_joint = _entry_point(_checksum())
