"""The driver `kuka-rsi` against RSIPI's emulated controller, which nobody here wrote, in a process of its
own."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_envs.assembly.compliance import rotation_matrix
from cellwright_runtime.drivers import rsi_telegrams
from cellwright_runtime.drivers.driver import DriverError, Mode, SetpointError, Status
from cellwright_runtime.drivers.kuka_rsi import KukaRsiDriver
from cellwright_runtime.drivers.rsi_telegrams import TelegramError
from tests import rsi_configuration
from tests.addresses import free_port
from tests.processes import Process

PORT = free_port()
SERVE = """
from RSIPI.rsi_echo_server import EchoServer
server = EchoServer({config!r}, delay_ms=12, mode={mode!r}, timeout_packets=2000)
server.start()
"""


@pytest.fixture
def robot(tmp_path: Path) -> Iterator[Process]:
    process = Process(directory=tmp_path)  # it writes logs where it runs
    yield process
    process.close()


def driver(mode: Mode, **options: object) -> KukaRsiDriver:
    settings = {"port": PORT, "cycle_s": 0.012, "silence_s": 2.0} | options
    return KukaRsiDriver(mode, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("relative", [False, True])
def test_corrections_of_the_path_arrive_as_they_were_meant(
    robot: Process, tmp_path: Path, relative: bool
) -> None:
    config = rsi_configuration.written(tmp_path, port=PORT)
    robot.do(SERVE.format(config=config, mode="relative" if relative else "absolute"))
    rsi = driver(Mode.TOOL_CORRECTION, relative=relative)
    rsi.connect()
    wanted = np.array([1.5e-3, -2e-3, 0.75e-3, 0.0, 0.0, np.radians(2.0)])
    for step in range(1, 41):
        rsi.send_setpoint(wanted * step / 40)
        state = rsi.read_state()
    for _ in range(3):  # every cycle is answered
        rsi.send_setpoint(wanted)
        state = rsi.read_state()
    told = robot.ask("[server.state['RIst'][axis] for axis in 'XYZABC']")
    rsi.close()
    missed = robot.ask("server.faulty_packets")
    if missed == 0 or not relative:  # an increment that came too late is lost
        np.testing.assert_allclose(told, [1.5, -2.0, 0.75, 2.0, 0.0, 0.0], atol=2e-3)
    np.testing.assert_allclose(rsi_telegrams.cartesian(state.tool), told, atol=6e-3)  # two decimals
    assert missed < 20


def test_corrections_of_the_axes_arrive(robot: Process, tmp_path: Path) -> None:
    config = rsi_configuration.written(tmp_path, port=PORT, correction="AKorr")
    robot.do(SERVE.format(config=config, mode="absolute"))
    rsi = driver(Mode.JOINT_CORRECTION)
    rsi.connect()
    wanted = np.radians([1.0, -2.0, 0.5, 0.0, 3.0, -0.25])
    for _ in range(5):
        rsi.send_setpoint(wanted)
        state = rsi.read_state()
    np.testing.assert_allclose(state.joints_rad, wanted, atol=1e-4)
    rsi.close()


@pytest.mark.parametrize("keep_alive", [True, False])
def test_a_program_may_take_its_time_before_it_reads(
    robot: Process, tmp_path: Path, keep_alive: bool
) -> None:
    robot.do(SERVE.format(config=rsi_configuration.written(tmp_path, port=PORT), mode="absolute"))
    rsi = driver(Mode.TOOL_CORRECTION, keep_alive=keep_alive)
    first = rsi.connect()
    time.sleep(1.8)
    state = rsi.read_state()
    assert state.sequence > first.sequence
    for _ in range(3):
        rsi.send_setpoint(np.zeros(6))
        state = rsi.read_state()
    missed = robot.ask("server.faulty_packets")  # counted when the robot is answered again
    assert missed < 30 if keep_alive else missed > 40
    np.testing.assert_array_equal(state.tool, first.tool)
    rsi.close()


def test_a_driver_that_observes_answers_and_moves_nothing(robot: Process, tmp_path: Path) -> None:
    robot.do(SERVE.format(config=rsi_configuration.written(tmp_path, port=PORT), mode="relative"))
    rsi = driver(Mode.OBSERVE)
    first = rsi.connect()
    for _ in range(20):
        state = rsi.read_state()
    assert state.sequence > first.sequence
    assert state.status == Status(0)
    assert robot.ask("server._attached and server.last_received.startswith('<Sen Type=\"ImFree\"><RKorr')")
    np.testing.assert_array_equal(robot.ask("list(server.state['RIst'].values())"), np.zeros(6))
    rsi.close()


def test_answers_of_another_sensor_type_are_seen_to_be_missed(robot: Process, tmp_path: Path) -> None:
    robot.do(SERVE.format(config=rsi_configuration.written(tmp_path, port=PORT), mode="absolute"))
    rsi = driver(Mode.TOOL_CORRECTION, sensor="Another")
    rsi.connect()
    for _ in range(10):
        rsi.send_setpoint(np.full(6, 1e-3))
        rsi.read_state()
    assert rsi.counters["answers the robot missed"] > 3
    rsi.close()


def test_what_is_no_correction_never_leaves() -> None:
    rsi = driver(Mode.TOOL_CORRECTION)
    with pytest.raises(DriverError, match="call connect first"):
        rsi.send_setpoint(np.zeros(6))
    with pytest.raises(DriverError, match=r"cycles of 0\.004 and 0\.012 s, got 0\.008"):
        driver(Mode.OBSERVE, cycle_s=0.008)
    with pytest.raises(DriverError, match="modes observe, tool-correction, joint-correction, got joint"):
        driver(Mode.JOINT_POSITION)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as robot:
        rsi._link = robot
        rsi._state = object()  # type: ignore[assignment]
        for wrong, told in (
            (np.full(6, np.nan), "6 finite numbers"),
            (np.zeros(3), "6 finite numbers"),
            (
                np.array([0.0051, 0, 0, 0, 0, 0]),
                r"0 is 0\.0051; the controller takes -0\.005 to",
            ),
        ):
            with pytest.raises(SetpointError, match=told):
                rsi.send_setpoint(wrong)
        rsi._state = None


def test_a_port_in_use_and_a_robot_that_does_not_speak_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellwright_runtime.drivers.link.FIRST_STATE_S", 0.2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(DriverError, match=rf"listen at 127\.0\.0\.1 port {port}: Address"):
            driver(Mode.OBSERVE, port=port).connect()
    with pytest.raises(DriverError, match=r"no packet came to .* in 0\.2 s: is RSI_MOVECORR running"):
        driver(Mode.OBSERVE, silence_s=0.1).connect()


def test_angles_turn_about_z_y_and_x() -> None:
    def about(axis: int, degrees: float) -> np.ndarray:
        vector = np.zeros(3)
        vector[axis] = np.radians(degrees)
        return rotation_matrix(vector)

    turned = rsi_telegrams.pose(np.array([0.0, 0.0, 0.0, 30.0, -40.0, 75.0]))
    np.testing.assert_allclose(
        rotation_matrix(turned[3:]), about(2, 30.0) @ about(1, -40.0) @ about(0, 75.0), atol=1e-12
    )


@given(st.lists(st.floats(-1.8, 1.8), min_size=6, max_size=6))
def test_poses_survive_their_angles(tool: list[float]) -> None:
    back = rsi_telegrams.pose(rsi_telegrams.cartesian(np.array(tool)))
    np.testing.assert_allclose(back[:3], tool[:3], atol=1e-12)
    np.testing.assert_allclose(rotation_matrix(back[3:]), rotation_matrix(np.array(tool[3:])), atol=1e-7)


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: f"<Rob>{text}</Rob>".encode()))
def test_what_is_no_telegram_is_refused_and_nothing_else_is_raised(data: bytes) -> None:
    with pytest.raises(TelegramError):
        rsi_telegrams.read(data, "Rob")


@pytest.mark.parametrize(
    "data",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><Rob><IPOC>1</IPOC></Rob>',
        b"<Rob>" + b" " * 9000 + b"<IPOC>1</IPOC></Rob>",
        b'<Rob><RIst X="nan"/><IPOC>1</IPOC></Rob>',
        b'<Rob><RIst X="1e999"/><IPOC>1</IPOC></Rob>',
        b'<Rob><RIst X="a"/><IPOC>1</IPOC></Rob>',
        b"<Rob><IPOC>-1</IPOC></Rob>",
        b"<Sen><IPOC>1</IPOC></Sen>",
    ],
)
def test_telegrams_that_would_do_harm_are_refused(data: bytes) -> None:
    with pytest.raises(TelegramError):
        rsi_telegrams.read(data, "Rob")
