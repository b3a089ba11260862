"""Simulated factory cells as Gymnasium environments."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec

import gymnasium

__version__ = version("cellwright")

if find_spec("numba") is None:
    # Everything else would run, some hundred times slower.
    raise ImportError("the cells need numba: pip install 'cellwright[sim]'")

ENVIRONMENTS = {
    "cellwright/WeldSeam-v1": "cellwright_envs.welding.weld_seam:WeldSeam",
    "cellwright/WeldSeamWithoutPool-v1": "cellwright_envs.welding.weld_seam:WeldSeamWithoutPool",
    "cellwright/PegInsertion-v1": "cellwright_envs.assembly.peg_insertion:PegInsertion",
    "cellwright/ConnectorInsertion-v1": "cellwright_envs.assembly.connector_insertion:ConnectorInsertion",
    "cellwright/NutFastening-v2": "cellwright_envs.assembly.nut_fastening:NutFastening",
    "cellwright/GearMesh-v1": "cellwright_envs.assembly.gear_mesh:GearMesh",
}
"""Id to entry point. A cell cuts its episodes off itself, since the limit follows from the part."""


def register_environments() -> None:
    """Make the ids known to Gymnasium; harmless when repeated."""
    for env_id, entry_point in ENVIRONMENTS.items():
        if env_id not in gymnasium.registry:
            gymnasium.register(id=env_id, entry_point=entry_point)


register_environments()
