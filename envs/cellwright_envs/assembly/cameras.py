"""The two cameras of the assembly cell: one is mounted on the hand, one stands beside the fixture.

Each frame is drawn at twice its size and averaged, so that an edge moves the grey value of its pixels by less
than a pixel's step: a clearance is a fraction of a pixel wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cellwright_assets import arithmetic
from cellwright_assets.assembly_cell import (
    BLOCK_HEIGHT_M,
    CAMERA_IMAGE_PX,
    FIXED_CAMERA,
    GRASP_HEIGHT_M,
    GREYS,
    HAND_CAMERA,
    TABLE_GREY,
    TABLE_HALF_M,
    Surface,
)
from cellwright_assets.gripper import finger_meshes
from cellwright_assets.meshes import box_mesh
from cellwright_envs.assembly.parts.part import Part
from cellwright_envs.disturbances.image_kernel import Image
from cellwright_envs.physics.transforms import inverted, product, products
from cellwright_envs.rendering.rasterizer import draw_bodies
from cellwright_envs.rendering.scene import Scene
from cellwright_envs.rendering.true_views import TrueViews
from cellwright_perception.camera import CameraModel, looking_at
from cellwright_perception.compiled import compiled_as

Array = NDArray[np.float64]

VIEWS = ("hand", "fixed")
SEGMENTATION_NAMES = ("nothing", "table", "fixture", "part", "fingers")
"""What a pixel shows, by one more than its body's identity in the scene."""
SUPERSAMPLING = 2
_GREYS = np.array([[GREYS[surface]] * 3 for surface in Surface])


@dataclass(frozen=True, kw_only=True)
class CameraRig:
    """Where the two cameras are mounted; engineering assumptions in the range of small industrial cameras."""

    image_size_px: int = CAMERA_IMAGE_PX
    hand_position_t: tuple[float, float, float] = HAND_CAMERA.position_m
    """Optical centre of the camera on the hand in the tool frame [m]; it sees the tip and below."""
    hand_target_t: tuple[float, float, float] = HAND_CAMERA.target_m
    hand_focal_px: float = HAND_CAMERA.focal_px
    """0.57 mm per pixel at the tip."""
    fixed_position_f: tuple[float, float, float] = FIXED_CAMERA.position_m
    """Optical centre of the standing camera in the nominal fixture's frame [m]."""
    fixed_target_f: tuple[float, float, float] = FIXED_CAMERA.target_m
    fixed_focal_px: float = FIXED_CAMERA.focal_px
    """0.69 mm per pixel at the hole."""
    ambient_levels: float = 95.0
    """Grey value of a white surface in full shade."""
    lamp_levels: float = 130.0
    """Grey value that the lamp adds to a white surface square to its light."""
    lamp_direction_w: tuple[float, float, float] = (-0.45, 0.35, -1.0)

    def model(self, focal_px: float) -> CameraModel:
        """The pinhole of one camera."""
        centre_px = (self.image_size_px - 1) / 2
        return CameraModel(
            width=self.image_size_px,
            height=self.image_size_px,
            fx=focal_px,
            fy=focal_px,
            cx=centre_px,
            cy=centre_px,
        )

    @property
    def models(self) -> tuple[CameraModel, CameraModel]:
        """The pinholes of both cameras, in the order of `VIEWS`."""
        return self.model(self.hand_focal_px), self.model(self.fixed_focal_px)

    @property
    def camera_from_tool(self) -> Array:
        """(4, 4) for the camera on the hand, as calibrated."""
        return looking_at(np.array(self.hand_position_t), np.array(self.hand_target_t))

    @property
    def camera_from_fixture(self) -> Array:
        """(4, 4) for the standing camera and the nominal fixture, as calibrated."""
        return looking_at(np.array(self.fixed_position_f), np.array(self.fixed_target_f))


@lru_cache(maxsize=64)
def insertion_scene(part: Part) -> Scene:
    """Table, fixture, part and fingers; the bodies have these names and stand at the world's origin.

    The fixture is drawn as the drawing has it: wear and burrs are too small to see.
    """
    scene = Scene()
    table = box_mesh((2 * TABLE_HALF_M, 2 * TABLE_HALF_M, 0.01), (0.0, 0.0, -BLOCK_HEIGHT_M - 0.005))
    scene.add_body("table", *table, colour=(TABLE_GREY,) * 3, segmentation_id=0)
    bodies = {"fixture": part.fixture_shape(part.clearance_m, part.chamfer_m), "part": part.shape()}
    for segmentation_id, (name, shape) in enumerate(bodies.items(), start=1):
        colour = _GREYS[shape.surface]
        scene.add_body(name, shape.vertices, shape.faces, colour=colour, segmentation_id=segmentation_id)
    for mesh in finger_meshes(GRASP_HEIGHT_M, part.width_m):
        scene.add_body(mesh.name, mesh.vertices, mesh.faces, colour=mesh.color, segmentation_id=3)
    return scene


