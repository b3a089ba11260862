"""Drawings of the insertions' cells with open sizes, because the expert does not know which part it holds.

Sizes and greys that all parts of a task share are those of the drawings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.assembly_cell import (
    BLOCK_HALF_M,
    BLOCK_HEIGHT_M,
    FRAME_M,
    GEAR_SHOULDER_M,
    GRASP_HEIGHT_M,
    GREYS,
    HOUSING_M,
    LINE_RAD,
    MARK_M,
    NUT_RUNNER_LENGTH_M,
    PART_LENGTH_M,
    POINT_CHAMFER_M,
    RIB_FRACTION,
    RIB_M,
    SHAFT_DIAMETER_M,
    SHOULDER_M,
    SOCKET_HEIGHT_M,
    SOCKET_TAPER_M,
    SOCKET_WALL_M,
    TABLE_GREY,
    TABLE_HALF_M,
    WASHER_M,
    Surface,
)
from cellwright_assets.gripper import (
    DARK,
    FINGER_SPAN_M,
    FINGER_THICKNESS_M,
    PAD_BLACK,
    PAD_HEIGHT_M,
    PAD_THICKNESS_M,
    PAD_WIDTH_M,
    fingertips_above_tip_m,
)
from cellwright_policies.experts.assembly.drawn_cell import Prism, disc, rectangle

Array = NDArray[np.float64]

_SURFACES = (Surface.BLOCK, Surface.CHAMFER, Surface.WALL, Surface.PART, Surface.HOUSING, Surface.GEAR)
BLOCK, CHAMFER, WALL, METAL, PLASTIC, STEEL = (GREYS[surface] for surface in _SURFACES)
SOCKET = 0.13
"""Grey of a socket's inside: between those of its walls and of its ground."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The open sizes of a drawing, each (K,) [m]."""

    usual: Array
    spread: Array
    """Standard deviation."""
    low: Array
    high: Array


@dataclass(frozen=True, kw_only=True)
class CellDrawing:
    """A task's cell."""

    sizes: Sizes
    prisms: Callable[[Array], Sequence[Prism]]


def _level(outline: Array, z_m: float, grey: float) -> Prism:
    return Prism(bottom=outline, top=outline, low_m=z_m, high_m=z_m, grey=grey)


def _body(outline: Array, low_m: float, high_m: float, grey: float, *, held: bool = False) -> Prism:
    return Prism(bottom=outline, top=outline, low_m=low_m, high_m=high_m, grey=grey, held=held)


def _frustum(bottom: Array, top: Array, low_m: float, high_m: float, grey: float, *, held: bool) -> Prism:
    return Prism(bottom=bottom, top=top, low_m=low_m, high_m=high_m, grey=grey, held=held)


def _finger(width_m: float, side: float) -> list[Prism]:
    """Finger and pad, closed on a part `width_m` wide, on the side of +y (1) or -y (-1)."""
    bottom_m, out = fingertips_above_tip_m(GRASP_HEIGHT_M), []
    half_m, (begin_m, end_m) = 0.5 * PAD_WIDTH_M, FINGER_SPAN_M
    for near_m, far_m, low_m, high_m, grey in (
        (
            PAD_THICKNESS_M,
            PAD_THICKNESS_M + FINGER_THICKNESS_M,
            bottom_m + begin_m,
            bottom_m + end_m,
            DARK[0],
        ),
        (0.0, PAD_THICKNESS_M, bottom_m, bottom_m + PAD_HEIGHT_M, PAD_BLACK[0]),
    ):
        low_y, high_y = sorted((side * (0.5 * width_m + near_m), side * (0.5 * width_m + far_m)))
        outline = rectangle(-half_m, half_m, low_y, high_y)
        out.append(
            Prism(bottom=outline, top=outline, low_m=low_m, high_m=high_m, grey=grey, held=True, gripper=True)
        )
    return out


def _ground() -> Prism:
    return _level(_square(TABLE_HALF_M), -BLOCK_HEIGHT_M, TABLE_GREY)


def _square(half_m: float) -> Array:
    return rectangle(-half_m, half_m, -half_m, half_m)


def _regular(radius_m: float, sides: int) -> Array:
    """A regular polygon (K, 2) [m] around a circle, one side towards +x."""
    angle = 2.0 * np.pi * (np.arange(sides) + 0.5) / sides
    return np.asarray(radius_m / np.cos(np.pi / sides) * np.stack([np.cos(angle), np.sin(angle)], axis=1))


