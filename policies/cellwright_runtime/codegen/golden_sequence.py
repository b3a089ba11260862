"""A sequence of what may happen to an envelope, played by the envelope in Python and recorded for that in C.

The motion of both is that of `envelope.follower`. Their setpoints are compared at the end of every row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.bundle.safety import Safety
from cellwright_runtime.envelope.declared import Box, limits_of
from cellwright_runtime.envelope.envelope import Envelope
from cellwright_runtime.envelope.faults import Fault
from cellwright_runtime.envelope.fences import PoseSpace
from cellwright_runtime.envelope.follower import Follower
from cellwright_runtime.envelope.limits import Limits
from cellwright_runtime.envelope.poses import MOST_TURN_RAD
from cellwright_runtime.envelope.states import NotAllowedError, State

Array = NDArray[np.float64]

CYCLE_S = 0.008
ORIGIN_M = (0.6, -0.1, 0.2)
UPRIGHT_RAD = (math.pi / math.sqrt(2.0), math.pi / math.sqrt(2.0), 0.0)
"""A tool that points down."""
AROUND_M = 0.1
"""Half the width of the box that the cell of the sequence states."""
_SETTLE = 120
"""Cycles in which a hold goes on or a stop comes to rest, and the authority grows back."""


class Ask(IntEnum):
    """What is asked for before the cycles of a row."""

    NOTHING = 0
    ARM = 1
    START = 2
    FINISH = 3
    DISARM = 4
    RESET = 5
    FAULT = 6
    """The fault of the row's `value` is reported."""


class Broken(IntEnum):
    """What is wrong during the cycles of a row."""

    NOTHING = 0
    SILENT = 1
    """No state comes."""
    SAME = 2
    """The same state comes again and again."""
    CLOCK = 3
    """The controller's clock jumps once."""
    STALL = 4
    """This computer stands still once."""
    TOOL_IS_NAN = 5
    JOINT_IS_NAN = 6
    JOINT_OUTSIDE = 7
    TOOL_OUTSIDE = 8
    FORCE = 9
    WRENCH_IS_NAN = 10
    NO_WRENCH = 11
    CONTROLLER_STOPS = 12
    TARGET_IS_NAN = 13
    NO_TARGET = 14


@dataclass(frozen=True, kw_only=True)
class Row:
    """Some equal cycles."""

    ask: Ask = Ask.NOTHING
    value: int = 0
    broken: Broken = Broken.NOTHING
    cycles: int = 1
    way: tuple[float, ...] = (0.0,) * 6
    """The target's distance (6,) from the start [m], [rad]."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the envelope says at the end of a row."""

    refused: bool
    state: State
    reason: int
    """Number of the latched fault, from 1; 0 where there is none."""
    notes: int
    setpoint: tuple[float, ...]


@dataclass
class _Seen:
    time_s: float
    joints_rad: Array
    tool: Array
    wrench: Array | None = field(default_factory=lambda: np.zeros(6))


def place_limits(safety: Safety) -> Limits:
    """The limits at the place of the sequence."""
    low, high = (tuple(at + side * AROUND_M for at in ORIGIN_M) for side in (-1.0, 1.0))
    fixture_b = np.eye(4)
    fixture_b[:3, 3] = ORIGIN_M
    limits = limits_of(safety, fixture_b=fixture_b, boxes=[Box(low_m=low, high_m=high)])
    return limits.within_turn(MOST_TURN_RAD)


def start_of(limits: Limits) -> Array:
    """Where the tool (6,) begins: in the middle of the workspace."""
    middle = [0.5 * (low + high) for low, high in zip(limits.tool.low[:3], limits.tool.high[:3], strict=True)]
    return np.array([*middle, *UPRIGHT_RAD])


