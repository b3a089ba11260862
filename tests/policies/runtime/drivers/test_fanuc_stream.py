"""The driver `fanuc-stream` against airo-fanuc's strict fake controller, which nobody here wrote."""

import struct
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_assets.arithmetic import product
from cellwright_envs.virtual.fanuc_stream import VirtualFanucStream
from cellwright_envs.virtual.kinematic_arm import KinematicArm
from cellwright_runtime.drivers import fanuc_packets as packets
from cellwright_runtime.drivers.driver import DriverError, Mode, RobotState, SetpointError, Status
from cellwright_runtime.drivers.fanuc_packets import PacketError, Quantity
from cellwright_runtime.drivers.fanuc_stream import FanucStreamDriver, Tables
from cellwright_runtime.interface.placing import transform_of
from tests.addresses import loopback
from tests.processes import Process, until

TABLES = Tables.constant(np.full(6, 2.0), np.full(6, 20.0), np.full(6, 400.0))


def fake(version: int) -> Process:
    return Process(
        "from airo_fanuc.testing.fake_crx import FakeCRXController, FakeCRXConfig\n"
        f"crx = FakeCRXController(FakeCRXConfig(strict=True, available_version={version}), "
        "initial_q_deg=[10.0, 20.0, -30.0, 40.0, 50.0, -60.0, 0.0, 0.0, 0.0])\n"
        "crx.start()\ncrx.start_realtime()\n"
    )


def driver(process: Process, mode: Mode = Mode.JOINT_POSITION, **options: Any) -> FanucStreamDriver:
    ports = {"sm_port": process.ask("crx.sm_port"), "rmi_port": process.ask("crx.rmi_port")}
    return FanucStreamDriver("127.0.0.1", mode, **({"tables": TABLES, "silence_s": 1.0} | ports | options))


@pytest.fixture(scope="module")
def crx() -> Iterator[Process]:
    process = fake(3)
    yield process
    process.close()


def smooth(start: np.ndarray, by_rad: float, time_s: float) -> np.ndarray:
    """A way to another place in 0.8 s, with jerk below 60 times `by_rad` / 0.8³."""
    x = min(time_s / 0.8, 1.0)
    return np.asarray(start + by_rad * (10.0 * x**3 - 15.0 * x**4 + 6.0 * x**5))


def driven(fanuc: FanucStreamDriver, start: np.ndarray, by_rad: float, cycles: int) -> RobotState:
    for cycle in range(cycles):
        fanuc.send_setpoint(smooth(start, by_rad, cycle * fanuc.cycle_s))
        state = fanuc.read_state()
    return state


def test_a_strict_controller_finds_no_fault_with_the_commands_and_follows_them(crx: Process) -> None:
    fanuc = driver(crx)
    first = fanuc.connect()
    assert first.status == Status(0)
    np.testing.assert_allclose(
        np.degrees(first.joints_rad), [10.0, 20.0, -30.0, 40.0, 50.0, -60.0], atol=1e-3
    )
    state = driven(fanuc, first.joints_rad, 0.05, 160)  # it follows 125 ms late
    np.testing.assert_allclose(state.joints_rad - first.joints_rad, 0.05, atol=2e-3)
    assert fanuc.cycle_s == 0.008
    fanuc.stop()
    with pytest.raises(DriverError, match="it was stopped; connect again"):
        fanuc.send_setpoint(first.joints_rad)
    fanuc.close()
    time.sleep(0.1)
    assert crx.ask("crx.violations()" if crx.ask("callable(crx.violations)") else "crx.violations") == []


def test_the_pose_that_a_stream_tells_is_the_flanges(crx: Process) -> None:
    """As airo-fanuc's fake controller has it, which keeps the tool's pose for the other interface."""
    crx.do("crx.set_cartesian([500.0, -100.0, 300.0, 180.0, 0.0, 90.0])")
    tool = transform_of([0.01, 0.02, 0.175, 0.0, 0.0, 0.5])
    fanuc = driver(crx, Mode.OBSERVE, tool_from_flange=tool)
    flange = np.eye(4)
    flange[:3] = [[0, 1, 0, 0.5], [1, 0, 0, -0.1], [0, 0, -1, 0.3]]  # Rz(90°) Rx(180°), pointing down
    np.testing.assert_allclose(transform_of(fanuc.connect().tool), product(flange, tool), atol=1e-6)
    fanuc.close()


def test_states_of_the_controller_become_status(crx: Process) -> None:
    fanuc = driver(crx, Mode.OBSERVE)
    fanuc.connect()
    until(lambda: fanuc.read_state().status == Status.NOT_IN_CONTROL)
    crx.do("crx.press_estop()")
    until(lambda: Status.EMERGENCY_STOP in fanuc.read_state().status)
    moving = driver(crx)
    with pytest.raises(DriverError, match=r"at 127\.0\.0\.1 is not ready: emergency stop"):
        moving.connect()
    moving.close()
    crx.do("crx.release_estop()")
    fanuc.connect()
    crx.do("crx.set_teach(True)")
    until(lambda: Status.MANUAL in fanuc.read_state().status)
    crx.do("crx.set_teach(False); crx.set_safety_scale(0.5)")
    until(lambda: Status.REDUCED in fanuc.read_state().status)
    crx.do("crx.set_safety_scale(1.0)")
    crx.do("crx.drop_status(400)")
    until(lambda: fanuc.read_state().status & Status.SILENT)
    until(lambda: not fanuc.read_state().status & Status.SILENT)
    crx.do("crx.duplicate_next_status()")
    before = fanuc.counters["packets out of order"] + fanuc.counters["packets skipped"]
    until(
        lambda: (
            fanuc.read_state() is not None
            and fanuc.counters["packets out of order"] + fanuc.counters["packets skipped"] > before
        )
    )
    fanuc.close()


