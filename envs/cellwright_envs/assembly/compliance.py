"""The gains of the force loop, contact forces as they count, and rotations in compiled code.

A position-controlled arm becomes compliant by admittance control: a virtual mass, damper and spring turn the
measured wrench into a deviation from the reference, and the position loop follows. A wrench within a dead
band counts as none. A reference that may not run further ahead of the arm than a leash bounds the force,
leash x stiffness, before any policy does anything. The law is `cellwright_runtime.interface.force_loop`, the
robot below it `servoed_arm`.

Poses are vectors (6,): position [m] and rotation vector [rad] in the world; the tool stays within half a
radian of upright, so that rotation vectors can be subtracted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.assembly.arm_dynamics import ServoedArmConfig
from cellwright_envs.disturbances.sampling import require_not_negative, require_positive
from cellwright_perception.compiled import compiled
from cellwright_runtime.interface.force_loop import damping_for
from cellwright_runtime.interface.rotation import rotation_rows

Array = NDArray[np.float64]

LARGEST_LAG_S = 0.045
"""Lag of the slowest driver that the gains are for: that of a UR10e as `ServoedArmConfig` has it."""
LARGEST_CONTACT_N_M, LARGEST_TURNING_N_M_RAD = 3e4, 110.0
"""Stiffest contact that they are for, and stiffest against turning (assumption)."""
DAMPING_N_S_M = damping_for(LARGEST_LAG_S, LARGEST_CONTACT_N_M)
TURNING_DAMPING_N_M_S_RAD = damping_for(LARGEST_LAG_S, LARGEST_TURNING_N_M_RAD)
LAW_SMOOTHING_S = 0.01
"""Mass over damping, and time constant of the reference filter (assumption)."""
FORCE_FILTER_HZ = 50.0
"""Cut-off behind which a force counts: sensors of this class deliver 100 Hz."""


@dataclass(frozen=True, kw_only=True)
class ComplianceConfig:
    """Set-up of the force loop: springs in the range of published contact-rich work, and the damping that a
    robot with lag needs."""

    stiffness_n_m: float = 1500.0
    """SERL runs 2000 N/m, FORGE 565 N/m."""
    rotational_stiffness_n_m_rad: float = 12.0
    """About the part's tip, the centre of compliance."""
    damping_n_s_m: float = DAMPING_N_S_M
    rotational_damping_n_m_s_rad: float = TURNING_DAMPING_N_M_S_RAD
    virtual_mass_kg: float = LAW_SMOOTHING_S * DAMPING_N_S_M
    virtual_inertia_kg_m2: float = LAW_SMOOTHING_S * TURNING_DAMPING_N_M_S_RAD
    filter_s: float = LAW_SMOOTHING_S
    """Time constant of the reference filter; two of these are its lag."""
    dead_band_n: float = 1.0
    dead_band_n_m: float = 0.02
    leash_m: float = 5e-3
    """The reference's largest lead; SERL uses 3 to 6 mm."""
    leash_rad: float = 0.1
    largest_lag_s: float = LARGEST_LAG_S
    """Lag of the slowest driver that these gains are for."""
    largest_contact_n_m: float = LARGEST_CONTACT_N_M
    """Stiffest contact that they are for: arm, fingers and fixture in series."""
    arm: ServoedArmConfig = field(default_factory=ServoedArmConfig)
    """The robot below the force loop."""

    def __post_init__(self) -> None:
        require_positive(
            self,
            "stiffness_n_m",
            "rotational_stiffness_n_m_rad",
            "damping_n_s_m",
            "rotational_damping_n_m_s_rad",
            "virtual_mass_kg",
            "virtual_inertia_kg_m2",
            "filter_s",
            "leash_m",
            "leash_rad",
            "largest_lag_s",
            "largest_contact_n_m",
        )
        require_not_negative(self, "dead_band_n", "dead_band_n_m")

    def gains(self, *, stiffness_scale: float, dead_band_n: float) -> Array:
        """The constants (9,) of the law for an arm whose stiffness and dead band are off."""
        ratio = dead_band_n / self.dead_band_n if self.dead_band_n > 0.0 else 0.0
        return np.array(
            [
                self.stiffness_n_m * stiffness_scale,
                self.rotational_stiffness_n_m_rad * stiffness_scale,
                self.damping_n_s_m,
                self.rotational_damping_n_m_s_rad,
                dead_band_n,
                self.dead_band_n_m * ratio,
                self.virtual_mass_kg,
                self.virtual_inertia_kg_m2,
                self.filter_s,
            ]
        )


@compiled
def rotation_vector(quaternion: tuple[float, float, float, float]) -> tuple[float, float, float]:
    """Rotation vector [rad] of a quaternion (x, y, z, w)."""
    x, y, z, w = quaternion
    sign = 1.0 if w >= 0.0 else -1.0
    sine = np.sqrt(x * x + y * y + z * z)
    scale = 2.0 * sign if sine < 1e-9 else sign * 2.0 * math.atan2(sine, sign * w) / sine
    return scale * x, scale * y, scale * z


_rotation_rows = compiled(rotation_rows)


@compiled
def rotation_matrix(vector: Array) -> Array:
    """Matrix (3, 3) of a rotation vector (3,) [rad]."""
    out = np.empty((3, 3))
    for row, values in enumerate(_rotation_rows(vector[0], vector[1], vector[2])):
        out[row, 0], out[row, 1], out[row, 2] = values
    return out


@compiled
def place_in(
    base: Array, position: tuple[float, float, float], quaternion: tuple[float, float, float, float]
) -> Array:
    """Pose (4, 4) in the frame `base` (4, 4) of a body at `position` [m] with `quaternion` (x, y, z, w).

    A resistance needs it in every physics step, and in NumPy it takes as long as the physics.
    """
    x, y, z, w = quaternion
    turned = (
        (1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)),
        (2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)),
        (2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)),
    )
    out = np.zeros((4, 4))
    out[3, 3] = 1.0
    for row in range(3):
        for axis in range(3):
            out[row, 3] += base[axis, row] * (position[axis] - base[axis, 3])
            for column in range(3):
                out[row, column] += base[axis, row] * turned[axis][column]
    return out


@compiled
def turned_out(base: Array, wrench: Array) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Force and torque of `wrench` (6,) in the frame `base` (4, 4), as they are outside of it."""
    out = np.zeros(6)
    for row in range(3):
        for column in range(3):
            out[row] += base[row, column] * wrench[column]
            out[3 + row] += base[row, column] * wrench[3 + column]
    return (out[0], out[1], out[2]), (out[3], out[4], out[5])


@compiled
def felt_force_n(
    before: tuple[float, float, float],
    after: tuple[float, float, float],
    force: tuple[float, float, float],
    mass_kg: float,
    dt: float,
    load: Array,
) -> float:
    """Magnitude of the low-passed contact force [N] after one physics step.

    What the fixture does to the part follows from the momentum of what the fingers hold: mass x change of
    velocity minus the push `force`. It is low-passed into `load` (3,).
    """
    fraction = dt / (dt + 1.0 / (2.0 * np.pi * FORCE_FILTER_HZ))
    square = 0.0
    for axis in range(3):
        contact = mass_kg * (after[axis] - before[axis]) / dt - force[axis]
        load[axis] += fraction * (contact - load[axis])
        square += load[axis] ** 2
    return np.sqrt(square)
