"""Straight lines between the targets of two decisions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Line:
    """Goes from one pose (6,) to the next within a control period, and then stays."""

    def __init__(self, at: Array, period_s: float) -> None:
        self._from, self._to, self._period_s = at.copy(), at.copy(), period_s
        self._begun_s = 0.0

    def to(self, pose: Array, now_s: float) -> None:
        """Begin a line to `pose` from where the last one is at `now_s`."""
        self._from, self._to, self._begun_s = self.at(now_s), pose.copy(), now_s

    def at(self, now_s: float) -> Array:
        """The pose (6,) at `now_s`."""
        done = min(max((now_s - self._begun_s) / self._period_s, 0.0), 1.0)
        return self._from + done * (self._to - self._from)

    @property
    def end(self) -> Array:
        """Where the line leads (6,)."""
        return self._to
