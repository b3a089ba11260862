"""Where camera and laser sit: frames, the laser plane, and the way from a pixel to the part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry

GEOMETRY = SeamSensorGeometry()


def in_camera(points_t: Any) -> np.ndarray:
    """Points (N, 3) [m] of the tool frame in the camera frame."""
    homogeneous = np.column_stack([points_t, np.ones(len(points_t))])
    return (homogeneous @ GEOMETRY.camera_from_tool.T)[:, :3]


def in_laser_plane(column_px: np.ndarray, row_px: np.ndarray) -> np.ndarray:
    """Points (N, 2) as (y_t, z_t) [m] of the laser plane seen at pixels of the stripe window."""
    px = np.stack([column_px, row_px, np.ones_like(column_px)])
    y_m, z_m, depth = GEOMETRY.laser_from_stripe @ px
    return np.stack([y_m / depth, z_m / depth], axis=1)


def test_tool_and_camera_frames_undo_each_other_and_keep_lengths() -> None:
    np.testing.assert_allclose(GEOMETRY.camera_from_tool @ GEOMETRY.tool_from_camera, np.eye(4), atol=1e-15)
    rotation = GEOMETRY.camera_from_tool[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-15)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_left_of_travel_is_right_in_the_image_and_ahead_is_below() -> None:
    arc, left, ahead = GEOMETRY.overview.project(
        in_camera([[0.0, 0.0, 0.0], [0.0, 5e-3, 0.0], [5e-3, 0.0, 0.0]])
    )
    assert left[0] > arc[0]
    assert left[1] == pytest.approx(arc[1])
    assert ahead[1] > arc[1]
    assert ahead[0] == pytest.approx(arc[0])
    assert arc[1] < GEOMETRY.image_size_px / 2


def test_wire_tip_and_laser_line_are_in_the_overview() -> None:
    points = in_camera([[0.0, 0.0, 0.0], [GEOMETRY.look_ahead_m, 0.0, 0.0]])
    view = GEOMETRY.overview
    px = view.project(points)
    assert np.all((px > -0.5) & (px < [view.width - 0.5, view.height - 0.5]))


@given(st.floats(-0.008, 0.008), st.floats(-0.008, 0.008))
def test_a_pixel_of_the_stripe_leads_back_to_its_point_of_the_laser_plane(y_m: float, z_m: float) -> None:
    point_c = in_camera([[GEOMETRY.look_ahead_m, y_m, z_m]])
    assert GEOMETRY.laser_plane_c[:3] @ point_c[0] + GEOMETRY.laser_plane_c[3] == pytest.approx(
        0.0, abs=1e-12
    )
    column_px, row_px = GEOMETRY.stripe.project(point_c).T
    np.testing.assert_allclose(in_laser_plane(column_px, row_px), [[y_m, z_m]], atol=1e-12)


def test_the_homography_is_where_rays_meet_the_laser_plane() -> None:
    px = np.random.default_rng(0).uniform(0, 63, (50, 2))
    rays_t = GEOMETRY.stripe.rays(px) @ GEOMETRY.tool_from_camera[:3, :3].T
    eye_t = np.array(GEOMETRY.camera_position_t)
    reach = (GEOMETRY.look_ahead_m - eye_t[0]) / rays_t[:, 0]
    met_t = eye_t + reach[:, None] * rays_t
    np.testing.assert_allclose(in_laser_plane(*px.T), met_t[:, 1:], atol=1e-12)


def test_the_laser_plane_has_a_unit_normal() -> None:
    assert np.linalg.norm(GEOMETRY.laser_plane_c[:3]) == pytest.approx(1.0)


def test_the_stripe_window_is_centred_on_the_nominal_joint() -> None:
    centre = GEOMETRY.stripe.project(in_camera([[GEOMETRY.look_ahead_m, 0.0, 0.0]]))
    np.testing.assert_allclose(centre, [[31.5, 31.5]])


def test_the_measuring_range_covers_the_largest_correction() -> None:
    edges = in_laser_plane(np.array([0.0, 63.0, 31.5, 31.5]), np.array([31.5, 31.5, 0.0, 63.0]))
    assert np.ptp(edges[:2, 0]) > 0.016
    assert np.ptp(edges[2:, 1]) > 0.010


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"camera_position_t": (0.085, 0.0, -0.1)}, "look down"),
        ({"camera_position_t": (0.085, 0.01, 0.115)}, "along the travel"),
        ({"look_ahead_m": 0.09}, "look_ahead_m"),
        ({"camera_target_t": (float("nan"), 0.0, 0.0)}, "finite"),
    ],
)
def test_a_sensor_that_could_not_see_its_line_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SeamSensorGeometry(**change)
