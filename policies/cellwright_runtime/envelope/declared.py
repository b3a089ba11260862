"""The limits of a session: what a bundle's safety.json declares, at the place where its work stands.

What the file leaves out, because training does not tell it, is set here and marked as an assumption; a cell
may state stricter values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import moved
from cellwright_runtime.bundle.policy import PolicySpec
from cellwright_runtime.bundle.safety import Bound, Safety
from cellwright_runtime.envelope.limits import FREE_TURN_RAD, Axes, Limits, Plane
from cellwright_runtime.envelope.observation_guard import ObservationGuard, Trained, View

Array = NDArray[np.float64]

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
_PARALLEL = 1e-9
"""Axes that differ by less are parallel."""
_LEAST_STILL_S = 0.1
"""Two frames of a 25 Hz camera and some time for their way."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box that the tool's origin stays in."""

    low_m: Sequence[float]
    """(3,) in `frame_b`."""
    high_m: Sequence[float]
    frame_b: Array = field(default_factory=lambda: np.eye(4))
    """(4, 4) frame of the box in the base frame."""


def limits_of(
    safety: Safety,
    *,
    fixture_b: Array | None = None,
    boxes: Sequence[Box] = (),
    planes: Sequence[Plane] = (),
) -> Limits:
    """Limits for work at a nominal fixture that stands at `fixture_b` (4, 4) in the base frame.

    `boxes` and `planes` are what the cell allows; those of the bundle hold too. A box that is turned against
    the base frame becomes six planes. Raises ValueError, one line, where neither states a box, and where
    nothing is left of them.
    """
    low, high, sides = _workspace(safety, np.eye(4) if fixture_b is None else fixture_b, boxes)
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
        planes=(*planes, *sides),
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


def _workspace(safety: Safety, fixture_b: Array, stated: Sequence[Box]) -> tuple[Array, Array, list[Plane]]:
    """Lowest and highest place of the tool in the base frame, and the sides of boxes that are turned."""
    frames = {"nominal_fixture": fixture_b}
    boxes = [
        Box(low_m=each.low_m.value, high_m=each.high_m.value, frame_b=frames.get(each.frame, np.eye(4)))
        for each in safety.workspace
    ]
    boxes += stated
    if not boxes:
        raise ValueError("neither safety.json nor the cell states a workspace, so that none can be held")
    around = [_around(box) for box in boxes]
    low = np.max([each[0] for each in around], axis=0)
    high = np.min([each[1] for each in around], axis=0)
    if not (low < high).all():
        raise ValueError(f"the workspaces have nothing in common: {low.tolist()} to {high.tolist()}")
    return low, high, [side for box in boxes for side in _sides(box)]


def _around(box: Box) -> tuple[Array, Array]:
    """The box along the base's axes around a box."""
    ends = np.array([box.low_m, box.high_m])
    corners = np.stack(np.meshgrid(*ends.T, indexing="ij"), axis=-1).reshape(-1, 3)
    corners_b = moved(box.frame_b, corners)
    return corners_b.min(axis=0), corners_b.max(axis=0)


def _sides(box: Box) -> list[Plane]:
    """The six sides of a box; none where the box around it is the box itself."""
    turn = box.frame_b[:3, :3]
    if np.abs(turn - np.eye(3)).max() < _PARALLEL:
        return []
    sides = []
    for axis, (low, high) in enumerate(zip(box.low_m, box.high_m, strict=True)):
        normal = turn[:, axis]
        at = float((normal * box.frame_b[:3, 3]).sum())
        sides.append(Plane(normal=_three(normal), offset_m=at + low))
        sides.append(Plane(normal=_three(-normal), offset_m=-(at + high)))
    return sides


def _three(values: Array) -> tuple[float, float, float]:
    x, y, z = (float(each) for each in values)
    return x, y, z


def _rates(safety: Safety, bound: Bound | None, assumed: float) -> tuple[float, ...]:
    values = (assumed,) * len(safety.joints.names) if bound is None else bound.value
    margin = safety.joints.rate_margin
    fraction = 1.0 if margin is None else 1.0 - margin.number
    return tuple(fraction * each for each in values)


def _number(bound: Bound | None, assumed: float) -> float:
    return assumed if bound is None else bound.number


def _six(along: float, about: float) -> tuple[float, ...]:
    return (along,) * 3 + (about,) * 3
