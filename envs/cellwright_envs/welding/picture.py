"""A picture of the weld cell for people: arm, fixture, the part as it lies, the bead laid so far, the arc."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_assets import box_mesh, robot_meshes, tube_mesh
from cellwright_envs.rendering.scene import PointLight, Scene
from cellwright_envs.rendering.shot import Shot
from cellwright_envs.rendering.studio import Studio
from cellwright_envs.welding.inspection.bead_record import BIN_M, BeadRecord
from cellwright_envs.welding.inspection.quality import Feature
from cellwright_envs.welding.part.paths import SaddlePath
from cellwright_envs.welding.part.product import WeldProduct
from cellwright_envs.welding.part.seam import FLANK_M, SeamDeviation, seam_mesh, sweep
from cellwright_envs.welding.sensor_head import SensorHead
from cellwright_envs.welding.weld_camera import CONTACT_TIP_M, WIRE_RADIUS_M
from cellwright_envs.welding.weld_cell import FIXTURE_HALF_M, ORIGIN_W, TABLE_HALF_M, WeldCell
from cellwright_envs.welding.wire_placement import WirePlacement
from cellwright_perception.seam.taught_path import STEP_M
from cellwright_runtime.kinematics import link_poses

Array = NDArray[np.float64]
Colour = tuple[float, float, float]

FOCAL_PX = 960.0
EYE_FROM_TARGET_M = np.array([0.34, -0.56, 0.21])
"""Low enough to look under a torch that leans over a fillet."""
EYE_ABOVE_CLOSED_SEAM_M = np.array([0.33, -0.50, 0.37])
"""High enough to see the far side of a round seam."""
TARGET_FROM_ORIGIN_M = np.array([-0.02, 0.0, 0.035])
FLOOR_M = -0.75
"""Bench and robot stand on the floor this far below the robot's base."""
STUDIO = Studio(
    key_lamps=16,
    sky_lamps=20,
    key_spread=0.04,
    sky_strength=0.55,
    floor_height_m=FLOOR_M,
    floor_colour=(0.36, 0.38, 0.41),
    horizon_colour=(0.50, 0.54, 0.59),
    zenith_colour=(0.26, 0.31, 0.38),
)

BENCH: Colour = (0.30, 0.33, 0.37)
FIXTURE: Colour = (0.46, 0.48, 0.52)
PLATE: Colour = (0.58, 0.60, 0.63)
SENSOR: Colour = (0.85, 0.60, 0.10)
BRACKET: Colour = (0.16, 0.16, 0.18)
WIRE: Colour = (0.80, 0.52, 0.32)
LASER: Colour = (1.6, 0.0, 0.02)
"""Brighter than white: it shines by itself."""
BEAD_PASSES: Colour = (0.80, 0.64, 0.36)
BEAD_FAILS: Colour = (0.86, 0.10, 0.08)
"""Bead that misses level C."""
BEAD_GLOWS: Colour = (2.0, 0.75, 0.2)
GLOW_LENGTH_M = 0.012
ARC_INTENSITY_M2 = 0.7e-3


@dataclass(frozen=True, kw_only=True)
class WeldMoment:
    """What a picture of the weld cell shows."""

    cell: WeldCell
    product: WeldProduct
    deviation: SeamDeviation
    """How the part lies and differs from its drawing."""
    wire: WirePlacement
    pose_w: Array
    """Pose (4, 4) of the torch in the world."""
    record: BeadRecord
    sensor: SensorHead
    tracking_errors_m: Sequence[float]
    """Lateral error of the wire at every control step that welded [m]."""
    arc_on: bool


def shot(moment: WeldMoment) -> Shot:
    """Return the cell at `moment`, to be taken as a picture."""
    scene = Scene()
    _add_hall(scene)
    _add_robot(scene, moment)
    _add_part(scene, moment)
    _add_bead(scene, moment)
    _add_laser_line(scene, moment)
    arc = None
    if moment.arc_on:
        tip_w = moment.pose_w[:3] @ [*moment.wire.tip_t[:2], 1.5e-3, 1.0]
        arc = PointLight(position_w=tuple(tip_w.tolist()), intensity_m2=ARC_INTENSITY_M2)
    target_w = ORIGIN_W + TARGET_FROM_ORIGIN_M
    eye_m = EYE_ABOVE_CLOSED_SEAM_M if moment.product.path.closed else EYE_FROM_TARGET_M
    return Shot(
        scene=scene,
        camera_from_world=_look_at(target_w + eye_m, target_w),
        focal_px=FOCAL_PX,
        studio=STUDIO,
        arc=arc,
    )


