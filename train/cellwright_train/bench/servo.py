"""Envelope and driver in real time: below the servo thread, against a virtual controller in a process of its
own."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.drivers.catalogue import entry, make_driver
from cellwright_runtime.drivers.driver import (
    DriverError,
    Mode,
    RobotDriver,
    RobotState,
    SetpointError,
    Status,
)
from cellwright_runtime.drivers.servo import ServoThread
from cellwright_runtime.envelope.envelope import Envelope
from cellwright_runtime.envelope.faults import Fault
from cellwright_runtime.envelope.fences import JointSpace
from cellwright_runtime.envelope.limits import Axes, Limits
from cellwright_train.bench.figures import Effort, Figures, figure, missing

Array = NDArray[np.float64]

MODES = {
    "ur": Mode.JOINT_POSITION,
    "kuka-rsi": Mode.JOINT_CORRECTION,
    "abb-egm": Mode.JOINT_POSITION,
    "fanuc-stream": Mode.JOINT_POSITION,
}
"""How each robot is moved here."""
_AIMS = {"p99": "<= 0.2", "late": "<= 1", "zero_speed": "<= 100"}
_BEGIN_S = 60.0
"""In which a controller has to be there."""
_KEPT = 20_000
"""Times of cycles that are kept, the newest."""
_BLENDED_S = 1.0
"""After the start; cycles before are warm-up."""

_LATELY = 500
"""Cycles over which a speed counts as high."""


class VirtualRobot:
    """A virtual controller with a bare arm, in a process of its own, until it is closed."""

    def __init__(self, kind: str, address: str, *, lockstep: bool = False) -> None:
        """In `lockstep` its time passes only as setpoints come, for a machine that is too busy for real time.

        Raises DriverError where it does not begin.
        """
        self.kind, self.address = kind, address
        self.port = _free_port(address) if entry(kind).listens else None
        command = [sys.executable, "-m", "cellwright_train.cli", "virtual-controller", kind]
        command += ["--listen", address]
        if self.port is not None:
            command += ["--sensor", address, "--sensor-port", str(self.port)]
        command += ["--lockstep"] if lockstep else []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        said = _line_of(self.process)
        if kind not in said:
            self.close()
            raise DriverError(f"the virtual controller {kind} did not begin")

    def driver(self) -> RobotDriver:
        """A driver for it, not connected."""
        options: dict[str, Any] = {} if self.port is None else {"port": self.port}
        return make_driver(self.kind, MODES[self.kind], host=self.address, **options)

    def close(self) -> None:
        """End the process."""
        self.process.terminate()
        try:
            self.process.wait(10.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


class TimedRobot:
    """A virtual robot that is moved smoothly by an envelope, and how long every cycle of that takes."""

    def __init__(self, robot: VirtualRobot) -> None:
        self.robot = robot
        self.driver = robot.driver()
        self.cycle_s = self.driver.cycle_s
        self.spent_ms: deque[float] = deque(maxlen=_KEPT)
        """Of envelope and driver, from the state to the setpoint on its way."""
        self.silent = 0
        """Cycles in which no new state came."""
        self.zero_speed_ms: float | None = None
        """From a fault at speed to a commanded speed of zero; None before."""
        self._stop_asked = False
        self._stopped_s: float | None = None
        self._speeds: deque[float] = deque(maxlen=_LATELY)
        self._begin = 0.0

    def start(self) -> None:
        """Connect, arm and move; raises DriverError or NotAllowedError where that is not possible."""
        state = _connected(self.driver)
        limits = _limits(state)
        self.envelope = Envelope(
            limits, JointSpace(limits, self.cycle_s, np.eye(4)), self.cycle_s, lag_s=0.05
        )
        self._start, self._home = state.joints_rad.copy(), state.tool.copy()
        self._begin_s = time.monotonic()
        self.envelope.arm(self._begin_s, state)
        self.envelope.start(self._begin_s)
        self.thread = ServoThread(self._step, self.driver.stop, cycle_s=self.cycle_s)
        self.thread.start()

    def fault(self) -> None:
        """Report a fault when it is fast next, and take the time to zero speed."""
        self._stop_asked = True

    @property
    def ended(self) -> str:
        """Why it moves no more, in one line; empty while it does."""
        if (error := self.thread.error) is not None:
            return " ".join(str(error).split()) or type(error).__name__
        return self.envelope.reason or ""

    def close(self) -> None:
        """Stop, and let go; `ended` says what had ended it before."""
        with contextlib.suppress(DriverError, SetpointError):
            self.thread.stop()
        self.driver.close()

    def _step(self) -> bool:
        setpoint = self._decide(self.driver.read_state())
        if setpoint is not None:
            self.driver.send_setpoint(setpoint)
            self._took()
        return True

    def _decide(self, state: RobotState) -> Array | None:
        self._begin = time.perf_counter()
        now_s = time.monotonic()
        silent = Status.SILENT in state.status
        self.silent += silent
        turn = 2.0 * (now_s - self._begin_s)
        way = 0.02 * np.sin([turn, 0.7 * turn, 1.3 * turn])
        target = [*(self._home[:3] + way).tolist(), *self._home[3:].tolist()]
        self._stop_if_asked(now_s)
        setpoint = self.envelope.cycle(now_s, None if silent else state, target)
        if self._stopped_s is not None and self.zero_speed_ms is None and self.envelope.at_rest:
            self.zero_speed_ms = 1e3 * (time.monotonic() - self._stopped_s)
        if setpoint is None:
            return None
        return setpoint - self._start if self.driver.mode is Mode.JOINT_CORRECTION else setpoint

    def _stop_if_asked(self, now_s: float) -> None:
        speed = max(map(abs, self.envelope.velocity))
        self._speeds.append(speed)
        if self._stop_asked and self._stopped_s is None and speed > 0.8 * max(self._speeds):
            self._stopped_s = time.monotonic()
            self.envelope.fault(now_s, Fault.NO_ACTION, "asked for, to take the time")

    def _took(self) -> None:
        if time.monotonic() - self._begin_s > _BLENDED_S and self._stopped_s is None:
            self.spent_ms.append(1e3 * (time.perf_counter() - self._begin))


@dataclass(frozen=True, kw_only=True)
class Timed:
    """What came of one robot."""

    cycles: int
    late: int
    """More than 2 ms."""
    silent: int
    zero_speed_ms: float
    spent_ms: list[float] = field(repr=False)


def timed(kind: str, seconds: float, address: str, *, lockstep: bool = False) -> Timed:
    """Move a virtual robot for so long, then stop it at speed.

    Raises DriverError, one line, where it cannot be reached or is stopped before.
    """
    virtual = VirtualRobot(kind, address, lockstep=lockstep)
    try:
        robot = TimedRobot(virtual)
        robot.start()
        try:
            time.sleep(_BLENDED_S + seconds)
            robot.fault()
            end_s = time.monotonic() + 10.0
            while robot.zero_speed_ms is None and robot.thread.alive and time.monotonic() < end_s:
                time.sleep(0.01)
        finally:
            robot.close()
    finally:
        virtual.close()
    if robot.zero_speed_ms is None or not robot.spent_ms:
        raise DriverError(f"the robot was stopped early: {robot.ended or 'no cycle was timed'}")
    return Timed(
        cycles=robot.thread.cycles,
        late=robot.thread.late,
        silent=robot.silent,
        zero_speed_ms=robot.zero_speed_ms,
        spent_ms=list(robot.spent_ms),
    )


def drivers_in_real_time(effort: Effort) -> Figures:
    """Envelope and driver a cycle, cycles that are late, and zero speed after a fault, for every driver."""
    figures: Figures = {}
    for number, kind in enumerate(MODES):
        key = f"servo_{kind.replace('-', '_')}"
        try:
            found = timed(kind, 0.002 * effort.decisions, f"127.0.43.{number + 1}")
        except (DriverError, ImportError) as error:
            figures[f"{key}_p99_ms"] = missing(str(error), "ms", _AIMS["p99"])
            continue
        parts = np.array_split(np.array(found.spent_ms), effort.repeats)
        for quantile in (0.5, 0.99):
            label = f"p{100 * quantile:.0f}"
            values = [float(np.quantile(part, quantile)) for part in parts if len(part)]
            figures[f"{key}_{label}_ms"] = figure(values, "ms", _AIMS.get(label, ""))
        late = 100.0 * found.late / found.cycles
        figures[f"{key}_more_than_2_ms_late"] = figure([late], "%", _AIMS["late"])
        figures[f"{key}_zero_speed_ms"] = figure([found.zero_speed_ms], "ms", _AIMS["zero_speed"])
    return figures


def _limits(state: RobotState) -> Limits:
    """Around where the robot stands: nine tenths of the acceleration that shipped bundles declare, and a jerk
    within the tables of the virtual FANUC."""
    around = np.array([0.1] * 3 + [0.5] * 3)
    return Limits(
        joints=Axes(
            low=tuple((state.joints_rad - 0.5).tolist()),
            high=tuple((state.joints_rad + 0.5).tolist()),
            velocity=(0.5,) * 6,
            acceleration=(4.5,) * 6,
            jerk=(100.0,) * 6,
        ),
        tool=Axes(
            low=(*(state.tool - around)[:3].tolist(), *(-around)[3:].tolist()),
            high=(*(state.tool + around)[:3].tolist(), *around[3:].tolist()),
            velocity=(0.25,) * 3 + (0.8,) * 3,
            acceleration=(2.5,) * 3 + (10.0,) * 3,
            jerk=(150.0,) * 3 + (600.0,) * 3,
        ),
        tool_speed_m_s=0.25,
        silence_s=30.0,  # how late cycles are is what is measured here, no reason for a stop
        tracking_m=0.05,
        fraction=1.0,
    )


def _connected(driver: RobotDriver) -> RobotState:
    end_s = time.monotonic() + _BEGIN_S
    while True:
        try:
            return driver.connect()
        except DriverError:
            if time.monotonic() > end_s:
                raise
            time.sleep(0.2)


def _line_of(process: subprocess.Popen[str]) -> str:
    """Its first line, which comes when it listens; empty where it ended."""
    stream: IO[str] | None = process.stdout
    return "" if stream is None else stream.readline()


def _free_port(address: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
