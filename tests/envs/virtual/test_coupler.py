"""The virtual coupler: the client of pymodbus, which nobody here wrote, and what a wire may do."""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellwright_envs.virtual.controller import ControllerError
from cellwright_envs.virtual.coupler import VirtualCoupler
from cellwright_runtime.drivers.modbus import HEADER
from cellwright_runtime.drivers.modbus_power_source import CouplerMap, ModbusPowerSource
from cellwright_runtime.drivers.power_source import (
    PowerCommand,
    PowerState,
    Scale,
    VirtualPowerSource,
    Wiring,
)
from tests.addresses import loopback
from tests.processes import Process

HOST = loopback()
WIRING = Wiring(
    wire_feed=Scale(unit="m/s", at_0_v=0.0, at_10_v=0.25), voltage=Scale(unit="V", at_0_v=10.0, at_10_v=45.0)
)
METERS = (180.25, -2.5, 1e-3)


class Source(VirtualPowerSource):
    def read(self) -> PowerState:
        state = super().read()
        return PowerState(time_s=state.time_s, arc_established=state.arc_established, signals=METERS)


class Shop:
    """A coupler, its source and their clock."""

    def __init__(self, **registers: int) -> None:
        self.source, self.now_s = Source(WIRING), 0.0
        self.map = CouplerMap(meter_count=len(METERS), **registers)
        self.coupler = VirtualCoupler(
            self.source, registers=self.map, time_s=lambda: self.now_s, address=HOST, port=0
        )
        self.coupler.start()

    def close(self) -> None:
        self.coupler.close()
        assert self.coupler.failure is None


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    yield made
    made.close()


def until(done: Callable[[], Any], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.005)


def asked(shop: Shop, pdu: bytes) -> bytes:
    """The answer to one request."""
    with socket.create_connection((HOST, shop.coupler.port), 20.0) as link:
        link.sendall(HEADER.pack(7, 0, len(pdu) + 1, 9) + pdu)
        data = link.recv(300)
        transaction, protocol, count, unit = HEADER.unpack_from(data)
        while len(data) < 6 + count:
            data += link.recv(300)
    assert (transaction, protocol, unit) == (7, 0, 9)
    assert len(data) == 6 + count
    return data[HEADER.size :]


def test_the_client_of_pymodbus_welds_through_the_coupler(shop: Shop) -> None:
    client = Process(
        "from pymodbus.client import ModbusTcpClient\n"
        f"client = ModbusTcpClient({HOST!r}, port={shop.coupler.port}, timeout=20)\n"
        "assert client.connect()\n"
    )
    try:
        client.do("assert not client.write_registers(0, [13107, 32767]).isError()")
        client.do("assert not client.write_coil(0, True).isError()")
        until(lambda: shop.source.command.arc_on)
        assert shop.source.command.wire_feed_v == pytest.approx(4.0, abs=1e-3)
        assert shop.source.command.voltage_v == 10.0
        assert client.ask("client.read_discrete_inputs(0, count=2).bits[:2]") == [False, True]
        shop.source.pass_time(1.0)
        assert client.ask("client.read_discrete_inputs(0, count=2).bits[:2]") == [True, True]
        read = client.ask(
            "client.convert_from_registers(client.read_input_registers(0, count=6).registers, "
            "client.DATATYPE.FLOAT32)"
        )
        assert read == [pytest.approx(value, rel=1e-7) for value in METERS]
        assert client.ask("client.read_holding_registers(0, count=2).registers") == [13107, 32767]
        client.do("assert not client.write_register(1, 0).isError()")
        client.do("assert not client.write_coils(0, [False, True, False]).isError()")
        until(lambda: not shop.source.command.arc_on)
        assert shop.source.command.voltage_v == 0.0
        assert client.ask("client.read_coils(0, count=3).bits[:3]") == [False, True, False]
        assert client.ask("client.read_input_registers(0, count=125).exception_code") == 2
    finally:
        client.close()


def test_our_client_and_our_coupler_agree_at_other_addresses() -> None:
    shop = Shop(wire_feed=0x800, voltage=0x805, arc_on=33, arc_established=70, ready=40, meters=300)
    power = ModbusPowerSource(HOST, WIRING, port=shop.coupler.port, registers=shop.map, answer_s=20.0)
    power.connect()
    power.send(PowerCommand(wire_feed_v=3.0, voltage_v=5.0, arc_on=True))
    shop.source.pass_time(1.0)
    state = power.read()
    assert (state.arc_established, state.ready) == (True, True)
    assert state.signals == tuple(pytest.approx(value, rel=1e-7) for value in METERS)
    assert shop.source.wire_feed_m_s == pytest.approx(0.075, abs=0.25 / 32767)
    power.close()
    assert not shop.source.command.arc_on
    shop.close()


