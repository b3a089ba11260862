"""Spur gears with a hub for the gripper, and their shaft between two other gears.

Here the fixture has the shaft and the part the hole: the mouth of `part.py` is the shaft's top. The gear is
seated when it stands on the shaft's shoulder with its teeth in those of both neighbours, which stand still.
The three shafts stand in a line, `LINE_RAD` from x, so that neither camera has one mesh behind the hub.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import circle_points, product, turned
from cellwright_assets.assembly_cell import BLOCK_HEIGHT_M, GEAR_SHOULDER_M, LINE_RAD, Surface
from cellwright_assets.meshes import Faces, Vertices, merge
from cellwright_assets.prisms import prism_mesh, round_outline
from cellwright_envs.assembly.parts.catalogue import Catalogue
from cellwright_envs.assembly.parts.gear_teeth import ADDENDUM, DEDENDUM, Mesh, Wheel
from cellwright_envs.assembly.parts.part import STEEL_KG_M3, Part, Shape
from cellwright_envs.assembly.parts.solids import about_z
from cellwright_envs.physics.world import Box, Cylinder

Array = NDArray[np.float64]

BORE_STAVES = 8
"""Walls of the bore; see `pegs.ROUND_STAVES`."""
RIDGES = 16
"""Slopes that make the chamfer of a shaft. Each is half as wide as a sixteenth of the circle: the walls of
the bore are straight, so they slide on the hull of the ridges, which is a 32-gon."""
HUB_WALL_M = 2.0e-3
"""Between bore and fingers (assumption)."""
PLATE_MARGIN_M = 2.0e-3
"""How far the plate reaches beyond its gears (assumption)."""


@dataclass(frozen=True, kw_only=True)
class Gear(Part):
    """A gear, its shaft and its neighbours. A new gear is one more of these and no new code.

    `size_m` is the diameter of the bore. `clearance_m` is half of the difference between the diameters of
    bore and shaft. `chamfer_m` is at the end of the shaft.
    """

    module_m: float
    teeth: int
    first_neighbour: int
    second_neighbour: int
    """Teeth of the gears in the direction of `LINE_RAD` and on the other side."""
    backlash_m: float
    depth_m: float = 0.020
    """Height of the shaft; that of Factory's gear base."""
    face_m: float = 0.010
    """Height of the teeth; a gear this far over its seat meets its neighbours."""

    noun: ClassVar[str] = "gear"
    place: ClassVar[str] = "shaft"
    mouth: ClassVar[str] = "end"
    ranges: ClassVar[dict[str, tuple[float, float]]] = {
        "size_m": (4e-3, 12e-3),
        "clearance_m": (0.02e-3, 0.5e-3),
        "chamfer_m": (0.0, 1.5e-3),
        "depth_m": (10e-3, 25e-3),
        "length_m": (55e-3, 120e-3),
        "friction": (0.0, 1.0),
        "force_limit_n": (5.0, 200.0),
        "module_m": (0.8e-3, 2.5e-3),
        "teeth": (12, 40),
        "first_neighbour": (12, 40),
        "second_neighbour": (12, 40),
        "face_m": (4e-3, 15e-3),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < self.backlash_m <= 0.5 * self.module_m:
            raise ValueError(f"{self.name}: need 0 < {self.backlash_m=} <= half of {self.module_m=}")
        # Further off its shaft a tip would reach the ground of a gap, for which its box is too short.
        if self.clearance_m > (DEDENDUM - ADDENDUM) * self.module_m:
            raise ValueError(f"{self.name}: {self.clearance_m=} is more than a quarter of {self.module_m=}")
        if self.hub_radius_m > self.wheel.root_m:
            raise ValueError(f"{self.name}: a hub around {self.size_m=} is wider than the gear's root")
        if self.face_m >= self.depth_m:
            raise ValueError(f"{self.name}: need {self.face_m=} < {self.depth_m=}")

    @property
    def symmetry_rad(self) -> float:
        """The tooth pitch."""
        return self.wheel.pitch_rad

    @property
    def width_m(self) -> float:
        """Of the hub."""
        return 2.0 * self.hub_radius_m

    @property
    def hub_radius_m(self) -> float:
        """Radius of the cylinder over the teeth, which the gripper holds."""
        return 0.5 * self.size_m + HUB_WALL_M

    @property
    def free_yaw_rad(self) -> float:
        """How far the seated gear turns either way before its teeth touch."""
        return self.wheel.free_rad

    @property
    def over_mesh_m(self) -> float:
        """Distance from the mouth to the neighbours' upper faces, where the teeth have to meet the gaps."""
        return self.depth_m - self.face_m

    @cached_property
    def wheel(self) -> Wheel:
        """Its teeth."""
        return Wheel(module_m=self.module_m, teeth=self.teeth, backlash_m=self.backlash_m)

    @cached_property
    def meshes(self) -> tuple[Mesh, Mesh]:
        """Where it meets its neighbours. One of its teeth points at the first."""
        first, second = (
            Mesh(
                gear=self.wheel,
                neighbour=Wheel(module_m=self.module_m, teeth=teeth, backlash_m=self.backlash_m),
                direction_rad=LINE_RAD + side * np.pi,
                tooth_first=side == 0 or self.teeth % 2 == 0,
            )
            for side, teeth in enumerate((self.first_neighbour, self.second_neighbour))
        )
        return first, second

    @cached_property
    def mass_kg(self) -> float:
        """Of steel, the bore drilled through."""
        teeth_m3 = np.pi * self.wheel.pitch_radius_m**2 * self.face_m
        hub_m3 = np.pi * self.hub_radius_m**2 * (self.length_m - self.face_m)
        return float(STEEL_KG_M3 * (teeth_m3 + hub_m3 - 0.25 * np.pi * self.size_m**2 * self.length_m))

    def solids(self) -> list[Box]:
        """Walls of the bore, and the teeth next to both neighbours."""
        half_width_m = self.meshes[0].half_width_m
        teeth = [
            self.wheel.tooth_box(float(angle_rad), half_width_m, (0.0, self.face_m))
            for mesh in self.meshes
            for angle_rad in mesh.gear_teeth_rad
        ]
        return self._staves() + teeth

    def _staves(self) -> list[Box]:
        """Eight walls around the bore, their outermost edges on the root circle.

        Over the teeth they are thicker than the hub, but nothing is there that they could touch.
        """
        radius_m, step_rad = 0.5 * self.size_m, 2.0 * np.pi / BORE_STAVES
        outer_m = self.wheel.root_m * math.cos(0.5 * step_rad)
        half = np.array([0.5 * (outer_m - radius_m), outer_m * math.tan(0.5 * step_rad), 0.5 * self.length_m])
        middle = np.array([0.5 * (outer_m + radius_m), 0.0, half[2]])
        turns = [about_z(k * step_rad) for k in range(BORE_STAVES)]
        return [Box(half_m=half, centre_body=turned(turn, middle), rotation_body=turn) for turn in turns]

    def fixture_solids(self, clearance_m: float, chamfer_m: float) -> list[Box | Cylinder]:
        """The shaft, its shoulder, the plate, and the neighbours with their teeth next to the gear."""
        shaft_m = 0.5 * self.size_m - clearance_m
        length_m = self.depth_m - chamfer_m
        middle = np.array([0.0, 0.0, -chamfer_m - 0.5 * length_m])
        shaft = Cylinder(radius_m=shaft_m, length_m=length_m, centre_body=middle)
        return [
            shaft,
            self._shoulder(),
            self._plate(),
            *_ridges(shaft_m, chamfer_m),
            *self._neighbour_bodies(shaft_m),
            *self._neighbour_teeth(),
        ]

    def _shoulder(self) -> Box:
        half_m = 0.5 * self.size_m + GEAR_SHOULDER_M
        height_m = BLOCK_HEIGHT_M - self.depth_m
        return Box(
            half_m=np.array([half_m, half_m, 0.5 * height_m]),
            centre_body=np.array([0.0, 0.0, -self.depth_m - 0.5 * height_m]),
            rotation_body=about_z(LINE_RAD),
        )

    def _plate(self) -> Box:
        reach_m, half_width_m = self._plate_m()
        height_m = BLOCK_HEIGHT_M - self.depth_m - GEAR_SHOULDER_M
        return Box(
            half_m=np.array([reach_m + half_width_m, half_width_m, 0.5 * height_m]),
            centre_body=np.array([0.0, 0.0, 0.5 * height_m - BLOCK_HEIGHT_M]),
            rotation_body=about_z(LINE_RAD),
        )

    def _plate_m(self) -> tuple[float, float]:
        """From the middle to the farther shaft, and from the line of shafts to the plate's edge."""
        reach_m = max(mesh.distance_m for mesh in self.meshes)
        return reach_m, max(mesh.neighbour.tip_m for mesh in self.meshes) + PLATE_MARGIN_M

    def _neighbour_bodies(self, shaft_m: float) -> list[Cylinder]:
        """The neighbours without their teeth, and the ends of their shafts."""
        return [
            Cylinder(radius_m=radius_m, length_m=length_m, centre_body=np.array([*mesh.centre_m, middle_m]))
            for mesh in self.meshes
            for radius_m, length_m, middle_m in (
                (mesh.neighbour.root_m, self.face_m, 0.5 * self.face_m - self.depth_m),
                (shaft_m, self.over_mesh_m, -0.5 * self.over_mesh_m),
            )
        ]

    def _neighbour_teeth(self) -> list[Box]:
        own_m, z_m = self.meshes[0].half_width_m, (-self.depth_m, -self.over_mesh_m)
        boxes = []
        for mesh in self.meshes:
            half_width_m = mesh.neighbour_half_width_m(own_m)
            centre = np.array([*mesh.centre_m, 0.0])
            for angle_rad in mesh.neighbour_teeth_rad:
                box = mesh.neighbour.tooth_box(float(angle_rad), half_width_m, z_m)
                boxes.append(
                    Box(
                        half_m=box.half_m,
                        centre_body=centre + box.centre_body,
                        rotation_body=box.rotation_body,
                    )
                )
        return boxes

    def shape(self, *, fine: bool = False) -> Shape:
        """Teeth and hub. Where `fine`, with involute flanks."""
        outline = self.wheel.outline(LINE_RAD, fine=fine)
        hub = round_outline(self.hub_radius_m, 32 if fine else 12)
        vertices, faces = merge(
            [prism_mesh(outline, 0.0, self.face_m), prism_mesh(hub, self.face_m, self.length_m)]
        )
        faces = faces[_seen_from_above(vertices, faces)]
        return Shape(vertices, faces, np.full(len(faces), Surface.PART))

    def fixture_shape(self, clearance_m: float, chamfer_m: float) -> Shape:
        """A plate with three shafts, of which the outer ones carry gears."""
        shaft_m, top_m = 0.5 * self.size_m - clearance_m, -self.over_mesh_m
        plate = prism_mesh(self._plate_outline(), -BLOCK_HEIGHT_M, -self.depth_m - GEAR_SHOULDER_M)
        steel = [_shaft_mesh(shaft_m, chamfer_m, -self.depth_m, np.zeros(2))]
        shoulders = [self._shoulder_mesh(np.zeros(2))]
        for mesh in self.meshes:
            outline = mesh.neighbour.outline(mesh.neighbour_turn_rad)
            gear = prism_mesh(outline, -self.depth_m, top_m)
            steel += [_moved(gear, mesh.centre_m), _shaft_mesh(shaft_m, chamfer_m, top_m, mesh.centre_m)]
            shoulders.append(self._shoulder_mesh(mesh.centre_m))
        vertices, faces = merge([plate, *shoulders, *steel])
        surface = np.full(len(faces), Surface.GEAR)
        surface[: len(faces) - sum(len(each[1]) for each in steel)] = Surface.BLOCK
        seen = _seen_from_above(vertices, faces)
        return Shape(vertices, faces[seen], surface[seen])

    def _shoulder_mesh(self, centre_m: Array) -> tuple[Vertices, Faces]:
        outline = round_outline(0.5 * self.size_m + GEAR_SHOULDER_M, 12)
        return _moved(prism_mesh(outline, -self.depth_m - GEAR_SHOULDER_M, -self.depth_m), centre_m)

    def _plate_outline(self) -> Array:
        """A long plate with round ends under all three gears."""
        reach_m, half_width_m = self._plate_m()
        quarter = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 7)
        end = half_width_m * circle_points(quarter) + [reach_m, 0.0]
        return turned(about_z(LINE_RAD)[:2, :2], np.concatenate([end, -end]))