def sequence(limits: Limits) -> list[Row]:
    """Every state and every fault that the envelope finds by itself, and one that a guard reports."""
    axes = limits.tool
    room = [
        0.5 * (high - low) - limits.workspace_margin_m for low, high in zip(axes.low, axes.high, strict=True)
    ]
    way = tuple(0.4 * min(each, 0.02 if axis < 3 else 0.2) * (-1.0) ** axis for axis, each in enumerate(room))
    beyond = tuple(3.0 * each for each in room)
    moves = [Row(ask=Ask.ARM, cycles=2), Row(ask=Ask.START, cycles=40, way=way)]
    again = [Row(ask=Ask.RESET), *moves]
    full = round(limits.window_s / CYCLE_S)
    rows = [
        Row(way=way),  # nothing is sent before it is armed
        Row(ask=Ask.START),
        Row(ask=Ask.ARM, broken=Broken.TOOL_IS_NAN),
        Row(ask=Ask.ARM, broken=Broken.JOINT_OUTSIDE),
        Row(ask=Ask.ARM, broken=Broken.TOOL_OUTSIDE),
        *moves,
        Row(cycles=60, way=way),
        Row(cycles=20, way=tuple(-each for each in way)),
        Row(ask=Ask.FAULT, value=number(Fault.STALE), cycles=_SETTLE, way=way),
        Row(ask=Ask.FINISH, cycles=40, way=way),
        Row(ask=Ask.DISARM),
        *moves,
        Row(cycles=full + 30, way=beyond),  # a stage intervenes in too many cycles
        Row(ask=Ask.FAULT, value=number(Fault.NO_ACTION), cycles=40, way=way),
        Row(ask=Ask.DISARM),
    ]
    for broken in (
        *(Broken.SILENT, Broken.SAME, Broken.CLOCK, Broken.STALL, Broken.TOOL_IS_NAN, Broken.JOINT_IS_NAN),
        *(Broken.JOINT_OUTSIDE, Broken.TOOL_OUTSIDE, Broken.FORCE, Broken.WRENCH_IS_NAN, Broken.NO_WRENCH),
        *(Broken.CONTROLLER_STOPS, Broken.TARGET_IS_NAN, Broken.NO_TARGET),
    ):
        rows += [*again, Row(broken=broken, cycles=30, way=way)]
    return rows


def number(fault: Fault | None) -> int:
    """Of a fault in C."""
    return 0 if fault is None else 1 + list(Fault).index(fault)


