"""Where and how a scene is photographed, and the light of its lamps.

Light comes from many distant lamps: some spread over a small disc (the key light), the rest over the sky.
Each has a shadow map of its own, so their average gives soft shadows and darkened corners.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.compiled import compiled_as

SHADOW_MAP_PX = 1024
"""Side of the square shadow map of each lamp."""
_LAMP_DISTANCE_RADII = 12.0


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


def lamps(studio: Studio) -> tuple[NDArray, NDArray, NDArray]:
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


def camera_at_lamp(
    direction: NDArray, centre_w: NDArray, radius_m: float
) -> tuple[NDArray, tuple[float, float, float, float]]:
    """Return the pose (4, 4) and intrinsics of a camera at a lamp that sees the ball around the bodies."""
    x = np.cross(direction, [0.0, 1.0, 0.0] if abs(direction[1]) < 0.9 else [1.0, 0.0, 0.0])
    x /= np.linalg.norm(x)
    camera_from_world = np.eye(4)
    camera_from_world[:3, :3] = [x, np.cross(direction, x), direction]
    position_w = centre_w - _LAMP_DISTANCE_RADII * radius_m * direction
    camera_from_world[:3, 3] = -camera_from_world[:3, :3] @ position_w
    focal_px = 0.49 * SHADOW_MAP_PX * _LAMP_DISTANCE_RADII
    middle_px = (SHADOW_MAP_PX - 1) / 2.0
    return camera_from_world, (focal_px, focal_px, middle_px, middle_px)


@compiled_as(error_model="numpy")
def illuminate(  # type: ignore[no-untyped-def]
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
