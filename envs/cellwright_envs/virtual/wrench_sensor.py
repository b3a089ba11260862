"""A virtual force-torque sensor at the wrist that streams as ATI's Net F/T does (RDT, over UDP)."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellwright_assets.arithmetic import inverted, product
from cellwright_envs.virtual.device import VirtualDevice
from cellwright_runtime.drivers import rdt_packets as packets
from cellwright_runtime.drivers.driver import RobotState
from cellwright_runtime.drivers.rdt_packets import PacketError, Record
from cellwright_runtime.drivers.sim import Plant
from cellwright_runtime.interface.placing import Placed, transform_of

Array = NDArray[np.float64]

COUNTS_PER_N = COUNTS_PER_N_M = 1_000_000.0
"""A Net F/T comes with a million counts for each unit."""
SENSOR_FROM_FLANGE = transform_of([0.0, 0.0, 0.02, 0.0, 0.0, 0.5])
"""(4, 4) where the simulated sensor sits: between flange and gripper, its plug turned aside (assumption)."""
_MOST = 2**31 - 1


def sensor_in(tool_from_flange: ArrayLike) -> Array:
    """(4, 4) frame of the simulated sensor in the tool frame."""
    return product(inverted(np.asarray(tool_from_flange, dtype=np.float64)), SENSOR_FROM_FLANGE)


class VirtualWrenchSensor(VirtualDevice):
    """Sends one record for each state of a plant, to whoever asked last.

    A record leaves before the state does: in lock-step whoever has heard of a state finds its wrench.
    """

    name = "wrench sensor"

    def __init__(
        self,
        sensor_t: ArrayLike,
        *,
        address: str = "127.0.0.1",
        port: int = packets.PORT,
        anywhere: bool = False,
    ) -> None:
        """`sensor_t` (4, 4) is the sensor's frame in the tool frame."""
        super().__init__(address=address, port=port, anywhere=anywhere)
        self.sensor_t = np.array(sensor_t, dtype=np.float64)
        self.status = 0
        """What every record says of the sensor's state."""
        self._placed = Placed(self.sensor_t)
        self._link: socket.socket | None = None
        self._lock = threading.Lock()
        self._client: tuple[str, int] | None = None
        self._left: int | None = None
        """Records that the client still gets; None is without end."""
        self._sequence = self._sample = 0
        self._felt, self._bias = np.zeros(6), np.zeros(6)

    def feel(self, wrench_t: Array) -> None:
        """The next sample: a wrench (6,) [N] and [N m] in the tool frame about its origin."""
        with self._lock:
            self._felt = self._placed.wrench_inside(wrench_t)
            self._sample = (self._sample + 1) % packets.COUNTS
            self._tell()

    def restart(self) -> None:
        """Switch it off and on: it streams to nobody, and counts anew."""
        with self._lock:
            self._client, self._sequence, self._sample = None, 0, 0
            self._bias = np.zeros(6)

    def _listen(self) -> None:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._bind(made, self.port)
        self._link = made
        self._selector.register(made, selectors.EVENT_READ, self._asked)

    def _asked(self) -> None:
        assert self._link is not None
        try:
            data, sender = self._link.recvfrom(65536)
        except OSError:
            return
        self.counters["wrench sensor: requests"] += 1
        with self._lock:
            try:
                self._answer(packets.request_of(data), sender)
            except PacketError:
                self.counters["wrench sensor: requests that cannot be read"] += 1

    def _answer(self, asked: packets.Request, sender: tuple[str, int]) -> None:
        if asked.command == packets.START:
            self._client, self._left, self._sequence = sender, asked.records or None, 0
            self._tell()
        elif asked.command == packets.STOP:
            self._client = None
        elif asked.command == packets.BIAS:
            self._bias = self._felt
        else:
            self.counters["wrench sensor: other commands"] += 1

    def _tell(self) -> None:
        """Send the present sample."""
        if self._client is None or self._link is None:
            return
        self._sequence = (self._sequence + 1) % packets.COUNTS
        scale = np.array([COUNTS_PER_N] * 3 + [COUNTS_PER_N_M] * 3)
        counts = np.clip(np.rint((self._felt - self._bias) * scale), -_MOST, _MOST).astype(int)
        said = Record(self._sequence, self._sample, self.status, tuple(counts.tolist()))
        with contextlib.suppress(OSError):
            self._link.sendto(packets.record(said), self._client)
        if self._left is not None:
            self._left -= 1
            if not self._left:
                self._client = None


class FeltPlant:
    """A `Plant` whose wrench goes to a sensor instead of into the states of the robot."""

    def __init__(self, plant: Plant, sensor: VirtualWrenchSensor) -> None:
        self.period_s = plant.period_s
        self._plant, self._sensor = plant, sensor
        self._wrench = np.zeros(6)

    def begin(self) -> RobotState:
        """Put everything where work begins."""
        return self._told(self._plant.begin())

    def move_joints(self, joints_rad: Array) -> RobotState:
        """One period towards joints (6,) [rad]."""
        return self._told(self._plant.move_joints(joints_rad))

    def move_tool(self, tool: Array) -> RobotState:
        """One period towards a pose (6,) of the tool in the base frame."""
        return self._told(self._plant.move_tool(tool))

    def stand(self) -> None:
        """One period in which nobody moves the arm; the sensor goes on."""
        self._plant.stand()
        self._sensor.feel(self._wrench)

    def close(self) -> None:
        """Let go of the simulation."""
        self._plant.close()

    def _told(self, state: RobotState) -> RobotState:
        if state.wrench is not None:
            self._wrench = state.wrench
        self._sensor.feel(self._wrench)
        return replace(state, wrench=None)
