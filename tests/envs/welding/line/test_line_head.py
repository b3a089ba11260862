"""The profile of known parts against their cross-section in closed form, and what optics make of it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_envs.disturbances.image_kernel import NO_EFFECTS, FrameEffects
from cellwright_envs.welding.line.config import LineSensor
from cellwright_envs.welding.line.head import LineHead
from cellwright_envs.welding.part.seam import STATION_M, SeamMesh
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_perception.seam.taught_path import LEAD_IN_M

Array = NDArray[np.float64]
GEOMETRY = SeamSensorGeometry()
PITCH_M = LineSensor().field_m / LineSensor().columns


def prism(outline: list[tuple[float, float]], direction: tuple[float, float] = (0.0, 0.0)) -> SeamMesh:
    """A strip per edge of `outline`, points (y, z) [m] where the laser meets it, swept along the tool's x.

    `direction` is how far it goes in y and z for each metre in x.
    """
    x = np.arange(50) * STATION_M - LEAD_IN_M
    edges = [point for pair in pairwise(outline) for point in pair]
    section = np.array(edges)
    points = np.empty((len(x), len(section), 3))
    points[..., 0] = x[:, None]
    points[..., 1:] = section + (x[:, None, None] - GEOMETRY.look_ahead_m) * np.array(direction)
    strips, per_station = len(outline) - 1, len(section)
    corner = np.arange(strips) * 2
    quads = np.stack([corner, corner + 1, corner + 1 + per_station, corner + per_station], axis=1)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]], axis=1).reshape(-1, 3)
    faces = triangles[None] + (np.arange(len(x) - 1) * per_station)[:, None, None]
    return SeamMesh(
        vertices_w=np.ascontiguousarray(points.reshape(-1, 3)),
        faces=np.ascontiguousarray(faces.reshape(-1, 3).astype(np.int32)),
        albedo=np.full(2 * strips * (len(x) - 1), 0.55),
        points_per_station=per_station,
        strips=strips,
        stations=len(x),
    )


def head_at(mesh: SeamMesh, **fields: object) -> LineHead:
    head = LineHead(LineSensor(**fields), GEOMETRY, laser_levels=260.0, lamp_levels=70.0)  # type: ignore[arg-type]
    head.begin(mesh, np.random.default_rng(1))
    return head


def cut(
    mesh: SeamMesh,
    *,
    camera_from_tool: Array = GEOMETRY.camera_from_tool,
    window_px: tuple[float, float] = (0.0, 0.0),
    part_shift_w: tuple[float, float, float] = (0.0, 0.0, 0.0),
    **fields: object,
) -> Array:
    """The clean profile with the tool frame in the world's origin."""
    return head_at(mesh, **fields).clean(
        camera_from_tool,
        world_from_tool=np.eye(4),
        path_position_m=0.0,
        part_shift_w=np.array(part_shift_w),
        window_px=window_px,
    )


VEE = [(-0.03, 0.029), (0.0, -0.001), (0.03, 0.029)]


WALL = [(-0.03, 0.0), (5e-3, 0.0), (5e-3, 0.01), (5.2e-3, 0.01), (5.2e-3, 0.0), (0.03, 0.0)]


def vee_height(y: Array) -> Array:
    return np.abs(y) - 0.001


def test_a_vee_is_cut_where_it_stands_in_closed_form() -> None:
    profile = cut(prism(VEE))
    assert profile.shape == (640, 2)
    assert np.isfinite(profile).all()
    np.testing.assert_allclose(profile[:, 1], vee_height(profile[:, 0]), atol=1e-12)
    assert (np.diff(profile[:, 0]) > 0.0).all()


def test_columns_are_a_camera_s() -> None:
    """Lateral over depth along the axis grows by the same from column to column."""
    profile = cut(prism(VEE))
    points_t = np.column_stack([np.full(640, GEOMETRY.look_ahead_m), profile])
    points_c = points_t @ GEOMETRY.camera_from_tool[:3, :3].T + GEOMETRY.camera_from_tool[:3, 3]
    steps = np.diff(points_c[:, 0] / points_c[:, 2])
    np.testing.assert_allclose(steps, steps[0], rtol=1e-9)
    depth_m = points_c[:, 2] + 0.0
    at_wire = (GEOMETRY.camera_from_tool @ [GEOMETRY.look_ahead_m, 0.0, 0.0, 1.0])[2]
    assert 640 * steps[0] * at_wire == pytest.approx(LineSensor().field_m)
    assert depth_m.min() > 0.05


