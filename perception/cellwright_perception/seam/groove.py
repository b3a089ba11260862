"""The groove or gap between the plates of a butt joint."""

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
    ordered,
    running,
    smaller,
    strongest,
    where,
    whole,
)
from cellwright_perception.compiled import compilable
from cellwright_perception.seam.cross_section import BUTT, GATES_M, MIN_SEGMENT_COLUMNS, refine
from cellwright_perception.seam.laser_plane import line_row, position
from cellwright_perception.seam.stripe import CANDIDATES, SHOULDER_PX, Pixels

_CHAMFERS_M = 0.45e-3
"""Width that the edge chamfers of a closed butt joint add to its apparent gap (two of 0.3 mm, partly lit)."""
_EITHER_PLATE_M = 0.6e-3
"""Distance from the split of a butt joint within which a point may lie on either plate."""
_NEAR_PLATE_M = 1.6e-3
_MIN_EVIDENCE = 0.45
_EDGE_COLUMNS = 6
"""Columns that each plate shows at least."""


@compilable
def butt_split(u: Floats, h: Floats, weight: Floats, sums: Floats, level: float) -> float:
    """Return the u [m] at which one plate best becomes two with the same slope, from all splits at once.

    `sums` (7, columns + 1 or more) is scratch.
    """
    columns = u.shape[1]
    sums[:, 0] = 0.0
    for column in each(0, columns):
        w, t, a, nearest = 0.0, 0.0, 0.0, _NEAR_PLATE_M
        for slot in range(CANDIDATES):
            off = h[slot, column] - level
            nearer = (weight[slot, column] > 0.0) & (abs(off) < nearest)
            nearest = where(nearer, abs(off), nearest)
            w, a = where(nearer, weight[slot, column], w), where(nearer, off, a)
            t = where(nearer, u[slot, column], t)
        sums[0, column + 1] = w
        sums[1, column + 1] = w * t
        sums[2, column + 1] = w * a
        sums[3, column + 1] = w * t * t
        sums[4, column + 1] = w * t * a
        sums[5, column + 1] = w * a * a
    for kind in range(6):
        running(sums[kind, : columns + 1], sums[kind, : columns + 1])
    for split in each(_EDGE_COLUMNS, columns - _EDGE_COLUMNS):
        left_w, left_error, left_spread, left_slant = _plate(sums, 0, split)
        right_w, right_error, right_spread, right_slant = _plate(sums, split, columns)
        slant, spread = left_slant + right_slant, 1e-12 + left_spread + right_spread
        error = left_error + right_error - slant * slant / spread
        both = (left_w >= MIN_SEGMENT_COLUMNS) & (right_w >= MIN_SEGMENT_COLUMNS)
        sums[6, split] = where(both, -error, -np.inf)
    best = _EDGE_COLUMNS + strongest(sums[6, _EDGE_COLUMNS : columns - _EDGE_COLUMNS])
    if sums[6, best] == -np.inf:
        best = columns // 2
    for column in range(best, columns):
        if weight[0, column] > 0.0:
            return float(u[0, column])
    return 0.0


@compilable
def _plate(sums: Floats, low: Column, high: Column) -> tuple[Column, Column, Column, Column]:
    """Return weight, squared error, spread and slant of the lines in the columns from `low` up to `high`."""
    w = sums[0, high] - sums[0, low]
    enough = larger(w, MIN_SEGMENT_COLUMNS)
    t, a = sums[1, high] - sums[1, low], sums[2, high] - sums[2, low]
    spread = sums[3, high] - sums[3, low] - t * t / enough
    slant = sums[4, high] - sums[4, low] - t * a / enough
    return w, sums[5, high] - sums[5, low] - a * a / enough, spread, slant


