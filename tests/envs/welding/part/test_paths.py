"""Seam curves: arc length, tangents and normals, and how they go on beyond their ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright_envs.welding.part.paths import PlanarPath, SaddlePath, arc, circle, s_curve, straight

CURVES: dict[str, Any] = {
    "straight": straight(0.16),
    "arc": arc(0.15, 1.1),
    "right arc": arc(0.15, -1.1),
    "s-curve": s_curve(0.12, 0.7),
    "circle": circle(0.05),
    "saddle": SaddlePath(branch_radius_m=0.045, main_radius_m=0.15),
}


@pytest.mark.parametrize("name", CURVES)
def test_positions_are_arc_length_and_tangents_point_along_it(name: str) -> None:
    positions = np.arange(-0.03, CURVES[name].length_m + 0.03, 1e-4)
    points, tangents, normals = CURVES[name].frames(positions)
    steps = np.diff(points, axis=0) / 1e-4
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1), 1.0, atol=2e-4)
    np.testing.assert_allclose(steps, 0.5 * (tangents[1:] + tangents[:-1]), atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0)
    np.testing.assert_allclose(np.einsum("ni,ni->n", normals, tangents), 0.0, atol=1e-6)


@pytest.mark.parametrize("name", ["circle", "saddle"])
def test_a_closed_curve_comes_round_again(name: str) -> None:
    curve = CURVES[name]
    positions = np.array([-0.01, 0.0, 0.02])
    for here, later in zip(curve.frames(positions), curve.frames(positions + curve.length_m), strict=True):
        np.testing.assert_allclose(here, later, atol=1e-9)


@pytest.mark.parametrize("name", ["straight", "arc", "s-curve"])
def test_an_open_curve_goes_straight_on_beyond_its_ends(name: str) -> None:
    length_m = CURVES[name].length_m
    for end_m, beyond_m in ((0.0, -0.03), (length_m, length_m + 0.05)):
        points, tangents, _ = CURVES[name].frames(np.array([end_m, beyond_m]))
        np.testing.assert_allclose(tangents[0], tangents[1], atol=1e-12)
        np.testing.assert_allclose(points[1], points[0] + (beyond_m - end_m) * tangents[0], atol=1e-12)


@settings(deadline=None)
@given(st.floats(0.03, 0.5), st.floats(-2.0, 2.0).filter(lambda angle: abs(angle) > 0.05))
def test_an_arc_turns_by_its_angle_at_its_radius(radius_m: float, angle_rad: float) -> None:
    curve = arc(radius_m, angle_rad)
    points, tangents, _ = curve.frames(np.array([0.0, curve.length_m]))
    turned = np.arctan2(np.cross(tangents[0], tangents[1])[2], tangents[0] @ tangents[1])
    assert turned == pytest.approx(angle_rad, abs=1e-9)
    chord_m = 2.0 * radius_m * np.sin(0.5 * abs(angle_rad))
    assert np.linalg.norm(points[1] - points[0]) == pytest.approx(chord_m, rel=1e-9)


def test_a_saddle_lies_on_both_pipes() -> None:
    curve = CURVES["saddle"]
    points, _, normals = curve.frames(np.linspace(0.0, curve.length_m, 100))
    np.testing.assert_allclose(np.hypot(points[:, 0], points[:, 1]), 0.045, atol=1e-9)
    from_axis = points[:, 1:] + [0.0, 0.15]
    np.testing.assert_allclose(np.linalg.norm(from_axis, axis=1), 0.15, atol=1e-9)
    np.testing.assert_allclose(normals[:, 1:], from_axis / 0.15, atol=1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PlanarPath(segments=()), "positive length"),
        (lambda: PlanarPath(segments=((0.0, -0.1),)), "positive length"),
        (lambda: SaddlePath(branch_radius_m=0.15, main_radius_m=0.15), "branch radius"),
    ],
)
def test_a_curve_that_cannot_be_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
