"""The stricter of bundle and cell holds, and a fixture that is turned turns its workspace."""

from pathlib import Path

import numpy as np
import pytest

from cellwright_assets.arithmetic import moved
from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.cell.cell_file import CellFile, transform
from cellwright_runtime.cell.limiting import limits_in
from cellwright_runtime.envelope.fences import PoseSpace
from cellwright_runtime.files.reading import FileError
from cellwright_runtime.interface.placing import pose_of
from tests.policies.runtime.cell.test_cell_file import CELL
from tools.envelope.workplace import safety

SAFETY = safety(Bundle.load(zoo.path("peg-insertion")).spec)
PLAIN = CELL.split("[limits]", maxsplit=1)[0]


def cell(tmp_path: Path, text: str) -> CellFile:
    path = tmp_path / "cell.toml"
    path.write_text(text)
    return CellFile.read(path)


def test_every_limit_of_a_cell_holds(tmp_path: Path) -> None:
    declared = limits_in(cell(tmp_path, PLAIN), SAFETY)
    tight = """
[limits]
tool_speed_m_s = 0.01
force_n = 7.0
joint_margin_rad = 0.3
workspace_margin_m = 0.002
observation_age_s = 0.09
image_age_s = 0.08
inference_s = 0.005
silence_s = 0.02
joint_low_rad = [-1.0, -9.0, -2.0, -6.0, -6.0, -6.0]
joint_high_rad = [1.0, 6.0, 2.0, 6.0, 6.0, 6.0]
joint_velocity_rad_s = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
""".replace("-9.0", "-6.0")
    held = limits_in(cell(tmp_path, PLAIN + tight), SAFETY)
    assert (held.tool_speed_m_s, held.force_n, held.joint_margin_rad) == (0.01, 7.0, 0.3)
    assert (held.workspace_margin_m, held.observation_age_s) == (0.002, 0.08)
    assert (held.inference_s, held.silence_s) == (0.005, 0.02)
    assert held.joints.low[0] == -1.0
    assert held.joints.high[2] == 2.0
    assert held.joints.low[1] == max(declared.joints.low[1], -6.0)
    assert held.joints.velocity == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    assert held.joints.acceleration == declared.joints.acceleration


def test_a_looser_number_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(
        FileError, match=r"cell.toml.*limits.*silence_s of 0.2 would loosen the declared 0.05"
    ):
        limits_in(cell(tmp_path, PLAIN + "\n[limits]\nsilence_s = 0.2\n"), SAFETY)


@pytest.mark.parametrize("turn_rad", [(0.0, 0.0, 0.0), (0.0, 0.0, 0.3), (0.2, -0.1, 1.2)])
def test_the_workspace_turns_with_the_fixture(tmp_path: Path, turn_rad: tuple[float, ...]) -> None:
    text = PLAIN.replace("rotation_rad = [0.0, 0.0, 0.3]", f"rotation_rad = {list(turn_rad)}")
    file = cell(tmp_path, text)
    assert file.cell.fixture is not None
    fixture_b = transform(file.cell.fixture)
    limits = limits_in(file, SAFETY)
    (box,) = SAFETY.workspace
    random = np.random.default_rng(3)
    span = box.high_m.array - box.low_m.array
    places = box.low_m.array + span * random.uniform(-0.2, 1.2, (300, 3))
    margin = limits.workspace_margin_m
    for place, at in zip(places, moved(fixture_b, places), strict=True):
        space = PoseSpace(limits, 0.004)
        start = pose_of(fixture_b)
        start[:3] = moved(fixture_b, (box.low_m.array + 0.5 * span)[None])[0]
        space.begin(start.tolist(), [0.0] * 6)
        low = high = at.tolist()
        inside = bool(
            (place >= box.low_m.array + margin).all() and (place <= box.high_m.array - margin).all()
        )
        assert space._tool.holds(low, high, 0.0) == inside


def test_a_box_of_the_cell_is_cut_with_that_of_the_bundle(tmp_path: Path) -> None:
    text = PLAIN.replace("rotation_rad = [0.0, 0.0, 0.3]", "rotation_rad = [0.0, 0.0, 0.0]")
    boxes = """
[[workspace]]
name = "over the table"
frame = "base"
low_m = [0.0, -1.0, 0.145]
high_m = [1.0, 1.0, 1.0]

[[workspace]]
name = "mouth"
frame = "fixture"
low_m = [-0.002, -1.0, -1.0]
high_m = [0.003, 1.0, 1.0]
"""
    limits = limits_in(cell(tmp_path, text + boxes), SAFETY)
    assert limits.tool.low[2] == 0.145
    assert limits.tool.low[0] == pytest.approx(0.618)
    assert limits.tool.high[0] == pytest.approx(0.623)
    with pytest.raises(FileError, match="the workspaces have nothing in common"):
        limits_in(cell(tmp_path, text + boxes.replace("0.145", "0.9")), SAFETY)
