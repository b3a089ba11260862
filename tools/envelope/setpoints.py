"""Counts setpoints that break a declared limit, among those that an envelope sends for an adversary.

A run has a number, and its random stream is that of the seed and the number: a count can be continued at any
run, and any run can be looked at alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from cellwright_assets import ur10e
from cellwright_assets.assembly_cell import GRASP_HEIGHT_M
from cellwright_assets.gripper import tcp_from_flange
from cellwright_runtime.drivers.driver import RobotState
from cellwright_runtime.envelope.envelope import Envelope
from cellwright_runtime.envelope.fences import JointSpace, PoseSpace
from cellwright_runtime.envelope.limits import Axes, Limits, Plane
from cellwright_runtime.envelope.states import State
from cellwright_runtime.interface.rotation import rotation_vector
from cellwright_runtime.kinematics import link_poses, tool_and_jacobian
from tools.envelope.adversaries import POLICIES

Array = NDArray[np.float64]

PERIOD_S = 0.002
TOOL = tcp_from_flange(GRASP_HEIGHT_M)
HOME_RAD = np.array(ur10e.HOME_Q_RAD)
REACH_M = (0.06, 0.06, 0.08)
TURN_RAD = 0.3
CHUNK = 2_000
"""Setpoints that are checked together; runs of this length begin anew with another policy."""
BEFORE = 4
"""Setpoints of the robot at rest before a run, so that its first differences count."""
ROUNDING = {"position": 1e-12, "velocity": 1e-9, "acceleration": 1e-7, "jerk": 1e-4, "tool speed": 1e-9}
"""Of differences of float64 positions over powers of 2 ms, as a fraction of the limit."""


def tool_at(joints_rad: Array) -> Array:
    """The tool's pose (6,)."""
    pose, _ = tool_and_jacobian(joints_rad, TOOL)
    rows: Any = pose[:3, :3].tolist()
    return np.array([*pose[:3, 3], *rotation_vector(rows)])


HOME = tool_at(HOME_RAD)


def state_at_home() -> RobotState:
    """Of a robot that stands and feels nothing."""
    return RobotState(time_s=0.0, joints_rad=HOME_RAD, tool=HOME, wrench=np.zeros(6))


def limits() -> Limits:
    """Those of an insertion's bundle at the place of the test, with a plane across the workspace; no stage
    is a reason for a hold, so that the policy goes on."""
    around = np.array([*REACH_M, *(TURN_RAD,) * 3])
    offset_m = float(0.6 * HOME[0] + 0.8 * HOME[2] - 0.05)
    return Limits(
        joints=Axes(
            low=tuple((HOME_RAD - 0.3).tolist()),
            high=tuple((HOME_RAD + 0.3).tolist()),
            velocity=(0.35,) * 6,
            acceleration=(4.5,) * 6,
            jerk=(270.0,) * 6,
        ),
        tool=Axes(
            low=(*(HOME - around)[:3].tolist(), *(-TURN_RAD,) * 3),
            high=(*(HOME + around)[:3].tolist(), *(TURN_RAD,) * 3),
            velocity=(0.173,) * 3 + (0.8,) * 3,
            acceleration=(3.7,) * 3 + (10.0,) * 3,
            jerk=(500.0,) * 3 + (600.0,) * 3,
        ),
        planes=(Plane(normal=(0.6, 0.0, 0.8), offset_m=offset_m),),
        tool_speed_m_s=0.173,
        fraction=1.0,
        blend_s=PERIOD_S,
    )


@dataclass
class Count:
    """What came of the setpoints of one interface."""

    setpoints: int = 0
    outside: dict[str, int] = field(default_factory=dict)
    largest: dict[str, float] = field(default_factory=dict)
    """As fractions of the declared limits."""
    interventions: int = 0
    runs: dict[str, int] = field(default_factory=dict)
    """By adversary."""
    seconds: float = 0.0

    def add(self, name: str, fractions: Array, rounding: float = 0.0) -> None:
        """Take note of fractions of a limit; above 1 is outside."""
        self.outside[name] = self.outside.get(name, 0) + int((fractions > 1.0 + rounding).sum())
        self.largest[name] = max(self.largest.get(name, 0.0), float(fractions.max()))


