"""A picture of the assembly cell for people: arm, gripper, part and fixture, and the images of both
cameras."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_assets import box_mesh, robot_meshes, tube_mesh
from cellwright_assets.assembly_cell import BLOCK_HEIGHT_M, GRASP_HEIGHT_M, Surface
from cellwright_assets.gripper import body_meshes, finger_meshes
from cellwright_assets.meshes import Faces, Vertices
from cellwright_assets.prisms import prism_mesh, round_outline
from cellwright_envs.assembly.cameras import CameraRig
from cellwright_envs.assembly.cell import NOMINAL_FIXTURE_W, AssemblyCell, Conditions, pose_matrix
from cellwright_envs.assembly.parts.part import Part, Shape
from cellwright_envs.rendering.scene import Scene
from cellwright_envs.rendering.shot import Shot
from cellwright_envs.rendering.studio import Studio
from cellwright_perception.camera import looking_at
from cellwright_runtime.kinematics import link_poses

Array = NDArray[np.float64]
Colour = tuple[float, float, float]

FOCAL_PX = 980.0
EYE_FROM_FIXTURE_M = np.array([0.37, -0.43, 0.22])
TARGET_FROM_FIXTURE_M = np.array([-0.02, 0.0, 0.065])
FLOOR_M = -0.75
STUDIO = Studio(
    key_lamps=16,
    sky_lamps=20,
    key_spread=0.04,
    sky_strength=0.6,
    floor_height_m=FLOOR_M,
    floor_colour=(0.36, 0.38, 0.41),
    horizon_colour=(0.50, 0.54, 0.59),
    zenith_colour=(0.26, 0.31, 0.38),
)
BENCH: Colour = (0.30, 0.33, 0.37)
HOLE: Colour = (0.16, 0.21, 0.28)
COLOURS: dict[Surface, Colour] = {
    Surface.PART: (0.90, 0.68, 0.30),
    Surface.BLOCK: (0.30, 0.42, 0.55),
    Surface.CHAMFER: HOLE,
    Surface.WALL: HOLE,
    Surface.GROUND: HOLE,
    Surface.HOUSING: (0.62, 0.65, 0.60),
    Surface.GEAR: (0.62, 0.65, 0.69),
}
_COLOURS = np.array([COLOURS[surface] for surface in Surface])
CAMERA: Colour = (0.85, 0.60, 0.10)
CLAMP: Colour = (0.16, 0.16, 0.18)


@dataclass(frozen=True, kw_only=True)
class InsertionMoment:
    """What a picture of an assembly cell shows."""

    cell: AssemblyCell
    product: Part
    conditions: Conditions
    cameras: CameraRig
    tool_w: Array
    """Pose (4, 4) of the tool in the world."""
    part_w: Array
    """Pose (4, 4) of the part in the world."""
    delivered_frame: NDArray[np.uint8]
    """The frames that both cameras delivered last, (2, H, W)."""


def shot(moment: InsertionMoment) -> Shot:
    """Return the cell at `moment`, to be taken as a picture, with both camera frames in its corners."""
    scene = Scene()
    _add_hall(scene)
    _add_robot(scene, moment)
    _add_part(scene, moment)
    eye_w, target_w = NOMINAL_FIXTURE_W + EYE_FROM_FIXTURE_M, NOMINAL_FIXTURE_W + TARGET_FROM_FIXTURE_M
    return Shot(
        scene=scene,
        camera_from_world=looking_at(eye_w, target_w),
        focal_px=FOCAL_PX,
        studio=STUDIO,
        insets=tuple(moment.delivered_frame),
    )


def _add(scene: Scene, name: str, mesh: tuple[Vertices, Faces], colour: Colour, pose_w: Array) -> None:
    scene.add_body(name, *mesh, colour=colour, segmentation_id=0)
    scene.set_pose(name, pose_w)


def _add_shape(scene: Scene, name: str, shape: Shape, pose_w: Array) -> None:
    colour = _COLOURS[shape.surface]
    scene.add_body(name, shape.vertices, shape.faces, colour=colour, segmentation_id=0)
    scene.set_pose(name, pose_w)


def _add_hall(scene: Scene) -> None:
    """Bench and the robot's pedestal."""
    top_m = float(NOMINAL_FIXTURE_W[2]) - BLOCK_HEIGHT_M - 0.02
    bench = box_mesh((0.5, 0.9, top_m - FLOOR_M), (NOMINAL_FIXTURE_W[0], 0.0, 0.5 * (top_m + FLOOR_M)))
    pedestal = box_mesh((0.24, 0.24, -FLOOR_M), (0.0, 0.0, 0.5 * FLOOR_M))
    _add(scene, "bench", bench, BENCH, np.eye(4))
    _add(scene, "pedestal", pedestal, BENCH, np.eye(4))