@compiled_as(error_model="numpy")
def _shade(  # type: ignore[no-untyped-def]
    face, face_begin, normals, colours, to_light_w, world_from_body, ambient, lamp, palette, out,
):  # fmt: skip
    """Grey values of one view, averaged over blocks of SUPERSAMPLING squared samples; faces are one-sided."""
    for body in range(world_from_body.shape[0]):
        w = world_from_body[body]
        light = np.empty(3)
        for axis in range(3):
            light[axis] = w[0, axis] * to_light_w[0] + w[1, axis] * to_light_w[1] + w[2, axis] * to_light_w[2]
        for row in range(face_begin[body], face_begin[body + 1]):
            cosine = 0.0
            for axis in range(3):
                cosine += normals[row, axis] * light[axis]
            palette[row] = colours[row, 0] * (ambient + lamp * max(cosine, 0.0))
    height, width = out.shape
    fraction = 1.0 / (SUPERSAMPLING * SUPERSAMPLING)
    for v in range(height):
        for u in range(width):
            level = 0.0
            for i in range(SUPERSAMPLING):
                for j in range(SUPERSAMPLING):
                    index = face[SUPERSAMPLING * v + i, SUPERSAMPLING * u + j]
                    if index >= 0:
                        level += palette[index]
            out[v, u] = np.uint8(min(fraction * level + 0.5, 255.0))


class InsertionCameras:
    """Takes the clean frames of both cameras."""

    def __init__(self, rig: CameraRig) -> None:
        self.rig = rig
        size = rig.image_size_px * SUPERSAMPLING
        self._depth = np.empty((size, size), dtype=np.float32)
        self._face = np.empty((size, size), dtype=np.int32)
        self._models = rig.models
        self.true_views: TrueViews | None = None
        """Keeps depth and segmentation of every frame, where somebody asks for them."""

    def begin(
        self,
        part: Part,
        nominal_w: Array,
        *,
        hand_error: Array,
        fixed_error: Array,
        lamp_direction_w: tuple[float, float, float],
        lamp_factor: float,
        room_factor: float,
    ) -> None:
        """Look at another part in this episode's light, over the fixture's nominal pose (4, 4).

        `hand_error` and `fixed_error` (4, 4) lead from the calibrated to the true camera frames.
        """
        scene = insertion_scene(part)
        self._geometry = scene.geometry
        self._poses = np.tile(np.eye(4), (len(scene.names), 1, 1))
        self._poses[0] = nominal_w
        self._workspace = np.empty((len(self._geometry.vertices), 6))
        self._palette = np.empty(len(self._geometry.faces))
        self._hand_from_tool = product(hand_error, self.rig.camera_from_tool)
        self._fixed_from_world = product(
            product(fixed_error, self.rig.camera_from_fixture), inverted(nominal_w)
        )
        self._to_light_w = -arithmetic.unit(lamp_direction_w)
        self._levels = self.rig.ambient_levels * room_factor, self.rig.lamp_levels * lamp_factor

    def take(self, tool_w: Array, part_w: Array, fixture_w: Array, out: Image) -> None:
        """Fill `out` (2, H, W) with the frames of this moment; poses (4, 4)."""
        poses = self._poses
        poses[1], poses[2] = fixture_w, part_w
        poses[3:] = tool_w
        tool_from_world = inverted(tool_w)
        geometry = self._geometry
        for view, camera_from_world in enumerate(
            (product(self._hand_from_tool, tool_from_world), self._fixed_from_world)
        ):
            model = self._models[view]
            scale = SUPERSAMPLING
            camera_from_body = products(camera_from_world, poses)
            self._depth.fill(np.inf)
            self._face.fill(-1)
            draw_bodies(
                camera_from_body, geometry.vertex_begin, geometry.vertices, geometry.faces,
                scale * model.fx, scale * model.fy,
                scale * (model.cx + 0.5) - 0.5, scale * (model.cy + 0.5) - 0.5,
                self._workspace, self._depth, self._face, True,
            )  # fmt: skip
            _shade(
                self._face, geometry.face_begin, geometry.normals, geometry.colours, self._to_light_w, poses,
                *self._levels, self._palette, out[view],
            )  # fmt: skip
            if self.true_views is not None:
                # One sample of each pixel: neither distances nor identities can be averaged.
                face = self._face[::scale, ::scale]
                identity = np.where(face < 0, 0, geometry.segmentation[face] + 1)
                self.true_views.keep(view, self._depth[::scale, ::scale], identity)
