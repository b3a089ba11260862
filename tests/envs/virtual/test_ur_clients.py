"""The compiled client ur_rtde, which nobody here wrote, in a process of its own, against the virtual UR."""

import time
from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
import pytest

from cellwright_envs.virtual.kinematic_arm import KinematicArm
from cellwright_envs.virtual.ur import rtde
from cellwright_envs.virtual.ur.controller import VirtualUr
from cellwright_envs.virtual.ur.safety import Safety
from cellwright_envs.virtual.ur.variables import PERSONALITIES
from tests.addresses import loopback
from tests.processes import Process, ProgramError, until

HOST, OTHER_HOST = loopback(), loopback()
"""Of the fixture `ur`."""


@pytest.fixture(scope="module")
def client(ur: VirtualUr) -> Iterator[Process]:
    process = Process(
        f"import time, rtde_receive, rtde_control, rtde_io\n"
        f"r = rtde_receive.RTDEReceiveInterface({HOST!r})\n"
        f"io = rtde_io.RTDEIOInterface({HOST!r})\n"
        f"c = rtde_control.RTDEControlInterface({HOST!r})\n"
    )
    yield process
    process.close()


@pytest.fixture(autouse=True)
def running(ur: VirtualUr, client: Process) -> None:
    ur.release()
    ur.power(True)
    if not client.ask("c.isProgramRunning()"):
        client.do("c.disconnect(); c.reconnect()")  # unlike reuploadScript it clears the last command
        until(lambda: client.ask("c.isProgramRunning()"))


def test_what_is_received_is_what_the_arm_does(ur: VirtualUr, client: Process) -> None:
    until(lambda: ur.motion is None)
    time.sleep(0.3)
    state = ur.follower.state
    np.testing.assert_allclose(client.ask("r.getActualQ()"), state.joints_rad, atol=1e-9)
    np.testing.assert_allclose(client.ask("r.getActualTCPPose()"), state.tool, atol=1e-9)
    assert client.ask("r.getRobotMode(), r.getSafetyMode(), r.getRuntimeState()") == (7, 1, 2)
    assert client.ask("r.isConnected(), c.isConnected(), r.isProtectiveStopped()") == (True, True, False)
    before = client.ask("r.getTimestamp()")
    until(lambda: client.ask("r.getTimestamp()") > before + 0.1)


def test_moves_arrive_and_in_the_time_that_speed_and_acceleration_take(
    ur: VirtualUr, client: Process
) -> None:
    start = np.array(client.ask("r.getActualQ()"))
    goal = start + np.array([0.3, -0.2, 0.1, 0.0, 0.05, -0.1])
    begun = ur.follower.time_s
    assert client.ask(f"c.moveJ({goal.tolist()}, 0.5, 2.0)")
    took_s = ur.follower.time_s - begun
    assert took_s >= 0.3 / 0.5 + 0.5 / 2.0 - 0.02  # a trapezoid
    until(lambda: np.abs(np.array(client.ask("r.getActualQ()")) - goal).max() < 1e-4)
    pose = np.array(client.ask("r.getActualTCPPose()"))
    pose[2] += 0.03
    assert client.ask(f"c.moveL({pose.tolist()}, 0.2, 1.0)")
    until(lambda: np.abs(np.array(client.ask("r.getActualTCPPose()")) - pose).max() < 1e-4)
    assert client.ask(f"c.moveJ({start.tolist()}, 1.0, 4.0)")


def test_an_asynchronous_move_can_be_stopped(ur: VirtualUr, client: Process) -> None:
    start = np.array(client.ask("r.getActualQ()"))
    goal = start + 0.8
    assert client.ask(f"c.moveJ({goal.tolist()}, 0.3, 1.0, True)")
    until(lambda: client.ask("c.getAsyncOperationProgress()") >= 0)
    until(lambda: client.ask("r.getActualQ()")[0] > start[0] + 0.01)
    client.do("c.stopJ(5.0)")
    until(lambda: np.abs(client.ask("r.getTargetQd()")).max() == 0.0)
    assert client.ask("r.getActualQ()")[0] < goal[0] - 0.1
    until(lambda: client.ask("c.getAsyncOperationProgress()") < 0)


def test_servo_targets_are_followed(ur: VirtualUr, client: Process) -> None:
    client.do(
        "q0 = r.getActualQ()\n"
        "for n in range(150):\n"
        "    t = c.initPeriod()\n"
        "    q = [x + 0.001 * n for x in q0]\n"
        "    assert c.servoJ(q, 0.0, 0.0, 0.002, 0.1, 300)\n"
        "    c.waitPeriod(t)\n"
        "time.sleep(0.3)\n"
        "reached = r.getActualQ()\n"
        "c.servoStop()\n"
    )
    np.testing.assert_allclose(client.ask("reached"), client.ask("q"), atol=1e-4)
    until(lambda: np.abs(client.ask("r.getTargetQd()")).max() == 0.0)


