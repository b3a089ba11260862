"""The renderer against geometry worked out by hand, against itself, and against PyBullet's TinyRenderer."""

from collections.abc import Iterator

import numpy as np
import pybullet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cellwright_envs import rasterizer, shading
from cellwright_envs.scene import Frame, Light, PointLight, Scene

Mesh = tuple[NDArray[np.float64], NDArray[np.int32]]

NEAR_M, FAR_M = 0.05, 10.0


def box(half_extents_m: NDArray[np.float64]) -> Mesh:
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    faces = [corners for a, b, c, d in quads for corners in ((a, b, c), (a, c, d))]
    return signs * half_extents_m, np.array(faces, dtype=np.int32)


def cylinder(radius_m: float, length_m: float, sides: int = 16) -> Mesh:
    angle = np.arange(sides) * 2.0 * np.pi / sides
    ring = np.stack([radius_m * np.cos(angle), radius_m * np.sin(angle), np.zeros(sides)], axis=1)
    half = np.array([0.0, 0.0, length_m / 2.0])
    faces = []
    for i in range(sides):
        j = (i + 1) % sides
        faces += [(i, j, sides + j), (i, sides + j, sides + i), (2 * sides, j, i)]
        faces.append((2 * sides + 1, sides + i, sides + j))
    return np.concatenate([ring - half, ring + half, [-half, half]]), np.array(faces, dtype=np.int32)


def bumpy_ball(radius_m: float, rng: np.random.Generator, rings: int = 9, sides: int = 14) -> Mesh:
    polar = np.linspace(0.0, np.pi, rings)
    around = np.arange(sides) * 2.0 * np.pi / sides
    radii_m = radius_m * rng.uniform(0.8, 1.2, (rings, sides))
    radii_m[0], radii_m[-1] = radius_m, radius_m
    sine, cosine = np.sin(polar)[:, None], np.cos(polar)[:, None] * np.ones(sides)
    ball = np.stack([sine * np.cos(around), sine * np.sin(around), cosine], axis=-1) * radii_m[..., None]
    faces = []
    for i in range(rings - 1):
        for j in range(sides):
            a, b = i * sides + j, i * sides + (j + 1) % sides
            faces += [(a, a + sides, b + sides), (a, b + sides, b)]
    return ball.reshape(-1, 3), np.array(faces, dtype=np.int32)


