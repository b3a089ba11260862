"""Fences: what of a target is cut off, and which motions keep inside.

Two kinds of robot interfaces are served. One takes tool poses, and its coordinates are those of `poses`; the
controller finds the joints. The other takes joints, which are found here, and the tool follows from them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import turned
from cellwright_runtime.envelope.faults import Stage
from cellwright_runtime.envelope.limits import FREE_TURN_RAD, Axes, Limits
from cellwright_runtime.envelope.motion import Sweep
from cellwright_runtime.envelope.poses import TurnsFrom, TurnsSoFar, angle_between
from cellwright_runtime.interface.rotation import rotation_rows, rotation_vector
from cellwright_runtime.kinematics import tool_and_jacobian, track

Array = NDArray[np.float64]
Numbers = list[float]

SLEW = 1.2
"""A target moves by at most this times the velocity limit in a cycle, as drivers of cobots have it."""
CHANGED = 1e-9
"""What a target is cut by before it counts as an intervention [m] or [rad]."""
_MOMENTS = (6, 48)
"""How often in a stop the tool's speed is looked at, and how often where that is not enough to say that it is
kept."""
_REACH_M = 1.6
"""No point of the arm and its tool is further than this from any joint axis: how fast a Jacobian changes."""


class Space(Protocol):
    """Between tool targets and the coordinates that are sent."""

    axes: Axes
    """Limits of the coordinates, margins taken off."""

    def begin(self, tool: Sequence[float], joints_rad: Sequence[float]) -> Numbers:
        """Be at rest at a measured pose and return its coordinates (6,)."""

    def resume(self, coordinates: Numbers) -> Numbers:
        """Be at rest at `coordinates`, and return the tool's pose (6,) there."""

    def shape(self, target: Sequence[float]) -> tuple[Numbers, set[Stage]]:
        """Coordinates (6,) for a target pose (6,), cut to the fences, and the stages that cut."""

    def accept(self, sweep: Sweep) -> bool:
        """Whether a motion keeps workspace and tool speed."""

    def setpoint(self, coordinates: Numbers) -> Array:
        """What is sent (6,)."""

    def error(
        self, coordinates: Numbers, tool: Sequence[float], joints_rad: Sequence[float]
    ) -> tuple[float, float]:
        """How far the measured robot is from `coordinates`: [m] of the tool, [rad] of a joint or a turn."""


class _Tool:
    """Fences of the tool that both spaces share: box, planes, speed, and the turn where one is declared."""

    def __init__(self, limits: Limits, period_s: float) -> None:
        margin = limits.workspace_margin_m
        axes = limits.tool
        self._free = min(axes.high[3:]) >= FREE_TURN_RAD
        self.axes = replace(
            axes,
            low=(*(each + margin for each in axes.low[:3]), *axes.low[3:]),
            high=(*(each - margin for each in axes.high[:3]), *axes.high[3:]),
        )
        self._planes = [(plane.normal, plane.offset_m + margin) for plane in limits.planes]
        self.speed_m_s = limits.tool_speed_m_s
        self._step_m = limits.tool_speed_m_s * period_s
        self._target: Numbers = [0.0] * 6

    def begin(self, tool: Sequence[float]) -> Numbers:
        self.turns: TurnsFrom | TurnsSoFar = TurnsSoFar(tool) if self._free else TurnsFrom(tool)
        self._target = self.turns.coordinates(tool)
        return list(self._target)

    def resume(self, tool: Sequence[float]) -> None:
        self._target = self.turns.coordinates(tool)

    def shape(self, target: Sequence[float]) -> tuple[Numbers, set[Stage]]:
        """Coordinates of a target pose, inside of box and planes, no further on than the speed allows."""
        stages = set()
        asked = self.turns.coordinates(target)
        held = _clamped(asked, self.axes)
        for normal, offset_m in self._planes:
            missing_m = offset_m - _dot(normal, held)
            if missing_m > 0.0:
                held[:3] = [at + missing_m * along for at, along in zip(held[:3], normal, strict=True)]
        if _differ(asked, held):
            stages.add(Stage.WORKSPACE)
        step_m = math.dist(held[:3], self._target[:3])
        if step_m > self._step_m + CHANGED:
            fraction = self._step_m / step_m
            held[:3] = [
                last + fraction * (now - last) for now, last in zip(held[:3], self._target[:3], strict=True)
            ]
            stages.add(Stage.TOOL_SPEED)
        self._target = held
        return list(held), stages

    def holds(self, low: Sequence[float], high: Sequence[float], speed_m_s: float) -> bool:
        """Whether places between `low` and `high` (3,) [m] are inside, and the speed allowed."""
        if speed_m_s > self.speed_m_s:
            return False
        for axis in range(3):
            if low[axis] < self.axes.low[axis] or high[axis] > self.axes.high[axis]:
                return False
        return all(
            sum(
                along * (low[axis] if along > 0.0 else high[axis])
                for axis, along in enumerate(normal)
            ) >= offset_m
            for normal, offset_m in self._planes
        )  # fmt: skip


