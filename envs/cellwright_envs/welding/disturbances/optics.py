"""Disturbances of the seam camera's images: arc light, spatter, smoke and reflections.

`time_s` is the time since the start of the episode.
"""

from dataclasses import dataclass

import numpy as np

from cellwright_envs.disturbances.sampling import (
    Range,
    SmoothField,
    draw_in,
    require_not_negative,
    require_positive,
    require_range,
)


@dataclass(frozen=True, kw_only=True)
class ArcGlare:
    """The arc saturates a disc that flickers from frame to frame, with an exponential halo."""

    radius_px: Range = (0.0, 0.0)
    """Radius of the disc in the first view, behind a narrow band-pass [px] (assumption)."""
    halo_px: float = 6.0
    """Distance over which the halo falls to 1/e in the first view [px] (assumption)."""

    def __post_init__(self) -> None:
        require_range(self, "radius_px", low=0.0)
        require_positive(self, "halo_px")

    def draw(self, rng: np.random.Generator) -> "ArcGlareState":
        """Draw how bright this episode's arc is."""
        low_px, high_px = self.radius_px
        fraction = draw_in(rng, (0.4, 1.0))
        return ArcGlareState(
            low_px=low_px, high_px=low_px + fraction * (high_px - low_px), halo_px=self.halo_px
        )


@dataclass(frozen=True, kw_only=True)
class ArcGlareState:
    """The arc of one episode."""

    low_px: float
    high_px: float
    halo_px: float


@dataclass(frozen=True, kw_only=True)
class Spatter:
    """Droplets fly through the picture and leave bright streaks; only while the arc burns."""

    streaks_per_s: Range = (0.0, 0.0)
    """Rate, drawn per episode [1/s]; 1-20 in short arc, 0-2 in spray (assumption)."""
    length_px: float = 12.0
    """Longest streak in the first view [px] (assumption)."""
    frame_period_s: float = 0.04
    """Time from frame to frame [s]."""

    def __post_init__(self) -> None:
        require_range(self, "streaks_per_s", low=0.0)
        require_positive(self, "length_px", "frame_period_s")

    def draw(self, rng: np.random.Generator) -> "SpatterState":
        """Draw how much this episode spatters."""
        rate_hz = draw_in(rng, self.streaks_per_s)
        return SpatterState(streaks_per_frame=rate_hz * self.frame_period_s, length_px=self.length_px)


@dataclass(frozen=True, kw_only=True)
class SpatterState:
    """The spatter of one episode."""

    streaks_per_frame: float
    """Expected number of streaks in a frame."""
    length_px: float


@dataclass(frozen=True, kw_only=True)
class Smoke:
    """Welding fume replaces contrast by a grey veil, slowly changing."""

    contrast_loss: Range = (0.0, 0.0)
    """Fraction of the contrast lost, drawn per episode; 0.1-0.4 (assumption)."""
    veil_level: float = 90.0
    """Grey value of smoke that hides everything (assumption)."""
    correlation_s: float = 3.0
    """Correlation time of its coming and going [s] (assumption)."""

    def __post_init__(self) -> None:
        require_range(self, "contrast_loss", low=0.0, high=1.0)
        require_not_negative(self, "veil_level")
        require_positive(self, "correlation_s")

    def draw(self, rng: np.random.Generator) -> "SmokeState":
        """Draw this episode's fume."""
        low, high = self.contrast_loss
        return SmokeState(
            limits=self.contrast_loss,
            mean=draw_in(rng, self.contrast_loss),
            variation=SmoothField.draw(rng, amplitude=0.3 * (high - low), correlation=self.correlation_s),
            veil_level=self.veil_level,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class SmokeState:
    """The fume of one episode."""

    limits: Range
    mean: float
    variation: SmoothField
    veil_level: float

    def contrast_loss(self, time_s: float) -> float:
        """Return the fraction of the contrast that is lost."""
        low, high = self.limits
        return min(max(self.mean + self.variation.at_scalar(time_s), low), high)


@dataclass(frozen=True, kw_only=True)
class Reflectance:
    """The plate reflects more or less than usual; where it is ground it shows a false laser line."""

    albedo_deviation: float = 0.0
    """Largest relative deviation of brightness, drawn per episode (assumption)."""
    false_line_levels: float = 0.0
    """Brightest false line, drawn per episode from zero [grey values] (assumption)."""
    mean_albedo: float = 1.0
    """Lasting reflectance of the present batch over the nominal one."""
    correlation_s: float = 6.0
    """Correlation time of the false line's place in the picture [s] (assumption)."""

    def __post_init__(self) -> None:
        require_not_negative(self, "albedo_deviation", "false_line_levels")
        require_positive(self, "mean_albedo", "correlation_s")
        if self.albedo_deviation >= 1.0:
            raise ValueError(f"Reflectance: need albedo_deviation < 1, got {self.albedo_deviation}")

    def draw(self, rng: np.random.Generator) -> "ReflectanceState":
        """Draw this episode's surface."""
        return ReflectanceState(
            albedo=self.mean_albedo * (1.0 + draw_in(rng, (-self.albedo_deviation, self.albedo_deviation))),
            false_line_level=draw_in(rng, (0.0, self.false_line_levels)),
            false_line_slope=draw_in(rng, (-0.4, 0.4)),
            false_line_place=SmoothField.draw(rng, amplitude=0.25, correlation=self.correlation_s),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class ReflectanceState:
    """The surface of one episode."""

    albedo: float
    false_line_level: float
    false_line_slope: float
    false_line_place: SmoothField

    def false_line_position(self, time_s: float) -> float:
        """Return where the false line crosses the middle column, as a fraction of the image's height."""
        return 0.5 + self.false_line_place.at_scalar(time_s) if self.false_line_level > 0.0 else 0.5
