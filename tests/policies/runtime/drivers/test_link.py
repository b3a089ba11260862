"""What comes over a wire beside and instead of the robot's packets, which nobody chooses."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cellwright_runtime.drivers import egm_messages as egm
from cellwright_runtime.drivers import fanuc_packets as packets
from cellwright_runtime.drivers import link as linked
from cellwright_runtime.drivers import rsi_telegrams
from cellwright_runtime.drivers.abb_egm import AbbEgmDriver, pose_message
from cellwright_runtime.drivers.driver import DriverError, Mode, RobotState
from cellwright_runtime.drivers.fanuc_stream import FanucStreamDriver
from cellwright_runtime.drivers.kuka_rsi import KukaRsiDriver

HERE, ROBOT, OTHER = "127.0.73.1", "127.0.73.2", "127.0.73.3"
TOOL = np.array([0.5, 0.0, 0.5, 0.0, 3.1, 0.0])


def telegram(ipoc: int) -> bytes:
    return rsi_telegrams.rob(tool=TOOL, planned=TOOL, joints_rad=np.zeros(6), ipoc=ipoc, delay=0)


class Wire:
    """A robot, somebody else, and a driver that listens to them."""

    def __init__(self, driver: KukaRsiDriver) -> None:
        self.driver = driver
        self.robot, self.other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.robot.bind((ROBOT, 0))
        self.other.bind((OTHER, 0))

    def say(self, data: bytes, who: socket.socket | None = None) -> None:
        (who or self.robot).sendto(data, self.driver._address)

    def connect(self, ipoc: int = 1000) -> RobotState:
        threading.Timer(0.2, self.say, [telegram(ipoc)]).start()
        return self.driver.connect()

    def hear(self, *ipocs: int) -> RobotState:
        for each in ipocs:
            self.say(telegram(each))
        return self.driver.read_state()


@pytest.fixture
def wire() -> Iterator[Wire]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as spare:
        spare.bind((HERE, 0))
        port = spare.getsockname()[1]
    made = Wire(KukaRsiDriver(Mode.TOOL_CORRECTION, listen=HERE, port=port, silence_s=1.0))
    yield made
    made.driver._state = None  # or it would wait for one telegram more
    made.driver.close()
    made.robot.close()
    made.other.close()


def test_packets_of_others_take_nothing_away_from_the_robot(wire: Wire) -> None:
    wire.connect()
    for ipoc in range(1004, 1024, 4):
        wire.say(telegram(ipoc))
        wire.say(b"x", wire.other)
        wire.say(telegram(9_999_999), wire.other)
        state = wire.driver.read_state()
        assert state.sequence == ipoc
        assert not state.status
    assert wire.driver.counters["packets of others"] >= 8
    assert wire.driver.counters["packets skipped"] == 0


class Flood:
    """A socket in which there is always one more."""

    def __init__(self) -> None:
        self.taken = 0

    def settimeout(self, wait_s: float) -> None: ...

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:
        self.taken += 1
        if self.taken > 100_000:
            raise BlockingIOError
        return b"x", (OTHER, 5)


@pytest.mark.parametrize("only", [None, (ROBOT, 5)])
def test_a_flood_keeps_no_cycle(only: tuple[str, int] | None) -> None:
    flood: Any = Flood()
    got = linked.newest(flood, 0.02, only)
    assert got is not None
    assert (got.data is None) is (only is not None)
    assert flood.taken < 10_000


def test_telegrams_of_another_cycle_end_in_one_line(wire: Wire) -> None:
    wire.connect()
    for ipoc in range(1012, 1012 + 12 * 24, 12):
        wire.hear(ipoc)
    told = r"telegrams are 12 ms apart, .* for 4 ms: set cycle_ms in \[robot\]"
    with pytest.raises(DriverError, match=told):
        wire.hear(1300)


def test_a_program_that_comes_late_or_misses_some_hears_the_same_cycle(wire: Wire) -> None:
    wire.connect()
    for cycle in range(40):
        first = 1004 + 12 * cycle
        assert wire.hear(first, first + 4, first + 8).sequence == first + 8
    for cycle in range(40):  # every third is lost
        first = 1484 + 12 * cycle
        wire.hear(first)
        wire.hear(first + 4)


def test_a_robot_of_another_cycle_is_refused_at_once_where_it_does_not_wait(wire: Wire) -> None:
    wire.driver._keep_alive = True
    begun = threading.Event()

    def speak() -> None:
        for ipoc in range(1000, 3400, 12):
            wire.say(telegram(ipoc))
            if begun.wait(0.01):
                return

    threading.Timer(0.2, speak).start()
    with pytest.raises(DriverError, match="telegrams are 12 ms apart"):
        wire.driver.connect()
    begun.set()


def test_a_telegram_without_its_numbers_is_none(wire: Wire) -> None:
    wire.connect()
    for lacking in (b"<AIPos/>", b'<AIPos A1="1" A2="2"/>'):
        whole = telegram(1004)
        start, end = whole.index(b"<AIPos"), whole.index(b"<Delay")
        wire.say(whole[:start] + lacking + whole[end:])
        assert wire.driver._next() is None
    assert wire.driver.counters["packets that cannot be read"] == 2
    assert wire.hear(1008).sequence == 1008


def test_clocks_of_32_bits_go_on_when_they_wrap() -> None:
    abb, end_ms = AbbEgmDriver(Mode.OBSERVE), (1 << 32) - 4

    def heard(number: int, time_ms: int) -> float:
        message = {
            "header": {"seqno": number, "tm": time_ms % (1 << 32), "mtype": egm.DATA},
            "feedBack": {"joints": {"joints": [0.0] * 6}, "cartesian": pose_message(TOOL)},
        }
        state = abb._understood(egm.encode("EgmRobot", message))
        assert state is not None
        return state.time_s

    fanuc = FanucStreamDriver("127.0.73.4")

    def told(number: int, time_ms: int) -> float:
        said = packets.Status(
            version=3,
            sequence=number,
            time_ms=time_ms % (1 << 32),
            pose=np.zeros(6),
            joints_deg=np.zeros(6),
        )
        return fanuc._state_of(said).time_s

    for clock in (heard, told):
        assert clock(1, end_ms) == pytest.approx(end_ms * 1e-3)
        assert clock(2, end_ms + 4) == pytest.approx(end_ms * 1e-3 + 0.004, abs=1e-6)
        assert clock(3, end_ms + 8) == pytest.approx(end_ms * 1e-3 + 0.008, abs=1e-6)
        assert clock(4, end_ms + 4) == pytest.approx(end_ms * 1e-3 + 0.004, abs=1e-6)  # set back: seen
