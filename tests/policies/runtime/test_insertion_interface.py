"""What the layout says suffices: the interface observes and moves as the environment does."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from cellwright_envs.assembly.compliance import rotation_matrix
from cellwright_envs.assembly.insertion import NOMINAL
from cellwright_envs.assembly.peg_insertion import PegInsertion
from cellwright_policies.experts import make_expert
from cellwright_runtime.bundle.policy import PolicySpec
from cellwright_runtime.interface.compliant_reference import MOTION, InsertionInterface
from cellwright_runtime.vocabulary import Layout

SHARED = ("pose", "wrench", "leash", "last_action", "history", "limit")


class Robot:
    """The readings of a cell as a robot's program has them: relative to an origin, not tared."""

    def __init__(self, env: Any, origin: np.ndarray = NOMINAL) -> None:
        self.env, self.origin = env.unwrapped, origin

    @property
    def tool(self) -> np.ndarray:
        return self.env._state.tool - self.origin

    @property
    def wrench(self) -> np.ndarray:
        return self.env._state.wrench_t

    @property
    def reference(self) -> np.ndarray:
        return self.env.interface.reference - self.origin


class Worker:
    """The robot of the page's example: it turns references back into actions of the cell."""

    def __init__(self, env: Any) -> None:
        self.robot, self.env, self.ended = Robot(env), env.unwrapped, False
        self.observation, _ = env.reset(seed=11)

    def tool(self) -> np.ndarray:
        return self.robot.tool

    def wrench(self) -> np.ndarray:
        return self.robot.wrench

    def frames(self) -> np.ndarray:
        return self.observation["image"]

    def seated(self) -> bool:
        return self.ended

    def overloaded(self) -> bool:
        return False

    def send(self, reference: np.ndarray) -> None:
        moved = reference - self.robot.reference
        turned = rotation_matrix(self.robot.reference[3:]).T
        motion = np.concatenate([turned @ moved[:3], turned @ moved[3:]])
        self.action = (motion / self.env.layout.reach).astype(np.float32)

    def wait_for_next_period(self) -> None:
        self.observation, _, terminated, truncated, _ = self.env.step(self.action)
        self.ended = terminated or truncated or self.env._time_s > 29.0


@pytest.fixture(scope="module")
def layout() -> Layout:
    env = PegInsertion()
    env.close()
    return env.layout


@pytest.mark.parametrize(
    "task", ["PegInsertion-v1", "ConnectorInsertion-v1", "NutFastening-v2", "GearMesh-v1"]
)
def test_interface_does_what_the_environment_does(task: str) -> None:
    env_id = f"cellwright/{task}"
    env = gymnasium.make(f"cellwright_envs:{env_id}", disturbances="none", privileged=True)
    expected, _ = env.reset(seed=11)
    robot = Robot(env, origin=np.zeros(6))
    interface = InsertionInterface(robot.env.layout, origin=NOMINAL[:3])
    expert = make_expert(env_id, "oracle", robot.env.privileged_names)
    interface.begin(robot.tool, robot.wrench, reference=robot.reference)
    touched, steps, ended = 0.0, 0, False
    while not ended:
        own = {key: value for key, value in expected.items() if key not in (*SHARED, "image", "privileged")}
        observation = interface.observe(
            robot.tool,
            robot.wrench,
            expected["image"],
            force_limit_n=robot.env.product.force_limit_n,
            own=own,
        )
        assert set(observation) == set(expected) - {"privileged"}
        for name, values in observation.items():
            np.testing.assert_array_equal(values, expected[name], err_msg=name)
        action = expert.act_batch({name: values[None] for name, values in expected.items()})[0]
        reference = interface.move(robot.tool, interface.command(action))
        expected, _, terminated, truncated, _ = env.step(action)
        np.testing.assert_array_equal(reference, robot.reference)
        touched = max(touched, float(np.abs(interface._wrench[:3]).max()))
        steps, ended = steps + 1, terminated or truncated
    assert robot.env.scorecard().success
    assert touched > 1.0
    assert steps > 16  # longer than every lag but one
    env.close()


