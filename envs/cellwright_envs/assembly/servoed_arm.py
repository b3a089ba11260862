"""The robot below the force loop: sensor, delays, position servo, the arm's mass, and what bends.

A UR10e: the force is sampled, low-passed and late, the law (`cellwright_runtime.interface.force_loop`) turns
it into a command, the command reaches the servo after a transport delay and the servo follows with a
first-order lag. The arm's effective mass hangs on the servo by the stiffness of the joints; the fingers and
the fixture are a second spring, between the arm and the part. Contact is rigid; all that bends is in these
two springs.

    law -> delay -> servo -> [arm stiffness] -> arm's mass -> [fingers, fixture] -> part -> contact
                                                                    | force
    law <- low-pass <- delay <--------------------------------------+

Axes are those of the world, each for itself; turning is about the tool's origin, the part's tip (assumption:
a real arm also turns a little when pushed aside). The pose that the robot reports is the servo's: gears,
links and fingers bend beyond its encoders (assumption). The camera on the hand moves with the arm's mass.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.assembly.arm_dynamics import (
    CYCLE_S,
    ServoConditions,
    ServoedArmConfig,
    end_stiffness,
)
from cellwright_envs.assembly.compliance import rotation_vector
from cellwright_envs.physics.world import Quaternion, Vector
from cellwright_perception.compiled import compiled
from cellwright_runtime.interface import force_loop

Array = NDArray[np.float64]

_give_way = compiled(force_loop.give_way)
_follow = compiled(force_loop.follow)

_REFERENCE, _REFERENCE_RATE, _DEVIATION, _DEVIATION_RATE, _SERVO, _ARM, _ARM_RATE, _SAMPLE, _FELT = range(9)
"""Rows of the state (9, 6), one column per axis."""


class ServoedArm:
    """One robot in one episode: what it sends, where it is, what it feels and how it pushes."""

    def __init__(self, config: ServoedArmConfig, dt: float, *, positions: bool = False) -> None:
        """Take the set-up of the robot and the physics step `dt` [s].

        With `positions` targets are commands to the servo: the law is somebody else's.
        """
        self._config, self._positions = config, positions
        self._cycles = round(dt / CYCLE_S)
        if abs(dt / CYCLE_S - self._cycles) > 1e-9 or self._cycles < 1:
            raise ValueError(f"physics steps of {dt} s are no whole multiple of the force loop's {CYCLE_S} s")

    def begin(self, tool: Array, gains: Array, conditions: ServoConditions) -> None:
        """Start at rest at `tool` (6,); `gains` (9,) are those of `ComplianceConfig.gains`."""
        config = self._config
        self._state = np.zeros((9, 6))
        for row in (_REFERENCE, _SERVO, _ARM):
            self._state[row] = tool
        self._commands = np.tile(tool, (round(config.command_delay_s / CYCLE_S) + 1, 1))
        self._forces = np.zeros((round(config.sensor_delay_s / CYCLE_S) + 1, 6))
        self._clock = np.zeros(1, dtype=np.int64)
        self._sensor_cycles = round(config.sensor_period_s / CYCLE_S)
        stiffness, turning, damping, turning_damping, band, turning_band, mass, inertia, filter_s = (
            gains.tolist()
        )
        self._gains = np.array(
            [
                (stiffness, damping, mass, band),
                (turning, turning_damping, inertia, turning_band),
            ]
        )
        self._plant = _plant(config, conditions)
        self._timing = np.array(
            [
                0.0 if self._positions else filter_s,
                CYCLE_S / (CYCLE_S + config.servo_s * conditions.servo_lag),
                CYCLE_S / (CYCLE_S + config.sensor_filter_s * conditions.sensor_lag),
            ]
        )
        self._total = np.zeros(6)

    def push(
        self, position: Vector, quaternion: Quaternion, velocity: Vector, angular: Vector, target: Array
    ) -> tuple[Vector, Vector]:
        """Force [N] and torque [N m] of the fingers on what they hold, for the next physics step."""
        return _push(
            position, quaternion, velocity, angular, target, self._cycles, self._sensor_cycles,
            self._state, self._commands, self._forces, self._clock,
            self._gains, self._plant, self._timing, self._total,
        )  # fmt: skip

    @property
    def tool(self) -> Array:
        """(6,) the pose that the robot reports."""
        return self._state[_SERVO].copy()

    @property
    def hand(self) -> Array:
        """(6,) where the hand is."""
        return self._state[_ARM].copy()

    def reading(self, steps: int) -> Array:
        """(6,) mean of what the sensor has delivered in the last `steps` physics steps; begins a new mean."""
        mean = self._total / (steps * self._cycles)
        self._total[:] = 0.0
        return mean


def _plant(config: ServoedArmConfig, conditions: ServoConditions) -> Array:
    """(2, 5) for moving and turning: stiffness and damping of the arm, of the fingers, and the arm's mass."""
    fingers = config.finger_turning_n_m_rad * conditions.finger_stiffness
    moving = config.arm_stiffness_n_m, end_stiffness(config, conditions), config.arm_mass_kg
    turning = config.arm_turning_n_m_rad, fingers, config.arm_inertia_kg_m2
    ends = config.end_mass_kg, config.end_inertia_kg_m2
    rows = []
    for (arm_as_set, at_end, mass_as_set), end_mass in zip((moving, turning), ends, strict=True):
        arm, mass = arm_as_set * conditions.arm_stiffness, mass_as_set * conditions.arm_mass
        arm_damping = 2.0 * config.arm_damping_ratio * math.sqrt(arm * mass)
        end_damping = 2.0 * config.finger_damping_ratio * math.sqrt(at_end * end_mass)
        rows.append((arm, arm_damping, at_end, end_damping, mass))
    return np.array(rows)


