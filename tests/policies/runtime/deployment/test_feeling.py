"""A robot whose wrench comes from a sensor of its own: what a spoilt wire does to a session in motion.

Records pass a UDP socket; what is wrong with them is done by the sender. Time is that of the session.
"""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cellwright_envs.virtual.wrench_sensor import VirtualWrenchSensor
from cellwright_runtime.deployment.feeling import Feeling
from cellwright_runtime.drivers import rdt_packets as packets
from cellwright_runtime.drivers.ati_rdt import STALE_S, AtiRdtSensor
from cellwright_runtime.drivers.driver import DriverError, RobotState
from cellwright_runtime.envelope.faults import Fault
from cellwright_runtime.envelope.states import NotAllowedError, State
from cellwright_runtime.interface.placing import transform_of
from tests.addresses import loopback
from tools.envelope.workplace import CYCLE_S, Workplace

HOST = loopback()
SENSOR_T = transform_of([0.01, -0.02, 0.2, 3.0, 0.2, 0.1])
Spoilt = Callable[[bytes], list[bytes]]


class Wire:
    """The sensor's socket, through which each packet becomes those that `spoil` makes of it."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self.spoil: Spoilt = lambda sent: [sent]

    def sendto(self, data: bytes, to: Any) -> None:
        for each in self.spoil(data):
            self._link.sendto(each, to)

    def recvfrom(self, most: int) -> Any:
        return self._link.recvfrom(most)


class Shop:
    """A session whose wrench is felt over a wire."""

    def __init__(self) -> None:
        self.place, self.felt = Workplace(), np.zeros(6)
        self.sensor = VirtualWrenchSensor(SENSOR_T, address=HOST, port=0)
        self.sensor.start()
        assert self.sensor._link is not None
        self.wire = Wire(self.sensor._link)
        self.sensor._link = self.wire  # type: ignore[assignment]
        self.source = AtiRdtSensor(HOST, port=self.sensor.port, counts_per_n=1e6, counts_per_n_m=1e6)
        self.place.faults.state = self._measured
        session = self.place.session
        session.driver = Feeling(session.driver, self.source, SENSOR_T, clock=lambda: self.place.now_s)
        session._clock = lambda: self.place.now_s

    def _measured(self, state: RobotState) -> RobotState:
        """The robot reports no wrench; the sensor's leaves before the state does."""
        self.sensor.feel(self.felt)
        return replace(state, wrench=None)

    def moving(self) -> None:
        self.place.session.connect()
        self.place.run(0.1)
        self.place.session.arm()
        self.place.session.start()
        self.place.run(0.7)
        assert self.place.session.state is State.RUNNING
        assert abs(self.place.speed_m_s()) > 1e-3

    def close(self) -> None:
        self.place.session.close()
        self.sensor.close()
        assert self.sensor.failure is None


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    yield made
    made.close()


def changed(**values: Any) -> Spoilt:
    return lambda sent: [packets.record(packets.record_of(sent)._replace(**values))]


def first_again() -> Spoilt:
    kept: list[bytes] = []

    def spoil(sent: bytes) -> list[bytes]:
        kept.append(sent)
        return [kept[0]]

    return spoil


def counting_from_one() -> Spoilt:
    sequence = [0]

    def spoil(sent: bytes) -> list[bytes]:
        sequence[0] += 1
        return changed(sequence=sequence[0], sample=sequence[0])(sent)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda sent: [], "has sent nothing new for 2"),
        (lambda sent: [sent[:20]], " ms: a packet of 20 bytes is no record"),
        (lambda sent: [sent + b"\0"], " ms: a packet of 37 bytes is no record"),
        (lambda sent: [b""], " ms: a packet of 0 bytes is no record"),
        (lambda sent: [sent * 2], " ms: a packet of 72 bytes is no record"),
        (lambda sent: [b"\x55" * 1000] * 200, " ms: a packet of 1000 bytes is no record"),
        (first_again(), "comes again"),
        (changed(sample=77), " ms: sample 77 comes again"),
        (counting_from_one(), "as after a restart"),
        (changed(status=0x80000005), "reports the status 0x80000005, which its manual explains"),
        (lambda sent: [sent[:8] + bytes(each ^ 0xFF for each in sent[8:])], "reports the status 0xffffffff"),
        (lambda sent: [bytes(each ^ 0xFF for each in sent)], "as after a restart"),
    ],
)
def test_a_sensor_that_fails_stops_the_robot_in_one_line(shop: Shop, spoil: Spoilt, told: str) -> None:
    shop.moving()
    shop.wire.spoil, begun_s = spoil, shop.place.now_s
    shop.place.run(1.0)
    happenings = shop.place.envelope.happenings
    fault = next(each for each in happenings if each.fault is not None)
    assert fault.fault is Fault.NO_FORCE
    assert fault.detail.startswith(f"the wrench sensor at {HOST} port {shop.sensor.port} ")
    assert told in fault.detail
    assert "\n" not in fault.detail
    assert fault.time_s - begun_s <= STALE_S + 3 * CYCLE_S
    assert shop.place.session.state is State.STOPPED
    assert shop.place.envelope.reason is not None
    assert told in shop.place.envelope.reason
    assert shop.place.session.at_rest
    assert [each.state for each in happenings if each.time_s >= begun_s] == [State.HOLD, State.STOPPED]


