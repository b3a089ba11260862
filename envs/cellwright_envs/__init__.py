"""Simulated factory cells as Gymnasium environments."""

from __future__ import annotations

import gymnasium

ENVIRONMENTS = {
    "cellwright/WeldSeam-v0": ("cellwright_envs.welding.weld_seam:WeldSeam", 2500),
    "cellwright/PegInsertion-v0": ("cellwright_envs.assembly.peg_insertion:PegInsertion", 400),
    "cellwright/ConnectorInsertion-v0": (
        "cellwright_envs.assembly.connector_insertion:ConnectorInsertion",
        400,
    ),
    "cellwright/NutFastening-v0": ("cellwright_envs.assembly.nut_fastening:NutFastening", 400),
    "cellwright/GearMesh-v0": ("cellwright_envs.assembly.gear_mesh:GearMesh", 400),
}
"""Id to entry point and the control steps after which an episode is cut off."""


def register_environments() -> None:
    """Make the ids known to Gymnasium; harmless when repeated."""
    for env_id, (entry_point, steps) in ENVIRONMENTS.items():
        if env_id not in gymnasium.registry:
            gymnasium.register(id=env_id, entry_point=entry_point, max_episode_steps=steps)


register_environments()
