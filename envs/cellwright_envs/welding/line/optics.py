"""What speckle, arc light, spatter, smoke and dirt make of a profile, in compiled passes over its columns.

Noise is a hash of a seed and the column's number, so one integer drawn per frame gives the whole profile.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.disturbances.image_kernel import FrameEffects, mixed_bits
from cellwright_perception.compiled import compiled, compiled_as

Array = NDArray[np.float64]

_FAINTEST_LEVELS = 10.0
"""A line fainter than this is not found [grey values], as in the stripe window."""
_CLIPPED_LEVELS = 255.0
_BLINDING_LEVELS = 200.0
"""Background in which no line stands out [grey values]."""
_LINE_M = 0.35e-3
_ROW_M = 0.035e-3
"""Height of one row of the imager [m]: ten times finer than in the stripe window (assumption)."""
_SATURATED = 2.0
"""Growth of the scatter where the line is clipped: its middle is the middle of a plateau (assumption)."""
_STREAK_HALF_PX = 1.0
_STREAK_SHIFT_M = 3e-3
"""Most by which spatter draws a point off its place [m] (assumption)."""
_GLINT_COLUMNS = 16
"""A false line glints in patches as wide as this, as the scratches of grinding do (assumption)."""
_GLINTING = 0.5
"""Part of these patches that glints, per brightness of the false line over full scale: a quarter of the line
where it is brightest (assumption). In the pictures it is seen beside the laser line, of which a head that
gives one point per column leaves nothing there."""
_FULL_SCALE = 4294967296.0


class Surface(NamedTuple):
    """How one episode's plate looks in one head; the fields of `LineSensor`, drawn."""

    speckle_m: float
    speckle_per_reflectance: float
    speckle_columns: int
    missing: float
    """Fraction of the points beside edges."""
    missing_elsewhere: float
    """Fraction of the points away from edges."""
    edge_columns: int
    blur_columns: int
    merged_m: float
    laser_levels: float
    """Brightness of the line on a white surface [grey values]."""
    lamp_levels: float
    """The same of the ring light."""
    window_m: float
    """Heights that are measured, from the lowest to the highest."""
    per_height: float
    """Change of the depth along the camera's axis per change of height."""


@compiled_as(inline="always")
def _uniform(seed: np.uint32, index: int) -> float:
    return mixed_bits(np.uint32(seed + np.uint32(index))) / _FULL_SCALE


@compiled_as(error_model="numpy")
def blur(depth_m: Array, out_m: Array, half: int, merged_m: float) -> None:
    """Fill `out_m` with triangular means of `depth_m` (columns,) [m] over `half` columns to each side.

    Only pairs of neighbours less than `merged_m` away in depth count. NaN stays NaN.
    """
    columns = len(depth_m)
    for column in range(columns):
        here = depth_m[column]
        total, weights = (half + 1.0) * here, half + 1.0
        for away in range(1, min(half, column, columns - 1 - column) + 1):
            weight, before, after = half + 1.0 - away, depth_m[column - away], depth_m[column + away]
            if abs(before - here) < merged_m and abs(after - here) < merged_m:
                total += weight * (before + after)
                weights += 2.0 * weight
        out_m[column] = total / weights


@compiled
def beside_edges(depth_m: Array, within: int, jump_m: float, beside: NDArray[np.bool_]) -> None:
    """Mark the columns at most `within` from a jump of `depth_m` [m], or from where there is none."""
    columns = len(depth_m)
    last = -columns
    for column in range(columns):
        if column > 0 and not abs(depth_m[column] - depth_m[column - 1]) < jump_m:
            last = column
        beside[column] = column - last < within
    last = 2 * columns
    for column in range(columns - 1, -1, -1):
        if column + 1 < columns and not abs(depth_m[column] - depth_m[column + 1]) < jump_m:
            last = column
        beside[column] = beside[column] or last - column < within


@compiled_as(error_model="numpy")
def _speckle(noise: Array, seed: np.uint32, width: int) -> None:
    """Fill `noise` (columns,) with normal numbers of deviation 1 that `width` neighbours share."""
    # The sum of a hash's four bytes is nearly normal: mean 510, variance 4 (256^2 - 1) / 12.
    scale = 1.0 / math.sqrt((256.0**2 - 1.0) / 3.0 * width)
    columns = len(noise)
    byte = np.uint32(0xFF)
    for column in range(columns):
        noise[column] = 0.0
    for shared in range(width):
        for column in range(columns):
            bits = mixed_bits(np.uint32(seed + np.uint32(column + shared)))
            total = np.int32(
                np.uint32(bits & byte)
                + np.uint32(np.uint32(bits >> np.uint32(8)) & byte)
                + np.uint32(np.uint32(bits >> np.uint32(16)) & byte)
                + np.uint32(bits >> np.uint32(24))
            )
            noise[column] += scale * (total - 510.0)


