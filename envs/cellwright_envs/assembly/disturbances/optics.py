"""Light, reflections and dirt in front of the assembly cameras."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import exp, unit
from cellwright_envs.disturbances.sampling import (
    Range,
    draw_in,
    require_not_negative,
    require_positive,
    require_probability,
    require_range,
)


@dataclass(frozen=True, kw_only=True)
class RoomLight:
    """The lamp over the cell hangs at another place; lamp and room are brighter or darker than usual."""

    lamp_factor: Range = (1.0, 1.0)
    """Light of the lamp over the usual one, drawn per episode."""
    room_factor: Range = (1.0, 1.0)
    """Even light of the room over the usual one, drawn per episode."""
    direction_rad: float = 0.0
    """Largest lean of the lamp's direction from where it should hang [rad]."""

    def __post_init__(self) -> None:
        require_range(self, "lamp_factor", "room_factor", low=0.0)
        require_not_negative(self, "direction_rad")

    def draw(self, rng: np.random.Generator) -> RoomLightState:
        """Draw this episode's light."""
        lamp, room = draw_in(rng, self.lamp_factor), draw_in(rng, self.room_factor)
        lean_rad = draw_in(rng, (0.0, self.direction_rad))
        return RoomLightState(
            lamp_factor=lamp,
            room_factor=room,
            lean_rad=lean_rad,
            azimuth_rad=draw_in(rng, (0.0, 2.0 * math.pi)),
        )


@dataclass(frozen=True, kw_only=True)
class RoomLightState:
    """The light of one episode."""

    lamp_factor: float
    room_factor: float
    lean_rad: float
    azimuth_rad: float

    def direction_w(self, usual_w: tuple[float, float, float]) -> tuple[float, float, float]:
        """Return the direction in which the lamp shines where it usually does along `usual_w`."""
        x, y, z = usual_w
        aside = math.sin(self.lean_rad) * math.sqrt(x * x + y * y + z * z)
        return x + aside * math.cos(self.azimuth_rad), y + aside * math.sin(self.azimuth_rad), z


@dataclass(frozen=True, kw_only=True)
class CameraKnock:
    """The camera on the hand was bumped and not calibrated again."""

    probability: float = 0.0
    """Probability that an episode's camera has been knocked."""
    distance_m: float = 3e-3
    """How far it was moved, in any direction [m]."""
    angle_rad: float = math.radians(5.0)
    """How far it was turned, about any axis [rad]."""

    def __post_init__(self) -> None:
        require_probability(self, "probability")
        require_not_negative(self, "distance_m", "angle_rad")

    def draw(self, rng: np.random.Generator) -> CameraKnockState:
        """Draw whether and in which direction it was knocked."""
        happens = rng.random() < self.probability
        moved, turned = (_direction(rng) for _ in range(2))
        return CameraKnockState(
            translation_m=tuple((happens * self.distance_m * moved).tolist()),
            rotation_rad=tuple((happens * self.angle_rad * turned).tolist()),
        )


@dataclass(frozen=True, kw_only=True)
class CameraKnockState:
    """The knock of one episode; nothing if there was none."""

    translation_m: tuple[float, ...]
    """(3,) along the camera's axes."""
    rotation_rad: tuple[float, ...]
    """(3,) rotation vector."""


def _direction(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a direction (3,), uniformly over the sphere."""
    return unit(rng.standard_normal(3))


@dataclass(frozen=True, kw_only=True)
class Glare:
    """The lamp mirrors in a shiny surface and saturates a disc of the picture."""

    probability: float = 0.0
    """Probability that an episode has a reflection, for each camera."""
    radius_px: Range = (2.0, 6.0)
    """Radius of the disc [px] (assumption)."""
    halo_px: float = 3.0
    """Distance over which the halo falls to 1/e [px] (assumption)."""

    def __post_init__(self) -> None:
        require_probability(self, "probability")
        require_range(self, "radius_px", low=0.0)
        require_positive(self, "halo_px")

    def draw(self, rng: np.random.Generator) -> GlareState:
        """Draw this episode's reflections."""
        low_px, high_px = self.radius_px
        largest_px = low_px + draw_in(rng, (0.0, 1.0)) * (high_px - low_px)
        places = []
        for _ in range(2):
            happens = rng.random() < self.probability
            column, row = draw_in(rng, (0.0, 1.0)), draw_in(rng, (0.0, 1.0))
            places.append((column, row) if happens else (-10.0, -10.0))
        return GlareState(
            low_px=0.7 * largest_px if self.probability > 0.0 else 0.0,
            high_px=largest_px if self.probability > 0.0 else 0.0,
            halo_px=self.halo_px,
            places=tuple(places),
        )


@dataclass(frozen=True, kw_only=True)
class GlareState:
    """The reflections of one episode."""

    low_px: float
    high_px: float
    halo_px: float
    places: tuple[tuple[float, float], ...]
    """Column and row in each view as fractions of the image; far outside where there is none."""

    def centres_px(self, size_px: int) -> NDArray[np.float64]:
        """Return (views, 2) column and row of the reflections [px]."""
        return np.array(self.places) * size_px


@dataclass(frozen=True, kw_only=True)
class LensDirt:
    """Oil and dust on the lens darken and grey blurred spots that stay where they are."""

    spots: tuple[int, int] = (0, 0)
    """Fewest and most spots on each lens, drawn per episode."""
    radius_px: Range = (2.0, 6.0)
    """Radius of a spot [px] (assumption)."""
    opacity: Range = (0.2, 0.6)
    """Fraction of the light that a spot takes in its middle (assumption)."""
    veil_levels: float = 60.0
    """Grey value of the dirt itself (assumption)."""

    def __post_init__(self) -> None:
        require_range(self, "spots", "radius_px", low=0)
        require_range(self, "opacity", low=0.0, high=1.0)
        require_not_negative(self, "veil_levels")

    def draw(self, rng: np.random.Generator) -> LensDirtState:
        """Draw this episode's lenses."""
        lenses = []
        for _ in range(2):
            count = int(rng.integers(*self.spots, endpoint=True))
            lenses.append(
                tuple(
                    (
                        draw_in(rng, (0.0, 1.0)),
                        draw_in(rng, (0.0, 1.0)),
                        draw_in(rng, self.radius_px),
                        draw_in(rng, self.opacity),
                    )
                    for _ in range(count)
                )
            )
        return LensDirtState(lenses=tuple(lenses), veil_levels=self.veil_levels)


@dataclass(frozen=True, kw_only=True)
class LensDirtState:
    """The lenses of one episode."""

    lenses: tuple[tuple[tuple[float, float, float, float], ...], ...]
    """For each view its spots: column and row as fractions, radius [px], opacity."""
    veil_levels: float

    def transmission(self, size_px: int) -> NDArray[np.float32] | None:
        """Return the fraction of light (views, H, W) that reaches each pixel; None if every lens is clean."""
        if not any(self.lenses):
            return None
        rows, columns = np.indices((size_px, size_px))
        clear = np.ones((len(self.lenses), size_px, size_px))
        for view, spots in enumerate(self.lenses):
            for column, row, radius_px, opacity in spots:
                square = (columns - column * size_px) ** 2 + (rows - row * size_px) ** 2
                clear[view] *= 1.0 - opacity * exp(-((square / radius_px**2) ** 2))
        return clear.astype(np.float32)
