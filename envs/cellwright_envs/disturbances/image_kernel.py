"""All disturbances of a camera frame, in one compiled pass over its rows.

Noise is a hash of a seed and the pixel's number, so one integer drawn per frame gives the whole frame.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.disturbances.sampling import Floats
from cellwright_perception.compiled import compiled, compiled_as

Image = NDArray[np.uint8]
Row = NDArray[np.float32]


class FrameEffects(NamedTuple):
    """Effects on one frame; the defaults change nothing. Grey values run from 0 to 255."""

    albedo: float = 1.0
    """Reflectance of the scene over the nominal one."""
    false_line_level: float = 0.0
    """Peak of a specular false line [grey values]."""
    false_line_position: float = 0.5
    """Where it crosses the middle column, as a fraction of the image's height."""
    false_line_slope: float = 0.0
    """Its rise in rows per column."""
    contrast_loss: float = 0.0
    """Fraction of the contrast that smoke takes."""
    veil_level: float = 0.0
    """Grey value that smoke puts in its place."""
    glare_radius_low_px: float = 0.0
    """Smallest radius of the saturated disc around the arc; it flickers between this and the largest."""
    glare_radius_high_px: float = 0.0
    """Largest radius; zero for no arc."""
    glare_halo_px: float = 0.0
    """Distance over which the halo falls to 1/e."""
    streaks: float = 0.0
    """Expected number of spatter streaks in the frame."""
    streak_length_px: float = 0.0
    """Longest streak."""
    gain: float = 1.0
    """Exposure over the nominal one."""
    offset_levels: float = 0.0
    """Black level of the camera [grey values]."""
    read_noise_levels: float = 0.0
    """Standard deviation of the noise in the dark [grey values]."""
    shot_noise_levels: float = 0.0
    """Variance of the noise per grey value [grey values]."""


NO_EFFECTS = FrameEffects()


@compiled_as(inline="always")
def mixed_bits(value: np.uint32) -> np.uint32:
    """Mix 32 bits (lowbias32, C. Wellons, public domain)."""
    value = np.uint32(value ^ np.uint32(value >> np.uint32(16)))
    value = np.uint32(value * np.uint32(0x7FEB352D))
    value = np.uint32(value ^ np.uint32(value >> np.uint32(15)))
    value = np.uint32(value * np.uint32(0x846CA68B))
    return np.uint32(value ^ np.uint32(value >> np.uint32(16)))


@compiled
def _uniform(seed: int, index: int) -> float:
    """Return draw number `index` of the frame, uniform in [0, 1)."""
    return mixed_bits(np.uint32(mixed_bits(np.uint32(seed)) + np.uint32(index))) / 4294967296.0


@compiled
def _false_line(line: Row, row_index: int, height: int, effects: FrameEffects) -> None:
    """Add the specular line to one row, two pixels wide to each side."""
    crossing = effects.false_line_position * height
    column_middle = 0.5 * (line.size - 1)
    for column in range(line.size):
        distance = abs(row_index - crossing - effects.false_line_slope * (column - column_middle))
        if distance < 2.0:
            line[column] += np.float32(effects.false_line_level * (1.0 - 0.5 * distance))


@compiled
def _glare(line: Row, row_distance: float, arc_column: float, radius: float, halo: float) -> None:
    """Add the arc's disc and halo to one row.

    (1 - x/16)^16 approximates exp(-x): within 0.02 of it everywhere, and it compiles to vector code.
    """
    decay = np.float32(1.0 / (16.0 * halo))
    disc = np.float32(radius)
    square = np.float32(row_distance * row_distance)
    start = np.float32(arc_column)
    top, zero, one = np.float32(255.0), np.float32(0.0), np.float32(1.0)
    for column in range(line.size):
        across = np.float32(column) - start
        beyond = math.sqrt(across * across + square) - disc
        beyond = beyond if beyond > zero else zero
        fall = one - beyond * decay
        fall = fall if fall > zero else zero
        fall *= fall
        fall *= fall
        fall *= fall
        line[column] += top * fall * fall


