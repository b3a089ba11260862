"""The seam camera on the torch: its images of the joint, the laser stripe, the wire and the arc's light."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_assets import arithmetic, torch_mesh
from cellwright_envs.physics.transforms import inverted, moved, product
from cellwright_envs.rendering.rasterizer import WORKSPACE_COLUMNS, draw_mesh
from cellwright_envs.rendering.shading import face_normals, rotate_normals
from cellwright_envs.rendering.true_views import TrueViews
from cellwright_envs.welding.part.seam import SeamMesh
from cellwright_perception.camera import CameraModel
from cellwright_perception.compiled import compilable, compiled_as
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry

Array = NDArray[np.float64]

BEHIND_M = 0.012
AHEAD_M = 0.048
CONTACT_TIP_M = 0.012
"""Height of the contact tip above the nominal wire tip, from where the wire is drawn."""
WIRE_RADIUS_M = 0.6e-3
WIRE_ALBEDO = 0.8
TORCH_ALBEDO = 0.25
SEGMENTATION_NAMES = ("nothing", "part", "torch", "wire")
PART, TORCH, WIRE = 1, 2, 3
_IDENTITY = np.eye(4)


@dataclass(frozen=True, kw_only=True)
class WeldLighting:
    """Brightness behind the sensor's band-pass filter, in counts of 255 on a white face-on surface.

    Engineering assumptions; `Exposure`, `Reflectance` and `ArcGlare` vary them.
    """

    lamp: float = 70.0
    """The head's own ring light."""
    laser: float = 260.0
    arc_counts_m2: float = 6e-3
    """Arc light at one metre squared; at 10 mm it adds 60 counts."""
    laser_sigma_m: float = 0.35e-3


_SEEN_SIGMAS = 4.0
"""Half the width of the laser line, beyond which nothing of it is seen."""
_TAYLOR = tuple(1.0 / math.factorial(order) for order in range(14, -1, -1))


@compilable
def _bell(sigmas: float) -> float:
    """Return exp(-sigmas^2 / 2) up to `_SEEN_SIGMAS`, 0 beyond; within 1e-14 of it.

    The C library's exponential cannot be vectorised, and its last bits depend on the processor: this is
    Taylor's series of the sixteenth part, four times squared.
    """
    seen = abs(sigmas) < _SEEN_SIGMAS
    x = -sigmas * sigmas / 32.0 if seen else 0.0
    value = 0.0
    for coefficient in _TAYLOR:
        value = value * x + coefficient
    value *= value
    value *= value
    value *= value
    value *= value
    return value if seen else 0.0


@compiled_as(error_model="numpy")
def _light(  # type: ignore[no-untyped-def]
    depth, face, normals_c, albedo, fx, fy, cx, cy, lamp, laser, laser_sigma_m,
    laser_normal_c, laser_offset_m, arc_c, arc_counts_m2, torch_albedo, out,
):  # fmt: skip
    """Shade one view: ring light, laser plane n.p = offset, point light of the arc; else black.

    Loops over a row have no branches, so that the compiler makes vector code of them. A point is its depth
    times (x, y, 1), its ray. The depth is squared in single precision, as in recorded episodes.
    """
    height, width = depth.shape
    rays, value = np.empty(width), np.empty(width)
    across, down, along, bright = np.empty(width), np.empty(width), np.empty(width), np.empty(width)
    plane_x, plane_y, plane_z = laser_normal_c[0], laser_normal_c[1], laser_normal_c[2]
    arc_x, arc_y, arc_z = arc_c[0], arc_c[1], arc_c[2]
    for u in range(width):
        rays[u] = (u - cx) / fx
    for v in range(height):
        ray_y, depths, faces, row = (v - cy) / fy, depth[v], face[v], out[v]
        for u in range(width):
            index = np.uint32(max(faces[u], np.int32(0)))
            across[u], down[u], along[u] = normals_c[index, 0], normals_c[index, 1], normals_c[index, 2]
            bright[u] = albedo[index]
        for column in range(np.int32(width)):
            at = np.uint32(column)
            z = np.float64(depths[at])
            x, y = rays[at] * z, ray_y * z
            squared = x * x + y * y + np.float64(depths[at] * depths[at])
            facing = abs(across[at] * x + down[at] * y + along[at] * z) / math.sqrt(squared)
            sigmas = (plane_x * x + plane_y * y + plane_z * z - laser_offset_m) / laser_sigma_m
            value[at] = lamp * facing + laser * _bell(sigmas)
        if arc_counts_m2 > 0.0:
            for column in range(np.int32(width)):
                at = np.uint32(column)
                z = np.float64(depths[at])
                to_x, to_y, to_z = arc_x - rays[at] * z, arc_y - ray_y * z, arc_z - z
                squared = to_x * to_x + to_y * to_y + to_z * to_z + 4e-6
                facing = abs(across[at] * to_x + down[at] * to_y + along[at] * to_z)
                value[at] += arc_counts_m2 * facing / (squared * math.sqrt(squared))
        for column in range(np.int32(width)):
            at = np.uint32(column)
            level = value[at] * bright[at]
            level = level if level < 255.0 else 255.0
            row[at] = np.uint8(np.int32(level if faces[at] >= 0 else 0.0))
        for u in range(width):
            if faces[u] < -1:
                row[u] = np.uint8(min(255.0, lamp * torch_albedo[-faces[u] - 2]))


