"""What a weld's robot does with its commands: where the torch is, how fast it travels, when the arc burns.

The environment calls it at every step, and so does a robot program.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import product
from cellwright_perception.compiled import compiled
from cellwright_perception.seam.taught_path import LEAD_IN_M, STEP_M, SeamFrames
from cellwright_runtime.interface.path_correction import WeldCommand

Array = NDArray[np.float64]

STRIKE_EARLY_M = 0.4e-3
"""The arc strikes so far before the seam, so that its first millimetre is full."""
SLOW_DOWN_M = 2e-3
"""The travel speed of the programme holds from so far before the seam on; before, that of the approach."""


class Welding(NamedTuple):
    """What robot and power source do in one control period."""

    travel_speed_m_s: float
    wire_feed_m_s: float
    voltage_v: float
    arc_on: bool


def welding(
    command: WeldCommand,
    wire_m: float,
    *,
    wire_feed_m_s: float,
    voltage_v: float,
    travel_speed_m_s: float,
    approach_speed_m_s: float,
) -> Welding:
    """A command upon a programme, with the wire at the path position `wire_m`."""
    speed = travel_speed_m_s * command.travel_speed_factor
    return Welding(
        travel_speed_m_s=approach_speed_m_s if wire_m < -SLOW_DOWN_M else speed,
        wire_feed_m_s=wire_feed_m_s * command.wire_feed_factor,
        voltage_v=voltage_v + command.voltage_offset_v,
        arc_on=wire_m >= -STRIKE_EARLY_M,
    )


def torch_rotations(seam_rotations_w: Array, *, work_angle_rad: float, push_angle_rad: float) -> Array:
    """Rotations (N, 3, 3) of the torch along a seam whose frames are turned by `seam_rotations_w` (N, 3, 3).

    The work angle tilts it about the travel direction, the push angle leans it about the lateral axis.
    """
    c, s = math.cos(push_angle_rad), math.sin(push_angle_rad)
    lean = np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])
    c, s = math.cos(work_angle_rad), math.sin(work_angle_rad)
    tilt = np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    return product(product(seam_rotations_w, tilt), lean)


class TorchPath:
    """Poses of the torch along a taught path, beside which it is displaced."""

    def __init__(self, frames: SeamFrames, torch_rotations_w: Array) -> None:
        """`torch_rotations_w` (N, 3, 3) are the torch's at the samples of `frames`."""
        self._points, self._seam, self._torch = frames.points_w, frames.rotations_w, torch_rotations_w
        self._point, self._rotation = np.empty(3), np.empty((3, 3))

    def pose(self, path_position_m: float, lateral_m: float, height_m: float) -> tuple[Array, Array]:
        """Place (3,) and rotation (3, 3) of the torch; the next call overwrites both."""
        sample = (path_position_m + LEAD_IN_M) / STEP_M
        _pose_at(
            sample, self._points, self._torch, self._seam, lateral_m, height_m, self._point, self._rotation
        )
        return self._point, self._rotation


@compiled
def _pose_at(  # type: ignore[no-untyped-def]
    position, points, rotations, seam_rotations, lateral_m, height_m, point_out, rotation_out
):
    """Torch pose at fractional sample `position`, moved `lateral_m` and `height_m` across the seam."""
    index = min(max(int(position), 0), points.shape[0] - 2)
    fraction = position - index
    for i in range(3):
        y = (1 - fraction) * seam_rotations[index, i, 1] + fraction * seam_rotations[index + 1, i, 1]
        z = (1 - fraction) * seam_rotations[index, i, 2] + fraction * seam_rotations[index + 1, i, 2]
        on_path = (1 - fraction) * points[index, i] + fraction * points[index + 1, i]
        point_out[i] = on_path + lateral_m * y + height_m * z
        for j in range(3):
            rotation_out[i, j] = (1 - fraction) * rotations[index, i, j] + fraction * rotations[
                index + 1, i, j
            ]
    x, z = rotation_out[:, 0], rotation_out[:, 2]
    length = np.sqrt(z[0] ** 2 + z[1] ** 2 + z[2] ** 2)
    for i in range(3):
        z[i] /= length
    along = x[0] * z[0] + x[1] * z[1] + x[2] * z[2]
    for i in range(3):
        x[i] -= along * z[i]
    length = np.sqrt(x[0] ** 2 + x[1] ** 2 + x[2] ** 2)
    for i in range(3):
        x[i] /= length
    rotation_out[0, 1] = z[1] * x[2] - z[2] * x[1]
    rotation_out[1, 1] = z[2] * x[0] - z[0] * x[2]
    rotation_out[2, 1] = z[0] * x[1] - z[1] * x[0]
