"""Parts as data: exact geometry, meshes, split and names."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_assets.assembly_cell import BLOCK_HALF_M, Surface
from cellwright_assets.prisms import holed_block_mesh, prism_mesh
from cellwright_envs.assembly.parts.pegs import FAMILIES, PEGS, ROUND_STAVES, Peg
from cellwright_envs.physics.world import Box, Cylinder

ALL = pytest.mark.parametrize("part", PEGS.parts, ids=lambda part: part.name)


def signed_volume_m3(vertices: NDArray[np.float64], faces: NDArray[np.int32]) -> float:
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    return float(np.einsum("ni,ni->", a, np.cross(b, c)) / 6.0)


def inside(solid: Box | Cylinder, point: NDArray[np.float64]) -> bool:
    away = point - solid.centre_body
    if isinstance(solid, Cylinder):
        return bool(np.hypot(*away[:2]) <= solid.radius_m and abs(away[2]) <= 0.5 * solid.length_m)
    return bool(np.all(np.abs(solid.rotation_body.T @ away) <= solid.half_m))


def free_distance_m(part: Peg, solids: list[Box], angle_rad: float, height_m: float) -> float:
    """How far one can go from the hole's axis before meeting the fixture, to 5 micrometres."""
    direction = np.array([np.cos(angle_rad), np.sin(angle_rad), 0.0])
    for distance_m in np.arange(0.8 * part.radius_m, part.size_m, 5e-6):
        point = distance_m * direction + [0.0, 0.0, height_m]
        if any(inside(solid, point) for solid in solids):
            return float(distance_m)
    raise AssertionError("the fixture has a gap")


@ALL
def test_hole_leaves_its_clearance_at_every_flat(part: Peg) -> None:
    walls = part.fixture_solids(part.clearance_m, part.chamfer_m)
    at_m = -0.5 * part.depth_m
    turns = {"round": ROUND_STAVES, "square": 4, "hexagonal": 6, "keyed": 0}[part.family]
    for k in range(turns):
        gap_m = free_distance_m(part, walls, 2.0 * np.pi * k / turns, at_m) - part.radius_m
        assert gap_m == pytest.approx(part.clearance_m, abs=1e-5)
    if part.family == "keyed":
        reach_m = free_distance_m(part, walls, 0.0, at_m)
        assert reach_m - part.radius_m - part.key_m[1] == pytest.approx(part.clearance_m, abs=1e-5)
        staves = [free_distance_m(part, walls, angle_rad, at_m) for angle_rad in np.linspace(2.7, 3.6, 37)]
        assert min(staves) - part.radius_m == pytest.approx(part.clearance_m, abs=1e-5)


@ALL
def test_a_seated_part_overlaps_nothing(part: Peg) -> None:
    """Points of the outline, at every height, lie in the part and in no wall of the fixture."""
    walls = part.fixture_solids(part.clearance_m, part.chamfer_m)
    for x, y in 0.999 * part.outline():
        for height_m in np.linspace(0.01, 0.99, 7) * part.depth_m:
            point = np.array([x, y, height_m])
            assert any(inside(solid, point) for solid in part.solids())
            assert not any(inside(wall, point - [0.0, 0.0, part.depth_m]) for wall in walls)


@pytest.mark.parametrize("family", FAMILIES)
def test_chamfer_widens_the_mouth_and_nothing_else(family: str) -> None:
    part = next(part for part in PEGS.parts if part.family == family)
    angle_rad = {"hexagonal": 0.0, "keyed": 0.0}.get(family, np.pi)
    for chamfer_m, mouth_m in ((0.0, 0.0), (1e-3, 0.9e-3)):
        walls = part.fixture_solids(0.5e-3, chamfer_m)
        base_m = free_distance_m(part, walls, angle_rad, -0.01)
        assert free_distance_m(part, walls, angle_rad, -0.1e-3) - base_m == pytest.approx(mouth_m, abs=2e-5)


