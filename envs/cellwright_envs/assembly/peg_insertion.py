"""The task: insert one peg. Scene, actions, observations, reward and end, in this order.

The cell, its compliant reference, its cameras and its wrist sensor are those of every `Insertion`.
"""

from __future__ import annotations

from cellwright_envs.assembly.insertion import Insertion
from cellwright_envs.assembly.measurement import InsertionMeasurement
from cellwright_envs.assembly.parts.pegs import PEGS
from cellwright_envs.assembly.reward import alignment

REWARD_WEIGHTS: dict[str, float] = {
    "depth": 10.0,
    "alignment": 3.0,
    "seated": 0.4,
    "force": 0.2,
    "pace": 0.03,
    "smoothness": 0.02,
    "success": 10.0,
    "broken": 10.0,
}
"""Depth and alignment per unit gained, success and broken once, the others per step."""


class PegInsertion(Insertion[InsertionMeasurement]):
    """Insert one part into a disturbed fixture by sight and touch; see docs/environments/peg-insertion.md."""

    # Scene: the pegs and the holes they belong into

    catalogue = PEGS

    # Actions and observations: those of every insertion; reward and end

    def _measure_own(
        self, shared: InsertionMeasurement, before: InsertionMeasurement | None
    ) -> InsertionMeasurement:
        return shared

    def _reward_terms(self, m: InsertionMeasurement) -> dict[str, float]:
        weights, before = REWARD_WEIGHTS, self._before
        aligned = alignment(m.lateral_m, m.yaw_error_rad)
        gained = aligned - alignment(before.lateral_m, before.yaw_error_rad)
        return {
            "depth": weights["depth"] * (m.depth_m - before.depth_m) / self.product.depth_m,
            "alignment": weights["alignment"] * gained,
            **self._shared_terms(m, weights),
        }
