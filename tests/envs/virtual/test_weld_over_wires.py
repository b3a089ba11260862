"""What goes wrong with source and seam sensor in the middle of a weld, over their wires: where it ends.

The robot is simulated without a wire here; its own faults are in tools/envelope.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from cellwright_envs.virtual.coupler import VirtualCoupler, map_of
from cellwright_envs.virtual.seam_head import VirtualSeamHead
from cellwright_envs.virtual.weld_station import WIRING, WeldStation
from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.drivers.driver import DriverError, Status
from cellwright_runtime.drivers.modbus_power_source import ModbusPowerSource
from cellwright_runtime.drivers.power_source import PowerCommand, PowerState
from cellwright_runtime.drivers.sim import SimDriver
from cellwright_runtime.envelope.faults import Fault
from cellwright_runtime.envelope.fences import PoseSpace
from cellwright_runtime.envelope.states import State
from cellwright_runtime.operation.seam_sensor import WiredSeamSensor
from cellwright_runtime.operation.weld_task import LONGEST_STRIKE_S, Exposed
from tests.addresses import loopback
from tools.closed_loop.parts import Part
from tools.closed_loop.welds import Ticks, session_of
from tools.envelope.workplace import safety

HOST = loopback()
PATIENT_S = 20.0
SEED = 100_000


def bundle() -> Bundle:
    """The shipped weld, with an envelope where it was exported before there was one."""
    shipped = Bundle.load(zoo.path("weld-seam"))
    return shipped if shipped.safety is not None else replace(shipped, safety=safety(shipped.spec))


WELD = Part(bundle=bundle(), seed=SEED)


class Source:
    """The cell's source, which can be slow."""

    def __init__(self, station: WeldStation) -> None:
        self._station, self.wiring, self.slow_s = station, station.wiring, 0.0

    def connect(self) -> PowerState:
        return self._station.connect()

    def send(self, command: PowerCommand) -> None:
        self._station.send(command)

    def read(self) -> PowerState:
        time.sleep(self.slow_s)
        return self._station.read()

    def stop(self) -> None:
        self._station.stop()


class Head:
    """The cell's seam sensor, whose frames can be made into others."""

    def __init__(self, station: WeldStation) -> None:
        self._station = station
        self.made: Callable[[Exposed], Exposed] = lambda shown: shown

    def expose(self, window_px: tuple[float, float]) -> None:
        self._station.expose(window_px)

    def newest(self) -> Exposed:
        return self.made(self._station.newest())


class Shop:
    """A cell whose source and seam sensor have wires, and a session in front of it."""

    def __init__(self, station: WeldStation) -> None:
        self.station = station
        self.source, self.head = Source(station), Head(station)
        served: dict[str, Any] = {"time_s": lambda: station.time_s, "address": HOST, "port": 0}
        registers = map_of(station)
        self.coupler = VirtualCoupler(self.source, registers=registers, **served)
        self.sensor_head = VirtualSeamHead(self.head, **served)
        self.coupler.start()
        self.sensor_head.start()
        driver = SimDriver(station)
        self.clock = Ticks(driver.cycle_s)
        self.power = ModbusPowerSource(
            HOST, WIRING, port=self.coupler.port, registers=registers, answer_s=PATIENT_S, clock=self.clock
        )
        self.sensor = WiredSeamSensor(HOST, self.sensor_head.port, deadline_s=PATIENT_S, clock=self.clock)
        self.sensor.connect()
        self.session = session_of(
            WELD,
            station.seam_of,
            self.sensor,
            self.power,
            driver,
            self.clock,
            lambda limits: limits,
            PoseSpace,
            station.pool,
        )
        self.session.connect()
        self.session.arm()
        self.session.start()

    def cycle(self) -> None:
        self.session.cycle()
        self.clock.tick()

    def weld(self, seconds: float) -> None:
        """Until the arc has burnt for so long."""
        burnt = 0
        while burnt * self.station.period_s < seconds:
            self.cycle()
            burnt += self.burns
            assert self.clock() < 10.0, self.session.envelope.happenings

    @property
    def burns(self) -> bool:
        return self.station.read().arc_established

    def close(self) -> None:
        self.sensor.close()
        self.power.close()
        for device in (self.coupler, self.sensor_head):
            device.close()
            assert device.failure is None


@pytest.fixture(scope="module")
def station() -> Iterator[WeldStation]:
    made = WeldStation(WELD.bundle.spec.environment, seed=SEED, disturbances="none")
    made.begin()
    yield made
    made.close()


@pytest.fixture
def shop(station: WeldStation) -> Iterator[Shop]:
    station.lit = True
    station.begin()
    made = Shop(station)
    yield made
    made.close()


def cut(shop: Shop) -> None:
    """The coupler's cable: its power is still there."""
    shop.power._client.port = 9
    shop.power._client.close()


def answers_late(shop: Shop) -> None:
    shop.power._client._answer_s = 0.05
    shop.source.slow_s = 0.3


def arc_out(shop: Shop) -> None:
    shop.station.lit = False


def unplugged(shop: Shop) -> None:
    shop.sensor_head.close()


def frozen(shop: Shop) -> None:
    still = shop.station.newest().frame
    shop.head.made = lambda shown: shown._replace(
        frame=shown.frame._replace(image=still.image, profile=still.profile)
    )


def stale(shop: Shop) -> None:
    shop.head.made = lambda shown: shown._replace(exposed_s=shown.exposed_s - 0.3)


