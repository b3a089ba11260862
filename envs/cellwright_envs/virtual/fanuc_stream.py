"""A virtual FANUC controller with Stream Motion and RMI, in front of a plant."""

from __future__ import annotations

import socket
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_assets import ur10e
from cellwright_assets.arithmetic import inverted, product
from cellwright_envs.virtual.controller import VirtualController
from cellwright_envs.virtual.fanuc_rmi import RmiFrontDoor, RmiSessionClient
from cellwright_envs.virtual.tcp import TcpPort
from cellwright_runtime.drivers import fanuc_packets as packets
from cellwright_runtime.drivers import rsi_telegrams
from cellwright_runtime.drivers.fanuc_packets import PacketError, Quantity
from cellwright_runtime.drivers.fanuc_rmi import PROGRAM, RMI_PORT
from cellwright_runtime.drivers.sim import Plant
from cellwright_runtime.interface.placing import pose_of, transform_of

Array = NDArray[np.float64]

SESSION_PORT = 16002
COAST_S = 0.1
"""Without commands the arm goes on at its last speed for this long: others measured 70 to 120 ms on a CRX."""
ACCELERATION_DEG_S2, JERK_DEG_S3 = 1000.0, 8000.0
"""An assumption for every axis at no payload and a slow tool."""
TOP_SPEED_MM_S = 1000
STOP_DEG_S2 = 1000.0
_MOST_WAITING = 16


def tables() -> dict[tuple[int, Quantity], packets.Limits]:
    """Limits that fall with the speed of the tool to a half, and with full payload to four fifths of that."""
    falling = np.linspace(1.0, 0.5, packets.STEPS)
    made = {}
    for axis, speed_rad_s in enumerate(ur10e.SPEED_LIMIT_RAD_S, 1):
        tops = {
            Quantity.SPEED: np.full(packets.STEPS, np.degrees(speed_rad_s)),
            Quantity.ACCELERATION: ACCELERATION_DEG_S2 * falling,
            Quantity.JERK: JERK_DEG_S3 * falling,
        }
        for quantity, values in tops.items():
            made[axis, quantity] = packets.Limits(
                axis=axis,
                quantity=quantity,
                top_speed_mm_s=TOP_SPEED_MM_S,
                no_payload=values,
                full_payload=values if quantity is Quantity.SPEED else 0.8 * values,
            )
    return made


