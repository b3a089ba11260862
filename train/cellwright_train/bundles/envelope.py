"""The safety envelope of a policy, from its manifest, its robot and what was measured while it worked.

Every number says where it is from. What none of these knows is left out, with the reason.
"""

import math
from collections.abc import Sequence

import numpy as np

from cellwright_assets import ur10e
from cellwright_runtime.bundle.policy import PolicySpec
from cellwright_runtime.bundle.safety import (
    Bound,
    Interventions,
    JointLimits,
    ObservedRange,
    ObservedView,
    Safety,
    Slew,
    Timing,
    ToolLimits,
    WorkspaceBox,
)
from cellwright_runtime.vocabulary import Component, ControllerSetup, as_written
from cellwright_train.bundles.observed import (
    DELIVERED_EPISODES,
    DELIVERED_FRAMES,
    RANGE_MARGIN,
    Measured,
    kept_elements,
    range_margins,
    trained_ranges,
)

_FENCE_RAD = 0.1
_RATE_MARGIN = 0.1
_ACCELERATION_RAD_S2 = 5.0
_GREY_MARGIN = 10.0
_INTERVENTIONS, _WINDOW_S = 0.1, 2.0
_MANUAL = "published: Universal Robots e-Series User Manual, UR10e, joint ranges and speeds"
_MOVEIT = (
    "published: joint_limits.yaml of the maker's MoveIt configuration, there called conservative; "
    "the maker limits torques only"
)
_AXES = ("x", "y", "z")
CATCHING_UP = 1.15
"""A torch that catches up is faster than where it is sent, in sessions without a wire by a seventh. With no
room for that, one with both corrections at their rate was refused every other cycle."""


def safety_envelope(spec: PolicySpec, measured: Measured) -> Safety:
    """The envelope of the policy that `spec` describes."""
    welds = "lateral_range" in spec.controller
    tool, slew, left_out = _weld(spec, measured) if welds else _insertion(spec)
    return Safety(
        joints=_joints(),
        tool=tool,
        timing=_timing(spec, measured),
        interventions=_interventions(measured),
        workspace=() if welds else (_workspace(spec.controller),),
        slew=slew,
        observed=_observed(spec, measured),
        views=_views(spec, measured),
        left_out={
            "joints.jerk_rad_s3": "no figure of the robot's maker is known; state one in the cell file",
            "workspace in base": "where the work stands in front of the robot is the cell file's to say",
            **left_out,
        },
    )


def _joints() -> JointLimits:
    return JointLimits(
        robot=ur10e.MODEL,
        names=ur10e.JOINT_NAMES,
        position_low_rad=Bound(value=ur10e.LOWER_LIMIT_RAD, source=_MANUAL),
        position_high_rad=Bound(value=ur10e.UPPER_LIMIT_RAD, source=_MANUAL),
        position_margin_rad=Bound(value=(_FENCE_RAD,), source="assumption: as MoveIt Servo keeps by default"),
        velocity_rad_s=Bound(value=tuple(ur10e.SPEED_LIMIT_RAD_S), source=_MANUAL),
        acceleration_rad_s2=Bound(value=(_ACCELERATION_RAD_S2,) * len(ur10e.JOINT_NAMES), source=_MOVEIT),
        rate_margin=Bound(
            value=(_RATE_MARGIN,), source="assumption: a tenth is the controller's, for its own tracking"
        ),
    )


