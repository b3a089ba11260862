"""The virtual FANUC controller: airo-fanuc's client and codec, which nobody here wrote, and what a wire may
do."""

import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellwright_assets.welding_torch import TCP_FROM_FLANGE
from cellwright_envs.virtual.fanuc_stream import COAST_S, VirtualFanucStream
from cellwright_envs.virtual.kinematic_arm import KinematicArm
from cellwright_runtime.drivers import fanuc_packets as packets
from cellwright_runtime.drivers.driver import DriverError, Mode, Status
from cellwright_runtime.drivers.fanuc_packets import Quantity
from cellwright_runtime.drivers.fanuc_stream import FanucStreamDriver
from cellwright_runtime.interface.placing import transform_of
from cellwright_runtime.kinematics import forward_kinematics
from tests.addresses import loopback
from tests.processes import Process, until

HOST = loopback()
PROFILE = (
    "from airo_fanuc import DriverConfig, DriverPolicy, FanucDriver, RobotProfile\n"
    "import numpy as np\n"
    "profile = RobotProfile.from_degrees(name='ur10e', model='UR10e', velocity_limits_deg_s=[100.0] * 6,\n"
    "    acceleration_limits_deg_s2=[400.0] * 6, jerk_limits_deg_s3=[3000.0] * 6,\n"
    "    position_limits_lower_deg=[-360.0] * 6, position_limits_upper_deg=[360.0] * 6)\n"
    "policy = DriverPolicy(config=DriverConfig(profile=profile), enable_gripper=False,\n"
    "    enable_ownership=False)\n"
)


def virtual(**options: Any) -> VirtualFanucStream:
    return VirtualFanucStream(KinematicArm(period_s=0.008), **({"address": HOST} | options))


@pytest.fixture
def fanuc() -> Iterator[VirtualFanucStream]:
    controller = virtual()
    controller.start()
    yield controller
    controller.close()
    assert controller.failure is None


def test_airo_fanuc_moves_the_arm() -> None:
    """In lock-step, since its thread of real time shares two busy processors with everything else here."""
    arm = KinematicArm(period_s=0.008, tool_from_flange=TCP_FROM_FLANGE)
    controller = VirtualFanucStream(
        arm, address=HOST, lockstep=True, tool_from_flange=np.array(TCP_FROM_FLANGE)
    )
    controller.start()
    client = Process(PROFILE)
    try:
        client.do(f"robot = FanucDriver({HOST!r}, policy)")
        stands = controller.follower.state
        flange, tool = forward_kinematics(stands.joints_rad), transform_of(stands.tool)
        for asked, pose in (("get_flange_pose", flange), ("get_tcp_pose", tool)):
            told = client.ask(f"robot.{asked}().tolist()")
            np.testing.assert_allclose(told[:3], 1e3 * pose[:3, 3], atol=0.01)
        start = np.degrees(controller.follower.state.joints_rad)
        np.testing.assert_allclose(
            client.ask("np.degrees(robot.get_state()['q_cmd']).tolist()"), start, atol=0.01
        )
        client.do("goal = np.asarray(robot.get_state()['q_cmd'], dtype=float)\ngoal[5] += np.radians(5.0)")
        assert client.ask("robot.move_j(goal, joint_speed=0.2).wait(timeout=30.0).value") in (
            "done",
            "settle_timeout",
        )
        until(lambda: abs(np.degrees(controller.follower.state.joints_rad)[5] - start[5] - 5.0) < 0.01)
        assert not controller.in_error
        unread = {name for name, count in controller.counters.items() if count and "cannot be read" in name}
        assert unread == set()
    finally:
        client.close()
        controller.close()


@pytest.mark.parametrize("version", [3, 4])
def test_its_codec_reads_our_status(version: int) -> None:
    said = packets.Status(
        version=version,
        sequence=7,
        time_ms=1234,
        pose=np.arange(1.0, 7.0),
        joints_deg=np.arange(11.0, 17.0),
        motion_possible=True,
        taught=True,
        contact_stop=2,
        safety_scale=0.5,
        wrench=np.arange(21.0, 27.0) if version == 4 else None,
    )
    client = Process("from airo_fanuc.testing import wire")
    try:
        client.do(f"got = wire.decode_status_packet({packets.status(said)!r})")
        assert client.ask("got.position_deg[:6] + got.joint_angle_deg[:6]") == [*range(1, 7), *range(11, 17)]
        assert client.ask("(got.sequence_no, got.time_stamp, int(got.contact_stop_status))") == (7, 1234, 2)
        flags = client.ask("(got.motion_possible, got.tp_enabled, got.in_error, got.e_stopped)")
        assert flags == (True, True, False, False)
        assert client.ask("got.safety_scale") == 0.5
        if version == 4:
            assert client.ask("(got.force_x, got.moment_z, got.fs_type)") == (21.0, 26.0, 1)
    finally:
        client.close()