def _look_at(eye_w: Array, target_w: Array) -> Array:
    """Pose `camera_from_world` (4, 4) of a level camera."""
    forward = (target_w - eye_w) / np.linalg.norm(target_w - eye_w)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    camera_from_world = np.eye(4)
    camera_from_world[:3, :3] = [right, np.cross(forward, right), forward]
    camera_from_world[:3, 3] = -camera_from_world[:3, :3] @ eye_w
    return camera_from_world


def _add_box(scene: Scene, name: str, size_m: Array, centre_w: Array, colour: Colour) -> None:
    vertices, faces = box_mesh(size_m, centre_w)
    scene.add_body(name, vertices, faces, colour=colour, segmentation_id=0)


def _add_hall(scene: Scene) -> None:
    """Bench, fixture block and the robot's pedestal."""
    top_m = float(ORIGIN_W[2] - 0.175)
    size = np.array([*(2.0 * TABLE_HALF_M[:2]), top_m - FLOOR_M])
    _add_box(scene, "bench", size, np.array([*ORIGIN_W[:2], 0.5 * (top_m + FLOOR_M)]), BENCH)
    _add_box(scene, "fixture", 2.0 * FIXTURE_HALF_M, ORIGIN_W - [0.0, 0.0, 0.125], FIXTURE)
    pedestal = np.array([0.24, 0.24, -FLOOR_M])
    _add_box(scene, "pedestal", pedestal, np.array([0.0, 0.0, 0.5 * FLOOR_M]), BENCH)


def _add_robot(scene: Scene, moment: WeldMoment) -> None:
    """Arm and torch at their joint angles, the sensor head and the wire."""
    world_from_link = link_poses(moment.cell.world.joints_rad())
    for index, mesh in enumerate(robot_meshes()):
        name = f"{mesh.name} {index}"
        scene.add_body(name, mesh.vertices, mesh.faces, colour=mesh.color, segmentation_id=1)
        scene.set_pose(name, world_from_link[mesh.link])
    head, head_faces = box_mesh([0.055, 0.034, 0.040], [0.0625, 0.0, 0.135])
    bracket, bracket_faces = box_mesh([0.065, 0.014, 0.012], [0.015, 0.0, 0.125])
    wire_t = np.stack([[0.0, 0.0, CONTACT_TIP_M + 0.006], moment.wire.tip_t])
    wire, wire_faces = tube_mesh(wire_t, [WIRE_RADIUS_M] * 2, 8)
    for name, vertices, faces, colour in (
        ("sensor", head, head_faces, SENSOR),
        ("bracket", bracket, bracket_faces, BRACKET),
        ("wire", wire, wire_faces, WIRE),
    ):
        scene.add_body(name, vertices, faces, colour=colour, segmentation_id=1)
        scene.set_pose(name, moment.pose_w)


def _part_pose(moment: WeldMoment) -> Array:
    """How far the part has moved since it was placed, as a transform (4, 4)."""
    moved = np.eye(4)
    moved[:3, 3] = moment.wire.part_shift_w(moment.cell.frames)
    return moved


def _add_part(scene: Scene, moment: WeldMoment) -> None:
    """The surfaces that the sensor sees, and plates of the right thickness just below them."""
    product, frames, deviation = moment.product, moment.cell.frames, moment.deviation
    mesh = seam_mesh(product, frames, deviation, ORIGIN_W)
    faces, albedo = mesh.faces, mesh.albedo
    pick = np.arange(0, len(frames.path_position_m), 2)
    if product.path.closed:
        first, last = (2 * mesh.strips * station for station in mesh.window(0.0, 0.0, product.path.length_m))
        faces, albedo = faces[first:last], albedo[first:last]
        pick = np.arange(frames.index(0.0), frames.index(product.path.length_m) + 2, 2)
    tint = np.array(PLATE) * (0.6 + 0.4 * albedo / albedo.max())[:, None]
    scene.add_body("part", mesh.vertices_w, faces, colour=tint, segmentation_id=2)
    scene.set_pose("part", _part_pose(moment))
    for index, outline in enumerate(_plates(moment, pick)):
        points = sweep(outline, pick, product, frames, deviation, ORIGIN_W)
        name = f"plate {index}"
        scene.add_body(
            name, points.reshape(-1, 3), _ring_faces(*points.shape[:2]), colour=PLATE, segmentation_id=2
        )
        scene.set_pose(name, _part_pose(moment))
    _add_supports(scene, moment)


