"""Below the interface, simulated arms are driven at the rate of a robot's controller."""

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest

from cellwright_assets import ur10e
from cellwright_assets.welding_torch import TCP_FROM_FLANGE
from cellwright_envs.assembly.cell import NOMINAL_FIXTURE_W
from cellwright_envs.virtual.insertion_station import InsertionStation
from cellwright_envs.virtual.kinematic_arm import ACCELERATION_LIMIT_RAD_S2, KinematicArm
from cellwright_envs.virtual.weld_station import WeldStation
from cellwright_envs.welding.part.product import PRODUCTS
from cellwright_envs.welding.weld_cell import taught_program
from cellwright_runtime.drivers.driver import DriverError, Mode, RobotDriver, RobotState, SetpointError
from cellwright_runtime.drivers.sim import Plant, SimDriver
from cellwright_runtime.interface.compliant_reference import InsertionInterface
from cellwright_runtime.interface.rotation import rotation_vector

PRODUCT = PRODUCTS["tee-arc-4.5"]
PEG = "cellwright_envs:cellwright/PegInsertion-v1"
WELD = "cellwright_envs:cellwright/WeldSeam-v1"
BEGIN_M = -0.025
"""Path position over the lead-in, where a weld begins."""


@pytest.fixture
def peg() -> Iterator[Any]:
    env: Any = gymnasium.make(PEG, product="round-8-0.5", disturbances="none").unwrapped
    env.reset(seed=11)
    yield env
    env.close()


def weld_station() -> WeldStation:
    return WeldStation(WELD, seed=11, product=PRODUCT.name, disturbances="none")


def torch_arm() -> RobotDriver:
    return SimDriver(weld_station())


def compliant_arm() -> RobotDriver:
    return SimDriver(InsertionStation(PEG, seed=11, product="round-8-0.5", disturbances="none"))


def driven(arm: RobotDriver, command: np.ndarray) -> RobotState:
    arm.send_setpoint(command)
    return arm.read_state()


def taught(end_m: float) -> list[np.ndarray]:
    """Poses (6,) of the torch on the taught path up to `end_m`, one each millimetre."""
    frames, rotations_w, _ = taught_program(PRODUCT)
    along = range(frames.index(BEGIN_M), frames.index(end_m))
    return [
        np.array([*frames.points_w[index], *rotation_vector(rotations_w[index].tolist())]) for index in along
    ]


def test_a_torch_follows_its_taught_path_in_the_controllers_cycle() -> None:
    arm, path = torch_arm(), taught(0.05)
    arm.connect()
    for tool in path:
        before = arm.read_state()
        for _ in range(12):  # 1 mm in 48 ms
            reading = driven(arm, tool)
        assert reading.time_s - before.time_s == pytest.approx(0.048)
        np.testing.assert_allclose(reading.tool, tool, atol=1e-4)
    assert np.ptp(np.array(path)[:, 1]) > 2e-3  # it is curved
    arm.close()


def test_a_torch_that_is_sent_into_the_part_touches_it() -> None:
    plant = weld_station()
    arm = SimDriver(plant)
    arm.connect()
    for tool in taught(0.02):
        for _ in range(4):
            driven(arm, tool)
    assert plant.env.cell.world.touching() is None
    for _ in range(100):
        driven(arm, tool - np.array([0.0, 0.0, 0.02, 0.0, 0.0, 0.0]))
    assert plant.env.cell.world.touching() == "part"
    assert plant.passed() == ()
    arm.close()


def test_a_compliant_arm_does_in_twelve_cycles_what_an_environment_does_in_one_step(peg: Any) -> None:
    """The interface decides every 48 ms; the controller gets a straight line to its reference every 4 ms."""
    arm = compliant_arm()
    reading = arm.connect()
    interface = InsertionInterface(peg.layout, origin=NOMINAL_FIXTURE_W)
    interface.begin(reading.tool, reading.wrench, reference=peg.interface.reference)
    reference, felt_n = interface.reference.copy(), 0.0
    driven(arm, reference)  # a robot that is told to stay where it is begins with the next setpoint
    for step in range(60):
        interface.observe(
            reading.tool, reading.wrench, peg.delivered_frame, force_limit_n=peg.product.force_limit_n
        )
        action = np.array([0.3 * np.sin(step), 0.2 * np.cos(step), -0.6, 0.0, 0.0, 0.1], np.float32)
        wanted = interface.move(reading.tool, interface.command(action))
        wrenches = []
        for part in np.arange(1, 13) / 12:
            reading = driven(arm, reference + (wanted - reference) * part)
            wrenches.append(reading.wrench)
        reference = wanted
        peg.step(action)
        np.testing.assert_allclose(reading.tool, peg._state.tool, atol=1e-9)
        np.testing.assert_allclose(np.mean(wrenches, axis=0)[:3], peg._state.wrench_t[:3], atol=0.6)
        felt_n = max(felt_n, float(np.abs(peg._state.wrench_t[:3] - peg._tare[:3]).max()))
    assert reading.time_s == pytest.approx(60 * 0.048 + arm.cycle_s)
    assert felt_n > 2.0  # the rim was met
    arm.close()


