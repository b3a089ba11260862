"""The gap under the web of a T-fillet or the edge face of a lap, in a profile.

A point near the corner is described by `up`, its height along the web above the base plate, and `past`,
how far along the base plate it lies beyond the corner. On the web `past` is 0, on the base plate under it
`up` is. Each column meets the base plate beyond the corner and the web above it; which of the two it shows
says whether it looks under the web.
"""

from __future__ import annotations

import math

from cellwright_perception.columns import Floats, each, larger, running, smaller, strongest, where
from cellwright_perception.compiled import compilable

_MAX_GAP_M = 4.0e-3
_CLEAR_M = 0.3e-3
"""Distance from a line beyond which a point says nothing more against it."""
_FILL_REACH_M = 0.8e-3
"""Distance from the corner up to which points are asked whether something fills it, such as a tack."""
_FILL_MOST_M = 0.4e-3
"""Most by which one point speaks for it: spatter lies farther away."""
_LITTLE_FILL_M2, _MUCH_FILL_M2 = 0.025e-6, 0.05e-6
"""Cross-section in the corner [m^2] from which on the gap is doubted, and at which it is not believed.

A tack with legs of 0.6 mm has 0.13 mm^2 here; points that scatter by 0.1 mm make 0.015 mm^2 of nothing.
"""
_SEEN_BESIDE = 12
"""Columns to each side of the edge."""
_TOO_FEW, _ENOUGH = 0.35, 0.8
"""Part of these that has to be on base plate or web before the gap is believed at all, and fully: a false
line across the corner hides a gap, or makes one."""


@compilable
def gap_under_web(
    y: Floats,
    z: Floats,
    weight: Floats,
    eye_y: float,
    eye_z: float,
    angle: float,
    skew: float,
    levels: Floats,
    scratch: Floats,
) -> tuple[float, float]:
    """Return the gap [m] under a web or an edge face, and how sure it is, 0..1.

    `y`, `z` (columns,) [m] and `weight` (columns,), 0 for a missing point, are the profile; all columns look
    from (`eye_y`, `eye_z`) [m]. `scratch` is (4, columns or more).
    """
    columns = len(y)
    cos_u, sin_u = math.cos(angle + skew), math.sin(angle + skew)
    cos_h, sin_h = math.cos(angle - skew), math.sin(angle - skew)
    square = math.cos(2.0 * skew)
    meets, filled, seen = scratch[1], scratch[2], scratch[3]
    for column in each(0, columns):
        up = (cos_h * z[column] - sin_h * y[column] - levels[0]) / square
        past = (cos_u * y[column] + sin_u * z[column] - levels[2]) / square
        down_y, down_z = y[column] - eye_y, z[column] - eye_z
        up_per_m, past_per_m = cos_h * down_z - sin_h * down_y, cos_u * down_y + sin_u * down_z
        # Looking down, `past` grows and `up` falls; elsewhere no column looks under the web.
        looks = (weight[column] > 0.0) & (past_per_m > 0.0) & (up_per_m < 0.0)
        web_up = up - past * up_per_m / where(looks, past_per_m, 1.0)
        near = looks & (web_up > 0.0) & (web_up < _MAX_GAP_M)
        off_base, off_web = smaller(up * up, _CLEAR_M * _CLEAR_M), smaller(past * past, _CLEAR_M * _CLEAR_M)
        scratch[0, column] = where(near, off_base - off_web, 0.0)
        meets[column] = where(near, web_up, -1.0)
        close = (weight[column] > 0.0) & (larger(up, -past) < _FILL_REACH_M)
        fill = smaller(larger(smaller(up, -past), -_FILL_MOST_M), _FILL_MOST_M)
        filled[column] = where(close, fill, 0.0)
        explained = smaller(off_base, off_web) < _CLEAR_M * _CLEAR_M
        seen[column] = where((weight[column] > 0.0) & explained, 1.0, 0.0)
    running(scratch[0, :columns], scratch[0, :columns])
    running(filled[:columns], filled[:columns])
    running(seen[:columns], seen[:columns])
    for column in each(0, columns):
        scratch[0, column] = -scratch[0, column]
    last = strongest(scratch[0, :columns])
    first = 0
    while first < columns and meets[first] < 0.0:
        first += 1
    if first == columns:
        return 0.0, 0.0
    edge = last + 1
    if scratch[0, last] <= 0.0:
        edge = first
    while edge < columns and meets[edge] < 0.0:
        edge += 1
    if edge == columns:
        return 0.0, 0.0
    beyond = edge + 1
    while beyond < columns - 1 and meets[beyond] < 0.0:
        beyond += 1
    pitch_m = 0.0
    if beyond < columns and meets[beyond] > meets[edge]:
        pitch_m = (meets[beyond] - meets[edge]) / (beyond - edge)
    gap_m = max(meets[edge] - 0.5 * pitch_m, 0.0) if scratch[0, last] > 0.0 else 0.0
    low, high = max(edge - _SEEN_BESIDE, 0), min(edge + _SEEN_BESIDE, columns - 1)
    shown = (seen[high] - seen[low]) / (high - low)
    fill_m2 = filled[columns - 1] * pitch_m
    clear = min(max((_MUCH_FILL_M2 - fill_m2) / (_MUCH_FILL_M2 - _LITTLE_FILL_M2), 0.0), 1.0)
    shown = min(max((shown - _TOO_FEW) / (_ENOUGH - _TOO_FEW), 0.0), 1.0)
    return gap_m, clear * shown
