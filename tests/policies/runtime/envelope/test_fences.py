"""Which motions of joints a fence takes, held against the path of the tool itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import ruckig

from cellwright_runtime.envelope.fences import JointSpace, PoseSpace
from cellwright_runtime.envelope.limits import Limits
from cellwright_runtime.envelope.motion import Motion, Sweep
from cellwright_runtime.kinematics import tool_and_jacobian
from tests.policies.runtime.envelope.robots import HOME, HOME_RAD, LIMITS, PERIOD_S, TOOL

SPEED_M_S = 0.173
JOINTS = replace(LIMITS.joints, velocity=(0.35,) * 6, acceleration=(4.5,) * 6, jerk=(270.0,) * 6)
ROOMY = replace(LIMITS.tool, low=(-5.0,) * 3 + (-0.3,) * 3, high=(5.0,) * 3 + (0.3,) * 3)
WIDE = replace(LIMITS, joints=JOINTS, tool=ROOMY, planes=(), tool_speed_m_s=SPEED_M_S)
BETWEEN = (
    (
        (0.3877, -1.3404, -2.0511, -0.4123, 1.3030, -1.1252),
        (-0.12407828401, -0.04016292317, -0.01567293925, -0.09463079303, -0.03524502673, -0.01249238515),
        (-4.39284164537, -3.81990618596, -3.10611041467, -0.83355388959, -2.04874874713, 4.24185118655),
    ),
    (
        (0.3269, -1.4643, -2.1778, -0.5990, 1.2239, -1.3576),
        (
            0.0422208612820,
            -0.0218861466125,
            0.166019111286,
            -0.0136396034243,
            0.0349568084763,
            -0.0046528000714,
        ),
        (3.46319459788, 3.2073721763, 2.0329023851942, -0.9752277884269, 3.569098519262, 3.8922018166),
    ),
)
"""Joints, velocities and accelerations of stops, each joint by itself, in which the tool is fastest between a
tenth and a quarter of the time."""


def stop_of(velocity: Any, acceleration: Any, limits: Limits = WIDE) -> ruckig.Trajectory:
    request = ruckig.InputParameter(6)
    request.control_interface = ruckig.ControlInterface.Velocity
    request.synchronization = ruckig.Synchronization.No
    request.max_velocity, request.max_acceleration, request.max_jerk = (
        list(each) for each in (limits.joints.velocity, limits.joints.acceleration, limits.joints.jerk)
    )
    request.current_position = request.target_velocity = request.target_acceleration = [0.0] * 6
    request.current_velocity, request.current_acceleration = list(velocity), list(acceleration)
    stop = ruckig.Trajectory(6)
    assert ruckig.Ruckig(6).calculate(request, stop) == ruckig.Result.Working
    return stop


def sweep_of(joints: Any, velocity: Any, stop: ruckig.Trajectory) -> Sweep:
    rates = np.array([stop.at_time(part * stop.duration / 400)[1] for part in range(401)])
    return Sweep(
        low=[at + each.min for at, each in zip(joints, stop.position_extrema, strict=True)],
        high=[at + each.max for at, each in zip(joints, stop.position_extrema, strict=True)],
        speed=np.abs(rates).max(axis=0).tolist(),
        duration_s=stop.duration,
        velocity_at=lambda time_s: stop.at_time(time_s)[1],
        came=list(velocity),
    )


def fastest_m_s(joints: Any, stop: ruckig.Trajectory) -> float:
    """Of the tool, along its path."""
    moments = np.linspace(0.0, stop.duration, 400)
    places = [tool_and_jacobian(np.array(joints) + stop.at_time(at)[0], TOOL)[0][:3, 3] for at in moments]
    return float(np.linalg.norm(np.diff(places, axis=0), axis=1).max() / (moments[1] - moments[0]))


@pytest.mark.parametrize(("joints", "velocity", "acceleration"), BETWEEN)
def test_a_stop_in_which_the_tool_is_too_fast_for_a_moment_is_refused(
    joints: Any, velocity: Any, acceleration: Any
) -> None:
    stop = stop_of(velocity, acceleration)
    fastest = fastest_m_s(joints, stop)
    assert fastest > SPEED_M_S
    space = JointSpace(WIDE, PERIOD_S, TOOL)
    assert not space.accept(sweep_of(joints, velocity, stop))
    faster = JointSpace(replace(WIDE, tool_speed_m_s=1.06 * fastest), PERIOD_S, TOOL)
    assert faster.accept(sweep_of(joints, velocity, stop))


@pytest.mark.parametrize("acceleration", np.linspace(2.0, 4.4, 20).tolist())
def test_the_fastest_moment_between_two_that_are_looked_at_counts(acceleration: float) -> None:
    """Of one joint that has just begun to move: nothing turns, so that the speeds alone decide."""
    velocity, accelerations = [0.002, *[0.0] * 5], [acceleration, *[0.0] * 5]
    stop = stop_of(velocity, accelerations)
    sweep = sweep_of(HOME_RAD, velocity, stop)
    tight = JointSpace(replace(WIDE, tool_speed_m_s=0.9995 * fastest_m_s(HOME_RAD, stop)), PERIOD_S, TOOL)
    assert not tight.accept(sweep)


def test_no_stop_that_is_taken_makes_the_tool_too_fast() -> None:
    rng = np.random.default_rng(4)
    space = JointSpace(WIDE, PERIOD_S, TOOL)
    taken = []
    for _ in range(400):
        joints = HOME_RAD + rng.uniform(-0.25, 0.25, 6)
        velocity, acceleration = rng.uniform(-0.2, 0.2, 6), rng.uniform(-4.5, 4.5, 6)
        stop = stop_of(velocity, acceleration)
        if space.accept(sweep_of(joints, velocity, stop)):
            taken.append(fastest_m_s(joints, stop))
    assert len(taken) > 60
    assert 0.8 * SPEED_M_S < max(taken) <= SPEED_M_S


def test_the_cycle_that_led_to_a_state_counts() -> None:
    """Its mean speed is what a controller sees between two setpoints."""
    still = Sweep([*HOME_RAD], [*HOME_RAD], [0.0] * 6, 0.0, lambda time_s: [0.0] * 6, [0.0] * 6)
    joints = JointSpace(WIDE, PERIOD_S, TOOL)
    assert joints.accept(still)
    assert not joints.accept(still._replace(came=[0.3, 0.0, 0.0, 0.0, 0.0, 0.0]))
    pose = PoseSpace(WIDE, PERIOD_S)
    at = [*HOME[:3].tolist(), 0.0, 0.0, 0.0]
    standing = still._replace(low=at, high=at)
    assert pose.accept(standing)
    assert not pose.accept(standing._replace(came=[0.13, 0.0, 0.13, 0.0, 0.0, 0.0]))


def test_joints_come_to_rest_at_the_same_time() -> None:
    space = JointSpace(WIDE, PERIOD_S, TOOL)
    joints = Motion(space.axes, PERIOD_S, space.accept)
    joints.begin(HOME_RAD.tolist())
    ways = np.array([0.08, -0.03, 0.01, 0.05, -0.02, 0.005])
    for part in range(60):
        joints.towards((HOME_RAD + ways * part / 60).tolist(), (ways / (60 * PERIOD_S)).tolist())
    moving = np.abs(joints.velocity)
    assert moving.min() > 0.01
    rests = [0] * 6
    for cycle in range(200):
        joints.brake()
        rests = [cycle if rate else last for rate, last in zip(joints.velocity, rests, strict=True)]
    assert joints.at_rest
    assert len(set(rests)) == 1