def test_a_seam_that_runs_aside_is_cut_where_it_is_at_the_laser() -> None:
    profile = cut(prism(VEE, direction=(0.4, 0.1)))
    seen = np.isfinite(profile[:, 0])
    assert seen.mean() > 0.9
    np.testing.assert_allclose(profile[seen, 1], vee_height(profile[seen, 0]), atol=1e-12)


def test_what_a_wall_hides_from_the_camera_is_missing() -> None:
    """The camera is lower than where the fan starts, so that it is what hides more of the plate."""
    profile = cut(prism(WALL))
    beyond = profile[profile[:, 1] < 1e-3, 0]
    eye_m = GEOMETRY.camera_position_t[2]
    begins_m = 5.2e-3 * eye_m / (eye_m - 0.01)
    beyond_m = beyond[beyond > 5.1e-3].min()
    # The last column on the wall is within a pitch of its end.
    assert begins_m - PITCH_M <= beyond_m <= begins_m + PITCH_M
    assert np.isnan(profile[:, 0]).sum() >= 2


@pytest.mark.parametrize("aside", [0.1, 0.3])
def test_a_seam_that_runs_aside_shows_what_the_camera_sees_from_aside(aside: float) -> None:
    """The camera's place ahead, moved back along the seam, is where it looks from across the seam."""
    profile = cut(prism(WALL, direction=(aside, 0.0)))
    plate_m = profile[(profile[:, 1] < 1e-3) & (profile[:, 0] > 5.1e-3), 0]
    x_m, _, eye_m = GEOMETRY.camera_position_t
    eye_y_m = -aside * (x_m - GEOMETRY.look_ahead_m)
    begins_m = eye_y_m + (5.2e-3 - eye_y_m) * eye_m / (eye_m - 0.01)
    assert plate_m.min() == pytest.approx(begins_m, abs=1.5 * PITCH_M)


def test_a_gap_without_a_bottom_is_missing() -> None:
    right, left = prism([(-0.03, 0.0), (-0.4e-3, 0.0)]), prism([(0.4e-3, 0.0), (0.03, 0.0)])
    vertices = np.concatenate(
        [right.vertices_w.reshape(50, 2, 3), left.vertices_w.reshape(50, 2, 3)], axis=1
    ).reshape(-1, 3)
    whole = prism([(-0.03, 0.0), (0.0, 0.0), (0.03, 0.0)])
    mesh = SeamMesh(
        vertices_w=vertices,
        faces=whole.faces,
        albedo=whole.albedo,
        points_per_station=4,
        strips=2,
        stations=50,
    )
    profile = cut(mesh)
    missing = np.isnan(profile[:, 0]).sum() * PITCH_M
    assert missing == pytest.approx(0.8e-3, abs=2 * PITCH_M)


def test_the_field_follows_the_stripe_window_and_ends_at_its_depth() -> None:
    level = prism([(-0.03, 0.0), (0.03, 0.0)])
    moved = cut(level, window_px=(20.0, 0.0))[:, 0] - cut(level)[:, 0]
    expected_m = 20.0 / GEOMETRY.stripe.fx * (GEOMETRY.camera_from_tool @ [0.025, 0.0, 0.0, 1.0])[2]
    np.testing.assert_allclose(moved, expected_m, rtol=1e-6)
    shallow = cut(prism(VEE), depth_m=8e-3)
    assert np.nanmax(shallow[:, 1]) <= 4.1e-3
    assert np.isnan(shallow[:, 0]).any()


def test_a_head_beside_its_place_measures_the_part_beside_its_own() -> None:
    beside = np.eye(4)
    beside[:3, 3] = [0.2e-3, 0.0, 0.0]
    profile = cut(prism(VEE), camera_from_tool=beside @ GEOMETRY.camera_from_tool)
    assert profile[np.argmin(profile[:, 1]), 0] == pytest.approx(0.2e-3, abs=PITCH_M)


def test_a_part_that_was_knocked_is_cut_where_it_is_now() -> None:
    profile = cut(prism(VEE), part_shift_w=(0.0, 1.5e-3, -0.5e-3))
    np.testing.assert_allclose(profile[:, 1], vee_height(profile[:, 0] - 1.5e-3) - 0.5e-3, atol=1e-12)


