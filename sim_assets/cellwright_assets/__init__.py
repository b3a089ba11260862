"""Robots and tools of the cells: dimensions, URDF and low-polygon meshes, and one loader for data files."""

from cellwright_assets.loader import asset_path
from cellwright_assets.meshes import LinkMesh, Mesh, box_mesh, cylinder_mesh, tube_mesh
from cellwright_assets.shapes import robot_meshes, torch_mesh
from cellwright_assets.welding_torch import TCP_FROM_FLANGE

__all__ = [
    "TCP_FROM_FLANGE",
    "LinkMesh",
    "Mesh",
    "asset_path",
    "box_mesh",
    "cylinder_mesh",
    "robot_meshes",
    "torch_mesh",
    "tube_mesh",
]
