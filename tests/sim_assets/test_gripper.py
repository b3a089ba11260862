"""The gripper: where it ends, what it weighs, and meshes that close on the part."""

from __future__ import annotations

import numpy as np
import pytest

from cellwright_assets.gripper import (
    GRIPPER_CENTRE_OF_MASS_M,
    GRIPPER_MASS_KG,
    STROKE_M,
    TOOL_CENTRE_OF_MASS_M,
    TOOL_MASS_KG,
    body_meshes,
    finger_meshes,
    fingertips_above_tip_m,
    gripper_centre_of_mass_t,
    tcp_from_flange,
)


def test_tool_points_down_from_the_flange_and_is_as_long_as_the_data_sheets_add_up() -> None:
    pose = tcp_from_flange(0.048)
    np.testing.assert_allclose(pose[:3, 2], [0.0, 0.0, -1.0])
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1.0)
    assert pose[2, 3] - fingertips_above_tip_m(0.048) == pytest.approx(0.0375 + 0.1628)


def test_sensor_and_gripper_together_weigh_what_the_manual_says() -> None:
    moment = GRIPPER_MASS_KG * GRIPPER_CENTRE_OF_MASS_M + 0.300 * 0.017
    assert moment / TOOL_MASS_KG == pytest.approx(TOOL_CENTRE_OF_MASS_M)
    assert gripper_centre_of_mass_t(0.048)[2] > fingertips_above_tip_m(0.048)


def test_pads_close_on_the_part_and_nothing_reaches_below_the_fingertips() -> None:
    pads, fingers = finger_meshes(0.048, 0.016)
    assert np.abs(pads.vertices[:, 1]).min() == pytest.approx(0.008)
    assert np.abs(fingers.vertices[:, 1]).min() > 0.008
    assert np.abs(pads.vertices[:, 1]).min() < 0.5 * STROKE_M
    for mesh in (pads, fingers, *body_meshes(0.048)):
        assert mesh.vertices[:, 2].min() >= fingertips_above_tip_m(0.048) - 1e-12
        assert mesh.faces.max() < len(mesh.vertices)


def test_two_fingers_cost_few_triangles() -> None:
    assert sum(len(mesh.faces) for mesh in finger_meshes(0.048, 0.008)) <= 48