def test_speeds_are_kept_and_end(ur: VirtualUr, client: Process) -> None:
    client.do(
        "q0 = r.getActualQ()\n"
        "for n in range(200):\n"
        "    t = c.initPeriod()\n"
        "    assert c.speedJ([0.2, 0, 0, 0, 0, 0], 2.0, 0.0)\n"
        "    c.waitPeriod(t)\n"
        "going = r.getTargetQd()\n"
        "c.speedStop(10.0)\n"
        "q1 = r.getActualQ()\n"
    )
    assert client.ask("going") == pytest.approx([0.2, 0, 0, 0, 0, 0])
    assert client.ask("q1[0] - q0[0]") > 0.03
    np.testing.assert_allclose(client.ask("q1[1:]"), client.ask("q0[1:]"), atol=1e-6)
    z = client.ask("r.getActualTCPPose()[2]")
    client.do("c.speedL([0, 0, 0.1, 0, 0, 0], 1.0, 0.0)\ntime.sleep(0.3)\nc.speedStop(5.0)\n")
    assert client.ask("r.getActualTCPPose()[2]") > z + 0.005


def test_an_unfed_watchdog_ends_the_program_and_the_motion(ur: VirtualUr, client: Process) -> None:
    begun = ur.counters["watchdog"]
    assert client.ask("c.setWatchdog(5.0)")
    client.do("c.speedJ([0.2, 0, 0, 0, 0, 0], 2.0, 0.0)\ntime.sleep(0.1)\n")
    until(lambda: ur.counters["watchdog"] > begun)
    until(lambda: ur.motion is None)
    until(lambda: not client.ask("c.isProgramRunning()"))
    assert client.ask("c.reuploadScript()")
    until(lambda: client.ask("c.isProgramRunning()"))


@pytest.mark.parametrize("watched", [True, False])
def test_a_killed_client_stops_the_arm_only_where_it_set_a_watchdog(watched: bool) -> None:
    """Without one the uploaded program repeats the last speed for ever, as on the robot."""
    other = VirtualUr(KinematicArm(), address=OTHER_HOST)
    other.start()
    setting = "c.setWatchdog(10.0)" if watched else "None"
    killed = Process(
        f"import rtde_control\nc = rtde_control.RTDEControlInterface({OTHER_HOST!r})\n{setting}\n"
        "c.speedJ([0.1, 0, 0, 0, 0, 0], 2.0, 0.0)\n"
    )
    try:
        until(lambda: other.follower.speeds_rad_s[0] > 0.02)
        killed.close()
        if watched:
            until(lambda: other.motion is None)
        passed = other.follower.time_s + 0.5
        until(lambda: other.follower.time_s > passed)
        assert (other.motion is None) is watched
    finally:
        killed.close()
        other.close()


def test_outputs_and_registers_arrive(ur: VirtualUr, client: Process) -> None:
    assert client.ask("io.setStandardDigitalOut(3, True), io.setToolDigitalOut(1, True)") == (True, True)
    assert client.ask("io.setConfigurableDigitalOut(0, True), io.setStandardDigitalOut(4, False)")
    until(lambda: ur.inputs.digital_outputs == 1 << 3 | 1 << 8 | 1 << 17)
    until(lambda: client.ask("r.getActualDigitalOutputBits()") == 1 << 3 | 1 << 8 | 1 << 17)
    client.do("io.setStandardDigitalOut(3, False)")
    until(lambda: client.ask("r.getDigitalOutState(3)") is False)
    assert client.ask("io.setAnalogOutputVoltage(0, 0.25), io.setAnalogOutputCurrent(1, 0.5)")
    until(lambda: client.ask("r.getStandardAnalogOutput0()") == pytest.approx(2.5))
    until(lambda: client.ask("r.getStandardAnalogOutput1()") == pytest.approx(0.012))
    client.do("io.setInputIntRegister(19, -5); io.setInputDoubleRegister(20, 1.5)")
    until(lambda: ur.inputs.ints[19] == -5 and ur.inputs.doubles[20] == 1.5)
    ur.write_int(13, 77)
    ur.write_double(14, 0.125)
    until(lambda: client.ask("r.getOutputIntRegister(13), r.getOutputDoubleRegister(14)") == (77, 0.125))
    ur.digital_inputs = 0b100
    ur.analogue_inputs[1] = 3.3
    until(lambda: client.ask("r.getDigitalInState(2), r.getDigitalInState(1)") == (True, False))
    assert client.ask("r.getStandardAnalogInput1()") == pytest.approx(3.3)
    client.do("io.setSpeedSlider(0.5)")
    until(lambda: client.ask("r.getTargetSpeedFraction()") == 0.5)
    client.do("io.setSpeedSlider(1.0)")
    until(lambda: ur.inputs.speed_fraction == 1.0)


