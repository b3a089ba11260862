"""The groove or gap between the plates of a butt joint (compiled)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.compiled import compilable
from cellwright_perception.seam.cross_section import BUTT, GATES_M, MIN_SEGMENT_COLUMNS, refine
from cellwright_perception.seam.laser_plane import line_row, position
from cellwright_perception.seam.stripe import CANDIDATES, SHOULDER_PX

Floats = NDArray[np.float64]

_CHAMFERS_M = 0.45e-3
"""Width that the edge chamfers of a closed butt joint add to its apparent gap (two of 0.3 mm, partly lit)."""
_EITHER_PLATE_M = 0.6e-3
"""Distance from the split of a butt joint within which a point may lie on either plate."""
_MIN_EVIDENCE = 0.45


@compilable
def butt_split(u: Floats, h: Floats, weight: Floats, sums: Floats, level: float) -> float:
    """Return the u [m] at which one plate best becomes two with the same slope, from all splits at once."""
    columns = u.shape[0]
    sums[:, 0] = 0.0
    for column in range(columns):
        nearest, best = -1, 1.6e-3
        for slot in range(CANDIDATES):
            if weight[column, slot] > 0.0 and abs(h[column, slot] - level) < best:
                nearest, best = slot, abs(h[column, slot] - level)
        sums[:, column + 1] = sums[:, column]
        if nearest >= 0:
            w, t, a = weight[column, nearest], u[column, nearest], h[column, nearest] - level
            sums[0, column + 1] += w
            sums[1, column + 1] += w * t
            sums[2, column + 1] += w * a
            sums[3, column + 1] += w * t * t
            sums[4, column + 1] += w * t * a
            sums[5, column + 1] += w * a * a
    best_error, best_column = np.inf, columns // 2
    for split in range(6, columns - 6):
        error, spread, slant = 0.0, 1e-12, 0.0
        usable = True
        for side in range(2):
            low, high = (0, split) if side == 0 else (split, columns)
            w = sums[0, high] - sums[0, low]
            if w < MIN_SEGMENT_COLUMNS:
                usable = False
                break
            t, a = sums[1, high] - sums[1, low], sums[2, high] - sums[2, low]
            spread += sums[3, high] - sums[3, low] - t * t / w
            slant += sums[4, high] - sums[4, low] - t * a / w
            error += sums[5, high] - sums[5, low] - a * a / w
        if usable and error - slant * slant / spread < best_error:
            best_error, best_column = error - slant * slant / spread, split
    for column in range(best_column, columns):
        if weight[column, 0] > 0.0:
            return u[column, 0]
    return 0.0


@compilable
def _evidence(
    homography: Floats,
    strength: Floats,
    smoothed: NDArray[np.float32],
    u: Floats,
    h: Floats,
    angle: float,
    levels: Floats,
    split: float,
    reference: float,
    background: Floats,
    evidence: Floats,
) -> None:
    """Fill `evidence` (columns,): 0 on a plate, 1 in the groove or gap, -1 where glare hides it."""
    cos, sin = math.cos(angle), math.sin(angle)
    middle = 0.5 * (levels[0] + levels[1])
    rows, columns = smoothed.shape
    for column in range(columns):
        nearest = int(line_row(homography, -sin, cos, middle, column) + 0.5)
        nearest = min(max(nearest, SHOULDER_PX), rows - 1 - SHOULDER_PX)
        above, below = smoothed[nearest - SHOULDER_PX, column], smoothed[nearest + SHOULDER_PX, column]
        background[column] = max(above, below)
        found, fallen_m = 0.0, 0.0
        for slot in range(CANDIDATES):
            if strength[column, slot] <= found:
                break
            right, left = levels[0] - h[column, slot], levels[1] - h[column, slot]
            if u[column, slot] < split - _EITHER_PLATE_M:
                deviation = right
            elif u[column, slot] > split + _EITHER_PLATE_M:
                deviation = left
            else:
                deviation = right if abs(right) < abs(left) else left
            if -0.5e-3 < deviation < 0.9e-3:
                found, fallen_m = strength[column, slot], deviation
        if found > 0.0:
            lit = min(max((found / reference - 0.1) / 0.75, 0.0), 1.0)
            fallen = min(max((fallen_m - 0.12e-3) / 0.15e-3, 0.0), 1.0)
            # Spatter across the line is brighter than the line.
            evidence[column] = -1.0 if found > 1.6 * reference else 1.0 - lit * (1.0 - fallen)
        else:
            evidence[column] = -1.0 if smoothed[nearest, column] > 0.8 * reference else 1.0
    usual = np.sort(background[:columns])[columns // 2]
    for column in range(columns):
        if background[column] > usual + 0.5 * reference:
            evidence[column] = -1.0


@compilable
def _run(evidence: Floats, start: int, stop: int) -> tuple[float, int, int]:
    """Return score, first and last column of the run in [start, stop) with the most evidence of a groove."""
    best, first, last = 0.0, 0, -1
    score, begin = 0.0, start
    for column in range(start, stop):
        if score <= 0.0:
            score, begin = 0.0, column
        score += evidence[column] - 0.3 if evidence[column] >= 0.0 else -0.15
        if score > best:
            best, first, last = score, begin, column
    return best, first, last


@compilable
def measure_groove(
    homography: Floats,
    smoothed: NDArray[np.float32],
    planes: Floats,
    angle: float,
    levels: Floats,
    split: Floats,
    stats: Floats,
    scratch: Floats,
    result: Floats,
) -> tuple[float, float]:
    """Find the groove, fit the plates beside it again and fill `result`, but not its confidence.

    `levels`, `split` and `stats` are as `refine` left them, with the plates at `angle`; `scratch` is
    (2, columns). Return how clear the groove is, 0 (there is none) to 1, and how many columns it takes up.
    """
    _, strength, weight, y, z, u, h = planes
    columns = smoothed.shape[1]
    evidence = scratch[0, :columns]
    reference = max(stats[:2, 3].sum() / max(stats[:2, 1].sum(), 1e-9), 1.0)
    score, first, last = 0.0, 0, -1
    for _ in range(2):
        _evidence(
            homography, strength, smoothed, u, h, angle, levels, split[0], reference, scratch[1], evidence
        )
        score, first, last = _run(evidence, 0, columns)
        if last < first:
            return 0.0, 0.0
        middle_px = 0.5 * (first + last)
        cos, sin = math.cos(angle), math.sin(angle)
        row = line_row(homography, -sin, cos, 0.5 * (levels[0] + levels[1]), middle_px)
        left_y, left_z = position(homography, middle_px - 0.5 * (last - first) - 1.0, row)
        right_y, right_z = position(homography, middle_px + 0.5 * (last - first) + 1.0, row)
        split[0] = 0.5 * (cos * (left_y + right_y) + sin * (left_z + right_z))
        split[1] = 0.5 * math.hypot(right_y - left_y, right_z - left_z)
        angle = refine(BUTT, y, z, strength, weight, u, h, angle, 0.0, levels, split, GATES_M[3:], stats)
    if score < _MIN_EVIDENCE or first == 0 or last == columns - 1:
        return 0.0, 0.0
    rival = max(_run(evidence, 0, first - 1)[0], _run(evidence, last + 2, columns)[0])
    if rival >= score:
        return 0.0, 0.0
    moment, width_px = 0.0, 0.0
    for column in range(max(first - 1, 0), min(last + 2, columns)):
        share = 1.0 if evidence[column] < 0.0 else max(0.0, (evidence[column] - 0.1) / 0.9)
        width_px += share
        moment += share * column
    centre = moment / max(width_px, 1e-9)
    cos, sin = math.cos(angle), math.sin(angle)
    row = line_row(homography, -sin, cos, 0.5 * (levels[0] + levels[1]), centre)
    result[0], result[1] = position(homography, centre, row)
    left_y, left_z = position(homography, centre - 0.5 * width_px, row)
    right_y, right_z = position(homography, centre + 0.5 * width_px, row)
    result[2] = max(0.0, math.hypot(right_y - left_y, right_z - left_z) - _CHAMFERS_M)
    result[3] = levels[1] - levels[0]
    result[5] = angle
    return min((1.0 - rival / score) * 1.5, 1.0), last - first + 3.0
