"""The physics world of one cell. Nothing else in this package talks to PyBullet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import moved, product, turned
from cellwright_envs.physics.grip_joints import GRIP_JOINTS, SLIPPING, TOOL
from cellwright_envs.physics.silence import without_lines
from cellwright_envs.physics.transforms import quaternion

with without_lines("pybullet build time"):
    import pybullet

Array = NDArray[np.float64]
Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]

ARM_PHYSICS_PERIOD_S = 1.0 / 250.0
"""240 Hz, PyBullet's habit, is no whole multiple of the 25 Hz control rate."""

_SHAPES_PER_BODY = 16


@dataclass(frozen=True, kw_only=True)
class Box:
    """One box of a body: half sizes (3,) [m], centre (3,) [m] and rotation (3, 3) in the body's frame.

    A static body's frame is the world's until the body is placed elsewhere.
    """

    half_m: Array
    centre_body: Array
    rotation_body: Array


@dataclass(frozen=True, kw_only=True)
class Cylinder:
    """A round collision shape along z, of exact radius: centre (3,) [m] in the frame of its body."""

    radius_m: float
    length_m: float
    centre_body: Array


@dataclass(frozen=True, kw_only=True)
class Grip:
    """Loads that two flat finger pads hold by friction; under larger ones the part slips."""

    along_n: float
    """Load along z, the axis of the part."""
    across_n: float
    """Load along x, across the part in the plane of the pads."""
    twist_n_m: float
    """Moment about y, the normal of the pads."""


