"""Lasting changes of the line, such as a new batch of plate or a fixture put back elsewhere."""

import math
from dataclasses import dataclass, replace

from cellwright_envs.disturbances.sampling import Vector, vector_sum
from cellwright_envs.welding.disturbances.catalogue import WeldDisturbances


@dataclass(frozen=True, kw_only=True)
class LineChange:
    """What is different for good once the line has changed; what is not named stays as it was."""

    description: str
    """One sentence for reports."""
    product: str | None = None
    """Name of the product welded from now on; None keeps the present one."""
    fixture_shift_m: Vector = (0.0, 0.0, 0.0)
    """Added to where the fixture stands, world frame [m]."""
    fixture_turn_rad: float = 0.0
    """Added to its turn about the vertical [rad]."""
    thickness_change: float = 0.0
    """Added to the relative deviation of plate thickness."""
    gap_change_of_limit: float = 0.0
    """Added to the bias of the gap, as a fraction of the largest deviation of the gap."""
    tool_shift_m: Vector = (0.0, 0.0, 0.0)
    """Added to the error of the wire tip, tool frame [m]."""
    light_factor: float = 1.0
    """Multiplies the camera's gain."""
    albedo_factor: float = 1.0
    """Multiplies the reflectance of the plate."""

    def apply(self, disturbances: WeldDisturbances) -> WeldDisturbances:
        """Return `disturbances` as they are after the change."""
        fixture = disturbances.fixture_offset
        tool = disturbances.tool_centre_point
        batch = disturbances.thickness_batch
        gap = disturbances.gap_profile
        return replace(
            disturbances,
            fixture_offset=replace(
                fixture,
                mean_m=vector_sum(fixture.mean_m, self.fixture_shift_m),
                mean_yaw_rad=fixture.mean_yaw_rad + self.fixture_turn_rad,
            ),
            tool_centre_point=replace(tool, mean_m=vector_sum(tool.mean_m, self.tool_shift_m)),
            thickness_batch=replace(batch, mean_deviation=batch.mean_deviation + self.thickness_change),
            gap_profile=replace(gap, mean_of_limit=gap.mean_of_limit + self.gap_change_of_limit),
            exposure=replace(
                disturbances.exposure, mean_gain=disturbances.exposure.mean_gain * self.light_factor
            ),
            reflectance=replace(
                disturbances.reflectance,
                mean_albedo=disturbances.reflectance.mean_albedo * self.albedo_factor,
            ),
        )


LINE_CHANGES: dict[str, LineChange] = {
    "new-batch": LineChange(
        description="The next batch of plate is 6 % thinner, fits worse and reflects less.",
        thickness_change=-0.06,
        gap_change_of_limit=0.5,
        albedo_factor=0.75,
    ),
    "moved-fixture": LineChange(
        description="The fixture was put back 2.5 mm aside, 0.8 mm low and turned by 0.6 degrees.",
        fixture_shift_m=(1.5e-3, 2.0e-3, -0.8e-3),
        fixture_turn_rad=math.radians(0.6),
    ),
    "bent-wire": LineChange(
        description="After a collision the wire comes out 1.2 mm to the side and 0.6 mm ahead.",
        tool_shift_m=(0.6e-3, 1.2e-3, 0.0),
    ),
    "dim-light": LineChange(
        description="Dirt on the camera's window takes 45 % of the light.",
        light_factor=0.55,
    ),
}
"""Line changes by name."""
