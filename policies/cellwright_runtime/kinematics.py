"""Compiled kinematics of the UR10e arm: forward, Jacobian, inverse in closed form, steps towards a pose.

Poses are (4, 4) homogeneous matrices in the robot base frame `_b`, joint vectors are (6,) [rad] in the order
base, shoulder, elbow, wrist 1, wrist 2, wrist 3. Arrays are filled number by number: assigning a whole row
makes numba compile its error messages, for three seconds.
"""

import math

import numpy as np
from numpy.typing import NDArray

from cellwright_assets import ur10e
from cellwright_perception.compiled import compiled

Array = NDArray[np.float64]

D1_M, _, _, D4_M, _D5, _D6 = ur10e.DH_D_M
A2_M, A3_M = ur10e.DH_A_M[1:3]
_ELBOW_M = ur10e.ELBOW_OFFSET_M
_TAILS = np.stack([ur10e.dh_tail(joint) for joint in range(6)])

MANIPULABILITY_FLOOR = 0.01
"""Value of sqrt(det(J J^T)) [m^3 rad^3] under which damping grows; about a tenth of what a good pose has."""
DAMPING_AT_SINGULARITY = 0.05
"""Largest damping; bounds the joint motion per unit of tool motion at 1 / (2 damping) = 10."""
CONTINUITY_RAD = 0.6
"""Largest joint step between two neighbouring taught poses that still counts as one motion."""


@compiled
def link_poses(q: Array) -> Array:
    """Return (7, 4, 4): base (identity) and links 1..6, each turning with its joint about its own z."""
    poses = np.zeros((7, 4, 4))
    base = np.zeros((4, 4))
    for axis in range(4):
        poses[0, axis, axis] = base[axis, axis] = 1.0
    for joint in range(6):
        cosine, sine = math.cos(q[joint]), math.sin(q[joint])
        pose = poses[joint + 1]
        for row in range(3):
            pose[row, 0] = base[row, 0] * cosine + base[row, 1] * sine
            pose[row, 1] = base[row, 1] * cosine - base[row, 0] * sine
            pose[row, 2] = base[row, 2]
            pose[row, 3] = base[row, 3]
        pose[3, 3] = 1.0
        if joint < 5:
            tail = _TAILS[joint]
            for row in range(3):
                for column in range(4):
                    base[row, column] = (
                        pose[row, 0] * tail[0, column]
                        + pose[row, 1] * tail[1, column]
                        + pose[row, 2] * tail[2, column]
                    )
                base[row, 3] += pose[row, 3]
    return poses


@compiled
def forward_kinematics(q: Array) -> Array:
    """Return (4, 4): the flange, by the product of the Denavit-Hartenberg steps."""
    pose = link_poses(q)[6].copy()
    for row in range(3):
        pose[row, 3] += _D6 * pose[row, 2]
    return pose


@compiled
def tool_and_jacobian(q: Array, tool: Array) -> tuple[Array, Array]:
    """Return the tool pose (4, 4) and the Jacobian (6, 6) of its point."""
    poses = link_poses(q)
    last = poses[6]
    pose = np.zeros((4, 4))
    pose[3, 3] = 1.0
    for row in range(3):
        for column in range(4):
            pose[row, column] = (
                last[row, 0] * tool[0, column]
                + last[row, 1] * tool[1, column]
                + last[row, 2] * tool[2, column]
            )
        pose[row, 3] += last[row, 3] + _D6 * last[row, 2]
    jacobian = np.empty((6, 6))
    for joint in range(6):
        frame = poses[joint + 1]
        zx, zy, zz = frame[0, 2], frame[1, 2], frame[2, 2]
        rx, ry, rz = pose[0, 3] - frame[0, 3], pose[1, 3] - frame[1, 3], pose[2, 3] - frame[2, 3]
        jacobian[0, joint] = zy * rz - zz * ry
        jacobian[1, joint] = zz * rx - zx * rz
        jacobian[2, joint] = zx * ry - zy * rx
        jacobian[3, joint] = zx
        jacobian[4, joint] = zy
        jacobian[5, joint] = zz
    return pose, jacobian


@compiled
def jacobian(q: Array, tool: Array) -> Array:
    """Return (6, 6): linear [m/rad] over angular velocity of the tool point, in the base frame.

    `tool` (4, 4) is the tool pose seen from the flange.
    """
    return tool_and_jacobian(q, tool)[1]


