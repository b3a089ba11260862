"""A driver above another one, which changes some of what passes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.drivers.driver import Mode, RobotDriver, RobotState

Array = NDArray[np.float64]


class DriverAbove:
    """A `RobotDriver` that passes everything on to the one below; a subclass changes what it is there for."""

    def __init__(self, below: RobotDriver) -> None:
        self.below = below

    @property
    def mode(self) -> Mode:
        """What the numbers of a setpoint are."""
        return self.below.mode

    @property
    def cycle_s(self) -> float:
        """The controller's cycle."""
        return self.below.cycle_s

    @property
    def coasting_s(self) -> float:
        """How long the controller may go on moving once setpoints have ceased."""
        return self.below.coasting_s

    @property
    def lag_s(self) -> float:
        """From a setpoint to the motion that follows it."""
        return self.below.lag_s

    def connect(self) -> RobotState:
        """Reach the controller and return its first state."""
        return self.below.connect()

    def prepare(self) -> None:
        """Be ready for setpoints."""
        self.below.prepare()

    def read_state(self) -> RobotState:
        """The state at the end of the cycle."""
        return self.below.read_state()

    def send_setpoint(self, setpoint: Array) -> None:
        """Send it."""
        self.below.send_setpoint(setpoint)

    def stop(self) -> None:
        """Bring the arm to rest."""
        self.below.stop()

    def close(self) -> None:
        """Let go of the controller."""
        self.below.close()
