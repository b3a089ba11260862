"""The simulated seam sensor on a wire of its own."""

from __future__ import annotations

import socket
from collections.abc import Callable

from cellwright_envs.virtual.device import TcpDevice
from cellwright_envs.virtual.tcp import TcpClient, TcpPort
from cellwright_runtime.drivers import seam_packets as packets
from cellwright_runtime.drivers.seam_packets import PacketError
from cellwright_runtime.operation.weld_task import SeamCamera


class VirtualSeamHead(TcpDevice):
    """Answers each request with the newest frame of a `SeamCamera`, after exposing one."""

    name = "seam sensor"

    def __init__(
        self,
        camera: SeamCamera,
        *,
        time_s: Callable[[], float],
        address: str = "127.0.0.1",
        port: int = packets.PORT,
        anywhere: bool = False,
    ) -> None:
        """`time_s` is the clock of the head."""
        super().__init__(address=address, port=port, anywhere=anywhere)
        self._camera, self._time_s = camera, time_s

    def _client(self, link: socket.socket, port: TcpPort) -> TcpClient:
        return _Connection(link, port, self)

    def answered(self, asked: packets.Packet) -> bytes:
        """The answer to a request; raises PacketError where it is none."""
        if asked.kind != packets.REQUEST:
            raise PacketError("no request")
        self._camera.expose(packets.window_of(asked.payload))
        self.counters["seam sensor: requests"] += 1
        exposed = self._camera.newest()
        if exposed is None:
            return packets.packet(packets.NOTHING, asked.request)
        payload = packets.frame(exposed.frame, exposed_s=exposed.exposed_s, sent_s=self._time_s())
        return packets.packet(packets.FRAME, asked.request, payload)


class _Connection(TcpClient):
    def __init__(self, link: socket.socket, port: TcpPort, head: VirtualSeamHead) -> None:
        super().__init__(link, port)
        self._head = head

    def on_data(self) -> None:
        """Answer every request that is whole."""
        try:
            while not self.closed and (asked := packets.taken(self.received)) is not None:
                self.send(self._head.answered(asked))
        except PacketError:
            self.malformed("bytes that are no request")
