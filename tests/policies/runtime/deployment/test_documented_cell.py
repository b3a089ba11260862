"""The cell's file of the documentation is one in which the shipped policy works."""

import re
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.cell.cell_file import CellFile
from cellwright_runtime.cell.limiting import limits_in
from cellwright_runtime.cell.views import CellViews
from cellwright_runtime.deployment.insertion import insertion_in, part_of, require_wrench
from cellwright_runtime.deployment.robots import driver_for, space_for
from cellwright_runtime.files.reading import FileError
from cellwright_runtime.files.strict_toml import TomlText
from cellwright_runtime.operation.task import Camera

PAGE = Path("docs/cell-file.md").read_text()
EXAMPLE = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0]
PEG = Bundle.load(zoo.path("peg-insertion"))
SAFETY = PEG.safety
assert SAFETY is not None


def read(text: str) -> CellFile:
    return CellFile(TomlText.parse(text, "cell.toml"))


def test_the_documented_cell_is_accepted_with_the_documented_command() -> None:
    file = read(EXAMPLE)
    assert file.cell.robot.driver == "ur"
    file.require_fit(PEG)
    require_wrench(file, "ur")
    assert part_of(file, PEG.spec.controller).depth_m == 0.025
    limits = limits_in(file, SAFETY)
    assert limits.tool_speed_m_s == 0.02
    space_for(driver_for(file, "ur", file.cell.robot.host, arm=True), file, limits)
    views = CellViews(file, PEG.spec)
    assert views.cameras == {"hand": "wrist", "fixed": "stand"}


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        (
            "force_limit_n",
            "900.0",
            "is 900; this policy was trained with parts that bear 20 to 30 N: write 30",
        ),
        ("force_limit_n", "31.0", "is 31; this policy was trained with parts that bear 20 to 30 N: write 30"),
        ("force_limit_n", "19.0", "is 19; this policy was trained with parts that bear 20 to 30 N: one that"),
        ("depth_m", "0.4", "is 0.4; this policy goes in 0.034 m at most: a deeper part needs another"),
        ("depth_m", "0.035", "is 0.035; this policy goes in 0.034 m at most"),
    ],
)
def test_a_part_beyond_the_training_is_one_line(key: str, value: str, told: str) -> None:
    file = read(re.sub(rf"^{key} = .*$", f"{key} = {value}", EXAMPLE, flags=re.MULTILINE))
    with pytest.raises(FileError, match=rf"^cell.toml:\d+: part, {key}: {re.escape(told)}"):
        part_of(file, PEG.spec.controller)


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (
            "joint_low_rad = [3.0, 0, 0, 0, 0, 0]\njoint_high_rad = [2.0, 1, 1, 1, 1, 1]",
            r"limits, joint_low_rad: leaves shoulder_pan_joint nothing: 3 to 2$",
        ),
        (
            "joint_high_rad = [-6.2832, 1, 1, 1, 1, 1]",
            r"limits, joint_high_rad: leaves shoulder_pan_joint nothing: -6.28319 to -6.2832$",
        ),
        (
            "joint_margin_rad = 3.0\njoint_low_rad = [1, 0, 0, 0, 0, 0]",
            r"limits, joint_margin_rad: joint_margin_rad must be below 2.642, half of the least room, got 3",
        ),
        (
            "workspace_margin_m = 1.0",
            r"limits, workspace_margin_m: workspace_margin_m must be below 0.02126, half of the least",
        ),
        ("silence_s = 0.0001", r"limits, silence_s: silence_s must be from 0.001 to 60, got 0.0001$"),
    ],
)
def test_limits_that_leave_nothing_are_one_line(limits: str, told: str) -> None:
    file = read(EXAMPLE.replace("tool_speed_m_s = 0.02", limits))
    with pytest.raises(FileError, match=rf"^cell.toml:\d+: {told}"):
        limits_in(file, SAFETY)


def test_a_port_of_a_driver_without_a_choice_is_one_line() -> None:
    file = read(EXAMPLE.replace('driver = "ur"', 'driver = "ur"\nport = 30004'))
    for driver in ("ur", "fanuc-stream"):
        with pytest.raises(
            FileError, match=rf"robot, port: must be left out: the ports of the driver {driver}"
        ):
            driver_for(file, driver, "127.0.0.1", arm=False)
    driver_for(file, "abb-egm", "127.0.0.1", arm=False)


@pytest.mark.parametrize("key", ["motion_lag_s", "wrench_lag_s"])
def test_a_lag_that_is_too_long_is_named(key: str) -> None:
    file = read(EXAMPLE.replace('driver = "ur"', f'driver = "ur"\n{key} = 0.5'))
    driver, camera = driver_for(file, "ur", "127.0.0.1", arm=True), cast(Camera, None)
    with pytest.raises(FileError, match=rf"^cell.toml:\d+: robot, {key}: "):
        insertion_in(file, PEG, driver, camera)


def test_a_host_that_cannot_be_found_is_named_with_its_driver() -> None:
    for driver in ("ur", "fanuc-stream"):
        with pytest.raises(
            OSError, match=rf"the driver {driver} cannot find its controller 'nohost.invalid': "
        ):
            driver_for(read(EXAMPLE), driver, "nohost.invalid", arm=False)


@pytest.mark.parametrize("host", ["..", "a" * 70, "a b", "192.168.0.10\\u0000"])
def test_a_host_that_is_none_is_one_line(host: str) -> None:
    for table in ("robot", "wrench_sensor"):
        old = {"robot": "192.168.0.10", "wrench_sensor": "192.168.1.1"}[table]
        with pytest.raises(FileError, match=rf"^cell.toml:\d+: {table}, host: must be a name or an address"):
            read(EXAMPLE.replace(f'"{old}"', f'"{host}"'))


def test_addresses_of_a_coupler_may_be_large() -> None:
    assert read(EXAMPLE.replace("channel = 0", "channel = 2048")).cell.analogue_output[0].channel == 0x0800
    with pytest.raises(FileError, match="channel"):
        read(EXAMPLE.replace("channel = 0", "channel = 65536"))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("most_holds", 2.5, "most_holds must be a whole number, got 2.5"),
        ("blend_s", 1e9, r"blend_s must be from 0 to 60, got 1e\+09"),
        ("dwell_s", 61.0, "dwell_s must be from 0 to 60, got 61"),
        ("silence_s", 1e-9, "silence_s must be from 0.001 to 60, got 1e-09"),
        ("inference_s", 1e-9, "inference_s must be from 0.001 to 60, got 1e-09"),
        ("observation_age_s", 1e-9, "observation_age_s must be from 0.001 to 60, got 1e-09"),
    ],
)
def test_a_limit_with_which_no_robot_moves_is_one_line(name: str, value: float, told: str) -> None:
    limits = limits_in(read(EXAMPLE), SAFETY)
    with pytest.raises(ValueError, match=told):
        limits.tightened(**{name: value})
    assert replace(limits, most_holds=2).most_holds == 2
