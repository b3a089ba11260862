"""The seam sensor on the torch: its frames, which may arrive late or twice, and the seam measured on them."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.welding.disturbances import WeldDisturbanceState
from cellwright_envs.welding.part.product import WeldProduct
from cellwright_envs.welding.part.seam import SeamMesh
from cellwright_envs.welding.weld_camera import WeldCamera, WeldLighting
from cellwright_envs.welding.weld_cell import WeldCell
from cellwright_envs.welding.wire_placement import WirePlacement
from cellwright_perception.seam.look_ahead import LookAhead
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_perception.seam.tracker import SeamTracker

Array = NDArray[np.float64]
Image = NDArray[np.uint8]


class _Frame(NamedTuple):
    """A frame and where it was taken."""

    image: Image
    wire: WirePlacement
    window_px: tuple[float, float]


class SensorHead:
    """Camera and laser on the torch, and the tracker that measures the joint on their frames."""

    def __init__(self, geometry: SeamSensorGeometry, lighting: WeldLighting) -> None:
        self.camera = WeldCamera(geometry, lighting)
        self.tracker = SeamTracker(geometry)
        self._look_aheads: dict[WeldProduct, LookAhead] = {}
        self._magnification = (1.0, geometry.stripe.fx / geometry.overview.fx)
        self._clean = np.zeros((2, geometry.image_size_px, geometry.image_size_px), dtype=np.uint8)

    def load(self, product: WeldProduct, cell: WeldCell) -> None:
        """Follow the taught path of the product in `cell` from now on."""
        if product not in self._look_aheads:
            self._look_aheads[product] = LookAhead(cell.frames, cell.torch_rotations_w, self.camera.geometry)
        self.look_ahead = self._look_aheads[product]
        self._seam = cell.frames
        self.tracker.load(product.joint, cell.frames, self.look_ahead)

    def begin(self, part: SeamMesh, disturbed: WeldDisturbanceState) -> None:
        """Start an episode in front of `part`, calibrated as badly as it is this time."""
        self._disturbed = disturbed
        self.camera.set_part(part)
        self.camera.set_calibration(disturbed.camera_calibration.true_from_calibrated())
        self.tracker.reset()
        self._frames: deque[_Frame] = deque(maxlen=9)
        self._frame_number = self._measured_frame = -1

    def take(
        self, pose_w: Array, wire: WirePlacement, *, arc_on: bool, time_s: float, rng: np.random.Generator
    ) -> Image:
        """Expose a frame, deliver the newest one that has arrived, and measure the seam on it if new."""
        disturbed = self._disturbed
        window_px = self.tracker.window_px(wire.torch_m)
        self.camera.render(
            self._clean,
            world_from_tool=pose_w,
            path_position_m=wire.torch_m,
            wire_tip_t=wire.tip_t,
            arc_on=arc_on,
            part_shift_w=wire.part_shift_w(self._seam),
            window_px=window_px,
        )
        image = disturbed.corrupt(
            self._clean,
            self.camera.arc_px(wire.tip_t, window_px),
            arc_on=arc_on,
            time_s=time_s,
            magnification=self._magnification,
            rng=rng,
        )
        self._frame_number += 1
        self._frames.appendleft(_Frame(image, wire, window_px))
        number = max(disturbed.frame_delivery.delivered(self._frame_number), 0)
        delivered = self._frames[min(self._frame_number - number, len(self._frames) - 1)]
        if number > self._measured_frame:
            # Measured again, one outlier would agree with itself and look like a joint that moved.
            self._measured_frame = number
            then = delivered.wire
            self.tracker.update(
                delivered.image[1],
                then.torch_m,
                delivered.window_px,
                then.torch_lateral_m,
                then.torch_height_m,
            )
        return delivered.image.copy()  # a frame that is delivered twice must not be one object

    def seam_ahead(self, wire: WirePlacement) -> NDArray[np.float32]:
        """The `seam` group of the observation, see `SeamTracker.profile`."""
        return self.tracker.profile(wire.torch_m, wire.torch_lateral_m, wire.torch_height_m)
