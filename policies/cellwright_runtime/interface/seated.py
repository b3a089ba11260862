"""Whether a part is seated, from what a robot measures: a height that no longer falls under a push."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

STILL_M = 0.3e-3
"""A tip whose height changes by less over the window stands still: free parts go in at 1 mm a window and
more."""
PUSH_N = 3.0
"""Force along the tool, up on the part, from which it counts as pushed against (assumption)."""
WINDOW_S = 0.2
"""So long height and force have to say the same."""
UR10E_N_M = 1.1e4
"""Stiffness at the tip of a UR10e with a 2F-85, arm and fingers in series: that of the simulated one."""
TOLERANCE_M = 3e-3
"""How far fixture and part in the fingers may lie from the drawing, along the tool: 2 mm in training."""


class SeatedWatch:
    """Says once a control period whether the part is seated.

    It is where the tip is as deep as the drawing has it, give or take the tolerance, stands still, and is
    pushed back. A robot that is pushed back bends, and the pose that it reports is deeper than the tip: with
    10 N by 0.9 mm on a UR10e. A part that jams on the way stands still and is pushed back too, but it is not
    deep enough; so a jam within the tolerance of the bottom is taken for seated, and the tolerance should be
    no larger than the cell needs. A nut is seated when its torque is within its window: give `torque_n_m`.
    """

    def __init__(
        self,
        *,
        depth_m: float,
        mouth_m: float,
        control_period_s: float,
        tolerance_m: float = TOLERANCE_M,
        stiffness_n_m: float = math.inf,
        torque_n_m: tuple[float, float] | None = None,
    ) -> None:
        """`mouth_m` is the height of the nominal fixture's mouth in the frame that poses are given in, z up;
        `depth_m` how far the part goes in. `stiffness_n_m` is that of arm and fingers between the reported
        pose and the tip. `torque_n_m` is the window of a part that is screwed."""
        if not (depth_m > 0.0 and tolerance_m > 0.0 and stiffness_n_m > 0.0 and math.isfinite(mouth_m)):
            raise ValueError(
                f"need positive {depth_m=}, {tolerance_m=} and {stiffness_n_m=}, and a finite {mouth_m=}"
            )
        if torque_n_m is not None and not 0.0 <= torque_n_m[0] < torque_n_m[1]:
            raise ValueError(f"need 0 <= lowest < highest torque, got {torque_n_m}")
        self._deepest_m = mouth_m - depth_m + tolerance_m
        self._stiffness_n_m = stiffness_n_m
        self._torque_n_m = torque_n_m
        count = math.ceil(WINDOW_S / control_period_s - 1e-9) + 1
        self._heights: deque[float] = deque(maxlen=count)
        self._pushes: deque[float] = deque(maxlen=count)

    def reset(self) -> None:
        """Begin the next part."""
        self._heights.clear()
        self._pushes.clear()

    def update(self, tool: Sequence[float], wrench: Sequence[float], *, torque_n_m: float = 0.0) -> bool:
        """Take note of the tool's pose (6,) and the tared wrench (6,), both of this control period.

        `torque_n_m` is that of the spindle, positive to the right.
        """
        push_n = float(wrench[2])
        self._heights.append(float(tool[2]) + push_n / self._stiffness_n_m)
        self._pushes.append(push_n)
        if self._torque_n_m is not None and not self._torque_n_m[0] <= torque_n_m <= self._torque_n_m[1]:
            return False
        return (
            len(self._heights) == self._heights.maxlen
            and max(self._heights) <= self._deepest_m
            and max(self._heights) - min(self._heights) < STILL_M
            and sum(self._pushes) / len(self._pushes) >= PUSH_N
        )
