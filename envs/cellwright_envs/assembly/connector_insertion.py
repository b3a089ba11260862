"""The task: plug one connector in until its latch snaps. Scene, actions, observations, reward and end.

The cell, its cameras and its wrist sensor are those of every `Insertion`; the arm pushes harder.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cellwright_envs.assembly.compliance import ComplianceConfig, force_loop_gains
from cellwright_envs.assembly.config import InsertionConfig, force_controlled
from cellwright_envs.assembly.insertion import Insertion
from cellwright_envs.assembly.measurement import InsertionMeasurement, InsertionScorecard
from cellwright_envs.assembly.parts.connectors import CONNECTORS, Connector, Latch
from cellwright_envs.assembly.parts.mating import LIMIT_SHARE, Mating
from cellwright_envs.assembly.reward import alignment
from cellwright_envs.disturbances.sampling import require_positive
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

FIRM = ComplianceConfig(stiffness_n_m=4000.0, rotational_stiffness_n_m_rad=32.0)
"""Stiffer than for pegs, along and about every axis: the leash of 5 mm, then 20 N, overcomes a latch.

The virtual mass is that for pegs: a larger one would make weak fingers slip when the arm starts to move.
"""


@dataclass(frozen=True, kw_only=True)
class ConnectorInsertionConfig(InsertionConfig):
    """The cell of every insertion with an arm that overcomes a latch."""

    compliance: ComplianceConfig = field(default_factory=lambda: FIRM)
    mating_forces: bool = False
    """Whether contacts and shell resist over the travel, with the forces of their standards; else the latch
    alone, with that of the drawing."""
    force_limit_n: float | None = None
    """Force above which a plug counts as broken, instead of that of the drawing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.force_limit_n is not None:
            require_positive(self, "force_limit_n")


STRONG = force_loop_gains(stiffness_n_m=13e3, rotational_stiffness_n_m_rad=32.0)
"""The leash of 5 mm is 65 N, and 49 N where the stiffness is lowest in training; HDMI takes up to 44 N."""

CONNECTOR_INSERTION_V1 = replace(
    force_controlled(ConnectorInsertionConfig(), STRONG),
    mating_forces=True,
    force_limit_n=100.0,
    grip_force_n=220.0,
    observed_force_n=100.0,
)
"""The cell with a UR10e that has lag, mass and stiffness, and plugs with the forces of their standards.

A plug bears 100 N (assumption), twice what it takes; the gripper holds with nearly the 235 N that it has, or
plugs would slip in it.
"""


@dataclass(frozen=True, kw_only=True)
class ConnectorMeasurement(InsertionMeasurement):
    """The truth after one control step, the latch included."""

    latched: bool
    """Whether the latch has snapped."""
    resistance_n: float
    """Force of latch and contacts on the plug, positive out of the socket."""


@dataclass(frozen=True, kw_only=True)
class ConnectorScorecard(InsertionScorecard):
    """The result of one plug."""

    latched: bool
    """Whether the latch has snapped and holds."""


class ConnectorInsertion(Insertion[ConnectorMeasurement]):
    """Plug a connector in until its latch snaps; see docs/environments/connector-insertion.md."""

    # Scene: the plugs, their sockets, and the latch

    catalogue = CONNECTORS
    default_config = ConnectorInsertionConfig()
    config: ConnectorInsertionConfig
    product: Connector

    def _resolve_products(self, choice: Any) -> tuple[Connector, ...]:
        plugs, limit_n = self.catalogue.resolve(choice), self.config.force_limit_n
        return plugs if limit_n is None else tuple(replace(plug, force_limit_n=limit_n) for plug in plugs)

    def _resistance(self, rng: np.random.Generator) -> Latch:
        if self.config.mating_forces:
            self._latch: Latch = Mating(self.product, share=float(rng.uniform(*LIMIT_SHARE)))
        else:
            self._latch = Latch(depth_m=self.product.depth_m, force_n=self.product.latch_n)
        return self._latch

    # Actions and observations: those of every insertion

    own_privileged = (
        Component(name="latch_force", unit="N", low=0.0, high=20.0),
        Component(name="latched", unit="1", low=0.0, high=1.0),
    )

    def _privileged_own(self) -> tuple[float, ...]:
        return self.product.latch_n, float(self.measurement.latched)

    # Reward and end

    def _measure_own(
        self, shared: InsertionMeasurement, before: ConnectorMeasurement | None
    ) -> ConnectorMeasurement:
        latch = self._latch
        return ConnectorMeasurement(**vars(shared), latched=latch.latched, resistance_n=latch.resistance_n)

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
