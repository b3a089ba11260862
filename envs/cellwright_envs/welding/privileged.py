"""The true state of a weld, for a critic, a teacher and the oracle; it never reaches an actor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.welding.disturbances.events import Procedure
from cellwright_envs.welding.inspection.quality import Feature
from cellwright_envs.welding.part.product import WeldProcedure
from cellwright_envs.welding.part.seam import SeamDeviation
from cellwright_envs.welding.process.bead import PENETRATION_FACTOR
from cellwright_envs.welding.process.columns import Constant, Input, State
from cellwright_envs.welding.process.ideal import IdealTrims
from cellwright_envs.welding.process.weld_process import WeldProcess
from cellwright_envs.welding.wire_placement import WirePlacement
from cellwright_perception.seam.taught_path import along
from cellwright_runtime.vocabulary import Component

AHEAD_M = (0.0, 1e-3, 2e-3, 4e-3, 10e-3)
"""Distances ahead of the wire at which the seam's true course is given."""
IDEAL_PREVIEW_M = 3e-3
"""How far ahead of the wire the teacher sets trims, to cover slew and latency."""


def _c(name: str, unit: str, low: float, high: float) -> Component:
    return Component(name=name, unit=unit, low=low, high=high)


PRIVILEGED: tuple[Component, ...] = (
    *(_c(f"lateral_error_{ahead * 1e3:.0f}_mm_ahead", "m", -5e-3, 5e-3) for ahead in AHEAD_M),
    *(_c(f"height_error_{ahead * 1e3:.0f}_mm_ahead", "m", -5e-3, 5e-3) for ahead in AHEAD_M),
    *(_c(f"gap_{ahead * 1e3:.0f}_mm_ahead", "m", 0.0, 3e-3) for ahead in AHEAD_M),
    _c("wire_lateral", "m", -2e-3, 2e-3),
    _c("thickness", "m", 1e-3, 10e-3),
    _c("tack_height", "m", 0.0, 3e-3),
    _c("misalignment", "m", -2e-3, 2e-3),
    _c("wire_slip", "1", 0.8, 1.0),
    _c("supply_offset", "V", -2.0, 2.0),
    _c("plate_temperature", "K", 250.0, 600.0),
    _c("shielding", "1", 0.0, 1.0),
    _c("current", "A", 0.0, 400.0),
    _c("width", "m", 0.0, 0.015),
    _c("penetration", "m", 0.0, 6e-3),
    _c("root_index", "1", 0.0, 2.0),
    _c("throat", "m", 0.0, 8e-3),
    _c("cap_height", "m", -2e-3, 4e-3),
    _c("ideal_travel_speed", "1", -1.0, 1.0),
    _c("ideal_wire_feed", "1", -1.0, 1.0),
    _c("ideal_voltage", "1", -1.0, 1.0),
    _c("root_penetration", "m", -2e-3, 4e-3),
    _c("heat_per_thickness", "J/m^2", 0.0, 0.4e9),
    _c("required_throat", "m", 0.0, 6e-3),
    _c("lack_of_penetration_index", "1", 0.3, 0.7),
    _c("burn_through_index", "1", 0.8, 1.4),
    _c("burn_through_heat", "J/m^2", 0.1e9, 0.35e9),
    _c("undercut", "m", 0.0, 1e-3),
    _c("fails_b", "1", 0.0, 1.0),
    _c("fails_c", "1", 0.0, 1.0),
    _c("speed", "m/s", 0.0, 0.025),
    # Penetration of this weld over the formula's.
    _c("penetration_constant", "1", 0.5, 1.5),
)
NAMES = tuple(component.name for component in PRIVILEGED)


def privileged_state(
    ideal: IdealTrims,
    wire: WirePlacement,
    deviation: SeamDeviation,
    process: WeldProcess,
    inputs: NDArray[np.float64],
    *,
    procedure: WeldProcedure,
    changed: Procedure,
    trim_scale: NDArray[np.float64],
    fails: Sequence[int],
    speed_m_s: float,
) -> NDArray[np.float32]:
    """The components of `PRIVILEGED` now (n,), before clipping.

    `inputs` (inputs,) are those of the process now, `changed` what is different from `procedure`,
    `trim_scale` (3,) what full trims of speed [1], wire feed [1] and voltage [V] change, and `fails` the
    violations of levels B, C and D. The teacher's trims look ahead of the wire first.
    """
    nominal = (
        procedure.wire_feed_m_s * changed.wire_feed_factor,
        procedure.voltage_v + changed.voltage_offset_v,
        procedure.travel_speed_m_s * changed.travel_speed_factor,
    )
    ideal.update(_ahead(wire, deviation, inputs, procedure), nominal, trim_scale, process)
    lateral_m = wire.torch.lateral_m + wire.tip_t[1]
    height_m = wire.torch.height_m + wire.tip_t[2]
    state, features, constants = process.state[0], process.features[0], process.constants[0]
    at = [wire.wire_m + ahead for ahead in AHEAD_M]
    return np.array(
        [
            *(along(deviation.lateral_m, s) + wire.seam_shift_m[0] - lateral_m for s in at),
            *(along(deviation.height_m, s) + wire.seam_shift_m[1] - height_m for s in at),
            *(along(deviation.gap_m, s) for s in at),
            wire.tip_t[1],
            deviation.thickness_m,
            inputs[Input.TACK_HEIGHT_M],
            inputs[Input.MISALIGNMENT_M],
            inputs[Input.WIRE_SLIP],
            inputs[Input.SUPPLY_OFFSET_V],
            state[State.PLATE_TEMPERATURE_K],
            state[State.SHIELDING],
            state[State.CURRENT_A],
            state[State.BEAD_WIDTH_M],
            state[State.BEAD_PENETRATION_M],
            state[State.ROOT_INDEX],
            state[State.THROAT_M],
            state[State.CAP_HEIGHT_M],
            *ideal.trims,
            state[State.ROOT_PENETRATION_M],
            state[State.HEAT_PER_THICKNESS_J_M2],
            constants[Constant.REQUIRED_THROAT_M],
            constants[Constant.LACK_OF_PENETRATION_INDEX],
            constants[Constant.BURN_THROUGH_INDEX],
            constants[Constant.BURN_THROUGH_HEAT_J_M2],
            features[Feature.UNDERCUT],
            fails[0] != 0,
            fails[1] != 0,
            speed_m_s,
            constants[Constant.PENETRATION_FACTOR] / PENETRATION_FACTOR,
        ],
        dtype=np.float32,
    )


def _ahead(
    wire: WirePlacement, deviation: SeamDeviation, inputs: NDArray[np.float64], procedure: WeldProcedure
) -> NDArray[np.float64]:
    """The inputs (inputs,) ahead of the wire, where a change of trims made now takes effect."""
    ahead_m = max(wire.wire_m, 0.0) + IDEAL_PREVIEW_M
    inputs = inputs.copy()
    for column, profile in (
        (Input.GAP_M, deviation.gap_m),
        (Input.MISALIGNMENT_M, deviation.misalignment_m),
        (Input.TACK_HEIGHT_M, deviation.tack_m),
    ):
        inputs[column] = along(profile, ahead_m)
    inputs[Input.THICKNESS_M] = deviation.thickness_m
    inputs[Input.CONTACT_TIP_DISTANCE_M] = procedure.contact_tip_distance_m
    return inputs
