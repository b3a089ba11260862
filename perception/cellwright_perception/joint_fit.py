"""Fit the cross-section of a joint to the lines seen in the stripe window (compiled, no allocation per call).

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
from numba import njit
from numpy.typing import NDArray

from cellwright_perception.stripe import CANDIDATES, SHOULDER_PX, find_ridges

Floats = NDArray[np.float64]

BUTT, T_FILLET, LAP = 0, 1, 2
LEVELS = 3
PEAKS = 3
"""Levels proposed by the votes at one roll angle."""

_ROLLS_RAD = np.deg2rad(np.array([0.0, -5.0, 5.0, -10.0, 10.0]))
_BIN_M = 0.4e-3
_BINS = 100
_ORIGIN_M = -0.5 * _BINS * _BIN_M
_GATES_M = np.array([1.0e-3, 0.7e-3, 0.5e-3, 0.35e-3, 0.3e-3])
_MIN_THICKNESS_M = 1.0e-3
"""Plates of a lap thinner than this are not told from a kink of one plate."""
_MAX_GAP_M = 4.0e-3
_GROOVE_M = 0.45e-3
"""Width that the edge chamfers of a closed butt joint add to its apparent gap (two of 0.3 mm, partly lit)."""
_MIN_SEGMENT_COLUMNS = 5.0
_MIN_PEAK_VOTES = 2.5
_EITHER_PLATE_M = 0.6e-3
"""Distance from the split of a butt joint within which a point may lie on either plate."""
_MIN_GROOVE_EVIDENCE = 0.45


@njit(cache=True, inline="always")
def _position(homography: Floats, column: float, row: float) -> tuple[float, float]:
    """Return (y, z) [m] of the laser plane seen at (`column`, `row`) [px], or the reverse of it."""
    depth = homography[2, 0] * column + homography[2, 1] * row + homography[2, 2]
    y = homography[0, 0] * column + homography[0, 1] * row + homography[0, 2]
    z = homography[1, 0] * column + homography[1, 1] * row + homography[1, 2]
    return y / depth, z / depth


@njit(cache=True, inline="always")
def _line_row(homography: Floats, ny: float, nz: float, level: float, column: float) -> float:
    """Return the row [px] at which `column` meets the line ny y + nz z = level of the laser plane."""
    a = ny * homography[0, 0] + nz * homography[1, 0] - level * homography[2, 0]
    b = ny * homography[0, 1] + nz * homography[1, 1] - level * homography[2, 1]
    c = ny * homography[0, 2] + nz * homography[1, 2] - level * homography[2, 2]
    return -(a * column + c) / b


@njit(cache=True)
def _rotate(y: Floats, z: Floats, weight: Floats, angle: float, skew: float, u: Floats, h: Floats) -> None:
    cos_u, sin_u = math.cos(angle + skew), math.sin(angle + skew)
    cos_h, sin_h = math.cos(angle - skew), math.sin(angle - skew)
    for column in range(y.shape[0]):
        for slot in range(CANDIDATES):
            if weight[column, slot] <= 0.0:
                break
            u[column, slot] = cos_u * y[column, slot] + sin_u * z[column, slot]
            h[column, slot] = cos_h * z[column, slot] - sin_h * y[column, slot]


@njit(cache=True)
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


@njit(cache=True)
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


@njit(cache=True, inline="always")
def _bin(level: float) -> int:
    return math.floor((level - _ORIGIN_M) / _BIN_M + 0.5)


@njit(cache=True)
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


@njit(cache=True)
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


@njit(cache=True)
def _peaks(histogram: Floats, found: Floats) -> int:
    """Fill `found` (PEAKS,) with the levels [m] of most votes, a plate apart at least; return how many."""
    apart = int(_MIN_THICKNESS_M / _BIN_M)
    for count in range(PEAKS):
        level, votes = _peak(histogram)
        if votes < _MIN_PEAK_VOTES:
            return count
        found[count] = level
        centre = _bin(level)
        histogram[max(centre - apart, 0) : centre + apart + 1] = 0.0
    return PEAKS


@njit(cache=True)
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


@njit(cache=True)
def _coarse(
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
    plates, faces, trial = np.empty(PEAKS), np.empty(PEAKS), np.zeros(LEVELS)
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


@njit(cache=True)
def _butt_split(u: Floats, h: Floats, weight: Floats, sums: Floats, level: float) -> float:
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
            if w < _MIN_SEGMENT_COLUMNS:
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


@njit(cache=True)
def _refine(
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


@njit(cache=True)
def _lit(
    row_px: Floats,
    strength: Floats,
    smoothed: NDArray[np.float32],
    column: int,
    row: float,
    base_row: float,
    reference: float,
) -> float:
    """Return how much of `column` shows the web's line at `row` [px]: 0 to 1, or -1 where glare hides it.

    Under the web the base plate goes on, and the line on it at `base_row` with a kink at the corner.
    """
    found, on_base = 0.0, False
    for slot in range(CANDIDATES):
        if strength[column, slot] <= found:
            break
        off_web, off_base = abs(row_px[column, slot] - row), abs(row_px[column, slot] - base_row)
        if off_web < 1.0 and off_web <= off_base:
            found = strength[column, slot]
        on_base |= off_base < min(1.0, off_web)
    if found > 0.0:
        return min(max((found / reference - 0.1) / 0.75, 0.0), 1.0)
    nearest = int(row + 0.5)
    if not on_base and 0 <= nearest < smoothed.shape[0] and smoothed[nearest, column] > 0.8 * reference:
        return -1.0
    return 0.0


@njit(cache=True)
def _corner(angle: float, skew: float, levels: Floats) -> tuple[float, float]:
    """Return (y, z) [m] where the base plate meets the web's or edge's face."""
    square = math.cos(2.0 * skew)
    y = (math.cos(angle - skew) * levels[2] - math.sin(angle + skew) * levels[0]) / square
    z = (math.sin(angle - skew) * levels[2] + math.cos(angle + skew) * levels[0]) / square
    return y, z


@njit(cache=True)
def _face_gap(
    homography: Floats,
    inverse: Floats,
    row_px: Floats,
    strength: Floats,
    smoothed: NDArray[np.float32],
    angle: float,
    skew: float,
    levels: Floats,
    reference: float,
) -> tuple[float, float]:
    """Return the gap [m] under a web or an edge face, from its dark columns, and the corner's column [px]."""
    cos, sin = math.cos(angle + skew), math.sin(angle + skew)
    cos_h, sin_h = math.cos(angle - skew), math.sin(angle - skew)
    square = math.cos(2.0 * skew)
    corner_y, corner_z = _corner(angle, skew, levels)
    corner_px, _ = _position(inverse, corner_y, corner_z)
    if not 0.0 <= corner_px < smoothed.shape[1] - 2:
        return 0.0, corner_px
    first = math.ceil(corner_px)
    score, best, dark_px = 0.0, 0.0, 0.0
    pending = True
    width_px = first - 0.5 - corner_px
    for column in range(first, smoothed.shape[1]):
        row = _line_row(homography, cos, sin, levels[2], column)
        y, z = _position(homography, column, row)
        if (cos_h * z - sin_h * y - levels[0]) / square > _MAX_GAP_M:
            break
        base_row = _line_row(homography, -sin_h, cos_h, levels[0], column)
        lit = _lit(row_px, strength, smoothed, column, row, base_row, reference)
        if lit < 0.0:
            continue
        score += 1.0 - 2.0 * lit
        dark_px += 1.0 - lit
        if score > best:
            best, pending = score, True
            width_px = first - 0.5 - corner_px + dark_px
        elif pending:
            # The column that the edge runs through counts by the part of it that is dark.
            pending = False
            width_px = first - 0.5 - corner_px + dark_px
    end = corner_px + max(width_px, 0.0)
    y, z = _position(homography, end, _line_row(homography, cos, sin, levels[2], end))
    return max(0.0, (cos_h * z - sin_h * y - levels[0]) / square), corner_px


