"""What all virtual controllers share: a thread, a cycle, a plant, and a count of what was wrong."""

from __future__ import annotations

import ipaddress
import selectors
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.drivers.driver import RobotState
from cellwright_runtime.drivers.sim import Plant

Array = NDArray[np.float64]

PATIENCE_S = 2.0
"""In lock-step a controller waits this long on the wall clock for a setpoint; then its own time goes on."""
_LOST_CYCLES = 50
"""Behind by more cycles than this, a controller in real time goes on from now instead of catching up."""


class ControllerError(OSError):
    """An address that cannot be served; one line."""


def checked_address(address: str, *, anywhere: bool) -> str:
    """`address`; raises ControllerError for what is no IPv4 address or, unless `anywhere`, no loopback."""
    try:
        parsed = ipaddress.IPv4Address(address)
    except ValueError:
        raise ControllerError(f"{address!r} is no IPv4 address; use one such as 127.0.0.2") from None
    if not parsed.is_loopback and not anywhere:
        raise ControllerError(
            f"{address} can be reached from outside of this computer, and a controller believes whoever "
            "speaks to it; use 127.x.y.z, or say that others may connect (--anywhere)"
        )
    return address


class Follower:
    """A plant at a controller's cycle, which need not be the plant's own period.

    The plant moves as soon as a whole period of it has passed, towards the newest target; speeds are those
    between its last two states.
    """

    def __init__(self, plant: Plant, cycle_s: float) -> None:
        self._plant = plant
        self._cycle_s = cycle_s
        self._cycles = 0
        self._periods = 0
        self._waited = self._stood = 0
        self.waits = False
        """Whether the plant stands at its beginning: only the controller's clock goes on."""
        self.state = plant.begin()
        self.speeds_rad_s = np.zeros(6)

    @property
    def time_s(self) -> float:
        """The controller's clock."""
        return self._cycles * self._cycle_s

    @property
    def moved_s(self) -> float:
        """How long the plant has moved: the time of a program that the controller runs."""
        return (self._cycles - self._waited) * self._cycle_s

    def joints(self, target_rad: Array) -> RobotState:
        """One cycle towards joints (6,) [rad]."""
        return self._pass(target_rad, self._plant.move_joints)

    def tool(self, target: Array) -> RobotState:
        """One cycle towards a pose (6,) of the tool."""
        return self._pass(target, self._plant.move_tool)

    def _stand(self) -> None:
        self._waited += 1
        while (self._stood + 1) * self._plant.period_s <= self._waited * self._cycle_s + 1e-9:
            self._stood += 1
            self._plant.stand()

    def _pass(self, target, move) -> RobotState:  # type: ignore[no-untyped-def]
        self._cycles += 1
        if self.waits:
            self._stand()
        while (self._periods + 1) * self._plant.period_s <= self.moved_s + 1e-9:
            self._periods += 1
            before = self.state.joints_rad
            self.state = move(target)
            self.speeds_rad_s = (self.state.joints_rad - before) / self._plant.period_s
        self.state = replace(self.state, time_s=self.time_s)
        return self.state


class VirtualController(ABC):
    """A vendor's controller in front of a plant, on a thread of its own from `start` to `close`.

    A cycle takes `cycle_s`. In lock-step, while `_expects_setpoint` says so, it takes as long as a setpoint
    needs to come, and the time of controller and plant is counted in cycles. The plant then begins with the
    second setpoint, so that nothing depends on when a client came.
    """

    cycle_s: float

    def __init__(
        self, plant: Plant, *, address: str = "127.0.0.1", lockstep: bool = False, anywhere: bool = False
    ) -> None:
        self.address = checked_address(address, anywhere=anywhere)
        self.counters: Counter[str] = Counter()
        """What was received and what was wrong with it, by name."""
        self.lockstep = lockstep
        self.failure: BaseException | None = None
        """What ended the thread, where that was no `close`."""
        self.patience_s = PATIENCE_S
        self._plant = plant
        self._selector = selectors.DefaultSelector()
        self._ended = threading.Event()
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._fresh = False
        """Whether a setpoint came since the last cycle."""
        self._alone = False
        """Whether in lock-step a setpoint was waited for in vain, so that time goes on until the next one."""

    @property
    def follower(self) -> Follower:
        """The plant at this controller's cycle, after `start`."""
        return self._follower

    def start(self) -> VirtualController:
        """Bind the ports, put the plant where work begins and begin to answer.

        Raises ControllerError where a port is in use.
        """
        try:
            self._bind()
            self._follower = Follower(self._plant, self.cycle_s)
            self._follower.waits = self.lockstep
            self._begin()
        except BaseException:
            self._release()
            raise
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop answering, and let go of the ports; the plant stays as it is."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(10.0)
            self._thread = None
        self._release()

    def close(self) -> None:
        """Stop answering, and let go of ports and plant."""
        self.stop()
        self._plant.close()

    def _release(self) -> None:
        for key in list(self._selector.get_map().values() if self._selector.get_map() else ()):
            self._selector.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]

    def _run(self) -> None:
        due = time.monotonic()
        try:
            while not self._ended.is_set():
                due = self._wait(due)
                with self._lock:
                    self._cycle()
        except BaseException as error:
            self.failure = error
        finally:
            self._ended.set()

    def _wait(self, due: float) -> float:
        """Answer what arrives until the cycle is over; returns when the next one is."""
        self._alone = self._alone and not self._fresh
        self._fresh = False
        held = self.lockstep and self._expects_setpoint() and not self._alone
        self._follower.waits = self._follower.waits and not self._engaged()
        due = time.monotonic() + self.patience_s if held else due + self.cycle_s
        while not self._ended.is_set():
            left = due - time.monotonic()
            if left < -_LOST_CYCLES * self.cycle_s and not held:
                self.counters["cycles lost"] += 1
                due = time.monotonic()
            for key, _ in self._selector.select(max(0.0, min(left, 0.1))):
                with self._lock:
                    key.data()
            if held and self._fresh:
                return time.monotonic()
            if time.monotonic() >= due:
                if held:
                    self.counters["waited in vain"] += 1
                    self._alone = True
                return time.monotonic() if held else due
        return due

    def _udp(self, port: int, arrived: Callable[[socket.socket], None]) -> socket.socket:
        """A bound socket; `arrived` is called while something is there to be read."""
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._serve(made, port)
        self._selector.register(made, selectors.EVENT_READ, lambda: arrived(made))
        return made

    def _serve(self, made: socket.socket, port: int) -> None:
        try:
            made.bind((self.address, port))
        except OSError as error:
            made.close()
            raise ControllerError(f"cannot serve {self.address} port {port}: {error.strerror}") from None
        made.setblocking(False)

    @abstractmethod
    def _bind(self) -> None:
        """Open the ports."""

    def _begin(self) -> None:  # noqa: B027
        """What is to be done once the plant has begun; nothing where a controller says nothing."""

    @abstractmethod
    def _cycle(self) -> None:
        """Move the plant by one cycle and say where it is."""

    def _engaged(self) -> bool:
        """Whether a client has begun to move the arm."""
        return self._expects_setpoint()

    @abstractmethod
    def _expects_setpoint(self) -> bool:
        """Whether in lock-step the next cycle waits for one."""
