from collections.abc import Iterator

import numpy as np
import pybullet
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cellwright_assets import TCP_FROM_FLANGE, asset_path, ur10e
from cellwright_envs.physics.robot import LOWEST_JOINT_M, Arm, UnreachablePoseError
from cellwright_envs.welding.weld_cell import WeldCell
from cellwright_runtime.kinematics import (
    CONTINUITY_RAD,
    forward_kinematics,
    inverse_kinematics,
    jacobian,
    link_poses,
)

Array = NDArray[np.float64]

joint_vectors = st.lists(st.floats(-np.pi, np.pi), min_size=6, max_size=6).map(np.array)
STEP_250_HZ_RAD = np.array(ur10e.SPEED_LIMIT_RAD_S) / 250.0
HOME = np.array(ur10e.HOME_Q_RAD)


def dh_product(q: Array) -> Array:
    """Return the flange by the textbook product Rz(theta) Tz(d) Tx(a) Rx(alpha)."""
    pose = np.eye(4)
    for theta, d, a, alpha in zip(q, ur10e.DH_D_M, ur10e.DH_A_M, ur10e.DH_ALPHA_RAD, strict=True):
        ct, st_, ca, sa = np.cos(theta), np.sin(theta), np.cos(alpha), np.sin(alpha)
        pose = pose @ np.array(
            [
                [ct, -st_ * ca, st_ * sa, a * ct],
                [st_, ct * ca, -ct * sa, a * st_],
                [0.0, sa, ca, d],
                [0.0, 0.0, 0.0, 1.0],
            ]
        )
    return pose


def seam_pose(position_b: Array, heading_rad: float, tilt_rad: float = 0.0) -> Array:
    """Return a tool pose: x along the heading, the wire leaning `tilt_rad` to the right (-y) at its top."""
    ch, sh, ct, st_ = np.cos(heading_rad), np.sin(heading_rad), np.cos(tilt_rad), np.sin(tilt_rad)
    pose = np.eye(4)
    pose[:3, 0] = (ch, sh, 0.0)
    pose[:3, 2] = (st_ * sh, -st_ * ch, ct)
    pose[:3, 1] = np.cross(pose[:3, 2], pose[:3, 0])
    pose[:3, 3] = position_b
    return pose


def smallest_singular_value(q: Array, arm: Arm) -> float:
    return float(np.linalg.svd(jacobian(q, arm.tool), compute_uv=False)[-1])


def circle_seam(center_b: Array, direction: int, start_rad: float, count: int = 121) -> Array:
    """Return tool poses around a 60 mm tube standing on a plate, the wire at 45 degrees from outside."""
    poses = []
    for angle_rad in start_rad + direction * np.linspace(0.0, 2.0 * np.pi, count):
        radial = np.array([np.cos(angle_rad), np.sin(angle_rad), 0.0])
        heading_rad = angle_rad + direction * np.pi / 2.0
        poses.append(seam_pose(center_b + 0.03 * radial, heading_rad, direction * np.pi / 4.0))
    return np.array(poses)


@settings(deadline=None)  # the first call compiles
@given(joint_vectors)
def test_forward_kinematics_is_the_dh_product(q: Array) -> None:
    np.testing.assert_allclose(forward_kinematics(q), dh_product(q), atol=1e-9)


@pytest.fixture(scope="module")
def bullet() -> Iterator[tuple[int, int]]:
    client = pybullet.connect(pybullet.DIRECT)
    body = pybullet.loadURDF(str(asset_path("ur10e_torch.urdf")), useFixedBase=True, physicsClientId=client)
    yield client, body
    pybullet.disconnect(physicsClientId=client)


