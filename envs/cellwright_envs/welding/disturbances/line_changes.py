"""Lasting changes of a welding line, by name."""

import math

from cellwright_envs.disturbances.line_change import LineChange, plus, times

LINE_CHANGES: dict[str, LineChange] = {
    "new-batch": LineChange(
        description="The next batch of plate is 6 % thinner, fits worse and reflects less.",
        changes={
            "thickness_batch.mean_deviation": plus(-0.06),
            "gap_profile.mean_of_limit": plus(0.5),
            "reflectance.mean_albedo": times(0.75),
        },
    ),
    "moved-fixture": LineChange(
        description="The fixture was put back 2.5 mm aside, 0.8 mm low and turned by 0.6 degrees.",
        changes={
            "fixture_offset.mean_m": plus((1.5e-3, 2.0e-3, -0.8e-3)),
            "fixture_offset.mean_yaw_rad": plus(math.radians(0.6)),
        },
    ),
    "bent-wire": LineChange(
        description="After a collision the wire comes out 1.2 mm to the side and 0.6 mm ahead.",
        changes={"tool_centre_point.mean_m": plus((0.6e-3, 1.2e-3, 0.0))},
    ),
    "dim-light": LineChange(
        description="Dirt on the camera's window takes 45 % of the light.",
        changes={"exposure.mean_gain": times(0.55)},
    ),
}
