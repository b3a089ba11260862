"""The simulated sensor at the wrist: in lock-step its wrench is that of the robot's state."""

import socket
from dataclasses import replace

import numpy as np
import pytest

from cellwright_envs.virtual.abb_egm import Guidance, VirtualAbbEgm
from cellwright_envs.virtual.controller import ControllerError, VirtualController
from cellwright_envs.virtual.kinematic_arm import KinematicArm
from cellwright_envs.virtual.kuka_rsi import VirtualKukaRsi
from cellwright_envs.virtual.wrench_sensor import FeltPlant, VirtualWrenchSensor
from cellwright_runtime.deployment.correcting import Corrected
from cellwright_runtime.deployment.feeling import Feeling
from cellwright_runtime.drivers.abb_egm import AbbEgmDriver
from cellwright_runtime.drivers.ati_rdt import AtiRdtSensor
from cellwright_runtime.drivers.driver import Mode, RobotDriver, RobotState
from cellwright_runtime.drivers.kuka_rsi import KukaRsiDriver
from cellwright_runtime.interface.placing import transform_of
from tests.addresses import free_port, loopback

HOST, PORT = loopback(), free_port()
SENSOR_T = transform_of([0.0, 0.01, 0.2, 3.0, 0.1, 0.0])


class TellingArm(KinematicArm):
    """An arm whose wrench tells where its tool is: 1 N and 1 N m for a millimetre."""

    def _state(self) -> RobotState:
        state = super()._state()
        return replace(state, wrench=1e3 * np.tile(state.tool[:3], 2))


def wired(sensor: VirtualWrenchSensor) -> AtiRdtSensor:
    return AtiRdtSensor(HOST, port=sensor.port, counts_per_n=1e6, counts_per_n_m=1e6)


def lockstep(name: str, plant: FeltPlant) -> tuple[VirtualController, RobotDriver]:
    served = {"address": HOST, "sensor_address": HOST, "sensor_port": PORT, "lockstep": True}
    if name == "abb-egm":
        robot: VirtualController = VirtualAbbEgm(plant, guidance=Guidance.POSE, **served)
        return robot, AbbEgmDriver(Mode.TOOL_POSE, listen=HOST, port=PORT, silence_s=20.0)
    robot = VirtualKukaRsi(plant, most_mm=1000.0, most_degrees=180.0, **served)  # type: ignore[arg-type]
    reach = {"most_m": 1.0, "most_rad": 3.0}
    return robot, Corrected(
        KukaRsiDriver(Mode.TOOL_CORRECTION, listen=HOST, port=PORT, silence_s=20.0, **reach)
    )


@pytest.mark.parametrize("name", ["kuka-rsi", "abb-egm"])
def test_in_lockstep_a_wrench_is_that_of_the_state_it_comes_with(name: str) -> None:
    sensor = VirtualWrenchSensor(SENSOR_T, address=HOST, port=0)
    sensor.start()
    robot, driver = lockstep(name, FeltPlant(TellingArm(period_s=0.004), sensor))
    robot.patience_s = 60.0
    robot.start()
    feeling = Feeling(driver, wired(sensor), SENSOR_T)
    try:
        start = feeling.connect().tool
        steps = []
        for cycle in range(120):
            goal = start.copy()
            goal[:3] += 3e-4 * cycle  # 75 mm/s along each axis: one cycle is 0.3 N
            feeling.send_setpoint(goal)
            state = feeling.read_state()
            assert state.wrench is not None
            assert state.wrench_fault == ""
            if cycle >= 20:
                steps.append(state.tool[0])
                np.testing.assert_allclose(state.wrench, 1e3 * np.tile(state.tool[:3], 2), atol=0.01)
        assert np.ptp(steps) > 0.01  # it has moved
    finally:
        feeling.close()
        robot.close()
        sensor.close()
    assert robot.failure is None
    assert sensor.failure is None


def test_the_robot_itself_reports_no_wrench_and_the_sensor_goes_on_while_it_stands() -> None:
    sensor = VirtualWrenchSensor(np.eye(4), address=HOST, port=0)
    sensor.start()
    client = wired(sensor)
    plant = FeltPlant(TellingArm(period_s=0.004), sensor)
    try:
        client.connect()
        state = plant.begin()
        assert state.wrench is None
        np.testing.assert_allclose(client.read(0.0).wrench[:3], 1e3 * state.tool[:3], atol=1e-5)
        for cycle in range(1, 20):
            plant.stand()
            assert client.read(0.01 * cycle).fault == ""  # records with new numbers
        assert client.counters["records lost"] == 0
    finally:
        client.close()
        plant.close()
        sensor.close()


def test_loads_beyond_the_range_are_its_ends() -> None:
    sensor = VirtualWrenchSensor(np.eye(4), address=HOST, port=0)
    sensor.start()
    client = wired(sensor)
    try:
        client.connect()
        sensor.feel(np.array([1e9, -1e9, 0.0, 0.0, 0.0, 0.0]))
        np.testing.assert_allclose(client.read(0.0).wrench[:2], [2147.483647, -2147.483647])
    finally:
        client.close()
        sensor.close()


def test_addresses_that_others_reach_and_ports_in_use_are_refused() -> None:
    with pytest.raises(ControllerError, match="can be reached from outside"):
        VirtualWrenchSensor(np.eye(4), address="10.0.0.1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((HOST, 0))
        made = VirtualWrenchSensor(np.eye(4), address=HOST, port=taken.getsockname()[1])
        with pytest.raises(ControllerError, match=rf"cannot serve wrench sensor at {HOST} port \d+"):
            made.start()
        made.close()
