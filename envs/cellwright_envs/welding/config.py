"""How the weld cell works."""

from __future__ import annotations

from dataclasses import dataclass, field

from cellwright_assets.weld_cell import (
    CONTROL_PERIOD_S,
    SPEED_TRIM,
    VOLTAGE_TRIM_V,
    WIRE_TRIM,
)
from cellwright_envs.physics.world import ARM_PHYSICS_PERIOD_S
from cellwright_envs.welding.inspection.editions import NEWEST, edition_of
from cellwright_envs.welding.line.config import LineSensor
from cellwright_envs.welding.pool_camera import PoolLighting
from cellwright_envs.welding.weld_camera import WeldLighting
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_perception.seam.taught_path import LEAD_IN_M

PROCESS_PERIOD_S = 0.01


@dataclass(frozen=True, kw_only=True)
class TrackingSettings:
    """How the controller follows the measured seam."""

    gain_1_s: float = 4.0
    """Correction rate per error."""
    rate_m_s: float = 10e-3
    """Fastest correction; tracking systems allow 0.1-20 mm/s."""
    preview_s: float = 0.165
    """How far ahead of the wire the seam is read, to cover servo lag and latency."""
    least_confidence: float = 0.35
    """Confidence of the seam sensor below which the measured seam counts as unknown."""


@dataclass(frozen=True, kw_only=True)
class WeldSeamConfig:
    """Settings of the cell; product and disturbances are arguments of the environment instead."""

    control_period_s: float = CONTROL_PERIOD_S
    time_limit_s: float = 100.0
    """After this an episode is cut off, or later where its seam takes longer at the slowest speed allowed."""
    offset_m: float = 1.5e-3
    """Most that a policy may lead the torch beside the measured seam: a bent wire and the sensor's
    calibration come to 1.3 mm."""
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    lateral_range_m: float = 8e-3
    """Most that the path is corrected sideways, either way."""
    height_range_m: float = 6e-3
    """The same upwards and downwards."""
    speed_trim: float = SPEED_TRIM
    """Fraction of the travel speed that the policy may add or take away."""
    wire_trim: float = WIRE_TRIM
    voltage_trim_v: float = VOLTAGE_TRIM_V
    trim_slew_1_s: float = 2.0
    """Full scales of a trim that the controller changes per second; an engineering assumption."""
    approach_speed_m_s: float = 0.02
    """Speed over the lead-in, arc off, while the sensor sees the joint for the first time."""
    approach_m: float = 0.025
    guard_m: float | None = None
    """How far from the measured seam the controller lets a policy take the torch while the sensor is
    confident; None: as far as it likes."""
    scrap_m: float = 5e-3
    """Wire placement error at which the part is scrap and the episode ends."""
    tolerance_m: float = 0.5e-3
    """Placement error that robotic fillets tolerate: half a wire diameter (shop rule)."""
    stand_off_tolerance_m: float = 2e-3
    """Contact-tip distance error that tables allow (about +-2 mm)."""
    pool_camera: bool = True
    """Whether the policy also sees the weld pool, in a view of its own."""
    pool_lighting: PoolLighting = field(default_factory=PoolLighting)
    iso_edition: str = NEWEST
    """Edition of ISO 5817 that grades the bead, in reward, inspection and the teacher's search: "2023",
    "2023-en1090" or "2014"."""
    sensor: SeamSensorGeometry = field(default_factory=SeamSensorGeometry)
    line: LineSensor = field(default_factory=LineSensor)
    """The line of many columns that the seam sensor measures in, beside the pictures."""
    lighting: WeldLighting = field(default_factory=WeldLighting)

    def __post_init__(self) -> None:
        for name, period_s in (("physics", ARM_PHYSICS_PERIOD_S), ("process", PROCESS_PERIOD_S)):
            steps = self.control_period_s / period_s
            if abs(steps - round(steps)) > 1e-9 or steps < 1:
                raise ValueError(f"{self.control_period_s=} is no whole multiple of the {name}'s {period_s}")
        edition_of(self.iso_edition)
        if self.guard_m is not None and not self.guard_m > 0:
            raise ValueError(f"need guard_m > 0 or None, got {self.guard_m}")
        if not 0 < self.approach_m <= LEAD_IN_M - 5e-3:
            raise ValueError(f"approach_m={self.approach_m} must be within 0..{LEAD_IN_M - 5e-3}")
        if not self.time_limit_s > 0:
            raise ValueError(f"need time_limit_s > 0, got {self.time_limit_s}")
        if not 0 < self.tolerance_m < self.scrap_m:
            raise ValueError(f"need 0 < {self.tolerance_m=} < {self.scrap_m=}")