@pytest.mark.parametrize(
    ("safety", "bits", "asked"),
    [
        (Safety.PROTECTIVE_STOP, 1 << 2 | 1 << 10, "isProtectiveStopped"),
        (Safety.ROBOT_EMERGENCY_STOP, 1 << 6 | 1 << 7 | 1 << 10, "isEmergencyStopped"),
    ],
)
def test_a_stop_of_the_safety_system_is_seen_and_ends_motion(
    ur: VirtualUr, client: Process, safety: Safety, bits: int, asked: str
) -> None:
    client.do("c.speedJ([0.3, 0, 0, 0, 0, 0], 5.0, 0.0)")
    until(lambda: abs(client.ask("r.getActualQd()")[0]) > 0.05)
    ur.press(safety)
    until(lambda: client.ask(f"r.{asked}()"))
    assert client.ask("r.getSafetyStatusBits()") == bits
    until(lambda: ur.motion is None)
    assert not client.ask("c.isProgramRunning()")
    assert client.ask("c.servoJ(r.getActualQ(), 0.0, 0.0, 0.002, 0.1, 300)") is False


@pytest.mark.parametrize(
    ("wrong", "stops"), [("float('nan')", True), ("1e6", True), ("q0[0] + 0.001", False)]
)
def test_a_target_that_the_client_lets_through_stops_the_robot(
    ur: VirtualUr, client: Process, wrong: str, stops: bool
) -> None:
    client.do("q0 = r.getActualQ()")
    assert client.ask(f"c.servoJ([{wrong}] + q0[1:], 0.0, 0.0, 0.002, 0.1, 300)")
    time.sleep(0.3)
    assert client.ask("r.isProtectiveStopped()") is stops
    client.do("c.servoStop()" if not stops else "None")


def test_kinematics_are_answered(ur: VirtualUr, client: Process) -> None:
    joints = client.ask("r.getActualQ()")
    pose = client.ask("c.getForwardKinematics()")
    np.testing.assert_allclose(pose, client.ask("r.getActualTCPPose()"), atol=1e-9)
    np.testing.assert_allclose(client.ask(f"c.getInverseKinematics({pose})"), joints, atol=1e-6)
    far = [5.0, *pose[1:]]
    assert client.ask(f"c.getInverseKinematicsHasSolution({pose})") is True
    assert client.ask(f"c.getInverseKinematicsHasSolution({far})") is False


def test_a_restarted_controller_is_found_again() -> None:
    other = VirtualUr(KinematicArm(), address=OTHER_HOST)
    other.start()
    process = Process("import rtde_receive, rtde_control")
    try:
        process.do(f"r = rtde_receive.RTDEReceiveInterface({OTHER_HOST!r})")
        other.restart()
        # ur_rtde 1.6.5 crashes where it is told to reconnect before it has noticed, and a client for control
        # reconnects in a thread of its own, in which it may crash too.
        process.do("r.disconnect(); r.reconnect()")
        before = process.ask("r.getTimestamp()")
        until(lambda: process.ask("r.getTimestamp()") > before)
        process.do(f"c = rtde_control.RTDEControlInterface({OTHER_HOST!r})")
        until(lambda: process.ask("c.isProgramRunning()"))
        assert process.ask("c.servoJ(r.getActualQ(), 0.0, 0.0, 0.002, 0.1, 300)")
    finally:
        process.close()
        other.close()


def test_registers_that_a_fieldbus_holds_are_in_use() -> None:
    held = VirtualUr(KinematicArm(), address=OTHER_HOST)
    held.start()
    held.hold(["input_int_register_0"])
    process = Process("import rtde_control")
    try:
        with pytest.raises(ProgramError, match=r"(?i)in use"):
            process.do(f"c = rtde_control.RTDEControlInterface({OTHER_HOST!r})")
    finally:
        process.close()
        held.close()


@pytest.mark.parametrize(
    ("name", "wrench"), [("polyscope-5.4", False), ("polyscope-5.23", True), ("polyscope-x", False)]
)
def test_other_versions_are_asked_for_other_variables(
    name: str, wrench: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ur_rtde asks by the version that it is told; none of what it asks for may be missing."""
    asked: list[str] = []
    other = VirtualUr(KinematicArm(), address=OTHER_HOST, personality=PERSONALITIES[name])
    known = rtde.RtdeClient._names

    def heard(self: rtde.RtdeClient, text: bytes) -> list[str]:
        asked.extend(known(self, text))
        return known(self, text)

    monkeypatch.setattr(rtde.RtdeClient, "_names", heard)
    other.start()
    process = Process("import rtde_receive")
    try:
        process.do(f"r = rtde_receive.RTDEReceiveInterface({OTHER_HOST!r})")
        assert process.ask("r.getActualQ()") == pytest.approx(other.follower.state.joints_rad.tolist())
        assert ("ft_raw_wrench" in asked) is wrench
        process.do(f"import dashboard_client\nd = dashboard_client.DashboardClient({OTHER_HOST!r})")
        with pytest.raises(ProgramError) if name == "polyscope-x" else nullcontext():
            process.do("d.connect(2000)")
    finally:
        process.close()
        other.close()
