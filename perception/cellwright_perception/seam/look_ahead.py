"""Where the taught path crosses the laser plane of a sensor that looks ahead of the torch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import arccos, inner, inverse, length, moved, product, turned, unit
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_perception.seam.taught_path import LEAD_IN_M, STEP_M, SeamFrames

Array = NDArray[np.float64]


class Crossing(NamedTuple):
    """How the drawing's seam and what is near it cross the laser plane, seen from one torch pose."""

    arc_m: float
    """Seam length from the wire to the laser."""
    seam_t: Array
    """Lateral and height (2,) [m] of the drawing's seam in the laser plane, in the tool frame."""
    seam_from_laser: Array
    """(2, 2): turns a distance off the seam in the laser plane into (lateral, height) of the seam there."""
    laser_from_torch: Array
    """(2, 2): what a torch moved by (lateral, height) at the wire gains on the seam in the laser plane."""
    gap_fraction: float
    """Gap divided by its width in the laser plane."""


class LookAhead:
    """Where the drawing's seam crosses the laser plane, seen from each point of the taught path."""

    def __init__(self, frames: SeamFrames, torch_rotations_w: Array, geometry: SeamSensorGeometry) -> None:
        count = len(frames.path_position_m)
        reach = np.arange(46)
        later = np.minimum(np.arange(count)[:, None] + reach, count - 1)
        offsets = frames.points_w[later] - frames.points_w[:, None]
        tool_from_world = torch_rotations_w.transpose(0, 2, 1)
        in_tool = turned(tool_from_world[:, None], offsets)
        beyond = in_tool[:, :, 0] >= geometry.look_ahead_m
        crossed = beyond.any(axis=1)
        step = np.where(crossed, beyond.argmax(axis=1), len(reach) - 1)
        rows = np.arange(count)
        before, last = in_tool[rows, step - 1], in_tool[rows, step]
        # Behind the part's end nothing crosses the laser: the last sample is used.
        reached = np.where(crossed, last[:, 0] - before[:, 0], 1.0)
        fraction = np.where(crossed, (geometry.look_ahead_m - before[:, 0]) / reached, 1.0)

        def at_laser(values: Array) -> Array:
            """Values (N, ...) along the path, interpolated to where each sample's laser plane cuts it."""
            weight = fraction.reshape(-1, *(1,) * (values.ndim - 1))
            crossing: Array = (1.0 - weight) * values[later[rows, step - 1]] + weight * values[
                later[rows, step]
            ]
            return crossing

        crossing_t = before + fraction[:, None] * (last - before)
        seam = product(tool_from_world, at_laser(frames.rotations_w))
        torch = product(tool_from_world, frames.rotations_w)
        tangents = seam[:, :, 0]
        laser_from_seam = _cut(seam[:, :, 1:], tangents)
        laser_from_torch = _cut(torch[:, :, 1:], tangents)
        base, web = at_laser(frames.base_directions_w), at_laser(frames.web_directions_w)
        # A butt joint opens to its sides, a lap or fillet along its web.
        is_butt = np.abs(inner(frames.web_directions_w, frames.rotations_w[:, :, 2])) > 0.99
        opening_w = np.where(is_butt[:, None], base, web)
        opening_t = turned(tool_from_world, opening_w)
        gap_fraction = 1.0 / length(_cut(opening_t[:, :, None], tangents)[:, :, 0])
        self.opening_rad = _opening_rad(at_laser(frames.rotations_w)[:, :, 0], base, web, torch_rotations_w)
        """Angle between base plate and web in the laser plane (N,) [rad]."""
        stripe = geometry.stripe
        seen_t = np.column_stack([np.full(count, geometry.look_ahead_m), crossing_t[:, 1:]])
        seen_c = moved(geometry.camera_from_tool, seen_t)
        middle_px = [0.5 * (stripe.width - 1), 0.5 * (stripe.height - 1)]
        self.window_px = np.rint(stripe.project(seen_c) - middle_px)
        """How far the sensor moves its stripe window (N, 2) [px] to keep the drawing's seam in its middle."""
        self._table = np.column_stack(
            [
                (step - 1 + fraction) * STEP_M,
                crossing_t[:, 1:],
                inverse(laser_from_seam).reshape(-1, 4),
                laser_from_torch.reshape(-1, 4),
                gap_fraction,
            ]
        )

    def at(self, path_position_m: float) -> Crossing:
        """Return the crossing seen from `path_position_m`, linear between samples."""
        position = (path_position_m + LEAD_IN_M) / STEP_M
        index = min(max(int(position), 0), len(self._table) - 2)
        fraction = min(max(position - index, 0.0), 1.0)
        row = (1.0 - fraction) * self._table[index] + fraction * self._table[index + 1]
        return Crossing(
            arc_m=float(row[0]),
            seam_t=row[1:3],
            seam_from_laser=row[3:7].reshape(2, 2),
            laser_from_torch=row[7:11].reshape(2, 2),
            gap_fraction=float(row[11]),
        )


def _cut(directions_t: Array, tangents_t: Array) -> Array:
    """How far (N, 2, M) the crossing moves in the laser plane as the seam moves by `directions_t` (N, 3, M).

    The seam runs along `tangents_t` (N, 3): what moves it out of the plane moves the crossing along it.
    """
    slide = directions_t[:, :1] / tangents_t[:, :1, None]
    return np.asarray(directions_t[:, 1:] - slide * tangents_t[:, 1:, None])


def _opening_rad(tangents: Array, base: Array, web: Array, torch_rotations_w: Array) -> Array:
    """Angle (N,) between base plate and web in each sample's laser plane; directions (N, 3) in the world."""
    traces = []
    for directions in (base, web):
        traces.append(unit(np.cross(np.cross(tangents, directions), torch_rotations_w[:, :, 0])))
    cosine = inner(*traces)
    # Rounded, so that what is square on the drawing stays square to the last bit.
    return np.round(arccos(np.clip(cosine, -1.0, 1.0)) - 0.5 * np.pi, 4) + 0.5 * np.pi
