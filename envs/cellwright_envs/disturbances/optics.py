"""What the seam camera sees wrongly: arc light, spatter, smoke, exposure, reflections and noise.

Every effect acts on grey images (H, W) or on all views of one moment (views, H, W), uint8, and returns a
copy. `time_s` is the time since the start of the episode; `rng` gives one integer for each frame.
"""

from dataclasses import dataclass

import numpy as np

from cellwright_envs.disturbances.image_kernel import FrameEffects, Image, corrupt
from cellwright_envs.disturbances.sampling import (
    Floats,
    Range,
    SmoothField,
    draw_in,
    require_not_negative,
    require_positive,
    require_range,
)

_ONE_VIEW = (1.0,)


def apply_effects(
    images: Image,
    effects: FrameEffects,
    *,
    rng: np.random.Generator,
    arc_px: Floats | None = None,
    magnification: tuple[float, ...] = _ONE_VIEW,
) -> Image:
    """Return a copy of `images`, (H, W) or (views, H, W), with `effects` applied.

    Args:
        images: uint8 images of one moment.
        effects: what happens to them.
        rng: source of this frame's noise and flicker.
        arc_px: (2,) or (views, 2) column and row of the arc [px]; needed by glare and spatter only.
        magnification: for each view, its focal length over that of the first view.

    Raises:
        ValueError: if `magnification` or `arc_px` does not have one entry for each view.
    """
    views = images if images.ndim == 3 else images[np.newaxis]
    arcs = (
        np.zeros((len(views), 2)) if arc_px is None else np.asarray(arc_px, dtype=np.float64).reshape(-1, 2)
    )
    if not len(views) == len(arcs) == len(magnification):
        raise ValueError(f"{len(views)} views need as many of {arc_px=} and {magnification=}")
    seed = int(rng.integers(0, 2**32))
    # One type for each argument, so that the kernel is compiled once.
    floats = FrameEffects(*map(float, effects))
    corrupted: Image = corrupt(views, arcs, np.asarray(magnification, dtype=np.float64), floats, seed)
    return corrupted.reshape(images.shape)


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
        share = draw_in(rng, (0.4, 1.0))
        return ArcGlareState(low_px=low_px, high_px=low_px + share * (high_px - low_px), halo_px=self.halo_px)


@dataclass(frozen=True, kw_only=True)
class ArcGlareState:
    """The arc of one episode."""

    low_px: float
    high_px: float
    halo_px: float

    def apply(self, image: Image, arc_px: Floats, rng: np.random.Generator) -> Image:
        """Return a copy of `image` (H, W) washed out around `arc_px` (2,) [px]."""
        effects = FrameEffects(
            glare_radius_low_px=self.low_px, glare_radius_high_px=self.high_px, glare_halo_px=self.halo_px
        )
        return apply_effects(image, effects, rng=rng, arc_px=arc_px)


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

    def apply(self, image: Image, arc_px: Floats, rng: np.random.Generator) -> Image:
        """Return a copy of `image` (H, W) with streaks that fly from `arc_px` (2,) [px]."""
        effects = FrameEffects(streaks=self.streaks_per_frame, streak_length_px=self.length_px)
        return apply_effects(image, effects, rng=rng, arc_px=arc_px)