def test_link_frames_are_those_of_the_urdf(bullet: tuple[int, int]) -> None:
    client, body = bullet
    names = [
        pybullet.getJointInfo(body, joint, physicsClientId=client)[1].decode()
        for joint in range(pybullet.getNumJoints(body, physicsClientId=client))
    ]
    assert names == list(ur10e.JOINT_NAMES), "the torch must not add bodies"
    rng = np.random.default_rng(7)
    for q in rng.uniform(-2.0 * np.pi, 2.0 * np.pi, (20, 6)):
        for joint in range(6):
            pybullet.resetJointState(body, joint, q[joint], physicsClientId=client)
        poses = link_poses(q)
        for joint in range(6):
            state = pybullet.getLinkState(body, joint, computeForwardKinematics=True, physicsClientId=client)
            rotation = np.reshape(pybullet.getMatrixFromQuaternion(state[5]), (3, 3))
            np.testing.assert_allclose(poses[joint + 1, :3, 3], state[4], atol=1e-6)
            np.testing.assert_allclose(poses[joint + 1, :3, :3], rotation, atol=1e-6)


# Upper arm and forearm: Universal_Robots_ROS2_Description, config/ur10e/physical_parameters.yaml.
def test_the_arm_in_the_world_has_the_published_inertia() -> None:
    cell = WeldCell(10)
    client, body = cell.world._client, cell.world._arm
    for joint, largest in ((1, 0.77068), (2, 0.30928)):
        moments = pybullet.getDynamicsInfo(body, joint, physicsClientId=client)[2]
        assert max(moments) == pytest.approx(largest, rel=0.01)
    cell.close()


@settings(deadline=None)
@given(joint_vectors)
def test_jacobian_agrees_with_finite_differences(q: Array) -> None:
    step_rad = 1e-6
    analytic = jacobian(q, TCP_FROM_FLANGE)
    for joint in range(6):
        after, before = q.copy(), q.copy()
        after[joint] += step_rad
        before[joint] -= step_rad
        pose_after, pose_before = (forward_kinematics(moved) @ TCP_FROM_FLANGE for moved in (after, before))
        linear = (pose_after[:3, 3] - pose_before[:3, 3]) / (2.0 * step_rad)
        spin = (pose_after[:3, :3] - pose_before[:3, :3]) @ pose_before[:3, :3].T / (2.0 * step_rad)
        np.testing.assert_allclose(analytic[:3, joint], linear, atol=1e-6)
        np.testing.assert_allclose(analytic[3:, joint], (spin[2, 1], spin[0, 2], spin[1, 0]), atol=1e-5)


@settings(deadline=None)
@given(joint_vectors)
@example(np.array([-0.5565019480362166, 0.0, 0.55859375, -1.0, 0.0, 0.0]))  # wrist 3 is free
def test_every_inverse_solution_holds_the_flange_there(q: Array) -> None:
    flange = forward_kinematics(q)
    solutions = inverse_kinematics(flange, q[5])
    solutions = solutions[~np.isnan(solutions[:, 0])]
    assert len(solutions) > 0
    for solution in solutions:
        # Rounding of an arc cosine near a stretched arm costs the square root of the machine's precision.
        np.testing.assert_allclose(forward_kinematics(solution), flange, atol=1e-6)


@settings(deadline=None)
@given(joint_vectors)
def test_solve_returns_to_where_the_arm_is(q: Array) -> None:
    arm = Arm()
    solution = arm.solve(arm.tool_pose(q), q)
    np.testing.assert_allclose(arm.tool_pose(solution), arm.tool_pose(q), atol=1e-6)
    if smallest_singular_value(q, arm) > 0.01:
        np.testing.assert_allclose(solution, q, atol=1e-6)


def test_solve_keeps_whole_turns_near_the_start() -> None:
    arm = Arm()
    start = HOME + np.array([0.0, 0.0, 0.0, 2.0 * np.pi, 0.0, 2.0 * np.pi])
    solution = arm.solve(arm.tool_pose(HOME), start)
    np.testing.assert_allclose(solution, start, atol=1e-9)


def test_a_pose_out_of_reach_is_refused_with_residual_and_advice() -> None:
    with pytest.raises(
        UnreachablePoseError, match=r"pose 0 at \(2\.000, 0\.000, 0\.100\) m.*reaches 1\.18 m"
    ) as info:
        Arm().solve(seam_pose(np.array([2.0, 0.0, 0.1]), 0.0), HOME)
    assert 0.3 < info.value.residual_m < 1.5
    assert isinstance(info.value, ValueError)


