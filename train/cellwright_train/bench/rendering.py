"""Rendering and stepping against PyBullet's own renderer and the nearest PyBullet peer."""

import contextlib
import importlib.util
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from numpy.typing import NDArray

from cellwright_envs.assembly.cameras import SUPERSAMPLING
from cellwright_envs.physics.silence import without_lines
from cellwright_envs.welding.weld_camera import AHEAD_M, BEHIND_M
from cellwright_perception.camera import CameraModel
from cellwright_train.bench.figures import (
    ALL_ENV_DISTURBANCES,
    Effort,
    Figures,
    figure,
    missing,
    seconds_each,
)
from cellwright_train.rollout.cell import CellChoice

with without_lines("pybullet build time"):
    import pybullet

SIZE_PX = 64
_STEPS_BEFORE = 60
"""Control steps before the pictures are taken: the arc burns, or the part is near its place."""
_NEAR_M, _FAR_M = 0.01, 2.0
_PANDA_ID = "PandaReach-v3"


class _View(NamedTuple):
    """One view of a training camera as another renderer can draw it."""

    vertices_c: NDArray[np.float64]
    """(N, 3) [m] in the camera frame."""
    faces: NDArray[np.int32]
    """(M, 3), corners counter-clockwise for who sees the front."""
    model: CameraModel


class _Cameras(NamedTuple):
    """The training cameras of an environment at one moment."""

    take: Callable[[], None]
    """What the environment calls in every step: both views, light included."""
    views: tuple[_View, _View]
    depth_m: Callable[[], NDArray[np.float32]]
    """Of the view drawn last."""


def weld_cameras_against_tiny_renderer(effort: Effort) -> Figures:
    """Overview and stripe window of `WeldSeam`, as its control step takes them."""
    with contextlib.closing(CellChoice(disturbances=ALL_ENV_DISTURBANCES).make()) as env:
        return _against_tiny_renderer("weld", _weld_cameras(env), effort)


def insertion_cameras_against_tiny_renderer(effort: Effort) -> Figures:
    """Both cameras of `PegInsertion`, as its control step takes them."""
    cell = CellChoice(env="cellwright/PegInsertion-v1", disturbances=ALL_ENV_DISTURBANCES)
    with contextlib.closing(cell.make()) as env:
        return _against_tiny_renderer("insertion", _insertion_cameras(env), effort)


def _against_tiny_renderer(name: str, cameras: _Cameras, effort: Effort) -> Figures:
    """Time of both views, and of TinyRenderer for the same triangles and pixels without shadows."""
    with contextlib.ExitStack() as stack:
        theirs = [stack.enter_context(_tiny_renderer(view)) for view in cameras.views]

        def draw_theirs() -> None:
            for draw in theirs:
                draw()

        cameras.take()
        buffer = np.reshape(theirs[-1]()[3], cameras.depth_m().shape).astype(float)
        tiny_m = _FAR_M * _NEAR_M / (_FAR_M - (_FAR_M - _NEAR_M) * buffer)
        ratios, own_us = [], []
        for _ in range(effort.repeats):
            tiny_s = seconds_each(draw_theirs, effort.frames)
            own_s = seconds_each(cameras.take, effort.frames)
            ratios.append(tiny_s / own_s)
            own_us.append(1e6 * own_s)
    own_m = cameras.depth_m()
    both = np.isfinite(own_m) & (buffer < 1.0)
    off_mm = 1e3 * float(np.quantile(np.abs(tiny_m - own_m)[both], 0.99))
    overlap = float(both.sum() / (np.isfinite(own_m) | (buffer < 1.0)).sum())
    triangles = " and ".join(str(len(view.faces)) for view in cameras.views)
    return {
        f"{name}_cameras_us_both_views": figure(own_us, f"us ({triangles} triangles)"),
        f"{name}_cameras_speed_up_over_tiny_renderer": figure(ratios, "x"),
        f"{name}_cameras_depth_difference_to_tiny_renderer_mm": figure([off_mm], "mm", "<= 1"),
        f"{name}_cameras_silhouette_overlap_with_tiny_renderer": figure([overlap], "IoU", ">= 0.97"),
    }


def _weld_cameras(env: Any) -> _Cameras:
    camera, (image,), moment = _last_call(env, lambda cell: cell.sensor.camera, "render")
    mesh = camera._mesh
    pose_w = moment["world_from_tool"]
    camera_from_world = camera.camera_from_tool @ np.linalg.inv(pose_w)
    camera_from_world[:3, 3] += camera_from_world[:3, :3] @ moment["part_shift_w"]
    first, last = mesh.window(moment["path_position_m"], BEHIND_M, AHEAD_M)
    # TinyRenderer leaves out what is seen from behind, and these strips are wound the other way round.
    faces = mesh.faces[2 * mesh.strips * first : 2 * mesh.strips * last, ::-1]
    part_c = _moved(camera_from_world, mesh.vertices_w)
    torch_c = _moved(camera.camera_from_tool, camera._torch_vertices)
    overview, stripe = camera.geometry.overview, camera.geometry.stripe
    columns, rows = moment["window_px"]
    window = CameraModel(
        width=stripe.width,
        height=stripe.height,
        fx=stripe.fx,
        fy=stripe.fy,
        cx=stripe.cx - columns,
        cy=stripe.cy - rows,
    )
    whole = _View(
        np.concatenate([part_c, torch_c, camera._ribbon]),
        np.concatenate(
            [
                faces,
                camera._torch_faces + len(part_c),
                camera._wire_faces + len(part_c) + len(torch_c),
            ]
        ),
        overview,
    )
    return _Cameras(
        take=lambda: camera.render(image, **moment),
        views=(_compact(whole), _compact(_View(part_c, faces, window))),
        depth_m=lambda: camera._depth,
    )


