"""An expert that reads the true state: lines the part up over the hole, then lowers it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellwright_policies.experts.assembly.base import (
    LAST_ACTION,
    LEASH,
    MOTION,
    Array,
    Pending,
    State,
    lead_to_action,
)
from cellwright_policies.experts.expert import Actions, Observations

NEEDED = ("tip_x", "tip_y", "tip_z", "axis_x", "axis_y", "yaw_error", "clearance", "chamfer", "latency")
WAIT_M = 1.5e-3
"""Height over the mouth at which it lines up."""
GLIDE_M = 3.6e-3
"""Lead with which it descends in the air, for each step that the arm is late."""
PRESS_M = 3.6e-3
"""Lead with which it pushes once the part is in: some 5 N at the usual stiffness."""
ALIGNED_RAD = 0.02
INTEGRAL = 0.15
"""Fraction of the error that is added to the target per step: overcomes play and dead band."""
INTEGRAL_LIMIT = np.array([1.5e-3, 1.5e-3, 0.04, 0.04, 0.06])
NEAR = np.array([1.0e-3, 1.0e-3, 0.05, 0.05, 0.05])
"""Errors below which the integrator works."""
ENTRY_M = 1.5e-3
"""Depth below the chamfer up to which a part can still stand on an edge of the hole."""
EASE_M = 1.6e-3
"""Lead along z meanwhile: little friction, so that the part slides into place."""
SHARE = 0.8
"""Fraction of a missing lead that is made up in one step."""


class Oracle:
    """Needs the `privileged` group and the names of its components."""

    def __init__(self, privileged_names: Sequence[str]) -> None:
        if not set(NEEDED) <= set(privileged_names):
            raise ValueError(
                "the oracle needs the environment's privileged_names; make it with privileged=True"
            )
        self._columns = [privileged_names.index(name) for name in NEEDED]
        self._pending, self._state = Pending(), State(integral=(5,))

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        self._pending.reset(cells, indices)
        self._state.reset(cells, indices)

    def act_batch(self, observations: Observations) -> Actions:
        if "privileged" not in observations:
            raise ValueError("the oracle needs observations made with privileged=True")
        lead = np.asarray(observations[LEASH], dtype=np.float64)
        truth = np.array(observations["privileged"], dtype=np.float64)
        self._pending.push(np.asarray(observations[LAST_ACTION])[:, :MOTION])
        lead = lead + self._pending.sum(truth[:, self._columns[-1]])
        self._state.require(len(truth))
        wanted = self._wanted(observations, truth, lead)
        return lead_to_action(wanted, lead, fraction=SHARE)

    def _wanted(self, observations: Observations, truth: Array, lead: Array) -> Array:
        """The lead to have (n, 6) where it is `lead` (n, 6), the late actions included; `truth` is all of
        the group `privileged`, which is not changed."""
        x, y, z, axis_x, axis_y, yaw, clearance, chamfer, latency = truth[:, self._columns].T
        # What to move and turn so that the part stands over the hole: x, y, about x, about y, about z.
        errors = np.stack([-x, -y, axis_y, -axis_x, -yaw], axis=1)
        wanted = np.zeros_like(lead)
        entered = z < -chamfer - ENTRY_M
        integral = self._integrate(errors, entered)
        wanted[:, [0, 1, 3, 4, 5]] = errors + integral
        lined_up = self._lined_up(np.hypot(x, y), np.abs(yaw), clearance, chamfer)
        wanted[:, 2] = self._descent(z, lined_up, entered, late=1.0 + latency)
        return wanted

    @staticmethod
    def _lined_up(lateral: Array, yaw: Array, clearance: Array, chamfer: Array) -> Array:
        """Where the part is near enough to the hole's axis [m] and turn [rad] to be let down."""
        return np.asarray((lateral < 0.5 * clearance + 0.6 * chamfer) & (yaw < ALIGNED_RAD))

    def _integrate(self, errors: Array, entered: Array) -> Array:
        integral = self._state["integral"]
        integral += INTEGRAL * np.where(np.abs(errors) < NEAR, errors, 0.0)
        integral *= np.where(entered, 0.9, 1.0)[:, None]
        np.clip(integral, -INTEGRAL_LIMIT, INTEGRAL_LIMIT, out=integral)
        return integral

    @staticmethod
    def _descent(z: Array, lined_up: Array, entered: Array, late: Array) -> Array:
        """Wanted lead along z: down to the waiting height, on when lined up, then with force."""
        waiting = np.clip(WAIT_M - z, -GLIDE_M * late, GLIDE_M * late)
        approaching = np.maximum(-GLIDE_M * late, -0.5 * z - 0.6e-3)
        pressing = np.maximum(-PRESS_M * (0.8 + 0.2 * late), -4.5e-3)
        mouth = np.where(z < -0.3e-3, -EASE_M, np.where(lined_up, approaching, waiting))
        return np.where(entered, pressing, mouth)
