"""The groove between the plates of a butt joint, in a profile."""

from __future__ import annotations

import math

import numpy as np

from cellwright_perception.columns import (
    Column,
    Floats,
    each,
    larger,
    listed,
    running,
    smaller,
    strongest,
    where,
)
from cellwright_perception.compiled import compilable
from cellwright_perception.seam.cross_section import BUTT, MIN_SEGMENT_COLUMNS, refine

CHAMFER_M, CHAMFER_DEPTH_M = 0.3e-3, 0.5e-3
"""Width and depth to which sheared edges are broken: without that a closed gap could not be seen."""

_EITHER_PLATE_M = 0.6e-3
"""Distance from a split that is not sure yet within which a point may lie on either plate."""
_SHALLOW_M, _SLOPE_M = 0.12e-3, 0.15e-3
"""Depth up to which a point is on the plate, and over which it gets into the groove."""
_TOO_HIGH_M, _TOO_DEEP_M = -0.5e-3, 0.9e-3
"""Points that lie farther than this above or below the plates are no part of a chamfer: spatter, a false
line, a wall. They say as much about a groove as missing ones."""
_FLANK_M = (0.08e-3, 0.42e-3)
"""Depths between which a chamfer is straight whatever the optics round off."""
_MIN_WIDTH_M = 0.06e-3
"""Least evidence of a groove [m]: its width, times how deep it is beyond doubt."""
_MISSING = 0.1
"""Evidence of a missing point: a gap has no bottom, but spatter and arc light take points away too."""
_WIDEST_M = 3.5e-3
"""Between the ends of the plates; what is wider is no groove."""
_BARE = 0.3
"""Confidence of a groove without a chamfer on one of its sides."""
_ENOUGH = 4.0
"""Points on a chamfer that make its place certain."""
_APART_M = 0.25e-3
"""Distance from the others at which a point of a chamfer does not count."""
_NEAR_PLATE_M = 1.6e-3
"""Distance from the level of both plates beyond which a point does not tell where one ends."""
_EDGE_COLUMNS = 6
"""Columns that each plate shows at least."""


@compilable
def butt_split(u: Floats, h: Floats, weight: Floats, sums: Floats, level: float) -> float:
    """Return the u [m] at which one plate best becomes two with the same slope, from all splits at once.

    `sums` (7, columns + 1 or more) is scratch.
    """
    columns = len(u)
    sums[:, 0] = 0.0
    for column in each(0, columns):
        off = h[column] - level
        near = (weight[column] > 0.0) & (abs(off) < _NEAR_PLATE_M)
        w, t, a = where(near, weight[column], 0.0), where(near, u[column], 0.0), where(near, off, 0.0)
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
        if weight[column] > 0.0:
            return float(u[column])
    return 0.0


@compilable
def _plate(sums: Floats, low: Column, high: Column) -> tuple[Column, Column, Column, Column]:
    """Return weight, squared error, spread and slant of the points in the columns from `low` up to `high`."""
    w = sums[0, high] - sums[0, low]
    enough = larger(w, MIN_SEGMENT_COLUMNS)
    t, a = sums[1, high] - sums[1, low], sums[2, high] - sums[2, low]
    spread = sums[3, high] - sums[3, low] - t * t / enough
    slant = sums[4, high] - sums[4, low] - t * a / enough
    return w, sums[5, high] - sums[5, low] - a * a / enough, spread, slant


@compilable
def _run(evidence: Floats, start: int, stop: int) -> tuple[float, int, int]:
    """Return sum, first and last column of the run in [start, stop) with the most evidence."""
    best, first, last = 0.0, 0, -1
    score, begin = 0.0, start
    for column in range(start, stop):
        if score <= 0.0:
            score, begin = 0.0, column
        score += evidence[column]
        if score > best:
            best, first, last = score, begin, column
    return best, first, last


@compilable
def _fill_depth(
    y: Floats,
    u: Floats,
    h: Floats,
    weight: Floats,
    levels: Floats,
    split: float,
    either_m: float,
    search: tuple[float, float],
    depth: Floats,
    evidence: Floats,
) -> None:
    """Fill how deep each point lies below its plate [m], and from -0.5, on it, to 0.5, in the groove.

    Within `either_m` of the split a point may lie on either plate.
    """
    for column in each(0, len(u)):
        right, left = levels[0] - h[column], levels[1] - h[column]
        either = where(abs(right) < abs(left), right, left)
        own = where(u[column] > split + either_m, left, either)
        own = where(u[column] < split - either_m, right, own)
        fallen = smaller(larger((own - _SHALLOW_M) / _SLOPE_M, 0.0), 1.0)
        counts = (weight[column] > 0.0) & (own > _TOO_HIGH_M) & (own < _TOO_DEEP_M)
        depth[column] = own
        evidence[column] = where(counts, fallen - 0.5, _MISSING)
        outside = (weight[column] > 0.0) & (abs(y[column] - search[0]) > search[1])
        evidence[column] = where(outside, -0.5, evidence[column])


