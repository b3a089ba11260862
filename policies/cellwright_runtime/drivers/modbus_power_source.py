"""A power source behind a Modbus coupler: I/O that every robot of a shop can share.

Of the four robot controllers only UR's has analogue outputs on its wire. A coupler with two analogue outputs,
a digital output and digital inputs, as a BK9000 or a WAGO 750 carries them, does the same beside all of them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

from cellwright_runtime.drivers.driver import DriverError
from cellwright_runtime.drivers.link import Clock, monotonic
from cellwright_runtime.drivers.modbus import MOST_BITS, MOST_REGISTERS, Function, ModbusClient
from cellwright_runtime.drivers.power_source import FULL_V, PowerCommand, PowerState, Wiring, checked

FEED_S = 0.1
"""Outputs are written again after so long, for the watchdog of the coupler."""
RETRY_S = 1.0
"""A coupler that is gone is looked for so often, to put the arc out."""


@dataclass(frozen=True, kw_only=True)
class CouplerMap:
    """Where the signals are in the coupler's process image; addresses count from 0."""

    wire_feed: int = 0
    """Holding register of the analogue output for wire feed."""
    voltage: int = 1
    """Holding register of the analogue output for the arc's voltage."""
    full_count: int = 32767
    """What stands for 10 V; 0 V is 0. 32767 is that of terminals with 15 bits and a sign."""
    arc_on: int = 0
    """Coil."""
    arc_established: int = 0
    """Discrete input."""
    ready: int = 1
    """Discrete input."""
    meters: int = 0
    """First input register of the meters, two registers each: 32 bit floats, the high word first."""
    meter_count: int = 0
    """How many meters there are; 0 for a source without."""

    def __post_init__(self) -> None:
        for name in ("wire_feed", "voltage", "arc_on", "arc_established", "ready", "meters"):
            if not 0 <= getattr(self, name) <= 0xFFFF:
                raise ValueError(f"{name} must be an address from 0 to 65535, got {getattr(self, name)}")
        if self.wire_feed == self.voltage or self.arc_established == self.ready:
            raise ValueError("two signals of a coupler have the same address")
        if not 255 <= self.full_count <= 0xFFFF:
            raise ValueError(f"full_count must be from 255 to 65535, got {self.full_count}")
        if not 0 <= self.meter_count <= MOST_REGISTERS // 2:
            raise ValueError(f"meter_count must be from 0 to {MOST_REGISTERS // 2}, got {self.meter_count}")
        if self.meters + 2 * self.meter_count > 0x10000:
            raise ValueError("the meters end beyond the last address, 65535")
        if abs(self.ready - self.arc_established) >= MOST_BITS:
            raise ValueError(f"the discrete inputs must be less than {MOST_BITS} apart")

    def count(self, volts: float) -> int:
        """The register for an output of 0 to 10 V, to the nearest step."""
        return round(volts / FULL_V * self.full_count)

    def volts(self, count: int) -> float:
        """The output for a register."""
        return FULL_V * count / self.full_count


class ModbusPowerSource:
    """A `PowerSource`; every call waits for the coupler, up to `answer_s` for each of two or three requests.

    In front of a real robot, whose cycle must not wait, put it behind a `PolledPowerSource`.
    """

    def __init__(
        self,
        host: str,
        wiring: Wiring,
        *,
        port: int = 502,
        registers: CouplerMap | None = None,
        unit: int = 1,
        answer_s: float = 0.05,
        clock: Clock = monotonic,
    ) -> None:
        """`clock` is the session's, which the times of states are on."""
        self.wiring = wiring
        self.registers = registers or CouplerMap()
        self._client = ModbusClient(host, port, unit=unit, answer_s=answer_s)
        self._clock = clock
        self._put: tuple[int, int, bool] | None = None
        """What the coupler has confirmed; None where that is not known."""
        self._put_s, self._tried_s = 0.0, -math.inf

    def connect(self) -> PowerState:
        self._client.connect()
        self._put = None
        self._write(0, 0, False)
        return self.read()

    def send(self, command: PowerCommand) -> None:
        command = checked(command)
        counts = self.registers.count(command.wire_feed_v), self.registers.count(command.voltage_v)
        self._write(*counts, command.arc_on)

    def read(self) -> PowerState:
        registers = self.registers
        first = min(registers.arc_established, registers.ready)
        count = abs(registers.arc_established - registers.ready) + 1
        bits = self._client.read_bits(Function.READ_DISCRETE_INPUTS, first, count)
        meters: tuple[float, ...] = ()
        if registers.meter_count:
            data = self._client.read_registers(
                Function.READ_INPUT_REGISTERS, registers.meters, 2 * registers.meter_count
            )
            meters = struct.unpack(f">{registers.meter_count}f", data)
        return PowerState(
            time_s=self._clock(),
            arc_established=bits[registers.arc_established - first],
            ready=bits[registers.ready - first],
            signals=meters,
        )

    def stop(self) -> None:
        """Put the arc out; raises DriverError where the coupler is gone, and looks for it once a second."""
        now_s = self._clock()
        if not self._client.connected:
            if now_s - self._tried_s < RETRY_S:
                raise DriverError("the Modbus coupler is gone, and the arc cannot be put out from here")
            self._tried_s = now_s
            self._client.connect()
        self._write(0, 0, False)

    def close(self) -> None:
        """Put the arc out where the coupler is there, and let go of it."""
        try:
            if self._client.connected:
                self._write(0, 0, False)
        except DriverError:
            pass  # its watchdog does it
        finally:
            self._client.close()

    def _write(self, wire_feed: int, voltage: int, arc_on: bool) -> None:
        """Put out what has changed, or all of it after a while; the arc goes out first and on last."""
        wanted, now_s = (wire_feed, voltage, arc_on), self._clock()
        if self._put == wanted and 0.0 <= now_s - self._put_s < FEED_S:
            return
        before, self._put = self._put, None
        switched = before is None or before[2] != arc_on
        if arc_on:
            for write in self._outputs(wire_feed, voltage):
                write()
            if switched:
                self._client.write_coil(self.registers.arc_on, True)
        else:
            self._put_out(wire_feed, voltage, coil=switched)
        self._put, self._put_s = wanted, now_s

    def _put_out(self, wire_feed: int, voltage: int, *, coil: bool) -> None:
        """Try all that puts the arc out, since any of it does; then raise what was refused first."""
        refused: list[DriverError] = []
        writes = self._outputs(wire_feed, voltage)
        if coil:
            writes.insert(0, lambda: self._client.write_coil(self.registers.arc_on, False))
        for write in writes:
            if not self._client.connected:
                break  # nothing of it arrives
            try:
                write()
            except DriverError as refusal:
                refused.append(refusal)
        if refused:
            raise refused[0]

    def _outputs(self, wire_feed: int, voltage: int) -> list[Callable[[], None]]:
        """What writes both analogue outputs."""
        registers, write = self.registers, self._client.write_registers
        if registers.voltage == registers.wire_feed + 1:
            return [lambda: write(registers.wire_feed, [wire_feed, voltage])]
        return [
            lambda: write(registers.wire_feed, [wire_feed]),
            lambda: write(registers.voltage, [voltage]),
        ]
