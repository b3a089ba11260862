"""The joint as it lies: frames of the drawing, deviations across it, and the mesh that the camera sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cellwright_envs.physics.world import Box
from cellwright_envs.welding.part.paths import SaddlePath
from cellwright_envs.welding.part.product import PRODUCTS, WeldProduct
from cellwright_envs.welding.part.seam import (
    FLANK_M,
    STATION_M,
    STEEL,
    SeamDeviation,
    deviate,
    seam_frames,
    seam_mesh,
    sweep,
)
from cellwright_envs.welding.weld_cell import ORIGIN_W as CELL_ORIGIN_W
from cellwright_envs.welding.weld_cell import part_boxes
from cellwright_perception.seam.taught_path import LEAD_IN_M, STEP_M, SeamFrames

ORIGIN_W = np.array([0.7, 0.1, 0.2])


def deviation_of(frames: SeamFrames, **changes: Any) -> SeamDeviation:
    """A part as drawn but for `changes`, 3 mm thick."""
    zero = np.zeros(len(frames.path_position_m))
    drawn = {
        "translation_w": np.zeros(3),
        "yaw_rad": 0.0,
        "warp_m": (zero, zero),
        "gap_m": zero,
        "misalignment_m": zero,
        "tack_m": zero,
        "thickness_m": 3e-3,
    }
    return deviate(frames, ORIGIN_W, **(drawn | changes))


def corner_line(product: WeldProduct, frames: SeamFrames, deviation: SeamDeviation) -> np.ndarray:
    """The swept point a = b = 0 (N, 3): the seam itself."""
    everywhere = np.arange(len(frames.path_position_m))
    return sweep(np.zeros((len(everywhere), 1, 2)), everywhere, product, frames, deviation, ORIGIN_W)[:, 0]


@pytest.mark.parametrize("name", PRODUCTS)
def test_frames_are_right_handed_and_look_out_of_the_joint(name: str) -> None:
    product = PRODUCTS[name]
    frames = seam_frames(product, ORIGIN_W)
    np.testing.assert_allclose(
        np.einsum("nij,nkj->nik", frames.rotations_w, frames.rotations_w),
        np.broadcast_to(np.eye(3), frames.rotations_w.shape),
        atol=1e-6,
    )
    assert np.all(np.linalg.det(frames.rotations_w) > 0.99)
    outward = frames.rotations_w[:, :, 2]
    assert np.all(np.einsum("ni,ni->n", outward, frames.web_directions_w) > 0.5)
    assert np.all(outward[:, 2] > 0.4)
    if product.joint != "butt":
        assert np.all(np.einsum("ni,ni->n", outward, frames.base_directions_w) > 0.5)
        # The web or upper plate stands to the left of travel.
        left = frames.rotations_w[:, :, 1]
        assert np.all(np.einsum("ni,ni->n", left, frames.web_directions_w) > 0.3)
        assert np.all(np.einsum("ni,ni->n", left, frames.base_directions_w) < -0.3)


def test_the_table_finds_the_sample_of_a_position() -> None:
    frames = seam_frames(PRODUCTS["lap-straight-2.3"], ORIGIN_W)
    assert frames.path_position_m[frames.index(0.0501)] == pytest.approx(0.050)
    assert frames.index(-1.0) == 0
    assert frames.index(10.0) == len(frames.path_position_m) - 1
    assert frames.path_position_m[0] == -LEAD_IN_M


def test_the_middle_of_the_seam_is_above_the_origin() -> None:
    frames = seam_frames(PRODUCTS["tee-flange-4.5"], ORIGIN_W)
    welded = (frames.path_position_m >= 0) & (frames.path_position_m <= frames.length_m)
    middle = 0.5 * (frames.points_w[welded].min(axis=0) + frames.points_w[welded].max(axis=0))
    np.testing.assert_allclose(middle, ORIGIN_W, atol=1e-6)


@pytest.mark.parametrize("name", ["lap-arc-3.2", "tee-straight-3.2", "butt-s-curve-2.0"])
def test_a_shifted_and_turned_part_deviates_as_its_seam_has_moved(name: str) -> None:
    product = PRODUCTS[name]
    frames = seam_frames(product, ORIGIN_W)
    moved = deviation_of(frames, translation_w=np.array([0.5e-3, -1e-3, 0.7e-3]), yaw_rad=0.008)
    away = corner_line(product, frames, moved) - frames.points_w
    np.testing.assert_allclose(
        moved.lateral_m, np.einsum("ni,ni->n", away, frames.rotations_w[:, :, 1]), atol=1e-12
    )
    np.testing.assert_allclose(
        moved.height_m, np.einsum("ni,ni->n", away, frames.rotations_w[:, :, 2]), atol=1e-12
    )


@pytest.mark.parametrize("name", ["lap-arc-3.2", "tee-flange-3.2", "butt-straight-2.3"])
def test_warp_moves_the_seam_across_its_course(name: str) -> None:
    product = PRODUCTS[name]
    frames = seam_frames(product, ORIGIN_W)
    bow_m = 1e-3 * np.sin(20.0 * frames.path_position_m)
    warped = deviation_of(frames, warp_m=(bow_m, -0.5 * bow_m))
    away = corner_line(product, frames, warped) - frames.points_w
    np.testing.assert_allclose(np.einsum("ni,ni->n", away, frames.rotations_w[:, :, 0]), 0.0, atol=1e-12)
    np.testing.assert_allclose(warped.lateral_m, bow_m)
    np.testing.assert_allclose(warped.height_m, -0.5 * bow_m)


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_mesh_is_sound(name: str) -> None:
    product = PRODUCTS[name]
    frames = seam_frames(product, ORIGIN_W)
    mesh = seam_mesh(product, frames, deviation_of(frames), ORIGIN_W)
    assert len(mesh.vertices_w) == mesh.stations * mesh.points_per_station
    assert len(mesh.faces) == len(mesh.albedo) == (mesh.stations - 1) * mesh.strips * 2
    assert mesh.faces.min() == 0
    assert mesh.faces.max() == len(mesh.vertices_w) - 1
    assert np.isfinite(mesh.vertices_w).all()
    assert mesh.albedo.min() > 0.0
    assert mesh.albedo.max() <= 1.0
    # Nothing is further from the seam than the plates are wide.
    nearest = np.linalg.norm(
        mesh.vertices_w.reshape(mesh.stations, -1, 3) - frames.points_w[::2][: mesh.stations, None], axis=2
    )
    assert nearest.max() < 1.5 * FLANK_M


@pytest.mark.parametrize(("name", "opens"), [("butt-straight-2.3", 1), ("tee-straight-3.2", 2)])
def test_a_gap_parts_the_plates_by_its_width(name: str, opens: int) -> None:
    """Sideways in a butt joint, upwards under a web."""
    product = PRODUCTS[name]
    frames = seam_frames(product, ORIGIN_W)
    gap = np.full(len(frames.path_position_m), 0.8e-3)
    closed, parted = (
        seam_mesh(product, frames, deviation_of(frames, gap_m=width), ORIGIN_W).vertices_w
        for width in (0.0 * gap, gap)
    )
    moved = (parted - closed)[:, opens]
    assert np.ptp(moved) == pytest.approx(0.8e-3)


def test_a_window_covers_what_it_is_asked_for_and_stays_on_the_part() -> None:
    product = PRODUCTS["lap-straight-2.3"]
    frames = seam_frames(product, ORIGIN_W)
    mesh = seam_mesh(product, frames, deviation_of(frames), ORIGIN_W)
    first, last = mesh.window(0.05, 0.01, 0.04)
    assert first * STATION_M - LEAD_IN_M <= 0.04 + 1e-9
    assert last * STATION_M - LEAD_IN_M >= 0.09 - 1e-9
    for position_m in (-1.0, 1.0):
        first, last = mesh.window(position_m, 0.01, 0.04)
        assert 0 <= first < last <= mesh.stations - 1


def outside_m(points: np.ndarray, boxes: list[Box]) -> np.ndarray:
    """How far each point (N, 3) is from the nearest of `boxes`; 0 within one."""
    nearest = np.full(len(points), np.inf)
    for box in boxes:
        local = (points - box.centre_body) @ box.rotation_body
        beyond = np.maximum(np.abs(local) - box.half_m, 0.0)
        nearest = np.minimum(nearest, np.linalg.norm(beyond, axis=1))
    return nearest


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_part_that_is_seen_is_the_one_that_the_torch_can_touch(name: str) -> None:
    """Points of the drawn surfaces near the seam lie on the collision boxes, and free space is free."""
    product = PRODUCTS[name]
    frames = seam_frames(product, CELL_ORIGIN_W)
    mesh = seam_mesh(product, frames, deviation_of(frames, thickness_m=product.thickness_m), CELL_ORIGIN_W)
    corners = mesh.vertices_w.reshape(mesh.stations, -1, 2, 3)
    plates = mesh.albedo.reshape(mesh.stations - 1, -1, 2)[0, :, 0] == STEEL
    drawn, free = [], []
    every = round(STATION_M / STEP_M)
    for station in range(0, mesh.stations, 5):
        sample = station * every
        if not 0.0 < frames.path_position_m[sample] < product.path.length_m:
            continue
        outward = frames.rotations_w[sample][:, 2]
        for first, second in corners[station, plates]:
            surface = first + np.linspace(0.02, 0.98, 30)[:, None] * (second - first)
            near = surface[np.linalg.norm(surface - frames.points_w[sample], axis=1) < 12e-3]
            drawn.append(near)
            free.append(near + 2.5e-3 * outward)
    boxes = part_boxes(product)
    off_m = outside_m(np.concatenate(drawn), boxes)
    assert len(off_m) > 100
    assert off_m.max() < (0.8e-3 if isinstance(product.path, SaddlePath) else 0.2e-3)
    assert outside_m(np.concatenate(free), boxes).min() > 0.9e-3
