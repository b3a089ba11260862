"""Frames of a scene: its bodies where they are, its light as worked out by hand, what it refuses."""

from types import ModuleType

import numpy as np
import pytest

from cellwright_envs.rendering import shading
from cellwright_envs.rendering.scene import Frame, Light, PointLight, Scene


def test_segmentation_names_the_body_that_wins_the_depth_test(solids: ModuleType) -> None:
    bodies = solids.random_bodies(11)
    camera = (70.0, 70.0, 31.5, 31.5, 64, 64)
    together = solids.scene_of(bodies).render(np.eye(4), *camera)
    alone_m = np.stack([solids.scene_of([body]).render(np.eye(4), *camera).depth for body in bodies])
    np.testing.assert_array_equal(together.depth, alone_m.min(axis=0))
    seen = np.isfinite(together.depth)
    np.testing.assert_array_equal(together.segmentation[seen], alone_m.argmin(axis=0)[seen])
    np.testing.assert_array_equal(together.segmentation[~seen], -1)


@pytest.mark.parametrize("width", [1, 7, 37, 63])
def test_a_narrower_picture_is_a_crop_of_the_wider_one(solids: ModuleType, width: int) -> None:
    scene = solids.scene_of(solids.random_bodies(6))
    wide = scene.render(np.eye(4), 70.0, 70.0, 31.5, 31.5, 64, 64)
    narrow = scene.render(np.eye(4), 70.0, 70.0, 31.5, 31.5, width, 50)
    np.testing.assert_array_equal(narrow.depth, wide.depth[:50, :width])
    np.testing.assert_array_equal(narrow.segmentation, wide.segmentation[:50, :width])
    np.testing.assert_array_equal(narrow.rgb, wide.rgb[:50, :width])


def wall_scene() -> Scene:
    scene = Scene()
    corners = [[-2.0, -2.0, 1.0], [2.0, -2.0, 1.0], [2.0, 2.0, 1.0], [-2.0, 2.0, 1.0]]
    scene.add_body("wall", corners, [[0, 1, 2], [0, 2, 3]], colour=(1.0, 0.5, 0.25), segmentation_id=7)
    return scene


def render_wall(light: Light, point_light: PointLight | None = None, scene: Scene | None = None) -> Frame:
    return (scene or wall_scene()).render(
        np.eye(4), 64.0, 64.0, 31.5, 31.5, 64, 64, light=light, point_light=point_light
    )


def test_distant_light_follows_the_cosine() -> None:
    for angle_rad in (0.0, 0.5, 1.0, 1.5):
        direction = (float(np.sin(angle_rad)), 0.0, float(np.cos(angle_rad)))
        frame = render_wall(Light(direction_w=direction, ambient=0.1, diffuse=0.8))
        level = 0.1 + 0.8 * np.cos(angle_rad)
        np.testing.assert_allclose(
            frame.rgb / 255.0, level * np.broadcast_to([1.0, 0.5, 0.25], (64, 64, 3)), atol=0.003
        )


def test_a_face_lit_from_behind_shows_only_ambient_light() -> None:
    frame = render_wall(Light(direction_w=(0.0, 0.0, -1.0), ambient=0.2, diffuse=0.8))
    assert np.all(frame.rgb == np.array([51, 26, 13]))


def test_winding_changes_neither_picture_nor_light() -> None:
    scene = Scene()
    corners = [[-2.0, -2.0, 1.0], [2.0, -2.0, 1.0], [2.0, 2.0, 1.0], [-2.0, 2.0, 1.0]]
    scene.add_body("wall", corners, [[2, 1, 0], [3, 2, 0]], colour=(1.0, 0.5, 0.25), segmentation_id=7)
    light, arc = Light(direction_w=(0.3, 0.1, 1.0)), PointLight(position_w=(0.1, 0.0, 0.9), intensity_m2=0.01)
    np.testing.assert_array_equal(render_wall(light).rgb, render_wall(light, scene=scene).rgb)
    np.testing.assert_array_equal(render_wall(light, arc).rgb, render_wall(light, arc, scene).rgb)


