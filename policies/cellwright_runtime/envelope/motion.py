"""Jerk-limited motion that can always stop inside of its limits.

Every cycle Ruckig plans from the present state to the target; the plan's next state is taken only where the
stop that would begin there keeps every limit. Otherwise, and whenever there is no target, the motion
follows the stop that was found for the state before. By induction, every state has such a stop: at rest it is
to stay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from cellwright_runtime.envelope.limits import Axes

Numbers = list[float]


class Sweep(NamedTuple):
    """All that a motion can do from a state on if it stops there: bounds of six coordinates."""

    low: Numbers
    """Least of each coordinate until rest."""
    high: Numbers
    speed: Numbers
    """Largest magnitude of each coordinate's velocity until rest."""
    duration_s: float
    velocity_at: Callable[[float], Numbers]
    """Velocity (6,) at a time since the state."""
    came: Numbers
    """Mean velocity of each coordinate in the cycle that led to the state."""


class Mover(Protocol):
    """A stage that turns a moving target into a motion with limits: `Motion`, or `follower.Follower`."""

    position: Numbers
    velocity: Numbers
    acceleration: Numbers

    @property
    def at_rest(self) -> bool: ...
    def begin(self, position: Numbers) -> None: ...
    def towards(self, position: Numbers, velocity: Numbers) -> bool: ...
    def brake(self) -> None: ...


class Motion:
    """A point of six coordinates that moves within limits of velocity, acceleration and jerk."""

    def __init__(self, axes: Axes, period_s: float, accept: Callable[[Sweep], bool]) -> None:
        """`accept` says whether a sweep keeps the limits that are not those of `axes`."""
        import ruckig

        self._axes, self.period_s, self._accept = axes, period_s, accept
        self._low, self._high = list(axes.low), list(axes.high)
        self._speed = list(axes.velocity)
        self._planner, self._to_target = ruckig.Ruckig(6, period_s), ruckig.InputParameter(6)
        self._output = ruckig.OutputParameter(6)
        self._stopper, self._to_rest = ruckig.Ruckig(6), ruckig.InputParameter(6)
        self._to_rest.control_interface = ruckig.ControlInterface.Velocity
        kinds = ruckig.Synchronization
        self._to_rest.synchronization = kinds.Time if axes.together else kinds.No
        for each in (self._to_target, self._to_rest):
            each.max_velocity, each.max_acceleration = self._speed, list(axes.acceleration)
            each.max_jerk = list(axes.jerk)
        self._to_rest.current_position = [0.0] * 6
        self._to_rest.target_velocity = self._to_rest.target_acceleration = [0.0] * 6
        self._to_target.target_acceleration = [0.0] * 6
        self._to_target.minimum_duration = _ahead_s(axes, period_s)
        self._ahead_s = self._to_target.minimum_duration - period_s
        self._good = (ruckig.Result.Working, ruckig.Result.Finished)
        self._errors = ruckig.RuckigError
        self._trajectory: Callable[[], Any] = lambda: ruckig.Trajectory(6)
        self._halves = [0.5 / jerk for jerk in axes.jerk]
        self.begin([0.5 * (low + high) for low, high in zip(axes.low, axes.high, strict=True)])

    def begin(self, position: Numbers) -> None:
        """Be at rest at `position` (6,), which has to be within the limits."""
        self.position, self.velocity, self.acceleration = list(position), [0.0] * 6, [0.0] * 6
        self._stop: Any = None
        self._stop_begins, self._stopping_s = self.position, 0.0

    @property
    def at_rest(self) -> bool:
        """Whether velocity and acceleration are zero."""
        return not any(self.velocity) and not any(self.acceleration)

    def towards(self, position: Numbers, velocity: Numbers) -> bool:
        """One cycle towards `position` (6,), to be passed at `velocity` (6,); returns whether it was taken.

        Both are those of a moving target at the end of the cycle. Where the cycle is not taken, the motion
        slows down instead.
        """
        request = self._to_target
        request.current_position, request.current_velocity = self.position, self.velocity
        request.current_acceleration = self.acceleration
        rates = [min(max(each, -most), most) for each, most in zip(velocity, self._speed, strict=True)]
        request.target_position = [
            min(max(at + rate * self._ahead_s, low), high)
            for at, rate, low, high in zip(position, rates, self._low, self._high, strict=True)
        ]
        request.target_velocity = rates
        output = self._output
        try:
            planned = self._planner.update(request, output) in self._good
        except self._errors:
            planned = False
        if planned:
            stop = self._stop_from(output.new_position, output.new_velocity, output.new_acceleration)
            if stop is not None:
                self.position, self.velocity = output.new_position, output.new_velocity
                self.acceleration = output.new_acceleration
                self._stop, self._stop_begins, self._stopping_s = stop, self.position, 0.0
                return True
        self.brake()
        return False

    def brake(self) -> None:
        """One cycle of the stop that the present state has."""
        if self._stop is None:
            return
        self._stopping_s += self.period_s
        ends = self._stopping_s >= self._stop.duration
        moved, velocity, acceleration = self._stop.at_time(min(self._stopping_s, self._stop.duration))
        self.position = [at + by for at, by in zip(self._stop_begins, moved, strict=True)]
        self.velocity, self.acceleration = velocity, acceleration
        if ends:
            self.velocity, self.acceleration, self._stop = [0.0] * 6, [0.0] * 6, None

    def _stop_from(self, position: Numbers, velocity: Numbers, acceleration: Numbers) -> Any:
        """The fastest stop from a state, or None where it would break a limit.

        A coordinate that waits for others in its stop takes an acceleration back as fast as it would alone.
        """
        request = self._to_rest  # from zero: the extrema of Ruckig 0.19 contain zero, wherever a stop begins
        request.current_velocity, request.current_acceleration = velocity, acceleration
        stop = self._trajectory()
        try:
            if self._stopper.calculate(request, stop) not in self._good:
                return None
        except self._errors:
            return None
        least, most = [], []
        for at, extrema, low, high in zip(
            position, stop.position_extrema, self._low, self._high, strict=True
        ):
            least.append(at + extrema.min)
            most.append(at + extrema.max)
            if least[-1] < low or most[-1] > high:
                return None
        speed = []
        for rate, change, half in zip(velocity, acceleration, self._halves, strict=True):
            # An acceleration that still has to be taken back raises the speed, or reverses it.
            after = rate + abs(change) * change * half
            speed.append(max(abs(rate), abs(after)))
        came = [(now - before) / self.period_s for now, before in zip(position, self.position, strict=True)]
        sweep = Sweep(least, most, speed, stop.duration, lambda time_s: stop.at_time(time_s)[1], came)
        return stop if self._accept(sweep) else None


def _ahead_s(axes: Axes, period_s: float) -> float:
    """How far ahead the plans meet a moving target: the time to build up all of the acceleration.

    A plan for the end of the cycle would be the fastest one to a place that is passed already: it turns round
    for a micrometre.
    """
    build_up_s = max(most / jerk for most, jerk in zip(axes.acceleration, axes.jerk, strict=True))
    return max(build_up_s, 2.0 * period_s)
