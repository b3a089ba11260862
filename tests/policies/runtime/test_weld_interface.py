"""A bundle and a taught path suffice to weld: the interface observes and corrects as the environment does."""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from cellwright_envs.assembly.peg_insertion import PegInsertion
from cellwright_envs.welding.config import WeldSeamConfig
from cellwright_envs.welding.taught_seam import programme
from cellwright_envs.welding.weld_seam import WeldSeam
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_perception.seam.taught_path import TorchPlace
from cellwright_policies import zoo
from cellwright_runtime.interface.path_correction import (
    Programme,
    SensorFrame,
    TaughtSeam,
    WeldCommand,
    WeldInterface,
)
from cellwright_runtime.runtime import Runtime
from cellwright_runtime.vocabulary import Layout


class Cell:
    """What is below the interface of an environment, as a robot's program has it."""

    def __init__(self, env: WeldSeam) -> None:
        self.env = env
        self.programme: Programme = programme(env.product)
        self.path, self.torch_rotations_w = env.cell.frames, env.cell.torch_rotations_w

    @property
    def torch(self) -> TorchPlace:
        return self.path.place(self.env._pose_w[:3, 3], self.env._command_m)

    @property
    def signals(self) -> np.ndarray:
        return self.env.disturbed.meter_error.shown(self.env.process.signals[0])

    @property
    def newest_frame(self) -> SensorFrame:
        return self.env.frame

    @property
    def newest_pool(self) -> np.ndarray:
        assert self.env.pool is not None
        return self.env.pool._pictures[0].image

    def carry_out(self, command: WeldCommand) -> None:
        self.env._carry_out(command)

    def expose(self, window_px: tuple[float, float]) -> None:
        self.env._take_frame(window_px)
        self.env.take_pool()


class RobotProgram:
    """Everything that it knows comes from the bundle, the taught seam and the cell's readings."""

    def __init__(self, runtime: Runtime, cell: Cell, *, late_steps: int) -> None:
        self.runtime, self.cell = runtime, cell
        self.interface = WeldInterface(runtime.spec.layout)
        seam = TaughtSeam(cell.programme, cell.path, cell.torch_rotations_w, self.interface.geometry)
        self.interface.begin(seam, cell.signals)
        self.line = deque([[0.0] * 5] * late_steps)  # from the policy's computer to the robot's

    def observe(self) -> dict[str, np.ndarray]:
        cell = self.cell
        return self.interface.observe(cell.torch, cell.newest_frame, cell.signals, pool=cell.newest_pool)

    def step(self, observation: dict[str, np.ndarray]) -> WeldCommand:
        self.line.append(self.interface.accept(self.runtime.act(observation)))
        command = self.interface.correct(self.line.popleft())
        self.cell.carry_out(command)
        self.cell.expose(self.interface.window_px(self.cell.torch.path_position_m))
        return command


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return Runtime(zoo.path("weld-seam"))


@pytest.fixture
def pair() -> Iterator[tuple[Any, Any]]:
    envs = [gymnasium.make("cellwright_envs:cellwright/WeldSeam-v1").unwrapped for _ in range(2)]
    yield envs[0], envs[1]
    for env in envs:
        env.close()


@pytest.mark.parametrize(
    ("product", "disturbances"), [("lap-arc-3.2", "hard"), ("butt-s-curve-2.0", "train")]
)
def test_a_robot_program_sees_and_commands_what_the_environment_does(
    product: str, disturbances: str, runtime: Runtime, pair: tuple[Any, Any]
) -> None:
    options = {"product": product, "disturbances": disturbances}
    (expected, _), _ = (env.reset(seed=2, options=options) for env in pair)
    env, below = pair
    assert env.disturbed.actuator_latency.steps > 0
    program = RobotProgram(runtime, Cell(below), late_steps=env.disturbed.actuator_latency.steps)
    commands: list[WeldCommand] = []
    correct = env.interface.correct
    env.interface.correct = lambda asked: commands.append(correct(asked)) or commands[-1]
    for _ in range(240):
        observation = program.observe()
        for name, values in expected.items():
            np.testing.assert_array_equal(observation[name], values, err_msg=name)
        expected, _, terminated, *_ = env.step(runtime.act(observation))
        assert program.step(observation) == commands[-1]
        assert not terminated
    assert env.measurement.arc_on
    assert np.ptp([command.lateral_m for command in commands]) > 1e-4
    assert np.ptp([command.wire_feed_factor for command in commands]) > 1e-2