class VirtualFanucStream(VirtualController):
    """Follows joints every 8 ms while Stream Motion is started and its program runs."""

    cycle_s = 0.008

    def __init__(
        self,
        plant: Plant,
        *,
        version: int = 3,
        tells_tables: bool = True,
        tool_from_flange: Array | None = None,
        **options: Any,
    ) -> None:
        """`version` 4 sends the wrench; `tells_tables` is False for controllers without that request;
        `tool_from_flange` (4, 4) is the tool of the plant, None where it is the flange."""
        super().__init__(plant, **options)
        self.emergency_stop = self.in_error = self.taught = False
        self.contact_stop = 0
        self._version = version
        self._flange_from_tool = inverted(np.eye(4) if tool_from_flange is None else tool_from_flange)
        self._tables = tables() if tells_tables else {}
        self._client: tuple[str, int] | None = None
        self._running = False
        """Whether the program runs."""
        self._said: deque[packets.Command] = deque()
        """Commands that wait for their cycle."""
        self._number = 0
        self._silent_s = 0.0
        self._ports: list[TcpPort] = []

    # What a person does, or a fault

    def press(self) -> None:
        """Press the emergency stop."""
        with self._lock:
            self.emergency_stop = self.in_error = True
            self._running = False

    def release(self) -> None:
        """Release it; the alarm stays until RMI resets it."""
        with self._lock:
            self.emergency_stop = False

    # What RMI does

    def start_program(self, name: str) -> bool:
        """Run the program that Stream Motion needs."""
        fine = name == PROGRAM and not self.emergency_stop and not self.in_error
        self._running = self._running or fine
        self._begin_path()
        return fine

    def end_program(self) -> None:
        """Abort it."""
        self._running = False

    def clear_alarms(self) -> bool:
        """Reset alarms; False while an emergency stop is pressed."""
        self.in_error = self.emergency_stop
        return not self.emergency_stop

    def described(self) -> dict[str, Any]:
        """The fields of FRC_GetStatus and FRC_GetExtStatus."""
        ready = int(not self.emergency_stop and not self.in_error)
        return {
            "ServoReady": ready,
            "TPMode": int(self.taught),
            "RMIMotionStatus": 0,
            "ProgramStatus": int(self._running),
            "SingleStepMode": 0,
            "NumberUTool": 1,
            "NumberUFrame": 0,
            "Override": 100,
            "InMotion": int(np.abs(self._speeds_deg_s).max() > 0.1),
            "DrivesPowered": ready,
            "GenOverride": 100,
            "SpeedClampLimit": 100.0,
            "ErrorCode": "",
            "ControlMode": "AUTO",
        }

    def places(self) -> tuple[dict[str, float], dict[str, float]]:
        """Joints [degrees] and pose of the tool [mm, degrees] by their names."""
        joints = np.degrees(self.follower.state.joints_rad)
        x, y, z, r, p, w = rsi_telegrams.cartesian(self.follower.state.tool).tolist()
        named = {f"J{number}": value for number, value in enumerate(joints.tolist(), 1)}
        return named | dict.fromkeys(("J7", "J8", "J9"), 0.0), {
            "X": x,
            "Y": y,
            "Z": z,
            "W": w,
            "P": p,
            "R": r,
        }

    # Life

    def _bind(self) -> None:
        self._link = self._udp(packets.SM_PORT, self._arrived)
        front = TcpPort(
            "rmi", self._selector, self.counters, lambda link, port: RmiFrontDoor(link, port, SESSION_PORT)
        )
        front.listen(self._serve, RMI_PORT)
        session = TcpPort(
            "rmi", self._selector, self.counters, lambda link, port: RmiSessionClient(link, port, self)
        )
        session.listen(self._serve, SESSION_PORT)
        self._ports = [front, session]

    def _begin(self) -> None:
        self._begin_path()

    def _begin_path(self) -> None:
        joints = np.degrees(self.follower.state.joints_rad)
        self._target_deg = joints
        self._path = np.tile(joints, (4, 1))
        self._speeds_deg_s = np.zeros(6)
        self._silent_s = 0.0
        self._said.clear()
        self._last_sequence: int | None = None

    @property
    def _possible(self) -> bool:
        return self._client is not None and self._running and not self.in_error and not self.emergency_stop

    def _expects_setpoint(self) -> bool:
        return self._possible and self._last_sequence is not None

    def _arrived(self, link: socket.socket) -> None:
        try:
            data, sender = link.recvfrom(65536)
        except OSError:
            return
        self.counters["packets"] += 1
        try:
            self._take(data, sender)
        except PacketError:
            self.counters["packets that cannot be read"] += 1
        except OSError:
            self.counters["packets that nobody took"] += 1

    def _take(self, data: bytes, sender: tuple[str, int]) -> None:
        what = packets.kind(data)
        if what == packets.CAPABILITY:
            packets.capability_of(data)
            told = packets.capability(
                version=self._version, available=self._version, cycle_ms=round(self.cycle_s * 1e3)
            )
            self._link.sendto(told, sender)
        elif what == packets.LIMITS:
            asked = packets.limits_asked(data)
            if asked in self._tables:
                told = packets.limits_answer(self._tables[asked], version=self._version)
                self._link.sendto(told, sender)
        elif what == packets.START:
            if packets.version_of(data) != self._version:
                self.counters["starts with another version"] += 1
                return
            self._client, self._number = sender, 0
            self._begin_path()
        elif what == packets.STOP:
            packets.version_of(data)
            if sender == self._client:
                self._client = None
        elif what == packets.COMMAND:
            self._follow(packets.command_of(data), sender)
        else:
            raise PacketError("an unknown type")

    def _follow(self, said: packets.Command, sender: tuple[str, int]) -> None:
        if sender != self._client:
            self.counters["commands of others"] += 1
        elif said.style != packets.JOINTS or said.version != self._version:
            self._alarm("commands of another style or version")
        elif self._last_sequence is not None and said.sequence <= self._last_sequence:
            self.counters["commands out of order"] += 1
        elif said.moves:
            self._last_sequence = said.sequence
            self._said.append(said)
            self._fresh = True
            if len(self._said) > _MOST_WAITING:
                self._alarm("commands more than the buffer holds")

    def _alarm(self, why: str) -> None:
        self.counters[why] += 1
        self.in_error = True
        self._running = False

    def _cycle(self) -> None:
        said = self._said.popleft() if self._said else None
        if not self._possible:
            self._brake()
        elif said is not None:
            self._silent_s = 0.0
            self._advance(said.joints_deg)
            if said.last:
                self._last_sequence = None
        elif self._last_sequence is not None:
            self.counters["cycles without a command"] += 1
            self._silent_s += self.cycle_s
            if self._silent_s > COAST_S:
                self._brake()
            else:
                self._target_deg = self._target_deg + self._speeds_deg_s * self.cycle_s
        else:
            self._brake()
        self.follower.joints(np.radians(self._target_deg))
        if self._client is not None:
            self._tell()

    def _advance(self, joints_deg: Array) -> None:
        path = np.vstack([self._path[1:], joints_deg])
        for quantity in Quantity if self._tables else ():
            order = quantity + 1
            change = np.abs(np.diff(path, n=order, axis=0)[-1]) / self.cycle_s**order
            most = np.array([self._tables[axis, quantity].no_payload.max() for axis in range(1, 7)])
            if (change > most * 1.001).any():
                self._alarm(f"commands beyond the limit of {quantity.name.lower()}")
                return
        self._path, self._target_deg = path, joints_deg
        self._speeds_deg_s = (path[-1] - path[-2]) / self.cycle_s

    def _brake(self) -> None:
        fastest = float(np.abs(self._speeds_deg_s).max())
        left = max(0.0, 1.0 - STOP_DEG_S2 * self.cycle_s / fastest) if fastest > 0.0 else 0.0
        self._speeds_deg_s = self._speeds_deg_s * left
        self._target_deg = self._target_deg + self._speeds_deg_s * self.cycle_s
        self._path = np.tile(self._target_deg, (4, 1))

    def _tell(self) -> None:
        assert self._client is not None
        self._number += 1
        state = self.follower.state
        flange = product(transform_of(state.tool), self._flange_from_tool)
        x, y, z, r, p, w = rsi_telegrams.cartesian(pose_of(flange))
        said = packets.Status(
            version=self._version,
            sequence=self._number,
            time_ms=round(self.follower.time_s * 1e3) % (1 << 32),
            pose=np.array([x, y, z, w, p, r]),
            joints_deg=np.degrees(state.joints_rad),
            motion_possible=self._possible,
            moving=bool(np.abs(self._speeds_deg_s).max() > 1.0),
            in_error=self.in_error,
            taught=self.taught,
            emergency_stop=self.emergency_stop,
            contact_stop=self.contact_stop,
            wrench=state.wrench,
        )
        try:
            self._link.sendto(packets.status(said), self._client)
        except OSError:
            self.counters["packets that nobody took"] += 1