@compiled
def _cholesky(matrix: Array, damping: float) -> tuple[Array, float]:
    """Return the factor L of matrix + damping^2 I, and the product of its diagonal, sqrt(det)."""
    factor = np.zeros((6, 6))
    root_det = 1.0
    for row in range(6):
        for column in range(row + 1):
            value = matrix[row, column]
            for k in range(column):
                value -= factor[row, k] * factor[column, k]
            if row == column:
                factor[row, row] = np.sqrt(max(value + damping * damping, 1e-18))
                root_det *= factor[row, row]
            else:
                factor[row, column] = value / factor[column, column]
    return factor, root_det


@compiled
def _damped_step(jac: Array, twist: Array) -> Array:
    """Return (6,) [rad]: J^T (J J^T + damping^2 I)^-1 twist; damping grows as manipulability falls.

    After Nakamura and Hanafusa, "Inverse Kinematic Solutions With Singularity Robustness", ASME 1986.
    """
    normal = np.empty((6, 6))
    for row in range(6):
        for column in range(row + 1):
            value = 0.0
            for k in range(6):
                value += jac[row, k] * jac[column, k]
            normal[row, column] = value
    factor, manipulability = _cholesky(normal, 1e-6)
    if manipulability < MANIPULABILITY_FLOOR:
        damping = DAMPING_AT_SINGULARITY * (1.0 - manipulability / MANIPULABILITY_FLOOR)
        factor, _ = _cholesky(normal, damping)
    solution = twist.copy()
    for row in range(6):
        for k in range(row):
            solution[row] -= factor[row, k] * solution[k]
        solution[row] /= factor[row, row]
    for row in range(5, -1, -1):
        for k in range(row + 1, 6):
            solution[row] -= factor[k, row] * solution[k]
        solution[row] /= factor[row, row]
    step = np.zeros(6)
    for joint in range(6):
        for row in range(6):
            step[joint] += jac[row, joint] * solution[row]
    return step


@compiled
def error_twist(pose: Array, position_b: Array, rotation_b: Array) -> Array:
    """Return (6,): translation [m] over rotation vector [rad] from `pose` to the target, base frame."""
    twist = np.zeros(6)
    trace = 0.0
    for axis in range(3):
        twist[axis] = position_b[axis] - pose[axis, 3]
        a0, a1, a2 = pose[0, axis], pose[1, axis], pose[2, axis]
        b0, b1, b2 = rotation_b[0, axis], rotation_b[1, axis], rotation_b[2, axis]
        twist[3] += 0.5 * (a1 * b2 - a2 * b1)
        twist[4] += 0.5 * (a2 * b0 - a0 * b2)
        twist[5] += 0.5 * (a0 * b1 - a1 * b0)
        trace += a0 * b0 + a1 * b1 + a2 * b2
    sine = np.sqrt(twist[3] ** 2 + twist[4] ** 2 + twist[5] ** 2)
    if sine > 1e-9:
        scale = math.atan2(sine, 0.5 * (trace - 1.0)) / sine
        twist[3] *= scale
        twist[4] *= scale
        twist[5] *= scale
    return twist


@compiled
def track(
    q: Array,
    position_b: Array,
    rotation_b: Array,
    max_step_rad: Array,
    tool: Array,
    lower_rad: Array,
    upper_rad: Array,
    iterations: int,
) -> Array:
    """Return (6,) [rad]: joints moved from `q` towards the target; see `robot.Arm.track`."""
    reached = q.copy()
    for _ in range(iterations):
        pose, jac = tool_and_jacobian(reached, tool)
        twist = error_twist(pose, position_b, rotation_b)
        # A far target is approached in steps for which the linearisation holds.
        shift2, turn2 = 0.0, 0.0
        for axis in range(3):
            shift2 += twist[axis] ** 2
            turn2 += twist[3 + axis] ** 2
        far = max(np.sqrt(shift2) / 0.1, np.sqrt(turn2) / 0.3)
        if far < 1e-9:
            break
        for axis in range(6):
            twist[axis] /= max(far, 1.0)
        step = _damped_step(jac, twist)
        for joint in range(6):
            reached[joint] = min(max(reached[joint] + step[joint], lower_rad[joint]), upper_rad[joint])
    # One factor for all joints keeps the direction of the motion when a joint is too slow.
    fraction = 1.0
    for joint in range(6):
        moved = abs(reached[joint] - q[joint])
        if moved * fraction > max_step_rad[joint]:
            fraction = max_step_rad[joint] / moved
    for joint in range(6):
        reached[joint] = q[joint] + fraction * (reached[joint] - q[joint])
    return reached


