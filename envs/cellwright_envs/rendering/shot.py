"""A scene and the camera through which people see it: fine pictures, quick ones, depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.rendering.picture import take_picture
from cellwright_envs.rendering.scene import Frame, Light, PointLight, Scene
from cellwright_envs.rendering.studio import Studio

Image = NDArray[np.uint8]

QUICK_SUPERSAMPLING = 2
AMBIENT, DIFFUSE = 0.65, 0.75
"""Light of quick pictures; about as bright as fine ones."""
INSET_PX, INSET_GAP_PX, INSET_FRAME = 128, 10, 235


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One picture that can be taken in several ways."""

    scene: Scene
    camera_from_world: NDArray[np.float64]
    """(4, 4), OpenCV's frame: x right, y down, z forward."""
    focal_px: float
    width_px: int = 640
    height_px: int = 480
    studio: Studio = field(default_factory=Studio)
    arc: PointLight | None = None
    insets: Sequence[Image] = ()
    """Grey frames (H, W) that are shown in the lower left and the lower right corner."""

    def fine(self) -> Image:
        """Return an sRGB picture (height, width, 3) with shadows and glow: a second or two, for reports."""
        centre_px = (self.width_px - 1) / 2, (self.height_px - 1) / 2
        picture = take_picture(
            self.scene,
            self.camera_from_world,
            self.focal_px,
            self.focal_px,
            *centre_px,
            self.width_px,
            self.height_px,
            studio=self.studio,
            arc=self.arc,
        )
        return self._with_insets(picture)

    def quick(self) -> Image:
        """Return an sRGB picture (height, width, 3) of flat faces without shadows, for films."""
        scale = QUICK_SUPERSAMPLING
        rgb = self._frame(scale).rgb.astype(np.uint16)
        total = sum(rgb[row::scale, column::scale] for row in range(scale) for column in range(scale))
        return self._with_insets((total // scale**2).astype(np.uint8))  # type: ignore[union-attr]

    def depth_m(self) -> NDArray[np.float32]:
        """Return the distance along the optical axis (height, width) [m], 0 where nothing is."""
        depth = self._frame(1).depth
        depth[np.isinf(depth)] = 0.0
        return depth

    def _frame(self, scale: int) -> Frame:
        return self.scene.render(
            self.camera_from_world,
            scale * self.focal_px,
            scale * self.focal_px,
            (scale * self.width_px - 1) / 2,
            (scale * self.height_px - 1) / 2,
            scale * self.width_px,
            scale * self.height_px,
            light=Light(
                direction_w=self.studio.key_direction_w,
                ambient=AMBIENT,
                diffuse=DIFFUSE,
                background=self.studio.horizon_colour,
            ),
            point_light=self.arc,
        )

    def _with_insets(self, picture: Image) -> Image:
        for corner, frame in enumerate(self.insets):
            pick = np.arange(INSET_PX) * frame.shape[0] // INSET_PX
            top = self.height_px - INSET_PX - INSET_GAP_PX
            left = corner * (self.width_px - INSET_PX - 2 * INSET_GAP_PX) + INSET_GAP_PX
            picture[top - 2 : top + INSET_PX + 2, left - 2 : left + INSET_PX + 2] = INSET_FRAME
            picture[top : top + INSET_PX, left : left + INSET_PX] = frame[np.ix_(pick, pick)][:, :, None]
        return picture