@pytest.mark.parametrize(
    "fields", [{"columns": 8}, {"field_m": 0.0}, {"missing": (0.2, 1.2)}, {"speckle_columns": (0, 2)}]
)
def test_a_line_that_cannot_be_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        LineSensor(**fields)  # type: ignore[arg-type]


# Optics

FRAMES = 60
QUIET = {"missing": (0.0, 0.0), "blur_m": 0.0}
STEPPED = [(-0.03, 0.0), (0.0, 0.0), (0.0, 1.5e-3), (0.03, 1.5e-3)]


def taken(outline: list[tuple[float, float]], effects: FrameEffects = NO_EFFECTS, **fields: object) -> Array:
    """Profiles (FRAMES, columns, 2) of one episode with the arc's light at the wire."""
    head = head_at(prism(outline), **fields)
    return np.array(
        [
            head.take(
                GEOMETRY.camera_from_tool,
                world_from_tool=np.eye(4),
                path_position_m=0.0,
                part_shift_w=np.zeros(3),
                window_px=(0.0, 0.0),
                wire_tip_t=np.zeros(3),
                effects=effects,
                time_s=0.04 * frame,
            )
            for frame in range(FRAMES)
        ]
    )


def off_m(outline: list[tuple[float, float]], effects: FrameEffects = NO_EFFECTS, **fields: object) -> Array:
    """Heights (FRAMES, columns) [m] above the clean profile."""
    return taken(outline, effects, **fields)[..., 1] - cut(prism(outline))[:, 1]


def test_without_noise_a_profile_is_the_clean_one() -> None:
    assert np.abs(off_m(VEE, speckle_m=(0.0, 0.0), **QUIET)).max() < 1e-12


@pytest.mark.parametrize("sigma_m", [0.02e-3, 0.06e-3])
def test_heights_scatter_as_published(sigma_m: float) -> None:
    off = off_m(VEE, speckle_m=(sigma_m, sigma_m), **QUIET)
    assert off.std() == pytest.approx(sigma_m, rel=0.05)
    assert abs(off.mean()) < 0.02 * sigma_m
    assert np.abs(off).max() < 4.0 * sigma_m


@pytest.mark.parametrize("albedo", [0.6, 1.4])
def test_mill_scale_and_ground_steel_scatter_three_times_as_much(albedo: float) -> None:
    off = off_m(VEE, NO_EFFECTS._replace(albedo=albedo, gain=0.6), speckle_m=(0.06e-3, 0.06e-3), **QUIET)
    assert off.std() == pytest.approx(0.18e-3, rel=0.05)


@pytest.mark.parametrize("width", [2, 3, 4])
def test_a_speckle_covers_neighbouring_points(width: int) -> None:
    off = off_m(VEE, speckle_m=(0.05e-3, 0.05e-3), speckle_columns=(width, width), **QUIET)
    for apart in range(1, 7):
        found = np.mean(off[:, apart:] * off[:, :-apart]) / off.var()
        assert found == pytest.approx(max(1.0 - apart / width, 0.0), abs=0.05)


def test_points_beside_edges_are_missing_more_often() -> None:
    profiles = taken(STEPPED, missing=(0.1, 0.1), blur_m=0.0)
    clean = cut(prism(STEPPED))
    beside = np.isfinite(clean[:, 0]) & (np.abs(clean[:, 0]) < 0.4e-3)
    missing = np.isnan(profiles[..., 0])
    assert missing[:, beside].mean() == pytest.approx(0.1, abs=0.03)
    assert missing[:, np.abs(clean[:, 0]) > 1e-3].mean() == pytest.approx(0.02, abs=0.005)


def test_a_corner_is_rounded_and_a_high_step_is_not() -> None:
    sharp = {"speckle_m": (0.0, 0.0), "missing": (0.0, 0.0)}
    corner = off_m(VEE, **sharp)[0]
    at_corner = np.argmin(cut(prism(VEE))[:, 1])
    assert 0.01e-3 < corner[at_corner] < 0.1e-3
    assert np.abs(np.delete(corner, range(at_corner - 7, at_corner + 8))).max() < 1e-5
    step = taken(STEPPED, **sharp)[0]
    between = (step[:, 1] > 0.1e-3) & (step[:, 1] < 1.4e-3)
    assert not between.any()


