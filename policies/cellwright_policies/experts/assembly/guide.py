"""A teacher that reads the true state, but acts so that an actor which sees less can imitate it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.assembly_cell import STEP_M
from cellwright_policies.experts.assembly.base import FULL_SCALE, LAST_ACTION, MOTION, POSE, Array, State
from cellwright_policies.experts.assembly.oracle import SHARE, Oracle
from cellwright_policies.experts.expert import Observations

NEAR_M = 2.5e-3
"""Distance from the axis within which it lets the part down."""
NEAR_RAD = 0.12


PITCH_M = 0.7e-3
"""Distance between two turns of the guide's spiral."""
SMALLEST_RADIUS_M = 0.3e-3
LARGEST_TURN_RAD = 0.9
"""Turn of the lead in a control step where the part has moved fast."""
START_M = 0.5e-3
"""Length along x that is added to a heading of zero, so that a search starts along x. It falls to nothing at
a heading of twice this length: a jump from one direction to the other would be imitated as standing still."""


WEIGHT = np.array([1.0, 1.0, 1.0, 4.0, 4.0, 4.0])
"""Of the last action in a heading. A turn goes back at once, though its lead is still what a flank has
held."""


def heading(lead: Array, last_action: NDArray[Any]) -> Array:
    """Where a search was going (n, 6) [m] and [rad]: its lead (n, 6) and the last action (n, 6 or more).

    Both are observed, so a search that goes on along its heading needs no memory. The lead alone is as small
    as its noise where a part slides easily.
    """
    return np.asarray(lead + WEIGHT * FULL_SCALE * last_action[:, :MOTION])


class Spiral:
    """Searches in a spiral: its heading turns left, by less the further the part has moved from the start.

    The turn follows the motion that was made. A policy observes that and the heading, so it can imitate the
    search without a memory, from any place.
    """

    def __init__(self, pitch_m: float) -> None:
        """With `pitch_m` from turn to turn."""
        self._pitch_m = pitch_m
        self._state = State(path=(), position=(2,), on=())

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        """Forget the search of all `cells`, or of `indices`."""
        self._state.reset(cells, indices)

    def direction(self, position: Array, heading: Array, searching: NDArray[np.bool_]) -> Array:
        """Unit vectors (n, 2) to lead along, for the tool's positions and headings (n, 2) [m].

        Where it is not `searching` (n,) the spiral starts again.
        """
        state = self._state
        state.require(len(position))
        moved = np.linalg.norm(position - state["position"], axis=1) * state["on"]
        state["path"] = np.where(searching, state["path"] + moved, 0.0)
        state["position"], state["on"] = position, searching.astype(np.float64)
        # Archimedes' spiral: so much of it has this radius.
        radius = np.maximum(np.sqrt(self._pitch_m * state["path"] / np.pi), SMALLEST_RADIUS_M)
        return turned_left(heading, np.minimum(moved / radius, LARGEST_TURN_RAD))


def turned_left(heading: Array, angle_rad: Array, start_m: float = START_M) -> Array:
    """Directions (n, 2) of `heading` (n, 2) [m], turned by `angle_rad` (n,).

    Below twice `start_m` [m] they come from x, the direction of no heading.
    """
    length = np.linalg.norm(heading, axis=1, keepdims=True)
    started = heading + np.maximum(start_m - 0.5 * length, 0.0) * np.array([1.0, 0.0])
    along = started / np.maximum(np.linalg.norm(started, axis=1, keepdims=True), 1e-9)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    return np.asarray(np.cos(angle_rad)[:, None] * along + np.sin(angle_rad)[:, None] * across)


def within_a_step(wanted: Array, lead: Array) -> Array:
    """The lead (n, 2) [m] towards `wanted` (n, 2) that one action reaches.

    An action is limited along each axis, which would turn a search towards the diagonals.
    """
    change = wanted - lead
    length = np.linalg.norm(change, axis=1, keepdims=True)
    return np.asarray(lead + change * np.minimum(1.0, STEP_M / SHARE / np.maximum(length, 1e-9)))


