"""Pictures of a scene for people: smooth surfaces, soft shadows, highlights and the glow of an arc.

The light is that of a `Studio`. Takes about a second: for documents, not for training.
"""

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.rendering import rasterizer, shading
from cellwright_envs.rendering.scene import PointLight, Scene
from cellwright_envs.rendering.studio import SHADOW_MAP_PX, Studio, camera_at_lamp, illuminate, lamps
from cellwright_perception.compiled import compiled_as

_GLOW_COLOUR = (0.75, 0.87, 1.0)
_GLOW_RADIUS_M = 0.03


def take_picture(
    scene: Scene,
    camera_from_world: NDArray,
    fx: float,
    fy: float,
    cx: float,
    cy: float,
    width: int,
    height: int,
    *,
    studio: Studio | None = None,
    arc: PointLight | None = None,
) -> NDArray[np.uint8]:
    """Return an sRGB picture (`height`, `width`, 3); the arguments are those of `Scene.render`."""
    studio = studio or Studio()
    vertices_w, faces, colours = _world_mesh(scene)
    corner_normals = _corner_normals(vertices_w, faces, np.cos(studio.crease_rad))
    body_vertices_w, body_faces = vertices_w, faces
    floor_face = len(faces)
    if studio.floor_height_m is not None:
        vertices_w, faces = _with_floor(vertices_w, faces, studio.floor_height_m, camera_from_world)
        corner_normals = np.concatenate([corner_normals, np.broadcast_to([0.0, 0.0, 1.0], (2, 3, 3))])
        colours = np.concatenate([colours, np.broadcast_to(_linear(studio.floor_colour), (2, 3))])

    scale = studio.supersampling
    camera = (fx * scale, fy * scale, (cx + 0.5) * scale - 0.5, (cy + 0.5) * scale - 0.5)
    depth, face, corners_c = _draw(
        vertices_w, faces, camera_from_world, camera, width * scale, height * scale
    )
    positions_w = np.empty((*depth.shape, 3))
    normals_w = np.empty((*depth.shape, 3))
    world_from_camera = np.linalg.inv(camera_from_world)
    _surface(
        depth, face, faces, corners_c, corner_normals, world_from_camera, *camera, positions_w, normals_w
    )

    light = np.zeros((*depth.shape, 2))
    eye_w = world_from_camera[:3, 3]
    directions, strengths, is_key = lamps(studio)
    centre_w, radius_m = _bounds(body_vertices_w)
    for direction, strength, shines in zip(directions, strengths, is_key, strict=True):
        lamp, lamp_camera = camera_at_lamp(direction, centre_w, radius_m)
        shadow, _, _ = _draw(body_vertices_w, body_faces, lamp, lamp_camera, SHADOW_MAP_PX, SHADOW_MAP_PX)
        margin_m = 3.0 * radius_m / SHADOW_MAP_PX
        illuminate(
            face,
            positions_w,
            normals_w,
            eye_w,
            -direction,
            strength,
            shines,
            shadow,
            lamp,
            *lamp_camera,
            margin_m,
            light,
        )
    radiance = np.empty((*depth.shape, 3))
    _develop(face, colours, light, radiance)
    if arc is not None:
        _add_arc(face, colours, positions_w, normals_w, np.array(arc.position_w), arc.intensity_m2, radiance)
    _add_haze(radiance, face, floor_face, positions_w, eye_w, world_from_camera, camera, studio)
    if arc is not None:
        _add_glow(radiance, depth, camera_from_world, camera, arc)
    small = radiance.reshape(height, scale, width, scale, 3)
    return _srgb8(_film(small).mean(axis=(1, 3)))


def _world_mesh(scene: Scene) -> tuple[NDArray, NDArray, NDArray]:
    """Return vertices (N, 3) in the world, faces (M, 3) and linear colours (M, 3)."""
    geometry = scene.geometry
    vertices_w = np.empty_like(geometry.vertices)
    for body, pose in enumerate(scene.world_from_body):
        span = slice(geometry.vertex_begin[body], geometry.vertex_begin[body + 1])
        rasterizer.transform_points(pose, geometry.vertices[span], vertices_w[span])
    return vertices_w, geometry.faces, _linear(geometry.colours)


def _with_floor(
    vertices_w: NDArray, faces: NDArray, height_m: float, camera_from_world: NDArray
) -> tuple[NDArray, NDArray]:
    """Append a square of two faces, 120 m wide, centred under the camera."""
    eye_w = -camera_from_world[:3, :3].T @ camera_from_world[:3, 3]
    offsets = 60.0 * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    corners = np.column_stack([eye_w[:2] + offsets, np.full(4, height_m)])
    square = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32) + np.int32(len(vertices_w))
    return np.concatenate([vertices_w, corners]), np.concatenate([faces, square])


