"""The declared envelope of one policy on one robot."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

Six = tuple[float, ...]

FREE_TURN_RAD = 1e6
"""Where no turn is declared the tool may turn as far as its controller lets it: no robot reaches so far."""


@dataclass(frozen=True, kw_only=True)
class Axes:
    """Limits of the six coordinates of a setpoint: joints [rad], or a tool pose [m] and [rad].

    The turn of a pose is a rotation vector from the orientation at which the robot was armed, whose rates
    bound the angular speed from above, whatever the angle. Where turns are free it is the sum of what was
    turned.
    """

    low: Six
    high: Six
    velocity: Six
    acceleration: Six
    jerk: Six
    together: bool = False
    """Whether all coordinates stop at the same time: joints that stop one after the other may make the tool
    faster than it was."""

    def __post_init__(self) -> None:
        for name in ("low", "high", "velocity", "acceleration", "jerk"):
            values = getattr(self, name)
            if len(values) != 6 or not all(map(math.isfinite, values)):
                raise ValueError(f"{name} must be six finite numbers, got {values}")
        for low, high in zip(self.low, self.high, strict=True):
            if not low < high:
                raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        for name in ("velocity", "acceleration", "jerk"):
            if min(getattr(self, name)) <= 0.0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class Plane:
    """A half-space that the tool stays in: `normal` · point >= `offset_m`, in the robot's base frame."""

    normal: tuple[float, float, float]
    offset_m: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.offset_m) or abs(math.hypot(*self.normal) - 1.0) > 1e-6:
            raise ValueError(f"a plane needs a unit normal and a finite offset, got {self}")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Everything that an envelope holds a policy to."""

    joints: Axes
    """Of the robot's joints [rad]."""
    tool: Axes
    """Of the tool's pose in the base frame [m], its turn from where the robot was armed [rad], which is free
    where none is declared."""
    planes: tuple[Plane, ...] = ()
    """Half-spaces of the workspace, beside the box in `tool`."""
    tool_speed_m_s: float
    """Of the tool's origin, whatever its direction."""
    force_n: float | None = None
    """Contact force at the tool, tared; None for a robot that does not feel it."""
    torque_n_m: float | None = None
    joint_margin_rad: float = 0.02
    """Setpoints stay this far inside of the joints' limits."""
    workspace_margin_m: float = 0.001
    """Setpoints stay this far inside of the workspace."""
    tracking_m: float = 0.02
    """Most that the measured tool may be from the setpoint."""
    tracking_rad: float = 0.3
    """Most that a measured joint, or the tool's turn, may be from the setpoint."""
    observation_age_s: float = 0.15
    """A camera frame or a reading that is older than this is stale."""
    preclip: float = 8.0
    """Largest answer of the network before clipping; 1 is all that a policy can ask for."""
    inference_s: float = 0.03
    """Deadline of a decision, from the observation on."""
    silence_s: float = 0.05
    """A robot, or a power source, that says nothing for so long is gone."""
    blend_s: float = 0.5
    """From the first motion on until the policy has all of its authority."""
    dwell_s: float = 0.5
    """After a hold, everything has to be well for so long before the motion goes on."""
    hold_s: float = 5.0
    """A hold that lasts longer is a stop."""
    most_holds: int = 5
    """After more holds than this since it was armed, the robot is stopped."""
    window_s: float = 1.0
    """Over which interventions are counted."""
    fraction: float = 0.5
    """Fraction of the cycles in the window that a stage may intervene in; a larger one is a hold."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, int | float) and not (math.isfinite(value) and value > 0.0):
                raise ValueError(f"{each.name} must be positive and finite, got {value}")
        for name, (least, most) in _BOUNDS.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be from {least:g} to {most:g}, got {getattr(self, name):g}")
        if self.most_holds != int(self.most_holds):
            raise ValueError(f"most_holds must be a whole number, got {self.most_holds:g}")
        for name, axes, count in (("joint_margin_rad", self.joints, 6), ("workspace_margin_m", self.tool, 3)):
            room = min(high - low for low, high in zip(axes.low[:count], axes.high[:count], strict=True))
            if not 2.0 * getattr(self, name) < room:
                bound = f"below {room / 2:.4g}, half of the least room"
                raise ValueError(f"{name} must be {bound}, got {getattr(self, name):g}")

    def tightened(self, **stricter: float) -> Limits:
        """These limits with single numbers replaced by stricter ones, for a cell that allows less.

        Raises ValueError, and names the number, where one would be looser, or is none that can be tightened.
        """
        for name, value in stricter.items():
            if name not in _SMALLER_IS_STRICTER and name not in _LARGER_IS_STRICTER:
                known = ", ".join(sorted(_SMALLER_IS_STRICTER | _LARGER_IS_STRICTER))
                raise ValueError(f"{name} is no limit that a cell can tighten; those are {known}")
            declared = getattr(self, name)
            if declared is None:
                continue
            looser = value > declared if name in _SMALLER_IS_STRICTER else value < declared
            if looser:
                raise ValueError(
                    f"{name} of {value:g} would loosen the declared {declared:g}; "
                    "that takes a new bundle with a new signature"
                )
        return replace(self, **stricter)  # type: ignore[arg-type]

    def within_turn(self, most_rad: float) -> Limits:
        """These limits with a turn of `most_rad` at most from where the robot was armed, about each axis."""
        tool = self.tool
        low = tuple(max(each, -most_rad) for each in tool.low[3:])
        high = tuple(min(each, most_rad) for each in tool.high[3:])
        return replace(self, tool=replace(tool, low=(*tool.low[:3], *low), high=(*tool.high[:3], *high)))


_BOUNDS = {
    **dict.fromkeys(("observation_age_s", "inference_s", "silence_s"), (1e-3, 60.0)),
    **dict.fromkeys(("blend_s", "dwell_s"), (0.0, 60.0)),
}
"""Of the fastest controllers a cycle takes 1 ms; with others a robot would never move (assumption)."""
_LARGER_IS_STRICTER = {"joint_margin_rad", "workspace_margin_m", "blend_s", "dwell_s"}
_SMALLER_IS_STRICTER = {
    *("tool_speed_m_s", "force_n", "torque_n_m", "tracking_m", "tracking_rad", "observation_age_s"),
    *("preclip", "inference_s", "silence_s", "hold_s", "fraction"),
    "most_holds",
}