@compiled
def _push(
    position: Vector,
    quaternion: Quaternion,
    velocity: Vector,
    angular: Vector,
    target: Array,
    cycles: int,
    sensor_cycles: int,
    state: Array,
    commands: Array,
    forces: Array,
    clock: NDArray[np.int64],
    gains: Array,
    plant: Array,
    timing: Array,
    total: Array,
) -> tuple[Vector, Vector]:
    """The cycles of one physics step; all arrays from `state` to `clock` move on, `total` grows.

    The body at the fingers is carried on at its speed from one cycle to the next.
    """
    rotation = rotation_vector(quaternion)
    pushed = np.zeros(6)
    for cycle in range(cycles):
        now = clock[0]
        for axis in range(6):
            kind = 1 if axis >= 3 else 0
            at = rotation[axis - 3] if kind else position[axis]
            rate = angular[axis - 3] if kind else velocity[axis]
            arm, arm_damping, fingers, finger_damping, mass = plant[kind]
            bent = state[_ARM, axis] - at - rate * CYCLE_S * cycle
            force = fingers * bent + finger_damping * (state[_ARM_RATE, axis] - rate)
            pushed[axis] += force / cycles
            # Sensor: what acts on the part, late, held for a period, low-passed.
            forces[now % len(forces), axis] = -force
            if now % sensor_cycles == 0:
                state[_SAMPLE, axis] = forces[(now + 1) % len(forces), axis]
            state[_FELT, axis] += timing[2] * (state[_SAMPLE, axis] - state[_FELT, axis])
            total[axis] += state[_FELT, axis]
            # Law
            if timing[0] == 0.0:  # positions come from elsewhere
                state[_REFERENCE, axis] = target[axis]
            else:
                state[_REFERENCE, axis], state[_REFERENCE_RATE, axis] = _follow(
                    target[axis], state[_REFERENCE, axis], state[_REFERENCE_RATE, axis], timing[0], CYCLE_S
                )
                given = gains[kind, 0], gains[kind, 1], gains[kind, 2], gains[kind, 3]
                state[_DEVIATION, axis], state[_DEVIATION_RATE, axis] = _give_way(
                    state[_FELT, axis], state[_DEVIATION, axis], state[_DEVIATION_RATE, axis], given, CYCLE_S
                )
            # Robot
            commands[now % len(commands), axis] = state[_REFERENCE, axis] + state[_DEVIATION, axis]
            moved = timing[1] * (commands[(now + 1) % len(commands), axis] - state[_SERVO, axis])
            state[_SERVO, axis] += moved
            pull = arm * (state[_SERVO, axis] - state[_ARM, axis])
            pull += arm_damping * (moved / CYCLE_S - state[_ARM_RATE, axis]) - force
            state[_ARM_RATE, axis] += pull / mass * CYCLE_S
            state[_ARM, axis] += state[_ARM_RATE, axis] * CYCLE_S
        clock[0] = now + 1
    return (pushed[0], pushed[1], pushed[2]), (pushed[3], pushed[4], pushed[5])
