"""The thread that keeps a controller's cycle; whatever takes longer than a cycle happens elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.drivers.driver import RobotDriver, RobotState
from cellwright_runtime.drivers.link import Clock, monotonic

Array = NDArray[np.float64]

LATE_S = 0.002


class ServoThread:
    """Reads a state, has `decide` say what follows from it, sends that; once a cycle, from `start` to `stop`.

    Inference never belongs into `decide`: it takes what another thread has decided last, as an envelope does.
    """

    def __init__(self, driver: RobotDriver, decide: Callable[[RobotState], Array | None]) -> None:
        """`decide` returns a setpoint, or None to send none in this cycle. `driver` is connected already."""
        self.cycles = 0
        self.late = 0
        """Cycles that began more than 2 ms late."""
        self.worst_s = 0.0
        """The latest of them."""
        self.error: BaseException | None = None
        """What ended the thread, where that was not `stop`."""
        self._driver = driver
        self._decide = decide
        self._clock: Clock = monotonic
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"servo {type(driver).__name__}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Have the driver stop the arm, and wait for the thread; raises what ended it."""
        self._ended.set()
        self._thread.join(timeout_s)
        if self.error is not None:
            raise self.error

    @property
    def alive(self) -> bool:
        """Whether setpoints go out."""
        return self._thread.is_alive()

    def _run(self) -> None:
        due = None
        try:
            while not self._ended.is_set():
                state = self._driver.read_state()
                now = self._clock()
                if due is not None:
                    lateness = now - due
                    self.late += lateness > LATE_S
                    self.worst_s = max(self.worst_s, lateness)
                due = now + self._driver.cycle_s
                setpoint = self._decide(state)
                if setpoint is not None:
                    self._driver.send_setpoint(setpoint)
                self.cycles += 1
        except BaseException as error:
            self.error = error
        finally:
            self._driver.stop()
