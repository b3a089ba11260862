"""Disturbances of a cell: one family a file, each an object that is off at zero.

Every disturbance is a frozen configuration; `draw(rng)` returns what it does in one episode, a frozen
state with one pure question. Nothing here changes after it was made.
"""

from cellwright_envs.welding.disturbances.catalogue import (
    NAMED,
    WeldDisturbances,
    WeldDisturbanceState,
    resolve,
)
from cellwright_envs.welding.disturbances.line_changes import LINE_CHANGES

__all__ = ["LINE_CHANGES", "NAMED", "WeldDisturbanceState", "WeldDisturbances", "resolve"]
