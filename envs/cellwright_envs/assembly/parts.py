"""Parts to insert, as data: what they are, what they collide with and what a camera sees of them.

The part frame `_p` has its origin in the middle of the part's tip and z up along its axis; the fixture frame
`_f` has its origin in the middle of the hole's mouth and z up out of the hole. Seated, the part's origin is
at z = -depth in the fixture frame and both frames are parallel.

Collision shapes are boxes and implicit cylinders only, which Bullet keeps at exact size: its convex hulls
carry a millimetre of margin.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.prisms import keyed_outline, regular_outline, round_outline
from cellwright_envs.world import Box, Cylinder

Array = NDArray[np.float64]
Family = Literal["round", "square", "hexagonal", "keyed"]
FAMILIES: tuple[str, ...] = get_args(Family)

STEEL_KG_M3 = 7850.0
ROUND_STAVES = 8
"""Walls of a round hole. A circle in it meets a wall after 1 to 1.08 clearances, whatever the direction; with
12 walls it would be 1.04 and the physics of a chamfered hole would take twice as long."""
WALL_M = 0.015
"""Width of the fixture around a hole that can be landed on."""
FLOOR_M = 0.010
FINE_CLEARANCE_M = 0.25e-3
"""Below this clearance physics runs at 480 Hz: at 240 Hz a held peg can squeeze in 0.05 mm beside its hole.
Holes drawn with 0.3 mm and made a tenth tighter stay above."""
GRASP_HEIGHT_M = 0.048
"""From the tip to the middle of the finger pads; 4 mm of air between fingertips and fixture when seated."""
_SIDES = {"square": 4, "hexagonal": 6}
# DIN 6885-1, shaft diameter up to [m]: key width, and how far it stands out of the shaft (h - t1).
_KEYS = ((8e-3, 2e-3, 0.8e-3), (10e-3, 3e-3, 1.2e-3), (12e-3, 4e-3, 1.5e-3), (17e-3, 5e-3, 2.0e-3))


@dataclass(frozen=True, kw_only=True)
class InsertPart:
    """A peg and the hole it belongs into. A new part is one more of these and no new code."""

    name: str
    family: Family
    size_m: float
    """Diameter, or width across flats."""
    clearance_m: float
    """Hole minus peg, per side."""
    chamfer_m: float = 0.0
    """Chamfer of the hole's mouth, 45 degrees; 0 for a sharp edge."""
    depth_m: float = 0.025
    """Depth of the hole, to which the part is to be seated. Factory's sockets have 25 mm."""
    length_m: float = 0.060
    friction: float = 0.2
    """Steel on aluminium, lightly oiled (assumption); `ContactFriction` varies it."""
    force_limit_n: float = 30.0
    """Force above which the part counts as broken; an engineering assumption."""

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ValueError(f"family must be one of {', '.join(FAMILIES)}, got {self.family!r}")
        for name, low, high in (
            ("size_m", 3e-3, 17e-3),
            ("clearance_m", 0.02e-3, 2e-3),
            ("chamfer_m", 0.0, 3e-3),
            ("depth_m", 5e-3, 28e-3),
            ("length_m", 55e-3, 120e-3),
            ("friction", 0.0, 1.0),
            ("force_limit_n", 5.0, 200.0),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{self.name}: {name}={getattr(self, name)} is outside {low}..{high}")

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
        """Turn about the axis after which the part looks the same; 0 for a round one, which any turn does."""
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
        area_m2 = 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))
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
            return [Box(half_m=half, centre_w=middle, rotation_w=np.eye(3))]
        if self.family == "hexagonal":
            # Each pair of opposite flats spans a rectangle; the three of them are exactly the hexagon.
            half = np.array([self.radius_m, self.radius_m * np.tan(np.pi / 6.0), half_length_m])
            return [Box(half_m=half, centre_w=middle, rotation_w=_about_z(k * np.pi / 3.0)) for k in range(3)]
        shaft = Cylinder(radius_m=self.radius_m, length_m=self.length_m, centre_w=middle)
        if self.family == "round":
            return [shaft]
        width_m, out_m = self.key_m
        half = np.array([0.5 * (self.radius_m + out_m), 0.5 * width_m, 0.5 * self.depth_m])
        key = Box(half_m=half, centre_w=np.array([half[0], 0.0, half[2]]), rotation_w=np.eye(3))
        return [shaft, key]

    def hole_solids(self, clearance_m: float, chamfer_m: float) -> list[Box]:
        """Collision shapes of the fixture around the hole, in the fixture frame.

        Each wall is a flat face tangent to the hole; whatever lies behind it is outside the hole for certain,
        so walls may overlap. `clearance_m` and `chamfer_m` are those of this episode.
        """
        radius_m = self.radius_m + clearance_m
        size = (self.depth_m, chamfer_m)
        boxes = [self._floor()]
        if self.family == "keyed":
            return boxes + self._keyway(clearance_m, *size)
        count = _SIDES.get(self.family, ROUND_STAVES)
        half_width_m = (radius_m + WALL_M) * np.tan(np.pi / count)
        for k in range(count):
            angle_rad = 2.0 * np.pi * k / count
            boxes += _wall(angle_rad, radius_m, (-half_width_m, half_width_m), WALL_M, *size)
        return boxes

    def _floor(self) -> Box:
        half_m = self.radius_m + WALL_M
        return Box(
            half_m=np.array([half_m, half_m, 0.5 * FLOOR_M]),
            centre_w=np.array([0.0, 0.0, -self.depth_m - 0.5 * FLOOR_M]),
            rotation_w=np.eye(3),
        )

    def _keyway(self, clearance_m: float, depth_m: float, chamfer_m: float) -> list[Box]:
        """Staves around all but the keyway, and the keyway's two flanks and its ground."""
        key_width_m, out_m = self.key_m
        radius_m, half_key_m = self.radius_m + clearance_m, 0.5 * key_width_m + clearance_m
        open_rad = np.arcsin(half_key_m / radius_m)
        reach_m = self.radius_m + out_m + clearance_m
        pitch_rad = 2.0 * (np.pi - open_rad) / ROUND_STAVES
        boxes = []
        for k in range(ROUND_STAVES):
            angle_rad = open_rad + (k + 0.5) * pitch_rad
            wide_m = (radius_m + WALL_M) * np.tan(0.5 * pitch_rad)
            # The first and the last stave must not reach over the keyway's edge.
            edge_m = radius_m * np.tan(0.5 * pitch_rad)
            right_m = -edge_m if k == 0 else -wide_m
            left_m = edge_m if k == ROUND_STAVES - 1 else wide_m
            boxes += _wall(angle_rad, radius_m, (right_m, left_m), WALL_M, depth_m, chamfer_m)
        begin_m, end_m = radius_m * np.cos(open_rad), self.radius_m + WALL_M
        boxes += _wall(0.5 * np.pi, half_key_m, (-end_m, -begin_m), WALL_M, depth_m, chamfer_m)
        boxes += _wall(-0.5 * np.pi, half_key_m, (begin_m, end_m), WALL_M, depth_m, chamfer_m)
        ground_m = (-half_key_m - chamfer_m, half_key_m + chamfer_m)
        return boxes + _wall(0.0, reach_m, ground_m, WALL_M - out_m, depth_m, chamfer_m)


