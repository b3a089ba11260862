"""TCP ports of a virtual controller: many clients, none of which can hold it up."""

from __future__ import annotations

import selectors
import socket
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable

_MOST_WAITING_BYTES = 1 << 20
_MOST_CLIENTS = 64


class TcpClient(ABC):
    """One connection; what arrives is kept in `received` until it is whole."""

    def __init__(self, link: socket.socket, port: TcpPort) -> None:
        self.received = bytearray()
        self.closed = False
        self._link = link
        self._port = port
        self._waiting = bytearray()

    def send(self, data: bytes) -> None:
        """Send, or keep for later what the client does not take now; one that takes nothing is dropped."""
        if self.closed:
            return
        self._waiting += data
        self._flush()
        if len(self._waiting) > _MOST_WAITING_BYTES:
            self._port.counters[f"{self._port.name}: clients that did not read"] += 1
            self.close()

    def close(self) -> None:
        """Drop the connection."""
        if not self.closed:
            self.closed = True
            self._port.forget(self)
            self._link.close()

    def count_malformed(self, what: str) -> None:
        """Count `what` and go on."""
        self._port.counters[f"{self._port.name}: {what}"] += 1

    def malformed(self, what: str) -> None:
        """Count `what` and drop the connection: after it nothing can be told apart any more."""
        self._port.counters[f"{self._port.name}: {what}"] += 1
        self.close()

    def readable(self) -> None:
        """Take what arrived."""
        self._flush()
        try:
            data = self._link.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self.received += data
        self.on_data()

    def _flush(self) -> None:
        try:
            while self._waiting:
                del self._waiting[: self._link.send(self._waiting)]
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    @abstractmethod
    def on_data(self) -> None:
        """Take whole messages from `received`."""

    def on_close(self) -> None:  # noqa: B027
        """The connection is gone; most clients hold nothing."""


class TcpPort:
    """A listening port; `made` makes a client of each connection."""

    def __init__(
        self,
        name: str,
        selector: selectors.BaseSelector,
        counters: Counter[str],
        made: Callable[[socket.socket, TcpPort], TcpClient],
    ) -> None:
        self.name = name
        self.counters = counters
        self.clients: list[TcpClient] = []
        self._selector = selector
        self._made = made
        self._listening: socket.socket | None = None

    def listen(self, bind: Callable[[socket.socket, int], None], number: int) -> None:
        """Listen; `bind` binds a socket to a port number and raises ControllerError where it cannot."""
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bind(listening, number)
        listening.listen(16)
        self._listening = listening
        self._selector.register(listening, selectors.EVENT_READ, self._accept)

    def forget(self, client: TcpClient) -> None:
        """Remove a client that is gone."""
        if client in self.clients:
            self.clients.remove(client)
            self._selector.unregister(client._link)
            client.on_close()

    def drop_all(self) -> None:
        """Drop every connection, as a controller does that starts anew."""
        for client in list(self.clients):
            client.close()

    def _accept(self) -> None:
        assert self._listening is not None
        try:
            link, _ = self._listening.accept()
        except OSError:
            return
        if len(self.clients) >= _MOST_CLIENTS:
            self.counters[f"{self.name}: clients too many"] += 1
            link.close()
            return
        link.setblocking(False)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.counters[f"{self.name}: connections"] += 1
        client = self._made(link, self)
        self.clients.append(client)
        self._selector.register(link, selectors.EVENT_READ, client.readable)