def _peg_prisms(outlines: Callable[[float], Sequence[Array]], wide: float) -> Callable[[Array], list[Prism]]:
    """Sizes: half of peg, clearance, chamfer. A peg of size 1 is `wide` between the fingers."""

    def prisms(sizes: Array) -> list[Prism]:
        radius_m, clearance_m, chamfer_m = sizes.tolist()
        mouth, hole = outlines(radius_m + clearance_m + chamfer_m), outlines(radius_m + clearance_m)
        width_m = 2.0 * wide * radius_m
        return [
            _ground(),
            _body(_square(BLOCK_HALF_M), -BLOCK_HEIGHT_M, 0.0, BLOCK),
            *(_level(outline, 0.0, CHAMFER) for outline in mouth),
            *(_level(outline, -chamfer_m, SOCKET) for outline in hole),
            *_finger(width_m, 1.0),
            *(_body(outline, 0.0, PART_LENGTH_M, METAL, held=True) for outline in outlines(radius_m)),
            *_finger(width_m, -1.0),
        ]

    return prisms


def _keyed(radius_m: float) -> list[Array]:
    """A disc and the key that stands out of it towards +x, in the proportions of DIN 6885-1."""
    key = rectangle(0.95 * radius_m, 1.24 * radius_m, -0.31 * radius_m, 0.31 * radius_m)
    return [disc(radius_m, 16), key]


def _plug_prisms(sizes: Array) -> list[Prism]:
    """Sizes: half width, half thickness, depth, chamfer of the mouth."""
    x_m, y_m, depth_m, chamfer_m = sizes.tolist()
    clearance_m = 0.3e-3
    mouth_m = clearance_m + chamfer_m
    rib_m, side_m, front_m = RIB_FRACTION * x_m, x_m + mouth_m + FRAME_M, y_m + mouth_m + FRAME_M
    socket = []
    for wider_m, z_m, grey in ((mouth_m, 0.0, CHAMFER), (clearance_m, -chamfer_m, SOCKET)):
        groove = rectangle(-rib_m - mouth_m, rib_m + mouth_m, -y_m - wider_m - RIB_M, 0.0)
        hole = rectangle(-x_m - wider_m, x_m + wider_m, -y_m - wider_m, y_m + wider_m)
        socket += [_level(groove, z_m, grey), _level(hole, z_m, grey)]
    wide_m, thick_m = HOUSING_M
    housing = rectangle(-x_m - wide_m, x_m + wide_m, -y_m - thick_m, y_m + thick_m)
    width_m = 2.0 * y_m + 2.0 * thick_m
    return [
        _ground(),
        _body(_square(BLOCK_HALF_M), -BLOCK_HEIGHT_M, 0.0, BLOCK),
        _level(rectangle(-side_m, side_m, -front_m - RIB_M, front_m), 0.0, PLASTIC),
        *socket,
        _body(rectangle(-x_m, x_m, -y_m, y_m), 0.0, depth_m + SHOULDER_M, METAL, held=True),
        _body(rectangle(-rib_m, rib_m, -y_m - RIB_M, -y_m), 0.0, depth_m, METAL, held=True),
        *_finger(width_m, 1.0),
        _body(housing, depth_m + SHOULDER_M, PART_LENGTH_M, PLASTIC, held=True),
        *_finger(width_m, -1.0),
    ]


def _nut_prisms(sizes: Array) -> list[Prism]:
    """Sizes: radius of the thread, half the width across flats, depth, radius and length of the point."""
    thread_m, flat_m, depth_m, point_m, length_m = sizes.tolist()
    chamfer_m, washer_m, shaft_m = POINT_CHAMFER_M, WASHER_M, 0.5 * SHAFT_DIAMETER_M
    corner_m = flat_m * 2.0 / np.sqrt(3.0)
    socket_m, open_m = corner_m + SOCKET_WALL_M, 0.68 * thread_m
    taper_m, (deep_m, wide_m) = SOCKET_HEIGHT_M - SOCKET_TAPER_M, MARK_M
    mark = rectangle(socket_m - 0.5 * deep_m, socket_m + 0.5 * deep_m, -0.5 * wide_m, 0.5 * wide_m)
    return [
        _ground(),
        _body(_square(BLOCK_HALF_M), -BLOCK_HEIGHT_M, -depth_m - washer_m, BLOCK),
        _body(disc(1.1 * flat_m + 2e-3, 16), -depth_m - washer_m, -depth_m, CHAMFER),
        _body(disc(0.96 * thread_m), -depth_m, -length_m, WALL),
        _body(disc(point_m), -length_m, -chamfer_m, METAL),
        _frustum(disc(point_m), disc(point_m - chamfer_m), -chamfer_m, 0.0, METAL, held=False),
        _body(disc(corner_m, 6), 0.0, open_m, METAL, held=True),
        *_finger(SHAFT_DIAMETER_M, 1.0),
        _body(disc(socket_m), open_m, taper_m, BLOCK, held=True),
        _body(mark, open_m, taper_m, METAL, held=True),
        _frustum(disc(socket_m), disc(shaft_m), taper_m, SOCKET_HEIGHT_M, BLOCK, held=True),
        _body(disc(shaft_m), SOCKET_HEIGHT_M, NUT_RUNNER_LENGTH_M, BLOCK, held=True),
        *_finger(SHAFT_DIAMETER_M, -1.0),
    ]