@compilable
def _find_evidence(
    homography: Floats,
    strength: Floats,
    smoothed: Pixels,
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
    count, columns = smoothed.shape
    for column in each(0, columns):
        nearest = whole(line_row(homography, -sin, cos, middle, column) + 0.5)
        nearest = smaller(larger(nearest, SHOULDER_PX), count - 1 - SHOULDER_PX)
        above, below = smoothed[nearest - SHOULDER_PX, column], smoothed[nearest + SHOULDER_PX, column]
        background[column] = larger(above, below)
        found, fallen_m, matters = 0.0, 0.0, True
        for slot in range(CANDIDATES):
            contrast = strength[slot, column]
            if everywhere(contrast <= found):
                break
            matters = matters & (contrast > found)
            right, left = levels[0] - h[slot, column], levels[1] - h[slot, column]
            either = where(abs(right) < abs(left), right, left)
            on_left = where(u[slot, column] > split + _EITHER_PLATE_M, left, either)
            deviation = where(u[slot, column] < split - _EITHER_PLATE_M, right, on_left)
            on_joint = matters & (deviation > -0.5e-3) & (deviation < 0.9e-3)
            found, fallen_m = where(on_joint, contrast, found), where(on_joint, deviation, fallen_m)
        lit = smaller(larger((found / reference - 0.1) / 0.75, 0.0), 1.0)
        fallen = smaller(larger((fallen_m - 0.12e-3) / 0.15e-3, 0.0), 1.0)
        # Spatter across the line is brighter than the line.
        seen = where(found > 1.6 * reference, -1.0, 1.0 - lit * (1.0 - fallen))
        unseen = where(np.float64(smoothed[nearest, column]) > 0.8 * reference, -1.0, 1.0)
        evidence[column] = where(found > 0.0, seen, unseen)
    usual = ordered(background)[columns // 2]
    for column in each(0, columns):
        hidden = background[column] > usual + 0.5 * reference
        evidence[column] = where(hidden, -1.0, evidence[column])


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
    smoothed: Pixels,
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
    strength, weight, y, z, u, h = planes[1], planes[2], planes[3], planes[4], planes[5], planes[6]
    columns = smoothed.shape[1]
    background, found = scratch[0], scratch[1]
    reference = max(
        (stats[3, 0] + stats[3, 1] + stats[3, 2]) / max(stats[1, 0] + stats[1, 1] + stats[1, 2], 1e-9), 1.0
    )
    score, first, last = 0.0, 0, -1
    for _ in range(2):
        _find_evidence(
            homography, strength, smoothed, u, h, angle, levels, split[0], reference, background, found
        )
        score, first, last = _run(listed(found), 0, columns)
        if last < first:
            return 0.0, 0.0
        middle_px = 0.5 * (first + last)
        cos, sin = math.cos(angle), math.sin(angle)
        row = line_row(homography, -sin, cos, 0.5 * (levels[0] + levels[1]), middle_px)
        left_y, left_z = position(homography, middle_px - 0.5 * (last - first) - 1.0, row)
        right_y, right_z = position(homography, middle_px + 0.5 * (last - first) + 1.0, row)
        split[0] = 0.5 * (cos * (left_y + right_y) + sin * (left_z + right_z))
        split[1] = 0.5 * _distance(right_y - left_y, right_z - left_z)
        angle = refine(BUTT, y, z, strength, weight, u, h, angle, 0.0, levels, split, GATES_M[3:], stats)
    if score < _MIN_EVIDENCE or first == 0 or last == columns - 1:
        return 0.0, 0.0
    evidence = listed(found)
    rival = max(_run(evidence, 0, first - 1)[0], _run(evidence, last + 2, columns)[0])
    if rival >= score:
        return 0.0, 0.0
    moment, width_px = 0.0, 0.0
    for column in range(max(first - 1, 0), min(last + 2, columns)):
        dark = 1.0 if evidence[column] < 0.0 else max(0.0, (evidence[column] - 0.1) / 0.9)
        width_px += dark
        moment += dark * column
    centre = moment / max(width_px, 1e-9)
    cos, sin = math.cos(angle), math.sin(angle)
    row = line_row(homography, -sin, cos, 0.5 * (levels[0] + levels[1]), centre)
    result[0], result[1] = position(homography, centre, row)
    left_y, left_z = position(homography, centre - 0.5 * width_px, row)
    right_y, right_z = position(homography, centre + 0.5 * width_px, row)
    result[2] = max(0.0, _distance(right_y - left_y, right_z - left_z) - _CHAMFERS_M)
    result[3] = levels[1] - levels[0]
    result[5] = angle
    return min((1.0 - rival / score) * 1.5, 1.0), last - first + 3.0


@compilable
def _distance(across: float, up: float) -> float:
    """Length [m]; `math.hypot` of numba and that of Python differ in the last bit."""
    return math.sqrt(across * across + up * up)
