"""A teacher that reads the true state, but acts so that an actor which sees less can imitate it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cellwright_policies.experts.assembly.base import Array, State
from cellwright_policies.experts.assembly.oracle import Oracle

NEAR_M = 2.5e-3
"""Distance from the axis within which it lets the part down."""
NEAR_RAD = 0.12


class Guide(Oracle):
    """Lets the part down beside the hole and slides it there under a light push.

    The oracle waits over the mouth until it is lined up to a fraction of the clearance. An actor that sees
    less precisely would learn to wait for ever. The guide's actions lead into the hole even with an estimate
    that is only right on average.
    """

    @staticmethod
    def _lined_up(lateral: Array, yaw: Array, clearance: Array, chamfer: Array) -> Array:
        return np.asarray((lateral < NEAR_M) & (yaw < NEAR_RAD))


PITCH_M = 0.45e-3
"""Distance between two turns of the spiral."""
SMALLEST_RADIUS_M = 0.3e-3
LARGEST_TURN_RAD = 0.9
"""Turn of the lead in a control step where the part has moved fast."""
SMALLEST_LEAD_M = 0.2e-3
"""A lead below has no direction; the search then starts along x."""


class Spiral:
    """Searches in a spiral: its lead turns left, by less the further the part has moved from the start.

    The direction is that of the present lead, and the turn follows the motion that was made. A policy
    observes both, so it can imitate the search without a memory, from any place.
    """

    def __init__(self) -> None:
        self._state = State(path=(), position=(2,), on=())

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        """Forget the search of all `cells`, or of `indices`."""
        self._state.reset(cells, indices)

    def direction(self, position: Array, lead: Array, searching: NDArray[np.bool_]) -> Array:
        """Unit vectors (n, 2) to lead along, for the tool's positions and leads (n, 2) [m].

        Where it is not `searching` (n,) the spiral starts again.
        """
        state = self._state
        state.require(len(position))
        moved = np.linalg.norm(position - state["position"], axis=1) * state["on"]
        state["path"] = np.where(searching, state["path"] + moved, 0.0)
        state["position"], state["on"] = position, searching.astype(np.float64)
        # Archimedes' spiral: so much of it has this radius.
        radius = np.maximum(np.sqrt(PITCH_M * state["path"] / np.pi), SMALLEST_RADIUS_M)
        return turned_left(lead, np.minimum(moved / radius, LARGEST_TURN_RAD))


def turned_left(lead: Array, angle_rad: Array) -> Array:
    """Directions (n, 2) of `lead` (n, 2) [m], or x where it has none, turned by `angle_rad` (n,)."""
    length = np.linalg.norm(lead, axis=1, keepdims=True)
    along = np.where(length > SMALLEST_LEAD_M, lead / np.maximum(length, SMALLEST_LEAD_M), [1.0, 0.0])
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    return np.asarray(np.cos(angle_rad)[:, None] * along + np.sin(angle_rad)[:, None] * across)
