"""Fit the cross-section of a joint to points in the laser plane (compiled).

A cross-section is described in the joint's own frame (u, h) in the laser plane, rotated against the tool's
(y, z) by the angle a: u = y cos a + z sin a, h = -y sin a + z cos a.

    butt      right plate h = levels[0], left plate h = levels[1]; a is about 0
    t_fillet  base plate h = levels[0] at u < levels[2], web u = levels[2]; a is about -45 degrees
    lap       lower plate h = levels[0], edge face u = levels[2], upper plate h = levels[1]; a as t_fillet

Where base and web are not square to each other (a branch on a round pipe), h is turned back and u turned
on by a known `skew`: u = y cos(a + skew) + z sin(a + skew), h = -y sin(a - skew) + z cos(a - skew).

Coarse: votes of all candidates for h and u over a few angles. Fine: re-weighted least squares (Tukey) of all
levels and the one angle that they share.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.compiled import compilable, compilable_inline
from cellwright_perception.seam.stripe import CANDIDATES

Floats = NDArray[np.float64]

BUTT, T_FILLET, LAP = 0, 1, 2
LEVELS = 3
MIN_SEGMENT_COLUMNS = 5.0
GATES_M = np.array([1.0e-3, 0.7e-3, 0.5e-3, 0.35e-3, 0.3e-3])
"""Distance [m] from a line beyond which a point does not count, for each pass of `refine`."""

_PEAKS = 3
"""Levels proposed by the votes at one roll angle."""
_ROLLS_RAD = np.deg2rad(np.array([0.0, -5.0, 5.0, -10.0, 10.0]))
_BIN_M = 0.4e-3
_BINS = 100
_ORIGIN_M = -0.5 * _BINS * _BIN_M
_MIN_THICKNESS_M = 1.0e-3
"""Plates of a lap thinner than this cannot be distinguished from a kink of one plate."""
_MIN_PEAK_VOTES = 2.5


@compilable
def _rotate(y: Floats, z: Floats, weight: Floats, angle: float, skew: float, u: Floats, h: Floats) -> None:
    cos_u, sin_u = math.cos(angle + skew), math.sin(angle + skew)
    cos_h, sin_h = math.cos(angle - skew), math.sin(angle - skew)
    for column in range(y.shape[0]):
        for slot in range(CANDIDATES):
            if weight[column, slot] <= 0.0:
                break
            u[column, slot] = cos_u * y[column, slot] + sin_u * z[column, slot]
            h[column, slot] = cos_h * z[column, slot] - sin_h * y[column, slot]


@compilable
def _vote(values: Floats, weight: Floats, histogram: Floats) -> None:
    """Fill `histogram` with `weight` at `values` [m], each shared between the two nearest bins."""
    histogram[:] = 0.0
    for column in range(values.shape[0]):
        for slot in range(CANDIDATES):
            if weight[column, slot] <= 0.0:
                break
            place = (values[column, slot] - _ORIGIN_M) / _BIN_M
            low = math.floor(place)
            if 0 <= low < _BINS - 1:
                histogram[low] += weight[column, slot] * (low + 1 - place)
                histogram[low + 1] += weight[column, slot] * (place - low)


@compilable
def _peak(histogram: Floats) -> tuple[float, float]:
    """Return the level [m] and the votes of the fullest three neighbouring bins."""
    best, where = 0.0, 1
    for centre in range(1, _BINS - 1):
        votes = histogram[centre - 1] + histogram[centre] + histogram[centre + 1]
        if votes > best:
            best, where = votes, centre
    if best <= 0.0:
        return 0.0, 0.0
    moment = histogram[where + 1] - histogram[where - 1]
    return _ORIGIN_M + _BIN_M * (where + moment / best), best


@compilable_inline
def _bin(level: float) -> int:
    return math.floor((level - _ORIGIN_M) / _BIN_M + 0.5)


@compilable
def _lap_face(u: Floats, h: Floats, weight: Floats, votes: Floats, levels: Floats) -> None:
    """Set the edge face `levels[2]`: the u that best parts lower from upper plate, and the face's votes."""
    votes[:] = 0.0
    gate = 0.8e-3
    for column in range(u.shape[0]):
        for slot in range(CANDIDATES):
            place = _bin(u[column, slot])
            if weight[column, slot] <= 0.0 or not 0 <= place < _BINS:
                continue
            value = h[column, slot]
            if abs(value - levels[0]) < gate:
                votes[0, place] += weight[column, slot]
            elif abs(value - levels[1]) < gate:
                votes[1, place] += weight[column, slot]
            elif levels[0] < value < levels[1]:
                votes[2, place] += weight[column, slot]
    balance = votes[1].sum()
    best, where = -1.0, 0
    for place in range(1, _BINS - 1):
        balance += votes[0, place - 1] - votes[1, place - 1]
        score = balance + votes[2, place - 1] + votes[2, place] + votes[2, place + 1]
        if score > best:
            best, where = score, place
    levels[2] = _ORIGIN_M + _BIN_M * where


@compilable
def _segment(joint: int, u: float, h: float, levels: Floats, corner: float, gate: float) -> tuple[int, float]:
    """Return the segment (0, 1, 2; -1 for none) that the point (u, h) [m] lies on and its residual [m]."""
    chosen, residual = -1, gate
    if u < corner + 0.5 * gate and abs(h - levels[0]) < abs(residual):
        chosen, residual = 0, h - levels[0]
    if joint != T_FILLET and u > corner - 0.5 * gate and abs(h - levels[1]) < abs(residual):
        chosen, residual = 1, h - levels[1]
    on_face = joint == T_FILLET or (joint == LAP and h < levels[1] + 0.5 * gate)
    if on_face and h > levels[0] - 0.5 * gate and abs(u - levels[2]) < abs(residual):
        chosen, residual = 2, u - levels[2]
    return chosen, residual


