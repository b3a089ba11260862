"""Poses (6,) in one frame and in another: position [m] and rotation vector [rad]."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellwright_assets.arithmetic import inverted, product, turned
from cellwright_runtime.interface.rotation import rotation_rows, rotation_vector

Array = NDArray[np.float64]


def transform_of(pose: ArrayLike) -> Array:
    """Transform (4, 4) of a pose (6,)."""
    values = np.asarray(pose, dtype=np.float64)
    out = np.eye(4)
    out[:3, :3] = rotation_rows(*values[3:].tolist())
    out[:3, 3] = values[:3]
    return out


def pose_of(transform: Array) -> Array:
    """Pose (6,) of a transform (4, 4)."""
    rows: Any = transform[:3, :3].tolist()
    return np.array([*transform[:3, 3], *rotation_vector(rows)])


class Placed:
    """A frame that stands in another one, such as a fixture in a robot's base."""

    def __init__(self, transform: ArrayLike) -> None:
        """`transform` (4, 4) is the frame's in the other one."""
        self._outward = np.array(transform, dtype=np.float64)
        self._inward = inverted(self._outward)

    def inside(self, pose: ArrayLike) -> Array:
        """A pose (6,) of the other frame, in this one."""
        return pose_of(product(self._inward, transform_of(pose)))

    def outside(self, pose: ArrayLike) -> Array:
        """A pose (6,) of this frame, in the other one."""
        return pose_of(product(self._outward, transform_of(pose)))

    def wrench_outside(self, wrench: ArrayLike) -> Array:
        """A wrench (6,) [N] and [N m] along this frame's axes about its origin, as the other frame has it."""
        return _moved_wrench(self._outward, wrench)

    def wrench_inside(self, wrench: ArrayLike) -> Array:
        """A wrench (6,) of the other frame, as this one has it."""
        return _moved_wrench(self._inward, wrench)


def _moved_wrench(transform: Array, wrench: ArrayLike) -> Array:
    """The same force and torque in the frame that `transform` (4, 4) leads to, where a force has a lever."""
    force, torque = turned(transform[:3, :3], np.asarray(wrench, dtype=np.float64).reshape(2, 3))
    return np.concatenate([force, torque + np.cross(transform[:3, 3], force)])