def _draw(
    vertices_w: NDArray,
    faces: NDArray,
    camera_from_world: NDArray,
    camera: tuple[float, float, float, float],
    width: int,
    height: int,
) -> tuple[NDArray, NDArray, NDArray]:
    """Return depth, face and the vertices (N, 3) in the camera frame."""
    workspace = np.empty((len(vertices_w), rasterizer.WORKSPACE_COLUMNS))
    depth = np.full((height, width), np.inf, dtype=np.float32)
    face = np.full((height, width), -1, dtype=np.int32)
    rasterizer.draw_mesh(
        camera_from_world, vertices_w, faces, 0, len(faces), 0, *camera, workspace, depth, face
    )
    return depth, face, workspace[:, :3]


def _corner_normals(vertices_w: NDArray, faces: NDArray, crease_cosine: float) -> NDArray:
    """Return a normal per corner (M, 3, 3): the mean over faces that meet there without a crease."""
    # Vertices that coincide to a micrometre count as one, however the mesh was written.
    _, point_of_vertex = np.unique(np.round(vertices_w, 6), axis=0, return_inverse=True)
    point_of_corner = point_of_vertex.reshape(-1)[faces]
    order = np.argsort(point_of_corner, axis=None, kind="stable")
    begin = np.searchsorted(point_of_corner.ravel()[order], np.arange(point_of_corner.max(initial=-1) + 2))
    edges = vertices_w[faces[:, 1:]] - vertices_w[faces[:, :1]]
    weighted = np.cross(edges[:, 0], edges[:, 1])
    normals = np.empty((len(faces), 3, 3))
    _smooth(
        point_of_corner,
        order,
        begin,
        shading.face_normals(vertices_w, faces),
        weighted,
        crease_cosine,
        normals,
    )
    return normals


@compiled_as(error_model="numpy")
def _dot(a, b):  # type: ignore[no-untyped-def]
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled_as(error_model="numpy")
def _smooth(  # type: ignore[no-untyped-def]
    point_of_corner, order, begin, normals, weighted, crease_cosine, out
):
    for row in range(point_of_corner.shape[0]):
        for corner in range(3):
            out[row, corner, :] = 0.0
            point = point_of_corner[row, corner]
            for entry in range(begin[point], begin[point + 1]):
                other = order[entry] // 3
                if other == row or _dot(normals[row], normals[other]) > crease_cosine:
                    for axis in range(3):
                        out[row, corner, axis] += weighted[other, axis]
            length = np.sqrt(_dot(out[row, corner], out[row, corner]))
            if length > 0.0:
                for axis in range(3):
                    out[row, corner, axis] /= length


@compiled_as(error_model="numpy")
def _surface(  # type: ignore[no-untyped-def]
    depth, face, faces, corners_c, corner_normals, world_from_camera, fx, fy, cx, cy, positions_w, normals_w
):
    """Fill world positions [m] and interpolated normals, turned towards the camera, of every covered
    pixel."""
    point, normal, corner_a = np.empty(3), np.empty(3), np.empty(3)
    ab, ac, ap = np.empty(3), np.empty(3), np.empty(3)
    eye = world_from_camera[:3, 3]
    for row in range(depth.shape[0]):
        for column in range(depth.shape[1]):
            index = face[row, column]
            if index < 0:
                continue
            z = depth[row, column]
            point[0], point[1], point[2] = (column - cx) / fx * z, (row - cy) / fy * z, z
            # Barycentric weights, by least squares in the plane of the face.
            for axis in range(3):
                corner_a[axis] = corners_c[faces[index, 0], axis]
                ab[axis] = corners_c[faces[index, 1], axis] - corner_a[axis]
                ac[axis] = corners_c[faces[index, 2], axis] - corner_a[axis]
                ap[axis] = point[axis] - corner_a[axis]
            bb, bc, cc = _dot(ab, ab), _dot(ab, ac), _dot(ac, ac)
            pb, pc = _dot(ap, ab), _dot(ap, ac)
            area = bb * cc - bc * bc
            weight_b, weight_c = (pb * cc - pc * bc) / area, (pc * bb - pb * bc) / area
            for axis in range(3):
                positions_w[row, column, axis] = (
                    world_from_camera[axis, 0] * point[0]
                    + world_from_camera[axis, 1] * point[1]
                    + world_from_camera[axis, 2] * point[2]
                    + world_from_camera[axis, 3]
                )
                normal[axis] = (
                    (1.0 - weight_b - weight_c) * corner_normals[index, 0, axis]
                    + weight_b * corner_normals[index, 1, axis]
                    + weight_c * corner_normals[index, 2, axis]
                )
            for axis in range(3):
                ap[axis] = positions_w[row, column, axis] - eye[axis]
            sign = 1.0 / np.sqrt(_dot(normal, normal))
            if _dot(normal, ap) > 0.0:
                sign = -sign
            for axis in range(3):
                normals_w[row, column, axis] = normal[axis] * sign


