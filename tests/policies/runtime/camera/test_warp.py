"""Frames of a rendered camera, 1280 x 960 with distortion, warped to what a policy was trained with."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_assets.arithmetic import inverted, product
from cellwright_envs.assembly.cameras import insertion_scene
from cellwright_envs.assembly.parts.pegs import PEGS
from cellwright_envs.rendering.scene import Light, Scene
from cellwright_perception.camera import CameraModel
from cellwright_perception.opencv import opencv
from cellwright_policies import zoo
from cellwright_runtime.bundle.cameras import TrainedView, trained_views
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.camera.lens import Lens
from cellwright_runtime.camera.warp import Mounted, Warp, WarpError
from cellwright_runtime.interface.rotation import rotation_rows
from tests.policies.runtime.camera.rendered import LENS, photograph

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def view() -> TrainedView:
    bundle = Bundle.load(zoo.path("peg-insertion"))
    return next(each for each in bundle.spec.cameras if each.view == "fixed")


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Fixture and part as they stand at the start of an insertion, in the fixture's frame."""
    made = insertion_scene(PEGS.parts[0])
    above = np.eye(4)
    above[2, 3] = 0.012
    for name in made.names:
        if name not in ("table", "fixture"):
            made.set_pose(name, above)
    return made


def moved(rotation_rad: tuple[float, float, float] = (0.0, 0.0, 0.0), shift_m: Array | None = None) -> Array:
    pose = np.eye(4)
    pose[:3, :3] = rotation_rows(*rotation_rad)
    pose[:3, 3] = np.zeros(3) if shift_m is None else shift_m
    return pose


def trained_picture(scene: Scene, view: TrainedView) -> NDArray[np.uint8]:
    """The view as training draws it, but with 8 x 8 samples in each pixel."""
    samples, model = 8, view.model
    frame = scene.render(
        view.transform,
        samples * model.fx,
        samples * model.fy,
        samples * (model.cx + 0.5) - 0.5,
        samples * (model.cy + 0.5) - 0.5,
        samples * model.width,
        samples * model.height,
        light=Light(ambient=0.9, diffuse=0.1),
    )
    cv2 = opencv()
    grey = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (model.width, model.height), interpolation=cv2.INTER_AREA))