def attack(
    kind: str, setpoints: int, seed: int, *, before: Count | None = None, declared: Limits | None = None
) -> Iterator[Count]:
    """Send `setpoints` to a perfect robot with an interface of `kind`, `pose` or `joints`; the count so far,
    after every run. They are held against `declared`, or against the limits of the envelope.

    `before` is the count of the same kind and seed to go on from; it is counted into.
    """
    count = before or Count()
    begin = time.perf_counter() - count.seconds
    while count.setpoints < setpoints:
        rng = np.random.default_rng([seed, sum(count.runs.values())])
        name = list(POLICIES)[int(rng.integers(len(POLICIES)))]
        sent = _run(kind, POLICIES[name], rng, limits(), count)
        check(kind, sent, declared or limits(), count)
        count.setpoints += len(sent) - BEFORE
        count.runs[name] = count.runs.get(name, 0) + 1
        count.seconds = time.perf_counter() - begin
        yield count


def _run(kind: str, policy: Any, rng: np.random.Generator, limit: Limits, count: Count) -> Array:
    space = PoseSpace(limit, PERIOD_S) if kind == "pose" else JointSpace(limit, PERIOD_S, TOOL)
    envelope = Envelope(limit, space, PERIOD_S)
    joints, tool, now_s = HOME_RAD, HOME, 0.0
    state = state_at_home()
    envelope.arm(now_s, state)
    envelope.start(now_s)
    start = tool if kind == "pose" else joints
    sent = [start] * BEFORE
    targets = policy(rng, HOME, np.array([*REACH_M, *(TURN_RAD,) * 3]))
    for _ in range(CHUNK):
        now_s += PERIOD_S
        state = RobotState(time_s=now_s, joints_rad=joints, tool=tool)
        setpoint = envelope.cycle(now_s, state, next(targets).tolist())
        if setpoint is None or envelope.state is not State.RUNNING:
            raise RuntimeError(f"the envelope is {envelope.state.value}: {envelope.reason}")
        sent.append(setpoint)
        if kind == "pose":
            tool = setpoint
        else:
            joints, tool = setpoint, tool_at(setpoint)
    count.interventions += sum(envelope.tally.total.values())
    return np.array(sent)


def check(kind: str, sent: Array, limit: Limits, count: Count) -> None:
    """Differences of setpoints (n, 6), as a controller sees them, against what was declared."""
    axes = limit.tool if kind == "pose" else limit.joints
    if kind == "pose":
        turned = Rotation.from_rotvec(sent[:, 3:]) * Rotation.from_rotvec(HOME[3:]).inv()
        points = np.hstack([sent[:, :3], turned.as_rotvec()])
        tools = points[:, :3]
    else:
        points, tools = sent, _tools(sent)
    middle, half = 0.5 * (np.array(axes.low) + np.array(axes.high)), 0.5 * (np.array(axes.high) - axes.low)
    count.add("position", np.abs(points - middle) / half, ROUNDING["position"])
    rate = points
    for name in ("velocity", "acceleration", "jerk"):
        rate = np.diff(rate, axis=0) / PERIOD_S
        count.add(name, np.abs(rate) / np.array(getattr(axes, name)), ROUNDING[name])
    box = np.array(limit.tool.low[:3]), np.array(limit.tool.high[:3])
    count.add("workspace", np.abs(tools - 0.5 * (box[0] + box[1])) / (0.5 * (box[1] - box[0])))
    for plane in limit.planes:
        below_m = plane.offset_m - tools @ np.array(plane.normal)
        count.add("plane", 1.0 + below_m)
    speed = np.linalg.norm(np.diff(tools, axis=0), axis=1) / PERIOD_S
    count.add("tool speed", speed / limit.tool_speed_m_s, ROUNDING["tool speed"])


def _tools(sent: Array) -> Array:
    """Places (n, 3) of the tool for joints (n, 6)."""
    out = np.empty((len(sent), 3))
    for number, joints in enumerate(sent):
        last = link_poses(joints)[6]
        flange = last[:3, 3] + ur10e.DH_D_M[5] * last[:3, 2]
        out[number] = flange + last[:3, :3] @ TOOL[:3, 3]
    return out
