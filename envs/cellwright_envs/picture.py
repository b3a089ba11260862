"""Pictures of a scene for people: smooth surfaces, soft shadows, highlights and the glow of an arc.

Light comes from many distant lamps: some spread over a small disc (the key light), the rest over the sky.
Each has a shadow map of its own, so their average gives soft shadows and darkened corners. Takes about a
second: for documents, not for training.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cellwright_envs import rasterizer, shading
from cellwright_envs.scene import PointLight, Scene

_LAMP_DISTANCE_RADII = 12.0
_SHADOW_MAP_PX = 1024
_GLOW_COLOUR = (0.75, 0.87, 1.0)
_GLOW_RADIUS_M = 0.03


@dataclass(frozen=True, kw_only=True)
class Studio:
    """Where and how a scene is photographed. Colours are sRGB, 0 to 1."""

    key_direction_w: tuple[float, float, float] = (-0.45, 0.55, -1.0)
    """Direction in which the key light travels."""
    key_strength: float = 1.6
    """Light of the key lamp on a surface square to it, relative to full scale."""
    key_spread: float = 0.06
    """Radius of the key light's disc over its distance: softness of the shadows."""
    sky_strength: float = 0.75
    """Light of the whole sky on a surface that faces up."""
    key_lamps: int = 24
    sky_lamps: int = 48
    supersampling: int = 2
    """Samples per pixel along each side."""
    crease_rad: float = 0.7
    """Edges that bend more than this stay sharp."""
    floor_height_m: float | None = 0.0
    """Height of an endless floor in the world, or none."""
    floor_colour: tuple[float, float, float] = (0.52, 0.54, 0.57)
    horizon_colour: tuple[float, float, float] = (0.80, 0.84, 0.88)
    zenith_colour: tuple[float, float, float] = (0.36, 0.46, 0.58)
    haze_begin_m: float = 3.0
    """Distance at which the floor starts to fade into the horizon."""
    haze_length_m: float = 5.0
    """Further distance over which it fades by 63 %."""

    def __post_init__(self) -> None:
        if min(self.key_lamps, self.sky_lamps, self.supersampling) < 1:
            raise ValueError(
                f"need at least one: {self.key_lamps=}, {self.sky_lamps=}, {self.supersampling=}"
            )
        if not self.key_direction_w[2] < 0.0:
            raise ValueError(f"the key light must come from above, got {self.key_direction_w=}")


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
    directions, strengths, is_key = _lamps(studio)
    centre_w, radius_m = _bounds(body_vertices_w)
    for direction, strength, shines in zip(directions, strengths, is_key, strict=True):
        lamp, lamp_camera = _lamp_camera(direction, centre_w, radius_m)
        shadow, _, _ = _draw(body_vertices_w, body_faces, lamp, lamp_camera, _SHADOW_MAP_PX, _SHADOW_MAP_PX)
        margin_m = 3.0 * radius_m / _SHADOW_MAP_PX
        _illuminate(
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


@njit(cache=True, error_model="numpy")
def _dot(a, b):  # type: ignore[no-untyped-def]
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
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


def _lamps(studio: Studio) -> tuple[NDArray, NDArray, NDArray]:
    """Return directions (L, 3) in which the lamps shine, their strengths (L,) and which form the key light
    (L,)."""
    key = np.array(studio.key_direction_w) / np.linalg.norm(studio.key_direction_w)
    side = np.cross(key, [0.0, 0.0, 1.0]) if abs(key[2]) < 0.99 else np.array([1.0, 0.0, 0.0])
    side /= np.linalg.norm(side)
    golden_rad = np.pi * (3.0 - np.sqrt(5.0))  # sunflower: even cover of a disc

    def disc(count: int) -> tuple[NDArray, NDArray]:
        radius = np.sqrt((np.arange(count) + 0.5) / count)
        return radius * np.cos(np.arange(count) * golden_rad), radius * np.sin(np.arange(count) * golden_rad)

    u, v = disc(studio.key_lamps)
    keys = key + studio.key_spread * (u[:, None] * side + v[:, None] * np.cross(key, side))
    # A disc lifted onto the hemisphere is cosine-weighted; pulled in a little, no lamp grazes the floor.
    u, v = (0.97 * value for value in disc(studio.sky_lamps))
    height = np.sqrt(1.0 - u**2 - v**2)
    skies = -np.column_stack([u, v, height])
    directions = np.concatenate([keys / np.linalg.norm(keys, axis=1, keepdims=True), skies])
    key_strengths = np.full(studio.key_lamps, studio.key_strength / studio.key_lamps)
    sky_strengths = studio.sky_strength / studio.sky_lamps / height
    return (
        directions,
        np.concatenate([key_strengths, sky_strengths]),
        np.arange(len(directions)) < studio.key_lamps,
    )


def _lamp_camera(
    direction: NDArray, centre_w: NDArray, radius_m: float
) -> tuple[NDArray, tuple[float, float, float, float]]:
    """Return the pose (4, 4) and intrinsics of a camera at a lamp that sees the ball around the bodies."""
    x = np.cross(direction, [0.0, 1.0, 0.0] if abs(direction[1]) < 0.9 else [1.0, 0.0, 0.0])
    x /= np.linalg.norm(x)
    camera_from_world = np.eye(4)
    camera_from_world[:3, :3] = [x, np.cross(direction, x), direction]
    position_w = centre_w - _LAMP_DISTANCE_RADII * radius_m * direction
    camera_from_world[:3, 3] = -camera_from_world[:3, :3] @ position_w
    focal_px = 0.49 * _SHADOW_MAP_PX * _LAMP_DISTANCE_RADII
    middle_px = (_SHADOW_MAP_PX - 1) / 2.0
    return camera_from_world, (focal_px, focal_px, middle_px, middle_px)


@njit(cache=True, error_model="numpy")
def _illuminate(  # type: ignore[no-untyped-def]
    face,
    positions_w,
    normals_w,
    eye_w,
    to_lamp,
    strength,
    shines,
    shadow,
    lamp,
    fx,
    fy,
    cx,
    cy,
    margin_m,
    light,
):
    """Add one lamp to `light` (H, W, 2): diffuse light and, from a lamp that `shines`, highlight."""
    height, width = shadow.shape
    for row in range(face.shape[0]):
        for column in range(face.shape[1]):
            if face[row, column] < 0:
                continue
            nx, ny, nz = normals_w[row, column, 0], normals_w[row, column, 1], normals_w[row, column, 2]
            cosine = nx * to_lamp[0] + ny * to_lamp[1] + nz * to_lamp[2]
            if cosine <= 0.0:
                continue
            # Step off the surface, or the coarse map lets it shadow itself.
            x = positions_w[row, column, 0] + margin_m * nx
            y = positions_w[row, column, 1] + margin_m * ny
            z = positions_w[row, column, 2] + margin_m * nz
            away = lamp[2, 0] * x + lamp[2, 1] * y + lamp[2, 2] * z + lamp[2, 3]
            u = fx * (lamp[0, 0] * x + lamp[0, 1] * y + lamp[0, 2] * z + lamp[0, 3]) / away + cx
            v = fy * (lamp[1, 0] * x + lamp[1, 1] * y + lamp[1, 2] * z + lamp[1, 3]) / away + cy
            inside = -0.5 <= u < width - 0.5 and -0.5 <= v < height - 0.5
            if inside and away - margin_m > shadow[int(v + 0.5), int(u + 0.5)]:
                continue
            light[row, column, 0] += strength * cosine
            if shines:
                hx = eye_w[0] - positions_w[row, column, 0]
                hy = eye_w[1] - positions_w[row, column, 1]
                hz = eye_w[2] - positions_w[row, column, 2]
                length = np.sqrt(hx * hx + hy * hy + hz * hz)
                hx, hy, hz = hx / length + to_lamp[0], hy / length + to_lamp[1], hz / length + to_lamp[2]
                half = max(0.0, nx * hx + ny * hy + nz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz)
                for _ in range(6):  # Blinn's highlight to the power of 64
                    half *= half
                light[row, column, 1] += strength * cosine * half


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
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