def test_a_controller_without_tables_needs_them_from_elsewhere(crx: Process) -> None:
    with pytest.raises(DriverError, match="tells no tables of speed, acceleration and jerk; pass `tables`"):
        driver(crx, tables=None).connect()


def test_the_tables_of_the_controller_are_read_and_kept() -> None:
    host = loopback()
    controller = VirtualFanucStream(KinematicArm(period_s=0.008), address=host, lockstep=True)
    controller.start()
    fanuc = FanucStreamDriver(host, Mode.JOINT_POSITION, load=0.5, silence_s=1.0)
    try:
        start = fanuc.connect().joints_rad
        assert fanuc.tables is not None
        slow, fast = np.degrees(fanuc.tables.at(0.0)), np.degrees(fanuc.tables.at(5.0))
        np.testing.assert_allclose(
            slow[:, 0], [120.0, 0.9 * 1000.0 * (1 - 0.5 / 19), 0.9 * 8000.0 * (1 - 0.5 / 19)]
        )
        np.testing.assert_allclose(fast[:, 0], [120.0, 450.0, 3600.0])
        with pytest.raises(
            SetpointError, match=r"joint 1 would get .* rad/s² of acceleration; the controller's"
        ):
            fanuc.send_setpoint(start + 0.001)
        with pytest.raises(SetpointError, match=r"joint 3 would get .* rad/s of speed"):
            fanuc.send_setpoint(start + np.array([0.0, 0.0, 0.1, 0.0, 0.0, 0.0]))
        with pytest.raises(SetpointError, match=r"joint 6 would get .* rad/s³ of jerk"):
            fanuc.send_setpoint(start + np.array([0.0, 0.0, 0.0, 0.0, 0.0, 5e-4]))
        with pytest.raises(SetpointError, match="6 finite numbers"):
            fanuc.send_setpoint(start * np.nan)
        assert controller.counters["cycles without a command"] == 0  # nothing was sent
        state = driven(fanuc, start, 0.05, 120)
        np.testing.assert_allclose(state.joints_rad - start, 0.05, atol=1e-3)
        assert not controller.in_error
    finally:
        fanuc.close()
        controller.close()


def test_a_controller_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellwright_runtime.drivers.fanuc_stream.FIRST_STATE_S", 0.2)
    with pytest.raises(
        DriverError, match=r"no Stream Motion \(option J519 or S636\) answers at 127\.0\.91\.9 port"
    ):
        FanucStreamDriver("127.0.91.9").connect()
    with pytest.raises(DriverError, match="load is a fraction of the robot's payload, from 0 to 1, got nan"):
        FanucStreamDriver("127.0.91.9", load=float("nan"))


@given(st.binary(max_size=500))
def test_bytes_that_are_no_packet_are_refused_and_nothing_else_is_raised(data: bytes) -> None:
    for read in (packets.status_of, packets.command_of, packets.limits_of, packets.limits_asked):
        with pytest.raises(PacketError):
            read(data)


@given(st.lists(st.floats(-180.0, 180.0, width=32), min_size=6, max_size=6), st.integers(0, 2**32 - 1))
def test_packets_are_those_of_the_other_codec(joints: list[float], number: int) -> None:
    """The layout by hand, after FANUC's header: offsets of what matters most."""
    said = packets.Command(version=3, sequence=number, joints_deg=np.array(joints), last=True)
    data = packets.command(said)
    assert len(data) == 344
    assert struct.unpack_from(">III", data) == (201, 3, number)
    assert (data[12], data[13], data[14:16]) == (1, 1, b"\xff\xff")
    assert list(struct.unpack_from(">6d", data, 16)) == joints
    assert packets.command_of(data).sequence == number
    heard = packets.Status(
        version=4,
        sequence=number,
        time_ms=5,
        pose=np.arange(6.0),
        joints_deg=np.array(joints),
        wrench=np.arange(6.0),
        emergency_stop=True,
    )
    back = packets.status_of(packets.status(heard))
    assert len(packets.status(heard)) == 416
    np.testing.assert_array_equal(back.joints_deg, joints)
    np.testing.assert_array_equal(back.wrench, np.arange(6.0))
    assert (back.emergency_stop, back.in_error, back.sequence) == (True, False, number)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_table_of_what_are_no_limits_is_refused(value: float) -> None:
    table = np.full(packets.STEPS, 100.0)
    table[7] = value
    limits = packets.Limits(
        axis=1, quantity=Quantity.JERK, top_speed_mm_s=1000, no_payload=table, full_payload=table
    )
    with pytest.raises(PacketError, match="values that are no limits"):
        packets.limits_of(packets.limits_answer(limits, version=3))
