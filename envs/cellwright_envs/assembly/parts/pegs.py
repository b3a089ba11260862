"""Pegs of four families and their holes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.assembly_cell import BLOCK_HALF_M, BLOCK_HEIGHT_M, Surface
from cellwright_assets.prisms import (
    holed_block_mesh,
    keyed_outline,
    prism_mesh,
    regular_outline,
    round_outline,
)
from cellwright_envs.assembly.parts.catalogue import Catalogue
from cellwright_envs.assembly.parts.part import STEEL_KG_M3, Part, Shape
from cellwright_envs.assembly.parts.solids import about_z, wall
from cellwright_envs.physics.world import Box, Cylinder

Array = NDArray[np.float64]
Family = Literal["round", "square", "hexagonal", "keyed"]
FAMILIES: tuple[str, ...] = get_args(Family)

ROUND_STAVES = 8
"""Walls of a round hole. A round peg touches a wall after moving by 1 to 1.08 times the clearance, depending
on the direction; with 12 walls it would be 1.04, but the physics of a chamfered hole would take twice as
long."""
WALL_M = 0.015
"""Width of the surface around a hole on which a peg can land."""
FLOOR_M = 0.010
_SIDES = {"square": 4, "hexagonal": 6}
# DIN 6885-1, shaft diameter up to [m]: key width, and how far it stands out of the shaft (h - t1).
_KEYS = ((8e-3, 2e-3, 0.8e-3), (10e-3, 3e-3, 1.2e-3), (12e-3, 4e-3, 1.5e-3), (17e-3, 5e-3, 2.0e-3))


@dataclass(frozen=True, kw_only=True)
class Peg(Part):
    """A peg and its hole. A new peg is one more of these and no new code."""

    family: Family

    noun: ClassVar[str] = "peg"
    place: ClassVar[str] = "hole"
    ranges: ClassVar[dict[str, tuple[float, float]]] = {
        "size_m": (3e-3, 17e-3),
        "clearance_m": (0.02e-3, 2e-3),
        "chamfer_m": (0.0, 3e-3),
        "depth_m": (5e-3, 28e-3),
        "length_m": (55e-3, 120e-3),
        "friction": (0.0, 1.0),
        "force_limit_n": (5.0, 200.0),
    }

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ValueError(f"family must be one of {', '.join(FAMILIES)}, got {self.family!r}")
        super().__post_init__()

    @property
    def radius_m(self) -> float:
        """Half the size."""
        return 0.5 * self.size_m

    @property
    def key_m(self) -> tuple[float, float]:
        """Width of the key and how far it stands out of the shaft."""
        return next((width, out) for up_to, width, out in _KEYS if self.size_m <= up_to)

    @property
    def symmetry_rad(self) -> float:
        """0 for a round peg, which fits at any turn."""
        turns = {"round": 0.0, "keyed": 1.0, "square": 1.0 / 4.0, "hexagonal": 1.0 / 6.0}
        return 2.0 * np.pi * turns[self.family]

    @property
    def width_m(self) -> float:
        """Between the fingers, which close along y."""
        return max(self.size_m, 2.0 * float(self.outline()[:, 1].max()))

    @cached_property
    def mass_kg(self) -> float:
        """Solid steel."""
        x, y = self.outline().T
        area_m2 = 0.5 * abs(float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()))
        return STEEL_KG_M3 * area_m2 * self.length_m

    def outline(self, clearance_m: float = 0.0) -> Array:
        """Cross-section (K, 2) [m], counter-clockwise, widened by `clearance_m` for the hole's."""
        radius_m = self.radius_m + clearance_m
        if self.family == "round":
            return round_outline(radius_m)
        if self.family == "keyed":
            width_m, out_m = self.key_m
            return keyed_outline(radius_m, width_m + 2.0 * clearance_m, radius_m + out_m)
        return regular_outline(2.0 * radius_m, _SIDES[self.family])

    def solids(self) -> list[Box | Cylinder]:
        """Collision shapes of the part, in its own frame."""
        half_length_m, middle = 0.5 * self.length_m, np.array([0.0, 0.0, 0.5 * self.length_m])
        if self.family == "square":
            half = np.array([self.radius_m, self.radius_m, half_length_m])
            return [Box(half_m=half, centre_body=middle, rotation_body=np.eye(3))]
        if self.family == "hexagonal":
            # Each pair of opposite flats spans a rectangle; the three of them are exactly the hexagon.
            half = np.array([self.radius_m, self.radius_m * math.tan(np.pi / 6.0), half_length_m])
            return [
                Box(half_m=half, centre_body=middle, rotation_body=about_z(k * np.pi / 3.0)) for k in range(3)
            ]
        shaft = Cylinder(radius_m=self.radius_m, length_m=self.length_m, centre_body=middle)
        if self.family == "round":
            return [shaft]
        width_m, out_m = self.key_m
        half = np.array([0.5 * (self.radius_m + out_m), 0.5 * width_m, 0.5 * self.depth_m])
        key = Box(half_m=half, centre_body=np.array([half[0], 0.0, half[2]]), rotation_body=np.eye(3))
        return [shaft, key]

    def fixture_solids(self, clearance_m: float, chamfer_m: float) -> list[Box]:
        """Collision shapes of the fixture around the hole, in the fixture frame.

        Each wall is a flat face tangent to the hole; the space behind it is outside the hole, so walls may
        overlap. `clearance_m` and `chamfer_m` are those of this episode.
        """
        radius_m = self.radius_m + clearance_m
        size = (self.depth_m, chamfer_m)
        boxes = [self._floor()]
        if self.family == "keyed":
            return boxes + self._keyway(clearance_m, *size)
        count = _SIDES.get(self.family, ROUND_STAVES)
        half_width_m = (radius_m + WALL_M) * math.tan(np.pi / count)
        for k in range(count):
            angle_rad = 2.0 * np.pi * k / count
            boxes += wall(angle_rad, radius_m, (-half_width_m, half_width_m), WALL_M, *size)
        return boxes

    def shape(self, *, fine: bool = False) -> Shape:
        """A prism; a round one is drawn with 48 sides where `fine`."""
        outline = round_outline(self.radius_m, 48) if fine and self.family == "round" else self.outline()
        vertices, faces = prism_mesh(outline, 0.0, self.length_m)
        return Shape(vertices, faces, np.full(len(faces), Surface.PART))

    def fixture_shape(self, clearance_m: float, chamfer_m: float) -> Shape:
        """A block with a blind hole."""
        vertices, faces, inside = holed_block_mesh(
            self.outline(clearance_m),
            half_width_m=BLOCK_HALF_M,
            hole_depth_m=self.depth_m,
            height_m=BLOCK_HEIGHT_M,
            chamfer_m=chamfer_m,
        )
        surface = np.full(len(faces), Surface.BLOCK)
        surface[inside] = Surface.WALL
        is_ground = np.all(vertices[faces][:, :, 2] <= -self.depth_m + 1e-9, axis=1)
        surface[is_ground & (np.arange(len(faces)) >= inside.start)] = Surface.GROUND
        if chamfer_m > 0.0:
            ring = (inside.stop - inside.start - int(is_ground[inside].sum())) // 2
            surface[inside.start : inside.start + ring] = Surface.CHAMFER
        return Shape(vertices, faces, surface)

    def _floor(self) -> Box:
        half_m = self.radius_m + WALL_M
        return Box(
            half_m=np.array([half_m, half_m, 0.5 * FLOOR_M]),
            centre_body=np.array([0.0, 0.0, -self.depth_m - 0.5 * FLOOR_M]),
            rotation_body=np.eye(3),
        )

    def _keyway(self, clearance_m: float, depth_m: float, chamfer_m: float) -> list[Box]:
        """Staves around all but the keyway, and the keyway's two flanks and its ground."""
        key_width_m, out_m = self.key_m
        radius_m, half_key_m = self.radius_m + clearance_m, 0.5 * key_width_m + clearance_m
        open_rad = math.asin(half_key_m / radius_m)
        reach_m = self.radius_m + out_m + clearance_m
        pitch_rad = 2.0 * (np.pi - open_rad) / ROUND_STAVES
        boxes = []
        for k in range(ROUND_STAVES):
            angle_rad = open_rad + (k + 0.5) * pitch_rad
            wide_m = (radius_m + WALL_M) * math.tan(0.5 * pitch_rad)
            # The first and the last stave must not reach over the keyway's edge.
            edge_m = radius_m * math.tan(0.5 * pitch_rad)
            right_m = -edge_m if k == 0 else -wide_m
            left_m = edge_m if k == ROUND_STAVES - 1 else wide_m
            boxes += wall(angle_rad, radius_m, (right_m, left_m), WALL_M, depth_m, chamfer_m)
        begin_m, end_m = radius_m * math.cos(open_rad), self.radius_m + WALL_M
        boxes += wall(0.5 * np.pi, half_key_m, (-end_m, -begin_m), WALL_M, depth_m, chamfer_m)
        boxes += wall(-0.5 * np.pi, half_key_m, (begin_m, end_m), WALL_M, depth_m, chamfer_m)
        ground_m = (-half_key_m - chamfer_m, half_key_m + chamfer_m)
        return boxes + wall(0.0, reach_m, ground_m, WALL_M - out_m, depth_m, chamfer_m)