def apart(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Mean difference in grey values."""
    return float(np.abs(one.astype(float) - other).mean())


def test_a_distorted_frame_becomes_the_trained_view(scene: Scene, view: TrainedView) -> None:
    """The camera stands in the trained place, turned by some degrees: the warp is exact."""
    place = product(moved((0.02, -0.03, 0.05)), view.transform)
    frame = photograph(scene, place, LENS)
    wanted = trained_picture(scene, view)
    warp = Warp(view, Mounted(lens=LENS, camera_from_frame=place))
    assert warp.centre_offset_m < 1e-9
    assert warp.parallax_px == 0.0
    assert apart(warp(frame), wanted) < 0.7
    assert apart(warp(opencv().cvtColor(frame, opencv().COLOR_GRAY2BGR)), wanted) < 1.0
    flat = Lens(pinhole=LENS.pinhole)
    straight = Warp(view, Mounted(lens=flat, camera_from_frame=place))
    assert apart(straight(frame), wanted) > 1.5 * apart(warp(frame), wanted)
    not_turned = Warp(view, Mounted(lens=LENS, camera_from_frame=view.transform))
    assert apart(not_turned(frame), wanted) > 5.0


@pytest.mark.parametrize(
    "pinhole",
    [LENS.pinhole, replace(LENS.pinhole, width=640, height=480, fx=740.0, fy=736.0, cx=327.0, cy=233.5)],
)
def test_any_resolution_gives_the_same_view(scene: Scene, view: TrainedView, pinhole: CameraModel) -> None:
    lens = replace(LENS, pinhole=pinhole)
    warp = Warp(view, Mounted(lens=lens, camera_from_frame=view.transform))
    assert abs(warp.samples - pinhole.fx / view.model.fx) < 1.0  # as many samples as there are real pixels
    assert apart(warp(photograph(scene, view.transform, lens)), trained_picture(scene, view)) < 1.2


def test_where_the_centre_differs_the_reference_plane_is_exact_and_the_rest_is_off_as_stated(
    view: TrainedView,
) -> None:
    place = product(moved((0.01, 0.02, 0.0), np.array([0.004, -0.003, 0.0])), view.transform)
    warp = Warp(view, Mounted(lens=LENS, camera_from_frame=place))
    assert warp.centre_offset_m == pytest.approx(0.005, rel=1e-6)
    depth_m = view.transform[2, 3]
    px = np.array([[10.0, 50.0], [31.5, 31.5], [60.0, 5.0]])
    for offset_m in (0.0, 0.03):
        points = view.model.rays(px) * (depth_m + offset_m)  # in the trained camera
        in_real = points @ product(place, inverted(view.transform))[:3, :3].T
        in_real = in_real + product(place, inverted(view.transform))[:3, 3]
        shown = LENS.project(in_real)
        mapped = warp.real_px(px)
        off = np.linalg.norm(mapped - shown, axis=1).max() / warp.samples
        assert off < 1e-9 if offset_m == 0.0 else 0.1 < off < 1.1 * warp.parallax_px
    # Small angles: the offset, times the focal length, between the two depths.
    rough = view.model.fx * 0.005 * (1.0 / (depth_m - 0.03) - 1.0 / depth_m)
    assert warp.parallax_px == pytest.approx(rough, rel=0.35)


def test_a_camera_too_far_from_its_place_is_refused(view: TrainedView) -> None:
    place = product(moved(shift_m=np.array([0.03, 0.0, 0.0])), view.transform)
    with pytest.raises(
        WarpError, match=r"view fixed: the camera stands 30.0 mm beside .* px are allowed: move"
    ):
        Warp(view, Mounted(lens=LENS, camera_from_frame=place))


@pytest.mark.parametrize("turn", [(0.0, 0.4, 0.0), (0.5, 0.0, 0.0), (0.0, 3.0, 0.0)])
def test_a_view_that_is_not_covered_is_refused(view: TrainedView, turn: tuple[float, float, float]) -> None:
    place = product(moved(turn), view.transform)
    with pytest.raises(WarpError, match=r"view fixed: \d+\.\d % of it is outside of the camera's picture"):
        Warp(view, Mounted(lens=LENS, camera_from_frame=place))


def test_a_frame_of_another_size_is_refused(view: TrainedView) -> None:
    warp = Warp(view, Mounted(lens=LENS, camera_from_frame=view.transform))
    with pytest.raises(WarpError, match=r"a frame is uint8 \(480, 640\), the camera was calibrated with"):
        warp(np.zeros((480, 640), np.uint8))
    with pytest.raises(WarpError, match="is no window, and was shifted"):
        warp(np.zeros((960, 1280), np.uint8), (1.0, 0.0))


def test_a_window_follows_its_shift() -> None:
    """The stripe of a weld is a window over the camera's picture: shifted, it shows what was beside."""
    spec = Bundle.load(zoo.path("weld-seam")).spec
    _, stripe = trained_views(spec.controller, ("overview", "stripe"), 64)
    lens = replace(LENS, pinhole=replace(LENS.pinhole, fx=1900.0, fy=1900.0))
    warp = Warp(stripe, Mounted(lens=lens, camera_from_frame=stripe.transform))
    ramp = np.tile((np.arange(1280) // 6).astype(np.uint8), (960, 1))
    before, after = warp(ramp), warp(ramp, (5.0, 0.0))
    np.testing.assert_allclose(after[:, :-5].astype(int), before[:, 5:].astype(int), atol=1)
    assert np.abs(after.astype(int) - before).mean() > 2.0


def test_rays_and_pixels_of_a_lens_are_inverse() -> None:
    px = np.random.default_rng(1).uniform([0.0, 0.0], [1279.0, 959.0], (500, 2))
    np.testing.assert_allclose(LENS.project(LENS.rays(px)), px, atol=1e-3)


def test_a_lens_shows_nothing_behind_it_or_where_its_polynomial_folds_back() -> None:
    folding = Lens(pinhole=LENS.pinhole, distortion=(-0.3, 0.0, 0.0, 0.0))
    # The polynomial turns back at a tangent of 1.05: at 1.6 it would give a pixel within the picture.
    behind, far, ahead = (0.0, 0.0, -1.0), (1.6, 0.0, 1.0), (0.1, 0.05, 1.0)
    found = folding.project(np.array([behind, far, ahead]))
    assert np.isnan(found[:2]).all()
    assert np.isfinite(found[2]).all()
