"""The driver `ur` against the virtual UR, each in a process of its own."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from cellwright_runtime.drivers import ur as ur_driver
from cellwright_runtime.drivers.driver import DriverError, Mode, SetpointError, Status
from cellwright_runtime.drivers.servo import ServoThread
from cellwright_runtime.drivers.ur import UrDriver
from tests.addresses import loopback
from tests.processes import Process, until

HOST = loopback()
SERVE = """
import numpy as np
from cellwright_envs.virtual.kinematic_arm import KinematicArm
from cellwright_envs.virtual.ur.controller import VirtualUr
from cellwright_envs.virtual.ur.safety import Safety
ur = VirtualUr(KinematicArm(), address={host!r}, lockstep={lockstep})
ur.start()
"""


@pytest.fixture(scope="module")
def served() -> Iterator[Process]:
    # In lock-step a busy processor trips no watchdog; after a second without setpoints time goes on.
    process = Process(SERVE.format(host=HOST, lockstep=True) + "ur.patience_s = 1.0\n")
    yield process
    process.close()


@pytest.fixture
def ur(served: Process) -> Process:
    served.do("ur.release(); ur.power(True); ur.end_program()")
    return served


def test_an_observer_reads_and_uploads_no_program(ur: Process) -> None:
    before = ur.ask("ur.counters['script: programs']")
    driver = UrDriver(HOST, silence_s=1.0)
    state = driver.connect()
    later = [driver.read_state() for _ in range(20)][-1]
    assert later.time_s > state.time_s
    assert later.status == Status.NOT_IN_CONTROL
    assert 0.0 <= later.age_s < 1.0
    np.testing.assert_allclose(later.joints_rad, ur.ask("ur.follower.state.joints_rad.tolist()"), atol=1e-9)
    np.testing.assert_allclose(later.tool, ur.ask("ur.follower.state.tool.tolist()"), atol=1e-9)
    with pytest.raises(DriverError, match="made to observe"):
        driver.send_setpoint(np.zeros(0))
    driver.close()
    assert ur.ask("ur.counters['script: programs']") == before


def test_setpoints_of_a_servo_thread_are_followed_and_stop_brings_rest(ur: Process) -> None:
    driver = UrDriver(HOST, Mode.JOINT_POSITION, silence_s=1.0)
    start = driver.connect().joints_rad
    sent = []

    def step() -> bool:
        driver.read_state()
        sent.append(start + 0.0005 * len(sent) * np.array([1.0, -1.0, 0.5, 0.0, 0.0, 1.0]))
        driver.send_setpoint(sent[-1])
        return True

    servo = ServoThread(step, driver.stop, cycle_s=driver.cycle_s)
    servo.start()
    until(lambda: len(sent) >= 150)
    servo.stop()
    assert servo.cycles >= 149
    until(lambda: ur.ask("ur.motion is None and not ur.program_runs()"))
    reached = np.array(ur.ask("ur.follower.state.joints_rad.tolist()"))
    assert reached[0] - start[0] == pytest.approx(sent[-1][0] - start[0], abs=0.04)
    assert reached[0] - start[0] > 0.03
    with pytest.raises(DriverError, match="it was stopped; connect again"):
        driver.send_setpoint(start)
    driver.close()


def test_a_thread_that_fails_stops_the_arm(ur: Process) -> None:
    driver = UrDriver(HOST, Mode.JOINT_VELOCITY, silence_s=1.0)
    driver.connect()
    cycles = []

    def step() -> bool:
        cycles.append(driver.read_state().time_s)
        driver.send_setpoint(np.array([0.2 if len(cycles) < 50 else np.nan, 0, 0, 0, 0, 0]))
        return True

    servo = ServoThread(step, driver.stop, cycle_s=driver.cycle_s)
    servo.start()
    until(lambda: not servo.alive)
    with pytest.raises(SetpointError, match="setpoint must be 6 finite numbers"):
        servo.stop()
    until(lambda: ur.ask("ur.motion is None"))
    assert ur.ask("ur.counters['protective stops']") == 0  # the nan never left
    driver.close()


@pytest.mark.parametrize("mode", [Mode.JOINT_POSITION, Mode.JOINT_VELOCITY])
def test_silence_of_this_computer_ends_the_motion(ur: Process, mode: Mode) -> None:
    before = ur.ask("ur.counters['watchdog']")
    driver = UrDriver(HOST, mode, silence_s=1.0)
    start = driver.connect().joints_rad
    driver.send_setpoint(start + 0.001 if mode is Mode.JOINT_POSITION else np.full(6, 0.1))
    until(lambda: ur.ask("ur.counters['watchdog']") > before and ur.ask("ur.motion is None"))
    until(lambda: driver.read_state().status & Status.NOT_IN_CONTROL)
    with pytest.raises(DriverError, match="takes no setpoint; its program has ended"):
        driver.send_setpoint(start if mode is Mode.JOINT_POSITION else np.zeros(6))
    driver.close()


def test_setpoints_that_cannot_be_meant_never_leave(ur: Process) -> None:
    driver = UrDriver(HOST, Mode.JOINT_POSITION, silence_s=1.0)
    start = driver.connect().joints_rad
    for wrong, told in (
        (start * np.inf, "6 finite numbers"),
        (start[:5], "6 finite numbers"),
        (np.full(6, 1e6), "setpoint 0 is 1e"),
        (start + 0.5, r"setpoint 0 is 0.5 from the one before; the controller follows 0.35 a cycle"),
    ):
        with pytest.raises(SetpointError, match=told):
            driver.send_setpoint(wrong)
    assert ur.ask("ur.program_runs() and not ur._program.real_time and ur._watched is None")
    driver.send_setpoint(start)
    until(lambda: ur.ask("ur._watched == ('input_int_register_0', 0.1)"))
    driver.close()


@pytest.mark.parametrize(
    ("pressed", "flags", "told"),
    [
        ("ROBOT_EMERGENCY_STOP", Status.EMERGENCY_STOP | Status.NOT_READY, "emergency stop, not ready"),
        ("PROTECTIVE_STOP", Status.PROTECTIVE_STOP, "protective stop"),
        ("SAFEGUARD_STOP", Status.SAFEGUARD_STOP, "safeguard stop"),
        ("VIOLATION", Status.FAULT | Status.NOT_READY, "fault, not ready"),
        ("REDUCED", Status.REDUCED, None),
    ],
)
def test_bits_of_the_safety_system_become_status(
    ur: Process, pressed: str, flags: Status, told: str | None
) -> None:
    driver = UrDriver(HOST, silence_s=1.0)
    driver.connect()
    ur.do(f"ur.press(Safety.{pressed})")
    until(lambda: driver.read_state().status == flags | Status.NOT_IN_CONTROL)
    driver.close()
    moving = UrDriver(HOST, Mode.JOINT_POSITION, silence_s=1.0)
    if told is None:
        moving.connect()
    else:
        with pytest.raises(DriverError, match=f"at {HOST} is not ready: {told}$"):
            moving.connect()
    moving.close()


def test_inputs_of_the_cabinet_come_back(ur: Process) -> None:
    driver = UrDriver(HOST, silence_s=1.0)
    driver.connect()
    ur.do("ur.digital_inputs = 0b10; ur.analogue_inputs = [2.5, 10.0]")
    until(lambda: driver.read_state().digital_inputs == 0b10)
    assert driver.read_state().analogue_inputs == (0.25, 1.0)
    driver.close()


def test_a_silent_controller_is_said_to_be_silent() -> None:
    """In lock-step it waits for setpoints, so that nothing comes while none is sent."""
    host = loopback()
    process = Process(SERVE.format(host=host, lockstep=True) + "ur.patience_s = 3.0\n")
    driver = UrDriver(host, Mode.JOINT_POSITION, silence_s=0.3)
    try:
        start = driver.connect().joints_rad
        driver.send_setpoint(start)
        states = [driver.read_state() for _ in range(4)]
        silent = next(state for state in states if state.status & Status.SILENT)
        assert silent.age_s > 0.3
        assert driver.counters["reads without a new state"] >= 1
    finally:
        driver.close()
        process.close()


@pytest.mark.parametrize("how", ["dies", "falls silent"])
def test_a_controller_that_is_gone_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """ur-rtde itself waits minutes for it."""
    monkeypatch.setattr("cellwright_runtime.drivers.ur._STOPPED_S", 1.0)
    host = "127.0.63.4"
    process = Process(SERVE.format(host=host, lockstep=False))
    driver = UrDriver(host, Mode.JOINT_POSITION, silence_s=0.3)

    def stop() -> None:
        driver.stop()
        driver.close()

    stopping = threading.Thread(target=stop, daemon=True)
    try:
        start = driver.connect().joints_rad
        driver.send_setpoint(start)
        if how == "dies":
            process.close()
            until(lambda: not driver._receive.isConnected())
            with pytest.raises(DriverError, match=r"the connection to the UR controller at .* is lost"):
                driver.send_setpoint(start)
        else:
            process._process.send_signal(signal.SIGSTOP)
            until(lambda: Status.SILENT in driver.read_state().status)
        stopping.start()
        stopping.join(20.0)
        assert not stopping.is_alive()
    finally:
        if how != "dies":
            process._process.send_signal(signal.SIGCONT)
            process.close()


def test_in_lock_step_a_cycle_passes_for_each_setpoint_and_two_runs_are_alike() -> None:
    """What a weld of 21 s needs: its time is counted in cycles, whatever the processor does meanwhile."""
    host = loopback()
    paths = []
    for _ in range(2):
        process = Process(SERVE.format(host=host, lockstep=True) + "ur.patience_s = 30.0\n")
        driver = UrDriver(host, Mode.JOINT_POSITION, silence_s=20.0)
        try:
            start = driver.connect().joints_rad
            times_s = [0.0]
            while len(times_s) < 10 or np.ptp(np.diff(times_s[-10:])) > 1e-9:  # until the program waits
                assert len(times_s) < 2000
                driver.send_setpoint(start)
                times_s.append(driver.read_state().time_s)
            path = []
            for cycle in range(200):
                driver.send_setpoint(start + 0.0005 * cycle)
                state = driver.read_state()
                path.append((state.time_s, *state.joints_rad))
            paths.append(np.array(path))
        finally:
            driver.close()
            process.close()
    passed_s = np.diff(paths[0][:, 0])
    np.testing.assert_allclose(passed_s, 0.002, atol=1e-9)
    np.testing.assert_allclose(np.diff(paths[0], axis=0), np.diff(paths[1], axis=0), atol=1e-6)


def test_a_controller_that_is_not_there_is_one_line() -> None:
    with pytest.raises(
        DriverError, match=r"no UR controller answers at 127\.0\.63\.9 port 30004: Connection"
    ):
        UrDriver("127.0.63.9").connect()
    with pytest.raises(DriverError, match="takes the modes observe, joint-position, joint-velocity, got"):
        UrDriver(HOST, Mode.TOOL_POSE)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", r"no UR controller answers at .* port 30004: timed out"),
        (b"HTTP/1.1 400 Bad Request", r"what answers at .* port 30004 is no UR controller"),
    ],
)
def test_what_answers_nothing_or_something_else_is_one_line_and_no_hang(
    answer: bytes, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ur_driver, "_REACH_TIMEOUT_S", 0.5)
    host = loopback()
    with answering(host, 30004, answer), pytest.raises(DriverError, match=told):
        UrDriver(host).connect()


def test_a_dashboard_server_that_hangs_is_one_line_and_no_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ur_driver, "_REACH_TIMEOUT_S", 0.5)
    host = loopback()
    process = Process(
        "from cellwright_envs.virtual.ur.variables import PERSONALITIES\n"
        + SERVE.format(host=host, lockstep="False, personality=PERSONALITIES['polyscope-x']")
    )
    try:
        with (
            answering(host, 29999, b""),
            pytest.raises(DriverError, match=r"answers at .* port 29999: timed out"),
        ):
            UrDriver(host, Mode.JOINT_POSITION, silence_s=1.0).connect()
        assert process.ask("ur.counters['script: programs']") == 0
    finally:
        process.close()


@contextlib.contextmanager
def answering(host: str, port: int, answer: bytes) -> Iterator[None]:
    """A server that takes every connection and sends the same, whatever it is asked."""
    with socket.create_server((host, port)) as server, contextlib.ExitStack() as kept:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.enter_context(server.accept()[0]).sendall(answer)

        serving = threading.Thread(target=serve)
        serving.start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)
            serving.join()


def test_without_the_client_the_extra_is_named() -> None:
    program = (
        "import sys; sys.modules['rtde_receive'] = None\n"
        "from cellwright_runtime.drivers.ur import UrDriver\n"
        "UrDriver('127.0.63.9').connect()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].endswith("pip install 'cellwright[ur]'")
