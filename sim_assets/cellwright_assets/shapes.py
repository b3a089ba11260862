"""What the arm and the torch look like: one list of rods and blocks, from which meshes and URDF are made.

Dimensions of castings are assumptions in the proportions of UR's outline drawing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellwright_assets import ur10e, welding_torch
from cellwright_assets.arithmetic import moved, product
from cellwright_assets.meshes import Faces, LinkMesh, Mesh, Vertices, box_mesh, merge, tube_mesh

Point = tuple[float, float, float]
Color = tuple[float, float, float]

ALUMINIUM: Color = (0.74, 0.76, 0.79)
JOINT_GREY: Color = (0.50, 0.52, 0.55)
LID_BLUE: Color = (0.42, 0.62, 0.78)
DARK: Color = (0.16, 0.16, 0.18)
COPPER: Color = (0.72, 0.45, 0.26)
STEEL: Color = (0.62, 0.60, 0.55)


@dataclass(frozen=True, kw_only=True)
class Rod:
    """A round part along a polyline."""

    link: int
    name: str
    points: tuple[Point, ...]
    """Centre line [m] in the link frame."""
    radii: tuple[float, ...]
    """Radius [m] at each point."""
    color: Color
    segments: int
    solid: bool
    """Whether it also collides; parts inside or flush with others need not."""

    def mesh(self) -> tuple[Vertices, Faces]:
        """Return vertices and faces in the link frame."""
        return tube_mesh(self.points, self.radii, self.segments)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A box along the axes of its link frame."""

    link: int
    name: str
    center: Point
    """[m]"""
    size: Point
    """[m]"""
    color: Color
    solid: bool = True

    def mesh(self) -> tuple[Vertices, Faces]:
        """Return vertices and faces in the link frame."""
        return box_mesh(self.size, self.center)


Shape = Rod | Block


def robot_shapes() -> list[Shape]:
    """Return every part of arm and torch, each in the frame of its link."""
    return [*_upper_shapes(), *_wrist_shapes(), *torch_shapes()]


def _upper_shapes() -> list[Shape]:
    """Return base, shoulder, upper arm and forearm."""
    d1, a2, a3 = ur10e.DH_D_M[0], ur10e.DH_A_M[1], ur10e.DH_A_M[2]
    tube, forearm = ur10e.SHOULDER_OFFSET_M, ur10e.ELBOW_OFFSET_M
    foot = [(0.0, 0.0, z) for z in (0.0, 0.03, 0.09)]
    turret = [(0.0, 0.0, z) for z in (0.09, d1 + 0.07, d1 + 0.085)]
    return [
        _rod(0, "base", foot, (0.095, 0.095, 0.080), JOINT_GREY, segments=12),
        _rod(1, "shoulder", turret, (0.085, 0.085, 0.060), ALUMINIUM, segments=12),
        _rod(1, "shoulder", [(0.0, 0.0, d1), (0.0, -0.11, d1)], 0.085, ALUMINIUM),
        _rod(2, "shoulder_lift", [(0.0, 0.0, 0.10), (0.0, 0.0, 0.24)], 0.085, ALUMINIUM),
        _lid(2, "shoulder_lift", 0.0, 0.24, 0.078),
        _rod(2, "upper_arm", [(a2, 0.0, tube), (0.0, 0.0, tube)], 0.060, ALUMINIUM, segments=8),
        _rod(2, "elbow", [(a2, 0.0, 0.105), (a2, 0.0, 0.235)], 0.070, ALUMINIUM),
        _lid(2, "elbow", a2, 0.235, 0.064),
        _rod(3, "elbow", [(0.0, 0.0, -0.03), (0.0, 0.0, 0.10)], 0.070, JOINT_GREY),
        _lid(3, "elbow", 0.0, -0.04, 0.064),
        _rod(3, "forearm", [(a3, 0.0, forearm), (0.0, 0.0, forearm)], 0.050, ALUMINIUM, segments=8),
        _rod(3, "wrist_1", [(a3, 0.0, -0.02), (a3, 0.0, 0.105)], 0.058, ALUMINIUM),
        _lid(3, "wrist_1", a3, -0.03, 0.052),
    ]


