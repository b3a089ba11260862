"""Nuts in the socket of a nut-runner, and the bolts they belong on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import product, turned
from cellwright_assets.assembly_cell import (
    BLOCK_HALF_M,
    BLOCK_HEIGHT_M,
    MARK_M,
    NUT_RUNNER_LENGTH_M,
    POINT_CHAMFER_M,
    SHAFT_DIAMETER_M,
    SOCKET_HEIGHT_M,
    SOCKET_TAPER_M,
    SOCKET_WALL_M,
    WASHER_M,
    Surface,
)
from cellwright_assets.meshes import Faces, Vertices, box_mesh, tube_mesh
from cellwright_assets.prisms import prism_mesh, regular_outline
from cellwright_envs.assembly.parts.catalogue import Catalogue
from cellwright_envs.assembly.parts.part import STEEL_KG_M3, Part, Shape
from cellwright_envs.assembly.parts.solids import about_z
from cellwright_envs.assembly.parts.thread import ThreadForm
from cellwright_envs.physics.world import Box, Cylinder

Array = NDArray[np.float64]

BORE_STAVES = 8
POINT_FACETS = 12
"""Flat faces of the chamfer on the bolt's point."""
RUN_TURNS = 3.0
"""Turns from the first thread to the flange: an assumption, because most bolts take many more turns."""
SOCKET_COVERS = 0.6
"""Fraction of the nut's height that is in the socket."""


