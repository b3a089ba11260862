"""Disturbances of part, grasp, controller and wrist sensor: deviations from drawing and data sheets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cellwright_envs.disturbances.sampling import (
    Range,
    draw_in,
    require_not_negative,
    require_positive,
    require_probability,
    require_range,
    truncated_normal,
)
from cellwright_envs.physics.world import Grip

PAD_PATCH_M = 5e-3
"""Moment that a pad holds over the force it holds: mean radius of its contact (assumption)."""
GRIP_N, PAD_FRICTION = 100.0, 0.4
"""Set force of the gripper, which does 20 to 235 N, and rubber on steel (assumptions)."""
_HELD_N = 2.0 * PAD_FRICTION * GRIP_N
AS_SET_GRIP = Grip(along_n=_HELD_N, across_n=_HELD_N, twist_n_m=_HELD_N * PAD_PATCH_M)
"""Loads that two pads hold before the part slips."""


@dataclass(frozen=True, kw_only=True)
class GraspOffset:
    """The part does not sit in the fingers as taught; truncated at two sigma. Factory varies by 3 mm."""

    sigma_m: float = 0.0
    """Standard deviation along the fingers and across them [m]."""
    turn_sigma_rad: float = 0.0
    """Standard deviation of the turn about the pads' normal [rad]."""

    def __post_init__(self) -> None:
        require_not_negative(self, "sigma_m", "turn_sigma_rad")

    def draw(self, rng: np.random.Generator) -> GraspOffsetState:
        """Draw this episode's grasp."""
        turn_rad = truncated_normal(rng, self.turn_sigma_rad)
        x_m, z_m = truncated_normal(rng, self.sigma_m), truncated_normal(rng, self.sigma_m)
        return GraspOffsetState(grasp=(turn_rad, x_m, z_m))


@dataclass(frozen=True, kw_only=True)
class GraspOffsetState:
    """The grasp of one episode."""

    grasp: tuple[float, float, float]
    """Turned about y [rad], along x [m], along z [m]."""


@dataclass(frozen=True, kw_only=True)
class GripStrength:
    """Oil on the part or worn pads: the fingers hold less and the part slips."""

    factor: Range = (1.0, 1.0)
    """Friction of the pads over the usual one, drawn per episode (assumption)."""

    def __post_init__(self) -> None:
        require_range(self, "factor", low=0.05)

    def draw(self, rng: np.random.Generator) -> GripStrengthState:
        """Draw this episode's grip."""
        factor = draw_in(rng, self.factor)
        usual = AS_SET_GRIP
        return GripStrengthState(
            grip=Grip(
                along_n=factor * usual.along_n,
                across_n=factor * usual.across_n,
                twist_n_m=factor * usual.twist_n_m,
            )
        )


@dataclass(frozen=True, kw_only=True)
class GripStrengthState:
    """The grip of one episode."""

    grip: Grip


@dataclass(frozen=True, kw_only=True)
class PartFit:
    """Tolerances and wear: the hole is tighter or wider than nominal."""

    clearance_factor: Range = (1.0, 1.0)
    """Clearance over the nominal one, drawn per episode."""
    wear_m: float = 0.0
    """Most that wear has added to the clearance, drawn per episode [m] (assumption)."""

    def __post_init__(self) -> None:
        require_range(self, "clearance_factor", low=0.1)
        require_not_negative(self, "wear_m")

    def draw(self, rng: np.random.Generator) -> PartFitState:
        """Draw this episode's fit."""
        factor = draw_in(rng, self.clearance_factor)
        return PartFitState(factor=factor, wear_m=draw_in(rng, (0.0, self.wear_m)))


@dataclass(frozen=True, kw_only=True)
class PartFitState:
    """The fit of one episode."""

    factor: float
    wear_m: float

    def clearance_m(self, nominal_m: float) -> float:
        """Return the clearance per side [m] of a part whose clearance on the drawing is `nominal_m`."""
        return self.factor * nominal_m + self.wear_m


@dataclass(frozen=True, kw_only=True)
class ChamferDamage:
    """Burrs and dents have removed some of the chamfer."""

    probability: float = 0.0
    """Probability that an episode's chamfer is damaged."""
    remaining: Range = (0.3, 0.8)
    """Fraction of a damaged chamfer that is left (assumption)."""

    def __post_init__(self) -> None:
        require_probability(self, "probability")
        require_range(self, "remaining", low=0.0, high=1.0)

    def draw(self, rng: np.random.Generator) -> ChamferDamageState:
        """Draw this episode's chamfer."""
        damaged = rng.random() < self.probability
        fraction = draw_in(rng, self.remaining)
        return ChamferDamageState(fraction=fraction if damaged else 1.0)


