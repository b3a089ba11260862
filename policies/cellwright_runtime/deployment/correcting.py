"""A driver that takes corrections, as one that takes poses, above a robot program that stands still."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import product
from cellwright_runtime.drivers.driver import DriverError, Mode, RobotDriver, RobotState
from cellwright_runtime.interface.placing import pose_of, transform_of

Array = NDArray[np.float64]


class Corrected:
    """A `RobotDriver` of tool poses over one of tool corrections, such as `kuka-rsi`.

    A correction leads from where the tool was at `connect`: there the robot's program has to wait. The limits
    of the controller's correction have to cover the whole work.
    """

    mode = Mode.TOOL_POSE

    def __init__(self, driver: RobotDriver) -> None:
        """Raises DriverError for a driver that takes no tool corrections."""
        if driver.mode is not Mode.TOOL_CORRECTION:
            raise DriverError(f"a driver of {driver.mode} takes no corrections of the tool")
        self._driver = driver
        self._begun: Array | None = None

    @property
    def cycle_s(self) -> float:
        """The controller's cycle."""
        return self._driver.cycle_s

    @property
    def coasting_s(self) -> float:
        """How long the controller may go on moving once setpoints have ceased."""
        return self._driver.coasting_s

    @property
    def lag_s(self) -> float:
        """From a setpoint to the motion that follows it."""
        return self._driver.lag_s

    def connect(self) -> RobotState:
        """Reach the controller; corrections lead from here."""
        state = self._driver.connect()
        self._begun = transform_of(state.tool)
        return state

    def prepare(self) -> None:
        """Be ready for setpoints."""
        self._driver.prepare()

    def read_state(self) -> RobotState:
        """The state at the end of the cycle."""
        return self._driver.read_state()

    def send_setpoint(self, setpoint: Array) -> None:
        """Send the correction that leads to the pose (6,)."""
        if self._begun is None:
            raise DriverError("call connect first")
        wanted, begun = transform_of(setpoint), self._begun
        correction = np.eye(4)
        correction[:3, :3] = product(wanted[:3, :3], begun[:3, :3].T)
        correction[:3, 3] = wanted[:3, 3] - begun[:3, 3]
        self._driver.send_setpoint(pose_of(correction))

    def stop(self) -> None:
        """Bring the arm to rest."""
        self._driver.stop()

    def close(self) -> None:
        """Let go of the controller."""
        self._driver.close()
