"""The safety envelope of a policy: `safety.json`, every number with the place that it is from.

A bound that nobody knows is left out, and `left_out` says why. The file says what a policy was made for; what
is done where a bound is reached is the business of whoever runs the policy. The format is in docs/bundle.md.
This module reads and writes the file and needs NumPy and the standard library only.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.files.fields import Fields
from cellwright_runtime.files.json_text import canonical_json, parse_json
from cellwright_runtime.files.reading import FileError
from cellwright_runtime.vocabulary import SI_UNITS

SAFETY = "safety.json"
MOST_SAFETY_BYTES = 2**20
SAFETY_VERSION = 1
SOURCES = ("published", "environment", "measured", "derived", "assumption")
"""How a source begins: a published figure of the robot; a number of the training environment; measured while
the policy worked there; computed from numbers of the environment; or an engineering assumption."""
FRAMES = ("base", "nominal_fixture")
"""Frames of a workspace box: the robot's base as it stood in training, or the nominal fixture."""
LONGEST_SOURCE = 400
"""Characters in a source, and in a reason for what is left out."""
_MOST_NUMBERS = 10_000
_SOURCE = re.compile(rf"(?:{'|'.join(SOURCES)}): \S.*")

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Bound:
    """One or more numbers with their source. Raises ValueError for an empty list, for a number that is not
    finite, and for a source that does not begin with one of `SOURCES` and a colon."""

    value: tuple[float, ...]
    source: str

    def __post_init__(self) -> None:
        if not self.value or len(self.value) > _MOST_NUMBERS or not np.isfinite(self.value).all():
            raise ValueError(f"needs 1 to {_MOST_NUMBERS} finite numbers, got {str(self.value)[:60]}")
        require_source(self.source)

    @property
    def number(self) -> float:
        """The number of a bound that has one; raises ValueError where it has several."""
        if len(self.value) != 1:
            raise ValueError(f"has {len(self.value)} numbers, not one")
        return self.value[0]

    @property
    def array(self) -> Array:
        """The numbers (n,)."""
        return np.array(self.value)


@dataclass(frozen=True, kw_only=True)
class JointLimits:
    """What the joints of the robot may do, in the order of `names`, which is the controller's."""

    robot: str
    """Model that the policy was trained with, such as UR10e."""
    names: tuple[str, ...]
    position_low_rad: Bound
    position_high_rad: Bound
    position_margin_rad: Bound
    """Distance from both ends at which a fence stands, one number."""
    velocity_rad_s: Bound
    acceleration_rad_s2: Bound | None = None
    jerk_rad_s3: Bound | None = None
    rate_margin: Bound | None = None
    """Fraction of velocity, acceleration and jerk that is not used, one number."""

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) != len(self.names) or not all(self.names):
            raise ValueError(f"joints names need distinct texts, got {self.names}")
        rates = ("velocity_rad_s", "acceleration_rad_s2", "jerk_rad_s3")
        for name in ("position_low_rad", "position_high_rad", *rates):
            _require_count(f"joints {name}", getattr(self, name), len(self.names))
        _require_positive("joints", self, *rates)
        _require_one("joints", self, "position_margin_rad", "rate_margin", low=0.0)
        if self.rate_margin is not None and not self.rate_margin.number < 1.0:
            raise ValueError(f"joints rate_margin must be from 0 to below 1, got {self.rate_margin.number}")
        if not (self.fence_low_rad < self.fence_high_rad).all():
            raise ValueError("joints position_margin_rad leaves nothing between the positions")

    @property
    def fence_low_rad(self) -> Array:
        """Lowest positions (n,) that may be commanded."""
        return self.position_low_rad.array + self.position_margin_rad.number

    @property
    def fence_high_rad(self) -> Array:
        """Highest positions (n,) that may be commanded."""
        return self.position_high_rad.array - self.position_margin_rad.number

    def usable(self, limit: Bound) -> Array:
        """`limit` (n,), one of velocity, acceleration and jerk, less the margin of the rates."""
        return limit.array * (1.0 if self.rate_margin is None else 1.0 - self.rate_margin.number)