def _insertion_cameras(env: Any) -> _Cameras:
    cameras, (tool_w, part_w, fixture_w, image), _ = _last_call(env, lambda cell: cell.cameras, "take")
    geometry, poses = cameras._geometry, cameras._poses.copy()
    vertices_w = np.concatenate(
        [
            _moved(pose, geometry.vertices[begin:end])
            for pose, begin, end in zip(
                poses, geometry.vertex_begin[:-1], geometry.vertex_begin[1:], strict=True
            )
        ]
    )
    views = []
    for camera_from_world, model in zip(
        (cameras._hand_from_tool @ np.linalg.inv(tool_w), cameras._fixed_from_world),
        cameras.rig.models,
        strict=True,
    ):
        samples = CameraModel(
            width=SUPERSAMPLING * model.width,
            height=SUPERSAMPLING * model.height,
            fx=SUPERSAMPLING * model.fx,
            fy=SUPERSAMPLING * model.fy,
            cx=SUPERSAMPLING * (model.cx + 0.5) - 0.5,
            cy=SUPERSAMPLING * (model.cy + 0.5) - 0.5,
        )
        views.append(_View(_moved(camera_from_world, vertices_w), geometry.faces, samples))
    return _Cameras(
        take=lambda: cameras.take(tool_w, part_w, fixture_w, image),
        views=(views[0], views[1]),
        depth_m=lambda: cameras._depth,
    )


def _last_call(
    env: Any, camera_of: Callable[[Any], Any], method: str
) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The camera of `env` after some steps, and the arguments with which the last one called its `method`."""
    env.reset(seed=0)
    camera = camera_of(env.unwrapped)
    original, calls = getattr(camera, method), []

    def recording(*args: Any, **kwargs: Any) -> None:
        calls.append((args, kwargs))
        original(*args, **kwargs)

    setattr(camera, method, recording)
    for _ in range(_STEPS_BEFORE):
        env.step(np.zeros(env.action_space.shape, np.float32))
    delattr(camera, method)  # the class's own again
    args, kwargs = calls[-1]
    copied = tuple(np.array(argument) for argument in args)
    return camera, copied, kwargs


def _moved(pose: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    moved: NDArray[np.float64] = points @ pose[:3, :3].T + pose[:3, 3]
    return moved


def _compact(view: _View) -> _View:
    """The same without vertices that no face uses."""
    used, faces = np.unique(view.faces, return_inverse=True)
    return _View(view.vertices_c[used], faces.reshape(-1, 3).astype(np.int32), view.model)


@contextlib.contextmanager
def _tiny_renderer(view: _View) -> Iterator[Callable[[], Any]]:
    """A call that draws `view` with PyBullet's TinyRenderer."""
    client = pybullet.connect(pybullet.DIRECT)
    try:
        shape = pybullet.createVisualShape(
            pybullet.GEOM_MESH,
            vertices=view.vertices_c.tolist(),
            indices=view.faces.ravel().tolist(),
            normals=view.vertices_c.tolist(),
            physicsClientId=client,
        )
        pybullet.createMultiBody(0.0, baseVisualShapeIndex=shape, physicsClientId=client)
        arguments = _tiny_arguments(view.model, client)
        yield lambda: pybullet.getCameraImage(view.model.width, view.model.height, **arguments)
    finally:
        pybullet.disconnect(physicsClientId=client)


def _tiny_arguments(model: CameraModel, client: int) -> dict[str, Any]:
    projection = np.zeros((4, 4))
    projection[0, 0], projection[0, 2] = 2 * model.fx / model.width, 1 - 2 * model.cx / model.width
    # TinyRenderer samples a pixel at its corner and counts rows from the bottom, hence one row more.
    projection[1, 1], projection[1, 2] = 2 * model.fy / model.height, 2 * (model.cy + 1) / model.height - 1
    projection[2, 2] = -(_FAR_M + _NEAR_M) / (_FAR_M - _NEAR_M)
    projection[2, 3], projection[3, 2] = -2 * _FAR_M * _NEAR_M / (_FAR_M - _NEAR_M), -1.0
    return {
        "viewMatrix": np.diag([1.0, -1.0, -1.0, 1.0]).ravel().tolist(),
        "projectionMatrix": projection.T.ravel().tolist(),
        "shadow": 0,
        "renderer": pybullet.ER_TINY_RENDERER,
        "physicsClientId": client,
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
