"""What the virtual devices beside a controller share: a port with a thread of its own."""

from __future__ import annotations

import selectors
import socket
import threading
from abc import ABC, abstractmethod
from collections import Counter

from cellwright_envs.virtual.controller import ControllerError, checked_address
from cellwright_envs.virtual.tcp import TcpClient, TcpPort

_TICK_S = 0.02


class VirtualDevice(ABC):
    """Serves one port from `start` to `close`; no client can hold it up or end it."""

    name: str

    def __init__(self, *, address: str, port: int, anywhere: bool) -> None:
        """Port 0 takes one that is free. Raises ControllerError for an address that is not allowed."""
        self.address, self.port = checked_address(address, anywhere=anywhere), port
        self.counters: Counter[str] = Counter()
        """What came and what was wrong with it, by name."""
        self.failure: BaseException | None = None
        """What ended the thread, where that was no `close`."""
        self._ended = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        """Begin to listen; raises ControllerError where the port is in use."""
        self._listen()
        self._thread.start()

    def close(self) -> None:
        """Drop every connection and listen no more."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(10.0)
        for key in list((self._selector.get_map() or {}).values()):
            self._selector.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]

    def _bind(self, made: socket.socket, port: int) -> None:
        try:
            made.bind((self.address, port))
        except (OSError, OverflowError) as error:
            made.close()
            why = getattr(error, "strerror", None) or error
            raise ControllerError(f"cannot serve {self.name} at {self.address} port {port}: {why}") from None
        made.setblocking(False)
        self.port = int(made.getsockname()[1])

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                for key, _ in self._selector.select(_TICK_S):
                    key.data()
                self._tick()
        except BaseException as error:
            self.failure = error

    def _tick(self) -> None:  # noqa: B027
        """Every now and then; most devices do nothing."""

    @abstractmethod
    def _listen(self) -> None:
        """Bind the port, and register its socket with the selector."""


class TcpDevice(VirtualDevice):
    """A device that many clients speak with over TCP."""

    def _listen(self) -> None:
        TcpPort(self.name, self._selector, self.counters, self._client).listen(self._bind, self.port)

    @abstractmethod
    def _client(self, link: socket.socket, port: TcpPort) -> TcpClient:
        """What speaks with one client."""