def test_a_reference_stays_on_its_leash_and_in_its_box(layout: Layout) -> None:
    setting, interface = layout.controller, InsertionInterface(layout)
    tool = np.array([0.0115, 0.0, 0.012, 0.0, 0.0, 0.14])
    interface.begin(tool, np.zeros(6))
    interface.observe(tool, np.zeros(6), FRAMES, force_limit_n=1e3)
    command = interface.command([1.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    assert command.tolist() == [0.7e-3, 0.0, 0.0, 0.0, 0.0, 0.008]
    for _ in range(9):
        reference = interface.move(tool, command)
    assert reference[0] == pytest.approx(setting["reference_high"][0])
    assert reference[5] == pytest.approx(setting["reference_turn"][0])
    for _ in range(40):
        reference = interface.move(tool, -command)
    lead = reference - tool
    # Led back by half of what is beyond the leash, it comes to rest one command beyond.
    assert np.linalg.norm(lead[:3]) == pytest.approx(setting["leash"][0] + 0.7e-3)
    assert np.linalg.norm(lead[3:]) == pytest.approx(setting["turning_leash"][0] + 0.008)
    assert len(reference) == MOTION


def test_how_fast_a_part_may_be_approached_is_forgotten_with_it(layout: Layout) -> None:
    interface = InsertionInterface(layout)
    forward = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    for limit_n, step_m in ((1e3, 0.7e-3), (30.0, 9.5e-3 * layout.control_period_s)):
        interface.begin(OVER_THE_MOUTH, np.zeros(6))
        with pytest.raises(ValueError, match="call observe before move"):
            interface.move(OVER_THE_MOUTH, interface.command(forward))
        np.testing.assert_array_equal(interface.reference, OVER_THE_MOUTH)
        interface.observe(OVER_THE_MOUTH, np.zeros(6), FRAMES, force_limit_n=limit_n)
        reference = interface.move(OVER_THE_MOUTH, interface.command(forward))
        assert reference[0] == pytest.approx(step_m, rel=0.01)


def with_setting(layout: Layout, name: str, **changed: Any) -> Layout:
    settings = tuple(
        replace(each, **changed) if each.name == name else each for each in layout.controller.settings
    )
    return replace(layout, controller=replace(layout.controller, settings=settings))


@pytest.mark.parametrize(
    ("name", "changed", "told"),
    [
        ("leash", {"value": (-0.005,)}, "leash must be above 0 m"),
        ("damping", {"value": (0.0,)}, "damping must be above 0 N.s/m"),
        ("leash", {"value": (0.005, 0.1)}, r"leash must be 1 number\(s\) in m"),
        ("leash", {"unit": "rad"}, r"leash must be 1 number\(s\) in m, got .* in rad"),
        ("reference_turn", {"value": (0.1, 0.1)}, "reference_turn must be 1 number"),
        ("reference_low", {"value": (1.0, 1.0, 1.0)}, "reference_low .* must be below reference_high"),
        ("wrench_low_pass", {"value": (7.0,)}, "wrench_low_pass must be within 0..1"),
        ("history_lags", {"value": (1.0, 4.0, 2.0, 8.0, 16.0, 32.0)}, "whole numbers that rise"),
        ("history_lags", {"value": (1.5, 2.0, 4.0, 8.0, 16.0, 32.0)}, "whole numbers that rise"),
        ("history_lags", {"value": (1.0, 2.0)}, "its 2 lags need 18 each"),
    ],
)
def test_settings_that_make_no_sense_are_refused(name: str, changed: dict, told: str, layout: Layout) -> None:
    with pytest.raises(ValueError, match=told):
        InsertionInterface(with_setting(layout, name, **changed))


OVER_THE_MOUTH = [0.0, 0.0, 0.012, 0.0, 0.0, 0.0]
FRAMES = np.zeros((2, 64, 64), np.uint8)


def observed_with(layout: Layout, seed: int) -> dict[str, np.ndarray]:
    """What a policy sees that acts in one way, while tool and wrench are moved by chance."""
    chance, always = np.random.default_rng(seed), np.random.default_rng(1)
    interface, frames = InsertionInterface(layout), np.zeros((2, 64, 64), np.uint8)
    interface.begin(np.array([0.0, 0.0, 0.01, 0.0, 0.0, 0.0]), np.zeros(6))
    for _ in range(40):
        tool = np.array([0.0, 0.0, 0.01, 0.0, 0.0, 0.0]) + 1e-3 * chance.standard_normal(6)
        seen = interface.observe(tool, chance.standard_normal(6), frames, force_limit_n=60.0)
        interface.move(tool, interface.command(always.uniform(-1.0, 1.0, len(layout.actions))))
    return {
        name: values for name, values in seen.items() if name in ("pose", "wrench", "last_action", "history")
    }


def test_what_the_interface_keeps_does_not_depend_on_robot_and_part(layout: Layout) -> None:
    kept = InsertionInterface(layout).kept
    one, other = observed_with(layout, 2), observed_with(layout, 3)
    for name, values in one.items():
        assert set(np.flatnonzero(values == other[name])) == set(kept.get(name, {}))
    lead = {index: (each.low, each.high) for index, each in kept["leash"].items()}
    most = [layout.controller[name][0] for name in ("leash", "turning_leash") for _ in range(3)]
    assert lead == {index: (-each, each) for index, each in enumerate(most)}


@pytest.mark.parametrize(
    ("tool", "wrench", "told"),
    [
        ([0.0] * 7, [0.0] * 6, "tool must be 6 finite numbers"),
        (OVER_THE_MOUTH, [0.0] * 3, "wrench must be 6 finite numbers"),
        (OVER_THE_MOUTH, [np.nan] * 6, "wrench must be 6 finite numbers"),
        ([0.6, 0.2, 0.1, 0.0, 0.0, 0.0], [0.0] * 6, "outside of the box"),
        ([0.0, 0.0, 0.012, 3.14, 0.0, 0.0], [0.0] * 6, "outside of the box"),
    ],
)
def test_a_beginning_that_cannot_be_meant_is_refused(
    tool: list, wrench: list, told: str, layout: Layout
) -> None:
    interface = InsertionInterface(layout)
    with pytest.raises(ValueError, match=told):
        interface.begin(tool, wrench)
    with pytest.raises(ValueError, match="call begin"):
        interface.observe(OVER_THE_MOUTH, [0.0] * 6, FRAMES, force_limit_n=30.0)


@pytest.mark.parametrize("action", [[0.0] * 5, [0.0] * 5 + [1.001], [np.nan] * 6])
def test_an_action_that_no_policy_gives_moves_nothing(action: list, layout: Layout) -> None:
    interface = InsertionInterface(layout)
    interface.begin(OVER_THE_MOUTH, [0.0] * 6)
    with pytest.raises(ValueError, match="action must be"):
        interface.command(action)
    np.testing.assert_array_equal(interface.reference, OVER_THE_MOUTH)
    np.testing.assert_array_equal(interface.last_action, np.zeros(6))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"wrench": [np.nan] * 6}, "wrench must be 6 finite numbers"),
        ({"force_limit_n": -5.0}, "force_limit_n must be positive"),
        ({"own": {"pose": [0.0] * 6}}, "own holds 'pose'"),
    ],
)
def test_a_reading_that_is_refused_changes_nothing(changed: dict, told: str, layout: Layout) -> None:
    interfaces = [InsertionInterface(layout) for _ in range(2)]
    good = {"tool": OVER_THE_MOUTH, "wrench": [0.0, 0.0, 2.0, 0.0, 0.0, 0.0], "force_limit_n": 30.0}
    for interface in interfaces:
        interface.begin(OVER_THE_MOUTH, [0.0] * 6)
    with pytest.raises(ValueError, match=told):
        interfaces[0].observe(**{**good, "frames": FRAMES, **changed})
    first, second = (interface.observe(**good, frames=FRAMES) for interface in interfaces)
    assert first["wrench"][2] == pytest.approx(1.2)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])


