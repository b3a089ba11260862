"""Lasting changes of the line of an insertion, such as a fixture put back elsewhere or worn fingers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from cellwright_envs.assembly.disturbances.catalogue import AssemblyDisturbances
from cellwright_envs.disturbances.sampling import Range, Vector, vector_sum


@dataclass(frozen=True, kw_only=True)
class LineChange:
    """What is different for good once the line has changed; what is not named stays as it was."""

    description: str
    """One sentence for reports."""
    product: str | None = None
    """Name of the part inserted from now on; None keeps the present ones."""
    fixture_shift_m: Vector = (0.0, 0.0, 0.0)
    """Added to where the fixture stands, nominal fixture's frame [m]."""
    fixture_turn_rad: float = 0.0
    """Added to its turn about the vertical [rad]."""
    hand_camera_shift_m: Vector = (0.0, 0.0, 0.0)
    """Added to the calibration error of the camera on the hand, along its axes [m]."""
    clearance_factor: float = 1.0
    """Multiplies the clearance of the parts."""
    friction_factor: float = 1.0
    """Multiplies the friction between part and fixture."""
    grip_factor: float = 1.0
    """Multiplies what the fingers hold."""
    light_factor: float = 1.0
    """Multiplies the light of lamp and room."""

    def apply(self, disturbances: AssemblyDisturbances) -> AssemblyDisturbances:
        """Return `disturbances` as they are after the change."""
        fixture, camera = disturbances.fixture_pose, disturbances.hand_camera
        fit, friction = disturbances.part_fit, disturbances.contact_friction
        grip, light = disturbances.grip_strength, disturbances.room_light
        return replace(
            disturbances,
            fixture_pose=replace(
                fixture,
                mean_m=vector_sum(fixture.mean_m, self.fixture_shift_m),
                mean_yaw_rad=fixture.mean_yaw_rad + self.fixture_turn_rad,
            ),
            hand_camera=replace(
                camera, mean_translation_m=vector_sum(camera.mean_translation_m, self.hand_camera_shift_m)
            ),
            part_fit=replace(fit, clearance_factor=_times(fit.clearance_factor, self.clearance_factor)),
            contact_friction=replace(friction, factor=_times(friction.factor, self.friction_factor)),
            grip_strength=replace(grip, factor=_times(grip.factor, self.grip_factor)),
            room_light=replace(
                light,
                lamp_factor=_times(light.lamp_factor, self.light_factor),
                room_factor=_times(light.room_factor, self.light_factor),
            ),
        )


def _times(drawn: Range, factor: float) -> Range:
    low, high = drawn
    return factor * low, factor * high


LINE_CHANGES: dict[str, LineChange] = {
    "new-batch": LineChange(
        description="The next batch of parts has 15 % less clearance and half as much again of friction.",
        clearance_factor=0.85,
        friction_factor=1.5,
    ),
    "moved-fixture": LineChange(
        description="The fixture was put back 3 mm aside, 1 mm low and turned by 2 degrees.",
        fixture_shift_m=(1.8e-3, -2.4e-3, -1.0e-3),
        fixture_turn_rad=math.radians(2.0),
    ),
    "moved-camera": LineChange(
        description="After a collision the camera on the hand sits 3 mm off and is not calibrated again.",
        hand_camera_shift_m=(2.4e-3, 1.8e-3, 0.0),
    ),
    "worn-fingers": LineChange(
        description="The pads of the fingers are worn and hold half of what they did.",
        grip_factor=0.5,
    ),
    "dim-light": LineChange(
        description="The cell's lamp and the room give half of their light.",
        light_factor=0.5,
    ),
}
"""Line changes by name."""
