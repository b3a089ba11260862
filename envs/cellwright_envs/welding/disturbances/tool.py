"""Error of the wire tip's position: bent torch, worn tip, cast of the wire."""

import math
from dataclasses import dataclass

import numpy as np

from cellwright_envs.disturbances.sampling import (
    Floats,
    Range,
    draw_in,
    require_not_negative,
    require_range,
)


@dataclass(frozen=True, kw_only=True)
class ToolCentrePointError:
    """The wire ends beside the robot's tool centre point: worn tip, bent torch, and cast of the wire."""

    lateral_m: float = 0.0
    """Largest constant error to the side [m]; 0.2-1 mm in production (assumption)."""
    along_m: float = 0.0
    """Largest constant error along travel [m]."""
    cast_m: Range = (0.0, 0.0)
    """Amplitude of the slow swing from the wire's cast [m]; 0.3-0.8 mm unstraightened (assumption)."""
    cast_period_s: Range = (4.0, 12.0)
    """Period of that swing [s]: one turn of the spool in the wire fed (assumption)."""
    mean_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Lasting error in the tool frame [m], such as after a collision.

    The component along z also moves the contact tip away from the work.
    """

    def __post_init__(self) -> None:
        require_not_negative(self, "lateral_m", "along_m")
        require_range(self, "cast_m", low=0.0)
        require_range(self, "cast_period_s", low=0.1)

    def draw(self, rng: np.random.Generator) -> "ToolCentrePointErrorState":
        """Draw this episode's error."""
        x_m, y_m, z_m = self.mean_m
        along_m = draw_in(rng, (-self.along_m, self.along_m))
        lateral_m = draw_in(rng, (-self.lateral_m, self.lateral_m))
        return ToolCentrePointErrorState(
            constant_m=(x_m + along_m, y_m + lateral_m, z_m),
            cast_m=draw_in(rng, self.cast_m),
            cast_rate_rad_s=2.0 * math.pi / draw_in(rng, self.cast_period_s),
            cast_phase_rad=draw_in(rng, (0.0, 2.0 * math.pi)),
        )


@dataclass(frozen=True, kw_only=True)
class ToolCentrePointErrorState:
    """The wire tip of one episode."""

    constant_m: tuple[float, float, float]
    cast_m: float
    cast_rate_rad_s: float
    cast_phase_rad: float

    def offset_t(self, time_s: float) -> Floats:
        """Return where the wire tip is (3,) [m] in the tool frame."""
        x_m, y_m, z_m = self.constant_m
        swing_m = self.cast_m * math.sin(self.cast_rate_rad_s * time_s + self.cast_phase_rad)
        return np.array([x_m, y_m + swing_m, z_m])
