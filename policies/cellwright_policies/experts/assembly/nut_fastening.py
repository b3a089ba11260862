"""Experts that start and tighten a nut: those of an insertion for the arm, and a rule for the spindle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.assembly_cell import CONTROL_PERIOD_S
from cellwright_policies.experts.assembly.base import (
    LAST_ACTION,
    LEASH,
    MEMORY,
    MOTION,
    POSE,
    Array,
    State,
    lead_to_action,
)
from cellwright_policies.experts.assembly.blind_insertion import BlindInsertion
from cellwright_policies.experts.assembly.guide import Guide
from cellwright_policies.experts.assembly.oracle import Oracle
from cellwright_policies.experts.assembly.spiral_search import SpiralSearch, SpiralSettings
from cellwright_policies.experts.expert import Actions, Observations

SPINDLE = "spindle"
FULL_REV_S = 2.0
"""Speed of the spindle at an action of 1."""
FOUND_M = 0.6e-3
"""Height over the first thread below which the spindle turns."""
NEAR_M = 2e-3
"""Height over the nominal mouth below which the blind one turns: the fixture stands up to 2 mm too high."""
NUT_SEARCH = SpiralSettings(inside_m=1.9e-3, stalled_steps=60)
NEEDED = ("tip_z", "yaw_error", "point", "crossed", "turns_left", "latency")


class NutOracle(Oracle):
    """Lines up and presses like the oracle of an insertion, and turns by the true turns that are left."""

    cruise_rev_s = 1.6
    """Until `near_turns` are left."""
    near_turns = 0.5
    gain_per_s = 2.5
    """Speed per turn that is left, from there on."""

    def __init__(self, privileged_names: Sequence[str]) -> None:
        super().__init__(privileged_names)
        if not set(NEEDED) <= set(privileged_names):
            raise ValueError(f"an oracle of nuts needs {', '.join(NEEDED)}, got {privileged_names}")
        self._own = [privileged_names.index(name) for name in NEEDED]
        self._turning = State(speeds=(MEMORY,))

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        super().reset(cells, indices)
        self._turning.reset(cells, indices)

    def act_batch(self, observations: Observations) -> Actions:
        if "privileged" not in observations:
            raise ValueError("the oracle needs observations made with privileged=True")
        truth = np.array(observations["privileged"], dtype=np.float64)
        z, _, point, crossed, turns_left, latency = truth[:, self._own].T
        # A nut fits at any turn, but the arm has to hold its turn against the spindle.
        truth[:, self._own[1]] = np.asarray(observations[POSE], dtype=np.float64)[:, 5]
        motion = super().act_batch({**observations, "privileged": truth})
        self._turning.require(len(truth))
        speeds = self._turning["speeds"]
        speeds[:, 1:] = speeds[:, :-1]
        speeds[:, 0] = FULL_REV_S * np.asarray(observations[LAST_ACTION], dtype=np.float64)[:, MOTION]
        late = np.arange(MEMORY)[None, :] < latency[:, None]
        left = turns_left - CONTROL_PERIOD_S * (speeds * late).sum(axis=1)
        wanted = self._speed(left)
        wanted = np.where(crossed > 0.5, -FULL_REV_S, wanted) * (z < FOUND_M - point)
        return _with_spindle(motion, wanted)

    def _speed(self, turns_left: Array) -> Array:
        """Wanted speed [rev/s]."""
        slow = np.clip(self.gain_per_s * turns_left, -1.0, self.cruise_rev_s)
        return np.where(turns_left > self.near_turns, self.cruise_rev_s, slow)


class NutGuide(NutOracle, Guide):
    """Acts so that an actor which sees less can imitate it: see `Guide`."""

    fits_at_one_turn = False
    near_turns = 0.8
    gain_per_s = 1.5


class Tightening:
    """Turns the spindle until its torque is in the window, slowly once it feels the flange."""

    cruise_rev_s = 1.0
    """Slow enough to feel the flange in time."""
    slow_rev_s = 0.08
    felt_fraction = 0.3
    """Fraction of the window's lower end at which it slows down: the flange, or a thread that wedges."""

    def __init__(self) -> None:
        self._state = State(felt=())

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        self._state.reset(cells, indices)

    def speed_rev_s(self, observations: Observations, on_bolt: NDArray[np.bool_]) -> Array:
        """Speed (n,) of the spindle, which rests but `on_bolt` (n,)."""
        self._state.require(len(on_bolt))
        _, _, torque, low, high = np.asarray(observations[SPINDLE], dtype=np.float64).T
        felt = on_bolt & ((self._state["felt"] > 0.5) | (torque > self.felt_fraction * low))
        self._state["felt"] = felt.astype(np.float64)
        tight = torque > 0.5 * (low + high)
        speed = np.where(tight, 0.0, np.where(felt, self.slow_rev_s, self.cruise_rev_s))
        return np.where(on_bolt, speed, 0.0)


class NutBlindInsertion:
    """Presses at the bolt's place on the drawing and turns the spindle; the arm holds against the torque."""

    def __init__(self) -> None:
        self._down, self._tightening = BlindInsertion(), Tightening()

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        self._tightening.reset(cells, indices)

    def act_batch(self, observations: Observations) -> Actions:
        near = np.asarray(observations[POSE], dtype=np.float64)[:, 2] < NEAR_M
        speed = self._tightening.speed_rev_s(observations, near)
        return _with_spindle(self._down.act_batch(observations), speed)


class NutSpiralSearch:
    """Searches for the bolt along a spiral, then turns the spindle until its torque is in the window."""

    def __init__(self, settings: SpiralSettings = NUT_SEARCH, search_rev_s: float = 0.0) -> None:
        self._spiral, self._tightening = SpiralSearch(settings), Tightening()
        self._search_rev_s = search_rev_s
        """Speed of the spindle while it searches."""

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        self._spiral.reset(cells, indices)
        self._tightening.reset(cells, indices)

    def act_batch(self, observations: Observations) -> Actions:
        cells = len(observations[POSE])
        return self.act_around(observations, np.zeros((cells, 2)), np.zeros(cells))

    def act_around(self, observations: Observations, around: Array, yaw: Array) -> Actions:
        """Actions (n, 7) for a bolt believed at `around` (n, 2) [m]; the nut is held at `yaw` (n,) [rad]."""
        motion = self._spiral.act_around(observations, around, yaw)
        pose = np.asarray(observations[POSE], dtype=np.float64)
        lead = np.asarray(observations[LEASH], dtype=np.float64)
        on_bolt = self._spiral.inserting
        # The search lets the part turn as it likes; here it has to hold against the spindle.
        wanted = -pose
        wanted[:, 5] += yaw
        held = lead_to_action(wanted, lead, fraction=0.7)
        motion[on_bolt, 3:] = held[on_bolt, 3:]
        speed = self._tightening.speed_rev_s(observations, on_bolt)
        return _with_spindle(motion, np.where(self._spiral.searching, self._search_rev_s, speed))


def _with_spindle(motion: Actions, speed_rev_s: Array) -> Actions:
    """Actions (n, 7): the arm's (n, 6) and the spindle's."""
    spindle = np.clip(speed_rev_s / FULL_REV_S, -1.0, 1.0)[:, None]
    return np.concatenate([motion, spindle.astype(np.float32)], axis=1)