def test_an_environment_with_another_sensor_measures_with_its_geometry() -> None:
    sensor = SeamSensorGeometry(look_ahead_m=0.03, stripe_focal_px=400.0)
    env: Any = gymnasium.make(
        "cellwright_envs:cellwright/WeldSeam-v1", config=WeldSeamConfig(sensor=sensor)
    ).unwrapped
    assert env.interface.geometry == sensor
    env.close()


def test_environment_and_bundle_state_one_layout(runtime: Runtime, pair: tuple[Any, Any]) -> None:
    ours, theirs = pair[0].layout, runtime.spec.layout
    assert ours.controller == theirs.controller
    assert ours.actions == theirs.actions
    assert (ours.control_period_s, ours.image_size_px) == (theirs.control_period_s, theirs.image_size_px)
    assert pair[0].interface.geometry == WeldInterface(theirs).geometry


# What it observes


def programme_at(env: Any, product: str, position_m: float) -> dict[str, float]:
    """The group `programme` with the torch at a path position, by name."""
    env.reset(seed=0, options={"product": product, "disturbances": "none"})
    torch = TorchPlace(position_m, 0.0, 0.0)
    values = env.interface.observe(torch, FRAME, SIGNALS, pool=POOL)["programme"]
    names = [each.name for each in env.layout.groups["programme"]]
    return dict(zip(names, values.tolist(), strict=True))


def test_the_programme_says_what_is_welded_and_how_far(pair: tuple[Any, Any]) -> None:
    env, _ = pair
    half_way = programme_at(env, "butt-straight-2.3", 0.08)
    assert half_way == pytest.approx(
        {
            "joint_is_lap": 0.0,
            "joint_is_t_fillet": 0.0,
            "joint_is_butt": 1.0,
            "thickness": 2.3e-3,
            "nominal_wire_feed": env.product.procedure.wire_feed_m_s,
            "nominal_voltage": 20.5,
            "nominal_travel_speed": 0.55 / 60,
            "nominal_contact_tip_distance": 15e-3,
            "nominal_gap": 0.75e-3,
            "work_angle": 0.0,
            "push_angle": 0.0,
            "seam_done": 0.5,
            "curvature": 0.0,
            "arc_on": 1.0,
        },
        abs=1e-6,
    )
    assert programme_at(env, "butt-straight-2.3", -1e-6)["arc_on"] == 0.0
    assert programme_at(env, "butt-straight-2.3", 0.0)["arc_on"] == 1.0
    assert programme_at(env, "butt-straight-2.3", -0.02)["seam_done"] == pytest.approx(-0.125)
    round_the_pipe = programme_at(env, "tee-flange-4.5", 0.1)
    assert abs(round_the_pipe["curvature"]) == pytest.approx(1 / 0.05, rel=1e-3)
    assert round_the_pipe["joint_is_t_fillet"] == 1.0


def test_history_says_what_was_and_bounds_hold(layout: Layout, seam: TaughtSeam) -> None:
    interface = WeldInterface(layout)
    interface.begin(seam, SIGNALS)
    for step in range(20):
        current_a = 10.0 * step if step < 19 else 900.0
        observed = interface.observe(START, FRAME, np.array([current_a, *SIGNALS[1:]]), pool=POOL)
        interface.correct(interface.accept([0.05 * (step + 1), 0.0, 0.0, 0.0, 0.0]))
    assert observed["signals"][::7].tolist() == [400.0, 180.0, 170.0, 150.0, 110.0, 30.0]  # lags 0 to 16
    np.testing.assert_allclose(observed["motion"][5::10], [0.95, 0.85, 0.55], rtol=1e-6)  # lags 0, 2, 8


def test_beginning_again_forgets_what_the_sensor_measured(pair: tuple[Any, Any]) -> None:
    env, _ = pair
    env.reset(seed=0, options={"product": "tee-arc-4.5", "disturbances": "none"})
    for _ in range(30):
        observed, *_ = env.step(np.zeros(5, np.float32))
    assert observed["seam"][-1] > 0.5
    env.interface.begin(env.interface.seam, SIGNALS)
    assert env.interface.observe(START, FRAME, SIGNALS, pool=POOL)["seam"][-1] == 0.0
    env.reset(seed=0)  # frames are counted from the beginning again
    for _ in range(28):
        observed, *_ = env.step(np.zeros(5, np.float32))
    assert observed["seam"][-1] > 0.5