def test_a_reference_that_leads_the_tool_at_the_start_is_told_to_the_policy(layout: Layout) -> None:
    interface = InsertionInterface(layout)
    held = np.array(OVER_THE_MOUTH) - [0.0, 0.0, 1e-3, 0.0, 0.0, 0.0]
    interface.begin(OVER_THE_MOUTH, [0.0] * 6, reference=held)
    leash = interface.observe(OVER_THE_MOUTH, [0.0] * 6, FRAMES, force_limit_n=30.0)["leash"]
    np.testing.assert_allclose(leash, [0.0, 0.0, -1e-3, 0.0, 0.0, 0.0], atol=1e-9)
    interface.begin(OVER_THE_MOUTH, [0.0] * 6)
    np.testing.assert_array_equal(interface.reference, OVER_THE_MOUTH)


def test_beginning_again_forgets_the_last_insertion(layout: Layout) -> None:
    fresh, used = (InsertionInterface(layout) for _ in range(2))
    used.begin(OVER_THE_MOUTH, [1.0] * 6)
    for _ in range(40):
        used.observe(OVER_THE_MOUTH, [5.0] * 6, FRAMES, force_limit_n=30.0)
    seen = []
    for interface in (fresh, used):
        interface.begin(OVER_THE_MOUTH, [0.5] * 6)
        seen.append(interface.observe(OVER_THE_MOUTH, [0.7] * 6, FRAMES, force_limit_n=30.0))
    for name, values in seen[0].items():
        np.testing.assert_array_equal(values, seen[1][name])


def test_the_example_of_the_page_inserts_a_peg() -> None:
    page = (Path(__file__).parents[3] / "docs" / "bundle.md").read_text()
    block = next(each for each in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "robot.send" in each)
    env = gymnasium.make("cellwright_envs:cellwright/PegInsertion-v1", disturbances="none")
    robot = Worker(env)
    exec(compile(block, "docs/bundle.md", "exec"), {"robot": robot})
    assert robot.env.scorecard().success
    env.close()


def test_a_policy_of_something_else_is_refused(spec: PolicySpec) -> None:
    with pytest.raises(ValueError, match="no controller setting 'damping'"):
        InsertionInterface(spec.layout)
