"""The history of a low-dimensional group: its values some control steps ago."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.vocabulary import ControllerSetup

LONGEST_LAG = 1000
"""Control steps; more is taken for a mistake."""


class History:
    """The last values of one group, newest first, sampled at fixed lags [control steps]."""

    def __init__(self, width: int, lags: tuple[int, ...]) -> None:
        self.width = width
        self._values = np.zeros((lags[-1] + 1, width), dtype=np.float32)
        self._lags = np.array(lags)

    def reset(self, values: NDArray[np.float64]) -> None:
        """Take `values` (width,) for all of the past."""
        self._values[:] = values

    def push(self, values: NDArray[np.float64]) -> None:
        """A control step has passed and `values` (width,) are the newest."""
        self._values[1:] = self._values[:-1]
        self._values[0] = values

    def sample(self) -> NDArray[np.float32]:
        """Lag-major (lags * width,), a copy."""
        return self._values[self._lags].ravel()


class Averages:
    """Exponential means of one group over several periods, for what changes slowly or not at all.

    Until a period has passed, its mean is that of all values so far.
    """

    def __init__(self, width: int, periods_steps: tuple[float, ...]) -> None:
        """`periods_steps` are the times [control steps] after which a value's weight has fallen to 1/e."""
        self.width = width
        self._least = [1.0 - math.exp(-1.0 / period) for period in periods_steps]
        self._means = np.zeros((len(periods_steps), width))
        self._count = 0

    def reset(self) -> None:
        """Forget all values."""
        self._means[:] = 0.0
        self._count = 0

    def push(self, values: NDArray[np.float64]) -> None:
        """A control step has passed and `values` (width,) are the newest."""
        self._count += 1
        for period, least in enumerate(self._least):
            self._means[period] += max(least, 1.0 / self._count) * (values - self._means[period])

    def sample(self) -> NDArray[np.float64]:
        """Period-major (periods * width,), a copy; zeros before the first value."""
        return self._means.ravel().copy()


def read_lags(controller: ControllerSetup, name: str) -> tuple[int, ...]:
    """Lags [control steps] that the setting `name` gives; raises ValueError where they make no sense."""
    value = controller[name]
    whole = (value == np.round(value)).all()
    if not whole or value[0] < 0 or (np.diff(value) <= 0).any() or value[-1] > LONGEST_LAG:
        raise ValueError(f"{name} must be whole numbers that rise from 0 or 1 on, got {value.tolist()}")
    return tuple(int(lag) for lag in value)
