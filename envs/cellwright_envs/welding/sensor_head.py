"""The seam sensor on the torch: its frames, which may arrive late or twice."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.welding.disturbances import WeldDisturbanceState
from cellwright_envs.welding.line.config import LineSensor
from cellwright_envs.welding.line.head import LineHead
from cellwright_envs.welding.part.seam import SeamMesh
from cellwright_envs.welding.weld_camera import WeldCamera, WeldLighting
from cellwright_envs.welding.wire_placement import WirePlacement
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_perception.seam.taught_path import SeamFrames
from cellwright_runtime.interface.path_correction import SensorFrame

Array = NDArray[np.float64]


class SensorHead:
    """Camera and laser on the torch: pictures, and the laser line's profile beside them."""

    def __init__(self, geometry: SeamSensorGeometry, lighting: WeldLighting, line: LineSensor) -> None:
        self.camera = WeldCamera(geometry, lighting)
        self._magnification = (1.0, geometry.stripe.fx / geometry.overview.fx)
        self._clean = np.zeros((2, geometry.image_size_px, geometry.image_size_px), dtype=np.uint8)
        self.line = LineHead(line, geometry, laser_levels=lighting.laser, lamp_levels=lighting.lamp)

    def begin(
        self, part: SeamMesh, seam: SeamFrames, disturbed: WeldDisturbanceState, rng: np.random.Generator
    ) -> None:
        """Start an episode in front of `part`, with this episode's calibration error.

        The line has a generator of its own, a child of `rng`, so that pictures do not depend on it.
        """
        self._disturbed, self._seam = disturbed, seam
        self.camera.set_part(part)
        self.camera.set_calibration(disturbed.camera_calibration.true_from_calibrated())
        self._frames: deque[SensorFrame] = deque(maxlen=9)
        self._number = -1
        self.line.begin(part, rng.spawn(1)[0])

    def take(
        self,
        pose_w: Array,
        wire: WirePlacement,
        *,
        window_px: tuple[float, float],
        arc_on: bool,
        time_s: float,
        rng: np.random.Generator,
    ) -> SensorFrame:
        """Expose a frame with the window around the laser at `window_px`; the newest that has arrived."""
        disturbed = self._disturbed
        self.camera.render(
            self._clean,
            world_from_tool=pose_w,
            path_position_m=wire.torch.path_position_m,
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
        self._number += 1
        profile = self._profile(pose_w, wire, window_px, arc_on, time_s)
        self._frames.appendleft(SensorFrame(self._number, image, wire.torch, window_px, profile))
        number = max(disturbed.frame_delivery.delivered(self._number), 0)
        delivered = self._frames[min(self._number - number, len(self._frames) - 1)]
        # A frame that is delivered twice must not be one object.
        return delivered._replace(
            number=number, image=delivered.image.copy(), profile=delivered.profile.copy()
        )

    def _profile(
        self,
        pose_w: Array,
        wire: WirePlacement,
        window_px: tuple[float, float],
        arc_on: bool,
        time_s: float,
    ) -> Array:
        return self.line.take(
            self.camera.camera_from_tool,
            world_from_tool=pose_w,
            path_position_m=wire.torch.path_position_m,
            part_shift_w=wire.part_shift_w(self._seam),
            window_px=window_px,
            wire_tip_t=wire.tip_t,
            effects=self._disturbed.frame_effects(arc_on=arc_on, time_s=time_s),
            time_s=time_s,
        )
