"""The one protocol of every device below the interface, simulated or real."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Command_contra = TypeVar("Command_contra", contravariant=True)
Reading_co = TypeVar("Reading_co", covariant=True)


class Driver(Protocol[Command_contra, Reading_co]):
    """A device at its controller's rate: `reset`, then `command` and `read` once a period, then `close`."""

    @property
    def period_s(self) -> float:
        """The controller's cycle, such as 2, 4, 8 or 12 ms."""

    def reset(self) -> Reading_co:
        """Bring the device to its start, at rest, and return its first reading."""

    def command(self, command: Command_contra) -> None:
        """Say what to do until the end of the period that begins; the last command holds until another comes.

        Raises ValueError where the command has another shape or is not finite, and nothing changes.
        """

    def read(self) -> Reading_co:
        """Wait for the end of the period and return its reading."""

    def close(self) -> None:
        """Stop the device and release it."""


@dataclass(frozen=True, kw_only=True)
class ArmReading:
    """What an arm's controller reports of one period.

    Poses (6,) are a position [m] and a rotation vector [rad] of the tool in the robot's base frame.
    """

    time_s: float
    """Since `reset`, at the end of the period."""
    tool: Array
    """(6,) reached."""
    joints_rad: Array
    """(6,) reached."""
    wrench: Array | None = None
    """(6,) [N] and [N m] on the wrist sensor, mean over the period, in the tool frame about its origin and
    not tared; None for an arm without one."""


ArmDriver = Driver[Array, ArmReading]
"""An arm whose commands are poses (6,) of the tool, to be reached by the end of the period."""
