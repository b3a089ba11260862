"""How a UR controller gets from here to there: targets of the joints, one a cycle.

The `step` of a motion returns joints [rad] and speeds [rad/s], (6,) each, and whether it is over.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cellwright_assets import ur10e
from cellwright_envs.assembly.compliance import rotation_matrix
from cellwright_envs.physics.robot import Arm
from cellwright_runtime.interface.placing import pose_of

Array = NDArray[np.float64]
Step = tuple[Array, Array, bool]

SPEED_LIMIT_RAD_S = np.array(ur10e.SPEED_LIMIT_RAD_S)
JUMP_S = 0.1
"""An assumption: a servo target farther than a joint comes in this time is a jump, and stops the robot."""


class Motion(Protocol):
    """One motion; `speed` is the fraction 0..1 of the speed slider."""

    def step(self, joints: Array, speeds: Array, dt: float, speed: float) -> Step: ...


def matrix(pose: Array) -> Array:
    """A pose (6,) as (4, 4)."""
    made = np.eye(4)
    made[:3, :3] = rotation_matrix(pose[3:])
    made[:3, 3] = pose[:3]
    return made


class _Ramp:
    """Progress 0..1 with a trapezoid of speed along `length`."""

    def __init__(self, length: float, speed: float, acceleration: float) -> None:
        self._length = length
        self._acceleration = acceleration
        self._top = min(speed, math.sqrt(length * acceleration))
        ramp_s = self._top / acceleration
        self._cruise_s = length / self._top - ramp_s if length > 0.0 else 0.0
        self._ramp_s = ramp_s if length > 0.0 else 0.0
        self._time_s = 0.0

    def advance(self, dt: float) -> tuple[float, bool]:
        """The progress after `dt` more, and whether it is all."""
        self._time_s += dt
        whole_s = 2.0 * self._ramp_s + self._cruise_s
        if self._time_s >= whole_s:
            return 1.0, True
        t, rest = self._time_s, whole_s - self._time_s
        half = 0.5 * self._acceleration
        if t < self._ramp_s:
            done = half * t * t
        elif rest < self._ramp_s:
            done = self._length - half * rest * rest
        else:
            done = half * self._ramp_s**2 + self._top * (t - self._ramp_s)
        return done / self._length, False


class JointMove:
    """`movej`: all joints arrive together; speed and acceleration are the leading axis'."""

    def __init__(self, start: Array, goal: Array, speed: float, acceleration: float) -> None:
        self._start, self._goal = start, goal
        self._ramp = _Ramp(float(np.abs(goal - start).max()), speed, acceleration)

    def step(self, joints: Array, speeds: Array, dt: float, speed: float) -> Step:
        """One cycle on."""
        progress, done = self._ramp.advance(dt * speed)
        target = self._start + (self._goal - self._start) * progress
        return target, (target - joints) / dt, done


class ToolMove:
    """`movel`: the tool goes straight and turns about one axis."""

    def __init__(self, arm: Arm, start: Array, goal: Array, speed: float, acceleration: float) -> None:
        """From joints `start` (6,) to the pose `goal` (6,)."""
        self._arm = arm
        begin, end = arm.tool_pose(start), matrix(goal)
        self._begin = begin
        self._shift = end[:3, 3] - begin[:3, 3]
        relative = np.eye(4)
        relative[:3, :3] = begin[:3, :3].T @ end[:3, :3]
        self._turn = pose_of(relative)[3:]
        # A turn alone takes as long as if a tool of one metre swung by it.
        length = max(float(np.linalg.norm(self._shift)), float(np.linalg.norm(self._turn)))
        self._ramp = _Ramp(length, speed, acceleration)

    def step(self, joints: Array, speeds: Array, dt: float, speed: float) -> Step:
        """One cycle on; raises UnreachablePoseError where no joints hold the tool."""
        progress, done = self._ramp.advance(dt * speed)
        pose = self._begin.copy()
        pose[:3, 3] += self._shift * progress
        pose[:3, :3] = self._begin[:3, :3] @ rotation_matrix(self._turn * progress)
        target = self._arm.solve(pose, joints)
        return target, (target - joints) / dt, done


class Servo:
    """`servoj`: the newest target, as fast as joints are; smoothing by lookahead and gain is not emulated."""

    def __init__(self) -> None:
        self.target: Array | None = None

    def step(self, joints: Array, speeds: Array, dt: float, speed: float) -> Step:
        """One cycle towards the target."""
        if self.target is None:
            return joints, np.zeros(6), False
        most = SPEED_LIMIT_RAD_S * dt
        target = joints + np.clip(self.target - joints, -most, most)
        return target, (target - joints) / dt, False


class Speed:
    """`speedj` and `speedl`: speeds up linearly to a speed and keeps it."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self.wanted = np.zeros(6)
        self.acceleration = 0.5
        self.of_tool = False

    def step(self, joints: Array, speeds: Array, dt: float, speed: float) -> Step:
        """One cycle on."""
        wanted = self.wanted * speed
        if self.of_tool:
            jacobian = self._arm.jacobian(joints)
            damped = jacobian @ jacobian.T + 1e-6 * np.eye(6)
            now = jacobian @ speeds
            change = _towards(now, wanted, self.acceleration * dt, slice(0, 3))
            speeds = jacobian.T @ np.linalg.solve(damped, change)
        else:
            speeds = _towards(speeds, wanted, self.acceleration * dt, slice(0, 6))
        speeds = np.clip(speeds, -SPEED_LIMIT_RAD_S, SPEED_LIMIT_RAD_S)
        return joints + speeds * dt, speeds, False


class Stop:
    """`stopj` and `stopl`: along the way that the joints go, to rest."""

    def __init__(self, arm: Arm, deceleration: float, *, of_tool: bool) -> None:
        self._arm = arm
        self._deceleration = max(deceleration, 1e-3)
        self._of_tool = of_tool

    def step(self, joints: Array, speeds: Array, dt: float, speed: float) -> Step:
        """One cycle on."""
        fastest = float(np.abs(speeds).max())
        if self._of_tool:
            moving = float(np.linalg.norm((self._arm.jacobian(joints) @ speeds)[:3]))
            fastest = moving if moving > 1e-3 else fastest
        left = max(0.0, fastest - self._deceleration * dt) / fastest if fastest > 0.0 else 0.0
        return joints + speeds * left * dt, speeds * left, left == 0.0


def _towards(now: Array, wanted: Array, most: float, leading: slice) -> Array:
    """`now` changed by at most `most` in its `leading` axes, straight towards `wanted`."""
    change = wanted - now
    largest = float(np.abs(change[leading]).max())
    return wanted if largest <= most else now + change * (most / largest)
