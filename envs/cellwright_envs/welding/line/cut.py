"""Where the laser plane meets the part, column by column, as the head's camera sees it.

A column of the camera is a plane through its optical centre, and meets the laser plane in a ray. All these
rays come from one point, and the laser's fan is taken to start there too (assumption): of what lies on one
ray, the nearest is lit. A lit point is seen unless the part hides it from the camera, which looks from ahead.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.compiled import compiled, compiled_as

Array = NDArray[np.float64]
Faces = NDArray[np.int32]

NEAREST_M = 0.02
"""Nothing is nearer to the camera."""


@compiled_as(error_model="numpy")
def lit_points(
    camera_from_world: Array,
    vertices_w: Array,
    faces: Faces,
    vertex_range: tuple[int, int],
    face_range: tuple[int, int],
    normal_c: Array,
    offset_m: float,
    fx: float,
    cx: float,
    points_c: Array,
    ahead_m: Array,
    depth_m: Array,
    face: Faces,
) -> None:
    """Fill `depth_m` and `face` (columns,): how far the lit point is along the camera's axis, and its face.

    The laser plane is normal_c . p = offset_m in the camera frame; column k looks along (k - cx) / fx. Only
    vertices and faces within the ranges are looked at. `points_c` (vertices, 3) and `ahead_m` (vertices,) are
    scratch. A column without a lit point has depth inf and face -1.
    """
    for vertex in range(vertex_range[0], vertex_range[1]):
        x, y, z = vertices_w[vertex, 0], vertices_w[vertex, 1], vertices_w[vertex, 2]
        beyond = -offset_m
        for i in range(3):
            value = (
                camera_from_world[i, 0] * x
                + camera_from_world[i, 1] * y
                + camera_from_world[i, 2] * z
                + camera_from_world[i, 3]
            )
            points_c[vertex, i] = value
            beyond += normal_c[i] * value
        ahead_m[vertex] = beyond
    columns = len(depth_m)
    for column in range(columns):
        depth_m[column], face[column] = np.inf, -1
    for index in range(face_range[0], face_range[1]):
        a, b, c = faces[index, 0], faces[index, 1], faces[index, 2]
        a_front, b_front, c_front = ahead_m[a] >= 0.0, ahead_m[b] >= 0.0, ahead_m[c] >= 0.0
        if a_front == b_front == c_front:
            continue
        alone, first, second = c, a, b
        if b_front == c_front:
            alone, first, second = a, b, c
        elif a_front == c_front:
            alone, first, second = b, c, a
        part = ahead_m[alone] / (ahead_m[alone] - ahead_m[first])
        x0 = points_c[alone, 0] + part * (points_c[first, 0] - points_c[alone, 0])
        z0 = points_c[alone, 2] + part * (points_c[first, 2] - points_c[alone, 2])
        part = ahead_m[alone] / (ahead_m[alone] - ahead_m[second])
        x1 = points_c[alone, 0] + part * (points_c[second, 0] - points_c[alone, 0])
        z1 = points_c[alone, 2] + part * (points_c[second, 2] - points_c[alone, 2])
        if z0 < NEAREST_M or z1 < NEAREST_M:
            continue
        start, end = fx * x0 / z0 + cx, fx * x1 / z1 + cx
        if start > end:
            start, end = end, start
        dx, dz = x1 - x0, z1 - z0
        for column in range(math.ceil(max(start, 0.0)), math.floor(min(end, columns - 1.0)) + 1):
            ray = (column - cx) / fx
            across = dx - ray * dz
            if across == 0.0:
                continue
            z = z0 + (ray * z0 - x0) / across * dz
            if z < depth_m[column]:
                depth_m[column], face[column] = z, index


@compiled
def along_seam(face: Faces, faces: Faces, points_c: Array, direction_c: Array) -> bool:
    """Fill `direction_c` (3,) with the seam's direction at the lit face nearest to the middle column.

    It is no unit vector. Returns False where nothing is lit. The second of a strip's two triangles has the
    strip's edge along the seam between other corners than the first.
    """
    middle = len(face) // 2
    for away in range(middle):
        for column in (middle - away, middle + away):
            index = face[column]
            if index >= 0:
                start = faces[index, 0] if index % 2 else faces[index, 1]
                for i in range(3):
                    direction_c[i] = points_c[faces[index, 2], i] - points_c[start, i]
                return True
    return False


@compiled_as(error_model="numpy")
def hide(y_m: Array, z_m: Array, seen: NDArray[np.bool_], eye_y_m: float, eye_z_m: float) -> None:
    """Take out of `seen` (columns,) what the profile itself hides from an eye in the laser plane.

    `y_m` grows with the column. The part is taken to go on along the seam as it is at the laser, so that the
    camera, which stands ahead of the plane, sees what an eye at its projection along the seam onto the plane
    sees. Away from the eye a point is hidden below the line of sight over any point before it.
    """
    columns = len(y_m)
    horizon = -np.inf
    for column in range(columns):
        away_m = y_m[column] - eye_y_m
        if seen[column] and away_m > 0.0:
            slope = (z_m[column] - eye_z_m) / away_m
            seen[column] = slope >= horizon
            horizon = max(horizon, slope)
    horizon = -np.inf
    for column in range(columns - 1, -1, -1):
        away_m = eye_y_m - y_m[column]
        if seen[column] and away_m > 0.0:
            slope = (z_m[column] - eye_z_m) / away_m
            seen[column] = slope >= horizon
            horizon = max(horizon, slope)


@compiled_as(error_model="numpy")
def places(
    depth_m: Array,
    fx: float,
    cx: float,
    normal_c: Array,
    offset_m: float,
    tool_from_camera: Array,
    out_m: Array,
) -> None:
    """Fill `out_m` (2, columns) with lateral and height [m] of points `depth_m` along the axis."""
    for column in range(len(depth_m)):
        ray, z = (column - cx) / fx, depth_m[column]
        x, y = ray * z, (offset_m - (normal_c[0] * ray + normal_c[2]) * z) / normal_c[1]
        for axis in range(2):
            turn = tool_from_camera[axis + 1]
            out_m[axis, column] = turn[0] * x + turn[1] * y + turn[2] * z + turn[3]


@compiled_as(error_model="numpy")
def overview_px(
    depth_m: Array,
    fx: float,
    cx: float,
    normal_c: Array,
    offset_m: float,
    view: tuple[float, float, float],
    px: Array,
) -> None:
    """Fill `px` (columns, 2) with where such points lie in a `view`: focal length, middle (u, v) [px]."""
    for column in range(len(depth_m)):
        ray = (column - cx) / fx
        down = (offset_m / depth_m[column] - normal_c[0] * ray - normal_c[2]) / normal_c[1]
        px[column, 0], px[column, 1] = view[0] * ray + view[1], view[0] * down + view[2]


@compiled
def keep_seen(
    depth_m: Array,
    face: Faces,
    places_m: Array,
    eye: tuple[float, float],
    middle_m: float,
    half_m: float,
    seen: NDArray[np.bool_],
) -> None:
    """Put NaN into `depth_m` where nothing is lit or seen, or beyond `half_m` from `middle_m` in height."""
    for column in range(len(depth_m)):
        seen[column] = face[column] >= 0
    hide(places_m[0], places_m[1], seen, eye[0], eye[1])
    for column in range(len(depth_m)):
        if not (seen[column] and abs(places_m[1, column] - middle_m) <= half_m):
            depth_m[column] = np.nan
