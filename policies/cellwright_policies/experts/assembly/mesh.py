"""Oracle and guide for gears, which have to find two things: their shaft, and further down their gaps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellwright_policies.experts.assembly.guide import Guide
from cellwright_policies.experts.assembly.oracle import ENTRY_M, Oracle
from cellwright_policies.experts.expert import Actions, Observations

NEEDED = ("tip_z", "clearance", "chamfer", "depth", "face", "backlash")


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
    """Lets the gear down beside the shaft, and its teeth beside the gaps, and slides it there."""
