"""The same contact in the cell: a peg pressed on the top of its block."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.assembly_cell import CONTROL_PERIOD_S
from cellwright_envs.assembly.arm_dynamics import CYCLE_S, ServoedArmConfig
from cellwright_envs.assembly.cell import NOMINAL_FIXTURE_W, AssemblyCell, Conditions, pose_matrix
from cellwright_envs.assembly.compliance import ComplianceConfig
from cellwright_envs.assembly.parts.pegs import PEGS
from cellwright_envs.physics.world import Grip
from cellwright_runtime.interface.force_loop import LEASH_RETURN
from tools.force_loop.model import Body, Lag

Array = NDArray[np.float64]

BESIDE_M = 0.017
"""From the hole's axis: on the block, whatever the peg."""
FIRM = Grip(along_n=1e3, across_n=1e3, twist_n_m=20.0)
"""What holds, whatever the arm pushes."""
STARTS_M = 1e-3
"""Height over the block from which the peg is driven down."""


@dataclass(frozen=True, kw_only=True)
class Contact:
    """What one contact came to."""

    peak_n: float
    """Largest force on the part."""
    force_n: Array
    """(n,) largest force of each control step."""
    felt_n: Array
    """(n,) mean of what the sensor delivered, up."""

    @property
    def settles(self) -> bool:
        """Whether the contact comes to rest, by the measure of the model: neither the mean of a control step
        swings, nor does its largest force differ from it."""
        last = slice(-len(self.felt_n) // 4, None)
        swing_n = max(float(np.ptp(self.felt_n[last])), float(np.ptp(self.force_n[last] - self.felt_n[last])))
        above_n = float(np.max(self.force_n[last] - self.felt_n[last]))
        allowed_n = max(2.0, 0.1 * self.peak_n)
        return bool(max(swing_n, above_n) < allowed_n and self.felt_n[last].min() > 0.5)


def robot(lag: Lag, body: Body) -> ServoedArmConfig:
    """The cell's robot with the lags and the stiffness of the model."""
    sensor_delay_s = CYCLE_S
    return replace(
        ServoedArmConfig(),
        command_delay_s=lag.delay - sensor_delay_s,
        sensor_delay_s=sensor_delay_s,
        servo_s=lag.servo,
        sensor_filter_s=lag.sensor,
        arm_mass_kg=body.mass,
        arm_stiffness_n_m=body.arm,
        finger_stiffness_n_m=body.fingers,
        fixture_stiffness_n_m=1e12,
    )


def press(
    compliance: ComplianceConfig,
    *,
    speed_m_s: float,
    fine: bool = True,
    seconds: float = 3.0,
    held: bool = False,
) -> Contact:
    """Drive a peg onto the block at `speed_m_s` and go on: until it leads the tool by the leash, or where it
    is `held` until it is by the leash below the block's top."""
    part = PEGS.resolve("round-8-0.1-chamfer" if fine else "round-8-0.5")[0]
    conditions = Conditions(
        clearance_m=part.clearance_m,
        chamfer_m=0.0,
        friction=part.friction,
        grip=FIRM,
        grasp=(0.0, 0.0, 0.0),
        stiffness_scale=1.0,
        dead_band_n=compliance.dead_band_n,
    )
    start = np.array([*NOMINAL_FIXTURE_W, 0.0, 0.0, 0.0])
    fixture_w = pose_matrix(start)
    start[0] += BESIDE_M
    start[2] += STARTS_M
    cell = AssemblyCell(CONTROL_PERIOD_S, compliance)
    try:
        state = cell.begin(part, conditions, start, fixture_w)
        tare_n, reference = state.wrench_t[2], start.copy()
        forces, felt = [], []
        for _ in range(round(seconds / CONTROL_PERIOD_S)):
            reference[2] -= speed_m_s * CONTROL_PERIOD_S
            top_m = NOMINAL_FIXTURE_W[2] if held else state.tool[2]
            beyond_m = top_m - reference[2] - compliance.leash_m
            reference[2] += (1.0 if held else LEASH_RETURN) * max(beyond_m, 0.0)
            state = cell.move(reference, fixture_w)
            forces.append(state.peak_force_n)
            felt.append(state.wrench_t[2] - tare_n)
    finally:
        cell.close()
    return Contact(peak_n=max(forces), force_n=np.array(forces), felt_n=np.array(felt))
