"""What a session needs of the work that a policy does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.drivers.driver import RobotState
from cellwright_runtime.envelope.observation_guard import Finding

Array = NDArray[np.float64]


class Frame(NamedTuple):
    """A picture as a camera delivers it."""

    image: NDArray[np.uint8]
    """(channels, height, width), as the policy was trained with."""
    exposed_s: float
    """When it was exposed, on the session's clock."""
    number: int
    """Counts up with every exposure."""


class Camera(Protocol):
    """A source of frames; a driver of its own reads and warps them."""

    def newest(self) -> Frame | None:
        """The newest frame that has arrived; None before the first."""


class Observed(NamedTuple):
    """What a policy sees, and how old each source of it is."""

    observation: Mapping[str, NDArray[Any]]
    ages_s: Mapping[str, float]


class Task(Protocol):
    """The work between sources and targets, at two rates.

    `sense` is called every cycle. Once a control period `observe` is called, and, where the policy moves the
    robot, `act` with its answer. `target` is asked every cycle in which the policy moves the robot.
    """

    @property
    def control_period_s(self) -> float: ...

    def begin(self, state: RobotState, now_s: float) -> None:
        """Work begins with the robot at `state`, at rest; raises ValueError, one line, where it cannot."""

    def sense(self, state: RobotState, now_s: float) -> None:
        """One cycle has passed."""

    def resume(self, tool: Array, now_s: float) -> None:
        """The policy moves the robot from here on, for the first time or again; it is held at `tool` (6,)."""

    def observe(self, state: RobotState, now_s: float) -> Observed:
        """The observation; raises ValueError where a source gives what cannot be."""

    def act(self, action: NDArray[Any], state: RobotState, now_s: float, *, authority: float) -> None:
        """Carry a decision on.

        `authority`, 0 to 1, is the fraction of a motion that the robot makes of what the policy wants, while
        the envelope blends it in.
        """

    def target(self, state: RobotState, now_s: float) -> Array:
        """Where the tool (6,) is to be at the end of the cycle that begins."""

    def problem(self) -> Finding | None:
        """What is wrong with a device of the task alone, such as its power source; asked every cycle."""

    def verdict(self) -> str:
        """Why the work is over; empty while it is not."""

    def rest(self, now_s: float) -> None:
        """The policy does not move the robot in this cycle: nothing may go on, as an arc or a path."""
