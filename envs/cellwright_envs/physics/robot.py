"""Where a UR10e with a tool can go, and how it gets there: poses, tracking, taught paths.

Poses are (4, 4) homogeneous matrices in the robot base frame `_b`, joint vectors are (6,) [rad] in the order
base, shoulder, elbow, wrist 1, wrist 2, wrist 3.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellwright_assets import arithmetic, ur10e
from cellwright_assets.arithmetic import length
from cellwright_assets.welding_torch import TCP_FROM_FLANGE
from cellwright_envs.physics.transforms import inverted, product
from cellwright_runtime.kinematics import (
    A2_M,
    A3_M,
    CONTINUITY_RAD,
    D1_M,
    D4_M,
    error_twist,
    follow,
    forward_kinematics,
    inverse_kinematics,
    jacobian,
    posture,
    smallest_of_each,
    track,
)

Array = NDArray[np.float64]

_TURNS_RAD = 2.0 * np.pi * np.arange(-3, 4)

LOWEST_JOINT_M = 0.08
"""Elbow and wrists must stay this high over the base plane, on which the table stands."""
FOREARM_CLEARANCE_M = 0.115
"""From the middle of the flange to the forearm's axis: radii of 45 and 50 mm, and 20 mm of air."""
SMALLEST_SINGULAR_VALUE = 0.02
"""A planned path keeps the Jacobian's smallest singular value above this; metres and radians count alike.

It is 0 at a singularity; 0.1 to 0.3 is good for this arm."""


class UnreachablePoseError(ValueError):
    """A pose that the arm cannot take within its limits."""

    def __init__(
        self, message: str, *, pose_b: Array, residual_m: float, residual_rad: float, index: int
    ) -> None:
        super().__init__(message)
        self.pose_b = pose_b
        """(4, 4) the tool pose asked for, in the base frame."""
        self.residual_m = residual_m
        """How far from it the nearest pose found stays, in position."""
        self.residual_rad = residual_rad
        """How far from it the nearest pose found stays, in rotation."""
        self.index = index
        """Which of the poses asked for it is."""