NEEDED = ("tip_x", "tip_y", "tip_z", "yaw_error")
TOUCH_M = 0.5e-3
"""Height over the mouth below which a part beside it lies on the surface."""
CAUGHT_M = 0.2e-3
"""Depth from which it is in the mouth."""
PATIENCE_STEPS = 4
"""Control steps that it lies there before the search begins."""
PULL, PULL_LIMIT_M = 0.3, 0.5e-3
"""Fraction of the distance to the hole that is added to the search's lead, and its limit."""
SEARCH_LEAD_M, SEARCH_PRESS_M = 2.2e-3, 1.6e-3
"""Leads of the search, along the surface and against it."""
SWEEP_RAD = 0.12
"""How far to either side the search turns the part."""
SWEEP_LEAD_RAD, PULL_LIMIT_RAD = 0.03, 0.015
"""Lead with which it turns, and the limit of what is added towards the hole's turn."""
SWEEP_BACK_RAD = 0.008
"""Heading back from which it goes on turning back, so that a part at rest begins to turn one way."""


class Guide(Oracle):
    """Lets the part down beside the hole, slides it there under a light push, and searches where it lies.

    The oracle waits over the mouth until it is lined up to a fraction of the clearance. An actor that sees
    less precisely would learn to wait for ever, and one that imitates the straight way to the hole without
    seeing it would stand still beside it. The search is one that can be imitated: it goes on along its
    heading, in a spiral that is pulled a little towards the hole.
    """

    fits_at_one_turn = True
    """Whether the search turns the part to and fro as well."""

    def __init__(self, privileged_names: Sequence[str]) -> None:
        super().__init__(privileged_names)
        self._place = [privileged_names.index(name) for name in NEEDED]
        self._lying = State(steps=())
        self._spiral = Spiral(PITCH_M)

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        super().reset(cells, indices)
        self._lying.reset(cells, indices)
        self._spiral.reset(cells, indices)

    def _wanted(self, observations: Observations, truth: Array, lead: Array) -> Array:
        wanted = super()._wanted(observations, truth, lead)
        pose = np.asarray(observations[POSE], dtype=np.float64)
        z, yaw = truth[:, self._place[2:]].T
        self._lying.require(len(truth))
        steps = self._lying["steps"]
        steps[:] = np.where((z < TOUCH_M) & (z > -CAUGHT_M), steps + 1.0, 0.0)
        searching = steps > PATIENCE_STEPS
        going = heading(lead, np.asarray(observations[LAST_ACTION]))
        along = self._spiral.direction(pose[:, :2], going[:, :2], searching)
        drawn = SEARCH_LEAD_M * along + pull(truth[:, self._place[:2]])
        wanted[searching, :2] = within_a_step(drawn, lead[:, :2])[searching]
        wanted[searching, 2] = -SEARCH_PRESS_M
        # How a part leans is not seen, and what is added up while it lies there says nothing.
        wanted[searching, 3:5] = lead[searching, 3:5]
        if self.fits_at_one_turn:
            turning = swept(pose[:, 5], going[:, 5]) - np.clip(PULL * yaw, -PULL_LIMIT_RAD, PULL_LIMIT_RAD)
            wanted[searching, 5] = turning[searching]
        return wanted

    @staticmethod
    def _lined_up(lateral: Array, yaw: Array, clearance: Array, chamfer: Array) -> Array:
        return np.asarray((lateral < NEAR_M) & (yaw < NEAR_RAD))


def pull(tip: Array, fraction: float = PULL, limit_m: float = PULL_LIMIT_M) -> Array:
    """Lead (n, 2) towards the hole for a part whose middle is at `tip` (n, 2) [m]."""
    length = np.linalg.norm(tip, axis=1, keepdims=True)
    return np.asarray(-tip * np.minimum(fraction, limit_m / np.maximum(length, 1e-9)))


def swept(turned: Array, heading: Array) -> Array:
    """Lead (n,) [rad] that goes on turning the way of `heading` (n,), and back at the sweep's ends."""
    way = np.where(np.abs(turned) > SWEEP_RAD, -np.sign(turned), onward(heading))
    return np.asarray(SWEEP_LEAD_RAD * way)


def onward(heading: Array) -> Array:
    """Way (n,) to go on turning for a `heading` (n,) [rad]: 1 for one at rest, -1 for one well below zero."""
    return np.asarray(np.clip(1.0 + heading / SWEEP_BACK_RAD, -1.0, 1.0))
