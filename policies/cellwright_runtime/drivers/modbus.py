"""Modbus over TCP: the frames of both sides, and a client.

After the MODBUS Application Protocol Specification V1.1b3 and the MODBUS Messaging on TCP/IP Implementation
Guide V1.0b of the Modbus Organization. All numbers are big-endian.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Sequence
from enum import IntEnum

from cellwright_runtime.drivers.driver import DriverError

HEADER = struct.Struct(">HHHB")
"""Transaction, protocol (0), bytes that follow, unit."""
MOST_BYTES = 254
"""Of the unit and what follows it, in one frame."""
MOST_BITS, MOST_REGISTERS = 2000, 125
"""Of one reading."""
MOST_WRITTEN = 123
"""Registers of one writing."""
_ON = 0xFF00


class Function(IntEnum):
    """What a frame asks for."""

    READ_COILS = 1
    READ_DISCRETE_INPUTS = 2
    READ_HOLDING_REGISTERS = 3
    READ_INPUT_REGISTERS = 4
    WRITE_COIL = 5
    WRITE_REGISTER = 6
    WRITE_COILS = 15
    WRITE_REGISTERS = 16


EXCEPTIONS = {
    1: "it does not have this function",
    2: "it has no such address; compare the register map with the coupler's",
    3: "it does not take this value or this count",
    4: "the device has failed",
    5: "it needs longer",
    6: "it is busy",
    10: "the gateway has no path to the device",
    11: "the device behind the gateway does not answer",
}
"""What the codes of exceptions mean."""


class FrameError(ValueError):
    """Bytes that are no frame of Modbus TCP; nothing that follows can be told apart."""


def frame(transaction: int, unit: int, pdu: bytes) -> bytes:
    """A request or an answer: function and data in `pdu`."""
    return HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu


def taken(received: bytearray) -> tuple[int, int, bytes] | None:
    """Transaction, unit and data of the first whole frame, which is removed; None where none is whole.

    Raises FrameError where there is something else.
    """
    if len(received) < HEADER.size:
        return None
    transaction, protocol, count, unit = HEADER.unpack_from(received)
    if protocol != 0 or not 2 <= count <= MOST_BYTES:
        raise FrameError(f"protocol {protocol} and {count} bytes are no frame of Modbus TCP")
    end = HEADER.size - 1 + count
    if len(received) < end:
        return None
    pdu = bytes(received[HEADER.size : end])
    del received[:end]
    return transaction, unit, pdu


class ModbusClient:
    """One connection; a request at a time, each with a deadline.

    A request that is not answered in time, or by something else, ends the connection: a later answer could be
    taken for that of another request.
    """

    def __init__(self, host: str, port: int = 502, *, unit: int = 1, answer_s: float = 0.05) -> None:
        """`answer_s` is the longest that connecting and each request may take."""
        if not 0.0 < answer_s < 60.0:
            raise DriverError(f"answer_s must be above 0 and below 60 s, got {answer_s:g}")
        self.host, self.port, self._unit, self._answer_s = host, port, unit, answer_s
        self._link: socket.socket | None = None
        self._received = bytearray()
        self._transaction = 0
        self._why = ""
        """Why the connection was ended."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as the last request has shown."""
        return self._link is not None

    def connect(self) -> None:
        """Connect anew; raises DriverError, one line."""
        self.close()
        try:
            self._link = socket.create_connection((self.host, self.port), self._answer_s)
        except OSError as error:
            why = error.strerror or str(error)
            raise DriverError(f"no Modbus coupler answers at {self._where}: {why}") from None
        self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received.clear()
        self._why = ""

    def close(self) -> None:
        """End the connection."""
        if self._link is not None:
            with contextlib.suppress(OSError):
                self._link.close()
        self._link = None

    def read_bits(self, function: Function, address: int, count: int) -> list[bool]:
        """Coils or discrete inputs from `address` on."""
        data = self._read(function, address, count, (count + 7) // 8)
        return [bool(data[number // 8] >> number % 8 & 1) for number in range(count)]

    def read_registers(self, function: Function, address: int, count: int) -> bytes:
        """Holding or input registers from `address` on, two bytes each, as they came."""
        return self._read(function, address, count, 2 * count)

    def write_coil(self, address: int, on: bool) -> None:
        """Switch a coil."""
        self._write(struct.pack(">BHH", Function.WRITE_COIL, address, _ON if on else 0), echoed=5)

    def write_registers(self, address: int, values: Sequence[int]) -> None:
        """Set holding registers (0..65535) from `address` on."""
        head = struct.pack(">BHHB", Function.WRITE_REGISTERS, address, len(values), 2 * len(values))
        self._write(head + struct.pack(f">{len(values)}H", *values), echoed=5)

    def _read(self, function: Function, address: int, count: int, size: int) -> bytes:
        answer = self._asked(struct.pack(">BHH", function, address, count))
        if len(answer) != 2 + size or answer[1] != size:
            raise self._lost("answers with another count of bytes")
        return answer[2:]

    def _write(self, request: bytes, *, echoed: int) -> None:
        """A writing's answer repeats the beginning of the request."""
        if self._asked(request) != request[:echoed]:
            raise self._lost("answers to a writing with something else")

    def _asked(self, request: bytes) -> bytes:
        if self._link is None:
            why = f": it {self._why}" if self._why else ""
            raise DriverError(f"the Modbus coupler at {self._where} is not connected{why}")
        self._transaction = (self._transaction + 1) % 0x10000
        end = time.monotonic() + self._answer_s
        try:
            self._link.settimeout(self._answer_s)
            self._link.sendall(frame(self._transaction, self._unit, request))
            transaction, _, answer = self._next(end)
        except TimeoutError:
            raise self._lost(f"did not answer in {1e3 * self._answer_s:g} ms") from None
        except (OSError, FrameError) as error:
            raise self._lost(f"ended the connection: {getattr(error, 'strerror', None) or error}") from None
        if transaction != self._transaction:
            raise self._lost("answers to another request")
        if answer[0] == request[0] | 0x80 and len(answer) == 2:
            meaning = EXCEPTIONS.get(answer[1], "a code that the specification does not have")
            name = Function(request[0]).name.lower().replace("_", " ")
            raise DriverError(
                f"the Modbus coupler at {self._where} refuses to {name} at {int.from_bytes(request[1:3])}: "
                f"exception {answer[1]}, {meaning}"
            )
        if answer[0] != request[0]:
            raise self._lost("answers to another function")
        return answer

    def _next(self, end: float) -> tuple[int, int, bytes]:
        assert self._link is not None
        while (found := taken(self._received)) is None:
            left = end - time.monotonic()
            if left <= 0.0:
                raise TimeoutError
            self._link.settimeout(left)
            data = self._link.recv(4096)
            if not data:
                raise OSError("it is closed")
            self._received += data
        return found

    def _lost(self, what: str) -> DriverError:
        self.close()
        self._why = what
        return DriverError(f"the Modbus coupler at {self._where} {what}")

    @property
    def _where(self) -> str:
        return f"{self.host} port {self.port}"