class World:
    """A PyBullet client with one position-controlled arm and static bodies around it."""

    GRAVITY_M_S2 = 9.81

    def __init__(
        self, *, physics_period_s: float = ARM_PHYSICS_PERIOD_S, solver_iterations: int = 50
    ) -> None:
        """`solver_iterations` are those of each physics step, Bullet's own number unless given."""
        self._solver_iterations = solver_iterations
        self._client = pybullet.connect(pybullet.DIRECT)
        self.clear(physics_period_s)

    def clear(self, physics_period_s: float) -> None:
        """Forget every body and start again at `physics_period_s`; a cleared world equals a fresh one.

        Nothing else frees collision shapes: PyBullet keeps those of bodies that were removed.
        """
        client = self._client
        pybullet.resetSimulation(physicsClientId=client)
        pybullet.setPhysicsEngineParameter(
            deterministicOverlappingPairs=1,
            numSolverIterations=self._solver_iterations,
            physicsClientId=client,
        )
        pybullet.setTimeStep(physics_period_s, physicsClientId=client)
        pybullet.setGravity(0.0, 0.0, -self.GRAVITY_M_S2, physicsClientId=client)
        self.physics_period_s = physics_period_s
        self._arm = -1
        self._joints: list[int] = []
        self._torques_n_m: list[float] = []
        self._gains: list[float] = []
        self._static: dict[str, list[int]] = {}

    def load_arm(
        self,
        urdf: Path,
        *,
        joint_names: Sequence[str],
        torque_limits_n_m: Sequence[float],
        base_w: Sequence[float] = (0.0, 0.0, 0.0),
        position_gain: float = 0.4,
    ) -> None:
        """Load the arm from `urdf`, fixed at `base_w` [m]; joints are found by name."""
        # Bullet computes inertias from the collision shapes unless it is told to take those of the file.
        flags = pybullet.URDF_USE_IMPLICIT_CYLINDER | pybullet.URDF_USE_INERTIA_FROM_FILE
        self._arm = pybullet.loadURDF(
            str(urdf), list(base_w), useFixedBase=True, flags=flags, physicsClientId=self._client
        )
        by_name = {
            pybullet.getJointInfo(self._arm, index, physicsClientId=self._client)[1].decode(): index
            for index in range(pybullet.getNumJoints(self._arm, physicsClientId=self._client))
        }
        missing = [name for name in joint_names if name not in by_name]
        if missing:
            raise ValueError(f"{urdf} has no joints {missing}; it has {sorted(by_name)}")
        self._joints = [by_name[name] for name in joint_names]
        self._torques_n_m = [float(torque) for torque in torque_limits_n_m]
        self._gains = [position_gain] * len(self._joints)

    def add_static(self, name: str, solids: Sequence[Box | Cylinder]) -> None:
        """Add a fixed object made of `solids`; `name` identifies it in `touching` and `remove_static`.

        It becomes as many bodies as it takes: PyBullet drops a compound's shapes beyond the sixteenth.
        """
        self._static[name] = []
        for first in range(0, len(solids), _SHAPES_PER_BODY):
            shape = self._shape(solids[first : first + _SHAPES_PER_BODY])
            body = pybullet.createMultiBody(0.0, shape, physicsClientId=self._client)
            self._static[name].append(body)

    def remove_static(self, name: str) -> None:
        """Take a fixed object away; its collision shapes stay in memory until `clear`."""
        for body in self._static.pop(name):
            pybullet.removeBody(body, physicsClientId=self._client)

    def place_static(self, name: str, translation_w: Array, yaw_rad: float, about_w: Array) -> None:
        """Turn a static body by `yaw_rad` about the vertical through `about_w`, then shift it."""
        c, s = math.cos(yaw_rad), math.sin(yaw_rad)
        turned = np.array([c * about_w[0] - s * about_w[1], s * about_w[0] + c * about_w[1], about_w[2]])
        position = list(about_w - turned + translation_w)
        turn = [0.0, 0.0, math.sin(yaw_rad / 2), math.cos(yaw_rad / 2)]
        for body in self._static[name]:
            pybullet.resetBasePositionAndOrientation(body, position, turn, physicsClientId=self._client)

    def reset_arm(self, joints_rad: Array) -> None:
        """Put the arm at `joints_rad` (6,) at rest."""
        for joint, angle in zip(self._joints, joints_rad, strict=True):
            pybullet.resetJointState(self._arm, joint, float(angle), 0.0, physicsClientId=self._client)

    def follow(self, start_rad: Array, end_rad: Array, sub_steps: int) -> Array:
        """Command a straight joint ramp over `sub_steps` physics steps; return the joints reached (6,) [rad].

        The motors hold the arm's torque limits, so a ramp that asks for too much is followed late.
        """
        client, arm, joints = self._client, self._arm, self._joints
        ramp = start_rad + (end_rad - start_rad) * (np.arange(1, sub_steps + 1) / sub_steps)[:, None]
        velocity = ((end_rad - start_rad) / (sub_steps * self.physics_period_s)).tolist()
        control, step = pybullet.setJointMotorControlArray, pybullet.stepSimulation
        for target in ramp.tolist():
            control(
                arm,
                joints,
                pybullet.POSITION_CONTROL,
                target,
                velocity,
                self._torques_n_m,
                self._gains,
                physicsClientId=client,
            )
            step(physicsClientId=client)
        return self.joints_rad()

    def joints_rad(self) -> Array:
        """Measured joint angles (6,) [rad]."""
        states = pybullet.getJointStates(self._arm, self._joints, physicsClientId=self._client)
        return np.array([state[0] for state in states])

    def touching(self) -> str | None:
        """Name of a static body the arm or its torch touches, None when it is free."""
        if not pybullet.getContactPoints(self._arm, physicsClientId=self._client):
            return None  # as nearly always: asked in every control step
        for name, bodies in self._static.items():
            for body in bodies:
                contacts = pybullet.getContactPoints(self._arm, body, physicsClientId=self._client)
                if contacts and any(contact[8] < 0.0 for contact in contacts):
                    return name
        return None

    def _shape(self, solids: Sequence[Box | Cylinder]) -> int:
        """One compound collision shape of `solids`."""
        boxes = [isinstance(solid, Box) for solid in solids]
        return pybullet.createCollisionShapeArray(
            shapeTypes=[pybullet.GEOM_BOX if box else pybullet.GEOM_CYLINDER for box in boxes],
            halfExtents=[list(solid.half_m) if isinstance(solid, Box) else [0.0] * 3 for solid in solids],
            radii=[solid.radius_m if isinstance(solid, Cylinder) else 0.0 for solid in solids],
            lengths=[solid.length_m if isinstance(solid, Cylinder) else 0.0 for solid in solids],
            collisionFramePositions=[list(solid.centre_body) for solid in solids],
            collisionFrameOrientations=[
                quaternion(solid.rotation_body) if isinstance(solid, Box) else [0.0, 0.0, 0.0, 1.0]
                for solid in solids
            ],
            physicsClientId=self._client,
        )

    def close(self) -> None:
        """Disconnect; harmless when repeated."""
        if self._client >= 0:
            pybullet.disconnect(physicsClientId=self._client)
            self._client = -1


_RIGID_N = 1e6
"""Force of the joint that never slips."""


