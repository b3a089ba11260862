"""The mechanics of the welding cell: the arm on its taught path, the part in its fixture, contacts."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from cellwright_assets import arithmetic, asset_path, ur10e
from cellwright_assets.urdf import URDF_NAME
from cellwright_envs.physics.robot import Arm
from cellwright_envs.physics.world import Box, World
from cellwright_envs.welding.disturbances import WeldDisturbanceState
from cellwright_envs.welding.part.product import WeldProduct
from cellwright_envs.welding.part.seam import FLANK_M, SeamDeviation, deviate, seam_frames
from cellwright_perception.seam.taught_path import LEAD_IN_M, STEP_M, SeamFrames
from cellwright_runtime.interface.torch_path import TorchPath, torch_rotations

Array = NDArray[np.float64]

ORIGIN_W = np.array([0.75, 0.0, 0.20])
"""Middle of every product's seam, on the base plate's surface; well inside the UR10e's reach."""
PLAN_STEP = 5
SEGMENT = 12
FIXTURE_HALF_M = np.array([0.16, 0.16, 0.05])
TABLE_HALF_M = np.array([0.3, 0.6, 0.03])
SOLVER_ITERATIONS = 20
"""Of Bullet in each physics step. The arm is held by six motors, and nothing else pushes it; 50 place the
wire by at most 17 um otherwise."""
LEFT_BEHIND = 64
"""Products whose shapes may stay in memory, 80 kB each, before the world is made anew, which takes 20 ms."""


@lru_cache(maxsize=32)
def taught_program(product: WeldProduct) -> tuple[SeamFrames, Array, Array]:
    """The drawing's seam, torch rotations (N, 3, 3) along it and the joints (M, 6) at every fifth sample.

    Raises UnreachablePoseError when the arm cannot weld the product where the fixture holds it.
    """
    frames = seam_frames(product, ORIGIN_W)
    procedure = product.procedure
    torch = torch_rotations(
        frames.rotations_w,
        work_angle_rad=procedure.work_angle_rad,
        push_angle_rad=procedure.push_angle_rad,
    )
    last = frames.index(frames.length_m) + 2
    poses = np.tile(np.eye(4), (len(range(0, last, PLAN_STEP)), 1, 1))
    poses[:, :3, :3] = torch[:last:PLAN_STEP]
    poses[:, :3, 3] = frames.points_w[:last:PLAN_STEP]
    return frames, torch, _arm().plan(poses)


@lru_cache(maxsize=1)
def _arm() -> Arm:
    return Arm()


