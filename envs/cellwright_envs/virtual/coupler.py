"""A virtual Modbus TCP coupler, whose terminals are wired to a power source."""

from __future__ import annotations

import math
import socket
import struct
from collections.abc import Callable
from typing import Any

from cellwright_envs.virtual.device import TcpDevice
from cellwright_envs.virtual.tcp import TcpClient, TcpPort
from cellwright_runtime.drivers.modbus import (
    MOST_BITS,
    MOST_REGISTERS,
    MOST_WRITTEN,
    FrameError,
    Function,
    frame,
    taken,
)
from cellwright_runtime.drivers.modbus_power_source import CouplerMap
from cellwright_runtime.drivers.power_source import PowerCommand, PowerSource

WATCHDOG_S = 0.5
"""Without a writing for so long the outputs go to zero; couplers come with 0.1 to 1 s."""
_SPARE = 16
"""Coils, inputs and registers beyond the last one of the map; they read zero and hold what is written."""
_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS, _ILLEGAL_VALUE = 1, 2, 3


def map_of(source: PowerSource) -> CouplerMap:
    """The default register map, with all meters of `source`."""
    return CouplerMap(meter_count=len(source.read().signals))


class ModbusError(ValueError):
    """An exception code, as an answer."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}")
        self.code = code


class VirtualCoupler(TcpDevice):
    """The process image of a coupler in front of a `PowerSource`."""

    name = "coupler"

    def __init__(
        self,
        source: PowerSource,
        *,
        registers: CouplerMap,
        time_s: Callable[[], float],
        address: str = "127.0.0.1",
        port: int = 5020,
        watchdog_s: float = WATCHDOG_S,
        anywhere: bool = False,
    ) -> None:
        """`time_s` is the clock of the simulated cell, in which the watchdog counts: in lock-step nothing is
        late because this computer is."""
        super().__init__(address=address, port=port, anywhere=anywhere)
        self._source, self._map, self._time_s, self._watchdog_s = source, registers, time_s, watchdog_s
        self._coils = [False] * (registers.arc_on + _SPARE)
        self._holding = [0] * (max(registers.wire_feed, registers.voltage) + _SPARE)
        self._bits = max(registers.arc_established, registers.ready) + _SPARE
        self._inputs = registers.meters + 2 * registers.meter_count + _SPARE
        self._written_s: float | None = None

    def _client(self, link: socket.socket, port: TcpPort) -> TcpClient:
        return _Connection(link, port, self)

    def answered(self, pdu: bytes) -> bytes:
        """The answer to function and data; an exception where they cannot be meant."""
        self.counters["coupler: requests"] += 1
        try:
            return pdu[:1] + self._answer(pdu[0], pdu[1:])
        except ModbusError as refused:
            self.counters[f"coupler: exceptions {refused.code}"] += 1
            return bytes([pdu[0] | 0x80, refused.code])

    def _answer(self, function: int, data: bytes) -> bytes:
        made: dict[int, Callable[[bytes], bytes]] = {
            Function.READ_COILS: lambda data: self._read_bits(data, self._coils),
            Function.READ_DISCRETE_INPUTS: lambda data: self._read_bits(data, self._discrete()),
            Function.READ_HOLDING_REGISTERS: lambda data: self._read_registers(
                data, len(self._holding), lambda: struct.pack(f">{len(self._holding)}H", *self._holding)
            ),
            Function.READ_INPUT_REGISTERS: lambda data: self._read_registers(
                data, self._inputs, self._meters
            ),
            Function.WRITE_COIL: self._write_coil,
            Function.WRITE_REGISTER: self._write_register,
            Function.WRITE_COILS: self._write_coils,
            Function.WRITE_REGISTERS: self._write_registers,
        }
        if function not in made:
            raise ModbusError(_ILLEGAL_FUNCTION)
        return made[function](data)

    # What is read

    def _discrete(self) -> list[bool]:
        state, bits = self._source.read(), [False] * self._bits
        bits[self._map.arc_established], bits[self._map.ready] = state.arc_established, state.ready
        return bits

    def _meters(self) -> bytes:
        registers, signals = self._map, self._source.read().signals
        shown = struct.pack(f">{registers.meter_count}f", *signals[: registers.meter_count])
        return bytes(2 * registers.meters) + shown + bytes(2 * _SPARE)

    @staticmethod
    def _read_bits(data: bytes, bits: list[bool]) -> bytes:
        address, count = _unpacked(">HH", data)
        _require_range(address, count, MOST_BITS, len(bits))
        chosen = bits[address : address + count]
        packed = sum(bit << number for number, bit in enumerate(chosen)).to_bytes((count + 7) // 8, "little")
        return bytes([len(packed)]) + packed

    @staticmethod
    def _read_registers(data: bytes, there: int, registers: Callable[[], bytes]) -> bytes:
        address, count = _unpacked(">HH", data)
        _require_range(address, count, MOST_REGISTERS, there)
        return bytes([2 * count]) + registers()[2 * address : 2 * (address + count)]

    # What is written

    def _write_coil(self, data: bytes) -> bytes:
        address, value = _unpacked(">HH", data)
        if value not in (0, 0xFF00):
            raise ModbusError(_ILLEGAL_VALUE)
        _require_range(address, 1, 1, len(self._coils))
        self._coils[address] = value != 0
        self._put_out()
        return data

    def _write_coils(self, data: bytes) -> bytes:
        address, count, size = _unpacked(">HHB", data[:5])
        _require_range(address, count, MOST_BITS, len(self._coils))
        if size != (count + 7) // 8 or len(data) != 5 + size:
            raise ModbusError(_ILLEGAL_VALUE)
        for number in range(count):
            self._coils[address + number] = bool(data[5 + number // 8] >> number % 8 & 1)
        self._put_out()
        return data[:4]

    def _write_register(self, data: bytes) -> bytes:
        address, value = _unpacked(">HH", data)
        _require_range(address, 1, 1, len(self._holding))
        self._holding[address] = value
        self._put_out()
        return data

    def _write_registers(self, data: bytes) -> bytes:
        address, count, size = _unpacked(">HHB", data[:5])
        _require_range(address, count, MOST_WRITTEN, len(self._holding))
        if size != 2 * count or len(data) != 5 + size:
            raise ModbusError(_ILLEGAL_VALUE)
        self._holding[address : address + count] = struct.unpack(f">{count}H", data[5:])
        self._put_out()
        return data[:4]

    def _put_out(self) -> None:
        """Have the terminals put out what the image says."""
        registers = self._map
        self._written_s = self._time_s()
        self._source.send(
            PowerCommand(
                wire_feed_v=self._volts(self._holding[registers.wire_feed]),
                voltage_v=self._volts(self._holding[registers.voltage]),
                arc_on=self._coils[registers.arc_on],
            )
        )

    def _volts(self, count: int) -> float:
        """Of a terminal for 0 to 10 V: it puts out no more, and nothing for a negative number."""
        if count <= self._map.full_count:
            return self._map.volts(count)
        self.counters["coupler: outputs beyond their range"] += 1
        return 0.0 if count > 0x7FFF else self._map.volts(self._map.full_count)

    def _tick(self) -> None:
        """The watchdog."""
        silent_s = -math.inf if self._written_s is None else self._time_s() - self._written_s
        if silent_s > self._watchdog_s:
            self.counters["coupler: watchdog"] += 1
            self._written_s = None
            self._coils[self._map.arc_on] = False
            self._holding[self._map.wire_feed] = self._holding[self._map.voltage] = 0
            self._source.stop()


class _Connection(TcpClient):
    def __init__(self, link: socket.socket, port: TcpPort, coupler: VirtualCoupler) -> None:
        super().__init__(link, port)
        self._coupler = coupler

    def on_data(self) -> None:
        """Answer every request that is whole."""
        while not self.closed:
            try:
                found = taken(self.received)
            except FrameError:
                self.malformed("bytes that are no frame")
                return
            if found is None:
                return
            transaction, unit, pdu = found
            self.send(frame(transaction, unit, self._coupler.answered(pdu)))


def _unpacked(layout: str, data: bytes) -> tuple[Any, ...]:
    if len(data) != struct.calcsize(layout):
        raise ModbusError(_ILLEGAL_VALUE)
    return struct.unpack(layout, data)


def _require_range(address: int, count: int, most: int, there: int) -> None:
    if not 1 <= count <= most:
        raise ModbusError(_ILLEGAL_VALUE)
    if address + count > there:
        raise ModbusError(_ILLEGAL_ADDRESS)
