"""Jerk-limited motion in plain arithmetic: what generated C does, and what golden sequences are made with.

Each coordinate has a stop in closed form: brake with all of the jerk up to all of the acceleration, hold
it, and take it back. A cycle has one jerk for each coordinate. It is the largest after which the stop, seen
from the moving target, does not end beyond the target; so the coordinate moves as fast as it may and still
meets the target. The cycle is taken only where the stop that would begin after it keeps every limit, as in
`motion`: safety does not depend on how the jerk was chosen.

Unlike Ruckig's, coordinates do not arrive together, and a target that accelerates is followed a little
behind.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from cellwright_runtime.envelope.limits import Axes
from cellwright_runtime.envelope.motion import Numbers, Sweep

HALVINGS = 20
"""Of the interval in which a jerk is looked for: to a millionth of the limit."""
SHARED = 0.999
"""Fraction of the tool's speed that coordinates share, so that rounding does not refuse a cycle."""


class Stop(NamedTuple):
    """The fastest stop of one coordinate: `sign` times the jerk for `rise_s`, none for `hold_s`, the opposite
    for `fall_s`."""

    sign: float
    rise_s: float
    hold_s: float
    fall_s: float

    @property
    def duration_s(self) -> float:
        """From its begin to rest."""
        return self.rise_s + self.hold_s + self.fall_s


def stop_of(velocity: float, acceleration: float, most: float, jerk: float) -> Stop:
    """The stop of a state within `most` acceleration, either way, and `jerk`."""
    coming = after(velocity, acceleration, jerk)
    sign = -1.0 if coming > 0.0 else 1.0
    v, a = sign * velocity, sign * acceleration
    peak = math.sqrt(max(0.5 * a * a - jerk * v, 0.0))
    hold_s = 0.0
    if peak > most:
        hold_s = (peak * peak - most * most) / (jerk * most)
        peak = most
    return Stop(sign, max(peak - a, 0.0) / jerk, hold_s, peak / jerk)


def stopping(velocity: float, acceleration: float, most: float, jerk: float) -> float:
    """How far the stop of a state leads."""
    sign, rise_s, hold_s, fall_s = stop_of(velocity, acceleration, most, jerk)
    v, a = sign * velocity, sign * acceleration
    way = rise_s * (v + rise_s * (0.5 * a + rise_s * jerk / 6.0))
    v += rise_s * (a + 0.5 * rise_s * jerk)
    a += rise_s * jerk
    way += hold_s * (v + 0.5 * hold_s * a)
    v += hold_s * a
    way += fall_s * (v + fall_s * (0.5 * a - fall_s * jerk / 6.0))
    return sign * way


def after(velocity: float, acceleration: float, jerk: float) -> float:
    """The velocity that is left once the acceleration has been taken back."""
    return velocity + acceleration * abs(acceleration) / (2.0 * jerk)


def moved(state: tuple[float, float, float], jerk: float, seconds: float) -> tuple[float, float, float]:
    """Position, velocity and acceleration after a constant jerk."""
    p, v, a = state
    t = seconds
    return p + t * (v + t * (0.5 * a + t * jerk / 6.0)), v + t * (a + 0.5 * t * jerk), a + t * jerk


def along(
    stop: Stop, state: tuple[float, float, float], jerk: float, seconds: float
) -> tuple[float, float, float]:
    """Where a stop that begins at `state` is after so long."""
    for part, length_s in ((jerk, stop.rise_s), (0.0, stop.hold_s), (-jerk, stop.fall_s)):
        state = moved(state, stop.sign * part, min(max(seconds, 0.0), length_s))
        seconds -= length_s
    return state


def swept(stop: Stop, state: tuple[float, float, float], jerk: float) -> tuple[float, float]:
    """Least and greatest position of a stop from its begin to its end."""
    begin = state[0]
    end = along(stop, state, jerk, stop.duration_s)[0]
    low, high = min(begin, end), max(begin, end)
    v, a = stop.sign * state[1], stop.sign * state[2]
    if v > 0.0 and a < 0.0:  # it goes on for a moment before it turns round
        turn_s = (-a - math.sqrt(max(a * a - 2.0 * jerk * v, 0.0))) / jerk
        there = moved(state, stop.sign * jerk, min(turn_s, stop.rise_s))[0]
        low, high = min(low, there), max(high, there)
    return low, high


def fastest_between(
    before: tuple[float, float, float], state: tuple[float, float, float], seconds: float
) -> float:
    """Largest speed of a cycle of constant jerk from one state to another."""
    fastest = max(abs(before[1]), abs(state[1]))
    if before[2] * state[2] < 0.0:
        jerk = (state[2] - before[2]) / seconds
        fastest = max(fastest, abs(before[1] - before[2] * before[2] / (2.0 * jerk)))
    return fastest


