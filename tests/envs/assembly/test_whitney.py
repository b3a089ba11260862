"""Wedging and jamming against Whitney's two-point contact analysis (1982), in the plane of the tilt.

A peg of half width r touches the hole's wall with its tip and the hole's rim with its side, l apart along the
axis. With friction mu and lambda = l / (2 r mu), it slides on while the load at its tip, force F_z down, F_x
sideways and moment M, keeps |M / (r F_z) + mu (1 + lambda) F_x / F_z| < lambda; beyond, it jams. Where lambda
< 1 even a push within the peg's own face can jam it: it is wedged. Small tilts reach lambda = 1 at
clearance / (r mu); the tilts here are large enough to take the exact geometry of the contact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from cellwright_envs.assembly.cell import pose_matrix
from cellwright_envs.assembly.part import GRASP_HEIGHT_M
from cellwright_envs.assembly.pegs import Peg
from cellwright_envs.world import ContactWorld, Grip

MASS_KG = 1.5
FORCE_N = 10.0
CLEARANCE_M = 0.15e-3
RADIUS_M = 8e-3
FRICTIONS = (0.1, 0.2, 0.4)
PERIOD_S = 1.0 / 480.0
DRAG_N_S_M = 200.0
"""Damping of the load, so that motion is slow, as the analysis is static; what sticks feels nothing of it."""
DRAG_N_M_S = 0.1
STICKS_M = 0.15e-3
"""A free peg moves on by 4 mm."""


@pytest.fixture(scope="module")
def world() -> Iterator[ContactWorld]:
    world = ContactWorld(physics_period_s=PERIOD_S)
    yield world
    world.close()


def two_point_depth_m(tilt_rad: float) -> float:
    """How deep the middle of the tip is when a peg tilted by `tilt_rad` touches tip and rim at once."""
    wide_m = 2.0 * (RADIUS_M + CLEARANCE_M - RADIUS_M * np.cos(tilt_rad))
    return float(wide_m / np.tan(tilt_rad) - RADIUS_M * np.sin(tilt_rad))


def advance_m(
    world: ContactWorld, tilt_rad: float, friction: float, sideways_n: float, moment_n_m: float
) -> float:
    """How far a peg in two-point contact moves on in a tenth of a second under a load at its tip.

    The tenth before that is for the contacts to build up: Bullet lets bodies overlap by 0.01 mm, which a
    tilted peg turns into some 0.1 mm of depth.
    """
    part = Peg(name="peg", family="square", size_m=2 * RADIUS_M, clearance_m=CLEARANCE_M, friction=friction)
    world.clear(PERIOD_S)
    world.add_fixture("fixture", part.fixture_solids(CLEARANCE_M, 0.0))
    x_m = -(RADIUS_M + CLEARANCE_M) + RADIUS_M * np.cos(tilt_rad)
    start_m = -two_point_depth_m(tilt_rad)
    world.add_tool(
        part.solids(),
        mass_kg=MASS_KG,
        inertia_kg_m2=0.01,
        pads_above_tip_m=GRASP_HEIGHT_M,
        grip=Grip(along_n=1e4, across_n=1e4, twist_n_m=1e3),
        grasp=np.zeros(3),
        friction=friction,
        pose_w=pose_matrix(np.array([x_m, 0.0, start_m, 0.0, tilt_rad, 0.0])),
    )
    with world.sharp_contacts():
        for step in range(96):
            if step == 48:
                start_m = float(world.part_pose()[2, 3])
            position, _, velocity, angular = world.tool_motion()
            drag_n = [-DRAG_N_S_M * speed for speed in velocity]
            drag_n_m = [-DRAG_N_M_S * speed for speed in angular]
            force = (drag_n[0] + sideways_n, drag_n[1], drag_n[2] - FORCE_N)
            world.push(position, force, (drag_n_m[0], drag_n_m[1] + moment_n_m, drag_n_m[2]))
    return start_m - float(world.part_pose()[2, 3])


def smallest_that_sticks(moves: Callable[[float], bool], low: float, high: float) -> float:
    """Bisect for the load between `low`, which moves the peg, and `high`, which does not."""
    assert moves(low)
    assert not moves(high)
    for _ in range(9):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if moves(middle) else (low, middle)
    return 0.5 * (low + high)


def slenderness(tilt_rad: float, friction: float) -> float:
    """Whitney's lambda at the two-point contact of a tilt."""
    span_m = two_point_depth_m(tilt_rad) - RADIUS_M * np.sin(tilt_rad)
    return float(span_m / (2.0 * RADIUS_M * friction))


@pytest.mark.parametrize("friction", FRICTIONS)
def test_moment_that_jams_is_whitneys(world: ContactWorld, friction: float) -> None:
    tilt_rad = 0.02
    expected_n_m = slenderness(tilt_rad, friction) * RADIUS_M * FORCE_N
    found_n_m = smallest_that_sticks(
        lambda moment_n_m: advance_m(world, tilt_rad, friction, 0.0, moment_n_m) > STICKS_M,
        0.3 * expected_n_m,
        2.0 * expected_n_m,
    )
    assert found_n_m == pytest.approx(expected_n_m, rel=0.2)


@pytest.mark.parametrize("friction", FRICTIONS)
def test_force_direction_that_jams_is_whitneys(world: ContactWorld, friction: float) -> None:
    tilt_rad = 0.02
    ratio = slenderness(tilt_rad, friction)
    expected_rad = np.arctan(ratio / (friction * (1.0 + ratio)))
    found_rad = smallest_that_sticks(
        lambda angle_rad: advance_m(world, tilt_rad, friction, -FORCE_N * np.tan(angle_rad), 0.0) > STICKS_M,
        0.5 * expected_rad,
        min(1.5 * expected_rad, 0.5 * (expected_rad + 0.5 * np.pi)),
    )
    assert found_rad == pytest.approx(expected_rad, rel=0.2)


@pytest.mark.parametrize("friction", FRICTIONS)
def test_tilt_that_wedges_is_whitneys(world: ContactWorld, friction: float) -> None:
    expected_rad = smallest_that_sticks(lambda tilt_rad: slenderness(tilt_rad, friction) > 1.0, 0.01, 0.17)
    found_rad = smallest_that_sticks(
        lambda tilt_rad: advance_m(world, tilt_rad, friction, 0.0, RADIUS_M * FORCE_N) > STICKS_M,
        0.5 * expected_rad,
        1.5 * expected_rad,
    )
    assert found_rad == pytest.approx(expected_rad, rel=0.2)