def _add_robot(scene: Scene, moment: InsertionMoment) -> None:
    """Arm, sensor and gripper, and the camera on the hand."""
    world_from_link = link_poses(moment.cell.joints_rad)
    for index, mesh in enumerate(robot_meshes()):
        if not mesh.name.startswith("torch"):
            shape = mesh.vertices, mesh.faces
            _add(scene, f"{mesh.name} {index}", shape, mesh.color, world_from_link[mesh.link])
    tool_w = moment.tool_w
    for tool_mesh in (*finger_meshes(GRASP_HEIGHT_M, moment.product.width_m), *body_meshes(GRASP_HEIGHT_M)):
        _add(scene, tool_mesh.name, (tool_mesh.vertices, tool_mesh.faces), tool_mesh.color, tool_w)
    rig = moment.cameras
    _add_camera(scene, "hand camera", np.array(rig.hand_position_t), np.array(rig.hand_target_t), tool_w)
    arm_m = box_mesh((0.05, 0.016, 0.008), (0.052, 0.0, 0.122))
    _add(scene, "camera bracket", arm_m, CLAMP, tool_w)


def _add_camera(scene: Scene, name: str, position: Array, target: Array, pose_w: Array) -> None:
    """A small housing behind the optical centre, and its lens."""
    back = (position - target) / np.linalg.norm(position - target)
    body = tube_mesh(np.stack([position + 0.010 * back, position + 0.042 * back]), [0.013, 0.013], 4)
    lens = tube_mesh(np.stack([position, position + 0.012 * back]), [0.008, 0.009], 12)
    _add(scene, name, body, CAMERA, pose_w)
    _add(scene, f"{name}'s lens", lens, CLAMP, pose_w)


def _add_part(scene: Scene, moment: InsertionMoment) -> None:
    """The part where it hangs, the fixture where it stands, on a plate with four screws."""
    part, fixture_w = moment.product, moment.cell.fixture_w
    conditions = moment.conditions
    _add_shape(scene, "fixture", part.fixture_shape(conditions.clearance_m, conditions.chamfer_m), fixture_w)
    plate = box_mesh((0.13, 0.09, 0.02), (0.0, 0.0, -BLOCK_HEIGHT_M - 0.010))
    _add(scene, "plate", plate, BENCH, fixture_w)
    for index, (x_m, y_m) in enumerate([(x, y) for x in (-0.05, 0.05) for y in (-0.034, 0.034)]):
        screw = prism_mesh(round_outline(0.005, 12), -BLOCK_HEIGHT_M, -BLOCK_HEIGHT_M + 0.004)
        _add(
            scene, f"screw {index}", screw, CLAMP, fixture_w @ pose_matrix(np.array([x_m, y_m, 0, 0, 0, 0.0]))
        )
    _add_shape(scene, "part", part.shape(fine=True), moment.part_w)
    rig = moment.cameras
    position, target = np.array(rig.fixed_position_f), np.array(rig.fixed_target_f)
    _add_camera(
        scene, "fixed camera", position, target, pose_matrix(np.array([*NOMINAL_FIXTURE_W, 0, 0, 0.0]))
    )
