"""A driver with a wrench source of its own beside it, for robots that report no wrench."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellwright_runtime.cell.cell_file import CellFile, transform
from cellwright_runtime.deployment.above import DriverAbove
from cellwright_runtime.drivers.ati_rdt import AtiRdtSensor
from cellwright_runtime.drivers.driver import RobotDriver, RobotState
from cellwright_runtime.interface.placing import Placed

Array = NDArray[np.float64]


class Feeling(DriverAbove):
    """A `RobotDriver` whose states have the wrench of a sensor at the wrist, in the tool frame."""

    def __init__(
        self,
        driver: RobotDriver,
        sensor: AtiRdtSensor,
        sensor_t: ArrayLike,
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`sensor_t` (4, 4) is the sensor's frame in the tool frame.

        `clock` is monotonic; None counts in the controller's own time, as of one in lock-step.
        """
        super().__init__(driver)
        self._sensor, self._clock = sensor, clock
        self._placed = Placed(sensor_t)

    def connect(self) -> RobotState:
        """Reach the sensor, then the controller; raises DriverError for either."""
        self._sensor.connect()  # first: a controller that waits for answers is not kept waiting
        try:
            return self._felt(super().connect())
        except BaseException:
            self._sensor.close()
            raise

    def read_state(self) -> RobotState:
        """The state at the end of the cycle, and the wrench of that time."""
        return self._felt(super().read_state())

    def close(self) -> None:
        """Let go of controller and sensor."""
        try:
            super().close()
        finally:
            self._sensor.close()

    def _felt(self, state: RobotState) -> RobotState:
        reading = self._sensor.read(state.time_s if self._clock is None else self._clock())
        if reading.fault:
            return replace(state, wrench=None, wrench_fault=reading.fault)
        return replace(state, wrench=self._placed.wrench_outside(reading.wrench))


def feeling(driver: RobotDriver, file: CellFile, *, clock: Callable[[], float] | None) -> RobotDriver:
    """The driver with the sensor of `[wrench_sensor]`, or as it is where the file has none; see `Feeling`."""
    sensor = file.cell.wrench_sensor
    if sensor is None:
        return driver
    made = AtiRdtSensor(
        sensor.host,
        port=sensor.port,
        counts_per_n=sensor.counts_per_n,
        counts_per_n_m=sensor.counts_per_n_m,
        stale_s=sensor.stale_s,
    )
    return Feeling(driver, made, transform(sensor), clock=clock)
