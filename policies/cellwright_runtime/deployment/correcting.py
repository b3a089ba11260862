"""A driver that takes corrections, as one that takes poses, above a robot program that stands still."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import product
from cellwright_runtime.deployment.above import DriverAbove
from cellwright_runtime.drivers.driver import DriverError, Mode, RobotDriver, RobotState
from cellwright_runtime.interface.placing import pose_of, transform_of

Array = NDArray[np.float64]


class Corrected(DriverAbove):
    """A `RobotDriver` of tool poses over one of tool corrections, such as `kuka-rsi`.

    A correction leads from where the tool was at `connect`: there the robot's program has to wait. The limits
    of the controller's correction have to cover the whole work.
    """

    def __init__(self, driver: RobotDriver) -> None:
        """Raises DriverError for a driver that takes no tool corrections."""
        if driver.mode is not Mode.TOOL_CORRECTION:
            raise DriverError(f"a driver of {driver.mode} takes no corrections of the tool")
        super().__init__(driver)
        self._begun: Array | None = None

    @property
    def mode(self) -> Mode:
        """Poses of the tool."""
        return Mode.TOOL_POSE

    def connect(self) -> RobotState:
        """Reach the controller; corrections lead from here."""
        state = super().connect()
        self._begun = transform_of(state.tool)
        return state

    def send_setpoint(self, setpoint: Array) -> None:
        """Send the correction that leads to the pose (6,)."""
        if self._begun is None:
            raise DriverError("call connect first")
        wanted, begun = transform_of(setpoint), self._begun
        correction = np.eye(4)
        correction[:3, :3] = product(wanted[:3, :3], begun[:3, :3].T)
        correction[:3, 3] = wanted[:3, 3] - begun[:3, 3]
        super().send_setpoint(pose_of(correction))