def _about_z(angle_rad: float) -> Array:
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _wall(
    angle_rad: float,
    distance_m: float,
    span_m: tuple[float, float],
    thickness_m: float,
    depth_m: float,
    chamfer_m: float,
) -> list[Box]:
    """Return the boxes of one wall, whose face is `distance_m` from the axis in the direction `angle_rad`.

    `span_m` is its extent to the left of that direction, `thickness_m` how far it goes on behind the face.
    """
    turn = _about_z(angle_rad)
    middle_m, half_width_m = 0.5 * (span_m[0] + span_m[1]), 0.5 * (span_m[1] - span_m[0])

    def box(near_m: float, far_m: float, low_m: float, high_m: float) -> Box:
        centre = np.array([0.5 * (near_m + far_m), middle_m, 0.5 * (low_m + high_m)])
        half = np.array([0.5 * (far_m - near_m), half_width_m, 0.5 * (high_m - low_m)])
        return Box(half_m=half, centre_w=turn @ centre, rotation_w=turn)

    far_m = distance_m + thickness_m
    if chamfer_m <= 0.0:
        return [box(distance_m, far_m, -depth_m, 0.0)]
    # Columns: up the slope, across it, out of the material.
    slope = np.array([[1.0, 0.0, -1.0], [0.0, np.sqrt(2.0), 0.0], [1.0, 0.0, 1.0]]) / np.sqrt(2.0)
    half = np.array([chamfer_m / np.sqrt(2.0), half_width_m, 0.25 * chamfer_m])
    face = np.array([distance_m + 0.5 * chamfer_m, middle_m, -0.5 * chamfer_m])
    centre = face - half[2] * slope[:, 2]
    return [
        box(distance_m, far_m, -depth_m, -chamfer_m),
        box(distance_m + chamfer_m, far_m, -chamfer_m, 0.0),
        Box(half_m=half, centre_w=turn @ centre, rotation_w=turn @ slope),
    ]


