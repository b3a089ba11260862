"""The virtual ABB controller: ABBRobotEGM, a client that nobody here wrote, our driver, and what a wire may
do."""

import socket
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellwright_envs.assembly.compliance import rotation_matrix
from cellwright_envs.virtual.abb_egm import Guidance, VirtualAbbEgm
from cellwright_envs.virtual.kinematic_arm import KinematicArm
from cellwright_runtime.drivers import egm_messages as egm
from cellwright_runtime.drivers.abb_egm import AbbEgmDriver, quaternion, turn_of
from cellwright_runtime.drivers.driver import DriverError, Mode, RobotState, SetpointError, Status
from tests.addresses import free_port, loopback
from tests.processes import Process, until

HOST, OTHER_HOST, PORT = loopback(), loopback(), free_port()
CLIENT = f"""
import numpy as np
from ABBRobotEGM import EGM
egm = EGM(port={PORT})
"""


def virtual(guidance: Guidance = Guidance.JOINT, **options: Any) -> VirtualAbbEgm:
    made = {"address": HOST, "sensor_port": PORT} | options
    return VirtualAbbEgm(KinematicArm(period_s=0.004), guidance=guidance, **made)


def test_abbrobotegm_guides_the_joints_and_reads_the_state() -> None:
    robot = virtual(lockstep=True)
    client = Process(CLIENT)
    robot.start()
    try:
        client.do(
            "_, first = egm.receive_from_robot(20.0)\n"
            "for n in range(1, 101):\n"
            "    wanted = first.joint_angles + 0.05 * n\n"
            "    assert egm.send_to_robot(wanted)\n"
            "    fine, state = egm.receive_from_robot(20.0)\n"
            "    assert fine\n"
        )
        assert client.ask("state.motors_on, state.rapid_running, state.mci_state") == (True, True, 3)
        # Lock-step: one cycle for each answer; two more may have gone before the first.
        assert 100 <= client.ask("state.header.seqno - first.header.seqno") <= 110
        robot.lockstep = False  # what was said last is held while the arm comes to rest
        until(lambda: np.abs(robot.follower.speeds_rad_s).max() < 1e-6)
        reached = np.degrees(robot.follower.state.joints_rad)
        np.testing.assert_allclose(reached, client.ask("wanted.tolist()"), atol=1e-3)
        assert robot.counters["messages that cannot be read"] == 0
        client.do("fine, state, _ = egm.receive_latest(20.0)")
        place = client.ask("(state.cartesian.pos.x, state.cartesian.pos.y, state.cartesian.pos.z)")
        np.testing.assert_allclose(place, robot.follower.state.tool[:3] * 1e3, atol=1e-3)
        turned = client.ask("[float(x) for x in state.cartesian.orient]")
        np.testing.assert_allclose(
            rotation_matrix(np.array(turn_of(*turned))),
            rotation_matrix(robot.follower.state.tool[3:]),
            atol=1e-6,
        )
    finally:
        client.close()
        robot.close()


class FeelingArm(KinematicArm):
    """An arm whose robot has force control."""

    felt: np.ndarray | None = np.array([1.5, -2.0, 30.0, 0.25, -0.5, 0.0625])

    def begin(self) -> RobotState:
        return replace(super().begin(), wrench=self.felt)

    def move_joints(self, joints_rad: np.ndarray) -> RobotState:
        return replace(super().move_joints(joints_rad), wrench=self.felt)


@pytest.mark.parametrize("felt", [FeelingArm.felt, None])
def test_a_robot_with_force_control_sends_its_wrench_and_another_none(felt: np.ndarray | None) -> None:
    arm = FeelingArm(period_s=0.004)
    arm.felt = felt
    robot = VirtualAbbEgm(arm, guidance=Guidance.JOINT, address=HOST, sensor_port=PORT)
    robot.start()
    try:
        driver = AbbEgmDriver(Mode.OBSERVE, port=PORT, silence_s=5.0)
        wrench = driver.connect().wrench
        driver.close()
        client = Process(CLIENT)
        client.do("fine, state, _ = egm.receive_latest(20.0)")
        told = client.ask("[float(each) for each in state.measured_force]")
        client.close()
    finally:
        robot.close()
    assert (wrench is None) == (felt is None)
    np.testing.assert_array_equal(told, [] if felt is None else felt)
    np.testing.assert_array_equal([] if wrench is None else wrench, told)