def test_plan_names_the_first_pose_it_cannot_take() -> None:
    points = np.linspace(0.7, 1.6, 40)
    targets = np.array([seam_pose(np.array([x, 0.0, 0.1]), 0.0) for x in points])
    with pytest.raises(UnreachablePoseError) as info:
        Arm().plan(targets)
    assert 10 < info.value.index < 39
    np.testing.assert_array_equal(info.value.pose_b, targets[info.value.index])
    Arm().plan(targets[: info.value.index])


def test_plan_takes_a_far_pose_that_only_some_configurations_hold() -> None:
    arm = Arm()
    target = seam_pose(np.array([0.95, 0.0, 0.1]), np.pi)
    solutions = inverse_kinematics(target @ np.linalg.inv(arm.tool), 0.0)
    assert 0 < np.isnan(solutions[:, 0]).sum() < 8
    np.testing.assert_allclose(arm.tool_pose(arm.plan(target[None])[0]), target, atol=1e-9)


def test_plan_refuses_a_pose_under_the_table() -> None:
    with pytest.raises(UnreachablePoseError, match="over the base plane"):
        Arm().plan(seam_pose(np.array([0.7, 0.0, -0.4]), 0.0)[None])


def test_plan_refuses_a_jump() -> None:
    targets = np.array([seam_pose(np.array([0.7, y, 0.1]), 0.0) for y in (-0.5, 0.5)])
    with pytest.raises(UnreachablePoseError, match=r"joint steps under 0\.6 rad"):
        Arm().plan(targets)


def test_limits_that_forbid_a_turn_are_named() -> None:
    lower_rad, upper_rad = np.array(ur10e.LOWER_LIMIT_RAD), np.array(ur10e.UPPER_LIMIT_RAD)
    lower_rad[5], upper_rad[5] = -0.3, 0.3
    targets = np.array([seam_pose(np.array([0.75, 0.0, 0.1]), turn) for turn in np.linspace(0.0, 1.5, 40)])
    Arm().plan(targets)
    with pytest.raises(UnreachablePoseError, match="meets its limit"):
        Arm(lower_rad=lower_rad, upper_rad=upper_rad).plan(targets)


def test_the_wrist_does_not_fold_onto_the_forearm() -> None:
    arm = Arm()
    for q in arm.plan(circle_seam(np.array([0.65, 0.0, 0.2]), 1, 0.0)):
        forearm, flange = link_poses(q)[3], forward_kinematics(q)[:3, 3]
        axis_x_m = np.linspace(ur10e.DH_A_M[2], 0.0, 200)
        axis = forearm[:3, 3] + ur10e.ELBOW_OFFSET_M * forearm[:3, 2] + axis_x_m[:, None] * forearm[:3, 0]
        assert np.linalg.norm(axis - flange, axis=1).min() > 0.114


@pytest.mark.parametrize("height_m", [0.0, 0.1, 0.2])
@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("start_rad", [0.0, np.pi / 2.0, np.pi, -np.pi / 2.0])
def test_a_full_circle_around_a_tube_is_one_motion(height_m: float, direction: int, start_rad: float) -> None:
    arm = Arm()
    targets = circle_seam(np.array([0.75, 0.0, height_m]), direction, start_rad)
    path = arm.plan(targets)
    assert np.all((path >= arm.lower_rad) & (path <= arm.upper_rad))
    assert np.abs(np.diff(path, axis=0)).max() < CONTINUITY_RAD / 2.0
    assert min(smallest_singular_value(q, arm) for q in path) > 0.05
    assert min(link_poses(q)[3:, 2, 3].min() for q in path) > LOWEST_JOINT_M
    np.testing.assert_allclose([arm.tool_pose(q) for q in path], targets, atol=1e-7)


