"""Looks where the hole is, lines the part up over it, then searches around that place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cellwright_policies.experts.assembly.base import LEASH, POSE, Array, State, lead_to_action
from cellwright_policies.experts.assembly.hole_vision import hole_from_part
from cellwright_policies.experts.assembly.spiral_search import SpiralSearch, SpiralSettings
from cellwright_policies.experts.expert import Actions, Observations


@dataclass(frozen=True, kw_only=True)
class VisualSettings:
    """How long it looks and how far it trusts what it sees; tuned by hand on training seeds."""

    spiral: SpiralSettings = field(default_factory=lambda: SpiralSettings(largest_m=3.5e-3))
    hover_m: float = 0.006
    """Height over the nominal mouth at which it lines up."""
    look_steps: int = 10
    trust: float = 0.3
    """Share of a new sighting in the estimate."""
    furthest_m: float = 7e-3
    """A sighting that puts the hole further from its nominal place is wrong."""


class VisualServo:
    """Needs the `image` group."""

    def __init__(self, settings: VisualSettings = VisualSettings()) -> None:
        self.settings = settings
        self._spiral = SpiralSearch(settings.spiral)
        self._state = State(hole=(2,), seen=(), steps=())

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        self._spiral.reset(cells, indices)
        self._state.reset(cells, indices)

    def act_batch(self, observations: Observations) -> Actions:
        settings, state = self.settings, self._state
        pose = np.asarray(observations[POSE], dtype=np.float64)
        state.require(len(pose))
        looking = state["steps"] < settings.look_steps
        for cell in np.flatnonzero(looking).tolist():
            self._look(cell, observations["image"][cell], pose[cell])
        state["steps"] += 1.0
        wanted = -pose
        wanted[:, :2] = state["hole"] - pose[:, :2]
        wanted[:, 2] = np.clip(settings.hover_m - pose[:, 2], -3e-3, 3e-3)
        actions = lead_to_action(wanted, np.asarray(observations[LEASH], dtype=np.float64), share=0.6)
        searching = np.flatnonzero(~looking)
        if len(searching):
            yaw = np.zeros(len(pose))
            # Cells that still look take no part: their search has not begun.
            actions_below = self._spiral.act_around(observations, state["hole"], yaw)
            actions[searching] = actions_below[searching]
        return actions

    def _look(self, cell: int, image: Array, pose: Array) -> None:
        """Blend one sighting of the hole into the estimate of its place in the nominal fixture."""
        offset_m = hole_from_part(np.asarray(image, dtype=np.uint8), float(pose[2]))
        if offset_m is None:
            return
        place = pose[:2] + offset_m
        if np.hypot(*place) > self.settings.furthest_m:
            return
        seen = self._state["seen"]
        share = max(self.settings.trust, 1.0 / (seen[cell] + 1.0))
        self._state["hole"][cell] += share * (place - self._state["hole"][cell])
        seen[cell] += 1.0
