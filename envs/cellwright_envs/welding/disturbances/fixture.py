"""Disturbances of the joint's true position and shape: by fixture, parts and heat.

Path positions are metres from the start of the seam; arrays of any shape go in and come out. Lateral is
+y and height +z of the seam frame.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cellwright_envs.disturbances.sampling import (
    Floats,
    Range,
    SmoothField,
    draw_in,
    require_not_negative,
    require_positive,
    require_range,
    truncated_normal,
)


@dataclass(frozen=True, kw_only=True)
class FixtureOffset:
    """The whole part stands beside its taught place and is turned; truncated at two sigma."""

    sigma_m: float = 0.0
    """Standard deviation along each world axis [m]; 0.5-1.0 mm in production (assumption)."""
    rotation_sigma_rad: float = 0.0
    """Standard deviation of the turn about the vertical [rad]; 0-1 degree in production (assumption)."""
    mean_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Lasting displacement in the world frame [m], such as after the fixture was moved."""
    mean_yaw_rad: float = 0.0
    """Lasting turn about the vertical [rad]."""

    def __post_init__(self) -> None:
        require_not_negative(self, "sigma_m", "rotation_sigma_rad")

    def draw(self, rng: np.random.Generator) -> "FixtureOffsetState":
        """Draw where the fixture stands in this episode."""
        x_m, y_m, z_m = (mean + truncated_normal(rng, self.sigma_m) for mean in self.mean_m)
        yaw_rad = self.mean_yaw_rad + truncated_normal(rng, self.rotation_sigma_rad)
        return FixtureOffsetState(translation_m=(x_m, y_m, z_m), yaw_rad=yaw_rad)


@dataclass(frozen=True, kw_only=True)
class FixtureOffsetState:
    """Where the fixture stands in one episode."""

    translation_m: tuple[float, float, float]
    yaw_rad: float

    def pose(self) -> tuple[Floats, float]:
        """Return translation_w (3,) [m] and the yaw [rad] about the vertical through the product's centre."""
        return np.array(self.translation_m), self.yaw_rad


