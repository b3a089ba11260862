"""The driver `fanuc-stream`: Stream Motion of FANUC robots (option J519 or S636), with its tables of limits.

Joints only, every 8 ms. The controller refuses commands whose speed, acceleration or jerk is beyond its
tables, which depend on the speed of the tool and on the load; the driver holds setpoints against the same
tables first.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import product
from cellwright_runtime.drivers import fanuc_packets as packets
from cellwright_runtime.drivers import rsi_telegrams
from cellwright_runtime.drivers.driver import (
    NORMAL,
    DriverError,
    Mode,
    Reach,
    RobotState,
    SetpointError,
    Status,
    told,
)
from cellwright_runtime.drivers.fanuc_packets import PacketError, Quantity
from cellwright_runtime.drivers.fanuc_rmi import RMI_PORT, RmiSession
from cellwright_runtime.drivers.link import FIRST_STATE_S, Clock, LinkedDriver, LongCount, monotonic, newest
from cellwright_runtime.interface.placing import pose_of, transform_of

Array = NDArray[np.float64]

VERSION = 3
"""What is asked with; the controller says which it has."""
CYCLES_S = (0.004, 0.008)
"""Of controllers, as they tell them."""
COASTING_S = 0.12
"""Measured on a CRX by others: without commands it goes on at its last speed for 70 to 120 ms."""
_ANSWER_S = 0.5
_COUNTS = 1 << 32
_UNITS = {Quantity.SPEED: "rad/s", Quantity.ACCELERATION: "rad/s²", Quantity.JERK: "rad/s³"}


@dataclass(frozen=True)
class Tables:
    """Largest speed, acceleration and jerk (3, 6, 20) in rad and s, over the speed of the tool."""

    values: Array
    top_speed_m_s: float
    """The tool's speed at the last entry."""

    @classmethod
    def constant(cls, speed_rad_s: Array, acceleration_rad_s2: Array, jerk_rad_s3: Array) -> Tables:
        """The same limits (6,) at every speed, for a controller that tells no tables."""
        rows = np.stack([speed_rad_s, acceleration_rad_s2, jerk_rad_s3])
        return cls(np.repeat(rows[:, :, None], packets.STEPS, axis=2), 1.0)

    def at(self, tool_m_s: float) -> Array:
        """Limits (3, 6) at a speed of the tool: the smaller one of the two entries around it."""
        place = min(max(tool_m_s / self.top_speed_m_s * packets.STEPS - 1.0, 0.0), packets.STEPS - 1.0)
        low = int(place)
        return np.asarray(self.values[:, :, low : low + 2].min(axis=2))


