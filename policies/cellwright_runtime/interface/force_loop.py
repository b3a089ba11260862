"""The law that makes a position-controlled arm give way, the gains a slow arm needs, and who is too slow.

Admittance control: a virtual mass, damper and spring turn the measured wrench into a deviation from the
reference, which is sent to the arm as a pose. The arm follows late, and a late arm in contact pushes back
too late: with the lag `T` of everything between force and motion, and the stiffness `Kc` of arm, fingers
and fixture in series, the loop is stable where `Kc < D / T`, `D` being the damping. This is sufficient; the
true limit is 1.0 to 3.4 times as far (Nyquist, 2000 random sets of mass, damping, stiffness and lags). So a
late arm needs a heavy damper, with a heavy damper it has to approach slowly, and beyond some lag it cannot
insert at all.

The environments call `give_way` and `follow` in every cycle of the force loop, and so does a robot program,
through `ForceLoop`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellwright_runtime.interface.arrays import numbers
from cellwright_runtime.vocabulary import ControllerSetup

Array = NDArray[np.float64]

DAMPING_OF_BOUND = 1.1
"""Damping over that of the sufficient condition, `Kc T`. With a virtual mass of 10 ms times the damping the
gain margin is then 1.4 or more, whether the lag is smoothing or pure delay: `python -m tools.force_loop`."""
OVERSHOOT = 1.1
"""Largest peak of a first contact over damping times speed, up to the stiffness that the damping was chosen
for: `python -m tools.force_loop`."""
FORCE_SHARE = 0.8
"""Share of a part's force limit that an approach may use; the rest is for disturbances (assumption)."""
LEASH_RETURN = 0.5
"""Share of what a lead is beyond the leash by which the reference is led back in a control period. All of it
would make the reference follow the swinging arm, and feed a swing whose half period is near the period."""
SLOWEST_M_S = 1e-3
"""Approaches slower than this are not worth starting (assumption)."""


class SlowDriverError(ValueError):
    """A driver answers too late for the gains that a policy was trained with."""

    def __init__(self, message: str, *, lag_s: float, largest_lag_s: float) -> None:
        super().__init__(message)
        self.lag_s = lag_s
        """From a force to the motion that answers it, on this driver."""
        self.largest_lag_s = largest_lag_s
        """Up to which the gains are stable with their margin."""


def damping_for(lag_s: float, contact_stiffness: float) -> float:
    """Damping that a driver of this lag needs against `contact_stiffness`: [N s/m] for [N/m], or turning."""
    if not (0.0 < lag_s < math.inf and 0.0 < contact_stiffness < math.inf):
        raise ValueError(f"need positive lag_s and contact_stiffness, got {lag_s} and {contact_stiffness}")
    return DAMPING_OF_BOUND * contact_stiffness * lag_s


def approach_speed_m_s(force_limit_n: float, *, damping_n_s_m: float, pushed_n: float) -> float:
    """Speed [m/s] at which a first contact stays below a part's force limit.

    An arm that gives way as fast as the reference comes pushes with damping times speed, in a late loop up to
    `OVERSHOOT` times of it, on top of `pushed_n`, what the leash allows the spring and the dead band. Raises
    ValueError where nothing is left for the approach.
    """
    left_n = FORCE_SHARE * force_limit_n - pushed_n
    speed_m_s = left_n / (OVERSHOOT * damping_n_s_m)
    if not speed_m_s >= SLOWEST_M_S:
        raise ValueError(
            f"a part that bears {force_limit_n:g} N cannot be approached: the spring alone pushes "
            f"{pushed_n:g} N, and a damping of {damping_n_s_m:g} N s/m leaves {1e3 * speed_m_s:.2f} mm/s"
        )
    return speed_m_s


def approach_speed(controller: ControllerSetup) -> Callable[[float], float]:
    """The approach speed [m/s] for a force limit [N] under these settings."""
    damping = float(controller.read("damping", "N.s/m", above=0.0)[0])
    stiffness = float(controller.read("stiffness", "N/m", above=0.0)[0])
    leash_m = float(controller.read("leash", "m", above=0.0)[0])
    pushed_n = stiffness * leash_m + float(controller.read("dead_band", "N")[0])
    return lambda force_limit_n: approach_speed_m_s(force_limit_n, damping_n_s_m=damping, pushed_n=pushed_n)


