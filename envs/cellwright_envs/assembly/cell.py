"""The mechanics of the assembly cell: a compliant arm, a part in its fingers, a fixture with the hole.

Contact is simulated at the tool, in Cartesian space; the joints follow it by inverse kinematics, where their
limits and speeds are checked. Lags, mass and stiffness of the UR10e are those of `servoed_arm`. Bullet's
articulated bodies have none of them: their joint position motors have no adjustable stiffness and turn a
millimetre into kilonewtons.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cellwright_assets import ur10e
from cellwright_assets.assembly_cell import GRASP_HEIGHT_M
from cellwright_assets.gripper import GRIPPER_MASS_KG, gripper_centre_of_mass_t, tcp_from_flange
from cellwright_envs.assembly.arm_dynamics import (
    AS_SET,
    COARSE_PERIOD_S,
    FINE_PERIOD_S,
    ServoConditions,
)
from cellwright_envs.assembly.compliance import (
    ComplianceConfig,
    felt_force_n,
    place_in,
    rotation_matrix,
    turned_out,
)
from cellwright_envs.assembly.parts.part import FINE_CLEARANCE_M, Part
from cellwright_envs.assembly.servoed_arm import ServoedArm
from cellwright_envs.physics.robot import Arm
from cellwright_envs.physics.world import ContactWorld, Grip
from cellwright_perception.compiled import compiled

Array = NDArray[np.float64]

NOMINAL_FIXTURE_W = np.array([0.60, 0.0, 0.15])
"""Middle of the hole's mouth where the drawing has it; well inside the UR10e's reach."""
GRAVITY_M_S2 = 9.81


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What one episode's cell is like."""

    clearance_m: float
    chamfer_m: float
    friction: float
    grip: Grip
    grasp: tuple[float, float, float]
    """How the part sits in the fingers: turned about y [rad], along x [m], along z [m]."""
    stiffness_scale: float
    dead_band_n: float
    servo: ServoConditions = AS_SET
    """The robot below the force loop."""


class CellState(NamedTuple):
    """The mechanical truth after one control step."""

    tool: Array
    """(6,) position [m] and rotation vector [rad] of the tool in the world."""
    part_f: Array
    """(4, 4) the part's frame in the fixture frame."""
    wrench_t: Array
    """(6,) mean force [N] and torque [N m] on the wrist sensor, in the tool frame, about its origin.

    It is the sum of contact, resistance, and the weights of gripper and part.
    """
    peak_force_n: float
    """Largest force of the fixture on the part in this step."""
    overlap_m: float
    """How deep part and fixture overlap."""


class Resistance(Protocol):
    """A load of the fixture on the part beside contact: a latch that snaps, a thread that advances."""

    def wrench_f(self, part_f: Array, dt: float) -> Array:
        """(6,) force [N] and torque [N m] on the part about its origin, in the fixture frame.

        Called once before each physics step of `dt` [s]; `part_f` (4, 4) is the part's frame in the fixture
        frame. The result may depend on earlier calls.
        """


@lru_cache(maxsize=1)
def arm() -> Arm:
    """The arm with sensor and gripper."""
    return Arm(tool=tcp_from_flange(GRASP_HEIGHT_M))


@lru_cache(maxsize=1)
def _home_rad() -> tuple[float, ...]:
    """Joints that hold the tool upright over the fixture, elbow up."""
    above = np.eye(4)
    above[:3, 3] = NOMINAL_FIXTURE_W + np.array([0.0, 0.0, 0.02])
    return tuple(arm().plan(above[None])[0].tolist())


def pose_matrix(vector: Array) -> Array:
    """Pose (4, 4) of a vector (6,): position [m] and rotation vector [rad]."""
    pose = np.eye(4)
    pose[:3, :3] = rotation_matrix(vector[3:])
    pose[:3, 3] = vector[:3]
    return pose


def physics_periods_s(control_period_s: float) -> tuple[float, float]:
    """Physics steps [s] for wide and for tight fits."""
    return min(COARSE_PERIOD_S, control_period_s), FINE_PERIOD_S


