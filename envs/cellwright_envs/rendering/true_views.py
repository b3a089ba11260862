"""What each pixel of the training cameras shows: its distance and its body, without noise and delay."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

FARTHEST_M = 5.0
KINDS = ("depth", "segmentation")
"""Groups of an observation that come from here."""


class TrueViews:
    """Depth and segmentation of every view, as square images."""

    def __init__(self, views: int, size_px: int) -> None:
        self._depth_m = np.zeros((views, size_px, size_px), dtype=np.float32)
        self._segmentation = np.zeros((views, size_px, size_px), dtype=np.uint8)

    def keep(self, view: int, depth_m: NDArray[np.float32], segmentation: NDArray[np.integer]) -> None:
        """Keep one view: depth (H, W) [m], `inf` where nothing is, and identities (H, W), 0 for nothing."""
        self._depth_m[view] = np.where(segmentation > 0, np.minimum(depth_m, FARTHEST_M), 0.0)
        self._segmentation[view] = segmentation

    def groups(self) -> dict[str, NDArray[Any]]:
        """Return copies of both groups by name."""
        return dict(zip(KINDS, (self._depth_m.copy(), self._segmentation.copy()), strict=True))

    def spaces(self) -> dict[str, spaces.Box]:
        """Return the space of each group by name."""
        shape = self._depth_m.shape
        boxes = spaces.Box(0.0, FARTHEST_M, shape, np.float32), spaces.Box(0, 255, shape, np.uint8)
        return dict(zip(KINDS, boxes, strict=True))
