"""Oracle and guide for gears, which are lined up twice: with their shaft, and further down with the gaps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellwright_policies.experts.assembly.base import LAST_ACTION, POSE, Array, State
from cellwright_policies.experts.assembly.guide import (
    Guide,
    Spiral,
    heading,
    onward,
    pull,
    turned_left,
    within_a_step,
)
from cellwright_policies.experts.assembly.oracle import ENTRY_M, Oracle
from cellwright_policies.experts.expert import Observations

NEEDED = ("tip_z", "clearance", "chamfer", "depth", "face", "backlash")
SWEEP_RAD = 0.1
"""How far to either side the guide turns the gear: somewhat further than the error of the teeth."""
SWEEP_LEAD_RAD = 0.025
"""Lead with which it turns."""
STALL_RAD, STALL_STEPS = 0.5e-3, 10
"""Turn in a control step below which it is held by a flank, and for how many of them before it turns back."""
FALLEN_M = 0.1e-3
"""Depth of the teeth between their neighbours' from which the gear is no longer turned."""
TOUCH_M = 0.3e-3
"""Height over the shaft below which a gear beside it lies on the shaft's end."""
PATIENCE_STEPS = 4
"""Control steps that it lies there before the search begins."""
PITCH_M = 0.45e-3
"""Distance between two turns of the search's spiral."""
SEARCH_LEAD_M, SEARCH_PRESS_M = 1.5e-3, 1.6e-3
"""Leads of the search, along the surface and against it."""
CAUGHT_M, CAUGHT_LEAD_M = 0.2e-3, 0.4e-3
"""Below the shaft's end its chamfer leads; the lead along the surface is then small."""
WANDER_LEAD_M, WANDER_PRESS_M = 1.2e-3, 3.2e-3
"""Leads over the teeth, across the shaft and along it."""
WANDER_START_M = 0.25e-3
"""As `START_M` of a search, for a lead that is held short by the play."""
WANDER_RAD = 0.2
"""How far the lead across the shaft turns in a step."""
BACK, BACK_LIMIT_M = 4.0, 1.2e-3
"""Lead back to the axis of the shaft over the distance from it, and its limit: on a rough chamfer, and
where a tooth has pushed the gear to one side of its play."""


class MeshOracle(Oracle):
    """Treats the gaps as a second hole: once on the shaft, it lines the gear up again over its neighbours.

    The gear has play on its shaft. Where it is shifted across the line of shafts by more than half the
    backlash, the gaps on both sides need different turns, and the teeth enter neither.
    """

    def __init__(self, privileged_names: Sequence[str]) -> None:
        super().__init__(privileged_names)
        self._needed = [privileged_names.index(name) for name in NEEDED]

    def _wanted(self, observations: Observations, truth: Array, lead: Array) -> Array:
        z, clearance, chamfer, depth, face, backlash = truth[:, self._needed].T
        on_shaft = z < -chamfer - ENTRY_M
        seen = np.stack([z + depth - face, np.minimum(clearance, 0.5 * backlash), np.zeros_like(z)], axis=1)
        second = truth.copy()
        second[:, self._needed[:3]] = np.where(on_shaft[:, None], seen, truth[:, self._needed[:3]])
        return super()._wanted(observations, second, lead)


class MeshGuide(MeshOracle):
    """Finds shaft and gaps like a controller that sees neither well: by contact, under a push.

    Beside the shaft it searches in a spiral that is pulled a little towards the true position. On the shaft
    it turns the gear one way and pushes it around in its play until the teeth engage. An actor that imitates
    the straight way of the oracle without seeing the target stands still.
    """

    def __init__(self, privileged_names: Sequence[str]) -> None:
        super().__init__(privileged_names)
        self._yaw = privileged_names.index("yaw_error")
        self._tip = [privileged_names.index(name) for name in ("tip_x", "tip_y")]
        self._feeling = State(lying=(), held=(), yaw=())
        self._spiral = Spiral(PITCH_M)

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        super().reset(cells, indices)
        self._feeling.reset(cells, indices)
        self._spiral.reset(cells, indices)

    def _wanted(self, observations: Observations, truth: Array, lead: Array) -> Array:
        pose = np.asarray(observations[POSE], dtype=np.float64)
        z, _, chamfer, depth, face, _ = truth[:, self._needed].T
        on_shaft, meshed = z < -chamfer - ENTRY_M, z < face - depth - FALLEN_M
        self._feeling.require(len(truth))
        going = heading(lead, np.asarray(observations[LAST_ACTION]))
        turned = truth.copy()
        turning = self._turn(pose[:, 5], going[:, 5], on_shaft)
        turned[:, self._yaw] = np.where(meshed, truth[:, self._yaw], turning)
        wanted = super()._wanted(observations, turned, lead)
        lying = self._feeling["lying"]
        lying[:] = np.where((z < TOUCH_M) & ~on_shaft, lying + 1.0, 0.0)
        searching, over_teeth = lying > PATIENCE_STEPS, on_shaft & ~meshed
        along = self._spiral.direction(pose[:, :2], going[:, :2], searching)
        around = turned_left(lead[:, :2], np.full(len(lead), WANDER_RAD), WANDER_START_M)
        caught = np.broadcast_to((z < -CAUGHT_M)[:, None], along.shape)
        back = pull(truth[:, self._tip], BACK, BACK_LIMIT_M)
        drawn = SEARCH_LEAD_M * along + pull(truth[:, self._tip])
        drawn = np.where(caught, CAUGHT_LEAD_M * along + back, drawn)
        wanted[searching, :2] = within_a_step(drawn, lead[:, :2])[searching]
        wanted[searching, 2] = -SEARCH_PRESS_M
        wanted[over_teeth, :2] = (WANDER_LEAD_M * around + back)[over_teeth]
        wanted[over_teeth, 2] = -WANDER_PRESS_M
        # What the oracle adds up against play would turn with so much torque that teeth climb out again.
        wanted[over_teeth, 5] = -turned[over_teeth, self._yaw]
        wanted[meshed, :2] = 0.0
        return wanted

    _lined_up = staticmethod(Guide._lined_up)

    def _turn(self, turned: Array, heading: Array, on_shaft: Array) -> Array:
        """By how much to turn back (n,) where the gear is `turned` (n,) [rad] from its nominal place.

        On the shaft it goes on turning the way of `heading` (n,), until a flank or the end of the sweep turns
        it back.
        """
        held = self._feeling["held"]
        still = np.logical_and(on_shaft, np.abs(turned - self._feeling["yaw"]) < STALL_RAD)
        self._feeling["yaw"] = turned
        held[:] = np.where(still, held + 1.0, 0.0)
        stalled = held > STALL_STEPS
        held[stalled] = -STALL_STEPS
        way = onward(heading) * np.where(stalled, -1.0, 1.0)
        way = np.where(np.abs(turned) > SWEEP_RAD, -np.sign(turned), way)
        return np.where(on_shaft, -SWEEP_LEAD_RAD * way, turned + SWEEP_RAD)