@compiled
def _streaks(
    depth_m: Array, px: Array, arc_px: Array, per_height: float, effects: FrameEffects, seed: np.uint32
) -> None:
    """Let each streak of spatter that crosses the line hide its points or draw them away."""
    remaining, index = _uniform(seed, 0), 8
    threshold = math.exp(-effects.streaks)
    while remaining > threshold and index < 8 * 32:
        direction = 2.0 * math.pi * _uniform(seed, index)
        start_px = _uniform(seed, index + 1) * 0.6 * 128.0
        length_px = (0.3 + 0.7 * _uniform(seed, index + 2)) * effects.streak_length_px
        cosine, sine = math.cos(direction), math.sin(direction)
        for column in range(len(depth_m)):
            x, y = px[column, 0] - arc_px[0], px[column, 1] - arc_px[1]
            along_px = cosine * x + sine * y - start_px
            if 0.0 <= along_px <= length_px and abs(cosine * y - sine * x) < _STREAK_HALF_PX:
                fate = _uniform(seed, 4096 * index + column)
                if fate < 0.5:
                    depth_m[column] = np.nan
                else:
                    depth_m[column] += per_height * _STREAK_SHIFT_M * (4.0 * fate - 3.0)
        remaining *= _uniform(seed, index + 3)
        index += 8


@compiled_as(error_model="numpy")
def corrupt_profile(
    depth_m: Array,
    albedo: Array,
    face: NDArray[np.int32],
    beside: NDArray[np.bool_],
    px: Array,
    arc_px: Array,
    middle_depth_m: float,
    surface: Surface,
    effects: FrameEffects,
    glint_seed: int,
    frame_seed: int,
    noise: Array,
) -> None:
    """Disturb `depth_m` (columns,) [m] along the camera's axis in place; NaN where nothing is measured.

    Args:
        depth_m: of the lit points, NaN where there is none.
        albedo: (faces,) of the part, 0..1.
        face: (columns,) that each point lies on; any where there is none.
        beside: (columns,) whether an edge is near.
        px: (columns, 2) where the points lie in the overview [px].
        arc_px: (2,) where the arc is in it.
        middle_depth_m: depth at the middle of the heights that are measured.
        surface: the head and the plate.
        effects: what happens to the camera's pictures at this moment.
        glint_seed: places the glints of a false line; the same for several frames.
        frame_seed: unsigned 32-bit integer, one per frame.
        noise: (columns,) scratch.
    """
    columns = len(depth_m)
    seed = mixed_bits(np.uint32(frame_seed))
    _speckle(noise, seed, surface.speckle_columns)
    fates, textures, glints = (
        mixed_bits(seed),
        mixed_bits(np.uint32(seed + np.uint32(1))),
        np.uint32(glint_seed),
    )
    flicker = _uniform(seed, 1 << 20)
    radius_px = effects.glare_radius_low_px + flicker * (
        effects.glare_radius_high_px - effects.glare_radius_low_px
    )
    keep = effects.albedo * (1.0 - effects.contrast_loss)
    veil = effects.veil_level * effects.contrast_loss
    scatter_m = surface.speckle_m * (1.0 + surface.speckle_per_reflectance * abs(effects.albedo - 1.0))
    read, shot = effects.read_noise_levels * effects.read_noise_levels, effects.shot_noise_levels
    for column in range(columns):
        white, texture = albedo[max(face[column], 0)], 0.7 + 0.6 * _uniform(textures, column)
        line = surface.laser_levels * white * keep * effects.gain * texture
        dark = (surface.lamp_levels * white * keep + veil) * effects.gain + effects.offset_levels
        if effects.glare_radius_high_px > 0.0:
            across, down = px[column, 0] - arc_px[0], px[column, 1] - arc_px[1]
            beyond = max(math.sqrt(across * across + down * down) - radius_px, 0.0)
            # As in the pictures: within 0.02 of exp(-x), whose last bits depend on the processor.
            fall = max(1.0 - beyond / (16.0 * effects.glare_halo_px), 0.0)
            dark += 255.0 * fall**16
        false = effects.false_line_level * effects.gain
        if false > line:
            patch = column // _GLINT_COLUMNS
            if _uniform(glints, patch) < _GLINTING * effects.false_line_level / 255.0:
                fraction = effects.false_line_position + effects.false_line_slope * (column / columns - 0.5)
                height_m = (0.5 - fraction) * surface.window_m
                depth_m[column] = middle_depth_m + surface.per_height * height_m
                line = false
        fate = _uniform(fates, column)
        lost = surface.missing if beside[column] else surface.missing_elsewhere
        clipped = line + dark > _CLIPPED_LEVELS
        if fate < lost or line < _FAINTEST_LEVELS or dark > _BLINDING_LEVELS:
            depth_m[column] = np.nan
            continue
        levels = read + shot * (line + dark)
        # Matched filter of a gaussian line over its rows: sigma sqrt(row / sigma) noise / brightness.
        electronic_m = math.sqrt(_LINE_M * _ROW_M * levels) / line
        speckle_m = scatter_m * _SATURATED if clipped else scatter_m
        spread_m = math.sqrt(speckle_m * speckle_m + electronic_m * electronic_m)
        depth_m[column] += surface.per_height * spread_m * noise[column]
    if effects.streaks > 0.0:
        _streaks(depth_m, px, arc_px, surface.per_height, effects, mixed_bits(fates))
