"""Plugs of five connector families, their sockets, and the latch that holds a plug in its socket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.assembly_cell import (
    BLOCK_HALF_M,
    BLOCK_HEIGHT_M,
    FRAME_M,
    HOUSING_M,
    RIB_FRACTION,
    RIB_M,
    SHOULDER_M,
    Surface,
)
from cellwright_assets.meshes import box_mesh, merge
from cellwright_envs.assembly.parts.catalogue import Catalogue
from cellwright_envs.assembly.parts.part import Part, Shape
from cellwright_envs.assembly.parts.solids import wall
from cellwright_envs.physics.world import Box

Array = NDArray[np.float64]
Rectangle = tuple[float, float, float, float]
"""Lowest x, highest x, lowest y, highest y [m]."""
Family = Literal["usb-a", "hdmi", "d-sub", "modular", "terminal"]
FAMILIES: tuple[str, ...] = get_args(Family)

PLASTIC_KG_M3 = 1500.0
"""Mean density of glass-filled PBT with shells and contacts (assumption)."""
FLOOR_M = 0.010

RAMP_M = 1.0e-3
"""Distance over which the latch's resistance rises to its force (assumption)."""
SNAP_M = 0.4e-3
"""Distance from the point where the latch snaps to the seat, which is also the play of the plug
(assumption)."""
HOME_FRACTION = 0.4
"""Force that pulls the snapped plug into its seat, as a fraction of the latch's force (assumption)."""
RETENTION_N = 40.0
"""Pull-out force of a snapped latch, whatever it took to snap it (assumption)."""
YIELD_M = 0.5e-3
"""Distance beyond the play over which a snapped latch resists a pull, and after which it lets go
(assumption)."""


