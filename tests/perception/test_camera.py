"""The pinhole model: pixels and rays undo each other, and windows and bins see the same points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_perception.camera import CameraModel

CAMERA = CameraModel(width=64, height=48, fx=90.0, fy=110.0, cx=30.0, cy=25.5)


def test_a_point_on_the_axis_falls_on_the_principal_point() -> None:
    np.testing.assert_allclose(CAMERA.project([[0.0, 0.0, 0.3]]), [[30.0, 25.5]])


def test_right_of_the_axis_is_right_in_the_image_and_below_is_below() -> None:
    np.testing.assert_allclose(CAMERA.project([[0.1, 0.2, 1.0]]), [[39.0, 47.5]])


@given(st.floats(-60, 120), st.floats(-60, 120), st.floats(0.01, 5.0))
def test_the_ray_through_a_pixel_projects_onto_it(column: float, row: float, depth_m: float) -> None:
    ray = CAMERA.rays([[column, row]])
    assert ray[0, 2] == 1.0
    np.testing.assert_allclose(CAMERA.project(depth_m * ray), [[column, row]], atol=1e-9)


def test_projection_is_the_camera_matrix() -> None:
    points = np.random.default_rng(0).uniform([-1, -1, 0.2], [1, 1, 3], (20, 3))
    homogeneous = points @ CAMERA.matrix.T
    np.testing.assert_allclose(CAMERA.project(points), homogeneous[:, :2] / homogeneous[:, 2:])


@pytest.mark.parametrize("depth_m", [0.0, -0.1])
def test_a_point_behind_the_camera_has_no_pixel(depth_m: float) -> None:
    pixel = CAMERA.project([[0.01, 0.0, depth_m]])
    assert np.isnan(pixel).all()


def test_a_window_sees_the_same_point_shifted_by_its_corner() -> None:
    window = CAMERA.window(left=10, top=7, width=20, height=16)
    point = [[0.02, -0.03, 0.4]]
    np.testing.assert_allclose(window.project(point), CAMERA.project(point) - [10, 7])
    assert (window.width, window.height) == (20, 16)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"width": 0}, "image size"), ({"fy": 0.0}, "focal"), ({"cx": float("nan")}, "principal point")],
)
def test_a_camera_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    values: dict[str, Any] = {"width": 4, "height": 4, "fx": 1.0, "fy": 1.0, "cx": 0.0, "cy": 0.0}
    with pytest.raises(ValueError, match=message):
        CameraModel(**(values | change))


def test_windows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="leaves the 64 x 48 image"):
        CAMERA.window(left=50, top=0, width=20, height=10)


def test_arrays_of_the_wrong_shape_are_named() -> None:
    with pytest.raises(ValueError, match=r"points_c must have shape \(N, 3\), got \(3,\)"):
        CAMERA.project([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"px must have shape \(N, 2\)"):
        CAMERA.rays([[1.0, 2.0, 3.0]])
