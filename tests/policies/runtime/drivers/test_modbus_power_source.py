"""A power source behind a Modbus coupler: against the server of pymodbus, and against couplers that fail."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cellwright_runtime.drivers.driver import DriverError
from cellwright_runtime.drivers.modbus import HEADER, Function, ModbusClient
from cellwright_runtime.drivers.modbus_power_source import RETRY_S, CouplerMap, ModbusPowerSource
from cellwright_runtime.drivers.polled_power_source import PolledPowerSource
from cellwright_runtime.drivers.power_source import (
    PowerCommand,
    PowerState,
    Scale,
    VirtualPowerSource,
    Wiring,
)
from tests.processes import Process

WIRING = Wiring(
    wire_feed=Scale(unit="m/s", at_0_v=0.0, at_10_v=0.25), voltage=Scale(unit="V", at_0_v=10.0, at_10_v=45.0)
)
METERS = (180.25, -2.5, 1e-3)
BURN = PowerCommand(wire_feed_v=4.0, voltage_v=10.0, arc_on=True)
PATIENT_S = 20.0

SERVER = """
import asyncio, threading
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

coils = [SimData(address=0, values=[False] * 16, datatype=DataType.BITS)]
inputs = [SimData(address=0, values=[False, True] + [False] * 14, datatype=DataType.BITS)]
holding = [SimData(address=0, count=16, values=7, datatype=DataType.REGISTERS)]
meters = [SimData(address=4, values=[180.25, -2.5, 1e-3], datatype=DataType.FLOAT32)]
asked, ready = [], threading.Event()

def trace(sending, pdu):
    if not sending:
        asked.append((pdu.function_code, pdu.address, list(pdu.registers), list(pdu.bits)[:1]))
    return pdu

async def run():
    device = SimDevice(id=1, simdata=(coils, inputs, holding, meters))
    server = ModbusTcpServer(device, address=("127.0.0.1", 0), trace_pdu=trace)
    await server.serve_forever(background=True)
    global port
    port = server.transport.sockets[0].getsockname()[1]
    ready.set()
    await asyncio.sleep(3600)