def _ridges(shaft_m: float, chamfer_m: float) -> list[Box]:
    """The chamfer of a shaft: slopes whose edges, where they meet the shaft, lie on its circle."""
    if chamfer_m <= 0.0:
        return []
    half_rad = 0.5 * np.pi / RIDGES
    face_m, half_width_m = shaft_m * math.cos(half_rad), shaft_m * math.sin(half_rad)
    # Columns: down the slope, across it, out of the shaft.
    slope = np.array([[1.0, 0.0, 1.0], [0.0, np.sqrt(2.0), 0.0], [-1.0, 0.0, 1.0]]) / np.sqrt(2.0)
    half = np.array([chamfer_m / np.sqrt(2.0), half_width_m, 0.25 * chamfer_m])
    middle = np.array([face_m - 0.5 * chamfer_m, 0.0, -0.5 * chamfer_m]) - half[2] * slope[:, 2]
    turns = [about_z(2.0 * np.pi * k / RIDGES) for k in range(RIDGES)]
    return [
        Box(half_m=half, centre_body=turned(turn, middle), rotation_body=product(turn, slope))
        for turn in turns
    ]


def _shaft_mesh(
    radius_m: float, chamfer_m: float, bottom_m: float, centre_m: Array
) -> tuple[Vertices, Faces]:
    """A shaft from `bottom_m` up to z = 0, with its chamfer."""
    vertices, faces = prism_mesh(round_outline(radius_m, 16), bottom_m, -chamfer_m)
    if chamfer_m <= 0.0:
        return _moved((vertices, faces), centre_m)
    cone, cone_faces = prism_mesh(round_outline(radius_m, 16), -chamfer_m, 0.0)
    cone[16:32, :2] *= 1.0 - chamfer_m / radius_m
    return _moved(merge([(vertices, faces), (cone, cone_faces)]), centre_m)


