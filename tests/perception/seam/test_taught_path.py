"""A path from a few taught points is the path of the drawing."""

from __future__ import annotations

import numpy as np
import pytest

from cellwright_envs.welding.part.product import PRODUCTS
from cellwright_envs.welding.part.seam import seam_frames
from cellwright_perception.seam.taught_path import SeamFrames

ORIGIN_W = np.array([0.7, 0.1, 0.2])
UP = np.array([0.0, 0.0, 1.0])


def taught_every(spacing_m: float, drawn: SeamFrames, joint: str) -> SeamFrames:
    """The path through points of `drawn` at about this distance, the seam's both ends among them."""
    count = round(drawn.length_m / spacing_m)
    welded = np.flatnonzero(
        (drawn.path_position_m >= -1e-9) & (drawn.path_position_m <= drawn.length_m + 1e-9)
    )
    picked = welded[np.linspace(0, len(welded) - 1, count + 1).astype(int)]
    normals = np.cross(drawn.rotations_w[picked, :, 0], -drawn.base_directions_w[picked])
    return SeamFrames.taught(joint, drawn.points_w[picked], normals, UP)


@pytest.mark.parametrize("name", [name for name, product in PRODUCTS.items() if not product.path.closed])
def test_points_every_five_millimetres_give_the_drawings_frames(name: str) -> None:
    product = PRODUCTS[name]
    drawn = seam_frames(product, ORIGIN_W)
    taught = taught_every(5e-3, drawn, product.joint)
    assert taught.length_m == pytest.approx(drawn.length_m, abs=1.1e-3)
    welded = (drawn.path_position_m >= 0.0) & (drawn.path_position_m <= taught.length_m)
    rows = np.flatnonzero(welded)
    np.testing.assert_allclose(taught.points_w[rows], drawn.points_w[rows], atol=0.15e-3)
    np.testing.assert_allclose(taught.rotations_w[rows], drawn.rotations_w[rows], atol=0.03)
    np.testing.assert_allclose(taught.base_directions_w[rows], drawn.base_directions_w[rows], atol=0.03)
    np.testing.assert_allclose(taught.web_directions_w[rows], drawn.web_directions_w[rows], atol=0.03)
    assert taught.path_position_m[0] == drawn.path_position_m[0]
    place = taught.place(drawn.points_w[rows[len(rows) // 2]], 0.0)
    assert abs(place.lateral_m) < 0.1e-3


def test_two_points_are_a_straight_seam_with_lead_in_and_run_out() -> None:
    seam = SeamFrames.taught("butt", [[0.5, 0.0, 0.1], [0.7, 0.0, 0.1]], [UP, UP])
    assert seam.length_m == pytest.approx(0.2)
    np.testing.assert_allclose(seam.points_w[0], [0.464, 0.0, 0.1], atol=1e-12)
    np.testing.assert_allclose(seam.points_w[-1], [0.75, 0.0, 0.1], atol=1e-12)
    np.testing.assert_allclose(
        seam.rotations_w, np.broadcast_to(np.eye(3), seam.rotations_w.shape), atol=1e-12
    )
    np.testing.assert_allclose(seam.curvature_1_m, 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"joint": "edge"}, "unknown joint='edge'"),
        ({"points_w": [[0.0, 0.0, 0.0]]}, "2 or more"),
        ({"points_w": [[0.0, 0.0, 0.0]] * 2}, "apart"),
        ({"points_w": [[0.0, 0.0, 0.0], [np.nan, 0.0, 0.0]]}, "finite"),
        ({"normals_w": [UP]}, "a normal for each of 2 points"),
        ({"normals_w": [[1.0, 0.0, 0.0]] * 2}, "points along the seam"),
    ],
)
def test_points_that_describe_no_seam_are_refused(changed: dict[str, object], message: str) -> None:
    sound = {"joint": "butt", "points_w": [[0.0, 0.0, 0.0], [0.1, 0.0, 0.0]], "normals_w": [UP, UP]}
    with pytest.raises(ValueError, match=message):
        SeamFrames.taught(**(sound | changed))  # type: ignore[arg-type]