def _bounds(vertices_w: NDArray) -> tuple[NDArray, float]:
    """Return centre and radius [m] of a ball around all bodies."""
    if not len(vertices_w):
        return np.zeros(3), 1.0
    centre = (vertices_w.min(axis=0) + vertices_w.max(axis=0)) / 2.0
    return centre, float(np.max(np.linalg.norm(vertices_w - centre, axis=1))) + 1e-3


@compiled_as(error_model="numpy")
def _develop(face, colours, light, radiance):  # type: ignore[no-untyped-def]
    """Fill linear `radiance` (H, W, 3) from face colours and light; highlights are white."""
    for row in range(face.shape[0]):
        for column in range(face.shape[1]):
            index = face[row, column]
            for c in range(3):
                radiance[row, column, c] = (
                    colours[index, c] * light[row, column, 0] + 0.35 * light[row, column, 1]
                    if index >= 0
                    else 0.0
                )


@compiled_as(error_model="numpy")
def _add_arc(  # type: ignore[no-untyped-def]
    face, colours, positions_w, normals_w, arc_w, intensity_m2, radiance
):
    """Add the light of the arc, without shadows."""
    to_arc = np.empty(3)
    for row in range(face.shape[0]):
        for column in range(face.shape[1]):
            index = face[row, column]
            if index < 0:
                continue
            for axis in range(3):
                to_arc[axis] = arc_w[axis] - positions_w[row, column, axis]
            square_m2 = _dot(to_arc, to_arc) + 1e-5
            cosine = _dot(to_arc, normals_w[row, column]) / np.sqrt(square_m2)
            if cosine > 0.0:
                for c in range(3):
                    radiance[row, column, c] += (
                        (colours[index, c] + 0.1) * _GLOW_COLOUR[c] * intensity_m2 * cosine / square_m2
                    )


def _add_haze(
    radiance: NDArray,
    face: NDArray,
    floor_face: int,
    positions_w: NDArray,
    eye_w: NDArray,
    world_from_camera: NDArray,
    camera: tuple[float, float, float, float],
    studio: Studio,
) -> None:
    """Paint the sky and fade the floor into it."""
    fx, fy, cx, cy = camera
    rows, columns = np.indices(face.shape)
    rays_w = np.stack([(columns - cx) / fx, (rows - cy) / fy, np.ones(face.shape)], axis=-1)
    rays_w = rays_w @ world_from_camera[:3, :3].T
    rise = np.clip(rays_w[..., 2] / np.linalg.norm(rays_w, axis=-1) / 0.6, 0.0, 1.0)[..., None]
    sky = _linear(studio.horizon_colour) * (1.0 - rise) + _linear(studio.zenith_colour) * rise
    floor = face >= floor_face
    distance_m = np.linalg.norm(positions_w[floor] - eye_w, axis=-1)
    clear = np.exp(-np.maximum(distance_m - studio.haze_begin_m, 0.0) / studio.haze_length_m)[:, None]
    radiance[floor] = clear * radiance[floor] + (1.0 - clear) * sky[floor]
    radiance[face < 0] = sky[face < 0]


def _add_glow(
    radiance: NDArray,
    depth: NDArray,
    camera_from_world: NDArray,
    camera: tuple[float, float, float, float],
    arc: PointLight,
) -> None:
    """Add the bright core of the arc and a halo around it, unless it is behind something or out of view."""
    fx, fy, cx, cy = camera
    x, y, z = camera_from_world[:3, :3] @ np.array(arc.position_w) + camera_from_world[:3, 3]
    if z < rasterizer.NEAR_M:
        return
    u, v = fx * x / z + cx, fy * y / z + cy
    height, width = depth.shape
    inside = 0 <= u < width - 0.5 and 0 <= v < height - 0.5
    hidden = inside and depth[round(v), round(u)] < z - _GLOW_RADIUS_M
    rows, columns = np.indices(depth.shape)
    square = ((columns - u) ** 2 + (rows - v) ** 2) / (fx * _GLOW_RADIUS_M / z) ** 2
    glow = (0.0 if hidden else 6.0) * np.exp(-12.0 * square) + 0.5 / (1.0 + square) ** 1.5
    radiance += glow[..., None] * np.array(_GLOW_COLOUR)


def _linear(srgb: object) -> NDArray:
    """Return sRGB values, 0 to 1, as linear light (IEC 61966-2-1, approximated by a power of 2.2)."""
    return np.asarray(srgb, dtype=np.float64) ** 2.2


def _film(radiance: NDArray) -> NDArray:
    """Compress highlights as film does; a fit of the ACES curve (Narkowicz 2015)."""
    x = 0.8 * radiance
    return np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0.0, 1.0)


def _srgb8(linear: NDArray) -> NDArray[np.uint8]:
    return np.round(255.0 * linear ** (1.0 / 2.2)).astype(np.uint8)
