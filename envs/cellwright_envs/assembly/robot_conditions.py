"""The robot of one episode: what its disturbances make of arm and gripper."""

from __future__ import annotations

from cellwright_envs.assembly.arm_dynamics import ServoConditions
from cellwright_envs.assembly.disturbances import AssemblyDisturbanceState
from cellwright_envs.physics.world import Grip


def scaled_grip(grip: Grip, factor: float) -> Grip:
    """A grip of so much more force."""
    return Grip(
        along_n=factor * grip.along_n, across_n=factor * grip.across_n, twist_n_m=factor * grip.twist_n_m
    )


def servo_of(disturbed: AssemblyDisturbanceState) -> ServoConditions:
    """Servo, sensor, mass and stiffness of the arm."""
    stiffness = disturbed.cell_stiffness
    return ServoConditions(
        servo_lag=disturbed.servo_lag.factor,
        sensor_lag=disturbed.sensor_lag.factor,
        arm_mass=disturbed.arm_mass.factor,
        arm_stiffness=stiffness.arm,
        finger_stiffness=stiffness.fingers,
        fixture_stiffness=stiffness.fixture,
    )