# What is refused

SIGNALS = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 293.0])
START = TorchPlace(-0.02, 0.0, 0.0)
FRAME = SensorFrame(0, np.zeros((2, 64, 64), np.uint8), START, (0.0, 0.0), np.full((640, 2), np.nan))
POOL = np.zeros((64, 64), np.uint8)


@pytest.fixture(scope="module")
def welding() -> WeldSeam:
    """A cell, closed: its layout and its taught seam stay."""
    env = WeldSeam(product="lap-straight-2.3")
    env.reset(seed=0)
    env.close()
    return env


@pytest.fixture(scope="module")
def layout(welding: WeldSeam) -> Layout:
    return welding.layout


@pytest.fixture(scope="module")
def seam(welding: WeldSeam) -> TaughtSeam:
    return welding.interface.seam


def with_setting(layout: Layout, name: str, **changed: Any) -> Layout:
    settings = tuple(
        replace(each, **changed) if each.name == name else each for each in layout.controller.settings
    )
    return replace(layout, controller=replace(layout.controller, settings=settings))


@pytest.mark.parametrize(
    ("name", "changed", "told"),
    [
        ("lateral_range", {"value": (0.0,)}, "lateral_range must be above 0 m"),
        ("height_range", {"unit": "1"}, r"height_range must be 1 number\(s\) in m, got .* in 1"),
        ("trim_slew", {"value": (-2.0,)}, "trim_slew must be above 0 1/s"),
        ("camera", {"value": (0.1, 0.0)}, r"camera must be 3 number\(s\) in m"),
        ("laser_look_ahead", {"value": (0.2,)}, "look_ahead_m"),
        ("motion_lags", {"value": (0.0, 2.0, 8.0, 9.0)}, "motion is 30 numbers, which 4 lags"),
        ("signals_lags", {"value": (0.0, 2.0, 1.0, 4.0, 8.0, 16.0)}, "whole numbers that rise"),
        ("signals_lags", {"value": (-1.0, 0.0, 1.0, 4.0, 8.0, 16.0)}, "whole numbers that rise"),
    ],
)
def test_settings_that_make_no_sense_are_refused(name: str, changed: dict, told: str, layout: Layout) -> None:
    with pytest.raises(ValueError, match=told):
        WeldInterface(with_setting(layout, name, **changed))


def test_a_policy_of_something_else_is_refused(layout: Layout) -> None:
    peg = PegInsertion()
    peg.close()
    with pytest.raises(ValueError, match=r"a weld's actions are lateral_offset, .* got x, y, z"):
        WeldInterface(peg.layout)
    one_sided = replace(layout, actions=(replace(layout.actions[0], low=0.0), *layout.actions[1:]))
    with pytest.raises(ValueError, match=r"lateral_offset must reach as far both ways, got 0.0 to 0.0015"):
        WeldInterface(one_sided)


@pytest.mark.parametrize(
    ("group", "told"), [("averages", "averages must be 20 numbers"), ("seam", "seam must be 41 numbers")]
)
def test_a_layout_without_a_group_is_refused(group: str, told: str, layout: Layout) -> None:
    groups = {name: each for name, each in layout.groups.items() if name != group}
    with pytest.raises(ValueError, match=f"{told}, the layout has 0"):
        WeldInterface(replace(layout, groups=groups))


