"""Pinhole camera: between points in the camera frame and pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellwright_assets.arithmetic import turned, unit


@dataclass(frozen=True, kw_only=True)
class CameraModel:
    """Pinhole camera without distortion, in OpenCV's frame: x right, y down, z forward.

    Pixel centres lie at integer coordinates, so the image covers
    [-0.5, width - 0.5] x [-0.5, height - 0.5] px.
    """

    width: int
    """Image width [px]."""
    height: int
    """Image height [px]."""
    fx: float
    """Focal length along the columns [px]."""
    fy: float
    """Focal length along the rows [px]."""
    cx: float
    """Column of the principal point [px]; it may lie outside the image (a window off the axis)."""
    cy: float
    """Row of the principal point [px]."""

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"need a positive image size, got {self.width=} {self.height=}")
        if not (self.fx > 0 and self.fy > 0):
            raise ValueError(f"need positive focal lengths, got {self.fx=} {self.fy=}")
        if not (np.isfinite(self.cx) and np.isfinite(self.cy)):
            raise ValueError(f"need a finite principal point, got {self.cx=} {self.cy=}")

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Camera matrix K (3, 3) [px]."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def project(self, points_c: ArrayLike) -> NDArray[np.float64]:
        """Return pixels (N, 2) as (column, row) of `points_c` (N, 3) [m] in the camera frame.

        A point on or behind the image plane has no pixel and comes back as NaN.
        """
        points = _points(points_c, 3, "points_c")
        depth_m = np.where(points[:, 2] > 0.0, points[:, 2], np.nan)
        return np.column_stack(
            (self.fx * points[:, 0] / depth_m + self.cx, self.fy * points[:, 1] / depth_m + self.cy)
        )

    def rays(self, px: ArrayLike) -> NDArray[np.float64]:
        """Return directions (N, 3) in the camera frame, z = 1, through `px` (N, 2) as (column, row)."""
        pixels = _points(px, 2, "px")
        return np.column_stack(
            (
                (pixels[:, 0] - self.cx) / self.fx,
                (pixels[:, 1] - self.cy) / self.fy,
                np.ones(len(pixels)),
            )
        )

    def window(self, *, left: int, top: int, width: int, height: int) -> CameraModel:
        """Return the model of the sub-image whose first pixel is (`left`, `top`) of this one."""
        if not (0 <= left <= self.width - width and 0 <= top <= self.height - height):
            raise ValueError(
                f"window {left=} {top=} {width=} {height=} leaves the {self.width} x {self.height} image"
            )
        return replace(self, width=width, height=height, cx=self.cx - left, cy=self.cy - top)


def _points(values: ArrayLike, columns: int, name: str) -> NDArray[np.float64]:
    """Return `values` as float64 (N, columns) or say what is wrong with its shape."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != columns:
        raise ValueError(f"{name} must have shape (N, {columns}), got {array.shape}")
    return array


def looking_at(position: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Transform (4, 4) into the frame of a camera at `position` that looks at `target`, z being up."""
    forward = unit(target - position)
    right = unit(np.cross(forward, [0.0, 0.0, 1.0]))
    transform = np.eye(4)
    transform[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    transform[:3, 3] = -turned(transform[:3, :3], position)
    return transform