@compilable
def _peaks(histogram: Floats, found: Floats) -> int:
    """Fill `found` (_PEAKS,) with the levels [m] of most votes, a plate apart at least; return how many."""
    apart = int(_MIN_THICKNESS_M / _BIN_M)
    for count in range(_PEAKS):
        level, votes = _peak(histogram)
        if votes < _MIN_PEAK_VOTES:
            return count
        found[count] = level
        centre = _bin(level)
        histogram[max(centre - apart, 0) : centre + apart + 1] = 0.0
    return _PEAKS


@compilable
def _explained(joint: int, u: Floats, h: Floats, weight: Floats, levels: Floats) -> float:
    """Return how many columns, weighted, the cross-section `levels` explains by their best line."""
    total = 0.0
    corner = levels[2]
    for column in range(u.shape[0]):
        best = 0.0
        for slot in range(CANDIDATES):
            if weight[column, slot] <= best:
                break
            segment, residual = _segment(joint, u[column, slot], h[column, slot], levels, corner, 1.0e-3)
            if segment >= 0:
                best = max(best, weight[column, slot] * (1.0 - (residual * 1.0e3) ** 2))
        total += best
    return total


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
    levels: Floats,
) -> float:
    """Fill `levels` with the best guess over the roll angles, leave `u`, `h` at its angle, return that [rad].

    Votes propose levels, the number of columns explained decides between them: spatter and reflections have
    votes too, but on the wrong side of the corner.
    """
    nominal = 0.0 if joint == BUTT else -0.25 * math.pi
    best, best_angle = -1.0, nominal
    plates, faces, trial = np.empty(_PEAKS), np.empty(_PEAKS), np.zeros(LEVELS)
    for roll in _ROLLS_RAD:
        _rotate(y, z, weight, nominal + roll, skew, u, h)
        _vote(h, weight, votes[0])
        plate_count = _peaks(votes[0], plates)
        face_count = 1
        if joint == T_FILLET:
            _vote(u, weight, votes[1])
            face_count = _peaks(votes[1], faces)
        for i in range(plate_count):
            for j in range(plate_count if joint == LAP else face_count):
                trial[0] = plates[i]
                if joint == LAP:
                    if plates[j] <= plates[i]:
                        continue
                    trial[1] = plates[j]
                    _lap_face(u, h, weight, votes, trial)
                elif joint == T_FILLET:
                    trial[2] = faces[j]
                else:
                    trial[1] = plates[i]
                # Between equal guesses the smaller roll is the likelier one.
                score = _explained(joint, u, h, weight, trial) - 5.0 * abs(roll)
                if score > best:
                    best, best_angle = score, nominal + roll
                    levels[:] = trial
    _rotate(y, z, weight, best_angle, skew, u, h)
    return best_angle


@compilable
def refine(
    joint: int,
    y: Floats,
    z: Floats,
    strength: Floats,
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
    first entry follows the rotation. `stats` (LEVELS, 4): inlier columns, their summed weights, weighted
    squared residuals [m^2] and weighted strengths [counts] of the last pass.
    """
    sums = np.zeros((LEVELS, 5))
    for gate in gates:
        sums[:] = 0.0
        stats[:] = 0.0
        corner = split[0] if joint == BUTT else levels[2]
        for column in range(u.shape[0]):
            chosen, best, taken = -1, gate, 0
            for slot in range(CANDIDATES):
                if weight[column, slot] <= 0.0:
                    break
                if joint == BUTT and abs(u[column, slot] - corner) < split[1]:
                    continue
                segment, residual = _segment(
                    joint, u[column, slot], h[column, slot], levels, corner, abs(best)
                )
                if segment >= 0:
                    chosen, best, taken = segment, residual, slot
            if chosen < 0:
                continue
            tukey = (1.0 - (best / gate) ** 2) ** 2 * weight[column, taken]
            along = -h[column, taken] if chosen == 2 else u[column, taken]
            sums[chosen, 0] += tukey
            sums[chosen, 1] += tukey * along
            sums[chosen, 2] += tukey * best
            sums[chosen, 3] += tukey * along * along
            sums[chosen, 4] += tukey * along * best
            stats[chosen, 0] += 1.0
            stats[chosen, 1] += tukey
            stats[chosen, 2] += tukey * best * best
            stats[chosen, 3] += tukey * strength[column, taken]
        spread, slant = 1e-12, 0.0
        for k in range(LEVELS):
            if sums[k, 0] > 0.0:
                spread += sums[k, 3] - sums[k, 1] * sums[k, 1] / sums[k, 0]
                slant += sums[k, 4] - sums[k, 1] * sums[k, 2] / sums[k, 0]
        slope = min(max(slant / spread, -0.1), 0.1)
        scale = 1.0 / math.sqrt(1.0 + slope * slope)
        for k in range(LEVELS):
            if sums[k, 0] > 0.0:
                levels[k] = scale * (levels[k] + (sums[k, 2] - slope * sums[k, 1]) / sums[k, 0])
        split[0] = scale * (split[0] + slope * levels[0])
        angle += math.atan(slope)
        _rotate(y, z, weight, angle, skew, u, h)
    return angle


@compilable
def corner(angle: float, skew: float, levels: Floats) -> tuple[float, float]:
    """Return (y, z) [m] where the base plate meets the web's or edge's face."""
    square = math.cos(2.0 * skew)
    y = (math.cos(angle - skew) * levels[2] - math.sin(angle + skew) * levels[0]) / square
    z = (math.sin(angle - skew) * levels[2] + math.cos(angle + skew) * levels[0]) / square
    return y, z