class AssemblyCell:
    """One robot, one fixture, one part at a time."""

    def __init__(
        self, control_period_s: float, compliance: ComplianceConfig, *, positions: bool = False
    ) -> None:
        """With `positions` the robot takes positions, without the force loop above it."""
        self._periods_s = physics_periods_s(control_period_s)
        for period_s in self._periods_s:
            steps = control_period_s / period_s
            if abs(steps - round(steps)) > 1e-9 or steps < 1:
                raise ValueError(f"{control_period_s=} is no whole multiple of the physics' {period_s}")
        self.compliance, self._positions = compliance, positions
        self.world = ContactWorld()
        self._control_period_s = control_period_s
        self._arm = arm()
        self._max_step_rad = np.asarray(ur10e.SPEED_LIMIT_RAD_S) * control_period_s
        self._gripper_t = gripper_centre_of_mass_t(GRASP_HEIGHT_M)

    def begin(
        self,
        part: Part,
        conditions: Conditions,
        tool: Array,
        fixture_w: Array,
        resistance: Resistance | None = None,
    ) -> CellState:
        """Hold `part` at rest with the tool at `tool` (6,) over a fixture at `fixture_w` (4, 4)."""
        self.part, self.conditions, self._resistance = part, conditions, resistance
        period_s = self._periods_s[conditions.clearance_m < FINE_CLEARANCE_M]
        self._sub_steps = round(self._control_period_s / period_s)
        world, config, end = self.world, self.compliance, self.compliance.arm
        world.clear(period_s)
        world.add_fixture("fixture", part.fixture_solids(conditions.clearance_m, conditions.chamfer_m))
        self._grasp = np.array(conditions.grasp)
        world.add_tool(
            part.solids(),
            mass_kg=end.end_mass_kg,
            inertia_kg_m2=end.end_inertia_kg_m2,
            pads_above_tip_m=GRASP_HEIGHT_M,
            grip=conditions.grip,
            grasp=self._grasp,
            friction=conditions.friction,
            pose_w=pose_matrix(tool),
        )
        gains = config.gains(stiffness_scale=conditions.stiffness_scale, dead_band_n=conditions.dead_band_n)
        self._servoed = ServoedArm(config.arm, period_s, positions=self._positions)
        self._servoed.begin(tool, gains, conditions.servo)
        self._target = tool.copy()
        self._load = np.zeros(3)
        self.joints_rad = self._arm.solve(pose_matrix(tool), np.array(_home_rad()))
        self._fixture_w = fixture_w.copy()
        world.pose_fixture("fixture", fixture_w)
        self._motion = world.tool_motion()
        return self._state(np.zeros(6), 0.0)

    def move(self, target: Array, fixture_w: Array) -> CellState:
        """One control period in which the reference goes to `target` (6,) and the fixture to `fixture_w`.

        The reference goes no further than the joints can follow.
        """
        self.joints_rad = self.joints_at(self._servoed.tool)
        goal = self._reachable(target)
        start, sub_steps = self._target, self._sub_steps
        ramp = start + (goal - start) * (np.arange(1, sub_steps + 1) / sub_steps)[:, None]
        self._target = goal
        moved_m = fixture_w[:3, 3] - self._fixture_w[:3, 3]
        rests = not moved_m.any()
        peak_n, end_mass_kg = 0.0, self.compliance.arm.end_mass_kg
        servoed, world, dt = self._servoed, self.world, self.world.physics_period_s
        position, quaternion, velocity, angular = self._motion
        with world.sharp_contacts():
            for index in range(sub_steps):
                if not rests:
                    self._fixture_w[:3, 3] += moved_m / sub_steps
                    world.shift_fixture("fixture", self._fixture_w[:3, 3])
                force, torque = servoed.push(position, quaternion, velocity, angular, ramp[index])
                if self._resistance is not None:
                    self._resist(self._resistance, dt)
                world.push(position, force, torque)
                before = velocity
                position, quaternion, velocity, angular = world.tool_motion()
                peak_n = max(peak_n, felt_force_n(before, velocity, force, end_mass_kg, dt, self._load))
        self._motion = position, quaternion, velocity, angular
        self._fixture_w[:3, 3] = fixture_w[:3, 3]
        self._let_slip()
        return self._state(servoed.reading(sub_steps), peak_n)

    def _resist(self, resistance: Resistance, dt: float) -> None:
        """Load the part with the resistance; the wrist sensor and the pads carry it as they carry contact."""
        tip_w, quaternion = self.world.part_place()
        wrench_f = resistance.wrench_f(place_in(self._fixture_w, tip_w, quaternion), dt)
        force_w, torque_w = turned_out(self._fixture_w, wrench_f)
        if any(force_w) or any(torque_w):
            self.world.load_part(tip_w, force_w, torque_w)

    def _part_f(self) -> Array:
        """(4, 4) the part's frame in the fixture frame."""
        return place_in(self._fixture_w, *self.world.part_place())

    @property
    def grasp(self) -> Array:
        """How the part sits in the fingers now, as in `Conditions.grasp`."""
        return self._grasp

    @property
    def hand(self) -> Array:
        """(6,) pose of gripper and hand camera: the tool's, less what the arm bends."""
        return self._servoed.hand

    @property
    def fixture_w(self) -> Array:
        """(4, 4) the fixture now."""
        return self._fixture_w

    def joints_at(self, tool: Array) -> Array:
        """(6,) [rad] joints that hold the tool at `tool` (6,), or come as near in a control period."""
        return self._arm.track(self.joints_rad, tool[:3], rotation_matrix(tool[3:]), self._max_step_rad)

    def _reachable(self, target: Array) -> Array:
        """The target, or where the joints can take the tool towards it within one control period."""
        joints_rad = self.joints_at(target)
        reached = self._arm.tool_pose(joints_rad)
        if np.abs(reached[:3, 3] - target[:3]).max() < 1e-6:
            return target.copy()
        turned = reached[:3, :3]
        return np.array([*reached[:3, 3], *(0.5 * _skew(turned))])

    def _let_slip(self) -> None:
        """Let the pads hold the part where it has slipped to."""
        now, slips = self.world.grip_state()
        if slips:
            self._grasp = now
            self.world.hold(now)

    def _state(self, contact_w: Array, peak_n: float) -> CellState:
        tool = self._servoed.tool
        below_m = GRASP_HEIGHT_M - 0.5 * self.part.length_m
        return CellState(
            tool=tool,
            part_f=self._part_f(),
            wrench_t=_weighed(contact_w, tool, self._grasp, below_m, self.part.mass_kg, self._gripper_t),
            peak_force_n=peak_n,
            overlap_m=self.world.contact("fixture")[1],
        )

    def close(self) -> None:
        self.world.close()


