"""The assembly cell's compliant arm as a plant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.assembly.cell import (
    COARSE_PHYSICS_PERIOD_S,
    AssemblyCell,
    CellState,
    Conditions,
    arm,
    physics_periods_s,
    pose_matrix,
)
from cellwright_envs.assembly.compliance import ComplianceConfig
from cellwright_envs.assembly.parts.part import Part
from cellwright_envs.physics.transforms import product
from cellwright_envs.virtual.arm import VirtualArm
from cellwright_runtime.drivers.driver import RobotState

Array = NDArray[np.float64]


class CompliantArm(VirtualArm):
    """A UR10e under compliant control that holds a part over its fixture; targets are its reference."""

    def __init__(
        self,
        part: Part,
        conditions: Conditions,
        *,
        start: Array,
        fixture_w: Array,
        compliance: ComplianceConfig | None = None,
        period_s: float = COARSE_PHYSICS_PERIOD_S,
    ) -> None:
        """Work begins with the tool at `start` (6,), at rest, over a fixture at `fixture_w` (4, 4)."""
        compliance = compliance or ComplianceConfig()
        super().__init__(period_s, max(physics_periods_s(period_s, compliance)), arm().tool)
        self._cell = AssemblyCell(period_s, compliance)
        self._begin = part, conditions, start.copy(), fixture_w.copy()
        self._fixture_w = fixture_w.copy()

    @property
    def poses_w(self) -> tuple[Array, Array, Array]:
        """Poses (4, 4) of hand, part and fixture, as cameras see them after the last period."""
        return self._seen

    def _place(self) -> RobotState:
        return self._reading(self._cell.begin(*self._begin))

    def _advance(self, target: Array) -> RobotState:
        return self._reading(self._cell.move(target, self._fixture_w))

    def _reading(self, state: CellState) -> RobotState:
        part_w = np.asarray(product(self._cell.fixture_w, state.part_f))
        self._seen = pose_matrix(self._cell.hand), part_w, self._cell.fixture_w.copy()
        return RobotState(
            time_s=self._time_s,
            tool=state.tool.copy(),
            joints_rad=self._cell.joints_rad.copy(),
            wrench=state.wrench_t.copy(),
        )

    def _end(self) -> None:
        self._cell.close()
