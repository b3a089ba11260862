"""A weld's process commands leave as a shop wires them, and its arc is watched."""

from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_envs.welding.part.product import PRODUCTS
from cellwright_envs.welding.taught_seam import taught_seam
from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.drivers.driver import DriverError, RobotState
from cellwright_runtime.drivers.power_source import (
    PowerCommand,
    PowerState,
    Scale,
    VirtualPowerSource,
    Wiring,
)
from cellwright_runtime.envelope.faults import Fault
from cellwright_runtime.interface.path_correction import SensorFrame
from cellwright_runtime.interface.rotation import rotation_vector
from cellwright_runtime.interface.torch_path import STRIKE_EARLY_M, TorchPath
from cellwright_runtime.operation.task import Frame
from cellwright_runtime.operation.weld_task import (
    ARC_OFF_M,
    BENT_M,
    EARLIER_M,
    LONGEST_STRIKE_S,
    Exposed,
    WeldTask,
)
from cellwright_runtime.vocabulary import ControllerSetup, Layout

SPEC = Bundle.load(zoo.path("weld-seam")).spec
PRODUCT = PRODUCTS["tee-arc-4.5"]
WIRING = Wiring(
    wire_feed=Scale(unit="m/s", at_0_v=0.0, at_10_v=0.25), voltage=Scale(unit="V", at_0_v=10.0, at_10_v=40.0)
)
CYCLE_S = 0.004
PERIOD_S = SPEC.layout.control_period_s
SIGNALS = len(SPEC.layout.groups["signals"]) // len(SPEC.controller["signals_lags"])


class Source(VirtualPowerSource):
    """With meters, and an arc that can be put out."""

    out = False

    def read(self) -> PowerState:
        state = super().read()
        return PowerState(
            time_s=state.time_s,
            arc_established=state.arc_established and not self.out,
            signals=(0.0,) * SIGNALS,
        )


COLUMNS = int(SPEC.controller["line_columns"][0])
SIZE_PX = SPEC.layout.image_size_px


class Pool:
    """Pictures of one grey, exposed when they are asked for unless they are late."""

    def __init__(self) -> None:
        self.grey: int | None = 7
        self.exposed_s = 0.0

    def newest(self) -> Frame | None:
        if self.grey is None:
            return None
        image = np.full((1, SIZE_PX, SIZE_PX), self.grey, np.uint8)
        return Frame(image=image, exposed_s=self.exposed_s, number=0)


class Sensor:
    """Black frames, in which no line is found."""

    def __init__(self) -> None:
        self.shifts: list[tuple[float, float]] = []

    def newest(self) -> Exposed:
        from cellwright_perception.seam.taught_path import TorchPlace

        frame = SensorFrame(
            number=len(self.shifts),
            image=np.zeros((2, SIZE_PX, SIZE_PX), np.uint8),
            torch=TorchPlace(0.0, 0.0, 0.0),
            window_px=(0.0, 0.0),
            profile=np.full((COLUMNS, 2), np.nan),
        )
        return Exposed(frame, 0.0)

    def expose(self, window_px: tuple[float, float]) -> None:
        self.shifts.append(window_px)


