"""Friction between part and fixture: as large as drawn, and against the sliding in every direction."""

from __future__ import annotations

import numpy as np
import pytest

from cellwright_assets.assembly_cell import CONTROL_PERIOD_S
from cellwright_envs.assembly.cell import NOMINAL_FIXTURE_W, AssemblyCell, Conditions, pose_matrix
from cellwright_envs.assembly.compliance import ComplianceConfig
from cellwright_envs.assembly.disturbances.mechanics import AS_SET_GRIP
from cellwright_envs.assembly.parts.pegs import PEGS

FRICTION = 0.3
PRESS_M, STEP_M = 3e-3, 0.25e-3


def slid(direction_rad: float) -> tuple[float, float]:
    """Friction over pressure, and by how much it points away from straight against the sliding [rad]."""
    part = PEGS.resolve("round-8-0.1-chamfer")[0]
    conditions = Conditions(
        clearance_m=part.clearance_m,
        chamfer_m=0.0,
        friction=FRICTION,
        grip=AS_SET_GRIP,
        grasp=(0.0, 0.0, 0.0),
        stiffness_scale=1.0,
        dead_band_n=1.0,
    )
    along = np.array([np.cos(direction_rad), np.sin(direction_rad)])
    start = np.array([*NOMINAL_FIXTURE_W, 0.0, 0.0, 0.0])
    fixture_w = pose_matrix(start)
    # Past the hole, from 6 mm before it to 4 mm behind it.
    start[:2] += 0.0165 * np.array([along[1], -along[0]]) - 0.006 * along
    start[2] += 0.2e-3
    cell = AssemblyCell(CONTROL_PERIOD_S, ComplianceConfig())
    try:
        state = cell.begin(part, conditions, start, fixture_w)
        tare, reference, angles, ratios = state.wrench_t, start.copy(), [], []
        for step in range(70):
            if step >= 30:
                reference[:2] += STEP_M * along
            reference[2] = max(reference[2] - 0.5e-3, state.tool[2] - PRESS_M)
            before_w = state.tool[:2]
            state = cell.move(reference, fixture_w)
            if step < 60:
                continue
            force = state.wrench_t - tare
            slide_w = state.tool[:2] - before_w
            off = np.arctan2(-force[1], -force[0]) - np.arctan2(slide_w[1], slide_w[0])
            angles.append((off + np.pi) % (2.0 * np.pi) - np.pi)
            ratios.append(np.hypot(force[0], force[1]) / force[2])
    finally:
        cell.close()
    return float(np.mean(ratios)), float(np.mean(angles))


@pytest.mark.parametrize("degrees", [0, 30, 45, 60, 90, 120, 135, 150])
def test_friction_opposes_sliding_in_every_direction(degrees: int) -> None:
    ratio, off_rad = slid(np.deg2rad(degrees))
    assert ratio == pytest.approx(FRICTION, rel=0.02)
    assert abs(np.rad2deg(off_rad)) < 2.0
