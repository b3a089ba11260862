"""The history of a low-dimensional group: its values some control steps ago."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class History:
    """The last values of one group, newest first, sampled at fixed lags [control steps]."""

    def __init__(self, width: int, lags: tuple[int, ...]) -> None:
        self._values = np.zeros((lags[-1] + 1, width), dtype=np.float32)
        self._lags = np.array(lags)

    def reset(self, values: NDArray[np.float64]) -> None:
        self._values[:] = values

    def push(self, values: NDArray[np.float64]) -> None:
        self._values[1:] = self._values[:-1]
        self._values[0] = values

    def sample(self) -> NDArray[np.float32]:
        """Lag-major (lags * width,), a copy."""
        return self._values[self._lags].ravel()