@dataclass(frozen=True, kw_only=True)
class ChamferDamageState:
    """The chamfer of one episode."""

    fraction: float

    def chamfer_m(self, nominal_m: float) -> float:
        """Return the chamfer [m] that is left of `nominal_m`."""
        return self.fraction * nominal_m


@dataclass(frozen=True, kw_only=True)
class ContactFriction:
    """Part and hole are drier or better oiled than usual."""

    factor: Range = (1.0, 1.0)
    """Friction over the usual one, drawn per episode on a logarithmic scale. FORGE varies 0.25 to 1.25."""

    def __post_init__(self) -> None:
        require_range(self, "factor", low=0.05)

    def draw(self, rng: np.random.Generator) -> ContactFrictionState:
        """Draw this episode's friction."""
        low, high = self.factor
        return ContactFrictionState(factor=math.exp(draw_in(rng, (math.log(low), math.log(high)))))


@dataclass(frozen=True, kw_only=True)
class ContactFrictionState:
    """The friction of one episode."""

    factor: float

    def friction(self, usual: float) -> float:
        """Return the coefficient of friction where the drawing assumes `usual`."""
        return self.factor * usual


@dataclass(frozen=True, kw_only=True)
class ControllerGain:
    """The compliant controller is stiffer or softer than set, and its dead band wider."""

    stiffness_factor: Range = (1.0, 1.0)
    """Stiffness over the set one, drawn on a logarithmic scale; FORGE varies by 1.41 either way."""
    extra_dead_band_n: float = 0.0
    """Most that friction in the joints adds to the dead band [N]; FORGE goes to 5 N."""
    motion_factor: Range = (1.0, 1.0)
    """Distance moved over the distance asked for."""

    def __post_init__(self) -> None:
        require_range(self, "stiffness_factor", "motion_factor", low=0.1)
        require_not_negative(self, "extra_dead_band_n")

    def draw(self, rng: np.random.Generator) -> ControllerGainState:
        """Draw this episode's controller."""
        low, high = self.stiffness_factor
        return ControllerGainState(
            stiffness_factor=math.exp(draw_in(rng, (math.log(low), math.log(high)))),
            extra_dead_band_n=draw_in(rng, (0.0, self.extra_dead_band_n)),
            motion_factor=draw_in(rng, self.motion_factor),
        )


@dataclass(frozen=True, kw_only=True)
class ControllerGainState:
    """The controller of one episode."""

    stiffness_factor: float
    extra_dead_band_n: float
    motion_factor: float


@dataclass(frozen=True, kw_only=True)
class ForceSensor:
    """The wrist sensor has a bias after taring, drifts and is noisy."""

    bias_n: float = 0.0
    """Standard deviation of the force left after taring, per axis [N]."""
    drift_n_s: float = 0.0
    """Standard deviation of the drift, per axis [N/s]."""
    noise_factor: float = 0.0
    """Noise over the data sheet's."""
    torque_per_force_m: float = 0.03
    """Bias and drift of torques over those of forces [m]: the sensor's own radius."""

    def __post_init__(self) -> None:
        require_not_negative(self, "bias_n", "drift_n_s", "noise_factor")
        require_positive(self, "torque_per_force_m")

    def draw(self, rng: np.random.Generator) -> ForceSensorState:
        """Draw this episode's sensor."""
        scale = np.array([1.0] * 3 + [self.torque_per_force_m] * 3)
        bias = scale * [truncated_normal(rng, self.bias_n) for _ in range(6)]
        drift = scale * [truncated_normal(rng, self.drift_n_s) for _ in range(6)]
        return ForceSensorState(
            bias=tuple(bias.tolist()), drift_1_s=tuple(drift.tolist()), noise_factor=self.noise_factor
        )


@dataclass(frozen=True, kw_only=True)
class ForceSensorState:
    """The wrist sensor of one episode."""

    bias: tuple[float, ...]
    """(6,) [N] and [N m]."""
    drift_1_s: tuple[float, ...]
    """(6,) [N/s] and [N m/s]."""
    noise_factor: float

    def error(self, time_s: float) -> tuple[float, ...]:
        """Return the error of the reading (6,) [N] and [N m], without noise."""
        return tuple(bias + drift * time_s for bias, drift in zip(self.bias, self.drift_1_s, strict=True))
