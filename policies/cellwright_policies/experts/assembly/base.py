"""Helpers of the assembly experts: state of each cell, actions from motions, actions that are late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.assembly_cell import STEP_M, TURN_RAD
from cellwright_policies.experts.expert import Actions

Array = NDArray[np.float64]

FULL_SCALE = np.array([STEP_M] * 3 + [TURN_RAD] * 3)
"""How far an action of 1 moves the reference (6,): [m] along and [rad] about the axes of the tool."""
POSE, WRENCH, LEASH, LAST_ACTION = "pose", "wrench", "leash", "last_action"
MOTION = 6
"""Leading actions, which move the reference; those of a task follow."""
MEMORY = 8
"""Control steps of actions that an expert remembers."""


class State:
    """Numbers that an expert keeps for each cell, all zero at the start of an episode."""

    def __init__(self, **shapes: tuple[int, ...]) -> None:
        self._shapes = shapes
        self._values: dict[str, Array] = {}

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        """Zero everything of all `cells`, or of `indices`."""
        if indices is None or not self._values:
            self._values = {name: np.zeros((cells, *shape)) for name, shape in self._shapes.items()}
        else:
            for values in self._values.values():
                values[np.asarray(indices, dtype=int)] = 0.0

    def __getitem__(self, name: str) -> Array:
        return self._values[name]

    def __setitem__(self, name: str, values: Array) -> None:
        self._values[name][:] = values

    def require(self, cells: int) -> None:
        """Make room for `cells` if nobody has called `reset`."""
        if not self._values or len(next(iter(self._values.values()))) != cells:
            self.reset(cells)


def lead_to_action(wanted: Array, lead: Array, fraction: float = 1.0) -> Actions:
    """Actions (n, 6) that bring the reference's lead over the tool (n, 6) to the wanted lead."""
    return np.clip(fraction * (wanted - lead) / FULL_SCALE, -1.0, 1.0).astype(np.float32)


class Pending:
    """Motion that the last actions will still add to the reference, because latency delays them.

    They are those that were executed, whoever chose them: in demonstrations that is mostly the policy.
    """

    def __init__(self) -> None:
        self._state = State(actions=(MEMORY, 6))

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        self._state.reset(cells, indices)

    def sum(self, latency: Array) -> Array:
        """Motion (n, 6) [m] and [rad] of the last `latency` (n,) actions, which the arm has yet to make."""
        late = np.arange(MEMORY)[None, :] < latency[:, None]
        return np.asarray(np.einsum("nk,nkj->nj", late, self._state["actions"]) * FULL_SCALE)

    def push(self, actions: NDArray[Any]) -> None:
        """Remember the last actions (n, 6) that were executed."""
        self._state.require(len(actions))
        past = self._state["actions"]
        past[:, 1:] = past[:, :-1]
        past[:, 0] = actions
