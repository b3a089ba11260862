"""The rasteriser against geometry worked out by hand, against itself, and against PyBullet's TinyRenderer."""

from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pybullet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cellwright_envs.rendering import rasterizer
from cellwright_envs.rendering.scene import Scene

Mesh = tuple[NDArray[np.float64], NDArray[np.int32]]

NEAR_M, FAR_M = 0.05, 10.0


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
    solids: ModuleType,
    tiny_client: int,
    seed: int,
    size: tuple[int, int],
    intrinsics: tuple[float, float, float, float],
) -> None:
    bodies = solids.random_bodies(seed)
    tiny_depth_m, tiny_mask = tiny_frame(tiny_client, bodies, intrinsics, size)
    ours = solids.scene_of(bodies).render(np.eye(4), *intrinsics, *size)
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


def test_a_range_of_faces_draws_only_those_and_numbers_them_from_the_offset(solids: ModuleType) -> None:
    vertices, faces = solids.box(np.array([0.2, 0.2, 0.2]))
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
def test_one_sided_drawing_shows_closed_bodies_as_they_are(solids: ModuleType, seed: int) -> None:
    both, front = (
        draw_scene(solids.scene_of(solids.random_bodies(seed)), one_sided=one) for one in (False, True)
    )
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