class PoseSpace:
    """For an interface that takes tool poses in the base frame."""

    def __init__(self, limits: Limits, period_s: float) -> None:
        self._tool = _Tool(limits, period_s)
        self._posed: tuple[Numbers, Numbers] = [], []
        self.axes = self._tool.axes
        self._slew = _Slew(self.axes, period_s)

    def begin(self, tool: Sequence[float], joints_rad: Sequence[float]) -> Numbers:
        self._posed = [], []
        return self._slew.begin(self._tool.begin(tool))

    def resume(self, coordinates: Numbers) -> Numbers:
        pose = self._tool.turns.pose(coordinates)
        self._tool.resume(pose)
        self._slew.begin(coordinates)
        return pose

    def shape(self, target: Sequence[float]) -> tuple[Numbers, set[Stage]]:
        held, stages = self._tool.shape(target)
        return self._slew.cut(held, stages), stages

    def accept(self, sweep: Sweep) -> bool:
        speed_m_s = max(math.hypot(*sweep.speed[:3]), math.hypot(*sweep.came[:3]))
        return self._tool.holds(sweep.low, sweep.high, speed_m_s)

    def setpoint(self, coordinates: Numbers) -> Array:
        return np.array(self._pose(coordinates))

    def error(
        self, coordinates: Numbers, tool: Sequence[float], joints_rad: Sequence[float]
    ) -> tuple[float, float]:
        wanted = self._pose(coordinates)
        turned = angle_between(rotation_rows(*tool[3:6]), rotation_rows(*wanted[3:]))
        return math.dist(wanted[:3], tool[:3]), turned

    def _pose(self, coordinates: Numbers) -> Numbers:
        if coordinates != self._posed[0]:
            self._posed = list(coordinates), self._tool.turns.pose(coordinates)
        return self._posed[1]


