"""Disturbances of an assembly cell.

Latency, backlash, lost frames, camera calibration, exposure and noise are shared with the weld cell and are
in `cellwright_envs.disturbances`.
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
