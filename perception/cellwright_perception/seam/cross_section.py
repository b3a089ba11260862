"""Fit the cross-section of a joint to points in the laser plane.

A cross-section is described in the joint's own frame (u, h) in the laser plane, rotated against the tool's
(y, z) by the angle a: u = y cos a + z sin a, h = -y sin a + z cos a.

    butt      right plate h = levels[0], left plate h = levels[1]; a is about 0
    t_fillet  base plate h = levels[0] at u < levels[2], web u = levels[2]; a is about -45 degrees
    lap       lower plate h = levels[0], edge face u = levels[2], upper plate h = levels[1]; a as t_fillet

Where base and web are not square to each other (a branch on a round pipe), h is turned back and u turned
on by a known `skew`: u = y cos(a + skew) + z sin(a + skew), h = -y sin(a - skew) + z cos(a - skew).

Coarse: votes of all points for h and u over a few angles. Fine: re-weighted least squares (Tukey) of all
levels and the one angle that they share. A missing point has the weight 0.
"""

from __future__ import annotations

import math

import numpy as np

from cellwright_perception.columns import (
    Column,
    Floats,
    add,
    each,
    rows,
    running,
    strongest,
    total,
    where,
    whole,
)
from cellwright_perception.compiled import compilable

BUTT, T_FILLET, LAP = 0, 1, 2
JOINTS = {"lap": LAP, "t_fillet": T_FILLET, "butt": BUTT}
"""Names of the joints that a seam sensor knows."""
LEVELS = 3
BINS = 100
HYPOTHESES = 9
"""Cross-sections tried at one roll angle, at most."""
MIN_SEGMENT_COLUMNS = 5.0

_PEAKS = 3
"""Levels proposed by the votes at one roll angle."""
_ROLLS_RAD = np.deg2rad(np.array([0.0, -5.0, 5.0, -10.0, 10.0]))
_BIN_M = 0.4e-3
_ORIGIN_M = -0.5 * BINS * _BIN_M
_MIN_THICKNESS_M = 1.0e-3
"""Plates of a lap thinner than this cannot be distinguished from a kink of one plate."""
_MIN_PEAK_VOTES = 2.5
_FACE_GATE_M = 0.8e-3


@compilable
def rotate(y: Floats, z: Floats, angle: float, skew: float, u: Floats, h: Floats) -> None:
    """Fill `u` and `h` with points (y, z), all (columns,) [m], in the joint's frame."""
    cos_u, sin_u = math.cos(angle + skew), math.sin(angle + skew)
    cos_h, sin_h = math.cos(angle - skew), math.sin(angle - skew)
    for column in each(0, len(y)):
        u[column] = cos_u * y[column] + sin_u * z[column]
        h[column] = cos_h * z[column] - sin_h * y[column]


@compilable
def _vote(values: Floats, weight: Floats, votes: Floats) -> None:
    """Fill `votes[0]` with `weight` at `values` [m], each shared between the two nearest bins."""
    votes[:3] = 0.0
    for column in each(0, len(values)):
        place = (values[column] - _ORIGIN_M) / _BIN_M
        low = whole(place)
        counts = (weight[column] > 0.0) & (low >= 0) & (low < BINS - 1)
        above = place - low
        add(votes, 1, where(counts, low, -1), weight[column] * (1.0 - above))
        add(votes, 2, where(counts, low + 1, -1), weight[column] * above)
    for place in each(0, BINS):
        votes[0, place] = votes[1, place] + votes[2, place]


@compilable
def _peaks(votes: Floats, found: Floats) -> int:
    """Fill `found` (_PEAKS,) with the levels [m] of most `votes[0]`, a plate apart; return how many."""
    apart = int(_MIN_THICKNESS_M / _BIN_M)
    for count in range(_PEAKS):
        for place in each(1, BINS - 1):
            votes[1, place] = votes[0, place - 1] + votes[0, place] + votes[0, place + 1]
        centre = 1 + strongest(votes[1, 1 : BINS - 1])
        most = votes[1, centre]
        if most < _MIN_PEAK_VOTES:
            return count
        moment = votes[0, centre + 1] - votes[0, centre - 1]
        level = _ORIGIN_M + _BIN_M * (centre + moment / most)
        found[count] = level
        nearest = whole((level - _ORIGIN_M) / _BIN_M + 0.5)
        votes[0, max(nearest - apart, 0) : nearest + apart + 1] = 0.0
    return _PEAKS