@pytest.mark.parametrize(
    ("forces", "measures"), [([1.0, 2.0, -3.0, 0.5, 0.0, 4.0], True), ([0.0] * 6, False)]
)
def test_the_forces_of_an_older_robot_are_read_where_it_has_them(forces: list[float], measures: bool) -> None:
    sent = bytearray()
    for each in forces:  # RobotWare 6: field 1 of EgmMeasuredForce, doubles that are not packed
        sent += b"\x09" + struct.pack("<d", each)
    head = egm.encode(
        "EgmRobot",
        {
            "header": {"seqno": 1, "tm": 4, "mtype": egm.DATA},
            "feedBack": {
                "joints": {"joints": [0.0] * 6},
                "cartesian": {
                    "pos": {"x": 0.0, "y": 0.0, "z": 0.0},
                    "orient": {"u0": 1.0, "u1": 0.0, "u2": 0.0, "u3": 0.0},
                },
            },
        },
    )
    state = AbbEgmDriver()._understood(head + b"\x4a" + bytes([len(sent)]) + bytes(sent))
    assert state is not None
    assert (None if state.wrench is None else state.wrench.tolist()) == (forces if measures else None)


def test_abbrobotegm_corrects_a_path() -> None:
    start = KinematicArm().begin().tool

    def path(time_s: float) -> np.ndarray:
        return start + np.array([0.0, 0.02 * time_s, 0.0, 0.0, 0.0, 0.0])

    robot = virtual(Guidance.PATH, lockstep=True, path=path)
    client = Process(CLIENT)
    robot.start()
    try:
        client.do(
            "egm.receive_from_robot(20.0)\n"
            "for n in range(100):\n"
            "    assert egm.send_to_robot_path_corr(np.array([0.0, 2.0, -1.5]), age=1)\n"
            "    assert egm.receive_from_robot(20.0)[0]\n"
        )
        assert robot.correction_mm.tolist() == [0.0, 2.0, -1.5]
        state = robot.follower.state
        away = state.tool[:3] - path(state.time_s)[:3]
        above = -rotation_matrix(start[3:])[:, 2]
        along = np.array([0.0, 1.0, 0.0])
        above -= along * (along @ above)
        above /= np.linalg.norm(above)
        wanted = np.cross(above, along) * 2e-3 - above * 1.5e-3
        np.testing.assert_allclose(away - along * (along @ away), wanted, atol=1e-5)
    finally:
        client.close()
        robot.close()


@pytest.mark.parametrize("guidance", [Guidance.JOINT, Guidance.POSE, Guidance.PATH])
def test_our_driver_moves_the_arm_and_its_stop_ends_the_program(guidance: Guidance) -> None:
    modes = {
        Guidance.JOINT: Mode.JOINT_POSITION,
        Guidance.POSE: Mode.TOOL_POSE,
        Guidance.PATH: Mode.PATH_CORRECTION,
    }
    robot = virtual(guidance, comm_timeout_s=0.2)
    driver = AbbEgmDriver(modes[guidance], port=PORT, silence_s=1.0, comm_timeout_s=0.2)
    robot.start()
    try:
        first = driver.connect()
        assert first.status == Status(0)
        wanted = {
            Guidance.JOINT: first.joints_rad + 0.02,
            Guidance.POSE: first.tool + np.array([2e-3, -1e-3, 1e-3, 0.0, 0.0, 0.0]),
            Guidance.PATH: np.array([1e-3, 2e-3, -1e-3]),
        }[guidance]
        for _ in range(60):
            driver.send_setpoint(wanted)
            state = driver.read_state()
        if guidance is Guidance.JOINT:
            np.testing.assert_allclose(state.joints_rad, wanted, atol=1e-3)
        elif guidance is Guidance.POSE:
            np.testing.assert_allclose(state.tool, wanted, atol=1e-3)
        else:
            assert np.linalg.norm(state.tool[:3] - first.tool[:3]) == pytest.approx(
                np.sqrt(6) * 1e-3, rel=0.05
            )
        driver.stop()
        with pytest.raises(DriverError, match="it was stopped; connect again"):
            driver.send_setpoint(wanted)
        until(lambda: bool(driver.read_state().status & Status.NOT_IN_CONTROL))
        assert robot.counters["programs ended by CommTimeout"] == 1
        robot.begin_anew()
        assert driver.connect().status == Status(0)
        robot.switch_off()
        until(lambda: driver.read_state().status == Status.NOT_READY | Status.NOT_IN_CONTROL)
    finally:
        driver.close()
        robot.close()