@compiled
def _noise(line: Row, first_pixel: int, seed: np.uint32, read: float, shot: float) -> None:
    """Add read and shot noise to one row; the sum of a hash's four bytes is nearly normal."""
    variance = np.float32(read * read)
    per_level = np.float32(shot)
    # Four uniform bytes: mean 510, variance 4 (256^2 - 1) / 12.
    scale = np.float32(1.0 / math.sqrt((256.0**2 - 1.0) / 3.0))
    mean = np.float32(510.0)
    byte = np.uint32(0xFF)
    zero = np.float32(0.0)
    first = np.uint32(seed + first_pixel)
    for column in range(line.size):
        bits = mixed_bits(np.uint32(first + np.uint32(column)))
        total = np.int32(
            np.uint32(bits & byte)
            + np.uint32(np.uint32(bits >> np.uint32(8)) & byte)
            + np.uint32(np.uint32(bits >> np.uint32(16)) & byte)
            + np.uint32(bits >> np.uint32(24))
        )
        level = line[column]
        level = level if level > zero else zero
        spread = math.sqrt(variance + per_level * level)
        line[column] += spread * scale * (np.float32(total) - mean)


@compiled
def _streaks(image: Image, arc_px: Floats, seed: int, expected: float, longest_px: float) -> None:
    """Draw spatter that flies from the arc: saturated, two pixels wide, a Poisson number of streaks."""
    height, width = image.shape
    remaining = _uniform(seed, 8)
    index = 16
    threshold = math.exp(-expected)
    # Knuth's method: uniforms multiplied until their product falls below exp(-expected).
    while remaining > threshold and index < 16 + 8 * 32:
        direction = 2.0 * math.pi * _uniform(seed, index)
        start = _uniform(seed, index + 1) * 0.6 * (height + width)
        length = (0.3 + 0.7 * _uniform(seed, index + 2)) * longest_px
        cosine, sine = math.cos(direction), math.sin(direction)
        for step in range(int(2.0 * length)):
            column = math.floor(arc_px[0] + cosine * (start + 0.5 * step))
            row = math.floor(arc_px[1] + sine * (start + 0.5 * step))
            if 0 <= row < height - 1 and 0 <= column < width - 1:
                image[row, column] = 255
                image[row, column + 1] = 255
                image[row + 1, column] = 255
        remaining *= _uniform(seed, index + 3)
        index += 8


@compiled
def corrupt(images: Image, arc_px: Floats, magnification: Floats, effects: FrameEffects, seed: int) -> Image:
    """Return a copy of `images` with all `effects` applied.

    Args:
        images: uint8 (views, height, width).
        arc_px: (views, 2) column and row of the arc in each view [px]; it may lie outside the image.
        magnification: (views,) size of a pixel in the first view over its size in this one.
        effects: a FrameEffects.
        seed: unsigned 32-bit integer, one per frame.
    """
    views, height, width = images.shape
    out = np.empty_like(images)
    line = np.empty(width, np.float32)
    flicker = _uniform(seed, 0)
    noise_seed = mixed_bits(np.uint32(seed))
    keep = np.float32(effects.albedo * (1.0 - effects.contrast_loss))
    veil = np.float32(effects.veil_level * effects.contrast_loss)
    gain, offset = np.float32(effects.gain), np.float32(effects.offset_levels)
    has_glare = effects.glare_radius_high_px > 0.0
    has_noise = effects.read_noise_levels > 0.0 or effects.shot_noise_levels > 0.0
    zero, top, half = np.float32(0.0), np.float32(255.0), np.float32(0.5)
    for view in range(views):
        scale = magnification[view]
        spread = effects.glare_radius_high_px - effects.glare_radius_low_px
        radius = scale * (effects.glare_radius_low_px + flicker * spread)
        arc_column, arc_row = arc_px[view, 0], arc_px[view, 1]
        for row in range(height):
            for column in range(width):
                line[column] = np.float32(images[view, row, column]) * keep + veil
            if effects.false_line_level > 0.0:
                _false_line(line, row, height, effects)
            for column in range(width):
                line[column] = line[column] * gain + offset
            if has_glare:  # the arc is far above full scale, so no exposure dims its disc
                _glare(line, row - arc_row, arc_column, radius, scale * effects.glare_halo_px)
            if has_noise:
                first_pixel = (view * height + row) * width
                _noise(line, first_pixel, noise_seed, effects.read_noise_levels, effects.shot_noise_levels)
            for column in range(width):
                level = line[column] + half
                level = level if level > zero else zero
                level = level if level < top else top
                out[view, row, column] = np.uint8(np.int32(level))
        if effects.streaks > 0.0:
            longest_px = scale * effects.streak_length_px
            _streaks(out[view], arc_px[view], seed, effects.streaks, longest_px)
    return out
