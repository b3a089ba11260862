"""The limits of a session in a cell: those of the bundle, and what the cell's file allows less."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from cellwright_runtime.bundle.safety import Safety
from cellwright_runtime.cell.cell_file import CellFile, transform
from cellwright_runtime.envelope.declared import Box, limits_of
from cellwright_runtime.envelope.limits import Axes, Limits

_NUMBERS = (
    *("tool_speed_m_s", "force_n", "torque_n_m", "joint_margin_rad", "workspace_margin_m", "inference_s"),
    "silence_s",
)
"""Keys of `[limits]` that `Limits` has by the same name."""


def limits_in(file: CellFile, safety: Safety) -> Limits:
    """The stricter of both, for each limit; raises `FileError` where the cell's file would loosen one."""
    cell = file.cell
    fixture_b = np.eye(4) if cell.fixture is None else transform(cell.fixture)
    frames = {"base": np.eye(4), "fixture": fixture_b}
    boxes = [Box(low_m=box.low_m, high_m=box.high_m, frame_b=frames[box.frame]) for box in cell.workspace]
    try:
        limits = limits_of(safety, fixture_b=fixture_b, boxes=boxes)
    except ValueError as error:
        raise file.refusal(("workspace",) if boxes else (), str(error)) from None
    joints = _stricter(limits.joints, file, safety)
    try:
        limits = replace(limits, joints=joints)
    except ValueError as error:  # the margin of the bundle leaves nothing of them
        raise file.refusal(("limits",), str(error)) from None
    for key, value in _asked(file).items():
        try:
            limits = limits.tightened(**{key: value})
        except ValueError as error:
            given = key if getattr(file.cell.limits, key) is not None else "image_age_s"
            raise file.refusal(("limits", given), str(error)) from None
    return limits


def _asked(file: CellFile) -> dict[str, float]:
    """Numbers of `[limits]` by their names in `Limits`; of both ages the stricter one."""
    given = file.cell.limits
    asked = {key: value for key in _NUMBERS if (value := getattr(given, key)) is not None}
    ages = [age for age in (given.observation_age_s, given.image_age_s) if age is not None]
    return asked | ({"observation_age_s": min(ages)} if ages else {})


def _stricter(joints: Axes, file: CellFile, safety: Safety) -> Axes:
    given = file.cell.limits
    low, high = _each(max, joints.low, given.joint_low_rad), _each(min, joints.high, given.joint_high_rad)
    for name, lowest, highest in zip(safety.joints.names, low, high, strict=True):
        if not lowest < highest:
            key = "joint_high_rad" if given.joint_low_rad is None else "joint_low_rad"
            raise file.refusal(("limits", key), f"leaves {name} nothing: {lowest:g} to {highest:g}")
    return Axes(
        low=low,
        high=high,
        velocity=_each(min, joints.velocity, given.joint_velocity_rad_s),
        acceleration=_each(min, joints.acceleration, given.joint_acceleration_rad_s2),
        jerk=_each(min, joints.jerk, given.joint_jerk_rad_s3),
    )


def _each(
    pick: Callable[[tuple[float, float]], float], declared: Sequence[float], given: Sequence[float] | None
) -> tuple[float, ...]:
    if given is None:
        return tuple(declared)
    return tuple(pick(pair) for pair in zip(declared, given, strict=True))