def _part(family: Family, size_mm: float, clearance_mm: float, chamfer_mm: float = 0.0) -> InsertPart:
    name = f"{family}-{size_mm:g}-{clearance_mm:g}" + ("-chamfer" if chamfer_mm else "")
    return InsertPart(
        name=name,
        family=family,
        size_m=size_mm / 1e3,
        clearance_m=clearance_mm / 1e3,
        chamfer_m=chamfer_mm / 1e3,
        force_limit_n=20.0 if size_mm < 6.0 else 30.0,
    )


# Sizes follow the peg classes of NIST's assembly task boards and of Factory: 4, 8, 12 and 16 mm.
_CATALOGUE = (
    _part("round", 4, 0.3, 0.5),
    _part("round", 8, 0.5),
    _part("round", 8, 0.1, 1.0),
    _part("round", 12, 0.3),
    _part("round", 16, 1.0),
    _part("round", 16, 0.2, 1.0),
    _part("square", 4, 0.5, 0.5),
    _part("square", 8, 0.3),
    _part("square", 12, 0.5, 1.0),
    _part("square", 12, 0.1, 1.0),
    _part("square", 16, 1.0),
    _part("keyed", 8, 0.3, 0.5),
    _part("keyed", 12, 0.5, 1.0),
    _part("keyed", 16, 0.3),
    _part("hexagonal", 8, 0.5, 0.5),
    _part("hexagonal", 12, 0.3),
    _part("hexagonal", 16, 0.2, 1.0),
    _part("round", 10, 0.3),
    _part("square", 10, 0.2, 1.0),
    _part("keyed", 10, 0.5),
)

PARTS: dict[str, InsertPart] = {part.name: part for part in _CATALOGUE}
HELD_OUT: tuple[str, ...] = tuple(
    part.name for part in _CATALOGUE if part.family == "hexagonal" or part.size_m == 10e-3
)
"""Parts that training never sees: the hexagonal family, and the size of 10 mm in every family."""
SPLITS: dict[str, tuple[str, ...]] = {
    "train": tuple(name for name in PARTS if name not in HELD_OUT),
    "held-out": HELD_OUT,
    "all": tuple(PARTS),
}


def resolve_parts(choice: str | InsertPart | tuple[str | InsertPart, ...]) -> tuple[InsertPart, ...]:
    """Parts behind a split's name, a part's name, a part, or several of these.

    Raises ValueError with the nearest names when one is unknown.
    """
    if isinstance(choice, InsertPart):
        return (choice,)
    if not isinstance(choice, str):
        return tuple(part for item in choice for part in resolve_parts(item))
    if choice in SPLITS:
        return tuple(PARTS[name] for name in SPLITS[choice])
    if choice in PARTS:
        return (PARTS[choice],)
    names = [*SPLITS, *PARTS]
    near = difflib.get_close_matches(choice, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"unknown part {choice!r}; {hint}known: {', '.join(names)}")
