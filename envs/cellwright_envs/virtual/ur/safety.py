"""Modes and status bits of a UR controller.

Numbers after Universal Robots, "Real-Time Data Exchange (RTDE) Guide": robot_mode, safety_mode,
safety_status_bits.
"""

from __future__ import annotations

from enum import Enum


class Safety(Enum):
    """What the safety system says: the number of the mode, its name on the dashboard, and its status bits."""

    NORMAL = 1, "NORMAL", (0,)
    REDUCED = 2, "REDUCED", (1,)
    PROTECTIVE_STOP = 3, "PROTECTIVE_STOP", (2, 10)
    SAFEGUARD_STOP = 5, "SAFEGUARD_STOP", (4, 10)
    SYSTEM_EMERGENCY_STOP = 6, "SYSTEM_EMERGENCY_STOP", (5, 7, 10)
    ROBOT_EMERGENCY_STOP = 7, "ROBOT_EMERGENCY_STOP", (6, 7, 10)
    VIOLATION = 8, "VIOLATION", (8, 10)
    FAULT = 9, "FAULT", (9, 10)

    @property
    def number(self) -> int:
        return self.value[0]

    @property
    def told(self) -> str:
        return self.value[1]

    @property
    def bits(self) -> int:
        """safety_status_bits."""
        return sum(1 << bit for bit in self.value[2])

    @property
    def free(self) -> bool:
        """Whether the robot may move."""
        return self in (Safety.NORMAL, Safety.REDUCED)

    @property
    def powered(self) -> bool:
        """Whether motors keep their power."""
        return self.number <= 5


POWER_OFF, RUNNING = 3, 7
"""Of robot_mode."""
MODE_NAMES = {POWER_OFF: "POWER_OFF", RUNNING: "RUNNING"}
STOPPED, PLAYING = 1, 2
"""Of runtime_state."""
EMERGENCY_RAD_S2, PROTECTIVE_RAD_S2, PROGRAM_END_RAD_S2 = 15.0, 15.0, 4.0
"""Decelerations of the leading axis: assumptions, UR states stopping distances instead."""
