"""A weld's seam, wiring and sensor out of a cell's file, and every fault in it as one line."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from cellwright_envs.virtual.cell_tables import RobotTable, WeldTables
from cellwright_envs.virtual.weld_station import WIRING, WeldStation
from cellwright_policies import zoo
from cellwright_runtime.bundle.cameras import seam_sensor
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.camera.sources import CameraError
from cellwright_runtime.cell.cell_file import CellFile
from cellwright_runtime.deployment.weld import pool_of, seam_of, wiring_of
from cellwright_runtime.drivers.modbus_power_source import CouplerMap
from cellwright_runtime.files.reading import FileError

SPEC = Bundle.load(zoo.path("weld-seam")).spec
ADDRESSES = {"coupler": "127.0.0.5:5020", "seam sensor": "127.0.0.5:5021", "pool": "shared:/nowhere/pool"}


def described(product: str) -> tuple[str, WeldStation]:
    station = WeldStation(SPEC.environment, seed=5, products=product, disturbances="none")
    station.begin()
    robot = RobotTable(driver="kuka-rsi", host="127.0.0.5", port=49153)
    return WeldTables(station).text(robot, ADDRESSES), station


@pytest.fixture(scope="module")
def text() -> str:
    told, station = described("tee-arc-4.5")
    station.close()
    return told


def cell(tmp_path: Path, text: str) -> CellFile:
    path = tmp_path / "cell.toml"
    path.write_text(text)
    return CellFile.read(path)


@pytest.mark.parametrize("product", ["tee-arc-4.5", "lap-arc-3.2", "butt-s-curve-2.0"])
def test_a_seam_of_some_points_is_that_of_the_drawing(product: str, tmp_path: Path) -> None:
    told, station = described(product)
    file = cell(tmp_path, told)
    geometry = seam_sensor(SPEC.layout.controller, SPEC.layout.image_size_px)
    made, drawn = seam_of(file)(geometry), station.seam_of(geometry)
    assert made.programme == drawn.programme
    assert made.frames.length_m == pytest.approx(drawn.frames.length_m, abs=1e-4)
    along = slice(drawn.frames.index(0.0), drawn.frames.index(drawn.frames.length_m))
    np.testing.assert_allclose(made.frames.points_w[along], drawn.frames.points_w[along], atol=5e-5)
    # Where an S changes its curvature at once, a curve through points takes some millimetres.
    np.testing.assert_allclose(made.torch_rotations_w[along], drawn.torch_rotations_w[along], atol=2e-2)
    assert wiring_of(file) == (WIRING, CouplerMap(meter_count=len(station.read().signals)))
    assert file.cell.robot.correction_m == 1.0
    station.close()


def read(directory: Path, text: str) -> None:
    file = cell(directory, text)
    seam_of(file)
    wiring_of(file)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("[seam]\n", "[seams]\n"), "seams"),
        (('joint = "t_fillet"', 'joint = "corner"'), "choose one of lap, t_fillet, butt"),
        (('joint = "t_fillet"\n', ""), "joint"),
        (("voltage_v = ", "voltage_v = 2"), "voltage_v"),
        (("upright = [0.0, 0.0, 1.0]", "upright = [0.0, 0.0, true]"), "upright"),
        (('name = "wire_feed"', 'name = "wire"'), "needs an [[analogue_output]] named 'wire_feed'"),
        (('unit = "m/s"', 'unit = "V"'), "must be 'm/s', got 'V'"),
        (('name = "arc_on"', 'name = "arc"'), "needs a [[digital_output]] named 'arc_on'"),
        (('name = "ready"', 'name = "fine"'), "needs a [[digital_input]] named 'ready'"),
        (('name = "ready"', 'name = "ready"\ninverted = true'), "is not possible behind a coupler"),
        (("[power_source]\n", "[[tool_changer]]\n"), "tool_changer"),
        (('source = "shared:', 'source = "memory:'), "must begin with one of device:"),
        (("meter_count = ", "full_count = 100\nmeter_count = "), "full_count"),
    ],
)
def test_a_fault_is_one_line(change: tuple[str, str], told: str, text: str, tmp_path: Path) -> None:
    assert change[0] in text
    with pytest.raises(FileError) as refused:
        read(tmp_path, text.replace(*change, 1))
    assert told in str(refused.value)
    assert "cell.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_policy_that_sees_the_pool_needs_its_camera(text: str, tmp_path: Path) -> None:
    bundle = Bundle.load(zoo.path("weld-seam"))
    with ExitStack() as opened:
        with pytest.raises(CameraError, match="start the camera's program first"):
            pool_of(cell(tmp_path, text), bundle, None, opened)
        without = text.replace('[pool_camera]\nsource = "shared:/nowhere/pool"\n', "")
        with pytest.raises(FileError, match=r"needs the table \[pool_camera\]"):
            pool_of(cell(tmp_path, without), bundle, None, opened)


def test_normals_that_describe_no_seam_are_refused(text: str, tmp_path: Path) -> None:
    lines = [
        "normals = [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]" if line.startswith("normals") else line
        for line in text.splitlines()
    ]
    with pytest.raises(FileError, match="need a normal for each of"):
        seam_of(cell(tmp_path, "\n".join(lines)))
