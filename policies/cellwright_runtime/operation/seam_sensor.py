"""The seam sensor over a wire: asks a head for a window, takes the frame that answers.

No call waits longer than the stated deadline, whatever the head does. What does not arrive in time is there
at the next decision; until then the newest frame comes again, and the envelope sees its age.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections import Counter
from typing import Any

from cellwright_runtime.drivers import seam_packets as packets
from cellwright_runtime.drivers.driver import DriverError
from cellwright_runtime.drivers.link import Clock, monotonic
from cellwright_runtime.drivers.seam_packets import PacketError
from cellwright_runtime.operation.weld_task import Exposed

_MOST_WAITING = 8
"""Requests without an answer; a head that is asked for more would come back with old frames."""


class WiredSeamSensor:
    """A `SeamCamera` of a head that speaks `seam_packets`."""

    def __init__(
        self,
        host: str,
        port: int = packets.PORT,
        *,
        deadline_s: float = 0.004,
        clock: Clock = monotonic,
    ) -> None:
        """`deadline_s` is the longest that `expose` and `newest` together may wait in a control period.

        `clock` is the session's, which the ages of frames are on. A frame is as old as the head says, and
        older by all the time since the request: more than its way took.
        """
        if not 0.0 < deadline_s < 60.0:
            raise DriverError(f"deadline_s must be above 0 and below 60 s, got {deadline_s:g}")
        self.host, self.port, self._deadline_s, self._clock = host, port, deadline_s, clock
        self.counters: Counter[str] = Counter()
        self._link: socket.socket | None = None
        self._received = bytearray()
        self._asked: dict[int, float] = {}
        self._request = 0
        self._newest: Exposed | None = None
        self._address: tuple[Any, ...] = host, port
        """Of the socket, once its name was resolved."""
        self._first = 0
        """What is added to a head's numbers: one that was switched off and on counts anew."""
        self._end = 0.0

    def connect(self) -> None:
        """Reach the head; raises DriverError, one line."""
        self.close()
        self._newest, self._first = None, 0
        try:  # of names now: `expose`, which connects again, must not wait for a name server
            *_, self._address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
        except OSError as error:
            raise DriverError(
                f"no seam sensor answers at {self.host} port {self.port}: {error.strerror or error}"
            ) from None
        if problem := self._connected(max(self._deadline_s, 0.5)):
            raise DriverError(f"no seam sensor answers at {self.host} port {self.port}: {problem}")

    def expose(self, window_px: tuple[float, float]) -> None:
        """Ask for a frame with its window shifted by (columns, rows)."""
        self._end = time.monotonic() + self._deadline_s
        if self._link is None and self._connected(self._deadline_s):
            self.counters["requests without a connection"] += 1
            return
        if len(self._asked) >= _MOST_WAITING:
            self.counters["requests held back"] += 1
            return
        self._request = (self._request + 1) & 0xFFFFFFFF
        self._asked[self._request] = self._clock()
        self._say(packets.packet(packets.REQUEST, self._request, packets.window(window_px)))

    def newest(self) -> Exposed | None:
        """The newest frame; waits for the answer to the last request as long as the deadline allows."""
        while self._link is not None and self._asked:
            left_s = self._end - time.monotonic()
            try:
                self._link.settimeout(max(left_s, 0.0))
                data = self._link.recv(1 << 18)
            except (TimeoutError, BlockingIOError):
                break
            except OSError:
                data = b""
            if not data:
                self._lose("connections that the head ended")
                break
            self._received += data
            self._take()
        return self._newest

    def close(self) -> None:
        """Let go of the head."""
        if self._link is not None:
            with contextlib.suppress(OSError):
                self._link.close()
        self._link = None
        self._received.clear()
        self._asked.clear()

    def _connected(self, wait_s: float) -> str:
        """Connect; returns what is wrong."""
        try:
            self._link = socket.create_connection(self._address[:2], wait_s)
        except OSError as error:
            return error.strerror or str(error)
        self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._newest is not None:
            self._first = self._newest.frame.number + 1
        return ""

    def _say(self, data: bytes) -> None:
        assert self._link is not None
        try:
            self._link.settimeout(max(self._end - time.monotonic(), 1e-4))
            self._link.sendall(data)
        except OSError:
            self._lose("connections that the head ended")

    def _take(self) -> None:
        """Take every whole answer."""
        try:
            while (found := packets.taken(self._received)) is not None:
                self._understand(found)
        except PacketError:
            self._lose("answers that cannot be read")

    def _understand(self, found: packets.Packet) -> None:
        asked_s = self._asked.pop(found.request, None)
        for older in [each for each in self._asked if each < found.request]:
            del self._asked[older]  # a head answers in order
        if asked_s is None:
            self.counters["answers that nobody asked for"] += 1
        elif found.kind == packets.FRAME:
            frame, age_s = packets.frame_of(found.payload)
            numbered = frame._replace(number=self._first + frame.number)
            self._newest = Exposed(numbered, asked_s - age_s)
        elif found.kind != packets.NOTHING:
            raise PacketError("an answer of an unknown kind")

    def _lose(self, why: str) -> None:
        self.counters[why] += 1
        self.close()