def _seen_from_above(vertices: Vertices, faces: Faces) -> NDArray[np.bool_]:
    """Which faces (F,) do not look down; the others no camera sees, and drawing them takes time."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.asarray(normals[:, 2] >= -1e-12)


def _moved(mesh: tuple[Vertices, Faces], centre_m: Array) -> tuple[Vertices, Faces]:
    return mesh[0] + np.array([*centre_m, 0.0]), mesh[1]


def _gear(
    module_mm: float, teeth: int, bore_mm: float, clearance_mm: float, chamfer_mm: float, *beside: int
) -> Gear:
    chamfered = "-chamfer" if chamfer_mm else ""
    first, second = beside
    return Gear(
        name=f"m{module_mm:g}-z{teeth}-b{bore_mm:g}-{clearance_mm:g}{chamfered}",
        module_m=module_mm / 1e3,
        teeth=teeth,
        size_m=bore_mm / 1e3,
        clearance_m=clearance_mm / 1e3,
        chamfer_m=chamfer_mm / 1e3,
        first_neighbour=first,
        second_neighbour=second,
        # Loose, as in cast or printed trains (assumption): precise gears have a quarter of it.
        backlash_m=0.25 * module_mm / 1e3,
    )


# Module, teeth, bore, clearance and chamfer [mm], and the neighbours' teeth. Modules are those of ISO 54.
_GEARS = (
    _gear(1, 16, 6, 0.25, 0.5, 24, 16),
    _gear(1, 18, 6, 0.2, 0.0, 24, 16),
    _gear(1, 24, 8, 0.25, 0.0, 16, 18),
    _gear(1, 24, 8, 0.1, 1.0, 24, 16),
    _gear(1.25, 16, 6, 0.2, 0.5, 24, 18),
    _gear(1.25, 19, 8, 0.3, 0.0, 16, 24),
    _gear(1.25, 24, 10, 0.15, 1.0, 16, 16),
    _gear(1.5, 16, 8, 0.3, 0.0, 24, 16),
    _gear(1.5, 17, 10, 0.2, 1.0, 18, 24),
    _gear(1.5, 18, 8, 0.1, 1.0, 16, 18),
    _gear(2, 16, 10, 0.5, 0.0, 18, 16),
    _gear(2, 16, 8, 0.1, 1.0, 16, 18),
    _gear(1, 20, 6, 0.25, 0.5, 16, 24),
    _gear(1.5, 20, 10, 0.3, 0.0, 16, 18),
    _gear(1, 18, 7, 0.2, 0.0, 24, 16),
    _gear(2, 16, 7, 0.2, 1.0, 16, 18),
)

GEARS = Catalogue(
    parts=_GEARS,
    held_out=tuple(gear.name for gear in _GEARS if gear.teeth == 20 or gear.size_m == 7e-3),
)
"""Held out from training are gears of 20 teeth and bores of 7 mm."""
