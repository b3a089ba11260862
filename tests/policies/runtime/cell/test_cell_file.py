"""A cell's file: what is right is read, and every fault is one line that names file, line and key."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cellwright_assets.arithmetic import inverted, product
from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.bundle.safety import Safety
from cellwright_runtime.cell.cell_file import CellFile, looser, transform
from cellwright_runtime.cell.schema import Frame, Limits
from cellwright_runtime.cell.views import CellViews
from cellwright_runtime.files.reading import FileError
from cellwright_runtime.files.strict_toml import TomlText
from cellwright_runtime.interface.rotation import rotation_vector

CELL = """
[robot]
model = "UR10e"
joints = ["shoulder_pan_joint", "shoulder_lift_joint", "elbow_joint", "wrist_1_joint", "wrist_2_joint",
          "wrist_3_joint"]
driver = "ur"
host = "192.168.0.10"

[tool]
position_m = [0.0, 0.0, 0.21]
rotation_rad = [3.14159265, 0.0, 0.0]

[fixture]
position_m = [0.62, -0.11, 0.14]
rotation_rad = [0.0, 0.0, 0.3]

[[camera]]
name = "wrist"
views = ["hand"]
source = "device:0"
width_px = 1280
height_px = 960
focal_px = [1480.0, 1472.0]
principal_px = [655.0, 468.0]
distortion = [-0.21, 0.09, 0.0008, -0.0006, 0.01]
mounted_on = "flange"
position_m = [0.05, 0.0, 0.1]
rotation_rad = [0.0, 0.0, 1.5]

[[analogue_output]]
name = "wire_feed"
channel = 0
volts = [0.0, 10.0]
unit = "m/s"
low = 0.0
high = 0.3

[[digital_output]]
name = "arc_on"
channel = 1

[[digital_input]]
name = "arc_established"
channel = 1
inverted = true

[limits]
tool_speed_m_s = 0.02

