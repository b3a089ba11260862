"""What the manifest says suffices: the interface observes and moves as the environment does."""

from typing import Any

import gymnasium
import numpy as np
import pytest

from cellwright_envs.assembly.insertion import NOMINAL
from cellwright_policies import zoo
from cellwright_policies.bundle import BundleError, PolicySpec
from cellwright_policies.insertion_interface import MOTION, InsertionInterface
from cellwright_policies.runtime import Runtime

SHARED = ("pose", "wrench", "leash", "last_action", "history", "limit")


class Robot:
    """The readings of a cell as a robot's program has them: in the nominal fixture's frame, not tared."""

    def __init__(self, env: Any) -> None:
        self.env = env.unwrapped

    @property
    def tool(self) -> np.ndarray:
        return self.env._state.tool - NOMINAL

    @property
    def wrench(self) -> np.ndarray:
        return self.env._state.wrench_t

    @property
    def reference(self) -> np.ndarray:
        return self.env._reference - NOMINAL


@pytest.mark.parametrize("name", ["peg-insertion", "connector-insertion", "nut-fastening", "gear-mesh"])
def test_interface_does_what_the_environment_does(name: str) -> None:
    runtime = Runtime(zoo.path(name))
    interface = InsertionInterface(runtime.spec)
    env = gymnasium.make(f"cellwright_envs:{runtime.spec.environment}", disturbances="none")
    expected, _ = env.reset(seed=11)
    robot = Robot(env)
    interface.begin(robot.tool, robot.wrench)
    touched, steps, ended = 0.0, 0, False
    while not ended:
        own = {key: value for key, value in expected.items() if key not in (*SHARED, "image")}
        observation = interface.observe(
            robot.tool,
            robot.wrench,
            expected["image"],
            force_limit_n=robot.env.product.force_limit_n,
            own=own,
        )
        for group in runtime.spec.observation:
            bounded = observation[group.name]
            if group.name != "image":
                bounded = bounded.clip(group.low, group.high)
            np.testing.assert_allclose(bounded, expected[group.name], atol=1e-6, err_msg=group.name)
        decision = runtime.decide(observation)
        reference = interface.move(robot.tool, decision)
        expected, _, terminated, truncated, _ = env.step(decision.action)
        np.testing.assert_allclose(reference, robot.reference, atol=1e-6)
        touched = max(touched, float(np.abs(interface._wrench[:3]).max()))
        steps, ended = steps + 1, terminated or truncated
    assert robot.env.scorecard().success
    assert touched > 1.0
    assert steps > 16  # longer than every lag but one
    env.close()


def test_a_reference_stays_on_its_leash_and_in_its_box() -> None:
    runtime = Runtime(zoo.path("peg-insertion"))
    setting = runtime.spec.controller
    interface = InsertionInterface(runtime.spec)
    tool = np.array([0.0115, 0.0, 0.012, 0.0, 0.0, 0.14])
    interface.begin(tool, np.zeros(6))
    decision = runtime.decide({g.name: np.zeros(g.shape, g.dtype) for g in runtime.spec.observation})
    command = np.array([2e-3, 0.0, 0.0, 0.0, 0.0, 0.015], np.float32)
    for _ in range(9):
        reference = interface.move(tool, type(decision)(**{**vars(decision), "command": command}))
    assert reference[0] == pytest.approx(setting["reference_high"][0])
    assert reference[5] == pytest.approx(setting["reference_turn"][0])
    for _ in range(9):
        reference = interface.move(tool, type(decision)(**{**vars(decision), "command": -command}))
    lead = reference - tool
    assert np.linalg.norm(lead[:3]) == pytest.approx(setting["leash"][0])
    assert np.linalg.norm(lead[3:]) == pytest.approx(setting["turning_leash"][0])
    assert len(reference) == MOTION


def test_a_policy_of_something_else_is_refused(spec: PolicySpec) -> None:
    with pytest.raises(BundleError, match="no controller setting 'reference_turn'"):
        InsertionInterface(spec)
