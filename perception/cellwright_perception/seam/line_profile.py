"""Position and shape of the joint ahead of the torch, from one profile of the laser line.

The cross-section is that of `cross_section`, found in 64 medians of neighbouring columns and refined in all
of them, the gap in all of them too.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.columns import Floats, count_positive, each, ordered, where
from cellwright_perception.compiled import compilable, compiled
from cellwright_perception.seam.cross_section import (
    BINS,
    BUTT,
    HYPOTHESES,
    JOINTS,
    LAP,
    LEVELS,
    MIN_SEGMENT_COLUMNS,
    coarse,
    corner,
    refine,
    rotate,
)
from cellwright_perception.seam.line_gap import gap_under_web
from cellwright_perception.seam.line_groove import butt_split, groove_of
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry

GROUPS = 64
"""Medians in which the cross-section is looked for."""
_COARSE_GATES_M = np.array([1.0e-3, 0.7e-3, 0.5e-3])
_FINE_GATES_M = np.array([0.5e-3, 0.35e-3])
"""Distance [m] from a line beyond which a point does not count: passes over medians, then over points."""
_FAR_M = 9.0
"""Stands in for a missing point where points are put in order."""
_BLURRED_M, _SHARP_M = 0.25e-3, 0.15e-3
"""Scatter around the cross-section at which nothing and everything is believed."""


class LineScratch(NamedTuple):
    """Memory that measurements of one number of columns share."""

    groups: Floats
    """(5, GROUPS): y, z, weight, u, h of the medians."""
    points: Floats
    """(5, columns): the same of the points."""
    votes: Floats
    """(5, BINS)."""
    vectors: Floats
    """(HYPOTHESES, GROUPS)."""
    sums: Floats
    """(7, GROUPS + 1)."""
    rows: Floats
    """(4, columns)."""

    @classmethod
    def of(cls, columns: int) -> LineScratch:
        """Room for profiles of so many columns."""
        return cls(
            groups=np.zeros((5, GROUPS)),
            points=np.zeros((5, columns)),
            votes=np.empty((5, BINS)),
            vectors=np.empty((HYPOTHESES, GROUPS)),
            sums=np.empty((7, GROUPS + 1)),
            rows=np.empty((4, columns)),
        )


@compilable
def _read(profile: Floats, points: Floats, rows: Floats) -> None:
    """Fill y, z and weight of `points`; a missing point has weight 0 and lies in the origin."""
    for column in each(0, profile.shape[0]):
        across, up = profile[column, 0], profile[column, 1]
        # NaN is the only number that differs from itself.
        there = (across == across) & (up == up)  # noqa: PLR0124
        points[0, column] = where(there, across, 0.0)
        points[1, column] = where(there, up, 0.0)
        points[2, column] = where(there, 1.0, 0.0)
        rows[0, column] = where(there, across, _FAR_M)
        rows[1, column] = where(there, up, _FAR_M)


@compilable
def _group(rows: Floats, groups: Floats, per: int) -> None:
    """Fill y, z and weight of `groups` with the medians of `per` columns each."""
    for group in range(GROUPS):
        across = ordered(rows[0, group * per : (group + 1) * per])
        up = ordered(rows[1, group * per : (group + 1) * per])
        seen = 0
        while seen < per and across[seen] < _FAR_M:
            seen += 1
        enough = 1.0 if 2 * seen >= per else 0.0
        groups[0, group], groups[1, group] = enough * across[seen // 2], enough * up[seen // 2]
        groups[2, group] = enough


@compilable
def _measure(
    joint: int,
    skew: float,
    eye_y: float,
    eye_z: float,
    gap_fraction: float,
    search: tuple[float, float],
    groups: Floats,
    points: Floats,
    votes: Floats,
    vectors: Floats,
    sums: Floats,
    rows: Floats,
    result: Floats,
) -> None:
    """Fill `result` from the points and their medians; arguments are those of `measure_line`."""
    columns = points.shape[1]
    levels, split, stats = np.zeros(LEVELS), np.zeros(2), np.zeros((3, LEVELS))
    y, z, weight, u, h = groups[0], groups[1], groups[2], groups[3], groups[4]
    angle = coarse(joint, y, z, weight, skew, u, h, votes, vectors, levels)
    if joint == BUTT:
        split[0] = butt_split(u, h, weight, sums, levels[0])
    angle = refine(joint, y, z, weight, u, h, angle, skew, levels, split, _COARSE_GATES_M, stats)
    y, z, weight, u, h = points[0], points[1], points[2], points[3], points[4]
    rotate(y, z, angle, skew, u, h)
    angle = refine(joint, y, z, weight, u, h, angle, skew, levels, split, _FINE_GATES_M, stats)
    if joint == BUTT:
        found, certain = groove_of(
            y,
            z,
            weight,
            u,
            h,
            angle,
            levels,
            split,
            _FINE_GATES_M,
            stats,
            gap_fraction,
            search,
            rows,
            result,
        )
        fewest = min(stats[0, 0], stats[0, 1])
    else:
        gap_m, certain = gap_under_web(y, z, weight, eye_y, eye_z, angle, skew, levels, rows)
        result[0], result[1] = corner(angle, skew, levels)
        result[2] = gap_m
        found = 1.0
        fewest = min(stats[0, 0], stats[0, 2])
        if joint == LAP:
            fewest = min(fewest, 2.0 * stats[0, 1])
    result[2] *= gap_fraction
    inliers, weights = stats[0, 0] + stats[0, 1] + stats[0, 2], stats[1, 0] + stats[1, 1] + stats[1, 2]
    rms_m = math.sqrt((stats[2, 0] + stats[2, 1] + stats[2, 2]) / max(weights, 1e-9))
    covered = min(max((inliers / columns - 0.25) / 0.35, 0.0), 1.0)
    complete = min(fewest / (MIN_SEGMENT_COLUMNS * columns / GROUPS), 1.0)
    sharp = min(max((_BLURRED_M - rms_m) / (_BLURRED_M - _SHARP_M), 0.0), 1.0)
    result[4] = covered * complete * sharp * found
    result[5] = result[4] * certain
    result[6] = angle if joint == BUTT else angle + 0.25 * math.pi
    if result[4] <= 0.0 or abs(result[0] - search[0]) > search[1]:
        result[:] = 0.0


def _entry_point(sources: int) -> Callable[..., None]:
    """Compile the call that Python makes; `sources` keys its cache on disk.

    Numba recompiles a cached function when its own file changes. This one also contains what other
    modules define, whose checksum as a closure variable becomes part of the key.
    """

    @compiled
    def measure_line(
        joint: int,
        profile: Floats,
        skew: float,
        eye_y: float,
        eye_z: float,
        gap_fraction: float,
        search: tuple[float, float],
        groups: Floats,
        points: Floats,
        votes: Floats,
        vectors: Floats,
        sums: Floats,
        rows: Floats,
        result: Floats,
    ) -> None:
        """Fill `result`: lateral, height, gap, mismatch [m], confidence, gap's confidence 0..1, roll [rad].

        `profile` is (columns, 2) in (y, z) [m], NaN where missing, its columns looking from (`eye_y`,
        `eye_z`) [m]. `skew` [rad] is half of what base and web enclose less than a right angle, 0 for a butt
        joint, `gap_fraction` the gap over its width in the laser plane, `search` the lateral around which the
        joint is looked for and how far to each side [m]. What lies between that and `result`
        is a `LineScratch`.
        """
        if sources < 0:
            return
        result[:] = 0.0
        _read(profile, points, rows)
        if 2 * count_positive(points[2]) < profile.shape[0]:
            return
        _group(rows, groups, profile.shape[0] // GROUPS)
        _measure(
            joint,
            skew,
            eye_y,
            eye_z,
            gap_fraction,
            search,
            groups,
            points,
            votes,
            vectors,
            sums,
            rows,
            result,
        )

    return measure_line


def _checksum() -> int:
    here = Path(__file__).parent
    names = ("cross_section", "line_gap", "line_groove")
    files = [here.parent / "columns.py", *(here / f"{name}.py" for name in names)]
    return zlib.crc32(b"".join(file.read_bytes() for file in files))


measure_line = _entry_point(_checksum())


@dataclass(frozen=True, kw_only=True, slots=True)
class LineMeasurement:
    """The joint in the laser plane, relative to the torch axis; all zero where `confidence` is 0."""

    lateral_m: float
    """Seam point along +y_t, to the left of travel [m]."""
    height_m: float
    """Seam point along +z_t, away from the work [m]."""
    gap_m: float
    """Opening between the plates, across the seam [m], never negative."""
    mismatch_m: float
    """Height of the left plate's top above the right one's [m]; 0 for joints other than butt."""
    confidence: float
    """Of lateral, height and mismatch: 0 (nothing measured) to 1."""
    gap_confidence: float
    """Of the gap, never above `confidence`: a tack hides the gap and leaves the seam in sight."""


class ProfileSensor:
    """Measures joints in profiles of the laser line; web or upper plate stands on the left (+y_t).

    Holds scratch memory: use one per thread. Needs a torch within 10 degrees of its nominal work angle.
    """

    def __init__(self, geometry: SeamSensorGeometry, columns: int) -> None:
        if columns < 2 * GROUPS:
            raise ValueError(f"need {2 * GROUPS} columns at least, got {columns}")
        self.columns = columns
        turn = geometry.camera_from_tool
        self._eye_y_m = float(geometry.camera_position_t[1])
        self._eye_z_m = float(-(turn[2, 0] * geometry.look_ahead_m + turn[2, 3]) / turn[2, 2])
        self._scratch = LineScratch.of(columns)
        self._result = np.empty(7)

    def measure(
        self,
        profile: NDArray[np.float64],
        joint: str,
        *,
        opening_rad: float = 0.5 * math.pi,
        gap_fraction: float = 1.0,
        search: tuple[float, float] = (0.0, 1.0),
    ) -> LineMeasurement:
        """Return where `joint` ("lap", "t_fillet" or "butt") is in `profile` (columns, 2).

        A profile is (lateral, height) [m] in the laser plane from the first column, on the right, to the
        last, NaN where nothing was measured. `opening_rad` is the angle between base plate and web there and
        `gap_fraction` the width of a gap across the seam over that in the plane, as the drawing has them.
        `search` is the lateral [m] around which the joint is looked for and how far to each side.

        Raises ValueError for another joint or shape.
        """
        if joint not in JOINTS:
            raise ValueError(f"unknown {joint=}, choose one of {', '.join(JOINTS)}")
        check_profile(profile, self.columns)
        skew = 0.0 if joint == "butt" else 0.5 * (0.5 * math.pi - opening_rad)
        measure_line(
            JOINTS[joint],
            np.ascontiguousarray(profile),
            skew,
            self._eye_y_m,
            self._eye_z_m,
            gap_fraction,
            search,
            *self._scratch,
            self._result,
        )
        lateral_m, height_m, gap_m, mismatch_m, confidence, gap_confidence, _ = self._result.tolist()
        return LineMeasurement(
            lateral_m=lateral_m,
            height_m=height_m,
            gap_m=gap_m,
            mismatch_m=mismatch_m,
            confidence=confidence,
            gap_confidence=gap_confidence,
        )


def check_profile(profile: NDArray[np.float64], columns: int) -> None:
    """Raise ValueError unless `profile` is float64 (columns, 2) without infinities."""
    if getattr(profile, "shape", None) != (columns, 2) or profile.dtype != np.float64:
        found = f"{getattr(profile, 'dtype', '')} {getattr(profile, 'shape', type(profile).__name__)}"
        raise ValueError(f"a profile is float64 ({columns}, 2), got {found.strip()}")
    if np.isinf(profile).any():
        raise ValueError("a profile has metres, or NaN where nothing was measured, got an infinity")