@compilable
def _chamfer_foot(
    u: Floats, depth: Floats, weight: Floats, first: int, last: int, centre: float, side: float, width: float
) -> tuple[float, float]:
    """Return where the chamfer on `side` (-1 right, 1 left) ends below, as u [m], and its points' weight."""
    foot, weights = 0.0, 0.0
    for turn in range(3):
        moment, so_far = 0.0, 0.0
        for column in range(first, last):
            if weight[column] <= 0.0 or side * (u[column] - centre) <= 0.0:
                continue
            if not _FLANK_M[0] < depth[column] < _FLANK_M[1]:
                continue
            place = u[column] - side * width * (1.0 - depth[column] / CHAMFER_DEPTH_M)
            off = (place - foot) / _APART_M
            counts = 1.0
            if turn > 0:
                counts = (1.0 - off * off) ** 2 if abs(off) < 1.0 else 0.0
            moment += counts * place
            so_far += counts
        if so_far <= 0.0:
            return 0.0, 0.0
        foot, weights = moment / so_far, so_far
    return foot, weights


@compilable
def groove_of(
    y: Floats,
    z: Floats,
    weight: Floats,
    u: Floats,
    h: Floats,
    angle: float,
    levels: Floats,
    split: Floats,
    gates: Floats,
    stats: Floats,
    gap_fraction: float,
    search: tuple[float, float],
    scratch: Floats,
    result: Floats,
) -> tuple[float, float]:
    """Find the groove, fit the plates beside it again and fill lateral, height, gap and mismatch of `result`.

    Arguments are those of `refine`; `gap_fraction` is a width across the seam
    over the same in the laser plane, `search` the lateral [m] around which a groove is looked for, and how
    far. Return how clear the groove and how certain the gap is, both 0..1, the first 0
    where there is none.
    """
    columns = len(y)
    depth, evidence = scratch[0], scratch[1]
    score, first, last, centre = 0.0, 0, -1, 0.0
    pitch_m = right = left = 0.0
    for _ in range(2):
        _fill_depth(y, u, h, weight, levels, split[0], _EITHER_PLATE_M, search, depth, evidence)
        score, first, last = _run(listed(evidence[:columns]), 0, columns)
        if last < first or first < 2 or last > columns - 3:
            return 0.0, 0.0
        before, after = first - 1, last + 1
        while before > 0 and weight[before] <= 0.0:
            before -= 1
        while after < columns - 1 and weight[after] <= 0.0:
            after += 1
        right, left = u[before], u[after]
        pitch_m = (left - right) / (after - before)
        if left - right > _WIDEST_M:
            return 0.0, 0.0
        split[0], split[1] = 0.5 * (left + right), 0.5 * (left - right) + 0.1e-3
        angle = refine(BUTT, y, z, weight, u, h, angle, 0.0, levels, split, gates, stats)
        centre = split[0]
    if score * pitch_m < _MIN_WIDTH_M:
        return 0.0, 0.0
    known = listed(evidence[:columns])
    rival = max(_run(known, 0, first - 1)[0], _run(known, last + 2, columns)[0])
    if rival >= score:
        return 0.0, 0.0
    _fill_depth(y, u, h, weight, levels, split[0], 0.0, search, depth, evidence)
    low, high = max(first - 6, 0), min(last + 7, columns)
    width_m = CHAMFER_M / gap_fraction
    around = listed(u), listed(depth[:columns]), listed(weight)
    right_foot, right_points = _chamfer_foot(*around, low, high, centre, -1.0, width_m)
    left_foot, left_points = _chamfer_foot(*around, low, high, centre, 1.0, width_m)
    # A chamfer that reflects too little to be seen begins where the plate ends.
    right = right_foot if right_points > 0.0 else right + width_m
    left = left_foot if left_points > 0.0 else left - width_m
    middle, level = 0.5 * (right + left), 0.5 * (levels[0] + levels[1])
    cos, sin = math.cos(angle), math.sin(angle)
    result[0], result[1] = cos * middle - sin * level, sin * middle + cos * level
    result[2] = max(left - right, 0.0)
    result[3] = levels[1] - levels[0]
    certain = min((1.0 + min(right_points, left_points)) / (1.0 + _ENOUGH), 1.0)
    clear = min((1.0 - rival / score) * 1.5, 1.0)
    return clear * (_BARE + (1.0 - _BARE) * certain), certain