def _insertion(spec: PolicySpec) -> tuple[ToolLimits, tuple[Slew, ...], dict[str, str]]:
    rate, controller = spec.control_rate_hz, spec.controller
    step = [rate * as_written(part.high) for part in spec.action if part.unit == "m"]
    turn = [rate * as_written(part.high) for part in spec.action if part.unit == "rad"]
    filter_s = _setting(controller, "reference_filter")
    fast = "derived: a full action along all axes in one control period"
    # A filter with two equal lags T answers a jump of speed v with at most v / (e T) and v / T^2. The
    # reference moves in straight lines, a period each, so its speed jumps by at most twice its largest.
    smooth = (
        "derived: the reference filter's answer to a full action turned round, with its time constant "
        f"of {filter_s:g} s"
    )
    limit = controller.setting("force_limit")
    torque = [part.high for part in _group(spec, "wrench") if part.unit == "N.m"]
    tool = ToolLimits(
        speed_m_s=_one(math.hypot(*step), fast),
        turning_speed_rad_s=_one(math.hypot(*turn), fast),
        acceleration_m_s2=_one(2.0 * max(step) / (math.e * filter_s), smooth),
        turning_acceleration_rad_s2=_one(2.0 * max(turn) / (math.e * filter_s), smooth),
        jerk_m_s3=_one(2.0 * max(step) / filter_s**2, smooth),
        turning_jerk_rad_s3=_one(2.0 * max(turn) / filter_s**2, smooth),
        force_n=_one(max(limit.value), "environment: largest force limit of the training parts"),
        torque_n_m=_one(max(torque), "environment: largest torque that the policy observes"),
    )
    moving = [part for part in spec.action if part.unit in ("m", "rad")]
    slew = [
        Slew(
            name=part.name,
            unit=f"{part.unit}/s",
            rate=_one(rate * as_written(part.high), "derived: a full action in one control period"),
        )
        for part in moving
    ]
    if "spindle_spin_up" in controller:
        spin_up = _setting(controller, "spindle_spin_up")
        slew.append(
            Slew(name="spindle", unit="rad/s^2", rate=_one(spin_up, "environment: setting spindle_spin_up"))
        )
    return tool, tuple(slew), {}


def _weld(spec: PolicySpec, measured: Measured) -> tuple[ToolLimits, tuple[Slew, ...], dict[str, str]]:
    controller, actions = spec.controller, {part.name: as_written(part.high) for part in spec.action}
    names = [part.name for part in _group(spec, "programme")]
    fastest = float(measured.seen.groups["programme"].high[names.index("nominal_travel_speed")])
    travel = max(fastest * (1.0 + actions["travel_speed_trim"]), _setting(controller, "approach_speed"))
    rate, told = _setting(controller, "tracking_rate"), "environment: setting tracking_rate"
    tool = ToolLimits(
        speed_m_s=_one(
            CATCHING_UP * math.hypot(travel, rate, rate),
            "derived: fastest of the lead-in and of travel at its highest trim, with both corrections, times "
            f"{CATCHING_UP:g} to catch up; the programmes are those of {measured.seen.parts} parts",
        ),
        path_lateral_m=_one(_setting(controller, "lateral_range"), "environment: setting lateral_range"),
        path_height_m=_one(_setting(controller, "height_range"), "environment: setting height_range"),
    )
    slew = [
        Slew(name="lateral", unit="m/s", rate=_one(rate, told)),
        Slew(name="height", unit="m/s", rate=_one(rate, told)),
    ]
    trims = _setting(controller, "trim_slew")
    slew += [
        Slew(name=name, unit="1/s", rate=_one(trims, "environment: setting trim_slew, of full scale"))
        for name in actions
        if name.endswith("_trim")
    ]
    unknown = "corrections take effect at once in training, so that it does not tell"
    left_out = dict.fromkeys(
        (
            *("tool.acceleration_m_s2", "tool.jerk_m_s3", "tool.turning_acceleration_rad_s2"),
            "tool.turning_jerk_rad_s3",
        ),
        unknown,
    )
    left_out["tool.turning_speed_rad_s"] = "the taught path turns the torch, not the policy"
    left_out |= dict.fromkeys(("tool.force_n", "tool.torque_n_m"), "a weld cell has no force sensor")
    return tool, tuple(slew), left_out


def _workspace(controller: ControllerSetup) -> WorkspaceBox:
    """The reference's box, wider by its leash: a tool that follows is never further from it."""
    low, high = (controller.read(f"reference_{end}", "m", count=3) for end in ("low", "high"))
    leash, turned = _setting(controller, "leash"), _setting(controller, "turning_leash")
    told = "derived: settings reference_low, reference_high and leash"
    return WorkspaceBox(
        name="reference",
        frame="nominal_fixture",
        low_m=Bound(value=tuple(np.round(low - leash, 9).tolist()), source=told),
        high_m=Bound(value=tuple(np.round(high + leash, 9).tolist()), source=told),
        turn_rad=_one(
            _setting(controller, "reference_turn") + turned,
            "derived: settings reference_turn and turning_leash",
        ),
    )