@compilable
def _lap_face(u: Floats, h: Floats, weight: Floats, votes: Floats, lower: float, upper: float) -> float:
    """Return the edge face: the u [m] that best parts the plate at `lower` from the one at `upper` [m]."""
    votes[:] = 0.0
    for column in each(0, len(u)):
        place = whole((u[column] - _ORIGIN_M) / _BIN_M + 0.5)
        counts = (weight[column] > 0.0) & (place >= 0) & (place < BINS)
        value = h[column]
        on_lower = abs(value - lower) < _FACE_GATE_M
        on_upper = abs(value - upper) < _FACE_GATE_M
        part = where((lower < value) & (value < upper), 2, -1)
        part = where(on_lower, 0, where(on_upper, 1, part))
        for kind in range(3):
            add(votes, kind, where(counts & (part == kind), place, -1), weight[column])
    for place in each(0, BINS):
        votes[3, place] = votes[0, place] - votes[1, place]
    running(votes[3], votes[3])
    for place in each(1, BINS - 1):
        on_face = votes[2, place - 1] + votes[2, place] + votes[2, place + 1]
        votes[4, place] = votes[3, place - 1] + on_face
    return _ORIGIN_M + _BIN_M * (1 + strongest(votes[4, 1 : BINS - 1]))


@compilable
def _segment(
    joint: int,
    u: Column,
    h: Column,
    lower: Column,
    upper: Column,
    face: Column,
    corner: Column,
    gate: Column,
) -> tuple[Column, Column]:
    """Return the segment (0, 1, 2; -1 for none) that the point (u, h) [m] lies on and its residual [m]."""
    off = h - lower
    better = (u < corner + 0.5 * gate) & (abs(off) < gate)
    chosen, residual = where(better, 0, -1), where(better, off, gate)
    if joint != T_FILLET:
        off = h - upper
        better = (u > corner - 0.5 * gate) & (abs(off) < abs(residual))
        chosen, residual = where(better, 1, chosen), where(better, off, residual)
    if joint != BUTT:
        off = u - face
        better = (h > lower - 0.5 * gate) & (abs(off) < abs(residual))
        if joint == LAP:
            better = better & (h < upper + 0.5 * gate)
        chosen, residual = where(better, 2, chosen), where(better, off, residual)
    return chosen, residual


@compilable
def _explain(
    joint: int, u: Floats, h: Floats, weight: Floats, trials: Floats, count: int, explained: Floats
) -> None:
    """Fill `explained` (HYPOTHESES, columns) with how well each of `count` trials explains each column.

    That is the weight of the column's point, less the farther it is off.
    """
    for trial in rows(0, count):
        for column in each(0, len(u)):
            lower, upper, face = trials[trial, 0], trials[trial, 1], trials[trial, 2]
            segment, residual = _segment(joint, u[column], h[column], lower, upper, face, face, 1.0e-3)
            off_mm = residual * 1.0e3
            value = weight[column] * (1.0 - off_mm * off_mm)
            explained[trial, column] = where((segment >= 0) & (value > 0.0), value, 0.0)


@compilable
def _propose(
    joint: int,
    u: Floats,
    h: Floats,
    weight: Floats,
    votes: Floats,
    plates: Floats,
    faces: Floats,
    trials: Floats,
) -> int:
    """Fill `trials` (HYPOTHESES, LEVELS) with what the votes at one roll angle propose; return how many."""
    _vote(h, weight, votes)
    plate_count = _peaks(votes, plates)
    face_count = 1
    if joint == T_FILLET:
        _vote(u, weight, votes)
        face_count = _peaks(votes, faces)
    count = 0
    for i in range(plate_count):
        for j in range(plate_count if joint == LAP else face_count):
            if joint == LAP and plates[j] <= plates[i]:
                continue
            trials[count, 0] = plates[i]
            if joint == LAP:
                trials[count, 1] = plates[j]
                trials[count, 2] = _lap_face(u, h, weight, votes, plates[i], plates[j])
            elif joint == T_FILLET:
                trials[count, 2] = faces[j]
            else:
                trials[count, 1] = plates[i]
            count += 1
    return count


