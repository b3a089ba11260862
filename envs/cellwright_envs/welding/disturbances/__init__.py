"""Disturbances of the weld cell: one file for each kind; zero switches a disturbance off.

Every disturbance is a frozen configuration. `draw(rng)` returns its frozen state for one episode, which has
one pure method. Nothing here changes after it was made.
"""

from cellwright_envs.welding.disturbances.catalogue import (
    NAMED,
    WeldDisturbances,
    WeldDisturbanceState,
    resolve,
)
from cellwright_envs.welding.disturbances.line_changes import LINE_CHANGES

__all__ = ["LINE_CHANGES", "NAMED", "WeldDisturbanceState", "WeldDisturbances", "resolve"]
