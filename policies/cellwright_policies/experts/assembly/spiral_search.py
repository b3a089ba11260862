"""The industrial baseline: touch down, search along a spiral, push when the part drops in.

After the search strategies in Chhatpar and Branicky, "Search strategies for peg-in-hole assemblies with
position uncertainty", IROS 2001; here with a turning motion for parts that are not round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.assembly_cell import CONTROL_PERIOD_S, STEP_M
from cellwright_policies.experts.assembly.base import (
    LEASH,
    POSE,
    WRENCH,
    Array,
    State,
    lead_to_action,
)
from cellwright_policies.experts.expert import Actions, Observations

DESCEND, SEARCH, INSERT = 0.0, 1.0, 2.0


@dataclass(frozen=True, kw_only=True)
class SpiralSettings:
    """Settings of the search; engineering values tuned by hand on training seeds."""

    descent_m: float = 1.6e-3
    """Lead along z on the way down."""
    press_m: float = 2.6e-3
    """Lead along z on the surface."""
    insert_m: float = 2.6e-3
    """Lead along z in the hole."""
    contact_n: float = 2.0
    """Force along z that counts as contact."""
    pitch_m: float = 0.45e-3
    """Distance between two turns of the spiral."""
    speed_m_s: float = 0.5 * STEP_M / CONTROL_PERIOD_S
    """Half of the reference's, so that the part can follow it."""
    largest_m: float = 6.4e-3
    """Radius at which the spiral starts again."""
    dropped_m: float = 0.45e-3
    """Drop below the surface that counts as having found the hole."""
    inside_m: float = 0.02
    """Depth below the nominal mouth beyond which the part is certainly in the hole."""
    turn_rad: float = 0.07
    """Amplitude of the turning motion."""
    turn_hz: float = 0.444
    wiggle_m: float = 0.4e-3
    """Amplitude of the sideways motion while pushing."""
    wiggle_rad: float = 0.025
    """Amplitude of the turning motion while pushing."""
    upright: float = 0.3
    """Fraction of its lean by which the arm is led back upright while pushing."""
    stalled_steps: int = 25
    """Steps without progress after which pushing gives way to searching again."""


class SpiralSearch:
    """Searches around the expected place of the hole; `around` is that place in the nominal fixture."""

    def __init__(self, settings: SpiralSettings = SpiralSettings()) -> None:
        self.settings = settings
        self._state = State(phase=(), surface=(), angle=(), time=(), lowest=(), stalled=())

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        self._state.reset(cells, indices)

    @property
    def searching(self) -> NDArray[np.bool_]:
        """Which cells (n,) have touched down and search."""
        return self._state["phase"] == SEARCH

    @property
    def inserting(self) -> NDArray[np.bool_]:
        """Which cells (n,) have found the hole and push."""
        return self._state["phase"] == INSERT

    def act_batch(self, observations: Observations) -> Actions:
        cells = len(observations[POSE])
        return self.act_around(observations, np.zeros((cells, 2)), np.zeros(cells))

    def act_around(self, observations: Observations, around: Array, yaw: Array) -> Actions:
        """Actions (n, 6) for a hole believed at `around` (n, 2) [m], turned by `yaw` (n,) [rad]."""
        settings, state = self.settings, self._state
        pose = np.asarray(observations[POSE], dtype=np.float64)
        lead = np.asarray(observations[LEASH], dtype=np.float64)
        state.require(len(pose))
        self._advance(pose, np.asarray(observations[WRENCH], dtype=np.float64))
        searching, inserting = state["phase"] == SEARCH, state["phase"] == INSERT
        wanted = np.zeros_like(pose)
        radius = settings.pitch_m * state["angle"] / (2.0 * np.pi)
        spiral = radius[:, None] * np.stack([np.cos(state["angle"]), np.sin(state["angle"])], axis=1)
        wanted[:, :2] = around + np.where(searching[:, None], spiral, 0.0) - pose[:, :2]
        phase = 2.0 * np.pi * settings.turn_hz * state["time"]
        turning = settings.turn_rad * np.sin(phase)
        wanted[:, 5] = yaw + np.where(searching, turning, 0.0) - pose[:, 5]
        wanted[:, 3:5] = -pose[:, 3:5]
        # In the hole the arm gives way to whatever pushes or turns it, and wiggles a little.
        wiggle = settings.wiggle_m * np.stack([np.cos(2.7 * phase), np.sin(2.7 * phase)], axis=1)
        wanted[inserting, :2] = wiggle[inserting]
        wanted[inserting, 3:5] = -settings.upright * pose[inserting, 3:5]
        wanted[inserting, 5] = (settings.wiggle_rad * np.sin(1.6 * phase))[inserting]
        wanted[:, 2] = np.where(searching, -settings.press_m, -settings.descent_m)
        wanted[inserting, 2] = -settings.insert_m
        return lead_to_action(wanted, lead, fraction=0.7)

    def _advance(self, pose: Array, wrench: Array) -> None:
        """Move on from touching down to searching, from there to pushing, and back where that stalls."""
        settings, state = self.settings, self._state
        z = pose[:, 2]
        touching = (state["phase"] == DESCEND) & (wrench[:, 2] > settings.contact_n)
        inside = z < -settings.inside_m
        state["phase"][touching] = SEARCH
        state["surface"][touching] = z[touching]
        searching = state["phase"] == SEARCH
        state["time"] += CONTROL_PERIOD_S
        radius = settings.pitch_m * state["angle"] / (2.0 * np.pi)
        grown = settings.speed_m_s * CONTROL_PERIOD_S / np.maximum(radius, 0.25e-3)
        state["angle"] += np.where(searching, np.minimum(grown, 0.8), 0.0)
        state["angle"][radius > settings.largest_m] = 0.0
        found = searching & (inside | (z < state["surface"] - settings.dropped_m))
        state["phase"][found] = INSERT
        state["lowest"][found] = z[found]
        state["stalled"][found] = 0.0
        inserting = state["phase"] == INSERT
        deeper = z < state["lowest"] - 0.2e-3
        state["lowest"] = np.where(deeper, z, state["lowest"])
        state["stalled"] = np.where(inserting & ~deeper, state["stalled"] + 1.0, 0.0)
        given_up = inserting & ~inside & (state["stalled"] > settings.stalled_steps)
        state["phase"][given_up] = SEARCH
        state["surface"][given_up] = z[given_up]
