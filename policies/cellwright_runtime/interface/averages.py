"""Means over seconds: what a policy identifies within a weld."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.vocabulary import Layout


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

    def reset(self, values: NDArray[np.float64]) -> None:
        """Forget all values; until the first new one, `values` (width,) stand for the means."""
        self._means[:] = values
        self._count = 0

    def push(self, values: NDArray[np.float64]) -> None:
        """A control step has passed and `values` (width,) are the newest."""
        self._count += 1
        for period, least in enumerate(self._least):
            self._means[period] += max(least, 1.0 / self._count) * (values - self._means[period])

    def sample(self) -> NDArray[np.float64]:
        """Period-major (periods * width,), a copy."""
        return self._means.ravel().copy()


class WeldAverages:
    """The group `averages`: signals and trims while the arc burns, over the setting `average_periods`."""

    TRIMS = 3

    def __init__(self, layout: Layout, signals: int) -> None:
        """`signals` is the number of weld signals; raises ValueError where the layout does not fit."""
        count = len(layout.controller["average_periods"])
        periods_s = layout.controller.read("average_periods", "s", count=count, above=0.0).tolist()
        size, width = len(layout.groups.get("averages", ())), signals + self.TRIMS
        if size != count * width:
            raise ValueError(f"averages must be {count * width} numbers, the layout has {size}")
        described = layout.groups["signals"][:signals]
        self._names = [each.name.rpartition("_lag_")[0] for each in described]
        self._means = Averages(width, tuple(period_s / layout.control_period_s for period_s in periods_s))

    def reset(self, signals: NDArray[np.float64], *, voltage_v: float, wire_feed_m_s: float) -> None:
        """Begin a weld with what its programme says, and with `signals` (n,) as they are, arc off."""
        named = {"voltage_mean": voltage_v, "wire_feed": wire_feed_m_s}
        rest = [named.get(name, value) for name, value in zip(self._names, signals.tolist(), strict=True)]
        self._means.reset(np.array([*rest, *[0.0] * self.TRIMS]))

    def push(self, signals: NDArray[np.float64], trims: tuple[float, float, float]) -> None:
        """A control step has passed; one without an arc does not count."""
        if signals[0] > 0.0:
            self._means.push(np.array([*signals, *trims]))

    def is_trim(self, index: int) -> bool:
        """Whether an element of the group is a mean over a trim, which the policy itself commands."""
        return index % self._means.width >= self._means.width - self.TRIMS

    def sample(self) -> NDArray[np.float64]:
        """The group."""
        return self._means.sample()
