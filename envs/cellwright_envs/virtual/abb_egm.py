"""A virtual ABB controller with Externally Guided Motion, in front of a plant."""

from __future__ import annotations

import socket
from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_assets import ur10e
from cellwright_envs.assembly.compliance import rotation_matrix
from cellwright_envs.virtual.controller import VirtualController
from cellwright_runtime.drivers import egm_messages as egm
from cellwright_runtime.drivers.abb_egm import pose_from, pose_message
from cellwright_runtime.drivers.sim import Plant

Array = NDArray[np.float64]
Path = Callable[[float], Array]
"""Where a taught program has the tool (6,) at a time [s]."""


class Guidance(Enum):
    """What the RAPID program runs."""

    JOINT = "EGMRunJoint"
    POSE = "EGMRunPose"
    PATH = "EGMMoveL"


class VirtualAbbEgm(VirtualController):
    """The robot's side: sends an EgmRobot every 4 ms and takes what the sensor answers."""

    cycle_s = 0.004

    def __init__(
        self,
        plant: Plant,
        *,
        sensor_address: str = "127.0.0.1",
        sensor_port: int = 6510,
        guidance: Guidance = Guidance.JOINT,
        comm_timeout_s: float = 1.0,
        most_mm: float = 10.0,
        path: Path | None = None,
        **options: Any,
    ) -> None:
        """It sends to `sensor_address`; `path` is its program, None stands still where the plant begins.

        Once a sensor has spoken, `comm_timeout_s` of silence ends the program.
        """
        super().__init__(plant, **options)
        self.motors_on = True
        self.running = True
        """Whether the RAPID program runs."""
        self.correction_mm = np.zeros(3)
        """(3,) along, across and above the path."""
        self._guidance = guidance
        self._to = sensor_address, sensor_port
        self._timeout_s = comm_timeout_s
        self._most_mm = most_mm
        self._path = path
        self._number = 0
        self._heard_s: float | None = None
        self._last: int | None = None
        self._target: Array | None = None

    def switch_off(self) -> None:
        """Take the power from the motors, as an emergency stop does."""
        with self._lock:
            self.motors_on = self.running = False

    def begin_anew(self) -> None:
        """Start motors and program again, as a person does."""
        with self._lock:
            self.motors_on = self.running = True
            self._heard_s = self._last = self._target = None
            self.correction_mm = np.zeros(3)

    def _bind(self) -> None:
        self._link = self._udp(0, self._arrived)

    def _begin(self) -> None:
        self._start = self._planned = self.follower.state

    def _expects_setpoint(self) -> bool:
        return self._heard_s is not None and self.running

    def _arrived(self, link: socket.socket) -> None:
        try:
            data, _ = link.recvfrom(65536)
        except OSError:
            return
        self.counters["messages"] += 1
        try:
            self._take(data)
        except (egm.MessageError, KeyError):
            self.counters["messages that cannot be read"] += 1

    def _take(self, data: bytes) -> None:
        header = egm.decode("EgmAny", data)["header"]
        number, kind = header["seqno"], header.get("mtype")
        if self._last is not None and number <= self._last:
            self.counters["messages out of order"] += 1
            return
        if kind != (egm.PATH_CORRECTION if self._guidance is Guidance.PATH else egm.CORRECTION):
            self.counters["messages of another kind"] += 1
            return
        if self._guidance is Guidance.PATH:
            place = egm.decode("EgmSensorPathCorr", data)["pathCorr"]["pos"]
            wanted = np.array([place[axis] for axis in "xyz"])
            self.correction_mm = np.clip(wanted, -self._most_mm, self._most_mm)
            self.counters["corrections beyond the limits"] += bool((self.correction_mm != wanted).any())
        elif self._guidance is Guidance.POSE:
            self._target = pose_from(egm.decode("EgmSensor", data)["planned"]["cartesian"])
        else:
            joints = np.radians(egm.decode("EgmSensor", data)["planned"]["joints"]["joints"])
            if joints.shape != (6,):
                raise egm.MessageError(f"{joints.size} joints")
            self._target = np.clip(joints, ur10e.LOWER_LIMIT_RAD, ur10e.UPPER_LIMIT_RAD)
        self._last = number
        self._heard_s = self.follower.time_s
        self._fresh = True

    def _cycle(self) -> None:
        silent_s = 0.0 if self._heard_s is None else self.follower.time_s - self._heard_s
        if self.running and silent_s > self._timeout_s:
            self.counters["programs ended by CommTimeout"] += 1
            self.running = False
        if not self.running:
            self.follower.joints(self.follower.state.joints_rad)
        elif self._guidance is Guidance.JOINT:
            self.follower.joints(self._start.joints_rad if self._target is None else self._target)
        elif self._guidance is Guidance.POSE:
            self.follower.tool(self._start.tool if self._target is None else self._target)
        else:
            self.follower.tool(self._corrected())
        self._tell()

    def _corrected(self) -> Array:
        """The program's pose, shifted in the frame of its path: along it, across it, and away from the part.

        Where the program stands, along is the tool's x.
        """
        here = self._start.tool if self._path is None else self._path(self.follower.moved_s)
        turned = rotation_matrix(here[3:])
        above, along = -turned[:, 2], turned[:, 0]
        if self._path is not None:
            ahead = self._path(self.follower.moved_s + self.cycle_s)[:3] - here[:3]
            if (length := float(np.linalg.norm(ahead))) > 1e-9:
                along = ahead / length
        across = np.cross(above, along)
        across /= np.linalg.norm(across)
        shift = np.column_stack([along, across, np.cross(along, across)]) @ self.correction_mm * 1e-3
        return np.concatenate([here[:3] + shift, here[3:]])

    def _tell(self) -> None:
        self._number += 1
        state = self.follower.state
        place = {
            "joints": {"joints": np.degrees(state.joints_rad).tolist()},
            "cartesian": pose_message(state.tool),
        }
        message: dict[str, Any] = {
            "header": {
                "seqno": self._number,
                "tm": round(self.follower.time_s * 1e3) % (1 << 32),
                "mtype": egm.DATA,
            },
            "feedBack": place,
            "planned": place,
            "motorState": {"state": egm.MOTORS_ON if self.motors_on else egm.MOTORS_OFF},
            "mciState": {"state": egm.MCI_RUNNING if self.running else egm.MCI_STOPPED},
            "mciConvergenceMet": bool(np.abs(self.follower.speeds_rad_s).max() < 1e-3),
            "rapidExecState": {"state": egm.RAPID_RUNNING if self.running else egm.RAPID_STOPPED},
        }
        if state.wrench is not None:
            message["measuredForce"] = {"fcActive": True, "force": state.wrench.tolist()}
        try:
            self._link.sendto(egm.encode("EgmRobot", message), self._to)
        except OSError:
            self.counters["messages that nobody took"] += 1