threading.Thread(target=lambda: asyncio.run(run()), daemon=True).start()
assert ready.wait(60.0)
"""


@pytest.fixture(scope="module")
def pymodbus() -> Iterator[Process]:
    process = Process(SERVER)
    yield process
    process.close()


def source(port: int, *, clock: Callable[[], float] = time.monotonic, **registers: int) -> ModbusPowerSource:
    chosen: dict[str, int] = {"meters": 4, "meter_count": len(METERS)} | registers
    return ModbusPowerSource(
        "127.0.0.1", WIRING, port=port, registers=CouplerMap(**chosen), answer_s=PATIENT_S, clock=clock
    )


def test_outputs_inputs_and_meters_pass_the_server_of_pymodbus(pymodbus: Process) -> None:
    now = [10.0]
    power = source(pymodbus.ask("port"), clock=lambda: now[0])
    state = power.connect()
    assert state == PowerState(
        time_s=10.0, arc_established=False, ready=True, signals=(180.25, -2.5, pytest.approx(1e-3, rel=1e-7))
    )
    pymodbus.do("asked.clear()")
    power.send(BURN)
    power.send(BURN)  # nothing has changed
    now[0] += 0.11
    power.send(BURN)  # for the watchdog
    power.stop()
    power.read()
    assert pymodbus.ask("asked") == [
        (16, 0, [13107, 32767], []),
        (5, 0, [], [True]),
        (16, 0, [13107, 32767], []),
        (5, 0, [], [False]),  # the arc first
        (16, 0, [0, 0], []),
        (2, 0, [], []),
        (4, 4, [], []),
    ]
    power.close()


def test_a_map_that_the_coupler_does_not_have_is_explained(pymodbus: Process) -> None:
    power = source(pymodbus.ask("port"), wire_feed=0x800, voltage=0x801)
    with pytest.raises(DriverError, match=r"refuses to write registers at 2048: exception 2, it has no such"):
        power.connect()
    power.close()


def test_outputs_that_are_apart_are_written_one_by_one(pymodbus: Process) -> None:
    power = source(pymodbus.ask("port"), wire_feed=3, voltage=9)
    power.connect()
    power.send(BURN)
    client = ModbusClient("127.0.0.1", pymodbus.ask("port"), answer_s=PATIENT_S)
    client.connect()
    registers = struct.unpack(">16H", client.read_registers(Function.READ_HOLDING_REGISTERS, 0, 16))
    assert (registers[3], registers[9]) == (13107, 32767)
    assert client.read_bits(Function.READ_COILS, 0, 3) == [True, False, False]
    client.close()
    power.close()


def test_a_step_of_the_outputs_is_small_beside_what_a_weld_notices() -> None:
    """8 micrometres a second of wire and 1 mV with 15 bits; 12 bits are eight times as coarse."""
    steps = {count: CouplerMap(full_count=count).volts(1) / 10.0 for count in (32767, 4095)}
    assert WIRING.wire_feed.at_10_v * steps[32767] == pytest.approx(7.6e-6, rel=0.01)
    assert 35.0 * steps[32767] == pytest.approx(1.07e-3, rel=0.01)
    assert WIRING.wire_feed.at_10_v * steps[4095] == pytest.approx(61e-6, rel=0.01)
    registers = CouplerMap()
    for volts in (0.0, 1.2345678, 9.9999, 10.0):
        assert registers.volts(registers.count(volts)) == pytest.approx(volts, abs=0.5 * 10.0 / 32767)
    assert (registers.count(0.0), registers.count(10.0)) == (0, 32767)


@contextlib.contextmanager
def coupler(answer: Callable[[bytes], bytes | None]) -> Iterator[int]:
    """Answers each request with what `answer` makes of it; None ends the connection."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = listening.accept()
                with link:
                    while data := link.recv(300):
                        said = answer(data)
                        if said is None:
                            break
                        link.sendall(said)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def echoed(request: bytes) -> bytes:
    transaction, _, _, unit = HEADER.unpack_from(request)
    return HEADER.pack(transaction, 0, 6, unit) + request[7:12]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda request: b"", "did not answer in 100 ms"),
        (lambda request: None, "ended the connection: it is closed"),
        (lambda request: b"GET / HTTP/1.1\r\n", "ended the connection: protocol 21536"),
        (lambda request: b"\xff\xff" + echoed(request)[2:], "answers to another request"),
        (lambda request: echoed(request)[:7] + b"\x01\x00\x00\xff\x00", "answers to another function"),
        (lambda request: echoed(request)[:10] + b"\x12\x34", "answers to a writing with something else"),
        (lambda request: request[:4] + b"\x00\x03\x01" + bytes([request[7] | 0x80, 6]), "exception 6"),
    ],
)  # fmt: skip
def test_a_coupler_that_answers_something_else_is_one_line(answer: Any, told: str) -> None:
    with coupler(answer) as port:
        waits_s = 0.1 if "100 ms" in told else PATIENT_S
        power = ModbusPowerSource("127.0.0.1", WIRING, port=port, answer_s=waits_s)
        with pytest.raises(DriverError, match=told) as raised:
            power.connect()
        assert "\n" not in str(raised.value)
        power.close()


def test_a_coupler_that_is_gone_is_looked_for_once_a_second() -> None:
    now, came = [0.0], list[bytes]()

    def ends(request: bytes) -> None:
        came.append(request)

    with coupler(ends) as port:
        power = ModbusPowerSource("127.0.0.1", WIRING, port=port, answer_s=PATIENT_S, clock=lambda: now[0])
        with pytest.raises(DriverError, match="ended the connection"):
            power.connect()
        now[0] = 10.0
        for _ in range(5):
            with pytest.raises(DriverError):
                power.stop()
        assert len(came) == 2
        now[0] += RETRY_S
        with pytest.raises(DriverError, match="ended the connection"):
            power.stop()
        assert len(came) == 3
    with pytest.raises(DriverError, match=r"no Modbus coupler answers at 127\.0\.0\.1 port \d+: Connection"):
        power.connect()


class _Refusing:
    """A client of a coupler that refuses some of what it is told."""

    connected = True

    def __init__(self, *refused: str) -> None:
        self.refused: tuple[str, ...] = refused
        self.told: list[str] = []

    def write_coil(self, address: int, on: bool) -> None:
        self._take(f"coil {on}")

    def write_registers(self, address: int, values: list[int]) -> None:
        self._take(f"{address} {values}")

    def _take(self, told: str) -> None:
        self.told.append(told)
        if told in self.refused:
            raise DriverError(f"the coupler refuses {told}")


