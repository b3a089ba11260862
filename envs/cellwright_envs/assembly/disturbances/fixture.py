"""Where the fixture really is, and how it moves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cellwright_envs.disturbances.sampling import (
    Floats,
    Range,
    draw_in,
    require_not_negative,
    require_positive,
    require_probability,
    require_range,
    truncated_normal,
)


@dataclass(frozen=True, kw_only=True)
class FixturePose:
    """The fixture stands beside its place on the drawing; truncated at two sigma."""

    sigma_m: float = 0.0
    """Standard deviation along x and y [m]. Factory's fixtures are known to 1 mm."""
    height_sigma_m: float = 0.0
    """Standard deviation of its height [m]."""
    yaw_sigma_rad: float = 0.0
    """Standard deviation of its turn about the vertical [rad]."""
    tilt_sigma_rad: float = 0.0
    """Standard deviation of its lean about x and about y [rad]."""
    mean_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Lasting displacement [m], such as after the fixture was moved."""
    mean_yaw_rad: float = 0.0
    """Lasting turn about the vertical [rad]."""

    def __post_init__(self) -> None:
        require_not_negative(self, "sigma_m", "height_sigma_m", "yaw_sigma_rad", "tilt_sigma_rad")

    def draw(self, rng: np.random.Generator) -> FixturePoseState:
        """Draw where it stands in this episode."""
        sigmas_m = self.sigma_m, self.sigma_m, self.height_sigma_m
        x_m, y_m, z_m = (
            mean + truncated_normal(rng, sigma) for mean, sigma in zip(self.mean_m, sigmas_m, strict=True)
        )
        lean_x, lean_y = (truncated_normal(rng, self.tilt_sigma_rad) for _ in range(2))
        yaw_rad = self.mean_yaw_rad + truncated_normal(rng, self.yaw_sigma_rad)
        return FixturePoseState(offset=(x_m, y_m, z_m, lean_x, lean_y, yaw_rad))


@dataclass(frozen=True, kw_only=True)
class FixturePoseState:
    """The fixture of one episode."""

    offset: tuple[float, float, float, float, float, float]
    """Position [m] and rotation vector [rad] away from the drawing."""


@dataclass(frozen=True, kw_only=True)
class FixtureBump:
    """Something knocks the fixture while the part goes in."""

    probability: float = 0.0
    """Probability of one bump in an episode."""
    jump_m: Range = (0.2e-3, 0.8e-3)
    """Distance it is knocked, in any direction of its plane [m] (assumption)."""
    at_depth: Range = (-0.2, 0.6)
    """How far in the part is, as a fraction of the hole's depth; below zero it is still above the mouth."""
    duration_s: float = 0.1
    """Time the knock takes [s]."""

    def __post_init__(self) -> None:
        require_probability(self, "probability")
        require_range(self, "jump_m", low=0.0)
        require_range(self, "at_depth", low=-1.0, high=1.0)
        require_positive(self, "duration_s")

    def draw(self, rng: np.random.Generator) -> FixtureBumpState:
        """Draw whether, where and how far it is knocked."""
        happens = rng.random() < self.probability
        at_depth, jump_m = draw_in(rng, self.at_depth), draw_in(rng, self.jump_m)
        direction_rad = draw_in(rng, (0.0, 2.0 * math.pi))
        return FixtureBumpState(
            at_depth=at_depth if happens else math.inf,
            x_m=jump_m * math.cos(direction_rad),
            y_m=jump_m * math.sin(direction_rad),
            duration_s=self.duration_s,
        )


@dataclass(frozen=True, kw_only=True)
class FixtureBumpState:
    """The bump of one episode; deeper than any hole if there is none."""

    at_depth: float
    x_m: float
    y_m: float
    duration_s: float

    def starts(self, depth_fraction: float) -> bool:
        """Return whether the part is in far enough for the knock to begin."""
        return depth_fraction >= self.at_depth

    def offset_m(self, since_s: float) -> tuple[float, float]:
        """Return how far the fixture has moved along x and y [m], `since_s` after the knock began."""
        fraction = min(max(since_s / self.duration_s, 0.0), 1.0)
        return fraction * self.x_m, fraction * self.y_m


@dataclass(frozen=True, kw_only=True)
class ConveyorCreep:
    """The conveyor under the fixture is not quite at rest."""

    speed_m_s: float = 0.0
    """Largest speed along x and along y [m/s]; a stopped belt creeps below 1 mm/s (assumption)."""

    def __post_init__(self) -> None:
        require_not_negative(self, "speed_m_s")

    def draw(self, rng: np.random.Generator) -> ConveyorCreepState:
        """Draw how it creeps in this episode."""
        x_m_s, y_m_s = (draw_in(rng, (-self.speed_m_s, self.speed_m_s)) for _ in range(2))
        return ConveyorCreepState(velocity_m_s=(x_m_s, y_m_s))


@dataclass(frozen=True, kw_only=True)
class ConveyorCreepState:
    """The creep of one episode."""

    velocity_m_s: tuple[float, float]

    def offset_m(self, time_s: float) -> tuple[float, float]:
        """Return how far the fixture has crept along x and y [m] after `time_s`."""
        x_m_s, y_m_s = self.velocity_m_s
        return x_m_s * time_s, y_m_s * time_s


def shifted(pose_w: Floats, *offsets_m: tuple[float, float]) -> Floats:
    """Return a pose (4, 4) moved by offsets along x and y [m]."""
    moved = pose_w.copy()
    for x_m, y_m in offsets_m:
        moved[0, 3] += x_m
        moved[1, 3] += y_m
    return moved