@dataclass(frozen=True, kw_only=True)
class WorkspaceBox:
    """Where the tool may be: its origin within a box whose axes are those of `frame`."""

    name: str
    frame: str
    """One of `FRAMES`."""
    low_m: Bound
    high_m: Bound
    turn_rad: Bound | None = None
    """Most that the tool may be turned about any axis of the frame, from upright, one number."""

    def __post_init__(self) -> None:
        if not self.name or self.frame not in FRAMES:
            raise ValueError(f"workspace {self.name!r} is in {self.frame!r}, not in {' or '.join(FRAMES)}")
        for name in ("low_m", "high_m"):
            _require_count(f"workspace {self.name} {name}", getattr(self, name), 3)
        if not (self.low_m.array < self.high_m.array).all():
            raise ValueError(f"workspace {self.name} needs low_m below high_m")
        _require_one(f"workspace {self.name}", self, "turn_rad", low=0.0)


@dataclass(frozen=True, kw_only=True)
class ToolLimits:
    """What the tool may do. Each is one number, absent where it is not known."""

    speed_m_s: Bound | None = None
    turning_speed_rad_s: Bound | None = None
    acceleration_m_s2: Bound | None = None
    """Along each axis, as the next three."""
    turning_acceleration_rad_s2: Bound | None = None
    jerk_m_s3: Bound | None = None
    turning_jerk_rad_s3: Bound | None = None
    force_n: Bound | None = None
    """Largest magnitude of the force on the wrist, tared."""
    torque_n_m: Bound | None = None
    """The same for the torque about the tool's origin."""
    path_lateral_m: Bound | None = None
    """Of a weld: most that the path is corrected sideways, either way."""
    path_height_m: Bound | None = None

    def __post_init__(self) -> None:
        _require_positive("tool", self, *type(self).__dataclass_fields__)
        _require_one("tool", self, *type(self).__dataclass_fields__)


@dataclass(frozen=True, kw_only=True)
class Slew:
    """How fast a quantity that the policy moves may change."""

    name: str
    unit: str
    """Of the rate, such as m/s for a position."""
    rate: Bound

    def __post_init__(self) -> None:
        if self.unit not in SI_UNITS:
            raise ValueError(f"slew {self.name}: unit {self.unit!r} is none of {', '.join(SI_UNITS)}")
        _require_positive(f"slew {self.name}", self, "rate")
        _require_one(f"slew {self.name}", self, "rate")


@dataclass(frozen=True, kw_only=True)
class ObservedRange:
    """What every element of one low-dimensional group was in training, in C order and in its own unit.

    An element is within its trained range where `low - margin <= value <= high + margin`.
    """

    group: str
    low: Bound
    high: Bound
    margin: Bound

    def __post_init__(self) -> None:
        where = f"observed {self.group}"
        for name in ("high", "margin"):
            _require_count(f"{where} {name}", getattr(self, name), len(self.low.value))
        if not (self.low.array <= self.high.array).all() or not (self.margin.array >= 0.0).all():
            raise ValueError(f"{where} needs low <= high and margins from 0")

    def outside(self, values: Any) -> NDArray[np.bool_]:
        """Whether each of `values` (n,) or (..., n) is beyond the trained range and its margin; NaN is."""
        given = np.asarray(values, np.float64)
        low, high = self.low.array - self.margin.array, self.high.array + self.margin.array
        inside: NDArray[np.bool_] = (given >= low) & (given <= high)
        return ~inside


@dataclass(frozen=True, kw_only=True)
class ObservedView:
    """What the frames of one camera view were like in training; grey values from 0 to 255."""

    view: str
    mean_low: Bound
    mean_high: Bound
    deviation_low: Bound
    """Smallest standard deviation of the pixels of one frame: a blank image has less."""
    deviation_high: Bound
    longest_still_s: Bound
    """Longest time for which a frame stayed the same to the last bit, as of one that was lost or late."""

    def __post_init__(self) -> None:
        where = f"views {self.view}"
        _require_one(
            where, self, *(name for name in type(self).__dataclass_fields__ if name != "view"), low=0
        )
        if not self.mean_low.number <= self.mean_high.number <= 255.0:
            raise ValueError(f"{where} needs mean_low <= mean_high <= 255")
        if not self.deviation_low.number <= self.deviation_high.number:
            raise ValueError(f"{where} needs deviation_low <= deviation_high")


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What a policy was trained with in time. One number each, but for `latency_s`."""

    control_period_s: Bound
    inference_deadline_s: Bound
    """From the newest observation to the decision."""
    latency_s: Bound
    """Shortest and longest latency from a decision to its effect in training, beside the robot's own lag."""
    image_age_s: Bound
    """Largest age of the newest frame at a decision, from its exposure."""
    observation_age_s: Bound
    """The same for every other reading."""

    def __post_init__(self) -> None:
        names = [name for name in type(self).__dataclass_fields__ if name != "latency_s"]
        _require_positive("timing", self, *names)
        _require_one("timing", self, *names)
        _require_count("timing latency_s", self.latency_s, 2)
        if not 0.0 <= self.latency_s.value[0] <= self.latency_s.value[1]:
            raise ValueError(f"timing latency_s needs 0 <= shortest <= longest, got {self.latency_s.value}")


