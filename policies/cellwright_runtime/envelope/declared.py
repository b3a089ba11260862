"""The limits of a session: what a bundle's safety.json declares, at the place where its work stands.

What the file leaves out, because training does not tell it, is set here and marked as an assumption; a cell
may state stricter values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.bundle.policy import PolicySpec
from cellwright_runtime.bundle.safety import Bound, Safety, WorkspaceBox
from cellwright_runtime.envelope.limits import Axes, Limits, Plane
from cellwright_runtime.envelope.observation_guard import ObservationGuard, Trained, View

Array = NDArray[np.float64]
Box = tuple[Sequence[float], Sequence[float]]

TOOL_ACCELERATION_M_S2 = 2.5
"""Assumption: what a tool of a cobot does without swinging, where the training does not tell."""
TOOL_JERK_M_S3 = 150.0
"""Assumption: the acceleration is built up in 17 ms."""
TURN_ACCELERATION_RAD_S2 = 10.0
"""Assumption, as for the translation."""
TURN_JERK_RAD_S3 = 600.0
TURN_SPEED_RAD_S = 0.8
"""Assumption: faster than any taught path turns a torch."""
JOINT_JERK_RAD_S3 = 300.0
"""Assumption: no figure of the maker is known; the acceleration is built up in 17 ms."""
FREE_TURN_RAD = 3.1
"""Where no turn is declared, the tool may be turned by almost half a turn from where it was armed."""
_LEAST_STILL_S = 0.1
"""Two frames of a 25 Hz camera and some time for their way."""


def limits_of(
    safety: Safety,
    *,
    origin: Sequence[float] = (0.0, 0.0, 0.0),
    workspace_b: Box | None = None,
    planes: tuple[Plane, ...] = (),
) -> Limits:
    """Limits for work whose nominal fixture stands at `origin` (3,) [m] in the base frame, axes parallel.

    `workspace_b` is the box (low, high) of the tool [m] in the base frame that the cell allows; where the
    bundle declares boxes too, all hold. Raises ValueError, one line, where neither declares one, and where
    nothing is left of them.
    """
    low, high = _workspace(safety, np.array(origin, dtype=np.float64), workspace_b)
    turn = min((box.turn_rad.number for box in safety.workspace if box.turn_rad), default=FREE_TURN_RAD)
    tool, joints = safety.tool, safety.joints
    if tool.speed_m_s is None:
        raise ValueError("safety.json declares no tool speed, so that none can be held")
    speed = tool.speed_m_s.number
    return Limits(
        joints=Axes(
            low=joints.position_low_rad.value,
            high=joints.position_high_rad.value,
            velocity=_rates(safety, joints.velocity_rad_s, 0.0),
            acceleration=_rates(safety, joints.acceleration_rad_s2, 5.0),
            jerk=_rates(safety, joints.jerk_rad_s3, JOINT_JERK_RAD_S3),
        ),
        tool=Axes(
            low=(*low.tolist(), *(-turn,) * 3),
            high=(*high.tolist(), *(turn,) * 3),
            velocity=_six(speed, _number(tool.turning_speed_rad_s, TURN_SPEED_RAD_S)),
            acceleration=_six(
                _number(tool.acceleration_m_s2, TOOL_ACCELERATION_M_S2),
                _number(tool.turning_acceleration_rad_s2, TURN_ACCELERATION_RAD_S2),
            ),
            jerk=_six(
                _number(tool.jerk_m_s3, TOOL_JERK_M_S3),
                _number(tool.turning_jerk_rad_s3, TURN_JERK_RAD_S3),
            ),
        ),
        planes=planes,
        tool_speed_m_s=speed,
        force_n=None if tool.force_n is None else tool.force_n.number,
        torque_n_m=None if tool.torque_n_m is None else tool.torque_n_m.number,
        joint_margin_rad=max(joints.position_margin_rad.number, 1e-6),
        observation_age_s=safety.timing.image_age_s.number,
        inference_s=safety.timing.inference_deadline_s.number,
        window_s=safety.interventions.window_s.number,
        fraction=safety.interventions.largest_fraction.number,
    )


def observation_guard_of(spec: PolicySpec, safety: Safety, limits: Limits) -> ObservationGuard:
    """The guard of a policy's observations: trained ranges and views as declared."""
    ranges: Mapping[str, Trained] = {
        each.group: Trained(low=each.low.array - each.margin.array, high=each.high.array + each.margin.array)
        for each in safety.observed
    }
    period_s = safety.timing.control_period_s.number
    views = {
        each.view: View(
            # A frame is known to be the same only when the next decision has come.
            still_s=max(each.longest_still_s.number + period_s, _LEAST_STILL_S),
            blank_grey=each.deviation_low.number,
        )
        for each in safety.views
    }
    return ObservationGuard(spec.observation, ranges=ranges, views=views, age_s=limits.observation_age_s)


def _workspace(safety: Safety, origin: Array, stated: Box | None) -> tuple[Array, Array]:
    boxes = [_in_base(box, origin) for box in safety.workspace]
    if stated is not None:
        boxes.append((np.array(stated[0], dtype=np.float64), np.array(stated[1], dtype=np.float64)))
    if not boxes:
        raise ValueError("neither safety.json nor the cell states a workspace, so that none can be held")
    low = np.max([each[0] for each in boxes], axis=0)
    high = np.min([each[1] for each in boxes], axis=0)
    if not (low < high).all():
        raise ValueError(f"the workspaces have nothing in common: {low.tolist()} to {high.tolist()}")
    return low, high


def _in_base(box: WorkspaceBox, origin: Array) -> tuple[Array, Array]:
    at = origin if box.frame == "nominal_fixture" else np.zeros(3)
    return box.low_m.array + at, box.high_m.array + at


def _rates(safety: Safety, bound: Bound | None, assumed: float) -> tuple[float, ...]:
    values = (assumed,) * len(safety.joints.names) if bound is None else bound.value
    margin = safety.joints.rate_margin
    fraction = 1.0 if margin is None else 1.0 - margin.number
    return tuple(fraction * each for each in values)


def _number(bound: Bound | None, assumed: float) -> float:
    return assumed if bound is None else bound.number


def _six(along: float, about: float) -> tuple[float, ...]:
    return (along,) * 3 + (about,) * 3
