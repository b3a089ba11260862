"""Exposure and noise of any camera, and the pass that applies all effects to a frame.

`time_s` is the time since the start of the episode; `rng` gives one integer for each frame.
"""

from dataclasses import dataclass

import numpy as np

from cellwright_envs.disturbances.image_kernel import FrameEffects, Image, corrupt
from cellwright_envs.disturbances.sampling import (
    Floats,
    SmoothField,
    draw_in,
    require_not_negative,
    require_positive,
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
class Exposure:
    """The picture is brighter or darker than it should be, and drifts."""

    gain_deviation: float = 0.0
    """Largest relative deviation of the gain, drawn per episode (assumption)."""
    drift: float = 0.0
    """Standard deviation of the slow relative drift of the gain (assumption)."""
    offset_levels: float = 0.0
    """Largest black level, drawn per episode [grey values] (assumption)."""
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


@dataclass(frozen=True, kw_only=True)
class SensorNoise:
    """Read noise and shot noise of the camera."""

    read_levels: float = 0.0
    """Standard deviation in the dark [grey values] (assumption)."""
    shot_levels: float = 0.0
    """Variance per grey value [grey values] (assumption)."""

    def __post_init__(self) -> None:
        require_not_negative(self, "read_levels", "shot_levels")

    def draw(self, rng: np.random.Generator) -> "SensorNoiseState":
        """Draw how noisy this episode's camera is, from half to all of the levels."""
        fraction = draw_in(rng, (0.5, 1.0))
        return SensorNoiseState(
            read_levels=fraction * self.read_levels, shot_levels=fraction * self.shot_levels
        )


@dataclass(frozen=True, kw_only=True)
class SensorNoiseState:
    """The noise of one episode's camera."""

    read_levels: float
    shot_levels: float
