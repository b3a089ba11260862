"""Wedging and jamming against Whitney's two-point contact analysis (1982), in the plane of the tilt.

A peg of half width r touches the hole's wall with its tip and the hole's rim with its side, l apart along the
axis. With friction mu and lambda = l / (2 r mu), it slides on while the load at its tip, force F_z down, F_x
sideways and moment M, keeps |M / (r F_z) + mu (1 + lambda) F_x / F_z| < lambda; beyond, it jams. Where lambda
< 1 even a push within the peg's own face can jam it: it is wedged.

That takes the rim's push on the peg for horizontal. It slopes by the tilt and carries some of F_z, so that
less of a moment jams: F_z is 2 mu N by Whitney, N being the push at either contact, but about (2 mu + tilt)
N. `balancing_load` has the forces as they are. What is found in Bullet is held against both.

A round peg's hole has eight flat walls. Tilted towards the corner of two of them, a peg touches both with
its tip and the two opposite ones with its side, each at an angle a = 22.5 degrees to the plane. Of a push
N, cos(a) N acts in the plane, and all of its friction mu N, r cos(a) from the axis. Seen in the plane, the
half width is r cos(a) and the friction mu / cos(a). The clearance that way is that to a wall / cos(a).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_assets.assembly_cell import GRASP_HEIGHT_M
from cellwright_envs.assembly.arm_dynamics import COARSE_PERIOD_S, FINE_PERIOD_S
from cellwright_envs.assembly.cell import pose_matrix
from cellwright_envs.assembly.compliance import ComplianceConfig, rotation_vector
from cellwright_envs.assembly.parts.part import FINE_CLEARANCE_M
from cellwright_envs.assembly.parts.pegs import ROUND_STAVES, Family, Peg
from cellwright_envs.physics.world import ContactWorld, Grip

Array = NDArray[np.float64]

ARM = ComplianceConfig()
END = ARM.arm
FORCE_N = 10.0
RADIUS_M = 8e-3
FRICTIONS = (0.1, 0.2, 0.4)
SETTLES_S = 0.1
"""For the contacts to build up: Bullet lets bodies overlap by 0.01 mm, which a tilted peg turns into some
0.2 mm of depth."""
WATCHED_S = 0.1
STICKS_M = 0.15e-3
"""A free peg moves on by 4 mm."""
DRAG_N_S_M = 200.0
"""Damping of the load, so that motion is slow, as the analysis is static; what sticks feels nothing of it."""
DRAG_N_M_S = 0.1
APART_M = 0.02e-3
"""A peg starts that much short of its two-point contact."""
ASKEW_RAD = 1e-3
"""A round peg's hole is turned that much about its axis, off the tilt: see
`test_only_a_round_peg_exactly_square_to_a_wall_is_kicked_before_it_touches`."""

Load = tuple[float, float, float]
"""Force along x and up [N], moment about y [N m], at the middle of the tip."""
DOWN: Load = (0.0, -FORCE_N, 0.0)
SIDEWAYS: Load = (1.0, 0.0, 0.0)
MOMENT: Load = (0.0, 0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A peg in its hole, tilted to a wall, or to a corner whose walls are at `between_rad` to the tilt."""

    family: Family
    clearance_m: float
    tilt_rad: float
    """Here the two contacts are 15 mm apart."""
    between_rad: float = 0.0

    def __str__(self) -> str:
        way = "corner" if self.between_rad else "wall"
        return f"{self.family}-{way}-{self.clearance_m * 1e3:g}"

    @property
    def period_s(self) -> float:
        """As the cell has it."""
        return FINE_PERIOD_S if self.clearance_m < FINE_CLEARANCE_M else COARSE_PERIOD_S

    @property
    def half_width_m(self) -> float:
        """In the plane of the tilt, where the peg touches."""
        return RADIUS_M * float(np.cos(self.between_rad))

    def friction(self, friction: float) -> float:
        """In the plane of the tilt."""
        return friction / float(np.cos(self.between_rad))

    def slenderness(self, tilt_rad: float, friction: float) -> float:
        """Whitney's lambda at the two-point contact of a tilt."""
        span_m = -TwoPoints.of(self, tilt_rad).wall_m[1]
        return float(span_m / (2.0 * self.half_width_m * self.friction(friction)))


