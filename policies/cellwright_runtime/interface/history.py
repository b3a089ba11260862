"""The history of a low-dimensional group: its values some control steps ago."""

from __future__ import annotations

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


def read_lags(controller: ControllerSetup, name: str) -> tuple[int, ...]:
    """Lags [control steps] that the setting `name` gives; raises ValueError where they make no sense."""
    value = controller[name]
    whole = (value == np.round(value)).all()
    if not whole or value[0] < 0 or (np.diff(value) <= 0).any() or value[-1] > LONGEST_LAG:
        raise ValueError(f"{name} must be whole numbers that rise from 0 or 1 on, got {value.tolist()}")
    return tuple(int(lag) for lag in value)