class JointSpace:
    """For an interface that takes the joints of a UR10e [rad]."""

    def __init__(self, limits: Limits, period_s: float, tool_from_flange: Array) -> None:
        """`tool_from_flange` (4, 4) is the tool's pose seen from the flange."""
        margin = limits.joint_margin_rad
        joints = limits.joints
        self.axes = replace(
            joints,
            low=tuple(each + margin for each in joints.low),
            high=tuple(each - margin for each in joints.high),
            together=True,
        )
        self._tool = _Tool(limits, period_s)
        self._from_flange = np.ascontiguousarray(tool_from_flange, dtype=np.float64)
        self._low, self._high = np.array(joints.low), np.array(joints.high)
        self._most = SLEW * period_s * np.array(joints.velocity)
        self._period_s, self._jerk = period_s, np.array(joints.jerk)
        self._joints = np.zeros(6)

    def begin(self, tool: Sequence[float], joints_rad: Sequence[float]) -> Numbers:
        self._joints = np.array(joints_rad, dtype=np.float64)
        self._tool.begin(tool)
        begun: Numbers = self._joints.tolist()
        return begun

    def resume(self, coordinates: Numbers) -> Numbers:
        self._joints = np.array(coordinates)
        at, _ = tool_and_jacobian(self._joints, self._from_flange)
        rows: Any = at[:3, :3].tolist()
        pose = [*at[:3, 3].tolist(), *rotation_vector(rows)]
        self._tool.resume(pose)
        return pose

    def shape(self, target: Sequence[float]) -> tuple[Numbers, set[Stage]]:
        wanted, stages = self._tool.shape(target)
        pose = self._tool.turns.pose(wanted)
        found = track(
            self._joints,
            np.array(pose[:3]),
            np.array(rotation_rows(*pose[3:])),
            self._most,
            self._from_flange,
            self._low,
            self._high,
            2,
        ).tolist()
        held = _clamped(found, self.axes)
        if _differ(found, held):
            stages.add(Stage.JOINT_FENCE)
        if (np.abs(np.array(found) - self._joints) >= self._most - CHANGED).any():
            stages.add(Stage.SLEW)  # by `track`, which slows all joints alike
        self._joints = np.array(held)
        return held, stages

    def accept(self, sweep: Sweep) -> bool:
        low, high = np.array(sweep.low), np.array(sweep.high)
        reach = 0.5 * (high - low)
        pose, jacobian = tool_and_jacobian(0.5 * (low + high), self._from_flange)
        swept = float(reach.sum())
        # Second order: the tool moves along arcs, and its Jacobian changes on the way.
        columns = np.abs(jacobian[:3])
        beyond = turned(columns, reach) + 0.5 * _REACH_M * swept * swept
        turning_m_s = _REACH_M * (swept + self._period_s * sum(sweep.speed)) * sum(sweep.speed)
        for moments in _MOMENTS:
            step_s = sweep.duration_s / moments
            rates = [sweep.came, *(sweep.velocity_at(moment * step_s) for moment in range(moments))]
            speed_m_s = max(math.hypot(*each) for each in turned(jacobian[:3], rates).tolist())
            # Between two moments a rate is beyond its chord by this much at most.
            between = 0.125 * step_s * step_s * self._jerk
            speed_m_s += math.hypot(*turned(columns, between).tolist()) + turning_m_s
            if speed_m_s <= self._tool.speed_m_s:
                break
        place = pose[:3, 3]
        return self._tool.holds((place - beyond).tolist(), (place + beyond).tolist(), speed_m_s)

    def setpoint(self, coordinates: Numbers) -> Array:
        return np.array(coordinates)

    def error(
        self, coordinates: Numbers, tool: Sequence[float], joints_rad: Sequence[float]
    ) -> tuple[float, float]:
        away = [abs(each - wanted) for each, wanted in zip(joints_rad, coordinates, strict=True)]
        pose, _ = tool_and_jacobian(np.array(coordinates), self._from_flange)
        return math.dist(pose[:3, 3].tolist(), list(tool[:3])), max(away)


class _Slew:
    """Cuts jumps of a target, so that one bad target moves the robot by one cycle's worth at most."""

    def __init__(self, axes: Axes, period_s: float) -> None:
        self._most = [SLEW * rate * period_s for rate in axes.velocity]
        self._last: Numbers = [0.0] * 6

    def begin(self, at: Numbers) -> Numbers:
        self._last = list(at)
        return list(at)

    def cut(self, target: Numbers, stages: set[Stage]) -> Numbers:
        held = [
            last + min(max(now - last, -most), most)
            for now, last, most in zip(target, self._last, self._most, strict=True)
        ]
        if _differ(held, target):
            stages.add(Stage.SLEW)
        self._last = held
        return list(held)


def _clamped(values: Numbers, axes: Axes) -> Numbers:
    return [min(max(each, low), high) for each, low, high in zip(values, axes.low, axes.high, strict=True)]


def _differ(first: Numbers, second: Numbers) -> bool:
    return first != second and any(
        abs(one - other) > CHANGED for one, other in zip(first, second, strict=True)
    )


def _dot(normal: Sequence[float], place: Sequence[float]) -> float:
    return normal[0] * place[0] + normal[1] * place[1] + normal[2] * place[2]