@dataclass(frozen=True, kw_only=True)
class PartWarp:
    """The part is warped: the joint deviates smoothly from the drawing, sideways and in height."""

    lateral_m: float = 0.0
    """Largest lateral deviation, two sigma of the field [m]; 0.5, up to 1.5 mm, when stamped (assumption)."""
    height_m: float = 0.0
    """Largest height deviation, two sigma of the field [m]."""
    correlation_m: Range = (0.08, 0.20)
    """Correlation length along the seam, drawn per episode [m] (assumption)."""

    def __post_init__(self) -> None:
        require_not_negative(self, "lateral_m", "height_m")
        require_range(self, "correlation_m", low=1e-3)

    def draw(self, rng: np.random.Generator) -> "PartWarpState":
        """Draw the shape of this episode's parts."""
        correlation = draw_in(rng, self.correlation_m)
        return PartWarpState(
            lateral_m=self.lateral_m,
            height_m=self.height_m,
            lateral_field=SmoothField.draw(rng, amplitude=0.5, correlation=correlation),
            height_field=SmoothField.draw(rng, amplitude=0.5, correlation=correlation),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class PartWarpState:
    """The warp of one episode's parts."""

    lateral_m: float
    height_m: float
    lateral_field: SmoothField
    height_field: SmoothField

    def offset_m(self, path_position_m: ArrayLike) -> tuple[Floats, Floats]:
        """Return the lateral and height deviation [m] of the joint, each shaped like `path_position_m`."""
        lateral = np.clip(self.lateral_field.at(path_position_m), -1.0, 1.0)
        height = np.clip(self.height_field.at(path_position_m), -1.0, 1.0)
        return self.lateral_m * lateral, self.height_m * height


@dataclass(frozen=True, kw_only=True)
class GapProfile:
    """The gap between the parts varies smoothly along the seam.

    The deviation stays within the smaller of `limit_of_thickness` times thickness and `limit_m`.
    """

    limit_of_thickness: float = 0.0
    """Largest deviation as a fraction of the plate thickness; bridging ends at 0.5-0.6 (assumption)."""
    limit_m: float = 0.0
    """Largest deviation [m]."""
    correlation_m: Range = (0.03, 0.10)
    """Correlation length along the seam, drawn per episode [m] (assumption)."""
    mean_of_limit: float = 0.0
    """Lasting bias of the deviation as a fraction of its limit; positive for a batch that fits badly."""

    def __post_init__(self) -> None:
        require_not_negative(self, "limit_of_thickness", "limit_m")
        require_range(self, "correlation_m", low=1e-3)
        if not -1.0 <= self.mean_of_limit <= 1.0:
            raise ValueError(f"GapProfile: need -1 <= mean_of_limit <= 1, got {self.mean_of_limit}")

    def draw(self, rng: np.random.Generator) -> "GapProfileState":
        """Draw this episode's fit-up."""
        correlation = draw_in(rng, self.correlation_m)
        return GapProfileState(
            limit_of_thickness=self.limit_of_thickness,
            limit_m=self.limit_m,
            mean_of_limit=self.mean_of_limit,
            field=SmoothField.draw(rng, amplitude=0.5, correlation=correlation),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class GapProfileState:
    """The gap of one episode."""

    limit_of_thickness: float
    limit_m: float
    mean_of_limit: float
    field: SmoothField

    def limit_at_m(self, thickness_m: float) -> float:
        """Return the largest deviation [m] from the nominal gap in plate of `thickness_m`."""
        return min(self.limit_of_thickness * thickness_m, self.limit_m)

    def gap_m(self, path_position_m: ArrayLike, nominal_gap_m: float, thickness_m: float) -> Floats:
        """Return the gap [m], never negative, shaped like `path_position_m`."""
        deviation = np.clip(self.mean_of_limit + self.field.at(path_position_m), -1.0, 1.0)
        gap: Floats = np.maximum(nominal_gap_m + self.limit_at_m(thickness_m) * deviation, 0.0)
        return gap


@dataclass(frozen=True, kw_only=True)
class Misalignment:
    """One plate stands higher than the other (hi-lo, ISO 6520-1 no. 507), smoothly varying."""

    limit_of_thickness: float = 0.0
    """Part of the largest step that grows with thickness [m/m]; ISO 5817 level C allows 0.15 above 3 mm."""
    limit_m: float = 0.0
    """Part of the largest step that does not [m]; ISO 5817 level C allows 0.2 mm up to 3 mm."""
    correlation_m: Range = (0.08, 0.20)
    """Correlation length along the seam, drawn per episode [m] (assumption)."""

    def __post_init__(self) -> None:
        require_not_negative(self, "limit_of_thickness", "limit_m")
        require_range(self, "correlation_m", low=1e-3)

    def draw(self, rng: np.random.Generator) -> "MisalignmentState":
        """Draw this episode's fit-up."""
        correlation = draw_in(rng, self.correlation_m)
        return MisalignmentState(
            limit_of_thickness=self.limit_of_thickness,
            limit_m=self.limit_m,
            field=SmoothField.draw(rng, amplitude=0.5, correlation=correlation),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class MisalignmentState:
    """The step between the plates of one episode."""

    limit_of_thickness: float
    limit_m: float
    field: SmoothField

    def step_m(self, path_position_m: ArrayLike, thickness_m: float) -> Floats:
        """Return how much higher [m] the left plate stands, signed, shaped like `path_position_m`."""
        limit = self.limit_of_thickness * thickness_m + self.limit_m
        return limit * np.clip(self.field.at(path_position_m), -1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class ThicknessBatch:
    """A batch of plate is thicker or thinner than on the drawing."""

    deviation: float = 0.0
    """Largest relative deviation, drawn uniformly; +-5-10 % in production (assumption)."""
    mean_deviation: float = 0.0
    """Lasting relative deviation of the present batch."""

    def __post_init__(self) -> None:
        require_not_negative(self, "deviation")
        if not self.deviation + abs(self.mean_deviation) < 1.0:
            raise ValueError(
                f"need deviation + |mean_deviation| < 1, got {self.deviation}, {self.mean_deviation}"
            )

    def draw(self, rng: np.random.Generator) -> "ThicknessBatchState":
        """Draw this episode's plate."""
        return ThicknessBatchState(
            scale=1.0 + self.mean_deviation + draw_in(rng, (-self.deviation, self.deviation))
        )


@dataclass(frozen=True, kw_only=True)
class ThicknessBatchState:
    """The plate of one episode."""

    scale: float
    """True thickness over drawn thickness."""


@dataclass(frozen=True, kw_only=True)
class TackWelds:
    """Short beads that hold the parts lie in the joint and lift the surface where they are."""

    height_m: Range = (0.0, 0.0)
    """Height of a tack [m], drawn for each; 1-2 mm in production (assumption)."""
    length_m: Range = (0.010, 0.020)
    """Length of a tack [m], drawn for each (assumption)."""
    pitch_m: Range = (0.05, 0.15)
    """Distance from one tack's centre to the next [m], drawn for each (assumption)."""
    ramp_m: Range = (1.5e-3, 2.5e-3)
    """Length over which a tack runs out [m], about its own height, drawn for each (assumption)."""
    ground_to_of_thickness: Range = (0.10, 0.15)
    """Fraction of the plate to which tacks are feathered (ground down), drawn per episode (assumption)."""
    longest_seam_m: float = 3.0
    """Tacks are laid up to here [m]."""

    def __post_init__(self) -> None:
        require_range(self, "height_m", low=0.0)
        require_range(self, "ramp_m", low=1e-4)
        require_range(self, "length_m", low=2.0 * self.ramp_m[1])
        require_range(self, "ground_to_of_thickness", low=0.0, high=1.0)
        require_range(self, "pitch_m", low=self.length_m[1])
        require_positive(self, "longest_seam_m")

    def draw(self, rng: np.random.Generator) -> "TackWeldsState":
        """Lay this episode's tacks."""
        count = math.ceil(self.longest_seam_m / self.pitch_m[0])
        first_m = draw_in(rng, (0.0, self.pitch_m[0]))
        pitch_m = rng.uniform(*self.pitch_m, count)
        return TackWeldsState(
            centre_m=first_m + np.cumsum(pitch_m) - pitch_m[0],
            length_m=rng.uniform(*self.length_m, count),
            peak_m=rng.uniform(*self.height_m, count),
            ramp_m=rng.uniform(*self.ramp_m, count),
            ground_to_of_thickness=draw_in(rng, self.ground_to_of_thickness),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class TackWeldsState:
    """The tacks of one episode, in order of path position."""

    centre_m: Floats
    """(n,) path position of each tack's middle [m]."""
    length_m: Floats
    """(n,) [m]."""
    peak_m: Floats
    """(n,) height [m]."""
    ramp_m: Floats
    """(n,) length of each end [m]."""
    ground_to_of_thickness: float
    """Height that grinding leaves at most, as a fraction of the plate."""

    def height_m(self, path_position_m: ArrayLike) -> Floats:
        """Return how far [m] tacks lift the joint's surface, shaped like `path_position_m`."""
        position_m = np.asarray(path_position_m, dtype=np.float64)
        nearest = np.searchsorted(0.5 * (self.centre_m[1:] + self.centre_m[:-1]), position_m)
        inside_m = 0.5 * self.length_m[nearest] - np.abs(position_m - self.centre_m[nearest])
        ramp = np.clip(inside_m / self.ramp_m[nearest], 0.0, 1.0)
        return np.asarray(self.peak_m[nearest] * ramp * ramp * (3.0 - 2.0 * ramp))


@dataclass(frozen=True, kw_only=True)
class HeatDrift:
    """Shrinkage and expansion move the joint sideways, in a smooth random walk along the welded length."""

    sigma_per_100_mm_m: float = 0.0
    """Standard deviation [m] once 100 mm are welded; 0.3 mm for unrestrained plate (assumption)."""
    limit_m: float = 1.5e-3
    """Clamps hold the drift below this [m] (assumption: 0-1.5 mm)."""
    correlation_m: float = 0.06
    """Welded length over which the drift keeps its direction [m] (assumption)."""
    lag_s: float = 2.0
    """Time for the first heat to reach the clamps [s] (assumption)."""

    def __post_init__(self) -> None:
        require_not_negative(self, "sigma_per_100_mm_m")
        require_positive(self, "limit_m", "correlation_m", "lag_s")

    def draw(self, rng: np.random.Generator) -> "HeatDriftState":
        """Draw how this episode's plates will move."""
        slope = self.sigma_per_100_mm_m / _walk_spread(0.1, self.correlation_m)
        return HeatDriftState(
            limit_m=self.limit_m,
            lag_s=self.lag_s,
            slope=SmoothField.draw(rng, amplitude=slope, correlation=self.correlation_m),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class HeatDriftState:
    """The drift of one episode."""

    limit_m: float
    lag_s: float
    slope: SmoothField
    """Drift per welded length [m/m]."""

    def offset_m(self, time_s: float, welded_length_m: float) -> float:
        """Return the lateral drift [m] of the joint `time_s` after the arc was struck."""
        walk_m = self.slope.integral(welded_length_m) * -math.expm1(-max(time_s, 0.0) / self.lag_s)
        return self.limit_m * math.tanh(walk_m / self.limit_m)


def _walk_spread(length: float, correlation: float) -> float:
    """Standard deviation of the integral over `length` of a unit field with correlation exp(-(d/c)^2).

    The double integral of the correlation over [0, length]^2, in closed form.
    """
    ratio = length / correlation
    return correlation * math.sqrt(math.sqrt(math.pi) * ratio * math.erf(ratio) + math.expm1(-(ratio**2)))
