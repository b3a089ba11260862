"""What people undo when they teach a controller again: frames, tool, camera mounting and exposure.

Teaching sets a controller to the cell as it stands. What moves later is off by the difference, also where it
moves back.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from cellwright_envs.disturbances.line_change import LineChange, Operation, Value, plus, times
from cellwright_envs.disturbances.named_sets import resolve_named
from cellwright_train.rollout.cell import Episode
from cellwright_train.rollout.families import cell_class

OFFSETS = {
    "welding": (
        "fixture_offset.mean_m",
        "fixture_offset.mean_yaw_rad",
        "tool_centre_point.mean_m",
        "camera_calibration.mean_translation_m",
    ),
    "assembly": (
        "fixture_pose.mean_m",
        "fixture_pose.mean_yaw_rad",
        "hand_camera.mean_translation_m",
        "fixed_camera.mean_translation_m",
    ),
}
"""Fields that teaching brings back to zero, by family: where fixture, tool and cameras are on average."""
GAINS = ("exposure.mean_gain",)
"""Fields that teaching brings back to 1."""


def is_teachable(field: str) -> bool:
    """Whether teaching undoes a change of `field`."""
    return field in GAINS or any(field in fields for fields in OFFSETS.values())


def teaching(env_id: str, episode: Episode) -> LineChange | None:
    """What teaching does in the conditions of `episode`, as one more change; None where nothing is off."""
    cell = cell_class(env_id)
    named = cell.disturbance_sets
    usual = resolve_named(episode.disturbances or "none", named)
    present = usual
    for change in episode.changes:
        present = change.apply(present)
    undone: dict[str, Operation] = {}
    for field in (*OFFSETS[cell.family], *GAINS):
        before, now = _value(usual, field), _value(present, field)
        if before == now:
            continue
        if field in GAINS:
            undone[field] = times(_each(operator.truediv, before, now))
        else:
            undone[field] = plus(_each(operator.sub, before, now))
    return LineChange(description="The controller was taught again.", changes=undone) if undone else None


def _value(disturbances: Any, field: str) -> Value:
    kind, _, name = field.partition(".")
    value: Value = getattr(getattr(disturbances, kind), name)
    return value


def _each(operation: Callable[[float, float], float], before: Value, now: Value) -> Value:
    if isinstance(before, tuple) and isinstance(now, tuple):
        return tuple(map(operation, before, now))
    assert isinstance(before, float)
    assert isinstance(now, float)
    return operation(before, now)