def test_two_frames_and_two_episodes_differ() -> None:
    profiles = taken(VEE)
    assert not np.array_equal(profiles[0], profiles[1], equal_nan=True)
    np.testing.assert_array_equal(profiles, taken(VEE))


STRONG = {"speckle_m": (0.02e-3, 0.02e-3), **QUIET}


def scatter_m(effects: FrameEffects) -> float:
    return float(np.nanstd(off_m(VEE, effects, **STRONG)))


def missing(effects: FrameEffects) -> float:
    return float(np.isnan(taken(VEE, effects, **STRONG)).mean())


def test_noise_of_the_imager_counts_more_the_fainter_the_line() -> None:
    noisy = NO_EFFECTS._replace(read_noise_levels=6.0, shot_noise_levels=0.25)
    assert (
        scatter_m(NO_EFFECTS)
        < scatter_m(noisy)
        < scatter_m(noisy._replace(contrast_loss=0.6, veil_level=90.0))
    )


def test_smoke_and_a_dark_exposure_take_points_away() -> None:
    assert missing(NO_EFFECTS) == 0.0
    for effects in (
        NO_EFFECTS._replace(contrast_loss=0.93, veil_level=90.0),
        NO_EFFECTS._replace(gain=0.07),
        NO_EFFECTS._replace(albedo=0.07),
    ):
        assert 0.1 < missing(effects) < 1.0


def test_an_overexposed_line_scatters_more_and_a_white_background_hides_it() -> None:
    assert scatter_m(NO_EFFECTS._replace(gain=3.0)) == pytest.approx(2.0 * 0.02e-3, rel=0.15)
    assert missing(NO_EFFECTS._replace(offset_levels=210.0)) == 1.0


def test_arc_glare_hides_what_is_near_the_arc() -> None:
    level = [(-0.03, 0.0), (0.03, 0.0)]
    view, turn = GEOMETRY.overview, GEOMETRY.camera_from_tool
    line, arc = view.project([turn[:3, 3] + turn[:3, 0] * GEOMETRY.look_ahead_m, turn[:3, 3]])
    radius_px = float(np.hypot(*(line - arc))) + 2.0
    glare = NO_EFFECTS._replace(
        glare_radius_low_px=radius_px, glare_radius_high_px=radius_px, glare_halo_px=3.0
    )
    gone = np.isnan(taken(level, glare, **STRONG)[..., 0]).mean(axis=0)
    assert gone[300:340].min() == 1.0
    assert gone[:40].max() == gone[-40:].max() == 0.0
    weak = NO_EFFECTS._replace(glare_radius_low_px=9.0, glare_radius_high_px=15.0, glare_halo_px=9.0)
    shot = {"shot_noise_levels": 0.25}
    assert scatter_m(weak._replace(**shot)) > scatter_m(NO_EFFECTS._replace(**shot))


def test_spatter_hides_points_or_draws_them_away() -> None:
    spatter = NO_EFFECTS._replace(streaks=3.0, streak_length_px=40.0)
    off = off_m(VEE, spatter, **STRONG)
    hit = np.isnan(off) | (np.abs(off) > 0.2e-3)
    assert 0.002 < hit.mean() < 0.2
    assert np.isnan(off).any()
    assert (np.abs(off[np.isfinite(off)]) > 1e-3).any()
    per_frame = hit.any(axis=1)
    assert 0.1 < per_frame.mean() < 1.0


def test_a_false_line_takes_the_place_of_a_fainter_one() -> None:
    false = NO_EFFECTS._replace(false_line_level=140.0, false_line_position=0.3, false_line_slope=0.1)
    faint = false._replace(contrast_loss=0.5)
    off = off_m(VEE, faint, **STRONG)
    taken_over = np.abs(off) > 0.5e-3
    assert 0.05 < taken_over.mean() < 0.4
    heights = taken(VEE, faint, **STRONG)[..., 1][taken_over]
    # 0.2 of the window above its middle, less or more by half of the slope.
    assert heights.min() > (0.2 - 0.055) * 25e-3
    assert heights.max() < (0.2 + 0.055) * 25e-3
    bright = off_m(VEE, false._replace(false_line_level=60.0), **STRONG)
    assert np.abs(bright).max() < 0.5e-3