def _plates(moment: WeldMoment, pick: NDArray[np.intp]) -> list[Array]:
    """Outlines (stations, 4, 2) of the plates in the joint's cross-section, 0.2 mm inside their surfaces."""
    product, deviation = moment.product, moment.deviation
    gap, step, thick = deviation.gap_m[pick], deviation.misalignment_m[pick], deviation.thickness_m
    inside, zero = 0.2e-3, np.zeros(len(pick))
    if product.joint == "butt":
        lip = 0.5 * gap + 0.8e-3
        return [
            _rectangle(lip, zero + FLANK_M, zero - thick, zero - inside),
            _rectangle(zero - FLANK_M, -lip, step - thick, step - inside),
        ]
    back = -FLANK_M
    if product.path.closed:
        back = -0.98 / float(np.abs(moment.cell.frames.curvature_1_m[pick]).max())
    wall_m, far_m = (thick, -FLANK_M) if product.joint == "lap" else (FLANK_M, -thick)
    upright = _rectangle(zero + far_m, zero - inside, gap + inside, gap + wall_m - inside)
    if isinstance(product.path, SaddlePath):
        return [upright]
    return [upright, _rectangle(zero + back, zero + FLANK_M, zero - thick, zero - inside)]


def _rectangle(left: Array, right: Array, low: Array, high: Array) -> Array:
    return np.stack(
        [np.stack(corner, axis=1) for corner in ((left, low), (right, low), (right, high), (left, high))], 1
    )


def _ring_faces(stations: int, corners: int) -> NDArray[np.int32]:
    """Triangles of a tube through `stations` outlines of `corners` points, closed at both ends."""
    here = np.arange(corners)
    after = np.roll(here, -1)
    ring = np.concatenate(
        [np.stack([here, after, after + corners], 1), np.stack([here, after + corners, here + corners], 1)]
    )
    sides = (ring[None] + corners * np.arange(stations - 1)[:, None, None]).reshape(-1, 3)
    fan = np.stack([np.zeros(corners - 2, int), here[1:-1], here[2:]], axis=1)
    return np.concatenate([sides, fan, fan + corners * (stations - 1)]).astype(np.int32)


def _add_supports(scene: Scene, moment: WeldMoment) -> None:
    """What carries the part on the fixture: two bars, and under a saddle the main pipe's upper half."""
    path, top_m = moment.product.path, float(ORIGIN_W[2] - 0.075)
    seam = moment.cell.frames.points_w
    reach_m = 0.35 * float(np.ptp(seam[:, 0]))
    bars = [(side * reach_m, 0.0) for side in (-1, 1)]
    under_m = float(ORIGIN_W[2]) - moment.deviation.thickness_m
    size = np.array([0.025, 0.12, under_m - top_m])
    if isinstance(path, SaddlePath):
        radius_m, half_rad = path.main_radius_m - 0.2e-3, 0.72
        angle = np.linspace(-half_rad, half_rad, 41)
        arch = np.stack([np.sin(angle), np.cos(angle) - 1.0], axis=1) * radius_m - [0.0, 0.2e-3]
        inner = (np.stack([np.sin(angle), np.cos(angle)], axis=1) * (radius_m - 0.005)) - [0.0, radius_m]
        outline = np.concatenate([arch, inner[::-1]])
        ends = [np.column_stack([np.full(len(outline), x), outline]) for x in (-0.14, 0.14)]
        vertices = np.concatenate(ends) + ORIGIN_W + moment.deviation.translation_w
        scene.add_body("pipe", vertices, _ring_faces(2, len(outline)), colour=PLATE, segmentation_id=2)
        edge_m = float(ORIGIN_W[2] + arch[0, 1])
        bars = [(0.0, side * abs(float(arch[0, 0]))) for side in (-1, 1)]
        size = np.array([0.30, 0.03, edge_m - top_m])
    for index, (x, y) in enumerate(bars):
        _add_box(
            scene,
            f"bar {index}",
            size,
            np.array([ORIGIN_W[0] + x, ORIGIN_W[1] + y, top_m + 0.5 * size[2]]),
            FIXTURE,
        )