class Player:
    """An envelope, a robot that follows at once, and their clocks."""

    def __init__(self, safety: Safety) -> None:
        self.limits = place_limits(safety)
        self.start = start_of(self.limits)
        self.envelope = Envelope(
            self.limits,
            PoseSpace(self.limits, CYCLE_S),
            CYCLE_S,
            motion=partial(Follower, speed_m_s=self.limits.tool_speed_m_s),
        )
        self._joints = 0.5 * (np.array(self.limits.joints.low) + np.array(self.limits.joints.high))
        self._tool, self._now_s, self._time_s = self.start, 10.0, 1.0

    def play(self, row: Row) -> Outcome:
        """The cycles of a row."""
        refused = self._ask(row)
        for cycle in range(row.cycles):
            self._now_s += CYCLE_S + (1.0 if row.broken is Broken.STALL and cycle == 0 else 0.0)
            if row.broken is not Broken.SAME:
                self._time_s += CYCLE_S + (10.0 if row.broken is Broken.CLOCK and cycle == 0 else 0.0)
            sent = self.envelope.cycle(
                self._now_s,
                None if row.broken is Broken.SILENT else self._seen(row.broken),
                self._target(row),
                stopped="stop" if row.broken is Broken.CONTROLLER_STOPS else "",
            )
            if sent is not None:
                self._tool = sent
        reasons = [each.fault for each in self.envelope.happenings if self._latched(each.fault)]
        return Outcome(
            refused=refused,
            state=self.envelope.state,
            reason=number(reasons[-1]) if self.envelope.reason is not None else 0,
            notes=len(self.envelope.happenings),
            setpoint=tuple(self._tool.tolist()),
        )

    def _latched(self, fault: Fault | None) -> bool:
        """Whether the latched reason is of this fault."""
        return fault is not None and (self.envelope.reason or "").startswith(f"{fault.value.meaning}: ")

    def _ask(self, row: Row) -> bool:
        envelope, now_s = self.envelope, self._now_s
        try:
            if row.ask is Ask.ARM:
                envelope.arm(now_s, self._seen(row.broken))
            elif row.ask is Ask.FAULT:
                envelope.fault(now_s, list(Fault)[row.value - 1], "reported")
            elif row.ask is not Ask.NOTHING:
                getattr(envelope, row.ask.name.lower())(now_s)
        except NotAllowedError:
            return True
        return False

    def _seen(self, broken: Broken) -> _Seen:
        seen = _Seen(self._time_s, self._joints, self._tool)
        if broken is Broken.TOOL_IS_NAN:
            seen = replace(seen, tool=seen.tool * math.nan)
        elif broken is Broken.JOINT_IS_NAN:
            seen = replace(seen, joints_rad=seen.joints_rad * math.nan)
        elif broken is Broken.JOINT_OUTSIDE:
            seen = replace(seen, joints_rad=np.array(self.limits.joints.high) + 0.1)
        elif broken is Broken.TOOL_OUTSIDE:
            seen = replace(seen, tool=seen.tool + np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
        elif broken is Broken.FORCE:
            seen = replace(seen, wrench=np.full(6, 1e4))
        elif broken is Broken.WRENCH_IS_NAN:
            seen = replace(seen, wrench=np.full(6, math.nan))
        elif broken is Broken.NO_WRENCH:
            seen = replace(seen, wrench=None)
        return seen

    def _target(self, row: Row) -> list[float] | None:
        if row.broken is Broken.NO_TARGET:
            return None
        target = self.start + np.array(row.way)
        if row.broken is Broken.TARGET_IS_NAN:
            target = target * math.nan
        wanted: list[float] = target.tolist()
        return wanted


def recorded(safety: Safety) -> Iterator[str]:
    """The sequence and what came of it, as constants of C."""
    player = Player(safety)
    played = [(row, player.play(row)) for row in sequence(player.limits)]
    states = list(State)
    yield f"enum {{ ROWS = {len(played)} }};"
    yield f"static const double cycle_s = {CYCLE_S!r}, around_m = {AROUND_M!r};"
    yield f"static const double origin_m[3] = {_braces(ORIGIN_M)};"
    yield f"static const double start[6] = {_braces(player.start.tolist())};"
    for name, values in (
        ("joints_rad", player._joints.tolist()),
        ("joints_high_rad", player.limits.joints.high),
        ("velocity_limit", player.limits.tool.velocity),
        ("acceleration_limit", player.limits.tool.acceleration),
        ("jerk_limit", player.limits.tool.jerk),
    ):
        yield f"static const double {name}[6] = {_braces(values)};"
    yield f"static const double tool_speed_m_s = {player.limits.tool_speed_m_s!r};"
    for kind in (Ask, Broken):
        members = ", ".join(f"{kind.__name__.upper()}_{each.name} = {each.value}" for each in kind)
        yield f"enum {{ {members} }};"
    yield "/* ask, value, broken, cycles, way; refused, state, reason, notes, setpoint */"
    yield "static const row sequence[ROWS] = {"
    for row, outcome in played:
        asked = f"{row.ask.value}, {row.value}, {row.broken.value}, {row.cycles}, {_braces(row.way)}"
        came = f"{int(outcome.refused)}, {states.index(outcome.state)}, {outcome.reason}, {outcome.notes}"
        yield f"    {{{asked},\n     {came}, {_braces(outcome.setpoint)}}},"
    yield "};"


def _braces(values: tuple[float, ...] | list[float]) -> str:
    return "{" + ", ".join(repr(float(each)) for each in values) + "}"