@pytest.mark.parametrize("refused", [("coil False",), ("coil False", "3 [0]"), ("3 [0]",)])
def test_an_arc_goes_out_by_all_that_the_coupler_takes(refused: tuple[str, ...]) -> None:
    power, client = source(1, wire_feed=3, voltage=7), _Refusing(*refused)
    power._client = client  # type: ignore[assignment]
    power.send(BURN)
    client.told.clear()
    for _ in range(2):
        with pytest.raises(DriverError, match=r"the coupler refuses"):
            power.stop()
        assert client.told == ["coil False", "3 [0]", "7 [0]"]
        client.told.clear()
    client.refused = ()
    power.stop()
    assert client.told == ["coil False", "3 [0]", "7 [0]"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"wire_feed": -1}, "wire_feed must be an address from 0 to 65535, got -1"),
        ({"voltage": 0}, "two signals of a coupler have the same address"),
        ({"ready": 0}, "two signals of a coupler have the same address"),
        ({"full_count": 100}, "full_count must be from 255 to 65535, got 100"),
        ({"meter_count": 63}, "meter_count must be from 0 to 62, got 63"),
        ({"meters": 65530, "meter_count": 4}, "the meters end beyond the last address"),
        ({"ready": 2000}, "must be less than 2000 apart"),
    ],
)
def test_a_map_that_cannot_be_meant_is_refused(wrong: dict[str, int], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        CouplerMap(**wrong)


# In front of a robot


class Slow(VirtualPowerSource):
    """A source whose calls take time, or fail."""

    def __init__(self) -> None:
        super().__init__(WIRING)
        self.free = threading.Event()
        self.free.set()
        self.sent: list[PowerCommand] = []

    def send(self, command: PowerCommand) -> None:
        super().send(command)
        self.sent.append(command)

    def read(self) -> PowerState:
        self.free.wait(PATIENT_S)
        return super().read()


def until(done: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENT_S
    while not done():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.002)


@pytest.fixture
def slow() -> Iterator[tuple[Slow, PolledPowerSource]]:
    inner = Slow()
    polled = PolledPowerSource(inner, period_s=0.005, silence_s=10.0)
    polled.connect()
    yield inner, polled
    inner.free.set()
    polled.close()
    assert not inner.command.arc_on


def test_a_polled_source_gets_the_newest_command_and_shows_the_newest_state(
    slow: tuple[Slow, PolledPowerSource],
) -> None:
    inner, polled = slow
    polled.send(BURN)
    until(lambda: inner.command == BURN)
    inner.pass_time(1.0)
    until(lambda: polled.read().arc_established)
    polled.stop()
    until(lambda: not inner.command.arc_on)


def test_a_slow_source_keeps_nobody_waiting_and_is_gone_after_a_while() -> None:
    inner, now = Slow(), [0.0]
    polled = PolledPowerSource(inner, period_s=0.005, silence_s=0.05, clock=lambda: now[0])
    polled.connect()
    inner.free.clear()
    begun_s = time.monotonic()
    for _ in range(100):
        polled.send(BURN)
        polled.read()
    assert time.monotonic() - begun_s < 0.5 * PATIENT_S  # one call of the source would take all of it
    now[0] = 0.2
    with pytest.raises(DriverError, match="the power source has not answered for 200 ms"):
        polled.read()
    inner.free.set()
    until(lambda: polled.read().time_s == now[0] if polled._state and polled._state.time_s == now[0] else 0)
    polled.close()


def test_an_error_of_the_source_is_latched_until_it_is_connected_again(
    slow: tuple[Slow, PolledPowerSource],
) -> None:
    inner, polled = slow
    polled.send(BURN)
    until(lambda: inner.command == BURN)
    inner.gone = True
    until(lambda: polled._error)
    inner.gone = False
    for call in (polled.read, lambda: polled.send(BURN)):
        with pytest.raises(DriverError, match="the power source does not answer"):
            call()
    until(lambda: not inner.command.arc_on)  # it came back, and its arc is put out
    polled.connect()
    polled.send(BURN)
    until(lambda: inner.command == BURN)
