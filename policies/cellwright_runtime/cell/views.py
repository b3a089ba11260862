"""The policy's image out of a cell's cameras: each view from the camera that the cell's file names for it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import inverted, product
from cellwright_perception.camera import CameraModel
from cellwright_runtime.bundle.policy import PolicySpec
from cellwright_runtime.camera.lens import Lens
from cellwright_runtime.camera.warp import Mounted, Warp, WarpError
from cellwright_runtime.cell.cell_file import CellFile, transform
from cellwright_runtime.cell.schema import Camera

Image = NDArray[np.uint8]


def lens(camera: Camera) -> Lens:
    """Pinhole and distortion of a camera in a cell's file."""
    (fx, fy), (cx, cy) = camera.focal_px, camera.principal_px
    pinhole = CameraModel(width=camera.width_px, height=camera.height_px, fx=fx, fy=fy, cx=cx, cy=cy)
    return Lens(pinhole=pinhole, distortion=camera.distortion)


class CellViews:
    """Warps the newest frames of a cell's cameras to the views of a policy."""

    def __init__(self, file: CellFile, spec: PolicySpec) -> None:
        """Raises `FileError` or `WarpError` where a camera is missing or cannot give its view."""
        self.warps: dict[str, Warp] = {}
        self.cameras: dict[str, str] = {}
        """Name of the camera that gives each view."""
        frames = {"tool": file.cell.tool, "nominal_fixture": file.cell.fixture}
        for trained in spec.cameras:
            index, camera = file.camera_of(trained.view)
            frame = frames.get(trained.frame)
            if frame is None:
                raise file.refusal((), f"needs the frame {trained.frame}, for view {trained.view}")
            # Mount is the flange or the base; the frame stands in it, and so does the camera.
            camera_from_frame = product(inverted(transform(camera)), transform(frame))
            try:
                warp = Warp(trained, Mounted(lens=lens(camera), camera_from_frame=camera_from_frame))
            except WarpError as error:
                raise file.refusal(("camera", index), str(error)) from None
            self.warps[trained.view], self.cameras[trained.view] = warp, camera.name

    def image(self, frames: Mapping[str, Image], window_px: tuple[float, float] = (0.0, 0.0)) -> Image:
        """The policy's image (views, H, W) of the cameras' newest `frames`, by camera.

        `window_px` shifts the views that are windows.
        """
        return np.stack(
            [
                warp(frames[self.cameras[view]], window_px if warp.view.window else (0.0, 0.0))
                for view, warp in self.warps.items()
            ]
        )
