"""Rendering and stepping against PyBullet's own renderer and the nearest PyBullet peer."""

import importlib.util
import time
from typing import Any

import gymnasium
import numpy as np
import pybullet
from numpy.typing import NDArray

from cellwright_assets import box_mesh, robot_meshes
from cellwright_envs.physics.kinematics import link_poses
from cellwright_envs.rendering.scene import Scene
from cellwright_train.bench.figures import (
    ALL_ENV_DISTURBANCES,
    Effort,
    Figures,
    figure,
    missing,
    seconds_each,
)
from cellwright_train.rollout.cell import CellChoice

SIZE_PX = 64
FOCAL_PX = 70.0
NEAR_M, FAR_M = 0.05, 10.0
_POSTURE_RAD = np.array([0.2, -1.2, 1.6, -1.9, -1.5, 0.4])
_EYE_W, _TARGET_W = np.array([1.3, -0.7, 0.8]), np.array([0.5, 0.0, 0.3])
_FURNITURE = {
    "table": ((0.6, 1.2, 0.06), (0.75, 0.0, -0.03)),
    "fixture": ((0.32, 0.32, 0.1), (0.75, 0.0, 0.05)),
    "plate": ((0.2, 0.2, 0.01), (0.75, 0.0, 0.105)),
}
_PANDA_ID = "PandaReach-v3"


def rasteriser_against_tiny_renderer(effort: Effort) -> Figures:
    """The welding cell, 64 by 64, no shadows, colour, depth and segmentation from both."""
    scene = cell_scene()
    camera_from_world = look_at(_EYE_W, _TARGET_W)
    centre_px = (SIZE_PX - 1) / 2.0

    def ours() -> Any:
        return scene.render(camera_from_world, FOCAL_PX, FOCAL_PX, centre_px, centre_px, SIZE_PX, SIZE_PX)

    client = pybullet.connect(pybullet.DIRECT)
    try:
        _fill(client, scene)
        arguments = _tiny_camera(camera_from_world, client)

        def theirs() -> Any:
            return pybullet.getCameraImage(SIZE_PX, SIZE_PX, **arguments)

        frame, reference = ours(), theirs()
        ratios, ours_us = [], []
        for _ in range(effort.repeats):
            tiny_s = seconds_each(theirs, effort.frames)
            own_s = seconds_each(ours, effort.frames)
            ratios.append(tiny_s / own_s)
            ours_us.append(1e6 * own_s)
    finally:
        pybullet.disconnect(physicsClientId=client)
    error_mm, overlap = _agreement(frame, reference)
    triangles = len(scene.geometry.faces)
    return {
        "rasteriser_us_per_frame": figure(ours_us, f"us ({triangles} triangles)"),
        "rasteriser_speed_up_over_tiny_renderer": figure(ratios, "x", ">= 8"),
        "rasteriser_depth_difference_to_tiny_renderer_mm": figure([error_mm], "mm", "<= 1"),
        "rasteriser_silhouette_overlap_with_tiny_renderer": figure([overlap], "IoU", ">= 0.97"),
    }