@ALL
def test_meshes_are_closed_and_face_outwards(part: Peg) -> None:
    vertices, faces = prism_mesh(part.outline(), 0.0, part.length_m)
    x, y = part.outline().T
    area_m2 = 0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))
    assert signed_volume_m3(vertices, faces) == pytest.approx(area_m2 * part.length_m)
    hole = part.outline(part.clearance_m)
    vertices, faces, rows = holed_block_mesh(
        hole, half_width_m=0.03, hole_depth_m=part.depth_m, height_m=0.04, chamfer_m=part.chamfer_m
    )
    solid = vertices[np.unique(faces[: rows.start])]
    assert np.abs(solid[:, :2]).max() == pytest.approx(0.03)
    assert vertices[np.unique(faces[rows])][:, 2].min() == pytest.approx(-part.depth_m)
    # The open mouth closes with the block's underside missing: what is enclosed is block minus hole.
    underside = signed_volume_m3(vertices, faces) + 0.06**2 * 0.04 / 3.0
    x, y = hole.T
    hole_m3 = 0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) * part.depth_m
    assert underside == pytest.approx(0.06**2 * 0.04 - hole_m3, rel=0.01)


@ALL
def test_every_face_of_the_fixture_is_known_for_what_it_is(part: Peg) -> None:
    for chamfer_m in (0.0, 1e-3):
        vertices, faces, surface = part.fixture_shape(part.clearance_m, chamfer_m)
        corners = vertices[faces]
        heights_m, reach_m = corners[:, :, 2], np.abs(corners[:, :, :2]).max(axis=(1, 2))
        assert np.all(heights_m[surface == Surface.GROUND] == -part.depth_m)
        walls = heights_m[surface == Surface.WALL]
        assert np.all(np.isclose(walls, -part.depth_m) | np.isclose(walls, -chamfer_m))
        slopes = heights_m[surface == Surface.CHAMFER]
        assert len(slopes) == (len(walls) if chamfer_m else 0)
        assert np.all((slopes == 0.0) | np.isclose(slopes, -chamfer_m))
        np.testing.assert_allclose(reach_m[surface == Surface.BLOCK], BLOCK_HALF_M)
    assert np.all(part.shape().surface == Surface.PART)


def test_a_picture_has_a_rounder_peg_of_the_same_size() -> None:
    peg = PEGS.by_name["round-8-0.5"]
    plain, fine = peg.shape(), peg.shape(fine=True)
    assert (len(plain.faces), len(fine.faces)) == (4 * 16 - 4, 4 * 48 - 4)
    for shape in (plain, fine):
        assert np.hypot(*shape.vertices[:, :2].T).max() == pytest.approx(4e-3)


@ALL
def test_fingers_close_on_the_part_and_not_into_it(part: Peg) -> None:
    assert np.abs(part.outline()[:, 1]).max() == pytest.approx(0.5 * part.width_m, rel=0.03)
    assert np.abs(part.outline()[:, 1]).max() <= 0.5 * part.width_m + 1e-9


def test_held_out_is_a_family_and_a_size_that_training_never_sees() -> None:
    training = [PEGS.by_name[name] for name in PEGS.splits["train"]]
    unseen = [PEGS.by_name[name] for name in PEGS.held_out]
    assert {part.family for part in unseen} - {part.family for part in training} == {"hexagonal"}
    assert 10e-3 not in {part.size_m for part in training}
    assert any(part.size_m == 10e-3 for part in unseen)
    assert set(PEGS.splits["train"]).isdisjoint(PEGS.held_out)
    assert set(PEGS.splits["train"]) | set(PEGS.held_out) == set(PEGS.by_name)


def test_training_spans_the_sizes_and_clearances_asked_for() -> None:
    training = [PEGS.by_name[name] for name in PEGS.splits["train"]]
    assert {part.size_m for part in training} == {4e-3, 8e-3, 12e-3, 16e-3}
    assert min(part.clearance_m for part in training) == 0.1e-3
    assert max(part.clearance_m for part in training) == 1e-3
    assert {part.chamfer_m > 0 for part in training} == {True, False}


def test_unknown_part_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"did you mean 'round-8-0\.5'"):
        PEGS.resolve("round-8-0.4")


def test_impossible_part_is_refused_with_its_value() -> None:
    with pytest.raises(ValueError, match=r"size_m=0\.04"):
        Peg(name="log", family="round", size_m=0.04, clearance_m=1e-3)
    with pytest.raises(ValueError, match="triangular"):
        Peg(name="wedge", family="triangular", size_m=8e-3, clearance_m=1e-3)  # type: ignore[arg-type]