def test_without_writings_the_watchdog_puts_the_arc_out(shop: Shop) -> None:
    asked(shop, struct.pack(">BHHB2H", 16, 0, 2, 4, 1000, 2000))
    asked(shop, struct.pack(">BHH", 5, 0, 0xFF00))
    assert shop.source.command.arc_on
    shop.now_s = 0.49
    time.sleep(0.1)
    assert shop.source.command.arc_on
    shop.now_s = 0.51
    until(lambda: not shop.source.command.arc_on)
    assert shop.source.command == PowerCommand()
    assert shop.coupler.counters["coupler: watchdog"] == 1
    assert asked(shop, struct.pack(">BHH", 1, 0, 1)) == b"\x01\x01\x00"
    asked(shop, struct.pack(">BHH", 6, 0, 1000))  # a writing does not bring the arc back
    assert not shop.source.command.arc_on


@pytest.mark.parametrize(
    ("pdu", "answer"),
    [
        (struct.pack(">BHH", 23, 0, 1), b"\x97\x01"),  # a function that it does not have
        (struct.pack(">BHH", 3, 17, 1), b"\x83\x02"),
        (struct.pack(">BHH", 4, 0xFFFF, 125), b"\x84\x02"),
        (struct.pack(">BHH", 5, 16, 0xFF00), b"\x85\x02"),
        (struct.pack(">BHH", 5, 0, 1), b"\x85\x03"),
        (struct.pack(">BHH", 1, 0, 0), b"\x81\x03"),
        (struct.pack(">BHH", 2, 0, 2001), b"\x82\x03"),
        (struct.pack(">BH", 3, 0), b"\x83\x03"),
        (struct.pack(">BHHBH", 16, 0, 1, 4, 7), b"\x90\x03"),
        (struct.pack(">BHHB2H", 16, 0, 0, 4, 7, 7), b"\x90\x03"),
        (struct.pack(">BHHB", 15, 0, 9, 1) + b"\x01", b"\x8f\x03"),
    ],
)
def test_what_cannot_be_meant_gets_the_exception_of_the_specification(
    shop: Shop, pdu: bytes, answer: bytes
) -> None:
    assert asked(shop, pdu) == answer
    assert shop.source.command == PowerCommand()


def test_an_output_gives_ten_volts_at_most_and_none_for_a_negative_number(shop: Shop) -> None:
    asked(shop, struct.pack(">BHH", 6, 0, 0xFFFF))
    assert shop.source.command.wire_feed_v == 0.0
    assert shop.coupler.counters["coupler: outputs beyond their range"] == 1
    narrow = Shop(full_count=4095)
    asked(narrow, struct.pack(">BHH", 6, 0, 5000))
    assert narrow.source.command.wire_feed_v == 10.0
    narrow.close()


SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@SETTINGS
@given(st.lists(st.binary(max_size=400) | st.binary(max_size=253).map(
    lambda pdu: HEADER.pack(1, 0, len(pdu) + 1, 1) + pdu
), max_size=4))  # fmt: skip
def test_no_bytes_end_the_coupler_or_strike_an_arc(shop: Shop, sent: list[bytes]) -> None:
    with socket.create_connection((HOST, shop.coupler.port), 20.0) as link:
        for data in sent:
            try:
                link.sendall(data)
            except OSError:
                break  # it was dropped already
    assert shop.coupler.failure is None
    assert asked(shop, struct.pack(">BHH", 2, 1, 1)) == b"\x02\x01\x01"


def test_a_client_that_sends_half_a_frame_holds_nobody_up(shop: Shop) -> None:
    with socket.create_connection((HOST, shop.coupler.port), 20.0) as half:
        half.sendall(HEADER.pack(1, 0, 6, 1) + b"\x03")
        assert asked(shop, struct.pack(">BHH", 2, 1, 1)) == b"\x02\x01\x01"
        half.sendall(struct.pack(">HH", 0, 1))
        assert half.recv(100) == HEADER.pack(1, 0, 5, 1) + b"\x03\x02\x00\x00"


def test_a_port_in_use_and_an_address_of_others_are_one_line(shop: Shop) -> None:
    def made(**options: Any) -> VirtualCoupler:
        return VirtualCoupler(shop.source, registers=shop.map, time_s=lambda: 0.0, **options)

    with pytest.raises(ControllerError, match=rf"cannot serve coupler at {HOST} port \d+: Address al"):
        made(address=HOST, port=shop.coupler.port).start()
    with pytest.raises(ControllerError, match="can be reached from outside"):
        made(address="0.0.0.0")