def test_a_host_that_dies_leaves_the_arm_coasting_and_then_at_rest() -> None:
    controller = virtual(lockstep=True)
    controller.start()
    driver = FanucStreamDriver(HOST, Mode.JOINT_POSITION, silence_s=1.0)
    try:
        start = driver.connect().joints_rad
        for cycle in range(60):
            x = cycle * driver.cycle_s / 0.8
            driver.send_setpoint(start + 0.1 * (10.0 * x**3 - 15.0 * x**4 + 6.0 * x**5))
            driver.read_state()
        with controller._lock:
            controller.lockstep = False
            speed, where = controller._speeds_deg_s[0], controller._target_deg[0]
        assert speed > 5.0
        until(lambda: controller._speeds_deg_s[0] == 0.0)
        overrun = controller._target_deg[0] - where
        assert (
            speed * (COAST_S - 2 * driver.cycle_s)
            <= overrun
            <= speed * (COAST_S + 3 * driver.cycle_s) + speed**2 / 1000.0
        )
    finally:
        driver.close()
        controller.close()


def test_an_emergency_stop_ends_motion_until_it_is_reset(fanuc: VirtualFanucStream) -> None:
    driver = FanucStreamDriver(HOST, Mode.JOINT_POSITION, silence_s=1.0)
    driver.connect()
    fanuc.press()
    until(lambda: driver.read_state().status == Status.EMERGENCY_STOP | Status.FAULT | Status.NOT_IN_CONTROL)
    driver.close()
    with pytest.raises(DriverError, match="is not ready: emergency stop, fault"):
        driver.connect()
    fanuc.release()
    fanuc.clear_alarms()
    assert driver.connect().status == Status(0)
    driver.close()


def command(sequence: int, joints: np.ndarray, **options: Any) -> bytes:
    return packets.command(packets.Command(version=3, sequence=sequence, joints_deg=joints, **options))


def test_commands_beyond_a_limit_or_of_another_style_raise_an_alarm() -> None:
    for jump, options, told in (
        (2.0, {}, "commands beyond the limit of speed"),
        (0.1, {}, "commands beyond the limit of acceleration"),
        (0.01, {}, "commands beyond the limit of jerk"),
        (0.0, {"style": 0}, "commands of another style or version"),
    ):
        controller = virtual()
        controller.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:
            host.connect((HOST, packets.SM_PORT))
            host.send(packets.short(packets.START, 3))
            until(lambda controller=controller: controller._client is not None)  # type: ignore[misc]
            with controller._lock:
                assert controller.start_program("STREAM_MOTN")
            joints = np.degrees(controller.follower.state.joints_rad)
            host.send(command(1, joints + jump, **options))
            until(lambda controller=controller: controller.in_error)  # type: ignore[misc]
        controller.close()
        assert controller.counters[told] == 1


def test_commands_out_of_order_of_others_and_before_the_program_move_nothing(
    fanuc: VirtualFanucStream,
) -> None:
    joints = np.degrees(fanuc.follower.state.joints_rad)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        for link in (host, other):
            link.connect((HOST, packets.SM_PORT))
        host.send(packets.short(packets.START, 3))
        until(lambda: fanuc._client is not None)
        for number in (5, 5, 4):
            host.send(command(number, joints))
        other.send(command(6, joints))
        other.send(packets.short(packets.STOP, 3))
        until(lambda: fanuc.counters["packets"] >= 6)
    assert fanuc.counters["commands out of order"] == 2
    assert fanuc.counters["commands of others"] == 1
    assert fanuc._client is not None
    np.testing.assert_allclose(np.degrees(fanuc.follower.state.joints_rad), joints, atol=1e-9)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=600), kind=st.sampled_from([0, 2, 3, 7, 200, 201, 202]))
def test_no_packet_ends_the_controller(fanuc: VirtualFanucStream, data: bytes, kind: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(kind.to_bytes(4, "big") + data, (HOST, packets.SM_PORT))
    with socket.create_connection((HOST, 16002), 10.0) as session:
        session.sendall(data + b"\r\n" + b'{"Command": ' + b"[" * 50 + b"\n")
    assert fanuc.failure is None


def test_tables_fall_with_the_speed_of_the_tool_and_with_load(fanuc: VirtualFanucStream) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:
        host.connect((HOST, packets.SM_PORT))
        host.settimeout(10.0)
        host.send(packets.limits_question(version=3, axis=2, quantity=Quantity.JERK))
        limits = packets.limits_of(host.recv(4096))
    assert (limits.axis, limits.quantity) == (2, Quantity.JERK)
    assert (np.diff(limits.no_payload) < 0.0).all()
    assert (limits.full_payload < limits.no_payload).all()
