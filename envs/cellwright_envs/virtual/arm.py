"""The base of simulated arms: a plant whose period is a multiple of the physics'."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import product
from cellwright_runtime.drivers.driver import DriverError, RobotState
from cellwright_runtime.interface.arrays import numbers
from cellwright_runtime.interface.rotation import rotation_vector
from cellwright_runtime.kinematics import forward_kinematics

Array = NDArray[np.float64]


def pose_vector(pose: Array) -> Array:
    """A pose (4, 4) as a position [m] and a rotation vector [rad], (6,)."""
    return np.array([*pose[:3, 3], *rotation_vector(pose[:3, :3].tolist())])


class VirtualArm(ABC):
    """A `Plant` of a simulated cell, whose arm is told where its tool (4, 4 from the flange) is to be."""

    def __init__(self, period_s: float, physics_period_s: float, tool_from_flange: Array) -> None:
        steps = period_s / physics_period_s
        if abs(steps - round(steps)) > 1e-9 or steps < 1:
            raise ValueError(f"{period_s=} is no whole multiple of the physics' {physics_period_s}")
        self.period_s = period_s
        self.tool_from_flange = tool_from_flange
        self._periods: int | None = None

    def begin(self) -> RobotState:
        """Bring the arm to where work begins, at rest."""
        self._periods = 0
        return self._place()

    def move_tool(self, tool: Array) -> RobotState:
        """One period towards the tool's pose (6,)."""
        target = numbers("tool", tool, 6)
        if self._periods is None:
            raise DriverError("the simulated arm has not begun")
        self._periods += 1
        return self._advance(target)

    def move_joints(self, joints_rad: Array) -> RobotState:
        """One period towards where joints (6,) [rad] hold the tool."""
        joints = numbers("joints_rad", joints_rad, 6)
        return self.move_tool(pose_vector(product(forward_kinematics(joints), self.tool_from_flange)))

    def stand(self) -> None:  # noqa: B027
        """One period in which nothing happens."""

    def close(self) -> None:
        """Let go of the simulation."""
        self._periods = None
        self._end()

    @property
    def _time_s(self) -> float:
        return (self._periods or 0) * self.period_s

    @abstractmethod
    def _place(self) -> RobotState:
        """Put everything where work begins."""

    @abstractmethod
    def _advance(self, target: Array) -> RobotState:
        """One period towards `target` (6,)."""

    @abstractmethod
    def _end(self) -> None: ...