def test_the_last_command_holds_until_another_comes() -> None:
    for arm in (torch_arm(), compliant_arm()):
        start = arm.connect().tool
        driven(arm, start + np.array([1e-3, 0.0, 0.0, 0.0, 0.0, 0.0]))
        for _ in range(100):
            reading = arm.read_state()
        np.testing.assert_allclose(reading.tool[:3] - start[:3], [1e-3, 0.0, 0.0], atol=1e-4)
        arm.close()


def test_a_reset_begins_again() -> None:
    for arm in (torch_arm(), compliant_arm()):
        readings = []
        for _ in range(2):
            start = arm.connect()
            assert start.time_s == 0.0
            moved = driven(arm, start.tool + np.array([0.0, 1e-3, 0.0, 0.0, 0.0, 0.0]))
            readings.append((start.tool, moved.tool, moved.joints_rad))
        for first, second in zip(*readings, strict=True):
            np.testing.assert_array_equal(first, second)
        arm.close()


MAKERS: list[Callable[[], RobotDriver]] = [torch_arm, compliant_arm]


@pytest.mark.parametrize("make", MAKERS)
def test_commands_that_cannot_be_meant_and_a_life_out_of_order_are_refused(
    make: Callable[[], RobotDriver],
) -> None:
    arm = make()
    with pytest.raises(DriverError, match="call connect first"):
        arm.read_state()
    start = arm.connect().tool
    for wrong in (start[:3], start * np.nan):
        with pytest.raises(SetpointError, match="setpoint must be 6 finite numbers"):
            arm.send_setpoint(wrong)
    with pytest.raises(SetpointError, match="setpoint 2 is 20; the controller takes -10 to 10"):
        arm.send_setpoint(np.array([0.0, 0.0, 20.0, 0.0, 0.0, 0.0]))
    np.testing.assert_allclose(arm.read_state().tool, start, atol=1e-5)
    arm.close()
    with pytest.raises(DriverError, match="call connect first"):
        arm.send_setpoint(start)


def test_a_stopped_arm_holds_and_takes_nothing_until_it_is_connected_again() -> None:
    arm = SimDriver(KinematicArm())
    start = arm.connect().tool
    for _ in range(20):
        driven(arm, start + np.array([0.05, 0.0, 0.0, 0.0, 0.0, 0.0]))
    arm.stop()
    with pytest.raises(DriverError, match="it was stopped; connect again"):
        arm.send_setpoint(start)
    where = [arm.read_state().tool for _ in range(200)][-1]
    assert 0.0005 < where[0] - start[0] < 0.04
    np.testing.assert_array_equal(arm.read_state().tool, where)
    arm.connect()
    arm.send_setpoint(start)


def test_an_arm_that_observes_takes_no_setpoint() -> None:
    arm = SimDriver(KinematicArm(), Mode.OBSERVE)
    arm.connect()
    with pytest.raises(DriverError, match="made to observe"):
        arm.send_setpoint(np.zeros(0))
    with pytest.raises(ValueError, match="takes the modes observe, joint-position, tool-pose, got path-corr"):
        SimDriver(KinematicArm(), Mode.PATH_CORRECTION)


@pytest.mark.parametrize("period_s", [0.002, 0.004, 0.008, 0.012])
def test_a_kinematic_arm_keeps_its_speeds_and_accelerations_and_does_not_overshoot(period_s: float) -> None:
    plant = KinematicArm(period_s=period_s)
    arm = SimDriver(plant, Mode.JOINT_POSITION)
    start = arm.connect().joints_rad
    goal = start + np.array([1.5, -1.0, 0.5, 0.05, -0.003, 0.0])
    path = [start] + [driven(arm, goal).joints_rad for _ in range(round(2.0 / period_s))]
    speeds = np.diff(path, axis=0) / period_s
    assert (np.abs(speeds) <= np.array(ur10e.SPEED_LIMIT_RAD_S) + 1e-9).all()
    assert np.abs(np.diff(speeds, axis=0) / period_s).max() <= ACCELERATION_LIMIT_RAD_S2 + 1e-6
    assert (np.sign(goal - start) * (np.array(path) - goal) <= 1e-4).all()
    np.testing.assert_allclose(path[-1], goal, atol=1e-6)


def test_joints_and_tool_are_two_ways_to_say_one_thing() -> None:
    """What closes the loop between a controller of joints and a cell that is told its tool."""
    kinematic = KinematicArm(tool_from_flange=TCP_FROM_FLANGE)
    plants: list[Plant] = [weld_station(), kinematic]
    for plant in plants:
        start = plant.begin()
        joints = start.joints_rad + np.array([0.002, -0.001, 0.001, 0.002, 0.0, 0.001])
        for _ in range(60):
            moved = plant.move_joints(joints)
        np.testing.assert_allclose(moved.joints_rad, joints, atol=1e-4)
        tool = start.tool + np.array([1e-3, 2e-3, -1e-3, 0.0, 0.0, 0.0])
        for _ in range(60):
            moved = plant.move_tool(tool)
        np.testing.assert_allclose(moved.tool, tool, atol=1e-5)
        plant.close()
