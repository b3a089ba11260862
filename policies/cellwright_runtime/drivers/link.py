"""What drivers share that speak a protocol themselves: life, setpoints, silence, and a socket per cycle."""

from __future__ import annotations

import contextlib
import socket
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.drivers.driver import DriverError, Mode, Reach, RobotState

Array = NDArray[np.float64]
Clock = Callable[[], float]

_MOST_AT_ONCE = 4096
"""Datagrams that are read in a row: more than a socket holds, and no flood keeps a cycle."""
_HALF = 1 << 31
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
        self._arrived = 0
        """Packets of the robot since a driver set it to 0, those that were skipped too."""

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
            packet = newest(self._link, left, only=self._robot)
            if packet is None:
                return None
            data, sender, older, others = packet
            self.counters["packets skipped"] += older
            self.counters["packets of others"] += others
            if data is None:
                continue
            self._sender = sender
            self._arrived += older + 1
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


class LongCount:
    """A count of 32 bits, such as milliseconds, which wrap every 49.7 days, as one that does not wrap."""

    def __init__(self) -> None:
        self._last: int | None = None

    def of(self, count: int) -> int:
        """The count that goes on; the first one is as it was told, and one that is told back goes back."""
        ahead = 0 if self._last is None else (count - self._last + _HALF) % (2 * _HALF) - _HALF
        self._last = count if self._last is None else self._last + ahead
        return self._last


class Newest(NamedTuple):
    """What waiting for a datagram has brought."""

    data: bytes | None
    """The last datagram, None where all were of others."""
    sender: tuple[str, int]
    older: int
    """How many came before it."""
    others: int
    """How many came from elsewhere."""


def newest(link: socket.socket, wait_s: float, only: tuple[str, int] | None = None) -> Newest | None:
    """The last datagram that is there after waiting for one, or None; `only` is from whom it has to come.

    At most `_MOST_AT_ONCE` are read, so that a sender who floods the port takes no cycle away.
    """
    data, sender, count, others = None, ("", 0), 0, 0
    link.settimeout(max(wait_s, 1e-4))
    for _ in range(_MOST_AT_ONCE):
        try:
            heard, where = link.recvfrom(65536)
        except (TimeoutError, BlockingIOError, ConnectionError):
            break
        link.settimeout(0.0)
        if only is not None and where != only:
            others += 1
            continue
        data, sender, count = heard, where, count + 1
    if data is None and not others:
        return None
    return Newest(data, sender, max(count - 1, 0), others)


monotonic: Clock = time.monotonic
