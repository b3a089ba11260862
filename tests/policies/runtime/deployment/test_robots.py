"""Drivers as a session takes them: corrections as poses, and a tool that both sides agree on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellwright_assets import ur10e
from cellwright_assets.arithmetic import product
from cellwright_envs.virtual.catalogue import KINDS
from cellwright_envs.virtual.cells import Cell
from cellwright_envs.virtual.fanuc_stream import ACCELERATION_DEG_S2, JERK_DEG_S3, VirtualFanucStream
from cellwright_envs.virtual.kinematic_arm import KinematicArm
from cellwright_runtime.cell.cell_file import CellFile
from cellwright_runtime.deployment import robots
from cellwright_runtime.deployment.correcting import Corrected
from cellwright_runtime.deployment.robots import (
    controller_limits,
    driver_for,
    motion_lag_s,
    require_tool,
    tool_from_flange,
)
from cellwright_runtime.drivers.driver import DriverError, Mode, RobotState
from cellwright_runtime.drivers.sim import SimDriver
from cellwright_runtime.drivers.ur import UrDriver
from cellwright_runtime.files.reading import FileError
from cellwright_runtime.interface.placing import Placed, pose_of, transform_of
from cellwright_runtime.kinematics import forward_kinematics
from tests.addresses import loopback
from tests.policies.runtime.cell.test_cell_file import CELL
from tests.policies.runtime.envelope.robots import LIMITS


class Correcting:
    """A driver that adds what it is sent to where it stands, as RSI does."""

    mode, cycle_s, coasting_s, lag_s = Mode.TOOL_CORRECTION, 0.004, 0.04, 0.03

    def __init__(self, tool: np.ndarray) -> None:
        self.begun, self.tool = tool, tool
        self.prepared = self.stopped = self.closed = 0

    def connect(self) -> RobotState:
        return RobotState(time_s=0.0, joints_rad=np.zeros(6), tool=self.tool)

    read_state = connect

    def prepare(self) -> None:
        self.prepared += 1

    def send_setpoint(self, setpoint: np.ndarray) -> None:
        self.sent = setpoint.tolist()
        shift, planned = transform_of(setpoint), transform_of(self.begun)
        moved = np.eye(4)
        moved[:3, :3] = product(shift[:3, :3], planned[:3, :3])
        moved[:3, 3] = shift[:3, 3] + planned[:3, 3]
        self.tool = pose_of(moved)

    def stop(self) -> None:
        self.stopped += 1

    def close(self) -> None:
        self.closed += 1


def cell(tmp_path: Path, text: str = CELL) -> CellFile:
    path = tmp_path / "cell.toml"
    path.write_text(text)
    return CellFile.read(path)


def test_corrections_lead_to_the_poses_that_are_sent() -> None:
    random = np.random.default_rng(5)
    driver = Correcting(np.array([0.5, 0.1, 0.3, 1.2, -0.4, 2.0]))
    corrected = Corrected(driver)
    with pytest.raises(DriverError, match="call connect first"):
        corrected.send_setpoint(driver.tool)
    corrected.connect()
    for _ in range(20):
        wanted = driver.begun + np.array([0.1] * 3 + [0.5] * 3) * random.uniform(-1.0, 1.0, 6)
        corrected.send_setpoint(wanted)
        np.testing.assert_allclose(transform_of(corrected.read_state().tool), transform_of(wanted), atol=1e-9)
    corrected.prepare()
    corrected.stop()
    corrected.close()
    assert (driver.prepared, driver.stopped, driver.closed) == (1, 1, 1)
    assert (corrected.cycle_s, corrected.coasting_s, corrected.lag_s) == (0.004, 0.04, 0.03)
    assert corrected.mode is Mode.TOOL_POSE


def test_a_driver_of_poses_takes_no_corrections() -> None:
    plant: Any = Correcting(np.zeros(6))
    plant.period_s = 0.004
    with pytest.raises(DriverError, match="a driver of tool-pose takes no corrections"):
        Corrected(SimDriver(plant))


def test_a_frame_and_its_inside() -> None:
    placed = Placed(transform_of([0.6, -0.1, 0.2, 0.0, 0.0, np.pi / 2]))
    np.testing.assert_allclose(placed.outside([0.01, 0.0, 0.0, 0.0, 0.0, 0.0])[:3], [0.6, -0.09, 0.2])
    pose = np.array([0.5, 0.2, 0.1, 0.3, -0.2, 0.9])
    np.testing.assert_allclose(placed.outside(placed.inside(pose)), pose, atol=1e-12)


def test_the_controllers_tool_has_to_be_that_of_the_file(tmp_path: Path) -> None:
    file = cell(tmp_path)
    joints = np.array(ur10e.HOME_Q_RAD)
    flange = forward_kinematics(joints)

    def state(tool: np.ndarray) -> RobotState:
        return RobotState(time_s=0.0, joints_rad=joints, tool=pose_of(tool))

    right = product(flange, tool_from_flange(file))
    require_tool(file, state(right), "ur")
    near = right.copy()
    near[2, 3] += 0.003
    require_tool(file, state(near), "ur")
    far = right.copy()
    far[2, 3] += 0.007
    with pytest.raises(FileError, match="which is 7 mm and 0 degrees from it"):
        require_tool(file, state(far), "ur")
    require_tool(file, state(product(right, transform_of([0.0, 0.0, 0.0, 0.0, 0.0, 0.03]))), "ur")
    with pytest.raises(FileError, match=r"tool.*is not the tool of the controller, which is 210 mm and 180"):
        require_tool(file, state(flange), "ur")
    turned = product(right, transform_of([0.0, 0.0, 0.0, 0.0, 0.0, 0.1]))
    with pytest.raises(FileError, match="0 mm and 6 degrees"):
        require_tool(file, state(turned), "ur")
    with pytest.raises(DriverError, match=r"is 0 mm and 6 degrees from the flange .* set the active UFRAME"):
        require_tool(file, state(turned), "fanuc-stream")
    bare = CELL.replace("[tool]\nposition_m = [0.0, 0.0, 0.21]\nrotation_rad = [3.14159265, 0.0, 0.0]\n", "")
    with pytest.raises(FileError, match=r"needs the table \[tool\]"):
        require_tool(cell(tmp_path, bare), state(right), "ur")


def test_a_fanuc_with_a_tool_is_that_of_the_file_though_it_tells_its_flange(tmp_path: Path) -> None:
    file, host = cell(tmp_path), loopback()
    arm = KinematicArm(period_s=0.008, tool_from_flange=tool_from_flange(file))
    stands = Cell(plant=arm, tool_from_flange=tool_from_flange(file))
    controller = KINDS["fanuc-stream"].make(stands, variant="", address=host)
    controller.start()
    driver = driver_for(file, "fanuc-stream", host, arm=False)
    try:
        state = driver.connect()
        require_tool(file, state, "fanuc-stream")
        np.testing.assert_allclose(state.tool, controller.follower.state.tool, atol=1e-6)
    finally:
        driver.close()
        controller.close()


def test_limits_also_keep_what_a_controller_tells(tmp_path: Path) -> None:
    host = loopback()
    controller = VirtualFanucStream(KinematicArm(period_s=0.008), address=host, lockstep=True)
    controller.start()
    try:
        held = controller_limits(cell(tmp_path), "fanuc-stream", host, LIMITS, cycle_s=0.008)
        with pytest.raises(
            DriverError, match=r"has a cycle of 8 ms, .* for 4 ms: set cycle_ms = 8 in \[robot\]"
        ):
            controller_limits(cell(tmp_path), "fanuc-stream", host, LIMITS, cycle_s=0.004)
    finally:
        controller.close()
    # At full payload and the tool's top speed, with the margin: the least of the controller's tables.
    most = 0.9 * 0.8 * 0.5
    assert held.joints.acceleration == pytest.approx([most * np.radians(ACCELERATION_DEG_S2)] * 6)
    assert held.joints.jerk == pytest.approx([most * np.radians(JERK_DEG_S3)] * 6)
    assert held.joints.velocity == LIMITS.joints.velocity  # stricter than the tables
    assert held == replace(LIMITS, joints=held.joints)
    assert (held.joints.low, held.joints.high) == (LIMITS.joints.low, LIMITS.joints.high)


def test_limits_stay_where_a_controller_tells_none(tmp_path: Path) -> None:
    file = cell(tmp_path)
    # Nobody is there to be asked.
    assert controller_limits(file, "ur", "127.0.61.9", LIMITS, cycle_s=0.002) is LIMITS
    host = loopback()
    controller = VirtualFanucStream(
        KinematicArm(period_s=0.008), address=host, lockstep=True, tells_tables=False
    )
    controller.start()
    try:
        assert controller_limits(file, "fanuc-stream", host, LIMITS, cycle_s=0.008) is LIMITS
    finally:
        controller.close()
    with pytest.raises(DriverError, match=rf"no Stream Motion .* answers at {host}"):
        controller_limits(file, "fanuc-stream", host, LIMITS, cycle_s=0.008)


@pytest.mark.parametrize(
    ("stated", "most_rad"),
    [("", np.radians(5.0)), ("correction_rad = 1.0\n", 1.0), ("correction_rad = 3.2\n", None)],
)
def test_a_correction_turns_the_tool_no_further_than_its_limit(
    stated: str, most_rad: float | None, tmp_path: Path
) -> None:
    """Half a turn is every orientation, so that a ring may go round."""
    tool = LIMITS.tool
    wide = replace(
        LIMITS,
        tool=replace(tool, low=(*tool.low[:3], *(-9.0,) * 3), high=(*tool.high[:3], *(9.0,) * 3)),
    )
    text = CELL.replace('driver = "ur"\n', f'driver = "kuka-rsi"\n{stated}')
    assert "kuka-rsi" in text
    held = controller_limits(cell(tmp_path, text), "kuka-rsi", "127.0.61.9", wide, cycle_s=0.004)
    if most_rad is None:
        assert held is wide
        return
    assert held.tool.high == (*tool.high[:3], *(most_rad,) * 3)
    assert held.tool.low == (*tool.low[:3], *(-most_rad,) * 3)
    assert held.joints == wide.joints


def test_corrections_go_round_with_the_tool() -> None:
    driver = Correcting(np.array([0.5, 0.1, 0.3, 3.0, 0.3, -0.2]))
    corrected = Corrected(driver)
    corrected.connect()
    for turned_rad in np.linspace(0.0, 4.5 * np.pi, 60):
        wanted = transform_of(driver.begun)
        wanted[:3, :3] = product(transform_of([0.0] * 5 + [turned_rad])[:3, :3], wanted[:3, :3])
        corrected.send_setpoint(pose_of(wanted))
        np.testing.assert_allclose(transform_of(corrected.read_state().tool), wanted, atol=1e-9)
        assert max(map(abs, driver.sent)) <= np.pi


@pytest.mark.parametrize(
    ("name", "cycle_ms", "cycle_s"),
    [("kuka-rsi", 12, 0.012), ("kuka-rsi", None, 0.004), ("fanuc-stream", 4, 0.004), ("ur", None, 0.002)],
)
def test_a_cell_says_the_cycle_of_its_controller(
    tmp_path: Path, name: str, cycle_ms: int | None, cycle_s: float
) -> None:
    line = "" if cycle_ms is None else f"\ncycle_ms = {cycle_ms}"
    file = cell(tmp_path, CELL.replace('driver = "ur"', f'driver = "{name}"{line}'))
    assert driver_for(file, name, "127.0.61.10", arm=False).cycle_s == cycle_s


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("kuka-rsi", r"robot, cycle_ms: must be 4 or 12 for kuka-rsi, got 8"),
        ("ur", r"robot, cycle_ms: is for kuka-rsi and fanuc-stream; ur has one cycle only"),
    ],
)
def test_a_cycle_that_a_controller_has_not_is_refused(tmp_path: Path, name: str, told: str) -> None:
    file = cell(tmp_path, CELL.replace('driver = "ur"', 'driver = "ur"\ncycle_ms = 8'))
    with pytest.raises(FileError, match=told):
        driver_for(file, name, "127.0.61.10", arm=False)


@pytest.mark.parametrize(
    ("name", "lines", "options"),
    [
        (
            "kuka-rsi",
            'sensor = "Weld"\nmissed_answers = 3\ncorrection_m = 0.2\ncorrection_rad = 0.4',
            {"sensor": "Weld", "missed": 3, "most_m": 0.2, "most_rad": 0.4},
        ),
        ("abb-egm", "comm_timeout_s = 0.2", {"comm_timeout_s": 0.2}),
        ("fanuc-stream", "load = 0.25", {"load": 0.25}),
    ],
)
def test_a_cell_says_how_its_controller_is_set_up(
    tmp_path: Path, name: str, lines: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    make = robots.make_driver
    monkeypatch.setattr(
        robots, "make_driver", lambda *names, **told: given.update(told) or make(*names, **told)
    )
    file = cell(tmp_path, CELL.replace('driver = "ur"', f'driver = "{name}"\n{lines}'))
    driver_for(file, name, "127.0.61.10", arm=False)
    assert options.items() <= given.items()
    with pytest.raises(FileError, match=rf"robot, \w+: is for {name}; leave it out for ur"):
        driver_for(file, "ur", "127.0.61.10", arm=False)


def test_a_robot_with_less_load_is_given_more_by_its_tables(tmp_path: Path) -> None:
    host = loopback()
    controller = VirtualFanucStream(KinematicArm(period_s=0.008), address=host, lockstep=True)
    controller.start()
    try:
        held = [
            controller_limits(
                cell(tmp_path, CELL.replace('driver = "ur"', f'driver = "fanuc-stream"\nload = {load}')),
                *("fanuc-stream", host, LIMITS),
                cycle_s=0.008,
            )
            for load in (1.0, 0.0)
        ]
    finally:
        controller.close()
    assert held[1].joints.jerk[0] > 1.2 * held[0].joints.jerk[0]


def test_a_measured_lag_takes_the_place_of_the_drivers(tmp_path: Path) -> None:
    driver = UrDriver("127.0.0.9")
    assert motion_lag_s(driver, cell(tmp_path)) == 0.034
    measured = CELL.replace('driver = "ur"', 'driver = "ur"\nmotion_lag_s = 0.05')
    assert motion_lag_s(driver, cell(tmp_path, measured)) == 0.05