def larger(shop: Shop) -> None:
    shop.head.made = lambda shown: shown._replace(
        frame=shown.frame._replace(image=np.zeros((2, 80, 80), np.uint8))
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    """One fault: when it has to be noticed, as what, and what the envelope says."""

    break_it: Callable[[Shop], None]
    faults: tuple[Fault, ...]
    """It depends on the bundle's limits which of them comes first."""
    told: str
    within_s: float


CASES = {
    "coupler gone": Case(
        break_it=cut,
        faults=(Fault.POWER_SOURCE,),
        told="Modbus coupler at .* is not connected",
        within_s=0.01,
    ),
    "coupler slow": Case(
        break_it=answers_late, faults=(Fault.POWER_SOURCE,), told="did not answer in 50 ms", within_s=0.01
    ),
    "arc out": Case(break_it=arc_out, faults=(Fault.POWER_SOURCE,), told="the arc went out", within_s=0.01),
    "seam sensor gone": Case(
        break_it=unplugged,
        faults=(Fault.STALE, Fault.FROZEN),
        told="seam sensor is .* ms old|has been the same for",
        within_s=0.35,
    ),
    "seam sensor frozen": Case(
        break_it=frozen, faults=(Fault.FROZEN,), told="has been the same for", within_s=0.35
    ),
    "seam sensor late": Case(
        break_it=stale, faults=(Fault.STALE,), told="seam sensor is .* ms", within_s=0.05
    ),
    "seam sensor of another shape": Case(
        break_it=larger,
        faults=(Fault.NOT_FINITE,),
        told=r"a frame is uint8 \(2, 64, 64\), got uint8 \(2, 80, 80\)",
        within_s=0.05,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_fault_of_the_process_side_ends_at_rest_with_the_arc_out(shop: Shop, name: str) -> None:
    case = CASES[name]
    shop.weld(0.2)
    assert shop.session.state is State.RUNNING
    case.break_it(shop)
    broken_s = shop.clock()
    while shop.session.state is State.RUNNING:
        shop.cycle()
        assert shop.clock() < broken_s + 1.0
    if name == "arc out":  # the torch still moves: the source is told in the cycle in which that is seen
        assert not shop.session.over
        assert not shop.station._power.arc_on
    first = next(each for each in shop.session.envelope.happenings if each.time_s >= broken_s)
    assert first.fault in case.faults
    assert first.time_s - broken_s <= case.within_s
    assert re.search(case.told, first.detail), first.detail
    if first.fault is Fault.POWER_SOURCE:
        while not shop.session.over:
            shop.cycle()
            assert shop.clock() < broken_s + 1.0
        assert shop.session.state is State.STOPPED
        assert first.fault.value.meaning in (shop.session.envelope.reason or "")
    else:
        while not shop.session.envelope.at_rest:
            shop.cycle()
            assert shop.clock() < broken_s + 1.0
        assert shop.session.state is State.HOLD
    assert shop.session.envelope.at_rest
    if name == "coupler gone":  # nobody tells it: its own watchdog puts the arc out, in the time of the cell
        for _ in range(150):
            shop.station.move_tool(shop.session._state.tool)  # type: ignore[union-attr]
    end = time.monotonic() + PATIENT_S
    while shop.burns and time.monotonic() < end:
        time.sleep(0.01)
    assert not shop.burns
    assert not shop.station._power.arc_on
    before = shop.station.env.wire.wire_m
    for _ in range(20):
        if not shop.session.over:
            shop.cycle()
    assert shop.station.env.wire.wire_m == pytest.approx(before, abs=1e-4)


def test_an_emergency_stop_of_the_robot_puts_the_arc_out_in_its_cycle(shop: Shop) -> None:
    shop.weld(0.2)
    read = shop.session.driver.read_state
    shop.session.driver.read_state = lambda: replace(read(), status=Status.EMERGENCY_STOP)  # type: ignore[method-assign]
    shop.cycle()
    assert shop.session.over
    assert shop.session.state is State.ESTOP
    assert not shop.station._power.arc_on


def test_an_arc_that_never_burns_is_given_up_where_it_was_to_strike(shop: Shop) -> None:
    shop.station.lit = False
    while not shop.session.over:
        shop.cycle()
        assert shop.clock() < 10.0
    assert shop.session.state is State.STOPPED
    assert "no arc after 10" in (shop.session.envelope.reason or "")
    assert shop.session.envelope.reason is not None
    assert abs(shop.station.env.wire.wire_m) < 1.5e-3
    assert not shop.station._power.arc_on
    assert shop.clock() > LONGEST_STRIKE_S


def test_a_hold_goes_on_with_an_arc_that_strikes_after_the_blend(shop: Shop) -> None:
    shop.weld(0.2)
    shop.head.made = lambda shown: shown._replace(exposed_s=shown.exposed_s - 0.3)
    while shop.session.state is not State.HOLD:
        shop.cycle()
    shop.head.made = lambda shown: shown
    blends = []
    while not (shop.session.state is State.RUNNING and shop.burns):
        shop.cycle()
        blends.append((shop.session.envelope.blend, shop.burns))
        assert shop.clock() < 10.0
    assert all(blend >= 1.0 for blend, burns in blends if burns)


def test_a_session_that_was_not_reached_by_its_coupler_does_not_begin(shop: Shop) -> None:
    cut(shop)
    with pytest.raises(DriverError, match="no Modbus coupler answers"):
        shop.session.connect()