def test_a_joint_that_the_policy_does_not_know_is_refused(layout: Layout, seam: TaughtSeam) -> None:
    interface = WeldInterface(layout)
    seam.programme, known = replace(seam.programme, joint="corner"), seam.programme
    with pytest.raises(ValueError, match="joint 'corner'; it knows: lap, t_fillet, butt"):
        interface.begin(seam, SIGNALS)
    seam.programme = known
    with pytest.raises(ValueError, match="call begin"):
        interface.observe(START, FRAME, SIGNALS, pool=POOL)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"signals": SIGNALS[:6]}, "signals must be 7 finite numbers"),
        ({"signals": SIGNALS * np.nan}, "signals must be 7 finite numbers"),
        ({"torch": TorchPlace(np.nan, 0.0, 0.0)}, "a torch's place must be finite"),
        ({"frame": FRAME._replace(image=np.zeros((2, 32, 64), np.uint8))}, r"a frame is uint8 \(2, 64, 64\)"),
        ({"frame": FRAME._replace(image=np.zeros((2, 64, 64)))}, "a frame is uint8 .*, got float64"),
        ({"frame": FRAME._replace(window_px=(0.0, np.inf))}, "window_px must be finite"),
        ({"frame": FRAME._replace(profile=np.zeros((64, 2)))}, r"a profile is float64 \(640, 2\)"),
        ({"pool": None}, "this policy needs a picture of the pool"),
    ],
)
def test_a_reading_that_is_refused_changes_nothing(
    changed: dict, told: str, layout: Layout, seam: TaughtSeam
) -> None:
    interfaces = [WeldInterface(layout) for _ in range(2)]
    good: dict[str, Any] = {"torch": START, "frame": FRAME, "signals": SIGNALS, "pool": POOL}
    for interface in interfaces:
        interface.begin(seam, SIGNALS)
    with pytest.raises(ValueError, match=told):
        interfaces[0].observe(**{**good, **changed})
    first, second = (interface.observe(**good) for interface in interfaces)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])


@pytest.mark.parametrize("action", [[0.0] * 4, [0.0] * 4 + [1.001], [np.nan] * 5])
def test_an_action_that_no_policy_gives_is_refused(action: list, layout: Layout, seam: TaughtSeam) -> None:
    interface = WeldInterface(layout)
    interface.begin(seam, SIGNALS)
    with pytest.raises(ValueError, match="action must be"):
        interface.accept(action)
    np.testing.assert_array_equal(interface.last_action, np.zeros(5))


def test_corrections_stay_in_range_and_trims_slew(layout: Layout, seam: TaughtSeam) -> None:
    interface = WeldInterface(layout)
    interface.begin(seam, SIGNALS)
    first = interface.correct([1.0, -1.0, 1.0, -1.0, 1.0])
    assert first[:2] == pytest.approx((0.4e-3, -0.4e-3))  # 10 mm/s for 40 ms
    assert first[2:] == pytest.approx((1.024, 0.98, 0.24))  # 8 % of full scale in 40 ms
    for _ in range(60):
        last = interface.correct([1.0, -1.0, 1.0, -1.0, 1.0])
    assert last == pytest.approx((8e-3, -6e-3, 1.3, 0.75, 3.0))


def test_beginning_again_forgets_the_last_seam(layout: Layout, seam: TaughtSeam) -> None:
    fresh, used = WeldInterface(layout), WeldInterface(layout)
    used.begin(seam, SIGNALS)
    for number in range(20):
        used.observe(START, FRAME._replace(number=number), SIGNALS + 100.0, pool=POOL)
        used.accept([1.0] * 5)
        used.correct([1.0] * 5)
    seen = []
    for interface in (fresh, used):
        interface.begin(seam, SIGNALS)
        seen.append(interface.observe(START, FRAME, SIGNALS, pool=POOL))
        assert interface.correct([0.0] * 5) == WeldCommand(0.0, 0.0, 1.0, 1.0, 0.0)
    for name, values in seen[0].items():
        np.testing.assert_array_equal(values, seen[1][name])


def test_the_example_of_the_page_welds_a_seam() -> None:
    page = (Path(__file__).parents[3] / "docs" / "bundle.md").read_text()
    block = next(
        each for each in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "robot.carry" in each
    )
    env: Any = gymnasium.make(
        "cellwright_envs:cellwright/WeldSeam-v1", product="lap-straight-2.3", disturbances="none"
    ).unwrapped
    robot = Robot(env)
    exec(compile(block, "docs/bundle.md", "exec"), {"robot": robot})
    assert env.scorecard().passed["C"]
    env.close()


class Robot(Cell):
    """The robot of the page's example."""

    def __init__(self, env: WeldSeam) -> None:
        env.reset(seed=3)
        super().__init__(env)

    def done(self) -> bool:
        return self.torch.path_position_m >= self.path.length_m