def give_way(
    force: float,
    deviation: float,
    speed: float,
    gains: tuple[float, float, float, float],
    period_s: float,
) -> tuple[float, float]:
    """Deviation and its speed after one cycle, along or about one axis.

    `force` acts on the tool; `gains` are stiffness, damping, mass and dead band. A force within the dead band
    counts as none, a larger one by what exceeds it. Backward Euler of `M a + D v + K x = F`: stable at any
    period.
    """
    stiffness, damping, mass, band = gains
    beyond = max(force - band, 0.0) + min(force + band, 0.0)
    speed = (mass * speed + period_s * (beyond - stiffness * deviation)) / (
        mass + period_s * damping + period_s * period_s * stiffness
    )
    return deviation + period_s * speed, speed


def follow(target: float, at: float, speed: float, filter_s: float, period_s: float) -> tuple[float, float]:
    """Reference and its speed after one cycle of the reference filter, critically damped of second order."""
    speed += period_s * ((target - at) / filter_s**2 - 2.0 * speed / filter_s)
    return at + period_s * speed, speed


class ForceLoop:
    """The force loop of a robot program: wrench and reference in, the pose to command out, every cycle."""

    def __init__(self, controller: ControllerSetup, *, lag_s: float, period_s: float | None = None) -> None:
        """Read the gains of a bundle for a driver of this lag.

        `period_s` is the cycle in which `step` is called; None takes that of the training. `lag_s` is from a
        force at the tool to the motion that answers it: sensor, its filter, computing, bus and position
        servo. Raises SlowDriverError where it is above that of the gains, ValueError where a setting is
        missing.
        """
        require_fast_enough(controller, lag_s)
        trained_s = float(controller.read("force_loop_period", "s", above=0.0)[0])
        self.period_s = trained_s if period_s is None else period_s
        self._filter_s = float(controller.read("reference_filter", "s", above=0.0)[0])
        along = _gains(controller, "", ("N/m", "N.s/m", "kg", "N"), "virtual_mass")
        about = _gains(controller, "turning_", ("N.m/rad", "N.m.s/rad", "kg.m^2", "N.m"), "virtual_inertia")
        self._gains = [along] * 3 + [about] * 3
        self._begun = False

    def begin(self, tool: ArrayLike) -> None:
        """Start at rest with the tool at `tool` (6,)."""
        pose = numbers("tool", tool, 6)
        self._at, self._speed = pose.tolist(), [0.0] * 6
        self._deviation, self._rate = [0.0] * 6, [0.0] * 6
        self._begun = True

    def step(self, wrench: ArrayLike, reference: ArrayLike) -> Array:
        """The pose (6,) to command now.

        `wrench` (6,) [N] and [N m] acts on the part, tared, about the tool's origin and along the axes of the
        frame of `reference` (6,), position [m] and rotation vector [rad].
        """
        if not self._begun:
            raise ValueError("call begin before step")
        forces = numbers("wrench", wrench, 6).tolist()
        targets = numbers("reference", reference, 6).tolist()
        for axis in range(6):
            self._at[axis], self._speed[axis] = follow(
                targets[axis], self._at[axis], self._speed[axis], self._filter_s, self.period_s
            )
            self._deviation[axis], self._rate[axis] = give_way(
                forces[axis], self._deviation[axis], self._rate[axis], self._gains[axis], self.period_s
            )
        return np.array([at + deviation for at, deviation in zip(self._at, self._deviation, strict=True)])


def require_fast_enough(controller: ControllerSetup, lag_s: float) -> None:
    """Raise SlowDriverError for a driver whose lag is above that of the exported gains."""
    largest_s = float(controller.read("largest_lag", "s", above=0.0)[0])
    if not 0.0 <= lag_s <= largest_s:
        raise SlowDriverError(
            f"this driver answers a force after {1e3 * lag_s:.0f} ms; the policy's gains are stable up to "
            f"{1e3 * largest_s:.0f} ms, so the force loop would oscillate in contact. Use a faster "
            "interface of the controller, or train with the gains of a slower one",
            lag_s=lag_s,
            largest_lag_s=largest_s,
        )


def _gains(
    controller: ControllerSetup, prefix: str, units: tuple[str, str, str, str], mass: str
) -> tuple[float, float, float, float]:
    names = (f"{prefix}stiffness", f"{prefix}damping", mass, f"{prefix}dead_band")
    stiffness, damping, inertia, band = (
        float(controller.read(name, unit)[0]) for name, unit in zip(names, units, strict=True)
    )
    if not (stiffness > 0.0 and damping > 0.0 and inertia > 0.0 and band >= 0.0):
        raise ValueError(f"need positive {', '.join(names[:3])} and no negative {names[3]}")
    return stiffness, damping, inertia, band
