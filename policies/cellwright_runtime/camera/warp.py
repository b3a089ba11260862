"""From a real camera's frame to the view that a policy was trained with.

Each pixel of the trained view is a ray of the trained pinhole. Turned into the real camera, bent by its lens,
the ray ends at a pixel of the real frame. This is exact where both cameras have one optical centre, whatever
their resolutions, focal lengths, distortions and directions. Where the centres differ, what a ray meets
depends on its distance: the warp is then exact for points on a reference plane through the middle of the
trained view, and off by the parallax for all others. The warp states that error, and is refused where it is
too large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import inverted, length, moved, product, turned
from cellwright_perception.camera import CameraModel
from cellwright_perception.opencv import opencv
from cellwright_runtime.bundle.cameras import TrainedView
from cellwright_runtime.camera.lens import Lens
from cellwright_runtime.files.reading import FileError

Array = NDArray[np.float64]

SAME_CENTRE_M = 1e-6
MOST_PARALLAX_PX = 1.5
"""Of the trained view; a fixture's camera in training was off by up to a pixel (assumption)."""
DEPTH_M = 0.03
"""How far before and behind the reference plane the work reaches: the depth of a mouth, the height of a
seam."""
_MOST_SAMPLES = 16


class WarpError(FileError):
    """A real camera cannot give the trained view; one line says by how much and what would help."""


@dataclass(frozen=True, kw_only=True)
class Mounted:
    """A real camera: its lens, and its place in the frame that the trained view is mounted in."""

    lens: Lens
    camera_from_frame: Array
    """(4, 4), as `TrainedView.transform`."""