def doubled(sent: bytes) -> list[bytes]:
    return [sent, sent]


def every_third() -> Spoilt:
    number = [0]

    def spoil(sent: bytes) -> list[bytes]:
        number[0] += 1
        return [sent] if number[0] % 3 == 0 else []

    return spoil


def swapped() -> Spoilt:
    kept: list[bytes] = []

    def spoil(sent: bytes) -> list[bytes]:
        kept.append(sent)
        if len(kept) % 2:
            return []
        return [kept[-1], kept[-2]]

    return spoil


@pytest.mark.parametrize(
    ("spoil", "counted"),
    [
        (doubled, "records twice"),
        (every_third(), "records lost"),
        (swapped(), "records out of order"),
        (lambda sent: [b"\x12\x34" + bytes(6), sent], "packets of another size"),
    ],
)
def test_what_a_network_does_is_counted_and_does_no_harm(shop: Shop, spoil: Spoilt, counted: str) -> None:
    shop.moving()
    shop.wire.spoil = spoil
    shop.place.run(0.3)
    assert shop.place.session.state is State.RUNNING
    assert shop.source.counters[counted] > 40


def test_a_sensor_that_is_switched_off_and_on_again_stops_the_robot(shop: Shop) -> None:
    shop.moving()
    shop.sensor.restart()
    shop.place.run(1.0)
    assert shop.place.session.state is State.STOPPED
    assert "has sent nothing new for 2" in (shop.place.envelope.reason or "")


def test_the_force_limit_holds_for_the_sensor_and_its_wrench_is_the_tools(shop: Shop) -> None:
    shop.moving()
    shop.felt = np.array([3.0, -4.0, 12.0, 0.1, 0.2, -0.3])
    shop.place.run(2 * CYCLE_S)
    state = shop.place.session._state
    assert state is not None
    np.testing.assert_allclose(state.wrench, shop.felt, atol=1e-5)
    assert shop.place.session.state is State.RUNNING
    shop.felt = np.array([0.0, 0.0, 60.0, 0.0, 0.0, 0.0])
    shop.place.run(1.0)
    assert shop.place.session.state is State.STOPPED
    assert "a force of 60 N, 30 N are allowed" in (shop.place.envelope.reason or "")


def test_a_robot_whose_sensor_fails_is_not_armed_and_one_without_sensor_not_connected(shop: Shop) -> None:
    shop.place.session.connect()
    shop.wire.spoil = changed(status=1)
    shop.place.run(0.1)
    assert shop.place.session.state is State.DISARMED
    with pytest.raises(NotAllowedError, match=r"cannot arm: the wrench sensor at .* reports the status 0x0"):
        shop.place.session.arm()
    shop.wire.spoil = lambda sent: [sent]
    shop.place.run(0.3)
    shop.place.session.arm()
    assert shop.place.session.state is State.ARMED
    shop.sensor.status = 0x80000000
    with pytest.raises(DriverError, match="reports the status 0x80000000"):
        shop.place.session.connect()


def test_the_session_looks_for_the_sensor_before_the_robot() -> None:
    class Robot:
        mode, cycle_s, lag_s, coasting_s = "tool-pose", 0.004, 0.02, 0.1

        def connect(self) -> RobotState:
            raise AssertionError("the robot was reached")

    made = AtiRdtSensor("127.0.56.9", port=9, counts_per_n=1.0, counts_per_n_m=1.0)
    robot: Any = Robot()
    with pytest.raises(DriverError, match="nobody listens there"):
        Feeling(robot, made, np.eye(4)).connect()
