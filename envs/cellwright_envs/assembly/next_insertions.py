"""What the insertions will be in their version 1: a UR10e with lag, mass and stiffness under a force loop."""

from __future__ import annotations

from typing import ClassVar

from cellwright_envs.assembly.config import InsertionConfig
from cellwright_envs.assembly.connector_insertion import CONNECTOR_INSERTION_V1, ConnectorInsertion
from cellwright_envs.assembly.gear_mesh import GEAR_MESH_V1, GearMesh
from cellwright_envs.assembly.nut_fastening import NUT_FASTENING_V1, NutFastening
from cellwright_envs.assembly.peg_insertion import PEG_INSERTION_V1, PegInsertion


class NextPegInsertion(PegInsertion):
    """Pegs."""

    default_config: ClassVar[InsertionConfig] = PEG_INSERTION_V1


class NextConnectorInsertion(ConnectorInsertion):
    """Plugs, with the forces of their standards."""

    default_config = CONNECTOR_INSERTION_V1


class NextNutFastening(NutFastening):
    """Nuts."""

    default_config = NUT_FASTENING_V1


class NextGearMesh(GearMesh):
    """Gears."""

    default_config: ClassVar[InsertionConfig] = GEAR_MESH_V1