def _gear_prisms(sizes: Array) -> list[Prism]:
    """Sizes: radii of shaft, gear and both neighbours, depth and width of face; gears without teeth."""
    shaft_m, gear_m, first_m, second_m, depth_m, face_m = sizes.tolist()
    top_m, shoulder_m = face_m - depth_m, GEAR_SHOULDER_M
    along = np.array([np.cos(LINE_RAD), np.sin(LINE_RAD)])
    first, second = (gear_m + first_m) * along, -(gear_m + second_m) * along
    quarter = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 7) + LINE_RAD
    end = (0.5 * (first_m + second_m) + 5e-3) * np.stack([np.cos(quarter), np.sin(quarter)], axis=1)
    plate = np.concatenate([end + first, -end + second])

    def neighbour(centre: Array, radius_m: float) -> list[Prism]:
        return [
            _body(disc(shaft_m + shoulder_m) + centre, -depth_m - shoulder_m, -depth_m, BLOCK),
            _body(disc(radius_m, 24) + centre, -depth_m, top_m, STEEL),
            _body(disc(shaft_m) + centre, top_m, 0.0, STEEL),
        ]

    hub_m = shaft_m + 3e-3
    return [
        _ground(),
        _body(plate, -BLOCK_HEIGHT_M, -depth_m - shoulder_m, BLOCK),
        *neighbour(second, second_m),
        _body(disc(shaft_m + shoulder_m), -depth_m - shoulder_m, -depth_m, BLOCK),
        _body(disc(shaft_m), -depth_m, 0.0, STEEL),
        *neighbour(first, first_m),
        _body(disc(gear_m, 24), 0.0, face_m, METAL, held=True),
        *_finger(2.0 * hub_m, 1.0),
        _body(disc(hub_m), face_m, PART_LENGTH_M, METAL, held=True),
        *_finger(2.0 * hub_m, -1.0),
    ]


def _sizes(*rows: tuple[float, float, float, float]) -> Sizes:
    """From usual, spread, lowest and highest of each size [mm]."""
    usual, spread, low, high = 1e-3 * np.array(rows).T
    return Sizes(usual=usual, spread=spread, low=low, high=high)


_PEG_SIZES = _sizes((5.5, 2.5, 1.8, 8.2), (0.4, 0.2, 0.1, 1.1), (0.4, 0.4, 0.0, 1.2))
PEGS = (
    CellDrawing(sizes=_PEG_SIZES, prisms=_peg_prisms(lambda radius_m: [disc(radius_m, 16)], 1.0)),
    CellDrawing(sizes=_PEG_SIZES, prisms=_peg_prisms(lambda radius_m: [_regular(radius_m, 4)], 1.0)),
    CellDrawing(sizes=_PEG_SIZES, prisms=_peg_prisms(_keyed, 1.0)),
    CellDrawing(sizes=_PEG_SIZES, prisms=_peg_prisms(lambda radius_m: [_regular(radius_m, 6)], 1.15)),
)
"""Round, square, keyed and hexagonal ones."""
PLUG = CellDrawing(
    sizes=_sizes((7.0, 1.5, 4.0, 8.8), (3.1, 1.2, 1.9, 5.2), (9.0, 2.0, 5.0, 13.5), (0.9, 0.3, 0.3, 1.6)),
    prisms=_plug_prisms,
)
NUT = CellDrawing(
    sizes=_sizes(
        (6.5, 1.2, 4.5, 8.5),
        (10.0, 1.5, 7.5, 12.5),
        (8.5, 1.2, 6.0, 11.0),
        (4.5, 1.0, 3.0, 6.5),
        (3.2, 0.7, 2.0, 4.5),
    ),
    prisms=_nut_prisms,
)
GEAR = CellDrawing(
    sizes=_sizes(
        (3.8, 0.7, 2.8, 5.2),
        (12.5, 2.0, 8.0, 18.0),
        (13.5, 3.0, 8.0, 20.0),
        (13.5, 3.0, 8.0, 20.0),
        (20.0, 2.0, 13.0, 24.0),
        (10.0, 1.0, 6.0, 14.0),
    ),
    prisms=_gear_prisms,
)
