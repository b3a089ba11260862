"""Disturbances of an assembly cell: the families of `cellwright_envs.disturbances`, for insertions.

Latency, play, lost frames, camera calibration, exposure and noise are the weld cell's own objects.
"""

from cellwright_envs.assembly.disturbances.catalogue import (
    NAMED,
    AssemblyDisturbances,
    AssemblyDisturbanceState,
    resolve,
)
from cellwright_envs.assembly.disturbances.line_changes import LINE_CHANGES

__all__ = [
    "LINE_CHANGES",
    "NAMED",
    "AssemblyDisturbanceState",
    "AssemblyDisturbances",
    "resolve",
]
