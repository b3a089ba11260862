"""The envelope at the controller's rate: from a target pose to a setpoint, or to a stop.

One cycle, in this order: the controller's clock, silence and stops; the measured robot against its fences and
its setpoints; force; then, where the policy moves the robot, blending, workspace, tool speed, joints, slew,
and jerk-limited motion. Whatever is wrong ends in zero speed; nothing repeats the last velocity.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.envelope.faults import Fault, Reaction, Stage, Tally
from cellwright_runtime.envelope.fences import Space
from cellwright_runtime.envelope.limits import Axes, Limits
from cellwright_runtime.envelope.motion import Motion, Mover, Sweep
from cellwright_runtime.envelope.poses import TurnsFrom
from cellwright_runtime.envelope.states import Event, NotAllowedError, Rights, State

Array = NDArray[np.float64]

_WARM_CYCLES = 20
LATE_CYCLES = 5
"""So many of its cycles may pass between two calls; more are a stall of this computer."""


class Measured(Protocol):
    """What the envelope reads of a robot's state: `cellwright_runtime.drivers.driver.RobotState` has it."""

    @property
    def time_s(self) -> float: ...
    @property
    def joints_rad(self) -> Array: ...
    @property
    def tool(self) -> Array: ...
    @property
    def wrench(self) -> Array | None: ...


class Happening(NamedTuple):
    """One change of state, or one latched reason."""

    time_s: float
    state: State
    fault: Fault | None
    detail: str


