"""The one protocol of every device below the interface, simulated or real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntFlag, StrEnum
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.interface.arrays import numbers

Array = NDArray[np.float64]
Setpoint_contra = TypeVar("Setpoint_contra", contravariant=True)
State_co = TypeVar("State_co", covariant=True)


class DriverError(ConnectionError):
    """A device that cannot be reached, is not set up for what is asked, or has been stopped; one line."""


class SetpointError(ValueError):
    """A setpoint that no controller of this kind can be meant to get; nothing was sent."""


class Mode(StrEnum):
    """What the numbers of a setpoint are."""

    OBSERVE = "observe"
    """None are sent: the driver reads, and nothing can move."""
    JOINT_POSITION = "joint-position"
    """(6,) [rad], to be reached by the end of the cycle."""
    JOINT_VELOCITY = "joint-velocity"
    """(6,) [rad/s]."""
    TOOL_POSE = "tool-pose"
    """(6,) position [m] and rotation vector [rad] of the tool in the base frame, by the end of the cycle."""
    JOINT_CORRECTION = "joint-correction"
    """(6,) [rad], what is added to the joints of the program that the controller runs."""
    TOOL_CORRECTION = "tool-correction"
    """(6,) shift [m] and rotation vector [rad] in the base frame, added to the path of the controller."""
    PATH_CORRECTION = "path-correction"
    """(3,) [m] along, across and above the path that the controller runs, in the frame of that path."""


class Status(IntFlag):
    """What a controller says about itself beside its pose; no bit means that it follows."""

    EMERGENCY_STOP = 1
    """An emergency stop is pressed; a person has to release it and to start the robot again."""
    PROTECTIVE_STOP = 2
    """The controller stopped for a force, a limit or a deviation; a person has to look and to unlock it."""
    SAFEGUARD_STOP = 4
    """A gate or a light curtain is open."""
    FAULT = 8
    """An alarm of the controller, or a violation that its safety system latched."""
    REDUCED = 16
    """The safety system limits the speed."""
    NOT_READY = 32
    """No power on the motors, or brakes closed."""
    NOT_IN_CONTROL = 64
    """The program that takes setpoints does not run."""
    IN_USE = 128
    """Somebody else holds what the driver needs."""
    MANUAL = 256
    """The controller is not in automatic or remote mode."""
    SILENT = 512
    """Nothing came from the controller for longer than its silence limit; the state is an old one."""
    LIMITED = 1024
    """The controller clips what it is sent."""


NORMAL = Status(0)

STOPS = Status.EMERGENCY_STOP | Status.PROTECTIVE_STOP | Status.SAFEGUARD_STOP | Status.FAULT
"""The bits with which a controller says that it has stopped the robot itself."""


@dataclass(frozen=True, kw_only=True)
class RobotState:
    """What an arm's controller reports of one cycle.

    Poses (6,) are a position [m] and a rotation vector [rad] of the tool in the robot's base frame.
    """

    time_s: float
    """The controller's own clock at the end of the cycle."""
    joints_rad: Array
    """(6,) reached."""
    tool: Array
    """(6,) reached."""
    wrench: Array | None = None
    """(6,) [N] and [N m] on the wrist sensor, mean over the cycle, in the tool frame about its origin and
    not tared; None for an arm without one."""
    wrench_fault: str = ""
    """Why the wrench is missing although there is a sensor, in one line."""
    status: Status = NORMAL
    sequence: int = 0
    """The controller's number of the cycle, where it has one; else a count of what arrived."""
    received_s: float = 0.0
    """This computer's monotonic clock when the state arrived."""
    age_s: float = 0.0
    """How long ago that was when `read_state` returned it."""
    digital_inputs: int = 0
    """Bit n is input n."""
    analogue_inputs: tuple[float, ...] = ()
    """Fractions 0..1 of the range of each input."""

    def aged(self, now_s: float, silence_s: float) -> RobotState:
        """This state as of `now_s`, `SILENT` where it is older than `silence_s`."""
        age_s = max(0.0, now_s - self.received_s)
        silent = Status.SILENT if age_s > silence_s else NORMAL
        return replace(self, age_s=age_s, status=self.status | silent)


