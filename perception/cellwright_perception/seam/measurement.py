"""Position and shape of the joint ahead of the torch, from one image of the laser line."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import inverse, product, turned
from cellwright_perception.seam.cross_section import BUTT, LAP, T_FILLET
from cellwright_perception.seam.joint_fit import Scratch, measure_joint
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_perception.seam.stripe import check_image

JOINTS = {"lap": LAP, "t_fillet": T_FILLET, "butt": BUTT}
"""Names of the joints that a seam sensor knows."""

_OBLIQUE_EDGE = 2.0
"""Laser sigmas by which an edge cut at 45 degrees seems to stand back; fitted to rendered butt joints."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SeamMeasurement:
    """The joint in the laser plane, relative to the torch axis; all zero where `confidence` is 0."""

    lateral_m: float
    """Seam point along +y_t, to the left of travel [m]."""
    height_m: float
    """Seam point along +z_t, away from the work [m]."""
    gap_m: float
    """Opening between the plates [m], never negative."""
    mismatch_m: float
    """Height of the left plate's top above the right one's [m]; 0 for joints other than butt."""
    confidence: float
    """0 (nothing measured) to 1 (the whole cross-section was seen where a joint can be)."""


class SeamSensor:
    """Measures joints in stripe windows of one geometry.

    Holds scratch memory: use one sensor per thread. Needs a cross-section that stays the same along the seam
    over the laser line's width, and a torch within 10 degrees of its nominal work angle.
    """

    def __init__(self, geometry: SeamSensorGeometry) -> None:
        self.geometry = geometry
        camera = geometry.stripe
        self._shape = (camera.height, camera.width)
        straight = np.array(geometry.laser_from_stripe)
        flip_px = np.array([[-1.0, 0.0, camera.width - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        flipped = product(product(np.diag([-1.0, 1.0, 1.0]), straight), flip_px)
        self._laser_from_window = {False: straight, True: flipped}
        self._windows: dict[tuple[bool, float, float], tuple[NDArray[np.float64], ...]] = {}
        self._scratch = Scratch.of(*self._shape)
        self._result = np.empty(6)

    def _window(self, mirrored: bool, columns: float, rows: float) -> tuple[NDArray[np.float64], ...]:
        """Homography from a moved window to the laser plane around its middle, inverse, and that middle."""
        key = (mirrored, columns, rows)
        if key not in self._windows:
            moved = np.array(
                [[1.0, 0.0, -columns if mirrored else columns], [0.0, 1.0, rows], [0.0, 0.0, 1.0]]
            )
            homography = product(self._laser_from_window[mirrored], moved)
            still = self._laser_from_window[mirrored]
            centre_px = np.array([0.5 * (self._shape[1] - 1), 0.5 * (self._shape[0] - 1), 1.0])
            middle, still_middle = turned(homography, centre_px), turned(still, centre_px)
            middle = middle[:2] / middle[2] - still_middle[:2] / still_middle[2]
            back = np.array([[1.0, 0.0, -middle[0]], [0.0, 1.0, -middle[1]], [0.0, 0.0, 1.0]])
            centred = product(back, homography)
            self._windows[key] = (centred, inverse(centred), middle)
        return self._windows[key]

    def measure(
        self,
        image: NDArray[np.uint8],
        joint: str,
        *,
        mirrored: bool = False,
        window_px: tuple[float, float] = (0.0, 0.0),
        opening_rad: float = 0.5 * math.pi,
        slant: float = 0.0,
    ) -> SeamMeasurement:
        """Return where `joint` ("lap", "t_fillet" or "butt") is in the stripe window `image` (rows, columns).

        The web or upper plate is on the left (+y_t), or on the right where `mirrored`. Lateral and height are
        those of the seam point: the middle of the gap at the mean of both tops (butt), the intersection of
        base plate and web face (t_fillet), of lower plate and edge face (lap). `window_px` (columns, rows) is
        how far the sensor had moved its read-out window from where the geometry has it. As the drawing has
        them, `opening_rad` is the angle between base plate and web in the laser plane, and `slant` how far
        the seam goes left for each metre ahead where it crosses that plane.

        Raises ValueError for another joint, dtype or image size than the geometry's.
        """
        if joint not in JOINTS:
            raise ValueError(f"unknown {joint=}, choose one of {', '.join(JOINTS)}")
        check_image(image)
        if image.shape != self._shape:
            raise ValueError(f"stripe image must have shape {self._shape}, got {image.shape}")
        homography, inverse, middle_m = self._window(mirrored, *window_px)
        measure_joint(
            JOINTS[joint],
            np.ascontiguousarray(image),
            mirrored,
            0.0 if joint == "butt" else 0.5 * (0.5 * math.pi - opening_rad),
            homography,
            inverse,
            *self._scratch,
            self._result,
        )
        lateral_m, height_m, gap_m, mismatch_m, confidence, _ = self._result.tolist()
        if confidence > 0.0:
            lateral_m, height_m = lateral_m + float(middle_m[0]), height_m + float(middle_m[1])
        if mirrored:
            lateral_m, mismatch_m = -lateral_m, -mismatch_m
        if joint == "butt" and confidence > 0.0:
            # The groove cuts off the ends of a thick line slantwise. What is left of an end ahead of the
            # laser plane seems to have fallen into the groove, so that this edge alone stands back.
            back_m = _OBLIQUE_EDGE * self.geometry.laser_sigma_m * slant
            lateral_m, gap_m = lateral_m + 0.5 * back_m, max(gap_m - abs(back_m), 0.0)
        return SeamMeasurement(
            lateral_m=lateral_m,
            height_m=height_m,
            gap_m=gap_m,
            mismatch_m=mismatch_m,
            confidence=confidence,
        )
