"""What the cameras are shown of a part and its fixture is what collides, surface by surface.

Rays meet the triangles of the cameras' scene and the shapes that PyBullet has loaded. PyBullet's own rays
meet nothing where a shape has no margin, so the shapes are read back from it and met here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pybullet
import pytest
from numpy.typing import NDArray

from cellwright_assets.assembly_cell import LINE_RAD
from cellwright_envs.assembly.cameras import insertion_scene
from cellwright_envs.assembly.connector_insertion import ConnectorInsertion
from cellwright_envs.assembly.gear_mesh import GearMesh
from cellwright_envs.assembly.nut_fastening import NutFastening
from cellwright_envs.assembly.parts.connectors import CONNECTORS, Connector
from cellwright_envs.assembly.parts.gears import GEARS, Gear
from cellwright_envs.assembly.parts.nuts import NUTS, Nut
from cellwright_envs.assembly.parts.part import Part
from cellwright_envs.assembly.parts.pegs import PEGS, Peg
from cellwright_envs.assembly.peg_insertion import PegInsertion

Array = NDArray[np.float64]
TASKS = {Peg: PegInsertion, Connector: ConnectorInsertion, Nut: NutFastening, Gear: GearMesh}
PARTS = [part for catalogue in (PEGS, CONNECTORS, NUTS, GEARS) for part in catalogue.parts]
ALL = pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
STEP_M = 0.05e-3
HEIGHT_M = 0.06e-3
"""Heights that differ by less are equal."""


@pytest.fixture(scope="module")
def envs() -> Iterator[dict[type, Any]]:
    envs = {kind: made(disturbances="none") for kind, made in TASKS.items()}
    yield envs
    for env in envs.values():
        env.close()


class Solids:
    """The shapes of a body as PyBullet has them, in the body's frame."""

    def __init__(self, env: Any, bodies: list[int]) -> None:
        self.shapes = []
        for body in bodies:
            for shape in pybullet.getCollisionShapeData(body, -1, physicsClientId=env.cell.world._client):
                turn = np.array(pybullet.getMatrixFromQuaternion(shape[6])).reshape(3, 3)
                self.shapes.append((shape[2], np.array(shape[3]), np.array(shape[5]), turn))

    def met(self, starts: Array, direction: Array) -> Array:
        """How far (N,) a ray from each start (N, 3) goes in one direction until it meets a shape."""
        first = np.full(len(starts), np.inf)
        for kind, size, centre, turn in self.shapes:
            origin, along = (starts - centre) @ turn, turn.T @ direction
            spans = (
                [_slab(origin[:, axis], along[axis], 0.5 * size[axis]) for axis in range(3)]
                if kind == pybullet.GEOM_BOX
                else [_slab(origin[:, 2], along[2], 0.5 * size[0]), _round(origin, along, size[1])]
            )
            near = np.max([span[0] for span in spans], axis=0)
            far = np.min([span[1] for span in spans], axis=0)
            first = np.where((near <= far) & (far >= 0.0), np.minimum(first, np.maximum(near, 0.0)), first)
        return first


def _slab(origin: Array, along: float, half_m: float) -> tuple[Array, Array]:
    """Where rays enter and leave a slab of two planes."""
    if abs(along) < 1e-9:
        inside = np.abs(origin) <= half_m
        return np.where(inside, -np.inf, np.inf), np.where(inside, np.inf, -np.inf)
    ends = np.stack([(-half_m - origin) / along, (half_m - origin) / along])
    return ends.min(axis=0), ends.max(axis=0)


def _round(origin: Array, along: Array, radius_m: float) -> tuple[Array, Array]:
    """Where rays enter and leave an endless cylinder."""
    square = along[0] ** 2 + along[1] ** 2
    beyond = origin[:, 0] ** 2 + origin[:, 1] ** 2 - radius_m**2
    if square < 1e-12:
        return np.where(beyond <= 0.0, -np.inf, np.inf), np.where(beyond <= 0.0, np.inf, -np.inf)
    half = origin[:, 0] * along[0] + origin[:, 1] * along[1]
    root = half**2 - square * beyond
    reach = np.sqrt(np.maximum(root, 0.0))
    return (
        np.where(root < 0.0, np.inf, (-half - reach) / square),
        np.where(root < 0.0, -np.inf, (-half + reach) / square),
    )


class Drawn:
    """The triangles of a body of the cameras' scene."""

    def __init__(self, part: Part, name: str) -> None:
        scene = insertion_scene(part)
        geometry, body = scene.geometry, scene.names.index(name)
        faces = geometry.faces[geometry.face_begin[body] : geometry.face_begin[body + 1]]
        self.corners = geometry.vertices[faces]

    def met(self, starts: Array, direction: Array) -> Array:
        """As of `Solids`; both sides of a triangle count (Moeller and Trumbore)."""
        first = np.full(len(starts), np.inf)
        for a, b, c in self.corners:
            one, two = b - a, c - a
            across = np.cross(direction, two)
            det = one @ across
            if abs(det) < 1e-15:
                continue
            away = starts - a
            u = away @ across / det
            q = np.cross(away, one)
            v, distance = q @ direction / det, q @ two / det
            hit = (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1.0 + 1e-9) & (distance >= 0.0)
            first = np.where(hit, np.minimum(first, distance), first)
        return first


def spoke(angle_rad: float, begin_m: float, end_m: float, z_m: float) -> Array:
    """Points (N, 3) outwards from the axis; a little beside the direction, where no edge of a mesh runs."""
    out_m = np.arange(begin_m + 0.5 * STEP_M, end_m, STEP_M)
    direction = np.array([np.cos(angle_rad), np.sin(angle_rad)])
    beside = 3e-6 * np.array([-direction[1], direction[0]])
    return np.column_stack([out_m[:, None] * direction + beside, np.full(len(out_m), z_m)])