class FanucStreamDriver(LinkedDriver):
    """Modes: joint-position, observe. In observe the robot's status is read, and no program is called.

    A status has the pose of the flange, as others measured on a CRX; `tool` of a state is that pose with
    `tool_from_flange` on it. Whether a tool that is active at the controller changes the pose is not known.
    """

    name = "fanuc-stream"
    coasting_s = COASTING_S
    lag_s = 0.18
    """Others measured 0.084 to 0.18 s between commanded and actual joints of a CRX."""

    def __init__(
        self,
        host: str,
        mode: Mode = Mode.OBSERVE,
        *,
        load: float = 1.0,
        tool_from_flange: Array | None = None,
        tables: Tables | None = None,
        cycle_s: float = 0.008,
        sm_port: int = packets.SM_PORT,
        rmi_port: int = RMI_PORT,
        silence_s: float = 0.05,
        clock: Clock = monotonic,
    ) -> None:
        """`load` is the payload as a fraction of the robot's; `tool_from_flange` (4, 4) is the tool's pose in
        the flange, None where the flange is the tool; `tables` are for a controller that tells none. A
        controller that tells another cycle than `cycle_s`, with which all in front plans, is refused."""
        if cycle_s not in CYCLES_S:
            raise DriverError(f"Stream Motion has cycles of 0.004 and 0.008 s, got {cycle_s}")
        if not 0.0 <= load <= 1.0:
            raise DriverError(f"load is a fraction of the robot's payload, from 0 to 1, got {load}")
        reaches = {Mode.JOINT_POSITION: Reach.within([2 * np.pi] * 6)}
        super().__init__(mode, reaches, silence_s=silence_s, clock=clock)
        self.host = host
        self.cycle_s = cycle_s
        self.tables = tables
        self._given = tables
        self._load = load
        self._tool = np.eye(4) if tool_from_flange is None else tool_from_flange
        self._ports = sm_port, rmi_port
        self._link: socket.socket | None = None
        self._session: RmiSession | None = None
        self._version = VERSION
        self._heard: int | None = None
        self._sent = 0
        self._time_ms = LongCount()
        self._path = np.zeros((4, 6))
        self._tool_m_s = 0.0
        """The tool's speed between the last two states."""

    def _open(self) -> RobotState:
        self._link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._link.connect((self.host, self._ports[0]))
        self._heard, self._sent, self._time_ms = None, 0, LongCount()
        self._say(packets.short(packets.STOP, VERSION))  # whatever ran before
        self._negotiate()
        self._ask_tables()
        self._say(packets.short(packets.START, self._version))
        state = self._first(lambda _: True, "sends no status after the start of Stream Motion")
        if self.mode is Mode.OBSERVE:
            return state
        held = state.status & ~(Status.NOT_IN_CONTROL | Status.REDUCED)
        if held:
            raise DriverError(f"the FANUC controller at {self.host} is not ready: {told(held)}")
        self._session = RmiSession(self.host, self._ports[1])
        state = self._first(
            lambda state: not state.status & Status.NOT_IN_CONTROL,
            "does not allow motion: is it in automatic mode, without alarms, and STREAM_MOTN there?",
        )
        self._path = np.tile(state.joints_rad, (4, 1))
        return state

    def _negotiate(self) -> None:
        end = self._clock() + FIRST_STATE_S
        while self._clock() < end:
            self._say(packets.capability(version=VERSION))
            got = newest(self._socket, _ANSWER_S)
            with contextlib.suppress(PacketError):
                if got is not None and got.data is not None:
                    self._version, cycle_ms = packets.capability_of(got.data)
                    self._require_cycle(cycle_ms)
                    return
        raise DriverError(
            f"no Stream Motion (option J519 or S636) answers at {self.host} port {self._ports[0]} in "
            f"{FIRST_STATE_S:g} s"
        )

    def _require_cycle(self, cycle_ms: int) -> None:
        """Raise DriverError where the controller tells another cycle; 0 is none, as of an old one."""
        if cycle_ms and cycle_ms != round(1e3 * self.cycle_s):
            raise DriverError(
                f"the FANUC controller at {self.host} has a cycle of {cycle_ms} ms, and what is sent is "
                f"planned for {1e3 * self.cycle_s:.0f} ms: set cycle_ms = {cycle_ms} in [robot] of "
                "the cell's file"
            )

    def _ask_tables(self) -> None:
        """Fetch the tables of six axes; raises DriverError where neither they nor others are there."""
        values = np.zeros((3, 6, packets.STEPS))
        top = []
        for axis in range(1, 7):
            for quantity in Quantity:
                limits = self._table(axis, quantity)
                if limits is None:
                    self._require_given()
                    return
                mixed = limits.no_payload + (limits.full_payload - limits.no_payload) * self._load
                values[quantity, axis - 1] = np.radians(mixed)
                top.append(limits.top_speed_mm_s)
        self.tables = Tables(values, min(top) * 1e-3)

    def _table(self, axis: int, quantity: Quantity) -> packets.Limits | None:
        self._say(packets.limits_question(version=self._version, axis=axis, quantity=quantity))
        got = newest(self._socket, _ANSWER_S)
        with contextlib.suppress(PacketError):
            if got is not None and got.data is not None:
                limits = packets.limits_of(got.data)
                if (limits.axis, limits.quantity) == (axis, quantity):
                    return limits
        return None

    def _require_given(self) -> None:
        self.tables = self._given
        if self.tables is None and self.mode is not Mode.OBSERVE:
            raise DriverError(
                f"the FANUC controller at {self.host} tells no tables of speed, acceleration and jerk; pass "
                "`tables` with those of the robot"
            )

    def _first(self, wanted: Callable[[RobotState], bool], otherwise: str) -> RobotState:
        end = self._clock() + FIRST_STATE_S
        while self._clock() < end:
            state = self._next()
            if state is not None and wanted(state):
                return state
        raise DriverError(f"the FANUC controller at {self.host} {otherwise}")

    @property
    def _socket(self) -> socket.socket:
        assert self._link is not None
        return self._link

    def _say(self, packet: bytes) -> None:
        with contextlib.suppress(ConnectionError, BlockingIOError):
            self._socket.send(packet)

    def _next(self) -> RobotState | None:
        end = self._clock() + self.silence_s
        while (left := end - self._clock()) > 0.0:
            got = newest(self._socket, left)
            if got is None or got.data is None:
                return None
            self.counters["packets skipped"] += got.older
            try:
                heard = packets.status_of(got.data)
            except PacketError:
                self.counters["packets that cannot be read"] += 1
                continue
            if self._heard is not None and (heard.sequence - self._heard - 1) % _COUNTS > _COUNTS // 2:
                self.counters["packets out of order"] += 1
                continue
            self._heard = heard.sequence
            state = self._state_of(heard)
            passed_s = 0.0 if self._state is None else state.time_s - self._state.time_s
            if self._state is not None and passed_s > 0.0:
                self._tool_m_s = float(np.linalg.norm(state.tool[:3] - self._state.tool[:3])) / passed_s
            return state
        return None

    def _state_of(self, heard: packets.Status) -> RobotState:
        status = NORMAL
        flags = {
            Status.EMERGENCY_STOP: heard.emergency_stop,
            Status.PROTECTIVE_STOP: heard.contact_stop in (2, 4),
            Status.FAULT: heard.in_error,
            Status.MANUAL: heard.taught,
            Status.NOT_IN_CONTROL: not heard.motion_possible,
            Status.REDUCED: heard.safety_scale < 1.0,
        }
        for flag, there in flags.items():
            status |= flag if there else NORMAL
        w, p, r = heard.pose[3:]
        flange = transform_of(rsi_telegrams.pose(np.array([*heard.pose[:3], r, p, w])))
        return RobotState(
            time_s=self._time_ms.of(heard.time_ms) * 1e-3,
            joints_rad=np.radians(heard.joints_deg),
            tool=pose_of(product(flange, self._tool)),
            wrench=heard.wrench,
            status=status,
            sequence=heard.sequence,
            received_s=self._clock(),
        )

    def _send(self, values: Array) -> None:
        path = np.vstack([self._path[1:], values])
        self._require_within(path)
        self._path = path
        self._command(values, last=False)

    def _require_within(self, path: Array) -> None:
        """Raise SetpointError where the last four setpoints (4, 6) go beyond a table."""
        assert self.tables is not None
        limits = self.tables.at(self._tool_m_s)
        for quantity in Quantity:
            order = quantity + 1
            change = np.abs(np.diff(path, n=order, axis=0)[-1]) / self.cycle_s**order
            if (change > limits[quantity]).any():
                joint = int(np.argmax(change / limits[quantity]))
                raise SetpointError(
                    f"joint {joint + 1} would get {change[joint]:.4g} {_UNITS[quantity]} of "
                    f"{quantity.name.lower()}; the controller's table allows {limits[quantity][joint]:.4g}"
                )

    def _command(self, values: Array, *, last: bool) -> None:
        self._sent += 1
        said = packets.Command(
            version=self._version, sequence=self._sent, joints_deg=np.degrees(values), last=last
        )
        self._say(packets.command(said))

    def _halt(self) -> None:
        """Say that the last command was the last, end the stream, and abort the program."""
        if self._link is not None and self._before is not None:
            self._command(self._before, last=True)
        if self._link is not None:
            self._say(packets.short(packets.STOP, self._version))
        if self._session is not None:
            self._session.close()
            self._session = None

    def _release(self) -> None:
        if self._session is not None:
            self._session.close()
        if self._link is not None:
            self._link.close()
        self._link = self._session = None