@pytest.mark.parametrize("heading_deg", range(0, 360, 45))
@pytest.mark.parametrize("tilt_deg", [-45, 0, 45])
def test_seams_of_any_heading_fit_with_the_elbow_up(heading_deg: int, tilt_deg: int) -> None:
    arm = Arm()
    heading_rad = np.deg2rad(heading_deg)
    along = np.array([np.cos(heading_rad), np.sin(heading_rad), 0.0])
    center = np.array([0.7, 0.0, 0.1])
    targets = np.array(
        [
            seam_pose(center + s * along, heading_rad, np.deg2rad(tilt_deg))
            for s in np.linspace(-0.12, 0.12, 49)
        ]
    )
    path = arm.plan(targets)
    heights_m = np.array([link_poses(q)[:, 2, 3] for q in path])
    assert np.all(heights_m[:, 3] > heights_m[:, 4]), "the elbow is over wrist 1"


def test_plan_starts_nearest_to_a_given_start() -> None:
    arm = Arm()
    path = arm.plan(arm.tool_pose(HOME)[None], start_q=HOME)
    np.testing.assert_allclose(path[0], HOME, atol=1e-9)


def test_home_holds_the_wire_upright_over_the_table() -> None:
    pose = Arm().tool_pose(HOME)
    np.testing.assert_allclose(pose[:3, 3], (0.7, 0.0, 0.35), atol=0.01)
    assert pose[2, 2] > np.cos(np.deg2rad(1.0))


def test_track_follows_a_seam_to_a_micrometre() -> None:
    arm = Arm()
    targets = circle_seam(np.array([0.75, 0.0, 0.1]), 1, 0.0, count=7501)
    q = arm.plan(targets[::50])[0]
    for target in targets[1:2000]:
        q = arm.track(q, target[:3, 3].copy(), target[:3, :3].copy(), STEP_250_HZ_RAD)
        assert np.linalg.norm(arm.tool_pose(q)[:3, 3] - target[:3, 3]) < 1e-6


@settings(deadline=None)
@given(joint_vectors, joint_vectors)
def test_track_respects_speed_and_limits(q: Array, goal: Array) -> None:
    arm = Arm(lower_rad=np.full(6, -np.pi), upper_rad=np.full(6, np.pi))
    target = arm.tool_pose(goal)
    moved = arm.track(q, target[:3, 3].copy(), target[:3, :3].copy(), STEP_250_HZ_RAD)
    assert np.all(np.abs(moved - q) <= STEP_250_HZ_RAD * (1.0 + 1e-9))
    assert np.all((moved >= arm.lower_rad - 1e-12) & (moved <= arm.upper_rad + 1e-12))


@settings(deadline=None)
@given(st.floats(-1e-3, 1e-3), st.sampled_from([2, 4]), st.integers(0, 2))
def test_near_a_singularity_steps_stay_bounded(angle_rad: float, joint: int, axis: int) -> None:
    """A millimetre of tool motion through a straight wrist or elbow must not cost a jump of the joints."""
    arm = Arm()
    q = HOME.copy()
    q[joint] = angle_rad
    target = arm.tool_pose(q)
    target[axis, 3] += 0.001
    moved = arm.track(q, target[:3, 3].copy(), target[:3, :3].copy(), np.full(6, np.inf), iterations=1)
    assert np.abs(moved - q).max() < 0.05


def test_track_comes_back_after_a_singularity() -> None:
    arm = Arm()
    q = HOME.copy()
    q[4] = 0.0
    target = arm.tool_pose(HOME)
    for _ in range(2000):
        q = arm.track(q, target[:3, 3].copy(), target[:3, :3].copy(), STEP_250_HZ_RAD)
    np.testing.assert_allclose(arm.tool_pose(q), target, atol=1e-6)


@pytest.mark.parametrize(
    ("poses", "message"),
    [
        (np.eye(4), r"shape \(N, 4, 4\), got \(4, 4\)"),
        (np.full((2, 4, 4), np.nan), "finite rigid"),
        (2.0 * np.eye(4)[None], "finite rigid"),
    ],
)
def test_plan_refuses_what_is_no_pose(poses: Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Arm().plan(poses)


def test_limits_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValueError, match="lower limits below upper"):
        Arm(lower_rad=np.ones(6), upper_rad=np.zeros(6))
