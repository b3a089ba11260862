"""Oracle and guide for gears, which have to find two things: their shaft, and further down their gaps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellwright_policies.experts.assembly.base import POSE, State
from cellwright_policies.experts.assembly.guide import Guide
from cellwright_policies.experts.assembly.oracle import ENTRY_M, Oracle
from cellwright_policies.experts.expert import Actions, Observations

NEEDED = ("tip_z", "clearance", "chamfer", "depth", "face", "backlash")
SWEEP_RAD = 0.1
"""How far to either side the guide turns the gear, some more than the teeth are off."""
SWEEP_LEAD_RAD = 0.02
"""Lead with which it turns."""
FALLEN_M = 0.1e-3
"""Depth of the teeth between their neighbours' from which it lets them find their way."""


class MeshOracle(Oracle):
    """To it the gaps are a second hole: once on the shaft, it lines the gear up again over its neighbours.

    The gear has play on its shaft. Shifted across the line of shafts by more than half the backlash, its
    teeth need one turn on one side and another one on the other, and meet no gap.
    """

    def __init__(self, privileged_names: Sequence[str]) -> None:
        super().__init__(privileged_names)
        self._needed = [privileged_names.index(name) for name in NEEDED]

    def act_batch(self, observations: Observations) -> Actions:
        if "privileged" not in observations:
            return super().act_batch(observations)
        truth = np.array(observations["privileged"], dtype=np.float64)
        z, clearance, chamfer, depth, face, backlash = truth[:, self._needed].T
        on_shaft = z < -chamfer - ENTRY_M
        seen = np.stack([z + depth - face, np.minimum(clearance, 0.5 * backlash), np.zeros_like(z)], axis=1)
        columns = self._needed[:3]
        truth[:, columns] = np.where(on_shaft[:, None], seen, truth[:, columns])
        return super().act_batch({**observations, "privileged": truth})


class MeshGuide(MeshOracle, Guide):
    """Finds the gaps as somebody does who cannot see how the teeth stand: by turning one way under a push.

    It comes down turned back by more than the teeth may be off, and on the shaft turns forward until they
    fall in. Knowing the way to turn, as the oracle does, would teach who does not know it to stand still.
    """

    def __init__(self, privileged_names: Sequence[str]) -> None:
        super().__init__(privileged_names)
        self._yaw = privileged_names.index("yaw_error")
        self._back = State(turning=())

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        super().reset(cells, indices)
        self._back.reset(cells, indices)

    def act_batch(self, observations: Observations) -> Actions:
        if "privileged" not in observations:
            return super().act_batch(observations)
        truth = np.array(observations["privileged"], dtype=np.float64)
        z, _, chamfer, depth, face, _ = truth[:, self._needed].T
        turned = np.asarray(observations[POSE], dtype=np.float64)[:, 5]
        self._back.require(len(truth))
        on_shaft, meshed = z < -chamfer - ENTRY_M, z < face - depth - FALLEN_M
        back = self._back["turning"]
        back[turned > SWEEP_RAD] = 1.0
        back[turned < -SWEEP_RAD] = 0.0
        sweep = np.where(back > 0.5, SWEEP_LEAD_RAD, -SWEEP_LEAD_RAD)
        wanted = np.where(on_shaft, sweep, turned + SWEEP_RAD)
        truth[:, self._yaw] = np.where(meshed, truth[:, self._yaw], wanted)
        return super().act_batch({**observations, "privileged": truth})