def test_setpoints_that_cannot_be_meant_never_leave_and_silence_is_said() -> None:
    robot = virtual()
    driver = AbbEgmDriver(Mode.JOINT_POSITION, port=PORT, silence_s=0.3)
    robot.start()
    try:
        start = driver.connect().joints_rad
        for wrong in (start * np.nan, start[:5], start + 1.0, start + 7.0):
            with pytest.raises(SetpointError):
                driver.send_setpoint(wrong)
        assert robot.counters["messages"] == 0
    finally:
        robot.close()
    until(lambda: bool(driver.read_state().status & Status.SILENT))
    driver.close()


def test_only_the_robot_that_spoke_first_is_heard_and_answered() -> None:
    first, second = virtual(), virtual(address=OTHER_HOST)
    driver = AbbEgmDriver(Mode.JOINT_POSITION, port=PORT, silence_s=1.0)
    first.start()
    try:
        start = driver.connect().joints_rad
        second.start()
        until(lambda: driver.read_state() is not None and driver.counters["packets of others"] > 5)
        driver.send_setpoint(start)
        until(lambda: first.counters["messages"] == 1)
        assert second.counters["messages"] == 0
    finally:
        driver.close()
        first.close()
        second.close()


@pytest.mark.parametrize(
    ("mode", "command", "level"),
    [
        (Mode.PATH_CORRECTION, "EGMMoveL after EGMActMove", "Path"),
        (Mode.JOINT_POSITION, "EGMRunJoint", "Filtering or Raw"),
        (Mode.TOOL_POSE, "EGMRunPose", "Filtering or Raw"),
        (Mode.OBSERVE, "EGMRunPose", "Filtering or Raw"),  # before a session that sends poses
    ],
)
def test_a_robot_that_does_not_speak_is_explained(
    mode: Mode, command: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cellwright_runtime.drivers.link.FIRST_STATE_S", 0.2)
    told = rf"run {command}\?.*instance of External Motion Interface Data with level {level}"
    with pytest.raises(DriverError, match=told):
        AbbEgmDriver(mode, port=PORT).connect()


def test_messages_out_of_order_twice_or_of_another_kind_move_nothing() -> None:
    robot = virtual(lockstep=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sensor:
        sensor.bind(("127.0.0.1", PORT))
        sensor.settimeout(10.0)
        robot.start()
        _, sender = sensor.recvfrom(4096)
        start = np.degrees(robot.follower.state.joints_rad)

        def say(number: int, change: float, kind: int = egm.CORRECTION) -> None:
            planned = {"joints": {"joints": (start + change).tolist()}}
            header = {"seqno": number, "tm": 0, "mtype": kind}
            sensor.sendto(egm.encode("EgmSensor", {"header": header, "planned": planned}), sender)

        say(8, -1.0, egm.PATH_CORRECTION)
        say(7, 1.0)
        until(lambda: robot._last == 7)
        for number, change in ((7, 2.0), (6, 3.0)):
            say(number, change)
        sensor.sendto(egm.encode("EgmSensor", {"header": {"seqno": 9, "tm": 0, "mtype": 3}}), sender)
        until(lambda: robot.counters["messages"] >= 5)
        robot.close()
    np.testing.assert_allclose(np.degrees(robot._target), start + 1.0)
    assert robot.counters["messages out of order"] == 2
    assert robot.counters["messages of another kind"] == 1
    assert robot.counters["messages that cannot be read"] == 1


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=5000))
def test_no_packet_ends_the_controller(fuzzed: VirtualAbbEgm, data: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(data, fuzzed._link.getsockname())
    assert fuzzed.failure is None
    assert fuzzed._target is None


@pytest.fixture
def fuzzed() -> Any:
    robot = virtual()
    robot.start()
    yield robot
    robot.close()
    assert robot.failure is None


@given(st.lists(st.floats(-1.8, 1.8), min_size=3, max_size=3))
def test_quaternions_say_the_same_turn(turn: list[float]) -> None:
    back = np.array(turn_of(*quaternion(np.array(turn))))
    np.testing.assert_allclose(rotation_matrix(back), rotation_matrix(np.array(turn)), atol=1e-9)