def test_point_light_falls_off_with_the_square_of_its_distance() -> None:
    dark = Light(ambient=0.0, diffuse=0.0)
    # Straight above a wall point at distance r the level is intensity / r²; colour 1.0 in the red channel.
    for distance_m in (0.1, 0.2, 0.4):
        arc = PointLight(position_w=(0.5 / 64.0, 0.5 / 64.0, 1.0 - distance_m), intensity_m2=0.008)
        red = render_wall(dark, arc).rgb[32, 32, 0] / 255.0
        assert red == pytest.approx(0.008 / distance_m**2, abs=0.003)
    # Off to the side, cos / r² gives intensity * height / r³.
    arc = PointLight(position_w=(0.5 / 64.0, 0.5 / 64.0, 0.9), intensity_m2=0.009)
    side_m = 10.0 / 64.0
    red = render_wall(dark, arc).rgb[32, 42, 0] / 255.0
    assert red == pytest.approx(0.009 * 0.1 / np.hypot(0.1, side_m) ** 3, abs=0.003)


def test_a_point_light_of_no_strength_changes_nothing(solids: ModuleType) -> None:
    bodies = solids.random_bodies(2)
    camera = (70.0, 70.0, 31.5, 31.5, 64, 64)
    off = PointLight(position_w=(0.0, 0.0, 0.5), intensity_m2=0.0)
    plain = solids.scene_of(bodies).render(np.eye(4), *camera).rgb
    lit = solids.scene_of(bodies).render(np.eye(4), *camera, point_light=off).rgb
    # The two paths sum in a different order, worth one count of 255 at most.
    assert np.max(np.abs(plain.astype(int) - lit.astype(int))) <= 1


def test_monochrome_radiance_is_not_clipped() -> None:
    vertices = np.array([[-2.0, -2.0, 1.0], [2.0, -2.0, 1.0], [0.0, 4.0, 1.0]])
    faces = np.array([[0, 1, 2]], dtype=np.int32)
    depth, face = np.ones((64, 64), dtype=np.float32), np.zeros((64, 64), dtype=np.int32)
    normals = shading.face_normals(vertices, faces)
    radiance = np.empty((64, 64, 1), dtype=np.float32)
    none, black = np.zeros(3), np.zeros(1, dtype=np.float32)
    albedo = np.full((1, 1), 0.5, dtype=np.float32)
    towards_camera = np.array([0.0, 0.0, -1.0])
    shading.shade(
        depth,
        face,
        normals,
        albedo,
        64.0,
        64.0,
        31.5,
        31.5,
        towards_camera,
        1.0,
        9.0,
        none,
        0.0,
        black,
        radiance,
    )
    np.testing.assert_allclose(radiance, 5.0)


def test_rendering_twice_gives_the_same_frame_and_frames_do_not_share_memory(solids: ModuleType) -> None:
    scene = solids.scene_of(solids.random_bodies(3))
    camera = (70.0, 70.0, 31.5, 31.5, 64, 64)
    first, second = scene.render(np.eye(4), *camera), scene.render(np.eye(4), *camera)
    for name in ("rgb", "depth", "segmentation"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
        assert not np.shares_memory(getattr(first, name), getattr(second, name))


def test_moving_the_camera_is_moving_the_world_the_other_way(solids: ModuleType) -> None:
    bodies = solids.random_bodies(4)
    camera_from_world = solids.random_pose(np.random.default_rng(9))
    world_from_camera = np.linalg.inv(camera_from_world)
    moved = [(mesh, world_from_camera @ pose) for mesh, pose in bodies]
    camera = (70.0, 70.0, 31.5, 31.5, 64, 64)
    here = solids.scene_of(bodies).render(np.eye(4), *camera)
    there = solids.scene_of(moved).render(camera_from_world, *camera)
    assert np.mean(here.segmentation == there.segmentation) > 0.999


def test_an_empty_scene_shows_the_background() -> None:
    frame = render_wall(Light(background=(0.0, 1.0, 0.0)), scene=Scene())
    assert np.all(frame.rgb == np.array([0, 255, 0]))


def test_a_scene_says_which_bodies_it_has() -> None:
    scene = wall_scene()
    with pytest.raises(ValueError, match="wall"):
        scene.set_pose("floor", np.eye(4))
    with pytest.raises(ValueError, match="already"):
        scene.add_body("wall", np.zeros((3, 3)), [[0, 1, 2]], colour=(0, 0, 0), segmentation_id=1)
    with pytest.raises(ValueError, match="index 3 vertices"):
        scene.add_body("hole", np.zeros((3, 3)), [[0, 1, 3]], colour=(0, 0, 0), segmentation_id=1)
    with pytest.raises(ValueError, match="negative"):
        scene.add_body("ghost", np.zeros((3, 3)), [[0, 1, 2]], colour=(0, 0, 0), segmentation_id=-1)


def test_light_without_direction_is_refused() -> None:
    with pytest.raises(ValueError, match="direction"):
        Light(direction_w=(0.0, 0.0, 0.0))
