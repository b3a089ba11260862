"""A welding power source as a shop wires it: two analogue outputs, arc on, arc established.

The robot's controller, or an I/O card, puts out two voltages of 0 to 10 V for wire feed and arc voltage,
closes a contact for the arc, and reads one that the source closes once its arc burns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from cellwright_runtime.drivers.driver import DriverError

FULL_V = 10.0
"""Of an analogue output."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What an analogue output means: linear between 0 V and 10 V."""

    unit: str
    at_0_v: float
    at_10_v: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.at_0_v) and math.isfinite(self.at_10_v) and self.at_0_v < self.at_10_v):
            raise ValueError(f"a scale needs finite at_0_v < at_10_v, got {self.at_0_v} and {self.at_10_v}")

    def volts(self, value: float) -> float:
        """The output for `value`; raises ValueError, one line, outside of the scale."""
        if not self.at_0_v <= value <= self.at_10_v:
            raise ValueError(
                f"{value:g} {self.unit} is outside of the power source's {self.at_0_v:g} to {self.at_10_v:g}"
            )
        return FULL_V * (value - self.at_0_v) / (self.at_10_v - self.at_0_v)

    def value(self, volts: float) -> float:
        """What an output of `volts` stands for."""
        return self.at_0_v + volts / FULL_V * (self.at_10_v - self.at_0_v)


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """Scales of the two outputs."""

    wire_feed: Scale
    """In m/s."""
    voltage: Scale
    """In V at the arc."""


@dataclass(frozen=True, kw_only=True)
class PowerCommand:
    """What is put out in a cycle."""

    wire_feed_v: float = 0.0
    """0 to 10 V."""
    voltage_v: float = 0.0
    arc_on: bool = False


@dataclass(frozen=True, kw_only=True)
class PowerState:
    """What comes back."""

    time_s: float
    """When it was read, on the session's clock."""
    arc_established: bool
    """The source's contact: its arc burns."""
    ready: bool = True
    """The source is there and reports no fault."""
    signals: tuple[float, ...] = ()
    """Its meters, means and deviations over the last control period, in the order of the policy's group
    `signals`; empty for a source that has none."""


class PowerSource(Protocol):
    """A driver of a power source. Nothing burns before `arc_on`, and `stop` always puts the arc out."""

    @property
    def wiring(self) -> Wiring: ...

    def connect(self) -> PowerState:
        """Reach it; the arc is out. Raises DriverError, one line."""

    def send(self, command: PowerCommand) -> None:
        """Put out; raises DriverError where that is not possible, ValueError outside of 0 to 10 V."""

    def read(self) -> PowerState:
        """The newest state; raises DriverError where the source is gone."""

    def stop(self) -> None:
        """Put the arc out, and both outputs to 0 V; may be called at any time."""


def checked(command: PowerCommand) -> PowerCommand:
    """`command`; raises ValueError where an output is not within 0 to 10 V."""
    for name, volts in (("wire_feed_v", command.wire_feed_v), ("voltage_v", command.voltage_v)):
        if not 0.0 <= volts <= FULL_V:
            raise ValueError(f"{name} must be within 0 to {FULL_V:g} V, got {volts:g}")
    return command


class VirtualPowerSource:
    """A power source whose arc burns a while after it was asked for, while wire is fed."""

    def __init__(self, wiring: Wiring, *, strike_s: float = 0.05) -> None:
        """`strike_s` is from the contact to an established arc (assumption)."""
        self.wiring, self._strike_s = wiring, strike_s
        self.command, self._asked_s = PowerCommand(), math.inf
        self.gone = False
        """Set it to take the source away."""
        self._time_s = 0.0

    def connect(self) -> PowerState:
        if self.gone:
            raise DriverError("the power source does not answer")
        self.stop()
        return self.read()

    def send(self, command: PowerCommand) -> None:
        command = checked(command)
        if self.gone:
            raise DriverError("the power source does not answer")
        if command.arc_on and not self.command.arc_on:
            self._asked_s = self._time_s
        self.command = command

    def pass_time(self, seconds: float) -> None:
        """Let time go by."""
        self._time_s += seconds

    def read(self) -> PowerState:
        if self.gone:
            raise DriverError("the power source does not answer")
        burns = self.command.arc_on and self.command.wire_feed_v > 0.0
        return PowerState(
            time_s=self._time_s,
            arc_established=burns and self._time_s - self._asked_s >= self._strike_s - 1e-12,
        )

    @property
    def wire_feed_m_s(self) -> float:
        """What is fed now."""
        return self.wiring.wire_feed.value(self.command.wire_feed_v) if self.command.arc_on else 0.0

    def stop(self) -> None:
        self.command, self._asked_s = PowerCommand(), math.inf