def weld_seam_against_panda_gym(effort: Effort) -> Figures:
    """Steps with a 64 by 64 camera: panda-gym's PandaReach with TinyRenderer, and `WeldSeam` beside it."""
    key, aim = "weld_seam_speed_up_over_panda_gym_with_camera", ">= 30"
    if importlib.util.find_spec("panda_gym") is None:
        return {key: missing("panda-gym is not installed; pip install 'cellwright[peers]'", "x", aim)}
    importlib.import_module("panda_gym")
    own = CellChoice(disturbances=ALL_ENV_DISTURBANCES).make()
    peer = gymnasium.make(
        _PANDA_ID, render_mode="rgb_array", renderer="Tiny", render_width=SIZE_PX, render_height=SIZE_PX
    )
    steps = max(10, effort.env_steps // 10)
    ratios, peer_rates = [], []
    try:
        for _ in range(effort.repeats):
            peer_rate = _rate(peer, steps, camera=True)
            peer_rates.append(peer_rate)
            ratios.append(_rate(own, effort.env_steps, camera=False) / peer_rate)
    finally:
        own.close()
        peer.close()
    return {
        "panda_gym_steps_per_s_with_camera": figure(peer_rates, "steps/s"),
        key: figure(ratios, "x", aim),
    }


def cell_scene() -> Scene:
    """The low-polygon UR10e with its torch in a welding posture over table, fixture and plate."""
    scene = Scene()
    poses = link_poses(_POSTURE_RAD)
    for index, mesh in enumerate(robot_meshes()):
        name = f"{index} {mesh.name}"
        scene.add_body(name, mesh.vertices, mesh.faces, colour=mesh.color[:3], segmentation_id=index)
        pose = np.eye(4)
        pose[:] = poses[mesh.link]
        scene.set_pose(name, pose)
    for name, (size_m, centre_w) in _FURNITURE.items():
        vertices, faces = box_mesh(size_m, centre_w)
        scene.add_body(name, vertices, faces, colour=(0.5, 0.5, 0.5), segmentation_id=len(scene.names))
    return scene


def look_at(eye_w: NDArray[np.float64], target_w: NDArray[np.float64]) -> NDArray[np.float64]:
    """Camera from world (4, 4), OpenCV axes, upright."""
    forward = (target_w - eye_w) / np.linalg.norm(target_w - eye_w)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    matrix[:3, 3] = -matrix[:3, :3] @ eye_w
    return matrix


def _fill(client: int, scene: Scene) -> None:
    """Show PyBullet the same triangles at the same places."""
    geometry = scene.geometry
    for body, pose in enumerate(scene.world_from_body):
        first, last = geometry.vertex_begin[body], geometry.vertex_begin[body + 1]
        vertices = geometry.vertices[first:last] @ pose[:3, :3].T + pose[:3, 3]
        faces = geometry.faces[geometry.face_begin[body] : geometry.face_begin[body + 1]] - first
        shape = pybullet.createVisualShape(
            pybullet.GEOM_MESH,
            vertices=vertices.tolist(),
            indices=faces.ravel().tolist(),
            normals=vertices.tolist(),
            physicsClientId=client,
        )
        pybullet.createMultiBody(0.0, baseVisualShapeIndex=shape, physicsClientId=client)


def _tiny_camera(camera_from_world: NDArray[np.float64], client: int) -> dict[str, Any]:
    centre_px = (SIZE_PX - 1) / 2.0
    projection = np.zeros((4, 4))
    projection[0, 0], projection[0, 2] = 2 * FOCAL_PX / SIZE_PX, 1 - 2 * centre_px / SIZE_PX
    # TinyRenderer samples a pixel at its corner and counts rows from the bottom, hence one row more.
    projection[1, 1], projection[1, 2] = 2 * FOCAL_PX / SIZE_PX, 2 * (centre_px + 1) / SIZE_PX - 1
    projection[2, 2] = -(FAR_M + NEAR_M) / (FAR_M - NEAR_M)
    projection[2, 3], projection[3, 2] = -2 * FAR_M * NEAR_M / (FAR_M - NEAR_M), -1.0
    view = np.diag([1.0, -1.0, -1.0, 1.0]) @ camera_from_world
    return {
        "viewMatrix": view.T.ravel().tolist(),
        "projectionMatrix": projection.T.ravel().tolist(),
        "shadow": 0,
        "renderer": pybullet.ER_TINY_RENDERER,
        "physicsClientId": client,
    }


def _agreement(frame: Any, reference: Any) -> tuple[float, float]:
    """Depth difference [mm] that 99 % of shared pixels stay below, and silhouette overlap."""
    buffer = np.reshape(reference[3], (SIZE_PX, SIZE_PX)).astype(float)
    depth_m = FAR_M * NEAR_M / (FAR_M - (FAR_M - NEAR_M) * buffer)
    mask = np.reshape(reference[4], (SIZE_PX, SIZE_PX))
    same = (mask == frame.segmentation) & (mask >= 0)
    error_mm = 1e3 * float(np.quantile(np.abs(depth_m[same] - frame.depth[same]), 0.99))
    theirs, mine = mask >= 0, frame.segmentation >= 0
    return error_mm, float((theirs & mine).sum() / (theirs | mine).sum())


def _rate(env: gymnasium.Env[Any, Any], steps: int, *, camera: bool) -> float:
    """Control steps per second with random small actions; `camera` renders after every step."""
    rng = np.random.default_rng(1)
    shape = env.action_space.shape or (1,)
    env.reset(seed=1)
    spent_s = 0.0
    for _ in range(steps):
        action = rng.uniform(-0.3, 0.3, shape).astype(np.float32)
        begin = time.perf_counter()
        _, _, terminated, truncated, _ = env.step(action)
        if camera:
            env.render()
        spent_s += time.perf_counter() - begin
        if terminated or truncated:
            env.reset(seed=int(rng.integers(2**31)))
    return steps / spent_s
