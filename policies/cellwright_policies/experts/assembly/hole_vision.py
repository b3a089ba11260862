"""Where the hole is relative to the part, from one frame of each camera, with OpenCV.

Each view gives one number: how far the middle of the hole lies to the right of the part's axis. Both are seen
in the same frame, so a camera that was knocked changes little; two views from different sides give the plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.opencv import opencv

Array = NDArray[np.float64]
Image = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class View:
    """What is known of one camera's mounting; the numbers are those of the cell's drawing."""

    right: tuple[float, float]
    """Direction of the image's columns in the plane of the fixture."""
    metre_per_px: float
    """At the hole."""
    rows: tuple[int, int]
    """Rows above the tip between which the part is looked for: below the fingers, above the hole."""


VIEWS = (
    View(right=(0.0, 1.0), metre_per_px=0.61e-3, rows=(3, 14)),
    View(right=(0.958, 0.287), metre_per_px=0.70e-3, rows=(2, 8)),
)
ROWS_PER_M = 1080.0
"""How many rows the tip is over the hole, for each metre of height; nearly the same in both views."""
DARK = 0.55
"""A hole is darker than this share of the fixture's own grey level."""
SMALLEST_PX, LARGEST_PX = 8, 700
SEARCH_PX = 15
"""Half width of the window around the hole in which the part's edges are looked for."""
EDGE = 0.35
"""Share of the strongest edge that still counts as one."""


@dataclass(frozen=True, kw_only=True)
class Hole:
    """The box around a hole in one frame [px]."""

    left: float
    right: float
    top: float
    bottom: float


def find_hole(image: Image) -> Hole | None:
    """The largest dark spot that no edge of the image cuts, or None where there is none."""
    cv2 = opencv()
    smooth = cv2.GaussianBlur(image, (3, 3), 0)
    dark = (smooth < DARK * float(np.median(smooth))).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=4)
    best, best_area = None, SMALLEST_PX - 1
    for label in range(1, count):
        left, top, width, height, area = (int(value) for value in stats[label])
        cut = left == 0 or top == 0 or left + width == image.shape[1] or top + height == image.shape[0]
        if not cut and best_area < area <= LARGEST_PX:
            best_area = area
            best = Hole(left=left - 0.5, right=left + width - 0.5, top=top - 0.5, bottom=top + height - 0.5)
    return best


def part_column(image: Image, view: View, hole: Hole, height_m: float) -> float | None:
    """Column [px] of the part's axis just above its tip, or None where it has no two clear edges."""
    cv2 = opencv()
    tip_row = min(hole.top, 0.5 * (hole.top + hole.bottom) - ROWS_PER_M * height_m)
    last = int(np.clip(tip_row - view.rows[0], 6, image.shape[0] - 1))
    first = max(last - (view.rows[1] - view.rows[0]), 0)
    gradient = cv2.Sobel(cv2.GaussianBlur(image, (3, 3), 0), cv2.CV_32F, 1, 0)
    strength = np.abs(gradient[first:last].mean(axis=0))
    middle = int(0.5 * (hole.left + hole.right))
    low, high = max(middle - SEARCH_PX, 1), min(middle + SEARCH_PX + 1, len(strength) - 1)
    peaks = np.flatnonzero(strength[low:high] >= EDGE * strength[low:high].max()) + low
    if len(peaks) < 2 or peaks[-1] - peaks[0] < 4:
        return None
    return 0.5 * (_refined(strength, int(peaks[0]), 1) + _refined(strength, int(peaks[-1]), -1))


def _refined(strength: NDArray[Any], column: int, inwards: int) -> float:
    """The local maximum that an edge belongs to, to a fraction of a pixel."""
    while 1 <= column + inwards < len(strength) - 1 and strength[column + inwards] > strength[column]:
        column += inwards
    left, middle, right = strength[column - 1 : column + 2].tolist()
    bend = left - 2.0 * middle + right
    return column + (0.5 * (left - right) / bend if bend < 0.0 else 0.0)


def hole_from_part(image: Image, height_m: float) -> Array | None:
    """Offset (2,) [m] of the hole from the part's axis along x and y of the fixture; None if not seen.

    `image` (2, H, W) holds the frames of the camera on the hand and of the standing one, `height_m` is the
    tip's over the nominal mouth.
    """
    offsets_m = []
    for frame, view in zip(image, VIEWS, strict=True):
        hole = find_hole(frame)
        axis_px = None if hole is None else part_column(frame, view, hole, height_m)
        if hole is None or axis_px is None:
            return None
        offsets_m.append((0.5 * (hole.left + hole.right) - axis_px) * view.metre_per_px)
    return np.linalg.solve(np.array([view.right for view in VIEWS]), np.array(offsets_m))
