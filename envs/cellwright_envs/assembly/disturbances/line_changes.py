"""Lasting changes of an assembly line, by name."""

import math

from cellwright_envs.disturbances.line_change import LineChange, plus, times

LINE_CHANGES: dict[str, LineChange] = {
    "new-batch": LineChange(
        description="The next batch of parts has 15 % less clearance and half as much again of friction.",
        changes={"part_fit.clearance_factor": times(0.85), "contact_friction.factor": times(1.5)},
    ),
    "moved-fixture": LineChange(
        description="The fixture was put back 3 mm aside, 1 mm low and turned by 2 degrees.",
        changes={
            "fixture_pose.mean_m": plus((1.8e-3, -2.4e-3, -1.0e-3)),
            "fixture_pose.mean_yaw_rad": plus(math.radians(2.0)),
        },
    ),
    "moved-camera": LineChange(
        description="After a collision the camera on the hand sits 3 mm off and is not calibrated again.",
        changes={"hand_camera.mean_translation_m": plus((2.4e-3, 1.8e-3, 0.0))},
    ),
    "worn-fingers": LineChange(
        description="The pads of the fingers are worn and hold half of what they did.",
        changes={"grip_strength.factor": times(0.5)},
    ),
    "dim-light": LineChange(
        description="The cell's lamp and the room give half of their light.",
        changes={"room_light.lamp_factor": times(0.5), "room_light.room_factor": times(0.5)},
    ),
}
