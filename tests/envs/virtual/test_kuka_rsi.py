"""The virtual KUKA controller: RSIPI's client, which nobody here wrote, and what a wire may do."""

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellwright_envs.virtual.kinematic_arm import KinematicArm
from cellwright_envs.virtual.kuka_rsi import VirtualKukaRsi
from cellwright_runtime.drivers import rsi_telegrams
from cellwright_runtime.drivers.driver import Mode, Status
from cellwright_runtime.drivers.kuka_rsi import KukaRsiDriver
from tests import rsi_configuration
from tests.addresses import free_port, loopback
from tests.processes import Process, until

HOST, PORT = loopback(), free_port()


def virtual(**options: object) -> VirtualKukaRsi:
    made = {"address": HOST, "sensor_port": PORT, "missed": 500, "cycle_s": 0.012} | options
    return VirtualKukaRsi(KinematicArm(period_s=0.004), **made)  # type: ignore[arg-type]


@pytest.fixture
def robot() -> Iterator[VirtualKukaRsi]:
    controller = virtual()
    controller.start()
    yield controller
    controller.close()
    assert controller.failure is None


def test_rsipi_corrects_the_path_and_reads_where_the_tool_is(robot: VirtualKukaRsi, tmp_path: Path) -> None:
    start = robot.follower.state.tool
    config = rsi_configuration.written(tmp_path, port=PORT)
    client = Process(
        "from RSIPI.rsi_api import RSIAPI\n"
        f"api = RSIAPI({config!r}, rsi_mode='absolute', cycle_time=0.012)\n"
        "api.start()\nassert api.wait_for_connection(20.0)\n",
        directory=tmp_path,
    )
    try:
        client.do("api.motion.update_cartesian(X=1.0, Y=-2.0, Z=0.5, A=1.0)")
        until(lambda: robot.correction.tolist() == [1.0, -2.0, 0.5, 1.0, 0.0, 0.0])
        until(lambda: np.abs(robot.follower.speeds_rad_s).max() < 1e-6)
        np.testing.assert_allclose(
            robot.follower.state.tool[:3] - start[:3], [1e-3, -2e-3, 0.5e-3], atol=1e-5
        )
        wanted = rsi_telegrams.cartesian(robot.follower.state.tool)
        until(lambda: client.ask("abs(api.motion.get_current_pose()['X'])") > 1.0)
        read = client.ask("[float(api.motion.get_current_pose()[axis]) for axis in 'XYZABC']")
        np.testing.assert_allclose(read, wanted, atol=0.01)
        assert robot.counters["telegrams that cannot be read"] == 0
        assert robot.counters["telegrams of another sensor type, or without a correction"] == 0
        assert not robot.broken_off
        client.do("api.stop()")
    finally:
        client.close()


def test_a_program_runs_on_below_the_correction() -> None:
    start = KinematicArm().begin().tool

    def path(time_s: float) -> np.ndarray:
        return start + np.array([0.01 * time_s, 0.0, 0.0, 0.0, 0.0, 0.0])

    robot = virtual(path=path, lockstep=True, cycle_s=0.004)
    rsi = KukaRsiDriver(Mode.TOOL_CORRECTION, port=PORT, silence_s=2.0)
    robot.start()
    try:
        begun = rsi.connect()
        for _ in range(250):
            rsi.send_setpoint(np.array([0.0, 1e-3, 0.0, 0.0, 0.0, 0.0]))
            state = rsi.read_state()
        assert state.sequence - begun.sequence == 1000  # lock-step: a cycle for each answer, none missed
        assert robot.counters["answers missed"] == 0
        assert state.tool[0] - begun.tool[0] == pytest.approx(0.01, abs=2e-4)
        assert state.tool[1] - start[1] == pytest.approx(1e-3, abs=1e-5)
    finally:
        rsi.close()
        robot.close()


def test_a_driver_that_stops_has_rsi_stop_the_robot_where_it_is() -> None:
    robot = virtual(missed=5)
    rsi = KukaRsiDriver(Mode.JOINT_CORRECTION, port=PORT, silence_s=1.0, cycle_s=0.012, missed=5)
    robot.start()
    try:
        rsi.connect()
        for _ in range(10):
            rsi.send_setpoint(np.full(6, 0.01))
            rsi.read_state()
        rsi.stop()
        until(lambda: robot.broken_off)
        where = robot.follower.state.joints_rad
        np.testing.assert_allclose(where - robot._start.joints_rad, np.full(6, 0.01), atol=1e-3)
        until(lambda: bool(rsi.read_state().status & Status.SILENT))
        np.testing.assert_allclose(robot.follower.state.joints_rad, where, atol=1e-4)
        robot.begin_anew()
        rsi.connect()
        assert rsi.read_state().status == Status(0)
    finally:
        rsi.close()
        robot.close()