@dataclass(frozen=True, kw_only=True)
class Nut(Part):
    """A hexagon nut, and the bolt with a short dog point that stands in the fixture.

    The mouth is the bolt's end. `chamfer_m` is that of the point and replaces the nut's countersink as well.
    """

    pitch_m: float
    across_flats_m: float
    height_m: float
    point_m: float
    """Length of the dog point, from the bolt's end to its first thread."""
    torque_window_n_m: tuple[float, float]
    """Hand-tight: what the fingers and the arm can hold against. Final tightening is another station's."""
    torque_limit_n_m: float
    """Torque above which the part counts as broken."""

    noun: ClassVar[str] = "nut"
    place: ClassVar[str] = "bolt"
    mouth: ClassVar[str] = "end"
    ranges: ClassVar[dict[str, tuple[float, float]]] = {
        "size_m": (8e-3, 18e-3),
        "clearance_m": (0.3e-3, 2e-3),
        "chamfer_m": (0.0, 2e-3),
        "depth_m": (5e-3, 28e-3),
        "length_m": (55e-3, 120e-3),
        "friction": (0.0, 0.5),
        "force_limit_n": (5.0, 200.0),
        "pitch_m": (1e-3, 2.5e-3),
        "point_m": (1.5e-3, 6e-3),
        "torque_limit_n_m": (0.1, 2.0),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.torque_window_n_m
        if not 0.0 < low < high < self.torque_limit_n_m:
            raise ValueError(f"{self.name}: need 0 < {self.torque_window_n_m=} < {self.torque_limit_n_m=}")
        if self.run_m < self.pitch_m:
            raise ValueError(f"{self.name}: {self.depth_m=} leaves less than a turn below {self.point_m=}")

    @property
    def form(self) -> ThreadForm:
        """The thread."""
        return ThreadForm(diameter_m=self.size_m, pitch_m=self.pitch_m)

    @property
    def run_m(self) -> float:
        """From the first thread to the flange."""
        return self.depth_m - self.point_m

    @property
    def bore_m(self) -> float:
        """Radius of the nut's bore."""
        return 0.5 * self.form.minor_diameter_m

    @property
    def bearing_diameter_m(self) -> float:
        """Mean of the bearing face: between the flats and a clearance hole 10 % wider than the thread."""
        return 0.5 * (self.across_flats_m + 1.1 * self.size_m)

    @property
    def symmetry_rad(self) -> float:
        """0: a nut fits at any turn, because no frame shows where its thread starts."""
        return 0.0

    @property
    def width_m(self) -> float:
        return SHAFT_DIAMETER_M

    @property
    def mass_kg(self) -> float:
        """Nut, socket and body, as steel cylinders of their outside."""
        socket_m3 = np.pi * self._socket_radius_m**2 * SOCKET_HEIGHT_M
        shaft_m3 = 0.25 * np.pi * SHAFT_DIAMETER_M**2 * (self.length_m - SOCKET_HEIGHT_M)
        return float(STEEL_KG_M3 * (socket_m3 + shaft_m3))

    @property
    def _socket_radius_m(self) -> float:
        return self.across_flats_m / np.sqrt(3.0) + SOCKET_WALL_M

    def solids(self) -> list[Box]:
        """Walls around the bore; they need not turn with the nut, because all are alike."""
        outside_m = 0.5 * self.across_flats_m
        half_width_m = outside_m * math.tan(np.pi / BORE_STAVES)
        half = np.array([0.5 * (outside_m - self.bore_m), half_width_m, 0.5 * self.height_m])
        boxes = []
        for k in range(BORE_STAVES):
            turn = about_z(2.0 * np.pi * k / BORE_STAVES)
            centre = turned(turn, np.array([0.5 * (outside_m + self.bore_m), 0.0, half[2]]))
            boxes.append(Box(half_m=half, centre_body=centre, rotation_body=turn))
        return boxes

    def fixture_solids(self, clearance_m: float, chamfer_m: float) -> Sequence[Box | Cylinder]:
        """The bolt's core, as thick as its point, and the block; threads are no collision shapes."""
        radius_m, flange_m = self.bore_m - clearance_m, -self.depth_m - WASHER_M
        half = np.array([BLOCK_HALF_M, BLOCK_HALF_M, 0.005])
        flange = Box(half_m=half, centre_body=np.array([0.0, 0.0, flange_m - 0.005]), rotation_body=np.eye(3))
        solids: list[Box | Cylinder] = [flange, _cylinder(radius_m, flange_m, -chamfer_m)]
        if chamfer_m > 0.0:
            solids += [_cylinder(radius_m - chamfer_m, -chamfer_m, 0.0), *_cone(radius_m, chamfer_m)]
        return solids

    def shape(self, *, fine: bool = False) -> Shape:
        """The nut below its socket, the body above; a mark on the socket shows its turn."""
        segments = 32 if fine else 12
        open_m = (1.0 - SOCKET_COVERS) * self.height_m
        socket_m, body_m = self._socket_radius_m, 0.5 * SHAFT_DIAMETER_M
        body = tube_mesh(
            [[0, 0, z] for z in (open_m, SOCKET_HEIGHT_M - SOCKET_TAPER_M, SOCKET_HEIGHT_M, self.length_m)],
            [socket_m, socket_m, body_m, body_m],
            segments,
        )
        mark_m = SOCKET_HEIGHT_M - SOCKET_TAPER_M - open_m
        return _shape(
            (prism_mesh(regular_outline(self.across_flats_m, 6), 0.0, open_m), Surface.PART),
            (body, Surface.BLOCK),
            (box_mesh((*MARK_M, mark_m), (socket_m, 0.0, open_m + 0.5 * mark_m)), Surface.PART),
        )

    def fixture_shape(self, clearance_m: float, chamfer_m: float) -> Shape:
        """A block with a washer, out of which the bolt stands."""
        flange_m = -self.depth_m - WASHER_M
        height_m = BLOCK_HEIGHT_M + flange_m
        block = box_mesh(
            (2.0 * BLOCK_HALF_M, 2.0 * BLOCK_HALF_M, height_m), (0.0, 0.0, flange_m - 0.5 * height_m)
        )
        washer_m, core_m = 0.55 * self.across_flats_m + 2e-3, self.bore_m
        washer = tube_mesh([[0, 0, flange_m], [0, 0, -self.depth_m]], [washer_m] * 2, 16)
        point_m = self.bore_m - clearance_m
        point = tube_mesh(
            [[0, 0, z] for z in (-self.point_m, -max(chamfer_m, 1e-4), 0.0)],
            [point_m, point_m, max(point_m - chamfer_m, 1e-4)],
            12,
        )
        # Drawn as rings: a helix is not visible at 0.6 mm per pixel.
        rings = int(self.run_m / self.pitch_m)
        heights_m = [-self.point_m - 0.5 * k * self.pitch_m for k in range(2 * rings + 1)]
        radii_m = [core_m if k % 2 == 0 else 0.5 * self.size_m for k in range(2 * rings + 1)]
        thread = tube_mesh([[0, 0, z] for z in reversed(heights_m)], radii_m[::-1], 12)
        return _shape(
            (block, Surface.BLOCK),
            (washer, Surface.CHAMFER),
            (thread, Surface.WALL),
            (point, Surface.PART),
        )


def _shape(*pieces: tuple[tuple[Vertices, Faces], Surface]) -> Shape:
    """One shape of several meshes."""
    offsets = np.cumsum([0] + [len(mesh[0]) for mesh, _ in pieces[:-1]])
    return Shape(
        np.concatenate([mesh[0] for mesh, _ in pieces]),
        np.concatenate([mesh[1] + offset for (mesh, _), offset in zip(pieces, offsets, strict=True)]),
        np.concatenate([np.full(len(mesh[1]), surface) for mesh, surface in pieces]),
    )


def _cylinder(radius_m: float, low_m: float, high_m: float) -> Cylinder:
    centre = np.array([0.0, 0.0, 0.5 * (low_m + high_m)])
    return Cylinder(radius_m=radius_m, length_m=high_m - low_m, centre_body=centre)


def _cone(radius_m: float, chamfer_m: float) -> list[Box]:
    """Faces at 45 degrees around the end of a bolt, none of which stands out of its cone."""
    c = chamfer_m
    # Columns: outwards and down the slope, across it, out of the material.
    slope = np.array([[1.0, 0.0, 1.0], [0.0, np.sqrt(2.0), 0.0], [-1.0, 0.0, 1.0]]) / np.sqrt(2.0)
    half = np.array([c / np.sqrt(2.0), (radius_m - c) * math.tan(np.pi / POINT_FACETS), 0.25 * c])
    centre = np.array([radius_m - 0.5 * c, 0.0, -0.5 * c]) - half[2] * slope[:, 2]
    turns = [about_z(2.0 * np.pi * k / POINT_FACETS) for k in range(POINT_FACETS)]
    return [
        Box(half_m=half, centre_body=turned(turn, centre), rotation_body=product(turn, slope))
        for turn in turns
    ]


def _nut(
    thread: str, across_flats_mm: float, height_mm: float, point_mm: tuple[float, float], torque_n_m: float
) -> Nut:
    """A nut by its thread, `M16` or `M16x1.5`; `point_mm` is diameter and length of the bolt's point."""
    size_mm, _, fine_mm = thread.removeprefix("M").partition("x")
    pitch_mm = float(fine_mm) if fine_mm else _COARSE_MM[size_mm]
    form = ThreadForm(diameter_m=float(size_mm) / 1e3, pitch_m=pitch_mm / 1e3)
    diameter_m, point_m = point_mm[0] / 1e3, point_mm[1] / 1e3
    return Nut(
        name=thread,
        size_m=form.diameter_m,
        pitch_m=form.pitch_m,
        clearance_m=0.5 * (form.minor_diameter_m - diameter_m),
        chamfer_m=POINT_CHAMFER_M,
        depth_m=point_m + RUN_TURNS * form.pitch_m,
        length_m=NUT_RUNNER_LENGTH_M,
        friction=0.12,
        force_limit_n=40.0,
        across_flats_m=across_flats_mm / 1e3,
        height_m=height_mm / 1e3,
        point_m=point_m,
        torque_window_n_m=(0.8 * torque_n_m, 1.2 * torque_n_m),
        torque_limit_n_m=1.6 * torque_n_m,
    )


# ISO 261, coarse pitches.
_COARSE_MM = {"10": 1.5, "12": 1.75, "14": 2.0, "16": 2.0}
# Across flats and height: ISO 4032, ISO 8673 for fine pitches; short dog points: ISO 4753. Both from memory.
# Friction: the middle of VDI 2230's class B, 0.08 to 0.16, from memory. Torques are assumptions.
_NUTS = (
    _nut("M10", 16.0, 8.4, (7.0, 2.5), 0.6),
    _nut("M12", 18.0, 10.8, (8.5, 3.0), 0.8),
    _nut("M16", 24.0, 14.8, (12.0, 4.0), 1.2),
    _nut("M12x1.25", 18.0, 10.8, (8.5, 3.0), 0.8),
    _nut("M16x1.5", 24.0, 14.8, (12.0, 4.0), 1.2),
    _nut("M14", 21.0, 12.8, (10.0, 3.5), 1.0),
    _nut("M10x1.25", 16.0, 8.4, (7.0, 2.5), 0.6),
)

NUTS = Catalogue(parts=_NUTS, held_out=("M14", "M10x1.25"))
"""Held out from training are a new size, and a fine pitch of a size that training has coarse only."""
