"""Colour for rasterised frames: flat faces under one distant light, an ambient floor and a point light.

Both sides of a face are lit: a normal that points away from the camera is turned.
"""

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import length
from cellwright_perception.compiled import compiled_as


def face_normals(vertices: NDArray, faces: NDArray) -> NDArray:
    """Return unit normals (M, 3) of `faces` (M, 3) over `vertices` (N, 3), zero for faces without area."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = length(normals)[:, None]
    return np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0.0)


@compiled_as(error_model="numpy")
def rotate_normals(camera_from_body: NDArray, normals: NDArray, begin: int, end: int, out: NDArray) -> None:
    """Write rows `begin` to `end` of `normals` (M, 3), rotated into the camera frame, into `out` (M, 3)."""
    for i in range(begin, end):
        x, y, z = normals[i, 0], normals[i, 1], normals[i, 2]
        for row in range(3):
            out[i, row] = (
                camera_from_body[row, 0] * x + camera_from_body[row, 1] * y + camera_from_body[row, 2] * z
            )


@compiled_as(error_model="numpy")
def shade(
    depth: NDArray,
    face: NDArray,
    normals_c: NDArray,
    colours: NDArray,
    fx: float,
    fy: float,
    cx: float,
    cy: float,
    to_light_c: NDArray,
    ambient: float,
    diffuse: float,
    point_light_c: NDArray,
    point_intensity_m2: float,
    background: NDArray,
    radiance: NDArray,
) -> None:
    """Fill `radiance` (H, W, C) float32 from a rasterised frame; C is 3 for colour, 1 for monochrome.

    A face of colour k, C values in `colours` (M, C), shows k (ambient + diffuse cos(a) + point_intensity_m2
    cos(b) / r²), with a the angle between its normal and the unit vector `to_light_c` (3,), and b and r [m]
    the angle and the distance to the point light at `point_light_c` (3,) [m]. `point_intensity_m2` 0 switches
    the point light off. Pixels with face -1 show `background` (C,). Nothing is clipped: exposure is the
    sensor's business.
    """
    channels = colours.shape[1]
    light_x, light_y, light_z = to_light_c[0], to_light_c[1], to_light_c[2]
    for row in range(depth.shape[0]):
        ray_y = (row - cy) / fy
        for column in range(depth.shape[1]):
            index = face[row, column]
            if index < 0:
                for c in range(channels):
                    radiance[row, column, c] = background[c]
                continue
            ray_x = (column - cx) / fx
            x, y, z = normals_c[index, 0], normals_c[index, 1], normals_c[index, 2]
            facing = -1.0 if x * ray_x + y * ray_y + z > 0.0 else 1.0
            light = ambient + diffuse * max(0.0, facing * (x * light_x + y * light_y + z * light_z))
            if point_intensity_m2 > 0.0:
                distance = depth[row, column]
                to_x = point_light_c[0] - ray_x * distance
                to_y = point_light_c[1] - ray_y * distance
                to_z = point_light_c[2] - distance
                square_m2 = to_x * to_x + to_y * to_y + to_z * to_z
                cosine = facing * (x * to_x + y * to_y + z * to_z)
                if cosine > 0.0:
                    light += point_intensity_m2 * cosine / (square_m2 * np.sqrt(square_m2))
            for c in range(channels):
                radiance[row, column, c] = colours[index, c] * light


@compiled_as(error_model="numpy")
def quantise(radiance: NDArray, out: NDArray) -> None:
    """Write `radiance` (H, W, C), 1.0 being full scale, into `out` (H, W, C) uint8, clipped and rounded."""
    for row in range(radiance.shape[0]):
        for column in range(radiance.shape[1]):
            for c in range(radiance.shape[2]):
                value = min(max(radiance[row, column, c], 0.0), 1.0)
                out[row, column, c] = np.uint8(value * 255.0 + 0.5)


@compiled_as(error_model="numpy")
def paint(
    face: NDArray,
    faces: NDArray,
    face_begin: NDArray,
    camera_from_body: NDArray,
    vertices: NDArray,
    normals: NDArray,
    colours: NDArray,
    segmentation_of_face: NDArray,
    to_light_c: NDArray,
    ambient: float,
    diffuse: float,
    background: NDArray,
    palette: NDArray,
    rgb: NDArray,
    segmentation: NDArray,
) -> None:
    """Fill `rgb` (H, W, 3) uint8 and `segmentation` (H, W) int32 where no point light shines.

    The light is then one number per face, so it is computed once per face, in the body frame: body b owns
    faces `face_begin[b]` to `face_begin[b + 1]` and is posed by `camera_from_body` (B, 4, 4). `palette` (M,
    3) uint8 is scratch. `segmentation` is -1 where nothing covers a pixel.
    """
    for body in range(camera_from_body.shape[0]):
        m = camera_from_body[body]
        light_x = m[0, 0] * to_light_c[0] + m[1, 0] * to_light_c[1] + m[2, 0] * to_light_c[2]
        light_y = m[0, 1] * to_light_c[0] + m[1, 1] * to_light_c[1] + m[2, 1] * to_light_c[2]
        light_z = m[0, 2] * to_light_c[0] + m[1, 2] * to_light_c[1] + m[2, 2] * to_light_c[2]
        eye_x = -(m[0, 0] * m[0, 3] + m[1, 0] * m[1, 3] + m[2, 0] * m[2, 3])
        eye_y = -(m[0, 1] * m[0, 3] + m[1, 1] * m[1, 3] + m[2, 1] * m[2, 3])
        eye_z = -(m[0, 2] * m[0, 3] + m[1, 2] * m[1, 3] + m[2, 2] * m[2, 3])
        for row in range(face_begin[body], face_begin[body + 1]):
            x, y, z = normals[row, 0], normals[row, 1], normals[row, 2]
            corner = faces[row, 0]
            towards_eye = (
                x * (eye_x - vertices[corner, 0])
                + y * (eye_y - vertices[corner, 1])
                + z * (eye_z - vertices[corner, 2])
            )
            cosine = x * light_x + y * light_y + z * light_z
            if towards_eye < 0.0:
                cosine = -cosine
            light = ambient + diffuse * max(0.0, cosine)
            for c in range(3):
                palette[row, c] = np.uint8(min(max(colours[row, c] * light, 0.0), 1.0) * 255.0 + 0.5)
    back_0, back_1, back_2 = (
        np.uint8(background[0] * 255.0 + 0.5),
        np.uint8(background[1] * 255.0 + 0.5),
        np.uint8(background[2] * 255.0 + 0.5),
    )
    for row in range(face.shape[0]):
        for column in range(face.shape[1]):
            index = face[row, column]
            if index < 0:
                segmentation[row, column] = -1
                rgb[row, column, 0], rgb[row, column, 1], rgb[row, column, 2] = back_0, back_1, back_2
            else:
                segmentation[row, column] = segmentation_of_face[index]
                for c in range(3):
                    rgb[row, column, c] = palette[index, c]