@dataclass(frozen=True, kw_only=True)
class TwoPoints:
    """Where a tilted peg is when it touches wall and rim at once; (2,) arrays are x and height over the rim.

    A wall at the angle a to the plane is r + clearance from the hole's axis. The tip is a circle, tilted by
    t; along the wall's normal it reaches r sqrt(cos(a)^2 cos(t)^2 + sin(a)^2). The shaft cuts the rim's
    plane in an ellipse, which reaches r sqrt(cos(a)^2 / cos(t)^2 + sin(a)^2). For flat faces a is 0.
    """

    tip_m: Array
    wall_m: Array
    rim_m: Array
    wall_normal: Array
    """Onto the peg, as much of a unit vector as is in the plane."""
    rim_normal: Array

    @classmethod
    def of(cls, fit: Fit, tilt_rad: float) -> TwoPoints:
        cos, sin, tan = np.cos(tilt_rad), np.sin(tilt_rad), np.tan(tilt_rad)
        towards, aside = np.cos(fit.between_rad), np.sin(fit.between_rad)
        circle, ellipse = np.hypot(towards * cos, aside), np.hypot(towards / cos, aside)
        distance_m = RADIUS_M + fit.clearance_m
        tip_x_m = -(distance_m - RADIUS_M * circle) / towards
        cut_x_m = (distance_m - RADIUS_M * ellipse) / towards
        tip_m = np.array([tip_x_m, (tip_x_m - cut_x_m) / tan])
        return cls(
            tip_m=tip_m,
            wall_m=tip_m + RADIUS_M * towards * cos / circle * np.array([-cos, sin]),
            rim_m=np.array([cut_x_m + RADIUS_M * towards / cos**2 / ellipse, 0.0]),
            wall_normal=np.array([towards, 0.0]),
            rim_normal=towards * np.array([-1.0, tan]) / np.hypot(1.0, towards * tan),
        )


def balancing_load(fit: Fit, tilt_rad: float, friction: float, added: Load) -> float:
    """How many times `added`, on top of `DOWN`, the two contacts just balance while the peg slides down.

    Wall and rim push along their normals and, by friction, up the wall and up the shaft, two forces of
    unknown size. They balance the load in x, in height and in moment about the tip.
    """
    points = TwoPoints.of(fit, tilt_rad)

    def wrench(at_m: Array, normal: Array, up: Array) -> Array:
        (x, z), (force_x, force_z) = at_m - points.tip_m, normal + friction * up
        return np.array([force_x, force_z, z * force_x - x * force_z])

    up_the_shaft = np.array([np.sin(tilt_rad), np.cos(tilt_rad)])
    wall = wrench(points.wall_m, points.wall_normal, np.array([0.0, 1.0]))
    rim = wrench(points.rim_m, points.rim_normal, up_the_shaft)
    columns = np.stack([wall, rim, np.array(added)], axis=1)
    return float(np.linalg.solve(columns, -np.array(DOWN))[2])


def begin(world: ContactWorld, fit: Fit, tilt_rad: float, friction: float, askew_rad: float) -> None:
    """Put a free peg just short of its two-point contact, tilted about y."""
    part = Peg(
        name="peg", family=fit.family, size_m=2 * RADIUS_M, clearance_m=fit.clearance_m, friction=friction
    )
    x_m, z_m = TwoPoints.of(fit, tilt_rad).tip_m
    world.clear(fit.period_s)
    world.add_fixture("fixture", part.fixture_solids(fit.clearance_m, 0.0))
    world.pose_fixture("fixture", pose_matrix(np.array([0, 0, 0, 0, 0, fit.between_rad + askew_rad])))
    world.add_tool(
        part.solids(),
        mass_kg=END.end_mass_kg,
        inertia_kg_m2=END.end_inertia_kg_m2,
        pads_above_tip_m=GRASP_HEIGHT_M,
        grip=Grip(along_n=1e4, across_n=1e4, twist_n_m=1e3),
        grasp=np.zeros(3),
        friction=friction,
        pose_w=pose_matrix(np.array([x_m, 0.0, z_m + APART_M, 0.0, tilt_rad, 0.0])),
    )