@dataclass(frozen=True, kw_only=True)
class Connector(Part):
    """A plug and its socket: `size_m` along x, `thickness_m` along y, the rib towards -y."""

    family: Family
    thickness_m: float
    force_limit_n: float = 100.0
    """Twice what a plug takes (assumption)."""

    noun: ClassVar[str] = "plug"
    place: ClassVar[str] = "socket"
    ranges: ClassVar[dict[str, tuple[float, float]]] = {
        "size_m": (8e-3, 17e-3),
        "thickness_m": (4e-3, 10e-3),
        "clearance_m": (0.05e-3, 0.6e-3),
        "chamfer_m": (0.0, 1.5e-3),
        "depth_m": (5e-3, 15e-3),
        "length_m": (55e-3, 80e-3),
        "friction": (0.0, 1.0),
        "force_limit_n": (20.0, 200.0),
    }

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ValueError(f"family must be one of {', '.join(FAMILIES)}, got {self.family!r}")
        super().__post_init__()

    @property
    def symmetry_rad(self) -> float:
        """The rib allows one turn only."""
        return 2.0 * np.pi

    @property
    def width_m(self) -> float:
        """Of the housing, which the fingers hold."""
        return self.thickness_m + 2.0 * HOUSING_M[1]

    @cached_property
    def mass_kg(self) -> float:
        """Of plug, rib and housing."""
        return PLASTIC_KG_M3 * sum(8.0 * float(np.prod(box.half_m)) for box in self.solids())

    def outline(self, clearance_m: float = 0.0, play_m: float = 0.0, chamfer_m: float = 0.0) -> Array:
        """Cross-section (8, 2) [m], counter-clockwise: four corners, then the rib.

        The socket's outline is wider by `clearance_m`, and its groove by `play_m` on both sides. Its chamfer
        is further away from the axis by `chamfer_m`; the groove's flanks have no chamfer.
        """
        wider_m = clearance_m + chamfer_m
        x_m, y_m = 0.5 * self.size_m + wider_m, 0.5 * self.thickness_m + wider_m
        rib_m, low_m = 0.5 * RIB_FRACTION * self.size_m + play_m, -y_m - RIB_M
        corners = [(x_m, -y_m), (x_m, y_m), (-x_m, y_m), (-x_m, -y_m)]
        return np.array([*corners, (-rib_m, -y_m), (-rib_m, low_m), (rib_m, low_m), (rib_m, -y_m)])

    def groove_play_m(self, clearance_m: float) -> float:
        """Play of the rib along x, per side: the plug is in its chamfer before the rib meets a flank."""
        return clearance_m + self.chamfer_m

    def solids(self) -> list[Box]:
        """The plug, its rib and the housing above."""
        half_x_m, half_y_m = 0.5 * self.size_m, 0.5 * self.thickness_m
        shoulder_m = self.depth_m + SHOULDER_M
        return [
            _block((-half_x_m, half_x_m, -half_y_m, half_y_m), 0.0, shoulder_m),
            _block(
                (-RIB_FRACTION * half_x_m, RIB_FRACTION * half_x_m, -half_y_m - RIB_M, 0.0), 0.0, self.depth_m
            ),
            _block(
                (
                    -half_x_m - HOUSING_M[0],
                    half_x_m + HOUSING_M[0],
                    -half_y_m - HOUSING_M[1],
                    half_y_m + HOUSING_M[1],
                ),
                shoulder_m,
                self.length_m,
            ),
        ]

    def fixture_solids(self, clearance_m: float, chamfer_m: float) -> list[Box]:
        """The socket's bottom, a wall on each side, that with the groove in two pieces, and the groove's.

        What lies behind a wall is outside the socket for certain, so walls may overlap.
        """
        outline = self.outline(clearance_m, self.groove_play_m(clearance_m))
        (x_m, y_m), (rib_m, rib_y_m) = outline[1], outline[6]
        edge_m = BLOCK_HALF_M
        sides = (
            (0.0, x_m, (-edge_m, edge_m)),
            (0.5 * np.pi, y_m, (-edge_m, edge_m)),
            (np.pi, x_m, (-edge_m, edge_m)),
            (1.5 * np.pi, y_m, (-edge_m, -rib_m)),
            (1.5 * np.pi, y_m, (rib_m, edge_m)),
            (1.5 * np.pi, -rib_y_m, (-rib_m, rib_m)),
        )
        boxes = [_block((-edge_m, edge_m, -edge_m, edge_m), -self.depth_m - FLOOR_M, -self.depth_m)]
        for angle_rad, distance_m, span_m in sides:
            boxes += wall(angle_rad, distance_m, span_m, edge_m - distance_m, self.depth_m, chamfer_m)
        return boxes

    def shape(self, *, fine: bool = False) -> Shape:
        """A bright plug below a housing."""
        meshes = [box_mesh(tuple(2.0 * box.half_m), tuple(box.centre_body)) for box in self.solids()]
        vertices, faces = merge(meshes)
        surfaces = (Surface.PART, Surface.PART, Surface.HOUSING)
        counts = [len(mesh[1]) for mesh in meshes]
        return Shape(vertices, faces, np.repeat(np.array(surfaces, dtype=np.int64), counts))

    def fixture_shape(self, clearance_m: float, chamfer_m: float) -> Shape:
        """A block with the socket let into it."""
        play_m = self.groove_play_m(clearance_m)
        mouth = self.outline(clearance_m, play_m, chamfer_m)
        inner = self.outline(clearance_m, play_m)
        (x_m, y_m), (rib_m, low_m) = mouth[1], mouth[6]
        frame = (-x_m - FRAME_M, x_m + FRAME_M, low_m - FRAME_M, y_m + FRAME_M)
        block = (-BLOCK_HALF_M, BLOCK_HALF_M, -BLOCK_HALF_M, BLOCK_HALF_M)
        hole = (-x_m, x_m, low_m, y_m)
        quads = _Quads()
        quads.add(Surface.BLOCK, _band(_corners(block), -BLOCK_HEIGHT_M, _corners(block), 0.0))
        quads.add(Surface.BLOCK, [_flat(each, 0.0) for each in _around(block, frame)])
        beside = ((-x_m, -rib_m, low_m, -y_m), (rib_m, x_m, low_m, -y_m))
        quads.add(Surface.HOUSING, [_flat(each, 0.0) for each in (*_around(frame, hole), *beside)])
        if chamfer_m > 0.0:
            quads.add(Surface.CHAMFER, _band(mouth, 0.0, inner, -chamfer_m))
        quads.add(Surface.WALL, _band(inner, -chamfer_m, inner, -self.depth_m))
        (x_m, y_m), (rib_m, low_m) = inner[1], inner[6]
        ground = ((-x_m, x_m, -y_m, y_m), (-rib_m, rib_m, low_m, -y_m))
        quads.add(Surface.GROUND, [_flat(each, -self.depth_m) for each in ground])
        return quads.shape()


