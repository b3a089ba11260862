"""What an envelope watches for, at which stage, and what it does about it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum


class Stage(Enum):
    """The stages between an observation and the driver, in their order."""

    OBSERVATION = "observation"
    INFERENCE = "inference"
    ACTION = "action"
    JOINT_FENCE = "joint fence"
    WORKSPACE = "workspace"
    TOOL_SPEED = "tool speed"
    SLEW = "slew"
    MOTION = "motion"
    FORCE = "force"
    DRIVER = "driver"


class Reaction(Enum):
    """What follows."""

    HOLD = "hold"
    STOP = "stop"
    CONTROLLER = "estop"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of fault."""

    stage: Stage
    reaction: Reaction
    meaning: str


class Fault(Enum):
    """Every kind of fault; one that is held for longer than `Limits.hold_s` is a stop."""

    NOT_FINITE = Kind(
        stage=Stage.OBSERVATION, reaction=Reaction.HOLD, meaning="a value that is NaN or infinite"
    )
    SHAPE = Kind(
        stage=Stage.OBSERVATION, reaction=Reaction.HOLD, meaning="a group is missing or has another shape"
    )
    STALE = Kind(
        stage=Stage.OBSERVATION, reaction=Reaction.HOLD, meaning="a frame or a reading is too old, as of a "
        "camera that is unplugged",
    )  # fmt: skip
    OUT_OF_RANGE = Kind(
        stage=Stage.OBSERVATION, reaction=Reaction.HOLD, meaning="a value beyond the trained range and margin"
    )
    FROZEN = Kind(
        stage=Stage.OBSERVATION, reaction=Reaction.HOLD, meaning="new frames that repeat the same picture"
    )
    BLANK = Kind(stage=Stage.OBSERVATION, reaction=Reaction.HOLD, meaning="a picture that shows nothing")
    LATE = Kind(stage=Stage.INFERENCE, reaction=Reaction.HOLD, meaning="no decision before its deadline")
    NO_ACTION = Kind(
        stage=Stage.ACTION, reaction=Reaction.STOP, meaning="the policy answers with NaN or infinity"
    )
    PRECLIP = Kind(
        stage=Stage.ACTION, reaction=Reaction.HOLD, meaning="the network asks for far more than there is"
    )
    TARGET = Kind(
        stage=Stage.ACTION, reaction=Reaction.STOP, meaning="a target that is not finite, from the program"
    )
    OUTSIDE = Kind(
        stage=Stage.JOINT_FENCE, reaction=Reaction.STOP, meaning="the measured robot is outside of its fences"
    )
    TRACKING = Kind(
        stage=Stage.MOTION, reaction=Reaction.STOP, meaning="the robot does not follow its setpoints"
    )
    INTERVENTIONS = Kind(
        stage=Stage.MOTION, reaction=Reaction.HOLD, meaning="a stage intervenes in too many cycles"
    )
    FORCE = Kind(stage=Stage.FORCE, reaction=Reaction.STOP, meaning="force or torque above its limit")
    NO_FORCE = Kind(
        stage=Stage.FORCE, reaction=Reaction.STOP, meaning="a wrench that is missing or not finite"
    )
    SILENT = Kind(stage=Stage.DRIVER, reaction=Reaction.STOP, meaning="no reading from the controller")
    CLOCK = Kind(
        stage=Stage.DRIVER, reaction=Reaction.STOP, meaning="the controller's time jumps or stands still"
    )
    READING = Kind(stage=Stage.DRIVER, reaction=Reaction.STOP, meaning="a reading that is not finite")
    SEND = Kind(stage=Stage.DRIVER, reaction=Reaction.STOP, meaning="a setpoint cannot be sent")
    POWER_SOURCE = Kind(
        stage=Stage.DRIVER, reaction=Reaction.STOP, meaning="the power source is gone, or its arc went out"
    )
    HELD = Kind(stage=Stage.MOTION, reaction=Reaction.STOP, meaning="a hold lasted too long")
    CONTROLLER_STOP = Kind(
        stage=Stage.DRIVER, reaction=Reaction.CONTROLLER, meaning="emergency, safeguard or protective stop"
    )


class Tally:
    """Interventions by stage: all of them, and the fraction of the last cycles."""

    def __init__(self, window: int) -> None:
        """`window` is the number of cycles that a fraction is of."""
        self._window = max(window, 1)
        self.total: dict[Stage, int] = dict.fromkeys(Stage, 0)
        self._recent: deque[frozenset[Stage]] = deque()
        self._counts: dict[Stage, int] = dict.fromkeys(Stage, 0)

    def add(self, stages: frozenset[Stage]) -> None:
        """A cycle has passed in which these stages intervened."""
        self._recent.append(stages)
        for stage in stages:
            self.total[stage] += 1
            self._counts[stage] += 1
        if len(self._recent) > self._window:
            for stage in self._recent.popleft():
                self._counts[stage] -= 1

    def count(self, stage: Stage) -> None:
        """An intervention outside of the cycles, such as a decision that came late."""
        self.total[stage] += 1

    def above(self, fraction: float) -> Stage | None:
        """A stage that intervened in more than `fraction` of a whole window, or None."""
        if len(self._recent) < self._window:
            return None
        return next((stage for stage, count in self._counts.items() if count > fraction * self._window), None)

    def forget(self) -> None:
        """Begin a new window; the totals stay."""
        self._recent.clear()
        self._counts = dict.fromkeys(Stage, 0)