def push(world: ContactWorld, load: Load) -> None:
    """One physics step under `load`; the arm's springs hold the peg in the plane, as the analysis is planar.

    Without them a square peg rocks out of it: either of its two corners at a wall may carry all of the load.
    """
    position, quaternion, velocity, angular = world.tool_motion()
    turned = rotation_vector(quaternion)
    stiffness_n_m_rad = ARM.rotational_stiffness_n_m_rad
    damping_n_m_s = 2.0 * np.sqrt(stiffness_n_m_rad * END.end_inertia_kg_m2)
    about_x, about_z = (-stiffness_n_m_rad * turned[i] - damping_n_m_s * angular[i] for i in (0, 2))
    force_x, force_y, force_z = (-DRAG_N_S_M * speed for speed in velocity)
    world.push(
        position,
        (force_x + load[0], force_y - ARM.stiffness_n_m * position[1], force_z + load[1]),
        (about_x, -DRAG_N_M_S * angular[1] + load[2], about_z),
    )


def moves(world: ContactWorld, fit: Fit, tilt_rad: float, friction: float, added: Load) -> bool:
    """Whether a peg in two-point contact goes on under `added`, on top of `DOWN`."""
    begin(world, fit, tilt_rad, friction, ASKEW_RAD if fit.family == "round" else 0.0)
    load = (added[0] + DOWN[0], added[1] + DOWN[1], added[2] + DOWN[2])
    with world.sharp_contacts():
        for _ in range(round(SETTLES_S / fit.period_s)):
            push(world, load)
        start_m = world.part_place()[0][2]
        for _ in range(round(WATCHED_S / fit.period_s)):
            push(world, load)
    return start_m - world.part_place()[0][2] > STICKS_M


def smallest_that_sticks(moves: Callable[[float], bool], low: float, high: float) -> float:
    """Bisect for the value between `low`, at which the peg moves, and `high`, at which it does not."""
    assert moves(low)
    assert not moves(high)
    for _ in range(9):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if moves(middle) else (low, middle)
    return 0.5 * (low + high)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What jams a peg: as found in Bullet, by Whitney, and by `balancing_load`."""

    found: float
    whitney: float
    balanced: float


def moment_that_jams(world: ContactWorld, fit: Fit, friction: float) -> Limit:
    """Moments [N m]."""
    tilt_rad = fit.tilt_rad
    whitney_n_m = fit.slenderness(tilt_rad, friction) * fit.half_width_m * FORCE_N
    found_n_m = smallest_that_sticks(
        lambda moment_n_m: moves(world, fit, tilt_rad, friction, (0.0, 0.0, moment_n_m)),
        0.5 * whitney_n_m,
        1.5 * whitney_n_m,
    )
    balanced_n_m = balancing_load(fit, tilt_rad, friction, MOMENT)
    return Limit(found=found_n_m, whitney=whitney_n_m, balanced=balanced_n_m)


def direction_that_jams(world: ContactWorld, fit: Fit, friction: float) -> Limit:
    """Angles of the force to the vertical [rad]."""
    tilt_rad = fit.tilt_rad
    ratio = fit.slenderness(tilt_rad, friction)
    whitney_rad = float(np.arctan(ratio / (fit.friction(friction) * (1.0 + ratio))))
    found_rad = smallest_that_sticks(
        lambda angle_rad: moves(world, fit, tilt_rad, friction, (-FORCE_N * np.tan(angle_rad), 0.0, 0.0)),
        0.5 * whitney_rad,
        min(1.5 * whitney_rad, 0.5 * (whitney_rad + 0.5 * np.pi)),
    )
    balanced_rad = float(np.arctan(-balancing_load(fit, tilt_rad, friction, SIDEWAYS) / FORCE_N))
    return Limit(found=found_rad, whitney=whitney_rad, balanced=balanced_rad)


def tilt_that_wedges(world: ContactWorld, fit: Fit, friction: float) -> Limit:
    """Tilts [rad]: beyond, a push at the edge of the peg's own face jams it."""
    moment_n_m = fit.half_width_m * FORCE_N
    whitney_rad = smallest_that_sticks(lambda tilt: fit.slenderness(tilt, friction) > 1.0, 0.01, 0.25)
    found_rad = smallest_that_sticks(
        lambda tilt_rad: moves(world, fit, tilt_rad, friction, (0.0, 0.0, moment_n_m)),
        0.75 * whitney_rad,
        1.25 * whitney_rad,
    )
    balanced_rad = smallest_that_sticks(
        lambda tilt_rad: balancing_load(fit, tilt_rad, friction, MOMENT) > moment_n_m, 0.01, 0.25
    )
    return Limit(found=found_rad, whitney=whitney_rad, balanced=balanced_rad)