class Envelope:
    """Decides every cycle what is sent. The caller owns clock, driver and policy; nothing here waits."""

    def __init__(
        self,
        limits: Limits,
        space: Space,
        period_s: float,
        *,
        lag_s: float = 0.0,
        motion: Callable[[Axes, float, Callable[[Sweep], bool]], Mover] = Motion,
    ) -> None:
        """`lag_s` is from a setpoint to its motion; `motion` makes the stage that limits jerk."""
        self.limits, self.period_s = limits, period_s
        self.rights = Rights()
        self.tally = Tally(round(limits.window_s / period_s))
        self.happenings: list[Happening] = []
        self._space, self._lag_s = space, lag_s
        self._motion = motion(space.axes, period_s, space.accept)
        self._now_s = 0.0
        self._well_s = 0.0
        self._held_s = 0.0
        self._blend = 0.0
        self._heard_s: float | None = None
        self._clock_s: float | None = None
        self._called_s: float | None = None
        self._stopped = ""
        self._tare: Array | None = None
        self._before: list[float] = []
        self._hold: list[float] = []
        self.held: list[float] = []
        """Tool's pose (6,) from which the policy began to move the robot, the last time."""
        self._holds = 0
        self.stages: frozenset[Stage] = frozenset()
        """That intervened in the last cycle."""

    @property
    def state(self) -> State:
        """What may happen now."""
        return self.rights.state

    @property
    def reason(self) -> str | None:
        """Of the latched stop."""
        return self.rights.reason

    @property
    def blend(self) -> float:
        """Fraction of the policy's authority, 0..1."""
        return self._blend

    @property
    def at_rest(self) -> bool:
        """Whether the setpoints stand still."""
        return self._motion.at_rest

    @property
    def velocity(self) -> list[float]:
        """Of the setpoints' coordinates (6,) [m/s] or [rad/s]."""
        return self._motion.velocity

    # What people and programs ask for

    def arm(self, now_s: float, measured: Measured) -> None:
        """Take over the robot where it stands; it will be held there.

        The robot has to stand still. Raises NotAllowedError, one line, unless disarmed, inside of all fences
        and free of stops.
        """
        if self.state is not State.DISARMED:
            self.rights.take(Event.ARM)  # raises, and says why
        if self._stopped:
            raise NotAllowedError(f"cannot arm: the controller reports {self._stopped}")
        if problem := self._unfit(measured):
            raise NotAllowedError(f"cannot arm: {problem}")
        start = self._space.begin(measured.tool.tolist(), measured.joints_rad.tolist())
        for at, low, high in zip(start, self._space.axes.low, self._space.axes.high, strict=True):
            if not low <= at <= high:
                raise NotAllowedError(
                    f"cannot arm: the robot stands at {_shown(start)}, outside of its fences of "
                    f"{_shown(self._space.axes.low)} to {_shown(self._space.axes.high)}"
                )
        self.rights.take(Event.ARM)
        self._motion.begin(start)
        self._tare = None if measured.wrench is None else measured.wrench.copy()
        self._heard_s, self._clock_s, self._called_s = now_s, measured.time_s, now_s
        self._blend, self._holds = 0.0, 0
        self._note(now_s, None, "armed")

    def warm(self, measured: Measured) -> None:
        """Compute a short motion that is never sent; what is compiled on first use is compiled then."""
        spare = Envelope(self.limits, self._space, self.period_s, lag_s=self._lag_s)
        spare._motion.begin(self._space.begin(measured.tool.tolist(), measured.joints_rad.tolist()))
        spare._before = list(spare._motion.position)
        target = measured.tool.tolist()
        for _ in range(_WARM_CYCLES):
            target[2] += 0.1 * self.limits.tool_speed_m_s * self.period_s
            wanted, _ = self._space.shape(target)
            spare._motion.towards(wanted, [0.0] * 6)
            self._space.setpoint(spare._motion.position)
            self._space.error(spare._motion.position, target, measured.joints_rad.tolist())

    def start(self, now_s: float) -> None:
        """Let the policy move the robot, with an authority that grows from zero."""
        if not self._motion.at_rest:
            raise NotAllowedError("start is not possible in motion")
        self.rights.take(Event.START)
        self._begin_blending()
        self._note(now_s, None, "started")

    def finish(self, now_s: float) -> None:
        """The work is done: slow down, and hold."""
        self.rights.take(Event.FINISH)
        self._note(now_s, None, "finished")

    def disarm(self, now_s: float) -> None:
        """Give the robot up; raises NotAllowedError while it moves."""
        if not self._motion.at_rest:
            raise NotAllowedError("disarm is not possible in motion")
        self.rights.take(Event.DISARM)
        self._note(now_s, None, "disarmed")

    def reset(self, now_s: float) -> None:
        """A person has seen the reason of a stop; raises NotAllowedError while the controller reports one."""
        if self._stopped:
            raise NotAllowedError(f"reset is not possible: the controller reports {self._stopped}")
        self.rights.take(Event.RESET)
        self._note(now_s, None, "reset")

    def fault(self, now_s: float, fault: Fault, detail: str) -> None:
        """Something is wrong, as a guard or the driver found it; `detail` is one line."""
        kind = fault.value
        self.tally.count(kind.stage)
        self._well_s = now_s
        event = {Reaction.HOLD: Event.FAULT, Reaction.STOP: Event.STOP}.get(
            kind.reaction, Event.CONTROLLER_STOP
        )
        moved = self.rights.moves
        if self.rights.take(event, f"{kind.meaning}: {detail}"):
            if moved:
                self._held_s, self._holds = now_s, self._holds + 1
            self._note(now_s, fault, detail)

    # Every cycle

    def cycle(
        self,
        now_s: float,
        measured: Measured | None,
        target: Sequence[float] | None = None,
        *,
        stopped: str = "",
    ) -> Array | None:
        """The setpoint (6,) to send now, or None where nothing is sent.

        `now_s` is a monotonic clock of this computer, `measured` the newest state or None where none came,
        `target` (6,) the tool pose that the policy wants now, `stopped` what stop the controller reports.
        """
        self._watch(now_s, measured, stopped)
        if measured is not None and self.rights.sends:
            self._compare(now_s, measured)
        stages: set[Stage] = set()
        if self.rights.moves:
            self._move(now_s, target, stages)
        elif self.rights.sends:
            self._motion.brake()
            if self.state is State.HOLD:
                self._wait(now_s)
        self.stages = frozenset(stages)
        if not self.rights.sends:
            return None
        return self._space.setpoint(self._motion.position)

    def _watch(self, now_s: float, measured: Measured | None, stopped: str) -> None:
        """Clock, silence, and the controller's own stops."""
        late_s = 0.0 if self._called_s is None else now_s - self._called_s
        self._called_s, self._stopped = now_s, stopped
        if stopped:
            self.fault(now_s, Fault.CONTROLLER_STOP, stopped)
        if not self.rights.sends:
            return
        if not 0.0 <= late_s <= max(LATE_CYCLES * self.period_s, self.limits.silence_s):
            # The robot has stood at the last setpoint meanwhile; a ramp from the old speed would be a jerk.
            self._motion.begin(self._motion.position)
            self.fault(now_s, Fault.CLOCK, f"{1e3 * late_s:.0f} ms between two cycles of this computer")
        if measured is not None:
            ahead_s = math.inf if self._clock_s is None else measured.time_s - self._clock_s
            if not 0.0 <= ahead_s <= self.limits.silence_s:  # as of nan too
                self.fault(now_s, Fault.CLOCK, f"the controller's time went on by {1e3 * ahead_s:.0f} ms")
            if ahead_s != 0.0:  # a state that comes again is no new one
                self._heard_s, self._clock_s = now_s, measured.time_s
        silent_s = 0.0 if self._heard_s is None else now_s - self._heard_s
        if silent_s > self.limits.silence_s:
            self.fault(now_s, Fault.SILENT, f"nothing new for {1e3 * silent_s:.0f} ms")

    def _compare(self, now_s: float, measured: Measured) -> None:
        """The measured robot against fences and setpoints, and the force on it."""
        if problem := self._unfit(measured):
            finite = np.isfinite(measured.tool).all() and np.isfinite(measured.joints_rad).all()
            self.fault(now_s, Fault.OUTSIDE if finite else Fault.READING, problem)
            return
        motion, limits = self._motion, self.limits
        away_m, away_rad = self._space.error(
            motion.position, measured.tool.tolist(), measured.joints_rad.tolist()
        )
        # Below a controller that answers late, the robot is behind by its speed times the lag.
        lag_m, lag_rad = self._lag_s * limits.tool_speed_m_s, self._lag_s * max(map(abs, motion.velocity))
        if away_m > limits.tracking_m + lag_m or away_rad > limits.tracking_rad + lag_rad:
            self.fault(
                now_s, Fault.TRACKING, f"{1e3 * away_m:.1f} mm and {away_rad:.3f} rad from the setpoint"
            )
        self._feel(now_s, measured.wrench)

    def _feel(self, now_s: float, wrench: Array | None) -> None:
        if self.limits.force_n is None and self.limits.torque_n_m is None:
            return
        if wrench is None or self._tare is None:
            self.fault(now_s, Fault.NO_FORCE, "the robot gives none")
            return
        if not np.isfinite(wrench).all():
            self.fault(now_s, Fault.NO_FORCE, f"the wrench is {_shown(wrench.tolist())}")
            return
        felt = (wrench - self._tare).tolist()
        for name, value, most, unit in (
            ("a force", math.hypot(*felt[:3]), self.limits.force_n, "N"),
            ("a torque", math.hypot(*felt[3:]), self.limits.torque_n_m, "N m"),
        ):
            if most is not None and value > most:
                self.fault(now_s, Fault.FORCE, f"{name} of {value:.3g} {unit}, {most:g} {unit} are allowed")

    def _unfit(self, measured: Measured) -> str:
        """Why a measured robot cannot be moved; empty where it can."""
        joints, tool = measured.joints_rad.tolist(), measured.tool.tolist()
        if not all(map(math.isfinite, (*joints, *tool))):
            return f"the controller reports joints {_shown(joints)} and a tool at {_shown(tool)}"
        limits = self.limits.joints
        for number, (at, low, high) in enumerate(zip(joints, limits.low, limits.high, strict=True), start=1):
            if not low <= at <= high:
                return f"joint {number} is at {at:.3f} rad, outside of {low:.3f} to {high:.3f}"
        return ""

    def _move(self, now_s: float, target: Sequence[float] | None, stages: set[Stage]) -> None:
        """One cycle of motion as the policy wants it, as far as that is allowed."""
        if target is None:
            self._motion.brake()
            return
        if not all(map(math.isfinite, target)):
            self.fault(now_s, Fault.TARGET, f"the program's target is {_shown(target)}")
            self._motion.brake()
            return
        self._blend = min(1.0, self._blend + self.period_s / self.limits.blend_s)
        before = self._before
        wanted, cut = self._space.shape(self._blended(target))
        stages |= cut
        velocity = [(now - then) / self.period_s for now, then in zip(wanted, before, strict=True)]
        self._before = wanted
        if not self._motion.towards(wanted, velocity):
            stages.add(Stage.MOTION)
        self.tally.add(frozenset(stages))
        if self.state is State.BLENDING and self._blend >= 1.0:
            self.rights.take(Event.BLENDED)
            self._note(now_s, None, "blended in")
        if (stage := self.tally.above(self.limits.fraction)) is not None:
            self.fault(now_s, Fault.INTERVENTIONS, f"{stage.value} in more than {self.limits.fraction:.0%}")
            self.tally.forget()

    def _blended(self, target: Sequence[float]) -> Sequence[float]:
        """The pose between where the robot was held and the target, at the present authority."""
        if self._blend >= 1.0:
            return target
        return self._from_hold.pose([
            at + self._blend * (to - at)
            for at, to in zip(self._hold, self._from_hold.coordinates(target), strict=True)
        ])  # fmt: skip

    def _wait(self, now_s: float) -> None:
        """In HOLD: become STOPPED at rest, go on when all has been well for a while, or give up."""
        if self.reason is None and now_s - self._held_s > self.limits.hold_s:
            self.fault(now_s, Fault.HELD, f"longer than {self.limits.hold_s:g} s")
        if self.reason is None and self._holds > self.limits.most_holds:
            self.fault(now_s, Fault.HELD, f"more often than {self.limits.most_holds} times")
        if not self._motion.at_rest:
            return
        if self.reason is not None:
            self.rights.take(Event.AT_REST)
            self._note(now_s, None, self.reason)
        elif now_s - self._well_s >= self.limits.dwell_s:
            self.rights.take(Event.CLEAR)
            self._begin_blending()
            self._note(now_s, None, "goes on")

    def _begin_blending(self) -> None:
        """From rest where the robot is held, with no authority yet."""
        self._blend = 0.0
        self._before = list(self._motion.position)
        self.held = self._hold = self._space.resume(self._motion.position)
        self._from_hold = TurnsFrom(self._hold)
        self._hold = self._from_hold.coordinates(self._hold)
        self.tally.forget()

    def _note(self, now_s: float, fault: Fault | None, detail: str) -> None:
        self.happenings.append(Happening(now_s, self.state, fault, detail))


def _shown(values: Sequence[float]) -> str:
    return "[" + ", ".join(f"{each:.4g}" for each in values) + "]"
