"""Measure a joint in the stripe window; the compiled call allocates next to nothing."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.columns import Floats, count_positive, each, smaller, where
from cellwright_perception.compiled import compilable, compiled
from cellwright_perception.seam.cross_section import (
    BINS,
    BUTT,
    GATES_M,
    HYPOTHESES,
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
from cellwright_perception.seam.stripe import CANDIDATES, Pixels, find_ridges, smooth


class Scratch(NamedTuple):
    """Memory that measurements of one image size share."""

    images: Pixels
    """(3, rows, columns): smoothed, ridges, crests."""
    planes: Floats
    """(7, CANDIDATES, columns): row [px], strength, weight, y, z, u, h of each line."""
    votes: Floats
    """(5, BINS)."""
    vectors: Floats
    """(HYPOTHESES, columns)."""
    sums: Floats
    """(7, columns + 1)."""

    @classmethod
    def of(cls, rows: int, columns: int) -> Scratch:
        """Room for images (rows, columns)."""
        return cls(
            images=np.empty((3, rows, columns), dtype=np.float32),
            planes=np.empty((7, CANDIDATES, columns)),
            votes=np.empty((5, BINS)),
            vectors=np.empty((HYPOTHESES, columns)),
            sums=np.empty((7, columns + 1)),
        )


@compilable
def _weigh(homography: Floats, typical: float, planes: Floats) -> None:
    """Fill weight, y and z of `planes` from its lines."""
    row_px, strength, weight, y, z = planes[0], planes[1], planes[2], planes[3], planes[4]
    for slot in range(CANDIDATES):
        most = 1.0 if slot == 0 else 0.6
        for column in each(0, strength.shape[1]):
            is_line = strength[slot, column] > 0.0
            # Spatter and glare are brighter than the laser line, reflections weaker than it in their column.
            relative = where(is_line, strength[slot, column] / typical, 1.0)
            weight[slot, column] = where(is_line, smaller(relative, 1.0 / relative) * most, 0.0)
            y[slot, column], z[slot, column] = position(homography, column, row_px[slot, column])


@compilable
def _measure(
    joint: int,
    smoothed: Pixels,
    typical: float,
    skew: float,
    homography: Floats,
    inverse: Floats,
    planes: Floats,
    votes: Floats,
    vectors: Floats,
    sums: Floats,
    result: Floats,
) -> None:
    """Fill `result` from the weighed lines; arguments are those of `measure_joint`."""
    columns = smoothed.shape[1]
    row_px, strength, weight = planes[0], planes[1], planes[2]
    y, z, u, h = planes[3], planes[4], planes[5], planes[6]
    levels, split, stats = np.zeros(LEVELS), np.zeros(2), np.zeros((4, LEVELS))
    angle = coarse(joint, y, z, weight, skew, u, h, votes, vectors, levels)
    if joint == BUTT:
        split[0] = butt_split(u, h, weight, sums, levels[0])
    angle = refine(joint, y, z, strength, weight, u, h, angle, skew, levels, split, GATES_M, stats)

    if joint == BUTT:
        found, dark_columns = measure_groove(
            homography, smoothed, planes, angle, levels, split, stats, vectors, result
        )
        if found <= 0.0:
            return
        fewest = min(stats[0, 0], stats[0, 1])
    else:
        reference = max(stats[3, 2] / max(stats[1, 2], 1e-9), 1.0)
        gap, corner_px = gap_under_face(
            homography, inverse, row_px, strength, smoothed, angle, skew, levels, reference, vectors
        )
        if not 0.0 <= corner_px <= columns - 1.0:
            return
        result[0], result[1] = corner(angle, skew, levels)
        result[2] = gap
        result[5] = angle + 0.25 * math.pi
        found, dark_columns = 1.0, 2.5e3 * gap
        fewest = min(stats[0, 0], stats[0, 2])
        if joint == LAP:
            fewest = min(fewest + 2.0, stats[0, 0], stats[0, 1])

    expected = columns - dark_columns
    inliers = stats[0, 0] + stats[0, 1] + stats[0, 2]
    weights = stats[1, 0] + stats[1, 1] + stats[1, 2]
    rms_m = math.sqrt((stats[2, 0] + stats[2, 1] + stats[2, 2]) / max(weights, 1e-9))
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
        image: NDArray[np.uint8],
        mirrored: bool,
        skew: float,
        homography: Floats,
        inverse: Floats,
        images: Pixels,
        planes: Floats,
        votes: Floats,
        vectors: Floats,
        sums: Floats,
        result: Floats,
    ) -> None:
        """Fill `result`: lateral, height, gap, mismatch [m], confidence 0..1, roll [rad].

        `skew` [rad] is half of what base and web enclose less than a right angle, 0 for a butt joint. What
        lies between `inverse` and `result` is a `Scratch`.
        """
        if sources < 0:
            return
        result[:] = 0.0
        smoothed = images[0]
        smooth(image, mirrored, smoothed)
        typical = find_ridges(smoothed, images[1], images[2], planes[0], planes[1])
        if count_positive(planes[1, 0]) < 2 * MIN_SEGMENT_COLUMNS:
            return
        _weigh(homography, typical, planes)
        _measure(joint, smoothed, typical, skew, homography, inverse, planes, votes, vectors, sums, result)

    return measure_joint


def _checksum() -> int:
    here = Path(__file__).parent
    names = ("cross_section", "face_gap", "groove", "laser_plane", "stripe")
    files = [here.parent / "columns.py", *(here / f"{name}.py" for name in names)]
    return zlib.crc32(b"".join(file.read_bytes() for file in files))


measure_joint = _entry_point(_checksum())
