"""A model of the force loop by itself: linear, along one axis, sharing no code with the cell.

A part at the end of the arm presses on a rigid wall. The law turns the measured force into a deviation, the
command goes through transport delay and the servo's smoothing, the arm's mass hangs on the servo by its own
stiffness, and fingers and fixture are a second spring between arm and wall:

- law: y = F / (M s^2 + D s + K)
- robot: exp(-s T) / (tau s + 1), T being the delays and half a cycle of hold
- arm and fingers: (k + c s) (ka + ca s) / (m s^2 + (c + ca) s + ka + k)
- sensor: 1 / (tau_f s + 1)

The stability of the loop follows from the product of these at the frequencies where its phase passes -180
degrees (Nyquist). The peak of a first contact is integrated in time, one-sided, with the law sampled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CYCLE_S = 2e-3
PERIOD_S = 48e-3
"""Period of the policy, which moves the reference and leads it back by the leash."""
STEP_S = 1e-4
"""Step of the integration in time."""
_PULSES_RAD_S = np.geomspace(0.1, 1500.0, 12000)


@dataclass(frozen=True, kw_only=True)
class Law:
    """Mass [kg], damping [N s/m] and stiffness [N/m] that the controller gives the tool."""

    mass: float
    damping: float
    stiffness: float
    dead_band_n: float = 0.0
    leash_m: float = 5e-3


@dataclass(frozen=True, kw_only=True)
class Lag:
    """Delays [s] from a contact to the motion that answers it."""

    delay: float
    """Transport, computing and the sensor's, all pure delay."""
    servo: float
    """Time constant of the position servo's smoothing."""
    sensor: float
    """Time constant of the force sensor's low-pass."""

    @property
    def total(self) -> float:
        """Sum of all, with half a cycle of hold."""
        return self.delay + self.servo + self.sensor + 0.5 * CYCLE_S

    @classmethod
    def of(cls, total_s: float) -> Lag:
        """Spread `total_s` as a fast (below 20 ms) or a slow robot does; the smoothing takes what is left."""
        sensor = 2e-3 if total_s < 20e-3 else 8e-3
        delay = 4e-3 if total_s < 20e-3 else 6e-3
        return cls(delay=delay, sensor=sensor, servo=max(total_s - sensor - delay - 0.5 * CYCLE_S, 1e-3))

    @classmethod
    def late(cls, total_s: float) -> Lag:
        """`total_s` as a controller does that buffers: all of it pure delay but 10 ms."""
        return cls(delay=total_s - 10e-3 - 0.5 * CYCLE_S, servo=2e-3, sensor=8e-3)


@dataclass(frozen=True, kw_only=True)
class Body:
    """The arm's effective mass [kg] between two springs [N/m], and their dampers [N s/m]."""

    mass: float
    arm: float
    fingers: float
    arm_damping: float
    finger_damping: float

    @property
    def total(self) -> float:
        """Stiffness of both springs in series [N/m]."""
        return self.arm * self.fingers / (self.arm + self.fingers)

    @classmethod
    def of(cls, total: float, *, mass: float = 10.0, arm_ratio: float = 0.2) -> Body:
        """A body of `total` stiffness [N/m] that bends as a UR10e with a 2F-85 does: 3 parts of 7 in the arm.

        The arm's mode is damped by `arm_ratio`; the fingers hold 1.5 kg, damped by 0.15 of the critical.
        """
        arm, fingers = total * 7.0 / 3.0, total * 7.0 / 4.0
        return cls(
            mass=mass,
            arm=arm,
            fingers=fingers,
            arm_damping=2.0 * arm_ratio * math.sqrt(arm * mass),
            finger_damping=2.0 * 0.15 * math.sqrt(fingers * 1.5),
        )


