"""The task: put one gear onto its shaft and into mesh. Scene, actions, observations, reward and end.

The cell, its compliant reference, its cameras and its wrist sensor are those of every `Insertion`. This task
adds the teeth: with the bore on the shaft, the neighbours' teeth stop the gear again half way down, until it
is turned so that its own teeth meet their gaps.
"""

from __future__ import annotations

from dataclasses import dataclass

from cellwright_envs.assembly.insertion import Insertion
from cellwright_envs.assembly.measurement import InsertionMeasurement, InsertionScorecard
from cellwright_envs.assembly.parts.gears import GEARS, Gear
from cellwright_envs.assembly.reward import alignment
from cellwright_runtime.vocabulary import Component

REWARD_WEIGHTS: dict[str, float] = {
    "depth": 6.0,
    "mesh": 4.0,
    "alignment": 3.0,
    "seated": 0.4,
    "force": 0.2,
    "pace": 0.03,
    "smoothness": 0.02,
    "success": 10.0,
    "broken": 10.0,
}
"""Depth, mesh and alignment per unit gained, success and broken once, the others per step."""


@dataclass(frozen=True, kw_only=True)
class GearMeshMeasurement(InsertionMeasurement):
    """The truth after one control step."""

    meshed_m: float
    """How deep the gear's teeth are between those of its neighbours."""


@dataclass(frozen=True, kw_only=True)
class GearMeshScorecard(InsertionScorecard):
    """The result of one gear."""

    meshed_share: float
    """How deep its teeth are between its neighbours', 1 when seated; 0 where it only sits on the shaft."""


class GearMesh(Insertion[GearMeshMeasurement]):
    """Put a gear on its shaft, its teeth between two others'; see docs/environments/gear-mesh.md."""

    # Scene: the gears and the trains they belong into

    catalogue = GEARS
    product: Gear

    # Actions and observations: those of every insertion, and what the teeth allow for the critic

    own_privileged = (
        Component(name="face", unit="m", low=0.0, high=0.03),
        Component(name="backlash", unit="m", low=0.0, high=1.5e-3),
        Component(name="free_yaw", unit="rad", low=0.0, high=0.1),
    )

    def _privileged_own(self) -> tuple[float, ...]:
        return self.product.face_m, self.product.backlash_m, self.product.free_yaw_rad

    # Reward and end

    def _measure_own(
        self, shared: InsertionMeasurement, before: GearMeshMeasurement | None
    ) -> GearMeshMeasurement:
        gear = self.product
        # A gear that has come down beside its shaft is not in.
        on_shaft = shared.lateral_m < 0.5 * gear.size_m
        depth_m = shared.depth_m if on_shaft else 0.0
        meshed_m = max(depth_m - gear.over_mesh_m, 0.0)
        return GearMeshMeasurement(**{**vars(shared), "depth_m": depth_m}, meshed_m=meshed_m)

    def _reward_terms(self, m: GearMeshMeasurement) -> dict[str, float]:
        weights, before, gear = REWARD_WEIGHTS, self._before, self.product
        aligned = alignment(m.lateral_m, m.yaw_error_rad)
        gained = aligned - alignment(before.lateral_m, before.yaw_error_rad)
        return {
            "depth": weights["depth"] * (m.depth_m - before.depth_m) / gear.depth_m,
            "mesh": weights["mesh"] * (m.meshed_m - before.meshed_m) / gear.face_m,
            "alignment": weights["alignment"] * gained,
            **self._shared_terms(m, weights),
        }

    def _inspect(self) -> GearMeshScorecard:
        meshed_share = self.measurement.meshed_m / self.product.face_m
        return GearMeshScorecard(**vars(super()._inspect()), meshed_share=meshed_share)
