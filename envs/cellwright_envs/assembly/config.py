"""How the cell of every insertion works."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from cellwright_assets.assembly_cell import CONTROL_PERIOD_S, STEP_M, TURN_RAD
from cellwright_envs.assembly.cameras import CameraRig
from cellwright_envs.assembly.compliance import ComplianceConfig
from cellwright_envs.assembly.disturbances.mechanics import GRIP_N
from cellwright_envs.disturbances.sampling import require_not_negative, require_positive


@dataclass(frozen=True, kw_only=True)
class InsertionConfig:
    """Settings of the cell; product and disturbances are arguments of the environment instead."""

    control_period_s: float = CONTROL_PERIOD_S
    time_limit_s: float = 30.0
    """After this an episode is cut off, or later where its part takes longer."""
    step_m: float = STEP_M
    """How far a full action moves the reference, along each axis of the tool;
    `force_loop.approach_speed_m_s` holds fragile parts lower still."""
    turn_rad: float = TURN_RAD
    """How far a full action turns it, about each axis."""
    box_m: float = 0.012
    """Largest distance of the reference from the nominal axis, along x and y. Factory clips to 50 mm."""
    low_m: float = -0.034
    high_m: float = 0.030
    """Range of the reference's height over the nominal mouth."""
    box_rad: float = 0.15
    """Largest lean and turn of the reference, about each axis."""
    start_height_m: float = 0.012
    """Height over the nominal mouth where the taught approach ends."""
    start_spread_m: float = 1.0e-3
    """Largest deviation of the start along each axis."""
    start_spread_rad: float = 0.01
    """Largest deviation of the start about the vertical."""
    sensor_low_pass: float = 0.6
    """Weight of the newest mean reading of the wrist sensor in the low-passed reading."""
    seated_fraction: float = 0.95
    """Fraction of the part's depth from which it counts as seated."""
    lateral_tolerance_m: float = 0.1e-3
    """Sideways error beyond the corner of a square hole that still counts."""
    tilt_tolerance_rad: float = math.radians(2.0)
    hold_s: float = 0.25
    """How long the part must stay seated."""
    lost_m: float = 0.015
    """Slip in the fingers at which the part counts as lost."""
    grip_force_n: float = GRIP_N
    """Set force of the gripper, which does 20 to 235 N."""
    observed_force_n: float = 40.0
    """Largest force of the wrist sensor that is observed; a UR10e's has a range of 100 N."""
    compliance: ComplianceConfig = field(default_factory=ComplianceConfig)
    cameras: CameraRig = field(default_factory=CameraRig)

    def __post_init__(self) -> None:
        require_positive(
            self,
            "control_period_s",
            "time_limit_s",
            "step_m",
            "turn_rad",
            "box_m",
            "box_rad",
            "tilt_tolerance_rad",
            "hold_s",
            "lost_m",
            "grip_force_n",
            "observed_force_n",
        )
        require_not_negative(self, "start_spread_m", "start_spread_rad", "lateral_tolerance_m")
        if self.box_rad > 0.5:
            raise ValueError(f"need box_rad <= 0.5, where poses can be subtracted, got {self.box_rad}")
        if not self.low_m < 0.0 < self.start_height_m + self.start_spread_m < self.high_m:
            raise ValueError(f"need {self.low_m=} < 0 < {self.start_height_m=} < {self.high_m=}")
        for spread, box in (("start_spread_m", "box_m"), ("start_spread_rad", "box_rad")):
            if getattr(self, spread) > getattr(self, box):
                told = f"{spread}={getattr(self, spread)} <= {box}={getattr(self, box)}"
                raise ValueError(f"need {told}: the reference starts inside of its box")
        if not 0.0 < self.seated_fraction < 1.0:
            raise ValueError(f"need 0 < seated_fraction < 1, got {self.seated_fraction}")
        if not 0.0 < self.sensor_low_pass <= 1.0:
            raise ValueError(f"need 0 < sensor_low_pass <= 1, got {self.sensor_low_pass}")
