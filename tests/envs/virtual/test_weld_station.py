"""The cell of a weld behind a controller: when its episode begins, what is late, and that it is the
environment's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest

from cellwright_envs.disturbances.actuation import ActuatorLatency, Backlash
from cellwright_envs.virtual.weld_station import WeldStation
from cellwright_envs.welding.disturbances import NAMED
from cellwright_envs.welding.disturbances.pool import PoolView
from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.drivers.driver import RobotState
from cellwright_runtime.drivers.power_source import PowerCommand
from cellwright_runtime.runtime import Runtime
from tools.closed_loop.parts import Part
from tools.closed_loop.welds import through_simulation

BUNDLE = Bundle.load(zoo.path("weld-seam"))
ENV = BUNDLE.spec.environment
PRODUCT = "butt-straight-2.3"
PERIOD_CYCLES = 10
LATE_STEPS = 2


@pytest.fixture(scope="module")
def station() -> Iterator[WeldStation]:
    """A cell whose settings and corrections are late."""
    disturbances = replace(
        NAMED["none"],
        actuator_latency=ActuatorLatency(steps=(LATE_STEPS, LATE_STEPS)),
        pool_view=PoolView(latency_steps=(3, 3)),
    )
    made = WeldStation(ENV, seed=5, products=PRODUCT, disturbances=disturbances)
    yield made
    made.close()


class Torch:
    """Sends a station along its path."""

    def __init__(self, station: WeldStation) -> None:
        self.station, self.begun = station, station.begin()
        self.env = station.env
        self.along_w = self.env.cell.frames.rotations_w[0][:, 0]
        self.left_w = self.env.cell.frames.rotations_w[0][:, 1]
        self.cycles = 0
        station.move_tool(self.begun.tool)
        station.expose((0.0, 0.0))

    def stand(self, cycles: int) -> None:
        for _ in range(cycles):
            self.station.move_tool(self.begun.tool)

    def go(self, cycles: int, *, left_m: float = 0.0) -> RobotState:
        """At 10 mm/s."""
        for _ in range(cycles):
            self.cycles += 1
            tool = self.begun.tool.copy()
            tool[:3] += 4e-5 * self.cycles * self.along_w + left_m * self.left_w
            state = self.station.move_tool(tool)
        return state

    def off(self, state: RobotState) -> tuple[float, float]:
        """How far along and to the left of the begin."""
        away = state.tool[:3] - self.begun.tool[:3]
        return float(away @ self.along_w), float(away @ self.left_w)


def test_an_episode_does_not_depend_on_how_long_the_robot_stood(station: WeldStation) -> None:
    seen = []
    for stood in (0, 27):
        torch = Torch(station)
        torch.stand(stood)
        station.expose((0.0, 0.0))
        first = station.newest()
        assert first.frame.number == 0
        assert station.time_s - first.exposed_s == pytest.approx(0.0, abs=1e-9)
        state = torch.go(3 * PERIOD_CYCLES)
        station.expose((0.0, 0.0))
        exposed = station.newest()
        assert exposed.frame.number == 1
        assert exposed.exposed_s == pytest.approx((1 + stood + 30) * station.period_s)
        seen.append((state.tool, exposed.frame.image, station.env.time_s))
    np.testing.assert_allclose(seen[0][0], seen[1][0], atol=1e-9)  # where Bullet's arm was left before
    assert np.abs(seen[0][1].astype(int) - seen[1][1]).max() <= 1
    assert seen[0][2] == seen[1][2] == pytest.approx(0.12)


def test_control_periods_begin_with_the_frame_before_the_first_motion(station: WeldStation) -> None:
    torch = Torch(station)
    torch.stand(4)
    torch.go(PERIOD_CYCLES - 5)
    assert station.env.time_s == 0.0
    torch.go(1)
    assert station.env.time_s == pytest.approx(0.04)


def test_a_correction_is_late_and_the_way_along_the_path_is_not(station: WeldStation) -> None:
    torch = Torch(station)
    torch.go(20)
    along_m, left_m = torch.off(torch.go(LATE_STEPS * PERIOD_CYCLES, left_m=1e-3))
    assert along_m == pytest.approx(4e-5 * torch.cycles, abs=1e-4)
    assert left_m == pytest.approx(0.0, abs=5e-5)
    _, left_m = torch.off(torch.go(PERIOD_CYCLES, left_m=1e-3))
    assert left_m == pytest.approx(1e-3, abs=1e-4)


def test_a_correction_has_the_play_of_its_episode() -> None:
    disturbances = replace(NAMED["none"], backlash=Backlash(play_m=(0.4e-3, 0.4e-3)))
    station = WeldStation(ENV, seed=5, products=PRODUCT, disturbances=disturbances)
    torch = Torch(station)
    _, left_m = torch.off(torch.go(60, left_m=1e-3))
    station.close()
    assert left_m == pytest.approx(0.8e-3, abs=5e-5)


def test_settings_of_the_source_are_late_but_for_the_first_of_an_arc(station: WeldStation) -> None:
    torch, wiring = Torch(station), station.wiring
    station.send(PowerCommand(wire_feed_v=4.0, voltage_v=3.0, arc_on=True))
    torch.go(PERIOD_CYCLES)
    assert torch.env._wire_feed_m_s == pytest.approx(wiring.wire_feed.value(4.0))
    fed = []
    station.send(PowerCommand(wire_feed_v=5.0, voltage_v=3.0, arc_on=True))
    for _ in range(LATE_STEPS + 1):
        torch.go(PERIOD_CYCLES)
        fed.append(torch.env._wire_feed_m_s)
    assert fed == pytest.approx([wiring.wire_feed.value(each) for each in (4.0, 4.0, 5.0)])
    assert station.read().arc_established
    station.stop()
    torch.go(PERIOD_CYCLES)
    assert torch.env._wire_feed_m_s == pytest.approx(0.0)
    assert not station.read().arc_established


def test_a_picture_of_the_pool_is_as_old_as_it_came_late(station: WeldStation) -> None:
    torch = Torch(station)
    pool = station.pool
    assert pool is not None
    torch.stand(100)
    assert pool.newest().exposed_s == pytest.approx(station.time_s, abs=0.05)
    torch.go(8 * PERIOD_CYCLES)
    ages_s = []
    for _ in range(4):
        torch.go(PERIOD_CYCLES)
        ages_s.append(station.time_s - pool.newest().exposed_s)
    assert sorted(round(25 * age_s) for age_s in ages_s) == [3, 3, 4, 4]


def test_a_session_welds_as_the_environment_does() -> None:
    """One seed of the disturbances of training, up to a second of arc."""
    part = Part(bundle=BUNDLE, seed=300_002, longest_s=3.0)
    env: Any = gymnasium.make(ENV, product="train", disturbances="train").unwrapped
    runtime, reached = Runtime(BUNDLE), {}
    observation, _ = env.reset(seed=part.seed)
    for step in range(1, 80):
        observation, *_ = env.step(runtime.decide(observation).action)
        reached[step] = env.wire
    env.close()
    found: dict[int, Any] = {}

    def look(station: WeldStation) -> None:
        found[round(25 * station.env.time_s)] = station.env.wire

    through_simulation(part, at_the_end=look)
    ((step, wire),) = found.items()
    wanted = reached[step]
    assert wire.wire_m == pytest.approx(wanted.wire_m, abs=2e-3)  # a robot starts more slowly
    assert wire.lateral_error_m == pytest.approx(wanted.lateral_error_m, abs=0.05e-3)
    assert wire.height_error_m == pytest.approx(wanted.height_error_m, abs=0.05e-3)


def test_what_became_of_a_weld_is_known_when_its_cell_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    made = WeldStation(ENV, seed=5, products=PRODUCT, disturbances="none")
    assert made.truth() == "passes no level"
    made.begin()
    card = SimpleNamespace(passed={"B": False, "C": True, "D": True})
    monkeypatch.setattr(made.env, "scorecard", lambda: card)
    made.close()
    monkeypatch.undo()
    assert made.truth() == "passes C, D"