@compilable
def coarse(
    joint: int,
    y: Floats,
    z: Floats,
    weight: Floats,
    skew: float,
    u: Floats,
    h: Floats,
    votes: Floats,
    explained: Floats,
    levels: Floats,
) -> float:
    """Fill `levels` with the best guess over the roll angles, leave `u`, `h` at its angle, return that [rad].

    Votes propose levels, the number of columns explained decides between them: spatter and reflections have
    votes too, but on the wrong side of the corner. `votes` (5, BINS) and `explained` (HYPOTHESES, columns)
    are scratch.
    """
    nominal = 0.0 if joint == BUTT else -0.25 * math.pi
    best, best_angle = -1.0, nominal
    plates, faces, trials = np.empty(_PEAKS), np.empty(_PEAKS), np.zeros((HYPOTHESES, LEVELS))
    for roll in _ROLLS_RAD:
        rotate(y, z, nominal + roll, skew, u, h)
        count = _propose(joint, u, h, weight, votes, plates, faces, trials)
        _explain(joint, u, h, weight, trials, count, explained)
        for trial in range(count):
            # Between equal guesses the smaller roll is the likelier one.
            score = total(explained[trial]) - 5.0 * abs(roll)
            if score > best:
                best, best_angle = score, nominal + roll
                for level in range(LEVELS):
                    levels[level] = trials[trial, level]
    rotate(y, z, best_angle, skew, u, h)
    return best_angle


@compilable
def refine(
    joint: int,
    y: Floats,
    z: Floats,
    weight: Floats,
    u: Floats,
    h: Floats,
    angle: float,
    skew: float,
    levels: Floats,
    split: Floats,
    gates: Floats,
    stats: Floats,
) -> float:
    """Improve `levels` and return the improved angle [rad] by re-weighted least squares with Tukey's weights.

    `split` holds the u [m] between the plates of a butt joint and half the width left out around it; its
    first entry follows the rotation. `gates` are the distances [m] from a line beyond which a point does not
    count, for each pass. `stats` (3, LEVELS): inlier columns, their summed weights and weighted squared
    residuals [m^2] of the last pass.
    """
    sums = np.zeros((5, LEVELS))
    for gate in gates:
        sums[:] = 0.0
        stats[:] = 0.0
        _gather(joint, weight, u, h, levels, split, gate, sums, stats)
        spread, slant = 1e-12, 0.0
        for k in range(LEVELS):
            if sums[0, k] > 0.0:
                spread += sums[3, k] - sums[1, k] * sums[1, k] / sums[0, k]
                slant += sums[4, k] - sums[1, k] * sums[2, k] / sums[0, k]
        slope = min(max(slant / spread, -0.1), 0.1)
        scale = 1.0 / math.sqrt(1.0 + slope * slope)
        for k in range(LEVELS):
            if sums[0, k] > 0.0:
                levels[k] = scale * (levels[k] + (sums[2, k] - slope * sums[1, k]) / sums[0, k])
        split[0] = scale * (split[0] + slope * levels[0])
        angle += math.atan(slope)
        rotate(y, z, angle, skew, u, h)
    return angle


@compilable
def _gather(
    joint: int,
    weight: Floats,
    u: Floats,
    h: Floats,
    levels: Floats,
    split: Floats,
    gate: float,
    sums: Floats,
    stats: Floats,
) -> None:
    """Add the points that lie within `gate` [m] of the cross-section to both tables."""
    lower, upper, face = levels[0], levels[1], levels[2]
    corner = split[0] if joint == BUTT else face
    for column in each(0, len(u)):
        segment, residual = _segment(joint, u[column], h[column], lower, upper, face, corner, gate)
        taken = weight[column] > 0.0
        if joint == BUTT:
            taken = taken & (abs(u[column] - corner) >= split[1])
        chosen = where(taken, segment, -1)
        along = where(segment == 2, -h[column], u[column])
        fraction = residual / gate
        fraction = 1.0 - fraction * fraction
        tukey = fraction * fraction * weight[column]
        add(sums, 0, chosen, tukey)
        add(sums, 1, chosen, tukey * along)
        add(sums, 2, chosen, tukey * residual)
        add(sums, 3, chosen, tukey * along * along)
        add(sums, 4, chosen, tukey * along * residual)
        add(stats, 0, chosen, 1.0)
        add(stats, 1, chosen, tukey)
        add(stats, 2, chosen, tukey * residual * residual)


@compilable
def corner(angle: float, skew: float, levels: Floats) -> tuple[float, float]:
    """Return (y, z) [m] where the base plate meets the web's or edge's face."""
    square = math.cos(2.0 * skew)
    y = (math.cos(angle - skew) * levels[2] - math.sin(angle + skew) * levels[0]) / square
    z = (math.sin(angle - skew) * levels[2] + math.cos(angle + skew) * levels[0]) / square
    return y, z