class Arm:
    """A UR10e with a tool: where it can go and how it gets there."""

    def __init__(
        self,
        *,
        tool: ArrayLike = TCP_FROM_FLANGE,
        lower_rad: ArrayLike = ur10e.LOWER_LIMIT_RAD,
        upper_rad: ArrayLike = ur10e.UPPER_LIMIT_RAD,
    ) -> None:
        """Take the tool pose seen from the flange (4, 4) and the joint limits (6,) [rad]."""
        self.tool: Array = _checked_poses(tool, 2)
        self.lower_rad: Array = np.array(lower_rad, dtype=np.float64)
        self.upper_rad: Array = np.array(upper_rad, dtype=np.float64)
        if self.lower_rad.shape != (6,) or not np.all(self.lower_rad < self.upper_rad):
            raise ValueError(
                f"need six lower limits below upper ones, got {self.lower_rad}, {self.upper_rad}"
            )
        self._flange_seen_from_tool = inverted(self.tool)

    def tool_pose(self, q: Array) -> Array:
        """Return (4, 4): the tool in the base frame."""
        return np.asarray(product(forward_kinematics(q), self.tool))

    def jacobian(self, q: Array) -> Array:
        """Return (6, 6): linear over angular velocity of the tool point, in the base frame."""
        return np.asarray(jacobian(q, self.tool))

    def track(
        self,
        q: Array,
        target_position_b: Array,
        target_rotation_b: Array,
        max_step_rad: Array,
        *,
        iterations: int = 2,
    ) -> Array:
        """Return (6,) [rad]: the joints moved from `q` towards a tool target, for the control loop.

        Damped least squares; no joint leaves its limits or moves by more than `max_step_rad` (6,). Near a
        singularity the tool lags behind instead of the joints racing. Position (3,) [m], rotation (3, 3); all
        arrays float64 and contiguous, since every other layout is compiled anew.
        """
        limits = self.lower_rad, self.upper_rad
        return np.asarray(
            track(q, target_position_b, target_rotation_b, max_step_rad, self.tool, *limits, iterations)
        )

    def solve(self, target_b: Array, start_q: Array) -> Array:
        """Return (6,) [rad]: the joint vector nearest to `start_q` that holds the tool at `target_b` (4, 4).

        Nearest by its largest joint motion, within the limits. Raises UnreachablePoseError if there is none.
        """
        target_b, start_q = _checked_poses(target_b, 2), np.asarray(start_q, dtype=np.float64)
        candidates = inverse_kinematics(product(target_b, self._flange_seen_from_tool), float(start_q[5]))
        turned = candidates + _TURNS_RAD[:, None, None]
        fits = (turned >= self.lower_rad) & (turned <= self.upper_rad)
        motion_rad = np.where(fits, np.abs(turned - start_q), np.inf)
        row = int(np.argmin(motion_rad.min(axis=0).max(axis=1)))
        chosen = np.argmin(motion_rad[:, row], axis=0), row, np.arange(6)
        if not np.isfinite(motion_rad[chosen]).all():
            raise self._unreachable(target_b, 0, "no configuration within the joint limits holds it")
        return np.asarray(turned[chosen])

    def plan(self, targets_b: Array, start_q: Array | None = None) -> Array:
        """Return (N, 6) [rad]: one continuous joint path through the tool poses `targets_b` (N, 4, 4).

        Tries every configuration (shoulder, elbow, wrist) and every whole turn of each joint. Of the paths
        within the limits, over the table, clear of the forearm and of singularities, takes one with the
        elbow up and the best conditioning, or with `start_q` (6,) the one whose start is nearest to it.
        Between neighbouring poses no joint may move more than `CONTINUITY_RAD`. Raises UnreachablePoseError
        with the index of the first pose that no path passes.
        """
        targets_b = _checked_poses(targets_b, 3)
        flanges_b = arithmetic.product(targets_b, self._flange_seen_from_tool)
        best, best_score, fault = None, (False, -np.inf), (-1, "no configuration holds it")
        starts = inverse_kinematics(flanges_b[0], ur10e.HOME_Q_RAD[5])
        for first in starts[~np.isnan(starts[:, 0])]:
            path, reached = follow(flanges_b, first)
            score, stop, why = self._quality(path[:reached], len(flanges_b))
            if stop < len(flanges_b):
                fault = max(fault, (stop, why))
                continue
            turned = self._with_turns(path, start_q)
            if start_q is not None:
                score = True, -float(np.max(np.abs(turned[0] - start_q)))
            if score > best_score:
                best, best_score = turned, score
        if best is None:
            index, why = max(fault[0], 0), fault[1]
            raise self._unreachable(targets_b[index], index, why)
        return best

    def _quality(self, path: Array, wanted: int) -> tuple[tuple[bool, float], int, str]:
        """Return how good a path is, and index and reason of its first fault.

        Good is an elbow up all the way, then a large singular value at the worst pose. The index is `wanted`,
        the number of poses, where there is no fault.
        """
        jacobians, distances_m = posture(path, self.tool)
        lowest_m, rise_m, clearance_m = distances_m.T
        values = smallest_of_each(jacobians)
        low = np.minimum.accumulate(path, axis=0) + _TURNS_RAD[:, None, None]
        high = np.maximum.accumulate(path, axis=0) + _TURNS_RAD[:, None, None]
        fits = np.any((low >= self.lower_rad) & (high <= self.upper_rad), axis=0)
        checks = (
            (~fits.all(axis=1), "a joint meets its limit on the way there"),
            (
                lowest_m < LOWEST_JOINT_M,
                f"elbow or a wrist comes under {LOWEST_JOINT_M} m over the base plane",
            ),
            (clearance_m < FOREARM_CLEARANCE_M, "the wrist folds onto the forearm"),
            (values < SMALLEST_SINGULAR_VALUE, "the arm becomes singular there"),
        )
        faults = [(int(np.argmax(wrong)), why) for wrong, why in checks if wrong.any()]
        if len(path) < wanted:
            faults.append((len(path), f"nothing comes there with joint steps under {CONTINUITY_RAD} rad"))
        score = bool(np.all(rise_m > 0.0)), float(values.min())
        return score, *min(faults, default=(wanted, ""))

    def _with_turns(self, path: Array, near: Array | None) -> Array:
        """Return a path (N, 6) that can fit the limits, with whole turns added so that it does.

        Takes the start nearest to `near` (6,), or else stays farthest from the limits.
        """
        low, high = path.min(axis=0) + _TURNS_RAD[:, None], path.max(axis=0) + _TURNS_RAD[:, None]
        margin = np.minimum(low - self.lower_rad, self.upper_rad - high)
        cost = -margin if near is None else np.abs(path[0] + _TURNS_RAD[:, None] - near)
        return np.asarray(path + _TURNS_RAD[np.argmin(np.where(margin >= 0.0, cost, np.inf), axis=0)])

    def _unreachable(self, target_b: Array, index: int, why: str) -> UnreachablePoseError:
        """Return the error for one pose, with what is left after damped least squares from two starts."""
        position_b, rotation_b = target_b[:3, 3].copy(), target_b[:3, :3].copy()
        limits, free = (self.lower_rad, self.upper_rad), np.full(6, np.inf)
        residuals = []
        for swing_rad in (0.0, np.pi):
            toward_rad = math.atan2(position_b[1], position_b[0]) + swing_rad
            start = np.clip(np.array([toward_rad, *ur10e.HOME_Q_RAD[1:]]), *limits)
            q = track(start, position_b, rotation_b, free, self.tool, *limits, 200)
            twist = error_twist(self.tool_pose(q), position_b, rotation_b)
            residuals.append((float(length(twist[:3])), float(length(twist[3:]))))
        residual_m, residual_rad = min(residuals, key=sum)
        position = ", ".join(f"{value:.3f}" for value in position_b)
        message = (
            f"cannot take tool pose {index} at ({position}) m in the base frame: {why}. The nearest "
            f"pose within limits is {residual_m * 1e3:.1f} mm and {np.rad2deg(residual_rad):.1f} degrees "
            f"off. Wrist 1 reaches {-A2_M - A3_M:.2f} m around (0, 0, {D1_M:.2f}) m and no nearer to axis "
            f"1 than {D4_M:.2f} m; seams of any heading fit 0.75 m to 0.85 m in front of the base"
        )
        return UnreachablePoseError(
            message, pose_b=target_b, residual_m=residual_m, residual_rad=residual_rad, index=index
        )


def _checked_poses(poses: ArrayLike, dimensions: int) -> Array:
    """Return rigid transforms as contiguous float64 (4, 4) or (N, 4, 4); ValueError says what is wrong."""
    checked = np.ascontiguousarray(poses, dtype=np.float64)
    wanted = "(N, 4, 4)" if dimensions == 3 else "(4, 4)"
    if checked.ndim != dimensions or checked.shape[-2:] != (4, 4) or len(checked) == 0:
        raise ValueError(f"need poses of shape {wanted}, got {checked.shape}")
    rotation = checked[..., :3, :3]
    rigid = np.allclose(arithmetic.product(rotation, np.swapaxes(rotation, -1, -2)), np.eye(3), atol=1e-6)
    right_handed = arithmetic.inner(np.cross(rotation[..., 0], rotation[..., 1]), rotation[..., 2]) > 0.0
    if not (rigid and np.all(right_handed) and np.isfinite(checked).all()):
        raise ValueError(f"poses must be finite rigid transforms, got {checked}")
    return checked