def clipped(rsi: KukaRsiDriver, robot: VirtualKukaRsi) -> bool:
    rsi.send_setpoint(np.array([0.02, 0.0, 0.0, 0.0, 0.0, 0.0]))
    rsi.read_state()
    return robot.counters["corrections beyond the limits"] > 0


def test_a_correction_beyond_the_limits_is_clipped_and_counted() -> None:
    robot = virtual()
    rsi = KukaRsiDriver(Mode.TOOL_CORRECTION, port=PORT, silence_s=1.0, cycle_s=0.012, most_m=0.05)
    robot.start()
    try:
        rsi.connect()
        until(lambda: clipped(rsi, robot))
        assert robot.correction[0] == 5.0
    finally:
        rsi.close()
        robot.close()


def answer(ipoc: str, x: float = 1.0, kind: str = "ImFree") -> bytes:
    return rsi_telegrams.sen(
        kind=kind, correction="RKorr", values=np.array([x, 0.0, 0.0, 0.0, 0.0, 0.0]), ipoc=ipoc
    )


def test_only_an_answer_to_the_newest_telegram_counts() -> None:
    robot = virtual(lockstep=True)  # once it is answered it waits for the next answer
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sensor:
        sensor.bind(("127.0.0.1", PORT))
        sensor.settimeout(10.0)
        robot.start()
        ipoc = ""
        while not robot.correction[0]:
            data, sender = sensor.recvfrom(65536)
            ipoc = rsi_telegrams.read(data, "Rob").ipoc
            sensor.sendto(answer(ipoc), sender)
        late = robot.counters["telegrams with another IPOC"]
        new = rsi_telegrams.read(sensor.recvfrom(65536)[0], "Rob").ipoc
        for told in (answer(ipoc, 3.0), answer(new, 4.0, kind="Other"), b"<Sen>", answer(new, 2.0)):
            sensor.sendto(told, sender)
        until(lambda: robot.correction[0] != 1.0)
        robot.close()
    assert robot.correction[0] == 2.0
    assert robot.counters["telegrams with another IPOC"] == late + 1
    assert robot.counters["telegrams of another sensor type, or without a correction"] == 1
    assert robot.counters["telegrams that cannot be read"] == 1


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=2000) | st.text(max_size=300).map(str.encode))
def test_no_packet_ends_the_controller_or_moves_the_arm(robot: VirtualKukaRsi, data: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(data, robot._link.getsockname())
    assert robot.failure is None
    assert (robot.correction == 0.0).all()


def test_in_lockstep_time_waits_for_a_client_whose_first_answers_come_too_late() -> None:
    robot = virtual(lockstep=True, cycle_s=0.004)
    robot.patience_s = 60.0
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.bind(("127.0.0.1", PORT))
    client.settimeout(20.0)
    robot.start()
    try:
        told, sender = client.recvfrom(4096)
        first = rsi_telegrams.read(told, "Rob").ipoc
        client.recvfrom(4096)  # the next cycle has begun
        late = rsi_telegrams.sen(kind="ImFree", correction="RKorr", values=np.zeros(6), ipoc=first)
        client.sendto(late, sender)
        until(lambda: robot.counters["telegrams with another IPOC"] == 1)
        client.settimeout(0.5)
        for _ in range(100):  # in real time there would be 125 more
            try:
                told, _ = client.recvfrom(4096)
            except TimeoutError:
                break
        else:
            pytest.fail("time went on")
        newest = rsi_telegrams.read(told, "Rob").ipoc
        client.settimeout(20.0)
        answer = rsi_telegrams.sen(kind="ImFree", correction="RKorr", values=np.zeros(6), ipoc=newest)
        client.sendto(answer, sender)
        assert int(rsi_telegrams.read(client.recv(4096), "Rob").ipoc) == int(newest) + 4
    finally:
        client.close()
        robot.close()
