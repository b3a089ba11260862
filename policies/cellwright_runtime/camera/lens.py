"""A real camera's lens: a pinhole with the distortion model that OpenCV calibrates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.camera import CameraModel
from cellwright_perception.opencv import opencv

Array = NDArray[np.float64]

_LED_BACK_PX = 0.01
"""How near a ray that was found for a pixel has to lead back to it."""


@dataclass(frozen=True, kw_only=True)
class Lens:
    """Pinhole and distortion of a camera."""

    pinhole: CameraModel
    distortion: tuple[float, ...] = ()
    """Coefficients in OpenCV's order: k1, k2, p1, p2, k3, and so on; none for a lens that does not
    distort."""

    def project(self, points_c: Array) -> Array:
        """Pixels (N, 2) of `points_c` (N, 3) in the camera frame, NaN where the lens cannot show them.

        A point behind the camera has none, and neither has one so far outside that the polynomial of the
        distortion folds back: it would give a pixel within the picture.
        """
        points = np.asarray(points_c, np.float64)
        ahead = points[:, 2] > 0.0
        safe = np.where(ahead[:, np.newaxis], points, [0.0, 0.0, 1.0])
        if not self.distortion:
            pixels = self.pinhole.project(safe)
        else:
            zero = np.zeros(3)
            found, _ = opencv().projectPoints(
                safe, zero, zero, self.pinhole.matrix, np.array(self.distortion)
            )
            pixels = found.reshape(-1, 2)
            radius = np.hypot(safe[:, 0], safe[:, 1]) / safe[:, 2]
            ahead &= radius <= self._largest_radius
        return np.where(ahead[:, np.newaxis], pixels, np.nan)

    def rays(self, px: Array) -> Array:
        """Directions (N, 3), z = 1, through `px` (N, 2); NaN where no ray that the lens shows leads there."""
        if not self.distortion:
            return self.pinhole.rays(px)
        cv2 = opencv()
        criteria = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 100, 1e-12)
        pixels = np.asarray(px, np.float64)
        flat = cv2.undistortPoints(
            pixels.reshape(-1, 1, 2),
            self.pinhole.matrix,
            np.array(self.distortion),
            R=np.eye(3),
            P=np.eye(3),
            criteria=criteria,
        ).reshape(-1, 2)
        rays = np.column_stack((flat, np.ones(len(flat))))
        led_back = self.project(rays)
        right = np.abs(led_back - pixels).max(axis=1) < _LED_BACK_PX
        return np.where(right[:, np.newaxis], rays, np.nan)

    @cached_property
    def _largest_radius(self) -> float:
        """Distance from the axis, as a tangent, up to which the radial distortion grows outwards."""
        tangents = np.linspace(0.0, 4.0, 2001)
        zero = np.zeros(3)
        steps = np.column_stack((tangents, np.zeros_like(tangents), np.ones_like(tangents)))
        radial = np.array(self.distortion)
        radial[2:4] = 0.0  # without the tangential terms
        seen, _ = opencv().projectPoints(steps, zero, zero, np.eye(3), radial)
        falls = np.flatnonzero(np.diff(seen.reshape(-1, 2)[:, 0]) <= 0.0)
        return float(tangents[falls[0]]) if len(falls) else float("inf")