class Follower:
    """A point of six coordinates that moves within limits of velocity, acceleration and jerk.

    It has the interface of `motion.Motion`.
    """

    def __init__(
        self,
        axes: Axes,
        period_s: float,
        accept: Callable[[Sweep], bool],
        *,
        speed_m_s: float | None = None,
    ) -> None:
        """`speed_m_s` is what the first three coordinates may do together; None where they are no place."""
        self._axes, self.period_s, self._accept, self._speed_m_s = axes, period_s, accept, speed_m_s
        self.begin([0.5 * (low + high) for low, high in zip(axes.low, axes.high, strict=True)])

    def begin(self, position: Numbers) -> None:
        """Be at rest at `position` (6,), which has to be within the limits."""
        self.position, self.velocity, self.acceleration = list(position), [0.0] * 6, [0.0] * 6
        self._stops: list[Stop] = []
        self._from: list[tuple[float, float, float]] = []
        self._stopping_s = 0.0

    @property
    def at_rest(self) -> bool:
        """Whether velocity and acceleration are zero."""
        return not any(self.velocity) and not any(self.acceleration)

    def towards(self, position: Numbers, velocity: Numbers) -> bool:
        """One cycle towards `position` (6,), to be passed at `velocity` (6,); returns whether it was taken.

        Both are those of a moving target at the end of the cycle. Where the cycle is not taken, the motion
        slows down instead.
        """
        if all(map(math.isfinite, (*position, *velocity))):
            passing, most = self._shared(position, velocity)
            wishes = enumerate(zip(position, passing, most, strict=True))
            jerks = [self._jerk(axis, *wish) for axis, wish in wishes]
            states = [moved(self._state(axis), jerk, self.period_s) for axis, jerk in enumerate(jerks)]
            if self._take(states):
                return True
        self.brake()
        return False

    def brake(self) -> None:
        """One cycle of the stop that the present state has."""
        if not self._stops:
            return
        self._stopping_s += self.period_s
        jerks = self._axes.jerk
        states = [
            along(stop, state, jerk, self._stopping_s)
            for stop, state, jerk in zip(self._stops, self._from, jerks, strict=True)
        ]
        self._be(states)
        if self._stopping_s >= max(each.duration_s for each in self._stops):
            self.begin(self.position)

    def _shared(self, position: Numbers, velocity: Numbers) -> tuple[Numbers, Numbers]:
        """The target's velocity, and the most of each coordinate's, so that the tool keeps its speed.

        What the target's own speed leaves is shared by how far each coordinate has to go.
        """
        most = list(self._axes.velocity)
        passing = [min(max(rate, -top), top) for rate, top in zip(velocity, most, strict=True)]
        if self._speed_m_s is None:
            return passing, most
        top = SHARED * self._speed_m_s
        speed = math.sqrt(passing[0] ** 2 + passing[1] ** 2 + passing[2] ** 2)
        if speed > top:
            passing[:3] = [rate * top / speed for rate in passing[:3]]
            speed = top
        way = [abs(position[axis] - self.position[axis]) for axis in range(3)]
        far = math.sqrt(way[0] ** 2 + way[1] ** 2 + way[2] ** 2)
        for axis in range(3):
            share = way[axis] / far if far > 0.0 else 0.0
            most[axis] = min(most[axis], abs(passing[axis]) + (top - speed) * share)
        return passing, most

    def _jerk(self, axis: int, target: float, passing: float, most: float) -> float:
        """The jerk of the next cycle: the largest that is not too far, unless that is too near."""
        limit, jerk = self._axes.acceleration[axis], self._axes.jerk[axis]
        low, high = self._axes.low[axis], self._axes.high[axis]
        state, period_s = self._state(axis), self.period_s

        def ends(velocity: float, now: tuple[float, float, float]) -> float:
            return now[0] + stopping(now[1] - velocity, now[2], limit, jerk)

        def too_far(with_jerk: float) -> bool:
            now = moved(state, with_jerk, period_s)
            return after(now[1], now[2], jerk) > most or ends(passing, now) > target or ends(0.0, now) > high

        def too_near(with_jerk: float) -> bool:
            now = moved(state, with_jerk, period_s)
            return after(now[1], now[2], jerk) < -most or ends(0.0, now) < low

        least = max(-jerk, (-limit - state[2]) / period_s)
        largest = min(jerk, (limit - state[2]) / period_s)
        chosen = _edge(too_far, least, largest)
        if too_near(chosen):
            chosen = _edge(too_near, largest, chosen)
        return chosen

    def _state(self, axis: int) -> tuple[float, float, float]:
        return self.position[axis], self.velocity[axis], self.acceleration[axis]

    def _be(self, states: list[tuple[float, float, float]]) -> None:
        self.position = [each[0] for each in states]
        self.velocity = [each[1] for each in states]
        self.acceleration = [each[2] for each in states]

    def _take(self, states: list[tuple[float, float, float]]) -> bool:
        """Go on to these states, if the stop from there keeps all limits."""
        axes = self._axes
        stops, low, high, speed = [], [], [], []
        for axis, state in enumerate(states):
            jerk = axes.jerk[axis]
            stop = stop_of(state[1], state[2], axes.acceleration[axis], jerk)
            least, greatest = swept(stop, state, jerk)
            before = self._state(axis)
            fastest = max(fastest_between(before, state, self.period_s), abs(after(state[1], state[2], jerk)))
            if before[1] * state[1] < 0.0:  # it turns round within the cycle
                beyond = self.period_s * max(abs(before[1]), abs(state[1]))
                least, greatest = min(least, before[0]) - beyond, max(greatest, before[0]) + beyond
            if least < axes.low[axis] or greatest > axes.high[axis] or fastest > axes.velocity[axis]:
                return False
            stops.append(stop)
            low.append(least)
            high.append(greatest)
            speed.append(fastest)
        duration_s = max(each.duration_s for each in stops)

        def velocity_at(time_s: float) -> Numbers:
            return [
                along(stop, state, jerk, time_s)[1]
                for stop, state, jerk in zip(stops, states, axes.jerk, strict=True)
            ]

        came = [(state[0] - at) / self.period_s for state, at in zip(states, self.position, strict=True)]
        if not self._accept(Sweep(low, high, speed, duration_s, velocity_at, came)):
            return False
        self._be(states)
        self._stops, self._from, self._stopping_s = stops, states, 0.0
        return True


def _edge(beyond: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where `beyond` begins to hold between `inside` and `outside`: the last place at which it does not."""
    if not beyond(outside):
        return outside
    for _ in range(HALVINGS):
        middle = 0.5 * (inside + outside)
        if beyond(middle):
            outside = middle
        else:
            inside = middle
    return inside