def agree(drawn: Array, solid: Array, edge_m: float) -> bool:
    """Whether each is among the other's values within `edge_m` to either side along the spoke."""
    reach = round(edge_m / STEP_M)
    for one, other in ((drawn, solid), (solid, drawn)):
        padded = np.pad(other, reach, mode="edge")
        near = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
        if np.any((one < near.min(axis=1) - HEIGHT_M) | (one > near.max(axis=1) + HEIGHT_M)):
            return False
    return True


class Region(NamedTuple):
    """Where drawing and collision are compared. Nobody lands on or meets what is left out."""

    directions_rad: Array
    """Spokes: round things collide as one prism and are drawn as another, which agree in some directions."""
    begin_m: float
    end_m: float
    lowest_m: float
    edge_m: float
    """How far an edge may be off."""


def region(part: Part) -> Region:
    if isinstance(part, Peg):
        beyond_m, lowest_m = part.radius_m + 14e-3, -0.03
        if part.family == "round":
            return Region(0.25 * np.pi * np.arange(8), 0.0, beyond_m, lowest_m, 0.1e-3)
        if part.family == "keyed":
            radius_m = part.radius_m + part.clearance_m
            open_rad = np.arcsin((0.5 * part.key_m[0] + part.clearance_m) / radius_m)
            staves_rad = open_rad + (np.arange(8) + 0.5) * (np.pi - open_rad) / 4.0
            return Region(np.array([0.0, *staves_rad]), 0.0, radius_m + 5e-3, lowest_m, 0.25e-3)
        # A drawn mouth is wider by its chamfer towards the corners, so by less towards the flats.
        edge_m = 0.05e-3 + 0.3 * part.chamfer_m
        return Region(np.linspace(0.1, 6.2, 7), 0.0, beyond_m, lowest_m, edge_m)
    if isinstance(part, Connector):
        return Region(np.linspace(0.1, 6.2, 9), 0.0, 24e-3, -0.03, 0.1e-3)
    if isinstance(part, Nut):  # below its point a bolt's thread is drawn, and no collision shape
        return Region(np.pi / 6.0 * np.arange(0, 12, 2), 0.0, 0.4 * part.size_m, -0.9 * part.point_m, 0.25e-3)
    assert isinstance(part, Gear)  # whose shaft has no core within its chamfer: a bore does not get there
    begin_m = 0.5 * part.size_m - part.clearance_m - part.chamfer_m + 0.1e-3 if part.chamfer_m else 0.0
    around = LINE_RAD + 0.5 * np.pi * np.arange(4)
    return Region(around, begin_m, 0.5 * part.size_m + 2e-3, -0.9 * part.depth_m, 0.1e-3)


@ALL
def test_the_fixture_that_is_seen_is_the_one_that_collides(part: Part, envs: dict[type, Any]) -> None:
    env = envs[type(part)]
    env.reset(seed=0, options={"product": part})
    solids, drawn = Solids(env, env.cell.world._static["fixture"]), Drawn(part, "fixture")
    where, down, above_m = region(part), np.array([0.0, 0.0, -1.0]), 5e-3
    for angle_rad in where.directions_rad:
        starts = spoke(angle_rad, where.begin_m, where.end_m, above_m)
        seen, met = (np.maximum(above_m - each.met(starts, down), where.lowest_m) for each in (drawn, solids))
        assert agree(seen, met, where.edge_m), angle_rad
        assert np.ptp(met) > 2e-3  # it is no plain


@ALL
def test_the_part_that_is_seen_is_the_one_that_collides(part: Part, envs: dict[type, Any]) -> None:
    """From the side, all around, and from below; a nut's bore and a gear's are hidden and not drawn."""
    env = envs[type(part)]
    env.reset(seed=0, options={"product": part})
    solids, drawn = Solids(env, [env.cell.world._held]), Drawn(part, "part")
    if isinstance(part, Nut):  # a hexagon is drawn, an octagon collides: they share two flats
        around, heights_m, edge_m = np.array([0.0, np.pi]), [0.2 * part.height_m], 0.02e-3
    elif isinstance(part, Gear):  # the tooth that points at the first neighbour
        around, heights_m, edge_m = np.array([LINE_RAD]), [0.5 * part.face_m], 0.02e-3
    else:
        facet_m = 0.0201 * part.size_m if isinstance(part, Peg) and part.family in ("round", "keyed") else 0.0
        around, edge_m = np.linspace(0.05, 6.2, 15), 0.02e-3 + facet_m
        heights_m = [1e-3, 0.5 * part.depth_m, part.depth_m - 1e-3]
    for angle_rad in around:
        outside = 0.03 * np.array([np.cos(angle_rad), np.sin(angle_rad), 0.0])
        starts = outside + np.array([[0.0, 0.0, height_m] for height_m in heights_m])
        seen, met = (each.met(starts, -outside / 0.03) for each in (drawn, solids))
        # Boxes that stand for teeth end 0.4 modules below the tips; see gear_teeth.py.
        shorter_m = 0.4 * part.module_m if isinstance(part, Gear) else 0.0
        np.testing.assert_allclose(met - shorter_m, seen, atol=edge_m)
    if isinstance(part, Peg | Connector):
        for angle_rad in np.linspace(0.1, 6.2, 5):
            starts = spoke(angle_rad, 0.0, 14e-3, -1e-3)
            seen, met = (
                np.minimum(each.met(starts, np.array([0, 0, 1.0])), 0.03) for each in (drawn, solids)
            )
            assert agree(seen, met, 0.05e-3 + edge_m)
