"""What the program does that ur_rtde's clients upload: commands in registers, motions in threads.

URScript is not interpreted. A program is known by its name, `rtde_control`, and this is what its text says,
cycle by cycle. A `yield` is its `sync()`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cellwright_assets import ur10e
from cellwright_envs.physics.robot import Arm, UnreachablePoseError
from cellwright_envs.virtual.ur.motion import (
    JUMP_S,
    SPEED_LIMIT_RAD_S,
    JointMove,
    Motion,
    Servo,
    Speed,
    Stop,
    ToolMove,
    matrix,
)
from cellwright_runtime.interface.placing import pose_of

Array = NDArray[np.float64]
Waiting = Generator[None, None, None]

_REAL_TIME = {6, 9, 10, 11, 24, 25, 26, 27, 38, 58, 66, 67, 68, 69, 70, 71}
_READY, _DONE = 1, 2
_FORCE_FREE = {18, 19, 20, 21, 53, 56, 57, 59, 62, 63, 64, 7}
"""Accepted without effect: nothing of what they set is emulated."""
STOP_SCRIPT = 255


class Robot(Protocol):
    """What a program asks of the controller that runs it."""

    joints: Array
    motion: Motion | None
    arm: Arm

    def input_int(self, number: int) -> int: ...
    def input_double(self, number: int) -> float: ...
    def write_int(self, number: int, value: int) -> None: ...
    def write_double(self, number: int, value: float) -> None: ...
    def protective_stop(self, why: str) -> None: ...
    def tell(self, text: str) -> None: ...
    def watch(self, name: str, least_hz: float) -> None: ...
    def steady(self) -> bool: ...
    def set_tool(self, tool_from_flange: Array) -> None: ...
    def tare(self) -> None: ...
    def set_payload(self, mass_kg: float, centre_m: Array) -> None: ...


class ControlProgram:
    """One run of `rtde_control`; `step` once a cycle until it returns False."""

    def __init__(self, robot: Robot, offset: int) -> None:
        """Registers begin at `offset`, 0 or 24."""
        self._robot = robot
        self._offset = offset
        self._servo: Servo | None = None
        self._speed: Speed | None = None
        self._moving = False
        self._async_writes = self._async_operations = 0
        self._running = self._main()

    @property
    def real_time(self) -> bool:
        """Whether the client is expected to say something every cycle."""
        return self._servo is not None or self._speed is not None

    def step(self) -> bool:
        """One cycle; False once the program has ended."""
        if self._moving and self._robot.motion is None:
            self._moving = False
            self._async(-1)
        try:
            next(self._running)
        except StopIteration:
            return False
        return True

    def _main(self) -> Waiting:
        self._async(-1)
        self._write(0, _READY)
        executing = False
        while True:
            command = self._int(0)
            if command in _REAL_TIME:
                yield from self._process(command)
                self._write(0, _READY)
            elif command == 0:
                executing = False
                self._write(0, _READY)
            elif not executing:
                if command == STOP_SCRIPT:
                    return
                yield from self._process(command)
                self._write(0, _DONE)
                executing = True
            yield

    def _process(self, command: int) -> Waiting:
        if command in (1, 2, 3, 4):
            yield from self._move(command)
        elif command in (9, 10):
            self._go(command)
        elif command in (11, 24):
            self._follow(command)
        elif command in (15, 16):
            of_tool = command == 16 or (self._speed is not None and self._speed.of_tool)
            self._servo = self._speed = None
            yield from self._halt(self._double(0), of_tool=of_tool)
        elif command in (33, 34):
            yield from self._halt_move(of_tool=command == 33)
        elif command == 35:
            self._robot.watch(f"input_int_register_{self._offset}", self._double(0))
        elif command == 31:
            self._robot.protective_stop("the program asked for it")
        elif command == 8:
            self._robot.tare()
        elif command in (17, 65):
            self._robot.set_payload(self._double(0), self._doubles(1, 3))
        elif command == 29:
            self._robot.set_tool(matrix(self._doubles(0, 6)))
        elif not self._answer(command) and command not in _FORCE_FREE:
            self._robot.tell(f"command {command} of rtde_control is not emulated")

    # Motions

    def _move(self, command: int) -> Waiting:
        goal, speed, acceleration = self._doubles(0, 6), self._double(6), self._double(7)
        robot = self._robot
        if not (np.isfinite(goal).all() and speed > 0.0 and acceleration > 0.0):
            robot.protective_stop("a move to what is no place, or with no speed")
            return
        self._servo = self._speed = None
        try:
            if command == 3:
                robot.arm.solve(matrix(goal), robot.joints)
            if command == 2:
                goal = robot.arm.solve(matrix(goal), robot.joints)
            if command == 4:
                goal = pose_of(robot.arm.tool_pose(goal))
        except UnreachablePoseError:
            robot.protective_stop("a move to a pose that no joints hold")
            return
        start = robot.joints.copy()
        robot.motion = (
            JointMove(start, goal, speed, acceleration)
            if command in (1, 2)
            else ToolMove(robot.arm, start, goal, speed, acceleration)
        )
        if self._int(1) == 1:
            self._moving = True
            self._async(0)
        else:
            yield from self._until_over()

    def _go(self, command: int) -> None:
        if self._speed is None:
            self._speed = Speed(self._robot.arm)
            self._servo = None
        wanted, acceleration = self._doubles(0, 6), self._double(6)
        if not (np.isfinite(wanted).all() and acceleration > 0.0):
            self._robot.protective_stop("a speed that is no number, or no acceleration")
            return
        self._speed.wanted, self._speed.acceleration = wanted, acceleration
        self._speed.of_tool = command == 10
        self._robot.motion = self._speed

    def _follow(self, command: int) -> None:
        target = self._doubles(0, 6)
        robot = self._robot
        if not np.isfinite(target).all():
            robot.protective_stop("a servo target that is no number")
            return
        if command == 24:
            try:
                target = robot.arm.solve(matrix(target), robot.joints)
            except UnreachablePoseError:
                robot.protective_stop("a servo target that no joints hold")
                return
        beyond = np.abs(target) > np.array(ur10e.UPPER_LIMIT_RAD)
        if (np.abs(target - robot.joints) > SPEED_LIMIT_RAD_S * JUMP_S).any() or beyond.any():
            robot.protective_stop("a servo target too far from the joints, or beyond their range")
            return
        if self._servo is None:
            self._servo, self._speed = Servo(), None
        self._servo.target = target
        robot.motion = self._servo

    def _halt(self, deceleration: float, *, of_tool: bool) -> Waiting:
        self._robot.motion = Stop(self._robot.arm, deceleration, of_tool=of_tool)
        yield from self._until_over()

    def _halt_move(self, *, of_tool: bool) -> Waiting:
        if self._moving:
            self._moving = False
            self._async(-1)
        self._servo = self._speed = None
        if self._int(1) == 1:
            self._robot.motion = Stop(self._robot.arm, self._double(0), of_tool=of_tool)
            self._moving = True
            self._async(0)
        else:
            yield from self._halt(self._double(0), of_tool=of_tool)

    def _until_over(self) -> Waiting:
        while self._robot.motion is not None:
            yield

    # Questions

    def _answer(self, command: int) -> bool:
        """Answer what asks for numbers; False where `command` is none of these."""
        robot, arm = self._robot, self._robot.arm
        if command == 26:
            self._write_doubles(np.array([0.002]))
        elif command in (27, 38):
            self._write_doubles(robot.joints if command == 27 else np.zeros(6))
        elif command in (28, 43):
            self._write_doubles(pose_of(arm.tool_pose(robot.joints)))
        elif command in (30, 46):
            solved = self._solved(self._doubles(6, 6) if command == 30 else robot.joints)
            self._write_doubles(robot.joints if solved is None else solved)
        elif command in (36, 60, 61):
            near = self._doubles(6, 6) if command == 61 else robot.joints
            self._write(1, int(self._solved(near) is not None))
        elif command == 37:
            self._write(1, int((np.abs(self._doubles(0, 6)) <= np.array(ur10e.UPPER_LIMIT_RAD)).all()))
        elif command == 39:
            self._write_doubles(pose_of(matrix(self._doubles(0, 6)) @ matrix(self._doubles(6, 6))))
        elif command == 40:
            self._write_doubles(pose_of(arm.tool))
        elif command == 44:
            self._write_doubles(pose_of(Arm(tool=matrix(self._doubles(6, 6))).tool_pose(self._doubles(0, 6))))
        elif command == 47:
            self._write(1, int(robot.steady()))
        elif command == 58:
            self._write_doubles(pose_of(Arm(tool=np.eye(4)).tool_pose(robot.joints)))
        else:
            return False
        return True

    def _solved(self, near: Array) -> Array | None:
        try:
            return self._robot.arm.solve(matrix(self._doubles(0, 6)), near)
        except ValueError:
            return None

    # Registers

    def _int(self, number: int) -> int:
        return self._robot.input_int(self._offset + number)

    def _double(self, number: int) -> float:
        return self._robot.input_double(self._offset + number)

    def _doubles(self, first: int, count: int) -> Array:
        return np.array([self._double(first + number) for number in range(count)])

    def _write(self, number: int, value: int) -> None:
        self._robot.write_int(self._offset + number, value)

    def _write_doubles(self, values: Any) -> None:
        for number, value in enumerate(values):
            self._robot.write_double(self._offset + number, float(value))

    def _async(self, progress: int) -> None:
        """The register of asynchronous operations; `progress` is 0 as one begins and -1 as it ends."""
        self._async_writes = (self._async_writes + 1) % 128
        if progress == 0:
            self._async_operations = (self._async_operations + 1) % 128
        value = (self._async_writes << 16) | (self._async_operations << 24)
        self._write(2, value if progress < 0 else value | 0x8000 | min(progress, 0x7FFF))