def told(status: Status) -> str:
    """The bits of a status in words."""
    return ", ".join(str(flag.name).lower().replace("_", " ") for flag in Status if flag & status)


class Driver(Protocol[Setpoint_contra, State_co]):
    """A device at its controller's rate: `connect`, then `send_setpoint` and `read_state` once a cycle.

    `stop` and `close` may be called at any time and more than once. After `stop` a setpoint is refused until
    `connect` is called again: nothing starts by itself.
    """

    @property
    def cycle_s(self) -> float:
        """The controller's cycle, such as 2, 4, 8 or 12 ms."""

    def connect(self) -> State_co:
        """Reach the device and return its first state; nothing moves.

        Raises DriverError, one line, where the device is not there or not set up for this.
        """

    def read_state(self) -> State_co:
        """Wait for the end of the cycle and return its state.

        Where a device is silent the wait ends, and the last state comes again with its age and `SILENT`.
        Raises DriverError where the connection is gone.
        """

    def send_setpoint(self, setpoint: Setpoint_contra) -> None:
        """Say what to do in the cycle that begins; it holds until another comes or silence is noticed.

        Raises SetpointError where it has another shape, is not finite or is farther than the controller can
        go, and nothing is sent. Raises DriverError after `stop`.
        """

    def prepare(self) -> None:
        """Do what the first setpoint needs and takes longer than a cycle; nothing moves.

        Setpoints have to follow at once: a watchdog may run from here on. Raises DriverError.
        """

    def stop(self) -> None:
        """Bring the device to rest as fast as its controller does, and take no more setpoints."""

    def close(self) -> None:
        """Stop the device and let go of it."""


class RobotDriver(Driver[Array, RobotState], Protocol):
    """An arm; setpoints are arrays (n,) of what `mode` says."""

    @property
    def mode(self) -> Mode: ...

    @property
    def lag_s(self) -> float:
        """From a setpoint to the motion that follows it."""

    @property
    def coasting_s(self) -> float:
        """How long the controller may go on moving at the last speed once setpoints have ceased."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What a controller can do at all; farther setpoints are refused, not clipped."""

    lowest: Array
    """(n,) in the unit of the setpoint."""
    highest: Array
    step: Array
    """(n,) largest change from one setpoint to the next; infinite where the controller has no such limit."""

    @classmethod
    def within(cls, most: Array | Sequence[float], step: Array | Sequence[float] | None = None) -> Reach:
        """Symmetric limits `most` (n,), and steps (n,) or none."""
        highest = np.array(most, dtype=np.float64)
        return cls(
            lowest=-highest,
            highest=highest,
            step=np.full(len(highest), np.inf) if step is None else np.array(step, dtype=np.float64),
        )

    def checked(self, setpoint: Array, before: Array | None) -> Array:
        """A copy of `setpoint` (n,); raises SetpointError where it cannot be meant.

        `before` (n,) is the setpoint that it follows, or where the arm is; None leaves the step unchecked.
        """
        try:
            values = numbers("setpoint", setpoint, len(self.lowest))
        except ValueError as error:
            raise SetpointError(str(error)) from None
        beyond = (values < self.lowest) | (values > self.highest)
        if beyond.any():
            number = int(np.argmax(beyond))
            least, most = self.lowest[number], self.highest[number]
            raise SetpointError(
                f"setpoint {number} is {values[number]:.6g}; the controller takes {least:.6g} to {most:.6g}"
            )
        if before is not None:
            far = np.abs(values - before) > self.step
            if far.any():
                number = int(np.argmax(far))
                raise SetpointError(
                    f"setpoint {number} is {abs(values[number] - before[number]):.3g} from the one before; "
                    f"the controller follows {self.step[number]:.3g} a cycle"
                )
        return values
