"""A virtual KUKA controller with the Robot Sensor Interface, in front of a plant."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.assembly.compliance import rotation_matrix
from cellwright_envs.virtual.controller import VirtualController
from cellwright_runtime.drivers import rsi_telegrams
from cellwright_runtime.drivers.rsi_telegrams import TelegramError
from cellwright_runtime.drivers.sim import Plant
from cellwright_runtime.interface.rotation import rotation_vector

Array = NDArray[np.float64]
Path = Callable[[float], Array]
"""Where a taught program has the tool (6,) at a time [s]."""

_FIRST_IPOC = 123456
STANDING_MM = 1000.0
"""Limit of the corrections of a program that stands still: they carry the whole motion."""


class VirtualKukaRsi(VirtualController):
    """The robot's side: sends `<Rob>` every cycle and takes a `<Sen>` that answers it in time."""

    def __init__(
        self,
        plant: Plant,
        *,
        sensor_address: str = "127.0.0.1",
        sensor_port: int = 49152,
        cycle_s: float = 0.004,
        sensor: str = "ImFree",
        relative: bool = False,
        missed: int = 10,
        most_mm: float = 5.0,
        most_degrees: float = 5.0,
        path: Path | None = None,
        **options: Any,
    ) -> None:
        """It sends to `sensor_address`; `path` is its program, None stands still where the plant begins.

        After `missed` answers in a row that did not come in time, RSI is over and the arm stands until
        `begin_anew`.
        """
        super().__init__(plant, **options)
        self.cycle_s = cycle_s
        self.broken_off = False
        """Whether RSI has stopped the robot."""
        self.correction = np.zeros(6)
        """(6,) applied now, in mm and degrees."""
        self._to = sensor_address, sensor_port
        self._sensor = sensor
        self._relative = relative
        self._most_missed = missed
        self._most = np.array([most_mm] * 3 + [most_degrees] * 3)
        self._most_axes = np.full(6, most_degrees)
        self._path = path
        self._ipoc = _FIRST_IPOC
        self._attached = False
        self._missed_in_a_row = 0
        self._of_axes = False
        self._said: tuple[bool, Array] | None = None

    def begin_anew(self) -> None:
        """Switch RSI on again, with no correction, as a person does who starts the program again."""
        with self._lock:
            self.broken_off = self._attached = False
            self.correction = np.zeros(6)
            self._missed_in_a_row = 0
            self._start = self.follower.state

    def _bind(self) -> None:
        self._link = self._udp(0, self._arrived)

    def _begin(self) -> None:
        self._start = self.follower.state
        self._planned = self._start.tool

    def _expects_setpoint(self) -> bool:
        return self._attached and not self.broken_off

    def _engaged(self) -> bool:
        # Before its first setpoint a sensor answers with zero: a program that stands is not moved by that.
        return self._expects_setpoint() and (self._path is not None or bool(self.correction.any()))

    def _arrived(self, link: socket.socket) -> None:
        try:
            data, _ = link.recvfrom(65536)
        except OSError:
            return
        self.counters["telegrams"] += 1
        try:
            heard = rsi_telegrams.read(data, "Sen")
        except TelegramError:
            self.counters["telegrams that cannot be read"] += 1
            return
        element = next((name for name in ("RKorr", "AKorr") if name in heard.values), None)
        if heard.kind != self._sensor or element is None:
            self.counters["telegrams of another sensor type, or without a correction"] += 1
        elif heard.ipoc != str(self._ipoc):
            self.counters["telegrams with another IPOC"] += 1
            # In lock-step time waits for whoever is there, also where its first answers come too late.
            self._attached = self._attached or self.lockstep
        elif self._fresh:
            self.counters["telegrams twice"] += 1
        elif not self.broken_off:
            self._said = element == "AKorr", heard.values[element]
            self._fresh = self._attached = True

    def _cycle(self) -> None:
        if self._said is not None:
            self._missed_in_a_row = 0
            self._of_axes, said = self._said
            self._said = None
            self._correct(said)
            self.follower.waits = self.follower.waits and not self._engaged()
        elif self._attached and not self.broken_off:
            self.counters["answers missed"] += 1
            self._missed_in_a_row += 1
            if self._missed_in_a_row > self._most_missed:
                self.counters["broken off"] += 1
                self.broken_off = True
        if self.broken_off:
            self.follower.joints(self.follower.state.joints_rad)
            return
        self._move()
        self._ipoc += round(self.cycle_s * 1e3)
        state = self.follower.state
        telegram = rsi_telegrams.rob(
            tool=state.tool,
            planned=self._planned,
            joints_rad=state.joints_rad,
            ipoc=self._ipoc,
            delay=self.counters["answers missed"],
        )
        try:
            self._link.sendto(telegram, self._to)
        except OSError:
            self.counters["telegrams that nobody took"] += 1

    def _correct(self, said: Array) -> None:
        wanted = self.correction + said if self._relative else said
        most = self._most_axes if self._of_axes else self._most
        self.correction = np.clip(wanted, -most, most)
        if (self.correction != wanted).any():
            self.counters["corrections beyond the limits"] += 1

    def _move(self) -> None:
        if self._of_axes:
            self.follower.joints(self._start.joints_rad + np.radians(self.correction))
            return
        planned = self._start.tool if self._path is None else self._path(self.follower.moved_s)
        shift = rsi_telegrams.pose(self.correction)
        turned = rotation_matrix(shift[3:]) @ rotation_matrix(planned[3:])
        self._planned = np.array([*(planned[:3] + shift[:3]), *rotation_vector(turned.tolist())])
        self.follower.tool(self._planned)
