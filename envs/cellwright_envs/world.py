"""The physics world of one cell. Nothing else in this package talks to PyBullet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pybullet
from numpy.typing import NDArray

Array = NDArray[np.float64]

PHYSICS_PERIOD_S = 1.0 / 250.0
"""240 Hz, PyBullet's habit, is no whole multiple of the 25 Hz control rate."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """One box of a static body: half sizes (3,) [m], centre (3,) [m] and rotation (3, 3) in the world."""

    half_m: Array
    centre_w: Array
    rotation_w: Array


class World:
    """A PyBullet client with one position-controlled arm and static bodies around it."""

    def __init__(self, *, physics_period_s: float = PHYSICS_PERIOD_S) -> None:
        self.physics_period_s = physics_period_s
        self._client = pybullet.connect(pybullet.DIRECT)
        pybullet.setPhysicsEngineParameter(deterministicOverlappingPairs=1, physicsClientId=self._client)
        pybullet.setTimeStep(physics_period_s, physicsClientId=self._client)
        pybullet.setGravity(0.0, 0.0, -9.81, physicsClientId=self._client)
        self._arm = -1
        self._joints: list[int] = []
        self._torques_n_m: list[float] = []
        self._gains: list[float] = []
        self._static: dict[str, int] = {}

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
        flags = pybullet.URDF_USE_IMPLICIT_CYLINDER
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

    def add_static(self, name: str, boxes: Sequence[Box]) -> None:
        """Add a fixed body made of `boxes`; `name` identifies it in `touching` and `remove_static`."""
        shape = pybullet.createCollisionShapeArray(
            shapeTypes=[pybullet.GEOM_BOX] * len(boxes),
            halfExtents=[list(box.half_m) for box in boxes],
            collisionFramePositions=[list(box.centre_w) for box in boxes],
            collisionFrameOrientations=[_quaternion(box.rotation_w) for box in boxes],
            physicsClientId=self._client,
        )
        self._static[name] = pybullet.createMultiBody(0.0, shape, physicsClientId=self._client)

    def remove_static(self, name: str) -> None:
        pybullet.removeBody(self._static.pop(name), physicsClientId=self._client)

    def place_static(self, name: str, translation_w: Array, yaw_rad: float, about_w: Array) -> None:
        """Turn a static body by `yaw_rad` about the vertical through `about_w`, then shift it."""
        c, s = np.cos(yaw_rad), np.sin(yaw_rad)
        turned = np.array([c * about_w[0] - s * about_w[1], s * about_w[0] + c * about_w[1], about_w[2]])
        pybullet.resetBasePositionAndOrientation(
            self._static[name],
            list(about_w - turned + translation_w),
            [0.0, 0.0, np.sin(yaw_rad / 2), np.cos(yaw_rad / 2)],
            physicsClientId=self._client,
        )

    def reset_arm(self, joints_rad: Array) -> None:
        """Put the arm at `joints_rad` (6,) at rest."""
        for joint, angle in zip(self._joints, joints_rad, strict=True):
            pybullet.resetJointState(self._arm, joint, float(angle), 0.0, physicsClientId=self._client)

    def follow(self, start_rad: Array, end_rad: Array, sub_steps: int) -> Array:
        """Command a straight joint ramp over `sub_steps` physics steps; return the measured joints (6,) [rad].

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

    def joint_velocities_rad_s(self) -> Array:
        """Measured joint speeds (6,) [rad/s]."""
        states = pybullet.getJointStates(self._arm, self._joints, physicsClientId=self._client)
        return np.array([state[1] for state in states])

    def touching(self) -> str | None:
        """Name of a static body the arm or its torch touches, None when it is free."""
        for name, body in self._static.items():
            contacts = pybullet.getContactPoints(self._arm, body, physicsClientId=self._client)
            if contacts and any(contact[8] < 0.0 for contact in contacts):
                return name
        return None

    def close(self) -> None:
        """Disconnect; harmless when repeated."""
        if self._client >= 0:
            pybullet.disconnect(physicsClientId=self._client)
            self._client = -1


def _quaternion(rotation: Array) -> list[float]:
    """(x, y, z, w) of a rotation matrix (3, 3)."""
    trace = np.trace(rotation)
    if trace > 0:
        w = 0.5 * np.sqrt(1.0 + trace)
        axis = np.array(
            [
                rotation[2, 1] - rotation[1, 2],
                rotation[0, 2] - rotation[2, 0],
                rotation[1, 0] - rotation[0, 1],
            ]
        )
        return [*(axis / (4 * w)), w]
    largest = int(np.argmax(np.diag(rotation)))
    i, j, k = largest, (largest + 1) % 3, (largest + 2) % 3
    quaternion = np.zeros(4)
    quaternion[i] = 0.5 * np.sqrt(1.0 + rotation[i, i] - rotation[j, j] - rotation[k, k])
    quaternion[j] = (rotation[j, i] + rotation[i, j]) / (4 * quaternion[i])
    quaternion[k] = (rotation[k, i] + rotation[i, k]) / (4 * quaternion[i])
    quaternion[3] = (rotation[k, j] - rotation[j, k]) / (4 * quaternion[i])
    return quaternion.tolist()