class Warp:
    """One trained view out of the frames of one real camera."""

    centre_offset_m: float
    """Distance of the two optical centres."""
    parallax_px: float
    """Largest error of a point up to `depth_m` before or behind the reference plane, in trained pixels."""
    samples: int
    """Samples along each side of a trained pixel, whose mean it is: as many as real pixels lie in it."""

    def __init__(
        self,
        view: TrainedView,
        real: Mounted,
        *,
        depth_m: float = DEPTH_M,
        most_parallax_px: float = MOST_PARALLAX_PX,
    ) -> None:
        """Raises `WarpError` where the real picture does not cover the trained view, or parallax is too
        large."""
        self.view, self._real = view, real
        self._real_from_trained = product(real.camera_from_frame, inverted(view.transform))
        self.centre_offset_m = float(length(self._real_from_trained[:3, 3]))
        self._plane_m = _reference_m(view)
        self.samples = self._needed_samples()
        self.parallax_px = self._parallax(depth_m)
        if self.parallax_px > most_parallax_px:
            raise WarpError(
                f"view {view.view}: the camera stands {1e3 * self.centre_offset_m:.1f} mm beside its trained "
                f"place, so that points {1e3 * depth_m:.0f} mm off the reference plane are "
                f"{self.parallax_px:.2f} px off; {most_parallax_px:g} px are allowed: move the camera"
            )
        self._maps = self._build((0.0, 0.0))

    def __call__(
        self, frame: NDArray[np.uint8], window_px: tuple[float, float] = (0.0, 0.0)
    ) -> NDArray[np.uint8]:
        """The trained view (H, W) uint8 of a real frame, grey (H, W) or BGR (H, W, 3) as OpenCV gives it.

        `window_px` (columns, rows) shifts a view that is a moving window, as `WeldInterface.window_px` says.
        Raises `WarpError` where the frame has another size than the lens was calibrated for, where a view
        that is no window is shifted, or where the shifted window is not covered.
        """
        size = (self._real.lens.pinhole.height, self._real.lens.pinhole.width)
        if frame.shape[:2] != size or frame.dtype != np.uint8:
            raise WarpError(
                f"view {self.view.view}: a frame is {frame.dtype} {frame.shape[:2]}, "
                f"the camera was calibrated with uint8 {size}"
            )
        maps = self._maps
        if window_px != (0.0, 0.0):
            if not self.view.window:
                raise WarpError(f"view {self.view.view} is no window, and was shifted by {window_px}")
            maps = self._build(window_px)
        cv2 = opencv()
        grey = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        seen = cv2.remap(grey, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if self.samples > 1:
            seen = cv2.resize(seen, (self.view.width_px, self.view.height_px), interpolation=cv2.INTER_AREA)
        return np.asarray(seen, np.uint8)

    def real_px(
        self, px: Array, *, depth_m: float = 0.0, window_px: tuple[float, float] = (0.0, 0.0)
    ) -> Array:
        """Pixels (N, 2) of the real frame for pixels `px` (N, 2) of the trained view, NaN where there is
        none.

        `depth_m` is how far behind the reference plane the point lies that they show.
        """
        rays = self._rays(px, window_px)
        seen = turned(self._real_from_trained[:3, :3], rays)
        if self.centre_offset_m > SAME_CENTRE_M:
            seen = seen * (self._plane_m + depth_m) + self._real_from_trained[:3, 3]
        return self._real.lens.project(seen)

    def _rays(self, px: Array, window_px: tuple[float, float]) -> Array:
        return self.view.model.rays(np.asarray(px, np.float64) + np.asarray(window_px))

    def _needed_samples(self) -> int:
        """Real pixels along a trained one in the middle of the view, at least 1."""
        middle = 0.5 * np.array([self.view.width_px - 1.0, self.view.height_px - 1.0])
        at = self.real_px(middle + np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
        if not np.isfinite(at).all():
            return 1  # `_build` says what is wrong
        scale = float(length(at[1:] - at[0]).max())
        return int(np.clip(math.ceil(scale - 0.25), 1, _MOST_SAMPLES))

    def _parallax(self, depth_m: float) -> float:
        if self.centre_offset_m <= SAME_CENTRE_M:
            return 0.0
        corners = _grid(self.view.model, 9)
        rays = self._rays(corners, (0.0, 0.0))
        worst = 0.0
        for offset_m in (-depth_m, depth_m):
            # Where a point off the plane is seen, and which trained pixel shows that place.
            points = rays * (self._plane_m + offset_m)
            seen = moved(self._real_from_trained, points)
            back = inverted(self._real_from_trained)
            centre, directions = back[:3, 3], turned(back[:3, :3], seen)
            reach = (self._plane_m - centre[2]) / directions[:, 2]
            shown = self.view.model.project(centre + reach[:, np.newaxis] * directions)
            worst = max(worst, float(np.abs(shown - corners).max()))
        return worst

    def _build(self, window_px: tuple[float, float]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        count = self.samples
        fine = (np.arange(self.view.width_px * count) + 0.5) / count - 0.5
        down = (np.arange(self.view.height_px * count) + 0.5) / count - 0.5
        px = np.stack(np.meshgrid(fine, down), axis=-1)
        at = self.real_px(px.reshape(-1, 2), window_px=window_px)
        pinhole = self._real.lens.pinhole
        inside = (
            (at >= -0.5).all(axis=1) & (at[:, 0] <= pinhole.width - 0.5) & (at[:, 1] <= pinhole.height - 0.5)
        )
        if not inside.all():
            share = 100.0 * (1.0 - inside.mean())
            raise WarpError(
                f"view {self.view.view}: {max(share, 0.1):.1f} % of it is outside of the camera's picture; "
                "turn the camera, move it, or take a wider lens"
            )
        maps = at.astype(np.float32).reshape(*px.shape)
        return np.ascontiguousarray(maps[..., 0]), np.ascontiguousarray(maps[..., 1])


def _reference_m(view: TrainedView) -> float:
    """Depth of the reference plane in the trained camera: that of the mounting frame's origin.

    It is where the work happens: the wire's tip, the part's tip, or the middle of the mouth.
    """
    depth_m = float(view.transform[2, 3])
    if depth_m <= 0.0:
        raise WarpError(f"view {view.view}: the origin of {view.frame} lies behind the trained camera")
    return depth_m


def _grid(model: CameraModel, count: int) -> Array:
    across, down = np.linspace(0.0, model.width - 1.0, count), np.linspace(0.0, model.height - 1.0, count)
    return np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)