CORNER_RAD = np.pi / ROUND_STAVES
SHAPES: tuple[tuple[Family, float], ...] = (
    ("square", 0.0),
    ("hexagonal", 0.0),
    ("round", 0.0),
    ("round", CORNER_RAD),
)
FITS = tuple(
    Fit(family=family, clearance_m=clearance_m, tilt_rad=tilt_rad, between_rad=between_rad)
    for family, between_rad in SHAPES
    for clearance_m, tilt_rad in ((0.15e-3, 0.02), (0.3e-3, 0.04))
)


@pytest.fixture(scope="module")
def world() -> Iterator[ContactWorld]:
    world = ContactWorld()
    yield world
    world.close()


@pytest.mark.parametrize("friction", FRICTIONS)
@pytest.mark.parametrize("fit", FITS, ids=str)
@pytest.mark.parametrize(
    ("limit", "balances_within"),
    [(moment_that_jams, 0.08), (direction_that_jams, 0.02), (tilt_that_wedges, 0.1)],
)
def test_a_peg_jams_where_whitney_has_it(
    world: ContactWorld,
    limit: Callable[[ContactWorld, Fit, float], Limit],
    balances_within: float,
    fit: Fit,
    friction: float,
) -> None:
    jams = limit(world, fit, friction)
    assert jams.found == pytest.approx(jams.whitney, rel=0.2)
    assert jams.found == pytest.approx(jams.balanced, rel=balances_within)


@pytest.mark.parametrize("between_rad", [0.0, CORNER_RAD])
def test_a_steep_peg_jams_under_less_moment_than_whitneys(world: ContactWorld, between_rad: float) -> None:
    fit = Fit(family="round", clearance_m=0.3e-3, tilt_rad=0.08, between_rad=between_rad)
    jams = moment_that_jams(world, fit, 0.1)
    assert jams.found / jams.whitney == pytest.approx(0.78, abs=0.02)
    assert jams.found == pytest.approx(jams.balanced, rel=0.05)


def kicks(world: ContactWorld, askew_rad: float) -> int:
    """At how many of 49 tilts a frictionless round peg, short of touching, is pushed up by more than 2 N."""
    fit = Fit(family="round", clearance_m=0.15e-3, tilt_rad=0.02)
    count = 0
    for tilt_rad in np.linspace(0.03, 0.15, 49):
        begin(world, fit, tilt_rad, 0.0, askew_rad)
        with world.sharp_contacts():
            push(world, DOWN)
        count += world.contact("fixture")[0][2] > 2.0
    return count


def test_only_a_round_peg_exactly_square_to_a_wall_is_kicked_before_it_touches(world: ContactWorld) -> None:
    """Bullet then puts a contact at the wall's far end, beside the peg, with a normal that slopes upwards."""
    assert kicks(world, 0.0) > 0
    assert kicks(world, ASKEW_RAD) == kicks(world, -ASKEW_RAD) == 0
