"""The two cameras: calibration, what is drawn where, and edges finer than a pixel."""

from __future__ import annotations

import numpy as np
import pytest

from cellwright_envs.assembly.cameras import CameraRig, InsertionCameras, insertion_scene
from cellwright_envs.assembly.cell import NOMINAL_FIXTURE_W, pose_matrix
from cellwright_envs.assembly.parts.catalogue import Catalogue
from cellwright_envs.assembly.parts.connectors import CONNECTORS
from cellwright_envs.assembly.parts.gears import GEARS
from cellwright_envs.assembly.parts.nuts import NUTS
from cellwright_envs.assembly.parts.part import Part
from cellwright_envs.assembly.parts.pegs import PEGS

RIG = CameraRig()
NOMINAL_W = pose_matrix(np.array([*NOMINAL_FIXTURE_W, 0.0, 0.0, 0.0]))


def at(x_m: float = 0.0, y_m: float = 0.0, z_m: float = 0.0) -> np.ndarray:
    return NOMINAL_W @ pose_matrix(np.array([x_m, y_m, z_m, 0.0, 0.0, 0.0]))


def frames(
    tool_w: np.ndarray,
    fixture_w: np.ndarray = NOMINAL_W,
    *,
    name: str = "round-8-0.5",
    hand_error: np.ndarray | None = None,
    lamp_factor: float = 1.0,
) -> np.ndarray:
    cameras = InsertionCameras(RIG)
    cameras.begin(
        PEGS.by_name[name],
        NOMINAL_W,
        hand_error=np.eye(4) if hand_error is None else hand_error,
        fixed_error=np.eye(4),
        lamp_direction_w=RIG.lamp_direction_w,
        lamp_factor=lamp_factor,
        room_factor=1.0,
    )
    out = np.zeros((2, 64, 64), dtype=np.uint8)
    cameras.take(tool_w, tool_w, fixture_w, out)
    return out


def dark_centre_px(image: np.ndarray, near_px: np.ndarray) -> np.ndarray:
    """Centroid (column, row) of the darkest things within 12 px of a place: the hole."""
    rows, columns = np.indices(image.shape)
    near = np.hypot(columns - near_px[0], rows - near_px[1]) < 12.0
    weight = np.where(near, np.maximum(45.0 - image, 0.0), 0.0)
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


@pytest.mark.parametrize("view", [0, 1])
def test_hole_is_seen_where_the_calibration_projects_it(view: int) -> None:
    tool_w, fixture_w = at(z_m=0.025), at(x_m=2e-3, y_m=-1e-3)
    camera_from_world = (
        RIG.camera_from_tool @ np.linalg.inv(tool_w),
        RIG.camera_from_fixture @ np.linalg.inv(NOMINAL_W),
    )[view]
    hole_c = camera_from_world[:3] @ fixture_w[:, 3]
    expected = RIG.models[view].project(hole_c[None])[0]
    seen = dark_centre_px(frames(tool_w, fixture_w)[view].astype(float), expected)
    assert np.hypot(*(seen - expected)) < 2.0


@pytest.mark.parametrize("view", [0, 1])
def test_a_tenth_of_a_millimetre_changes_grey_levels(view: int) -> None:
    """Which is a sixth of a pixel."""
    here, there = (frames(at(z_m=5e-3), at(x_m=x_m, y_m=x_m))[view].astype(int) for x_m in (0.0, 0.1e-3))
    assert np.abs(here - there).max() > 8


def test_hand_camera_moves_with_the_tool_and_the_other_does_not() -> None:
    here, there = frames(at(z_m=5e-3)), frames(at(z_m=5e-3, x_m=3e-3), at(x_m=3e-3))
    differs = np.abs(here.astype(int) - there).mean(axis=(1, 2))
    assert differs[0] < 1.0 < differs[1]


def test_a_knocked_camera_sees_the_same_hole_elsewhere() -> None:
    knocked = np.eye(4)
    knocked[0, 3] = 3e-3
    tool_w = at(z_m=0.02)
    expected = RIG.models[0].project(
        (RIG.camera_from_tool @ np.linalg.inv(tool_w) @ NOMINAL_W[:, 3])[None, :3]
    )
    straight = dark_centre_px(frames(tool_w)[0].astype(float), expected[0])
    shifted = dark_centre_px(frames(tool_w, hand_error=knocked)[0].astype(float), expected[0])
    pixels_per_m = RIG.hand_focal_px / 0.125
    assert shifted[0] - straight[0] == pytest.approx(3e-3 * pixels_per_m, rel=0.25)
    assert abs(shifted[1] - straight[1]) < 1.0


def test_a_brighter_lamp_brightens_the_picture() -> None:
    assert frames(at(z_m=0.01), lamp_factor=1.3).mean() > frames(at(z_m=0.01)).mean() + 5.0


@pytest.mark.parametrize(("catalogue", "most"), [(PEGS, 300), (CONNECTORS, 160), (NUTS, 490), (GEARS, 1280)])
def test_scenes_are_cheap(catalogue: Catalogue[Part], most: int) -> None:
    """Gears have the most: a tooth has twelve triangles, and three gears are seen."""
    assert max(len(insertion_scene(part).geometry.faces) for part in catalogue.parts) <= most
