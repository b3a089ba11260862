"""The line of a laser seam sensor: how many columns it has and how exact they are."""

from __future__ import annotations

from dataclasses import dataclass

from cellwright_envs.disturbances.sampling import (
    Range,
    require_not_negative,
    require_positive,
    require_range,
)

FEWEST_COLUMNS, MOST_COLUMNS = 128, 2048


@dataclass(frozen=True, kw_only=True)
class LineSensor:
    """A profile of the laser line that the sensor head itself measures, beside the policy's pictures.

    Heads for robot welding have 500 to 1300 points over a field of 25 to 50 mm. On steel beside a torch one
    point scatters by 0.02-0.06 mm where the plate is ground and matt and by 0.1-0.2 mm on mill scale or under
    glare, over 2 to 4 points at once, and 2-10 % of the points beside edges are missing. These are
    engineering assumptions between datasheets of such heads and practice; no vendor publishes them for steel.
    """

    columns: int = 640
    """Points of a profile."""
    field_m: float = 0.025
    """Width of the field at the height of the wire's tip [m]."""
    depth_m: float = 0.025
    """Heights that are measured, around the middle of the stripe window [m]."""
    speckle_m: Range = (0.02e-3, 0.06e-3)
    """Standard deviation of one height on matt steel, drawn per episode [m]."""
    speckle_columns: tuple[int, int] = (2, 4)
    """Neighbouring points that one speckle covers, drawn per episode."""
    speckle_per_reflectance: float = 5.0
    """Growth of the scatter per relative deviation of the plate's reflectance: at 0.4, dark mill scale or
    bright ground steel, one point scatters three times as much (assumption)."""
    missing: Range = (0.02, 0.10)
    """Fraction of the points within `beside_edge_m` of an edge that is missing, drawn per episode."""
    missing_elsewhere: float = 0.2
    """Of that fraction, what is missing away from edges (assumption)."""
    beside_edge_m: float = 0.5e-3
    """Distance from an edge within which points get lost [m] (assumption)."""
    blur_m: float = 0.1e-3
    """Half the width over which the optics mix neighbouring points that are less than `merged_m` apart in
    height [m] (assumption); it rounds corners and closes gaps that are narrower."""
    merged_m: float = 0.35e-3
    """Difference in height below which two pieces of the line are one peak: the line's own sigma [m]."""

    def __post_init__(self) -> None:
        if not FEWEST_COLUMNS <= self.columns <= MOST_COLUMNS:
            raise ValueError(f"need {FEWEST_COLUMNS} to {MOST_COLUMNS} columns, got {self.columns}")
        require_positive(self, "field_m", "depth_m", "merged_m")
        require_not_negative(self, "speckle_per_reflectance", "missing_elsewhere", "beside_edge_m", "blur_m")
        require_range(self, "speckle_m", low=0.0)
        require_range(self, "missing", low=0.0, high=1.0)
        first, last = self.speckle_columns
        if not 1 <= first <= last <= 8:
            raise ValueError(f"need 1 <= first <= last <= 8 in {self.speckle_columns=}")