class Shop:
    """A torch that follows, at once unless it is late, a source and a sensor; the policy commands nothing."""

    def __init__(self, *, late_cycles: int = 0) -> None:
        self.authority, self.away = 1.0, np.zeros(6)
        self.power, self.sensor, self.pool, self.now_s = Source(WIRING), Sensor(), Pool(), 0.0
        self.task = WeldTask(
            SPEC.layout,
            lambda geometry: taught_seam(PRODUCT, geometry),
            self.sensor,
            self.power,
            cycle_s=CYCLE_S,
            pool=self.pool,
        )
        seam = taught_seam(PRODUCT, self.task.interface.geometry)
        approach_m = float(SPEC.controller["approach"][0])
        self._path = TorchPath(seam.frames, seam.torch_rotations_w)
        self.tool = self.torch(-approach_m)
        self.task.begin(self.state(), 0.0)
        self.commands: list[PowerCommand] = []
        self._on_its_way = deque([self.tool] * late_cycles)

    def torch(self, along_m: float, lateral_m: float = 0.0, height_m: float = 0.0) -> NDArray[np.float64]:
        point, rotation = self._path.pose(along_m, lateral_m, height_m)
        rows: Any = rotation.tolist()
        return np.array([*point, *rotation_vector(rows)])

    def state(self) -> RobotState:
        return RobotState(time_s=self.now_s, joints_rad=np.zeros(6), tool=self.tool)

    def run(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        while self.now_s < until_s and not self.task.verdict():
            if round(self.now_s / CYCLE_S) % round(PERIOD_S / CYCLE_S) == 0:
                self.task.observe(self.state(), self.now_s)
                self.task.act(np.zeros(5), self.state(), self.now_s, authority=self.authority)
            self._on_its_way.append(self.task.target(self.state(), self.now_s))
            self.tool = self._on_its_way.popleft() + self.away
            self.now_s += CYCLE_S
            self.power.pass_time(CYCLE_S)
            self.task.sense(self.state(), self.now_s)
            self.commands.append(self.power.command)

    def path_m(self) -> float:
        return self.task._place.path_position_m


def test_a_seam_is_travelled_with_its_programme_on_the_wires() -> None:
    shop, programme = Shop(), taught_seam(PRODUCT, Shop().task.interface.geometry).programme
    shop.run(1.0)
    assert not any(each.arc_on for each in shop.commands)  # over the lead-in
    assert shop.path_m() < -1e-3
    shop.run(3.0)
    assert shop.task.problem() is None
    last = shop.commands[-1]
    assert last.arc_on
    assert last.wire_feed_v == pytest.approx(10.0 * programme.wire_feed_m_s / 0.25)
    assert last.voltage_v == pytest.approx(10.0 * (programme.voltage_v - 10.0) / 30.0)
    assert shop.power.wire_feed_m_s == pytest.approx(programme.wire_feed_m_s)
    before_m = shop.path_m()
    shop.run(1.0)
    assert shop.path_m() - before_m == pytest.approx(programme.travel_speed_m_s, rel=0.02)
    assert len(shop.sensor.shifts) == pytest.approx(5.0 / PERIOD_S, abs=3)


def test_the_seam_ends() -> None:
    shop = Shop()
    shop.run(60.0)
    assert shop.task.verdict() == "seam done"
    beyond_m = shop.path_m() - shop.task.interface.seam.frames.length_m
    assert beyond_m == pytest.approx(BENT_M, abs=0.1e-3)
    assert 5.0 < shop.now_s < 60.0


def test_the_torch_waits_for_its_arc_and_gives_up_after_a_while() -> None:
    shop = Shop()
    shop.power.out = True
    shop.run(2.2)
    assert shop.commands[-1].arc_on
    waiting_m = shop.path_m()
    shop.run(0.5)
    assert shop.path_m() - waiting_m < 1e-6
    assert waiting_m < 1e-3
    shop.run(LONGEST_STRIKE_S)
    problem = shop.task.problem()
    assert problem is not None
    assert (problem.fault, problem.detail.startswith("no arc after")) == (Fault.POWER_SOURCE, True)


@pytest.mark.parametrize(
    ("name", "told"), [("out", "the arc went out"), ("gone", "the power source does not answer")]
)
def test_an_arc_or_a_source_that_goes_is_a_fault(name: str, told: str) -> None:
    shop = Shop()
    shop.run(4.0)
    assert shop.task.problem() is None
    setattr(shop.power, name, True)
    shop.run(2 * CYCLE_S)
    problem = shop.task.problem()
    assert problem == (Fault.POWER_SOURCE, told)


def test_nothing_burns_or_travels_while_the_policy_does_not_move_the_robot() -> None:
    shop = Shop()
    shop.run(4.0)
    held_m = shop.path_m()
    for _ in range(100):
        shop.task.rest(shop.now_s)
        shop.now_s += CYCLE_S
        shop.task.sense(shop.state(), shop.now_s)
    assert shop.power.command == PowerCommand()
    shop.run(CYCLE_S)
    assert shop.path_m() - held_m < 1e-3


def test_after_a_hold_nothing_strikes_or_travels_until_the_policy_is_blended_in() -> None:
    shop = Shop()
    shop.run(4.0)
    assert shop.commands[-1].arc_on
    shop.task.rest(shop.now_s)
    held_m = shop.path_m()
    shop.commands.clear()
    shop.authority = 0.99
    shop.run(0.5)
    assert not any(each.arc_on for each in shop.commands)
    assert shop.path_m() - held_m < 1e-4
    shop.authority = 1.0
    shop.run(3 * PERIOD_S)
    assert shop.commands[-1].arc_on
    shop.run(1.0)
    assert shop.path_m() - held_m > 1e-3
    assert shop.task.problem() is None


def test_over_the_lead_in_the_torch_stands_until_the_policy_is_blended_in() -> None:
    shop = Shop()
    shop.authority = 0.5
    shop.run(CYCLE_S)
    begun = shop.tool[:3]
    shop.run(0.5)
    np.testing.assert_allclose(shop.tool[:3], begun, atol=1e-9)
    shop.authority = 1.0
    shop.run(0.2)
    assert np.linalg.norm(shop.tool[:3] - begun) > 2e-3


def test_a_robot_that_is_late_comes_to_the_seam_at_the_speed_of_its_programme() -> None:
    """At 0.1 s it is 2 mm behind; slowed down where it is measured, it would strike at the other speed."""
    shop = Shop(late_cycles=25)
    while not any(each.arc_on for each in shop.commands):
        shop.run(CYCLE_S)
    assert shop.path_m() == pytest.approx(-STRIKE_EARLY_M - EARLIER_M, abs=0.5e-3)
    before_m, programme = shop.path_m(), shop.task.interface.seam.programme
    shop.run(PERIOD_S)
    assert shop.path_m() - before_m == pytest.approx(programme.travel_speed_m_s * PERIOD_S, rel=0.05)


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ((0.1, 0.0, 0.0), "125 mm along, "),  # on the seam, as after a stop
        ((-0.025, 0.15, 0.0), " 150 mm to the left, "),
        ((-0.025, 0.0, 0.004), " 4 mm above "),
        ((0.4, 0.0, 0.0), " mm along, "),  # beyond the end
    ],
)
def test_a_weld_begins_over_its_lead_in_only(where: tuple[float, float, float], told: str) -> None:
    shop = Shop()
    shop.tool = shop.torch(*where)
    with pytest.raises(ValueError, match="move it there, also after a stop") as refused:
        shop.task.begin(shop.state(), 0.0)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    shop.tool = shop.torch(-0.023, 0.001, -0.001)  # as a fixture or a program may leave it
    shop.task.begin(shop.state(), 0.0)


