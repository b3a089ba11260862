"""Below the interface, cells are driven at the rate of a robot's controller."""

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest

from cellwright_envs.assembly.cell import NOMINAL_FIXTURE_W, pose_matrix
from cellwright_envs.virtual.compliant_arm import CompliantArm
from cellwright_envs.virtual.torch_arm import TorchArm
from cellwright_envs.welding.part.product import PRODUCTS
from cellwright_envs.welding.weld_cell import taught_program
from cellwright_runtime.drivers.driver import ArmDriver, ArmReading
from cellwright_runtime.interface.compliant_reference import InsertionInterface
from cellwright_runtime.interface.rotation import rotation_vector

PRODUCT = PRODUCTS["tee-arc-4.5"]


@pytest.fixture
def peg() -> Iterator[Any]:
    env: Any = gymnasium.make("cellwright_envs:cellwright/PegInsertion-v0", disturbances="none").unwrapped
    env.reset(seed=11, options={"product": "round-8-0.5"})
    yield env
    env.close()


def torch_arm(period_s: float = 0.004) -> ArmDriver:
    return TorchArm(PRODUCT, path_position_m=-0.02, period_s=period_s)


def compliant_arm(env: Any, period_s: float = 1.0 / 240.0) -> ArmDriver:
    return CompliantArm(
        env.product,
        env.conditions,
        start=env.interface.reference,
        fixture_w=pose_matrix(np.array([*NOMINAL_FIXTURE_W, 0.0, 0.0, 0.0])),
        compliance=env.config.compliance,
        period_s=period_s,
    )


def driven(arm: ArmDriver, command: np.ndarray) -> ArmReading:
    arm.command(command)
    return arm.read()


@pytest.mark.parametrize("period_s", [0.004, 0.008, 0.012])
def test_a_torch_follows_its_taught_path_in_the_controllers_cycle(period_s: float) -> None:
    frames, rotations_w, _ = taught_program(PRODUCT)
    arm = torch_arm(period_s)
    arm.reset()
    for index in range(frames.index(-0.02), frames.index(0.05)):
        tool = np.array([*frames.points_w[index], *rotation_vector(rotations_w[index].tolist())])
        before = arm.read()
        for _ in range(round(0.048 / period_s)):  # 1 mm in 48 ms
            reading = driven(arm, tool)
        assert reading.time_s - before.time_s == pytest.approx(0.048)
        np.testing.assert_allclose(reading.tool, tool, atol=1e-4)
    assert np.ptp(frames.points_w[frames.index(-0.02) : frames.index(0.05), 1]) > 2e-3  # it is curved
    arm.close()


def test_a_torch_that_is_sent_into_the_part_touches_it() -> None:
    arm = TorchArm(PRODUCT, path_position_m=0.02)
    tool = arm.reset().tool
    assert arm.touching is None
    for _ in range(100):
        driven(arm, tool - np.array([0.0, 0.0, 0.02, 0.0, 0.0, 0.0]))
    assert arm.touching == "part"
    arm.close()


def test_a_compliant_arm_does_in_twelve_cycles_what_an_environment_does_in_one_step(peg: Any) -> None:
    """The interface decides at 20 Hz; the controller gets a straight line to its reference at 240 Hz."""
    arm = compliant_arm(peg)
    reading = arm.reset()
    interface = InsertionInterface(peg.layout, origin=NOMINAL_FIXTURE_W)
    interface.begin(reading.tool, reading.wrench, reference=peg.interface.reference)
    reference, felt_n = interface.reference.copy(), 0.0
    for step in range(40):
        action = np.array([0.3 * np.sin(step), 0.2 * np.cos(step), -0.6, 0.0, 0.0, 0.1], np.float32)
        wanted = interface.move(reading.tool, interface.command(action))
        wrenches = []
        for part in np.arange(1, 13) / 12:
            reading = driven(arm, reference + (wanted - reference) * part)
            wrenches.append(reading.wrench)
        reference = wanted
        peg.step(action)
        np.testing.assert_allclose(reading.tool, peg._state.tool, atol=1e-9)
        np.testing.assert_allclose(np.mean(wrenches, axis=0)[:3], peg._state.wrench_t[:3], atol=0.05)
        felt_n = max(felt_n, float(np.abs(peg._state.wrench_t[:3] - peg._tare[:3]).max()))
    assert reading.time_s == pytest.approx(40 * 0.05)
    assert felt_n > 2.0  # the rim was met
    arm.close()


def test_the_last_command_holds_until_another_comes(peg: Any) -> None:
    for arm in (torch_arm(), compliant_arm(peg)):
        start = arm.reset().tool
        driven(arm, start + np.array([1e-3, 0.0, 0.0, 0.0, 0.0, 0.0]))
        for _ in range(100):
            reading = arm.read()
        np.testing.assert_allclose(reading.tool[:3] - start[:3], [1e-3, 0.0, 0.0], atol=1e-4)
        arm.close()


def test_a_reset_begins_again(peg: Any) -> None:
    for arm in (torch_arm(), compliant_arm(peg)):
        readings = []
        for _ in range(2):
            start = arm.reset()
            assert start.time_s == 0.0
            moved = driven(arm, start.tool + np.array([0.0, 1e-3, 0.0, 0.0, 0.0, 0.0]))
            readings.append((start.tool, moved.tool, moved.joints_rad))
        for first, second in zip(*readings, strict=True):
            np.testing.assert_array_equal(first, second)
        arm.close()


MAKERS: list[Callable[[Any], ArmDriver]] = [lambda env: torch_arm(), compliant_arm]


@pytest.mark.parametrize("make", MAKERS)
def test_commands_that_cannot_be_meant_and_a_life_out_of_order_are_refused(
    make: Callable[[Any], ArmDriver], peg: Any
) -> None:
    arm = make(peg)
    with pytest.raises(ValueError, match="call reset before"):
        arm.read()
    start = arm.reset().tool
    for wrong in (start[:3], start * np.nan):
        with pytest.raises(ValueError, match="tool must be 6 finite numbers"):
            arm.command(wrong)
    np.testing.assert_allclose(arm.read().tool, start, atol=1e-5)
    arm.close()
    with pytest.raises(ValueError, match="call reset before"):
        arm.command(start)


def test_a_cycle_that_is_no_whole_number_of_physics_steps_is_refused(peg: Any) -> None:
    with pytest.raises(ValueError, match=r"period_s=0.006 is no whole multiple of the physics' 0.004"):
        torch_arm(0.006)
    with pytest.raises(ValueError, match="no whole multiple of the physics"):
        compliant_arm(peg, 0.004)