def _timing(spec: PolicySpec, measured: Measured) -> Timing:
    period_s = 1.0 / spec.control_rate_hz
    pool = ", or of the pool's pictures" if "pool" in measured.seen.views else ""
    source = f"environment: actuator_latency of the set {measured.disturbances}, in whole control periods"
    return Timing(
        control_period_s=_one(period_s, "environment: control rate"),
        inference_deadline_s=_one(period_s, "derived: one control period; what is later misses its own"),
        latency_s=Bound(value=measured.latency_s, source=source),
        image_age_s=_one(
            (measured.oldest_frame_periods + 1) * period_s,
            f"measured: oldest of {DELIVERED_EPISODES * DELIVERED_FRAMES} newest frames, lost and late as in "
            f"{measured.disturbances}{pool}, and the period of the decision",
        ),
        observation_age_s=_one(period_s, "derived: one control period; readings are taken in each"),
    )


def _interventions(measured: Measured) -> Interventions:
    tried = f"{measured.further_outside} of {measured.further_decisions}"
    return Interventions(
        largest_fraction=_one(
            _INTERVENTIONS,
            "assumption: a tenth of the decisions; on further parts the ranges were left in "
            f"{tried} decisions",
        ),
        window_s=_one(_WINDOW_S, "assumption: long enough for a fraction, short beside a part"),
    )


def _observed(spec: PolicySpec, measured: Measured) -> tuple[ObservedRange, ...]:
    margins = range_margins(spec)
    told = _told(measured)
    kept = kept_elements(spec)
    fraction = f"assumption: {RANGE_MARGIN:g} of what the manifest allows an element"
    found = []
    for group, (low, high) in trained_ranges(spec, measured.seen).items():
        elements = kept.get(group, {}).values()
        settings = list(dict.fromkeys(each.setting for each in elements if each.setting))
        source = (
            f"derived: settings {' and '.join(settings)}, which the interface keeps" if settings else told
        )
        if any(not each.setting for each in elements):
            source += "; of the policy's own commands: their limits in the manifest"
        found.append(
            ObservedRange(
                group=group,
                low=Bound(value=tuple(low.tolist()), source=source),
                high=Bound(value=tuple(high.tolist()), source=source),
                margin=Bound(value=tuple(margins[group].tolist()), source=fraction),
            )
        )
    return tuple(found)


def _views(spec: PolicySpec, measured: Measured) -> tuple[ObservedView, ...]:
    told, period_s = _told(measured), 1.0 / spec.control_rate_hz
    views = []
    for group in spec.observation:
        for part in group.components if group.dtype == "uint8" else ():
            seen = measured.seen.views[part.name]
            mean_low, mean_high = max(0.0, min(seen.mean) - _GREY_MARGIN), max(seen.mean) + _GREY_MARGIN
            views.append(
                ObservedView(
                    view=part.name,
                    mean_low=_one(mean_low, f"{told}, less {_GREY_MARGIN:g}"),
                    mean_high=_one(min(255.0, mean_high), f"{told}, and {_GREY_MARGIN:g} more"),
                    deviation_low=_one(0.5 * min(seen.deviation), f"{told}, half of it"),
                    deviation_high=_one(1.5 * max(seen.deviation), f"{told}, and half of it more"),
                    longest_still_s=_one(seen.longest_still * period_s, told),
                )
            )
    return tuple(views)


def _told(measured: Measured) -> str:
    seen = measured.seen
    return (
        f"measured: {seen.decisions} decisions on {seen.parts} parts from seed {measured.first_seed} "
        f"under {measured.disturbances}"
    )


def _group(spec: PolicySpec, name: str) -> Sequence[Component]:
    return next(group.components for group in spec.observation if group.name == name)


def _setting(controller: ControllerSetup, name: str) -> float:
    return float(controller[name][0])


def _one(value: float, source: str) -> Bound:
    """A bound of one number, with twelve digits: more are rounding of whatever computed it."""
    return Bound(value=(float(f"{value:.12g}"),), source=source)