def random_pose(rng: np.random.Generator) -> NDArray[np.float64]:
    """A random rotation at a place in front of a camera at the origin."""
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    pose = np.eye(4)
    pose[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
    pose[:3, 3] = rng.uniform([-0.4, -0.3, 0.7], [0.4, 0.3, 1.2])
    return pose


def random_bodies(seed: int) -> list[tuple[Mesh, NDArray[np.float64]]]:
    rng = np.random.default_rng(seed)
    bodies = [(box(rng.uniform(0.02, 0.1, 3)), random_pose(rng)) for _ in range(6)]
    bodies += [
        (cylinder(rng.uniform(0.02, 0.08), rng.uniform(0.05, 0.3)), random_pose(rng)) for _ in range(4)
    ]
    bodies += [(bumpy_ball(rng.uniform(0.04, 0.1), rng), random_pose(rng)) for _ in range(3)]
    return bodies


def scene_of(bodies: list[tuple[Mesh, NDArray[np.float64]]]) -> Scene:
    scene = Scene()
    for index, ((vertices, faces), pose) in enumerate(bodies):
        scene.add_body(f"body {index}", vertices, faces, colour=(0.2, 0.5, 0.8), segmentation_id=index)
        scene.set_pose(f"body {index}", pose)
    return scene


def draw(
    vertices_c: NDArray[np.float64], faces: NDArray[np.int32], *, size_px: int = 64, focal_px: float = 64.0
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Draw one mesh given in the camera frame; principal point in the middle of the picture."""
    depth = np.full((size_px, size_px), np.inf, dtype=np.float32)
    face = np.full((size_px, size_px), -1, dtype=np.int32)
    workspace = np.empty((len(vertices_c), rasterizer.WORKSPACE_COLUMNS))
    centre_px = (size_px - 1) / 2.0
    rasterizer.draw_mesh(
        np.eye(4),
        np.asarray(vertices_c, dtype=np.float64),
        np.asarray(faces, dtype=np.int32),
        0,
        len(faces),
        0,
        focal_px,
        focal_px,
        centre_px,
        centre_px,
        workspace,
        depth,
        face,
    )
    return depth, face


def rays(size_px: int = 64, focal_px: float = 64.0) -> NDArray[np.float64]:
    """Viewing rays (H, W, 3) of `draw`, with z = 1."""
    offsets = (np.arange(size_px) - (size_px - 1) / 2.0) / focal_px
    x, y = np.meshgrid(offsets, offsets)
    return np.stack([x, y, np.ones_like(x)], axis=-1)


@pytest.fixture
def tiny_client() -> Iterator[int]:
    client = pybullet.connect(pybullet.DIRECT)
    yield client
    pybullet.disconnect(physicsClientId=client)


def tiny_frame(
    client: int,
    bodies: list[tuple[Mesh, NDArray[np.float64]]],
    intrinsics: tuple[float, float, float, float],
    size: tuple[int, int],
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return depth [m] and body identities as TinyRenderer sees them from a camera at the origin."""
    identities = []
    for (vertices, faces), pose in bodies:
        quaternion = pybullet.getQuaternionFromEuler(_euler(pose[:3, :3]))
        shape = pybullet.createVisualShape(
            pybullet.GEOM_MESH,
            vertices=vertices.tolist(),
            indices=faces.ravel().tolist(),
            normals=vertices.tolist(),
            physicsClientId=client,
        )
        identities.append(
            pybullet.createMultiBody(
                0.0,
                baseVisualShapeIndex=shape,
                basePosition=pose[:3, 3].tolist(),
                baseOrientation=quaternion,
                physicsClientId=client,
            )
        )
    assert identities == list(range(len(bodies)))
    fx, fy, cx, cy = intrinsics
    width, height = size
    projection = np.zeros((4, 4))
    projection[0, 0], projection[0, 2] = 2.0 * fx / width, 1.0 - 2.0 * cx / width
    # TinyRenderer samples a pixel at its corner and counts rows from the bottom, hence one row more than cy.
    projection[1, 1], projection[1, 2] = 2.0 * fy / height, 2.0 * (cy + 1.0) / height - 1.0
    projection[2, 2] = -(FAR_M + NEAR_M) / (FAR_M - NEAR_M)
    projection[2, 3], projection[3, 2] = -2.0 * FAR_M * NEAR_M / (FAR_M - NEAR_M), -1.0
    view = np.diag([1.0, -1.0, -1.0, 1.0])
    _, _, _, buffer, mask = pybullet.getCameraImage(
        width,
        height,
        viewMatrix=view.T.ravel().tolist(),
        projectionMatrix=projection.T.ravel().tolist(),
        shadow=0,
        renderer=pybullet.ER_TINY_RENDERER,
        physicsClientId=client,
    )
    depth_m = FAR_M * NEAR_M / (FAR_M - (FAR_M - NEAR_M) * np.reshape(buffer, (height, width)).astype(float))
    return depth_m, np.reshape(mask, (height, width))


def _euler(rotation: NDArray[np.float64]) -> tuple[float, float, float]:
    """Roll, pitch, yaw of a rotation matrix, fixed axes x, y, z."""
    pitch = -np.arcsin(rotation[2, 0])
    roll = np.arctan2(rotation[2, 1], rotation[2, 2])
    return float(roll), float(pitch), float(np.arctan2(rotation[1, 0], rotation[0, 0]))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("size", "intrinsics"),
    [((64, 64), (70.0, 70.0, 31.5, 31.5)), ((128, 96), (130.0, 120.0, 60.0, 50.5))],
)
def test_depth_and_silhouettes_agree_with_tiny_renderer(
    tiny_client: int, seed: int, size: tuple[int, int], intrinsics: tuple[float, float, float, float]
) -> None:
    bodies = random_bodies(seed)
    tiny_depth_m, tiny_mask = tiny_frame(tiny_client, bodies, intrinsics, size)
    ours = scene_of(bodies).render(np.eye(4), *intrinsics, *size)
    same = (tiny_mask == ours.segmentation) & (ours.segmentation >= 0)
    assert np.mean(ours.segmentation >= 0) > 0.1
    assert np.mean(tiny_mask == ours.segmentation) > 0.995
    np.testing.assert_allclose(ours.depth[same], tiny_depth_m[same], atol=1e-3)
    for index in range(len(bodies)):
        theirs, mine = tiny_mask == index, ours.segmentation == index
        if np.sum(theirs) > 20:
            assert np.sum(theirs & mine) / np.sum(theirs | mine) >= 0.97
    whole_theirs, whole_mine = tiny_mask >= 0, ours.segmentation >= 0
    assert np.sum(whole_theirs & whole_mine) / np.sum(whole_theirs | whole_mine) >= 0.97


coordinate = st.floats(-1.0, 1.0, allow_nan=False)


@settings(deadline=None)  # the first call compiles
@given(st.tuples(*[st.tuples(coordinate, coordinate, st.floats(0.3, 3.0))] * 3))
def test_depth_of_a_triangle_lies_on_its_plane(corners: tuple[tuple[float, float, float], ...]) -> None:
    triangle = np.array(corners)
    normal = np.cross(triangle[1] - triangle[0], triangle[2] - triangle[0])
    depth, face = draw(triangle, np.array([[0, 1, 2]]))
    slope = rays() @ normal
    # Nearly edge-on, the sub-pixel grid of the corners counts.
    fair = (face == 0) & (np.abs(slope) > 0.2 * np.linalg.norm(normal) * np.linalg.norm(rays(), axis=-1))
    if np.linalg.norm(normal) > 0.05:
        expected_m = (normal @ triangle[0]) / slope[fair]
        np.testing.assert_allclose(depth[fair], expected_m, rtol=1e-4)
    covered = depth[face == 0]
    assert np.all((covered >= triangle[:, 2].min() - 1e-6) & (covered <= triangle[:, 2].max() + 1e-6))


def test_depth_is_right_to_micrometres_on_a_well_shaped_triangle() -> None:
    triangle = np.array([[-0.5, -0.5, 1.0], [2.0, -1.0, 2.0], [0.0, 2.0, 4.0]])
    normal = np.cross(triangle[1] - triangle[0], triangle[2] - triangle[0])
    depth, face = draw(triangle, np.array([[0, 1, 2]]))
    assert np.sum(face == 0) > 500
    np.testing.assert_allclose(
        depth[face == 0], (normal @ triangle[0] / (rays() @ normal))[face == 0], rtol=3e-5
    )


def coverage(vertices: NDArray[np.float64], faces: NDArray[np.int32], **camera: float) -> NDArray[np.int64]:
    """Count for each pixel how many of the faces cover it, each drawn on its own."""
    return np.sum([draw(vertices, faces[[row]], **camera)[1] >= 0 for row in range(len(faces))], axis=0)


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_a_triangulated_sheet_covers_every_pixel_exactly_once(seed: int, on_pixel_centres: bool) -> None:
    rng = np.random.default_rng(seed)
    # The sheet overhangs the picture, so that every pixel must be covered; inner corners may sit on pixel
    # centres.
    grid_px = np.stack(np.meshgrid(*[np.linspace(-8.0, 24.0, 9)] * 2, indexing="ij"), axis=-1)
    grid_px[1:-1, 1:-1] += rng.uniform(-0.9, 0.9, (7, 7, 2))
    if on_pixel_centres:
        grid_px = np.round(grid_px)
    depth_m = rng.uniform(0.5, 2.0, (9, 9))
    vertices = np.concatenate([(grid_px - 7.5) / 64.0, np.ones((9, 9, 1))], axis=-1) * depth_m[..., None]
    corner = np.arange(81).reshape(9, 9)
    a, b, c, d = (corner[i : i + 8, j : j + 8].ravel() for i, j in ((0, 0), (1, 0), (1, 1), (0, 1)))
    faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    flip = rng.random(len(faces)) < 0.5
    faces[flip] = faces[flip][:, ::-1]
    np.testing.assert_array_equal(coverage(vertices.reshape(-1, 3), faces, size_px=16), 1)


@settings(deadline=None)  # the first call compiles
@given(st.floats(-1.5, -0.1), st.floats(-0.4, 0.4))
def test_a_floor_that_runs_behind_the_camera_is_clipped_at_the_near_plane(back_m: float, tilt: float) -> None:
    """It fills the lower half of the picture, with the depth of the plane and no hole at the diagonal."""
    corners = [
        [x, 0.3 + tilt * x, z] for x, z in ((-40.0, back_m), (40.0, back_m), (40.0, 50.0), (-40.0, 50.0))
    ]
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    depth, face = draw(np.array(corners), faces)
    slope = rays() @ np.array([-tilt, 1.0, 0.0])
    near_enough = slope > 0.3 / 40.0
    assert np.all(face[near_enough] >= 0)
    assert np.all(face[slope <= 0.0] == -1)
    np.testing.assert_allclose(depth[near_enough], (0.3 / slope)[near_enough], rtol=2e-2)
    np.testing.assert_array_equal(coverage(np.array(corners), faces)[near_enough], 1)


@pytest.mark.parametrize("behind", [0, 1, 2, 3])
def test_what_lies_behind_the_camera_is_not_drawn(behind: int) -> None:
    triangle = np.array([[-1.0, -0.5, 1.0], [1.0, -0.5, 1.0], [0.0, 0.3, 1.0]])
    triangle[:behind, 2] = -1.0
    depth, face = draw(triangle, np.array([[0, 1, 2]]))
    assert np.any(face >= 0) == (behind < 3)
    assert np.all(depth[face >= 0] >= rasterizer.NEAR_M * (1.0 - 1e-6))


@pytest.mark.parametrize("shift", [(3.0, 0.0), (-3.0, 0.0), (0.0, 3.0), (0.0, -3.0)])
def test_a_triangle_beside_the_picture_leaves_it_empty(shift: tuple[float, float]) -> None:
    triangle = np.array([[-0.5, -0.5, 1.0], [0.5, -0.5, 1.0], [0.0, 0.5, 1.0]])
    triangle[:, :2] += shift
    depth, face = draw(triangle, np.array([[0, 1, 2]]))
    assert np.all(face == -1)
    assert np.all(np.isinf(depth))


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_faces_does_not_change_the_picture(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vertices = rng.uniform([-1.0, -1.0, -0.2], [1.0, 1.0, 2.0], (60, 3))
    faces = np.arange(60).reshape(20, 3)
    order = rng.permutation(20)
    depth, face = draw(vertices, faces)
    other_depth, other_face = draw(vertices, faces[order])
    np.testing.assert_array_equal(depth, other_depth)
    renumbered = np.where(other_face >= 0, order[other_face], -1)
    # Two faces at the same depth to the last bit are both nearest: either may win that pixel.
    for row, column in np.argwhere(face != renumbered):
        rivals = [face[row, column], renumbered[row, column]]
        alone_m = [draw(vertices, faces[[rival]])[0][row, column] for rival in rivals]
        assert alone_m == [depth[row, column]] * 2


def test_a_range_of_faces_draws_only_those_and_numbers_them_from_the_offset() -> None:
    vertices, faces = box(np.array([0.2, 0.2, 0.2]))
    vertices += np.array([0.05, 0.1, 1.0])
    depth = np.full((64, 64), np.inf, dtype=np.float32)
    face = np.full((64, 64), -1, dtype=np.int32)
    workspace = np.empty((8, rasterizer.WORKSPACE_COLUMNS))
    rasterizer.draw_mesh(
        np.eye(4), vertices, faces, 2, 10, 100, 64.0, 64.0, 31.5, 31.5, workspace, depth, face
    )
    alone_depth, alone_face = draw(vertices, faces[2:10])
    np.testing.assert_array_equal(depth, alone_depth)
    np.testing.assert_array_equal(face, np.where(alone_face >= 0, alone_face + 102, -1))
    assert len(np.unique(face)) > 2


@pytest.mark.parametrize("seed", range(4))
def test_one_sided_drawing_shows_closed_bodies_as_they_are(seed: int) -> None:
    both, front = (draw_scene(scene_of(random_bodies(seed)), one_sided=one) for one in (False, True))
    assert np.isfinite(both).any()
    np.testing.assert_array_equal(np.isfinite(front), np.isfinite(both))
    seen = np.isfinite(both)
    # On an outline a hidden side may be nearer by a rounding.
    np.testing.assert_allclose(front[seen], both[seen], atol=1e-5)


def test_one_sided_drawing_leaves_out_what_turns_its_back() -> None:
    corners = np.array([[-0.2, -0.2, 1.0], [0.2, -0.2, 1.0], [0.0, 0.2, 1.0]])
    for order, seen in (([0, 1, 2], False), ([0, 2, 1], True)):
        scene = Scene()
        scene.add_body("sheet", corners, [order], colour=(1.0,) * 3, segmentation_id=0)
        assert np.isfinite(draw_scene(scene, one_sided=True)).any() == seen
        assert np.isfinite(draw_scene(scene, one_sided=False)).any()


def draw_scene(scene: Scene, *, one_sided: bool) -> NDArray[np.float32]:
    """Depth (64, 64) of a scene seen from the world's origin."""
    geometry = scene.geometry
    depth = np.full((64, 64), np.inf, dtype=np.float32)
    face = np.full((64, 64), -1, dtype=np.int32)
    workspace = np.empty((len(geometry.vertices), rasterizer.WORKSPACE_COLUMNS))
    rasterizer.draw_bodies(
        scene.world_from_body, geometry.vertex_begin, geometry.vertices, geometry.faces,
        70.0, 70.0, 31.5, 31.5, workspace, depth, face, one_sided,
    )  # fmt: skip
    return depth


def test_segmentation_names_the_body_that_wins_the_depth_test() -> None:
    bodies = random_bodies(11)
    camera = (70.0, 70.0, 31.5, 31.5, 64, 64)
    together = scene_of(bodies).render(np.eye(4), *camera)
    alone_m = np.stack([scene_of([body]).render(np.eye(4), *camera).depth for body in bodies])
    np.testing.assert_array_equal(together.depth, alone_m.min(axis=0))
    seen = np.isfinite(together.depth)
    np.testing.assert_array_equal(together.segmentation[seen], alone_m.argmin(axis=0)[seen])
    np.testing.assert_array_equal(together.segmentation[~seen], -1)


@pytest.mark.parametrize("width", [1, 7, 37, 63])
def test_a_narrower_picture_is_a_crop_of_the_wider_one(width: int) -> None:
    scene = scene_of(random_bodies(6))
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


def test_a_point_light_of_no_strength_changes_nothing() -> None:
    bodies = random_bodies(2)
    camera = (70.0, 70.0, 31.5, 31.5, 64, 64)
    off = PointLight(position_w=(0.0, 0.0, 0.5), intensity_m2=0.0)
    plain = scene_of(bodies).render(np.eye(4), *camera).rgb
    lit = scene_of(bodies).render(np.eye(4), *camera, point_light=off).rgb
    # The two paths sum in a different order, worth one count of 255 at most.
    assert np.max(np.abs(plain.astype(int) - lit.astype(int))) <= 1


def test_monochrome_radiance_is_not_clipped() -> None:
    vertices = np.array([[-2.0, -2.0, 1.0], [2.0, -2.0, 1.0], [0.0, 4.0, 1.0]])
    faces = np.array([[0, 1, 2]], dtype=np.int32)
    depth, face = draw(vertices, faces)
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
    np.testing.assert_allclose(radiance[face >= 0], 5.0)


def test_rendering_twice_gives_the_same_frame_and_frames_do_not_share_memory() -> None:
    scene = scene_of(random_bodies(3))
    camera = (70.0, 70.0, 31.5, 31.5, 64, 64)
    first, second = scene.render(np.eye(4), *camera), scene.render(np.eye(4), *camera)
    for name in ("rgb", "depth", "segmentation"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
        assert not np.shares_memory(getattr(first, name), getattr(second, name))


def test_moving_the_camera_is_moving_the_world_the_other_way() -> None:
    bodies = random_bodies(4)
    camera_from_world = random_pose(np.random.default_rng(9))
    world_from_camera = np.linalg.inv(camera_from_world)
    moved = [(mesh, world_from_camera @ pose) for mesh, pose in bodies]
    camera = (70.0, 70.0, 31.5, 31.5, 64, 64)
    here = scene_of(bodies).render(np.eye(4), *camera)
    there = scene_of(moved).render(camera_from_world, *camera)
    assert np.mean(here.segmentation == there.segmentation) > 0.999


def test_deforming_a_body_is_the_same_as_building_it_so() -> None:
    bodies = random_bodies(5)
    scene = scene_of(bodies)
    scene.set_vertices("body 2", bodies[2][0][0] * 2.0)
    scene.set_colour("body 2", (0.9, 0.1, 0.1))
    scene.add_body(
        "late, behind the camera",
        [[0, 0, -1], [1, 0, -1], [0, 1, -1]],
        [[0, 1, 2]],
        colour=0.5,
        segmentation_id=99,
    )
    built = Scene()
    for index, ((vertices, faces), pose) in enumerate(bodies):
        scale, colour = (2.0, (0.9, 0.1, 0.1)) if index == 2 else (1.0, (0.2, 0.5, 0.8))
        built.add_body(f"body {index}", vertices * scale, faces, colour=colour, segmentation_id=index)
        built.set_pose(f"body {index}", pose)
    camera = (70.0, 70.0, 31.5, 31.5, 64, 64)
    np.testing.assert_array_equal(scene.render(np.eye(4), *camera).rgb, built.render(np.eye(4), *camera).rgb)


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
    with pytest.raises(ValueError, match="vertices"):
        scene.set_vertices("wall", np.zeros((3, 3)))
    with pytest.raises(ValueError, match="negative"):
        scene.add_body("ghost", np.zeros((3, 3)), [[0, 1, 2]], colour=(0, 0, 0), segmentation_id=-1)


def test_light_without_direction_is_refused() -> None:
    with pytest.raises(ValueError, match="direction"):
        Light(direction_w=(0.0, 0.0, 0.0))
