"""The driver `sim`: a simulated arm behind the protocol, in time that passes in `read_state` alone."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.drivers.driver import DriverError, Mode, Reach, RobotState

Array = NDArray[np.float64]


class Plant(Protocol):
    """An arm that moves one period at a time: what stands behind `SimDriver` and every virtual controller."""

    @property
    def period_s(self) -> float: ...

    def begin(self) -> RobotState:
        """Put everything where work begins, at rest; time begins at 0."""

    def move_joints(self, joints_rad: Array) -> RobotState:
        """One period towards joints (6,) [rad]."""

    def move_tool(self, tool: Array) -> RobotState:
        """One period towards a pose (6,) of the tool in the base frame."""

    def stand(self) -> None:
        """One period in which nothing happens but what cameras do: nobody has moved the arm yet."""

    def close(self) -> None:
        """Let go of the simulation."""


class SimDriver:
    """Drives a plant directly."""

    coasting_s = 0.0
    lag_s = 0.0
    _REACH = {  # noqa: RUF012
        Mode.JOINT_POSITION: Reach.within(np.full(6, 2.0 * np.pi)),
        Mode.TOOL_POSE: Reach.within(np.array([10.0] * 3 + [2.0 * np.pi] * 3)),
    }

    def __init__(self, plant: Plant, mode: Mode = Mode.TOOL_POSE) -> None:
        if mode not in (Mode.OBSERVE, *self._REACH):
            known = ", ".join((Mode.OBSERVE, *self._REACH))
            raise ValueError(f"the driver sim takes the modes {known}, got {mode}")
        self.mode = mode
        self.cycle_s = plant.period_s
        self._plant = plant
        self._state: RobotState | None = None
        self._hold = np.zeros(6)
        self._setpoint: Array | None = None
        self._stopped = False

    def connect(self) -> RobotState:
        """Put the plant where work begins and return its state."""
        self._state, self._setpoint, self._stopped = self._plant.begin(), None, False
        self._hold = self._state.tool
        return self._state

    def send_setpoint(self, setpoint: Array) -> None:
        """What is to be reached at the end of the cycle that begins."""
        if self._state is None or self._stopped or self.mode is Mode.OBSERVE:
            raise DriverError(f"the driver sim takes no setpoint now: {self._why()}")
        self._setpoint = self._REACH[self.mode].checked(setpoint, None)

    def prepare(self) -> None:
        """Nothing takes longer than a cycle."""

    def read_state(self) -> RobotState:
        """Let one cycle pass."""
        if self._state is None:
            raise DriverError("the driver sim is not connected; call connect first")
        if self._setpoint is None:
            self._state = self._plant.move_tool(self._hold)
        elif self.mode is Mode.JOINT_POSITION:
            self._state = self._plant.move_joints(self._setpoint)
        else:
            self._state = self._plant.move_tool(self._setpoint)
        return self._state

    def stop(self) -> None:
        """Hold where the arm is."""
        if self._state is not None and self._setpoint is not None:
            self._hold = self._state.tool
        self._setpoint, self._stopped = None, True

    def close(self) -> None:
        """Let go of the plant."""
        self._state = None
        self._plant.close()

    def _why(self) -> str:
        if self._state is None:
            return "call connect first"
        return "it was stopped; connect again" if self._stopped else "it was made to observe"
