"""The task: insert one peg. Scene, actions, observations, reward and end, in this order.

The cell, its compliant reference, its cameras and its wrist sensor are those of every `Insertion`.
"""

from __future__ import annotations

from dataclasses import dataclass

from cellwright_envs.assembly.config import InsertionConfig
from cellwright_envs.assembly.disturbances import AssemblyDisturbances
from cellwright_envs.assembly.insertion import Insertion
from cellwright_envs.assembly.measurement import InsertionMeasurement
from cellwright_envs.assembly.pegs import PEGS, Peg
from cellwright_envs.assembly.reward import alignment, over_force

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


@dataclass(frozen=True, kw_only=True)
class PegInsertionConfig(InsertionConfig):
    """The cell of every insertion, as it is."""


class PegInsertion(Insertion[InsertionMeasurement]):
    """Insert one part into a disturbed fixture by sight and touch; see docs/environments/peg-insertion.md."""

    # Scene: the pegs and the holes they belong into

    catalogue = PEGS

    # Actions and observations: those of every insertion

    def __init__(
        self,
        *,
        product: str | Peg | tuple[str | Peg, ...] = "train",
        disturbances: str | AssemblyDisturbances = "train",
        privileged: bool = False,
        record_trace: bool = False,
        render_mode: str | None = None,
        config: PegInsertionConfig = PegInsertionConfig(),
    ) -> None:
        super().__init__(
            product=product,
            disturbances=disturbances,
            privileged=privileged,
            record_trace=record_trace,
            render_mode=render_mode,
            config=config,
        )

    # Reward and end

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
            "seated": weights["seated"] * (m.held_s > 0.0),
            "force": -weights["force"] * over_force(m.force_n, limit_n=self.product.force_limit_n),
            "pace": -weights["pace"],
            "smoothness": -weights["smoothness"] * self._action_change,
            "success": weights["success"] * self._succeeded(m),
            "broken": -weights["broken"] * self._failed(m),
        }

    def _terminated(self, m: InsertionMeasurement) -> bool:
        return self._succeeded(m) or self._failed(m)