@dataclass(frozen=True, kw_only=True)
class Interventions:
    """How often the envelope may change a decision before the policy is no longer trusted."""

    largest_fraction: Bound
    """Of the decisions within `window_s`."""
    window_s: Bound

    def __post_init__(self) -> None:
        _require_positive("interventions", self, "largest_fraction", "window_s")
        _require_one("interventions", self, "largest_fraction", "window_s")
        if (fraction := self.largest_fraction.number) > 1.0:
            raise ValueError(f"interventions largest_fraction is {fraction:g}, more than 1")


@dataclass(frozen=True, kw_only=True)
class Safety:
    """The envelope of one policy. Its parts raise ValueError for numbers that no envelope can have."""

    joints: JointLimits
    tool: ToolLimits
    timing: Timing
    interventions: Interventions
    workspace: tuple[WorkspaceBox, ...] = ()
    """The tool has to be in all boxes of a frame that the cell knows."""
    slew: tuple[Slew, ...] = ()
    observed: tuple[ObservedRange, ...] = ()
    """One for each low-dimensional group of the policy."""
    views: tuple[ObservedView, ...] = ()
    """One for each camera view of the policy, in the order of the image's channels."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Bounds that are not known, such as `joints.jerk_rad_s3`, with the reason."""

    def __post_init__(self) -> None:
        for name, parts in (
            ("workspace", [each.name for each in self.workspace]),
            ("slew", [each.name for each in self.slew]),
            ("observed", [each.group for each in self.observed]),
            ("views", [each.view for each in self.views]),
        ):
            if len(set(parts)) != len(parts):
                raise ValueError(f"{name} names one thing twice: {', '.join(parts)[:200]}")

    def range_of(self, group: str) -> ObservedRange:
        """The trained range of a group; raises ValueError where there is none of this name."""
        for each in self.observed:
            if each.group == group:
                return each
        raise ValueError(
            f"no trained range of {group!r}; there are: {', '.join(each.group for each in self.observed)}"
        )

    def to_bytes(self) -> bytes:
        """As safety.json; equal content gives equal bytes."""
        return canonical_json({"safety_version": SAFETY_VERSION, **_known(asdict(self))})

    @classmethod
    def from_bytes(cls, data: bytes, name: str = SAFETY) -> Self:
        """Read safety.json; raises `FileError` with one line that names file, field and fault."""
        fields = Fields(parse_json(data, name), name)
        version = fields.whole("safety_version")
        if version != SAFETY_VERSION:
            raise FileError(f"{name} has safety_version {version}, this version reads {SAFETY_VERSION}")
        try:
            safety = cls(
                joints=_joints(_part(fields, "joints")),
                tool=_tool(_part(fields, "tool")),
                timing=_bounds(_part(fields, "timing"), Timing),
                interventions=_bounds(_part(fields, "interventions"), Interventions),
                workspace=tuple(_box(each) for each in fields.items("workspace")),
                slew=tuple(_slew(each) for each in fields.items("slew")),
                observed=tuple(_named(each, "group", ObservedRange) for each in fields.items("observed")),
                views=tuple(_named(each, "view", ObservedView) for each in fields.items("views")),
                left_out=_left_out(_part(fields, "left_out")),
            )
        except FileError:
            raise
        except ValueError as error:  # from the parts, whose messages name no file
            raise FileError(f"{name} {error}") from None
        fields.done()
        return safety


