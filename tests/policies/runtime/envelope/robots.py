"""Robots and limits for tests of the envelope: a plant that does what it is told, one cycle later."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.assembly_cell import GRASP_HEIGHT_M
from cellwright_assets.gripper import tcp_from_flange
from cellwright_runtime.envelope.envelope import Envelope
from cellwright_runtime.envelope.fences import JointSpace, PoseSpace, Space
from cellwright_runtime.envelope.limits import Axes, Limits, Plane
from cellwright_runtime.envelope.states import State
from cellwright_runtime.interface.rotation import rotation_vector
from cellwright_runtime.kinematics import tool_and_jacobian

Array = NDArray[np.float64]
TOOL = tcp_from_flange(GRASP_HEIGHT_M)
PERIOD_S = 0.002
HOME_RAD = np.array([0.34, -1.32, -2.06, -0.58, 1.33, -1.32])


def tool_at(joints_rad: Array) -> Array:
    pose, _ = tool_and_jacobian(joints_rad, TOOL)
    rows: Any = pose[:3, :3].tolist()
    return np.array([*pose[:3, 3], *rotation_vector(rows)])


HOME = tool_at(HOME_RAD)
REACH_M = (0.06, 0.06, 0.08)
LIMITS = Limits(
    joints=Axes(
        low=tuple((HOME_RAD - 1.0).tolist()),
        high=tuple((HOME_RAD + 1.0).tolist()),
        velocity=(1.0,) * 6,
        acceleration=(8.0,) * 6,
        jerk=(400.0,) * 6,
    ),
    tool=Axes(
        low=(*(HOME[:3] - REACH_M).tolist(), -0.3, -0.3, -0.3),
        high=(*(HOME[:3] + REACH_M).tolist(), 0.3, 0.3, 0.3),
        velocity=(0.2, 0.2, 0.2, 0.8, 0.8, 0.8),
        acceleration=(2.5, 2.5, 2.5, 10.0, 10.0, 10.0),
        jerk=(150.0, 150.0, 150.0, 600.0, 600.0, 600.0),
    ),
    planes=(Plane(normal=(0.6, 0.0, 0.8), offset_m=float(0.6 * HOME[0] + 0.8 * HOME[2] - 0.05)),),
    tool_speed_m_s=0.25,
    force_n=30.0,
    torque_n_m=3.0,
)
PLANT_TRACKING = replace(LIMITS, fraction=1.0)
"""Limits for policies that press against every fence all the time."""


@dataclass(frozen=True)
class Seen:
    time_s: float
    joints_rad: Array
    tool: Array
    wrench: Array | None = field(default_factory=lambda: np.zeros(6))


def make_space(kind: str, limits: Limits = LIMITS, period_s: float = PERIOD_S) -> Space:
    return PoseSpace(limits, period_s) if kind == "pose" else JointSpace(limits, period_s, TOOL)


class Rig:
    """An envelope, a robot that follows at once, and their clock."""

    def __init__(self, kind: str = "pose", limits: Limits = LIMITS, period_s: float = PERIOD_S) -> None:
        self.kind, self.limits, self.period_s = kind, limits, period_s
        self.space = make_space(kind, limits, period_s)
        self.envelope = Envelope(limits, self.space, period_s)
        self.now_s, self.robot_s = 100.0, 7.0
        self.joints_rad, self.tool = HOME_RAD.copy(), HOME.copy()
        self.wrench: Array | None = np.zeros(6)
        self.sent: list[Array] = []
        """Where the robot was told to be, cycle by cycle."""

    def seen(self, **changes: Any) -> Seen:
        return replace(Seen(self.robot_s, self.joints_rad, self.tool, self.wrench), **changes)

    def arm(self) -> None:
        self.envelope.arm(self.now_s, self.seen())
        self.sent = [self._standing()] * 4

    def go(self, target: Array | None = None, cycles: int = 400) -> None:
        """Armed, started, and blended in."""
        self.arm()
        self.envelope.start(self.now_s)
        for _ in range(cycles):
            self.cycle(HOME if target is None else target)
        assert self.envelope.state is State.RUNNING

    def cycle(self, target: Any = None, *, seen: Any = "now", stopped: str = "", dt_s: float = 0.0) -> Any:
        self.now_s += dt_s or self.period_s
        self.robot_s += self.period_s
        measured = self.seen() if isinstance(seen, str) else seen
        setpoint = self.envelope.cycle(self.now_s, measured, target, stopped=stopped)
        self.sent.append(self._standing() if setpoint is None else setpoint)
        if setpoint is not None:
            if self.kind == "pose":
                self.tool = setpoint
            else:
                self.joints_rad, self.tool = setpoint, tool_at(setpoint)
        return setpoint

    def _standing(self) -> Array:
        return self.tool if self.kind == "pose" else self.joints_rad

    def rates(self, last: int | None = None) -> tuple[Array, Array, Array, Array]:
        """Setpoints (n, 6) as coordinates, and their first three differences over the period."""
        points = self.coordinates(self.sent if last is None else self.sent[-last:])
        found = [points]
        for _ in range(3):
            found.append(np.diff(found[-1], axis=0) / self.period_s)
        return found[0], found[1], found[2], found[3]

    def coordinates(self, sent: list[Array]) -> Array:
        if self.kind == "joints":
            return np.array(sent)
        from cellwright_runtime.envelope.poses import TurnsFrom

        turns = TurnsFrom(HOME.tolist())
        return np.array([turns.coordinates(each.tolist()) for each in sent])

    def assert_within_limits(self) -> None:
        """Every setpoint so far, against the limits that were declared, margins not counted."""
        axes = self.limits.tool if self.kind == "pose" else self.limits.joints
        places, velocity, acceleration, jerk = self.rates()
        assert (places >= np.array(axes.low)).all()
        assert (places <= np.array(axes.high)).all()
        for name, values in (("velocity", velocity), ("acceleration", acceleration), ("jerk", jerk)):
            largest = np.abs(values).max(axis=0) / np.array(getattr(axes, name))
            assert largest.max() <= 1.0 + 1e-5, (name, largest)
        tools = places[:, :3] if self.kind == "pose" else np.array([tool_at(each)[:3] for each in places])
        assert (tools >= np.array(self.limits.tool.low[:3])).all()
        assert (tools <= np.array(self.limits.tool.high[:3])).all()
        for plane in self.limits.planes:
            assert (tools @ np.array(plane.normal)).min() >= plane.offset_m
        speed = np.linalg.norm(np.diff(tools, axis=0), axis=1) / self.period_s
        assert speed.max() <= self.limits.tool_speed_m_s * (1.0 + 1e-5)
