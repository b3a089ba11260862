"""One session of a policy on a robot: read, decide, guard, send, and remember the last seconds.

`cycle` is called at the controller's rate. Without arming it reads and decides, and sends nothing.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import length
from cellwright_runtime.camera.sources import CameraError
from cellwright_runtime.drivers.driver import (
    STOPS,
    DriverError,
    RobotDriver,
    RobotState,
    SetpointError,
    Status,
)
from cellwright_runtime.envelope.envelope import Envelope
from cellwright_runtime.envelope.faults import Fault
from cellwright_runtime.envelope.observation_guard import Finding
from cellwright_runtime.envelope.policy_guard import PolicyGuard
from cellwright_runtime.envelope.ring import Ring, log_name, next_number
from cellwright_runtime.envelope.states import NotAllowedError, State
from cellwright_runtime.operation.task import Task

Array = NDArray[np.float64]

NOT_OURS = STOPS | Status.NOT_READY | Status.NOT_IN_CONTROL | Status.IN_USE
"""Bits with which a controller says that it does not follow setpoints."""
STANDS = 1e-4
"""A robot whose setpoints are slower [m/s] or [rad/s] stands: its cameras may show the same (assumption)."""
STANDS_M_S, STANDS_RAD_S = 5e-3, 0.02
"""A robot whose tool and joints were no faster over `_STANDS_S` stands, and can be taken over (assumption):
noise of a pose is far less, and a jog far more."""
_STANDS_S = 0.1
_OVER = (State.STOPPED, State.ESTOP)


class Session:
    """A task, its policy and a driver under one envelope."""

    def __init__(
        self,
        task: Task,
        guard: PolicyGuard,
        envelope: Envelope,
        driver: RobotDriver,
        *,
        clock: Callable[[], float] | None = None,
        about: Mapping[str, str] | None = None,
        logs: Path | None = None,
    ) -> None:
        """`clock` is monotonic; None takes the controller's own time, as of a simulated one.

        `logs` is the directory for the logs of stops; None keeps none. `about` goes into them.
        """
        self.task, self.envelope, self.driver = task, envelope, driver
        self.ring, self.logs, self.about = Ring(), logs, dict(about or {})
        self.written: list[Path] = []
        self.decisions = 0
        self._guard, self._clock = guard, clock
        self._state: RobotState | None = None
        self._lately: deque[RobotState] = deque()
        """New states of the last `_STANDS_S`, and the one before them."""
        self._read_s = 0.0
        self._lost = ""
        self._next_s = 0.0
        self._told = 0
        self._over = self._moves = self._sent = False
        self.wrong = ""
        """What was wrong with an observation or a decision since the last good one, in one line."""

    @property
    def state(self) -> State:
        """Of the envelope."""
        return self.envelope.state

    @property
    def at_rest(self) -> bool:
        """Whether the robot stands where it was sent."""
        return self.envelope.at_rest

    @property
    def over(self) -> bool:
        """Whether the session has ended: stopped, or the work is done and the robot at rest."""
        return self._over

    @property
    def sent(self) -> bool:
        """Whether a setpoint was sent, so that the robot may have moved."""
        return self._sent

    @property
    def done(self) -> str:
        """What the task says of finished work; empty while it is not finished."""
        return self.task.verdict()

    def connect(self) -> RobotState:
        """Reach the robot and begin the work; nothing moves.

        Raises DriverError or ValueError, one line, where that is not possible.
        """
        self._state = self.driver.connect()
        self._lately.clear()
        now_s = self.now_s
        self._guard.reset()
        self.task.begin(self._state, now_s)
        self._next_s = now_s
        return self._state

    @property
    def wrench(self) -> Array | None:
        """(6,) [N] and [N m] as the newest state has it: in the tool frame, not tared; None for none."""
        return None if self._state is None else self._state.wrench

    @property
    def now_s(self) -> float:
        """The session's clock."""
        if self._clock is not None:
            return self._clock()
        return 0.0 if self._state is None else self._state.time_s

    def warm(self) -> None:
        """Do once what a motion does, so that nothing is compiled or loaded when the robot moves."""
        self.envelope.warm(self._require_connected())

    def arm(self) -> None:
        """Take over the robot; raises NotAllowedError, one line, where it is not fit to be moved."""
        if fault := self._require_connected().wrench_fault:
            raise NotAllowedError(f"cannot arm: {fault}")
        if self.wrong:
            raise NotAllowedError(f"cannot arm: {self.wrong}")
        self.driver.prepare()
        state, fresh = self._read()
        if not fresh:
            lost = self._lost or f"the last state is {1e3 * state.age_s:.0f} ms old"
            raise NotAllowedError(f"cannot arm: the controller sends nothing new: {lost}")
        if word := _stopped(state):
            self.envelope.cycle(self.now_s, state, stopped=word)
        elif self.state is State.DISARMED and (moves := self._moving()):
            raise NotAllowedError(f"cannot arm: the robot has to stand, and {moves}")
        self.envelope.arm(self.now_s, state)

    def start(self) -> None:
        """Let the policy move the robot."""
        self.envelope.start(self.now_s)

    def finish(self) -> None:
        """Slow down, and hold the robot; nothing where it does not move."""
        if self.envelope.rights.moves:
            self.envelope.finish(self.now_s)

    def cycle(self) -> None:
        """One cycle of the controller."""
        self._require_connected()
        state, fresh = self._read()
        now_s = self.now_s
        if fresh:
            self.task.sense(state, now_s)
            if state.wrench_fault:
                self.envelope.fault(now_s, Fault.NO_FORCE, state.wrench_fault)
        if (moves := self.envelope.rights.moves) and not self._moves:
            self.task.resume(np.array(self.envelope.held), now_s)
            self._next_s = now_s  # the first decision is a fresh one
        self._moves = moves
        self._decide(state, now_s)
        target: list[float] | None = None
        if self.envelope.rights.moves:
            target = self._target(state, now_s)
        else:
            self.task.rest(now_s)
        if (problem := self.task.problem()) is not None:
            self.envelope.fault(now_s, problem.fault, problem.detail)
        setpoint = self.envelope.cycle(now_s, state if fresh else None, target, stopped=_stopped(state))
        if setpoint is not None:
            self._send(setpoint, now_s)
        self._remember(now_s, state, target, setpoint)
        self._finish(now_s)

    def fail(self, reason: str) -> None:
        """An error has ended the cycles: have the driver stop the robot, rest the task, and write the log.

        Does all of it, and then raises OSError where the driver or the log failed.
        """
        self._over = True
        try:
            self.driver.stop()
        finally:
            self.task.rest(self.now_s)
            if not self.written:
                self.write_log(self.envelope.reason or reason)

    def close(self) -> None:
        """Stop the robot and let go of it."""
        try:
            self.driver.stop()
        finally:
            self.driver.close()

    def _read(self) -> tuple[RobotState, bool]:
        """The newest state, and whether it is new."""
        before = self._require_connected()
        try:
            state = self.driver.read_state()
        except DriverError as problem:
            self._pace()
            self._lost = str(problem)
            self.envelope.fault(self.now_s, Fault.SILENT, self._lost)
            return before, False
        self._state, self._read_s, self._lost = state, time.monotonic(), ""
        fresh = Status.SILENT not in state.status
        if fresh:
            self._lately.append(state)
            while len(self._lately) > 2 and state.time_s - self._lately[1].time_s >= _STANDS_S:
                self._lately.popleft()
        return state, fresh

    def _pace(self) -> None:
        """Wait for the end of a cycle that a driver did not wait for: setpoints are a cycle apart."""
        time.sleep(min(max(self._read_s + self.driver.cycle_s - time.monotonic(), 0.0), self.driver.cycle_s))
        self._read_s = time.monotonic()

    def _moving(self) -> str:
        """How fast the robot has moved lately; empty where it stood."""
        first, last = self._lately[0], self._lately[-1]
        passed_s = last.time_s - first.time_s
        if passed_s <= 0.0:
            return ""
        tool_m_s = float(length(last.tool[:3] - first.tool[:3])) / passed_s
        joint_rad_s = float(np.abs(last.joints_rad - first.joints_rad).max()) / passed_s
        if tool_m_s > STANDS_M_S or joint_rad_s > STANDS_RAD_S:
            return f"its tool moves at {1e3 * tool_m_s:.0f} mm/s and a joint at {joint_rad_s:.2f} rad/s"
        return ""

    def _decide(self, state: RobotState, now_s: float) -> None:
        """At the control rate ask the policy; act on its answer when it comes."""
        found: list[Finding] = []
        if now_s >= self._next_s - 1e-9:
            period_s = self.task.control_period_s
            missed = max(0, int((now_s - self._next_s) / period_s + 1e-6))
            self._next_s += (missed + 1) * period_s
            found += self._ask(state, now_s)
        decision, late = self._guard.answer(now_s)
        found += late
        for finding in found:
            self.wrong = f"{finding.fault.value.meaning}: {finding.detail}"
            self.envelope.fault(now_s, finding.fault, finding.detail)
        if decision is None and not found:
            return
        if decision is not None:
            self.decisions += 1
            self.wrong = ""
            if self.envelope.rights.moves:
                self.task.act(decision.action, state, now_s, authority=self.envelope.blend)
        nothing: dict[str, Any] = {"preclip": None, "action": None, "command": None}
        values = nothing if decision is None else {
            "preclip": decision.action_preclip, "action": decision.action, "command": decision.command
        }  # fmt: skip
        told = [f"{finding.fault.name.lower()}: {finding.detail}" for finding in found]
        self.ring.add(now_s, "decision", {**values, "found": told})

    def _ask(self, state: RobotState, now_s: float) -> list[Finding]:
        try:
            observed = self.task.observe(state, now_s)
        except CameraError as gone:
            return [Finding(Fault.STALE, str(gone))]
        except ValueError as problem:  # what an interface refuses: of another shape, or not finite
            return [Finding(Fault.NOT_FINITE, str(problem))]
        moving = self.envelope.rights.moves and max(map(abs, self.envelope.velocity)) > STANDS
        return self._guard.ask(now_s, observed.observation, ages_s=observed.ages_s, moving=moving)

    def _target(self, state: RobotState, now_s: float) -> list[float] | None:
        try:
            wanted: list[float] = self.task.target(state, now_s).tolist()
        except ValueError as problem:
            self.envelope.fault(now_s, Fault.TARGET, str(problem))
            return None
        return wanted

    def _send(self, setpoint: Array, now_s: float) -> None:
        self._sent = True
        try:
            self.driver.send_setpoint(setpoint)
        except (DriverError, SetpointError) as problem:
            self.envelope.fault(now_s, Fault.SEND, str(problem))

    def _remember(
        self, now_s: float, state: RobotState, target: list[float] | None, setpoint: Array | None
    ) -> None:
        self.ring.add(
            now_s,
            "cycle",
            {
                "state": self.state.value,
                "blend": self.envelope.blend,
                "target": target,
                "setpoint": setpoint,
                "tool": state.tool,
                "joints_rad": state.joints_rad,
                "wrench": state.wrench,
                "stages": [stage.value for stage in self.envelope.stages],
            },
        )
        happenings = self.envelope.happenings
        for each in happenings[self._told :]:
            self.ring.add(
                each.time_s,
                "happening",
                {
                    "state": each.state.value,
                    "fault": "" if each.fault is None else each.fault.name.lower(),
                    "detail": each.detail,
                },
            )
        self._told = len(happenings)

    def _finish(self, now_s: float) -> None:
        """End the session where it stopped, or where the work is done."""
        if self.state in _OVER and not self._over:
            self._over = True
            self.task.rest(now_s)  # whatever else it commands: nobody asks it any more
            try:  # the robot stands; a controller that is gone may keep the driver waiting
                self.write_log(self.envelope.reason or "")
            finally:
                self.driver.stop()
        elif self.envelope.rights.moves and self.task.verdict():
            self.envelope.finish(now_s)
        elif self.state is State.ARMED and self.task.verdict() and self.envelope.at_rest:
            self._over = True

    def write_log(self, reason: str) -> Path | None:
        """Write what is remembered, and return the file; None without a directory for it."""
        if self.logs is None:
            return None
        self.logs.mkdir(parents=True, exist_ok=True)
        path = self.logs / log_name(next_number(self.logs), reason)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        counts = {
            f"interventions {stage.value}": str(count) for stage, count in self.envelope.tally.total.items()
        }
        self.ring.write(path, {**self.about, "reason": reason, "written": stamp, **counts})
        self.written.append(path)
        return path

    def _require_connected(self) -> RobotState:
        if self._state is None:
            raise ValueError("call connect before arm and cycle")
        return self._state


def _stopped(state: RobotState) -> str:
    """What stop the controller reports, in words; empty for none."""
    bits = state.status & NOT_OURS
    return " and ".join((each.name or "").lower().replace("_", " ") for each in bits)
