"""The true state of a weld, for a critic, a teacher and the oracle; it never reaches an actor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.cell_env import Component
from cellwright_envs.welding.columns import Constant, Input, State
from cellwright_envs.welding.quality import Feature
from cellwright_envs.welding.seam import along

if TYPE_CHECKING:
    from cellwright_envs.welding.weld_seam import WeldSeam

AHEAD_M = (0.0, 1e-3, 2e-3, 4e-3, 10e-3)
"""How far before the wire the seam's true course is told."""
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
    _c("heat_per_thickness", "J/m2", 0.0, 0.4e9),
    _c("required_throat", "m", 0.0, 6e-3),
    _c("lack_of_penetration_index", "1", 0.3, 0.7),
    _c("burn_through_index", "1", 0.8, 1.4),
    _c("burn_through_heat", "J/m2", 0.1e9, 0.35e9),
    _c("undercut", "m", 0.0, 1e-3),
    _c("fails_b", "1", 0.0, 1.0),
    _c("fails_c", "1", 0.0, 1.0),
    _c("speed", "m/s", 0.0, 0.025),
)
NAMES = tuple(component.name for component in PRIVILEGED)


def privileged_state(env: WeldSeam) -> NDArray[np.float32]:
    """The components of `PRIVILEGED` now (n,), before clipping."""
    if env.ideal is None:
        raise ValueError("no privileged state: make the environment with privileged=True")
    wire, deviation, process = env.wire, env.deviation, env.process
    lateral_m = wire.torch_lateral_m + wire.tip_t[1]
    height_m = wire.torch_height_m + wire.tip_t[2]
    inputs = env._inputs[1]
    state, features, constants = process.state[0], process.features[0], process.constants[0]
    fails = env.record.violations_now(process.features)[0]
    at = [wire.wire_m + ahead for ahead in AHEAD_M]
    return np.array(
        [
            *(along(deviation.lateral_m, s) + wire.seam_shift_m[0] - lateral_m for s in at),
            *(along(deviation.height_m, s) + wire.seam_shift_m[1] - height_m for s in at),
            *(along(deviation.gap_m, s) for s in at),
            wire.tip_t[1],
            deviation.thickness_m,
            inputs[0, Input.TACK_HEIGHT_M],
            inputs[0, Input.MISALIGNMENT_M],
            inputs[0, Input.WIRE_SLIP],
            inputs[0, Input.SUPPLY_OFFSET_V],
            state[State.PLATE_TEMPERATURE_K],
            state[State.SHIELDING],
            state[State.CURRENT_A],
            state[State.BEAD_WIDTH_M],
            state[State.BEAD_PENETRATION_M],
            state[State.ROOT_INDEX],
            state[State.THROAT_M],
            state[State.CAP_HEIGHT_M],
            *env.ideal.trims,
            state[State.ROOT_PENETRATION_M],
            state[State.HEAT_PER_THICKNESS_J_M2],
            constants[Constant.REQUIRED_THROAT_M],
            constants[Constant.LACK_OF_PENETRATION_INDEX],
            constants[Constant.BURN_THROUGH_INDEX],
            constants[Constant.BURN_THROUGH_HEAT_J_M2],
            features[Feature.UNDERCUT],
            fails[0] != 0,
            fails[1] != 0,
            env._speed_m_s,
        ],
        dtype=np.float32,
    )


def search_ideal(env: WeldSeam) -> None:
    """Tell the teacher's trims a look ahead of the wire, where a change made now takes effect."""
    if env.ideal is None:
        raise ValueError("no ideal trims: make the environment with privileged=True")
    changed = env.disturbed.procedure_change.procedure(env.wire.wire_m / env.cell.frames.length_m)
    ahead_m = max(env.wire.wire_m, 0.0) + IDEAL_PREVIEW_M
    inputs = env._inputs[1, 0].copy()
    for column, profile in (
        (Input.GAP_M, env.deviation.gap_m),
        (Input.MISALIGNMENT_M, env.deviation.misalignment_m),
        (Input.TACK_HEIGHT_M, env.deviation.tack_m),
    ):
        inputs[column] = along(profile, ahead_m)
    inputs[Input.THICKNESS_M] = env.deviation.thickness_m
    inputs[Input.CONTACT_TIP_DISTANCE_M] = env.product.procedure.contact_tip_distance_m
    nominal = (
        env._nominal[0] * changed.wire_feed_factor,
        env._nominal[1] + changed.voltage_offset_v,
        env._nominal[2] * changed.travel_speed_factor,
    )
    env.ideal.update(inputs, nominal, env._scale[2:], env.process)
