"""A UR10e without masses: its joints follow their targets with a lag, within speeds and accelerations."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellwright_assets import ur10e
from cellwright_envs.assembly.compliance import rotation_matrix
from cellwright_envs.physics.robot import Arm
from cellwright_runtime.drivers.driver import DriverError, RobotState
from cellwright_runtime.interface.arrays import numbers
from cellwright_runtime.interface.placing import pose_of

Array = NDArray[np.float64]

ACCELERATION_LIMIT_RAD_S2 = 40.0
"""An assumption: UR publishes none; its force control library plans with up to 40 rad/s²."""
LAG_S = 0.008
"""An assumption: four cycles of an e-Series controller between a target and a joint that is near it."""
_STEP_S = 0.002


class KinematicArm:
    """A `Plant` for protocols and soaks: no contact, no gravity, 20 microseconds a period."""

    def __init__(
        self,
        *,
        period_s: float = 0.002,
        start_rad: ArrayLike = ur10e.HOME_Q_RAD,
        tool_from_flange: ArrayLike | None = None,
        lag_s: float = LAG_S,
    ) -> None:
        """Joints begin at `start_rad` (6,) [rad]; the tool is at `tool_from_flange` (4, 4), or the flange."""
        if not 0.0 < period_s <= 0.1:
            raise ValueError(f"period_s must be from 0 to 0.1 s, got {period_s}")
        self.period_s = period_s
        self._arm = Arm(tool=np.eye(4) if tool_from_flange is None else tool_from_flange)
        self._start = numbers("start_rad", start_rad, 6)
        self._lag_s = lag_s
        self._steps = math.ceil(period_s / _STEP_S - 1e-9)
        self._most_rad_s = np.array(ur10e.SPEED_LIMIT_RAD_S)
        self._periods: int | None = None

    def begin(self) -> RobotState:
        """Put the joints where they start, at rest."""
        self._periods, self._joints, self._speeds = 0, self._start.copy(), np.zeros(6)
        return self._state()

    def move_joints(self, joints_rad: Array) -> RobotState:
        """One period towards joints (6,) [rad]; none brakes harder than it accelerates."""
        target = numbers("joints_rad", joints_rad, 6)
        if self._periods is None:
            raise DriverError("the simulated arm has not begun")
        for _ in range(self._steps):
            self._step(target, self.period_s / self._steps)
        self._periods += 1
        return self._state()

    def move_tool(self, tool: Array) -> RobotState:
        """One period towards where the tool (6,) is held; what is out of reach is approached."""
        target = numbers("tool", tool, 6)
        if self._periods is None:
            raise DriverError("the simulated arm has not begun")
        free = np.full(6, np.pi)
        joints = self._arm.track(
            self._joints, target[:3].copy(), rotation_matrix(target[3:]), free, iterations=4
        )
        return self.move_joints(joints)

    def stand(self) -> None:
        """One period in which nothing happens."""

    def close(self) -> None:
        """Forget where the arm is."""
        self._periods = None

    def _step(self, target: Array, dt: float) -> None:
        away = target - self._joints
        # From this speed the arm still stops at the target, braking from the next step on.
        slack = 0.5 * ACCELERATION_LIMIT_RAD_S2 * dt
        brakes = np.sqrt(slack * slack + 2.0 * ACCELERATION_LIMIT_RAD_S2 * np.abs(away)) - slack
        most = np.minimum(self._most_rad_s, brakes)
        wanted = np.clip(away / max(self._lag_s, dt), -most, most)
        self._speeds = self._speeds + np.clip(wanted - self._speeds, -2.0 * slack, 2.0 * slack)
        self._joints = self._joints + self._speeds * dt

    def _state(self) -> RobotState:
        return RobotState(
            time_s=(self._periods or 0) * self.period_s,
            joints_rad=self._joints,
            tool=pose_of(self._arm.tool_pose(self._joints)),
        )