class WeldCamera:
    """Renders the two images of the seam camera: the overview and the stripe window."""

    def __init__(self, geometry: SeamSensorGeometry, lighting: WeldLighting) -> None:
        self.geometry = geometry
        self.lighting = lighting
        self._views = (geometry.overview, geometry.stripe)
        self._torch_vertices, self._torch_faces = _merged_torch()
        shape = (geometry.overview.height, geometry.overview.width)
        self._depth = np.empty(shape, dtype=np.float32)
        self._face = np.empty(shape, dtype=np.int32)
        self._torch_depth = np.empty(shape, dtype=np.float32)
        self._torch_face = np.empty(shape, dtype=np.int32)
        self._wire_faces = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
        self._ribbon = np.empty((4, 3))
        self.true_views: TrueViews | None = None
        """Keeps depth and segmentation of every frame, where somebody asks for them."""
        self.set_calibration(np.eye(4))

    def set_part(self, mesh: SeamMesh) -> None:
        """Look at another part from now on."""
        self._mesh = mesh
        self._normals = face_normals(mesh.vertices_w, mesh.faces)
        self._normals_c = np.empty_like(self._normals)
        self._workspace = np.empty((max(len(mesh.vertices_w), len(self._torch_vertices)), WORKSPACE_COLUMNS))

    def set_calibration(self, camera_error: Array) -> None:
        """Mount the head at `camera_error` (4, 4) from its calibrated place, in the camera frame.

        Camera and laser are one rigid head: the laser plane stays where it is in the camera frame.
        """
        self.camera_from_tool = arithmetic.product(camera_error, self.geometry.camera_from_tool)
        self._contact_tip_c = moved(self.camera_from_tool, np.array([0.0, 0.0, CONTACT_TIP_M]))
        plane = self.geometry.laser_plane_c
        self._laser_normal_c, self._laser_offset_m = np.ascontiguousarray(plane[:3]), -float(plane[3])
        self._draw_torch()

    def _draw_torch(self) -> None:
        """The torch never moves in the overview: draw it once, into negative face numbers."""
        self._torch_depth.fill(np.inf)
        self._torch_face.fill(-1)
        view, vertices, faces = self._views[0], self._torch_vertices, self._torch_faces
        workspace = np.empty((len(vertices), WORKSPACE_COLUMNS))
        draw_mesh(
            self.camera_from_tool, vertices, faces, 0, len(faces), 0,
            view.fx, view.fy, view.cx, view.cy, workspace, self._torch_depth, self._torch_face,
        )  # fmt: skip
        normals = arithmetic.turned(self.camera_from_tool[:3, :3], face_normals(vertices, faces))
        shade = TORCH_ALBEDO * np.abs(normals[:, 2]) + 0.05
        self._torch_albedo = np.concatenate([[WIRE_ALBEDO, WIRE_ALBEDO], shade])
        seen = self._torch_face >= 0
        self._torch_face[seen] = -self._torch_face[seen] - 4

    def arc_px(self, wire_tip_t: Array, window_px: tuple[float, float]) -> Array:
        """Where the wire tip (3,) in the tool frame lies in overview and stripe window (2, 2) [px]."""
        x_c, y_c, z_c = moved(self.camera_from_tool, wire_tip_t).tolist()
        x, y = x_c / z_c, y_c / z_c
        overview, stripe = self._views
        return np.array(
            [
                [overview.fx * x + overview.cx, overview.fy * y + overview.cy],
                [stripe.fx * x + stripe.cx - window_px[0], stripe.fy * y + stripe.cy - window_px[1]],
            ]
        )

    def render(
        self,
        out: NDArray[np.uint8],
        *,
        world_from_tool: Array,
        path_position_m: float,
        wire_tip_t: Array,
        arc_on: bool,
        part_shift_w: Array,
        window_px: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """Fill `out` (2, H, W): overview, then the stripe window moved by `window_px` (columns, rows).

        `part_shift_w` (3,) [m] is how far the part has moved since `set_part`.
        """
        camera_from_world = product(self.camera_from_tool, inverted(world_from_tool))
        camera_from_world[:3, 3] = moved(camera_from_world, part_shift_w)
        mesh = self._mesh
        first, last = mesh.window(path_position_m, BEHIND_M, AHEAD_M)
        per_station = 2 * mesh.strips
        begin, end = first * per_station, last * per_station
        rotate_normals(camera_from_world, self._normals, begin, end, self._normals_c)
        wire_tip_c = moved(self.camera_from_tool, wire_tip_t)
        self._depth[:] = self._torch_depth
        self._face[:] = self._torch_face
        self._draw_wire(wire_tip_c)
        self._view(self._views[0], camera_from_world, begin, end, wire_tip_c, arc_on, (0.0, 0.0), out[0])
        self._keep(0)
        self._depth.fill(np.inf)
        self._face.fill(-1)
        self._view(self._views[1], camera_from_world, begin, end, wire_tip_c, arc_on, window_px, out[1])
        self._keep(1)

    def _keep(self, view: int) -> None:
        if self.true_views is not None:
            face = self._face
            identity = np.where(face >= 0, PART, np.where(face >= -3, WIRE, TORCH))
            self.true_views.keep(view, self._depth, np.where(face == -1, 0, identity))

    def _view(
        self,
        view: CameraModel,
        camera_from_world: Array,
        begin: int,
        end: int,
        wire_tip_c: Array,
        arc_on: bool,
        window_px: tuple[float, float],
        out: NDArray[np.uint8],
    ) -> None:
        mesh, light = self._mesh, self.lighting
        cx, cy = view.cx - window_px[0], view.cy - window_px[1]
        draw_mesh(
            camera_from_world, mesh.vertices_w, mesh.faces, begin, end, 0,
            view.fx, view.fy, cx, cy, self._workspace, self._depth, self._face,
        )  # fmt: skip
        _light(
            self._depth, self._face, self._normals_c, mesh.albedo, view.fx, view.fy, cx, cy,
            light.lamp, light.laser, light.laser_sigma_m, self._laser_normal_c, self._laser_offset_m,
            wire_tip_c, light.arc_counts_m2 if arc_on else 0.0, self._torch_albedo, out,
        )  # fmt: skip

    def _draw_wire(self, wire_tip_c: Array) -> None:
        """A ribbon from the contact tip to the wire tip, turned to the camera; face numbers -3 and -2."""
        tip_c, ribbon = self._contact_tip_c, self._ribbon
        (ax, ay, az), (bx, by, bz) = (wire_tip_c - tip_c).tolist(), tip_c.tolist()
        side = np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])
        side *= WIRE_RADIUS_M / arithmetic.length(side)
        ribbon[0], ribbon[1] = tip_c - side, tip_c + side
        ribbon[2], ribbon[3] = wire_tip_c + side, wire_tip_c - side
        view = self._views[0]
        draw_mesh(
            _IDENTITY, ribbon, self._wire_faces, 0, 2, -3,
            view.fx, view.fy, view.cx, view.cy, self._workspace, self._depth, self._face,
        )  # fmt: skip


def _merged_torch() -> tuple[Array, NDArray[np.int32]]:
    """Nozzle and neck in the tool frame as one mesh."""
    parts = torch_mesh()
    starts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    vertices = np.concatenate([part.vertices for part in parts])
    faces = np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=True)])
    return np.ascontiguousarray(vertices), np.ascontiguousarray(faces.astype(np.int32))
