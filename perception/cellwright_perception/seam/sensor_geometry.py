"""Where the seam sensor's camera and laser sit on the torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import inverse, moved, product, turned, unit
from cellwright_perception.camera import CameraModel


@dataclass(frozen=True, kw_only=True)
class SeamSensorGeometry:
    """A camera and a laser line that look ahead of the torch, fixed in the tool frame.

    The tool frame has its origin at the nominal wire tip, x forward in travel, y left, z up along the wire.
    The laser plane is x_t = `look_ahead_m`. The camera looks back at the arc from ahead: image right is +y_t
    and image down is forward in travel, so the arc is in the upper part of the overview and the laser line
    below it. One camera gives two images: an overview of arc and joint, and a window around the laser line at
    a higher magnification. All numbers are engineering assumptions within the range of commercial seam
    trackers (look-ahead 20 to 60 mm, measuring window 20 to 75 mm).
    """

    look_ahead_m: float = 0.025
    """Distance of the laser plane ahead of the wire tip [m]."""
    camera_position_t: tuple[float, float, float] = (0.085, 0.0, 0.115)
    """Optical centre in the tool frame [m]."""
    camera_target_t: tuple[float, float, float] = (0.014, 0.0, 0.0)
    """Point of the tool frame on the optical axis [m]."""
    image_size_px: int = 64
    """Width and height of both images [px]."""
    overview_focal_px: float = 250.0
    """Focal length of the overview [px]."""
    stripe_focal_px: float = 450.0
    """Focal length of the stripe window [px]."""

    def __post_init__(self) -> None:
        position, target = np.array(self.camera_position_t), np.array(self.camera_target_t)
        if not (np.isfinite(position).all() and np.isfinite(target).all()):
            raise ValueError(f"need finite {self.camera_position_t=} and {self.camera_target_t=}")
        if not position[2] > target[2]:
            raise ValueError(f"camera must look down: {self.camera_position_t=} {self.camera_target_t=}")
        if abs(target[1] - position[1]) > 1e-9:
            raise ValueError(
                f"camera must look along the travel: {self.camera_position_t=} {self.camera_target_t=}"
            )
        if not 0 < self.look_ahead_m < position[0]:
            raise ValueError(f"need 0 < {self.look_ahead_m=} < {position[0]=}, so that the line can be seen")

    @cached_property
    def camera_from_tool(self) -> NDArray[np.float64]:
        """Read-only transform T (4, 4): homogeneous p_c = T p_t [m]."""
        position = np.array(self.camera_position_t)
        forward = unit(np.array(self.camera_target_t) - position)
        right = np.array([0.0, 1.0, 0.0])
        rotation = np.stack((right, np.cross(forward, right), forward))
        transform = np.eye(4)
        transform[:3, :3] = rotation
        transform[:3, 3] = -turned(rotation, position)
        transform.setflags(write=False)
        return transform

    @cached_property
    def tool_from_camera(self) -> NDArray[np.float64]:
        """Read-only inverse (4, 4) of `camera_from_tool`: p_t = T p_c [m]."""
        transform = np.eye(4)
        transform[:3, :3] = self.camera_from_tool[:3, :3].T
        transform[:3, 3] = self.camera_position_t
        transform.setflags(write=False)
        return transform

    @cached_property
    def overview(self) -> CameraModel:
        """Camera model of the overview image."""
        centre_px = (self.image_size_px - 1) / 2
        return CameraModel(
            width=self.image_size_px,
            height=self.image_size_px,
            fx=self.overview_focal_px,
            fy=self.overview_focal_px,
            cx=centre_px,
            cy=centre_px,
        )

    @cached_property
    def stripe(self) -> CameraModel:
        """Camera model of the stripe window, centred on the laser plane's point at the wire's height."""
        centre_px = (self.image_size_px - 1) / 2
        x, y, z = moved(self.camera_from_tool, (self.look_ahead_m, 0.0, 0.0)).tolist()
        return CameraModel(
            width=self.image_size_px,
            height=self.image_size_px,
            fx=self.stripe_focal_px,
            fy=self.stripe_focal_px,
            cx=centre_px - self.stripe_focal_px * x / z,
            cy=centre_px - self.stripe_focal_px * y / z,
        )

    @cached_property
    def laser_plane_c(self) -> NDArray[np.float64]:
        """Read-only laser plane (nx, ny, nz, d) (4,) in the camera frame: n . p_c + d = 0 [m], |n| = 1."""
        plane_t = np.array([1.0, 0.0, 0.0, -self.look_ahead_m])
        plane = turned(self.tool_from_camera.T, plane_t)
        plane.setflags(write=False)
        return plane

    @cached_property
    def laser_from_stripe(self) -> NDArray[np.float64]:
        """Read-only homography H (3, 3) from the stripe window to the laser plane.

        (a, b, c) = H (column, row, 1) gives y_t = a / c and z_t = b / c [m].
        """
        rays_t = product(self.tool_from_camera[:3, :3], inverse(self.stripe.matrix))
        position = np.array(self.camera_position_t)
        reach_m = self.look_ahead_m - position[0]
        homography: NDArray[np.float64] = np.stack(
            (
                position[1] * rays_t[0] + reach_m * rays_t[1],
                position[2] * rays_t[0] + reach_m * rays_t[2],
                rays_t[0],
            )
        )
        homography.setflags(write=False)
        return homography
