"""The line of the seam sensor in the cell: one profile per frame, in the plane of the head's own laser."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.disturbances.image_kernel import FrameEffects
from cellwright_envs.disturbances.sampling import draw_in
from cellwright_envs.physics.transforms import inverted, moved, product
from cellwright_envs.welding.line.config import LineSensor
from cellwright_envs.welding.line.cut import along_seam, keep_seen, lit_points, overview_px, places
from cellwright_envs.welding.line.optics import Surface, beside_edges, blur, corrupt_profile
from cellwright_envs.welding.part.seam import SeamMesh
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry

Array = NDArray[np.float64]

BEHIND_M, AHEAD_M = 0.012, 0.048
"""Stretch of the part that is looked at, around the wire: the same as in the pictures."""
_GLINT_S = 0.4
"""A glint of a false line stays where it is for as long as this (assumption)."""
_EDGE_M = 0.2e-3
"""Difference in height between neighbouring columns that is an edge."""


class LineHead:
    """Cuts the part with the laser plane and measures the cut, column by column."""

    def __init__(
        self, sensor: LineSensor, geometry: SeamSensorGeometry, *, laser_levels: float, lamp_levels: float
    ) -> None:
        """`laser_levels` and `lamp_levels` are the brightness of line and ring light on a white surface."""
        self.sensor, self.geometry = sensor, geometry
        self._levels = laser_levels, lamp_levels
        at_wire = moved(geometry.camera_from_tool, np.array([geometry.look_ahead_m, 0.0, 0.0]))
        self._fx = sensor.columns * float(at_wire[2]) / sensor.field_m
        plane = geometry.laser_plane_c
        self._normal_c, self._offset_m = np.ascontiguousarray(plane[:3]), -float(plane[3])
        self._tool_from_camera = np.ascontiguousarray(geometry.tool_from_camera)
        # Depth along the camera's axis over height: in the laser plane, in any column.
        self._per_height = float(geometry.camera_from_tool[2, 2])
        columns = sensor.columns
        self._places_m, self._px = np.empty((2, columns)), np.empty((columns, 2))
        self._depth_m, self._blurred_m, self._noise = np.empty((3, columns))
        self._face = np.empty(columns, dtype=np.int32)
        self._beside = np.empty(columns, dtype=np.bool_)
        self._direction_c = np.empty(3)
        self._rng: np.random.Generator | None = None

    def begin(self, part: SeamMesh, rng: np.random.Generator) -> None:
        """Start an episode in front of `part`; draws how its plate scatters."""
        self._mesh, self._rng = part, rng
        sensor, pitch_m = self.sensor, self.sensor.field_m / self.sensor.columns
        missing = draw_in(rng, sensor.missing)
        self._surface = Surface(
            speckle_m=draw_in(rng, sensor.speckle_m),
            speckle_per_reflectance=sensor.speckle_per_reflectance,
            speckle_columns=int(rng.integers(*sensor.speckle_columns, endpoint=True)),
            missing=missing,
            missing_elsewhere=missing * sensor.missing_elsewhere,
            edge_columns=round(sensor.beside_edge_m / pitch_m),
            blur_columns=round(sensor.blur_m / pitch_m),
            merged_m=sensor.merged_m * abs(self._per_height),
            laser_levels=self._levels[0],
            lamp_levels=self._levels[1],
            window_m=sensor.depth_m,
            per_height=self._per_height,
        )
        self._glints = int(rng.integers(0, 2**31))
        self._points_c = np.empty_like(part.vertices_w)
        self._ahead_m = np.empty(len(part.vertices_w))

    def clean(
        self,
        camera_from_tool: Array,
        *,
        world_from_tool: Array,
        path_position_m: float,
        part_shift_w: Array,
        window_px: tuple[float, float],
    ) -> Array:
        """The profile (columns, 2) as (lateral, height) [m] in the laser plane, without any disturbance.

        `camera_from_tool` (4, 4) is where the head really sits, `part_shift_w` (3,) [m] how far the part has
        moved and `window_px` the shift of the stripe window, which the line's field follows. Places are those
        that the head computes from its calibration. NaN where nothing is lit, seen and within the depth.
        """
        self._cut(camera_from_tool, world_from_tool, path_position_m, part_shift_w, window_px)
        return self._places(self._depth_m)

    def take(
        self,
        camera_from_tool: Array,
        *,
        world_from_tool: Array,
        path_position_m: float,
        part_shift_w: Array,
        window_px: tuple[float, float],
        wire_tip_t: Array,
        effects: FrameEffects,
        time_s: float,
    ) -> Array:
        """The profile (columns, 2) of this moment, with speckle and `effects`; see `clean`."""
        if self._rng is None:
            raise ValueError("call begin first: nothing is in front of the line sensor")
        self._cut(camera_from_tool, world_from_tool, path_position_m, part_shift_w, window_px)
        surface = self._surface
        blur(self._depth_m, self._blurred_m, surface.blur_columns, surface.merged_m)
        beside_edges(self._depth_m, surface.edge_columns, _EDGE_M, self._beside)
        corrupt_profile(
            self._blurred_m,
            self._mesh.albedo,
            self._face,
            self._beside,
            self._overview_px(self._blurred_m),
            self._in_overview(moved(camera_from_tool, wire_tip_t)),
            self._middle_depth_m,
            surface,
            FrameEffects(*map(float, effects)),
            self._glints + int(time_s / _GLINT_S),
            int(self._rng.integers(0, 2**32)),
            self._noise,
        )
        return self._places(self._blurred_m)

    def _cut(
        self,
        camera_from_tool: Array,
        world_from_tool: Array,
        path_position_m: float,
        part_shift_w: Array,
        window_px: tuple[float, float],
    ) -> None:
        """Fill depth and face of each column, NaN and any face where the camera sees no lit point."""
        self._look_at(window_px)
        camera_from_world = product(camera_from_tool, inverted(world_from_tool))
        camera_from_world[:3, 3] = moved(camera_from_world, part_shift_w)
        mesh = self._mesh
        first, last = mesh.window(path_position_m, BEHIND_M, AHEAD_M)
        per_station = mesh.points_per_station
        lit_points(
            camera_from_world,
            mesh.vertices_w,
            mesh.faces,
            (first * per_station, (last + 1) * per_station),
            (2 * mesh.strips * first, 2 * mesh.strips * last),
            self._normal_c,
            self._offset_m,
            self._fx,
            self._cx,
            self._points_c,
            self._ahead_m,
            self._depth_m,
            self._face,
        )
        places(self._depth_m, *self._view(), self._tool_from_camera, self._places_m)
        eye = 0.0, math.inf
        if along_seam(self._face, mesh.faces, self._points_c, self._direction_c):
            eye = self._eye_in_plane()
        half_m = 0.5 * self.sensor.depth_m
        keep_seen(self._depth_m, self._face, self._places_m, eye, self._middle_z_m, half_m, self._beside)

    def _look_at(self, window_px: tuple[float, float]) -> None:
        """Turn the columns to the middle of the stripe window."""
        stripe, homography = self.geometry.stripe, self.geometry.laser_from_stripe
        column = 0.5 * (stripe.width - 1) + window_px[0]
        row = 0.5 * (stripe.height - 1) + window_px[1]
        scale = homography[2, 0] * column + homography[2, 1] * row + homography[2, 2]
        height = homography[1, 0] * column + homography[1, 1] * row + homography[1, 2]
        self._middle_z_m = float(height / scale)
        ray = (column - stripe.cx) / stripe.fx
        self._cx = 0.5 * (self.sensor.columns - 1) - self._fx * ray
        position, turn = self.geometry.camera_position_t, self.geometry.camera_from_tool
        # The depth of the laser plane's points at one height is the same in all columns.
        depth_m = turn[2, 0] * (self.geometry.look_ahead_m - position[0])
        depth_m += turn[2, 2] * (self._middle_z_m - position[2])
        self._middle_depth_m = float(depth_m)

    def _view(self) -> tuple[float, float, Array, float]:
        """Focal length and middle of the columns [px], normal and offset of the laser plane."""
        return self._fx, self._cx, self._normal_c, self._offset_m

    def _places(self, depth_m: Array) -> Array:
        out_m = np.empty((2, self.sensor.columns))
        places(depth_m, *self._view(), self._tool_from_camera, out_m)
        return out_m.T

    def _overview_px(self, depth_m: Array) -> Array:
        view = self.geometry.overview
        overview_px(depth_m, *self._view(), (view.fx, view.cx, view.cy), self._px)
        return self._px

    def _in_overview(self, point_c: Array) -> Array:
        view = self.geometry.overview
        x, y, z = point_c.tolist()
        return np.array([view.fx * x / z + view.cx, view.fy * y / z + view.cy])

    def _eye_in_plane(self) -> tuple[float, float]:
        """Where the camera's optical centre gets, moved along the seam onto the laser plane (y, z) [m]."""
        direction, normal = self._direction_c, self._normal_c
        towards = math.fsum(float(normal[i] * direction[i]) for i in range(3))
        if abs(towards) < 1e-12:
            return 0.0, math.inf
        eye_c = direction * (self._offset_m / towards)
        eye_t = moved(self._tool_from_camera, eye_c)
        return float(eye_t[1]), float(eye_t[2])