class Latch:
    """A `Resistance` that grows over the last millimetre, snaps, then pulls the plug into its seat."""

    def __init__(self, *, depth_m: float, force_n: float) -> None:
        self.depth_m, self.force_n = depth_m, force_n
        self.latched = False
        self.resistance_n = 0.0
        """Its last force, positive out of the socket."""

    def wrench_f(self, part_f: Array, dt: float) -> Array:
        """(6,) force and torque on the plug, along the socket's axis only."""
        missing_m = self.depth_m + float(part_f[2, 3])
        self.latched = missing_m <= (SNAP_M + YIELD_M if self.latched else SNAP_M)
        self.resistance_n = self._held_n(missing_m) if self.latched else self._ramp_n(missing_m)
        wrench_f = np.zeros(6)
        wrench_f[2] = self.resistance_n
        return wrench_f

    def _ramp_n(self, missing_m: float) -> float:
        return self.force_n * min(max((SNAP_M + RAMP_M - missing_m) / RAMP_M, 0.0), 1.0)

    def _held_n(self, missing_m: float) -> float:
        home_n = HOME_FRACTION * self.force_n
        pulled = min(max((missing_m - SNAP_M) / YIELD_M, 0.0), 1.0)
        return -home_n - pulled * (RETENTION_N - home_n)


class _Quads:
    """Collects rectangles and the surface of each."""

    def __init__(self) -> None:
        self._corners: list[Array] = []
        self._surfaces: list[Surface] = []

    def add(self, surface: Surface, quads: Sequence[Array]) -> None:
        """Add `quads`, each (4, 3) [m] and counter-clockwise from outside."""
        self._corners += quads
        self._surfaces += [surface] * len(quads)

    def shape(self) -> Shape:
        """Two triangles for each."""
        first = 4 * np.arange(len(self._corners))[:, None]
        faces = (first + np.array([0, 1, 2, 0, 2, 3])).reshape(-1, 3)
        surface = np.repeat(np.array(self._surfaces, dtype=np.int64), 2)
        return Shape(np.concatenate(self._corners), faces.astype(np.int32), surface)


def _block(rectangle: Rectangle, low_m: float, high_m: float) -> Box:
    """A box over `rectangle` from z = `low_m` to `high_m`."""
    x0, x1, y0, y1 = rectangle
    low, high = np.array([x0, y0, low_m]), np.array([x1, y1, high_m])
    return Box(half_m=0.5 * (high - low), centre_body=0.5 * (low + high), rotation_body=np.eye(3))


def _corners(rectangle: Rectangle) -> Array:
    x0, x1, y0, y1 = rectangle
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def _flat(rectangle: Rectangle, height_m: float) -> Array:
    """A level rectangle, seen from above."""
    return np.column_stack([_corners(rectangle), np.full(4, height_m)])


