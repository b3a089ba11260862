"""The compliant controller of the arm, and the wrist sensor below it.

A position-controlled arm becomes compliant by admittance control: a virtual mass, damper and spring turn the
measured wrench into a deviation from the commanded pose, and the position loop follows. Seen from the part
that is a body of the virtual mass that spring and damper pull to the reference, and so it is simulated. The
spring is preloaded by a dead band: as long as the wrench stays within it, the arm does not give way. A
reference that may not run further ahead of the arm than a leash bounds the force, leash x stiffness, before
any policy does anything.

Poses are vectors (6,): position [m] and rotation vector [rad] in the world; the tool stays within half a
radian of upright, so that rotation vectors can be subtracted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.assembly.arm_dynamics import ServoedArmConfig
from cellwright_envs.disturbances.sampling import require_not_negative, require_positive
from cellwright_perception.compiled import compiled
from cellwright_runtime.interface.force_loop import damping_for
from cellwright_runtime.interface.rotation import rotation_rows

Array = NDArray[np.float64]

DEAD_BAND_REACH_M = 0.1e-3
"""Deviation at which the preload is fully used; a sound arm repeats to 0.05 mm."""
DEAD_BAND_REACH_RAD = 2e-3
LAW_SMOOTHING_S = 0.01
"""Mass over damping of the gains for a robot with lag, and their reference filter (assumption)."""
FORCE_FILTER_HZ = 50.0
"""Cut-off behind which a force counts: sensors of this class deliver 100 Hz."""


@dataclass(frozen=True, kw_only=True)
class ComplianceConfig:
    """Set-up of the controller, in the range of published contact-rich work."""

    stiffness_n_m: float = 1500.0
    """SERL runs 2000 N/m, FORGE 565 N/m."""
    rotational_stiffness_n_m_rad: float = 12.0
    """About the part's tip, the centre of compliance."""
    damping_ratio: float = 1.0
    virtual_mass_kg: float = 1.5
    virtual_inertia_kg_m2: float = 0.01
    servo_s: float = 0.02
    """Time constant of the reference filter; two of these are its lag. UR's look-ahead: 0.03-0.2 s."""
    dead_band_n: float = 1.0
    dead_band_n_m: float = 0.02
    leash_m: float = 5e-3
    """The reference's largest lead; SERL uses 3 to 6 mm."""
    leash_rad: float = 0.1
    damping_n_s_m: float | None = None
    """Damping itself, instead of `damping_ratio` of the critical one."""
    rotational_damping_n_m_s_rad: float | None = None
    arm: ServoedArmConfig | None = None
    """The robot below the controller; None for one that weighs nothing and follows at once."""
    largest_lag_s: float = 0.045
    """Lag of the slowest driver that these gains are for, where there is a robot below."""
    largest_contact_n_m: float = 3e4
    """Stiffest contact that they are for: arm, fingers and fixture in series."""

    def __post_init__(self) -> None:
        require_positive(
            self,
            "stiffness_n_m",
            "rotational_stiffness_n_m_rad",
            "damping_ratio",
            "virtual_mass_kg",
            "virtual_inertia_kg_m2",
            "servo_s",
            "leash_m",
            "leash_rad",
            "largest_lag_s",
            "largest_contact_n_m",
        )
        require_not_negative(self, "dead_band_n", "dead_band_n_m")
        for name in ("damping_n_s_m", "rotational_damping_n_m_s_rad"):
            if getattr(self, name) is not None:
                require_positive(self, name)

    @property
    def end_mass_kg(self) -> float:
        """Mass of what touches the fixture: without a robot below it, the controller's."""
        return self.virtual_mass_kg if self.arm is None else self.arm.end_mass_kg

    @property
    def end_inertia_kg_m2(self) -> float:
        """The same about every axis."""
        return self.virtual_inertia_kg_m2 if self.arm is None else self.arm.end_inertia_kg_m2

    def gains(self, *, stiffness_scale: float, dead_band_n: float) -> Array:
        """The constants (9,) of `compliant_push` for an arm whose stiffness and dead band are off."""
        stiffness, turning = (
            self.stiffness_n_m * stiffness_scale,
            self.rotational_stiffness_n_m_rad * stiffness_scale,
        )
        ratio = dead_band_n / self.dead_band_n if self.dead_band_n > 0.0 else 0.0
        damping, rotational_damping = self.damping_n_s_m, self.rotational_damping_n_m_s_rad
        return np.array(
            [
                stiffness,
                turning,
                damping or 2.0 * self.damping_ratio * np.sqrt(stiffness * self.virtual_mass_kg),
                rotational_damping
                or 2.0 * self.damping_ratio * np.sqrt(turning * self.virtual_inertia_kg_m2),
                dead_band_n,
                self.dead_band_n_m * ratio,
                self.virtual_mass_kg,
                self.virtual_inertia_kg_m2,
                self.servo_s,
            ]
        )