def test_a_torch_that_points_elsewhere_begins_no_weld() -> None:
    shop = Shop()
    shop.tool = np.array([*shop.torch(-0.025)[:3], 0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match=r"0 mm above and [1-9]\d+ degrees from there"):
        shop.task.begin(shop.state(), 0.0)


def test_a_torch_that_was_moved_after_the_begin_does_not_go_on() -> None:
    shop = Shop()
    shop.task.resume(shop.torch(-0.024), 0.0)
    assert shop.task.problem() is None
    shop.task.resume(shop.torch(0.05), 0.0)
    problem = shop.task.problem()
    assert problem is not None
    assert problem.fault is Fault.TRACKING
    assert problem.detail.startswith("the torch is 75 mm along")


@pytest.mark.parametrize("begun_s", [0.5, 4.0])
def test_no_arc_burns_where_the_torch_was_not_sent(begun_s: float) -> None:
    """Whether it has not struck yet, or is burning."""
    shop = Shop()
    shop.run(begun_s)
    assert shop.commands[-1].arc_on is (begun_s > 1.0)
    shop.away[2] = ARC_OFF_M + 2e-3
    shop.commands.clear()
    problems = []
    while shop.now_s < begun_s + 3.0 and not problems:
        shop.run(CYCLE_S)
        problems += [found for found in [shop.task.problem()] if found is not None]
        shop.task.target(shop.state(), shop.now_s)
        problems += [found for found in [shop.task.problem()] if found is not None]
    assert problems[0].fault is Fault.TRACKING
    assert "no arc burns there" in problems[0].detail
    assert shop.power.command == PowerCommand()
    assert not any(each.arc_on for each in shop.commands[1:])


def test_a_torch_that_lies_beyond_the_end_has_welded_nothing() -> None:
    shop = Shop()
    shop.tool = shop.torch(shop.task.interface.seam.frames.length_m + 0.01)
    shop.task.sense(shop.state(), 0.0)
    assert shop.path_m() > shop.task.interface.seam.frames.length_m
    assert shop.task.verdict() == ""


def test_a_scale_refuses_what_is_outside_of_it() -> None:
    scale = WIRING.voltage
    assert scale.value(scale.volts(22.0)) == pytest.approx(22.0)
    with pytest.raises(ValueError, match=r"41 V is outside of the power source's 10 to 40"):
        scale.volts(41.0)
    with pytest.raises(ValueError, match="finite at_0_v < at_10_v"):
        Scale(unit="V", at_0_v=5.0, at_10_v=5.0)
    with pytest.raises(ValueError, match=r"wire_feed_v must be within 0 to 10 V, got 10\.5"):
        Source(WIRING).send(PowerCommand(wire_feed_v=10.5))
    gone = Source(WIRING)
    gone.gone = True
    with pytest.raises(DriverError, match="does not answer"):
        gone.connect()


def test_the_pool_is_the_third_view_and_its_age_is_told() -> None:
    shop = Shop()
    observed = shop.task.observe(shop.state(), 0.25)
    assert observed.observation["image"].shape == (3, SIZE_PX, SIZE_PX)
    assert np.unique(observed.observation["image"][2]).tolist() == [7]
    assert observed.ages_s == {"seam sensor": 0.25, "pool camera": 0.25, "robot": 0.0}
    shop.pool.exposed_s = 0.2
    assert shop.task.observe(shop.state(), 0.25).ages_s["pool camera"] == pytest.approx(0.05)
    shop.pool.grey = None
    with pytest.raises(ValueError, match="the pool camera has sent no picture yet"):
        shop.task.observe(shop.state(), 0.25)


def test_a_policy_has_the_cameras_that_it_was_trained_with() -> None:
    shop = Shop()

    def made(layout: Layout, pool: Pool | None) -> WeldTask:
        return WeldTask(
            layout,
            lambda geometry: taught_seam(PRODUCT, geometry),
            shop.sensor,
            shop.power,
            cycle_s=CYCLE_S,
            pool=pool,
        )

    with pytest.raises(ValueError, match="this policy needs a pool camera"):
        made(SPEC.layout, None)
    left = tuple(each for each in SPEC.controller.settings if not each.name.startswith("pool_"))
    blind = replace(SPEC.layout, controller=ControllerSetup(settings=left))
    with pytest.raises(ValueError, match="has never seen what is shown by a pool camera"):
        made(blind, shop.pool)
    task = made(blind, None)
    task.begin(shop.state(), 0.0)
    assert task.observe(shop.state(), 0.0).observation["image"].shape == (2, SIZE_PX, SIZE_PX)