@dataclass(frozen=True, kw_only=True)
class Smoke:
    """Welding fume takes contrast and puts a grey veil in its place, slowly changing."""

    contrast_loss: Range = (0.0, 0.0)
    """Fraction of the contrast lost, drawn per episode; 0.1-0.4 (assumption)."""
    veil_level: float = 90.0
    """Grey level of smoke that hides everything (assumption)."""
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

    def apply(self, image: Image, time_s: float, rng: np.random.Generator) -> Image:
        """Return a copy of `image` (H, W) seen through smoke."""
        effects = FrameEffects(contrast_loss=self.contrast_loss(time_s), veil_level=self.veil_level)
        return apply_effects(image, effects, rng=rng)


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """The picture is brighter or darker than it should be, and drifts."""

    gain_deviation: float = 0.0
    """Largest relative deviation of the gain, drawn per episode (assumption)."""
    drift: float = 0.0
    """Standard deviation of the slow relative drift of the gain (assumption)."""
    offset_levels: float = 0.0
    """Largest black level, drawn per episode [grey levels] (assumption)."""
    mean_gain: float = 1.0
    """Lasting gain: below one where the light or a window got dirty."""
    correlation_s: float = 5.0
    """Correlation time of the drift [s] (assumption)."""

    def __post_init__(self) -> None:
        require_not_negative(self, "gain_deviation", "drift", "offset_levels")
        require_positive(self, "mean_gain", "correlation_s")
        if self.gain_deviation >= 1.0:
            raise ValueError(f"Exposure: need gain_deviation < 1, got {self.gain_deviation}")

    def draw(self, rng: np.random.Generator) -> "ExposureState":
        """Draw this episode's exposure."""
        return ExposureState(
            mean_gain=self.mean_gain * (1.0 + draw_in(rng, (-self.gain_deviation, self.gain_deviation))),
            offset_levels=draw_in(rng, (0.0, self.offset_levels)),
            drift=SmoothField.draw(rng, amplitude=self.drift, correlation=self.correlation_s),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class ExposureState:
    """The exposure of one episode."""

    mean_gain: float
    offset_levels: float
    drift: SmoothField

    def gain(self, time_s: float) -> float:
        """Return the gain over the nominal one."""
        return self.mean_gain * max(1.0 + self.drift.at_scalar(time_s), 0.1)

    def apply(self, image: Image, time_s: float, rng: np.random.Generator) -> Image:
        """Return a copy of `image` (H, W) with this gain and black level."""
        effects = FrameEffects(gain=self.gain(time_s), offset_levels=self.offset_levels)
        return apply_effects(image, effects, rng=rng)


@dataclass(frozen=True, kw_only=True)
class Reflectance:
    """The plate reflects more or less than usual, and where it is ground it shows a false laser line."""

    albedo_deviation: float = 0.0
    """Largest relative deviation of brightness, drawn per episode (assumption)."""
    false_line_levels: float = 0.0
    """Brightest false line, drawn per episode from zero [grey levels] (assumption)."""
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

    def apply(self, image: Image, time_s: float, rng: np.random.Generator) -> Image:
        """Return a copy of `image` (H, W) of this surface."""
        effects = FrameEffects(
            albedo=self.albedo,
            false_line_level=self.false_line_level,
            false_line_position=self.false_line_position(time_s),
            false_line_slope=self.false_line_slope,
        )
        return apply_effects(image, effects, rng=rng)


@dataclass(frozen=True, kw_only=True)
class SensorNoise:
    """Read noise and shot noise of the camera."""

    read_levels: float = 0.0
    """Standard deviation in the dark [grey levels] (assumption)."""
    shot_levels: float = 0.0
    """Variance for each grey level [grey levels] (assumption)."""

    def __post_init__(self) -> None:
        require_not_negative(self, "read_levels", "shot_levels")

    def draw(self, rng: np.random.Generator) -> "SensorNoiseState":
        """Draw how noisy this episode's camera is, from half to all of the levels."""
        share = draw_in(rng, (0.5, 1.0))
        return SensorNoiseState(read_levels=share * self.read_levels, shot_levels=share * self.shot_levels)


@dataclass(frozen=True, kw_only=True)
class SensorNoiseState:
    """The noise of one episode's camera."""

    read_levels: float
    shot_levels: float

    def apply(self, image: Image, rng: np.random.Generator) -> Image:
        """Return a copy of `image` (H, W) with noise."""
        effects = FrameEffects(read_noise_levels=self.read_levels, shot_noise_levels=self.shot_levels)
        return apply_effects(image, effects, rng=rng)