def _wrist_shapes() -> list[Shape]:
    """Return the three wrists: each a barrel on its own axis with the next one's barrel across it."""
    d4, d5, d6 = ur10e.DH_D_M[3:]
    return [
        _rod(4, "wrist_1", [(0.0, 0.0, 0.105), (0.0, 0.0, d4 + 0.03)], 0.056, JOINT_GREY, solid=False),
        _rod(4, "wrist_1", [(0.0, 0.065, d4), (0.0, -0.055, d4)], 0.058, ALUMINIUM),
        _rod(5, "wrist_2", [(0.0, 0.0, 0.055), (0.0, 0.0, d5 + 0.058)], 0.054, JOINT_GREY),
        _lid(5, "wrist_2", 0.0, d5 + 0.066, 0.050),
        _rod(5, "wrist_2", [(0.0, -0.05, d5), (0.0, 0.075, d5)], 0.056, ALUMINIUM),
        _rod(6, "wrist_3", [(0.0, 0.0, 0.075), (0.0, 0.0, d6)], 0.045, JOINT_GREY),
    ]


def torch_shapes() -> list[Shape]:
    """Return bracket, torch body, neck, nozzle and the start of the hose, in the frame of the last link."""
    d6 = ur10e.DH_D_M[5]
    body, body_radii_m = welding_torch.body_path_m()
    back, up = welding_torch.BACK_T, welding_torch.UP_T
    hose = np.array([body[-1], body[-1] + 0.03 * back, body[-1] + 0.06 * back - 0.03 * up])
    plate_m = 0.030
    clamp_m = 0.075
    bracket = Block(
        link=6,
        name="torch",
        center=(-0.5 * welding_torch.BODY_OFFSET_M, 0.0, d6 + plate_m + 0.5 * clamp_m),
        size=(welding_torch.BODY_OFFSET_M + 0.03, 0.030, clamp_m),
        color=DARK,
    )
    neck, neck_radii_m = welding_torch.neck_path_m()
    nozzle, nozzle_radii_m = welding_torch.nozzle_path_m()
    return [
        _rod(6, "torch", [(0.0, 0.0, d6), (0.0, 0.0, d6 + plate_m)], 0.036, DARK),
        bracket,
        _rod(6, "torch", _in_wrist_3(body), body_radii_m, DARK, segments=8),
        _rod(6, "torch", _in_wrist_3(hose), 0.015, DARK, segments=6, solid=False),
        _rod(6, "torch_neck", _in_wrist_3(neck), neck_radii_m, STEEL, segments=6),
        _rod(6, "torch_nozzle", _in_wrist_3(nozzle), nozzle_radii_m, COPPER),
    ]


def robot_meshes() -> list[LinkMesh]:
    """Return arm and torch as flat-coloured triangles, one mesh per link, name and colour.

    What belongs to the torch has a name that starts with `torch`. The wire is left out: its length changes.
    """
    groups: dict[tuple[int, str, Color], list[tuple[Vertices, Faces]]] = {}
    for shape in robot_shapes():
        groups.setdefault((shape.link, shape.name, shape.color), []).append(shape.mesh())
    meshes = []
    for (link, name, color), parts in groups.items():
        vertices, faces = merge(parts)
        meshes.append(LinkMesh(link=link, name=name, color=color, vertices=vertices, faces=faces))
    return meshes


def torch_mesh() -> list[Mesh]:
    """Return nozzle and neck in the tool frame, for a camera that rides with the torch."""
    meshes = []
    for name, color, segments, path in (
        ("torch_nozzle", COPPER, 10, welding_torch.nozzle_path_m()),
        ("torch_neck", STEEL, 6, welding_torch.neck_path_m()),
    ):
        vertices, faces = tube_mesh(*path, segments)
        meshes.append(Mesh(name=name, color=color, vertices=vertices, faces=faces))
    return meshes


def _rod(
    link: int,
    name: str,
    points: list[Point],
    radii_m: ArrayLike,
    color: Color,
    *,
    segments: int = 10,
    solid: bool = True,
) -> Rod:
    """Return a rod; a single radius serves all its points."""
    radii = tuple(np.broadcast_to(np.asarray(radii_m, dtype=np.float64), len(points)).tolist())
    return Rod(
        link=link, name=name, points=tuple(points), radii=radii, color=color, segments=segments, solid=solid
    )


def _lid(link: int, name: str, x_m: float, z_m: float, radius_m: float) -> Rod:
    """Return the blue cover at the end of a joint's barrel, 20 mm thick around `z_m`."""
    points = [(x_m, 0.0, z_m - 0.01), (x_m, 0.0, z_m + 0.01)]
    return _rod(link, name, points, radius_m, LID_BLUE, segments=8, solid=False)


def _in_wrist_3(points_t: NDArray[np.float64]) -> list[Point]:
    """Return points (K, 3) of the tool frame in the frame of the last link."""
    pose = product(ur10e.FLANGE_FROM_WRIST_3, welding_torch.TCP_FROM_FLANGE)
    return [(float(x), float(y), float(z)) for x, y, z in moved(pose, points_t)]