@compiled
def _weighed(
    contact_w: Array, tool: Array, grasp: Array, below_m: float, mass_kg: float, gripper_t: Array
) -> Array:
    """Wrench (6,) on the wrist sensor in the tool frame: contact and the weights of gripper and part.

    `contact_w` (6,) is in the world, `tool` (6,) the tool's pose. The part of `mass_kg` is held at `grasp`
    (3,), its centre of mass `below_m` below the pads; the gripper's is at `gripper_t` (3,).
    """
    rotation = rotation_matrix(tool[3:])
    turn_rad, x_m, z_m = grasp
    part_t = (
        x_m - below_m * math.sin(turn_rad),
        0.0,
        GRASP_HEIGHT_M + z_m - below_m * math.cos(turn_rad),
    )
    moment, down_t, out = np.empty(3), np.empty(3), np.zeros(6)
    for axis in range(3):
        moment[axis] = GRIPPER_MASS_KG * gripper_t[axis] + mass_kg * part_t[axis]
        down_t[axis] = -GRAVITY_M_S2 * rotation[2, axis]
        for row in range(3):
            out[axis] += rotation[row, axis] * contact_w[row]
            out[3 + axis] += rotation[row, axis] * contact_w[3 + row]
        out[axis] += (GRIPPER_MASS_KG + mass_kg) * down_t[axis]
    for axis in range(3):
        following, last = (axis + 1) % 3, (axis + 2) % 3
        out[3 + axis] += moment[following] * down_t[last] - moment[last] * down_t[following]
    return out


def _skew(rotation: Array) -> Array:
    """Twice the skew part of a small rotation (3, 3) as a vector (3,)."""
    return np.array(
        [
            rotation[2, 1] - rotation[1, 2],
            rotation[0, 2] - rotation[2, 0],
            rotation[1, 0] - rotation[0, 1],
        ]
    )