def _peg(family: Family, size_mm: float, clearance_mm: float, chamfer_mm: float = 0.0) -> Peg:
    name = f"{family}-{size_mm:g}-{clearance_mm:g}" + ("-chamfer" if chamfer_mm else "")
    return Peg(
        name=name,
        family=family,
        size_m=size_mm / 1e3,
        clearance_m=clearance_mm / 1e3,
        chamfer_m=chamfer_mm / 1e3,
        force_limit_n=20.0 if size_mm < 6.0 else 30.0,
    )


# Sizes follow the peg classes of NIST's assembly task boards and of Factory: 4, 8, 12 and 16 mm.
_PEGS = (
    _peg("round", 4, 0.3, 0.5),
    _peg("round", 8, 0.5),
    _peg("round", 8, 0.1, 1.0),
    _peg("round", 12, 0.3),
    _peg("round", 16, 1.0),
    _peg("round", 16, 0.2, 1.0),
    _peg("square", 4, 0.5, 0.5),
    _peg("square", 8, 0.3),
    _peg("square", 12, 0.5, 1.0),
    _peg("square", 12, 0.1, 1.0),
    _peg("square", 16, 1.0),
    _peg("keyed", 8, 0.3, 0.5),
    _peg("keyed", 12, 0.5, 1.0),
    _peg("keyed", 16, 0.3),
    _peg("hexagonal", 8, 0.5, 0.5),
    _peg("hexagonal", 12, 0.3),
    _peg("hexagonal", 16, 0.2, 1.0),
    _peg("round", 10, 0.3),
    _peg("square", 10, 0.2, 1.0),
    _peg("keyed", 10, 0.5),
)

PEGS = Catalogue(
    parts=_PEGS,
    held_out=tuple(peg.name for peg in _PEGS if peg.family == "hexagonal" or peg.size_m == 10e-3),
)
"""Held out from training are the hexagonal family, and the size of 10 mm in every family."""