class WeldCell:
    """One robot, one table, one part at a time."""

    def __init__(self, sub_steps: int) -> None:
        """`sub_steps` are those of the physics in one control period."""
        self._sub_steps = sub_steps
        self.world = World(solver_iterations=SOLVER_ITERATIONS)
        self._furnish()
        self._product: WeldProduct | None = None
        self._arm = _arm()
        self._max_step_rad = np.asarray(ur10e.SPEED_LIMIT_RAD_S) * sub_steps * self.world.physics_period_s

    def _furnish(self) -> None:
        """Put arm, fixture and table into an empty world."""
        self.world.load_arm(
            asset_path(URDF_NAME),
            joint_names=ur10e.JOINT_NAMES,
            torque_limits_n_m=ur10e.TORQUE_LIMIT_N_M,
        )
        top = ORIGIN_W - [0.0, 0.0, 0.075]
        self.world.add_static(
            "fixture", [Box(half_m=FIXTURE_HALF_M, centre_body=top - [0, 0, 0.05], rotation_body=np.eye(3))]
        )
        table = ORIGIN_W - [0.0, 0.0, 0.175 + 0.03]
        self.world.add_static("table", [Box(half_m=TABLE_HALF_M, centre_body=table, rotation_body=np.eye(3))])
        self._left_behind = 0

    def load(self, product: WeldProduct) -> None:
        """Put another product into the fixture; does nothing when it is there already."""
        if product is self._product:
            return
        self.frames, self.torch_rotations_w, self._joint_path = taught_program(product)
        self._path = TorchPath(self.frames, self.torch_rotations_w)
        if self._left_behind >= LEFT_BEHIND:
            self.world.clear(self.world.physics_period_s)
            self._furnish()
        elif self._product is not None:
            self.world.remove_static("part")
            self._left_behind += 1
        self.world.add_static("part", part_boxes(product))
        self._product = product

    def start(self, deviation: SeamDeviation, path_position_m: float) -> Array:
        """Place the part as it lies and the torch above the path; return the tool's pose (4, 4)."""
        self.world.place_static("part", deviation.translation_w, deviation.yaw_rad, ORIGIN_W)
        sample = int((path_position_m + LEAD_IN_M) / STEP_M)
        self._commanded = self._joint_path[sample // PLAN_STEP].copy()
        for _ in range(20):
            self._commanded = self._solve(path_position_m, 0.0, 0.0)
        self.world.reset_arm(self._commanded)
        self.joints_rad = self._commanded
        return self._tool_pose(self._commanded)

    def _solve(self, path_position_m: float, lateral_m: float, height_m: float) -> Array:
        point, rotation = self._path.pose(path_position_m, lateral_m, height_m)
        return self._arm.track(self._commanded, point, rotation, self._max_step_rad)

    def _tool_pose(self, joints_rad: Array) -> Array:
        return self._arm.tool_pose(joints_rad)

    def move(self, path_position_m: float, lateral_m: float, height_m: float) -> Array:
        """One control period towards a corrected point of the path; return the tool pose reached (4, 4)."""
        return self._follow(self._solve(path_position_m, lateral_m, height_m))

    def move_to(self, point_w: Array, rotation_w: Array) -> Array:
        """One control period towards a tool at a point (3,), turned (3, 3); return its pose (4, 4)."""
        return self._follow(self._arm.track(self._commanded, point_w, rotation_w, self._max_step_rad))

    def _follow(self, target: Array) -> Array:
        measured = self.world.follow(self._commanded, target, self._sub_steps)
        self._commanded = target
        self.joints_rad = measured
        return self._tool_pose(measured)

    def close(self) -> None:
        self.world.close()


def part_in_fixture(
    product: WeldProduct, frames: SeamFrames, disturbed: WeldDisturbanceState
) -> SeamDeviation:
    """How the part lies in the fixture this time, and how its shape differs from the drawing."""
    position = frames.path_position_m
    translation_w, yaw_rad = disturbed.fixture_offset.pose()
    return deviate(
        frames,
        ORIGIN_W,
        translation_w=translation_w,
        yaw_rad=yaw_rad,
        warp_m=disturbed.part_warp.offset_m(position),
        gap_m=disturbed.gap_m(
            position,
            seam_length_m=frames.length_m,
            nominal_gap_m=product.gap_m,
            thickness_m=product.thickness_m,
        ),
        misalignment_m=(
            disturbed.misalignment.step_m(position, product.thickness_m)
            if product.joint == "butt"
            else np.zeros_like(position)
        ),
        tack_m=np.minimum(
            disturbed.tack_welds.height_m(position),
            disturbed.tack_welds.ground_to_of_thickness * product.thickness_m,
        ),
        thickness_m=product.thickness_m * disturbed.thickness_batch.scale,
    )


@lru_cache(maxsize=32)
def part_boxes(product: WeldProduct) -> tuple[Box, ...]:
    """The two plates as boxes along the seam, for contacts; warp and gap are too small to matter there."""
    frames, _, _ = taught_program(product)
    thickness_m = product.thickness_m
    boxes: list[Box] = []
    first, last = 0, len(frames.path_position_m) - 1
    if product.path.closed:
        first, last = frames.index(0.0), frames.index(frames.length_m)
    for index in range(first, last, SEGMENT):
        middle = min(index + SEGMENT // 2, last)
        point, along = frames.points_w[middle], frames.rotations_w[middle][:, 0]
        base, web = frames.base_directions_w[middle], frames.web_directions_w[middle]
        # Base and web of a saddle do not stand at right angles: each plate has directions of its own.
        lying = partial(_plate, point, along, base, _across(along, base, web))
        standing = partial(_plate, point, along, _across(along, web, base), web)
        if product.joint == "butt":
            boxes += [lying((-FLANK_M, FLANK_M), (-thickness_m, 0.0))]
        elif product.joint == "lap":
            boxes += [
                lying((-FLANK_M, FLANK_M), (-thickness_m, 0.0)),
                lying((-FLANK_M, 0.0), (0.0, thickness_m)),
            ]
        else:
            boxes += [
                lying((-thickness_m, FLANK_M), (-thickness_m, 0.0)),
                standing((-thickness_m, 0.0), (0.0, FLANK_M)),
            ]
    return tuple(boxes)


def _across(along: Array, direction: Array, towards: Array) -> Array:
    """The normal of the plane of `along` and `direction`, on the side of `towards`."""
    normal = np.cross(along, direction)
    return np.asarray(normal * np.sign(arithmetic.inner(normal, towards)))


def _plate(
    point: Array, along: Array, out: Array, up: Array, out_m: tuple[float, float], up_m: tuple[float, float]
) -> Box:
    """A piece of plate spanning `out_m` along `out` and `up_m` along `up` from `point`."""
    centre = point + 0.5 * (out_m[0] + out_m[1]) * out + 0.5 * (up_m[0] + up_m[1]) * up
    half = np.array([0.65 * SEGMENT * STEP_M, 0.5 * (out_m[1] - out_m[0]), 0.5 * (up_m[1] - up_m[0])])
    return Box(half_m=half, centre_body=centre, rotation_body=np.stack([along, np.cross(up, along), up], 1))