def _around(outer: Rectangle, inner: Rectangle) -> tuple[Rectangle, ...]:
    """The four rectangles that `outer` has beyond `inner`."""
    x0, x1, y0, y1 = inner
    return (
        (outer[0], x0, outer[2], outer[3]),
        (x1, outer[1], outer[2], outer[3]),
        (x0, x1, outer[2], y0),
        (x0, x1, y1, outer[3]),
    )


def _band(first: Array, first_m: float, second: Array, second_m: float) -> list[Array]:
    """Rectangles between two outlines (K, 2): seen from outside going up, from inside going down."""
    ring = np.column_stack([first, np.full(len(first), first_m)])
    other = np.column_stack([second, np.full(len(second), second_m)])
    after, other_after = np.roll(ring, -1, axis=0), np.roll(other, -1, axis=0)
    return list(np.stack([ring, after, other_after, other], axis=1))


@dataclass(frozen=True, kw_only=True)
class _Drawing:
    """What all plugs of a family have in common [mm]."""

    size_mm: float
    thickness_mm: float
    depth_mm: float


# Width and thickness: USB 2.0 specification (12.0 x 4.5 mm), HDMI 1.0 (13.9 x 4.45 mm), DIN 41652 size E
# (16.33 x 7.90 mm, its D taken for a rectangle with a rib). Those of modular plugs (8 positions) and of
# terminal blocks (3 poles), and how deep each goes, are assumptions.
_DRAWINGS: dict[Family, _Drawing] = {
    "usb-a": _Drawing(size_mm=12.0, thickness_mm=4.5, depth_mm=9.0),
    "hdmi": _Drawing(size_mm=13.9, thickness_mm=4.45, depth_mm=8.0),
    "d-sub": _Drawing(size_mm=16.33, thickness_mm=7.90, depth_mm=6.0),
    "modular": _Drawing(size_mm=11.7, thickness_mm=6.6, depth_mm=12.0),
    "terminal": _Drawing(size_mm=16.0, thickness_mm=8.0, depth_mm=10.0),
}


def _plug(family: Family, clearance_mm: float, chamfer_mm: float) -> Connector:
    drawing = _DRAWINGS[family]
    return Connector(
        name=f"{family}-{clearance_mm:g}-{chamfer_mm:g}",
        family=family,
        size_m=drawing.size_mm / 1e3,
        thickness_m=drawing.thickness_mm / 1e3,
        depth_m=drawing.depth_mm / 1e3,
        clearance_m=clearance_mm / 1e3,
        chamfer_m=chamfer_mm / 1e3,
    )


# Clearances around those of the specifications: 0.25 to 0.31 mm (USB), 0.23 to 0.30 mm (DIN 41652), 0.05 mm
# (HDMI, widened here). Chamfers are assumptions.
_CONNECTORS = (
    _plug("usb-a", 0.3, 0.8),
    _plug("usb-a", 0.3, 0.5),
    _plug("usb-a", 0.15, 0.8),
    _plug("d-sub", 0.25, 0.8),
    _plug("d-sub", 0.3, 1.0),
    _plug("d-sub", 0.5, 0.5),
    _plug("modular", 0.3, 0.8),
    _plug("modular", 0.2, 0.8),
    _plug("modular", 0.5, 0.5),
    _plug("terminal", 0.1, 1.0),
    _plug("terminal", 0.3, 0.5),
    _plug("terminal", 0.5, 1.0),
    _plug("hdmi", 0.1, 0.8),
    _plug("hdmi", 0.2, 0.8),
    _plug("hdmi", 0.3, 0.5),
    _plug("usb-a", 0.2, 0.5),
    _plug("terminal", 0.2, 0.5),
)

CONNECTORS = Catalogue(
    parts=_CONNECTORS,
    held_out=tuple(
        part.name
        for part in _CONNECTORS
        if part.family == "hdmi" or part.name in ("usb-a-0.2-0.5", "terminal-0.2-0.5")
    ),
)
"""Held out from training are the HDMI family, and two fits of families that training has in others."""
