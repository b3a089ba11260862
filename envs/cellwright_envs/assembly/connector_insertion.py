"""The task: plug one connector in until its latch snaps. Scene, actions, observations, reward and end.

The cell, its cameras and its wrist sensor are those of every `Insertion`; the arm pushes harder.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cellwright_envs.assembly.compliance import ComplianceConfig
from cellwright_envs.assembly.config import InsertionConfig
from cellwright_envs.assembly.insertion import Insertion
from cellwright_envs.assembly.measurement import InsertionMeasurement, InsertionScorecard
from cellwright_envs.assembly.parts.connectors import CONNECTORS, Connector
from cellwright_envs.assembly.parts.mating import LIMIT_SHARE, Mating
from cellwright_envs.assembly.reward import alignment
from cellwright_runtime.vocabulary import Component

REWARD_WEIGHTS: dict[str, float] = {
    "depth": 10.0,
    "alignment": 3.0,
    "latch": 4.0,
    "seated": 0.4,
    "force": 0.2,
    "pace": 0.03,
    "smoothness": 0.02,
    "success": 10.0,
    "broken": 10.0,
}
"""Depth, alignment and latch per unit gained, success and broken once, the others per step."""

STRONG = ComplianceConfig(stiffness_n_m=13e3, rotational_stiffness_n_m_rad=32.0)
"""The leash of 5 mm is 65 N, and 49 N where the stiffness is lowest in training; HDMI takes up to 44 N."""


@dataclass(frozen=True, kw_only=True)
class ConnectorInsertionConfig(InsertionConfig):
    """The cell of every insertion with an arm that overcomes contacts, shell and latch."""

    compliance: ComplianceConfig = field(default_factory=lambda: STRONG)
    grip_force_n: float = 220.0
    """Nearly the 235 N that the gripper has, or plugs would slip in it."""
    observed_force_n: float = 100.0
    """The range of the sensor: a plug takes up to 44 N and bears 100 N."""


@dataclass(frozen=True, kw_only=True)
class ConnectorMeasurement(InsertionMeasurement):
    """The truth after one control step, the latch included."""

    latched: bool
    """Whether the latch has snapped."""
    resistance_n: float
    """Force of contacts, shell and latch on the plug, positive out of the socket."""


@dataclass(frozen=True, kw_only=True)
class ConnectorScorecard(InsertionScorecard):
    """The result of one plug."""

    latched: bool
    """Whether the latch has snapped and holds."""


class ConnectorInsertion(Insertion[ConnectorMeasurement]):
    """Plug a connector in until its latch snaps; see docs/environments/connector-insertion.md."""

    # Scene: the plugs, their sockets, and what it takes to mate them

    catalogue = CONNECTORS
    default_config = ConnectorInsertionConfig()
    config: ConnectorInsertionConfig
    product: Connector

    def _resistance(self, rng: np.random.Generator) -> Mating:
        self._mating = Mating(self.product, share=float(rng.uniform(*LIMIT_SHARE)))
        return self._mating

    # Actions and observations: those of every insertion

    own_privileged = (
        Component(name="mating_force", unit="N", low=0.0, high=50.0),
        Component(name="latched", unit="1", low=0.0, high=1.0),
    )

    def _privileged_own(self) -> tuple[float, ...]:
        return self._mating.peak_n, float(self.measurement.latched)

    # Reward and end

    def _measure_own(
        self, shared: InsertionMeasurement, before: ConnectorMeasurement | None
    ) -> ConnectorMeasurement:
        mating = self._mating
        return ConnectorMeasurement(**vars(shared), latched=mating.latched, resistance_n=mating.resistance_n)

    def _seated(self, m: ConnectorMeasurement) -> bool:
        return super()._seated(m) and m.latched

    def _reward_terms(self, m: ConnectorMeasurement) -> dict[str, float]:
        weights, before = REWARD_WEIGHTS, self._before
        aligned = alignment(m.lateral_m, m.yaw_error_rad)
        gained = aligned - alignment(before.lateral_m, before.yaw_error_rad)
        return {
            "depth": weights["depth"] * (m.depth_m - before.depth_m) / self.product.depth_m,
            "alignment": weights["alignment"] * gained,
            "latch": weights["latch"] * (float(m.latched) - float(before.latched)),
            **self._shared_terms(m, weights),
        }

    def _inspect(self) -> ConnectorScorecard:
        return ConnectorScorecard(**vars(super()._inspect()), latched=self.measurement.latched)
