"""The truth about an insertion: after each control step, and at its end."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from cellwright_envs.assembly.cell import CellState
from cellwright_envs.assembly.parts.part import Part

LARGEST_OVERLAP_M = 0.1e-3
"""Where part and fixture overlap by more, the depth does not count."""


@dataclass(frozen=True, kw_only=True)
class InsertionMeasurement:
    """The truth after one control step. A task that measures more has a subclass with more fields."""

    time_s: float
    depth_m: float
    """How far the part is in; 0 while part and fixture overlap too much."""
    height_m: float
    """Of the tip over the mouth."""
    lateral_m: float
    """From the part's tip to the fixture's axis."""
    tilt_rad: float
    yaw_error_rad: float
    """To the nearest turn in which the part fits."""
    overlap_m: float
    force_n: float
    """Largest contact force of this step."""
    peak_force_n: float
    """Largest contact force so far."""
    slip_m: float
    held_s: float = 0.0
    """How long the part has been seated."""


@dataclass(frozen=True, kw_only=True)
class InsertionScorecard:
    """The result of one insertion. A task with more results has a subclass with more fields."""

    success: bool
    """Whether the part has been seated for `hold_s`, and is neither broken nor lost."""
    broken: bool
    """Whether the contact force went over the part's limit, or a nut's torque over its own."""
    lost: bool
    """Whether the part slipped out of the fingers."""
    cycle_time_s: float
    depth_share: float
    lateral_m: float
    tilt_rad: float
    peak_force_n: float
    slip_m: float
    loose_success: bool
    """Tip within 10 mm of the axis and 100 mm of the mouth, as the nearest published PyBullet task tests."""

    def as_dict(self) -> dict[str, object]:
        """Return the fields as plain containers."""
        return asdict(self)

    def numbers(self) -> dict[str, float]:
        """Return every figure by name, always the same names; true is 1."""
        return {name: float(value) for name, value in vars(self).items()}


def measure(
    state: CellState, part: Part, before: InsertionMeasurement | None, *, time_s: float, slip_m: float
) -> InsertionMeasurement:
    """Measure `part` in `state`; `before` is the last measurement. `held_s` is left to the task."""
    tip = state.part_f
    x_m, y_m, height_m = tip[:3, 3].tolist()
    depth_m = min(max(-height_m, 0.0), part.depth_m)
    if state.overlap_m > LARGEST_OVERLAP_M:
        depth_m = min(depth_m, before.depth_m if before else 0.0)
    yaw_rad = math.atan2(tip[1, 0] - tip[0, 1], tip[0, 0] + tip[1, 1])
    turn_rad = part.symmetry_rad
    return InsertionMeasurement(
        time_s=time_s,
        depth_m=depth_m,
        height_m=height_m,
        lateral_m=float(np.hypot(x_m, y_m)),
        tilt_rad=math.acos(min(tip[2, 2], 1.0)),
        yaw_error_rad=yaw_rad - turn_rad * round(yaw_rad / turn_rad) if turn_rad else 0.0,
        overlap_m=state.overlap_m,
        force_n=state.peak_force_n,
        peak_force_n=max(state.peak_force_n, before.peak_force_n if before else 0.0),
        slip_m=slip_m,
    )
