"""What drivers share that speak a protocol themselves: life, setpoints, silence, and a socket per cycle."""

from __future__ import annotations

import contextlib
import socket
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.drivers.driver import DriverError, Mode, Reach, RobotState

Array = NDArray[np.float64]
Clock = Callable[[], float]

FIRST_STATE_S = 5.0
"""How long `connect` waits for the first state."""


class LinkedDriver(ABC):
    """A `RobotDriver` over a wire; what it got and refused is counted in `counters`."""

    name: str
    cycle_s: float
    coasting_s: float
    lag_s: float

    def __init__(self, mode: Mode, reaches: dict[Mode, Reach], *, silence_s: float, clock: Clock) -> None:
        if mode is not Mode.OBSERVE and mode not in reaches:
            known = ", ".join((Mode.OBSERVE, *reaches))
            raise DriverError(f"the driver {self.name} takes the modes {known}, got {mode}")
        self.mode = mode
        self.counters: Counter[str] = Counter()
        self.silence_s = silence_s
        self._reach = reaches.get(mode)
        self._clock = clock
        self._state: RobotState | None = None
        self._before: Array | None = None
        self._stopped = False

    def connect(self) -> RobotState:
        """Reach the controller and return its first state; nothing moves."""
        self.close()
        self._stopped = False
        try:
            self._state = self._open()
        except BaseException:
            self.close()
            raise
        return self._state

    def read_state(self) -> RobotState:
        """Wait for the next state; an old one comes back, with its age, where none comes in `silence_s`."""
        before = self._connected()
        state = self._next()
        if state is None:
            self.counters["reads without a new state"] += 1
        self._state = before if state is None else state
        return self._state.aged(self._clock(), self.silence_s)

    def send_setpoint(self, setpoint: Array) -> None:
        """Send (n,); raises SetpointError before anything is sent, DriverError after stop."""
        state = self._connected()
        if self._stopped or self._reach is None:
            why = "it was stopped; connect again" if self._stopped else "it was made to observe"
            raise DriverError(f"the driver {self.name} takes no setpoint now: {why}")
        values = self._reach.checked(setpoint, self._origin(state) if self._before is None else self._before)
        self._send(values)
        self._before = values

    def prepare(self) -> None:
        """Be ready for setpoints, which have to follow at once."""
        self._connected()

    def stop(self) -> None:
        """Bring the arm to rest as the controller does it, and take no more setpoints."""
        if self._state is not None and not self._stopped:
            self._stopped = True
            self._halt()

    def close(self) -> None:
        """Stop, and let go of the controller."""
        try:
            self.stop()
        finally:
            self._state = self._before = None
            self._release()

    def _connected(self) -> RobotState:
        if self._state is None:
            raise DriverError(f"the driver {self.name} is not connected; call connect first")
        return self._state

    def _origin(self, state: RobotState) -> Array | None:
        """What the first setpoint may not be far from."""
        if self.mode is Mode.JOINT_POSITION:
            return state.joints_rad
        if self.mode is Mode.TOOL_POSE:
            return None
        return np.zeros(3 if self.mode is Mode.PATH_CORRECTION else 6)

    @abstractmethod
    def _open(self) -> RobotState:
        """Connect; raises DriverError."""

    @abstractmethod
    def _next(self) -> RobotState | None:
        """Wait at most `silence_s` for a state that is newer than the last."""

    @abstractmethod
    def _send(self, values: Array) -> None: ...

    @abstractmethod
    def _halt(self) -> None: ...

    @abstractmethod
    def _release(self) -> None:
        """Let go of what is open, also where connecting failed half-way."""


class ListeningDriver(LinkedDriver):
    """A driver to which the robot speaks first, by UDP: the answer goes to whoever spoke."""

    def __init__(
        self,
        mode: Mode,
        reaches: dict[Mode, Reach],
        *,
        listen: str,
        port: int,
        silence_s: float,
        clock: Clock,
    ) -> None:
        super().__init__(mode, reaches, silence_s=silence_s, clock=clock)
        self._address = listen, port
        self._link: socket.socket | None = None
        self._robot: tuple[str, int] | None = None

    def _open(self) -> RobotState:
        self._link, self._robot = bound_socket(self.name, *self._address), None
        self._forget()
        end = self._clock() + FIRST_STATE_S
        while self._clock() < end:
            state = self._next()
            if state is not None:
                return state
        unread = self.counters["packets that cannot be read"]
        why = f" that can be read ({unread} cannot)" if unread else ""
        at = f"{self._address[0]} port {self._address[1]}"
        raise DriverError(f"no packet{why} came to {at} in {FIRST_STATE_S:g} s: {self._hint()}")

    def _next(self) -> RobotState | None:
        assert self._link is not None
        end = self._clock() + self.silence_s
        while (left := end - self._clock()) > 0.0:
            packet = newest(self._link, left)
            if packet is None:
                return None
            data, sender, older = packet
            self.counters["packets skipped"] += older
            if self._robot not in (None, sender):
                self.counters["packets of others"] += 1
                continue
            self._sender = sender
            state = self._understood(data)
            if state is not None:
                self._robot = sender
                return state
        return None

    def _say(self, answer: bytes) -> None:
        """Send to the robot; one that does not listen any more is noticed by its silence."""
        assert self._link is not None
        with contextlib.suppress(ConnectionError, BlockingIOError):
            self._link.sendto(answer, self._sender)

    def _release(self) -> None:
        if self._link is not None:
            self._link.close()
        self._link = None

    @abstractmethod
    def _forget(self) -> None:
        """Begin a new conversation."""

    @abstractmethod
    def _understood(self, data: bytes) -> RobotState | None:
        """The state that a packet tells, or None, counted, where it tells none."""

    @abstractmethod
    def _hint(self) -> str:
        """What may be wrong at the robot where nothing comes."""


def bound_socket(name: str, address: str, port: int) -> socket.socket:
    """A UDP socket at `address` and `port`; raises DriverError where it is taken."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.bind((address, port))
    except OSError as error:
        made.close()
        raise DriverError(
            f"the driver {name} cannot listen at {address} port {port}: {error.strerror}"
        ) from None
    return made


def newest(link: socket.socket, wait_s: float) -> tuple[bytes, tuple[str, int], int] | None:
    """The last datagram that is there after waiting for one, its sender, and how many came before it."""
    link.settimeout(max(wait_s, 1e-4))
    try:
        data, sender = link.recvfrom(65536)
    except (TimeoutError, ConnectionError):
        return None
    older = 0
    link.settimeout(0.0)
    while True:
        try:
            data, sender = link.recvfrom(65536)
        except (BlockingIOError, ConnectionError):
            return data, sender, older
        older += 1


monotonic: Clock = time.monotonic