class ContactWorld(World):
    """A tool that a controller pushes through space, a part gripped in it, and what the part meets.

    Tool and part hang together by joints with dry friction (turning about y, sliding along x and z), which is
    how flat pads hold and lose a part; together they have the mass of what is beyond the fingers. Two things
    keep tight fits exact. Collision margins are 0, and the part, not the tool, is the root of the chain:
    Bullet passes a margin on to the shapes of a root only and leaves a link's at 1 mm, a rounding that lets a
    round peg slide into a hole 2 mm beside it. And nearly all the mass sits in the part, at its tip: with a
    light part on a heavy tool the solver, 50 iterations, lets a jammed part sink 0.2 mm into the walls. The
    arm bears the weight, so there is none here.
    Contacts further than `CONTACT_RANGE_M` are left out of the solver.
    """

    GRAVITY_M_S2 = 0.0
    CONTACT_RANGE_M = 0.5e-3
    """A part moves less than 0.3 mm in a physics step."""
    _HOLD_GAIN = 0.2
    _BREAKING, _USUAL_BREAKING = 0.001, 0.02

    def clear(self, physics_period_s: float) -> None:
        """Forget every body and start again at `physics_period_s`; a cleared world equals a fresh one."""
        super().clear(physics_period_s)
        self._turned: dict[str, list[float]] = {}

    def add_fixture(self, name: str, solids: Sequence[Box | Cylinder]) -> None:
        """Add a fixture for contacts with the part; friction is the part's business."""
        self.add_static(name, solids)
        for body in self._static[name]:
            self._contact_settings(body, -1, friction=1.0)

    def pose_fixture(self, name: str, pose_w: Array) -> None:
        """Put a fixture's frame at `pose_w` (4, 4)."""
        self._turned[name] = quaternion(pose_w[:3, :3])
        self.shift_fixture(name, pose_w[:3, 3])

    def shift_fixture(self, name: str, position_w: Array) -> None:
        """Move a fixture's frame to `position_w` (3,) [m], turned as `pose_fixture` left it."""
        position, turned = position_w.tolist(), self._turned[name]
        for body in self._static[name]:
            pybullet.resetBasePositionAndOrientation(body, position, turned, physicsClientId=self._client)

    def add_tool(
        self,
        solids: Sequence[Box | Cylinder],
        *,
        mass_kg: float,
        inertia_kg_m2: float,
        pads_above_tip_m: float,
        grip: Grip,
        grasp: Array,
        friction: float,
        pose_w: Array,
    ) -> None:
        """Add the tool at `pose_w` (4, 4), holding a part made of `solids` (in the part's frame).

        The tool's frame is at the tip of a part held as it should be; `grasp` (3,) is how this one sits:
        turned about y [rad], along x [m] and along z [m], at the middle of the pads, `pads_above_tip_m` over
        the tip.

        Raises ValueError where `solids` are more than one body takes.
        """
        if len(solids) > _SHAPES_PER_BODY:
            raise ValueError(f"a held part has at most {_SHAPES_PER_BODY} solids, got {len(solids)}")
        pads = np.array([0.0, 0.0, pads_above_tip_m])
        c, s = math.cos(grasp[0]), math.sin(grasp[0])
        rotation_w = product(pose_w[:3, :3], np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]]))
        held_w = moved(pose_w, pads + np.array([grasp[1], 0.0, grasp[2]]))
        links, part_fraction = len(GRIP_JOINTS), 1.0 - sum(joint.fraction for joint in GRIP_JOINTS)
        self._held = pybullet.createMultiBody(
            baseMass=mass_kg * part_fraction,
            baseCollisionShapeIndex=self._shape(solids),
            basePosition=(held_w - turned(rotation_w, pads)).tolist(),
            baseOrientation=quaternion(rotation_w),
            linkMasses=[joint.fraction * mass_kg for joint in GRIP_JOINTS],
            linkCollisionShapeIndices=[-1] * links,
            linkVisualShapeIndices=[-1] * links,
            linkPositions=[pads.tolist(), *[[0.0, 0.0, 0.0]] * (links - 1)],
            linkOrientations=[[0.0, 0.0, 0.0, 1.0]] * links,
            linkInertialFramePositions=[*[[0.0, 0.0, 0.0]] * (links - 1), (-pads).tolist()],
            linkInertialFrameOrientations=[[0.0, 0.0, 0.0, 1.0]] * links,
            linkParentIndices=list(range(links)),
            linkJointTypes=[
                pybullet.JOINT_REVOLUTE if joint.turns else pybullet.JOINT_PRISMATIC for joint in GRIP_JOINTS
            ],
            linkJointAxis=[list(joint.axis) for joint in GRIP_JOINTS],
            physicsClientId=self._client,
        )
        for link, fraction in enumerate(
            (part_fraction, *(joint.fraction for joint in GRIP_JOINTS)), start=-1
        ):
            self._contact_settings(self._held, link, friction=friction)
            pybullet.changeDynamics(
                self._held,
                link,
                localInertiaDiagonal=[fraction * inertia_kg_m2] * 3,
                physicsClientId=self._client,
            )
        for link in set(range(links)) - set(SLIPPING):
            pybullet.setJointMotorControl2(
                self._held,
                link,
                pybullet.POSITION_CONTROL,
                targetPosition=0.0,
                force=_RIGID_N,
                positionGain=self._HOLD_GAIN,
                physicsClientId=self._client,
            )
        self._grip_limits = [grip.twist_n_m, grip.across_n, grip.along_n]
        for link, value in zip(SLIPPING, grasp.tolist(), strict=True):
            pybullet.resetJointState(self._held, link, -value, 0.0, physicsClientId=self._client)
        self.hold(grasp)

    def hold(self, grasp: Array) -> None:
        """Let the pads hold the part as it sits now: `grasp` (3,) as `grip_state` gives it."""
        pybullet.setJointMotorControlArray(
            self._held,
            SLIPPING,
            pybullet.POSITION_CONTROL,
            (-grasp).tolist(),
            [0.0, 0.0, 0.0],
            self._grip_limits,
            [self._HOLD_GAIN] * 3,
            [1.0] * 3,
            physicsClientId=self._client,
        )

    def grip_state(self) -> tuple[Array, bool]:
        """How the part sits in the fingers (3,), and whether it is slipping: a joint at its friction's limit.

        Turned about y [rad], along x [m], along z [m]. Short of slipping the pads give way by some 0.05 mm.
        """
        states = pybullet.getJointStates(self._held, SLIPPING, physicsClientId=self._client)
        slips = any(
            abs(state[3]) >= 0.98 * limit for state, limit in zip(states, self._grip_limits, strict=True)
        )
        return np.array([-state[0] for state in states]), slips

    def tool_motion(self) -> tuple[Vector, Quaternion, Vector, Vector]:
        """Position [m], quaternion (x, y, z, w), velocity [m/s] and angular velocity [rad/s] of the tool."""
        state = pybullet.getLinkState(
            self._held,
            TOOL,
            computeLinkVelocity=1,
            computeForwardKinematics=1,
            physicsClientId=self._client,
        )
        return state[0], state[1], state[6], state[7]

    @contextmanager
    def sharp_contacts(self) -> Iterator[None]:
        """Physics steps in here forget a contact point once it has slid by some 0.05 mm.

        Bullet remembers contact points and lets them drift by 2 % of the body's size, here a millimetre: a
        part that has left a chamfer would still stand on it. The setting is one for all worlds of a process,
        so it is put back.
        """
        pybullet.setPhysicsEngineParameter(
            contactBreakingThreshold=self._BREAKING, physicsClientId=self._client
        )
        try:
            yield
        finally:
            pybullet.setPhysicsEngineParameter(
                contactBreakingThreshold=self._USUAL_BREAKING, physicsClientId=self._client
            )

    def push(self, position_w: Vector, force_w: Vector, torque_w: Vector) -> None:
        """Apply force [N] and torque [N m] to the tool, its origin at `position_w`, for a physics step."""
        client, body, link, frame = self._client, self._held, TOOL, pybullet.WORLD_FRAME
        pybullet.applyExternalForce(body, link, force_w, position_w, frame, physicsClientId=client)
        pybullet.applyExternalTorque(body, link, torque_w, frame, physicsClientId=client)
        pybullet.stepSimulation(physicsClientId=client)

    def load_part(self, tip_w: Vector, force_w: Vector, torque_w: Vector) -> None:
        """Apply force [N] and torque [N m] to the part, its origin at `tip_w`, for the next physics step."""
        client, body, frame = self._client, self._held, pybullet.WORLD_FRAME
        pybullet.applyExternalForce(body, -1, force_w, tip_w, frame, physicsClientId=client)
        pybullet.applyExternalTorque(body, -1, torque_w, frame, physicsClientId=client)

    def part_place(self) -> tuple[Vector, Quaternion]:
        """Position [m] and quaternion (x, y, z, w) of the part's frame, in the middle of its tip."""
        tip_w, quaternion = pybullet.getBasePositionAndOrientation(self._held, physicsClientId=self._client)
        return tip_w, quaternion

    def contact(self, name: str) -> tuple[Array, float]:
        """Force (3,) [N] of a fixture on the part in the last physics step, and their overlap [m]."""
        force, depth_m = np.zeros(3), 0.0
        for body in self._static[name]:
            for point in pybullet.getContactPoints(self._held, body, physicsClientId=self._client):
                if point[9] > 0.0:
                    force += point[9] * np.array(point[7])
                    # Bullet reports friction as it acts on the other body, unlike the normal force.
                    force -= point[10] * np.array(point[11]) + point[12] * np.array(point[13])
                depth_m = max(depth_m, -point[8])
        return force, depth_m

    def _contact_settings(self, body: int, link: int, *, friction: float) -> None:
        pybullet.changeDynamics(
            body,
            link,
            lateralFriction=friction,
            restitution=0.0,
            linearDamping=0.0,
            angularDamping=0.0,
            jointDamping=0.0,
            collisionMargin=0.0,
            contactProcessingThreshold=self.CONTACT_RANGE_M,
            physicsClientId=self._client,
        )