LARGEST_TURNING_N_M_RAD = 110.0
"""Stiffest contact against turning that the gains below are for (assumption)."""


def force_loop_gains(
    *,
    stiffness_n_m: float = ComplianceConfig.stiffness_n_m,
    rotational_stiffness_n_m_rad: float = ComplianceConfig.rotational_stiffness_n_m_rad,
) -> ComplianceConfig:
    """Gains that a UR10e takes: damping for its lag and stiffness, and a mass of 10 ms times the damping."""
    lag_s, contact_n_m = ComplianceConfig.largest_lag_s, ComplianceConfig.largest_contact_n_m
    damping, turning = damping_for(lag_s, contact_n_m), damping_for(lag_s, LARGEST_TURNING_N_M_RAD)
    return ComplianceConfig(
        stiffness_n_m=stiffness_n_m,
        rotational_stiffness_n_m_rad=rotational_stiffness_n_m_rad,
        damping_n_s_m=damping,
        rotational_damping_n_m_s_rad=turning,
        virtual_mass_kg=LAW_SMOOTHING_S * damping,
        virtual_inertia_kg_m2=LAW_SMOOTHING_S * turning,
        servo_s=LAW_SMOOTHING_S,
        arm=ServoedArmConfig(),
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
def _preload(error: float, band: float, reach: float) -> float:
    return band * min(max(error / reach, -1.0), 1.0)


@compiled
def compliant_push(
    position: tuple[float, float, float],
    quaternion: tuple[float, float, float, float],
    velocity: tuple[float, float, float],
    angular: tuple[float, float, float],
    target: Array,
    filtered: Array,
    gains: Array,
    dt: float,
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Force [N] and torque [N m] on the tool for the next physics step, in the world.

    `target` (6,) is where the reference is to go, `filtered` (12,) the filter's pose and velocity, which move
    on by `dt` [s]. `gains` are those of `ComplianceConfig.gains`.
    """
    rotation = rotation_vector(quaternion)
    servo_s = gains[8]
    wrench = np.empty(6)
    for axis in range(6):
        acceleration = (target[axis] - filtered[axis]) / servo_s**2 - 2.0 * filtered[6 + axis] / servo_s
        filtered[6 + axis] += acceleration * dt
        filtered[axis] += filtered[6 + axis] * dt
        turning = axis >= 3
        at = rotation[axis - 3] if turning else position[axis]
        speed = angular[axis - 3] if turning else velocity[axis]
        error = filtered[axis] - at
        kind = 1 if turning else 0
        reach = DEAD_BAND_REACH_RAD if turning else DEAD_BAND_REACH_M
        wrench[axis] = gains[kind] * error + gains[2 + kind] * (filtered[6 + axis] - speed)
        wrench[axis] += _preload(error, gains[4 + kind], reach) + gains[6 + kind] * acceleration
    return (wrench[0], wrench[1], wrench[2]), (wrench[3], wrench[4], wrench[5])


@compiled
def sense(
    before: tuple[float, float, float],
    angular_before: tuple[float, float, float],
    after: tuple[float, float, float],
    angular_after: tuple[float, float, float],
    force: tuple[float, float, float],
    torque: tuple[float, float, float],
    mass_kg: float,
    inertia_kg_m2: float,
    dt: float,
    total: Array,
    load: Array,
) -> float:
    """Add one physics step to the wrist sensor; returns the magnitude of the filtered contact force [N].

    What the fixture does to the part follows from the momentum of tool and part: mass x change of velocity
    minus what the controller did. It is added to `total` (6,) and low-passed into `load` (3,).
    """
    fraction = dt / (dt + 1.0 / (2.0 * np.pi * FORCE_FILTER_HZ))
    square = 0.0
    for axis in range(3):
        contact = mass_kg * (after[axis] - before[axis]) / dt - force[axis]
        total[axis] += contact
        total[3 + axis] += inertia_kg_m2 * (angular_after[axis] - angular_before[axis]) / dt - torque[axis]
        load[axis] += fraction * (contact - load[axis])
        square += load[axis] ** 2
    return np.sqrt(square)