@compiled
def _wrapped(angle_rad: float) -> float:
    """Return the angle brought into -pi..pi."""
    return angle_rad - 2.0 * np.pi * np.round(angle_rad / (2.0 * np.pi))


@compiled
def _arccos(value: float) -> float:
    """Return arccos, nan beyond what rounding explains."""
    if abs(value) > 1.0 + 1e-9:
        return np.nan
    return math.acos(min(max(value, -1.0), 1.0))


@compiled
def inverse_kinematics(flange_b: Array, wrist_3_rad: float) -> Array:
    """Return (8, 6) [rad] in -pi..pi: every way to hold the flange at `flange_b` (4, 4), or nan rows.

    Closed form after Hawkins, "Analytic Inverse Kinematics for the Universal Robots UR-5/UR-10 Arms",
    Georgia Tech 2013. Row 4 i + 2 j + k: shoulder i, wrist j, elbow k. Where wrist 3 is free, because its
    axis is parallel to those of joints 2 to 4, it takes `wrist_3_rad`.
    """
    out = np.empty((8, 6))
    r, p = flange_b[:3, :3], flange_b[:3, 3]
    wrist_x, wrist_y = p[0] - _D6 * r[0, 2], p[1] - _D6 * r[1, 2]
    reach = np.sqrt(wrist_x**2 + wrist_y**2)
    swing = _arccos(D4_M / max(reach, 1e-12))
    for row in range(8):
        shoulder, wrist, elbow = 1 - 2 * (row // 4), 1 - 2 * (row // 2 % 2), 1 - 2 * (row % 2)
        q1 = math.atan2(wrist_y, wrist_x) + shoulder * swing + np.pi / 2.0
        c1, s1 = math.cos(q1), math.sin(q1)
        q5 = wrist * _arccos((p[0] * s1 - p[1] * c1 - D4_M) / _D6)
        s5 = math.sin(q5)
        q6 = wrist_3_rad
        # Both are a sine of joint 5. The arc cosine above turns rounding of 1e-15 into an angle of 1e-7.
        across_y, across_x = r[1, 1] * c1 - r[0, 1] * s1, r[0, 0] * s1 - r[1, 0] * c1
        if abs(s5) > 1e-7 and across_y * across_y + across_x * across_x > 1e-14:
            q6 = math.atan2(across_y / s5, across_x / s5)
        c6, s6 = math.cos(q6), math.sin(q6)
        # Axis 5 (z5), then the x axis of DH frame 4 before joint 5 has turned it (x4).
        z5_x, z5_y = -r[0, 0] * s6 - r[0, 1] * c6, -r[1, 0] * s6 - r[1, 1] * c6
        z5_z = -r[2, 0] * s6 - r[2, 1] * c6
        x6_x, x6_y = r[0, 0] * c6 - r[0, 1] * s6, r[1, 0] * c6 - r[1, 1] * s6
        x6_z = r[2, 0] * c6 - r[2, 1] * s6
        c5 = math.cos(q5)
        x4_b = (c5 * x6_x - s5 * r[0, 2], c5 * x6_y - s5 * r[1, 2], c5 * x6_z - s5 * r[2, 2])
        x4_1, y4_1 = c1 * x4_b[0] + s1 * x4_b[1], x4_b[2]
        origin_x = p[0] - _D6 * r[0, 2] - _D5 * z5_x
        origin_y = p[1] - _D6 * r[1, 2] - _D5 * z5_y
        origin_z = p[2] - _D6 * r[2, 2] - _D5 * z5_z
        plane_x, plane_y = c1 * origin_x + s1 * origin_y, origin_z - D1_M
        distance2 = plane_x**2 + plane_y**2
        q3 = elbow * _arccos((distance2 - A2_M**2 - A3_M**2) / (2.0 * A2_M * A3_M))
        q2 = math.atan2(plane_y, plane_x) - math.atan2(A3_M * math.sin(q3), A2_M + A3_M * math.cos(q3))
        q4 = math.atan2(y4_1, x4_1) - q2 - q3
        for joint, angle_rad in enumerate((q1, q2, q3, q4, q5, q6)):
            out[row, joint] = _wrapped(angle_rad)
        total = 0.0
        for joint in range(6):
            total += out[row, joint]
        for joint in range(6):
            out[row, joint] = np.nan if np.isnan(total) else out[row, joint]
    return out


@compiled
def follow(flanges_b: Array, start_q: Array) -> tuple[Array, int]:
    """Return the joint path (N, 6) nearest to `start_q` pose by pose, and how many poses it reached."""
    path = np.full((len(flanges_b), 6), np.nan)
    before = start_q.copy()
    for index in range(len(flanges_b)):
        candidates = inverse_kinematics(flanges_b[index], before[5])
        best = np.inf
        for row in range(8):
            largest = 0.0
            for joint in range(6):
                largest = max(largest, abs(_wrapped(candidates[row, joint] - before[joint])))
            if not np.isnan(candidates[row, 0]) and largest < best:
                best = largest
                for joint in range(6):
                    path[index, joint] = before[joint] + _wrapped(candidates[row, joint] - before[joint])
        if best > CONTINUITY_RAD:
            return path, index
        before = path[index].copy()
    return path, len(flanges_b)


@compiled
def _forearm_clearance_m(poses: Array) -> float:
    """Return the distance from the middle of the flange to the axis of the forearm, given the link poses."""
    forearm, last = poses[3], poses[6]
    square, along = 0.0, 0.0
    offset = np.empty(3)
    for row in range(3):
        offset[row] = last[row, 3] + _D6 * last[row, 2] - forearm[row, 3] - _ELBOW_M * forearm[row, 2]
        along += offset[row] * forearm[row, 0]
    along = min(max(along, A3_M), 0.0)
    for row in range(3):
        square += (offset[row] - along * forearm[row, 0]) ** 2
    return np.sqrt(square)


@compiled
def posture(path: Array, tool: Array) -> tuple[Array, Array]:
    """Return Jacobians (N, 6, 6) and distances (N, 3) [m] along a joint path (N, 6).

    The distances: height of the lowest of elbow and wrists; rise of the elbow over the middle of shoulder and
    wrist 1; flange to forearm.
    """
    jacobians = np.empty((len(path), 6, 6))
    distances_m = np.empty((len(path), 3))
    for index in range(len(path)):
        jacobian_now = tool_and_jacobian(path[index], tool)[1]
        for row in range(6):
            for joint in range(6):
                jacobians[index, row, joint] = jacobian_now[row, joint]
        poses = link_poses(path[index])
        lowest_m = poses[3, 2, 3]
        for link in range(4, 7):
            lowest_m = min(lowest_m, poses[link, 2, 3])
        distances_m[index, 0] = lowest_m
        distances_m[index, 1] = poses[3, 2, 3] - 0.5 * (poses[2, 2, 3] + poses[4, 2, 3])
        distances_m[index, 2] = _forearm_clearance_m(poses)
    return jacobians, distances_m


_SWEEPS = 20
"""Rounds of rotations after which a matrix is as diagonal as rounding lets it be; most take six."""


@compiled
def smallest_of_each(matrices: Array) -> Array:
    """Return the smallest singular values (N,) of `matrices` (N, n, n), by one-sided Jacobi rotations."""
    smallest = np.empty(len(matrices))
    for index in range(len(matrices)):
        columns = matrices[index].T.copy()
        for _ in range(_SWEEPS):
            if not _turn_square(columns):
                break
        square = np.inf
        for column in columns:
            square = min(square, _inner(column, column))
        smallest[index] = np.sqrt(square)
    return smallest


@compiled
def _turn_square(columns: Array) -> bool:
    """Turn each two rows of `columns` in their plane until they are square; return whether any was not."""
    turned = False
    for first in range(len(columns) - 1):
        for second in range(first + 1, len(columns)):
            a, b = columns[first], columns[second]
            long, other, across = _inner(a, a), _inner(b, b), _inner(a, b)
            if across * across <= 1e-26 * long * other:
                continue
            turned = True
            ratio = (other - long) / (2.0 * across)
            tangent = (1.0 if ratio >= 0.0 else -1.0) / (abs(ratio) + np.sqrt(1.0 + ratio * ratio))
            cosine = 1.0 / np.sqrt(1.0 + tangent * tangent)
            for k in range(len(a)):
                before = a[k]
                a[k] = cosine * (before - tangent * b[k])
                b[k] = cosine * (tangent * before + b[k])
    return turned


@compiled
def _inner(a: Array, b: Array) -> float:
    total = 0.0
    for k in range(len(a)):
        total += a[k] * b[k]
    return total