def require_source(source: str) -> None:
    """Raise ValueError unless `source` says where a number is from, as `SOURCES` has it."""
    if not _SOURCE.fullmatch(source) or not source.isprintable() or len(source) > LONGEST_SOURCE:
        raise ValueError(
            f"source {source[:60]!r} does not begin with one of {', '.join(SOURCES)} and a colon"
        )


def _require_count(where: str, bound: Bound | None, count: int) -> None:
    if bound is not None and len(bound.value) != count:
        raise ValueError(f"{where} has {len(bound.value)} numbers, needs {count}")


def _require_positive(where: str, owner: object, *names: str) -> None:
    for name in names:
        bound = getattr(owner, name)
        if bound is not None and min(bound.value) <= 0.0:
            raise ValueError(f"{where} {name} must be above 0, got {min(bound.value):g}")


def _require_one(where: str, owner: object, *names: str, low: float = -math.inf) -> None:
    for name in names:
        bound = getattr(owner, name)
        _require_count(f"{where} {name}", bound, 1)
        if bound is not None and bound.number < low:
            raise ValueError(f"{where} {name} must be at least {low:g}, got {bound.number:g}")


def _known(value: Any) -> Any:
    """`value` without the fields of its objects that are None."""
    if isinstance(value, Mapping):
        return {name: _known(each) for name, each in value.items() if each is not None}
    if isinstance(value, tuple | list):
        return [_known(each) for each in value]
    return value


def _part(fields: Fields, name: str) -> Fields:
    return Fields(fields.take(name), fields.where(name))


def _bound(fields: Fields, name: str) -> Bound:
    part = _part(fields, name)
    value, source = part.numbers("value"), part.take("source")
    part.done()
    if not isinstance(source, str):
        raise FileError(f"{part.where('source')} is no text")
    try:
        return Bound(value=value, source=source)
    except ValueError as error:
        raise FileError(f"{fields.where(name)} {error}") from None


def _optional(fields: Fields, *names: str) -> dict[str, Bound]:
    return {name: _bound(fields, name) for name in names if name in fields}


def _bounds(fields: Fields, kind: Any) -> Any:
    """A part of which every field is a bound that must be there."""
    made = kind(**{name: _bound(fields, name) for name in kind.__dataclass_fields__})
    fields.done()
    return made


def _named(fields: Fields, key: str, kind: Any) -> Any:
    """As `_bounds`, for a part that also has a name under `key`."""
    name = fields.name(key)
    made = kind(
        **{key: name}, **{each: _bound(fields, each) for each in kind.__dataclass_fields__ if each != key}
    )
    fields.done()
    return made


def _joints(fields: Fields) -> JointLimits:
    robot, names = fields.name("robot"), fields.take("names")
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise FileError(f"{fields.where('names')} is no list of names")
    required = ("position_low_rad", "position_high_rad", "position_margin_rad", "velocity_rad_s")
    joints = JointLimits(
        robot=robot,
        names=tuple(names),
        **{name: _bound(fields, name) for name in required},
        **_optional(fields, "acceleration_rad_s2", "jerk_rad_s3", "rate_margin"),
    )
    fields.done()
    return joints


def _tool(fields: Fields) -> ToolLimits:
    tool = ToolLimits(**_optional(fields, *ToolLimits.__dataclass_fields__))
    fields.done()
    return tool


def _box(fields: Fields) -> WorkspaceBox:
    box = WorkspaceBox(
        name=fields.name("name"),
        frame=fields.name("frame"),
        low_m=_bound(fields, "low_m"),
        high_m=_bound(fields, "high_m"),
        **_optional(fields, "turn_rad"),
    )
    fields.done()
    return box


def _slew(fields: Fields) -> Slew:
    slew = Slew(name=fields.name("name"), unit=fields.name("unit"), rate=_bound(fields, "rate"))
    fields.done()
    return slew


def _left_out(fields: Fields) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for name in fields:
        reason = fields.take(name)
        if not isinstance(reason, str) or not reason.isprintable() or not 0 < len(reason) <= LONGEST_SOURCE:
            raise FileError(f"{fields.where(name)} gives no reason of 1 to {LONGEST_SOURCE} characters")
        reasons[name] = reason
    return reasons