@njit(cache=True)
def _butt_evidence(
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
        nearest = int(_line_row(homography, -sin, cos, middle, column) + 0.5)
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


@njit(cache=True)
def _groove(evidence: Floats, start: int, stop: int) -> tuple[float, int, int]:
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


@njit(cache=True)
def measure_joint(  # noqa: PLR0912, PLR0915 - one pass over shared scratch
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
    columns = smoothed.shape[1]
    row_px, strength, weight, y, z, u, h = planes
    result[:] = 0.0
    typical = find_ridges(smoothed, ridge, row_px, strength)
    seen = 0.0
    for column in range(columns):
        seen += strength[column, 0] > 0.0
        for slot in range(CANDIDATES):
            weight[column, slot] = 0.0
            if strength[column, slot] <= 0.0:
                continue
            # Spatter and glare are brighter than the laser line, reflections weaker than it in their column.
            relative = strength[column, slot] / typical
            weight[column, slot] = min(relative, 1.0 / relative) * (1.0 if slot == 0 else 0.6)
            y[column, slot], z[column, slot] = _position(homography, column, row_px[column, slot])
    if seen < 2 * _MIN_SEGMENT_COLUMNS:
        return

    levels, split, stats = np.zeros(LEVELS), np.zeros(2), np.zeros((LEVELS, 4))
    angle = _coarse(joint, y, z, weight, skew, u, h, vectors[:3], levels)
    if joint == BUTT:
        split[0] = _butt_split(u, h, weight, vectors[3:9], levels[0])
    angle = _refine(joint, y, z, strength, weight, u, h, angle, skew, levels, split, _GATES_M, stats)

    expected = float(columns)
    found = 1.0
    if joint == BUTT:
        evidence = vectors[9, :columns]
        reference = max(stats[:2, 3].sum() / max(stats[:2, 1].sum(), 1e-9), 1.0)
        score, first, last = 0.0, 0, -1
        for _ in range(2):
            _butt_evidence(
                homography,
                strength,
                smoothed,
                u,
                h,
                angle,
                levels,
                split[0],
                reference,
                vectors[10],
                evidence,
            )
            score, first, last = _groove(evidence, 0, columns)
            if last < first:
                return
            middle_px = 0.5 * (first + last)
            cos, sin = math.cos(angle), math.sin(angle)
            row = _line_row(homography, -sin, cos, 0.5 * (levels[0] + levels[1]), middle_px)
            left_y, left_z = _position(homography, middle_px - 0.5 * (last - first) - 1.0, row)
            right_y, right_z = _position(homography, middle_px + 0.5 * (last - first) + 1.0, row)
            split[0] = 0.5 * (cos * (left_y + right_y) + sin * (left_z + right_z))
            split[1] = 0.5 * math.hypot(right_y - left_y, right_z - left_z)
            angle = _refine(
                joint, y, z, strength, weight, u, h, angle, skew, levels, split, _GATES_M[3:], stats
            )
        if score < _MIN_GROOVE_EVIDENCE or first == 0 or last == columns - 1:
            return
        rival = max(_groove(evidence, 0, first - 1)[0], _groove(evidence, last + 2, columns)[0])
        found = min(max(1.0 - rival / score, 0.0) * 1.5, 1.0)
        moment, width_px = 0.0, 0.0
        for column in range(max(first - 1, 0), min(last + 2, columns)):
            share = 1.0 if evidence[column] < 0.0 else max(0.0, (evidence[column] - 0.1) / 0.9)
            width_px += share
            moment += share * column
        centre = moment / max(width_px, 1e-9)
        cos, sin = math.cos(angle), math.sin(angle)
        middle = 0.5 * (levels[0] + levels[1])
        row = _line_row(homography, -sin, cos, middle, centre)
        result[0], result[1] = _position(homography, centre, row)
        left_y, left_z = _position(homography, centre - 0.5 * width_px, row)
        right_y, right_z = _position(homography, centre + 0.5 * width_px, row)
        result[2] = max(0.0, math.hypot(right_y - left_y, right_z - left_z) - _GROOVE_M)
        result[3] = levels[1] - levels[0]
        expected -= last - first + 3
        fewest = min(stats[0, 0], stats[1, 0])
        result[5] = angle
    else:
        reference = max(stats[2, 3] / max(stats[2, 1], 1e-9), 1.0)
        gap, corner_px = _face_gap(
            homography, inverse, row_px, strength, smoothed, angle, skew, levels, reference
        )
        if not 0.0 <= corner_px <= columns - 1.0:
            return
        result[0], result[1] = _corner(angle, skew, levels)
        result[2] = gap
        expected -= 2.5e3 * gap
        fewest = min(stats[0, 0], stats[2, 0])
        if joint == LAP:
            fewest = min(fewest + 2.0, stats[0, 0], stats[1, 0])
        result[5] = angle + 0.25 * math.pi

    inliers = stats[:, 0].sum()
    rms_m = math.sqrt(stats[:, 2].sum() / max(stats[:, 1].sum(), 1e-9))
    covered = min(max((inliers / max(expected, 1.0) - 0.45) / 0.3, 0.0), 1.0)
    complete = min(max((fewest - 1.0) / (_MIN_SEGMENT_COLUMNS - 1.0), 0.0), 1.0)
    sharp = min(max((0.20e-3 - rms_m) / 0.10e-3, 0.0), 1.0)
    bright = min(max((typical - 10.0) / 15.0, 0.0), 1.0)
    result[4] = covered * complete * sharp * bright * found
    if result[4] <= 0.0:
        result[:] = 0.0
