"""The controller's own following of the measured seam, beside which a policy leads the torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.seam.line_tracker import PROFILE_POINTS
from cellwright_perception.seam.taught_path import TorchPlace
from cellwright_runtime.vocabulary import Layout

Array = NDArray[np.float64]


class SeamFollower:
    """Corrects in proportion to the distance from the measured seam, plus the offset that is asked for.

    While the sensor does not know the seam, it is taken to be where it was known last, beside the taught
    path; before it has been seen at all, the torch stays.
    """

    def __init__(self, layout: Layout) -> None:
        """Read the settings; raises ValueError where one is missing or makes no sense."""
        setup = layout.controller
        self.rate_m_s = float(setup.read("tracking_rate", "m/s", above=0.0)[0])
        """Fastest correction."""
        self._gain_1_s = float(setup.read("tracking_gain", "1/s", above=0.0)[0])
        self._preview_s = float(setup.read("tracking_preview", "s", above=0.0)[0])
        self._confidence = float(setup.read("tracking_confidence", "1", above=0.0)[0])
        self._look_ahead_m = float(setup.read("laser_look_ahead", "m", above=0.0)[0])
        self.reset()

    def reset(self) -> None:
        """Forget the seam."""
        self._seam_m: list[float] | None = None
        self._error_m = [0.0, 0.0]

    def update(self, seam: NDArray[np.float32], torch: TorchPlace, speed_m_s: float) -> None:
        """Take note of the group `seam`, measured from the torch at `torch`, at a travel speed."""
        place_m = (torch.lateral_m, torch.height_m)
        if seam[-1] >= self._confidence:
            ahead = self._preview_s * speed_m_s / self._look_ahead_m
            error_m = [_at(seam[start : start + PROFILE_POINTS], ahead) for start in (0, PROFILE_POINTS)]
            self._seam_m = [error + place for error, place in zip(error_m, place_m, strict=True)]
        if self._seam_m is not None:
            self._error_m = [kept - place for kept, place in zip(self._seam_m, place_m, strict=True)]

    def sample(self) -> Array:
        """The group `tracking` (3,): the seam to the left of the torch and above it [m], and whether it has
        been seen."""
        return np.array([*self._error_m, self._seam_m is not None])

    def rate(self, axis: int, offset_m: float) -> float:
        """Correction (-1..1 of `rate_m_s`) along lateral (0) or height (1) for an offset from the seam."""
        if self._seam_m is None:
            return 0.0
        rate = self._gain_1_s * (self._error_m[axis] + offset_m) / self.rate_m_s
        return min(max(rate, -1.0), 1.0)


def _at(profile: NDArray[np.float32], ahead: float) -> float:
    """Value of a profile at the fraction `ahead` of the look-ahead."""
    place = min(max(ahead, 0.0), 1.0) * (PROFILE_POINTS - 1)
    first = min(int(place), PROFILE_POINTS - 2)
    part = place - first
    return (1.0 - part) * float(profile[first]) + part * float(profile[first + 1])