def _add_bead(scene: Scene, moment: WeldMoment) -> None:
    """The weld metal, one ripple per millimetre, coloured by its grade; its fresh end glows."""
    features, masks = moment.record.bins(0), moment.record.grade(0)
    welded = np.flatnonzero(masks[:, 0] >= 0)
    if len(welded) < 2:
        return
    bins = np.append(np.arange(welded[0], welded[-1] + 1), welded[-1])
    features = np.nan_to_num(features[bins])
    pick = np.arange(bins[0], bins[0] + len(bins)) + moment.cell.frames.index(0.5 * STEP_M)
    wide, high = features[:, Feature.FACE_WIDTH], features[:, Feature.CAP_HEIGHT]
    high = np.maximum(high, 0.3e-3) * np.where(np.arange(len(bins)) % 2, 1.0, 1.25) + 0.15e-3
    across = np.linspace(0.0, 1.0, 9)
    crown = 4.0 * across * (1.0 - across) * high[:, None]
    errors_m = moment.tracking_errors_m
    error_m = np.interp(bins, np.linspace(bins[0], bins[-1], len(errors_m)), errors_m)[:, None]
    if moment.product.joint == "butt":
        section = np.stack([(across - 0.5) * wide[:, None] + error_m, crown], axis=2)
    else:
        leg = wide[:, None] / np.sqrt(2.0)
        lift, aside = crown / np.sqrt(2.0), error_m / np.sqrt(2.0)
        section = np.stack([(1.0 - across) * leg + lift + aside, across * leg + lift - aside], axis=2)
    points = sweep(section, pick, moment.product, moment.cell.frames, moment.deviation, ORIGIN_W)
    faces = _ring_faces(*points.shape[:2])
    fails = (masks[bins, 1] != 0)[:, None]
    colour = np.where(fails, BEAD_FAILS, BEAD_PASSES)
    if moment.arc_on:
        age_m = moment.wire.wire_m - bins[:, None] * BIN_M
        hot = np.clip(1.0 - age_m / GLOW_LENGTH_M, 0.0, 1.0)
        colour = (1.0 - hot) * colour + hot * np.array(BEAD_GLOWS)
    station = np.minimum(faces.min(axis=1) // len(across), len(bins) - 1)
    scene.add_body("bead", points.reshape(-1, 3), faces, colour=colour[station], segmentation_id=3)
    scene.set_pose("bead", _part_pose(moment))


def _add_laser_line(scene: Scene, moment: WeldMoment) -> None:
    """A thin bright ribbon where the laser plane cuts the part."""
    mesh = seam_mesh(moment.product, moment.cell.frames, moment.deviation, ORIGIN_W)
    tool_from_world = np.linalg.inv(moment.pose_w) @ _part_pose(moment)
    first, last = (2 * mesh.strips * s for s in mesh.window(moment.wire.torch.path_position_m, 0.0, 0.05))
    corners = (mesh.vertices_w @ tool_from_world[:3, :3].T + tool_from_world[:3, 3])[mesh.faces[first:last]]
    plane_t = moment.sensor.camera.geometry.laser_plane_c @ moment.sensor.camera.camera_from_tool
    ahead = corners @ plane_t[:3] + plane_t[3]
    cuts = []
    for i, j in ((0, 1), (1, 2), (2, 0)):
        fraction = ahead[:, i] / np.where(ahead[:, i] == ahead[:, j], np.inf, ahead[:, i] - ahead[:, j])
        point = corners[:, i] + fraction[:, None] * (corners[:, j] - corners[:, i])
        cuts.append(np.where((ahead[:, i] * ahead[:, j] < 0.0)[:, None], point, np.nan))
    ends = np.stack(cuts, axis=1)
    cut = np.isfinite(ends[:, :, 0]).sum(axis=1) == 2
    if not cut.any():
        return
    ends = ends[cut][np.isfinite(ends[cut][:, :, 0])].reshape(-1, 2, 3)
    # Towards the camera, so that the line is not buried in the surface it lies on.
    side, lift = np.array([0.7e-3, 0.0, 0.0]), np.array([0.0, 0.0, 0.25e-3])
    quads = np.stack([ends[:, 0] - side, ends[:, 1] - side, ends[:, 1] + side, ends[:, 0] + side], 1) + lift
    halves = np.array([[0, 1, 2], [0, 2, 3]])
    faces = (halves[None] + 4 * np.arange(len(quads))[:, None, None]).reshape(-1, 3)
    scene.add_body("laser line", quads.reshape(-1, 3), faces, colour=LASER, segmentation_id=4)
    scene.set_pose("laser line", moment.pose_w)
