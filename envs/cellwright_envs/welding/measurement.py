"""The truth about a weld after each control step."""

from __future__ import annotations

from typing import NamedTuple


class WeldMeasurement(NamedTuple):
    """The truth after one control step."""

    time_s: float
    path_position_m: float
    progress_m: float
    """Seam welded in this step."""
    lateral_error_m: float
    """Seam minus wire, + where the torch should move left."""
    height_error_m: float
    """Seam minus torch height, + where the torch should move up."""
    speed_m_s: float
    arc_on: bool
    violations: tuple[int, int, int]
    """ISO 6520-1 bit masks of the bead laid now that miss level B, C and D."""
    risk: float
    """Sum of exp(-margin) over the limits of level C, see `margin.risk`."""
    touching: str | None
