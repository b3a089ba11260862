"""The base of simulated arms: the life of a driver, and a period that is a multiple of the physics'."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.drivers.driver import ArmReading
from cellwright_runtime.interface.arrays import numbers

Array = NDArray[np.float64]


class VirtualArm(ABC):
    """An `ArmDriver` of a simulated arm; time passes in `read` alone."""

    def __init__(self, period_s: float, physics_period_s: float) -> None:
        steps = period_s / physics_period_s
        if abs(steps - round(steps)) > 1e-9 or steps < 1:
            raise ValueError(f"{period_s=} is no whole multiple of the physics' {physics_period_s}")
        self.period_s = period_s
        self._periods: int | None = None
        self._target = np.zeros(6)

    def reset(self) -> ArmReading:
        """Bring the arm to where work begins, at rest."""
        self._periods = 0
        reading = self._place()
        self._target = reading.tool.copy()
        return reading

    def command(self, tool: Array) -> None:
        """Where the tool (6,) is to be at the end of the period that begins."""
        self._require_reset()
        self._target = numbers("tool", tool, 6)

    def read(self) -> ArmReading:
        """Let one period pass."""
        self._require_reset()
        self._periods = (self._periods or 0) + 1
        return self._advance(self._target)

    def close(self) -> None:
        """Let go of the simulation."""
        self._periods = None
        self._end()

    @property
    def _time_s(self) -> float:
        return (self._periods or 0) * self.period_s

    def _require_reset(self) -> None:
        if self._periods is None:
            raise ValueError("call reset before command and read")

    @abstractmethod
    def _place(self) -> ArmReading:
        """Put everything where work begins."""

    @abstractmethod
    def _advance(self, target: Array) -> ArmReading:
        """One period towards `target` (6,)."""

    @abstractmethod
    def _end(self) -> None: ...