def loop(law: Law, lag: Lag, body: Body, pulse: Array) -> Array:
    """Complex gain of the open loop at each pulse [rad/s]."""
    s = 1j * pulse
    give = 1.0 / (law.mass * s * s + law.damping * s + law.stiffness)
    robot = np.exp(-s * (lag.delay + 0.5 * CYCLE_S)) / (lag.servo * s + 1.0)
    through = (body.fingers + body.finger_damping * s) * (body.arm + body.arm_damping * s)
    through /= body.mass * s * s + (body.arm_damping + body.finger_damping) * s + body.arm + body.fingers
    return np.asarray(give * robot * through / (lag.sensor * s + 1.0))


def gain_margin(law: Law, lag: Lag, body: Body) -> float:
    """Factor by which the loop's gain can grow before it oscillates; below 1 it does already."""
    gain = loop(law, lag, body, _PULSES_RAD_S)
    # The loop is stable by itself, so it oscillates once a crossing of the negative real axis is beyond -1.
    crosses = (gain.imag[:-1] * gain.imag[1:] <= 0.0) & (gain.real[:-1] < 0.0)
    weight = gain.imag[:-1] / np.where(crosses, gain.imag[:-1] - gain.imag[1:], 1.0)
    at = (gain.real[:-1] + weight * (gain.real[1:] - gain.real[:-1]))[crosses]
    return float(1.0 / -at.min()) if at.size else np.inf


def contact(
    law: Law, lag: Lag, body: Body, *, speed_m_s: float, seconds: float = 2.0, held: bool = False
) -> Array:
    """Force [N] on the part, a value each `STEP_S`, when the reference drives into a wall at `speed_m_s`.

    The reference goes on until it leads the servo by the leash, and is led back by half of what is beyond,
    once a period; where it is `held` it stops by the leash behind the wall, which leaves the loop
    alone. The wall is met at time 0.1 s.
    """
    count = round(seconds / STEP_S)
    cycle, period = round(CYCLE_S / STEP_S), round(PERIOD_S / STEP_S)
    sent = np.zeros(count + 1)
    felt = np.zeros(count + 1)
    late = round(lag.delay / STEP_S)
    wall = speed_m_s * 0.1
    reference = aim = deviation = rate = servo = arm = arm_rate = sensed = command = 0.0
    for now in range(count):
        if now % period == 0:
            aim += speed_m_s * PERIOD_S
            beyond = aim - (wall if held else servo) - law.leash_m
            aim -= (1.0 if held else 0.5) * max(beyond, 0.0)
            pace = (aim - reference) * CYCLE_S / PERIOD_S
        if now % cycle == 0:
            reference += pace
            force = np.sign(sensed) * max(abs(sensed) - law.dead_band_n, 0.0)
            # Backward Euler; the force pushes back.
            push = force + law.stiffness * deviation
            slowed = law.mass + law.damping * CYCLE_S + law.stiffness * CYCLE_S**2
            rate = (law.mass * rate - push * CYCLE_S) / slowed
            deviation += rate * CYCLE_S
            command = reference + deviation
        sent[now] = command
        before = servo
        servo += (sent[max(now - late, 0)] - servo) * STEP_S / lag.servo
        pressed = arm - wall
        force = body.fingers * pressed + body.finger_damping * arm_rate if pressed > 0.0 else 0.0
        force = max(force, 0.0)
        pull = body.arm * (servo - arm) + body.arm_damping * ((servo - before) / STEP_S - arm_rate)
        arm_rate += (pull - force) / body.mass * STEP_S
        arm += arm_rate * STEP_S
        felt[now + 1] = force
        sensed += (force - sensed) * STEP_S / lag.sensor
    return felt


def settles(force_n: Array) -> bool:
    """Whether a contact comes to rest: over its last quarter it is pressed, and varies by less than 2 N or a
    tenth of its peak."""
    end = force_n[-len(force_n) // 4 :]
    return bool(np.ptp(end) < max(2.0, 0.1 * force_n.max()) and end.min() > 0.5)


def times(law: Law, factor: float) -> Law:
    """The law whose loop has `factor` times the gain."""
    return replace(
        law,
        mass=law.mass / factor,
        damping=law.damping / factor,
        stiffness=law.stiffness / factor,
        leash_m=law.leash_m * factor,
    )