[[workspace]]
name = "table"
low_m = [0.3, -0.4, 0.02]
high_m = [0.9, 0.4, 0.6]
"""


def read(text: str = CELL) -> CellFile:
    return CellFile(TomlText.parse(text, "cell.toml"))


def test_a_cell_is_read() -> None:
    cell = read().cell
    assert cell.robot.model == "UR10e"
    assert cell.camera[0].views == ("hand",)
    assert cell.analogue_output[0].volts == (0.0, 10.0)
    assert cell.digital_input[0].inverted
    assert cell.limits.tool_speed_m_s == 0.02
    assert cell.workspace[0].frame == "base"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("position_m = [0.0, 0.0, 0.21]", "position_m = [0.0, 0.0, 210.0]", "tool, position_m"),
        ("[3.14159265, 0.0, 0.0]", "[180.0, 0.0, 0.0]", "tool, rotation_rad"),
        ("[3.14159265, 0.0, 0.0]", "[3.0, 3.0, 0.0]", "is 4.243 rad long, a rotation vector is at most pi"),
        ("position_m = [0.62", "position_mm = [620", "did you mean 'position_m'?"),
        ("focal_px = [1480.0, 1472.0]", "focal_px = [8.0, 8.0]", "camera 1, focal_px"),
        ("focal_px = [1480.0, 1472.0]", "focal_px = [148000.0, 147200.0]", "see 9 mrad; is it in px?"),
        (
            "principal_px = [655.0",
            "principal_px = [1655.0",
            "its column must be within the picture, 0 to 1279",
        ),
        ("-0.0006, 0.01]", "-0.0006, 0.01, 0.0]", "needs 0, 4, 5, 8, 12, 14 coefficients, got 6"),
        ('"device:0"', '"camera 0"', "must begin with one of device:, directory:, shared:"),
        ('mounted_on = "flange"', 'mounted_on = "tool"', "camera 1, mounted_on: must be flange or base"),
        ("width_px = 1280", "width_px = 1280.5", "camera 1, width_px: must be a whole number"),
        ('unit = "m/s"', 'unit = "m/min"', "analogue_output 1, unit: must be SI"),
        ("volts = [0.0, 10.0]", "volts = [0.0, 24.0]", "analogue_output 1, volts"),
        ("volts = [0.0, 10.0]", "volts = [5.0, 5.0]", "must be two different voltages"),
        ("high = 0.3", "high = 0.0", "must differ from low"),
        ("tool_speed_m_s = 0.02", "tool_speed_m_s = 50.0", "limits, tool_speed_m_s"),
        ("tool_speed_m_s = 0.02", "tool_speed_mm_s = 50.0", "did you mean 'tool_speed_m_s'?"),
        (
            "tool_speed_m_s = 0.02",
            "joint_high_rad = [1.0, 1.0]",
            "needs a number for each of the 6 joints, got 2",
        ),
        ("low_m = [0.3", "low_m = [1.3", "workspace 1, low_m: must be below high_m along every axis"),
        ('name = "table"', 'name = "table"\nframe = "world"', "workspace 1, frame: must be base or fixture"),
        ('"elbow_joint"', '"wrist_1_joint"', "robot, joints: names 'wrist_1_joint' twice"),
        ('model = "UR10e"', "model = 10", "robot, model: must be text"),
        ("[robot]", "[robbot]", "unknown key 'robbot'; did you mean 'robot'?"),
        ("tool_speed_m_s = 0.02", "tool_speed_m_s = nan", "must be finite"),
        ("[limits]", "[limits", "no TOML"),
    ],
)
def test_a_fault_is_one_line_with_file_line_and_key(old: str, new: str, told: str) -> None:
    assert CELL.count(old) >= 1
    with pytest.raises(FileError) as refused:
        read(CELL.replace(old, new, 1))
    complaint = str(refused.value)
    assert complaint.startswith("cell.toml:")
    assert int(complaint.split(":")[1]) > 1
    assert told in complaint
    assert "\n" not in complaint


def test_two_signals_on_one_channel_are_refused() -> None:
    more = '[[digital_output]]\nname = "gas"\nchannel = 1\n'
    with pytest.raises(FileError, match="digital_output 2, channel: 1 is taken by another digital_output"):
        read(CELL + more)


def test_a_view_has_one_camera() -> None:
    again = CELL[CELL.index("[[camera]]") : CELL.index("[[analogue_output]]")]
    with pytest.raises(FileError, match="camera: names 'hand' twice"):
        read(CELL + again.replace('"wrist"', '"other"'))


@pytest.fixture(scope="module")
def pegs() -> Bundle:
    return Bundle.load(zoo.path("peg-insertion"))


def as_trained(bundle: Bundle, text: str = CELL) -> str:
    """The cell with cameras where training had them, given by the frames of the cell."""
    cell = read(text).cell
    frames = {"tool": cell.tool, "nominal_fixture": cell.fixture}
    tables = []
    for view in bundle.spec.cameras:
        frame = frames[view.frame]
        assert frame is not None
        place = product(transform(frame), inverted(view.transform))  # camera in flange or base
        turn = rotation_vector(tuple(map(tuple, place[:3, :3].tolist())))  # type: ignore[arg-type]
        mount = "flange" if view.frame == "tool" else "base"
        tables.append(
            f'[[camera]]\nname = "{view.view}"\nviews = ["{view.view}"]\nsource = "device:0"\n'
            "width_px = 1280\nheight_px = 960\nfocal_px = [1480.0, 1472.0]\nprincipal_px = [655.0, 468.0]\n"
            f'distortion = [-0.21, 0.09, 0.0008, -0.0006, 0.01]\nmounted_on = "{mount}"\n'
            f"position_m = {place[:3, 3].tolist()}\nrotation_rad = {list(turn)}\n"
        )
    head, tail = text[: text.index("[[camera]]")], text[text.index("[[analogue_output]]") :]
    return head + "".join(tables) + tail


def test_a_cell_that_is_as_trained_fits(pegs: Bundle) -> None:
    read(as_trained(pegs)).require_fit(pegs)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('model = "UR10e"', 'model = "UR5e"', "robot, model: is UR5e, the policy needs UR10e"),
        ('"shoulder_pan_joint", "shoulder_lift_joint"', '"shoulder_lift_joint", "shoulder_pan_joint"',
         "robot, joints: must be shoulder_pan_joint, shoulder_lift_joint, elbow_joint"),
        ('views = ["fixed"]', 'views = ["front"]', "with the view 'fixed'; there are: hand, front"),
        ('mounted_on = "base"', 'mounted_on = "flange"', "must be 'base': view fixed was trained so"),
        ("tool_speed_m_s = 0.02", "tool_speed_m_s = 0.5", "limits, tool_speed_m_s: is 0.5, looser than"),
        ("tool_speed_m_s = 0.02", "force_n = 500.0", "limits, force_n: is 500, looser than 30"),
        ("tool_speed_m_s = 0.02", "joint_velocity_rad_s = [1.0, 1.0, 1.0, 1.0, 1.0, 9.0]",
         "is 9 for wrist_3_joint, looser than the bundle's 3.14159"),
        ("tool_speed_m_s = 0.02", "joint_margin_rad = 0.01", "is 0.01, less than the bundle's 0.1"),
    ],
)  # fmt: skip
def test_a_cell_that_does_not_fit_the_policy_is_refused(pegs: Bundle, old: str, new: str, told: str) -> None:
    text = as_trained(pegs)
    assert old in text
    with pytest.raises(FileError) as refused:
        read(text.replace(old, new)).require_fit(pegs)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_bundle_without_an_envelope_is_refused(pegs: Bundle) -> None:
    with pytest.raises(FileError, match=r"has no safety.json; write it anew with `cellwright export`"):
        read().require_fit(replace(pegs, safety=None))


def test_stricter_limits_are_no_looser(pegs: Bundle) -> None:
    safety = pegs.safety
    assert isinstance(safety, Safety)
    assert list(looser(Limits(tool_speed_m_s=0.01, force_n=5.0, joint_margin_rad=0.5), safety)) == []


def test_the_policys_image_comes_out_of_the_cells_cameras(pegs: Bundle) -> None:
    """One grey ramp for each camera: the image has each view's own, in the order of the policy's channels."""
    views = CellViews(read(as_trained(pegs)), pegs.spec)
    ramp = np.tile((np.arange(1280) // 6).astype(np.uint8), (960, 1))
    image = views.image({"hand": ramp, "fixed": 255 - ramp})
    assert image.shape == (2, 64, 64)
    assert image.dtype == np.uint8
    assert (np.diff(image[0].astype(int), axis=1) >= 0).all()
    assert (np.diff(image[1].astype(int), axis=1) <= 0).all()
    for warp in views.warps.values():
        assert warp.centre_offset_m < 1e-8


def test_a_camera_that_sees_another_way_is_refused_with_its_line(pegs: Bundle) -> None:
    text = as_trained(pegs)
    begin = text.rindex("rotation_rad = [", 0, text.index("[[analogue_output]]"))
    end = text.index("]", begin)
    with pytest.raises(FileError, match=r"cell.toml:\d+: camera 2: view fixed: .* % of it is outside"):
        CellViews(read(text[:begin] + "rotation_rad = [0.0, 0.0, 0.0" + text[end:]), pegs.spec)


def test_a_rotation_is_a_rotation_vector() -> None:
    pose = transform(Frame(position_m=(1.0, 2.0, 3.0), rotation_rad=(0.0, 0.0, np.pi / 2)))
    np.testing.assert_allclose(pose[:3, :3], [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(pose[:3, 3], [1, 2, 3])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"nothing.toml is missing"):
        CellFile.read(tmp_path / "nothing.toml")
